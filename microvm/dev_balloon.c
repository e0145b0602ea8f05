/* microvm/dev_balloon.c: memory that the guest gives back (virtio 1.2, 5.5), asked for (inflate) or
 * of its own accord (free page reporting).
 *
 * Invariants
 *  1. Only pages of guest RAM are given back, whatever number the guest writes.
 *  2. A page given back stays readable: zeroes, or the template's bytes.
 *  3. The driver changes `actual` alone of the configuration.
 *
 * Queues: without statistics and hints the specification puts reporting at 4; Linux counted only
 * the queues that exist, and puts it at 2. Both are reporting here.
 */
#include "microvm/devices.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { INFLATE, DEFLATE, REPORT_LINUX, UNUSED, REPORT_SPEC, N_QUEUES };

#define LIST_MOST 16384u /* bytes of page numbers in one chain; Linux sends 1024 */

struct balloon {
	struct vm_device d;
	uint32_t target; /* pages */
};

/* Pages that follow each other, either way, are given back together. */
struct run {
	uint64_t first, count;
};

static int give_back(struct vm_device *d, const struct run *r)
{
	void *at = vm_mem(d->mem, r->first * VM_PAGE, r->count * VM_PAGE);

	if (r->count && !at)
		return -EPROTO;
	if (r->count)
		madvise(at, r->count * VM_PAGE, MADV_DONTNEED);
	return 0;
}

static int add_page(struct vm_device *d, struct run *r, uint32_t page)
{
	int rc;

	if (r->count && page == r->first + r->count) {
		r->count++;
		return 0;
	}
	if (r->count && (uint64_t)page + 1 == r->first) {
		r->first--;
		r->count++;
		return 0;
	}
	rc = give_back(d, r);
	*r = (struct run){page, 1};
	return rc;
}

static int inflate(struct vm_device *d, const struct vm_chain *c)
{
	struct run r = {0, 0};
	uint32_t page;

	if (c->out_len > LIST_MOST)
		return -EPROTO;
	for (size_t at = 0; at + sizeof(page) <= c->out_len; at += sizeof(page)) {
		vm_iov_read(c->out, c->n_out, at, &page, sizeof(page));
		if (add_page(d, &r, page) < 0)
			return -EPROTO;
	}
	return give_back(d, &r);
}

/* The buffers are the free pages themselves. Parts of pages are kept. */
static int report(struct vm_device *d, const struct vm_chain *c)
{
	(void)d;
	for (unsigned i = 0; i < c->n_in; i++) {
		uintptr_t from = (uintptr_t)c->in[i].iov_base, to = from + c->in[i].iov_len;

		from = (from + VM_PAGE - 1) & ~(uintptr_t)(VM_PAGE - 1);
		to &= ~(uintptr_t)(VM_PAGE - 1);
		if (from < to)
			madvise((char *)c->in[i].iov_base + (from - (uintptr_t)c->in[i].iov_base),
				to - from, MADV_DONTNEED);
	}
	return 0;
}

static int handle(struct vm_device *d, unsigned q, const struct vm_chain *c)
{
	switch (q) {
	case INFLATE:
		return inflate(d, c);
	case REPORT_LINUX:
	case REPORT_SPEC:
		return report(d, c);
	default:
		return 0; /* deflate: the guest just touches its pages again */
	}
}

static void notify(struct vm_device *d, unsigned q)
{
	struct vm_chain c;
	int rc;

	while ((rc = vm_queue_pop(&d->queues[q], &c)) == 1) {
		rc = handle(d, q, &c);
		if (rc < 0)
			break;
		vm_queue_push(&d->queues[q], c.head, 0);
	}
	vm_device_signal(d, q);
	if (rc < 0)
		vm_device_fail(d);
}

static void show_target(struct balloon *b)
{
	uint32_t le = htole32(b->target);

	memcpy(b->d.config + offsetof(struct virtio_balloon_config, num_pages), &le, sizeof(le));
}

static void configured(struct vm_device *d, size_t offset, size_t len)
{
	(void)offset, (void)len;
	show_target((struct balloon *)d);
}

/* The guest that comes after a reset has all of its memory. */
static void balloon_reset(struct vm_device *d)
{
	memset(d->config, 0, sizeof(d->config));
	show_target((struct balloon *)d);
}

static int balloon_load(struct vm_device *d, const void *data, size_t len)
{
	uint32_t le;

	(void)data;
	memcpy(&le, d->config + offsetof(struct virtio_balloon_config, num_pages), sizeof(le));
	((struct balloon *)d)->target = le32toh(le);
	return len ? -EPROTO : 0;
}

static void balloon_free(struct vm_device *d)
{
	free(d);
}

static const struct vm_device_ops ops = {
	.name = "balloon",
	.id = VIRTIO_ID_BALLOON,
	.n_queues = N_QUEUES,
	.features = 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM | 1ull << VIRTIO_BALLOON_F_REPORTING,
	.config_len = offsetof(struct virtio_balloon_config, free_page_hint_cmd_id),
	.configured = configured,
	.notify = notify,
	.reset = balloon_reset,
	.load = balloon_load,
	.free = balloon_free,
};

int vm_balloon_make(const struct vm_wires *w, struct vm_device **ret_device, struct err *e)
{
	struct balloon *b = calloc(1, sizeof(*b));

	if (!b)
		return err_sys(e, ENOMEM, "balloon", "making a device");
	vm_device_init(&b->d, &ops, w->loop, w->mem, 128);
	b->d.config_writable = true;
	*ret_device = &b->d;
	return 0;
}

void vm_balloon_target(struct vm_device *d, uint32_t pages)
{
	struct balloon *b = (struct balloon *)d;

	b->target = pages;
	show_target(b);
	vm_device_config_changed(d);
}
