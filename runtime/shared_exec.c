/* runtime/shared_exec.c: one more process in a shared-kernel container. It needs no journal: what
 * it leaves behind is in the container's group or its pid namespace. */
#include "common/sync.h"
#include "runtime/shared.h"

#include <errno.h>

struct joiner {
	struct rt_container *c;
	const char **subs;
	const struct rt_exec *how;
	struct ns_exec x;
	struct ns_child child;
	int master;
};

static int attach(struct joiner *j, struct err *e)
{
	if (!j->x.wait_go)
		return 0;
	int rc = j->c->group ? cg_attach(j->c->group, j->child.pid, j->subs, e) : 0;
	if (rc >= 0)
		rc = be_shared_join_resctrl(j->c, j->child.pid, e);
	return rc < 0 ? rc : sync_send(j->child.sync, SYNC_GO, 0, -1, e);
}

/* Until the end of file, which the program's execve makes. */
static int until_running(struct joiner *j, struct err *e)
{
	for (;;) {
		struct sync_msg m;
		auto_fd fd = -1;
		int rc = sync_recv(j->child.sync, &m, &fd, e);
		if (rc <= 0)
			return rc;
		if (m.type == SYNC_ERROR) {
			*e = m.err;
			return -e->code;
		}
		if (m.type == SYNC_LISTENER) {
			rc = rt_notify(j->c, RT_RUNNING, j->child.pid, fd, j->child.sync, e);
			if (rc < 0)
				return rc;
			continue;
		}
		if (m.type != SYNC_CONSOLE || fd < 0 || j->master >= 0)
			return err_set(e, ERR_INTERNAL, EPROTO, NULL,
				       "unexpected message %u from the joining process", m.type);
		j->master = take_fd(&fd);
	}
}

static int enter(void *arg, struct err *e)
{
	struct cg_group *g = arg;

	return cg_enter(g, g->v2_fd >= 0, e);
}

/* A process without a group of its own is born where its caller is. */
static int choose_group(struct joiner *j, struct err *e)
{
	struct rt_container *c = j->c;

	/* A class of service isn't inherited from anybody in the container. */
	j->x.wait_go = c->spec->linux_.intel_rdt.set;
	if (!c->doc.cgroup && !j->how->n_cgroups)
		return 0;
	int rc = rt_load_group(c, e);
	if (rc < 0)
		return rc;
	c->group->delegated_only = rt_is_rootless(c->env);
	/* Where only systemd can put it, it waits until it is there. */
	j->x.wait_go = j->x.wait_go || j->how->n_cgroups > 0 ||
		       (c->group->unit && c->group->delegated_only);
	if (j->x.wait_go)
		return cg_subs(c->arena, c->group, j->how->cgroups, j->how->n_cgroups, &j->subs, e);
	j->x.cgroup_fd = c->group->v2_fd;
	j->x.enter = cg_born_inside(c->group) ? NULL : enter;
	j->x.enter_arg = c->group;
	return 0;
}

static int run(struct joiner *j, struct err *e)
{
	int rc = ns_exec_spawn(&j->x, &j->child, e);
	struct err ignored;

	if (rc < 0)
		return rc;
	rc = attach(j, e);
	if (rc >= 0)
		rc = until_running(j, e);
	fd_close(&j->child.sync);
	if (rc >= 0)
		return 0;
	(void)rt_end(j->child.pidfd, true, &ignored);
	fd_close(&j->child.pidfd);
	fd_cleanup(&j->master);
	return rc;
}

int be_shared_exec(struct rt_container *c, const struct rt_exec *how, pid_t *ret_pid,
		   int *ret_pidfd, int *ret_master, struct err *e)
{
	auto_fd console = -1, init = -1;
	struct joiner j = {.c = c, .how = how, .master = -1};
	int rc = rt_pidfd(c->doc.pid, c->doc.ticks, &init, e);

	if (rc == -ESRCH)
		return rt_allow(c->id, RT_STOPPED, RT_EV_EXEC, e);
	if (rc >= 0)
		rc = be_shared_console(how->console_socket, &console, e);
	if (rc < 0)
		return rc;
	j.x = (struct ns_exec){
		.arena = c->arena,
		.spec = c->spec,
		.process = how->process,
		.init_pidfd = init,
		.init_pid = c->doc.pid,
		.cache_dir = be_shared_cache(c),
		.cgroup_fd = -1,
		.console_fd = console,
		.plain_newlines = how->plain_newlines,
		.preserve_fds = c->preserve_fds,
		.rootless = rt_is_rootless(c->env),
	};
	rc = choose_group(&j, e);
	if (rc >= 0)
		rc = run(&j, e);
	if (rc < 0)
		return rc;
	*ret_pid = j.child.pid;
	*ret_pidfd = j.child.pidfd;
	*ret_master = j.master;
	return 0;
}
