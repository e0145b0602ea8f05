/* tests/unit/test_fd.c: ownership of descriptors, and sending them. */
#include "common/fd.h"

#include "tests/unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* The number that the next open would get: equal before and after means nothing leaked. */
static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void closes_and_keeps_errno(void **state)
{
	int fd = dup(STDERR_FILENO), copy = fd;

	(void)state;
	errno = ENOTTY;
	fd_close(&fd);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(fd, -1);
	assert_false(is_open(copy));
	fd_close(&fd);
	fd = -ENOENT;
	fd_close(&fd);
	assert_int_equal(fd, -1);
}

static void scope_owns(void **state)
{
	int seen, taken;

	(void)state;
	{
		auto_fd a = dup(STDERR_FILENO);
		auto_fd b = dup(STDERR_FILENO);
		seen = a;
		taken = take_fd(&b);
		assert_int_equal(b, -1);
	}
	assert_false(is_open(seen));
	assert_true(is_open(taken));
	close(taken);
}

/* fd_lazy is for good, so a child tries it. */
static void lazy_leaves_low_ones(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		int low, high, closed;
		fd_lazy();
		{
			auto_fd a = dup(STDERR_FILENO);
			auto_fd b = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 300);
			auto_fd c = dup(STDERR_FILENO);
			low = a, high = b, closed = c;
			fd_close(&c);
		}
		_exit(is_open(low) && high >= 300 && !is_open(high) && !is_open(closed) ? 0 : 1);
	}
	int status = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void sends_a_descriptor(void **state)
{
	struct err e;
	int pair[2], p[2], got = -7;
	char data[16] = "";

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_send(pair[0], p[1], "hi", 3, &e), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), &got, &e), 3);
	assert_string_equal(data, "hi");
	assert_true(got >= 0 && got != p[1]);
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got, "y", 1), 1);
	assert_int_equal(read(p[0], data, 1), 1);
	close(got);

	/* without one */
	assert_int_equal(fd_send(pair[0], -1, "lo", 3, &e), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), &got, &e), 3);
	assert_int_equal(got, -1);

	/* end of file */
	close(pair[0]);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), &got, &e), 0);
	assert_int_equal(got, -1);
	assert_int_equal(fd_send(pair[1], -1, "x", 1, &e), -EPIPE);
	close(pair[1]);
	close(p[0]);
	close(p[1]);
}

/* As fd_send, but with n descriptors in one or two control messages. */
static int send_many(int sock, int n, bool split, const void *data, size_t len)
{
	union {
		char buf[2 * CMSG_SPACE(32 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	char copy[64];
	struct iovec iov = {.iov_base = copy, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf};
	int heads = split ? 2 : 1, each = n / heads;

	memcpy(copy, data, len);
	msg.msg_controllen = (size_t)heads * CMSG_SPACE((size_t)each * sizeof(int));
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	for (int h = 0; h < heads; h++, c = CMSG_NXTHDR(&msg, c)) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)each * sizeof(int));
		for (int i = 0; i < each; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &(int){STDERR_FILENO},
			       sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* A hostile peer that floods us with descriptors fills no table. */
static void surplus_is_closed(void **state)
{
	static const struct {
		int n;
		bool split;
	} floods[] = {{2, false}, {8, false}, {9, false}, {32, false}, {4, true}, {32, true}};
	struct err e;
	int pair[2], got;
	char data[4];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int before = lowest_free(), open_before = scratch_count("/proc/self/fd");
	for (size_t i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
		if (send_many(pair[0], floods[i].n, floods[i].split, "x", 1) < 0)
			continue; /* two heads: not every kernel sends them */
		got = -7;
		assert_int_equal(fd_recv(pair[1], data, sizeof(data), &got, &e), 1);
		assert_int_equal(got, before);
		assert_int_equal(scratch_count("/proc/self/fd"), open_before + 1);
		close(got);
	}
	assert_int_equal(lowest_free(), before);
	close(pair[0]);
	close(pair[1]);
}

static void too_long_is_refused(void **state)
{
	struct err e;
	int pair[2], got = -7;
	char data[4];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int before = lowest_free();
	assert_int_equal(fd_send(pair[0], STDERR_FILENO, "12345", 5, &e), 0);
	assert_int_equal(fd_recv(pair[1], data, sizeof(data), &got, &e), -EPROTO);
	assert_int_equal(got, -7);
	assert_int_equal(lowest_free(), before);
	close(pair[0]);
	close(pair[1]);
}

static void bad_descriptors(void **state)
{
	struct err e;
	int got = -7;
	char data[4];

	(void)state;
	assert_int_equal(fd_send(-1, -1, "x", 1, &e), -EBADF);
	assert_int_equal(fd_recv(-1, data, sizeof(data), &got, &e), -EBADF);
	assert_int_equal(fd_recv(STDIN_FILENO, data, sizeof(data), &got, &e) < 0, 1);
	assert_int_equal(got, -7);
	assert_non_null(strstr(e.text, "receiving"));
}

static void cloexec_from(void **state)
{
	struct err e;

	(void)state;
	int a = fcntl(STDERR_FILENO, F_DUPFD, 40), b = fcntl(STDERR_FILENO, F_DUPFD, 50);
	assert_true(a >= 40 && b >= 50);
	assert_int_equal(fd_cloexec_from((unsigned)b, &e), 0);
	assert_false(fcntl(a, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(b, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fd_cloexec_from((unsigned)a, &e), 0);
	assert_true(fcntl(a, F_GETFD) & FD_CLOEXEC);
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closes_and_keeps_errno), cmocka_unit_test(scope_owns),
		cmocka_unit_test(lazy_leaves_low_ones),   cmocka_unit_test(sends_a_descriptor),
		cmocka_unit_test(surplus_is_closed),      cmocka_unit_test(too_long_is_refused),
		cmocka_unit_test(bad_descriptors),        cmocka_unit_test(cloexec_from),
	};

	return cmocka_run_group_tests_name("fd", tests, NULL, NULL);
}
