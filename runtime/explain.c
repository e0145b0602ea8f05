/* runtime/explain.c: the plan of a create, without its effects. */
#include "runtime/container.h"

int rt_explain(const struct rt_env *env, const struct rt_create *how, struct arena *a,
	       struct plan *ret_plan, struct err *e)
{
	auto_container c;
	struct plan p = {.arena = a};

	rt_init(&c, env, how->id ? how->id : "explain");
	c.arena = a; /* the steps point into the spec */
	int rc = rt_prepare(&c, how, e);
	if (rc == 0)
		rc = c.ops->plan(&c, &p, e);
	if (rc == 0)
		*ret_plan = p;
	return rc;
}
