/* tests/unit/test_vm_relay.c: the relay between host descriptors and a process in the guest. It
 * runs in a thread; the test plays the agent at the other ends of its streams. */
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
	int in[2], out[2], err[2], signals[2];
	pthread_t thread;
	struct vm_relay how;
	int rc, status;
	struct err e;
	bool done;
	struct ask io[3], wait;
} t;

static int open_stream(void *arg, struct err *e)
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

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(pipe(t.opened), 0);
	assert_int_equal(pipe(t.in), 0);
	assert_int_equal(pipe(t.out), 0);
	assert_int_equal(pipe(t.err), 0);
	assert_int_equal(pipe(t.signals), 0);
	t.status = -1;
	t.how = (struct vm_relay){.open = open_stream,
				  .arg = &t,
				  .id = "c1",
				  .process = "7",
				  .stdio = {t.in[0], t.out[1], t.err[1]},
				  .terminal = -1,
				  .signals = t.signals[0]};
	for (int i = 0; i < 3; i++)
		t.io[i].fd = -1;
	t.wait.fd = -1;
	return 0;
}

static int teardown(void **state)
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

static void *relay_thread(void *arg)
{
	t.rc = vm_relay(&t.how, &t.status, &t.e);
	__atomic_store_n(&t.done, true, __ATOMIC_RELEASE);
	return arg;
}

static void begin(void)
{
	assert_int_equal(pthread_create(&t.thread, NULL, relay_thread, NULL), 0);
}

static bool ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) > 0;
}

static void finished(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON / 1000;
	assert_int_equal(pthread_timedjoin_np(t.thread, NULL, &until), 0);
}

/* And it sleeps meanwhile: no descriptor turns it round and round. */
static void not_finished(void)
{
	clock_t before;

	usleep(LONG * 1000);
	before = clock();
	usleep(LONG * 1000);
	assert_true(clock() - before < LONG * CLOCKS_PER_SEC / 1000 / 2);
	assert_false(__atomic_load_n(&t.done, __ATOMIC_ACQUIRE));
}

/* The next stream to the agent, and the request on it. */
static struct ask next_ask(void)
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

static struct ask expect(const char *verb)
{
	struct ask a = next_ask();

	assert_string_equal(a.verb, verb);
	assert_string_equal(a.process, "7");
	return a;
}

static void nothing_asked(void)
{
	assert_false(ready(t.opened[0], POLLIN, LONG));
}

static void ok(int fd)
{
	struct err e;

	assert_int_equal(vm_answer_ok(fd, "", &e), 0);
}

static void answer_wait(int status)
{
	char text[32];
	struct err e;

	snprintf(text, sizeof(text), "\"status\":%d", status);
	assert_int_equal(vm_answer_ok(t.wait.fd, text, &e), 0);
	fd_close(&t.wait.fd);
}

/* The relay is in its stride: three streams, and wait. */
static void started(void)
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

static void reads(int fd, const char *text)
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

static void at_end(int fd)
{
	char c;

	assert_true(ready(fd, POLLIN, SOON));
	assert_int_equal(read(fd, &c, 1), 0);
}

static void writes(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Output closed, status known. */
static void ends(int status)
{
	fd_close(&t.io[1].fd);
	fd_close(&t.io[2].fd);
	answer_wait(status);
	finished();
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.status, status);
}

static void streams(void **state)
{
	(void)state;
	started();
	writes(t.in[1], "typed");
	reads(t.io[0].fd, "typed");
	writes(t.io[1].fd, "printed");
	reads(t.out[0], "printed");
	writes(t.io[2].fd, "complained");
	reads(t.err[0], "complained");
	writes(t.in[1], "last");
	fd_close(&t.in[1]);
	reads(t.io[0].fd, "last");
	at_end(t.io[0].fd);
	/* The end of the input ends nothing else. */
	writes(t.io[1].fd, "still");
	reads(t.out[0], "still");
	ends(256);
}

/* No status before all streams are in the relay's hands. */
static void wait_comes_last(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 3; i++)
		t.io[i] = expect("io");
	ok(t.io[2].fd);
	ok(t.io[0].fd);
	nothing_asked();
	ok(t.io[1].fd);
	t.wait = expect("wait");
	ends(0);
}

