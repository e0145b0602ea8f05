/* runtime/criu_wire.c: see criu_wire.h. A field is a varint of its number and kind, then a varint
 * (kind 0) or a length and as many bytes (kind 2). */
#include "runtime/criu_wire.h"

#include <string.h>

enum { KIND_NUM = 0, KIND_64 = 1, KIND_BYTES = 2, KIND_32 = 5 };

static void put_varint(struct strbuf *b, uint64_t v)
{
	unsigned char bytes[10];
	size_t n = 0;

	do {
		bytes[n] = (unsigned char)(v & 0x7f);
		v >>= 7;
		bytes[n++] |= v ? 0x80 : 0;
	} while (v);
	strbuf_add(b, bytes, n);
}

void rt_wire_num(struct strbuf *b, unsigned field, uint64_t v)
{
	put_varint(b, (uint64_t)field << 3 | KIND_NUM);
	put_varint(b, v);
}

void rt_wire_bytes(struct strbuf *b, unsigned field, const void *data, size_t n)
{
	put_varint(b, (uint64_t)field << 3 | KIND_BYTES);
	put_varint(b, n);
	if (n)
		strbuf_add(b, data, n);
}

void rt_wire_str(struct strbuf *b, unsigned field, const char *s)
{
	if (s)
		rt_wire_bytes(b, field, s, strlen(s));
}

void rt_wire_request(struct strbuf *b, enum rt_criu_type type, const struct strbuf *opts)
{
	rt_wire_num(b, 1, type);
	if (opts)
		rt_wire_bytes(b, 2, opts->s, opts->len);
	b->failed = b->failed || (opts && opts->failed);
}

void rt_wire_notified(struct strbuf *b, bool success)
{
	rt_wire_num(b, 1, RT_CRIU_NOTIFY);
	rt_wire_num(b, 3, success);
}

/* --- reading --- */

struct in {
	const unsigned char *p, *end;
};

struct field {
	unsigned number, kind;
	uint64_t num;    /* KIND_NUM */
	struct in bytes; /* KIND_BYTES */
};

static bool get_varint(struct in *in, uint64_t *ret_v)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && in->p < in->end; shift += 7) {
		unsigned char c = *in->p++;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80)) {
			*ret_v = v;
			return true;
		}
	}
	return false;
}

static bool skip(struct in *in, uint64_t n)
{
	if (n > (uint64_t)(in->end - in->p))
		return false;
	in->p += n;
	return true;
}

static bool get_field(struct in *in, struct field *f)
{
	uint64_t tag, n;

	if (!get_varint(in, &tag))
		return false;
	f->number = (unsigned)(tag >> 3);
	f->kind = (unsigned)(tag & 7);
	f->num = 0;
	f->bytes = (struct in){0};
	switch (f->kind) {
	case KIND_NUM:
		return get_varint(in, &f->num);
	case KIND_64:
		return skip(in, 8);
	case KIND_32:
		return skip(in, 4);
	case KIND_BYTES:
		if (!get_varint(in, &n))
			return false;
		f->bytes.p = in->p;
		if (!skip(in, n))
			return false;
		f->bytes.end = in->p;
		return true;
	default:
		return false;
	}
}

static void copy_text(const struct field *f, char *to, size_t size)
{
	size_t n = (size_t)(f->bytes.end - f->bytes.p);

	n = n < size ? n : size - 1;
	if (n)
		memcpy(to, f->bytes.p, n);
	to[n] = '\0';
}

/* The messages within an answer: restore (4), notify (5), version (10). */
static bool get_inner(const struct field *outer, struct rt_criu_answer *r)
{
	struct in in = outer->bytes;
	struct field f;

	while (in.p < in.end) {
		if (!get_field(&in, &f))
			return false;
		if (outer->number == 4 && f.number == 1)
			r->pid = (int)f.num;
		else if (outer->number == 5 && f.number == 1)
			copy_text(&f, r->script, sizeof(r->script));
		else if (outer->number == 5 && f.number == 2)
			r->pid = (int)f.num;
		else if (outer->number == 10 && f.number == 1)
			r->version += (unsigned)f.num * 10000;
		else if (outer->number == 10 && f.number == 2)
			r->version += (unsigned)f.num * 100;
		else if (outer->number == 10 && f.number == 4)
			r->version += (unsigned)f.num;
	}
	return true;
}

bool rt_wire_answer(const void *data, size_t n, struct rt_criu_answer *ret)
{
	struct rt_criu_answer r = {0};
	struct in in = {data, (const unsigned char *)data + n};
	struct field f;

	while (in.p < in.end) {
		if (!get_field(&in, &f))
			return false;
		if (f.number == 1)
			r.type = (unsigned)f.num;
		else if (f.number == 2)
			r.success = f.num != 0;
		else if (f.number == 7)
			r.error = (int)f.num;
		else if (f.number == 9)
			copy_text(&f, r.message, sizeof(r.message));
		else if (f.kind == KIND_BYTES && !get_inner(&f, &r))
			return false;
	}
	if (!r.type)
		return false;
	*ret = r;
	return true;
}
