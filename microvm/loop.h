/* microvm/loop.h: the monitor's event loop: epoll(7), and the lock that devices live under.
 *
 * Invariants
 *  1. A handler runs on the loop's thread with the lock held, and never blocks.
 *  2. vCPU threads take the same lock (vm_lock) around a device's registers.
 *  3. A source is added, changed and dropped under the lock (or while there is one thread), also
 *     from within any handler. Once dropped it isn't called, and its struct may be freed.
 */
#ifndef RF_MICROVM_LOOP_H
#define RF_MICROVM_LOOP_H

#include "common/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#define VM_LOOP_BATCH 32 /* events taken at a time */

struct vm_source {
	int fd; /* borrowed, -1: not in the loop */
	uint32_t events;
	/* events: what epoll_wait(2) said. */
	void (*ready)(struct vm_source *s, uint32_t events);
	void *arg;
};

struct vm_loop {
	int epoll;
	pthread_mutex_t lock;
	bool stop;
	int wake; /* eventfd: another thread's vm_loop_stop */
	/* The turn's events that aren't handled yet; a drop strikes its own out. */
	struct epoll_event batch[VM_LOOP_BATCH];
	int n_batch;
	uint64_t drops; /* how many there were: what was waited for without the lock may be stale */
};

int vm_loop_init(struct vm_loop *l, struct err *e);
void vm_loop_free(struct vm_loop *l);
/* fd, ready and arg are set; events: EPOLLIN …, level-triggered. The struct stays where it is until
 * dropped. */
int vm_loop_add(struct vm_loop *l, struct vm_source *s, uint32_t events, struct err *e);
/* Other events for a source that is in; 0: none but errors. */
int vm_loop_change(struct vm_loop *l, struct vm_source *s, uint32_t events, struct err *e);
void vm_loop_drop(struct vm_loop *l, struct vm_source *s);
/* Until vm_loop_stop. */
int vm_loop_run(struct vm_loop *l, struct err *e);
/* One turn: waits at most timeout_ms (-1: for ever), and calls what is ready. 0 or an error; the
 * lock isn't held by the caller. For tests. */
int vm_loop_turn(struct vm_loop *l, int timeout_ms, struct err *e);
/* From any thread. */
void vm_loop_stop(struct vm_loop *l);

static inline void vm_lock(struct vm_loop *l)
{
	pthread_mutex_lock(&l->lock);
}
static inline void vm_unlock(struct vm_loop *l)
{
	pthread_mutex_unlock(&l->lock);
}

#endif
