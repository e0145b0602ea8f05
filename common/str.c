/* common/str.c: see str.h. */
#include "common/str.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool reserve(struct strbuf *b, size_t more)
{
	if (b->failed || more > SIZE_MAX / 4) {
		b->failed = true;
		return false;
	}
	if (b->cap - b->len > more)
		return true;
	size_t cap = (b->len + more + 1) * 2;
	char *s = realloc(b->s, cap < 256 ? 256 : cap);
	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = cap < 256 ? 256 : cap;
	return true;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->s + b->len, data, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->failed = true;
	if (n < 0 || !reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* Length of the well-formed UTF-8 sequence at s, 0 when it isn't one (RFC 3629). */
static size_t utf8_len(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		size_t len;
		unsigned least;
	} forms[] = {{0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

	if (s[0] < 0x80)
		return 1;
	for (size_t f = 0; f < 3; f++) {
		if ((s[0] & forms[f].mask) != forms[f].lead)
			continue;
		unsigned cp = s[0] & (unsigned char)~forms[f].mask;
		for (size_t i = 1; i < forms[f].len; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			cp = cp << 6 | (s[i] & 0x3f);
		}
		if (cp < forms[f].least || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
			return 0;
		return forms[f].len;
	}
	return 0;
}

static void json_escape(struct strbuf *b, unsigned char c)
{
	static const char names[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
				     ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};

	if (c < sizeof(names) && names[c])
		strbuf_printf(b, "\\%c", names[c]);
	else
		strbuf_printf(b, "\\u%04x", c);
}

void strbuf_json(struct strbuf *b, const char *s)
{
	strbuf_puts(b, "\"");
	while (*s) {
		const unsigned char *u = (const unsigned char *)s;
		size_t plain = 0, n = 1;
		while (u[plain] >= 0x20 && u[plain] < 0x7f && u[plain] != '"' && u[plain] != '\\')
			plain++;
		if (plain) {
			strbuf_add(b, s, plain);
			s += plain;
			continue;
		}
		if (*u < 0x20 || *u == '"' || *u == '\\' || *u == 0x7f)
			json_escape(b, *u);
		else if ((n = utf8_len(u)) > 0)
			strbuf_add(b, s, n);
		else {
			strbuf_puts(b, "\\ufffd");
			n = 1;
		}
		s += n;
	}
	strbuf_puts(b, "\"");
}

void strbuf_free(struct strbuf *b)
{
	free(b->s);
	memset(b, 0, sizeof(*b));
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_to_u64(const char *s, uint64_t *ret_v)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return false;
	}
	*ret_v = v;
	return true;
}

bool str_to_i64(const char *s, int64_t *ret_v)
{
	bool negative = *s == '-';
	uint64_t v;

	if (!str_to_u64(s + negative, &v) || v > (uint64_t)INT64_MAX + negative)
		return false;
	*ret_v = negative ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

uint64_t str_hash(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
	return h;
}
