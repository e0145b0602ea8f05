/* microvm/rate.h: limits a device's bytes and operations a second, by token buckets.
 *
 * Invariants
 *  1. A bucket holds a tenth of a second's worth: that is the burst after a quiet time.
 *  2. What is larger than the bucket passes when the bucket isn't empty, and is paid for
 * afterwards: no size of request is stuck for ever.
 */
#ifndef RF_MICROVM_RATE_H
#define RF_MICROVM_RATE_H

#include "microvm/loop.h"

struct vm_rate {             /* 0: no limit */
	uint64_t bytes, ops; /* a second */
};

struct vm_bucket {
	uint64_t rate;    /* tokens a second, 0: no limit */
	int64_t tokens;   /* in billionths; below zero: debt */
	int64_t capacity; /* likewise */
	uint64_t filled;  /* CLOCK_MONOTONIC, ns: when tokens was right */
};

struct vm_limiter {
	struct vm_loop *loop;
	struct vm_bucket bytes, ops;
	struct vm_source timer; /* timerfd; fd -1 when there is no limit */
	void (*again)(void *arg);
	void *arg;
};

/* again: called on the loop's thread, lock held, when a refused taker may try again. Costs no
 * descriptor when both limits are 0. */
int vm_limiter_init(struct vm_limiter *l, struct vm_loop *loop, const struct vm_rate *rate,
		    void (*again)(void *arg), void *arg, struct err *e);
/* Takes one operation of `bytes` bytes. False: nothing was taken, `again` will be called. */
bool vm_limiter_take(struct vm_limiter *l, uint64_t bytes);
/* Also after an init that failed, and twice. */
void vm_limiter_free(struct vm_limiter *l);

#endif
