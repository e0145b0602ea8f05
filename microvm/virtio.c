/* microvm/virtio.c: the virtio-mmio transport, version 2 (virtio 1.2, 4.2.2): registers, feature
 * negotiation, status, queues. Saving them is virtio_state.c.
 *
 * Invariants
 *  1. Negotiation goes one way: features are written before FEATURES_OK, queues between FEATURES_OK
 *     and DRIVER_OK, and neither afterwards, until a reset. A ready queue's registers are closed.
 *  2. The driver can't clear a status bit but by a reset.
 *  3. Control registers are four bytes wide and aligned; any other access reads as zero and writes
 *     nothing. The configuration space takes every width.
 */
#include "microvm/virtio.h"

#include "common/fd.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x74726976u  /* "virt" */
#define VENDOR 0x434e4652u /* "RFNC" */
#define BIT(n) (1ull << (n))
#define STATUS_BITS                                                                         \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK | \
	 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

static uint64_t offered(const struct vm_device *d)
{
	return d->ops->features | d->extra_features | BIT(VIRTIO_F_VERSION_1) |
	       BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX);
}

static void event(int fd)
{
	uint64_t one = 1;

	/* Fails only when the counter is full: then it is readable all the same. */
	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

bool vm_device_has(const struct vm_device *d, unsigned feature_bit)
{
	return d->accepted & BIT(feature_bit);
}

void vm_device_signal(struct vm_device *d, unsigned q)
{
	if (!d->started || !vm_queue_wants_signal(&d->queues[q]))
		return;
	d->interrupt_status |= VIRTIO_MMIO_INT_VRING;
	event(d->irq);
}

void vm_device_config_changed(struct vm_device *d)
{
	d->generation++;
	if (!(d->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	d->interrupt_status |= VIRTIO_MMIO_INT_CONFIG;
	event(d->irq);
}

void vm_device_fail(struct vm_device *d)
{
	if (d->failed)
		return;
	d->failed = true;
	d->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	for (unsigned i = 0; i < d->ops->n_queues; i++)
		d->queues[i].broken = true;
	vm_device_config_changed(d); /* 2.1.2: told so, when DRIVER_OK is set */
}

/* Everything that a driver's reset forgets. */
static void reset(struct vm_device *d)
{
	bool was = d->status != 0;

	d->status = d->interrupt_status = 0;
	d->features_sel = d->driver_features_sel = d->queue_sel = 0;
	d->accepted = 0;
	d->started = d->failed = false;
	for (unsigned i = 0; i < d->ops->n_queues; i++)
		vm_queue_reset(&d->queues[i]);
	if (was && d->ops->reset)
		d->ops->reset(d);
}

/* 3.1.1, step 5. */
static bool agreed(struct vm_device *d)
{
	if (!vm_device_has(d, VIRTIO_F_VERSION_1) || (d->accepted & ~offered(d)))
		return false;
	for (unsigned i = 0; i < d->ops->n_queues; i++) {
		d->queues[i].event_idx = vm_device_has(d, VIRTIO_RING_F_EVENT_IDX);
		d->queues[i].indirect = vm_device_has(d, VIRTIO_RING_F_INDIRECT_DESC);
	}
	return true;
}

static void start(struct vm_device *d)
{
	d->started = true;
	if (d->ops->start)
		d->ops->start(d);
}

/* A bit is taken when those before it are there: ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK. */
static void write_status(struct vm_device *d, uint32_t value)
{
	uint32_t fresh = value & STATUS_BITS & ~d->status;

	if (!value) {
		reset(d);
		return;
	}
	if ((d->status & STATUS_BITS) & ~value)
		return;
	d->status |= fresh & (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_FAILED);
	if (fresh & VIRTIO_CONFIG_S_FAILED)
		d->started = false;
	if ((fresh & VIRTIO_CONFIG_S_DRIVER) && (d->status & VIRTIO_CONFIG_S_ACKNOWLEDGE))
		d->status |= VIRTIO_CONFIG_S_DRIVER;
	if ((fresh & VIRTIO_CONFIG_S_FEATURES_OK) && (d->status & VIRTIO_CONFIG_S_DRIVER) &&
	    agreed(d))
		d->status |= VIRTIO_CONFIG_S_FEATURES_OK;
	if ((fresh & VIRTIO_CONFIG_S_DRIVER_OK) && (d->status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    !(d->status & VIRTIO_CONFIG_S_FAILED)) {
		d->status |= VIRTIO_CONFIG_S_DRIVER_OK;
		start(d);
	}
}

static void write_features(struct vm_device *d, uint32_t value)
{
	unsigned shift = 32 * d->driver_features_sel;

	if (d->driver_features_sel > 1 || !(d->status & VIRTIO_CONFIG_S_DRIVER) ||
	    (d->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	d->accepted = (d->accepted & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

static struct vm_queue *selected(struct vm_device *d)
{
	return d->queue_sel < d->ops->n_queues ? &d->queues[d->queue_sel] : NULL;
}

/* The selected queue, when its registers may be written (invariant 1). */
static struct vm_queue *open_queue(struct vm_device *d)
{
	struct vm_queue *q = selected(d);
	uint32_t phase = d->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);

	return q && !q->ready && phase == VIRTIO_CONFIG_S_FEATURES_OK ? q : NULL;
}

static void write_ready(struct vm_device *d, uint32_t value)
{
	struct vm_queue *q = selected(d);

	if (q && !value)
		q->ready = false;
	else if ((q = open_queue(d)) && value == 1 && vm_queue_start(q) < 0)
		vm_device_fail(d);
}

/* A size that doesn't fit its field is kept as one that no queue can have. */
static uint16_t clamp16(uint32_t v)
{
	return v > UINT16_MAX ? UINT16_MAX : (uint16_t)v;
}

static void half(uint64_t *address, bool high, uint32_t value)
{
	*address = high ? (*address & 0xffffffffull) | (uint64_t)value << 32
			: (*address & ~0xffffffffull) | value;
}

static void write_queue(struct vm_device *d, uint64_t offset, uint32_t value)
{
	struct vm_queue *q = open_queue(d);

	if (!q)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->size = clamp16(value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		half(&q->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		half(&q->avail, offset == VIRTIO_MMIO_QUEUE_AVAIL_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		half(&q->used, offset == VIRTIO_MMIO_QUEUE_USED_HIGH, value);
		break;
	default:
		break;
	}
}

static void notify(struct vm_device *d, unsigned q)
{
	if (d->started && !d->failed && d->queues[q].ready)
		d->ops->notify(d, q);
}

/* Reaches us when no ioeventfd matched; a kick eventfd still brings it to the loop's thread. */
static void write_notify(struct vm_device *d, uint32_t q)
{
	if (q >= d->ops->n_queues)
		return;
	if (d->kick[q] >= 0)
		event(d->kick[q]);
	else
		notify(d, q);
}

static void write_register(struct vm_device *d, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		d->features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		d->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		write_features(d, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		d->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		write_ready(d, value);
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		write_notify(d, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		d->interrupt_status &= ~value;
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(d, value);
		break;
	default:
		write_queue(d, offset, value);
	}
}

static uint32_t read_features(const struct vm_device *d)
{
	return d->features_sel > 1 ? 0 : (uint32_t)(offered(d) >> (32 * d->features_sel));
}

static uint32_t read_register(struct vm_device *d, uint64_t offset)
{
	const struct vm_queue *q = selected(d);

	switch (offset) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return d->ops->id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return read_features(d);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return q ? q->max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return q && q->ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return d->interrupt_status;
	case VIRTIO_MMIO_STATUS:
		return d->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return 0xffffffffu; /* no region of shared memory, whichever is selected */
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return d->generation;
	default:
		return 0;
	}
}

/* Where in config an access lies; false when any byte of it is outside. */
static bool config_place(const struct vm_device *d, uint64_t offset, unsigned len, size_t *ret_at)
{
	size_t end = d->ops->config_len;

	if (offset < VIRTIO_MMIO_CONFIG || offset - VIRTIO_MMIO_CONFIG >= end)
		return false;
	*ret_at = offset - VIRTIO_MMIO_CONFIG;
	return len <= end - *ret_at;
}

void vm_mmio_read(struct vm_device *d, uint64_t offset, void *data, unsigned len)
{
	uint32_t value;
	size_t at;

	memset(data, 0, len);
	if (offset >= VIRTIO_MMIO_CONFIG) {
		if (config_place(d, offset, len, &at))
			memcpy(data, d->config + at, len);
	} else if (len == sizeof(value) && offset % sizeof(value) == 0) {
		value = read_register(d, offset);
		memcpy(data, &value, sizeof(value));
	}
}

void vm_mmio_write(struct vm_device *d, uint64_t offset, const void *data, unsigned len)
{
	uint32_t value;
	size_t at;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		if (!d->config_writable || !(d->status & VIRTIO_CONFIG_S_DRIVER) ||
		    !config_place(d, offset, len, &at))
			return;
		memcpy(d->config + at, data, len);
		if (d->ops->configured)
			d->ops->configured(d, at, len);
	} else if (len == sizeof(value) && offset % sizeof(value) == 0) {
		memcpy(&value, data, sizeof(value));
		write_register(d, offset, value);
	}
}

static void kicked(struct vm_source *s, uint32_t events)
{
	struct vm_device *d = s->arg;
	uint64_t count;

	(void)events;
	/* Nothing to read: somebody's kick was taken with the one before. */
	if (read(s->fd, &count, sizeof(count)) == sizeof(count))
		notify(d, (unsigned)(s - d->kick_source));
}

int vm_device_wire(struct vm_device *d, struct err *e)
{
	for (unsigned i = 0; i < d->ops->n_queues; i++) {
		struct vm_source *s = &d->kick_source[i];
		int rc;

		if (d->kick[i] < 0)
			continue;
		*s = (struct vm_source){.fd = d->kick[i], .ready = kicked, .arg = d};
		rc = vm_loop_add(d->loop, s, EPOLLIN, e);
		if (rc < 0) {
			s->fd = -1;
			return rc;
		}
	}
	return 0;
}

void vm_device_init(struct vm_device *d, const struct vm_device_ops *ops, struct vm_loop *loop,
		    struct vm_memory *mem, uint16_t queue_max)
{
	*d = (struct vm_device){.ops = ops, .loop = loop, .mem = mem, .irq = -1};
	for (unsigned i = 0; i < VM_DEVICE_QUEUES; i++) {
		d->queues[i] = (struct vm_queue){.mem = mem, .max = queue_max};
		d->kick[i] = -1;
		d->kick_source[i].fd = -1;
	}
}

void vm_device_free(struct vm_device *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < VM_DEVICE_QUEUES; i++) {
		vm_loop_drop(d->loop, &d->kick_source[i]);
		fd_close(&d->kick[i]);
	}
	fd_close(&d->irq);
	d->ops->free(d);
}
