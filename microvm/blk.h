/* microvm/blk.h: between dev_blk.c, which speaks virtio, and blk_io.c, which moves the bytes.
 *
 * Invariants
 *  1. A request is parsed and checked on the loop's thread, done on the disk's own, and given back
 *     to the queue on the loop's.
 *  2. The thread never takes the loop's lock; so the loop may wait for it (vm_blk_cancel).
 *  3. Requests are done in the order they came: at most one is under way.
 */
#ifndef RF_MICROVM_BLK_H
#define RF_MICROVM_BLK_H

#include "microvm/qcow2.h"
#include "microvm/queue.h"

#include <pthread.h>

#define VM_BLK_SLOTS 16u
#define VM_BLK_SECTOR 512u

struct vm_blk_request {
	uint16_t head;
	uint32_t type;        /* VIRTIO_BLK_T_* */
	uint32_t flags;       /* of write zeroes: VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP */
	uint64_t offset, len; /* bytes of the disk */
	bool durable;         /* a write reaches the disk before it is answered */
	unsigned n;
	struct iovec v[VM_CHAIN_MAX]; /* len bytes: where to, or where from */
	uint8_t *status;              /* in guest memory */
	uint32_t written;             /* what the used ring says afterwards */
	uint8_t answer;               /* VIRTIO_BLK_S_* */
};

struct vm_blk_io {
	int fd;                 /* borrowed */
	struct vm_qcow2 *qcow2; /* or NULL: raw; owned */
	/* What the thread does to itself before all else; its failure is the start's. Or NULL. */
	int (*limit)(struct err *e);
	struct err *why; /* of the start, for as long as it waits */
	int begun;       /* 1: the thread works, negative: it couldn't */
	int done;        /* eventfd: something was finished */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running, cancel, stop; /* one is under way; give it up; end */
	/* Counters that only grow: slot i % VM_BLK_SLOTS; given back ≤ finished ≤ posted. */
	unsigned posted, finished, returned;
	struct vm_blk_request slots[VM_BLK_SLOTS];
};

/* fd, qcow2 and limit are set. */
int vm_blk_io_start(struct vm_blk_io *io, struct err *e);
/* Ends the thread; what isn't finished isn't done. */
void vm_blk_io_stop(struct vm_blk_io *io);
/* A slot to fill in, NULL when all are in use; then vm_blk_post. Loop's thread. */
struct vm_blk_request *vm_blk_slot(struct vm_blk_io *io);
void vm_blk_post(struct vm_blk_io *io);
/* The next finished request, NULL when there is none; gone with vm_blk_return. */
struct vm_blk_request *vm_blk_finished(struct vm_blk_io *io);
void vm_blk_return(struct vm_blk_io *io);
/* Waits until everything posted is finished. */
void vm_blk_settle(struct vm_blk_io *io);
/* Forgets all requests; waits for the one under way, of which at most one piece is still done. */
void vm_blk_cancel(struct vm_blk_io *io);

#endif
