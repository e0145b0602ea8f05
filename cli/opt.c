/* cli/opt.c: see opt.h. */
#include "cli/opt.h"

#include "common/str.h"

#include <errno.h>
#include <string.h>

static void *field(struct cli *c, const struct opt *o)
{
	return (char *)c + o->offset;
}

static bool parse_bool(const char *text, bool *ret_v)
{
	static const char *const yes[] = {"true", "1", "t", "yes"}, *const no[] = {"false", "0",
										   "f", "no"};

	for (int i = 0; i < 4; i++) {
		if (str_eq(text, yes[i]) || str_eq(text, no[i])) {
			*ret_v = str_eq(text, yes[i]);
			return true;
		}
	}
	return false;
}

/* Decimal, with an optional k, kb, kib, m, … (1024 each) as runc-update(8) takes it; "-1" is
 * unlimited. */
static bool parse_bytes(const char *text, int64_t *ret_v)
{
	static const char units[] = "kmgt";
	char digits[32];
	size_t len = strlen(text);
	const char *unit;
	int64_t v;
	int shift = 0;

	if (len > 1 && (text[len - 1] == 'b' || text[len - 1] == 'B'))
		len--;
	if (len > 2 && len < strlen(text) && text[len - 1] == 'i')
		len--;
	if (len == 0 || len >= sizeof(digits))
		return false;
	unit = strchr(units, text[len - 1] | 0x20);
	if (unit && text[len - 1] > '9') {
		shift = 10 * (int)(unit - units + 1);
		len--;
	}
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (!str_to_i64(digits, &v) || (v < 0 && shift) || v > INT64_MAX >> shift)
		return false;
	*ret_v = (int64_t)((uint64_t)v << shift);
	return true;
}

static bool store(struct cli *c, const struct opt *o, const char *value)
{
	uint64_t u;

	switch (o->type) {
	case OPT_T_BOOL:
		return parse_bool(value ? value : "true", field(c, o));
	case OPT_T_STR:
		*(const char **)field(c, o) = value;
		return true;
	case OPT_T_UINT:
		if (!str_to_u64(value, &u) || u > 65536)
			return false;
		*(unsigned *)field(c, o) = (unsigned)u;
		return true;
	case OPT_T_I64: {
		struct opt_i64 *v = field(c, o);
		return v->set = str_to_i64(value, &v->v);
	}
	case OPT_T_U64: {
		struct opt_u64 *v = field(c, o);
		return v->set = str_to_u64(value, &v->v);
	}
	case OPT_T_BYTES: {
		struct opt_i64 *v = field(c, o);
		return v->set = parse_bytes(value, &v->v);
	}
	case OPT_T_LIST: {
		struct opt_list *l = field(c, o);
		if (l->n >= OPT_LIST_MAX)
			return false;
		l->items[l->n++] = value;
		return true;
	}
	}
	return false;
}

/* By long name (len characters of `name`) or, for one character, by letter. crun has -? and -V. */
static const struct opt *find(const struct opt *opts, const char *name, size_t len)
{
	if (len == 1 && (name[0] == '?' || name[0] == 'V'))
		name = name[0] == '?' ? "h" : "v";
	for (const struct opt *o = opts; o && o->name; o++)
		if ((strlen(o->name) == len && memcmp(o->name, name, len) == 0) ||
		    (len == 1 && o->letter == name[0]))
			return o;
	return NULL;
}

/* Edit distance, for the hint; names are short. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t n = strlen(b);

	if (n >= 63)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned diag = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = diag + (a[i - 1] != b[j - 1]);
			diag = row[j];
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static int unknown(const struct opt *opts, const char *word, struct err *e)
{
	const char *name = word + strspn(word, "-"), *near = NULL;
	unsigned best = 4;

	for (const struct opt *o = opts; o && o->name; o++) {
		if (distance(name, o->name) < best) {
			best = distance(name, o->name);
			near = o->name;
		}
	}
	if (near)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "flag provided but not defined: %s (did you mean --%s?)", word,
			       near);
	return err_set(e, ERR_USAGE, EINVAL, NULL, "flag provided but not defined: %s", word);
}

/* Letters in one word, as getopt(3) takes them: "-dt", and "-dtu0" or "-dtu 0" where the last wants
 * a value. *ret_value is that value's beginning, NULL when the next word has it. Booleans before
 * the last are set; returns the last, or NULL when one of them is no option. */
static const struct opt *bundle(const struct opt *opts, struct cli *c, const char *letters,
				const char **ret_value)
{
	const struct opt *o;

	for (const char *p = letters; *p; p++) {
		o = find(opts, p, 1);
		if (!o || (!o->arg && p[1] == '='))
			return NULL;
		if (o->arg)
			break;
	}
	for (;; letters++) {
		o = find(opts, letters, 1);
		if (o->arg || !letters[1])
			break;
		(void)store(c, o, NULL);
	}
	*ret_value = o->arg && letters[1] ? letters + 1 : NULL;
	return o;
}

/* One option at argv[i]; returns how many words it took. */
static int take(const struct opt *opts, struct cli *c, int argc, char **argv, int i, struct err *e)
{
	const char *word = argv[i], *name = word + (word[1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct opt *o = find(opts, name, len);
	int used = 1;

	if (!o && word[1] != '-')
		o = bundle(opts, c, name, &value);
	if (!o)
		return unknown(opts, word, e);
	if (!value && o->arg) {
		if (i + 1 >= argc)
			return err_set(e, ERR_USAGE, EINVAL, NULL, "option --%s needs a value (%s)",
				       o->name, o->arg);
		value = argv[i + 1];
		used = 2;
	}
	if (!store(c, o, value))
		return err_set(e, ERR_USAGE, EINVAL, NULL, "option --%s: \"%s\" isn't a valid %s",
			       o->name, value ? value : "", o->arg ? o->arg : "true or false");
	return used;
}

int opt_parse(const struct opt *opts, bool ordered, struct cli *c, int *argc, char **argv,
	      struct err *e)
{
	int kept = 0, i = 0;

	while (i < *argc) {
		if (str_eq(argv[i], "--")) {
			i++;
			break;
		}
		if (argv[i][0] == '-' && argv[i][1]) {
			int used = take(opts, c, *argc, argv, i, e);
			if (used < 0)
				return used;
			i += used;
			continue;
		}
		if (ordered)
			break;
		argv[kept++] = argv[i++];
	}
	while (i < *argc)
		argv[kept++] = argv[i++];
	*argc = kept;
	argv[kept] = NULL;
	return 0;
}
