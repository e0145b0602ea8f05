/* namespaces/exec.c: one more process in a running container.
 *
 * Invariants
 *  1. Not dumpable before the first setns: nobody in the container can trace the joining process or
 *     look into its descriptors (CVE-2016-9962); the pid namespace is joined by the clone.
 *  2. Everything that needs the host (filter, own procfs, which namespaces differ) is done before
 *     the first setns.
 *  3. The runtime's own namespaces are what they were when ns_exec_spawn returns.
 *
 * An unprivileged caller may join nothing but the user namespace, and all else as its root; and
 * root of a user namespace can't return to a pid namespace of the host. For them a helper joins
 * everything, the pid namespace last, makes the process in it, and ends.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/proc.h"
#include "common/sync.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct joining {
	struct ns_exec *x;
	struct ns_process p;
	int flags; /* CLONE_NEW* of the namespaces that differ from ours, but for the pid one */
	bool user; /* the user namespace is another one */
	bool pid;
	bool inside; /* a helper joined already */
	int sync;
};

/* 1 when the container's namespace of a type is another one than ours, 0 when it is ours. */
static int differs(const struct joining *j, const char *name, struct err *e)
{
	char path[64];
	struct stat own, theirs;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	if (stat(path, &own) < 0)
		return 0; /* a kernel without this type */
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)j->x->init_pid, name);
	if (stat(path, &theirs) < 0)
		return err_sys(e, errno == ENOENT ? ESRCH : errno, path, "looking at it");
	return own.st_ino != theirs.st_ino;
}

/* Which namespaces to join: those that the spec lists, without a look; of the others those that
 * aren't ours, for we may have no right to join our own. setns into one's own user namespace is an
 * error in any case. */
static int compare(struct joining *j, struct err *e)
{
	static const struct {
		const char *name;
		enum spec_ns type;
	} types[] = {{"mnt", SPEC_NS_MOUNT}, {"net", SPEC_NS_NETWORK},   {"ipc", SPEC_NS_IPC},
		     {"uts", SPEC_NS_UTS},   {"cgroup", SPEC_NS_CGROUP}, {"user", SPEC_NS_USER},
		     {"time", SPEC_NS_TIME}, {"pid", SPEC_NS_PID}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		enum spec_ns type = types[i].type;
		bool listed = type != SPEC_NS_USER && spec_find_ns(j->x->spec, type);
		int other = listed ? 1 : differs(j, types[i].name, e);
		if (other < 0)
			return other;
		if (other && type == SPEC_NS_PID)
			j->pid = true;
		else if (other)
			j->flags |= (int)ns_clone_flag(type);
	}
	j->user = (j->flags & CLONE_NEWUSER) != 0;
	return 0;
}

static int enter(struct joining *j, struct err *e)
{
	/* All at once: the kernel joins the user namespace first, and all or none (setns(2)). */
	if (j->flags && setns(j->x->init_pidfd, j->flags) < 0)
		return err_sys(e, errno, NULL, "joining the container's namespaces");
	int rc = j->user ? ns_become_root(j->x->spec->keep_groups, e) : 0;
	if (rc < 0)
		return rc;
	j->p.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return j->p.root < 0 ? err_sys(e, errno, NULL, "opening the container's root") : 0;
}

static int terminal(struct joining *j, struct err *e)
{
	char name[32];
	auto_fd master = -1;

	if (!j->p.process->terminal)
		return 0;
	int rc = ns_terminal_open(&j->p, &master, name, sizeof(name), e);
	if (rc >= 0)
		rc = ns_terminal_deliver(master, name, j->x->console_fd, j->x->plain_newlines,
					 j->sync, e);
	fd_close(&master);
	return rc;
}

/* What is done while we are still where the runtime is. */
static int leave(struct joining *j, struct err *e)
{
	int rc = j->x->enter ? j->x->enter(j->x->enter_arg, e) : 0;

	if (rc >= 0 && ns_process_needs_procfs(j->p.process))
		rc = j->p.procfs = proc_open(e); /* (2) */
	return rc < 0 ? rc : 0;
}

static _Noreturn void exec_main(struct joining *j)
{
	struct err e = {0};
	int rc = 0;

	fd_lazy();
	if (j->x->wait_go)
		rc = sync_expect(j->sync, SYNC_GO, NULL, NULL, &e);
	if (rc >= 0 && !j->inside)
		rc = leave(j, &e);
	if (rc >= 0 && setsid() < 0)
		rc = err_sys(&e, errno, NULL, "starting a session");
	if (rc >= 0 && !j->inside)
		rc = enter(j, &e);
	if (rc >= 0)
		rc = terminal(j, &e);
	/* A relative args[0] counts from cwd, which the kernel checks again at the execve. */
	if (rc >= 0)
		rc = ns_process_resolve(j->x->arena, &j->p, &e);
	j->p.sync = j->sync;
	if (rc >= 0)
		(void)ns_process_exec(j->x->arena, &j->p, &e);
	(void)sync_send_error(j->sync, &e);
	_exit(255);
}

static struct clone_args birth_args(const struct joining *j, int *pidfd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};

	if (j->x->cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)j->x->cgroup_fd;
	}
	return args;
}

