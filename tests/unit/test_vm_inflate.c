/* tests/unit/test_vm_inflate.c: deflate streams of each kind of block, and what isn't one. The
 * vectors are zlib's; input and output are allocated to the byte, so that a sanitizer sees any step
 * beyond. */
#include "microvm/inflate.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t fixed[] = {0x4b, 0x4c, 0x4a, 0x4e, 0x44, 0x45, 0x3a, 0x0a, 0x89, 0x79, 0x29,
				0x0a, 0x40, 0x86, 0x42, 0x62, 0x7a, 0x62, 0x66, 0x1e, 0x00};
static const char fixed_text[] = "abcabcabcabcabcabc, and abc again";

static const uint8_t stored[] = {0x01, 0x05, 0x00, 0xfa, 0xff, 'p', 'l', 'a', 'i', 'n'};

/* 60 lines "N squared is N*N". */
static const uint8_t dynamic[] = {
	0x5d, 0xd3, 0x3b, 0x6e, 0xc4, 0x30, 0x0c, 0x45, 0xd1, 0x9e, 0xab, 0xf0, 0x12, 0xc4,
	0x8f, 0x28, 0x6b, 0x39, 0x01, 0x92, 0x22, 0x65, 0x32, 0xc8, 0xfe, 0xf3, 0xdc, 0xe9,
	0x4e, 0x49, 0x43, 0x20, 0x8f, 0xa8, 0xe7, 0x71, 0xbd, 0x7e, 0xfe, 0x3e, 0x7e, 0xbf,
	0x3e, 0xaf, 0xef, 0xd7, 0x35, 0xcc, 0xcf, 0xd2, 0x2d, 0xce, 0xb2, 0x2c, 0xcf, 0x72,
	0x5b, 0xe1, 0x70, 0xdb, 0x3c, 0xeb, 0x98, 0xd6, 0x67, 0x9d, 0x6d, 0x0b, 0xdd, 0xb6,
	0xdd, 0x67, 0xdd, 0x65, 0xfb, 0xac, 0x6f, 0x37, 0x1f, 0x18, 0x30, 0xc4, 0xa3, 0x2f,
	0x74, 0x06, 0x44, 0xaf, 0x32, 0x4f, 0xb2, 0xb6, 0x39, 0xa1, 0xbb, 0xcd, 0x49, 0x95,
	0xd5, 0x9b, 0x78, 0x9d, 0x01, 0x37, 0x6e, 0xf5, 0x01, 0x38, 0x43, 0xb3, 0x36, 0xaf,
	0xa8, 0x8d, 0xc1, 0x5c, 0x32, 0x07, 0xcc, 0x55, 0x3a, 0xc3, 0xb5, 0xde, 0x65, 0x01,
	0xf3, 0x8c, 0x6d, 0x01, 0xf3, 0x5c, 0x6d, 0x01, 0x73, 0xcb, 0x1c, 0x30, 0xf7, 0x73,
	0x06, 0xe6, 0xf5, 0xf4, 0x81, 0x79, 0x3d, 0xb3, 0xb8, 0x66, 0x79, 0x12, 0xe6, 0x2d,
	0x73, 0xc2, 0xbc, 0x75, 0xaf, 0xe4, 0x9e, 0x87, 0x2e, 0x9f, 0x5c, 0xf4, 0xd0, 0x86,
	0x92, 0x9b, 0x76, 0xad, 0x31, 0x27, 0x9f, 0x4c, 0xee, 0x6c, 0x7e, 0xd2, 0x83, 0x24,
	0xe0, 0x9e, 0x7a, 0xb5, 0xbc, 0xdf, 0x5e, 0x56, 0x13, 0x41, 0xf7, 0xa9, 0xf7, 0x2f,
	0x66, 0xa4, 0x85, 0x2f, 0x86, 0xa4, 0x95, 0xa4, 0xa2, 0x7e, 0x29, 0x6c, 0x45, 0xfd,
	0xad, 0x3c, 0xd6, 0x5b, 0x4e, 0x14, 0xd9, 0x62, 0x50, 0x86, 0xf4, 0xc5, 0xa4, 0xb8,
	0x82, 0x5f, 0x8c, 0x4a, 0x0c, 0xf5, 0x82, 0x3e, 0x72, 0x68, 0x22, 0xf4, 0x51, 0xc3,
	0x6d, 0x0e, 0xa6, 0x4e, 0xfa, 0x09, 0x7d, 0xf4, 0x73, 0x0a, 0xfa, 0x58, 0xea, 0x35,
	0x93, 0xe1, 0xd4, 0xc4, 0x09, 0x7d, 0xec, 0xe7, 0x87, 0x84, 0x3e, 0x1f, 0xfd, 0xe4,
	0x4f, 0xa9, 0x4d, 0xdb, 0x5c, 0x6f, 0xb1, 0x56, 0x2f, 0x26, 0x3d, 0xb5, 0xaf, 0xc9,
	0xa8, 0x97, 0xb6, 0xfa, 0x0f

};

