/* spec/table.c: the interpreter of field tables.
 *
 * Invariants
 *  1. Everything a struct gets passed through here: types, required keys, ranges,
 *     words and shapes are checked before a value is stored.
 *  2. null for an optional value is the same as its absence (Go's encoder writes
 *     it); for an element of an array or a map it is a wrong type.
 *  3. Every message bears position and pointer: where = "name:line:col: /pointer".
 *  4. Recursion is bounded by the tables' own depth, not by the document.
 *
 * It must not know any key by name; rules between fields are spec/check*.c's.
 */
#include "spec/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct unknown_node {
	struct spec_unknown u;
	struct unknown_node *next;
};

struct parse {
	struct arena *arena;
	const char *name;
	struct err *e;
	struct unknown_node *unknown, **unknown_end;
	size_t n_unknown;
};

/* One step of the way from the root to the value at hand. */
struct frame {
	const struct frame *up; /* NULL: the root */
	const char *key;        /* NULL: an array's element */
	size_t index;
};

typedef int (*reader_fn)(struct parse *p, const struct frame *at, const struct json *j,
			 const struct spec_field *f, char *dst);

static int read_object(struct parse *p, const struct frame *at, const struct json *j,
		       const struct spec_table *t, char *object);

/* --- messages --- */

static void pointer_of(const struct frame *at, char *buf, size_t size)
{
	if (!at->up) {
		buf[0] = '\0';
		return;
	}
	pointer_of(at->up, buf, size);
	if (at->key)
		json_pointer_key(buf, size, at->key);
	else
		json_pointer_index(buf, size, at->index);
}

static __attribute__((format(printf, 4, 5))) int fail(struct parse *p, const struct frame *at,
						      const struct json *j, const char *fmt, ...)
{
	char pointer[400], where[sizeof(p->e->where)], text[700];
	va_list ap;

	pointer_of(at, pointer, sizeof(pointer));
	snprintf(where, sizeof(where), "%s:%u:%u%s%s", p->name, j->line, j->column,
		 pointer[0] ? ": " : "", pointer);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(p->e, ERR_SPEC, EINVAL, where, "%s", text);
}

static int fail_memory(struct parse *p)
{
	return err_set(p->e, ERR_SYSTEM, ENOMEM, p->name, "no memory to parse");
}

static int want(struct parse *p, const struct frame *at, const struct json *j, enum json_type t)
{
	if (j->type == t)
		return 0;
	return fail(p, at, j, "must be %s, is %s", json_type_name(t), json_type_name(j->type));
}

/* --- strings --- */

static size_t word_index(const char *const *words, const char *s)
{
	for (size_t i = 0; words[i]; i++)
		if (strcmp(words[i], s) == 0)
			return i + 1;
	return 0;
}

static int fail_word(struct parse *p, const struct frame *at, const struct json *j,
		     const char *const *words)
{
	char list[480] = "", quoted[100];
	size_t len = 0;

	for (size_t i = 0; words[i] && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
					words[i]);
	return fail(p, at, j, "must be one of %s; is %s", list,
		    json_quote(j->u.string, quoted, sizeof(quoted)));
}

static int get_string(struct parse *p, const struct frame *at, const struct json *j,
		      const struct spec_field *f, const char **ret_s)
{
	const char *why;
	char quoted[100];
	int rc = want(p, at, j, JSON_STRING);

	if (rc < 0)
		return rc;
	if (f->words && !word_index(f->words, j->u.string))
		return fail_word(p, at, j, f->words);
	why = f->shape ? f->shape(j->u.string) : NULL;
	if (why)
		return fail(p, at, j, "%s, is %s", why,
			    json_quote(j->u.string, quoted, sizeof(quoted)));
	*ret_s = j->u.string;
	return 0;
}

static int read_string(struct parse *p, const struct frame *at, const struct json *j,
		       const struct spec_field *f, char *dst)
{
	const char *s = NULL;
	int rc = get_string(p, at, j, f, &s);

	if (rc == 0)
		memcpy(dst, &s, sizeof(s));
	return rc;
}

