/* runtime/shared.c: the shared-kernel backend: namespaces, control groups and links under one
 * plan. Launching stands in shared_launch.c, exec in shared_exec.c.
 *
 * Invariants
 *  1. What ends a container is the journal; nothing here remembers effects in another way.
 *  2. A process is signalled through a pidfd whose start time was checked.
 */
#include "runtime/shared.h"
#include "runtime/container.h"

#include "cgroups/resctrl.h"
#include "common/sync.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define FREEZE_TIMEOUT_MS 10000

static int probe(struct err *e)
{
	(void)e;
	return 0;
}

int be_shared_resctrl(struct rt_container *c, struct cg_resctrl *ret, struct err *e)
{
	const char *root;
	int rc = cg_resctrl_find(c->arena, &root, e);

	return rc < 0 ? rc
		      : cg_resctrl_init(c->arena, root, c->id, &c->spec->linux_.intel_rdt, ret, e);
}

int be_shared_join_resctrl(struct rt_container *c, pid_t pid, struct err *e)
{
	struct cg_resctrl r;

	if (!c->spec->linux_.intel_rdt.set)
		return 0;
	int rc = be_shared_resctrl(c, &r, e);
	return rc < 0 ? rc : cg_resctrl_attach(&r, pid, e);
}

static int accept_resctrl(struct rt_container *c, struct err *e)
{
	struct cg_resctrl r;

	if (!c->spec->linux_.intel_rdt.set)
		return 0;
	int rc = be_shared_resctrl(c, &r, e);
	return rc < 0 ? rc : cg_resctrl_accept(&r, e);
}

static int accept_spec(struct rt_container *c, struct err *e)
{
	int rc = ns_accept(c->spec, e);

	if (rc >= 0)
		rc = accept_resctrl(c, e);
	return rc < 0 ? rc : rt_accept_groups(c, e);
}

/* The open pair is used by run; otherwise the socket that create left. */
static int start_channel(struct rt_container *c, int *ret_fd, struct err *e)
{
	if (c->proc.sync >= 0) {
		*ret_fd = take_fd(&c->proc.sync);
		return 0;
	}
	int rc = rt_socket_connect(c->dir, "start.sock", SOCK_SEQPACKET, ret_fd, e);
	if (rc == -ECONNREFUSED)
		return rt_allow(c->id, RT_STOPPED, RT_EV_START, e);
	return rc;
}

/* Nobody will ever let it go on. */
static int end_started(struct rt_container *c, int rc)
{
	struct err ignored;
	auto_fd fd = -1;

	if (rt_pidfd(c->doc.pid, c->doc.ticks, &fd, &ignored) >= 0)
		(void)rt_end(fd, true, &ignored);
	return rc;
}

/* Until the end of file; a filter that notifies sends its listener before. */
static int until_started(struct rt_container *c, int sock, struct err *e)
{
	struct sync_msg m;
	auto_fd listener = -1;
	int rc = sync_recv(sock, &m, &listener, e);

	if (rc > 0 && m.type == SYNC_LISTENER) {
		rc = rt_notify(c, RT_CREATED, c->doc.pid, listener, sock, e);
		if (rc < 0)
			return end_started(c, rc);
		rc = sync_recv(sock, &m, NULL, e);
	}
	if (rc <= 0)
		return rc;
	if (m.type != SYNC_ERROR)
		return err_set(e, ERR_INTERNAL, EPROTO, NULL, "unexpected message at the start");
	*e = m.err;
	return -e->code;
}

/* End of file is success: the program's execve closed the other side. */
static int start(struct rt_container *c, struct err *e)
{
	auto_fd sock = -1;
	int rc = start_channel(c, &sock, e);

	if (rc < 0)
		return rc;
	rc = c->one_shot ? 0 : sync_send(sock, SYNC_START, 0, -1, e);
	if (rc >= 0)
		rc = until_started(c, sock, e);
	/* From here on it is started, or dead. */
	if (!c->one_shot)
		(void)unlinkat(c->dir, "start.sock", 0);
	return rc;
}

static int not_running(int rc, struct err *e)
{
	return rc == -ESRCH ? err_set(e, ERR_STATE, ESRCH, NULL, "container not running") : rc;
}