static uint8_t out[70000];

/* Unpacks copies of the input; the output is then in out. */
static ssize_t unpack(const uint8_t *in, size_t len, size_t room)
{
	uint8_t *from = malloc(len ? len : 1), *to = malloc(room ? room : 1);
	ssize_t n;

	assert_true(from && to && room <= sizeof(out));
	memcpy(from, in, len);
	n = vm_inflate(from, len, to, room);
	assert_true(n <= (ssize_t)room);
	if (n > 0)
		memcpy(out, to, (size_t)n);
	free(from);
	free(to);
	return n;
}

static size_t squares(char *text, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < 60; i++)
		n += (size_t)snprintf(text + n, size - n, "%u squared is %u\n", i, i * i);
	return n;
}

static void each_kind_of_block(void **state)
{
	char text[2048];
	size_t n = squares(text, sizeof(text));

	(void)state;
	assert_int_equal(unpack(stored, sizeof(stored), 100), 5);
	assert_memory_equal(out, "plain", 5);
	assert_int_equal(unpack(fixed, sizeof(fixed), 100), strlen(fixed_text));
	assert_memory_equal(out, fixed_text, strlen(fixed_text));
	assert_int_equal(unpack(dynamic, sizeof(dynamic), 2048), n);
	assert_memory_equal(out, text, n);
}

static void output_that_is_full_ends_it(void **state)
{
	char text[2048];
	size_t n = squares(text, sizeof(text));

	(void)state;
	for (size_t room = 0; room <= n; room++) {
		assert_int_equal(unpack(dynamic, sizeof(dynamic), room), room);
		assert_memory_equal(out, text, room);
	}
	assert_int_equal(unpack(stored, sizeof(stored), 3), 3);
	assert_int_equal(unpack(fixed, sizeof(fixed), 7), 7);
}

static void cut_anywhere(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(dynamic); len++)
		assert_int_equal(unpack(dynamic, len, 2048), -EINVAL);
	for (size_t len = 0; len < sizeof(fixed); len++)
		assert_int_equal(unpack(fixed, len, 100), -EINVAL);
	for (size_t len = 0; len < sizeof(stored); len++)
		assert_int_equal(unpack(stored, len, 100), -EINVAL);
}

static void spoilt_anywhere(void **state)
{
	uint8_t copy[sizeof(dynamic)];
	unsigned bad = 0;

	(void)state;
	for (unsigned i = 0; i < 8 * sizeof(dynamic); i++) {
		memcpy(copy, dynamic, sizeof(copy));
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
		bad += unpack(copy, sizeof(copy), 2048) < 0;
	}
	assert_true(bad > 100);
	srandom(7);
	for (unsigned i = 0; i < 200000; i++) {
		size_t len = (size_t)random() % 64;

		for (size_t k = 0; k < len; k++)
			copy[k] = (uint8_t)random();
		copy[0] = (uint8_t)((copy[0] & ~7) | (i & 1 ? 5 : 3));
		unpack(copy, len, 1000);
	}
}

/* A stream written bit by bit. */
struct writer {
	uint8_t bytes[512];
	size_t n; /* bits */
};

static void put(struct writer *w, unsigned value, unsigned count)
{
	for (; count--; value >>= 1, w->n++)
		if (value & 1)
			w->bytes[w->n / 8] |= (uint8_t)(1u << w->n % 8);
}

/* A Huffman code: its first bit is the highest. */
static void put_code(struct writer *w, unsigned code, unsigned len)
{
	while (len--)
		put(w, code >> len, 1);
}

static ssize_t unpack_written(const struct writer *w, size_t room)
{
	return unpack(w->bytes, (w->n + 7) / 8, room);
}

/* The head of a dynamic block: every length from 0 to 15 has a code of four bits, its own number;
 * repetitions have none. */
static void put_head(struct writer *w, unsigned literals, unsigned distances)
{
	put(w, 1 | 2 << 1, 3);
	put(w, literals - 257, 5);
	put(w, distances - 1, 5);
	put(w, 19 - 4, 4);
	for (unsigned i = 0; i < 19; i++)
		put(w, i < 3 ? 0 : 4, 3);
}

/* "A" to "O" have codes of one bit to fifteen, those above ten go the long way; so does the end. */
static void put_letters(struct writer *w, unsigned literals, unsigned distances)
{
	*w = (struct writer){.n = 0};
	put_head(w, literals, distances);
	for (unsigned i = 0; i < literals + distances; i++)
		put_code(w, i >= 65 && i < 80 ? i - 64 : i == 256 ? 15 : 0, 4);
	for (unsigned len = 1; len <= 15; len++)
		put_code(w, (1u << len) - 2, len); /* 'A' is 0, 'B' 10, 'C' 110 … */
	put_code(w, 0x7fff, 15);
}

