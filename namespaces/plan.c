/* namespaces/plan.c: N1: the steps of this room, in their order. What it refuses: accept.c. */
#include "namespaces/internal.h"

/* What clone3 and setns do by themselves: described for `explain`, run by nobody. */
static int plan_namespaces(struct plan *p, const struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->linux_.namespaces.n; i++) {
		const struct spec_namespace *n = &s->linux_.namespaces.items[i];
		struct plan_step step = {
			.stage = PLAN_NAMESPACE,
			.room = PLAN_NS,
			.what = n->path ? "join" : "new",
			.pointer = arena_printf(p->arena, "/linux/namespaces/%zu", i),
			.detail = arena_printf(p->arena, "%s namespace%s%s", spec_ns_word(n->type),
					       n->path ? " " : "", n->path ? n->path : "")};
		int rc = plan_add(p, &step, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int plan_maps(struct plan *p, const struct spec *s, struct err *e)
{
	const struct spec_namespace *user = spec_find_ns(s, SPEC_NS_USER);
	struct plan_step step = {.stage = PLAN_ATTACH,
				 .room = PLAN_NS,
				 .what = "map",
				 .pointer = "/linux/uidMappings",
				 .detail = "user and group ids"};

	return user && !user->path ? plan_add(p, &step, e) : 0;
}

int ns_plan(struct plan *p, const struct spec *s, const char *rootfs, const char *bundle,
	    struct err *e)
{
	int rc = plan_namespaces(p, s, e);

	if (rc >= 0)
		rc = plan_maps(p, s, e);
	if (rc >= 0)
		rc = ns_plan_root(p, s, rootfs, e);
	if (rc >= 0)
		rc = ns_plan_mounts(p, s, bundle, e);
	if (rc >= 0)
		rc = ns_plan_devices(p, s, e);
	if (rc >= 0)
		rc = ns_plan_kernel(p, s, e);
	if (rc >= 0)
		rc = ns_plan_masks(p, s, e);
	if (rc >= 0)
		rc = ns_plan_cwd(p, s, e);
	if (rc >= 0)
		rc = ns_plan_root_end(p, s, e);
	if (rc >= 0)
		rc = ns_plan_process(p, s, e);
	return rc;
}
