/* guest/launch.c: create and exec: a process with pipes or a terminal whose other ends the agent
 * holds.
 *
 * Invariants
 *  1. The agent has our ends of the pipes, and a place for the process, before the process is made;
 *     none of them is open here then.
 *  2. A failure gives the place back before it is answered: the id is free again.
 */
#include "guest/work.h"

#include "common/fd.h"
#include "common/file.h"
#include "guest/init.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct launch {
	bool terminal, stdin_open, plain_newlines;
	uint32_t token;
	char console[108]; /* path of the socket that the terminal comes by; "": none */
	char file[108];    /* of this request: process.json, or the pid */
	int console_fd;
};

/* --- standard streams --- */

static int one_stream(struct guest_job *j, int n, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_STREAM, .n = n};
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, errno, NULL, "making a pipe");
	auto_fd theirs = pair[n == 0 ? 0 : 1], ours = pair[n == 0 ? 1 : 0];
	int rc = guest_ask(j, &ask, ours, NULL, e);
	if (rc == 0 && dup2(theirs, n) < 0)
		rc = err_sys(e, errno, NULL, "placing a standard stream");
	return rc;
}

static int no_input(struct err *e)
{
	auto_fd null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0)
		return err_sys(e, errno, "/dev/null", "placing standard input");
	return 0;
}

static int listen_console(const struct guest_job *j, struct launch *l, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/%d.tty", j->place->scratch,
			 (int)getpid());

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return err_sys(e, ENAMETOOLONG, j->place->scratch, "naming the console socket");
	(void)unlink(a.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		return err_sys(e, errno, a.sun_path, "making the console socket");
	memcpy(l->console, a.sun_path, sizeof(l->console));
	l->console_fd = take_fd(&fd);
	return 0;
}

/* The process connected and sent it before it was there: nothing to wait for. */
static int take_master(struct launch *l, int *ret_master, struct err *e)
{
	char name[64];
	auto_fd fd = -1, conn = -1;

	if (!l->terminal)
		return 0;
	conn = accept4(l->console_fd, NULL, NULL, SOCK_CLOEXEC);
	if (conn < 0)
		return err_sys(e, errno, NULL, "taking the terminal");
	int rc = fd_recv(conn, name, sizeof(name), &fd, e);
	if (rc >= 0 && fd < 0)
		rc = err_set(e, ERR_INTERNAL, EPROTO, NULL, "no terminal came");
	if (rc < 0)
		return rc;
	*ret_master = take_fd(&fd);
	return 0;
}

static int prepare(struct guest_job *j, struct launch *l, bool first, struct err *e)
{
	struct guest_ask ask = {
		.what = GUEST_RESERVE, .token = first ? 0 : 1, .terminal = l->terminal};
	struct guest_reply reply;
	int rc = guest_ask(j, &ask, -1, &reply, e);

	if (rc < 0)
		return rc;
	l->token = reply.token;
	if (l->terminal)
		return listen_console(j, l, e);
	rc = l->stdin_open ? one_stream(j, 0, e) : no_input(e);
	if (rc == 0)
		rc = one_stream(j, 1, e);
	return rc < 0 ? rc : one_stream(j, 2, e);
}

static int commit(struct guest_job *j, struct launch *l, pid_t pid, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_COMMIT, .pid = pid};
	auto_fd master = -1;
	int rc = take_master(l, &master, e);

	return rc < 0 ? rc : guest_ask(j, &ask, master, NULL, e);
}

static int finish(struct guest_job *j, struct launch *l, int rc)
{
	struct guest_ask ask = {.what = GUEST_CANCEL};
	struct err ignored;

	if (l->console[0])
		(void)unlink(l->console);
	if (l->file[0])
		(void)unlink(l->file);
	fd_close(&l->console_fd);
	if (rc < 0)
		(void)guest_ask(j, &ask, -1, NULL, &ignored);
	return rc;
}

static int read_launch(const struct guest_job *j, struct launch *l, struct err *e)
{
	*l = (struct launch){.stdin_open = true, .console_fd = -1};
	int rc = guest_get_bool(j, "terminal", &l->terminal, e);
	if (rc >= 0)
		rc = guest_get_bool(j, "plain_newlines", &l->plain_newlines, e);
	return rc < 0 ? rc : guest_get_bool(j, "stdin", &l->stdin_open, e);
}

static void answer(struct guest_job *j, pid_t pid)
{
	guest_key(j, "pid");
	strbuf_printf(&j->ok, "%d", (int)pid);
}

/* --- create --- */

static const char *bundle_of(const struct guest_job *j, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", j->place->bundles, j->id);
	return buf;
}

void guest_remove_bundle(const struct guest_job *j)
{
	char dir[512], file[600];

	snprintf(file, sizeof(file), "%s/config.json", bundle_of(j, dir, sizeof(dir)));
	(void)unlink(file);
	(void)rmdir(dir);
}

static int write_bundle(const char *dir, const char *config, struct err *e)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, dir, "making the bundle");
	auto_fd fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, errno, dir, "opening the bundle");
	return file_replace_at(fd, "config.json", config, strlen(config), 0600, e);
}

static int first_pid(struct guest_job *j, pid_t *ret_pid, struct err *e)
{
	struct rt_info info;
	int rc = rt_state(&j->env, &j->arena, j->id, &info, e);

	if (rc == 0)
		*ret_pid = info.pid;
	return rc;
}

