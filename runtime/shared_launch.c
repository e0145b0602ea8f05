/* runtime/shared_launch.c: the launch of a shared-kernel container, up to "created": N1 to N8 of
 * namespaces/ns.h, seen from the runtime.
 *
 * Invariants
 *  1. Every outside effect is in the journal before it is made; the pid, which can't be known
 *     before, right after the clone and before any message is read. Until it is, the child ends
 *     when we do (N4), or is found through its group or its socket.
 *  2. The child lets go of the state directory before it is READY: no lock outlives the runtime.
 */
#include "cgroups/resctrl.h"
#include "common/proc.h"
#include "common/sync.h"
#include "net/device.h"
#include "runtime/criu.h"
#include "runtime/shared.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct launch {
	struct rt_container *c;
	struct ns_launch ns;
	struct cg_run cg;
	struct net_run net;
	struct plan plan;
	struct plan_env env;
};

static int loopback(const struct plan_step *s, void *ctx, struct err *e)
{
	(void)s;
	(void)ctx;
	return net_loopback_up(e);
}

static int plan_links(struct plan *p, const struct spec *s, struct err *e)
{
	const struct spec_namespace *net = spec_find_ns(s, SPEC_NS_NETWORK);
	struct plan_step step = {.stage = PLAN_BUILD,
				 .room = PLAN_NET,
				 .what = "link",
				 .pointer = "/linux/namespaces",
				 .detail = "lo up",
				 .run = loopback};

	int rc = net && !net->path ? plan_add(p, &step, e) : 0;
	return rc < 0 ? rc : net_plan_devices(p, s, e);
}

static int plan_cgroup(struct rt_container *c, struct plan *p, struct err *e)
{
	struct cg_want want = {.spec = c->spec,
			       .id = c->id,
			       .driver =
				       c->env->systemd_cgroup ? CG_DRIVER_SYSTEMD : CG_DRIVER_FILES,
			       .user = c->rootless};
	bool own = c->rootless && !c->env->systemd_cgroup;
	int rc = own ? cg_group_delegated(c->arena, c->layout, &want, &c->group, e)
		     : cg_group_init(c->arena, c->layout, &want, &c->group, e);

	if (rc < 0)
		return rc;
	c->group->delegated_only = c->rootless;
	return cg_plan(p, c->group, c->spec, e);
}

/* Before the groups: its records are undone after theirs, when no process is left. */
static int plan_resctrl(struct rt_container *c, struct plan *p, struct err *e)
{
	if (!c->spec->linux_.intel_rdt.set)
		return 0;
	struct cg_resctrl *r = arena_alloc(c->arena, sizeof(*r));
	if (!r)
		return err_sys(e, ENOMEM, "/linux/intelRdt", "planning the class of service");
	int rc = be_shared_resctrl(c, r, e);
	return rc < 0 ? rc : cg_resctrl_plan(p, r, e);
}

int be_shared_plan(struct rt_container *c, struct plan *p, struct err *e)
{
	int rc = plan_resctrl(c, p, e);

	if (rc >= 0 && !c->env->no_cgroup)
		rc = plan_cgroup(c, p, e);
	if (rc >= 0)
		rc = ns_plan(p, c->spec, c->doc.rootfs, c->doc.bundle, e);
	return rc < 0 ? rc : plan_links(p, c->spec, e);
}

const char *be_shared_cache(struct rt_container *c)
{
	if (!c->spec->linux_.seccomp.set)
		return NULL;
	/* No id begins with a dot. */
	if (mkdirat(c->root, ".filters", 0700) < 0 && errno != EEXIST)
		return NULL;
	return arena_printf(c->arena, "%s/.filters", c->env->root);
}

int be_shared_console(const char *path, int *ret_fd, struct err *e)
{
	if (!path)
		return 0;
	return err_wrap(e, rt_console_connect(path, ret_fd, e), "the console socket");
}

static int note(void *arg, const char *record, struct err *e)
{
	struct rt_container *c = arg;

	return st_journal_append(&c->journal, record, e);
}

static const char *group_dir(void *arg, const char *point)
{
	return cg_group_dir(arg, point);
}

/* --- in the child --- */

static void let_go(struct rt_container *c, bool hooks)
{
	char self[32] = "";

	st_journal_close(&c->journal);
	fd_close(&c->dir);
	fd_close(&c->root);
	/* The host's procfs is still here and says how the host calls us. */
	if (hooks && readlink("/proc/self", self, sizeof(self) - 1) > 0)
		c->doc.pid = (pid_t)strtol(self, NULL, 10);
}

