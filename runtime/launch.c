/* runtime/launch.c: what create, run and exec ask of their caller's surroundings: descriptors to
 * pass on, a console socket, a pid file. */
#include "common/file.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FDS_MAX 1024

int rt_write_pid_file(const char *path, pid_t pid, struct err *e)
{
	char text[32];

	if (!path)
		return 0;
	int n = snprintf(text, sizeof(text), "%d", (int)pid);
	return err_wrap(e, file_replace_at(AT_FDCWD, path, text, (size_t)n, 0644, e),
			"writing the pid file");
}

void rt_warn_caps(const struct rt_container *c, const struct spec_process *p)
{
	auto_strbuf names = {0};
	struct err e;

	spec_unknown_caps(p, &names);
	if (!names.len || names.failed || !c->env->warn)
		return;
	err_set(&e, ERR_SPEC, EINVAL, "/process/capabilities", "ignoring unknown capabilities: %s",
		names.s);
	c->env->warn(c->env->warn_arg, &e);
}

int rt_check_console(bool terminal, bool detach, const char *console_socket, struct err *e)
{
	if (terminal && detach && !console_socket)
		return err_set(e, ERR_USAGE, EINVAL, "/process/terminal",
			       "cannot allocate tty if ringfence will detach without setting "
			       "console socket");
	if (console_socket && !(terminal && detach))
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "cannot use console socket if ringfence will not detach or allocate "
			       "tty");
	return 0;
}

/* sd_listen_fds(3): how many descriptors a service manager passed to this process. */
static unsigned listen_fds(void)
{
	const char *n = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint64_t count, whose;

	if (!n || !str_to_u64(n, &count) || count > FDS_MAX)
		return 0;
	if (pid && (!str_to_u64(pid, &whose) || whose != (uint64_t)getpid()))
		return 0;
	return (unsigned)count;
}

static int pass_listen_fds(struct arena *a, struct spec_process *p, unsigned n, struct err *e)
{
	const char **env = arena_array(a, p->env.n + 3, sizeof(*env));
	char *count = arena_printf(a, "LISTEN_FDS=%u", n);

	if (!env || !count)
		return err_sys(e, ENOMEM, NULL, "passing LISTEN_FDS on");
	if (p->env.n)
		memcpy(env, p->env.items, p->env.n * sizeof(*env));
	env[p->env.n] = count;
	/* The first process of a new pid namespace is 1; in another the program can't be told. */
	env[p->env.n + 1] = "LISTEN_PID=1";
	p->env.items = env;
	p->env.n += 2;
	return 0;
}

int rt_preserve_fds(struct arena *a, struct spec_process *p, unsigned asked, unsigned *ret_n,
		    struct err *e)
{
	unsigned listen = listen_fds(), n = asked + listen;

	if (asked > FDS_MAX)
		return err_set(e, ERR_USAGE, EINVAL, NULL, "--preserve-fds: at most %u", FDS_MAX);
	/* What came through our own execve isn't close-on-exec; what we opened since always is. */
	for (unsigned i = 0; i < n; i++)
		if (fcntl((int)(3 + i), F_GETFD) != 0)
			return err_set(e, ERR_USAGE, EBADF, NULL,
				       "file descriptor %u is to be preserved, but isn't open",
				       3 + i);
	int rc = listen ? pass_listen_fds(a, p, listen, e) : 0;
	if (rc == 0)
		*ret_n = n;
	return rc;
}
