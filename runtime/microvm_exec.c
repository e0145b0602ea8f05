/* runtime/microvm_exec.c: one more process in a micro-VM container: made by the agent, and a
 * process of ours that lends it its streams, stands for it on the host, and ends as it does.
 */
#include "runtime/microvm_process.h"

#include "common/proc.h"
#include "common/sync.h"
#include "common/sys.h"
#include "microvm/jail.h"
#include "microvm/proto.h"
#include "microvm/relay.h"
#include "spec/process_out.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct shim {
	struct rt_container *c;
	char token[32];
	int master, terminal, agent;
};

static int ask(struct rt_container *c, const struct rt_exec *how, struct shim *s, struct err *e)
{
	auto_vm_request r;
	auto_strbuf process = {0};
	const struct json *ok;
	const char *token;
	struct spec_process sized = *how->process;

	be_vm_sized(&sized);
	spec_process_out(&sized, &process);
	be_vm_request(&r, c, "exec");
	r.event = RT_EV_EXEC;
	r.patience = BE_VM_PATIENCE_MAKE;
	json_put_str(&r.o, "process", process.s);
	json_put_bool(&r.o, "terminal", how->process->terminal);
	json_put_bool(&r.o, "plain_newlines", !how->console_socket);
	json_put_bool(&r.o, "ignore_paused", how->ignore_paused);
	/* Groups below the container's are the guest's. */
	json_arr_open(&r.o, "cgroups");
	for (size_t i = 0; i < how->n_cgroups; i++)
		json_put_str(&r.o, NULL, how->cgroups[i]);
	json_arr_close(&r.o);
	int rc = process.failed ? err_sys(e, ENOMEM, c->id, "describing the process")
				: be_vm_ask(c, &r, &ok, e);
	if (rc < 0)
		return rc;
	if (!json_get_string(ok, "process", &token))
		return err_set(e, ERR_INTERNAL, EPROTO, c->id, "the guest's answer has no name");
	snprintf(s->token, sizeof(s->token), "%s", token);
	return 0;
}

static int open_console(const struct rt_exec *how, struct shim *s, struct err *e)
{
	auto_fd to = -1;

	if (!how->process->terminal)
		return 0;
	int rc = be_vm_pty(how->process, &s->master, &s->terminal, e);
	if (rc >= 0 && how->console_socket) {
		rc = rt_console_connect(how->console_socket, &to, e);
		if (rc >= 0)
			rc = fd_send(to, s->master, "/dev/pts/0", 10, e);
		fd_cleanup(&s->master);
	}
	return rc < 0 ? err_wrap(e, rc, "the console") : 0;
}

/* --- in the shim --- */

/* The machine took its processes with it. */
#define STATUS_LOST_WITH_IT SIGKILL

static void take_terminal(int terminal)
{
	if (terminal < 0)
		return;
	(void)ioctl(terminal, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(terminal, fd);
}

_Noreturn void be_vm_stand_in(const struct be_vm_stand *s)
{
	struct err e;
	int agent = s->agent, signals = -1, status = s->holds ? STATUS_LOST_WITH_IT : 255 << 8;
	int keep[] = {s->agent, s->terminal, s->sync};

	setsid();
	be_vm_close_others(keep, 3);
	take_terminal(s->terminal);
	if (be_vm_signals(&signals, &e) < 0 || vm_jail_stand(s->outside, &e) < 0 ||
	    (s->sync >= 0 && sync_expect(s->sync, SYNC_START, NULL, NULL, &e) < 0))
		_exit(255);
	struct vm_relay r = {.open = vm_relay_open_here,
			     .arg = &agent,
			     .id = s->id,
			     .process = s->process,
			     .stdio = {0, 1, 2},
			     .terminal = s->terminal,
			     .signals = signals,
			     .holds = s->holds,
			     .again = -1};
	proc_shed_program();
	if (vm_relay(&r, &status, &e) < 0)
		be_vm_last_words(s->sync, -1, &e);
	be_vm_end_as(status);
}

static int spawn(struct shim *s, pid_t *ret_pid, int *ret_pidfd, struct err *e)
{
	int pidfd = -1;
	struct rt_container *c = s->c;
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};

	if (c->group && c->group->v2_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)c->group->v2_fd;
	}
	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		if (c->group && cg_enter(c->group, c->group->v2_fd >= 0, e) < 0)
			_exit(255);
		be_vm_stand_in(&(struct be_vm_stand){.agent = s->agent,
						     .id = be_vm_inside(c),
						     .process = s->token,
						     .terminal = s->terminal,
						     .sync = -1,
						     .outside = true});
	}
	if (pid < 0)
		return err_sys(e, errno, NULL, "making the process that stands for it");
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

int be_vm_exec(struct rt_container *c, const struct rt_exec *how, pid_t *ret_pid, int *ret_pidfd,
	       int *ret_master, struct err *e)
{
	struct shim s = {.c = c, .master = -1, .terminal = -1, .agent = -1};
	int rc = be_vm_accept_fds(c, e);

	if (rc >= 0 && c->doc.cgroup)
		rc = rt_load_group(c, e);
	if (rc >= 0)
		rc = be_vm_agent(c, &s.agent, e);
	if (rc >= 0)
		rc = open_console(how, &s, e);
	if (rc >= 0)
		rc = ask(c, how, &s, e);
	if (rc >= 0)
		rc = spawn(&s, ret_pid, ret_pidfd, e);
	fd_cleanup(&s.agent);
	fd_cleanup(&s.terminal);
	if (rc < 0)
		fd_cleanup(&s.master);
	else
		*ret_master = s.master;
	return rc;
}
