/* spec/json.c: reads one JSON document into a tree, with the position of every value.
 *
 * yajl's events drive it: each value becomes a node in the caller's arena.
 *
 * Invariants
 *  1. Nodes are made in document order, so one cursor over the text gives every
 *     line and column in a single pass.
 *  2. No string or key holds a NUL byte or invalid UTF-8 (overlong forms and lone
 *     surrogates included), no object holds a key twice.
 *  3. Depth, bytes and number of values are limited; no recursion.
 *
 * It must not know what the keys mean: that is spec/table.c's business.
 */
#include "spec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

struct reader {
	struct arena *arena;
	const char *name, *text;
	size_t len;
	yajl_handle y;
	struct err *e;
	int rc;    /* why a callback stopped the parse */
	bool tail; /* yajl_complete_parse is running: offsets don't refer to the text */

	struct json *root;
	struct json *stack[JSON_MAX_DEPTH];
	unsigned depth;
	size_t values;

	const char *key; /* of the value that comes next */
	unsigned key_line, key_column, key_start;

	size_t at; /* cursor: offset, and its line and column */
	unsigned line, column;
};

/* --- positions --- */

static void seek(struct reader *r, size_t to)
{
	for (; r->at < to && r->at < r->len; r->at++) {
		unsigned char c = (unsigned char)r->text[r->at];

		if (c == '\n') {
			r->line++;
			r->column = 1;
		} else if ((c & 0xc0) != 0x80) {
			r->column++;
		}
	}
}

/* Offset just after the token of the running event. */
static size_t token_end(const struct reader *r)
{
	size_t n = yajl_get_bytes_consumed(r->y);

	return r->tail || n > r->len ? r->len : n;
}

static size_t token_start(const struct reader *r, size_t size)
{
	size_t end = token_end(r);

	return end < size ? 0 : end - size;
}

/* The opening quote of a string whose closing quote ends the running token: the nearest one
 * before it that no odd number of backslashes escapes. */
static size_t string_start(const struct reader *r)
{
	size_t i = token_end(r);

	if (i < 2)
		return 0;
	for (i -= 2; i > 0; i--) {
		size_t back = 0;

		if (r->text[i] != '"')
			continue;
		while (back < i && r->text[i - 1 - back] == '\\')
			back++;
		if (back % 2 == 0)
			return i;
	}
	return 0;
}

/* --- errors --- */

static void pointer_of(const struct reader *r, char *buf, size_t size)
{
	buf[0] = '\0';
	for (unsigned i = 1; i < r->depth; i++) {
		if (r->stack[i]->key)
			json_pointer_key(buf, size, r->stack[i]->key);
		else
			json_pointer_index(buf, size, r->stack[i - 1]->u.list.n - 1);
	}
}

/* Stops the parse: an error at line:column, in the innermost open container. */
static int stop(struct reader *r, unsigned line, unsigned column, const char *key, const char *text)
{
	char pointer[400], where[sizeof(r->e->where)];

	pointer_of(r, pointer, sizeof(pointer));
	if (key)
		json_pointer_key(pointer, sizeof(pointer), key);
	snprintf(where, sizeof(where), "%s:%u:%u%s%s", r->name, line, column,
		 pointer[0] ? ": " : "", pointer);
	r->rc = err_set(r->e, ERR_SPEC, EINVAL, where, "%s", text);
	return 0;
}

static int stop_here(struct reader *r, size_t start, const char *text)
{
	seek(r, start);
	return stop(r, r->line, r->column, r->key, text);
}

static int stop_memory(struct reader *r)
{
	r->rc = err_set(r->e, ERR_SYSTEM, ENOMEM, r->name, "no memory to parse");
	return 0;
}

/* --- strings --- */

static size_t utf8_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if ((lead & 0xf0) == 0xe0)
		return 3;
	return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* yajl looks at the number of continuation bytes only: overlong forms and encoded surrogates
 * are left to us. yajl's decoder turns a lone low surrogate escape into the latter. */
static bool utf8_valid(const unsigned char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(s[i]);

		if (n == 0 || n > len - i)
			return false;
		for (size_t k = 1; k < n; k++)
			if ((s[i + k] & 0xc0) != 0x80)
				return false;
		if ((s[i] == 0xe0 && s[i + 1] < 0xa0) || (s[i] == 0xed && s[i + 1] > 0x9f) ||
		    (s[i] == 0xf0 && s[i + 1] < 0x90) || (s[i] == 0xf4 && s[i + 1] > 0x8f))
			return false;
		i += n;
	}
	return true;
}

