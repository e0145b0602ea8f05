/* runtime/microvm_join.c: a container of a pod up to "created": made in the machine of the pod's
 * sandbox, with a process of ours that stands for it on the host.
 *
 * Invariants
 *  1. As in microvm_launch.c: every outside effect is in the journal first, and the process ends
 *     with us until all is made. What is in the machine is one effect: undoing it is a forced
 *     delete inside, and the return of all that the container brought.
 *  2. The machine's socket has a name in the container's own directory: every verb that asks the
 *     agent finds it as a container with a machine of its own does.
 *  3. Limits hold inside, where the processes are. The group on the host counts what stands for
 *     them.
 */
#include "runtime/microvm_process.h"

#include "common/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

#define END_PATIENCE_MS 5000 /* from the guest's word that it killed to the end on the host */

struct join {
	struct rt_container *c;
	struct be_vm_pod pod;
	int agent, net, terminal;
	struct be_vm_shares shares;
	struct strbuf config;
	struct cg_run cg;
	struct plan plan;
	struct plan_env env;
};

/* --- before anything is made --- */

int be_vm_join_accept(struct rt_container *c, struct err *e)
{
	struct be_vm_pod pod;
	int rc = be_vm_pod_open(c, &pod, e);

	if (rc < 0)
		return rc;
	rc = be_vm_accept(c, &pod, e);
	be_vm_pod_close(&pod);
	if (rc >= 0 && c->spec->vm.set)
		rc = err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/vm",
			     "the machine is the pod's, and runs already");
	return rc < 0 ? rc : rt_accept_groups(c, e);
}

int be_vm_join_plan(struct rt_container *c, struct plan *p, struct err *e)
{
	struct plan_step machine = {.stage = PLAN_PREPARE,
				    .room = PLAN_RT,
				    .what = "machine",
				    .pointer = "/annotations",
				    .detail = arena_printf(p->arena, "that of %s",
							   be_vm_sandbox(&c->spec->annotations))};

	return plan_add(p, &machine, e);
}

/* --- its parts --- */

static int open_network(struct join *j, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)j->pod.machine.doc.pid);
	j->net = open(path, O_RDONLY | O_CLOEXEC);
	return j->net < 0 ? err_sys(e, errno, path, "opening the pod's network namespace") : 0;
}

static int open_parts(struct join *j, const struct rt_create *how, struct err *e)
{
	int rc = be_vm_agent(&j->pod.machine, &j->agent, e);

	if (rc >= 0)
		rc = open_network(j, e);
	if (rc >= 0)
		rc = be_vm_shares_open(j->c, &j->pod, &j->shares, e);
	return rc < 0 ? rc : be_vm_console(j->c, how->console_socket, &j->terminal, e);
}

static void close_parts(struct join *j)
{
	be_vm_pod_close(&j->pod);
	be_vm_shares_close(&j->shares);
	strbuf_free(&j->config);
	fd_cleanup(&j->agent);
	fd_cleanup(&j->net);
	fd_cleanup(&j->terminal);
}

/* (3) */
static int plan_groups(struct join *j, struct err *e)
{
	struct spec *host = arena_alloc(j->c->arena, sizeof(*host));

	if (!host)
		return err_sys(e, ENOMEM, NULL, "planning the control group");
	*host = *j->c->spec;
	host->linux_.resources = (struct spec_resources){0};
	return be_vm_groups(j->c, host, &j->plan, e);
}

