/* namespaces/process.c: from a privileged child to the spec's process, in one order.
 *
 * Invariants
 *  1. What needs privilege comes before the identity changes; the filter comes last when
 *     no_new_privs allows it, and right before the capabilities go when it doesn't.
 *  2. Nothing after the filter but what every sane profile allows: execve, and capset and prctl
 *     when no_new_privs is off; sendmsg and recvmsg when the filter notifies.
 *  3. cwd is entered before the identity changes (engines count on folders that only root may
 *     enter), or as the user where root may not (a squashed NFS); it must lie within the root
 *     (CVE-2024-21626).
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/proc.h"
#include "common/sync.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int do_keyring(struct ns_process *p, struct err *e)
{
	if (p->no_new_keyring)
		return 0;
	/* A kernel without keyrings (ENOSYS) or a filter over us (EPERM) is no reason to fail. */
	if (sys_keyctl_join(NULL) < 0 && errno != ENOSYS && errno != EPERM && errno != EACCES &&
	    errno != EDQUOT)
		return err_sys(e, errno, NULL, "joining a new session keyring");
	return 0;
}

static int do_oom(struct ns_process *p, struct err *e)
{
	char text[32];

	if (!p->process->oom_score_adj.set || p->oom_done)
		return 0;
	snprintf(text, sizeof(text), "%d", (int)p->process->oom_score_adj.v);
	return proc_write(p->procfs, "self/oom_score_adj", text, e);
}

int ns_oom_of(pid_t pid, const struct spec_process *p, bool rootless, struct err *e)
{
	char path[64], text[32];

	if (!p->oom_score_adj.set)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	int n = snprintf(text, sizeof(text), "%d", (int)p->oom_score_adj.v);
	int rc = file_write_at(AT_FDCWD, path, text, (size_t)n, e);
	/* Only CAP_SYS_RESOURCE of the host may lower it: an unprivileged user's container goes on
	 * as killable as it was. */
	if (rc == -EACCES && rootless) {
		err_clear(e);
		return 0;
	}
	return rc < 0 ? err_wrap(e, rc, "setting it to %s", text) : 0;
}

int ns_write_oom(const struct ns_launch *l, pid_t pid, struct err *e)
{
	if (!(l->prepared->clone_flags & CLONE_NEWUSER))
		return 0;
	int rc = ns_oom_of(pid, &l->spec->process, l->rootless, e);
	if (rc < 0)
		snprintf(e->where, sizeof(e->where), "/process/oomScoreAdj");
	return rc;
}

static int do_rlimits(struct ns_process *p, struct err *e)
{
	for (size_t i = 0; i < p->process->rlimits.n; i++) {
		const struct spec_rlimit *r = &p->process->rlimits.items[i];
		struct rlimit lim = {r->soft, r->hard};
		if (setrlimit((__rlimit_resource_t)r->resource, &lim) < 0)
			return err_sys(e, errno, NULL, "setting %s to %llu/%llu", r->type,
				       (unsigned long long)r->soft, (unsigned long long)r->hard);
	}
	return 0;
}

