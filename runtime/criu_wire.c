/* runtime/criu_wire.c: see criu_wire.h. A field is a varint of its number and kind, then a varint
 * (kind 0) or a length and as many bytes (kind 2). */
#include "runtime/criu_wire.h"

#include <limits.h>
#include <string.h>

enum { KIND_NUM = 0, KIND_64 = 1, KIND_BYTES = 2, KIND_32 = 5 };

#define FIELD_MAX ((1u << 29) - 1)
#define VERSION_PART_MAX 9999

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

	if (!get_varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > FIELD_MAX)
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

/* --- the fields that we know; each must be of its kind --- */

static bool to_text(const struct field *f, char *to, size_t size)
{
	size_t n = (size_t)(f->bytes.end - f->bytes.p);

	if (f->kind != KIND_BYTES)
		return false;
	n = n < size ? n : size - 1;
	if (n)
		memcpy(to, f->bytes.p, n);
	to[n] = '\0';
	return true;
}

/* A negative one comes with its sign in all 64 bits. */
static bool to_int(const struct field *f, int *ret_v)
{
	int64_t v = (int64_t)f->num;

	if (f->kind != KIND_NUM || v < INT_MIN || v > INT_MAX)
		return false;
	*ret_v = (int)v;
	return true;
}

static bool to_bool(const struct field *f, bool *ret_v)
{
	*ret_v = f->num != 0;
	return f->kind == KIND_NUM;
}

struct reading {
	struct rt_criu_answer r;
	int type, version[3];
};

typedef bool (*take_field)(const struct field *f, struct reading *to);

static bool message(struct in in, take_field take, struct reading *to)
{
	struct field f;

	while (in.p < in.end)
		if (!get_field(&in, &f) || !take(&f, to))
			return false;
	return true;
}

static bool inner(const struct field *f, take_field take, struct reading *to)
{
	return f->kind == KIND_BYTES && message(f->bytes, take, to);
}

static bool restored(const struct field *f, struct reading *to)
{
	return f->number == 1 ? to_int(f, &to->r.pid) : true;
}

static bool notified(const struct field *f, struct reading *to)
{
	switch (f->number) {
	case 1:
		return to_text(f, to->r.script, sizeof(to->r.script));
	case 2:
		return to_int(f, &to->r.pid);
	default:
		return true;
	}
}

static bool version(const struct field *f, struct reading *to)
{
	static const int parts[] = {[1] = 0, [2] = 1, [4] = 2};

	if (f->number != 1 && f->number != 2 && f->number != 4)
		return true;
	int *part = &to->version[parts[f->number]];
	return to_int(f, part) && *part >= 0 && *part <= VERSION_PART_MAX;
}

static bool answered(const struct field *f, struct reading *to)
{
	switch (f->number) {
	case 1:
		return to_int(f, &to->type);
	case 2:
		return to_bool(f, &to->r.success);
	case 4:
		return inner(f, restored, to);
	case 5:
		return inner(f, notified, to);
	case 7:
		return to_int(f, &to->r.error);
	case 9:
		return to_text(f, to->r.message, sizeof(to->r.message));
	case 10:
		return inner(f, version, to);
	default:
		return true;
	}
}

bool rt_wire_answer(const void *data, size_t n, struct rt_criu_answer *ret)
{
	struct reading to = {0};
	const int *v = to.version;

	if (!message((struct in){data, (const unsigned char *)data + n}, answered, &to) ||
	    to.type <= 0)
		return false;
	to.r.type = (unsigned)to.type;
	to.r.version = (unsigned)(v[0] * 10000 + v[1] * 100 + v[2]);
	*ret = to.r;
	return true;
}
