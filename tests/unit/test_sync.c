/* tests/unit/test_sync.c: what the runtime and a container's process say to each other; the other
 * side may be hostile. */
#include "common/sync.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SHORT_LEN offsetof(struct sync_msg, err)

static int ends[2] = {-1, -1};
static struct err e;

static int setup(void **state)
{
	(void)state;
	err_clear(&e);
	return sync_pair(ends, &e);
}

static int teardown(void **state)
{
	(void)state;
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return 0;
}

static void pair(void **state)
{
	int type = 0;
	socklen_t len = sizeof(type);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_true(fcntl(ends[i], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(getsockopt(ends[i], SOL_SOCKET, SO_TYPE, &type, &len), 0);
		assert_int_equal(type, SOCK_SEQPACKET);
	}
}

static void every_type(void **state)
{
	struct sync_msg m;

	(void)state;
	for (int t = SYNC_GO; t < SYNC_ERROR; t++) {
		assert_int_equal(sync_send(ends[0], (enum sync_type)t, -5 * t, -1, &e), 0);
		assert_int_equal(sync_recv(ends[1], &m, NULL, &e), 1);
		assert_int_equal(m.type, t);
		assert_int_equal(m.value, -5 * t);
		assert_int_equal(m.err.code, 0);
	}
}

static void with_descriptor(void **state)
{
	int fd = -7;
	int64_t value = 0;

	(void)state;
	assert_int_equal(sync_send(ends[0], SYNC_CONSOLE, 9, STDERR_FILENO, &e), 0);
	assert_int_equal(sync_expect(ends[1], SYNC_CONSOLE, &value, &fd, &e), 0);
	assert_int_equal(value, 9);
	assert_true(fd > STDERR_FILENO && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	int number = fd;
	close(fd);

	/* nobody asked for it: closed */
	assert_int_equal(sync_send(ends[0], SYNC_GO, 0, STDERR_FILENO, &e), 0);
	assert_int_equal(sync_expect(ends[1], SYNC_GO, NULL, NULL, &e), 0);
	assert_int_equal(fcntl(number, F_GETFD), -1);

	/* asked for, but none came */
	assert_int_equal(sync_send(ends[0], SYNC_GO, 0, -1, &e), 0);
	assert_int_equal(sync_expect(ends[1], SYNC_GO, NULL, &fd, &e), 0);
	assert_int_equal(fd, -1);
}

static void peer_ends(void **state)
{
	struct sync_msg m;

	(void)state;
	assert_int_equal(sync_send(ends[0], SYNC_READY, 0, -1, &e), 0);
	fd_close(&ends[0]);
	assert_int_equal(sync_expect(ends[1], SYNC_READY, NULL, NULL, &e), 0);
	assert_int_equal(sync_recv(ends[1], &m, NULL, &e), 0);
	assert_int_equal(sync_expect(ends[1], SYNC_START, NULL, NULL, &e), -EPIPE);
	assert_non_null(strstr(e.text, "ended early"));
	/* no SIGPIPE: we would not get here */
	assert_int_equal(sync_send(ends[1], SYNC_GO, 0, -1, &e), -EPIPE);
	assert_int_equal(sync_send_error(ends[1], &e), -EPIPE);
}

/* It ended with a message of ours unread. */
static void peer_resets(void **state)
{
	struct sync_msg m;

	(void)state;
	assert_int_equal(sync_send(ends[1], SYNC_GO, 0, -1, &e), 0);
	fd_close(&ends[0]);
	assert_int_equal(sync_recv(ends[1], &m, NULL, &e), 0);
}

/* What a peer said before it ended isn't lost to what it left unread. */
static void last_words(void **state)
{
	struct err why = {0};
	struct sync_msg m;

	(void)state;
	err_set(&why, ERR_SPEC, EINVAL, "/mounts/2", "the reason");
	assert_int_equal(sync_send(ends[0], SYNC_START, 0, -1, &e), 0);
	assert_int_equal(sync_send_error(ends[1], &why), 0);
	fd_close(&ends[1]);
	assert_int_equal(sync_recv(ends[0], &m, NULL, &e), 1);
	assert_int_equal(m.type, SYNC_ERROR);
	assert_string_equal(m.err.text, "the reason");
	assert_int_equal(sync_recv(ends[0], &m, NULL, &e), 0);
}

static void error_crosses(void **state)
{
	struct err sent, got = {0};

	(void)state;
	memset(&sent, 'Z', sizeof(sent)); /* stale bytes behind the strings */
	err_set(&sent, ERR_EXEC, ENOENT, "/process/args/0", "\"nope\" not found");
	assert_int_equal(sync_send_error(ends[0], &sent), 0);
	assert_int_equal(sync_expect(ends[1], SYNC_READY, NULL, NULL, &got), -ENOENT);
	assert_int_equal(got.code, ENOENT);
	assert_int_equal(got.kind, ERR_EXEC);
	assert_string_equal(got.where, sent.where);
	assert_string_equal(got.text, sent.text);
	assert_null(memchr(got.where, 'Z', sizeof(got.where)));
	assert_null(memchr(got.text, 'Z', sizeof(got.text)));
}

/* It isn't the end: whoever waits for something else is told that this came. */
static void again_says_why(void **state)
{
	struct sync_msg m;
	struct err why;

	(void)state;
	err_set(&why, ERR_SYSTEM, EIO, NULL, "the reason");
	assert_int_equal(sync_send_again(ends[0], &why), 0);
	assert_int_equal(sync_recv(ends[1], &m, NULL, &e), 1);
	assert_int_equal(m.type, SYNC_AGAIN);
	assert_string_equal(m.err.text, "the reason");
	assert_int_equal(sync_send_again(ends[0], &why), 0);
	assert_int_equal(sync_expect(ends[1], SYNC_READY, NULL, NULL, &e), -EPROTO);
}

static void other_type(void **state)
{
	int64_t value = 77;
	int fd = -7;

	(void)state;
	assert_int_equal(sync_send(ends[0], SYNC_BUILT, 3, STDERR_FILENO, &e), 0);
	assert_int_equal(sync_expect(ends[1], SYNC_READY, &value, &fd, &e), -EPROTO);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_int_equal(value, 77);
	assert_int_equal(fd, -7);
}

/* --- hostile --- */

static void refused(const void *data, size_t len)
{
	struct sync_msg m = {.value = 77};
	int fd = -7;

	assert_int_equal(fd_send(ends[0], STDERR_FILENO, data, len, &e), 0);
	assert_int_equal(sync_recv(ends[1], &m, &fd, &e), -EPROTO);
	assert_int_equal(m.value, 77);
	assert_int_equal(fd, -7);
}

static void wrong_sizes(void **state)
{
	char data[2 * sizeof(struct sync_msg)] = {0};
	struct sync_msg m = {.magic = SYNC_MAGIC, .type = SYNC_GO};

	(void)state;
	int probe = dup(STDERR_FILENO); /* the lowest that is free */
	close(probe);
	memcpy(data, &m, sizeof(m));
	for (size_t len = 1; len <= sizeof(data); len++) {
		if (len != SHORT_LEN)
			refused(data, len);
	}
	for (m.type = SYNC_ERROR; m.type <= SYNC_AGAIN; m.type++) {
		memcpy(data, &m, sizeof(m));
		for (size_t len = 1; len <= sizeof(data); len++) {
			if (len != sizeof(m))
				refused(data, len);
		}
	}
	/* all the descriptors that came with them are gone */
	int after = dup(STDERR_FILENO);
	close(after);
	assert_int_equal(after, probe);
}

static void wrong_words(void **state)
{
	static const uint32_t types[] = {0, SYNC_AGAIN + 1, 0x7fffffff, 0x80000000, UINT32_MAX};
	struct sync_msg m = {.magic = SYNC_MAGIC};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		m.type = types[i];
		refused(&m, SHORT_LEN);
		refused(&m, sizeof(m));
	}
	m.type = SYNC_GO;
	for (int bit = 0; bit < 32; bit++) {
		m.magic = SYNC_MAGIC ^ (1u << bit);
		refused(&m, SHORT_LEN);
	}
}

/* Endless strings, codes and kinds that none has. */
static void wild_error(void **state)
{
	static const int codes[] = {0, -1, 4096, INT32_MAX, INT32_MIN};
	static const int kinds[] = {ERR_NONE, -1, ERR_INTERNAL + 1, INT32_MAX, INT32_MIN};
	struct sync_msg m, got;

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		memset(&m, 'A', sizeof(m));
		m.magic = SYNC_MAGIC;
		m.type = SYNC_ERROR;
		m.err.code = codes[i];
		memcpy(&m.err.kind, &kinds[i], sizeof(m.err.kind));
		assert_int_equal(fd_send(ends[0], -1, &m, sizeof(m), &e), 0);
		assert_int_equal(sync_recv(ends[1], &got, NULL, &e), 1);
		assert_int_equal(got.err.code, EIO);
		assert_int_equal(got.err.kind, ERR_INTERNAL);
		assert_int_equal(strlen(got.err.where), sizeof(got.err.where) - 1);
		assert_int_equal(strlen(got.err.text), sizeof(got.err.text) - 1);
	}
}

static void noise(void **state)
{
	unsigned char data[sizeof(struct sync_msg) + 64];
	struct sync_msg m;

	(void)state;
	srand(1);
	for (int i = 0; i < 5000; i++) {
		size_t len = 1 + (size_t)rand() % sizeof(data);
		for (size_t k = 0; k < len; k++)
			data[k] = (unsigned char)rand();
		if (i % 2 && len >= sizeof(uint32_t))
			memcpy(data, &(uint32_t){SYNC_MAGIC}, sizeof(uint32_t));
		assert_int_equal(fd_send(ends[0], -1, data, len, &e), 0);
		int rc = sync_recv(ends[1], &m, NULL, &e);
		assert_true(rc == 1 || rc == -EPROTO);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pair),        T(every_type),    T(with_descriptor), T(peer_ends),  T(peer_resets),
		T(last_words),  T(error_crosses), T(again_says_why),  T(other_type), T(wrong_sizes),
		T(wrong_words), T(wild_error),    T(noise),
	};

	return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
