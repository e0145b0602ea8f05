/* microvm/queue.h: a split virtqueue, seen from the device (virtio 1.2, 2.7).
 *
 * Invariants
 *  1. The guest is hostile: every index, address, length and flag is checked after it was copied,
 * once.
 *  2. A broken queue stays broken until the device is reset: pop returns an error, push does
 * nothing.
 *  3. A chain's buffers are host addresses inside guest memory; their bytes may change at any time.
 */
#ifndef RF_MICROVM_QUEUE_H
#define RF_MICROVM_QUEUE_H

#include "microvm/memory.h"

#include <stdbool.h>
#include <sys/uio.h>

#define VM_QUEUE_MAX 256u /* entries, a power of two */
#define VM_CHAIN_MAX 256u /* buffers of one chain, indirect ones counted */

struct vm_queue {
	const struct vm_memory *mem;
	uint16_t max;  /* what the device offers; VM_QUEUE_MAX at most */
	uint16_t size; /* what the driver chose */
	bool ready, broken;
	uint64_t desc, avail, used; /* guest addresses, checked by vm_queue_start */
	uint16_t next_avail, next_used;
	uint16_t signalled;       /* next_used at the last interrupt (event index) */
	bool event_idx, indirect; /* negotiated: VIRTIO_F_EVENT_IDX, VIRTIO_F_INDIRECT_DESC */
};

struct vm_chain {
	uint16_t head;
	unsigned n_out, n_in;   /* driver → device, device → driver */
	size_t out_len, in_len; /* bytes in each */
	struct iovec out[VM_CHAIN_MAX], in[VM_CHAIN_MAX];
};

/* The three areas must lie in RAM, be aligned, and the size be a power of two ≤ max: ready then.
 * -EPROTO, and the queue is broken, when not. The indexes stay as they are. */
int vm_queue_start(struct vm_queue *q);
/* Back to nothing: size 0, not ready, not broken; mem and max stay. */
void vm_queue_reset(struct vm_queue *q);
/* The next chain. 1: there is one, 0: none (and with event_idx the driver is asked to notify) or
 * the queue isn't ready, -EPROTO: the guest broke the rules, the queue is broken. */
int vm_queue_pop(struct vm_queue *q, struct vm_chain *ret);
/* Puts the last popped chain back, as if it had not been popped. */
void vm_queue_unpop(struct vm_queue *q);
/* Gives a chain back with `written` bytes in its in-buffers. */
void vm_queue_push(struct vm_queue *q, uint16_t head, uint32_t written);
/* Several at once: the driver sees all of them or none (5.1.6.4, a frame in merged buffers). */
struct vm_done {
	uint16_t head;
	uint32_t written;
};
void vm_queue_push_all(struct vm_queue *q, const struct vm_done *done, unsigned n);
/* Does the driver want an interrupt for what was pushed since the last one? */
bool vm_queue_wants_signal(struct vm_queue *q);

/* Copies between bytes and buffers, from byte `offset` of the buffers on; returns how many fitted.
 */
size_t vm_iov_read(const struct iovec *v, unsigned n, size_t offset, void *to, size_t len);
size_t vm_iov_write(const struct iovec *v, unsigned n, size_t offset, const void *from, size_t len);
/* The part of the buffers from `offset` on, at most `len` bytes, into ret (of n entries): how many
 * entries. */
unsigned vm_iov_slice(const struct iovec *v, unsigned n, size_t offset, size_t len,
		      struct iovec *ret);

#endif
