/* cgroups/dbus.c: values and messages of D-Bus, written and read. Memory only; the connection is
 * in dbus_socket.c. Rules at the head of dbus.h. Little endian is written, both are read. */
#include "cgroups/dbus.h"

#include <errno.h>
#include <string.h>

#define HEAD_BYTES 16
#define MAX_SIGNATURE 255

/* --- types --- */

static size_t alignment(char type)
{
	switch (type) {
	case 'n':
	case 'q':
		return 2;
	case 'b':
	case 'i':
	case 'u':
	case 's':
	case 'o':
	case 'a':
	case 'h':
		return 4;
	case 'x':
	case 't':
	case 'd':
	case '(':
	case '{':
		return 8;
	default: /* y g v */
		return 1;
	}
}

static size_t type_len(const char *sig, int depth);

static size_t struct_len(const char *sig, int depth, char end)
{
	size_t len = 1;

	while (sig[len] != end) {
		size_t one = type_len(sig + len, depth + 1);
		if (one == 0)
			return 0;
		len += one;
	}
	return len == 1 ? 0 : len + 1;
}

static size_t type_len(const char *sig, int depth)
{
	if (depth > CG_BUS_MAX_DEPTH || !*sig)
		return 0;
	if (*sig == 'a') {
		size_t one = sig[1] == '{' ? struct_len(sig + 1, depth, '}')
					   : type_len(sig + 1, depth + 1);
		return one ? one + 1 : 0;
	}
	if (*sig == '(')
		return struct_len(sig, depth, ')');
	return strchr("ybnqiuxtdsogvh", *sig) ? 1 : 0;
}

size_t cg_sig_len(const char *sig)
{
	return type_len(sig, 0);
}

/* --- values --- */

static struct cg_var *new_var(struct arena *a, const char *sig)
{
	struct cg_var *v = arena_alloc(a, sizeof(*v));

	if (v)
		v->sig = sig;
	return v;
}

struct cg_var *cg_var_num(struct arena *a, const char *sig, uint64_t u)
{
	struct cg_var *v = new_var(a, sig);

	if (v)
		v->u = u;
	return v;
}

struct cg_var *cg_var_str(struct arena *a, const char *s)
{
	struct cg_var *v = s ? new_var(a, "s") : NULL;

	if (v)
		v->s = s;
	return v;
}

struct cg_var *cg_var_bytes(struct arena *a, const void *bytes, size_t n)
{
	struct cg_var *v = bytes ? new_var(a, "ay") : NULL;

	if (v) {
		v->s = bytes;
		v->n = n;
	}
	return v;
}

struct cg_var *cg_var_list(struct arena *a, const char *sig, struct cg_var **items, size_t n)
{
	struct cg_var *v = new_var(a, sig);

	for (size_t i = 0; i < n; i++)
		if (!items || !items[i])
			return NULL;
	if (v && n) {
		v->items = arena_array(a, n, sizeof(*v->items));
		if (!v->items)
			return NULL;
		memcpy(v->items, items, n * sizeof(*items));
		v->n = n;
	}
	return v;
}

/* --- writing --- */

static void align(struct strbuf *b, size_t to)
{
	static const char zeros[8];

	if (b->len % to)
		strbuf_add(b, zeros, to - b->len % to);
}

