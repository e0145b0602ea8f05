/* namespaces/spawn.c: N3: the clone.
 *
 * One clone3 into the new namespaces and the v2 group. A helper process comes
 * between only when namespaces have to be entered before the new ones are
 * made: a user namespace by path, or a new one beside others by path (which its
 * root would have no right to join), or a pid namespace by who couldn't return from it.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"
#include "common/sync.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool joins_any(const struct ns_prepared *p)
{
	for (int i = 1; i < SPEC_NS_MAX; i++)
		if (p->joined[i] >= 0 && i != SPEC_NS_PID)
			return true;
	return false;
}

bool ns_needs_helper(const struct ns_prepared *p)
{
	return p->joined[SPEC_NS_USER] >= 0 || ((p->clone_flags & CLONE_NEWUSER) && joins_any(p)) ||
	       (p->joined[SPEC_NS_PID] >= 0 && sys_is_unprivileged());
}

/* What our children are born into: ours again once the clone is done. */
struct birth {
	int pid, time; /* our own namespaces where they were changed, else -1 */
};

static int own_ns(const char *path, int *ret_fd, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, path, "opening our own namespace");
	*ret_fd = fd;
	return 0;
}

/* Children of ours are born in the pid namespace that the spec names. The helper enters it by
 * itself. */
static int enter_pid(const struct ns_prepared *p, struct birth *b, struct err *e)
{
	if (p->joined[SPEC_NS_PID] < 0 || ns_needs_helper(p))
		return 0;
	int rc = own_ns("/proc/self/ns/pid_for_children", &b->pid, e);
	if (rc >= 0 && setns(p->joined[SPEC_NS_PID], CLONE_NEWPID) < 0)
		rc = err_sys(e, errno, "/linux/namespaces", "joining the pid namespace");
	return rc;
}

static int write_offsets(const struct spec_linux *lin, struct err *e)
{
	auto_strbuf text = {0};

	if (lin->monotonic.set)
		strbuf_printf(&text, "monotonic %lld %u\n", (long long)lin->monotonic.secs,
			      lin->monotonic.nanosecs);
	if (lin->boottime.set)
		strbuf_printf(&text, "boottime %lld %u\n", (long long)lin->boottime.secs,
			      lin->boottime.nanosecs);
	if (text.failed)
		return err_sys(e, ENOMEM, "/linux/timeOffsets", "writing them");
	int rc = file_write_at(AT_FDCWD, "/proc/self/timens_offsets", text.s, text.len, e);
	return rc < 0 ? err_wrap(e, rc, "setting clock offsets") : 0;
}

/* Offsets have to be written before anybody enters (time_namespaces(7)), so the namespace is made
 * by us, for our children, and the clone itself makes none. */
static int make_time(struct ns_launch *l, struct birth *b, struct err *e)
{
	const struct spec_linux *lin = &l->spec->linux_;

	if (!(l->prepared->clone_flags & CLONE_NEWTIME) ||
	    !(lin->monotonic.set || lin->boottime.set))
		return 0;
	if (sys_is_unprivileged())
		return err_set(e, ERR_UNSUPPORTED, EPERM, "/linux/timeOffsets",
			       "only root of the host can give a time namespace offsets");
	int rc = own_ns("/proc/self/ns/time", &b->time, e);
	if (rc >= 0 && unshare(CLONE_NEWTIME) < 0)
		rc = err_sys(e, errno, "/linux/timeOffsets", "making a time namespace");
	if (rc < 0)
		return rc;
	l->prepared->clone_flags &= ~(uint64_t)CLONE_NEWTIME;
	return write_offsets(lin, e);
}

/* Hooks and helpers of later are born where we are. */
static int restore(struct birth *b, int rc, struct err *e)
{
	struct err *into = rc < 0 ? &(struct err){0} : e;

	if (b->pid >= 0 && setns(b->pid, CLONE_NEWPID) < 0)
		rc = err_sys(into, errno, NULL, "returning to our own pid namespace");
	else if (b->time >= 0 && setns(b->time, CLONE_NEWTIME) < 0)
		rc = err_sys(into, errno, NULL, "returning to our own time namespace");
	fd_close(&b->pid);
	fd_close(&b->time);
	return rc;
}

static struct clone_args birth_args(const struct ns_launch *l, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};

	if (l->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)l->cgroup_fd;
	}
	return args;
}

/* The clone. In the child: never returns. */
static pid_t clone_child(struct ns_launch *l, struct clone_args args, int sync[2])
{
	/* A cgroup namespace made here would have the runtime's group as its root, even with
	 * CLONE_INTO_CGROUP: the child unshares it once it is in its group. */
	args.flags |= l->prepared->clone_flags & ~(uint64_t)CLONE_NEWCGROUP;
	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		fd_close(&sync[0]);
		ns_child_main(l, sync[1]);
	}
	return pid;
}

