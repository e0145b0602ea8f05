/* runtime/delete.c: from whatever is there to nothing. Undoing is the backend's, through the
 * journal; it may be repeated after a crash at any point. */
#include "runtime/container.h"

#include <errno.h>
#include <unistd.h>

int rt_destroy(struct rt_container *c, struct err *e)
{
	int rc = c->ops->destroy(c, e);

	if (rc < 0)
		return rc;
	/* The document goes with the directory: after a crash from here on, hooks run again. */
	if (c->doc.poststop && c->doc.pid > 0)
		rt_hooks_poststop(c);
	rc = st_remove(c->root, c->id, c->dir, e);
	c->destroyed = rc == 0;
	return rc;
}

int rt_unwind(struct rt_container *c, int rc)
{
	struct err second;

	if (!c->destroyed && rt_destroy(c, &second) < 0 && c->env->warn)
		c->env->warn(c->env->warn_arg, &second);
	if (c->pid_written)
		(void)unlink(c->pid_file);
	return rc;
}

int rt_delete(const struct rt_env *env, const char *id, bool force, struct err *e)
{
	auto_container c;
	enum rt_status status = RT_STOPPED;
	unsigned flags = RT_OPEN_LOCK | RT_OPEN_PARTIAL | (force ? RT_OPEN_FORCE : 0);
	int rc = rt_open(&c, env, id, flags, e);

	if (rc == -ENOENT && e->kind == ERR_NOTFOUND && force)
		return 0;
	if (rc < 0)
		return rc;
	if (!force) {
		rc = rt_status(&c, &status, e);
		if (rc == 0)
			rc = rt_allow(id, status, RT_EV_DELETE, e);
	}
	return rc < 0 ? rc : rt_destroy(&c, e);
}
