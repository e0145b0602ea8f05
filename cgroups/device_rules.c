/* cgroups/device_rules.c: linux.resources.devices as checked rules.
 *
 * Meaning, the same on v1 and v2: at first everything is denied; each rule, in the order of the
 * document, decides for the accesses (read, write, mknod) of the devices that it names; then the
 * default devices of the OCI text are allowed, which have to be usable whatever was said. A
 * document without rules restricts nothing.
 *
 * The v1 controller can't hold a list of rules, only a default and exceptions from it
 * (admin-guide/cgroup-v1/devices.rst), and silently ignores what it can't express. So the rules
 * are played through here, and what v1 can't say is refused.
 *
 * Invariants
 *  1. Nothing here touches anything but memory.
 *  2. cg_dev_for_v1 says yes only when v1's own matching gives the same answers.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <string.h>

/* mknod of anything (opening is another question), and the devices that have to be there. */
static const struct cg_dev defaults[] = {
	{true, 'c', CG_DEV_ANY, CG_DEV_ANY, CG_DEV_M},
	{true, 'b', CG_DEV_ANY, CG_DEV_ANY, CG_DEV_M},
	{true, 'c', 1, 3, CG_DEV_ALL},            /* null */
	{true, 'c', 1, 5, CG_DEV_ALL},            /* zero */
	{true, 'c', 1, 7, CG_DEV_ALL},            /* full */
	{true, 'c', 1, 8, CG_DEV_ALL},            /* random */
	{true, 'c', 1, 9, CG_DEV_ALL},            /* urandom */
	{true, 'c', 5, 0, CG_DEV_ALL},            /* tty */
	{true, 'c', 5, 1, CG_DEV_ALL},            /* console */
	{true, 'c', 5, 2, CG_DEV_ALL},            /* ptmx */
	{true, 'c', 136, CG_DEV_ANY, CG_DEV_ALL}, /* pts/N */
};
#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static int rule_error(struct arena *a, const struct cg_ask *ask, size_t i, enum err_kind kind,
		      struct err *e, const char *text)
{
	const char *pointer = arena_printf(a, "%s/devices/%zu", ask->prefix, i);

	return err_set(e, kind, kind == ERR_SPEC ? EINVAL : EOPNOTSUPP, pointer ? pointer : "",
		       "%s", text);
}

/* -1 where a character is no access. */
static int parse_access(const char *s)
{
	static const char letters[] = "mrw";
	int bits = 0;

	if (!s || !*s)
		return CG_DEV_ALL;
	for (; *s; s++) {
		const char *at = strchr(letters, *s);
		if (!at)
			return -1;
		bits |= 1 << (at - letters);
	}
	return bits;
}

static bool parse_number(const struct opt_i64 *n, int64_t *ret)
{
	*ret = n->set && n->v != -1 ? n->v : CG_DEV_ANY;
	return *ret >= -1 && *ret <= UINT32_MAX;
}

static const char *parse_rule(const struct spec_device_rule *r, struct cg_dev *d)
{
	const char *type = r->type && *r->type ? r->type : "a";
	int access = parse_access(r->access);

	if (type[1] || !strchr("abcu", *type))
		return "type must be \"a\", \"b\" or \"c\"";
	if (access < 0)
		return "access must be made of \"r\", \"w\" and \"m\"";
	if (!parse_number(&r->major, &d->major) || !parse_number(&r->minor, &d->minor))
		return "device numbers must be between 0 and 4294967295";
	d->allow = r->allow;
	d->type = *type == 'u' ? 'c' : *type;
	d->access = (unsigned)access;
	return NULL;
}

int cg_dev_rules(struct arena *a, const struct cg_ask *ask, struct cg_dev **ret_rules,
		 size_t *ret_n, struct err *e)
{
	size_t n = ask->r->devices.n;
	struct cg_dev *rules = arena_array(a, n + N_DEFAULTS, sizeof(*rules));

	if (!rules)
		return err_sys(e, ENOMEM, "", "reading device rules");
	for (size_t i = 0; i < n; i++) {
		const char *wrong = parse_rule(&ask->r->devices.items[i], &rules[i]);
		if (wrong)
			return rule_error(a, ask, i, ERR_SPEC, e, wrong);
	}
	memcpy(rules + n, defaults, sizeof(defaults));
	*ret_rules = rules;
	*ret_n = n + N_DEFAULTS;
	return 0;
}

/* --- v1 --- */

static bool same_device(const struct cg_dev *x, const struct cg_dev *y)
{
	return x->type == y->type && x->major == y->major && x->minor == y->minor;
}

static bool covers(const struct cg_dev *wide, const struct cg_dev *narrow)
{
	return wide->type == narrow->type &&
	       (wide->major == CG_DEV_ANY || wide->major == narrow->major) &&
	       (wide->minor == CG_DEV_ANY || wide->minor == narrow->minor);
}

static bool overlaps(const struct cg_dev *x, const struct cg_dev *y)
{
	return x->type == y->type &&
	       (x->major == CG_DEV_ANY || y->major == CG_DEV_ANY || x->major == y->major) &&
	       (x->minor == CG_DEV_ANY || y->minor == CG_DEV_ANY || x->minor == y->minor);
}

static void drop_empty(struct cg_dev_v1 *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].access)
			v->items[kept++] = v->items[i];
	v->n = kept;
}

/* A rule that agrees with the default takes back exceptions; it can't be cut out of a wider one. */
static bool take_back(struct cg_dev_v1 *v, const struct cg_dev *d)
{
	for (size_t i = 0; i < v->n; i++) {
		struct cg_dev *x = &v->items[i];
		if (covers(d, x))
			x->access &= ~d->access;
		else if (overlaps(d, x) && (x->access & d->access))
			return false;
	}
	drop_empty(v);
	return true;
}

static void add_exception(struct cg_dev_v1 *v, const struct cg_dev *d)
{
	for (size_t i = 0; i < v->n; i++)
		if (same_device(&v->items[i], d)) {
			v->items[i].access |= d->access;
			return;
		}
	v->items[v->n++] = *d;
}

static bool play_one(struct cg_dev_v1 *v, const struct cg_dev *d)
{
	if (d->allow == v->allow_all)
		return take_back(v, d);
	add_exception(v, d);
	return true;
}

static bool play(struct cg_dev_v1 *v, const struct cg_dev *d)
{
	if (d->type != 'a')
		return play_one(v, d);
	if (d->major == CG_DEV_ANY && d->minor == CG_DEV_ANY && d->access == CG_DEV_ALL) {
		v->allow_all = d->allow;
		v->n = 0;
		return true;
	}
	/* v1 takes "a" for everything, whatever the rest says: the two types one by one. */
	struct cg_dev c = *d, b = *d;
	c.type = 'c';
	b.type = 'b';
	return play_one(v, &c) && play_one(v, &b);
}

int cg_dev_for_v1(struct arena *a, const struct cg_ask *ask, const struct cg_dev *rules, size_t n,
		  struct cg_dev_v1 *ret, struct err *e)
{
	struct cg_dev_v1 v = {.items = arena_array(a, 2 * n + 1, sizeof(*v.items))};

	if (!v.items)
		return err_sys(e, ENOMEM, "", "reading device rules");
	for (size_t i = 0; i < n; i++)
		if (!play(&v, &rules[i]))
			return rule_error(
				a, ask, i, ERR_UNSUPPORTED, e,
				"makes an exception from a wider rule before it, which the "
				"v1 devices controller can't express");
	*ret = v;
	return 0;
}