static int signal_init(struct rt_container *c, int sig, struct err *e)
{
	auto_fd fd = -1;
	int rc = rt_pidfd(c->doc.pid, c->doc.ticks, &fd, e);

	if (rc < 0)
		return not_running(rc, e);
	if (pidfd_send_signal(fd, sig, NULL, 0) < 0)
		return not_running(err_sys(e, errno, NULL, "sending signal %d", sig), e);
	return 0;
}

static int signal_all(struct rt_container *c, int sig, struct err *e)
{
	pid_t *pids = NULL;
	size_t n = 0;
	int rc = rt_load_group(c, e);

	if (rc >= 0)
		rc = cg_pids(c->group, &pids, &n, e);
	free(pids);
	if (rc < 0)
		return rc;
	/* An empty group: all are gone, or without privileges it could not be made. */
	if (n == 0) {
		rc = signal_init(c, sig, e);
		return rc == -ESRCH ? 0 : rc;
	}
	return cg_signal_all(c->group, sig, e);
}

static int signal_known(struct rt_container *c, int sig, struct err *e)
{
	int rc = rt_ns_signal(c, sig, e);

	return rc == 0 ? signal_init(c, sig, e) : rc < 0 ? rc : 0;
}

/* A frozen process of v1 takes no signal, not even the last, until it is thawed. */
static int thaw_for_kill(struct rt_container *c, struct err *e)
{
	int rc = rt_load_group(c, e);

	return rc < 0 ? rc : cg_freeze(c->group, false, FREEZE_TIMEOUT_MS, e);
}

static int signal_container(struct rt_container *c, int sig, bool all, struct err *e)
{
	int rc = !all            ? signal_init(c, sig, e)
		 : c->doc.cgroup ? signal_all(c, sig, e)
				 : signal_known(c, sig, e);

	if (rc >= 0 && sig == SIGKILL && c->doc.paused)
		rc = thaw_for_kill(c, e);
	return rc;
}

static int pause_container(struct rt_container *c, bool pause, struct err *e)
{
	int rc = rt_load_group(c, e);

	return rc < 0 ? rc : cg_freeze(c->group, pause, FREEZE_TIMEOUT_MS, e);
}

static int paused(struct rt_container *c, bool *ret_paused, struct err *e)
{
	int rc = rt_load_group(c, e);

	return rc < 0 ? rc : cg_frozen(c->group, ret_paused, e);
}

/* The journal knows whether we made it. */
static int is_ours(struct rt_container *c, const char *dir, bool *ret_ours, struct err *e)
{
	struct st_record *r;
	size_t n;
	int rc = st_journal_read(c->dir, NULL, c->arena, &r, &n, e);

	if (rc < 0)
		return rc;
	*ret_ours = false;
	for (size_t i = 0; i < n; i++)
		if (str_eq(r[i].kind, "resctrl") && str_eq(r[i].arg, dir))
			*ret_ours = true;
	return 0;
}

static int update_resctrl(struct rt_container *c, const struct spec_intel_rdt *rdt, struct err *e)
{
	struct cg_resctrl r;
	bool ours;

	if (!c->spec->linux_.intel_rdt.set)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/linux/intelRdt",
			       "the container was made without it, and has no class of service");
	int rc = be_shared_resctrl(c, &r, e);
	if (rc >= 0)
		rc = is_ours(c, r.clos, &ours, e);
	if (rc < 0)
		return rc;
	if (!ours)
		return err_set(e, ERR_UNSUPPORTED, EPERM, "/linux/intelRdt/closID",
			       "the class of service %s wasn't made for this container, and isn't "
			       "its to change",
			       r.clos);
	return cg_resctrl_update(&r, rdt, e);
}

/* The specification calls these limits not recommended, and the peers go on without them: no reason
 * to fail, but not silence either. */
void be_shared_warn_kernel_memory(const struct rt_container *c, const struct spec_resources *r)
{
	const struct opt_i64 *limit = &r->memory.kernel;
	struct err e;

	if (!limit->set || limit->v <= 0 || !c->group || !c->env->warn ||
	    cg_kernel_memory_holds(c->group, limit->v))
		return;
	err_set(&e, ERR_UNSUPPORTED, ENOTSUP, "/linux/resources/memory/kernel",
		"ignored: this kernel has no limits of kernel memory alone");
	c->env->warn(c->env->warn_arg, &e);
}

