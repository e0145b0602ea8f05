/* runtime/microvm_exec.c: one more process in a micro-VM container: made by the agent, and a
 * process of ours that lends it its streams, stands for it on the host, and ends as it does.
 */
#include "runtime/microvm_process.h"

#include "common/sys.h"
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
	int master, terminal;
};

static int ask(struct rt_container *c, const struct rt_exec *how, struct shim *s, struct err *e)
{
	auto_strbuf request = {0}, process = {0};
	const struct json *ok;
	const char *token;
	struct json_out o;

	spec_process_out(how->process, &process);
	json_out_init(&o, &request, NULL);
	json_obj_open(&o, NULL);
	json_put_str(&o, "verb", "exec");
	json_put_str(&o, "id", c->id);
	json_put_str(&o, "process", process.s);
	json_put_bool(&o, "terminal", how->process->terminal);
	json_put_bool(&o, "ignore_paused", how->ignore_paused);
	json_obj_close(&o);
	int rc = process.failed ? err_sys(e, ENOMEM, c->id, "describing the process")
				: be_vm_call(c, &request, &ok, e);
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

static int connect_again(void *arg, struct err *e)
{
	int fd = -1, rc = be_vm_connect(arg, &fd, e);

	return rc < 0 ? rc : fd;
}

static _Noreturn void stand_in(struct shim *s)
{
	struct err e;
	int signals = -1, status = 255 << 8;
	int keep[] = {s->c->dir, s->terminal};

	setsid();
	be_vm_close_others(keep, 2);
	if (s->terminal >= 0) {
		(void)ioctl(s->terminal, TIOCSCTTY, 0);
		for (int fd = 0; fd < 3; fd++)
			(void)dup2(s->terminal, fd);
	}
	if (be_vm_signals(&signals, &e) < 0)
		_exit(255);
	struct vm_relay r = {.open = connect_again,
			     .arg = s->c,
			     .id = s->c->id,
			     .process = s->token,
			     .stdio = {0, 1, 2},
			     .terminal = s->terminal,
			     .signals = signals};
	(void)vm_relay(&r, &status, &e);
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
		stand_in(s);
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
	struct shim s = {.c = c, .master = -1, .terminal = -1};
	int rc = c->doc.cgroup ? rt_load_group(c, e) : 0;

	if (rc >= 0)
		rc = open_console(how, &s, e);
	if (rc >= 0)
		rc = ask(c, how, &s, e);
	if (rc >= 0)
		rc = spawn(&s, ret_pid, ret_pidfd, e);
	fd_cleanup(&s.terminal);
	if (rc < 0)
		fd_cleanup(&s.master);
	else
		*ret_master = s.master;
	return rc;
}