static void put_number(struct strbuf *b, uint64_t v, size_t size)
{
	uint8_t bytes[8];

	align(b, size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	strbuf_add(b, bytes, size);
}

static void put_string(struct strbuf *b, const char *s)
{
	put_number(b, strlen(s), 4);
	strbuf_add(b, s, strlen(s) + 1);
}

static void put_signature(struct strbuf *b, const char *s, size_t len)
{
	put_number(b, len, 1);
	strbuf_add(b, s, len);
	strbuf_add(b, "", 1);
}

static void set_u32(struct strbuf *b, size_t at, size_t v)
{
	for (size_t i = 0; !b->failed && i < 4; i++)
		b->s[at + i] = (char)(v >> (8 * i));
}

static void put_array(struct strbuf *b, const struct cg_var *v)
{
	align(b, 4);
	size_t at = b->len;
	put_number(b, 0, 4);
	align(b, alignment(v->sig[1]));
	size_t start = b->len;
	if (v->s)
		strbuf_add(b, v->s, v->n);
	for (size_t i = 0; !v->s && i < v->n; i++)
		cg_var_write(b, v->items[i]);
	set_u32(b, at, b->len - start);
}

static void put_double(struct strbuf *b, double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	put_number(b, bits, 8);
}

void cg_var_write(struct strbuf *out, const struct cg_var *v)
{
	switch (*v->sig) {
	case 'a':
		put_array(out, v);
		return;
	case '(':
		align(out, 8);
		for (size_t i = 0; i < v->n; i++)
			cg_var_write(out, v->items[i]);
		return;
	case 'v':
		put_signature(out, v->items[0]->sig, strlen(v->items[0]->sig));
		cg_var_write(out, v->items[0]);
		return;
	case 's':
	case 'o':
		put_string(out, v->s);
		return;
	case 'g':
		put_signature(out, v->s, strlen(v->s));
		return;
	case 'd':
		put_double(out, v->d);
		return;
	default:
		put_number(out, v->u, alignment(*v->sig));
	}
}

/* --- reading --- */

static const uint8_t *take(struct cg_reader *r, size_t align_to, size_t n)
{
	size_t at = (r->at + align_to - 1) / align_to * align_to;

	if (r->bad || at > r->len || n > r->len - at) {
		r->bad = true;
		return NULL;
	}
	/* Padding is zero (D-Bus Specification, "Marshaling"). */
	for (size_t i = r->at; i < at; i++)
		r->bad = r->bad || r->data[i];
	r->at = at + n;
	return r->bad ? NULL : r->data + at;
}

static uint64_t get_number(struct cg_reader *r, size_t size)
{
	const uint8_t *p = take(r, size, size);
	uint64_t v = 0;

	for (size_t i = 0; p && i < size; i++)
		v |= (uint64_t)p[i] << (8 * (r->big_endian ? size - 1 - i : i));
	return v;
}

uint8_t cg_read_byte(struct cg_reader *r)
{
	return (uint8_t)get_number(r, 1);
}

uint32_t cg_read_u32(struct cg_reader *r)
{
	return (uint32_t)get_number(r, 4);
}

uint64_t cg_read_u64(struct cg_reader *r)
{
	return get_number(r, 8);
}

/* len bytes without a zero among them, and a zero after. */
static const char *get_text(struct cg_reader *r, size_t len)
{
	const uint8_t *p = len < r->len ? take(r, 1, len + 1) : NULL;

	if (!p || p[len] || memchr(p, 0, len)) {
		r->bad = true;
		return "";
	}
	return (const char *)p;
}

const char *cg_read_str(struct cg_reader *r)
{
	return get_text(r, cg_read_u32(r));
}

const char *cg_read_sig(struct cg_reader *r)
{
	const char *s = get_text(r, cg_read_byte(r));

	for (const char *p = s; *p;) {
		size_t one = cg_sig_len(p);
		if (one == 0) {
			r->bad = true;
			return "";
		}
		p += one;
	}
	return s;
}

static void skip(struct cg_reader *r, const char *sig, int depth);

static void skip_all(struct cg_reader *r, const char *sig, const char *end, int depth)
{
	while (!r->bad && sig < end && *sig != ')' && *sig != '}') {
		skip(r, sig, depth + 1);
		sig += type_len(sig, 0) ?: 1;
	}
}

static void skip_array(struct cg_reader *r, const char *sig, int depth)
{
	size_t len = cg_read_u32(r);

	(void)take(r, alignment(sig[1]), 0);
	if (r->bad || len > r->len - r->at) {
		r->bad = true;
		return;
	}
	/* Elements of one byte or of a fixed size need no walk, and a walk over millions none of
	 * our time: messages are short. */
	for (size_t end = r->at + len; !r->bad && r->at < end;) {
		skip(r, sig + 1, depth + 1);
		r->bad = r->bad || r->at > end;
	}
}

static void skip_variant(struct cg_reader *r, int depth)
{
	const char *sig = cg_read_sig(r);

	if (!r->bad && cg_sig_len(sig) == strlen(sig))
		skip(r, sig, depth + 1);
	else
		r->bad = true;
}

static void skip(struct cg_reader *r, const char *sig, int depth)
{
	if (depth > 2 * CG_BUS_MAX_DEPTH) {
		r->bad = true;
		return;
	}
	switch (*sig) {
	case 's':
	case 'o':
		(void)cg_read_str(r);
		return;
	case 'g':
		(void)cg_read_sig(r);
		return;
	case 'v':
		skip_variant(r, depth);
		return;
	case 'a':
		skip_array(r, sig, depth);
		return;
	case '(':
	case '{':
		(void)take(r, 8, 0);
		skip_all(r, sig + 1, sig + strlen(sig), depth);
		return;
	case 'h':
		(void)get_number(r, 4);
		return;
	default:
		(void)get_number(r, alignment(*sig));
	}
}

void cg_read_skip(struct cg_reader *r, const char *sig)
{
	if (cg_sig_len(sig))
		skip(r, sig, 0);
	else
		r->bad = true;
}

/* --- messages --- */

long cg_msg_size(const uint8_t head[16])
{
	struct cg_reader r = {.data = head, .len = HEAD_BYTES, .big_endian = head[0] == 'B'};

	if ((head[0] != 'l' && head[0] != 'B') || head[3] != 1)
		return -EPROTO;
	r.at = 4;
	uint64_t body = cg_read_u32(&r);
	r.at = 12;
	uint64_t fields = cg_read_u32(&r);
	uint64_t all = HEAD_BYTES + (fields + 7) / 8 * 8 + body;
	return all > CG_BUS_MAX_MESSAGE ? -EMSGSIZE : (long)all;
}

enum { F_PATH = 1, F_IFACE, F_MEMBER, F_ERROR, F_REPLY, F_DEST, F_SENDER, F_SIGNATURE };

static void read_field(struct cg_reader *r, struct cg_msg *m)
{
	const char **const texts[] = {
		[F_PATH] = &m->path,   [F_IFACE] = &m->iface,   [F_MEMBER] = &m->member,
		[F_ERROR] = &m->error, [F_SENDER] = &m->sender, [F_SIGNATURE] = &m->sig,
	};
	(void)take(r, 8, 0);
	uint8_t code = cg_read_byte(r);
	const char *sig = cg_read_sig(r);
	bool text = code < sizeof(texts) / sizeof(texts[0]) && texts[code];
	const char *want = code == F_PATH        ? "o"
			   : code == F_REPLY     ? "u"
			   : code == F_SIGNATURE ? "g"
						 : "s";

	if (!text && code != F_REPLY) {
		cg_read_skip(r, sig);
		return;
	}
	if (r->bad || strcmp(sig, want) != 0)
		r->bad = true;
	else if (code == F_REPLY)
		m->reply_to = cg_read_u32(r);
	else
		*texts[code] = code == F_SIGNATURE ? cg_read_sig(r) : cg_read_str(r);
}

int cg_msg_parse(const uint8_t *data, size_t len, struct cg_msg *ret_msg)
{
	struct cg_msg m = {
		.path = "", .iface = "", .member = "", .error = "", .sender = "", .sig = ""};

	if (len < HEAD_BYTES || cg_msg_size(data) != (long)len)
		return -EPROTO;
	struct cg_reader r = {.data = data, .len = len, .at = 8, .big_endian = data[0] == 'B'};
	m.type = data[1];
	m.serial = cg_read_u32(&r);
	size_t end = cg_read_u32(&r);
	end += HEAD_BYTES; /* no overflow: the size was checked */
	r.len = end;
	while (!r.bad && r.at < end)
		read_field(&r, &m);
	r.len = len;
	(void)take(&r, 8, 0);
	if (r.bad || m.serial == 0 || m.type < CG_MSG_CALL)
		return -EPROTO;
	m.body = (struct cg_reader){
		.data = data + r.at, .len = len - r.at, .big_endian = r.big_endian};
	*ret_msg = m;
	return 0;
}

static void put_field(struct strbuf *b, uint8_t code, char type, const char *value)
{
	if (!value)
		return;
	align(b, 8);
	put_number(b, code, 1);
	put_signature(b, &type, 1);
	if (type == 'g')
		put_signature(b, value, strlen(value));
	else
		put_string(b, value);
}

/* The types of all arguments one after the other; false when they don't fit. */
static bool joined_types(const struct cg_call *c, char buf[MAX_SIGNATURE + 1])
{
	size_t used = 0;

	for (size_t i = 0; c->args && c->args[i]; i++) {
		size_t len = strlen(c->args[i]->sig);
		if (len > MAX_SIGNATURE - used)
			return false;
		memcpy(buf + used, c->args[i]->sig, len);
		used += len;
	}
	buf[used] = '\0';
	return true;
}

void cg_msg_build(struct strbuf *out, uint32_t serial, const struct cg_call *c)
{
	auto_strbuf body = {0};
	char types[MAX_SIGNATURE + 1];
	const uint8_t head[4] = {'l', CG_MSG_CALL, c->no_reply ? 1 : 0, 1};

	for (size_t i = 0; c->args && c->args[i]; i++)
		cg_var_write(&body, c->args[i]);
	if (!joined_types(c, types) || body.failed || body.len > CG_BUS_MAX_MESSAGE / 2) {
		out->failed = true;
		return;
	}
	strbuf_add(out, head, sizeof(head));
	put_number(out, body.len, 4);
	put_number(out, serial, 4);
	put_number(out, 0, 4);
	put_field(out, F_PATH, 'o', c->path);
	put_field(out, F_IFACE, 's', c->iface);
	put_field(out, F_MEMBER, 's', c->member);
	put_field(out, F_DEST, 's', c->dest);
	put_field(out, F_SIGNATURE, 'g', *types ? types : NULL);
	set_u32(out, 12, out->len - HEAD_BYTES);
	align(out, 8);
	if (body.len)
		strbuf_add(out, body.s, body.len);
}
