/* common/str.h: growing strings and small string helpers. */
#ifndef RF_COMMON_STR_H
#define RF_COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A growing byte string, always zero-terminated once something was added.
 * `failed` sticks after ENOMEM, so that a writer checks once, at the end. */
struct strbuf {
	char *s;
	size_t len, cap;
	bool failed;
};

#define auto_strbuf __attribute__((cleanup(strbuf_free))) struct strbuf
#define auto_str __attribute__((cleanup(str_cleanup))) char *

static inline void str_cleanup(char **s)
{
	free(*s);
	*s = NULL;
}

/* Moves a malloc'ed string out of *s, which becomes NULL. */
static inline char *take_str(char **s)
{
	char *v = *s;
	*s = NULL;
	return v;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* s as a JSON string with its quotes (RFC 8259; control characters escaped, UTF-8 kept,
 * bytes that aren't UTF-8 as U+FFFD). */
void strbuf_json(struct strbuf *b, const char *s);
void strbuf_free(struct strbuf *b);

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
/* Whole-string decimal; false on sign, blanks, overflow, rest. */
bool str_to_u64(const char *s, uint64_t *ret_v);
bool str_to_i64(const char *s, int64_t *ret_v);
/* FNV-1a: for tables and names, no proof against anybody. */
uint64_t str_hash(const char *s, size_t n);

#endif
