/* runtime/hooks.c: the six kinds of hooks.
 *
 * Invariants
 *  1. A hook gets the state document on standard input, exactly its own environment, and none of
 *     our descriptors. Its output is kept only for the message of a failure.
 *  2. It is its own process group: a timeout ends the group, not only its leader.
 *  3. Nothing is waited for but the hook itself: what it leaves behind may keep its output open.
 */
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

/* The last line of what it said. */
struct tail {
	char text[400];
	size_t n;
	bool ended; /* a newline came: the next byte begins a new line */
};

static void tail_add(struct tail *t, const char *data, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++) {
		if (data[i] == '\n' || data[i] == '\r') {
			t->ended = true;
			continue;
		}
		if (t->ended)
			t->n = 0;
		t->ended = false;
		if (t->n < sizeof(t->text) - 1)
			t->text[t->n++] = (unsigned char)data[i] < ' ' ? '?' : data[i];
	}
	t->text[t->n] = '\0';
}

/* false: nothing more will come. */
static bool drain(int fd, struct tail *t)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		tail_add(t, chunk, n);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until the hook ends or the deadline (0: none) passes. */
static int wait_for(int pidfd, int out, int64_t deadline, struct tail *t)
{
	struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = out, .events = POLLIN}};

	for (;;) {
		int64_t left = deadline ? deadline - now_ms() : -1;
		if (deadline && left <= 0)
			return -ETIMEDOUT;
		int n = poll(p, 2, left > INT_MAX ? INT_MAX : (int)left);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[1].revents && !drain(out, t))
			p[1].fd = -1;
		if (n > 0 && p[0].revents) {
			(void)drain(out, t);
			return 0;
		}
	}
}

static int state_file(const struct strbuf *state, struct err *e)
{
	auto_fd fd = memfd_create("state", MFD_CLOEXEC);

	if (fd < 0 || write(fd, state->s, state->len) != (ssize_t)state->len ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, NULL, "passing the state to a hook");
	return take_fd(&fd);
}

static char **vector(const struct spec_strings *s, const char *first, struct arena *a)
{
	char **v = arena_array(a, s->n + 2, sizeof(*v));

	if (!v)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		v[i] = arena_strdup(a, s->items[i]);
	if (s->n == 0 && first)
		v[0] = arena_strdup(a, first);
	return v;
}

/* out: where its output and its errors go */
static int spawn(const struct spec_hook *h, const char *dir, int in, const int out[2],
		 pid_t *ret_pid)
{
	auto_arena a = {0};
	char **argv = vector(&h->args, h->path, &a), **env = vector(&h->env, NULL, &a);
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;

	if (!argv || !env)
		return -ENOMEM;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	/* An engine may have removed the bundle before the last hooks run. */
	if (dir && access(dir, X_OK) == 0)
		posix_spawn_file_actions_addchdir_np(&files, dir);
	posix_spawn_file_actions_adddup2(&files, in, 0);
	posix_spawn_file_actions_adddup2(&files, out[0], 1);
	posix_spawn_file_actions_adddup2(&files, out[1], 2);
	/* Descriptors that whoever called us left open. */
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETPGROUP);
	int rc = posix_spawn(ret_pid, h->path, &files, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

static int verdict(pid_t pid, const char *name, const struct spec_hook *h, const struct tail *t,
		   struct err *e)
{
	const char *sep = t->n ? ": " : "";
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, name, "waiting for hook %s", h->path);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return err_set(e, ERR_HOOK, EIO, name, "error running hook %s: exit status %d%s%s",
			       h->path, WEXITSTATUS(status), sep, t->text);
	return err_set(e, ERR_HOOK, EIO, name, "error running hook %s: killed by signal %d%s%s",
		       h->path, WTERMSIG(status), sep, t->text);
}

