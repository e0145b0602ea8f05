/* tests/unit/test_criu_wire.c: CRIU's messages byte by byte: what we say is what its interface
 * (rpc.proto) asks for, and what it says is believed only when it is whole. */
#include "runtime/criu_wire.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rt_criu_answer a;

/* A copy of exactly this size: a step beyond it is the sanitizer's to find. */
static bool answer(const void *data, size_t n)
{
	unsigned char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	if (n)
		memcpy(copy, data, n);
	memset(&a, 0x5a, sizeof(a));
	bool ok = rt_wire_answer(copy, n, &a);
	free(copy);
	return ok;
}

static bool answer_of(const struct strbuf *b)
{
	assert_false(b->failed);
	return answer(b->s, b->len);
}

#define TAKEN(bytes) assert_true(answer(bytes, sizeof(bytes) - 1))
#define NOT_TAKEN(bytes) assert_false(answer(bytes, sizeof(bytes) - 1))

static void is_bytes(const struct strbuf *b, const void *want, size_t n)
{
	assert_false(b->failed);
	assert_int_equal(b->len, n);
	assert_memory_equal(b->s, want, n);
}
#define IS(b, bytes) is_bytes(b, bytes, sizeof(bytes) - 1)

/* --- what we say --- */

static void numbers(void **state)
{
	auto_strbuf b = {0};

	(void)state;
	rt_wire_num(&b, 1, 0);
	rt_wire_num(&b, 15, 127);
	rt_wire_num(&b, 16, 128);
	rt_wire_num(&b, RT_CO_NETWORK_LOCK, 300);
	IS(&b, "\x08\x00"
	       "\x78\x7f"
	       "\x80\x01\x80\x01"
	       "\x80\x04\xac\x02");
}