static int child_hooks(void *arg, enum ns_hook_point point, struct err *e)
{
	struct rt_container *c = arg;
	const struct spec_hooks *h = &c->spec->hooks;
	bool creating = point == NS_HOOK_CREATE_CONTAINER;
	const struct spec_hook_list *l = creating ? &h->create_container : &h->start_container;
	/* No other place is sure to be there in the container's namespaces. */
	const struct rt_hook_place here = {.out = c->hook_out};
	auto_strbuf state = {0};

	if (creating)
		let_go(c, h->create_container.n || h->start_container.n);
	if (l->n == 0)
		return 0;
	rt_hook_state(c, creating ? RT_CREATING : RT_CREATED, c->doc.pid, &state);
	return rt_hooks(l, creating ? "createContainer" : "startContainer", &state, &here, e);
}

/* --- in the runtime --- */

static bool hooks_before_pivot(const struct spec_hooks *h)
{
	return h->prestart.n || h->create_runtime.n || h->create_container.n;
}

static bool new_user(const struct spec *s)
{
	const struct spec_namespace *user = spec_find_ns(s, SPEC_NS_USER);

	return user && !user->path;
}

/* The socket that `start` connects to. */
static int start_socket(struct rt_container *c, int *ret_fd, struct err *e)
{
	if (c->one_shot)
		return 0;
	int rc = note(c, "socket start.sock", e);
	return rc < 0 ? rc : rt_socket_listen(c->dir, "start.sock", SOCK_SEQPACKET, ret_fd, e);
}

static int spawn(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;
	struct ns_child child;
	char record[64];

	l->ns.cgroup_fd = c->group ? c->group->v2_fd : -1;
	l->ns.wait_go = new_user(c->spec) || (c->group && c->group->unit) ||
			c->spec->linux_.net_devices.n || c->spec->linux_.intel_rdt.set;
	l->cg.born_in_v2 = l->ns.cgroup_fd >= 0;
	l->ns.cg = &l->cg;
	int rc = ns_spawn(&l->ns, &child, e);
	if (rc < 0)
		return rc;
	c->proc = (struct rt_proc){.pid = child.pid,
				   .pidfd = child.pidfd,
				   .sync = child.sync,
				   .master = -1,
				   .child = true};
	rc = proc_start_time(-1, child.pid, &c->doc.ticks, e);
	if (rc < 0)
		return rc;
	c->doc.pid = child.pid;
	snprintf(record, sizeof(record), "pid %d %llu", (int)child.pid,
		 (unsigned long long)c->doc.ticks);
	return note(c, record, e);
}

/* Where network devices go, kept open until the container is made: the process may end before a
 * failed create has taken them back. */
static int open_links(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;
	const struct spec_namespace *net = spec_find_ns(c->spec, SPEC_NS_NETWORK);

	if (c->spec->linux_.net_devices.n == 0)
		return 0;
	int rc = ns_open_net(&l->ns, c->proc.pid, &c->netns, e);
	l->net = (struct net_run){
		.target = c->netns, .path = net->path, .note = note, .note_arg = c};
	return rc;
}

/* N4. */
static int attach(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;

	if (!l->ns.wait_go)
		return 0;
	l->cg.pid = c->proc.pid;
	int rc = ns_write_maps(c->spec, c->proc.pid, e);
	if (rc >= 0)
		rc = ns_write_oom(&l->ns, c->proc.pid, e);
	if (rc >= 0)
		rc = open_links(l, e);
	if (rc >= 0)
		rc = plan_run(&l->plan, PLAN_ATTACH, &l->env, e);
	return rc < 0 ? rc : sync_send(c->proc.sync, SYNC_GO, 0, -1, e);
}

/* N6: the runtime's own hooks, between building and pivoting. */
static int runtime_hooks(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;
	struct rt_hook_place host = rt_hook_host(c);
	auto_strbuf state = {0};

	if (!l->ns.hooks_before_pivot)
		return 0;
	int rc = sync_expect(c->proc.sync, SYNC_BUILT, NULL, NULL, e);
	rt_hook_state(c, RT_CREATING, c->proc.pid, &state);
	if (rc >= 0)
		rc = rt_hooks(&c->spec->hooks.prestart, "prestart", &state, &host, e);
	if (rc >= 0)
		rc = rt_hooks(&c->spec->hooks.create_runtime, "createRuntime", &state, &host, e);
	return rc < 0 ? rc : sync_send(c->proc.sync, SYNC_HOOKED, 0, -1, e);
}