static int supervise(pid_t pid, int out, const char *name, const struct spec_hook *h, struct err *e)
{
	int64_t limit = h->timeout.set && h->timeout.v > 0 ? h->timeout.v : 0;
	int64_t deadline = !limit                     ? 0
			   : limit > INT64_MAX / 2000 ? INT64_MAX
						      : now_ms() + limit * 1000;
	auto_fd pidfd = pidfd_open(pid, 0);
	struct tail t = {0};
	struct err ignored;

	int rc = pidfd < 0 ? -errno : wait_for(pidfd, out, deadline, &t);
	if (rc == 0)
		return verdict(pid, name, h, &t, e);
	(void)kill(-pid, SIGKILL);
	(void)kill(pid, SIGKILL);
	(void)verdict(pid, name, h, &t, &ignored);
	if (rc == -ETIMEDOUT)
		return err_set(e, ERR_HOOK, ETIMEDOUT, name,
			       "error running hook %s: hook ran past specified timeout of %lld.0s",
			       h->path, (long long)limit);
	return err_sys(e, -rc, name, "waiting for hook %s", h->path);
}

static int run_one(const struct spec_hook *h, const char *name, const struct strbuf *state,
		   const struct rt_hook_place *at, struct err *e)
{
	auto_fd in = state_file(state, e);
	int ends[2];
	pid_t pid;

	if (in < 0)
		return in;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, name, "making a pipe");
	auto_fd out = ends[0];
	const int *files = at ? at->out : NULL;
	const int to[2] = {files && files[0] >= 0 ? files[0] : ends[1],
			   files && files[1] >= 0 ? files[1] : ends[1]};
	int rc = fcntl(out, F_SETFL, O_NONBLOCK) < 0 ? -errno
						     : spawn(h, at ? at->dir : NULL, in, to, &pid);
	fd_close(&ends[1]);
	if (rc < 0) {
		err_sys(e, -rc, name, "error running hook %s", h->path);
		e->kind = ERR_HOOK;
		return rc;
	}
	return supervise(pid, out, name, h, e);
}

int rt_hooks(const struct spec_hook_list *l, const char *kind, const struct strbuf *state,
	     const struct rt_hook_place *at, struct err *e)
{
	char name[128];

	if (l->n && (state->failed || !state->s))
		return err_sys(e, ENOMEM, NULL, "passing the state to a hook");
	for (size_t i = 0; i < l->n; i++) {
		snprintf(name, sizeof(name), "/hooks/%s/%zu", kind, i);
		int rc = run_one(&l->items[i], name, state, at, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct rt_hook_place rt_hook_host(const struct rt_container *c)
{
	return (struct rt_hook_place){.dir = c->doc.bundle, .out = c->hook_out};
}

static int open_one(const char *path, int *fd, struct err *e)
{
	if (!path || *fd >= 0)
		return 0;
	*fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	return *fd < 0 ? err_sys(e, errno, path, "opening the file for hooks' output") : 0;
}

int rt_hook_files(struct rt_container *c, struct err *e)
{
	int rc = open_one(c->spec->hook_stdout, &c->hook_out[0], e);

	return rc < 0 ? rc : open_one(c->spec->hook_stderr, &c->hook_out[1], e);
}

void rt_hooks_poststop(struct rt_container *c)
{
	auto_strbuf state = {0};
	struct spec_hook_list one = {.n = 1};
	struct rt_hook_place host = rt_hook_host(c);
	struct err e;

	int rc = rt_load_spec(c, &e);
	if (rc == 0)
		rc = rt_hook_files(c, &e);
	if (rc < 0 && c->env->warn)
		c->env->warn(c->env->warn_arg, &e);
	if (rc < 0)
		return;
	rt_hook_state(c, RT_STOPPED, 0, &state);
	for (size_t i = 0; i < c->spec->hooks.poststop.n; i++) {
		one.items = &c->spec->hooks.poststop.items[i];
		if (rt_hooks(&one, "poststop", &state, &host, &e) < 0 && c->env->warn)
			c->env->warn(c->env->warn_arg, &e);
	}
}
