/* microvm/snapshot.c: the file of a machine that was written down. */
#include "microvm/snapshot.h"

#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x31305350414d5652ull /* "RVMAPS01" */
#define CHIPS 3u                    /* two of the PC's controllers, one IOAPIC */
#define GAP                                                                                        \
	(64u * VM_PAGE) /* of zeroes that are written: each hole is a mapping, and costs a restore \
			   time */
#define STATE_MAX (4u << 20)

struct header {
	uint64_t magic, memory, state_len, memory_offset;
	uint32_t vcpus, devices;
};

/* One part: its length, then its bytes. */
static void add_part(struct strbuf *b, const void *data, size_t len)
{
	uint32_t n = (uint32_t)len;

	strbuf_add(b, &n, sizeof(n));
	strbuf_add(b, data, len);
}

struct cursor {
	const char *at;
	size_t left;
};

static int next_part(struct cursor *c, const void **ret, size_t *ret_len, struct err *e)
{
	uint32_t n;

	if (c->left < sizeof(n))
		goto damaged;
	memcpy(&n, c->at, sizeof(n));
	if (n > c->left - sizeof(n))
		goto damaged;
	*ret = c->at + sizeof(n);
	*ret_len = n;
	c->at += sizeof(n) + n;
	c->left -= sizeof(n) + n;
	return 0;
damaged:
	return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL, "the snapshot is damaged");
}

static int sized_part(struct cursor *c, void *to, size_t len, struct err *e)
{
	const void *data = NULL;
	size_t n = 0;
	int rc = next_part(c, &data, &n, e);

	if (rc >= 0 && n != len)
		rc = err_set(e, ERR_UNSUPPORTED, EINVAL, NULL, "the snapshot is damaged");
	if (rc >= 0)
		memcpy(to, data, len);
	return rc;
}

/* --- writing --- */

static int save_chips(struct vm_kvm *k, struct strbuf *out, struct err *e)
{
	struct kvm_clock_data clock;

	for (uint32_t i = 0; i < CHIPS; i++) {
		struct kvm_irqchip chip = {.chip_id = i};
		if (ioctl(k->vm, KVM_GET_IRQCHIP, &chip) < 0)
			return err_sys(e, errno, NULL, "reading the interrupt controllers");
		add_part(out, &chip, sizeof(chip));
	}
	if (ioctl(k->vm, KVM_GET_CLOCK, &clock) < 0)
		return err_sys(e, errno, NULL, "reading the guest's clock");
	add_part(out, &clock, sizeof(clock));
	return 0;
}

static int save_state(const struct vm_machine *m, struct strbuf *out, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < m->n_vcpus; i++) {
		auto_strbuf one = {0};
		rc = vm_vcpu_save(&m->vcpus[i], m->kvm->dev, &one, e);
		out->failed = out->failed || one.failed;
		add_part(out, one.s, one.len);
	}
	if (rc >= 0)
		rc = save_chips(m->kvm, out, e);
	for (unsigned i = 0; rc >= 0 && i < m->n_devices; i++) {
		auto_strbuf one = {0};
		vm_device_save(m->devices[i], &one);
		out->failed = out->failed || one.failed;
		add_part(out, one.s, one.len);
	}
	if (rc >= 0 && out->failed)
		rc = err_sys(e, ENOMEM, NULL, "writing the machine down");
	return rc;
}

static bool is_zero(const uint8_t *page)
{
	return page[0] == 0 && memcmp(page, page + 1, VM_PAGE - 1) == 0;
}

/* Behind the last page with something in it before GAP zeroes; `at`: there is none here. */
static uint64_t run_end(const struct vm_memory *m, uint64_t at)
{
	uint64_t end = at;

	for (uint64_t to = at; to < m->size && to - end < (end > at ? GAP : VM_PAGE); to += VM_PAGE)
		if (!is_zero(m->base + to))
			end = to + VM_PAGE;
	return end;
}

/* In runs of pages that hold something. */
static int write_memory(const struct vm_sink *to, const struct vm_memory *m, uint64_t offset,
			struct err *e)
{
	for (uint64_t at = 0; at < m->size;) {
		uint64_t end = run_end(m, at);
		int rc = end > at ? to->put(to->arg, m->base + at, end - at, offset + at, e) : 0;
		if (rc < 0)
			return rc;
		at = end + VM_PAGE;
	}
	return 0;
}

int vm_snapshot_write(const struct vm_sink *to, const struct vm_machine *m, uint64_t *ret_size,
		      struct err *e)
{
	auto_strbuf state = {0};
	int rc = save_state(m, &state, e);

