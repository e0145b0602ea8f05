/* microvm/inflate.c: RFC 1951; section numbers are its.
 *
 * Invariants
 *  1. Bits behind the input's end are zeroes, and taking one of them is an error (`take`).
 *  2. A code is canonical (3.2.2): of length n it has count[n] codes from first[n] on, whose
 * symbols follow each other in symbol[] from offset[n] on. Codes of up to FAST bits are also found
 * by one look into fast[].
 *  3. A pattern that is no code is an error when it is met; so tables needn't be complete.
 */
#include "microvm/inflate.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define LONGEST 15
#define FAST 10
#define LITERALS 288
#define DISTANCES 32
#define END 256

struct bits {
	const uint8_t *in;
	size_t left;
	uint64_t hold;
	unsigned n; /* bits in hold that are input */
};

struct code {
	uint16_t first[LONGEST + 1], count[LONGEST + 1], offset[LONGEST + 1];
	uint16_t symbol[LITERALS];
	uint16_t fast[1 << FAST]; /* length << 9 | symbol; 0: look the long way */
};

struct inflate {
	struct bits b;
	uint8_t *out;
	size_t len, room; /* written, and how much fits */
	struct code literal, distance;
};

static void refill(struct bits *b)
{
	while (b->n <= 56 && b->left) {
		b->hold |= (uint64_t)*b->in++ << b->n;
		b->n += 8;
		b->left--;
	}
}

/* count bits (up to 16), the first one lowest; -EINVAL behind the end. */
static int take(struct bits *b, unsigned count)
{
	int v;

	refill(b);
	if (count > b->n)
		return -EINVAL;
	v = (int)(b->hold & ((1u << count) - 1));
	b->hold >>= count;
	b->n -= count;
	return v;
}

static unsigned reversed(unsigned code, unsigned len)
{
	unsigned r = 0;

	while (len--) {
		r = r << 1 | (code & 1);
		code >>= 1;
	}
	return r;
}

/* Where each length's codes start; -EINVAL when there are more codes than bits can tell apart. */
static int lay_out(struct code *c, const uint8_t *lengths, unsigned n)
{
	unsigned code = 0, at = 0;

	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < n; i++)
		c->count[lengths[i]]++;
	c->count[0] = 0;
	for (unsigned len = 1; len <= LONGEST; len++) {
		code <<= 1;
		c->first[len] = (uint16_t)code;
		c->offset[len] = (uint16_t)at;
		code += c->count[len];
		at += c->count[len];
		if (code > 1u << len)
			return -EINVAL;
	}
	return 0;
}

static int build(struct code *c, const uint8_t *lengths, unsigned n)
{
	uint16_t used[LONGEST + 1] = {0};

	if (lay_out(c, lengths, n) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		unsigned len = lengths[i], k;

		if (!len)
			continue;
		k = used[len]++;
		c->symbol[c->offset[len] + k] = (uint16_t)i;
		if (len > FAST)
			continue;
		for (unsigned at = reversed(c->first[len] + k, len); at < 1 << FAST;
		     at += 1u << len)
			c->fast[at] = (uint16_t)(len << 9 | i);
	}
	return 0;
}

static int decode_long(struct bits *b, const struct code *c)
{
	unsigned code = 0;

	for (unsigned len = 1; len <= LONGEST && len <= b->n; len++) {
		code = code << 1 | (b->hold >> (len - 1) & 1);
		if (code - c->first[len] < c->count[len]) {
			take(b, len);
			return c->symbol[c->offset[len] + code - c->first[len]];
		}
	}
	return -EINVAL;
}

static int decode(struct bits *b, const struct code *c)
{
	unsigned entry;

	refill(b);
	entry = c->fast[b->hold & ((1 << FAST) - 1)];
	if (!entry)
		return decode_long(b, c);
	return take(b, entry >> 9) < 0 ? -EINVAL : (int)(entry & 511);
}

/* 3.2.4. Also how a stream of nothing but bytes is written. */
static int stored_block(struct inflate *s)
{
	int len, check;
	size_t room;

	take(&s->b, s->b.n % 8);
	len = take(&s->b, 16);
	check = take(&s->b, 16);
	if (len < 0 || check < 0 || len != (check ^ 0xffff))
		return -EINVAL;
	for (room = s->room - s->len; len && room; len--, room--) {
		int byte = take(&s->b, 8);

		if (byte < 0)
			return -EINVAL;
		s->out[s->len++] = (uint8_t)byte;
	}
	return 0;
}

