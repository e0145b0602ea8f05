/* tests/unit/vm_driver.h: a driver for device tests: it speaks to a device's registers and lays its
 * rings in the guest's memory, well-behaved by default; tests misbehave by writing the rings
 * themselves (drv_desc, drv_avail_idx …).
 */
/* clang-format off */
/*	struct vm_driver v;
 *	drv_open(&v, 16 << 20);           loop and memory; v.wires is what make functions want
 *	vm_rng_make(&v.wires, &d, &e);
 *	drv_attach(&v, d);
 *	drv_up(&v, 0, 16);                negotiates VERSION_1 and given features, queues of 16
 *	buf = drv_alloc(&v, 64);
 *	drv_add1(&v, 0, buf, 64, true);
 *	drv_kick(&v, 0);
 *	drv_turn(&v);
 *	drv_used(&v, 0, &id, &len);
 *	drv_irq(&v);
 *	drv_close(&v);                    frees the device too
 */
/* clang-format on */
#ifndef RF_TESTS_VM_DRIVER_H
#define RF_TESTS_VM_DRIVER_H

#include "microvm/devices.h"

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define DRV_V1 (1ull << VIRTIO_F_VERSION_1)
#define DRV_EVENT (1ull << VIRTIO_RING_F_EVENT_IDX)
#define DRV_INDIRECT (1ull << VIRTIO_RING_F_INDIRECT_DESC)

struct drv_queue {
	uint16_t size;
	uint64_t desc, avail, used; /* guest addresses */
	uint16_t free;              /* the next descriptor to use, round and round */
	uint16_t added, seen;       /* our avail index, and the used index read so far */
};

struct vm_driver {
	struct vm_loop loop;
	struct vm_memory mem;
	struct vm_wires wires;
	struct vm_device *d;
	struct drv_queue q[VM_DEVICE_QUEUES];
	uint64_t brk; /* next free guest address */
	struct err e;
};

struct drv_buf {
	uint64_t at;
	uint32_t len;
	bool in; /* the device writes it */
};

static inline void drv_open(struct vm_driver *v, uint64_t memory)
{
	*v = (struct vm_driver){.brk = 0x10000};
	assert_int_equal(vm_loop_init(&v->loop, &v->e), 0);
	assert_int_equal(vm_memory_make(&v->mem, memory, &v->e), 0);
	v->wires = (struct vm_wires){&v->loop, &v->mem};
}

/* Interrupt and kick eventfds, as the monitor's irqfd and ioeventfds. */
static inline void drv_attach(struct vm_driver *v, struct vm_device *d)
{
	v->d = d;
	d->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned i = 0; i < d->ops->n_queues; i++)
		d->kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(vm_device_wire(d, &v->e), 0);
}

static inline void drv_close(struct vm_driver *v)
{
	vm_device_free(v->d);
	vm_loop_free(&v->loop);
	vm_memory_free(&v->mem);
}

/* Host address of guest memory, which must be there. */
static inline void *drv_at(struct vm_driver *v, uint64_t gpa, uint64_t len)
{
	void *p = vm_mem(&v->mem, gpa, len);

	assert_non_null(p);
	return p;
}

/* Zeroed memory of the guest, 16 bytes aligned, not next to the one before. */
static inline uint64_t drv_alloc(struct vm_driver *v, uint64_t len)
{
	uint64_t at = v->brk;

	v->brk = (at + len + 64 + 15) & ~15ull;
	memset(drv_at(v, at, len), 0, len);
	return at;
}

static inline uint32_t drv_get(struct vm_driver *v, uint64_t offset)
{
	uint32_t value = 0;

	vm_lock(&v->loop);
	vm_mmio_read(v->d, offset, &value, sizeof(value));
	vm_unlock(&v->loop);
	return value;
}

static inline void drv_set(struct vm_driver *v, uint64_t offset, uint32_t value)
{
	vm_lock(&v->loop);
	vm_mmio_write(v->d, offset, &value, sizeof(value));
	vm_unlock(&v->loop);
}

static inline void drv_set64(struct vm_driver *v, uint64_t low_offset, uint64_t value)
{
	drv_set(v, low_offset, (uint32_t)value);
	drv_set(v, low_offset + 4, (uint32_t)(value >> 32));
}

/* Of the configuration space. */
static inline void drv_config(struct vm_driver *v, unsigned at, void *to, unsigned len)
{
	vm_lock(&v->loop);
	vm_mmio_read(v->d, VIRTIO_MMIO_CONFIG + at, to, len);
	vm_unlock(&v->loop);
}

