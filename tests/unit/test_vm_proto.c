/* tests/unit/test_vm_proto.c: frames between runtime and agent; the other side may be hostile. */
#include "microvm/proto.h"

#include "common/fd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cmocka.h>

static int ends[2] = {-1, -1};
static struct err e;
static struct arena arena;

static int setup(void **state)
{
	(void)state;
	err_clear(&e);
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

static int teardown(void **state)
{
	(void)state;
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	arena_free(&arena);
	return 0;
}

/* Bytes as they are, with the length that is claimed. */
static void put_raw(uint32_t claim, const char *text)
{
	uint32_t head = htole32(claim);

	assert_int_equal(write(ends[1], &head, sizeof(head)), sizeof(head));
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
}

static void put_text(const char *text)
{
	put_raw((uint32_t)strlen(text), text);
}

static void end_writing(void)
{
	shutdown(ends[1], SHUT_WR);
}

static void wire(void **state)
{
	static const char json[] = "{\"verb\":\"ps\"}";
	uint8_t got[4 + sizeof(json)];

	(void)state;
	assert_int_equal(vm_frame_send(ends[0], json, strlen(json), &e), 0);
	assert_int_equal(read(ends[1], got, sizeof(got)), 4 + strlen(json));
	assert_memory_equal(got, "\x0d\0\0\0", 4);
	assert_memory_equal(got + 4, json, strlen(json));
}

static void round_trip(void **state)
{
	struct json *j = NULL;
	const char *s;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(vm_frame_send(ends[1], "{\"verb\":\"ps\"}", 13, &e), 0);
	end_writing();
	for (int i = 0; i < 3; i++) {
		assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), 1);
		assert_true(json_get_string(j, "verb", &s));
		assert_string_equal(s, "ps");
	}
	assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), 0);
	assert_int_equal(e.code, 0);
}

/* What follows a frame belongs to the stream: an io stream's first bytes come right behind. */
static void nothing_behind_is_read(void **state)
{
	struct json *j;
	char rest[16];

	(void)state;
	put_text("{\"ok\":{}}");
	assert_int_equal(write(ends[1], "bytes", 5), 5);
	assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), 1);
	assert_int_equal(read(ends[0], rest, sizeof(rest)), 5);
	assert_memory_equal(rest, "bytes", 5);
}

static char *big;

static void *send_big(void *arg)
{
	struct err mine;

	return vm_frame_send(ends[1], big, VM_FRAME_MAX, &mine) == 0 ? arg : NULL;
}

static void longest(void **state)
{
	const char *s;
	struct json *j;
	pthread_t thread;
	void *sent;

	(void)state;
	big = malloc(VM_FRAME_MAX + 1);
	memset(big, 'x', VM_FRAME_MAX);
	memcpy(big, "{\"s\":\"", 6);
	memcpy(big + VM_FRAME_MAX - 2, "\"}", 2);
	assert_int_equal(pthread_create(&thread, NULL, send_big, &arena), 0);
	assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), 1);
	pthread_join(thread, &sent);
	assert_non_null(sent);
	assert_true(json_get_string(j, "s", &s));
	assert_int_equal(strlen(s), VM_FRAME_MAX - 8);
	assert_int_equal(vm_frame_send(ends[1], big, VM_FRAME_MAX + 1, &e), -EMSGSIZE);
	free(big);
}

/* A length alone costs no memory: only what came does. */
static void claims_cost_nothing(void **state)
{
	struct json *j;

	(void)state;
	put_raw(VM_FRAME_MAX, "{");
	end_writing();
	assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), -EPROTO);
	assert_true(arena.total < 4096);
	assert_non_null(strstr(e.text, "cut"));
}

