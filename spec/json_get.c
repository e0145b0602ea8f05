/* spec/json_get.c: finds values in a parsed tree, and names them in messages.
 *
 * Invariants
 *  1. What goes into a message (pointers, quoted values) is one printable line,
 *     whatever bytes the document holds.
 *  2. A getter that doesn't find what was asked for leaves its output alone.
 */
#include "spec/json.h"

#include <stdio.h>
#include <string.h>

const char *json_type_name(enum json_type t)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",       [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
	};

	return names[t];
}

const struct json *json_get(const struct json *j, const char *key)
{
	if (!j || j->type != JSON_OBJECT)
		return NULL;
	for (const struct json *m = j->u.list.first; m; m = m->next)
		if (strcmp(m->key, key) == 0)
			return m;
	return NULL;
}

bool json_get_string(const struct json *j, const char *key, const char **ret_s)
{
	const struct json *m = json_get(j, key);

	if (!m || m->type != JSON_STRING)
		return false;
	*ret_s = m->u.string;
	return true;
}

bool json_get_i64(const struct json *j, const char *key, int64_t *ret_v)
{
	const struct json *m = json_get(j, key);

	return m && m->type == JSON_NUMBER && str_to_i64(m->u.number, ret_v);
}

bool json_get_u64(const struct json *j, const char *key, uint64_t *ret_v)
{
	const struct json *m = json_get(j, key);

	return m && m->type == JSON_NUMBER && str_to_u64(m->u.number, ret_v);
}

bool json_get_bool(const struct json *j, const char *key, bool *ret_v)
{
	const struct json *m = json_get(j, key);

	if (!m || m->type != JSON_BOOL)
		return false;
	*ret_v = m->u.boolean;
	return true;
}

/* Whether the pointer's token [p, end) names `key`; control characters as json_pointer_key
 * wrote them. */
static bool token_is(const char *p, const char *end, const char *key)
{
	char one[16];

	for (; *key; key++) {
		size_t n;

		one[0] = '\0';
		json_pointer_key(one, sizeof(one), (const char[]){*key, '\0'});
		n = strlen(one) - 1;
		if ((size_t)(end - p) < n || memcmp(p, one + 1, n) != 0)
			return false;
		p += n;
	}
	return p == end;
}

static const struct json *child(const struct json *j, const char *p, const char *end)
{
	size_t index = 0;

	if (j->type != JSON_OBJECT && j->type != JSON_ARRAY)
		return NULL;
	for (const struct json *m = j->u.list.first; m; m = m->next, index++) {
		char number[24];

		if (j->type == JSON_OBJECT) {
			if (token_is(p, end, m->key))
				return m;
			continue;
		}
		snprintf(number, sizeof(number), "%zu", index);
		if (strlen(number) == (size_t)(end - p) && strncmp(number, p, end - p) == 0)
			return m;
	}
	return NULL;
}

const struct json *json_find(const struct json *root, const char *pointer, bool nearest)
{
	const struct json *j = root;

	while (j && *pointer == '/') {
		const char *p = pointer + 1, *end = p + strcspn(p, "/");
		const struct json *next = child(j, p, end);

		if (!next)
			return nearest ? j : NULL;
		j = next;
		pointer = end;
	}
	return j;
}

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

/* Length of the character at s (1 for a control), never past the terminator. */
static size_t char_length(const char *s)
{
	size_t n = 1;

	while (s[0] & 0x80 && n < 4 && ((unsigned char)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* One character as it may stand in a message: at most 6 bytes. C1 controls (U+0080 to U+009F)
 * steer terminals as C0 ones do. */
static size_t printable(const char *s, char out[8])
{
	size_t n = char_length(s);
	unsigned c = (unsigned char)s[0];

	if (n == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0)
		c = (unsigned char)s[1];
	else if (!is_control((unsigned char)c)) {
		memcpy(out, s, n);
		out[n] = '\0';
		return n;
	}
	snprintf(out, 8, "\\u%04x", c & 0xff);
	return n;
}

void json_pointer_key(char *buf, size_t size, const char *key)
{
	size_t at = strlen(buf);
	char out[8] = "/";

	for (;;) {
		size_t n = strlen(out);

		if (at + n >= size)
			return;
		memcpy(buf + at, out, n + 1);
		at += n;
		if (!*key)
			return;
		if (*key == '~' || *key == '/')
			strcpy(out, *key++ == '~' ? "~0" : "~1");
		else
			key += printable(key, out);
	}
}

void json_pointer_index(char *buf, size_t size, size_t index)
{
	size_t at = strlen(buf);

	snprintf(buf + at, size - at, "/%zu", index);
}

const char *json_quote(const char *s, char *buf, size_t size)
{
	size_t at = 0;

	buf[at++] = '"';
	while (*s) {
		char out[8];
		size_t step = printable(s, out), n = strlen(out);

		if (*s == '"' || *s == '\\')
			n = (size_t)snprintf(out, sizeof(out), "\\%c", *s);
		if (at + n + 5 > size) { /* "..." and the closing quote must still fit */
			memcpy(buf + at, "...", 3);
			at += 3;
			break;
		}
		memcpy(buf + at, out, n);
		at += n;
		s += step;
	}
	buf[at++] = '"';
	buf[at] = '\0';
	return buf;
}