/* Without a word: killed, most likely by the kernel for want of memory. */
static int ended_early(const struct spec *s, struct err *e)
{
	return err_set(
		e, ERR_SYSTEM, EPIPE, NULL, "the container's process ended before it was ready%s",
		s->linux_.resources.memory.limit.set ? ": the memory limit could be too low" : "");
}

/* N8: until READY; the master of the terminal may come before it. */
static int until_ready(struct rt_container *c, struct err *e)
{
	for (;;) {
		struct sync_msg m;
		auto_fd fd = -1;
		int rc = sync_recv(c->proc.sync, &m, &fd, e);
		if (rc < 0)
			return rc;
		if (rc == 0)
			return ended_early(c->spec, e);
		if (m.type == SYNC_READY)
			return 0;
		if (m.type == SYNC_ERROR) {
			*e = m.err;
			return -e->code;
		}
		if (m.type != SYNC_CONSOLE || fd < 0 || c->proc.master >= 0)
			return err_set(e, ERR_INTERNAL, EPROTO, NULL,
				       "unexpected message %u before the container was ready",
				       m.type);
		c->proc.master = take_fd(&fd);
	}
}

/* `run` has nothing to do between READY and START: the START lies ready when the child gets there,
 * and neither side waits for the other to wake up. A group to delegate is the exception. */
static int ready_and_go(struct rt_container *c, struct err *e)
{
	bool delegates = c->group && cg_delegates(c->group, c->spec);
	int rc = c->one_shot ? c->born(c, e) : 0;

	if (rc >= 0 && c->one_shot && !delegates)
		rc = sync_send(c->proc.sync, SYNC_START, 0, -1, e);
	/* Gone already? Its last words say why. */
	if (rc >= 0 || rc == -EPIPE)
		rc = until_ready(c, e);
	if (rc >= 0 && delegates)
		rc = cg_delegate(c->group, c->spec, c->proc.pid, e);
	if (rc >= 0 && c->one_shot && delegates)
		rc = sync_send(c->proc.sync, SYNC_START, 0, -1, e);
	return rc;
}

static int launch(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;
	int rc = start_socket(c, &l->ns.start_fd, e);

	if (rc >= 0)
		rc = rt_plan_prepare(c, &l->plan, &l->env, e);
	if (rc >= 0)
		rc = spawn(l, e);
	if (rc >= 0)
		rc = attach(l, e);
	if (rc >= 0)
		rc = runtime_hooks(l, e);
	return rc < 0 ? rc : ready_and_go(c, e);
}

int be_shared_create(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	struct launch l = {.c = c, .plan = {.arena = c->arena}};
	int rc = be_shared_plan(c, &l.plan, e);

	if (rc < 0)
		return rc;
	rt_note_streams(c);
	l.cg = (struct cg_run){.group = c->group, .note = note, .note_arg = c};
	l.env = (struct plan_env){.room = {[PLAN_CG] = &l.cg, [PLAN_NET] = &l.net},
				  .journal = note,
				  .journal_arg = c};
	l.ns = (struct ns_launch){
		.arena = c->arena,
		.spec = c->spec,
		.rootfs = c->doc.rootfs,
		.bundle = c->doc.bundle,
		.cache_dir = be_shared_cache(c),
		.plan = &l.plan,
		.cgroup_fd = -1,
		.cgroup_v2 = c->layout->mode == CG_V2,
		.cgroup_dir = c->group ? group_dir : NULL,
		.cgroup_arg = c->group,
		.start_fd = -1,
		.console_fd = -1,
		.preserve_fds = c->preserve_fds,
		.plain_newlines = how->plain_newlines,
		.no_pivot = how->no_pivot,
		.no_new_keyring = how->no_new_keyring,
		.rootless = c->rootless,
		.hooks_before_pivot = hooks_before_pivot(&c->spec->hooks),
		.run_hooks = child_hooks,
		.hooks_arg = c,
	};
	rc = be_shared_console(how->console_socket, &l.ns.console_fd, e);
	if (rc >= 0)
		rc = ns_prepare(&l.ns, e);
	if (rc >= 0)
		rc = launch(&l, e);
	if (rc >= 0)
		be_shared_warn_kernel_memory(c, &c->spec->linux_.resources);
	ns_release(&l.ns);
	fd_cleanup(&l.ns.start_fd);
	fd_cleanup(&l.ns.console_fd);
	return rc;
}
