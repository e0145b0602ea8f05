/* cgroups/unit_text.c: a value in GVariant's text form (gvariant-text of GLib's manual), as
 * annotations org.systemd.property.* have it: 'text', 5, uint64 5, true, ['a', 'b'],
 * @as [], [('/dev/null', 'rw')], b'bytes'.
 *
 * A literal has the type that stands before it ("uint64", "@au"), or that its array's first element
 * has, or its own: int32, double, string. Dictionaries and maybe types are refused: no property of
 * a unit that could be set here has them, and D-Bus has no maybe.
 *
 * Invariants
 *  1. What is read is one value, whole: anything after it is an error.
 *  2. A number is in the range of its type; a string is UTF-8 without zero bytes.
 */
#include "cgroups/unit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ITEMS 1024

struct text {
	struct arena *a;
	const char *p, *why;
	int depth;
};

static struct cg_var *wrong(struct text *t, const char *why)
{
	if (!t->why)
		t->why = why;
	return NULL;
}

static void blanks(struct text *t)
{
	t->p += strspn(t->p, " \t\r\n");
}

static bool eat(struct text *t, char c)
{
	blanks(t);
	if (*t->p != c)
		return false;
	t->p++;
	return true;
}

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static size_t word_len(const char *p)
{
	size_t n = 0;

	while (word_char(p[n]))
		n++;
	return n;
}

static bool is_word(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && strncmp(p, word, n) == 0;
}

static struct cg_var *value(struct text *t, const char *want);

/* --- numbers --- */

static const struct {
	char type;
	bool is_signed;
	unsigned bits;
} numbers[] = {{'y', false, 8},  {'n', true, 16}, {'q', false, 16}, {'i', true, 32},
	       {'u', false, 32}, {'x', true, 64}, {'t', false, 64}};

static bool in_range(char type, bool negative, uint64_t magnitude)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].type != type)
			continue;
		unsigned bits = numbers[i].bits - numbers[i].is_signed;
		uint64_t max = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
		if (negative)
			return numbers[i].is_signed ? magnitude <= max + 1 : magnitude == 0;
		return magnitude <= max;
	}
	return false;
}

static struct cg_var *real_number(struct text *t, const char *want)
{
	char *end;
	double d = strtod(t->p, &end);
	struct cg_var *v = cg_var_num(t->a, "d", 0);

	if (want && strcmp(want, "d") != 0)
		return wrong(t, "a number with a fraction where another type is wanted");
	if (end == t->p || !isfinite(d) || !v)
		return wrong(t, "isn't a number");
	t->p = end;
	v->d = d;
	return v;
}

static struct cg_var *number(struct text *t, const char *want)
{
	const char *digits = t->p + (*t->p == '-' || *t->p == '+');
	bool negative = *t->p == '-';
	bool hex = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
	char *end;

	if (*digits < '0' || *digits > '9')
		return wrong(t, "isn't a value in GVariant text form (a string needs quotes)");
	if ((!hex && digits[strcspn(digits, ".eE,)] \t>")] && strpbrk(digits, ".eE") &&
	     strcspn(digits, ".eE") < strcspn(digits, ",)] \t>")) ||
	    (want && strcmp(want, "d") == 0))
		return real_number(t, want);
	const char *type = want ? want : "i";
	errno = 0;
	uint64_t u = strtoull(digits, &end, 0);
	if (errno || type[1] || !in_range(*type, negative, u))
		return wrong(t, "a number where another type is wanted, or out of its range");
	t->p = end;
	return cg_var_num(t->a, arena_strdup(t->a, type), negative ? 0 - u : u);
}

/* --- strings --- */

static size_t put_utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)((0xf00 >> n) | c);
	return n;
}

/* After the backslash. Bytes written, 0 when it is none. */
static size_t escaped(struct text *t, char *out)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	const char *at = *t->p ? strchr(from, *t->p) : NULL;
	size_t digits = *t->p == 'u' ? 4 : *t->p == 'U' ? 8 : 0;
	char hex[9] = "";

	if (at) {
		t->p++;
		*out = to[at - from];
		return 1;
	}
	if (digits == 0 || strspn(t->p + 1, "0123456789abcdefABCDEF") < digits)
		return 0;
	memcpy(hex, t->p + 1, digits);
	t->p += 1 + digits;
	unsigned long c = strtoul(hex, NULL, 16);
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return put_utf8(out, c);
}