static void first_bytes_behind_the_answer(void **state)
{
	static const char both[] = "\x09\0\0\0{\"ok\":{}}early";

	(void)state;
	begin();
	for (int i = 0; i < 3; i++)
		t.io[i] = expect("io");
	assert_int_equal(write(t.io[1].fd, both, sizeof(both) - 1), sizeof(both) - 1);
	fd_close(&t.io[1].fd);
	ok(t.io[0].fd);
	ok(t.io[2].fd);
	t.wait = expect("wait");
	reads(t.out[0], "early");
	ends(0);
}

static void endless_input(void **state)
{
	(void)state;
	started();
	ends(9); /* killed; nobody has closed the input */
	assert_true(WIFSIGNALED(t.status));
}

/* The process has closed its input, or is gone: what is typed stays where it is. */
static void input_nobody_reads(void **state)
{
	(void)state;
	started();
	fd_close(&t.io[0].fd);
	usleep(LONG * 1000);
	writes(t.in[1], "lost");
	not_finished();
	writes(t.io[1].fd, "on");
	reads(t.out[0], "on");
	ends(0);
	assert_true(ready(t.in[0], POLLIN, 0));
}

static void status_before_output(void **state)
{
	(void)state;
	started();
	answer_wait(0);
	not_finished();
	writes(t.io[1].fd, "late");
	fd_close(&t.io[1].fd);
	reads(t.out[0], "late");
	not_finished();
	fd_close(&t.io[2].fd);
	finished();
	assert_int_equal(t.rc, 0);
	assert_int_equal(t.status, 0);
}

static void fill(uint8_t *b)
{
	for (size_t i = 0; i < BULK; i++)
		b[i] = (uint8_t)(i * 2654435761u >> 13);
}

