/* runtime/update.c: new limits for a container that lives. */
#include "runtime/container.h"

int rt_update(const struct rt_env *env, const char *id, const struct spec_resources *r,
	      const struct spec_intel_rdt *rdt, struct err *e)
{
	auto_container c;
	enum rt_status status;
	int rc = rt_open_for(&c, env, id, RT_OPEN_LOCK, RT_EV_UPDATE, &status, e);

	if (rc == 0 && rdt)
		rc = rt_load_spec(&c, e);
	return rc < 0 ? rc : c.ops->update(&c, r, rdt, e);
}
