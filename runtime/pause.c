/* runtime/pause.c: stops and thaws all processes of a container. The mark in state.json is set
 * before and cleared after: it says where status has to look, not what is. */
#include "runtime/container.h"

#include <errno.h>

static int mark(struct rt_container *c, bool paused, struct err *e)
{
	if (c->doc.paused == paused)
		return 0;
	c->doc.paused = paused;
	return rt_save_doc(c, e);
}

int rt_pause(const struct rt_env *env, const char *id, bool pause, struct err *e)
{
	auto_container c;
	enum rt_status status;
	int rc = rt_open_for(&c, env, id, RT_OPEN_LOCK, pause ? RT_EV_PAUSE : RT_EV_RESUME, &status,
			     e);

	if (rc == 0 && pause)
		rc = mark(&c, true, e);
	if (rc < 0)
		return rc;
	rc = c.ops->pause(&c, pause, e);
	/* A pause that came to nothing leaves no mark either. */
	struct err ignored = {0}, *into = rc < 0 ? &ignored : e;
	if ((rc < 0) == pause) {
		int sub = mark(&c, false, into);
		rc = rc < 0 ? rc : sub;
	}
	return rc;
}
