/* runtime/run.c: create and start in one; in the foreground also wait and delete. */
#include "common/sync.h"
#include "runtime/container.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

struct run {
	struct rt_container c; /* first: `born` finds the rest by it */
	const struct rt_create *how;
	int notify;  /* from rt_sdnotify_bind */
	int signals; /* signalfd of those that the program is to get */
};

static int start_one_shot(struct rt_container *c, struct err *e)
{
	int rc = rt_start_open(c, e);

	if (rc == 0)
		return 0;
	struct err ignored;
	if (!c->destroyed && rt_relock(c, &ignored) == 0)
		rt_unwind(c, rc);
	return rc;
}

static int finish(struct rt_container *c, struct err *e)
{
	int rc = rt_relock(c, e);

	if (rc == -ENOENT) /* somebody deleted it when it had ended */
		return 0;
	return rc < 0 ? rc : rt_destroy(c, e);
}

/* A process that stands for one elsewhere may end without its status, and says why. */
static void last_words(struct rt_container *c)
{
	struct pollfd p = {.fd = c->proc.sync, .events = POLLIN};
	struct sync_msg m;
	struct err ignored;

	if (c->proc.sync >= 0 && c->env->warn && poll(&p, 1, 0) == 1 &&
	    sync_recv(c->proc.sync, &m, NULL, &ignored) > 0 && m.type == SYNC_ERROR)
		c->env->warn(c->env->warn_arg, &m.err);
}

int rt_wait_and_delete(struct rt_container *c, bool keep, int signals, int notify, struct err *e)
{
	const struct spec_process *p = &c->spec->process;
	struct rt_foreground f = {
		.pidfd = c->proc.pidfd,
		.pid = c->proc.pid,
		.master = c->proc.master,
		.notify = notify,
		.signals = signals,
		.size_set = p->console_height.set && p->console_width.set,
	};
	int code = rt_foreground(&f, e);
	c->proc.ended = code >= 0;
	last_words(c);

	if (keep)
		return code;
	struct err other;
	int rc = finish(c, code < 0 ? &other : e);
	return code < 0 ? code : rc < 0 ? rc : code;
}

/* In a pid namespace of its own the container's first process gets them. */
int rt_adopt_orphans(const struct spec *s, struct err *e)
{
	const struct spec_namespace *pid = spec_find_ns(s, SPEC_NS_PID);

	if ((!pid || pid->path) && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, NULL, "becoming the reaper of orphans");
	return 0;
}

/* Signals are held after the clone, for the program must not inherit that, and before the START:
 * from then on it gets them. */
static int born(struct rt_container *c, struct err *e)
{
	struct run *r = (struct run *)c;
	int rc = 0;

	if (!r->how->detach && !r->how->no_subreaper)
		rc = rt_adopt_orphans(c->spec, e);
	if (rc == 0 && !r->how->detach)
		rc = rt_signals_hold(&r->signals, e);
	if (rc == 0)
		rc = rt_sdnotify_bind(c, &r->notify, e);
	return rc < 0 ? rc : rt_commit(c, e);
}

static int run(struct run *r, struct err *e)
{
	int rc = rt_make(&r->c, r->how, e);

	if (rc == 0)
		rc = start_one_shot(&r->c, e);
	if (rc < 0)
		return rc;
	return r->how->detach ? rt_sdnotify_wait(&r->c, r->notify, e)
			      : rt_wait_and_delete(&r->c, r->how->keep, r->signals, r->notify, e);
}

int rt_run(const struct rt_env *env, const struct rt_create *how, struct err *e)
{
	struct run r = {.how = how, .notify = -1, .signals = -1};

	rt_init(&r.c, env, how->id);
	r.c.one_shot = true;
	r.c.born = born;
	int rc = run(&r, e);
	rt_close(&r.c);
	fd_cleanup(&r.signals);
	fd_cleanup(&r.notify);
	return rc;
}