static int read_enum(struct parse *p, const struct frame *at, const struct json *j,
		     const struct spec_field *f, char *dst)
{
	const char *s = NULL;
	int value, rc = get_string(p, at, j, f, &s);

	if (rc < 0)
		return rc;
	value = (int)word_index(f->words, s);
	memcpy(dst, &value, sizeof(value));
	return 0;
}

static int read_letter(struct parse *p, const struct frame *at, const struct json *j,
		       const struct spec_field *f, char *dst)
{
	const char *s = NULL;
	int rc = get_string(p, at, j, f, &s);

	if (rc == 0)
		*dst = s[0];
	return rc;
}

/* --- booleans and numbers --- */

static int read_bool(struct parse *p, const struct frame *at, const struct json *j,
		     const struct spec_field *f, char *dst)
{
	int rc = want(p, at, j, JSON_BOOL);

	(void)f;
	if (rc == 0)
		memcpy(dst, &j->u.boolean, sizeof(bool));
	return rc;
}

static int read_obool(struct parse *p, const struct frame *at, const struct json *j,
		      const struct spec_field *f, char *dst)
{
	struct opt_bool v = {.set = true};
	int rc = read_bool(p, at, j, f, (char *)&v.v);

	if (rc == 0)
		memcpy(dst, &v, sizeof(v));
	return rc;
}

/* Range of a number field: its own, or what its type holds. */
static void range_of(const struct spec_field *f, int64_t *ret_min, uint64_t *ret_max)
{
	static const struct {
		int64_t min;
		uint64_t max;
	} kinds[SPEC_KINDS] = {
		[SPEC_I32] = {INT32_MIN, INT32_MAX},  [SPEC_I64] = {INT64_MIN, INT64_MAX},
		[SPEC_OI64] = {INT64_MIN, INT64_MAX}, [SPEC_U32] = {0, UINT32_MAX},
		[SPEC_U32S] = {0, UINT32_MAX},        [SPEC_U64] = {0, UINT64_MAX},
		[SPEC_OU64] = {0, UINT64_MAX},
	};

	*ret_min = f->ranged ? f->min : kinds[f->kind].min;
	*ret_max = f->ranged ? f->max : kinds[f->kind].max;
}

/* An integer in the field's range; negative ones come as two's complement. */
static int get_integer(struct parse *p, const struct frame *at, const struct json *j,
		       const struct spec_field *f, uint64_t *ret_v)
{
	int64_t min, negative = 0;
	uint64_t max, v = 0;
	const char *s;
	char quoted[100];
	bool in;
	int rc = want(p, at, j, JSON_NUMBER);

	if (rc < 0)
		return rc;
	s = j->u.number;
	if (s[strspn(s, "-0123456789")])
		return fail(p, at, j,
			    "must be an integer, written without fraction and exponent, is %s",
			    json_quote(s, quoted, sizeof(quoted)));
	range_of(f, &min, &max);
	if (strcmp(s, "-0") == 0)
		s = "0";
	if (s[0] == '-')
		in = str_to_i64(s, &negative) && negative >= min &&
		     (negative < 0 || (uint64_t)negative <= max);
	else
		in = str_to_u64(s, &v) && v <= max && (min <= 0 || v >= (uint64_t)min);
	if (!in)
		return fail(p, at, j,
			    "must be an integer from %" PRId64 " to %" PRIu64 ", is %.40s", min,
			    max, s);
	*ret_v = s[0] == '-' ? (uint64_t)negative : v;
	return 0;
}

static int read_integer(struct parse *p, const struct frame *at, const struct json *j,
			const struct spec_field *f, char *dst)
{
	uint64_t v = 0;
	uint32_t half;
	struct opt_u64 opt = {.set = true};
	int rc = get_integer(p, at, j, f, &v);

	if (rc < 0)
		return rc;
	half = (uint32_t)v;
	opt.v = v;
	if (f->kind == SPEC_I32 || f->kind == SPEC_U32)
		memcpy(dst, &half, sizeof(half));
	else if (f->kind == SPEC_OI64 || f->kind == SPEC_OU64)
		memcpy(dst, &opt, sizeof(opt)); /* both have this layout: see the assertion below */
	else
		memcpy(dst, &v, sizeof(v));
	return 0;
}

_Static_assert(sizeof(struct opt_i64) == sizeof(struct opt_u64) &&
		       offsetof(struct opt_i64, v) == offsetof(struct opt_u64, v),
	       "optional integers are laid out alike");

