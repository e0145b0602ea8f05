/* tests/unit/test_vm_loop.c: the event loop, and rate limits on it. */
#include "microvm/loop.h"
#include "microvm/rate.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include <cmocka.h>

static struct vm_loop loop;
static struct err e;

static int setup(void **state)
{
	(void)state;
	return vm_loop_init(&loop, &e);
}

static int teardown(void **state)
{
	(void)state;
	vm_loop_free(&loop);
	return 0;
}

/* Sources dropped in handlers, with their events already fetched. */
struct pair {
	struct vm_source a, b;
	int hits;
};

static void drops_the_other(struct vm_source *s, uint32_t events)
{
	struct pair *p = s->arg;

	(void)events;
	p->hits++;
	vm_loop_drop(&loop, s == &p->a ? &p->b : &p->a);
}

static void dropped_source_is_silent(void **state)
{
	struct pair p = {.hits = 0};
	int a = eventfd(1, EFD_CLOEXEC), b = eventfd(1, EFD_CLOEXEC);

	(void)state;
	p.a = (struct vm_source){.fd = a, .ready = drops_the_other, .arg = &p};
	p.b = (struct vm_source){.fd = b, .ready = drops_the_other, .arg = &p};
	assert_int_equal(vm_loop_add(&loop, &p.a, EPOLLIN, &e), 0);
	assert_int_equal(vm_loop_add(&loop, &p.b, EPOLLIN, &e), 0);
	assert_int_equal(vm_loop_turn(&loop, 0, &e), 0);
	assert_int_equal(p.hits, 1);
	vm_loop_drop(&loop, &p.a);
	vm_loop_drop(&loop, &p.b);
	close(a);
	close(b);
}

static void *stops_it(void *arg)
{
	vm_loop_stop(arg);
	return NULL;
}

static void stopped_from_another_thread(void **state)
{
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, stops_it, &loop), 0);
	assert_int_equal(vm_loop_run(&loop, &e), 0);
	pthread_join(t, NULL);
}

static void loop_reports_what_it_cant_watch(void **state)
{
	struct vm_source s = {.fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
			      .ready = drops_the_other};

	(void)state;
	assert_int_equal(vm_loop_add(&loop, &s, EPOLLIN, &e), -EPERM);
	close(s.fd);
}

/* A source becomes ready and is dropped by another thread, which holds the lock all the time: the
 * loop has fetched the event by then (it sleeps in the wait, without the lock), and must not use
 * it. */
struct shared {
	int fd;
	unsigned calls;
};

static void counts(struct vm_source *s, uint32_t events)
{
	(void)events;
	((struct shared *)s->arg)->calls++;
}

static void *drops_and_frees(void *arg)
{
	struct shared *sh = arg;
	struct err mine;
	uint64_t n = 1;

	for (unsigned i = 0; i < 20; i++) {
		struct vm_source *s = calloc(1, sizeof(*s));

		*s = (struct vm_source){.fd = sh->fd, .ready = counts, .arg = sh};
		usleep(2000);
		vm_lock(&loop);
		if (vm_loop_add(&loop, s, EPOLLIN, &mine) < 0 ||
		    write(sh->fd, &n, sizeof(n)) != sizeof(n))
			abort();
		usleep(2000);
		vm_loop_drop(&loop, s);
		free(s);
		if (read(sh->fd, &n, sizeof(n)) != sizeof(n))
			abort();
		vm_unlock(&loop);
	}
	vm_loop_stop(&loop);
	return NULL;
}

static void dropped_by_another_thread(void **state)
{
	struct shared sh = {.fd = eventfd(0, EFD_CLOEXEC)};
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, drops_and_frees, &sh), 0);
	assert_int_equal(vm_loop_run(&loop, &e), 0);
	pthread_join(t, NULL);
	assert_int_equal(sh.calls, 0);
	close(sh.fd);
}

static unsigned again_calls;

static void again(void *arg)
{
	(void)arg;
	again_calls++;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes n times, waiting in the loop where it must; returns milliseconds. */
static int64_t take_all(struct vm_limiter *l, unsigned n, uint64_t bytes)
{
	int64_t start = now_ms();

	while (n) {
		unsigned before = again_calls;

		if (vm_limiter_take(l, bytes)) {
			n--;
			continue;
		}
		while (again_calls == before)
			assert_int_equal(vm_loop_turn(&loop, 5000, &e), 0);
	}
	return now_ms() - start;
}

static void no_limit_no_descriptor(void **state)
{
	struct vm_rate r = {0, 0};
	struct vm_limiter l;

	(void)state;
	assert_int_equal(vm_limiter_init(&l, &loop, &r, again, NULL, &e), 0);
	assert_int_equal(l.timer.fd, -1);
	for (unsigned i = 0; i < 100000; i++)
		assert_true(vm_limiter_take(&l, UINT64_MAX));
	vm_limiter_free(&l);
	vm_limiter_free(&l);
}

/* 100 of them at once, then one each millisecond: 300 take no less than 200 ms. */
static void operations_are_limited(void **state)
{
	struct vm_rate r = {.ops = 1000};
	struct vm_limiter l;
	int64_t ms;

	(void)state;
	assert_int_equal(vm_limiter_init(&l, &loop, &r, again, NULL, &e), 0);
	ms = take_all(&l, 300, 1 << 20);
	assert_in_range(ms, 195, 5000);
	vm_limiter_free(&l);
}

/* A request larger than the bucket passes at once, and the next one waits for what it cost. */
static void bytes_are_paid_for(void **state)
{
	struct vm_rate r = {.bytes = 1000000};
	struct vm_limiter l;

	(void)state;
	assert_int_equal(vm_limiter_init(&l, &loop, &r, again, NULL, &e), 0);
	assert_true(vm_limiter_take(&l, 300000));
	assert_false(vm_limiter_take(&l, 1));
	assert_in_range(take_all(&l, 1, 1), 150, 5000);
	vm_limiter_free(&l);
	vm_limiter_free(&l);
}

static void extreme_rates(void **state)
{
	static const uint64_t rates[] = {1, 9, UINT32_MAX, UINT64_MAX};
	struct vm_limiter l;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct vm_rate r = {rates[i], rates[i]};

		assert_int_equal(vm_limiter_init(&l, &loop, &r, again, NULL, &e), 0);
		assert_true(vm_limiter_take(&l, UINT64_MAX));
		assert_false(vm_limiter_take(&l, UINT64_MAX));
		assert_false(vm_limiter_take(&l, UINT64_MAX));
		vm_limiter_free(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(dropped_source_is_silent),
		T(stopped_from_another_thread),
		T(loop_reports_what_it_cant_watch),
		T(dropped_by_another_thread),
		T(no_limit_no_descriptor),
		T(operations_are_limited),
		T(bytes_are_paid_for),
		T(extreme_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
