/* runtime/microvm.c: the micro-VM backend: the verbs of a container that is made.
 *
 * Invariants
 *  1. The monitor is the container's process: a signal to it reaches the container's first
 *     process (its relay passes them on), SIGKILL ends the machine, SIGSTOP pauses it, its group is
 *     accounted.
 *  2. Only what has to happen inside is asked of the agent.
 */
#include "runtime/microvm.h"

#include "common/proc.h"
#include "microvm/kvm.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#define STOP_TURNS 5000 /* of a fifth of a millisecond */

static int probe(struct err *e)
{
	struct vm_host h;

	vm_host_look(&h);
	return h.reason[0] ? err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
				     "this host can't run a micro-VM: %s", h.reason)
			   : 0;
}

static int accept_spec(struct rt_container *c, struct err *e)
{
	int rc = be_vm_accept(c, NULL, e);

	if (rc >= 0)
		rc = cg_discover(c->arena, &c->layout, e);
	if (rc < 0)
		return rc;
	return c->env->no_cgroup ? cg_accept_none(c->layout, c->spec, e)
				 : cg_accept(c->layout, c->spec, c->rootless, e);
}

static int plan(struct rt_container *c, struct plan *p, struct err *e)
{
	struct be_vm_shape shape;
	int rc = be_vm_shape(c, &shape, e);
	struct plan_step machine = {.stage = PLAN_PREPARE,
				    .room = PLAN_RT,
				    .what = "machine",
				    .pointer = "/vm",
				    .detail = arena_printf(p->arena, "%llu MiB, %u processors, %s",
							   (unsigned long long)(shape.memory >> 20),
							   shape.vcpus, shape.kernel)};

	return rc < 0 ? rc : plan_add(p, &machine, e);
}

/* --- the agent --- */

int be_vm_connect(struct rt_container *c, int *ret_fd, struct err *e)
{
	int rc = rt_socket_connect(c->dir, "agent.sock", SOCK_STREAM, ret_fd, e);

	return rc == -ENOENT ? rt_socket_connect(c->dir, "start.sock", SOCK_STREAM, ret_fd, e) : rc;
}

static int call(struct rt_container *c, const struct strbuf *request, unsigned seconds,
		const struct json **ret_ok, struct err *e)
{
	const struct timeval patience = {.tv_sec = seconds};
	auto_fd fd = -1;

	if (request->failed)
		return err_sys(e, ENOMEM, c->id, "asking the guest");
	int rc = be_vm_connect(c, &fd, e);
	if (rc < 0)
		return rc;
	if (seconds)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return vm_call(fd, c->arena, request->s, request->len, ret_ok, e);
}

int be_vm_call(struct rt_container *c, const struct strbuf *request, const struct json **ret_ok,
	       struct err *e)
{
	return call(c, request, 0, ret_ok, e);
}

int be_vm_call_soon(struct rt_container *c, const struct strbuf *request,
		    const struct json **ret_ok, struct err *e)
{
	return call(c, request, BE_VM_PATIENCE, ret_ok, e);
}

void be_vm_request(struct rt_container *c, const char *verb, struct strbuf *b, struct json_out *o)
{
	json_out_init(o, b, NULL);
	json_obj_open(o, NULL);
	json_put_str(o, "verb", verb);
	json_put_str(o, "id", c->id);
}

