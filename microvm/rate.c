/* microvm/rate.c: token buckets, refilled when asked, and one timer that wakes who was refused.
 *
 * Invariants
 *  1. Tokens are counted in billionths, so that nanoseconds times the rate need no division.
 *  2. Rates above RATE_TOP are RATE_TOP: no product overflows 63 bits.
 */
#include "microvm/rate.h"

#include "common/fd.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BILLION 1000000000ll
#define SHARE 10 /* a bucket holds 1/SHARE of a second */
/* With it a bucket's tokens, and the debt of one request of 4 GiB, stay below 2^63 billionths. */
#define RATE_TOP (1ull << 32)

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * BILLION + t.tv_nsec;
}

static void bucket_init(struct vm_bucket *b, uint64_t rate)
{
	b->rate = rate < RATE_TOP ? rate : RATE_TOP;
	b->capacity = (int64_t)b->rate * (BILLION / SHARE);
	if (b->rate && b->capacity < BILLION)
		b->capacity = BILLION; /* one whole token at least */
	b->tokens = b->capacity;
	b->filled = (uint64_t)now_ns();
}

static void refill(struct vm_bucket *b, int64_t now)
{
	int64_t missing = b->capacity - b->tokens, ns = now - (int64_t)b->filled;

	b->filled = (uint64_t)now;
	if (!b->rate)
		return;
	if (ns > missing / (int64_t)b->rate)
		b->tokens = b->capacity;
	else
		b->tokens += ns * (int64_t)b->rate;
}

static bool may(const struct vm_bucket *b)
{
	return !b->rate || b->tokens >= BILLION;
}

static void spend(struct vm_bucket *b, uint64_t tokens)
{
	uint64_t most = UINT32_MAX;

	if (b->rate)
		b->tokens -= (int64_t)(tokens < most ? tokens : most) * BILLION;
}

/* Nanoseconds until the bucket has a token. */
static int64_t until(const struct vm_bucket *b)
{
	return may(b) ? 0 : (BILLION - b->tokens) / (int64_t)b->rate + 1;
}

static void arm(struct vm_limiter *l)
{
	int64_t a = until(&l->bytes), b = until(&l->ops), ns = a > b ? a : b;
	struct itimerspec t = {.it_value = {ns / BILLION, ns % BILLION}};

	timerfd_settime(l->timer.fd, 0, &t, NULL);
}

static void rang(struct vm_source *s, uint32_t events)
{
	struct vm_limiter *l = s->arg;
	uint64_t times;

	(void)events;
	if (read(s->fd, &times, sizeof(times)) == sizeof(times))
		l->again(l->arg);
}

int vm_limiter_init(struct vm_limiter *l, struct vm_loop *loop, const struct vm_rate *rate,
		    void (*again)(void *arg), void *arg, struct err *e)
{
	auto_fd timer = -1;
	int rc;

	*l = (struct vm_limiter){.loop = loop, .again = again, .arg = arg};
	l->timer = (struct vm_source){.fd = -1, .ready = rang, .arg = l};
	bucket_init(&l->bytes, rate->bytes);
	bucket_init(&l->ops, rate->ops);
	if (!rate->bytes && !rate->ops)
		return 0;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer < 0)
		return err_sys(e, errno, "", "making a timer for a rate limit");
	l->timer.fd = timer;
	rc = vm_loop_add(loop, &l->timer, EPOLLIN, e);
	l->timer.fd = rc < 0 ? -1 : take_fd(&timer);
	return rc;
}

bool vm_limiter_take(struct vm_limiter *l, uint64_t bytes)
{
	int64_t now;

	if (l->timer.fd < 0)
		return true;
	now = now_ns();
	refill(&l->bytes, now);
	refill(&l->ops, now);
	if (!may(&l->bytes) || !may(&l->ops)) {
		arm(l);
		return false;
	}
	spend(&l->bytes, bytes);
	spend(&l->ops, 1);
	return true;
}

void vm_limiter_free(struct vm_limiter *l)
{
	int fd = l->timer.fd;

	if (!l->loop || fd < 0)
		return;
	vm_loop_drop(l->loop, &l->timer);
	fd_close(&fd);
}
