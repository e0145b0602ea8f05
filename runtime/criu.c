/* runtime/criu.c: one conversation with CRIU; see criu.h. */
#include "runtime/criu.h"

#include "cgroups/cgroup.h"
#include "common/fd.h"
#include "common/file.h"
#include "common/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OLDEST 31700 /* Debian 12's */
#define ANSWER_MAX 8192
#define LOG_MAX (64u << 20)

struct session {
	pid_t pid;
	int sock;
};

/* execvp(3) would tell only in the child. */
static int find(char *buf, size_t size, struct err *e)
{
	const char *path = getenv("PATH");

	for (const char *p = path ? path : ""; *p; p += *p == ':') {
		int n = (int)strcspn(p, ":");
		snprintf(buf, size, "%.*s/criu", n, p);
		p += n;
		if (buf[0] == '/' && access(buf, X_OK) == 0)
			return 0;
	}
	return err_set(e, ERR_UNSUPPORTED, ENOENT, NULL,
		       "checkpoint and restore need criu(8), and there is no criu in PATH: install "
		       "it");
}

/* --- in the child --- */

/* A restore's root must be a mount point, and nobody else is to see that it is. */
static void bind_root(const char *root)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0 ||
	    mount(NULL, root, NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(126);
}

/* A directory of the old mount namespace can't be mounted in from the new one. */
static void reopen(const struct rt_criu_dir *d)
{
	int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || dup3(fd, d->fd, O_CLOEXEC) < 0)
		_exit(126);
	(void)close(fd);
}

/* CRIU looks for the directories among the descriptors of whoever made the socket: so the pair is
 * made here, where they are those of its own mount namespace, and one end goes to the runtime. */
static int make_socket(int control)
{
	int pair[2];
	struct err ignored;

	if (sync_pair(pair, &ignored) < 0 || fd_send(control, pair[0], "s", 1, &ignored) < 0)
		_exit(126);
	(void)close(pair[0]);
	return pair[1];
}

static void surroundings(const struct rt_criu_call *call)
{
	struct err ignored;

	if (call->root) {
		bind_root(call->root);
		reopen(&call->img);
		reopen(&call->work);
	}
	if (call->enter && cg_enter(call->enter, false, &ignored) < 0)
		_exit(126);
	for (size_t i = 0; i < call->n_fds; i++)
		if (fcntl(call->fds[i], F_SETFD, 0) < 0)
			_exit(126);
}

static void child(const char *criu, int control, const struct rt_criu_call *call, pid_t parent)
{
	char number[16];
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (call)
		surroundings(call);
	int sock = make_socket(control);
	if (fcntl(sock, F_SETFD, 0) < 0)
		_exit(126);
	snprintf(number, sizeof(number), "%d", sock);
	execl(criu, "criu", "swrk", number, (char *)NULL);
	_exit(127);
}

/* --- in the runtime --- */

static int begin(struct session *s, const struct rt_criu_call *call, struct err *e)
{
	char criu[4096], byte;
	int pair[2], rc = find(criu, sizeof(criu), e);
	pid_t self = getpid();

	if (rc == 0)
		rc = sync_pair(pair, e);
	if (rc < 0)
		return rc;
	auto_fd control = pair[0], theirs = pair[1];
	s->pid = fork();
	if (s->pid == 0)
		child(criu, theirs, call, self);
	if (s->pid < 0)
		return err_sys(e, errno, NULL, "starting criu");
	fd_close(&theirs);
	rc = fd_recv(control, &byte, 1, &s->sock, e);
	if (rc >= 0 && s->sock < 0)
		return err_set(e, ERR_SYSTEM, EIO, NULL,
			       "criu's surroundings could not be prepared: no new mount namespace, "
			       "or no place in the control group");
	return rc < 0 ? rc : 0;
}

/* (1): closing the socket ends it; whatever it still does is killed with it. */
static void end(struct session *s, bool done)
{
	fd_close(&s->sock);
	if (s->pid <= 0)
		return;
	if (!done)
		(void)kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	s->pid = 0;
}

static int say(struct session *s, const struct strbuf *b, struct err *e)
{
	if (b->failed)
		return err_sys(e, ENOMEM, NULL, "asking criu");
	if (send(s->sock, b->s, b->len, MSG_NOSIGNAL) != (ssize_t)b->len)
		return err_sys(e, errno, NULL, "asking criu");
	return 0;
}

/* 0: it hung up. */
static int hear(struct session *s, struct rt_criu_answer *ret, int *ret_fd, struct err *e)
{
	char data[ANSWER_MAX];
	int rc = fd_recv(s->sock, data, sizeof(data), ret_fd, e);

	if (rc == -ECONNRESET)
		return 0;
	if (rc <= 0)
		return rc < 0 ? err_wrap(e, rc, "criu's answer") : 0;
	if (!rt_wire_answer(data, (size_t)rc, ret))
		return err_set(e, ERR_SYSTEM, EPROTO, NULL, "criu answered what isn't a message");
	return 1;
}

