/* cgroups/kill.c: who is in a group, and signals to all of them.
 *
 * Where there is cgroup.kill (v2, kernel 5.14) SIGKILL is one write that no fork escapes. Elsewhere
 * the group is frozen first, so that the list of pids holds still, and thawed after.
 *
 * Invariants
 *  1. The guest may own directories below the group: names and depth are not trusted, nothing
 *     is resolved but one component below an open directory.
 *  2. Without a freeze a pid is signalled through a pidfd, after a look that the process that
 *     it holds is in the group: pids are reused, and we may be root.
 *  3. A group that was paused stays so, except after SIGKILL, which v1 delivers on thawing.
 */
#include "cgroups/internal.h"
#include "common/fd.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_DEPTH 256
#define FREEZE_MS 500
#define KILL_ROUNDS 64

struct pid_list {
	pid_t *items;
	size_t n, cap;
};

static int list_add(struct pid_list *l, pid_t pid)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		pid_t *items = reallocarray(l->items, cap, sizeof(*items));
		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->n++] = pid;
	return 0;
}

/* Pids of this very directory. A threaded group has no list of its own (EOPNOTSUPP), a group
 * that is being removed no file. */
static int list_dir(int dirfd, struct pid_list *l)
{
	struct err ignored = {0};
	auto_str text = NULL;
	size_t len;

	int rc = file_read_at(dirfd, "cgroup.procs", 64u << 20, &text, &len, &ignored);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0;
	for (char *p = text; *p; p += *p == '\n') {
		pid_t pid = (pid_t)strtol(p, &p, 10);
		/* 0: a process that has no number in our pid namespace */
		if (pid > 0 && list_add(l, pid) < 0)
			return -ENOMEM;
		p += strcspn(p, "\n");
	}
	return 0;
}

/* A cgroup directory has a link for each group below (and two). */
bool cg_has_children(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) < 0 || st.st_nlink > 2;
}

static int list_tree(int dirfd, struct pid_list *l, int depth);