static int update(struct rt_container *c, const struct spec_resources *r,
		  const struct spec_intel_rdt *rdt, struct err *e)
{
	int rc = rdt ? update_resctrl(c, rdt, e) : 0;

	if (rc >= 0)
		rc = rt_load_group(c, e);
	if (rc >= 0)
		rc = cg_update(c->group, r, e);
	if (rc >= 0)
		be_shared_warn_kernel_memory(c, r);
	return rc;
}

static int pids(struct rt_container *c, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	size_t n = 0;
	pid_t *list = NULL;
	int rc = c->doc.cgroup ? rt_load_group(c, e) : 0;

	if (rc >= 0 && c->group)
		rc = cg_pids(c->group, &list, &n, e);
	if (rc < 0)
		return rc;
	if (n == 0) {
		free(list);
		return rt_ns_pids(c, ret_pids, ret_n, e);
	}
	*ret_pids = list;
	*ret_n = n;
	return 0;
}

static int rdt_stats(struct rt_container *c, struct arena *a, struct cg_stats *s, struct err *e)
{
	struct cg_rdt_stats *rdt = arena_alloc(a, sizeof(*rdt));
	struct cg_resctrl r;
	int rc = rdt ? rt_load_spec(c, e) : err_sys(e, ENOMEM, c->id, "reading statistics");

	if (rc < 0 || !c->spec->linux_.intel_rdt.set)
		return rc;
	rc = be_shared_resctrl(c, &r, e);
	if (rc >= 0)
		rc = cg_resctrl_stats(a, &r, rdt, e);
	s->rdt = rc < 0 ? NULL : rdt;
	return rc;
}

/* A container without a group (rootless on v1) is known by its processes alone. */
static int stats(struct rt_container *c, struct arena *a, struct be_stats *ret_stats, struct err *e)
{
	struct be_stats s = {0};
	int rc = c->doc.cgroup ? rt_load_group(c, e) : 0;

	if (rc >= 0 && c->group)
		rc = cg_stats(c->group, a, &s.used, e);
	if (rc >= 0)
		rc = rdt_stats(c, a, &s.used, e);
	if (rc >= 0)
		rc = rt_netdevs(c, a, &s, e);
	if (rc < 0)
		return rc;
	if (s.used.pids.current == 0)
		s.used.pids.current = 1;
	*ret_stats = s;
	return 0;
}

static bool oom_read(struct be_oom *o)
{
	return cg_oom_read(&o->group);
}

static void oom_close(struct be_oom *o)
{
	o->fd = -1;
	cg_oom_close(&o->group);
}

static int oom(struct rt_container *c, struct be_oom *ret_oom, struct err *e)
{
	struct be_oom o = BE_OOM_INIT;
	int rc = c->doc.cgroup ? rt_load_group(c, e) : 0;

	if (rc >= 0 && c->group)
		rc = cg_oom_open(c->group, &o.group, e);
	if (rc < 0)
		return rc;
	o.fd = o.group.fd;
	o.read = oom_read;
	o.close = oom_close;
	*ret_oom = o;
	return 0;
}

static int destroy(struct rt_container *c, struct err *e)
{
	int rc = rt_end_child(c, e);

	/* A v1 freezer keeps even SIGKILL waiting. */
	if (rc >= 0 && c->doc.paused)
		rc = signal_container(c, SIGKILL, false, e);
	if (rc == -ESRCH)
		rc = 0;
	return rc < 0 ? rc : rt_undo(c, e);
}

const struct be_ops be_shared = {
	.name = "shared",
	.probe = probe,
	.accept = accept_spec,
	.plan = be_shared_plan,
	.create = be_shared_create,
	.start = start,
	.exec = be_shared_exec,
	.checkpoint = be_shared_checkpoint,
	.restore = be_shared_restore,
	.signal = signal_container,
	.pause = pause_container,
	.paused = paused,
	.update = update,
	.pids = pids,
	.stats = stats,
	.oom = oom,
	.user = rt_user_inside,
	.destroy = destroy,
};