static int make(struct guest_job *j, struct launch *l, const char *config, struct err *e)
{
	struct err ignored;
	char dir[512];
	pid_t pid = 0;
	struct rt_create how = {.id = j->id,
				.bundle = bundle_of(j, dir, sizeof(dir)),
				.isolation = "shared",
				.console_socket = l->console[0] ? l->console : NULL,
				.plain_newlines = l->plain_newlines};
	int rc = write_bundle(dir, config, e);

	if (rc >= 0 && j->place->machine && strstr(config, VM_SHARES_DIR))
		rc = guest_shares(j->place->scratch, e);
	if (rc >= 0 && j->place->machine && strstr(config, VM_IMAGE_DIR))
		rc = guest_image(j->place->scratch, e);
	guest_leave(j);
	if (rc >= 0)
		rc = rt_create(&j->env, &how, e);
	if (rc >= 0) {
		rc = first_pid(j, &pid, e);
		if (rc >= 0)
			rc = commit(j, l, pid, e);
		if (rc < 0)
			(void)rt_delete(&j->env, j->id, true, &ignored);
	}
	if (rc < 0)
		guest_remove_bundle(j);
	else
		answer(j, pid);
	return rc;
}

int guest_create(struct guest_job *j, struct err *e)
{
	const char *config = NULL;
	struct launch l;
	int rc = guest_get_string(j, "config", true, &config, e);

	if (rc >= 0)
		rc = read_launch(j, &l, e);
	if (rc < 0)
		return rc;
	rc = prepare(j, &l, true, e);
	if (rc >= 0)
		rc = make(j, &l, config, e);
	return finish(j, &l, rc);
}

/* --- exec --- */

static int read_lists(struct guest_job *j, struct rt_exec *x, struct err *e)
{
	const char *const *argv = NULL;
	int rc = guest_get_strings(j, "args", &argv, &x->argc, e);

	if (rc >= 0)
		rc = guest_get_strings(j, "env", &x->env, &x->n_env, e);
	if (rc >= 0)
		rc = guest_get_strings(j, "caps", &x->caps, &x->n_caps, e);
	if (rc >= 0)
		rc = guest_get_strings(j, "gids", &x->gids, &x->n_gids, e);
	if (rc >= 0)
		rc = guest_get_strings(j, "cgroups", &x->cgroups, &x->n_cgroups, e);
	/* Nobody writes through it: exec's own type comes from the command line. */
	x->argv = (char *const *)(uintptr_t)argv;
	return rc;
}

static int read_flags(const struct guest_job *j, struct rt_exec *x, struct err *e)
{
	int rc = guest_get_string(j, "cwd", false, &x->cwd, e);

	if (rc >= 0)
		rc = guest_get_string(j, "user", false, &x->user, e);
	if (rc >= 0)
		rc = guest_get_string(j, "process_label", false, &x->process_label, e);
	if (rc >= 0)
		rc = guest_get_string(j, "apparmor", false, &x->apparmor, e);
	if (rc >= 0)
		rc = guest_get_bool(j, "no_new_privs", &x->no_new_privs, e);
	return rc < 0 ? rc : guest_get_bool(j, "ignore_paused", &x->ignore_paused, e);
}

/* A process in the words of the spec, or what is different from the container's own. */
static int read_exec(struct guest_job *j, struct launch *l, const char *text, struct rt_exec *x,
		     struct err *e)
{
	int rc = read_lists(j, x, e);

	if (rc >= 0)
		rc = read_flags(j, x, e);
	if (rc < 0 || !text)
		return rc;
	char *path = arena_printf(&j->arena, "%s.process", l->file);
	if (!path)
		return err_sys(e, ENOMEM, j->id, "naming the process's file");
	x->process_file = path;
	return file_replace_at(AT_FDCWD, path, text, strlen(text), 0600, e);
}

static int read_pid(const char *path, pid_t *ret_pid, struct err *e)
{
	auto_str text = NULL;
	uint64_t v;
	int rc = file_read_at(AT_FDCWD, path, 32, &text, NULL, e);

	if (rc < 0)
		return rc;
	if (!str_to_u64(text, &v) || v == 0 || v > INT32_MAX)
		return err_set(e, ERR_INTERNAL, EPROTO, path, "holds no pid");
	*ret_pid = (pid_t)v;
	return 0;
}

static int join(struct guest_job *j, struct launch *l, struct rt_exec *x, struct err *e)
{
	pid_t pid = 0;

	guest_leave(j);
	int rc = rt_exec(&j->env, x, e);
	if (rc >= 0)
		rc = read_pid(l->file, &pid, e);
	if (rc >= 0)
		rc = commit(j, l, pid, e);
	if (rc < 0)
		return rc;
	guest_key(j, "process");
	strbuf_printf(&j->ok, "\"%u\"", l->token);
	answer(j, pid);
	return 0;
}

int guest_exec(struct guest_job *j, struct err *e)
{
	const char *text = NULL;
	struct launch l;
	int rc = guest_get_string(j, "process", false, &text, e);

	if (rc >= 0)
		rc = read_launch(j, &l, e);
	if (rc < 0)
		return rc;
	snprintf(l.file, sizeof(l.file), "%s/%d.pid", j->place->scratch, (int)getpid());
	struct rt_exec x = {.id = j->id,
			    .detach = true,
			    .tty = l.terminal,
			    .plain_newlines = l.plain_newlines,
			    .pid_file = l.file};
	rc = read_exec(j, &l, text, &x, e);
	if (rc >= 0)
		rc = prepare(j, &l, false, e);
	x.console_socket = l.console[0] ? l.console : NULL;
	if (rc >= 0)
		rc = join(j, &l, &x, e);
	if (x.process_file)
		(void)unlink(x.process_file);
	return finish(j, &l, rc);
}