static int list_children(int dirfd, struct pid_list *l, int depth)
{
	int rc = 0;
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	if (!d) {
		fd_close(&copy);
		return 0;
	}
	for (struct dirent *t; rc == 0 && (t = readdir(d));) {
		if (t->d_type != DT_DIR || t->d_name[0] == '.')
			continue;
		auto_fd child =
			openat(dirfd, t->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			rc = list_tree(child, l, depth + 1);
	}
	closedir(d);
	return rc;
}

static int list_tree(int dirfd, struct pid_list *l, int depth)
{
	int rc = list_dir(dirfd, l);

	if (rc < 0 || depth >= MAX_DEPTH || !cg_has_children(dirfd))
		return rc;
	return list_children(dirfd, l, depth);
}

static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The group's directory in the hierarchy that knows best who belongs to it: v2, the freezer, or
 * whichever has it still. -1 when it is gone from all. */
static int open_tracking(struct cg_group *g)
{
	struct cg_full *f = cg_full_of(g);
	const struct cg_hierarchy *freezer = cg_find(g->layout, "freezer");
	int v2 = cg_v2_index(g->layout), v1 = freezer ? (int)(freezer - g->layout->items) : -1;
	int fd = v2 >= 0 ? open_dir(f->dirs[v2]) : -1;

	if (fd < 0 && v1 >= 0 && v1 != v2)
		fd = open_dir(f->dirs[v1]);
	for (int i = 0; fd < 0 && i < (int)g->layout->n; i++)
		if (i != v1 && i != v2)
			fd = open_dir(f->dirs[i]);
	return fd;
}

int cg_pids(struct cg_group *g, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	struct pid_list l = {0};
	auto_fd fd = open_tracking(g);

	int rc = fd < 0 ? 0 : list_tree(fd, &l, 0);
	if (rc < 0) {
		free(l.items);
		return err_sys(e, -rc, g->path, "listing the processes of the control group");
	}
	*ret_pids = l.items;
	*ret_n = l.n;
	return 0;
}

/* --- signals --- */

/* The group's path stands in the process's /proc/PID/cgroup (checked on whichever line). */
static bool is_member(struct cg_group *g, pid_t pid)
{
	char file[64], *buf = malloc(65536);
	bool found = false;

	snprintf(file, sizeof(file), "%d/cgroup", (int)pid);
	for (size_t i = 0; buf && cg_read("/proc", file, buf, 65536) > 0 && i < g->layout->n; i++) {
		const struct cg_hierarchy *h = &g->layout->items[i];
		if (cg_full_of(g)->is_void[i])
			continue;
		const char *rel = cg_full_of(g)->dirs[i] + strlen(h->mountpoint);
		size_t len = strlen(rel);
		for (const char *p = buf; !found && (p = strstr(p, rel)); p += len)
			found = strchr("/\n", p[len]) != NULL; /* also the end: '\0' */
	}
	free(buf);
	return found;
}

static int signal_held(struct cg_group *g, pid_t pid, int sig, bool frozen)
{
	if (frozen)
		return kill(pid, sig) < 0 ? -errno : 0;
	auto_fd fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* EINVAL: ended, and its number is still that of a session or group (Linux 6.1). */
	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	if (!is_member(g, pid))
		return -ESRCH;
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0 ? -errno : 0;
}

/* Signals the list; returns how many were reached, or what forbade it. */
static int signal_list(struct cg_group *g, const pid_t *pids, size_t n, int sig, bool frozen)
{
	int reached = 0, failed = 0;

	for (size_t i = 0; i < n; i++) {
		int rc = signal_held(g, pids[i], sig, frozen);
		if (rc == 0)
			reached++;
		else if (rc != -ESRCH)
			failed = rc;
	}
	return failed ? failed : reached;
}

static int signal_once(struct cg_group *g, int sig, bool frozen, struct err *e)
{
	pid_t *pids = NULL;
	size_t n = 0;

	int rc = cg_pids(g, &pids, &n, e);
	if (rc < 0)
		return rc;
	rc = signal_list(g, pids, n, sig, frozen);
	free(pids);
	return rc < 0 ? err_sys(e, -rc, g->path, "sending signal %d to the control group", sig)
		      : rc;
}

static int signal_without_freezer(struct cg_group *g, int sig, struct err *e)
{
	int rc = signal_once(g, sig, false, e);

	/* Forks may have escaped the list: again, while that reaches anybody. */
	for (int i = 0; sig == SIGKILL && rc > 0 && i < KILL_ROUNDS; i++)
		rc = signal_once(g, sig, false, e);
	return rc < 0 ? rc : 0;
}

static int signal_frozen(struct cg_group *g, int sig, struct err *e)
{
	struct err ignored = {0};
	bool was = false;

	if (cg_frozen(g, &was, &ignored) < 0)
		return signal_without_freezer(g, sig, e);
	bool frozen = cg_freeze(g, true, FREEZE_MS, &ignored) == 0;
	int rc = frozen ? signal_once(g, sig, true, e) : signal_without_freezer(g, sig, e);
	if (!was || sig == SIGKILL) {
		int thaw = cg_freeze(g, false, FREEZE_MS, rc < 0 ? &ignored : e);
		/* Killed processes may take their group with them. */
		if (rc >= 0 && thaw < 0 && thaw != -ENOENT && thaw != -ENODEV && sig != SIGKILL)
			return thaw;
	}
	return rc < 0 ? rc : 0;
}

int cg_signal_all(struct cg_group *g, int sig, struct err *e)
{
	int v2 = cg_v2_index(g->layout);

	if (sig == SIGKILL && v2 >= 0 && !cg_full_of(g)->is_void[v2] &&
	    cg_write(cg_full_of(g)->dirs[v2], "cgroup.kill", "1") == 0)
		return 0;
	return signal_frozen(g, sig, e);
}

int cg_kill_direct(int dirfd)
{
	struct pid_list l = {0};
	int rc = list_dir(dirfd, &l);

	for (size_t i = 0; rc == 0 && i < l.n; i++)
		kill(l.items[i], SIGKILL);
	free(l.items);
	return rc < 0 ? rc : (int)l.n;
}
