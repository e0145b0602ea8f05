/* spec/json.h: JSON in and out, and the only place that knows yajl.
 *
 * Reading: yajl's events (with positions) become a small tree in an arena;
 * duplicate keys, depth and size are checked on the way. Writing: a small
 * streaming writer over struct strbuf.
 */
#ifndef RF_SPEC_JSON_H
#define RF_SPEC_JSON_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

#include <stdbool.h>
#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	unsigned line, column; /* of the value's first byte, from 1 */
	const char *key;       /* name within the parent object, else NULL */
	unsigned key_line, key_column;
	unsigned start, end, key_start; /* byte offsets in the text; key_start: of its quote */
	union {
		bool boolean;
		const char *string; /* JSON_STRING; zero-terminated, NUL bytes inside are refused */
		const char *number; /* JSON_NUMBER: its text as it stood */
		struct {
			struct json *first, *last;
			size_t n;
		} list; /* array, object */
	} u;
	struct json *next; /* sibling */
};

#define JSON_MAX_BYTES (16u << 20)
#define JSON_MAX_DEPTH 64
#define JSON_MAX_VALUES (1u << 20) /* a tree costs some 100 bytes a value */

/* Parses one whole document into a tree owned by the arena; trailing garbage is refused.
 * ERR_SPEC; where is "name:line:col", followed by ": <pointer>" where one is known. */
int json_parse(struct arena *a, const char *text, size_t len, const char *name,
	       struct json **ret_root, struct err *e);
/* Member of an object by name, or NULL (also when j isn't an object). */
const struct json *json_get(const struct json *j, const char *key);
/* Convenience for our own files; false when absent or of another type. */
bool json_get_string(const struct json *j, const char *key, const char **ret_s);
bool json_get_i64(const struct json *j, const char *key, int64_t *ret_v);
bool json_get_u64(const struct json *j, const char *key, uint64_t *ret_v);
bool json_get_bool(const struct json *j, const char *key, bool *ret_v);

/* "a string", "an object" … for messages. */
const char *json_type_name(enum json_type t);

/* The value at a JSON pointer (RFC 6901), or its nearest ancestor that exists when `nearest`,
 * else NULL. "" is the root. */
const struct json *json_find(const struct json *root, const char *pointer, bool nearest);
/* Appends "/key" to the pointer in buf, escaped after RFC 6901; control characters as \u00XX,
 * so that a pointer stays one printable line. Cut at size, always terminated. */
void json_pointer_key(char *buf, size_t size, const char *key);
void json_pointer_index(char *buf, size_t size, size_t index);
/* s in quotes for a message: control characters escaped, cut (at a character) with "..." when
 * longer than fits. Returns buf. */
const char *json_quote(const char *s, char *buf, size_t size);

/* The writer. Commas, indentation and escaping are its business; `indent` NULL writes compact.
 * key NULL inside arrays. */
struct json_out {
	struct strbuf *b;
	const char *indent;
	unsigned depth;
	bool first;
};
void json_out_init(struct json_out *o, struct strbuf *b, const char *indent);
void json_obj_open(struct json_out *o, const char *key);
void json_obj_close(struct json_out *o);
void json_arr_open(struct json_out *o, const char *key);
void json_arr_close(struct json_out *o);
void json_put_str(struct json_out *o, const char *key, const char *v);
void json_put_i64(struct json_out *o, const char *key, int64_t v);
void json_put_u64(struct json_out *o, const char *key, uint64_t v);
/* v hundredths: 1234 is written 12.34. */
void json_put_hundredths(struct json_out *o, const char *key, uint64_t v);
void json_put_bool(struct json_out *o, const char *key, bool v);
void json_put_null(struct json_out *o, const char *key);
#endif