static const struct {
	const char *word;
	unsigned value;
} policies[] = {{"SCHED_OTHER", SCHED_OTHER},
		{"SCHED_FIFO", SCHED_FIFO},
		{"SCHED_RR", SCHED_RR},
		{"SCHED_BATCH", SCHED_BATCH},
		{"SCHED_ISO", 4},
		{"SCHED_IDLE", SCHED_IDLE},
		{"SCHED_DEADLINE", 6}},
  sched_flags[] = {{"SCHED_FLAG_RESET_ON_FORK", 0x01}, {"SCHED_FLAG_RECLAIM", 0x02},
		   {"SCHED_FLAG_DL_OVERRUN", 0x04},    {"SCHED_FLAG_KEEP_POLICY", 0x08},
		   {"SCHED_FLAG_KEEP_PARAMS", 0x10},   {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
		   {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}};

/* sched_setattr(2); the C library has no type for it, and the kernel's header clashes with sched.h.
 */
struct sched_attr {
	uint32_t size, sched_policy;
	uint64_t sched_flags;
	int32_t sched_nice;
	uint32_t sched_priority;
	uint64_t sched_runtime, sched_deadline, sched_period;
	uint32_t sched_util_min, sched_util_max;
};

static int do_scheduler(struct ns_process *p, struct err *e)
{
	const struct spec_scheduler *s = &p->process->scheduler;
	struct sched_attr attr = {.size = sizeof(attr)};

	if (!s->policy)
		return 0;
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (strcmp(policies[i].word, s->policy) == 0)
			attr.sched_policy = policies[i].value;
	for (size_t f = 0; f < s->flags.n; f++)
		for (size_t i = 0; i < sizeof(sched_flags) / sizeof(sched_flags[0]); i++)
			if (strcmp(sched_flags[i].word, s->flags.items[f]) == 0)
				attr.sched_flags |= sched_flags[i].value;
	attr.sched_nice = s->nice;
	attr.sched_priority = (uint32_t)s->priority;
	attr.sched_runtime = s->runtime;
	attr.sched_deadline = s->deadline;
	attr.sched_period = s->period;
	if (sys_sched_setattr(0, &attr, 0) < 0)
		return err_sys(e, errno, NULL, "setting the scheduler %s", s->policy);
	return 0;
}

static int do_io_priority(struct ns_process *p, struct err *e)
{
	const struct spec_ioprio *io = &p->process->io_priority;
	int class = IOPRIO_CLASS_BE;

	if (!io->class)
		return 0;
	if (strcmp(io->class, "IOPRIO_CLASS_RT") == 0)
		class = IOPRIO_CLASS_RT;
	else if (strcmp(io->class, "IOPRIO_CLASS_IDLE") == 0)
		class = IOPRIO_CLASS_IDLE;
	if (sys_ioprio_set(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(class, io->priority)) < 0)
		return err_sys(e, errno, NULL, "setting the I/O priority %s %d", io->class,
			       io->priority);
	return 0;
}

static int do_personality(struct ns_process *p, struct err *e)
{
	const char *domain = p->spec->linux_.personality.domain;

	if (domain && personality(strcmp(domain, "LINUX32") == 0 ? PER_LINUX32 : PER_LINUX) < 0)
		return err_sys(e, errno, NULL, "setting the personality %s", domain);
	return 0;
}

static int do_umask(struct ns_process *p, struct err *e)
{
	(void)e;
	umask(p->process->user.umask.set ? (mode_t)p->process->user.umask.v : 022);
	return 0;
}

static int do_bounding(struct ns_process *p, struct err *e)
{
	return ns_caps_drop_bounding(&p->caps, e);
}

static int do_groups(struct ns_process *p, struct err *e)
{
	const struct spec_u32s *g = &p->process->user.additional_gids;

	_Static_assert(sizeof(gid_t) == sizeof(uint32_t), "gid lists are passed as they are");
	if (p->spec->keep_groups || syscall(SYS_setgroups, g->n, g->items) == 0)
		return 0;
	/* A user namespace with setgroups denied can only have the groups it has. */
	if (errno == EPERM && g->n == 0)
		return 0;
	return err_sys(e, errno, NULL, "setting %zu additional groups%s", g->n,
		       errno == EPERM ? " (this user namespace may deny setgroups)" : "");
}

/* A program that opens /proc/self/fd/1 again needs to own its pipe. */
static int do_streams(struct ns_process *p, struct err *e)
{
	struct stat st;

	if (p->process->user.uid == 0 && !ns_has_user(p->spec))
		return 0;
	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &st) < 0 || st.st_uid == p->process->user.uid ||
		    (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
			continue;
		/* Not ours to give (a read-only mount, an id that isn't mapped): left as it is. */
		if (fchown(fd, p->process->user.uid, (gid_t)-1) < 0 && errno != EPERM &&
		    errno != EROFS && errno != EINVAL && errno != ENOSYS)
			return err_sys(e, errno, NULL, "giving descriptor %d to user %u", fd,
				       p->process->user.uid);
	}
	return 0;
}

static int do_label(struct ns_process *p, struct err *e)
{
	return ns_label_apply(p->procfs, p->process, e);
}

