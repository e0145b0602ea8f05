/* microvm/virtio.h: a virtio device behind a virtio-mmio window (virtio 1.2, 4.2, version 2 only).
 *
 * virtio.c keeps the registers, the status and the queues; a device is one file that fills in a
 * `struct vm_device_ops` and embeds a `struct vm_device` first in its own struct.
 *
 * Invariants
 *  1. Registers are touched under the loop's lock, on any thread; `notify` runs on the loop's
 * thread, under it too. So a device never meets itself.
 *  2. The feature bits that a device sees were offered by it and accepted by the driver; VERSION_1
 * is always among them, or the device isn't started.
 *  3. A device that calls vm_device_fail() isn't notified again until the driver resets it.
 */
#ifndef RF_MICROVM_VIRTIO_H
#define RF_MICROVM_VIRTIO_H

#include "microvm/loop.h"
#include "microvm/queue.h"

#include <stddef.h>

#define VM_DEVICE_QUEUES 8u
#define VM_MMIO_NOTIFY 0x50ull /* QueueNotify */

struct vm_device;
struct strbuf;

struct vm_device_ops {
	const char *name;
	uint32_t id;       /* virtio 1.2, 5: 1 net, 2 block, 3 console … */
	unsigned n_queues; /* ≤ VM_DEVICE_QUEUES */
	uint64_t
		features; /* beyond VERSION_1, INDIRECT_DESC and EVENT_IDX, which virtio.c offers */
	size_t config_len; /* bytes of vm_device.config that the driver may read */
	/* The driver wrote to the configuration space, already in d->config. May be NULL. */
	void (*configured)(struct vm_device *d, size_t offset, size_t len);
	/* DRIVER_OK: d->accepted holds the features. May be NULL. */
	void (*start)(struct vm_device *d);
	/* The driver kicked queue q, or its kick may have been missed (after a restore). */
	void (*notify)(struct vm_device *d, unsigned q);
	/* Back to the state after `make`: requests under way are forgotten. May be NULL. */
	void (*reset)(struct vm_device *d);
	/* What the device keeps besides d, for a snapshot; what is under way it finishes first.
	 * load gets the same bytes back (not trusted less than the rest of the template). May be
	 * NULL.
	 */
	void (*save)(struct vm_device *d, struct strbuf *out);
	int (*load)(struct vm_device *d, const void *data, size_t len);
	/* Frees the struct and what it owns. */
	void (*free)(struct vm_device *d);
};

struct vm_device {
	const struct vm_device_ops *ops;
	struct vm_loop *loop;
	struct vm_memory *mem;
	uint64_t
		extra_features; /* of this instance, on top of ops->features (block: read-only …) */
	uint8_t config[256];
	bool config_writable;
	/* The transport's registers. */
	uint32_t status, interrupt_status, generation, features_sel, driver_features_sel, queue_sel;
	uint64_t accepted; /* feature bits that the driver chose */
	bool started, failed;
	struct vm_queue queues[VM_DEVICE_QUEUES];
	/* Wires to the outside, set by whoever places the device, the device's own from then on
	 * (closed by vm_device_free); -1: none (then notify comes from the register write). */
	int irq;                    /* eventfd behind the interrupt line */
	int kick[VM_DEVICE_QUEUES]; /* eventfds behind QueueNotify */
	struct vm_source kick_source[VM_DEVICE_QUEUES];
};

/* virtio.c: for devices. */
/* Fills the common part; called by a device's make function. queue_max: for each queue. */
void vm_device_init(struct vm_device *d, const struct vm_device_ops *ops, struct vm_loop *loop,
		    struct vm_memory *mem, uint16_t queue_max);
bool vm_device_has(const struct vm_device *d, unsigned feature_bit);
/* Interrupt for a used buffer in queue q, if the driver wants one. */
void vm_device_signal(struct vm_device *d, unsigned q);
/* Interrupt for a change of the configuration space. */
void vm_device_config_changed(struct vm_device *d);
/* DEVICE_NEEDS_RESET: the driver broke the rules. All queues are broken from now on. */
void vm_device_fail(struct vm_device *d);

/* virtio.c: for whoever places it. */
/* One access of 1, 2, 4 or 8 bytes in the window; the lock is held. */
void vm_mmio_read(struct vm_device *d, uint64_t offset, void *data, unsigned len);
void vm_mmio_write(struct vm_device *d, uint64_t offset, const void *data, unsigned len);
/* Kick eventfds into the loop. Non-blocking ones (EFD_NONBLOCK). */
int vm_device_wire(struct vm_device *d, struct err *e);
void vm_device_free(struct vm_device *d);
/* Registers and queues with the device's own part. Load comes after irq and kicks are set: it
 * repeats an interrupt that waits to be acknowledged, and kicks every queue once. -EPROTO, and the
 * device is as after a reset, for bytes that don't fit. Lock held, or one thread. */
void vm_device_save(struct vm_device *d, struct strbuf *out);
int vm_device_load(struct vm_device *d, const void *data, size_t len, struct err *e);

#endif
