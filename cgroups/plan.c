/* cgroups/plan.c: what the spec asks of the group, refused or turned into steps.
 *
 * Invariants
 *  1. cg_accept and cg_plan come from the same lists: what is accepted is what is planned.
 *  2. The step that makes the group carries the undo record and comes after the one that
 *     refuses a group in use.
 *  3. Device rules come last of the values: they don't influence writing the others.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESOURCES "/linux/resources"

/* Device rules ready to be applied: to a v1 directory, or as a program. */
struct devices {
	int hier; /* -1: nothing to apply */
	struct cg_dev_v1 v1;
	struct bpf_insn *code;
	size_t code_len;
	const char *pointer;
};

struct chain {
	const struct cg_value *v;
	size_t n;
};

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, "", "planning the control group");
}

/* --- devices --- */

static int devices_hierarchy(const struct cg_layout *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (cg_list_has(l->items[i].controllers, "devices"))
			return (int)i;
	return cg_v2_index(l);
}

static int devices_prepare(struct arena *a, const struct cg_layout *l, const struct cg_ask *ask,
			   struct devices *ret, struct err *e)
{
	struct devices d = {.hier = -1};
	struct cg_dev *rules;
	size_t n;

	*ret = d;
	/* A spec without rules gets the default devices and no others; an update without, no
	 * change. An unprivileged caller can make no device: where rules can't be applied either,
	 * nothing is lost. */
	bool implied = ask->r->devices.n == 0;
	d.hier = implied && ask->update ? -1 : devices_hierarchy(l);
	if ((implied || ask->rootless) && d.hier < 0)
		return 0;
	d.pointer = implied ? "" : arena_printf(a, "%s/devices", ask->prefix);
	if (!d.pointer)
		return no_memory(e);
	if (d.hier < 0)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, d.pointer,
			       "needs the cgroup controller \"devices\" or a cgroup v2 hierarchy, "
			       "which this host does not have");
	int rc = cg_dev_rules(a, ask, &rules, &n, e);
	if (rc == 0)
		rc = l->items[d.hier].v2 ? cg_bpf_build(a, rules, n, &d.code, &d.code_len, e)
					 : cg_dev_for_v1(a, ask, rules, n, &d.v1, e);
	if (rc == 0)
		*ret = d;
	return rc;
}

static int devices_apply(struct cg_group *g, const struct devices *d, struct err *e)
{
	struct cg_full *f = cg_full_of(g);

	/* Without privileges there is neither mknod nor this right: nothing is lost. */
	if (d->hier < 0 || f->is_void[d->hier])
		return 0;
	int rc = d->code ? cg_bpf_apply(g->v2_fd, f->v2_new, d->code, d->code_len, d->pointer, e)
			 : cg_dev_v1_apply(f->dirs[d->hier], &d->v1, d->pointer, e);
	if (g->delegated_only && (rc == -EPERM || rc == -EACCES)) {
		err_clear(e);
		return 0;
	}
	return rc;
}

/* --- accept --- */

/* ociVersion 1.3 gave pids.limit 0 a meaning of its own. */
static bool counts_zero_pids(const char *version)
{
	char *end;
	unsigned long major = version ? strtoul(version, &end, 10) : 0;
	unsigned long minor = major && *end == '.' ? strtoul(end + 1, &end, 10) : 0;

	return major > 1 || (major == 1 && minor >= 3);
}

static struct cg_ask ask_of(const struct spec *s, bool rootless)
{
	return (struct cg_ask){.r = &s->linux_.resources,
			       .prefix = RESOURCES,
			       .rootless = rootless,
			       .pids_zero = counts_zero_pids(s->oci_version)};
}

int cg_accept(const struct cg_layout *l, const struct spec *s, bool rootless, struct err *e)
{
	auto_arena a = {0};
	struct cg_ask ask = ask_of(s, rootless);
	struct cg_values values;
	struct devices d = {.hier = -1};

	if (!s->linux_.set || !s->linux_.resources.set)
		return 0;
	int rc = cg_values_build(&a, l, &ask, &values, e);
	return rc < 0 ? rc : devices_prepare(&a, l, &ask, &d, e);
}

int cg_accept_none(const struct cg_layout *l, const struct spec *s, struct err *e)
{
	auto_arena a = {0};
	struct cg_ask ask = ask_of(s, true);
	struct cg_values values = {0};

	if (!s->linux_.set || !s->linux_.resources.set)
		return 0;
	int rc = cg_values_build(&a, l, &ask, &values, e);
	if (rc == 0 && values.n)
		rc = err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, values.items[0].pointer,
			     "needs a control group, and --cgroup-manager=disabled makes none");
	return rc;
}

/* --- steps --- */

static struct cg_group *group_of(void *ctx)
{
	return ((struct cg_run *)ctx)->group;
}

static int run_check(const struct plan_step *s, void *ctx, struct err *e)
{
	(void)s;
	return cg_group_check_free(group_of(ctx), e);
}

/* What systemd is told at once; from the same lists that the steps after it come from. */
struct unit_arg {
	struct cg_values values;
	struct devices devices;
};