/* Writes all it can take, at most to `len`. */
static size_t stuff(int fd, const uint8_t *b, size_t len)
{
	size_t n = 0;
	ssize_t put;

	while (n < len && ready(fd, POLLOUT, LONG) &&
	       (put = send(fd, b + n, len - n, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		n += (size_t)put;
	return n;
}

/* Output whose reader is slow is held up, and nothing else; then all of it comes, in order. */
static void slow_reader(void **state)
{
	static uint8_t bulk[BULK], got[BULK];
	size_t sent, seen = 0;

	(void)state;
	fill(bulk);
	started();
	sent = stuff(t.io[1].fd, bulk, BULK);
	assert_in_range(sent, 65536, BULK - 1);
	writes(t.io[2].fd, "meanwhile");
	reads(t.err[0], "meanwhile");
	writes(t.in[1], "meanwhile");
	reads(t.io[0].fd, "meanwhile");
	fd_close(&t.io[1].fd);
	fd_close(&t.io[2].fd);
	answer_wait(0);
	not_finished();
	while (seen < sent && ready(t.out[0], POLLIN, SOON))
		seen += (size_t)read(t.out[0], got + seen, BULK - seen);
	assert_int_equal(seen, sent);
	assert_memory_equal(got, bulk, sent);
	finished();
	assert_int_equal(t.rc, 0);
}

static void *feed(void *arg)
{
	const uint8_t *bulk = arg;

	for (size_t n = 0; n < BULK;)
		n += (size_t)write(t.in[1], bulk + n, BULK - n);
	fd_close(&t.in[1]);
	return NULL;
}

static void much_input(void **state)
{
	static uint8_t bulk[BULK], got[BULK];
	size_t seen = 0;
	pthread_t feeder;

	(void)state;
	fill(bulk);
	started();
	assert_int_equal(pthread_create(&feeder, NULL, feed, bulk), 0);
	usleep(LONG * 1000);
	while (seen < BULK && ready(t.io[0].fd, POLLIN, SOON))
		seen += (size_t)read(t.io[0].fd, got + seen, BULK - seen);
	assert_int_equal(seen, BULK);
	assert_memory_equal(got, bulk, BULK);
	at_end(t.io[0].fd);
	pthread_join(feeder, NULL);
	ends(0);
}

static void output_without_reader(void **state)
{
	static uint8_t bulk[BULK];
	sigset_t pending;

	(void)state;
	started();
	fd_close(&t.out[0]);
	assert_int_equal(stuff(t.io[1].fd, bulk, BULK), BULK); /* drained; SIGPIPE would end us */
	writes(t.io[2].fd, "unhurt");
	reads(t.err[0], "unhurt");
	ends(0);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGPIPE));
}

static void to_file_and_socket(void **state)
{
	static uint8_t bulk[BULK], got[BULK];
	int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), pair[2];

	(void)state;
	fill(bulk);
	assert_true(file >= 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	t.how.stdio[0] = file; /* empty: at its end at once */
	t.how.stdio[1] = file;
	t.how.stdio[2] = pair[0];
	started();
	at_end(t.io[0].fd);
	assert_int_equal(stuff(t.io[1].fd, bulk, BULK), BULK);
	writes(t.io[2].fd, "socket");
	reads(pair[1], "socket");
	ends(0);
	assert_int_equal(pread(file, got, BULK, 0), BULK);
	assert_memory_equal(got, bulk, BULK);
	close(file);
	close(pair[0]);
	close(pair[1]);
}

static void only_what_is_there(void **state)
{
	(void)state;
	t.how.stdio[0] = t.how.stdio[2] = t.how.signals = -1;
	begin();
	t.io[1] = expect("io");
	assert_int_equal(t.io[1].n, 1);
	ok(t.io[1].fd);
	t.wait = expect("wait");
	writes(t.io[1].fd, "x");
	reads(t.out[0], "x");
	ends(0);
}

static void no_streams_at_all(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		t.how.stdio[i] = -1;
	begin();
	t.wait = expect("wait");
	ends(3 << 8);
}

static void give_signal(uint32_t n)
{
	struct signalfd_siginfo info = {.ssi_signo = n};

	assert_int_equal(write(t.signals[1], &info, sizeof(info)), sizeof(info));
}

static void signals(void **state)
{
	struct ask a;

	(void)state;
	started();
	give_signal(SIGTERM);
	a = expect("signal");
	assert_int_equal(a.n, SIGTERM);
	ok(a.fd);
	fd_close(&a.fd);
	give_signal(SIGWINCH); /* no terminal: nobody's size */
	nothing_asked();
	give_signal(SIGUSR1);
	a = expect("signal");
	assert_int_equal(a.n, SIGUSR1);
	fd_close(&a.fd); /* no answer: nothing lost */
	fd_close(&t.signals[1]);
	not_finished();
	writes(t.io[1].fd, "on");
	reads(t.out[0], "on");
	ends(15);
}

/* An agent that answers no signal: those under way are bounded, streams go on, none is lost. */
static void many_signals(void **state)
{
	struct ask a[20];
	int n = 0;

	(void)state;
	started();
	for (int i = 0; i < 20; i++)
		give_signal(SIGRTMIN);
	for (; n < 20 && ready(t.opened[0], POLLIN, LONG); n++)
		a[n] = expect("signal");
	assert_in_range(n, 1, 16);
	writes(t.io[1].fd, "on");
	reads(t.out[0], "on");
	for (int i = 0; i < 20; i++) {
		if (i == n)
			a[n++] = expect("signal");
		ok(a[i].fd);
		fd_close(&a[i].fd);
	}
	nothing_asked();
	ends(0);
}

static void terminal(void **state)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	struct termios raw;
	struct ask a;
	int user, ours;

	(void)state;
	cfmakeraw(&raw);
	assert_int_equal(openpty(&user, &ours, NULL, &raw, &size), 0);
	for (int i = 0; i < 3; i++)
		t.how.stdio[i] = -1;
	t.how.terminal = ours;
	begin();
	t.io[0] = expect("io");
	assert_int_equal(t.io[0].n, 0);
	ok(t.io[0].fd);
	a = expect("winsize");
	assert_int_equal(a.rows, 24);
	assert_int_equal(a.columns, 80);
	ok(a.fd);
	fd_close(&a.fd);
	t.wait = expect("wait");
	writes(user, "ls\r");
	reads(t.io[0].fd, "ls\r");
	writes(t.io[0].fd, "a b\r\n");
	reads(user, "a b\r\n");
	size.ws_col = 132;
	assert_int_equal(ioctl(user, TIOCSWINSZ, &size), 0);
	give_signal(SIGWINCH);
	a = expect("winsize");
	assert_int_equal(a.columns, 132);
	fd_close(&a.fd);
	writes(t.io[0].fd, "bye\r\n");
	fd_close(&t.io[0].fd);
	reads(user, "bye\r\n");
	ends(0);
	close(user);
	close(ours);
}

/* The user's terminal is gone: the process hears the end, and its output goes nowhere. */
static void terminal_hangs_up(void **state)
{
	static uint8_t bulk[BULK];
	struct termios raw;
	int user, ours;

	(void)state;
	cfmakeraw(&raw);
	assert_int_equal(openpty(&user, &ours, NULL, &raw, NULL), 0);
	t.how.terminal = ours;
	begin();
	t.io[0] = expect("io");
	ok(t.io[0].fd);
	t.wait = expect("wait");
	close(user);
	at_end(t.io[0].fd);
	assert_int_equal(stuff(t.io[0].fd, bulk, BULK), BULK);
	not_finished();
	fd_close(&t.io[0].fd);
	ends(0);
	close(ours);
}

