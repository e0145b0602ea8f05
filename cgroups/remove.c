/* cgroups/remove.c: a group's end: whoever is left is killed, waited for, and the directories go.
 *
 * Most groups are empty when they are removed, so removing is tried at once; only what resists is
 * worth looking at.
 *
 * Invariants
 *  1. Idempotent, and right from any partial state: each hierarchy by itself may have the group
 *     or not.
 *  2. The guest may have made groups below, as deep as it likes: the walk keeps two descriptors
 *     and the names on the way.
 *  3. A parent is removed only if it is our default parent or bears our mark, and only empty.
 *  4. Bounded: LIMIT_MS in all, then an error that names the pids.
 */
#include "cgroups/internal.h"
#include "common/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 10000
#define MAX_WAITED 256

/* --- directories --- */

/* The first group below, malloc'ed, or NULL. */
static char *first_child(int dirfd)
{
	char *name = NULL;
	int copy = cg_has_children(dirfd) ? openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
					  : -1;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	if (!d) {
		fd_close(&copy);
		return NULL;
	}
	for (struct dirent *t; !name && (t = readdir(d));)
		if (t->d_type == DT_DIR && t->d_name[0] != '.')
			name = strdup(t->d_name);
	closedir(d);
	return name;
}

struct walk {
	int fd;
	char **names;
	size_t n, cap;
};

static int descend(struct walk *w, char *name)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 16;
		char **names = reallocarray(w->names, cap, sizeof(*names));
		if (!names) {
			free(name);
			return -ENOMEM;
		}
		w->names = names;
		w->cap = cap;
	}
	int child = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (child < 0) {
		int rc = errno == ENOENT ? 0 : -errno;
		free(name);
		return rc;
	}
	fd_close(&w->fd);
	w->fd = child;
	w->names[w->n++] = name;
	return 0;
}

/* Removes the directory that the walk stands in; cgroupfs moves no directory elsewhere, so ".." is
 * where we came from. */