	if (rc < 0)
		return rc;
	struct header h = {.magic = MAGIC,
			   .memory = m->mem->size,
			   .state_len = state.len,
			   .memory_offset =
				   (sizeof(h) + state.len + VM_PAGE - 1) & ~(uint64_t)(VM_PAGE - 1),
			   .vcpus = m->n_vcpus,
			   .devices = m->n_devices};
	*ret_size = h.memory_offset + h.memory;
	rc = write_memory(to, m->mem, h.memory_offset, e);
	if (rc >= 0)
		rc = to->put(to->arg, state.s, state.len, sizeof(h), e);
	/* Last: a file without it is none. */
	return rc < 0 ? rc : to->put(to->arg, &h, sizeof(h), 0, e);
}

static int put_file(void *arg, const void *data, size_t len, uint64_t offset, struct err *e)
{
	const int *fd = arg;
	int rc = file_write_all_at(*fd, data, len, offset);

	return rc < 0 ? err_sys(e, -rc, NULL, "writing the machine down") : 0;
}

int vm_snapshot_file(int fd, const struct vm_machine *m, struct err *e)
{
	const struct vm_sink to = {.put = put_file, .arg = &fd};
	uint64_t size;
	int rc = vm_snapshot_write(&to, m, &size, e);

	if (rc >= 0 && ftruncate(fd, (off_t)size) < 0)
		return err_sys(e, errno, NULL, "writing the machine down");
	return rc;
}

/* --- reading --- */

static int read_header(int fd, struct header *ret, struct err *e)
{
	struct stat st;

	if (pread(fd, ret, sizeof(*ret), 0) != sizeof(*ret) || ret->magic != MAGIC ||
	    fstat(fd, &st) < 0 || ret->state_len > STATE_MAX || ret->memory_offset % VM_PAGE ||
	    ret->memory_offset < sizeof(*ret) + ret->state_len ||
	    (uint64_t)st.st_size != ret->memory_offset + ret->memory)
		return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL,
			       "not a machine that was written down, or cut off");
	return 0;
}

int vm_snapshot_check(int fd, uint64_t memory, unsigned vcpus, uint64_t *ret_offset, struct err *e)
{
	struct header h;
	int rc = read_header(fd, &h, e);

	if (rc < 0)
		return rc;
	if (h.memory != memory || h.vcpus != vcpus)
		return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL,
			       "the machine that was written down has another shape");
	*ret_offset = h.memory_offset;
	return 0;
}

static int load_chips(struct vm_kvm *k, struct cursor *c, struct err *e)
{
	struct kvm_clock_data clock;
	struct kvm_irqchip chip;
	int rc = 0;

	for (uint32_t i = 0; i < CHIPS; i++) {
		rc = sized_part(c, &chip, sizeof(chip), e);
		if (rc < 0)
			return rc;
		if (ioctl(k->vm, KVM_SET_IRQCHIP, &chip) < 0)
			return err_sys(e, errno, NULL, "setting the interrupt controllers");
	}
	rc = sized_part(c, &clock, sizeof(clock), e);
	if (rc < 0)
		return rc;
	clock.flags = 0;
	if (ioctl(k->vm, KVM_SET_CLOCK, &clock) < 0)
		return err_sys(e, errno, NULL, "setting the guest's clock");
	return 0;
}

static int load_state(const struct vm_machine *m, struct cursor *c, struct err *e)
{
	const void *data = NULL;
	size_t len = 0;
	int rc = 0;

	for (unsigned i = 0; rc >= 0 && i < m->n_vcpus; i++) {
		rc = next_part(c, &data, &len, e);
		if (rc >= 0)
			rc = vm_vcpu_load(&m->vcpus[i], data, len, e);
	}
	if (rc >= 0)
		rc = load_chips(m->kvm, c, e);
	for (unsigned i = 0; rc >= 0 && i < m->n_devices; i++) {
		rc = next_part(c, &data, &len, e);
		if (rc >= 0)
			rc = vm_device_load(m->devices[i], data, len, e);
	}
	return rc;
}

int vm_snapshot_read(int fd, const struct vm_machine *m, struct err *e)
{
	struct header h;
	int rc = read_header(fd, &h, e);

	if (rc < 0)
		return rc;
	if (h.devices != m->n_devices)
		return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL,
			       "the machine that was written down has other devices");
	auto_str state = malloc(h.state_len + 1);
	if (!state)
		return err_sys(e, ENOMEM, NULL, "reading the machine");
	if (pread(fd, state, h.state_len, sizeof(h)) != (ssize_t)h.state_len)
		return err_sys(e, EIO, NULL, "reading the machine");
	struct cursor c = {state, h.state_len};
	return load_state(m, &c, e);
}