/* (2) */
static int link_agent(struct join *j, struct err *e)
{
	static const char *const names[] = {"agent.sock", "start.sock"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (linkat(j->pod.machine.dir, names[i], j->c->dir, "start.sock", 0) == 0)
			return 0;
	return err_sys(e, errno, j->pod.machine.id, "naming the machine's agent");
}

/* --- the process on the host --- */

static void stand(void *arg, int sync)
{
	struct join *j = arg;
	struct err e;

	/* The pod's, so that whoever looks at the process finds the pod's network. */
	bool outside = setns(j->net, CLONE_NEWNET) < 0;
	if (outside && errno != EPERM)
		_exit(1);
	if (sync_expect(sync, SYNC_GO, NULL, NULL, &e) < 0 ||
	    plan_run(&j->plan, PLAN_ENTER, &j->env, &e) < 0)
		_exit(1);
	be_vm_stand_in(&(struct be_vm_stand){.agent = j->agent,
					     .id = j->c->id,
					     .process = "init",
					     .terminal = j->terminal,
					     .sync = sync,
					     .holds = true,
					     .outside = outside});
}

/* --- in the machine --- */

static int find_sandbox(struct join *j, struct err *e)
{
	struct rt_container *m = &j->pod.machine;
	const struct json *ok, *state;
	auto_vm_request r;
	uint64_t pid = 0;

	be_vm_request(&r, m, "state");
	int rc = be_vm_ask(m, &r, &ok, e);
	if (rc < 0)
		return rc;
	state = json_get(ok, "state");
	if (!state || !json_get_u64(state, "pid", &pid) || pid == 0 || pid > INT_MAX)
		return err_set(e, ERR_STATE, ESRCH, "/annotations",
			       "the pod's sandbox \"%.128s\" has no process", m->id);
	j->pod.guest_pid = (pid_t)pid;
	return 0;
}

static int bring_shares(struct join *j, struct err *e)
{
	auto_fd conn = -1;
	int rc = rt_socket_connect(j->pod.machine.dir, "files.sock", SOCK_SEQPACKET, &conn, e);

	for (size_t i = 0; rc >= 0 && i < j->shares.n; i++)
		rc = vm_fs_add(conn, j->pod.owner, &j->shares.items[i], e);
	return rc;
}

static int create_inside(struct join *j, struct err *e)
{
	int rc = find_sandbox(j, e);

	if (rc >= 0)
		rc = bring_shares(j, e);
	if (rc >= 0)
		rc = be_vm_config(j->c, &j->pod, &j->shares, &j->config, e);
	return rc < 0 ? rc : be_vm_create_inside(j->c, j->config.s, e);
}

static int make_process(struct join *j, struct err *e)
{
	struct rt_container *c = j->c;
	int rc = rt_plan_prepare(c, &j->plan, &j->env, e);

	if (rc >= 0)
		rc = be_vm_spawn(c, 0, stand, j, e);
	j->cg.pid = c->proc.pid;
	return rc < 0 ? rc : plan_run(&j->plan, PLAN_ATTACH, &j->env, e);
}

static int join(struct join *j, struct err *e)
{
	struct rt_container *c = j->c;
	char record[512];

	snprintf(record, sizeof(record), "joined %s %s", j->pod.machine.id, j->pod.owner);
	int rc = be_vm_note(c, record, e);
	if (rc >= 0)
		rc = link_agent(j, e);
	if (rc >= 0)
		rc = make_process(j, e);
	if (rc >= 0)
		rc = be_vm_hooks(c, e);
	if (rc >= 0)
		rc = sync_send(c->proc.sync, SYNC_GO, 0, -1, e);
	if (rc >= 0)
		rc = create_inside(j, e);
	if (rc >= 0)
		rc = sync_send(c->proc.sync, SYNC_START, 0, -1, e);
	if (rc >= 0 && c->one_shot)
		rc = c->born(c, e);
	return rc;
}

int be_vm_join(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	struct join j = {
		.c = c, .plan = {.arena = c->arena}, .agent = -1, .net = -1, .terminal = -1};

	c->proc.master = -1;
	int rc = be_vm_pod_open(c, &j.pod, e);
	if (rc < 0)
		return rc;
	j.cg = (struct cg_run){.note = be_vm_note, .note_arg = c};
	j.env = (struct plan_env){
		.room = {[PLAN_CG] = &j.cg}, .journal = be_vm_note, .journal_arg = c};
	c->doc.machine_memory = j.pod.machine.doc.machine_memory;
	c->doc.machine_vcpus = j.pod.machine.doc.machine_vcpus;
	rc = plan_groups(&j, e);
	j.cg.group = c->group;
	if (rc >= 0)
		rc = open_parts(&j, how, e);
	if (rc >= 0)
		rc = join(&j, e);
	close_parts(&j);
	return rc;
}

/* --- its end --- */

/* Whatever the machine says, or doesn't: after SIGKILL nothing stands any more. */
static int see_it_end(int pidfd, struct err *e)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (poll(&p, 1, END_PATIENCE_MS) == 1)
		return 0;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, errno, NULL, "sending signal %d", SIGKILL);
	return 0;
}

int be_vm_join_signal(struct rt_container *c, int sig, bool all, struct err *e)
{
	auto_vm_request r;
	auto_fd fd = -1;
	int alive = rt_pidfd(c->doc.pid, c->doc.ticks, &fd, e);

	be_vm_request(&r, c, "signal");
	if (alive < 0 && !(alive == -ESRCH && all))
		return alive == -ESRCH ? err_set(e, ERR_STATE, ESRCH, NULL, "container not running")
				       : alive;
	r.event = RT_EV_KILL;
	r.patience = BE_VM_PATIENCE_END;
	json_put_i64(&r.o, "signal", sig);
	json_put_bool(&r.o, "all", all);
	int rc = be_vm_ask(c, &r, NULL, e);
	return sig == SIGKILL && alive >= 0 ? see_it_end(fd, e) : rc;
}

/* The machine ended, and what was in it. */
static bool is_gone(int rc)
{
	return rc == -ESRCH || rc == -ENOENT || rc == -ECONNREFUSED || rc == -EPIPE ||
	       rc == -ECONNRESET;
}

static int ask_to_end(struct rt_container *m, const char *verb, const struct rt_container *c,
		      struct err *e)
{
	auto_vm_request r;

	be_vm_request(&r, c, verb);
	r.patience = BE_VM_PATIENCE_END;
	json_put_bool(&r.o, "force", true);
	return be_vm_ask(m, &r, NULL, e);
}

static int take_back(struct rt_container *m, const char *owner, struct err *e)
{
	auto_fd conn = -1;
	int rc = rt_socket_connect(m->dir, "files.sock", SOCK_SEQPACKET, &conn, e);

	return rc < 0 ? rc : vm_fs_remove(conn, owner, e);
}

/* "SANDBOX OWNER". The files go in any case: the engine unmounts them next. */
int be_vm_unjoin(struct rt_container *c, const char *arg, struct err *e)
{
	auto_container m;
	const char *owner = strrchr(arg, ' ');
	struct err ignored;

	if (!owner)
		return err_set(e, ERR_INTERNAL, EINVAL, "journal", "damaged record \"joined %s\"",
			       arg);
	char *id = arena_strndup(c->arena, arg, (size_t)(owner - arg));
	if (!id)
		return err_sys(e, ENOMEM, c->id, "leaving the pod");
	int rc = rt_open(&m, c->env, id, RT_OPEN_PARTIAL, e);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = ask_to_end(&m, "delete", c, e);
	int sub = take_back(&m, owner + 1, rc < 0 ? &ignored : e);
	if (rc >= 0 && sub >= 0)
		(void)ask_to_end(&m, "tidy", c, &ignored);
	rc = rc < 0 ? rc : sub;
	return is_gone(rc) ? 0 : rc;
}
