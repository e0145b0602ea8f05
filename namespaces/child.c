/* namespaces/child.c: N5 to N10: the child, from the clone to execve.
 *
 * Everything here runs in the container's namespaces, with the runtime's
 * memory as it was at the clone. Errors travel over the pair (or, after READY,
 * over the connection of `start`), and the child ends.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/proc.h"
#include "common/sync.h"
#include "common/sys.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int hooks(struct ns_child_ctx *c, enum ns_hook_point point, struct err *e)
{
	struct ns_launch *l = c->launch;

	return l->run_hooks ? l->run_hooks(l->hooks_arg, point, e) : 0;
}

/* Before anything else: a session of our own, control groups, ids, the namespaces that are joined.
 */
static int arrive(struct ns_child_ctx *c, struct err *e)
{
	struct ns_launch *l = c->launch;
	struct plan_env env = {.room = {[PLAN_CG] = l->cg}};
	bool new_user = (l->prepared->clone_flags & CLONE_NEWUSER) != 0;
	int rc = 0;

	/* An unprivileged runtime may write only the maps of a process that counts as its own,
	 * which one that isn't dumpable doesn't. Until the GO no guest is near: the namespaces are
	 * new. */
	if (!new_user || sys_caller() == 0)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* A process that goes straight on to execve leaves the closing to it; one that waits for a
	 * `start`, perhaps for days, keeps nothing open that it doesn't need. */
	if (l->start_fd < 0)
		fd_lazy();
	if (setsid() < 0)
		return err_sys(e, errno, NULL, "starting a session");
	if (l->wait_go)
		rc = sync_expect(c->sync, SYNC_GO, NULL, NULL, e);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (rc >= 0 && !ns_needs_helper(l->prepared))
		rc = plan_run(l->plan, PLAN_ENTER, &env, e);
	if (rc >= 0 && new_user)
		rc = ns_become_root(l->spec->keep_groups, e);
	else if (rc >= 0 && l->prepared->joined[SPEC_NS_USER] < 0)
		rc = ns_join_paths(l->prepared, false, e);
	if (rc >= 0 && (l->prepared->clone_flags & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		rc = err_sys(e, errno, "/linux/namespaces", "making a cgroup namespace");
	return rc;
}

/* N5 to N7. */
static int build(struct ns_child_ctx *c, struct err *e)
{
	struct ns_launch *l = c->launch;
	struct plan_env env = {.room = {[PLAN_NS] = c}};
	int rc = plan_run(l->plan, PLAN_BUILD, &env, e);

	if (rc >= 0 && l->hooks_before_pivot) {
		rc = sync_send(c->sync, SYNC_BUILT, 0, -1, e);
		if (rc >= 0)
			rc = sync_expect(c->sync, SYNC_HOOKED, NULL, NULL, e);
	}
	if (rc >= 0)
		rc = hooks(c, NS_HOOK_CREATE_CONTAINER, e);
	if (rc >= 0)
		rc = ns_pivot(c, e);
	return rc < 0 ? rc : plan_run(l->plan, PLAN_ROOT, &env, e);
}

static int terminal(struct ns_child_ctx *c, struct ns_process *p, struct err *e)
{
	char name[32];
	auto_fd master = -1;

	if (!p->process->terminal)
		return 0;
	int rc = ns_terminal_open(p, &master, name, sizeof(name), e);
	if (rc >= 0)
		rc = ns_terminal_console(c->root, e);
	if (rc >= 0)
		rc = ns_terminal_deliver(master, name, c->launch->console_fd,
					 c->launch->plain_newlines, c->sync, e);
	fd_close(&master); /* now: a hang-up of its new owner has to be seen */
	return rc;
}

/* N9. On success c->sync is the socket that the START came from. A peer that connects and leaves
 * without a START is nobody; an ERROR is `delete`, which knows no pid to kill. */
static int wait_start(struct ns_child_ctx *c, struct err *e)
{
	struct ns_launch *l = c->launch;

	if (l->start_fd < 0)
		return sync_expect(c->sync, SYNC_START, NULL, NULL, e);
	fd_close(&c->sync);
	fd_close(&c->mask);
	if (c->has_dev)
		fd_close(&c->dev);
	if (c->has_null)
		fd_close(&c->null);
	c->has_dev = c->has_null = false;
	for (;;) {
		auto_fd conn = accept4(l->start_fd, NULL, NULL, SOCK_CLOEXEC);
		if (conn < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (conn < 0)
			return err_sys(e, errno, NULL, "waiting for the start");
		struct sync_msg m;
		int rc = sync_recv(conn, &m, NULL, e);
		if (rc == 1 && m.type == SYNC_ERROR) {
			*e = m.err;
			return -e->code;
		}
		if (rc == 1 && m.type == SYNC_START) {
			c->sync = take_fd(&conn);
			return 0;
		}
		fd_close(&conn);
	}
}

static int live(struct ns_child_ctx *c, struct err *e)
{
	struct ns_launch *l = c->launch;
	struct ns_process p = {.spec = c->spec,
			       .process = &c->spec->process,
			       .filter = l->prepared->filter,
			       .preserve_fds = l->preserve_fds,
			       .ignored = l->prepared->ignored,
			       .no_new_keyring = l->no_new_keyring,
			       .oom_done = (l->prepared->clone_flags & CLONE_NEWUSER) != 0};
	int rc = arrive(c, e);

	if (rc >= 0 && (ns_process_needs_procfs(&c->spec->process) || c->spec->linux_.sysctl.n)) {
		c->procfs = proc_open(e);
		rc = c->procfs < 0 ? c->procfs : 0;
	}
	if (rc >= 0)
		rc = build(c, e);
	p.root = c->root;
	p.procfs = c->procfs;
	if (rc >= 0)
		rc = terminal(c, &p, e);
	if (rc >= 0)
		rc = ns_process_resolve(l->arena, &p, e);
	if (rc >= 0)
		rc = sync_send(c->sync, SYNC_READY, 0, -1, e);
	if (rc >= 0)
		rc = wait_start(c, e);
	if (rc >= 0)
		rc = hooks(c, NS_HOOK_START_CONTAINER, e);
	if (rc < 0)
		return rc;
	p.sync = c->sync;
	ns_caps_resolve(&p.process->capabilities, &p.caps);
	return ns_process_exec(l->arena, &p, e);
}

_Noreturn void ns_child_main(struct ns_launch *l, int sync)
{
	struct ns_child_ctx c = {.launch = l,
				 .spec = l->spec,
				 .root = -1,
				 .procfs = -1,
				 .sync = sync,
				 .master = -1,
				 .mask = -1};
	struct err e = {0};

	(void)live(&c, &e);
	if (c.sync >= 0)
		(void)sync_send_error(c.sync, &e);
	_exit(1);
}