static int ascend(struct walk *w)
{
	auto_fd up = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = up < 0 ? -errno : 0;
	auto_str name = w->names[--w->n];

	if (rc == 0 && unlinkat(up, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = -errno;
	if (rc == -EBUSY)
		cg_kill_direct(w->fd);
	if (rc == 0) {
		fd_close(&w->fd);
		w->fd = take_fd(&up);
	}
	return rc;
}

/* Empties a group of the groups below. */
static int remove_below(const char *dir)
{
	struct walk w = {.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	int rc = w.fd < 0 ? -errno : 0;

	while (rc == 0) {
		char *name = first_child(w.fd);
		if (name)
			rc = descend(&w, name);
		else if (w.n)
			rc = ascend(&w);
		else
			break;
	}
	while (w.n)
		free(w.names[--w.n]);
	free(w.names);
	fd_close(&w.fd);
	return rc == -ENOENT ? 0 : rc;
}

/* 0 when it is gone; -EBUSY when processes or groups are in it. */
static int remove_dir(const char *dir)
{
	if (rmdir(dir) == 0 || errno == ENOENT)
		return 0;
	/* A read-only or foreign tree in which the group was never made. */
	if (errno != EBUSY && errno != ENOTEMPTY && access(dir, F_OK) < 0 && errno == ENOENT)
		return 0;
	return errno == ENOTEMPTY ? -EBUSY : -errno;
}

/* One attempt on every hierarchy, v2 first: whether anybody is in the group is known best there.
 * `deep`: also groups below. 0, -EBUSY, or another failure with its directory. */
static int remove_all(struct cg_group *g, bool deep, const char **ret_dir)
{
	struct cg_full *f = cg_full_of(g);
	int v2 = cg_v2_index(g->layout), result = 0;

	for (size_t k = 0; k <= g->layout->n; k++) {
		size_t i = k ? k - 1 : (size_t)v2;
		if ((k == 0 && v2 < 0) || (k && (int)i == v2) || f->is_void[i])
			continue;
		int rc = remove_dir(f->dirs[i]);
		if (rc == -EBUSY && deep) {
			remove_below(f->dirs[i]);
			rc = remove_dir(f->dirs[i]);
		}
		if (rc == 0 ||
		    (g->delegated_only && (rc == -EACCES || rc == -EPERM || rc == -EROFS)))
			continue;
		*ret_dir = f->dirs[i];
		if (rc != -EBUSY)
			return rc;
		result = rc;
		/* Nobody was killed yet: don't take away the files that killing needs. */
		if (!deep)
			return rc;
	}
	return result;
}

/* --- waiting --- */

static void wait_pidfds(const pid_t *pids, size_t n, int64_t deadline)
{
	struct pollfd p[MAX_WAITED];
	size_t open_n = 0;

	for (size_t i = 0; i < n && open_n < MAX_WAITED; i++) {
		int fd = (int)syscall(SYS_pidfd_open, pids[i], 0);
		if (fd >= 0)
			p[open_n++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
	for (size_t i = 0; i < open_n; i++) {
		int64_t left = deadline - cg_now_ms();
		if (left > 0)
			poll(&p[i], 1, (int)left);
		fd_close(&p[i].fd);
	}
	/* Who has just ended leaves its group a moment after its pidfd says so; nothing tells
	 * when on v1, and on v2 the event may come 10 ms late (the kernel limits their rate). */
	ppoll(NULL, 0, &(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Until the group is empty, as far as one can be told: by the pidfds of those that are listed; by
 * the event where nobody is listed and yet somebody is there. */
static int wait_empty(struct cg_group *g, int64_t deadline, struct err *e)
{
	int v2 = cg_v2_index(g->layout);
	pid_t *pids = NULL;
	size_t n = 0;

	int rc = cg_pids(g, &pids, &n, e);
	if (rc < 0)
		return rc;
	if (n == 0 && v2 >= 0 && !cg_full_of(g)->is_void[v2])
		cg_wait_event(cg_full_of(g)->dirs[v2], "populated", false, deadline);
	else
		wait_pidfds(pids, n, deadline);
	free(pids);
	return 0;
}

static int still_there(struct cg_group *g, const char *dir, struct err *e)
{
	auto_strbuf s = {0};
	pid_t *pids = NULL;
	size_t n = 0;

	int rc = cg_pids(g, &pids, &n, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n && i < 16; i++)
		strbuf_printf(&s, "%s%d", i ? ", " : "", (int)pids[i]);
	free(pids);
	return err_set(
		e, ERR_SYSTEM, EBUSY, dir,
		"can't be removed: after %d seconds and SIGKILL it still has processes (%s%s)",
		LIMIT_MS / 1000, s.s ? s.s : "none that we can see", n > 16 ? ", …" : "");
}

/* --- parents --- */

static bool ours(const struct cg_hierarchy *h, const char *dir)
{
	if (strcmp(dir + strlen(h->mountpoint), "/" CG_DEFAULT_PARENT) == 0)
		return true;
	return getxattr(dir, CG_MARK, NULL, 0) >= 0;
}

/* Another container may be beneath, or be coming: rmdir decides. */
static void remove_parents(struct cg_group *g)
{
	char dir[PATH_MAX];

	for (size_t i = 0; i < g->layout->n; i++) {
		const struct cg_hierarchy *h = &g->layout->items[i];
		if (cg_full_of(g)->is_void[i])
			continue;
		if (snprintf(dir, sizeof(dir), "%s", cg_full_of(g)->dirs[i]) >= (int)sizeof(dir))
			continue;
		for (char *slash; (slash = strrchr(dir, '/'));) {
			*slash = '\0';
			if (strlen(dir) <= strlen(h->mountpoint) || !ours(h, dir) || rmdir(dir) < 0)
				break;
		}
	}
}

static int remove_group(struct cg_group *g, struct err *e)
{
	const char *dir = g->path;
	int64_t deadline = cg_now_ms() + LIMIT_MS;

	int rc = remove_all(g, false, &dir);
	while (rc == -EBUSY) {
		int sub = cg_signal_all(g, SIGKILL, e);
		if (sub == 0)
			sub = wait_empty(g, deadline, e);
		if (sub < 0)
			return sub;
		rc = remove_all(g, true, &dir);
		if (rc == -EBUSY && cg_now_ms() >= deadline)
			return still_there(g, dir, e);
	}
	return rc < 0 ? err_sys(e, -rc, dir, "removing the control group") : 0;
}

int cg_remove(struct cg_group *g, struct err *e)
{
	int rc = remove_group(g, e);

	if (rc == 0)
		remove_parents(g);
	return rc;
}

int cg_undo(struct arena *a, const char *path, struct err *e)
{
	struct cg_layout *l;
	struct cg_group *g;

	int rc = cg_discover(a, &l, e);
	if (rc < 0)
		return rc;
	rc = cg_group_open(a, l, path, NULL, &g, e);
	if (rc == 0)
		rc = cg_remove(g, e);
	cg_layout_close(l);
	return rc;
}
