/* tests/fuzz/fuzz_device.h: a device of the micro-VM under a script of bytes: a driver that is
 * sometimes well-behaved (or the device's inside would never be seen), and a world outside.
 *
 * The script: a byte that chooses what to do (table `steps`), its operands, the next. Numbers are
 * little endian. A file fuzz_dev_X.c says how the device is made and what its world may do.
 */
#ifndef RF_TESTS_FUZZ_DEVICE_H
#define RF_TESTS_FUZZ_DEVICE_H

#include "fuzz.h"

#include "common/str.h"
#include "tests/unit/vm_driver.h"

#define FUZZ_RAM (1u << 20)
#define FUZZ_TURNS 4096 /* of the loop until it has to be at rest */

struct fuzz_world {
	/* Makes the device; may take bytes of the script. */
	struct vm_device *(*make)(struct vm_driver *v, struct fuzz_in *in);
	/* Something happens outside. */
	void (*outside)(struct vm_driver *v, struct fuzz_in *in);
	/* The head of a buffer as a driver would write it; returns its length, at most 64. */
	size_t (*head)(struct fuzz_in *in, uint8_t *to);
	/* Waits for threads; returns when what was asked for is done. */
	void (*settle)(struct vm_driver *v);
	void (*leave)(void);
};

struct fuzz_run {
	struct vm_driver v;
	const struct fuzz_world *world;
	struct fuzz_in in;
	uint64_t bottom; /* of the memory for buffers */
};

/* A changed state was loaded: a chain may be missing that nobody gives back, until the reset. */
static bool fuzz_spoilt;

static inline unsigned fuzz_queue(struct fuzz_run *r)
{
	return fuzz_u8(&r->in) % r->v.d->ops->n_queues;
}

/* The rings' indexes never say more than there is. */
static inline void fuzz_look(struct fuzz_run *r)
{
	for (unsigned i = 0; i < r->v.d->ops->n_queues; i++) {
		const struct vm_queue *q = &r->v.d->queues[i];
		if (q->ready && !q->broken)
			FUZZ_CHECK((uint16_t)(q->next_avail - q->next_used) <= q->size);
	}
}

static inline void fuzz_turn(struct fuzz_run *r)
{
	struct pollfd p = {.fd = r->v.loop.epoll, .events = POLLIN};
	int turns = 0;

	if (r->world->settle)
		r->world->settle(&r->v);
	while (poll(&p, 1, 0) > 0) {
		FUZZ_CHECK(turns++ < FUZZ_TURNS);
		FUZZ_CHECK(vm_loop_turn(&r->v.loop, 0, &r->v.e) == 0);
		if (r->world->settle)
			r->world->settle(&r->v);
	}
	fuzz_look(r);
}

/* Memory for a buffer: round and round. */
static inline uint64_t fuzz_alloc(struct fuzz_run *r, uint32_t len)
{
	if (r->v.brk + len + 256 > FUZZ_RAM)
		r->v.brk = r->bottom;
	return drv_alloc(&r->v, len);
}

static inline void fuzz_up(struct fuzz_run *r)
{
	uint64_t offered = drv_offered(&r->v), features = offered;
	uint16_t size = (uint16_t)(1u << fuzz_u8(&r->in) % 9);

	/* Most drivers take what they are offered. */
	if (fuzz_u8(&r->in) & 1)
		features &= fuzz_u64(&r->in);
	r->v.brk = 0x10000;
	if (!drv_negotiate(&r->v, features | DRV_V1))
		return;
	for (unsigned i = 0; i < r->v.d->ops->n_queues; i++)
		drv_queue_make(&r->v, i, size);
	r->bottom = r->v.brk;
	drv_status(&r->v, VIRTIO_CONFIG_S_DRIVER_OK);
}

/* One buffer of a chain: flags (1 the device writes it, 2 a head as a driver's, 4 bytes of the
 * script behind), then its length. */
static inline struct drv_buf fuzz_buffer(struct fuzz_run *r)
{
	uint8_t flags = fuzz_u8(&r->in), head[64];
	uint32_t len = flags & 8 ? fuzz_u16(&r->in) : fuzz_u8(&r->in);
	size_t n = 0;

	if (!(flags & 1) && flags & 2 && r->world->head)
		n = r->world->head(&r->in, head);
	len += (uint32_t)n;
	struct drv_buf b = {.at = fuzz_alloc(r, len ? len : 1), .len = len, .in = flags & 1};
	uint8_t *at = vm_mem(&r->v.mem, b.at, len ? len : 1);
	FUZZ_CHECK(at);
	if (n)
		memcpy(at, head, n);
	if (!b.in && flags & 4)
		fuzz_take(&r->in, at + n, len - n < 256 ? len - n : 256);
	return b;
}

static inline void fuzz_chain(struct fuzz_run *r)
{
	struct drv_buf b[8];
	unsigned i = fuzz_queue(r), n = fuzz_u8(&r->in);
	bool indirect = n & 0x80;

	n = n % 8 + 1;
	for (unsigned k = 0; k < n; k++)
		b[k] = fuzz_buffer(r);
	/* Queues that were never made, or more than one holds, are for the other steps. */
	if (!r->v.q[i].size || n > r->v.q[i].size)
		return;
	if (indirect && r->v.brk + 1024 < FUZZ_RAM)
		drv_add_indirect(&r->v, i, b, n);
	else
		drv_add(&r->v, i, b, n);
}

