/* common/plan.c: see plan.h. */
#include "common/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int plan_add(struct plan *p, const struct plan_step *s, struct err *e)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct plan_step *steps = arena_array(p->arena, cap, sizeof(*steps));
		if (!steps)
			return err_sys(e, ENOMEM, s->pointer, "planning %s", s->what);
		if (p->n)
			memcpy(steps, p->steps, p->n * sizeof(*steps));
		p->steps = steps;
		p->cap = cap;
	}
	p->steps[p->n++] = *s;
	return 0;
}

static int run_step(const struct plan_step *s, const struct plan_env *env, struct err *e)
{
	int rc = 0;

	if (s->undo && env->journal)
		rc = env->journal(env->journal_arg, s->undo, e);
	if (rc >= 0)
		rc = s->run(s, env->room[s->room], e);
	if (rc >= 0)
		return 0;
	if (s->pointer && s->pointer[0] && !e->where[0])
		snprintf(e->where, sizeof(e->where), "%s", s->pointer);
	return err_wrap(e, rc, "%s%s%s", s->what, s->detail ? " " : "", s->detail ? s->detail : "");
}

int plan_run(const struct plan *p, enum plan_stage stage, const struct plan_env *env, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->steps[i].stage != stage || !p->steps[i].run)
			continue;
		int rc = run_step(&p->steps[i], env, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const char *plan_stage_name(enum plan_stage stage)
{
	static const char *const names[PLAN_STAGES] = {"prepare", "namespace", "attach", "enter",
						       "build",   "root",      "process"};

	return (unsigned)stage < PLAN_STAGES ? names[stage] : "unknown";
}