static void refused_stream(void **state)
{
	struct err no = {0}, e;

	(void)state;
	begin();
	for (int i = 0; i < 3; i++)
		t.io[i] = expect("io");
	err_set(&no, ERR_STATE, EBUSY, "c1", "somebody is attached");
	ok(t.io[0].fd);
	assert_int_equal(vm_answer_error(t.io[1].fd, &no, &e), 0);
	ok(t.io[2].fd);
	t.wait = expect("wait");
	writes(t.io[2].fd, "unhurt");
	reads(t.err[0], "unhurt");
	fd_close(&t.io[2].fd);
	answer_wait(0);
	finished();
	assert_int_equal(t.rc, -EBUSY);
	assert_int_equal(t.e.kind, ERR_STATE);
	assert_string_equal(t.e.text, "somebody is attached");
	assert_int_equal(t.status, -1);
}

/* What an agent may say to `wait`, and what the relay ends with. */
static void wrong_statuses(void **state)
{
	static const struct {
		const char *answer;
		int rc;
	} cases[] = {
		{"{\"ok\":{}}", -EPROTO},
		{"{\"ok\":{\"status\":-1}}", -EPROTO},
		{"{\"ok\":{\"status\":65536}}", -EPROTO},
		{"{\"ok\":{\"status\":\"0\"}}", -EPROTO},
		{"nonsense", -EPROTO},
		{"{\"error\":{\"code\":2,\"kind\":\"notfound\",\"where\":\"c1\",\"text\":\"no\"}}",
		 -ENOENT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e;

		started();
		assert_int_equal(
			vm_frame_send(t.wait.fd, cases[i].answer, strlen(cases[i].answer), &e), 0);
		finished(); /* the streams are still open */
		assert_int_equal(t.rc, cases[i].rc);
		assert_int_equal(t.status, -1);
		teardown(NULL);
		setup(NULL);
	}
}

static void guest_dies(void **state)
{
	(void)state;
	started();
	writes(t.io[1].fd, "last words");
	fd_close(&t.wait.fd);
	fd_close(&t.io[2].fd);
	not_finished();
	for (int i = 0; i < 3; i++)
		fd_close(&t.io[i].fd);
	finished();
	assert_int_equal(t.rc, -EPIPE);
	assert_string_equal(t.e.where, "c1");
	reads(t.out[0], "last words");
}

static void guest_dies_early(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 3; i++)
		t.io[i] = expect("io");
	for (int i = 0; i < 3; i++)
		fd_close(&t.io[i].fd);
	t.wait = expect("wait");
	fd_close(&t.wait.fd);
	finished();
	assert_int_equal(t.rc, -EPIPE);
}

static void nobody_to_open(void **state)
{
	(void)state;
	t.refuse = ECONNREFUSED;
	begin();
	finished();
	assert_int_equal(t.rc, -ECONNREFUSED);
}

static void by_path(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/tmp/rf-relay-XXXXXX"};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), path, fd, conn;
	struct err e;

	(void)state;
	close(mkstemp(a.sun_path));
	unlink(a.sun_path);
	assert_int_equal(bind(s, (const struct sockaddr *)&a, sizeof(a)), 0);
	path = open(a.sun_path, O_PATH | O_CLOEXEC);
	unlink(a.sun_path);
	assert_int_equal(vm_relay_open_path(&path, &e), -ECONNREFUSED);
	assert_int_equal(listen(s, 1), 0);
	fd = vm_relay_open_path(&path, &e);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	conn = accept(s, NULL, NULL);
	writes(fd, "hello");
	reads(conn, "hello");
	close(fd);
	close(conn);
	close(path);
	close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(streams),
		TEST(wait_comes_last),
		TEST(first_bytes_behind_the_answer),
		TEST(endless_input),
		TEST(input_nobody_reads),
		TEST(status_before_output),
		TEST(slow_reader),
		TEST(much_input),
		TEST(output_without_reader),
		TEST(to_file_and_socket),
		TEST(only_what_is_there),
		TEST(no_streams_at_all),
		TEST(signals),
		TEST(many_signals),
		TEST(terminal),
		TEST(terminal_hangs_up),
		TEST(refused_stream),
		TEST(wrong_statuses),
		TEST(guest_dies),
		TEST(guest_dies_early),
		TEST(nobody_to_open),
		TEST(by_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