static inline void fuzz_kick(struct fuzz_run *r)
{
	drv_kick(&r->v, fuzz_queue(r));
	fuzz_turn(r);
}

static inline void fuzz_register(struct fuzz_run *r)
{
	uint64_t offset = 4u * (fuzz_u8(&r->in) % 64);
	uint32_t value = fuzz_u32(&r->in);

	drv_set(&r->v, offset, value);
	(void)drv_get(&r->v, offset);
}

static inline void fuzz_desc(struct fuzz_run *r)
{
	unsigned i = fuzz_queue(r);
	uint8_t at = fuzz_u8(&r->in);
	struct vring_desc d;

	fuzz_take(&r->in, &d, sizeof(d));
	if (r->v.q[i].size)
		*drv_desc(&r->v, i, at % r->v.q[i].size) = d;
}

static inline void fuzz_avail(struct fuzz_run *r)
{
	unsigned i = fuzz_queue(r);
	uint8_t what = fuzz_u8(&r->in);
	uint16_t value = fuzz_u16(&r->in);

	if (!r->v.q[i].size)
		return;
	if (what == 0)
		drv_avail_idx(&r->v, i, value);
	else if (what == 1)
		drv_used_event(&r->v, i, value);
	else if (what == 2)
		drv_avail(&r->v, i)[0] = value; /* flags */
	else
		drv_make_available(&r->v, i, value);
}

static inline void fuzz_poke(struct fuzz_run *r)
{
	uint32_t at = fuzz_u32(&r->in) % (FUZZ_RAM - 256);
	uint8_t n = fuzz_u8(&r->in);

	fuzz_take(&r->in, vm_mem(&r->v.mem, at, 256), n);
}

static inline void fuzz_outside(struct fuzz_run *r)
{
	vm_lock(&r->v.loop);
	if (r->world->outside)
		r->world->outside(&r->v, &r->in);
	vm_unlock(&r->v.loop);
	fuzz_turn(r);
}

/* Written down and read back; with a byte other than zero, after as many changes. */
static inline void fuzz_save(struct fuzz_run *r)
{
	auto_strbuf b = {0};
	uint8_t changes = fuzz_u8(&r->in) % 8;
	struct err e = {0};

	vm_lock(&r->v.loop);
	vm_device_save(r->v.d, &b);
	for (unsigned i = 0; i < changes; i++)
		b.s[fuzz_u16(&r->in) % b.len] = (char)fuzz_u8(&r->in);
	int rc = vm_device_load(r->v.d, b.s, b.len, &e);
	vm_unlock(&r->v.loop);
	FUZZ_CHECK(rc == 0 || (changes && e.code == -rc));
	fuzz_spoilt = fuzz_spoilt || changes;
	fuzz_turn(r);
}

static inline void fuzz_config(struct fuzz_run *r)
{
	uint64_t value, at = VIRTIO_MMIO_CONFIG + fuzz_u16(&r->in) % 300;
	unsigned len = 1u << (fuzz_u8(&r->in) % 4);
	bool write = fuzz_u8(&r->in) & 1;

	value = fuzz_u64(&r->in);
	vm_lock(&r->v.loop);
	if (write)
		vm_mmio_write(r->v.d, at, &value, len);
	else
		vm_mmio_read(r->v.d, at, &value, len);
	vm_unlock(&r->v.loop);
	fuzz_turn(r);
}

/* After all that, a reset and a driver that does it right have a device that works. */
static inline void fuzz_heals(struct fuzz_run *r)
{
	r->v.brk = 0x10000;
	FUZZ_CHECK(drv_negotiate(&r->v, DRV_V1));
	fuzz_spoilt = false;
	for (unsigned i = 0; i < r->v.d->ops->n_queues; i++)
		drv_queue_make(&r->v, i, 8);
	drv_status(&r->v, VIRTIO_CONFIG_S_DRIVER_OK);
	FUZZ_CHECK(r->v.d->started && !drv_broken(&r->v));
	fuzz_turn(r);
}

static inline int fuzz_device(const struct fuzz_world *world, const uint8_t *data, size_t size)
{
	static void (*const steps[])(struct fuzz_run * r) = {
		fuzz_up,    fuzz_chain, fuzz_kick,    fuzz_register, fuzz_desc,
		fuzz_avail, fuzz_poke,  fuzz_outside, fuzz_save,     fuzz_config};
	struct fuzz_run *r = calloc(1, sizeof(*r));

	FUZZ_CHECK(r);
	fuzz_spoilt = false;
	r->world = world;
	r->in = (struct fuzz_in){data, size};
	drv_open(&r->v, FUZZ_RAM);
	r->bottom = r->v.brk;
	drv_attach(&r->v, world->make(&r->v, &r->in));
	for (unsigned n = 0; r->in.left && n < 256; n++)
		steps[fuzz_u8(&r->in) % (sizeof(steps) / sizeof(steps[0]))](r);
	fuzz_turn(r);
	fuzz_heals(r);
	drv_close(&r->v);
	if (world->leave)
		world->leave();
	free(r);
	return 0;
}

#endif