/* --- lists --- */

/* All lists are {pointer, count}; room for j's elements, which may be none. */
static int new_list(struct parse *p, const struct json *j, size_t size, char *dst, char **ret_items)
{
	size_t n = j->u.list.n;
	void *items = n ? arena_array(p->arena, n, size) : NULL;

	if (n && !items)
		return fail_memory(p);
	memcpy(dst, &items, sizeof(items));
	memcpy(dst + offsetof(struct spec_strings, n), &n, sizeof(n));
	*ret_items = items;
	return 0;
}

/* An array of values that `one` reads, each `size` bytes. */
static int read_array(struct parse *p, const struct frame *at, const struct json *j,
		      const struct spec_field *f, char *dst, size_t size, reader_fn one)
{
	struct frame in = {.up = at};
	char *items = NULL;
	int rc = want(p, at, j, JSON_ARRAY);

	if (rc == 0)
		rc = new_list(p, j, size, dst, &items);
	for (const struct json *m = rc == 0 ? j->u.list.first : NULL; m; m = m->next, in.index++) {
		rc = one(p, &in, m, f, items + in.index * size);
		if (rc < 0)
			return rc;
	}
	return rc;
}

static int read_strings(struct parse *p, const struct frame *at, const struct json *j,
			const struct spec_field *f, char *dst)
{
	return read_array(p, at, j, f, dst, sizeof(const char *), read_string);
}

static int read_one_u32(struct parse *p, const struct frame *at, const struct json *j,
			const struct spec_field *f, char *dst)
{
	uint64_t v = 0;
	uint32_t half;
	int rc = get_integer(p, at, j, f, &v);

	half = (uint32_t)v;
	if (rc == 0)
		memcpy(dst, &half, sizeof(half));
	return rc;
}

static int read_u32s(struct parse *p, const struct frame *at, const struct json *j,
		     const struct spec_field *f, char *dst)
{
	return read_array(p, at, j, f, dst, sizeof(uint32_t), read_one_u32);
}

static int read_sub(struct parse *p, const struct frame *at, const struct json *j,
		    const struct spec_field *f, char *dst)
{
	return read_object(p, at, j, f->sub, dst);
}

static int read_list(struct parse *p, const struct frame *at, const struct json *j,
		     const struct spec_field *f, char *dst)
{
	return read_array(p, at, j, f, dst, f->sub->size, read_sub);
}

static int read_pairs(struct parse *p, const struct frame *at, const struct json *j,
		      const struct spec_field *f, char *dst)
{
	char *items = NULL;
	int rc = want(p, at, j, JSON_OBJECT);

	if (rc == 0)
		rc = new_list(p, j, sizeof(struct spec_pair), dst, &items);
	for (const struct json *m = rc == 0 ? j->u.list.first : NULL; m; m = m->next) {
		struct frame in = {.up = at, .key = m->key};
		struct spec_pair pair = {.key = m->key};

		rc = get_string(p, &in, m, f, &pair.value);
		if (rc < 0)
			return rc;
		memcpy(items, &pair, sizeof(pair));
		items += sizeof(pair);
	}
	return rc;
}

static int read_map(struct parse *p, const struct frame *at, const struct json *j,
		    const struct spec_field *f, char *dst)
{
	char *items = NULL;
	int rc = want(p, at, j, JSON_OBJECT);

	if (rc == 0)
		rc = new_list(p, j, f->sub->size, dst, &items);
	for (const struct json *m = rc == 0 ? j->u.list.first : NULL; m; m = m->next) {
		struct frame in = {.up = at, .key = m->key};

		memcpy(items + f->sub->key_at, &m->key, sizeof(m->key));
		rc = read_object(p, &in, m, f->sub, items);
		if (rc < 0)
			return rc;
		items += f->sub->size;
	}
	return rc;
}

static int read_count(struct parse *p, const struct frame *at, const struct json *j,
		      const struct spec_field *f, char *dst)
{
	int rc = want(p, at, j, JSON_ARRAY);

	(void)f;
	if (rc == 0)
		memcpy(dst, &j->u.list.n, sizeof(size_t));
	return rc;
}

