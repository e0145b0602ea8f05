/* namespaces/spawn.c: N3: the clone.
 *
 * One clone3 into the new namespaces and the v2 group. A helper process comes
 * between only when namespaces have to be entered before the new ones are
 * made: a user namespace by path, or a new one beside others by path (which its
 * root would have no right to join).
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
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool joins_any(const struct ns_prepared *p)
{
	for (int i = 1; i < SPEC_NS_MAX; i++)
		if (p->joined[i] >= 0 && i != SPEC_NS_PID)
			return true;
	return false;
}

static bool needs_helper(const struct ns_prepared *p)
{
	return p->joined[SPEC_NS_USER] >= 0 || ((p->clone_flags & CLONE_NEWUSER) && joins_any(p));
}

/* Children of ours are born in the pid namespace that the spec names. */
static int enter_pid(const struct ns_prepared *p, int *ret_own, struct err *e)
{
	if (p->joined[SPEC_NS_PID] < 0)
		return 0;
	auto_fd own = open("/proc/self/ns/pid_for_children", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(e, errno, NULL, "opening our own pid namespace");
	if (setns(p->joined[SPEC_NS_PID], CLONE_NEWPID) < 0)
		return err_sys(e, errno, "/linux/namespaces", "joining the pid namespace");
	*ret_own = take_fd(&own);
	return 0;
}

/* Offsets have to be written before anybody enters (time_namespaces(7)), so the namespace is made
 * by us, for our children, and the clone itself makes none. */
static int make_time(struct ns_launch *l, struct err *e)
{
	const struct spec_linux *lin = &l->spec->linux_;
	auto_strbuf text = {0};

	if (!(l->prepared->clone_flags & CLONE_NEWTIME) ||
	    !(lin->monotonic.set || lin->boottime.set))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return err_sys(e, errno, "/linux/timeOffsets", "making a time namespace");
	l->prepared->clone_flags &= ~(uint64_t)CLONE_NEWTIME;
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

/* The clone. In the child: never returns. CLONE_PARENT takes no exit signal of its own. */
static pid_t clone_child(struct ns_launch *l, uint64_t flags, int sync[2], int *pidfd)
{
	/* A cgroup namespace made here would have the runtime's group as its root, even with
	 * CLONE_INTO_CGROUP: the child unshares it once it is in its group. */
	uint64_t new = l->prepared->clone_flags & ~(uint64_t)CLONE_NEWCGROUP;
	struct clone_args args = {.flags = flags | new,
				  .exit_signal = flags &CLONE_PARENT ? 0 : SIGCHLD};

	if (pidfd) {
		args.flags |= CLONE_PIDFD;
		args.pidfd = (uint64_t)(uintptr_t)pidfd;
	}
	if (l->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)l->cgroup_fd;
	}
	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		fd_close(&sync[0]);
		ns_child_main(l, sync[1]);
	}
	return pid;
}

static _Noreturn void helper_main(struct ns_launch *l, int sync[2])
{
	struct err e = {0};
	int rc;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rc = ns_join_paths(l->prepared, &e);
	if (rc >= 0) {
		pid_t pid = clone_child(l, CLONE_PARENT, sync, NULL);
		rc = pid < 0 ? err_sys(&e, errno, "/linux/namespaces", "making namespaces")
			     : sync_send(sync[1], SYNC_PID, pid, -1, &e);
	}
	if (rc < 0)
		(void)sync_send_error(sync[1], &e);
	_exit(rc < 0);
}

/* The helper joins and clones; the child is ours by CLONE_PARENT. */
static int spawn_by_helper(struct ns_launch *l, int sync[2], struct ns_child *c, struct err *e)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int64_t pid = 0;
	pid_t helper = sys_clone3(&args);

	if (helper == 0)
		helper_main(l, sync);
	if (helper < 0)
		return err_sys(e, errno, NULL, "making a process");
	fd_close(&sync[1]);
	int rc = sync_expect(sync[0], SYNC_PID, &pid, NULL, e);
	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc < 0)
		return rc;
	c->pid = (pid_t)pid;
	c->pidfd = pidfd_open(c->pid, 0);
	return c->pidfd < 0 ? err_sys(e, errno, NULL, "opening process %d", c->pid) : 0;
}

static int spawn_directly(struct ns_launch *l, int sync[2], struct ns_child *c, struct err *e)
{
	int pidfd = -1;
	pid_t pid = clone_child(l, 0, sync, &pidfd);

	if (pid < 0)
		return err_sys(e, errno, "/linux/namespaces", "making a process in new namespaces");
	c->pid = pid;
	c->pidfd = pidfd;
	return 0;
}

int ns_spawn(struct ns_launch *l, struct ns_child *ret_child, struct err *e)
{
	struct ns_child c = {.pid = -1, .pidfd = -1, .sync = -1};
	auto_fd own_pid_ns = -1;
	int sync[2];
	int rc = make_time(l, e);

	if (rc >= 0)
		rc = enter_pid(l->prepared, &own_pid_ns, e);
	if (rc >= 0)
		rc = sync_pair(sync, e);
	if (rc < 0)
		return rc;
	rc = needs_helper(l->prepared) ? spawn_by_helper(l, sync, &c, e)
				       : spawn_directly(l, sync, &c, e);
	fd_close(&sync[1]);
	if (own_pid_ns >= 0 && setns(own_pid_ns, CLONE_NEWPID) < 0 && rc >= 0)
		rc = err_sys(e, errno, NULL, "returning to our own pid namespace");
	if (rc < 0) {
		fd_close(&sync[0]);
		if (c.pid > 0)
			(void)kill(c.pid, SIGKILL);
		fd_close(&c.pidfd);
		return rc;
	}
	c.sync = sync[0];
	*ret_child = c;
	return 0;
}