int be_vm_agent(struct rt_container *c, int *ret_fd, struct err *e)
{
	int fd = openat(c->dir, "agent.sock", O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		fd = openat(c->dir, "start.sock", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, c->id, "finding the machine's agent");
	*ret_fd = fd;
	return 0;
}

static int simple_call(struct rt_container *c, const char *verb, struct err *e)
{
	auto_strbuf request = {0};
	struct json_out o;

	be_vm_request(c, verb, &request, &o);
	json_obj_close(&o);
	return be_vm_call(c, &request, NULL, e);
}

/* --- verbs --- */

static int start(struct rt_container *c, struct err *e)
{
	int rc = simple_call(c, "start", e);

	if (rc == -ECONNREFUSED || rc == -ENOENT)
		return rt_allow(c->id, RT_STOPPED, RT_EV_START, e);
	/* From here on it is started, or dead. */
	if (renameat(c->dir, "start.sock", c->dir, "agent.sock") < 0 && rc >= 0)
		return err_sys(e, errno, "start.sock", "renaming");
	return rc;
}

static int signal_container(struct rt_container *c, int sig, bool all, struct err *e)
{
	auto_fd fd = -1;
	int rc = rt_pidfd(c->doc.pid, c->doc.ticks, &fd, e);

	(void)all; /* the end of the first process is the end of all */
	if (rc == -ESRCH)
		return err_set(e, ERR_STATE, ESRCH, NULL, "container not running");
	if (rc < 0)
		return rc;
	if (pidfd_send_signal(fd, sig, NULL, 0) < 0)
		return err_sys(e, errno, NULL, "sending signal %d", sig);
	return 0;
}

static int is_stopped(struct rt_container *c, bool *ret_stopped, struct err *e)
{
	uint64_t ticks;
	char letter;
	int rc = proc_stat(-1, c->doc.pid, &letter, &ticks, e);

	if (rc >= 0)
		*ret_stopped = letter == 'T';
	return rc;
}

static int ask_paused(struct rt_container *c, bool *ret_paused, struct err *e)
{
	auto_strbuf request = {0};
	const struct json *ok, *state;
	const char *status = "";
	struct json_out o;

	be_vm_request(c, "state", &request, &o);
	json_obj_close(&o);
	int rc = be_vm_call_soon(c, &request, &ok, e);
	if (rc < 0)
		return rc;
	state = json_get(ok, "state");
	*ret_paused =
		state && json_get_string(state, "status", &status) && str_eq(status, "paused");
	return 0;
}

/* The whole machine, or the container in it, beside others. */
static int paused(struct rt_container *c, bool *ret_paused, struct err *e)
{
	bool is = false;
	int rc = is_stopped(c, &is, e);

	if (rc >= 0 && !is)
		return ask_paused(c, ret_paused, e);
	if (rc >= 0)
		*ret_paused = is;
	return rc;
}

/* Until the processors have left the guest: a moment, with nothing to wait at. */
static int until_paused(struct rt_container *c, bool pause, struct err *e)
{
	const struct timespec moment = {.tv_nsec = 200000};
	bool is = !pause;
	int rc = 0;

	for (int i = 0; rc >= 0 && is != pause && i < STOP_TURNS; i++) {
		rc = is_stopped(c, &is, e);
		if (rc >= 0 && is != pause)
			nanosleep(&moment, NULL);
	}
	return rc < 0 || is == pause
		       ? rc
		       : err_set(e, ERR_SYSTEM, ETIMEDOUT, c->id, "the machine didn't stop");
}

/* Not by the freezer: a thread of the kernel's own in the machine's group (KVM's
 * kvm-nx-lpage-recovery, before Linux 6.13) can't be frozen, and the group never is. */
static int pause_machine(struct rt_container *c, bool pause, struct err *e)
{
	auto_fd fd = -1;
	int rc = rt_pidfd(c->doc.pid, c->doc.ticks, &fd, e);

	if (rc < 0)
		return rc;
	if (pidfd_send_signal(fd, pause ? SIGSTOP : SIGCONT, NULL, 0) < 0)
		return err_sys(e, errno, c->id, "stopping the machine");
	return until_paused(c, pause, e);
}

/* Beside others it is the guest's freezer that stops one. */
static int pause_container(struct rt_container *c, bool pause, struct err *e)
{
	bool stopped = false;
	int rc = is_stopped(c, &stopped, e);

	if (rc < 0)
		return rc;
	if (stopped || !be_vm_has_company(c))
		rc = pause_machine(c, pause, e);
	else
		rc = simple_call(c, pause ? "pause" : "resume", e);
	return rc;
}

static int update(struct rt_container *c, const struct spec_resources *r,
		  const struct spec_intel_rdt *rdt, struct err *e)
{
	if (rdt)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/linux/intelRdt",
			       "a micro-VM has no class of service");
	int rc = rt_load_group(c, e);
	return rc < 0 ? rc : cg_update(c->group, r, e);
}

/* The monitor and its file server: what the host knows of it. */
static int pids(struct rt_container *c, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	int rc = rt_load_group(c, e);

	return rc < 0 ? rc : cg_pids(c->group, ret_pids, ret_n, e);
}

static int stats(struct rt_container *c, struct arena *a, struct cg_stats *ret_stats, struct err *e)
{
	int rc = rt_load_group(c, e);

	return rc < 0 ? rc : cg_stats(c->group, a, ret_stats, e);
}

static int oom(struct rt_container *c, struct cg_oom *ret_oom, struct err *e)
{
	int rc = rt_load_group(c, e);

	return rc < 0 ? rc : cg_oom_open(c->group, ret_oom, e);
}

static int destroy(struct rt_container *c, struct err *e)
{
	int rc = 0;

	fd_cleanup(&c->proc.sync);
	if (c->proc.child && !c->proc.ended && c->proc.pidfd >= 0)
		rc = rt_end(c->proc.pidfd, true, e);
	return rc < 0 ? rc : rt_undo(c, e);
}

const struct be_ops be_microvm = {
	.name = "microvm",
	.probe = probe,
	.accept = accept_spec,
	.plan = plan,
	.create = be_vm_create,
	.start = start,
	.exec = be_vm_exec,
	.signal = signal_container,
	.pause = pause_container,
	.paused = paused,
	.update = update,
	.pids = pids,
	.stats = stats,
	.oom = oom,
	.destroy = destroy,
};

/* A container in a pod's machine: its process on the host stands for it. */
const struct be_ops be_joined = {
	.name = "microvm-pod",
	.probe = probe,
	.accept = be_vm_join_accept,
	.plan = be_vm_join_plan,
	.create = be_vm_join,
	.start = start,
	.exec = be_vm_exec,
	.signal = be_vm_join_signal,
	.pause = pause_container,
	.paused = paused,
	.update = update,
	.pids = pids,
	.stats = stats,
	.oom = oom,
	.destroy = destroy,
};
