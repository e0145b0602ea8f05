/* runtime/microvm.c: the micro-VM backend: the verbs of a container that is made.
 *
 * Invariants
 *  1. The monitor is the container's process: a signal to it reaches the container's first
 *     process (its relay passes them on), SIGKILL ends the machine, SIGSTOP pauses it
 *     (microvm_ask.c), its group holds the machine.
 *  2. Only what has to happen inside is asked of the agent.
 */
#include "runtime/microvm.h"

#include "microvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

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

	return rc < 0 ? rc : rt_accept_groups(c, e);
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

const char *be_vm_inside(const struct rt_container *c)
{
	return c->doc.inside ? c->doc.inside : c->id;
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

/* --- verbs --- */

static int start(struct rt_container *c, struct err *e)
{
	auto_vm_request r;

	be_vm_request(&r, c, "start");
	r.event = RT_EV_START;
	r.patience = 0; /* its hooks take the time that they take */
	int rc = be_vm_ask(c, &r, NULL, e);
	/* From here on it is started, or dead. */
	if (renameat(c->dir, "start.sock", c->dir, "agent.sock") < 0 && rc >= 0)
		return err_sys(e, errno, "start.sock", "renaming");
	if (rc >= 0)
		rt_sdnotify_ready(c->doc.pid);
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

static int destroy(struct rt_container *c, struct err *e)
{
	int rc = rt_end_child(c, e);

	return rc < 0 ? rc : rt_undo(c, e);
}

const struct be_ops be_microvm = {
	.name = "microvm",
	.own_kernel = true,
	.probe = probe,
	.accept = accept_spec,
	.plan = plan,
	.create = be_vm_create,
	.start = start,
	.exec = be_vm_exec,
	.checkpoint = be_vm_checkpoint,
	.restore = be_vm_restore,
	.signal = signal_container,
	.pause = be_vm_pause,
	.paused = be_vm_paused,
	.update = be_vm_update,
	.pids = be_vm_pids,
	.processes = be_vm_processes,
	.stats = be_vm_stats,
	.oom = be_vm_oom,
	.user = be_vm_user,
	.destroy = destroy,
};

/* A container in a pod's machine: its process on the host stands for it (microvm_join.c). */
const struct be_ops be_joined = {
	.name = "microvm-pod",
	.own_kernel = true,
	.probe = probe,
	.accept = be_vm_join_accept,
	.plan = be_vm_join_plan,
	.create = be_vm_join,
	.start = start,
	.exec = be_vm_exec,
	.signal = be_vm_join_signal,
	.pause = be_vm_pause,
	.paused = be_vm_paused,
	.update = be_vm_update,
	.pids = be_vm_pids,
	.processes = be_vm_processes,
	.stats = be_vm_stats,
	.oom = be_vm_oom,
	.user = be_vm_user,
	.destroy = destroy,
};