/* At the opening quote; NULL when it never ends. */
static char *quoted(struct text *t)
{
	char quote = *t->p++, *out = arena_alloc(t->a, strlen(t->p) + 1), *w = out;

	while (out && *t->p && *t->p != quote) {
		if (*t->p != '\\') {
			*w++ = *t->p++;
			continue;
		}
		t->p++;
		size_t n = escaped(t, w);
		if (n == 0) {
			wrong(t, "an unknown escape in a string");
			return NULL;
		}
		w += n;
	}
	if (!out || *t->p != quote) {
		wrong(t, "a string that doesn't end");
		return NULL;
	}
	t->p++;
	return out;
}

static bool utf8_valid(const char *s)
{
	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = c < 0x80   ? 1
			   : c < 0xc2 ? 0
			   : c < 0xe0 ? 2
			   : c < 0xf0 ? 3
			   : c < 0xf5 ? 4
				      : 0;
		if (n == 0)
			return false;
		for (size_t i = 1; i < n; i++)
			if (((unsigned char)s[i] & 0xc0) != 0x80)
				return false;
		s += n;
	}
	return true;
}

/* Object paths and signatures have a grammar of their own; systemd checks it again. */
static bool path_valid(const char *s)
{
	if (*s != '/' || strstr(s, "//") || (s[1] && s[strlen(s) - 1] == '/'))
		return false;
	for (; *s; s++)
		if (!(word_char(*s) || (*s >= 'A' && *s <= 'Z') || *s == '_' || *s == '/'))
			return false;
	return true;
}

static struct cg_var *string(struct text *t, const char *want)
{
	const char *s = quoted(t);
	struct cg_var *v = cg_var_str(t->a, s);

	if (!s)
		return NULL;
	if (want && strcmp(want, "s") != 0 && strcmp(want, "o") != 0)
		return wrong(t, "a string where another type is wanted");
	if (!utf8_valid(s))
		return wrong(t, "a string that isn't UTF-8");
	if (v && want && *want == 'o') {
		if (!path_valid(s))
			return wrong(t, "isn't an object path");
		v->sig = "o";
	}
	return v;
}

/* b'…': an array of bytes with a zero at its end. */
static struct cg_var *bytes(struct text *t, const char *want)
{
	t->p++;
	const char *s = quoted(t);

	if (!s)
		return NULL;
	if (want && strcmp(want, "ay") != 0)
		return wrong(t, "bytes where another type is wanted");
	return cg_var_bytes(t->a, s, strlen(s) + 1);
}

/* --- containers --- */

/* Items up to the closing character. An array's have the type of the first. */
static bool items(struct text *t, char end, const char *one, const char *members, bool same,
		  struct cg_var **list, size_t *ret_n)
{
	size_t n = 0;

	while (!eat(t, end)) {
		if (n && !eat(t, ','))
			return wrong(t, "a comma or the end of the list is missing");
		if (n && eat(t, end))
			break;
		if (n == MAX_ITEMS)
			return wrong(t, "a list that is too long");
		const char *want = one;
		if (members) {
			size_t len = *members == ')' ? 0 : cg_sig_len(members);
			want = len ? arena_strndup(t->a, members, len) : NULL;
			if (!want)
				return wrong(t, "a tuple with more values than its type");
			members += len;
		}
		list[n] = value(t, want);
		if (!list[n])
			return false;
		if (same && !one)
			one = list[n]->sig;
		n++;
	}
	*ret_n = n;
	return !(members && *members != ')') || wrong(t, "a tuple with fewer values than its type");
}

static struct cg_var *array(struct text *t, const char *want)
{
	struct cg_var **list = arena_array(t->a, MAX_ITEMS, sizeof(*list));
	size_t n = 0;

	t->p++;
	if (want && *want != 'a')
		return wrong(t, "an array where another type is wanted");
	if (!list || !items(t, ']', want ? want + 1 : NULL, NULL, true, list, &n))
		return NULL;
	if (n == 0 && !want)
		return wrong(t, "an empty array needs its type: @as []");
	const char *sig = want ? want : arena_printf(t->a, "a%s", list[0]->sig);
	return sig ? cg_var_list(t->a, sig, list, n) : NULL;
}