static int read_ignored(struct parse *p, const struct frame *at, const struct json *j,
			const struct spec_field *f, char *dst)
{
	(void)f;
	(void)dst;
	return want(p, at, j, JSON_OBJECT);
}

/* --- objects --- */

static const reader_fn readers[SPEC_KINDS] = {
	[SPEC_STRING] = read_string,   [SPEC_STRINGS] = read_strings, [SPEC_PAIRS] = read_pairs,
	[SPEC_BOOL] = read_bool,       [SPEC_OBOOL] = read_obool,     [SPEC_I32] = read_integer,
	[SPEC_I64] = read_integer,     [SPEC_U32] = read_integer,     [SPEC_U64] = read_integer,
	[SPEC_OI64] = read_integer,    [SPEC_OU64] = read_integer,    [SPEC_U32S] = read_u32s,
	[SPEC_ENUM] = read_enum,       [SPEC_LETTER] = read_letter,   [SPEC_OBJECT] = read_sub,
	[SPEC_LIST] = read_list,       [SPEC_MAP] = read_map,         [SPEC_COUNT] = read_count,
	[SPEC_IGNORED] = read_ignored,
};

static int note_unknown(struct parse *p, const struct frame *at, const struct json *m)
{
	struct unknown_node *node = arena_alloc(p->arena, sizeof(*node));
	char pointer[512];

	pointer_of(at, pointer, sizeof(pointer));
	if (node)
		node->u.pointer = arena_strdup(p->arena, pointer);
	if (!node || !node->u.pointer)
		return fail_memory(p);
	node->u.line = m->key_line;
	node->u.column = m->key_column;
	*p->unknown_end = node;
	p->unknown_end = &node->next;
	p->n_unknown++;
	return 0;
}

static int read_member(struct parse *p, const struct frame *at, const struct json *m,
		       const struct spec_table *t, char *object, uint64_t *seen)
{
	const bool yes = true;

	for (size_t i = 0; i < t->n; i++) {
		const struct spec_field *f = &t->fields[i];
		int rc;

		if (strcmp(f->name, m->key) != 0)
			continue;
		if (m->type == JSON_NULL && !f->required)
			return 0;
		*seen |= UINT64_C(1) << i;
		rc = readers[f->kind](p, at, m, f, object + f->at);
		if (rc == 0 && f->present)
			memcpy(object + f->present - 1, &yes, sizeof(yes));
		return rc;
	}
	if (t->closed)
		return fail(p, at, m, "is not known, and can't be ignored");
	return note_unknown(p, at, m);
}

static int read_object(struct parse *p, const struct frame *at, const struct json *j,
		       const struct spec_table *t, char *object)
{
	uint64_t seen = 0; /* tables have less than 64 fields */
	int rc = want(p, at, j, JSON_OBJECT);

	for (const struct json *m = rc == 0 ? j->u.list.first : NULL; m; m = m->next) {
		struct frame in = {.up = at, .key = m->key};

		rc = read_member(p, &in, m, t, object, &seen);
		if (rc < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < t->n; i++) {
		struct frame in = {.up = at, .key = t->fields[i].name};

		if (t->fields[i].required && !(seen & UINT64_C(1) << i))
			return fail(p, &in, j, "is required, but missing in this object");
	}
	if (t->finish)
		t->finish(object);
	return 0;
}

int spec_table_read(struct arena *a, const char *name, const struct json *root,
		    const struct spec_table *t, void *object, struct spec_unknown **ret_unknown,
		    size_t *ret_n_unknown, struct err *e)
{
	struct parse p = {.arena = a, .name = name, .e = e};
	struct frame top = {0};
	struct spec_unknown *list = NULL;
	size_t i = 0;
	int rc;

	p.unknown_end = &p.unknown;
	rc = read_object(&p, &top, root, t, object);
	if (rc < 0 || !ret_unknown)
		return rc;
	if (p.n_unknown)
		list = arena_array(a, p.n_unknown, sizeof(*list));
	if (p.n_unknown && !list)
		return fail_memory(&p);
	for (const struct unknown_node *u = p.unknown; u; u = u->next)
		list[i++] = u->u;
	*ret_unknown = list;
	*ret_n_unknown = p.n_unknown;
	return 0;
}
