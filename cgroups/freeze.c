/* cgroups/freeze.c: stop and thaw every process of a group, and wait until it is so.
 *
 * On v2 cgroup.freeze asks and cgroup.events tells, by POLLPRI (cgroups(7)). v1's freezer has no
 * event: freezer.state says FREEZING until a look at it finds that all have stopped, so that
 * looking again, after a pause that grows, is the only way to wait for it.
 *
 * Invariants
 *  1. A freeze that doesn't come about in time is taken back.
 *  2. The v2 tree is preferred where both exist: it stops processes at a point where they can
 *     still be killed and traced. A freeze by the other is never chosen because a look failed:
 *     who thaws or kills would look at the first.
 *  3. A thaw is one of both: whoever froze v1's group, nothing in it dies before.
 */
#include "cgroups/internal.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The value of a key of cgroup.events, -1 when it isn't there. */
static int event_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, len) == 0 && p[len] == ' ')
			return p[len + 1] == '1';
	}
	return -1;
}

int cg_wait_event(const char *dir, const char *key, bool want, int64_t deadline)
{
	char path[PATH_MAX], buf[256];

	if (snprintf(path, sizeof(path), "%s/cgroup.events", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);
		if (n < 0)
			return -errno;
		buf[n] = '\0';
		int value = event_value(buf, key);
		if (value < 0)
			return -EOPNOTSUPP;
		if (value == want)
			return 0;
		int64_t left = deadline - cg_now_ms();
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

static int freeze_v2(const char *dir, bool freeze, int64_t deadline)
{
	int rc = cg_write(dir, "cgroup.freeze", freeze ? "1" : "0");

	if (rc == 0)
		rc = cg_wait_event(dir, "frozen", freeze, deadline);
	if (rc < 0 && freeze)
		cg_write(dir, "cgroup.freeze", "0");
	return rc;
}

static int wait_v1(const char *dir, bool freeze, int64_t deadline)
{
	const char *want = freeze ? "FROZEN" : "THAWED";
	char state[32];

	for (int pause_ms = 1;; pause_ms += pause_ms < 20) {
		long n = cg_read(dir, "freezer.state", state, sizeof(state));
		if (n < 0)
			return (int)n;
		if (strcmp(state, want) == 0)
			return 0;
		if (cg_now_ms() >= deadline)
			return -ETIMEDOUT;
		poll(NULL, 0, pause_ms);
		/* A process that was being made while we froze is caught by asking again. */
		if (freeze)
			cg_write(dir, "freezer.state", "FROZEN");
	}
}

static int freeze_v1(const char *dir, bool freeze, int64_t deadline)
{
	int rc = cg_write(dir, "freezer.state", freeze ? "FROZEN" : "THAWED");

	if (rc == 0)
		rc = wait_v1(dir, freeze, deadline);
	if (rc < 0 && freeze)
		cg_write(dir, "freezer.state", "THAWED");
	return rc;
}

static const char *freezer_v1(struct cg_group *g)
{
	struct cg_full *f = cg_full_of(g);
	struct cg_hierarchy *h = cg_find(g->layout, "freezer");

	return h && !h->v2 && !f->is_void[h - g->layout->items] ? f->dirs[h - g->layout->items]
								: NULL;
}

/* The directory that freezes, and whether it is of v2. */
static int freezer_of(struct cg_group *g, const char **ret_dir, bool *ret_v2, struct err *e)
{
	struct cg_full *f = cg_full_of(g);
	int v2 = cg_v2_index(g->layout);

	*ret_v2 = false;
	if (v2 >= 0 && !f->is_void[v2] && g->v2_fd >= 0) {
		*ret_v2 = faccessat(g->v2_fd, "cgroup.freeze", W_OK, 0) == 0;
		/* Not there: the v2 root, or a kernel before 5.2. */
		if (!*ret_v2 && errno != ENOENT && errno != EACCES && errno != EROFS)
			return err_sys(e, errno, f->dirs[v2], "looking for cgroup.freeze");
	}
	*ret_dir = *ret_v2 ? f->dirs[v2] : freezer_v1(g);
	return *ret_dir ? 0
			: err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, g->path,
				  "can't be paused: neither a freezer controller nor a cgroup v2 "
				  "group");
}

/* Somebody may have frozen v1's group beside ours. */
static int thaw_v1_too(struct cg_group *g, int64_t deadline)
{
	const char *dir = freezer_v1(g);
	char state[32];

	if (!dir || cg_read(dir, "freezer.state", state, sizeof(state)) < 0 || state[0] != 'F')
		return 0;
	return freeze_v1(dir, false, deadline);
}

int cg_freeze(struct cg_group *g, bool freeze, int timeout_ms, struct err *e)
{
	bool v2;
	const char *dir;
	int64_t deadline = cg_now_ms() + timeout_ms;
	int rc = freezer_of(g, &dir, &v2, e);

	if (rc < 0)
		return rc;
	rc = v2 ? freeze_v2(dir, freeze, deadline) : freeze_v1(dir, freeze, deadline);
	if (rc == 0 && v2 && !freeze)
		rc = thaw_v1_too(g, deadline);
	if (rc == -ETIMEDOUT)
		return err_set(e, ERR_SYSTEM, ETIMEDOUT, dir,
			       freeze ? "some process did not stop within %d ms; the group goes on"
				      : "did not thaw within %d ms (is a group above it frozen?)",
			       timeout_ms);
	return rc < 0 ? err_sys(e, -rc, dir, freeze ? "freezing" : "thawing") : 0;
}

int cg_frozen(struct cg_group *g, bool *ret_frozen, struct err *e)
{
	bool v2;
	const char *dir;
	char buf[256];
	int rc = freezer_of(g, &dir, &v2, e);

	if (rc < 0)
		return rc;
	long n = cg_read(dir, v2 ? "cgroup.freeze" : "freezer.state", buf, sizeof(buf));
	if (n < 0)
		return err_sys(e, (int)-n, dir, "reading whether it is frozen");
	/* The wish, not whether it came about at this moment: a process that is just being made
	 * must not make a paused group look like a running one. */
	*ret_frozen = v2 ? buf[0] == '1' : buf[0] == 'F';
	return 0;
}