int rt_criu_check(struct err *e)
{
	struct session s = {.sock = -1};
	struct rt_criu_answer a = {0};
	auto_strbuf ask = {0};
	auto_fd none = -1;

	rt_wire_request(&ask, RT_CRIU_VERSION, NULL);
	int rc = begin(&s, NULL, e);
	if (rc == 0)
		rc = say(&s, &ask, e);
	if (rc == 0)
		rc = hear(&s, &a, &none, e);
	end(&s, rc > 0);
	if (rc < 0 && rc != -EPIPE)
		return rc;
	if (rc <= 0 || a.type != RT_CRIU_VERSION || !a.success)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			       "criu doesn't answer when asked for its version: see what \"criu "
			       "check\" says");
	if (a.version < OLDEST)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			       "criu is version %u.%u; %d.%d or newer is needed", a.version / 10000,
			       a.version / 100 % 100, OLDEST / 10000, OLDEST / 100 % 100);
	return 0;
}

int rt_criu_pass(struct rt_criu_call *call, int fd, struct err *e)
{
	if (call->n_fds == RT_CRIU_FDS)
		return err_set(e, ERR_INTERNAL, E2BIG, NULL, "too many descriptors for criu");
	call->fds[call->n_fds++] = fd;
	return 0;
}

/* The first error in the log is the cause, the later ones what came of it. */
static void first_error(const struct rt_criu_call *call, char *buf, size_t size)
{
	auto_str log = NULL;
	size_t n = 0;
	struct err ignored;

	buf[0] = '\0';
	if (file_read_at(call->work.fd, call->log, LOG_MAX, &log, &n, &ignored) < 0 || !log)
		return;
	for (const char *at = strstr(log, "Error ("); at && !buf[0];
	     at = strstr(at + 1, "Error (")) {
		const char *text = strstr(at, "): ");
		/* It tries to raise a limit, and goes on without. */
		if (text && !str_starts(text + 3, "rlimit: "))
			snprintf(buf, size, "%.*s", (int)strcspn(text + 3, "\n"), text + 3);
	}
}

static int failed(const struct rt_criu_call *call, const struct rt_criu_answer *a, struct err *e)
{
	const char *what = call->type == RT_CRIU_RESTORE ? "restore" : "dump";
	char why[512];
	int code = a->error > 0 ? a->error : EIO;

	first_error(call, why, sizeof(why));
	if (!why[0])
		snprintf(why, sizeof(why), "%s",
			 a->message[0] ? a->message : "it ended early; try \"criu check\"");
	return err_set(e, ERR_SYSTEM, code, NULL, "criu could not %s it: %s (its log: %s/%s)", what,
		       why, call->work.path, call->log);
}

static int reached(struct session *s, struct rt_criu_call *call, const struct rt_criu_answer *a,
		   int fd, struct err *e)
{
	auto_strbuf b = {0};
	struct err ignored;
	int rc = call->reached ? call->reached(call->arg, a->script, a->pid, fd, e) : 0;

	rt_wire_notified(&b, rc >= 0);
	if (rc >= 0)
		return say(s, &b, e);
	(void)say(s, &b, &ignored);
	return rc;
}

/* `own`: the error that our own part of it ended with, if it did; CRIU then cleans up. */
static int converse(struct session *s, struct rt_criu_call *call, pid_t *ret_pid, struct err *e)
{
	struct rt_criu_answer a = {0};
	struct err later;
	int own = 0;

	for (;;) {
		auto_fd fd = -1;
		int rc = hear(s, &a, &fd, own < 0 ? &later : e);
		if (own < 0 && (rc <= 0 || a.type != RT_CRIU_NOTIFY))
			return own;
		if (rc < 0)
			return rc;
		if (rc == 0 || (a.type != RT_CRIU_NOTIFY && !a.success))
			return failed(call, &a, e);
		if (a.type != RT_CRIU_NOTIFY)
			break;
		rc = reached(s, call, &a, fd, own < 0 ? &later : e);
		own = own < 0 ? own : rc;
	}
	if (a.type != call->type || (call->type == RT_CRIU_RESTORE && a.pid <= 0))
		return err_set(e, ERR_SYSTEM, EPROTO, NULL,
			       "criu says that it is done, but not with what it was asked for");
	if (ret_pid)
		*ret_pid = a.pid;
	return 0;
}

int rt_criu_run(struct rt_criu_call *call, pid_t *ret_pid, struct err *e)
{
	struct session s = {.sock = -1};
	auto_strbuf ask = {0};

	rt_wire_request(&ask, call->type, &call->opts);
	int rc = begin(&s, call, e);
	if (rc == 0)
		rc = say(&s, &ask, e);
	if (rc == 0)
		rc = converse(&s, call, ret_pid, e);
	end(&s, rc == 0);
	return rc;
}