static int clone_failed(const struct joining *j, struct err *e)
{
	bool group = errno == EACCES && j->x->cgroup_fd >= 0;

	return err_sys(e, errno, NULL, "making a process in the container%s",
		       group ? "'s control group (was this caller's own group delegated together "
			       "with it?)"
			     : "");
}

static int clone_joined(struct joining *j, struct ns_child *c, int peer, struct err *e)
{
	int pidfd = -1;
	struct clone_args args = birth_args(j, &pidfd);
	pid_t pid = sys_clone3(&args);

	if (pid == 0) {
		fd_close(&peer);
		exec_main(j);
	}
	if (pid < 0)
		return clone_failed(j, e);
	c->pid = pid;
	c->pidfd = pidfd;
	return 0;
}

static _Noreturn void helper_main(struct joining *j)
{
	struct err e = {0};
	int pidfd = -1;
	struct clone_args args = {.flags = CLONE_PIDFD | CLONE_PARENT,
				  .pidfd = (uint64_t)(uintptr_t)&pidfd};
	int rc = leave(j, &e);

	if (rc >= 0)
		rc = enter(j, &e);
	if (rc >= 0 && j->pid && setns(j->x->init_pidfd, CLONE_NEWPID) < 0)
		rc = err_sys(&e, errno, NULL, "joining the container's pid namespace");
	pid_t pid = rc < 0 ? -1 : sys_clone3(&args);
	if (pid == 0) {
		j->inside = true;
		exec_main(j);
	}
	if (rc >= 0 && pid < 0)
		rc = clone_failed(j, &e);
	if (rc >= 0)
		rc = sync_send(j->sync, SYNC_PID, 0, pidfd, &e);
	if (rc < 0)
		(void)sync_send_error(j->sync, &e);
	_exit(rc < 0);
}

static int clone_by_helper(struct joining *j, struct ns_child *c, int sync[2], struct err *e)
{
	auto_fd helper_fd = -1;
	struct clone_args args = birth_args(j, &helper_fd);
	pid_t helper = sys_clone3(&args);

	if (helper == 0) {
		fd_close(&sync[0]);
		helper_main(j);
	}
	if (helper < 0)
		return clone_failed(j, e);
	fd_close(&sync[1]);
	return ns_take_child(helper, sync[0], c, e);
}

/* The pid namespace is entered for our next child only, then left again (3). */
static int clone_in_pid_ns(struct joining *j, struct ns_child *c, int peer, struct err *e)
{
	if (!j->pid)
		return clone_joined(j, c, peer, e);
	auto_fd own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(e, errno, NULL, "opening our own pid namespace");
	if (setns(j->x->init_pidfd, CLONE_NEWPID) < 0)
		return err_sys(e, errno, NULL, "joining the container's pid namespace");
	int rc = clone_joined(j, c, peer, e);
	if (setns(own, CLONE_NEWPID) < 0 && rc >= 0)
		rc = err_sys(e, errno, NULL, "returning to our own pid namespace");
	return rc;
}

static int prepare(struct joining *j, struct err *e)
{
	struct ns_exec *x = j->x;
	const struct spec_seccomp *filter = &x->spec->linux_.seccomp;
	int rc = ns_accept_process(x->spec, x->process, "", e);

	j->p = (struct ns_process){.spec = x->spec,
				   .process = x->process,
				   .root = -1,
				   .procfs = -1,
				   .preserve_fds = x->preserve_fds};
	j->p.ignored = ns_signals_ignored();
	if (x->process->affinity_final || x->process->affinity_initial)
		j->p.cpus = x->process->affinity_final ? x->process->affinity_final : "";
	ns_caps_resolve(&x->process->capabilities, &j->p.caps);
	if (rc >= 0 && filter->set)
		rc = ns_filter_compile(x->arena, filter, x->cache_dir, &j->p.filter, e);
	if (rc >= 0)
		rc = compare(j, e);
	/* Once we hide and are in the user namespace it can't be written any more. */
	if (rc >= 0 && j->user) {
		rc = ns_oom_of(getpid(), x->process, x->rootless, e);
		j->p.oom_done = true;
	}
	/* It is the runtime's process that the spec wants to run there, until the group is entered.
	 */
	if (rc >= 0 && x->process->affinity_initial)
		rc = ns_run_on(x->process->affinity_initial, e);
	return rc;
}

int ns_exec_spawn(struct ns_exec *x, struct ns_child *ret_child, struct err *e)
{
	struct joining j = {.x = x};
	struct ns_child c = {.pid = -1, .pidfd = -1, .sync = -1};
	int sync[2];
	int rc = prepare(&j, e);

	if (rc >= 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) /* (1) */
		rc = err_sys(e, errno, NULL, "hiding from ptrace");
	if (rc >= 0)
		rc = sync_pair(sync, e);
	if (rc < 0)
		return rc;
	j.sync = sync[1];
	rc = sys_is_unprivileged() ? clone_by_helper(&j, &c, sync, e)
				   : clone_in_pid_ns(&j, &c, sync[0], e);
	fd_close(&sync[1]);
	if (rc < 0) {
		if (c.pidfd >= 0)
			(void)pidfd_send_signal(c.pidfd, SIGKILL, NULL, 0);
		fd_close(&c.pidfd);
		fd_close(&sync[0]);
		return rc;
	}
	c.sync = sync[0];
	*ret_child = c;
	return 0;
}