static void refused(void **state)
{
	static const struct {
		uint32_t claim; /* 0: the text's own length */
		const char *text, *word;
	} cases[] = {
		{VM_FRAME_MAX + 1, "{}", "too long"},
		{UINT32_MAX, "{}", "too long"},
		{3, "{}", "cut"},
		{0, "", "empty"},
		{0, "{", NULL},
		{0, "nonsense", NULL},
		{0, "{} {}", NULL},
		{0, "{\"a\":1,\"a\":2}", NULL},
		{0, "{\"a\":\"\\u0000\"}", NULL},
		{0, "{\"a\":\"\xff\"}", NULL},
		{0, "[]", "object"},
		{0, "null", "object"},
		{0, "\"ok\"", "object"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json *j = NULL;

		print_message("           %s\n", cases[i].text);
		put_raw(cases[i].claim ? cases[i].claim : (uint32_t)strlen(cases[i].text),
			cases[i].text);
		end_writing();
		assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), -EPROTO);
		assert_null(j);
		assert_int_equal(e.code, EPROTO);
		assert_int_equal(e.kind, ERR_INTERNAL);
		if (cases[i].word)
			assert_non_null(strstr(e.text, cases[i].word));
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
	/* A head that is cut. */
	assert_int_equal(write(ends[1], "\x02\0\0", 3), 3);
	end_writing();
	assert_int_equal(vm_frame_recv(ends[0], &arena, &(struct json *){0}, &e), -EPROTO);
}

static void too_deep(void **state)
{
	char deep[2 * JSON_MAX_DEPTH * 8];
	struct json *j;
	size_t n = 0;

	(void)state;
	for (int i = 0; i <= JSON_MAX_DEPTH; i++)
		n += (size_t)sprintf(deep + n, "{\"a\":");
	put_text(deep);
	assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), -EPROTO);
}

static void piece_by_piece(void **state)
{
	static const char frame[] = "\x09\0\0\0{\"ok\":{}}next";
	struct vm_frame f = {0};
	struct json *j;

	(void)state;
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 13; i++) {
		assert_int_equal(vm_frame_more(ends[0], &f, &e), 0);
		assert_int_equal(f.got, i);
		assert_int_equal(write(ends[1], frame + i, 1), 1);
	}
	assert_int_equal(vm_frame_more(ends[0], &f, &e), 1);
	assert_int_equal(vm_frame_more(ends[0], &f, &e), 1);
	assert_int_equal(vm_frame_parse(&f, &arena, &j, &e), 0);
	assert_int_equal(vm_answer_read(j, NULL, &e), 0);
	vm_frame_free(&f);
	end_writing();
	assert_int_equal(vm_frame_more(ends[0], &f, &e), -EPIPE);
}

/* A client that says nothing: the worker's patience is the socket's. */
static void time_is_up(void **state)
{
	const struct timeval soon = {.tv_usec = 10000};
	struct json *j;

	(void)state;
	assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	assert_int_equal(write(ends[1], "\x09", 1), 1);
	assert_int_equal(vm_frame_recv(ends[0], &arena, &j, &e), -EAGAIN);
}

static void sending_to_nobody(void **state)
{
	(void)state;
	fd_close(&ends[1]);
	assert_int_equal(vm_frame_send(ends[0], "{}", 2, &e), -EPIPE); /* and no SIGPIPE */
}

/* What vm_call says to an answer that is there already. */
static int call(const char *answer, const struct json **ret_ok)
{
	err_clear(&e);
	if (answer)
		put_text(answer);
	end_writing();
	return vm_call(ends[0], &arena, "{\"verb\":\"x\"}", 12, ret_ok, &e);
}

static void calls(void **state)
{
	const struct json *ok = NULL;
	int64_t pid;

	(void)state;
	assert_int_equal(call("{\"ok\":{\"pid\":7}}", &ok), 0);
	assert_true(json_get_i64(ok, "pid", &pid));
	assert_int_equal(pid, 7);
	assert_int_equal(call(NULL, NULL), -EPIPE);
	assert_non_null(strstr(e.text, "ended"));
}

