/* tests/unit/vm_relay_agent.h: the relay in a thread, and an agent that the test plays at the other
 * ends of its streams. */
#ifndef RF_TESTS_VM_RELAY_AGENT_H
#define RF_TESTS_VM_RELAY_AGENT_H

#include "microvm/relay.h"

#include "common/fd.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include <cmocka.h>

#define SOON 5000 /* ms: what must happen */
#define LONG 50   /* ms: what must not */
#define BULK (1 << 20)

struct ask { /* a request that the agent got */
	int fd;
	char verb[16], process[16];
	int64_t n, rows, columns; /* fd or signal */
};

static struct {
	int opened[2]; /* pipe: agent's ends of new streams */
	int refuse;    /* the next open fails with it */
	int quiet;     /* as the relay says; -1: it said nothing */
	int in[2], out[2], err[2], signals[2];
	pthread_t thread;
	struct vm_relay how;
	int rc, status;
	struct err e;
	bool done;
	struct ask io[3], wait;
} t;

static inline int open_stream(void *arg, struct err *e)
{
	int pair[2];

	assert_ptr_equal(arg, &t);
	if (t.refuse)
		return err_sys(e, t.refuse, NULL, "opening");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
	    write(t.opened[1], &pair[1], sizeof(int)) != sizeof(int))
		return err_sys(e, errno, NULL, "opening");
	return pair[0];
}

static inline int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(pipe(t.opened), 0);
	assert_int_equal(pipe(t.in), 0);
	assert_int_equal(pipe(t.out), 0);
	assert_int_equal(pipe(t.err), 0);
	assert_int_equal(pipe(t.signals), 0);
	t.status = t.quiet = -1;
	t.how = (struct vm_relay){.open = open_stream,
				  .arg = &t,
				  .id = "c1",
				  .process = "7",
				  .stdio = {t.in[0], t.out[1], t.err[1]},
				  .terminal = -1,
				  .again = -1,
				  .signals = t.signals[0]};
	for (int i = 0; i < 3; i++)
		t.io[i].fd = -1;
	t.wait.fd = -1;
	return 0;
}

static inline int teardown(void **state)
{
	int *all[] = {t.opened, t.in, t.out, t.err, t.signals};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		fd_close(&all[i][0]);
		fd_close(&all[i][1]);
	}
	for (int i = 0; i < 3; i++)
		fd_close(&t.io[i].fd);
	fd_close(&t.wait.fd);
	return 0;
}

static inline void *relay_thread(void *arg)
{
	t.rc = vm_relay(&t.how, &t.status, &t.e);
	__atomic_store_n(&t.done, true, __ATOMIC_RELEASE);
	return arg;
}

static inline void begin(void)
{
	assert_int_equal(pthread_create(&t.thread, NULL, relay_thread, NULL), 0);
}

static inline bool ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) > 0;
}

static inline void finished(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON / 1000;
	assert_int_equal(pthread_timedjoin_np(t.thread, NULL, &until), 0);
}

/* And it sleeps meanwhile: no descriptor turns it round and round. */
static inline void not_finished(void)
{
	clock_t before;

	usleep(LONG * 1000);
	before = clock();
	usleep(LONG * 1000);
	assert_true(clock() - before < LONG * CLOCKS_PER_SEC / 1000 / 2);
	assert_false(__atomic_load_n(&t.done, __ATOMIC_ACQUIRE));
}

/* The next stream to the agent, and the request on it. */
static inline struct ask next_ask(void)
{
	struct ask a = {.n = -1};
	auto_arena arena = {0};
	const char *s;
	struct json *j;
	struct err e;

	assert_true(ready(t.opened[0], POLLIN, SOON));
	assert_int_equal(read(t.opened[0], &a.fd, sizeof(int)), sizeof(int));
	assert_int_equal(vm_frame_recv(a.fd, &arena, &j, &e), 1);
	assert_true(json_get_string(j, "id", &s));
	assert_string_equal(s, "c1");
	assert_true(json_get_string(j, "verb", &s));
	snprintf(a.verb, sizeof(a.verb), "%s", s);
	assert_true(json_get_string(j, "process", &s));
	snprintf(a.process, sizeof(a.process), "%s", s);
	if (!json_get_i64(j, "fd", &a.n))
		(void)json_get_i64(j, "signal", &a.n);
	(void)json_get_i64(j, "rows", &a.rows);
	(void)json_get_i64(j, "columns", &a.columns);
	return a;
}

static inline struct ask expect(const char *verb)
{
	struct ask a = next_ask();

	assert_string_equal(a.verb, verb);
	assert_string_equal(a.process, "7");
	return a;
}

static inline void nothing_asked(void)
{
	assert_false(ready(t.opened[0], POLLIN, LONG));
}

static inline void ok(int fd)
{
	struct err e;

	assert_int_equal(vm_answer_ok(fd, "", &e), 0);
}

static inline void answer_wait(int status)
{
	char text[32];
	struct err e;

	snprintf(text, sizeof(text), "\"status\":%d", status);
	assert_int_equal(vm_answer_ok(t.wait.fd, text, &e), 0);
	fd_close(&t.wait.fd);
}

/* The relay is in its stride: three streams, and wait. */
static inline void started(void)
{
	begin();
	for (int i = 0; i < 3; i++) {
		t.io[i] = expect("io");
		assert_int_equal(t.io[i].n, i);
	}
	for (int i = 0; i < 3; i++)
		ok(t.io[i].fd);
	t.wait = expect("wait");
}

static inline void reads(int fd, const char *text)
{
	char buf[256];
	size_t n = 0;

	while (n < strlen(text)) {
		assert_true(ready(fd, POLLIN, SOON));
		ssize_t got = read(fd, buf + n, strlen(text) - n);
		assert_true(got > 0);
		n += (size_t)got;
	}
	assert_memory_equal(buf, text, n);
}

static inline void at_end(int fd)
{
	char c;

	assert_true(ready(fd, POLLIN, SOON));
	assert_int_equal(read(fd, &c, 1), 0);
}

static inline void writes(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Output closed, status known. */
static inline void ends(int status)
{
	fd_close(&t.io[1].fd);
	fd_close(&t.io[2].fd);
	answer_wait(status);
	finished();
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.status, status);
}

static inline void fill(uint8_t *b)
{
	for (size_t i = 0; i < BULK; i++)
		b[i] = (uint8_t)(i * 2654435761u >> 13);
}

/* Writes all it can take, at most to `len`. */
static inline size_t stuff(int fd, const uint8_t *b, size_t len)
{
	size_t n = 0;
	ssize_t put;

	while (n < len && ready(fd, POLLOUT, LONG) &&
	       (put = send(fd, b + n, len - n, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		n += (size_t)put;
	return n;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