/* 3.2.5: a base and so many extra bits behind the symbol. */
static const uint16_t length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
				       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
				       67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
				       2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[] = {
	1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
	193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

static int match_length(struct inflate *s, unsigned symbol)
{
	unsigned i = symbol - END - 1;
	int extra;

	if (i >= sizeof(length_extra))
		return -EINVAL;
	extra = take(&s->b, length_extra[i]);
	return extra < 0 ? -EINVAL : length_base[i] + extra;
}

static int match_distance(struct inflate *s)
{
	int symbol = decode(&s->b, &s->distance), extra;

	if (symbol < 0 || symbol >= 30)
		return -EINVAL;
	extra = take(&s->b, symbol < 4 ? 0 : (unsigned)symbol / 2 - 1);
	return extra < 0 ? -EINVAL : distance_base[symbol] + extra;
}

static int copy_match(struct inflate *s, unsigned symbol)
{
	int length = match_length(s, symbol), distance = match_distance(s);

	if (length < 0 || distance < 0 || (size_t)distance > s->len)
		return -EINVAL;
	/* Byte by byte: the two may overlap, and then the bytes repeat. */
	for (; length && s->len < s->room; length--, s->len++)
		s->out[s->len] = s->out[s->len - (size_t)distance];
	return 0;
}

static int coded_block(struct inflate *s)
{
	while (s->len < s->room) {
		int symbol = decode(&s->b, &s->literal);

		if (symbol < 0)
			return -EINVAL;
		if (symbol == END)
			return 0;
		if (symbol < END)
			s->out[s->len++] = (uint8_t)symbol;
		else if (copy_match(s, (unsigned)symbol) < 0)
			return -EINVAL;
	}
	return 0;
}

/* 3.2.6. */
static int fixed_codes(struct inflate *s)
{
	uint8_t lengths[LITERALS];

	memset(lengths, 8, 144);
	memset(lengths + 144, 9, 112);
	memset(lengths + 256, 7, 24);
	memset(lengths + 280, 8, 8);
	build(&s->literal, lengths, LITERALS);
	memset(lengths, 5, DISTANCES);
	return build(&s->distance, lengths, DISTANCES);
}

/* One symbol of the code of code lengths: a length, or a repetition. Returns how many it gave. */
static int read_length(struct inflate *s, uint8_t *lengths, unsigned at, unsigned total)
{
	int symbol = decode(&s->b, &s->literal), again = 1;
	uint8_t what = (uint8_t)symbol;

	if (symbol < 0)
		return -EINVAL;
	if (symbol > 15) {
		static const uint8_t base[] = {3, 3, 11}, extra[] = {2, 3, 7};

		if (symbol == 16 && !at)
			return -EINVAL;
		what = symbol == 16 ? lengths[at - 1] : 0;
		again = take(&s->b, extra[symbol - 16]);
		if (again < 0)
			return -EINVAL;
		again += base[symbol - 16];
	}
	if ((unsigned)again > total - at)
		return -EINVAL;
	memset(lengths + at, what, (size_t)again);
	return again;
}

/* 3.2.7. */
static int dynamic_codes(struct inflate *s)
{
	static const uint8_t order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					11, 4,  12, 3, 13, 2, 14, 1, 15};
	int literals = take(&s->b, 5), distances = take(&s->b, 5), n = take(&s->b, 4);
	uint8_t lengths[LITERALS + DISTANCES] = {0};
	unsigned total;

	if (literals < 0 || distances < 0 || n < 0 || literals > 29 || distances > 29)
		return -EINVAL;
	for (int i = 0; i < n + 4; i++) {
		int len = take(&s->b, 3);

		if (len < 0)
			return -EINVAL;
		lengths[order[i]] = (uint8_t)len;
	}
	if (build(&s->literal, lengths, sizeof(order)) < 0)
		return -EINVAL;
	literals += 257;
	total = (unsigned)literals + (unsigned)distances + 1;
	for (unsigned at = 0; at < total;) {
		int k = read_length(s, lengths, at, total);

		if (k < 0)
			return -EINVAL;
		at += (unsigned)k;
	}
	if (build(&s->literal, lengths, (unsigned)literals) < 0)
		return -EINVAL;
	return build(&s->distance, lengths + literals, (unsigned)distances + 1);
}

static int block(struct inflate *s, int type)
{
	int rc;

	if (type == 0)
		return stored_block(s);
	if (type != 1 && type != 2)
		return -EINVAL;
	rc = type == 1 ? fixed_codes(s) : dynamic_codes(s);
	return rc < 0 ? rc : coded_block(s);
}

ssize_t vm_inflate(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	struct inflate s = {.b = {.in = in, .left = in_len}, .out = out, .room = out_len};
	int last = 0;

	while (!last && s.len < s.room) {
		last = take(&s.b, 1);
		if (last < 0 || block(&s, take(&s.b, 2)) < 0)
			return -EINVAL;
	}
	return (ssize_t)s.len;
}
