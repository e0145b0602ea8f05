/* runtime/start.c: runs the program of a created container. */
#include "runtime/container.h"

#include <errno.h>

/* Runs without the lock, so that a hook may use the runtime on its container. */
static int poststart(struct rt_container *c, struct err *e)
{
	const struct rt_hook_place host = rt_hook_host(c);
	auto_strbuf state = {0};
	int rc = rt_load_spec(c, e);

	if (rc == 0)
		rc = rt_hook_files(c, e);
	if (rc < 0)
		return rc;
	rt_hook_state(c, RT_RUNNING, c->doc.pid, &state);
	rc = rt_hooks(&c->spec->hooks.poststart, "poststart", &state, &host, e);
	if (rc < 0) {
		struct err ignored;
		if (rt_relock(c, &ignored) == 0)
			rt_unwind(c, rc);
	}
	return rc;
}

/* A failing hook ends the container (runtime.md, lifecycle); a program that can't be executed
 * leaves it stopped, for its creator to delete. */
int rt_start_open(struct rt_container *c, struct err *e)
{
	int rc = c->ops->start(c, e);

	if (rc < 0 && e->kind == ERR_HOOK)
		return rt_unwind(c, rc);
	if (rc < 0)
		return rc;
	rt_unlock(c);
	return c->doc.poststart ? poststart(c, e) : 0;
}

int rt_start(const struct rt_env *env, const char *id, struct err *e)
{
	auto_container c;
	auto_fd notify = -1;
	enum rt_status status;
	int rc = rt_open_for(&c, env, id, RT_OPEN_LOCK, RT_EV_START, &status, e);

	if (rc == 0)
		rc = rt_sdnotify_bind(&c, &notify, e);
	if (rc == 0)
		rc = rt_start_open(&c, e);
	return rc < 0 ? rc : rt_sdnotify_wait(&c, notify, e);
}
