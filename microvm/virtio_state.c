/* microvm/virtio_state.c: a device's registers and queues as bytes, for templates.
 *
 * Invariants
 *  1. What is loaded is checked as a driver's writes are: a template that doesn't fit leaves the
 *     device reset, never half set.
 *  2. The format is this program's own and of this machine; `version` changes with it.
 */
#include "microvm/virtio.h"

#include "common/str.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#define STATE_VERSION 1u

struct saved_queue {
	uint64_t desc, avail, used;
	uint16_t size, next_avail, next_used, signalled;
	uint8_t ready, broken, event_idx, indirect;
	uint8_t pad[4];
};

struct saved_device {
	uint32_t version, id, status, interrupt_status, generation;
	uint32_t features_sel, driver_features_sel, queue_sel;
	uint64_t accepted, extra_features;
	uint32_t n_queues, own_len;
	uint8_t started, failed, pad[6];
	uint8_t config[256];
	struct saved_queue queues[VM_DEVICE_QUEUES];
};

static void save_queue(const struct vm_queue *q, struct saved_queue *s)
{
	*s = (struct saved_queue){
		.desc = q->desc,
		.avail = q->avail,
		.used = q->used,
		.size = q->size,
		.next_avail = q->next_avail,
		.next_used = q->next_used,
		.signalled = q->signalled,
		.ready = q->ready,
		.broken = q->broken,
		.event_idx = q->event_idx,
		.indirect = q->indirect,
	};
}

void vm_device_save(struct vm_device *d, struct strbuf *out)
{
	auto_strbuf own = {0};

	/* First: it may finish requests, and so change what follows. */
	if (d->ops->save)
		d->ops->save(d, &own);

	struct saved_device s = {
		.version = STATE_VERSION,
		.id = d->ops->id,
		.status = d->status,
		.interrupt_status = d->interrupt_status,
		.generation = d->generation,
		.features_sel = d->features_sel,
		.driver_features_sel = d->driver_features_sel,
		.queue_sel = d->queue_sel,
		.accepted = d->accepted,
		.extra_features = d->extra_features,
		.n_queues = d->ops->n_queues,
		.started = d->started,
		.failed = d->failed,
		.own_len = (uint32_t)own.len,
	};

	memcpy(s.config, d->config, sizeof(s.config));
	for (unsigned i = 0; i < d->ops->n_queues; i++)
		save_queue(&d->queues[i], &s.queues[i]);
	strbuf_add(out, &s, sizeof(s));
	if (own.len)
		strbuf_add(out, own.s, own.len);
	if (own.failed)
		out->failed = true;
}

static int load_queue(struct vm_queue *q, const struct saved_queue *s)
{
	*q = (struct vm_queue){
		.mem = q->mem,
		.max = q->max,
		.desc = s->desc,
		.avail = s->avail,
		.used = s->used,
		.size = s->size,
		.next_avail = s->next_avail,
		.next_used = s->next_used,
		.signalled = s->signalled,
		.event_idx = s->event_idx,
		.indirect = s->indirect,
	};
	if (s->ready && vm_queue_start(q) < 0)
		return -EPROTO;
	/* A device never has more chains in its hands than the ring has places. */
	if (s->ready && !s->broken && (uint16_t)(s->next_avail - s->next_used) > s->size)
		return -EPROTO;
	q->broken = s->broken;
	return 0;
}

static bool fits(const struct vm_device *d, const struct saved_device *s, size_t len)
{
	uint64_t may = d->ops->features | d->extra_features | 1ull << VIRTIO_F_VERSION_1 |
		       1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VIRTIO_RING_F_EVENT_IDX;
	/* Until a driver says that it has chosen, its bits are what it likes. */
	bool chosen = s->started || (s->status & VIRTIO_CONFIG_S_FEATURES_OK);

	return s->version == STATE_VERSION && s->id == d->ops->id &&
	       s->n_queues == d->ops->n_queues && s->own_len == len - sizeof(*s) &&
	       s->extra_features == d->extra_features && !(chosen && (s->accepted & ~may));
}

static void load_registers(struct vm_device *d, const struct saved_device *s)
{
	d->status = s->status;
	d->interrupt_status = s->interrupt_status;
	d->generation = s->generation;
	d->features_sel = s->features_sel;
	d->driver_features_sel = s->driver_features_sel;
	d->queue_sel = s->queue_sel;
	d->accepted = s->accepted;
	d->started = s->started;
	d->failed = s->failed;
	memcpy(d->config, s->config, sizeof(d->config));
}

static int load_all(struct vm_device *d, const struct saved_device *s, const uint8_t *own)
{
	load_registers(d, s);
	for (unsigned i = 0; i < d->ops->n_queues; i++)
		if (load_queue(&d->queues[i], &s->queues[i]) < 0)
			return -EPROTO;
	return d->ops->load ? d->ops->load(d, own, s->own_len) : 0;
}

static void event(int fd)
{
	uint64_t one = 1;

	if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
		return;
}

/* What may have been under way between the rings and the wires when the template was made. */
static void wake(struct vm_device *d)
{
	if (d->interrupt_status)
		event(d->irq);
	for (unsigned i = 0; i < d->ops->n_queues; i++) {
		uint32_t q = i;

		vm_mmio_write(d, VIRTIO_MMIO_QUEUE_NOTIFY, &q, sizeof(q));
	}
}

int vm_device_load(struct vm_device *d, const void *data, size_t len, struct err *e)
{
	struct saved_device s = {0};
	uint32_t zero = 0;

	if (len >= sizeof(s))
		memcpy(&s, data, sizeof(s));
	if (len < sizeof(s) || !fits(d, &s, len))
		return err_set(e, ERR_SYSTEM, EPROTO, d->ops->name,
			       "the saved state is not of this device");
	if (load_all(d, &s, (const uint8_t *)data + sizeof(s)) < 0) {
		d->status |=
			VIRTIO_CONFIG_S_FAILED; /* so that the reset below reaches the device */
		vm_mmio_write(d, VIRTIO_MMIO_STATUS, &zero, sizeof(zero));
		return err_set(e, ERR_SYSTEM, EPROTO, d->ops->name, "the saved state is broken");
	}
	wake(d);
	return 0;
}