static void codes_of_all_lengths(void **state)
{
	struct writer w;

	(void)state;
	put_letters(&w, 257, 1);
	assert_int_equal(unpack_written(&w, 100), 15);
	assert_memory_equal(out, "ABCDEFGHIJKLMNO", 15);
	put_letters(&w, 286, 30);
	assert_int_equal(unpack_written(&w, 100), 15);
	put_letters(&w, 287, 30);
	assert_int_equal(unpack_written(&w, 100), -EINVAL);
	put_letters(&w, 286, 31);
	assert_int_equal(unpack_written(&w, 100), -EINVAL);
}

static void fixed_head(struct writer *w)
{
	*w = (struct writer){.n = 0};
	put(w, 1 | 1 << 1, 3);
}

/* 3.2.5 and 3.2.6: the longest match, the farthest distance, and one too far. */
static void matches(void **state)
{
	struct writer w;

	(void)state;
	fixed_head(&w);
	put_code(&w, 0x30 + 'x', 8);
	put_code(&w, 0xc0 + 285 - 280, 8); /* 258 bytes … */
	put_code(&w, 0, 5);                /* … from one back */
	put_code(&w, 0, 7);
	assert_int_equal(unpack_written(&w, 1000), 259);
	assert_int_equal(out[258], 'x');
	fixed_head(&w);
	put_code(&w, 0x30 + 'x', 8);
	put_code(&w, 1, 7); /* 3 bytes from 2 back: before the start */
	put_code(&w, 1, 5);
	put_code(&w, 0, 7);
	assert_int_equal(unpack_written(&w, 1000), -EINVAL);
	fixed_head(&w);
	put_code(&w, 0x30 + 'x', 8);
	put_code(&w, 1, 7);
	put_code(&w, 30, 5); /* no such distance */
	put_code(&w, 0, 7);
	assert_int_equal(unpack_written(&w, 1000), -EINVAL);
	fixed_head(&w);
	put_code(&w, 0xc0 + 286 - 280, 8); /* no such length */
	put_code(&w, 0, 5);
	assert_int_equal(unpack_written(&w, 1000), -EINVAL);
}

static void farthest_match(void **state)
{
	static uint8_t in[65535 + 5 + 16];
	struct writer w = {.n = 0};

	(void)state;
	memcpy(in, "\0\xff\xff\0\0", 5); /* stored, not the last block */
	for (unsigned i = 0; i < 65535; i++)
		in[5 + i] = (uint8_t)(i * 7 + (i >> 8));
	put(&w, 1 | 1 << 1, 3);
	put_code(&w, 1, 7);
	put_code(&w, 29, 5);
	put(&w, 0x1fff, 13); /* 32768 back */
	put_code(&w, 0, 7);
	memcpy(in + 5 + 65535, w.bytes, 8);
	assert_int_equal(unpack(in, 5 + 65535 + 8, 70000), 65538);
	assert_memory_equal(out + 65535, out + 65535 - 32768, 3);
}

static void heads_that_lie(void **state)
{
	static const uint8_t type3[] = {7, 0, 0}, sums[] = {1, 5, 0, 0xfb, 0xff, 1, 2, 3, 4, 5};
	struct writer w = {.n = 0};

	(void)state;
	assert_int_equal(unpack(type3, 3, 10), -EINVAL);
	assert_int_equal(unpack(sums, sizeof(sums), 10), -EINVAL);
	assert_int_equal(unpack(type3, 0, 10), -EINVAL);
	/* More codes of one bit than two. */
	w = (struct writer){.n = 0};
	put_head(&w, 257, 1);
	for (unsigned i = 0; i < 258; i++)
		put_code(&w, 1, 4);
	assert_int_equal(unpack_written(&w, 10), -EINVAL);
	/* The first length repeats the one before: 16 is the only code that there is. */
	w = (struct writer){.n = 0};
	put(&w, 1 | 2 << 1, 3);
	put(&w, 0, 5);
	put(&w, 0, 5);
	put(&w, 0, 4);
	put(&w, 1, 3);
	put(&w, 0, 9);
	put(&w, 0, 100);
	assert_int_equal(unpack_written(&w, 10), -EINVAL);
	/* Zeroes beyond the last length: 18 is the only code, 138 times, thrice. */
	w = (struct writer){.n = 0};
	put(&w, 1 | 2 << 1, 3);
	put(&w, 0, 5);
	put(&w, 0, 5);
	put(&w, 0, 4);
	put(&w, 1 << 6, 12);
	for (unsigned i = 0; i < 3; i++)
		put(&w, 127 << 1, 8);
	assert_int_equal(unpack_written(&w, 10), -EINVAL);
	/* All lengths are zero: no code at all. */
	w.n -= 16;
	put(&w, (119 - 11) << 1, 8);
	put(&w, 0, 32);
	assert_int_equal(unpack_written(&w, 10), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_block),
		cmocka_unit_test(output_that_is_full_ends_it),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(spoilt_anywhere),
		cmocka_unit_test(codes_of_all_lengths),
		cmocka_unit_test(matches),
		cmocka_unit_test(farthest_match),
		cmocka_unit_test(heads_that_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
