/* spec/json_out.c: the streaming JSON writer.
 *
 * Invariants
 *  1. Calls in document order give one valid document; commas, line breaks and
 *     escaping are decided here alone.
 *  2. An empty object or array is written without a line break inside ("{}").
 *  3. Failure of memory sticks in the strbuf; nothing is reported here.
 */
#include "spec/json.h"

#include <inttypes.h>

static void newline(struct json_out *o)
{
	if (!o->indent)
		return;
	strbuf_puts(o->b, "\n");
	for (unsigned i = 0; i < o->depth; i++)
		strbuf_puts(o->b, o->indent);
}

/* What stands before every value: a comma if need be, its own line, its key. */
static void before(struct json_out *o, const char *key)
{
	if (o->depth) {
		if (!o->first)
			strbuf_puts(o->b, ",");
		newline(o);
	}
	o->first = false;
	if (key) {
		strbuf_json(o->b, key);
		strbuf_puts(o->b, o->indent ? ": " : ":");
	}
}

static void open_list(struct json_out *o, const char *key, const char *bracket)
{
	before(o, key);
	strbuf_puts(o->b, bracket);
	o->depth++;
	o->first = true;
}

static void close_list(struct json_out *o, const char *bracket)
{
	o->depth--;
	if (!o->first)
		newline(o);
	strbuf_puts(o->b, bracket);
	o->first = false;
}

void json_out_init(struct json_out *o, struct strbuf *b, const char *indent)
{
	*o = (struct json_out){.b = b, .indent = indent, .first = true};
}

void json_obj_open(struct json_out *o, const char *key)
{
	open_list(o, key, "{");
}

void json_obj_close(struct json_out *o)
{
	close_list(o, "}");
}

void json_arr_open(struct json_out *o, const char *key)
{
	open_list(o, key, "[");
}

void json_arr_close(struct json_out *o)
{
	close_list(o, "]");
}

void json_put_str(struct json_out *o, const char *key, const char *v)
{
	before(o, key);
	strbuf_json(o->b, v);
}

void json_put_i64(struct json_out *o, const char *key, int64_t v)
{
	before(o, key);
	strbuf_printf(o->b, "%" PRId64, v);
}

void json_put_u64(struct json_out *o, const char *key, uint64_t v)
{
	before(o, key);
	strbuf_printf(o->b, "%" PRIu64, v);
}

void json_put_hundredths(struct json_out *o, const char *key, uint64_t v)
{
	before(o, key);
	strbuf_printf(o->b, "%" PRIu64 ".%02" PRIu64, v / 100, v % 100);
}

void json_put_bool(struct json_out *o, const char *key, bool v)
{
	before(o, key);
	strbuf_puts(o->b, v ? "true" : "false");
}

void json_put_null(struct json_out *o, const char *key)
{
	before(o, key);
	strbuf_puts(o->b, "null");
}