static int do_cpus(struct ns_process *p, struct err *e)
{
	return p->cpus ? ns_run_on(p->cpus, e) : 0;
}

static int do_memory_policy(struct ns_process *p, struct err *e)
{
	const struct spec_memory_policy *m = &p->spec->linux_.memory_policy;

	return m->mode ? ns_memory_policy(m, e) : 0;
}

/* As the program began (getauxval(3); execve(2) set the saved ids), and nothing changed it since.
 */
static bool is_already(const struct ns_process *p, uint32_t uid, uint32_t gid)
{
	return !ns_has_user(p->spec) && getauxval(AT_UID) == uid && getauxval(AT_EUID) == uid &&
	       getauxval(AT_GID) == gid && getauxval(AT_EGID) == gid;
}

static int unmapped(int code, const char *what, uint32_t id, struct err *e)
{
	return err_sys(e, code, NULL, "becoming %s %u%s", what, id,
		       code == EINVAL ? " (it isn't mapped in the user namespace)" : "");
}

static int do_identity(struct ns_process *p, struct err *e)
{
	uint32_t uid = p->process->user.uid, gid = p->process->user.gid;

	if (is_already(p, uid, gid))
		return 0;
	/* Without it the change of uid would clear the permitted set before caps are set. */
	if (uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, NULL, "keeping capabilities over setuid");
	if (syscall(SYS_setresgid, gid, gid, gid) < 0)
		return unmapped(errno, "group", gid, e);
	if (syscall(SYS_setresuid, uid, uid, uid) < 0)
		return unmapped(errno, "user", uid, e);
	/* A change of identity may have made us dumpable again (prctl(2)). */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

/* The raw call says "(unreachable)…" for a directory outside the root. */
static int enter_cwd(const char *cwd, struct err *e)
{
	char at[PATH_MAX];

	/* There we are, since the root was entered or its namespace joined. */
	if (strcmp(cwd, "/") == 0)
		return 0;
	if (chdir(cwd) < 0)
		return err_sys(e, errno, NULL, "chdir to cwd (\"%s\") failed", cwd);
	if (syscall(SYS_getcwd, at, sizeof(at)) < 0 || at[0] != '/')
		return err_set(e, ERR_EXEC, EXDEV, NULL,
			       "the working directory %s lies outside the container's root", cwd);
	return 0;
}

static int do_cwd(struct ns_process *p, struct err *e)
{
	int rc = enter_cwd(p->process->cwd, e);

	p->cwd_left = rc == -EACCES || rc == -EPERM;
	if (!p->cwd_left)
		return rc;
	err_clear(e);
	return 0;
}

static int do_cwd_as_user(struct ns_process *p, struct err *e)
{
	return p->cwd_left ? enter_cwd(p->process->cwd, e) : 0;
}

/* A listener goes to where the START came from, and the program runs only when it is in the right
 * hands. Its descriptor is left to close-on-exec: fewer calls under the filter. */
static int load_filter(struct ns_process *p, struct err *e)
{
	int rc = ns_filter_load(&p->filter, e);

	if (rc < 0 || !p->filter.notify)
		return rc;
	rc = sync_send(p->sync, SYNC_LISTENER, 0, rc, e);
	return rc < 0 ? rc : sync_expect(p->sync, SYNC_GO, NULL, NULL, e);
}

static int do_filter_early(struct ns_process *p, struct err *e)
{
	if (p->process->no_new_privileges || !p->filter.set)
		return 0;
	/* The change of uid left CAP_SYS_ADMIN permitted, not effective. */
	int rc = p->process->user.uid != 0 ? ns_caps_raise(e) : 0;
	return rc < 0 ? rc : load_filter(p, e);
}

static int do_caps(struct ns_process *p, struct err *e)
{
	return ns_caps_apply(&p->caps, e);
}

static int do_no_new_privs(struct ns_process *p, struct err *e)
{
	if (p->process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, errno, NULL, "setting no_new_privs");
	return 0;
}

static int do_filter_late(struct ns_process *p, struct err *e)
{
	return p->process->no_new_privileges ? load_filter(p, e) : 0;
}

/* What explain says of a step; NULL: the spec doesn't ask for it. */
typedef const char *tell_fn(struct arena *a, const struct spec *s);

static const char *tell_always(struct arena *a, const struct spec *s)
{
	(void)a;
	(void)s;
	return "";
}

static const char *tell_oom(struct arena *a, const struct spec *s)
{
	const struct opt_i64 *o = &s->process.oom_score_adj;

	return o->set ? arena_printf(a, "%lld", (long long)o->v) : NULL;
}

static const char *tell_rlimits(struct arena *a, const struct spec *s)
{
	auto_strbuf b = {0};

	for (size_t i = 0; i < s->process.rlimits.n; i++) {
		const struct spec_rlimit *r = &s->process.rlimits.items[i];
		strbuf_printf(&b, "%s%s=%llu:%llu", i ? " " : "", r->type,
			      (unsigned long long)r->soft, (unsigned long long)r->hard);
	}
	return b.s ? arena_strdup(a, b.s) : NULL;
}

static const char *tell_scheduler(struct arena *a, const struct spec *s)
{
	const struct spec_scheduler *c = &s->process.scheduler;

	return c->policy
		       ? arena_printf(a, "%s nice %d priority %d", c->policy, c->nice, c->priority)
		       : NULL;
}

static const char *tell_io_priority(struct arena *a, const struct spec *s)
{
	const struct spec_ioprio *io = &s->process.io_priority;

	return io->class ? arena_printf(a, "%s %d", io->class, io->priority) : NULL;
}

static const char *tell_personality(struct arena *a, const struct spec *s)
{
	(void)a;
	return s->linux_.personality.domain;
}

static const char *tell_memory_policy(struct arena *a, const struct spec *s)
{
	const struct spec_memory_policy *m = &s->linux_.memory_policy;

	return m->mode ? arena_printf(a, "%s %s", m->mode, m->nodes ? m->nodes : "") : NULL;
}

static const char *tell_label(struct arena *a, const struct spec *s)
{
	const struct spec_process *p = &s->process;

	return ns_label_wanted(p)
		       ? arena_printf(a, "%s%s", p->apparmor_profile ? p->apparmor_profile : "",
				      p->selinux_label ? p->selinux_label : "")
		       : NULL;
}

static const char *tell_umask(struct arena *a, const struct spec *s)
{
	const struct opt_u64 *u = &s->process.user.umask;

	return arena_printf(a, "%04o", u->set ? (unsigned)u->v : 022u);
}

static const char *tell_bounding(struct arena *a, const struct spec *s)
{
	return arena_printf(a, "%zu capabilities", s->process.capabilities.bounding.n);
}

static const char *tell_caps(struct arena *a, const struct spec *s)
{
	const struct spec_caps *c = &s->process.capabilities;

	return arena_printf(a, "effective %zu, permitted %zu, inheritable %zu, ambient %zu",
			    c->effective.n, c->permitted.n, c->inheritable.n, c->ambient.n);
}

static const char *tell_identity(struct arena *a, const struct spec *s)
{
	const struct spec_user *u = &s->process.user;

	return arena_printf(a, "uid %u gid %u and %zu groups", u->uid, u->gid,
			    u->additional_gids.n);
}

static const char *tell_cwd(struct arena *a, const struct spec *s)
{
	(void)a;
	return s->process.cwd;
}

static const char *tell_nnp(struct arena *a, const struct spec *s)
{
	(void)a;
	return s->process.no_new_privileges ? "" : NULL;
}

static const char *filter_text(struct arena *a, const struct spec *s)
{
	if (s->linux_.seccomp.bpf_data)
		return "a program of the caller's";
	return arena_printf(a, "%s and %zu rules", s->linux_.seccomp.default_action,
			    s->linux_.seccomp.syscalls.n);
}

static const char *tell_early(struct arena *a, const struct spec *s)
{
	return s->linux_.seccomp.set && !s->process.no_new_privileges ? filter_text(a, s) : NULL;
}

static const char *tell_late(struct arena *a, const struct spec *s)
{
	return s->linux_.seccomp.set && s->process.no_new_privileges ? filter_text(a, s) : NULL;
}

/* The order is (1). Steps without a `tell` are part of their neighbours. */
static const struct {
	const char *pointer, *what;
	int (*run)(struct ns_process *p, struct err *e);
	tell_fn *tell;
} steps[] = {
	{"/process", "keyring", do_keyring, tell_always},
	{"/process/oomScoreAdj", "oom_score_adj", do_oom, tell_oom},
	{"/process/rlimits", "limits", do_rlimits, tell_rlimits},
	{"/process/execCPUAffinity/final", "cpus", do_cpus, NULL},
	{"/linux/memoryPolicy", "memory policy", do_memory_policy, tell_memory_policy},
	{"/process/scheduler", "scheduler", do_scheduler, tell_scheduler},
	{"/process/ioPriority", "I/O priority", do_io_priority, tell_io_priority},
	{"/linux/personality", "personality", do_personality, tell_personality},
	{"/process", "label", do_label, tell_label},
	{"/process/user/umask", "umask", do_umask, tell_umask},
	{"/process/capabilities/bounding", "bounding set", do_bounding, tell_bounding},
	{"/process/cwd", "cwd", do_cwd, tell_cwd},
	{"/process/user/additionalGids", "groups", do_groups, NULL},
	{"/process/user", "streams", do_streams, NULL},
	{"/process/user", "identity", do_identity, tell_identity},
	{"/process/cwd", "cwd", do_cwd_as_user, NULL},
	{"/linux/seccomp", "filter", do_filter_early, tell_early},
	{"/process/capabilities", "capabilities", do_caps, tell_caps},
	{"/process/noNewPrivileges", "no_new_privs", do_no_new_privs, tell_nnp},
	{"/linux/seccomp", "filter", do_filter_late, tell_late},
};

int ns_plan_process(struct plan *p, const struct spec *s, struct err *e)
{
	for (size_t i = 0; s->has_process && i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct plan_step step = {.stage = PLAN_PROCESS,
					 .room = PLAN_NS,
					 .what = steps[i].what,
					 .pointer = steps[i].pointer,
					 .detail =
						 steps[i].tell ? steps[i].tell(p->arena, s) : NULL};
		int rc = step.detail ? plan_add(p, &step, e) : 0;
		if (rc < 0)
			return rc;
	}
	struct plan_step run = {.stage = PLAN_PROCESS,
				.room = PLAN_NS,
				.what = "exec",
				.pointer = "/process/args",
				.detail = s->has_process ? s->process.args.items[0] : NULL};
	return s->has_process ? plan_add(p, &run, e) : 0;
}

int ns_process_apply(struct ns_process *p, struct err *e)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int rc = steps[i].run(p, e);
		if (rc >= 0)
			continue;
		if (!e->where[0])
			snprintf(e->where, sizeof(e->where), "%s", steps[i].pointer);
		return rc;
	}
	return 0;
}

bool ns_process_needs_procfs(const struct spec_process *p)
{
	return p->oom_score_adj.set || ns_label_wanted(p);
}

/* 0, 1, 2 and the preserved ones reach the program, nothing else (ns.h invariant 2). */
static int leave_fds(const struct ns_process *p, struct err *e)
{
	return fd_cloexec_from(3 + p->preserve_fds, e);
}

int ns_process_exec(struct arena *a, struct ns_process *p, struct err *e)
{
	int rc = ns_process_env(a, p, e);
	char **argv = arena_array(a, p->process->args.n + 1, sizeof(*argv));

	if (rc < 0)
		return rc;
	if (!argv)
		return err_sys(e, ENOMEM, NULL, "building the argument list");
	for (size_t i = 0; i < p->process->args.n; i++)
		argv[i] = (char *)(uintptr_t)p->process->args.items[i];
	ns_signals_reset(p->ignored);
	rc = leave_fds(p, e);
	if (rc >= 0)
		rc = ns_process_apply(p, e);
	if (rc < 0)
		return rc;
	execve(p->path, argv, (char **)(uintptr_t)p->env);
	rc = errno;
	return err_set(e, ERR_EXEC, rc, "/process/args/0", "exec %s: %s", p->path, err_reason(rc));
}