static _Noreturn void helper_main(struct ns_launch *l, int sync[2])
{
	struct plan_env env = {.room = {[PLAN_CG] = l->cg}};
	struct err e = {0};
	int pidfd = -1;
	/* Born in the helper's group; CLONE_PARENT takes no exit signal of its own. */
	struct clone_args args = {.flags = CLONE_PIDFD | CLONE_PARENT,
				  .pidfd = (uint64_t)(uintptr_t)&pidfd};

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* While we still may: root of the user namespace has no right to the group. */
	int rc = plan_run(l->plan, PLAN_ENTER, &env, &e);
	if (rc >= 0)
		rc = ns_join_paths(l->prepared, true, &e);
	if (rc >= 0 && clone_child(l, args, sync) < 0)
		rc = err_sys(&e, errno, "/linux/namespaces", "making namespaces");
	/* The number means nothing in the runtime's pid namespace if we left it: the descriptor
	 * does. */
	if (rc >= 0)
		rc = sync_send(sync[1], SYNC_PID, 0, pidfd, &e);
	if (rc < 0)
		(void)sync_send_error(sync[1], &e);
	_exit(rc < 0);
}

/* The pid that a pidfd has in our pid namespace (proc_pid_fdinfo(5)). */
static int pid_of(int pidfd, pid_t *ret_pid, struct err *e)
{
	auto_str text = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	int rc = file_read_at(AT_FDCWD, path, 4096, &text, NULL, e);
	if (rc < 0)
		return rc;
	const char *line = strstr(text, "\nPid:");
	long pid = line ? strtol(line + strlen("\nPid:"), NULL, 10) : -1;
	if (pid <= 0)
		return err_set(e, ERR_SYSTEM, ESRCH, NULL, "the container's process ended early");
	*ret_pid = (pid_t)pid;
	return 0;
}

int ns_take_child(pid_t helper, int sync, struct ns_child *c, struct err *e)
{
	int rc = sync_expect(sync, SYNC_PID, NULL, &c->pidfd, e);

	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc >= 0 && c->pidfd < 0)
		rc = err_set(e, ERR_INTERNAL, EPROTO, NULL, "the helper sent no process");
	return rc < 0 ? rc : pid_of(c->pidfd, &c->pid, e);
}

/* The helper joins and clones; the child is ours by CLONE_PARENT. It is born in the group through
 * the helper: from inside the user namespace nobody may clone into it. */
static int spawn_by_helper(struct ns_launch *l, int sync[2], struct ns_child *c, struct err *e)
{
	auto_fd helper_fd = -1;
	struct clone_args args = birth_args(l, &helper_fd);
	pid_t helper = sys_clone3(&args);

	if (helper == 0)
		helper_main(l, sync);
	if (helper < 0)
		return err_sys(e, errno, NULL, "making a process");
	fd_close(&sync[1]);
	return ns_take_child(helper, sync[0], c, e);
}

/* The kernel's word is the same for many reasons; each has its place to look at. */
static int clone_failed(const struct ns_launch *l, struct err *e)
{
	bool user = (l->prepared->clone_flags & CLONE_NEWUSER) != 0;
	const char *hint = "";

	if (errno == ENOSPC || errno == EUSERS)
		hint = " (a limit on namespaces: /proc/sys/user, user_namespaces(7))";
	else if (errno == EPERM && user && sys_is_unprivileged())
		hint = " (may unprivileged users make user namespaces here? "
		       "kernel.unprivileged_userns_clone, user.max_user_namespaces, AppArmor)";
	else if (errno == EACCES && l->cgroup_fd >= 0)
		hint = " (in its control group: was the caller's own group delegated together with "
		       "it?)";
	return err_sys(e, errno, "/linux/namespaces", "making a process in new namespaces%s", hint);
}

static int spawn_directly(struct ns_launch *l, int sync[2], struct ns_child *c, struct err *e)
{
	int pidfd = -1;
	pid_t pid = clone_child(l, birth_args(l, &pidfd), sync);

	if (pid < 0)
		return clone_failed(l, e);
	c->pid = pid;
	c->pidfd = pidfd;
	return 0;
}

int ns_spawn(struct ns_launch *l, struct ns_child *ret_child, struct err *e)
{
	struct ns_child c = {.pid = -1, .pidfd = -1, .sync = -1};
	struct birth b = {-1, -1};
	int sync[2] = {-1, -1};
	int rc = make_time(l, &b, e);

	if (rc >= 0)
		rc = enter_pid(l->prepared, &b, e);
	if (rc >= 0)
		rc = sync_pair(sync, e);
	if (rc >= 0)
		rc = ns_needs_helper(l->prepared) ? spawn_by_helper(l, sync, &c, e)
						  : spawn_directly(l, sync, &c, e);
	rc = restore(&b, rc, e);
	fd_close(&sync[1]);
	if (rc < 0) {
		fd_close(&sync[0]);
		if (c.pidfd >= 0)
			(void)pidfd_send_signal(c.pidfd, SIGKILL, NULL, 0);
		fd_close(&c.pidfd);
		return rc;
	}
	c.sync = sync[0];
	*ret_child = c;
	return 0;
}
