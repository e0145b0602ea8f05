/* microvm/vcpu_state.c: the registers of a vCPU as bytes, and back.
 *
 * The order of setting is KVM's (Documentation/virt/kvm/api.rst): the local APIC after the special
 * registers, which hold its base; MSRs after both, for a timer's deadline needs the APIC; events
 * and the run state last.
 */
#include "microvm/snapshot.h"

#include "common/str.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSRS_MAX 512u

/* Parts of one size, each with the ioctl that gets it and the one that sets it. */
struct fixed {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_lapic_state lapic;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debug;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	uint32_t n_msrs;
};

struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[MSRS_MAX];
};

static int failed(const struct vm_vcpu *v, const char *what, struct err *e)
{
	return err_sys(e, errno, NULL, "%s of processor %u", what, v->index);
}

/* Those that KVM says are worth keeping. */
static int list_msrs(int dev, struct msrs *m, struct err *e)
{
	struct {
		struct kvm_msr_list head;
		uint32_t indices[MSRS_MAX];
	} list = {.head.nmsrs = MSRS_MAX};

	if (ioctl(dev, KVM_GET_MSR_INDEX_LIST, &list) < 0)
		return err_sys(e, errno, "/dev/kvm", "listing the processor's registers");
	for (unsigned i = 0; i < list.head.nmsrs; i++)
		m->entries[i].index = list.indices[i];
	m->head.nmsrs = list.head.nmsrs;
	return 0;
}

/* KVM stops at the first that it can't read: that one is left out. */
static void read_msrs(const struct vm_vcpu *v, struct msrs *m)
{
	struct msrs one = {.head.nmsrs = 1};
	uint32_t kept = 0;

	for (unsigned i = 0; i < m->head.nmsrs; i++) {
		one.entries[0] = m->entries[i];
		if (ioctl(v->fd, KVM_GET_MSRS, &one) == 1)
			m->entries[kept++] = one.entries[0];
	}
	m->head.nmsrs = kept;
}

int vm_vcpu_save(struct vm_vcpu *v, int dev, struct strbuf *out, struct err *e)
{
	struct fixed f = {0};
	struct msrs m = {0};
	int rc = list_msrs(dev, &m, e);

	if (rc < 0)
		return rc;
	if (ioctl(v->fd, KVM_GET_MP_STATE, &f.mp) < 0 || ioctl(v->fd, KVM_GET_REGS, &f.regs) < 0 ||
	    ioctl(v->fd, KVM_GET_SREGS, &f.sregs) < 0 ||
	    ioctl(v->fd, KVM_GET_XSAVE, &f.xsave) < 0 || ioctl(v->fd, KVM_GET_XCRS, &f.xcrs) < 0 ||
	    ioctl(v->fd, KVM_GET_DEBUGREGS, &f.debug) < 0 ||
	    ioctl(v->fd, KVM_GET_VCPU_EVENTS, &f.events) < 0 ||
	    ioctl(v->fd, KVM_GET_LAPIC, &f.lapic) < 0)
		return failed(v, "reading the registers", e);
	read_msrs(v, &m);
	f.n_msrs = m.head.nmsrs;
	strbuf_add(out, &f, sizeof(f));
	strbuf_add(out, m.entries, m.head.nmsrs * sizeof(*m.entries));
	return 0;
}

static int set_msrs(struct vm_vcpu *v, const void *entries, uint32_t n, struct err *e)
{
	struct msrs m = {.head.nmsrs = n};

	memcpy(m.entries, entries, n * sizeof(*m.entries));
	int done = ioctl(v->fd, KVM_SET_MSRS, &m);
	if (done < 0)
		return failed(v, "setting the registers", e);
	/* One that can be read and not written says nothing that another doesn't: go on behind it.
	 */
	while ((uint32_t)done < m.head.nmsrs) {
		uint32_t rest = m.head.nmsrs - (uint32_t)done - 1;
		memmove(m.entries, m.entries + done + 1, rest * sizeof(*m.entries));
		m.head.nmsrs = rest;
		done = rest ? ioctl(v->fd, KVM_SET_MSRS, &m) : 0;
		if (done < 0)
			return failed(v, "setting the registers", e);
	}
	return 0;
}

int vm_vcpu_load(struct vm_vcpu *v, const void *data, size_t len, struct err *e)
{
	struct fixed f;

	if (len < sizeof(f))
		return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL, "the snapshot is cut off");
	memcpy(&f, data, sizeof(f));
	if (f.n_msrs > MSRS_MAX || len != sizeof(f) + f.n_msrs * sizeof(struct kvm_msr_entry))
		return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL, "the snapshot is damaged");
	if (ioctl(v->fd, KVM_SET_REGS, &f.regs) < 0 || ioctl(v->fd, KVM_SET_XSAVE, &f.xsave) < 0 ||
	    ioctl(v->fd, KVM_SET_XCRS, &f.xcrs) < 0 || ioctl(v->fd, KVM_SET_SREGS, &f.sregs) < 0 ||
	    ioctl(v->fd, KVM_SET_LAPIC, &f.lapic) < 0)
		return failed(v, "setting the registers", e);
	int rc = set_msrs(v, (const char *)data + sizeof(f), f.n_msrs, e);
	if (rc < 0)
		return rc;
	if (ioctl(v->fd, KVM_SET_DEBUGREGS, &f.debug) < 0 ||
	    ioctl(v->fd, KVM_SET_VCPU_EVENTS, &f.events) < 0 ||
	    ioctl(v->fd, KVM_SET_MP_STATE, &f.mp) < 0)
		return failed(v, "setting the state", e);
	return 0;
}
