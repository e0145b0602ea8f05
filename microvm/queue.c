/* microvm/queue.c: the device's side of a split virtqueue (virtio 1.2, 2.7).
 *
 * Invariants
 *  1. Ring addresses go through vm_mem() at each use: a register that changed behind our back can
 *     break the queue, never the monitor.
 *  2. What the driver writes is loaded once, and checked in the copy.
 *  3. A walk takes at most VM_CHAIN_MAX steps, whatever the `next` fields say.
 */
#include "microvm/queue.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

struct rings {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

static uint16_t load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* The driver must see our store before we look at what it stored, and it does likewise. */
static void fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int broke(struct vm_queue *q)
{
	q->broken = true;
	return -EPROTO;
}

/* Sizes and alignments: 2.7.1 and 2.7 of the specification; the event words are counted. */
static bool find_rings(const struct vm_queue *q, struct rings *ret)
{
	uint32_t n = q->size;

	if (!n || n > q->max || n > VM_QUEUE_MAX || (n & (n - 1)))
		return false;
	if (q->desc % 16 || q->avail % 2 || q->used % 4)
		return false;
	ret->desc = vm_mem(q->mem, q->desc, 16 * n);
	ret->avail = vm_mem(q->mem, q->avail, 6 + 2 * n);
	ret->used = vm_mem(q->mem, q->used, 6 + 8 * n);
	return ret->desc && ret->avail && ret->used;
}

int vm_queue_start(struct vm_queue *q)
{
	struct rings r;

	if (!find_rings(q, &r))
		return broke(q);
	q->ready = true;
	return 0;
}

void vm_queue_reset(struct vm_queue *q)
{
	*q = (struct vm_queue){.mem = q->mem, .max = q->max};
}

static uint16_t *avail_event(const struct vm_queue *q, const struct rings *r)
{
	return (uint16_t *)(void *)&r->used->ring[q->size];
}

/* How many chains wait. With event_idx, zero means that the driver was asked to notify. */
static int waiting(struct vm_queue *q, const struct rings *r)
{
	uint16_t n = (uint16_t)(load16(&r->avail->idx) - q->next_avail);

	if (!n && q->event_idx) {
		store16(avail_event(q, r), q->next_avail);
		fence();
		n = (uint16_t)(load16(&r->avail->idx) - q->next_avail);
	}
	return n > q->size ? broke(q) : n;
}

/* Where a walk stands: the table it reads, and how far it came. */
struct walk {
	const uint8_t *table;
	uint32_t entries, at, steps;
	bool indirect;
};

/* A copy that the compiler can't replace by a second look: memory may differ behind the barrier.
 * An indirect table needn't be aligned. */
static struct vring_desc load_desc(const uint8_t *from)
{
	struct vring_desc d;

	memcpy(&d, from, sizeof(d));
	__asm__ volatile("" ::: "memory");
	return d;
}

/* 2.7.5.3: a table of its own, which ends the chain; its WRITE flag means nothing. */
static int enter_table(struct vm_queue *q, struct walk *w, const struct vring_desc *d)
{
	uint32_t entries = d->len / sizeof(*d);

	if (!q->indirect || w->indirect || (d->flags & VRING_DESC_F_NEXT))
		return -EPROTO;
	if (!entries || d->len % sizeof(*d) || entries > VM_CHAIN_MAX)
		return -EPROTO;
	*w = (struct walk){.table = vm_mem(q->mem, d->addr, d->len),
			   .entries = entries,
			   .steps = w->steps,
			   .indirect = true};
	return w->table ? 0 : -EPROTO;
}

static int add_buffer(struct vm_queue *q, struct vm_chain *c, const struct vring_desc *d)
{
	struct iovec v = {.iov_base = vm_mem(q->mem, d->addr, d->len), .iov_len = d->len};

	if (!v.iov_base)
		return -EPROTO;
	if (d->flags & VRING_DESC_F_WRITE) {
		c->in[c->n_in++] = v;
		c->in_len += d->len;
	} else {
		if (c->n_in)
			return -EPROTO; /* 2.7.4.2: what we read comes first */
		c->out[c->n_out++] = v;
		c->out_len += d->len;
	}
	/* 2.7.5.2: no chain is longer than 2^32 bytes. */
	return c->in_len + c->out_len > UINT32_MAX ? -EPROTO : 0;
}

/* 1: the chain goes on, 0: it ended, -EPROTO. */
static int walk_on(struct vm_queue *q, struct walk *w, struct vm_chain *c)
{
	struct vring_desc d;
	int rc;

	if (w->at >= w->entries || ++w->steps > VM_CHAIN_MAX)
		return -EPROTO;
	d = load_desc(w->table + sizeof(d) * w->at);
	if (d.flags & VRING_DESC_F_INDIRECT) {
		rc = enter_table(q, w, &d);
		return rc < 0 ? rc : 1;
	}
	rc = add_buffer(q, c, &d);
	if (rc < 0)
		return rc;
	w->at = d.next;
	return d.flags & VRING_DESC_F_NEXT ? 1 : 0;
}

static int walk_chain(struct vm_queue *q, const struct rings *r, struct vm_chain *c)
{
	struct walk w = {.table = (const uint8_t *)r->desc, .entries = q->size, .at = c->head};
	int rc;

	do
		rc = walk_on(q, &w, c);
	while (rc > 0);
	return rc < 0 ? broke(q) : 0;
}

int vm_queue_pop(struct vm_queue *q, struct vm_chain *ret)
{
	struct rings r;
	int rc;

	if (q->broken)
		return -EPROTO;
	if (!q->ready)
		return 0;
	if (!find_rings(q, &r))
		return broke(q);
	rc = waiting(q, &r);
	if (rc <= 0)
		return rc;
	ret->head = load16(&r.avail->ring[q->next_avail & (q->size - 1)]);
	ret->n_out = ret->n_in = 0;
	ret->out_len = ret->in_len = 0;
	rc = walk_chain(q, &r, ret);
	if (rc < 0)
		return rc;
	q->next_avail++;
	return 1;
}

void vm_queue_unpop(struct vm_queue *q)
{
	q->next_avail--;
}

void vm_queue_push_all(struct vm_queue *q, const struct vm_done *done, unsigned n)
{
	struct rings r;

	if (q->broken || !q->ready)
		return;
	if (!find_rings(q, &r)) {
		q->broken = true;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct vring_used_elem *u;

		if (done[i].head >= q->size)
			continue;
		u = &r.used->ring[q->next_used++ & (q->size - 1)];
		__atomic_store_n(&u->id, done[i].head, __ATOMIC_RELAXED);
		__atomic_store_n(&u->len, done[i].written, __ATOMIC_RELAXED);
	}
	store16(&r.used->idx, q->next_used);
}

void vm_queue_push(struct vm_queue *q, uint16_t head, uint32_t written)
{
	struct vm_done one = {head, written};

	vm_queue_push_all(q, &one, 1);
}

bool vm_queue_wants_signal(struct vm_queue *q)
{
	uint16_t old = q->signalled;
	struct rings r;

	if (q->broken || !q->ready || old == q->next_used || !find_rings(q, &r))
		return false;
	q->signalled = q->next_used;
	fence();
	if (q->event_idx)
		return vring_need_event(load16(&r.avail->ring[q->size]), q->next_used, old);
	return !(load16(&r.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}