static void largest_number(void **state)
{
	auto_strbuf b = {0};

	(void)state;
	rt_wire_num(&b, 1, UINT64_MAX);
	IS(&b, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

static void texts(void **state)
{
	auto_strbuf b = {0};
	char text[200];

	(void)state;
	rt_wire_str(&b, 1, NULL);
	assert_int_equal(b.len, 0);
	rt_wire_str(&b, 1, "");
	rt_wire_bytes(&b, 2, "a\0b", 3);
	IS(&b, "\x0a\x00"
	       "\x12\x03"
	       "a\0b");
	memset(text, 'x', sizeof(text));
	rt_wire_bytes(&b, 3, text, sizeof(text));
	assert_int_equal(b.len, 7 + 3 + sizeof(text));
	assert_memory_equal(b.s + 7, "\x1a\xc8\x01", 3);
}

static void requests(void **state)
{
	auto_strbuf b = {0}, bare = {0}, opts = {0}, notified = {0};

	(void)state;
	rt_wire_request(&bare, RT_CRIU_VERSION, NULL);
	IS(&bare, "\x08\x0a");
	rt_wire_num(&opts, RT_CO_IMAGES_FD, 3);
	rt_wire_request(&b, RT_CRIU_DUMP, &opts);
	IS(&b, "\x08\x01\x12\x02\x08\x03");
	rt_wire_notified(&notified, true);
	rt_wire_notified(&notified, false);
	IS(&notified, "\x08\x06\x18\x01\x08\x06\x18\x00");
}

/* Options that memory ran out for are no request. */
static void failed_options(void **state)
{
	auto_strbuf b = {0};
	struct strbuf opts = {.failed = true};

	(void)state;
	rt_wire_request(&b, RT_CRIU_DUMP, &opts);
	assert_true(b.failed);
}

/* --- what it says --- */

static void version(void **state)
{
	(void)state;
	/* 4.1.1, a git id, a name */
	TAKEN("\x08\x0a\x10\x01\x52\x11\x08\x04\x10\x01\x1a\x03"
	      "abc"
	      "\x20\x01\x32\x04"
	      "Crow");
	assert_int_equal(a.type, RT_CRIU_VERSION);
	assert_true(a.success);
	assert_int_equal(a.version, 40101);
}

/* The last of what must occur once is valid, as the encoding has it. */
static void version_twice(void **state)
{
	(void)state;
	TAKEN("\x08\x0a\x52\x04\x08\x03\x10\x11\x52\x04\x08\x03\x10\x11");
	assert_int_equal(a.version, 31700);
	assert_false(a.success);
}

static void notify(void **state)
{
	(void)state;
	TAKEN("\x08\x06\x10\x01\x2a\x0d\x0a\x08"
	      "pre-dump"
	      "\x10\xac\x02");
	assert_int_equal(a.type, RT_CRIU_NOTIFY);
	assert_string_equal(a.script, "pre-dump");
	assert_int_equal(a.pid, 300);
}

static void restored(void **state)
{
	(void)state;
	TAKEN("\x08\x02\x10\x01\x22\x03\x08\xd2\x09");
	assert_int_equal(a.type, RT_CRIU_RESTORE);
	assert_true(a.success);
	assert_int_equal(a.pid, 1234);
	assert_string_equal(a.script, "");
}

static void error(void **state)
{
	(void)state;
	TAKEN("\x08\x01\x10\x00\x38\x0d\x4a\x03"
	      "why");
	assert_false(a.success);
	assert_int_equal(a.error, 13);
	assert_string_equal(a.message, "why");
	/* A negative int32 comes as ten bytes. */
	TAKEN("\x08\x01\x38\xf3\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	assert_int_equal(a.error, -13);
}

static void long_texts(void **state)
{
	auto_strbuf b = {0}, inner = {0};
	char text[4096];

	(void)state;
	memset(text, 'x', sizeof(text));
	rt_wire_num(&b, 1, RT_CRIU_NOTIFY);
	rt_wire_bytes(&inner, 1, text, sizeof(text));
	rt_wire_bytes(&b, 5, inner.s, inner.len);
	rt_wire_bytes(&b, 9, text, sizeof(text));
	assert_true(answer_of(&b));
	assert_int_equal(strlen(a.script), sizeof(a.script) - 1);
	assert_int_equal(strlen(a.message), sizeof(a.message) - 1);
}

/* A newer CRIU may say more than we know of. */
static void unknown_fields(void **state)
{
	(void)state;
	TAKEN("\x08\x02"                             /* RESTORE */
	      "\x61\xff\xff\xff\xff\xff\xff\xff\xff" /* 12, 64 bits */
	      "\x6d\xff\xff\xff\xff"                 /* 13, 32 bits */
	      "\x72\x02\xff\xff"                     /* 14, bytes that are no message */
	      "\x1a\x01\xff"                         /* 3: of no interest */
	      "\x22\x05\x08\x07\x92\x3f\x00"         /* restore with something more */
	      "\x10\x01");
	assert_true(a.success);
	assert_int_equal(a.pid, 7);
}

/* --- what isn't believed --- */

static void no_type(void **state)
{
	(void)state;
	assert_false(answer("", 0));
	NOT_TAKEN("\x10\x01");
	NOT_TAKEN("\x08\x00");
	assert_int_equal(a.type, 0x5a5a5a5a);
}

/* Every beginning of a message, but for those that end between fields. */
static void cut_short(void **state)
{
	static const char whole[] = "\x08\x06\x10\x01\x2a\x0d\x0a\x08"
				    "pre-dump"
				    "\x10\xac\x02\x4a\x02hi";

	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++)
		assert_int_equal(answer(whole, n), n == 2 || n == 4 || n == 19);
	assert_true(answer(whole, sizeof(whole) - 1));
}

static void endless_varints(void **state)
{
	(void)state;
	NOT_TAKEN("\x80");
	NOT_TAKEN("\x08\x80");
	NOT_TAKEN("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	NOT_TAKEN("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
	NOT_TAKEN("\x08\x06\x2a\x02\x10\x80");
}

static void lengths_beyond_the_end(void **state)
{
	(void)state;
	NOT_TAKEN("\x08\x06\x4a\x01");
	NOT_TAKEN("\x08\x06\x4a\xff\xff\xff\xff\x07x");
	NOT_TAKEN("\x08\x06\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x");
	NOT_TAKEN("\x08\x06\x4a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01x");
	/* One that ends within the message, but not within the field around it. */
	NOT_TAKEN("\x08\x06\x2a\x03\x0a\x04yyyy\x10\x01");
	NOT_TAKEN("\x08\x06\x61\x01\x02\x03");
	NOT_TAKEN("\x08\x06\x6d\x01\x02\x03");
}

/* Groups are no part of it, 6 and 7 of no protocol buffer. */
static void kinds(void **state)
{
	(void)state;
	NOT_TAKEN("\x08\x06\x63");
	NOT_TAKEN("\x08\x06\x64");
	NOT_TAKEN("\x08\x06\x66\x01");
	NOT_TAKEN("\x08\x06\x67\x01");
}

/* A field that is known comes as what it is. */
static void other_kinds(void **state)
{
	(void)state;
	NOT_TAKEN("\x0a\x01\x06");
	NOT_TAKEN("\x08\x06\x12\x01\x01");
	NOT_TAKEN("\x08\x06\x3a\x01\x01");
	NOT_TAKEN("\x08\x06\x48\x01");
	NOT_TAKEN("\x08\x06\x28\x01");
	NOT_TAKEN("\x08\x06\x2a\x02\x08\x01");
	NOT_TAKEN("\x08\x02\x22\x03\x0a\x01\x01");
	NOT_TAKEN("\x08\x0a\x55\x01\x02\x03\x04");
}

/* Numbers that only look like ours when they are cut to 32 bits. */
static void huge_fields(void **state)
{
	auto_strbuf b = {0}, type = {0};

	(void)state;
	rt_wire_num(&b, 1, (uint64_t)1 << 32 | RT_CRIU_RESTORE);
	assert_false(answer_of(&b));
	/* Field 2^32 + 1: a tag of 2^35 + 8. */
	NOT_TAKEN("\x88\x80\x80\x80\x80\x01\x02");
	/* Field 2^29, one more than there are, and field 0. */
	NOT_TAKEN("\x08\x02\x80\x80\x80\x80\x10\x01");
	NOT_TAKEN("\x08\x02\x00\x01");
	TAKEN("\x08\x02\xf8\xff\xff\xff\x0f\x01");
	/* Types are few, and none is negative. */
	rt_wire_num(&type, 1, UINT64_MAX);
	assert_false(answer_of(&type));
}

static bool pid_of(uint64_t pid)
{
	auto_strbuf b = {0}, inner = {0};

	rt_wire_num(&b, 1, RT_CRIU_RESTORE);
	rt_wire_num(&inner, 1, pid);
	rt_wire_bytes(&b, 4, inner.s, inner.len);
	return answer_of(&b);
}

static void huge_pids(void **state)
{
	(void)state;
	assert_true(pid_of(INT_MAX));
	assert_int_equal(a.pid, INT_MAX);
	assert_false(pid_of((uint64_t)INT_MAX + 1));
	assert_false(pid_of((uint64_t)1 << 32 | 1));
	assert_true(pid_of(UINT64_MAX));
	assert_int_equal(a.pid, -1);
}

static bool version_of(uint64_t major, uint64_t minor)
{
	auto_strbuf b = {0}, inner = {0};

	rt_wire_num(&b, 1, RT_CRIU_VERSION);
	rt_wire_num(&inner, 1, major);
	rt_wire_num(&inner, 2, minor);
	rt_wire_bytes(&b, 10, inner.s, inner.len);
	return answer_of(&b);
}

/* 2^32 / 10000 and more would come round to a small one, or a small one to a great one. */
static void huge_versions(void **state)
{
	(void)state;
	assert_true(version_of(99, 99));
	assert_int_equal(a.version, 999900);
	assert_false(version_of(429497, 0));
	assert_false(version_of(UINT64_MAX, 0));
	assert_false(version_of(3, UINT64_MAX));
	assert_false(version_of(0, INT_MAX));
}

/* Any bytes: nothing but a sanitizer's word could fail it. */
static void noise(void **state)
{
	unsigned char data[64];
	uint64_t x = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		for (size_t i = 0; i < sizeof(data); i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			data[i] = (unsigned char)(x & 1 ? x >> 8 & 0x5f : x >> 8);
		}
		if (!answer(data, (size_t)(x % sizeof(data))))
			continue;
		assert_true(a.type > 0);
		assert_non_null(memchr(a.script, 0, sizeof(a.script)));
		assert_non_null(memchr(a.message, 0, sizeof(a.message)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),         cmocka_unit_test(largest_number),
		cmocka_unit_test(texts),           cmocka_unit_test(requests),
		cmocka_unit_test(failed_options),  cmocka_unit_test(version),
		cmocka_unit_test(version_twice),   cmocka_unit_test(notify),
		cmocka_unit_test(restored),        cmocka_unit_test(error),
		cmocka_unit_test(long_texts),      cmocka_unit_test(unknown_fields),
		cmocka_unit_test(no_type),         cmocka_unit_test(cut_short),
		cmocka_unit_test(endless_varints), cmocka_unit_test(lengths_beyond_the_end),
		cmocka_unit_test(kinds),           cmocka_unit_test(other_kinds),
		cmocka_unit_test(huge_fields),     cmocka_unit_test(huge_pids),
		cmocka_unit_test(huge_versions),   cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