static int run_unit(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct unit_arg *u = s->arg;
	const struct cg_run *run = ctx;
	bool v1 = u->devices.hier >= 0 && !u->devices.code;

	return cg_unit_make(run->group, run->pid, &u->values, v1 ? &u->devices.v1 : NULL, e);
}

/* The process before the controllers: a group of v2 that has processes hands none down. */
static int run_make_in_unit(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct cg_run *run = ctx;
	struct cg_group *g = run->group;

	int rc = cg_group_make(g, e);
	/* systemd's own program stays; ours comes beside it. */
	cg_full_of(g)->v2_new = true;
	if (rc == 0)
		rc = cg_attach(g, run->pid, NULL, e);
	return rc < 0 ? rc : cg_unit_hand_down(g, s->pointer, e);
}

static int run_make(const struct plan_step *s, void *ctx, struct err *e)
{
	int rc = cg_group_make(group_of(ctx), e);

	return rc < 0 ? rc : cg_group_enable(group_of(ctx), "", s->pointer, e);
}

static int run_chain(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct chain *c = s->arg;

	return cg_apply(group_of(ctx), c->v, c->n, e);
}

static int run_devices(const struct plan_step *s, void *ctx, struct err *e)
{
	return devices_apply(group_of(ctx), s->arg, e);
}

static int run_enter(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct cg_run *run = ctx;

	(void)s;
	return cg_enter(run->group, run->born_in_v2, e);
}

static int step(struct plan *p, enum plan_stage stage, const char *pointer, const char *detail,
		const char *undo, int (*run)(const struct plan_step *, void *, struct err *),
		const void *arg, struct err *e)
{
	struct plan_step s = {.stage = stage,
			      .room = PLAN_CG,
			      .what = "cgroup",
			      .pointer = pointer,
			      .detail = detail,
			      .undo = undo,
			      .run = run,
			      .arg = arg};

	return detail ? plan_add(p, &s, e) : no_memory(e);
}

/* A unit needs its first process. */
static enum plan_stage stage_of(struct cg_group *g)
{
	return cg_full_of(g)->unit ? PLAN_ATTACH : PLAN_PREPARE;
}

static int plan_unit(struct plan *p, struct cg_group *g, const struct cg_ask *ask,
		     const char *pointer, struct err *e)
{
	const struct cg_unit *unit = cg_full_of(g)->unit;
	struct unit_arg *arg = unit ? arena_alloc(p->arena, sizeof(*arg)) : NULL;
	const char *undo = NULL;

	if (!unit)
		return 0;
	if (cg_unit_ours(unit))
		undo = arena_printf(p->arena, "unit %s", g->unit);
	if (!arg || (cg_unit_ours(unit) && !undo))
		return no_memory(e);
	int rc = cg_values_build(p->arena, g->layout, ask, &arg->values, e);
	if (rc == 0)
		rc = devices_prepare(p->arena, g->layout, ask, &arg->devices, e);
	return rc < 0 ? rc
		      : step(p, PLAN_ATTACH, pointer, cg_unit_detail(p->arena, unit), undo,
			     run_unit, arg, e);
}

static int plan_group(struct plan *p, struct cg_group *g, const struct cg_ask *ask,
		      const char *pointer, struct err *e)
{
	enum plan_stage stage = stage_of(g);
	char *undo = arena_printf(p->arena, "cgroup %s", g->path);

	if (!undo)
		return no_memory(e);
	int rc = step(p, PLAN_PREPARE, pointer,
		      arena_printf(p->arena, "no process in %s yet", g->path), NULL, run_check,
		      NULL, e);
	if (rc == 0)
		rc = plan_unit(p, g, ask, pointer, e);
	if (rc < 0)
		return rc;
	return step(p, stage, pointer,
		    arena_printf(p->arena, "make group %s in %zu %s (%s)", g->path, g->layout->n,
				 g->layout->n == 1 ? "hierarchy" : "hierarchies",
				 cg_mode_word(g->layout->mode)),
		    undo, stage == PLAN_ATTACH ? run_make_in_unit : run_make, NULL, e);
}

static const char *chain_detail(struct arena *a, const struct cg_layout *l, const struct chain *c)
{
	const char *text = "";

	for (size_t i = 0; text && i < c->n; i++)
		text = arena_printf(a, "%s%s%s/…/%s = %s", text, i ? ", " : "",
				    l->items[c->v[i].hier].mountpoint, c->v[i].file, c->v[i].data);
	return text;
}

static int plan_values(struct plan *p, struct cg_group *g, const struct cg_ask *ask, struct err *e)
{
	struct cg_values values;

	int rc = cg_values_build(p->arena, g->layout, ask, &values, e);
	for (size_t i = 0, n; rc == 0 && i < values.n; i += n) {
		n = cg_chain_len(&values, i);
		struct chain *c = arena_alloc(p->arena, sizeof(*c));
		if (!c)
			return no_memory(e);
		*c = (struct chain){&values.items[i], n};
		rc = step(p, stage_of(g), c->v->pointer, chain_detail(p->arena, g->layout, c), NULL,
			  run_chain, c, e);
	}
	return rc;
}