/* Four hex digits (the lexer has checked them) as a number. */
static unsigned hex4(const char *s)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		unsigned c = (unsigned char)s[i] | 0x20;

		v = v * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return v;
}

/* Whether the \u escapes of a raw string body pair their surrogates. yajl's decoder joins a high
 * surrogate with whatever escape follows, so this looks at the text itself. */
static bool surrogates_paired(const char *s, size_t len)
{
	bool high = false; /* a high surrogate ended just before i */

	for (size_t i = 0; i < len;) {
		unsigned v = 0;
		size_t n = 1;

		if (s[i] == '\\') {
			n = 2;
			if (i + 6 <= len && s[i + 1] == 'u') {
				v = hex4(s + i + 2);
				n = 6;
			}
		}
		if (high != (v >= 0xdc00 && v <= 0xdfff))
			return false;
		high = v >= 0xd800 && v <= 0xdbff;
		i += n;
	}
	return !high;
}

/* Checks and copies the running string token; *ret_start is where it begins in the text.
 * NULL after stopping the parse. */
static const char *take_string(struct reader *r, const unsigned char *s, size_t len,
			       size_t *ret_start)
{
	size_t start = string_start(r), end = token_end(r);
	const char *why = NULL, *copy;

	if (memchr(s, '\0', len))
		why = "a NUL character (\\u0000) inside a string is not allowed";
	else if (end >= start + 2 && !surrogates_paired(r->text + start + 1, end - start - 2))
		why = "half of a surrogate pair (\\ud800 to \\udfff) in a string";
	else if (!utf8_valid(s, len))
		why = "a string is not valid UTF-8";
	if (why) {
		stop_here(r, start, why);
		return NULL;
	}
	copy = arena_strndup(r->arena, (const char *)s, len);
	if (!copy)
		stop_memory(r);
	*ret_start = start;
	return copy;
}

/* --- nodes --- */

static struct json *add_node(struct reader *r, enum json_type type, size_t start)
{
	struct json *j, *parent = r->depth ? r->stack[r->depth - 1] : NULL;

	seek(r, start);
	if (++r->values > JSON_MAX_VALUES) {
		stop(r, r->line, r->column, NULL, "more than 1048576 values in one document");
		return NULL;
	}
	j = arena_alloc(r->arena, sizeof(*j));
	if (!j) {
		stop_memory(r);
		return NULL;
	}
	j->type = type;
	j->line = r->line;
	j->column = r->column;
	j->key = r->key;
	j->key_line = r->key_line;
	j->key_column = r->key_column;
	j->start = (unsigned)start;
	j->end = (unsigned)token_end(r); /* a list's: when it closes */
	j->key_start = r->key_start;
	r->key = NULL;
	if (!parent) {
		r->root = j;
		return j;
	}
	if (parent->u.list.last)
		parent->u.list.last->next = j;
	else
		parent->u.list.first = j;
	parent->u.list.last = j;
	parent->u.list.n++;
	return j;
}

static int on_null(void *ctx)
{
	return add_node(ctx, JSON_NULL, token_start(ctx, 4)) != NULL;
}

static int on_bool(void *ctx, int v)
{
	struct json *j = add_node(ctx, JSON_BOOL, token_start(ctx, v ? 4 : 5));

	if (j)
		j->u.boolean = v;
	return j != NULL;
}

/* A number at the root is only complete with the document's end; nothing else is in it then. */
static int on_number(void *ctx, const char *s, size_t len)
{
	struct reader *r = ctx;
	size_t start = r->tail ? strspn(r->text, " \t\r\n") : token_start(r, len);
	struct json *j = add_node(r, JSON_NUMBER, start);

	if (!j)
		return 0;
	j->end = (unsigned)(start + len);
	j->u.number = arena_strndup(r->arena, s, len);
	return j->u.number ? 1 : stop_memory(r);
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	size_t start = 0;
	const char *copy = take_string(ctx, s, len, &start);
	struct json *j = copy ? add_node(ctx, JSON_STRING, start) : NULL;

	if (j)
		j->u.string = copy;
	return j != NULL;
}

static int on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct reader *r = ctx;
	size_t start = 0;
	const char *copy = take_string(r, s, len, &start);

	if (!copy)
		return 0;
	seek(r, start);
	r->key = copy;
	r->key_line = r->line;
	r->key_column = r->column;
	r->key_start = (unsigned)start;
	return 1;
}