static inline void drv_status(struct vm_driver *v, uint32_t bit)
{
	drv_set(v, VIRTIO_MMIO_STATUS, drv_get(v, VIRTIO_MMIO_STATUS) | bit);
}

static inline uint64_t drv_offered(struct vm_driver *v)
{
	uint64_t low;

	drv_set(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = drv_get(v, VIRTIO_MMIO_DEVICE_FEATURES);
	drv_set(v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)drv_get(v, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

/* Reset up to FEATURES_OK, with exactly these features. Did the device agree? */
static inline bool drv_negotiate(struct vm_driver *v, uint64_t features)
{
	drv_set(v, VIRTIO_MMIO_STATUS, 0);
	memset(v->q, 0, sizeof(v->q));
	drv_status(v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	drv_status(v, VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		drv_set(v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		drv_set(v, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> (32 * i)));
	}
	drv_status(v, VIRTIO_CONFIG_S_FEATURES_OK);
	return drv_get(v, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK;
}

/* Tells the device a queue's size and areas; doesn't make it ready. */
static inline void drv_queue_place(struct vm_driver *v, unsigned i, uint32_t size, uint64_t desc,
				   uint64_t avail, uint64_t used)
{
	drv_set(v, VIRTIO_MMIO_QUEUE_SEL, i);
	drv_set(v, VIRTIO_MMIO_QUEUE_NUM, size);
	drv_set64(v, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
	drv_set64(v, VIRTIO_MMIO_QUEUE_AVAIL_LOW, avail);
	drv_set64(v, VIRTIO_MMIO_QUEUE_USED_LOW, used);
}

static inline void drv_queue_make(struct vm_driver *v, unsigned i, uint16_t size)
{
	struct drv_queue *q = &v->q[i];

	*q = (struct drv_queue){.size = size};
	q->desc = drv_alloc(v, 16u * size);
	q->avail = drv_alloc(v, 6 + 2u * size);
	q->used = drv_alloc(v, 6 + 8u * size);
	drv_queue_place(v, i, size, q->desc, q->avail, q->used);
	drv_set(v, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* Everything: reset, VERSION_1 and `features`, all queues, DRIVER_OK. */
static inline void drv_up(struct vm_driver *v, uint64_t features, uint16_t size)
{
	assert_true(drv_negotiate(v, features | DRV_V1));
	for (unsigned i = 0; i < v->d->ops->n_queues; i++)
		drv_queue_make(v, i, size);
	drv_status(v, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_true(v->d->started);
	assert_false(v->d->failed); /* queues of that size aren't offered */
}

static inline bool drv_broken(struct vm_driver *v)
{
	return drv_get(v, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static inline struct vring_desc *drv_desc(struct vm_driver *v, unsigned i, uint16_t n)
{
	return (struct vring_desc *)drv_at(v, v->q[i].desc, 16u * v->q[i].size) + n;
}

static inline uint16_t *drv_avail(struct vm_driver *v, unsigned i)
{
	return drv_at(v, v->q[i].avail, 6 + 2u * v->q[i].size);
}

static inline uint8_t *drv_used_ring(struct vm_driver *v, unsigned i)
{
	return drv_at(v, v->q[i].used, 6 + 8u * v->q[i].size);
}

/* The avail ring's index, as the device sees it. */
static inline void drv_avail_idx(struct vm_driver *v, unsigned i, uint16_t idx)
{
	__atomic_store_n(drv_avail(v, i) + 1, idx, __ATOMIC_RELEASE);
}

/* used_event: interrupt us when the used index passes this. */
static inline void drv_used_event(struct vm_driver *v, unsigned i, uint16_t idx)
{
	__atomic_store_n(drv_avail(v, i) + 2 + v->q[i].size, idx, __ATOMIC_RELEASE);
}

/* avail_event: what index the device wants to be kicked for. */
static inline uint16_t drv_avail_event(struct vm_driver *v, unsigned i)
{
	uint16_t at;

	memcpy(&at, drv_used_ring(v, i) + 4 + 8u * v->q[i].size, sizeof(at));
	return at;
}

static inline void drv_make_available(struct vm_driver *v, unsigned i, uint16_t head)
{
	struct drv_queue *q = &v->q[i];

	drv_avail(v, i)[2 + (q->added & (q->size - 1))] = head;
	drv_avail_idx(v, i, ++q->added);
}

/* A chain of n buffers; returns its head. The driver keeps no count of free descriptors: a test
 * adds no more than the queue holds. */
static inline uint16_t drv_add(struct vm_driver *v, unsigned i, const struct drv_buf *b, unsigned n)
{
	struct drv_queue *q = &v->q[i];
	uint16_t head = q->free;

	for (unsigned k = 0; k < n; k++) {
		struct vring_desc *d = drv_desc(v, i, q->free);

		q->free = (uint16_t)((q->free + 1) & (q->size - 1));
		*d = (struct vring_desc){.addr = b[k].at,
					 .len = b[k].len,
					 .flags = (b[k].in ? VRING_DESC_F_WRITE : 0) |
						  (k + 1 < n ? VRING_DESC_F_NEXT : 0),
					 .next = k + 1 < n ? q->free : 0};
	}
	drv_make_available(v, i, head);
	return head;
}

static inline uint16_t drv_add1(struct vm_driver *v, unsigned i, uint64_t at, uint32_t len, bool in)
{
	struct drv_buf b = {at, len, in};

	return drv_add(v, i, &b, 1);
}

/* The same behind an indirect table. */
static inline uint16_t drv_add_indirect(struct vm_driver *v, unsigned i, const struct drv_buf *b,
					unsigned n)
{
	uint64_t at = drv_alloc(v, 16u * n);
	struct vring_desc *t = drv_at(v, at, 16u * n), *d = drv_desc(v, i, v->q[i].free);
	uint16_t head = v->q[i].free;

	for (unsigned k = 0; k < n; k++)
		t[k] = (struct vring_desc){b[k].at, b[k].len,
					   (b[k].in ? VRING_DESC_F_WRITE : 0) |
						   (k + 1 < n ? VRING_DESC_F_NEXT : 0),
					   k + 1 < n ? (uint16_t)(k + 1) : 0};
	*d = (struct vring_desc){at, 16u * n, VRING_DESC_F_INDIRECT, 0};
	v->q[i].free = (uint16_t)((head + 1) & (v->q[i].size - 1));
	drv_make_available(v, i, head);
	return head;
}

/* As an ioeventfd does. */
static inline void drv_kick(struct vm_driver *v, unsigned i)
{
	uint64_t one = 1;

	assert_int_equal(write(v->d->kick[i], &one, sizeof(one)), sizeof(one));
}

/* Runs the loop until nothing is ready any more; at most 10000 turns, for a source that is always
 * ready. */
static inline void drv_turn(struct vm_driver *v)
{
	struct pollfd p = {.fd = v->loop.epoll, .events = POLLIN};

	for (int i = 0; i < 10000 && poll(&p, 1, 0) > 0; i++)
		assert_int_equal(vm_loop_turn(&v->loop, 0, &v->e), 0);
}

/* Takes one used element, if there is one. */
static inline bool drv_used(struct vm_driver *v, unsigned i, uint32_t *ret_id, uint32_t *ret_len)
{
	struct drv_queue *q = &v->q[i];
	const uint8_t *ring = drv_used_ring(v, i);
	uint16_t idx;

	memcpy(&idx, ring + 2, sizeof(idx));
	if (idx == q->seen)
		return false;
	memcpy(ret_id, ring + 4 + 8u * (q->seen & (q->size - 1)), sizeof(*ret_id));
	memcpy(ret_len, ring + 8 + 8u * (q->seen & (q->size - 1)), sizeof(*ret_len));
	q->seen++;
	return true;
}

/* Runs the loop, sleeping in it, until queue i has a used element: at most `ms` milliseconds. For
 * devices with threads and timers. */
static inline bool drv_wait_used(struct vm_driver *v, unsigned i, int ms, uint32_t *ret_id,
				 uint32_t *ret_len)
{
	struct pollfd p = {.fd = v->loop.epoll, .events = POLLIN};

	for (;;) {
		if (drv_used(v, i, ret_id, ret_len))
			return true;
		if (poll(&p, 1, ms) <= 0)
			return false;
		assert_int_equal(vm_loop_turn(&v->loop, 0, &v->e), 0);
	}
}

/* How often the interrupt was raised since the last look. */
static inline unsigned drv_irq(struct vm_driver *v)
{
	uint64_t n = 0;

	return read(v->d->irq, &n, sizeof(n)) == sizeof(n) ? (unsigned)n : 0;
}

#endif
