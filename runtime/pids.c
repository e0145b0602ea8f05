/* runtime/pids.c: the processes of a container that has no control group: those in its pid
 * namespace. A container that shares its caller's pid namespace is known by its first process
 * alone.
 *
 * Invariants
 *  1. A process is signalled through a pidfd, after a look that the process that it holds is in
 *     the namespace: numbers are used again.
 */
#include "runtime/container.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

/* 0: none that we may look at. */
static ino_t namespace_of(const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", pid);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static ino_t own_namespace(pid_t init)
{
	char number[24];

	snprintf(number, sizeof(number), "%d", (int)init);
	ino_t ns = namespace_of(number);
	return ns == namespace_of("self") ? 0 : ns;
}

static int add(pid_t **list, size_t *n, pid_t pid)
{
	pid_t *more = reallocarray(*list, *n + 1, sizeof(**list));

	if (!more)
		return -ENOMEM;
	more[(*n)++] = pid;
	*list = more;
	return 0;
}

static int scan(ino_t ns, pid_t **list, size_t *n)
{
	DIR *d = opendir("/proc");
	int rc = d ? 0 : -errno;

	for (struct dirent *t; rc == 0 && (t = readdir(d));)
		if (t->d_name[0] >= '1' && t->d_name[0] <= '9' && namespace_of(t->d_name) == ns)
			rc = add(list, n, (pid_t)strtol(t->d_name, NULL, 10));
	if (d)
		closedir(d);
	return rc;
}

int rt_ns_pids(const struct rt_container *c, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	ino_t ns = own_namespace(c->doc.pid);
	pid_t *list = NULL;
	size_t n = 0;
	int rc = ns ? scan(ns, &list, &n) : 0;

	if (rc == 0 && n == 0)
		rc = add(&list, &n, c->doc.pid);
	if (rc < 0) {
		free(list);
		return err_sys(e, -rc, c->id, "listing processes");
	}
	*ret_pids = list;
	*ret_n = n;
	return 0;
}

/* (1) */
static int signal_one(pid_t pid, ino_t ns, int sig)
{
	char number[24];
	auto_fd fd = pidfd_open(pid, 0);

	snprintf(number, sizeof(number), "%d", (int)pid);
	if (fd < 0 || namespace_of(number) != ns)
		return -ESRCH;
	return pidfd_send_signal(fd, sig, NULL, 0) < 0 ? -errno : 0;
}

int rt_ns_signal(const struct rt_container *c, int sig, struct err *e)
{
	ino_t ns = own_namespace(c->doc.pid);
	pid_t *list = NULL;
	size_t n = 0;
	int rc = ns ? scan(ns, &list, &n) : 0;

	for (size_t i = 0; i < n && (rc == 0 || rc == -ESRCH); i++)
		rc = signal_one(list[i], ns, sig);
	free(list);
	if (rc < 0 && rc != -ESRCH)
		return err_sys(e, -rc, c->id, "sending signal %d", sig);
	return n > 0;
}
