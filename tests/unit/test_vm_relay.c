/* tests/unit/test_vm_relay.c: the relay between host descriptors and a process in the guest,
 * against an agent that does as it should, and one that doesn't. */
#include "microvm/jail.h"
#include "vm_relay_agent.h"

#include <sys/eventfd.h>

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

static void note_quiet(void *arg, bool quiet)
{
	assert_ptr_equal(arg, &t);
	__atomic_store_n(&t.quiet, quiet, __ATOMIC_RELEASE);
}

static void is_quiet(bool quiet)
{
	for (int i = 0; i < SOON && __atomic_load_n(&t.quiet, __ATOMIC_ACQUIRE) != quiet; i++)
		usleep(1000);
	assert_int_equal(t.quiet, quiet);
}

/* A checkpoint: the agent lets go of the outputs; what it sent before arrives first. Then they are
 * asked for again, and the input was there all along. */
static void let_go_and_again(void **state)
{
	(void)state;
	t.how.quiet = note_quiet;
	t.how.again = eventfd(0, EFD_CLOEXEC);
	started();
	writes(t.io[1].fd, "before");
	assert_int_equal(t.quiet, -1);
	fd_close(&t.io[1].fd);
	usleep(LONG * 1000);
	assert_int_equal(t.quiet, -1);
	fd_close(&t.io[2].fd);
	is_quiet(true);
	reads(t.out[0], "before");
	writes(t.in[1], "typed");
	reads(t.io[0].fd, "typed");
	not_finished();
	assert_int_equal(eventfd_write(t.how.again, 1), 0);
	for (int i = 1; i < 3; i++) {
		t.io[i] = expect("io");
		assert_int_equal(t.io[i].n, i);
		ok(t.io[i].fd);
	}
	is_quiet(false);
	writes(t.io[1].fd, "after");
	reads(t.out[0], "after");
	ends(512);
	close(t.how.again);
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
	struct ask a;

	(void)state;
	started();
	fd_close(&t.out[0]);
	assert_int_equal(stuff(t.io[1].fd, bulk, BULK), BULK); /* drained; SIGPIPE would end us */
	a = expect("close");
	assert_int_equal(a.n, 1);
	fd_close(&a.fd);
	nothing_asked();
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

/* A signalfd that takes all signals takes SIGPIPE too: the relay's own are not for the process. */
static void own_sigpipe(void **state)
{
	struct signalfd_siginfo own = {.ssi_signo = SIGPIPE, .ssi_pid = (uint32_t)getpid()};
	struct ask a;

	(void)state;
	started();
	assert_int_equal(write(t.signals[1], &own, sizeof(own)), sizeof(own));
	nothing_asked();
	give_signal(SIGPIPE); /* somebody else's is */
	a = expect("signal");
	assert_int_equal(a.n, SIGPIPE);
	fd_close(&a.fd);
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
	struct ask a;
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
	a = expect("close");
	assert_int_equal(a.n, 0);
	ok(a.fd);
	fd_close(&a.fd);
	assert_int_equal(stuff(t.io[0].fd, bulk, BULK), BULK);
	not_finished();
	nothing_asked();
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

/* A process that stands for another reaches the agent, and nothing else. */
static void from_jail(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/tmp/rf-relay-XXXXXX"};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), status = 0;
	struct err e;

	(void)state;
	close(mkstemp(a.sun_path));
	unlink(a.sun_path);
	assert_int_equal(bind(s, (const struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 1), 0);
	int path = open(a.sun_path, O_PATH | O_CLOEXEC);
	unlink(a.sun_path);
	pid_t pid = fork();
	if (pid == 0) {
		if (vm_jail_stand(true, &e) < 0)
			_exit(e.code == EPERM ? 77 : 1);
		int fd = vm_relay_open_here(&path, &e);
		if (fd < 0 || write(fd, "hello", 5) != 5)
			_exit(2);
		(void)!open("/", O_PATH | O_CLOEXEC);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	int conn = accept(s, NULL, NULL);
	reads(conn, "hello");
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	close(conn);
	close(path);
	close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(streams),
		TEST(let_go_and_again),
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
		TEST(own_sigpipe),
		TEST(terminal),
		TEST(terminal_hangs_up),
		TEST(refused_stream),
		TEST(wrong_statuses),
		TEST(guest_dies),
		TEST(guest_dies_early),
		TEST(nobody_to_open),
		TEST(by_path),
		TEST(from_jail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