static void errors_travel(void **state)
{
	struct err sent;

	(void)state;
	for (enum err_kind k = ERR_USAGE; k <= ERR_INTERNAL; k++) {
		err_set(&sent, k, EPERM + (int)k, "/mounts/3", "%s \"no\" \xc3\xa4", "it says");
		assert_int_equal(vm_answer_error(ends[1], &sent, &e), 0);
		assert_int_equal(vm_call(ends[0], &arena, "{}", 2, NULL, &e), -sent.code);
		assert_int_equal(e.code, sent.code);
		assert_int_equal(e.kind, k);
		assert_string_equal(e.where, sent.where);
		assert_string_equal(e.text, sent.text);
	}
}

static void long_errors_travel(void **state)
{
	struct err sent = {.code = EIO, .kind = ERR_HOOK};

	(void)state;
	memset(sent.where, '/', sizeof(sent.where) - 1);
	memset(sent.text, '"', sizeof(sent.text) - 1);
	assert_int_equal(vm_answer_error(ends[1], &sent, &e), 0);
	assert_int_equal(vm_call(ends[0], &arena, "{}", 2, NULL, &e), -EIO);
	assert_memory_equal(&e, &sent, sizeof(e));
}

static void errors_are_tamed(void **state)
{
	(void)state;
	assert_int_equal(call("{\"error\":{\"code\":-3,\"kind\":\"none\",\"where\":\"a\\nb\","
			      "\"text\":\"\\u001b[2J\\u009b31m\\u007f \xc3\xa4\"}}",
			      NULL),
			 -EIO);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_string_equal(e.where, "a?b");
	assert_string_equal(e.text, "?[2J??31m? \xc3\xa4");
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
	assert_int_equal(call("{\"error\":{\"code\":4096,\"kind\":\"fun\",\"where\":\"\","
			      "\"text\":\"\"}}",
			      NULL),
			 -EIO);
}

static void wrong_answers(void **state)
{
	static const char *const cases[] = {
		"{}",
		"{\"ok\":1}",
		"{\"ok\":[]}",
		"{\"OK\":{}}",
		"{\"error\":\"no\"}",
		"{\"error\":{}}",
		"{\"error\":{\"code\":\"5\",\"kind\":\"spec\",\"where\":\"\",\"text\":\"\"}}",
		"{\"error\":{\"code\":5.5,\"kind\":\"spec\",\"where\":\"\",\"text\":\"\"}}",
		"{\"error\":{\"code\":5,\"kind\":3,\"where\":\"\",\"text\":\"\"}}",
		"{\"error\":{\"code\":5,\"kind\":\"spec\",\"where\":null,\"text\":\"\"}}",
		"{\"error\":{\"code\":5,\"kind\":\"spec\",\"where\":\"\",\"text\":[]}}",
		"{\"error\":{\"code\":99999999999999999999,\"kind\":\"spec\",\"where\":\"\","
		"\"text\":\"\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct json *ok = NULL;

		print_message("           %s\n", cases[i]);
		assert_int_equal(call(cases[i], &ok), -EPROTO);
		assert_null(ok);
		assert_int_equal(e.kind, ERR_INTERNAL);
		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
	}
}

static void answers(void **state)
{
	const struct json *ok;
	uint64_t v;

	(void)state;
	assert_int_equal(vm_answer_ok(ends[1], "\"status\":256", &e), 0);
	assert_int_equal(vm_answer_ok(ends[1], "", &e), 0);
	assert_int_equal(vm_call(ends[0], &arena, "{}", 2, &ok, &e), 0);
	assert_true(json_get_u64(ok, "status", &v));
	assert_int_equal(v, 256);
	assert_int_equal(vm_call(ends[0], &arena, "{}", 2, &ok, &e), 0);
	assert_null(ok->u.list.first);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(wire),
		TEST(round_trip),
		TEST(nothing_behind_is_read),
		TEST(longest),
		TEST(claims_cost_nothing),
		TEST(refused),
		TEST(too_deep),
		TEST(piece_by_piece),
		TEST(time_is_up),
		TEST(sending_to_nobody),
		TEST(calls),
		TEST(errors_travel),
		TEST(long_errors_travel),
		TEST(errors_are_tamed),
		TEST(wrong_answers),
		TEST(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
