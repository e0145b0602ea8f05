/* cgroups/oom.c: word from the kernel that a group ran out of memory.
 *
 * v1 signals an eventfd that was registered for memory.oom_control (memcg-v1 documentation, "OOM
 * Control"), and signals it once more when the group is removed. v2 counts in memory.events and
 * marks the file as modified.
 *
 * Invariants
 *  1. On v2 oom_kill is the counter: `oom` moves in a moment of its own, and both would tell of one
 *     event twice.
 *  2. A host without a memory controller is no failure: there is nothing to hear.
 */
#include "cgroups/internal.h"
#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

static int open_in(const char *dir, const char *name, int flags)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_v1(const char *dir, struct cg_oom *o)
{
	char line[64];
	auto_fd file = open_in(dir, "memory.oom_control", O_RDONLY);
	auto_fd event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (file < 0)
		return file;
	if (event < 0)
		return -errno;
	snprintf(line, sizeof(line), "%d %d", event, file);
	int rc = cg_write(dir, "cgroup.event_control", line);
	if (rc < 0)
		return rc;
	o->file = take_fd(&file);
	o->fd = take_fd(&event);
	return 0;
}

static bool kills(int file, uint64_t *ret_v)
{
	char text[512];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return cg_parse_key(text, "oom_kill", ret_v);
}

static int open_v2(const char *dir, struct cg_oom *o)
{
	char path[PATH_MAX];
	auto_fd file = open_in(dir, "memory.events", O_RDONLY);
	auto_fd watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (file < 0)
		return file;
	if (watch < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/memory.events", dir);
	if (inotify_add_watch(watch, path, IN_MODIFY) < 0)
		return -errno;
	/* After the watch: what comes between is seen by both, and told once. */
	(void)kills(file, &o->seen);
	o->v2 = true;
	o->file = take_fd(&file);
	o->fd = take_fd(&watch);
	return 0;
}

int cg_oom_open(struct cg_group *g, struct cg_oom *ret_oom, struct err *e)
{
	struct cg_hierarchy *h = cg_find(g->layout, "memory");
	struct cg_oom o = CG_OOM_INIT;

	if (h) {
		const char *dir = cg_full_of(g)->dirs[h - g->layout->items];
		int rc = h->v2 ? open_v2(dir, &o) : open_v1(dir, &o);
		/* Not there, not ours: without privileges a group is void, or v1's is not to be
		 * written. */
		if (rc < 0 && rc != -ENOENT && rc != -EACCES && rc != -EPERM)
			return err_sys(e, -rc, dir, "listening for out-of-memory events");
	}
	*ret_oom = o;
	return 0;
}

static bool read_v1(struct cg_oom *o)
{
	uint64_t n = 0;
	char probe[16];

	if (read(o->fd, &n, sizeof(n)) != sizeof(n))
		return false;
	/* The files of a removed group read as ENODEV; its end was one of the signals. */
	if (pread(o->file, probe, sizeof(probe), 0) < 0)
		n--;
	return n > 0;
}

static bool read_v2(struct cg_oom *o)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	uint64_t now = 0;

	while (read(o->fd, events, sizeof(events)) > 0)
		;
	if (!kills(o->file, &now) || now <= o->seen)
		return false;
	o->seen = now;
	return true;
}

bool cg_oom_read(struct cg_oom *o)
{
	return o->v2 ? read_v2(o) : read_v1(o);
}

void cg_oom_close(struct cg_oom *o)
{
	fd_cleanup(&o->fd);
	fd_cleanup(&o->file);
}