static int open_list(struct reader *r, enum json_type type)
{
	struct json *j;

	if (r->depth == JSON_MAX_DEPTH)
		return stop_here(r, token_start(r, 1), "nested deeper than 64 levels");
	j = add_node(r, type, token_start(r, 1));
	if (j)
		r->stack[r->depth++] = j;
	return j != NULL;
}

static int on_open_object(void *ctx)
{
	return open_list(ctx, JSON_OBJECT);
}

static int on_open_array(void *ctx)
{
	return open_list(ctx, JSON_ARRAY);
}

static int close_list(struct reader *r)
{
	r->stack[--r->depth]->end = (unsigned)token_end(r);
	return 1;
}

static int on_close_array(void *ctx)
{
	return close_list(ctx);
}

/* By name, then in document order. */
static int compare_members(const void *a, const void *b)
{
	const struct json *x = *(const struct json *const *)a, *y = *(const struct json *const *)b;
	int c = strcmp(x->key, y->key);

	if (c)
		return c;
	if (x->key_line != y->key_line)
		return x->key_line < y->key_line ? -1 : 1;
	return x->key_column < y->key_column ? -1 : x->key_column > y->key_column;
}

static int stop_duplicate(struct reader *r, const struct json *first, const struct json *second)
{
	char text[256], quoted[120];

	snprintf(text, sizeof(text), "the key %s stands twice in one object, first at %s:%u:%u",
		 json_quote(first->key, quoted, sizeof(quoted)), r->name, first->key_line,
		 first->key_column);
	return stop(r, second->key_line, second->key_column, second->key, text);
}

static int on_close_object(void *ctx)
{
	struct reader *r = ctx;
	const struct json *o = r->stack[r->depth - 1];
	size_t n = 0;
	const struct json **sorted;
	int ok = 1;

	if (o->u.list.n > 1) {
		sorted = calloc(o->u.list.n, sizeof(*sorted));
		if (!sorted)
			return stop_memory(r);
		for (const struct json *m = o->u.list.first; m; m = m->next)
			sorted[n++] = m;
		qsort(sorted, n, sizeof(*sorted), compare_members);
		for (size_t i = 1; ok && i < n; i++)
			if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
				ok = stop_duplicate(r, sorted[i - 1], sorted[i]);
		free(sorted);
	}
	return ok && close_list(r);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_open_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close_object,
	.yajl_start_array = on_open_array,
	.yajl_end_array = on_close_array,
};

/* yajl's sentence on one line without its full stop. */
static void syntax_error(struct reader *r)
{
	unsigned char *said = yajl_get_error(r->y, 0, NULL, 0);
	char text[200] = "unknown error", whole[256];

	if (said) {
		snprintf(text, sizeof(text), "%s", (const char *)said);
		yajl_free_error(r->y, said);
	}
	for (size_t n = strlen(text); n && strchr("\n .", text[n - 1]);)
		text[--n] = '\0';
	/* At the token at fault, not behind it; at the end of the text when that came too early. */
	seek(r, token_end(r) - (!r->tail && token_end(r) > 0));
	snprintf(whole, sizeof(whole), "not valid JSON: %s", text);
	stop(r, r->line, r->column, NULL, whole);
}

int json_parse(struct arena *a, const char *text, size_t len, const char *name,
	       struct json **ret_root, struct err *e)
{
	struct reader r = {.arena = a, .name = name, .text = text, .len = len, .e = e};
	yajl_status st;

	r.line = r.column = 1;
	if (len > JSON_MAX_BYTES)
		return err_set(e, ERR_SPEC, EFBIG, name, "%zu bytes are more than the limit of %u",
			       len, JSON_MAX_BYTES);
	r.y = yajl_alloc(&callbacks, NULL, &r);
	if (!r.y)
		return err_set(e, ERR_SYSTEM, ENOMEM, name, "no memory to parse");
	st = yajl_parse(r.y, (const unsigned char *)text, len);
	if (st == yajl_status_ok) {
		r.tail = true;
		st = yajl_complete_parse(r.y);
	}
	if (st == yajl_status_error)
		syntax_error(&r);
	yajl_free(r.y);
	if (st != yajl_status_ok)
		return r.rc;
	*ret_root = r.root;
	return 0;
}