static int plan_devices(struct plan *p, struct cg_group *g, const struct cg_ask *ask, struct err *e)
{
	struct devices *d = arena_alloc(p->arena, sizeof(*d));

	if (!d)
		return no_memory(e);
	int rc = devices_prepare(p->arena, g->layout, ask, d, e);
	if (rc < 0 || d->hier < 0)
		return rc;
	return step(
		p, stage_of(g), d->pointer,
		d->code ? arena_printf(p->arena, "device program of %zu instructions", d->code_len)
			: arena_printf(p->arena, "%s all devices, %zu exceptions",
				       d->v1.allow_all ? "allow" : "deny", d->v1.n),
		NULL, run_devices, d, e);
}

/* What an unprivileged caller may not limit is refused before anything is made. */
static int refuse_void(struct arena *a, struct cg_group *g, const struct cg_ask *ask, struct err *e)
{
	struct cg_values values;

	int rc = cg_values_build(a, g->layout, ask, &values, e);
	for (size_t i = 0; rc == 0 && i < values.n; i++) {
		const struct cg_value *v = &values.items[i];
		if (cg_full_of(g)->is_void[v->hier] && !v->neutral)
			return err_set(e, ERR_UNSUPPORTED, EPERM, v->pointer,
				       "can't be limited: in %s no control group is this user's to "
				       "make; have one delegated to him (cgroups(7)), or leave the "
				       "limit out",
				       g->layout->items[v->hier].mountpoint);
	}
	return rc;
}

int cg_plan(struct plan *p, struct cg_group *g, const struct spec *s, struct err *e)
{
	struct cg_ask ask = ask_of(s, g->delegated_only);
	const char *pointer = s->linux_.cgroups_path ? "/linux/cgroupsPath" : "";

	int rc = s->linux_.resources.set ? refuse_void(p->arena, g, &ask, e) : 0;
	if (rc < 0 || cg_group_none(g))
		return rc;
	rc = plan_group(p, g, &ask, pointer, e);
	if (rc == 0 && s->linux_.resources.set)
		rc = plan_values(p, g, &ask, e);
	if (rc == 0)
		rc = plan_devices(p, g, &ask, e);
	if (rc == 0 && !cg_full_of(g)->unit)
		rc = step(p, PLAN_ENTER, pointer, "enter the group", NULL, run_enter, NULL, e);
	return rc;
}

/* --- update --- */

/* v1 refuses a limit below the present usage by itself; v2 would kill. */
static int check_usage(struct cg_group *g, const struct spec_resources *r, struct err *e)
{
	const struct spec_memory *m = &r->memory;
	struct cg_hierarchy *h = cg_find(g->layout, "memory");
	char buf[64];
	uint64_t usage;

	if (!m->check_before_update.set || !m->check_before_update.v || !m->limit.set ||
	    m->limit.v <= 0 || !h || !h->v2)
		return 0;
	const char *dir = cg_full_of(g)->dirs[h - g->layout->items];
	long n = cg_read(dir, "memory.current", buf, sizeof(buf));
	if (n < 0)
		return err_sys(e, (int)-n, "/memory/checkBeforeUpdate", "reading %s/memory.current",
			       dir);
	if (str_to_u64(buf, &usage) && usage > (uint64_t)m->limit.v)
		return err_set(e, ERR_STATE, EBUSY, "/memory/limit",
			       "%lld is below the present usage of %s bytes", (long long)m->limit.v,
			       buf);
	return 0;
}

/* Everything, or what stood there again. */
static int apply_all(struct cg_group *g, const struct cg_values *values, const struct devices *d,
		     const struct cg_before *before, struct err *e)
{
	int rc = 0;

	for (size_t i = 0, n; rc == 0 && i < values->n; i += n) {
		n = cg_chain_len(values, i);
		rc = cg_apply(g, &values->items[i], n, e);
	}
	/* After the kernel agreed. */
	if (rc == 0 && g->unit)
		rc = cg_unit_update(g, values, e);
	if (rc == 0)
		rc = devices_apply(g, d, e);
	if (rc < 0)
		cg_update_undo(g, before);
	return rc;
}

int cg_update_keep(struct cg_group *g, const struct spec_resources *r, struct arena *a,
		   struct cg_before **ret_before, struct err *e)
{
	struct cg_ask ask = {.r = r, .prefix = "", .update = true};
	struct cg_before *before = NULL;
	struct cg_values values;
	struct devices d = {.hier = -1};

	int rc = cg_values_build(a, g->layout, &ask, &values, e);
	if (rc == 0)
		rc = devices_prepare(a, g->layout, &ask, &d, e);
	if (rc == 0)
		rc = check_usage(g, r, e);
	if (rc == 0)
		rc = cg_before_read(a, g, &values, &before, e);
	if (rc == 0)
		rc = apply_all(g, &values, &d, before, e);
	if (rc == 0)
		*ret_before = before;
	return rc;
}

int cg_update(struct cg_group *g, const struct spec_resources *r, struct err *e)
{
	auto_arena a = {0};
	struct cg_before *ignored;

	return cg_update_keep(g, r, &a, &ignored, e);
}
