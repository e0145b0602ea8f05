/* runtime/lint.c: what a specification says, held against the spec, this host, and good sense. */
#include "runtime/container.h"

#include <errno.h>

/* An error that a create would end with, as a finding. `where` is a position and a pointer. */
static int as_finding(struct spec_findings *f, const struct err *e)
{
	struct spec_finding form = {.severity = SPEC_ERROR,
				    .rule = e->kind == ERR_SPEC ? "invalid" : "not-here",
				    .pointer = e->where};

	return spec_finding_add(f, &form, "%s", e->text);
}

int rt_lint(const struct rt_env *env, const struct rt_create *how, struct spec_findings *f,
	    struct err *e)
{
	auto_container c;
	struct err found = {0};

	rt_init(&c, env, how->id ? how->id : "lint");
	c.arena = f->arena; /* the findings may point into the spec */
	int rc = rt_prepare(&c, how, &found);
	/* Without a document there is nothing to hold against anything. */
	if (rc < 0 && !c.config) {
		*e = found;
		return rc;
	}
	if (rc < 0 && as_finding(f, &found) < 0)
		return err_sys(e, ENOMEM, NULL, "collecting findings");
	return c.spec ? spec_lint(c.spec, f, e) : 0;
}
