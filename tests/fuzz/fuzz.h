/* tests/fuzz/fuzz.h: what every fuzz target shares.
 *
 * A target is a file fuzz_X.c with LLVMFuzzerTestOneInput: libFuzzer calls it (make fuzz), and
 * replay.c does with what is kept (make check). It touches nothing of the host but descriptors of
 * its own, forks nothing, and does the same for the same bytes.
 */
#ifndef RF_TESTS_FUZZ_H
#define RF_TESTS_FUZZ_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input; a failure is a crash to the fuzzer. */
#define FUZZ_CHECK(c)                                                                         \
	do {                                                                                  \
		if (!(c)) {                                                                   \
			fprintf(stderr, "%s:%d: doesn't hold: %s\n", __FILE__, __LINE__, #c); \
			abort();                                                              \
		}                                                                             \
	} while (0)

/* The input as numbers and pieces, from its front; zeroes and nothing when it is used up. */
struct fuzz_in {
	const uint8_t *at;
	size_t left;
};

static inline size_t fuzz_take(struct fuzz_in *in, void *to, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(to, 0, len);
	if (n)
		memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
	return n;
}

static inline uint8_t fuzz_u8(struct fuzz_in *in)
{
	uint8_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static inline uint16_t fuzz_u16(struct fuzz_in *in)
{
	uint16_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static inline uint32_t fuzz_u32(struct fuzz_in *in)
{
	uint32_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static inline uint64_t fuzz_u64(struct fuzz_in *in)
{
	uint64_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

/* Zero-terminated copy of `len` bytes, to the byte, so that a sanitizer sees any step beyond. The
 * caller frees. */
static inline char *fuzz_text(const uint8_t *data, size_t len)
{
	char *s = malloc(len + 1);

	FUZZ_CHECK(s);
	if (len)
		memcpy(s, data, len);
	s[len] = '\0';
	return s;
}

/* The next line of the input, without its end, as fuzz_text. */
static inline char *fuzz_line(struct fuzz_in *in)
{
	const uint8_t *end = in->left ? memchr(in->at, '\n', in->left) : NULL;
	size_t len = end ? (size_t)(end - in->at) : in->left;
	char *s = fuzz_text(in->at, len);

	in->at += len + (end != NULL);
	in->left -= len + (end != NULL);
	return s;
}

/* A failure says what failed, in one line that can be printed on a terminal (common/err.h). */
static inline void fuzz_check_err(int rc, const struct err *e)
{
	FUZZ_CHECK(rc < 0 && e->code == -rc && e->kind != ERR_NONE);
	FUZZ_CHECK(e->text[0] && memchr(e->text, 0, sizeof(e->text)) &&
		   memchr(e->where, 0, sizeof(e->where)));
	for (const char *p = e->text; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
	for (const char *p = e->where; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
}

#endif