static struct cg_var *tuple(struct text *t, const char *want)
{
	struct cg_var **list = arena_array(t->a, MAX_ITEMS, sizeof(*list));
	const char *sig = want;
	size_t n = 0;

	t->p++;
	if (want && *want != '(')
		return wrong(t, "a tuple where another type is wanted");
	if (!list || !items(t, ')', NULL, want ? want + 1 : NULL, false, list, &n))
		return NULL;
	if (n == 0)
		return wrong(t, "D-Bus has no empty tuple");
	for (size_t i = 0; !want && i < n; i++)
		sig = arena_printf(t->a, "%s%s", sig ? sig : "(", list[i]->sig);
	if (sig && !want)
		sig = arena_printf(t->a, "%s)", sig);
	return sig ? cg_var_list(t->a, sig, list, n) : NULL;
}

static struct cg_var *variant(struct text *t, const char *want)
{
	t->p++;
	if (want && strcmp(want, "v") != 0)
		return wrong(t, "a variant where another type is wanted");
	struct cg_var *inner = value(t, NULL);
	if (!inner)
		return NULL;
	if (!eat(t, '>'))
		return wrong(t, "a variant that doesn't end");
	return cg_var_list(t->a, "v", &inner, 1);
}

/* --- the type in front, and words --- */

static const struct {
	const char *word, *sig;
} words[] = {{"boolean", "b"}, {"byte", "y"},   {"int16", "n"},     {"uint16", "q"},
	     {"int32", "i"},   {"uint32", "u"}, {"int64", "x"},     {"uint64", "t"},
	     {"double", "d"},  {"string", "s"}, {"objectpath", "o"}};

static struct cg_var *word(struct text *t, const char *want)
{
	size_t n = word_len(t->p);
	bool yes = is_word(t->p, n, "true");

	if (yes || is_word(t->p, n, "false")) {
		t->p += n;
		if (want && strcmp(want, "b") != 0)
			return wrong(t, "true or false where another type is wanted");
		return cg_var_num(t->a, "b", yes);
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!is_word(t->p, n, words[i].word))
			continue;
		t->p += n;
		if (want && strcmp(want, words[i].sig) != 0)
			return wrong(t, "a value of another type than is wanted");
		return value(t, words[i].sig);
	}
	return wrong(t, "isn't a value in GVariant text form (a string needs quotes)");
}

static struct cg_var *typed(struct text *t, const char *want)
{
	size_t n = cg_sig_len(++t->p);
	const char *sig = n ? arena_strndup(t->a, t->p, n) : NULL;

	if (!sig || strpbrk(sig, "{h") || (want && strcmp(want, sig) != 0))
		return wrong(t, "an unknown or unexpected type after @");
	t->p += n;
	return value(t, sig);
}

static struct cg_var *one_value(struct text *t, const char *want)
{
	blanks(t);
	switch (*t->p) {
	case '@':
		return typed(t, want);
	case '\'':
	case '"':
		return string(t, want);
	case '[':
		return array(t, want);
	case '(':
		return tuple(t, want);
	case '<':
		return variant(t, want);
	case '{':
		return wrong(t, "dictionaries are not supported");
	default:
		if (*t->p == 'b' && (t->p[1] == '\'' || t->p[1] == '"'))
			return bytes(t, want);
		return *t->p >= 'a' && *t->p <= 'z' ? word(t, want) : number(t, want);
	}
}

static struct cg_var *value(struct text *t, const char *want)
{
	if (++t->depth > CG_BUS_MAX_DEPTH)
		return wrong(t, "is nested too deeply");
	struct cg_var *v = one_value(t, want);
	t->depth--;
	return v;
}

int cg_unit_value(struct arena *a, const char *text, struct cg_var **ret_v, const char **ret_why)
{
	struct text t = {.a = a, .p = text};
	struct cg_var *v = value(&t, NULL);

	blanks(&t);
	if (v && *t.p)
		v = wrong(&t, "has something after the value");
	if (v) {
		*ret_v = v;
		return 0;
	}
	if (!t.why)
		return -ENOMEM;
	*ret_why = t.why;
	return -EINVAL;
}
