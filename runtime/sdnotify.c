/* runtime/sdnotify.c: a program in a container tells the service manager that started the runtime
 * that it is ready (sd_notify(3)). Our NOTIFY_SOCKET means: the container gets a socket of its own
 * in a directory that is mounted read-only at /run/notify, and what comes there is passed on.
 *
 * Invariants
 *  1. Only the lines of the table are passed on: what names a process or a descriptor of the
 *     container means something else, or something dangerous, to the manager.
 *  2. With READY=1 the manager is told the first process's pid as the host knows it.
 *  3. What has a kernel of its own can't reach the socket: it counts as ready when it was started.
 *  4. The guest can't change the directory: the mount is read-only, and the socket is bound before
 *     any of the guest's code runs.
 */
#include "common/str.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define DIR_NAME "notify"
#define SOCKET_NAME "notify.sock"
#define MOUNTED_AT "/run/notify"
#define MESSAGE_MAX 4096

static const char *const passed[] = {
	"READY=1",   "STATUS=",    "ERRNO=",          "EXIT_STATUS=",
	"STOPPING=", "RELOADING=", "MONOTONIC_USEC=", "EXTEND_TIMEOUT_USEC=",
	"WATCHDOG=1"};

/* The caller's, or NULL. */
static const char *manager(void)
{
	const char *s = getenv("NOTIFY_SOCKET");

	return s && *s ? s : NULL;
}

static int add_variable(struct rt_container *c, struct err *e)
{
	struct spec_strings *env = &c->spec->process.env;
	const char **items = arena_array(c->arena, env->n + 1, sizeof(*items));

	if (!items)
		return err_sys(e, ENOMEM, NULL, "passing NOTIFY_SOCKET on");
	if (env->n)
		memcpy(items, env->items, env->n * sizeof(*items));
	items[env->n++] = "NOTIFY_SOCKET=" MOUNTED_AT "/" SOCKET_NAME;
	env->items = items;
	return 0;
}

/* After the bundle's own: one of them may be /run. */
static int add_mount(struct rt_container *c, struct err *e)
{
	static const char *options[] = {"bind", "ro", "nosuid", "nodev", "noexec"};
	struct spec_mount *items = arena_array(c->arena, c->spec->mounts.n + 1, sizeof(*items));
	char *source = arena_printf(c->arena, "%s/%s/" DIR_NAME, c->env->root, c->id);

	if (!items || !source)
		return err_sys(e, ENOMEM, NULL, "mounting the notify socket");
	if (c->spec->mounts.n)
		memcpy(items, c->spec->mounts.items, c->spec->mounts.n * sizeof(*items));
	items[c->spec->mounts.n++] = (struct spec_mount){
		.destination = MOUNTED_AT,
		.type = "bind",
		.source = source,
		.options = {.items = options, .n = sizeof(options) / sizeof(options[0])},
	};
	c->spec->mounts.items = items;
	return 0;
}

int rt_sdnotify_prepare(struct rt_container *c, bool mounted, struct err *e)
{
	if (c->ops->own_kernel || (!manager() && !mounted))
		return 0;
	if (mkdirat(c->dir, DIR_NAME, 0755) < 0)
		return err_sys(e, errno, DIR_NAME, "making the notify socket's directory");
	int rc = add_variable(c, e);
	return rc < 0 ? rc : add_mount(c, e);
}

int rt_sdnotify_mounted(struct rt_container *c, bool *ret_mounted, struct err *e)
{
	bool there = faccessat(c->dir, DIR_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	int rc = there ? add_mount(c, e) : 0;

	*ret_mounted = there;
	return rc;
}

static int bind_in(int dir, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" SOCKET_NAME, dir);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    fchmodat(dir, SOCKET_NAME, 0777, 0) < 0)
		return err_sys(e, errno, SOCKET_NAME, "making the notify socket");
	return take_fd(&fd);
}

int rt_sdnotify_bind(struct rt_container *c, int *ret_fd, struct err *e)
{
	if (!manager())
		return 0;
	auto_fd dir = openat(c->dir, DIR_NAME, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* Created without a manager: its mounts are made, there is nothing to bind to. */
	if (dir < 0 && errno == ENOENT)
		return 0;
	if (dir < 0)
		return err_sys(e, errno, DIR_NAME, "opening the notify socket's directory");
	(void)unlinkat(dir, SOCKET_NAME, 0);
	int fd = bind_in(dir, e);
	if (fd >= 0)
		*ret_fd = fd;
	return fd < 0 ? fd : 0;
}

/* "@name" is an abstract one. What can't be told is the manager's trouble, not the container's. */
static void tell(const struct strbuf *text)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const char *path = manager();
	size_t len = path ? strlen(path) : 0;
	auto_fd fd = -1;

	if (len == 0 || len >= sizeof(a.sun_path) || text->failed || text->len == 0)
		return;
	memcpy(a.sun_path, path, len);
	if (path[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)sendto(fd, text->s, text->len, MSG_NOSIGNAL, (struct sockaddr *)&a,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

static bool may_pass(const char *line)
{
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (str_starts(line, passed[i]))
			return true;
	return false;
}

bool rt_sdnotify_pass(char *message, pid_t pid, struct strbuf *out)
{
	bool ready = false;
	char *rest = NULL;

	for (char *l = strtok_r(message, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
		if (!may_pass(l))
			continue;
		strbuf_printf(out, "%s\n", l);
		if (!str_eq(l, "READY=1"))
			continue;
		strbuf_printf(out, "MAINPID=%d\n", (int)pid);
		ready = true;
	}
	return ready;
}

bool rt_sdnotify_read(int fd, pid_t pid)
{
	char message[MESSAGE_MAX + 1];
	bool ready = false;
	ssize_t n;

	/* Descriptors that come with one are closed by the kernel: no room is given for them. */
	while ((n = recv(fd, message, MESSAGE_MAX, MSG_DONTWAIT)) >= 0) {
		auto_strbuf out = {0};
		message[n] = '\0';
		ready = rt_sdnotify_pass(message, pid, &out) || ready;
		tell(&out);
	}
	return ready;
}

void rt_sdnotify_ready(pid_t pid)
{
	auto_strbuf out = {0};

	strbuf_printf(&out, "READY=1\nMAINPID=%d\n", (int)pid);
	tell(&out);
}

int rt_sdnotify_wait(struct rt_container *c, int fd, struct err *e)
{
	struct err gone;
	auto_fd pidfd = -1;
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};

	if (fd < 0 || rt_pidfd(c->doc.pid, c->doc.ticks, &pidfd, &gone) < 0)
		return 0;
	p[1].fd = pidfd;
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(e, errno, NULL, "waiting for the program to be ready");
		if (p[0].revents && rt_sdnotify_read(fd, c->doc.pid))
			return 0;
		if (p[1].revents) {
			(void)rt_sdnotify_read(fd, c->doc.pid);
			return 0;
		}
		p[0].revents = p[1].revents = 0;
	}
}
