/* cgroups/group.c: a container's group: chosen, made, opened, and entered.
 *
 * Invariants
 *  1. The group is made in every hierarchy, named ones too: engines look for the process in each.
 *  2. A parent that we make is marked with the extended attribute MARK, so that whoever removes
 *     the last group below can tell it from an engine's own. Without the right to set the mark
 *     the parent stays.
 *  3. A populated group is never taken over: cg_group_check_free runs before the journal
 *     knows the path, so that undoing can't hit another container's processes.
 *  4. A new v1 cpuset group gets its parent's cpus and mems: with none it takes no process.
 */
#include "cgroups/internal.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* A parent can vanish while we make its child (the last container of it ended). */
#define MAKE_TRIES 16

static int new_group(struct arena *a, struct cg_layout *l, const char *path,
		     struct cg_group **ret_group, struct err *e)
{
	struct cg_host *host = (struct cg_host *)l;
	struct cg_full *f = arena_alloc(a, sizeof(*f));

	if (f) {
		f->dirs = arena_array(a, l->n + 1, sizeof(*f->dirs));
		f->is_void = arena_array(a, l->n + 1, sizeof(*f->is_void));
	}
	if (!f || !f->dirs || !f->is_void)
		return err_sys(e, ENOMEM, path, "naming the control group");
	for (size_t i = 0; i < l->n; i++) {
		const char *rel = cg_path_in(a, &l->items[i], path);
		if (!rel)
			return err_sys(e, ENOMEM, path, "naming the control group");
		f->is_void[i] = !*rel;
		if (f->is_void[i]) {
			f->dirs[i] = CG_NOWHERE;
			continue;
		}
		if (*rel != '/' || !cg_path_valid(rel))
			return err_set(e, ERR_INTERNAL, EINVAL, path,
				       "the recorded control group path is damaged");
		const char *point = l->items[i].mountpoint;
		f->dirs[i] = arena_printf(a, "%s%s", strcmp(point, "/") == 0 ? "" : point, rel);
		if (!f->dirs[i])
			return err_sys(e, ENOMEM, path, "naming the control group");
	}
	f->pub = (struct cg_group){.layout = l, .path = path, .v2_fd = -1};
	f->next = host->groups;
	host->groups = f;
	*ret_group = &f->pub;
	return 0;
}

static int init_unit(struct arena *a, struct cg_layout *l, const struct cg_want *w,
		     struct cg_group **ret_group, struct err *e)
{
	struct cg_unit *unit;
	struct cg_group *g;
	const char *path;

	int rc = cg_unit_init(a, l, w, &unit, &path, e);
	if (rc == 0)
		rc = new_group(a, l, path, &g, e);
	if (rc < 0)
		return rc;
	cg_full_of(g)->unit = unit;
	g->unit = cg_unit_record(a, unit);
	if (!g->unit)
		return err_sys(e, ENOMEM, path, "naming the unit");
	*ret_group = g;
	return 0;
}

int cg_group_init(struct arena *a, struct cg_layout *l, const struct cg_want *w,
		  struct cg_group **ret_group, struct err *e)
{
	const char *want = w->spec->linux_.cgroups_path, *path;

	if (w->driver == CG_DRIVER_SYSTEMD)
		return init_unit(a, l, w, ret_group, e);
	if (!want || !*want)
		want = arena_printf(a, "/" CG_DEFAULT_PARENT "/%s", w->id);
	if (!want)
		return err_sys(e, ENOMEM, "", "choosing the control group");
	int rc = cg_path_record(a, l, want, &path, e);
	return rc < 0 ? rc : new_group(a, l, path, ret_group, e);
}

int cg_group_delegated(struct arena *a, struct cg_layout *l, const struct cg_want *w,
		       struct cg_group **ret_group, struct err *e)
{
	const char *want = w->spec->linux_.cgroups_path, *asked = NULL, *path;
	int rc = want && *want ? cg_path_record(a, l, want, &asked, e) : 0;

	if (rc == 0)
		rc = cg_delegated_path(a, l, w->id, asked, &path, e);
	if (rc == 0)
		rc = new_group(a, l, path, ret_group, e);
	if (rc == 0)
		(*ret_group)->delegated_only = true;
	return rc;
}

bool cg_group_none(const struct cg_group *g)
{
	return !*g->path;
}

const char *cg_group_dir(const struct cg_group *g, const char *point)
{
	const struct cg_full *f = (const struct cg_full *)g;

	for (size_t i = 0; i < g->layout->n; i++)
		if (!f->is_void[i] && strcmp(g->layout->items[i].mountpoint, point) == 0)
			return f->dirs[i];
	return NULL;
}

static int open_v2(struct cg_group *g, struct err *e)
{
	int i = cg_v2_index(g->layout);

	if (i < 0 || g->v2_fd >= 0 || cg_full_of(g)->is_void[i])
		return 0;
	const char *dir = cg_full_of(g)->dirs[i];
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != EACCES)
		return err_sys(e, errno, dir, "opening the control group");
	g->v2_fd = fd;
	return 0;
}

int cg_group_open(struct arena *a, struct cg_layout *l, const char *path, const char *unit,
		  struct cg_group **ret_group, struct err *e)
{
	struct cg_group *g;
	char *copy = arena_strdup(a, path), *name = arena_strdup(a, unit);

	if (!copy || (unit && !name))
		return err_sys(e, ENOMEM, path, "naming the control group");
	int rc = new_group(a, l, copy, &g, e);
	if (rc == 0)
		rc = open_v2(g, e);
	if (rc < 0)
		return rc;
	g->unit = name;
	*ret_group = g;
	return 0;
}

int cg_group_check_free(struct cg_group *g, struct err *e)
{
	pid_t *pids = NULL;
	size_t n = 0;

	int rc = cg_pids(g, &pids, &n, e);
	if (rc < 0)
		return rc;
	pid_t first = n ? pids[0] : 0;
	free(pids);
	if (n)
		return err_set(e, ERR_STATE, EBUSY, "/linux/cgroupsPath",
			       "the control group %s has %zu process%s in it already (pid %d); a "
			       "container needs a group of its own",
			       g->path, n, n == 1 ? "" : "es", (int)first);
	return 0;
}

/* --- making --- */

/* Fills an empty cpuset file from the nearest ancestor that has a value; `end` bounds the climb at
 * the mount point. */
static int cpuset_inherit(const char *point, const char *dir, const char *file, bool fresh)
{
	char value[4096], parent[PATH_MAX];

	if (!fresh) {
		long n = cg_read(dir, file, value, sizeof(value));
		if (n != 0)
			return n < 0 ? (int)n : 0;
	}
	const char *slash = strrchr(dir, '/');
	size_t len = slash ? (size_t)(slash - dir) : 0;
	if (len < strlen(point) || len >= sizeof(parent))
		return -EINVAL;
	memcpy(parent, dir, len);
	parent[len] = '\0';
	long n = cg_read(parent, file, value, sizeof(value));
	if (n == 0 && len > strlen(point)) {
		int rc = cpuset_inherit(point, parent, file, true);
		if (rc < 0)
			return rc;
		n = cg_read(parent, file, value, sizeof(value));
	}
	return n < 0 ? (int)n : cg_write(dir, file, value);
}

static int fill_cpuset(const struct cg_hierarchy *h, const char *dir, bool fresh)
{
	if (h->v2 || !cg_list_has(h->controllers, "cpuset"))
		return 0;
	int rc = cpuset_inherit(h->mountpoint, dir, "cpuset.cpus", fresh);
	return rc < 0 ? rc : cpuset_inherit(h->mountpoint, dir, "cpuset.mems", fresh);
}

static int make_dir(const struct cg_hierarchy *h, const char *dir, bool *ret_new)
{
	if (mkdir(dir, 0755) == 0) {
		*ret_new = true;
		return fill_cpuset(h, dir, true);
	}
	return errno == EEXIST ? fill_cpuset(h, dir, false) : -errno;
}

static int make_parents(const struct cg_hierarchy *h, const char *dir, bool *ret_new)
{
	char path[PATH_MAX];
	size_t len = strlen(dir);

	if (len >= sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, dir, len + 1);
	for (char *p = path + strlen(h->mountpoint) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		if (mkdir(path, 0755) < 0) {
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		*ret_new = true;
		/* The mark is a help for removal, not a condition of the container. */
		(void)setxattr(path, CG_MARK, "1", 1, 0);
		int rc = fill_cpuset(h, path, true);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int make_in(struct cg_full *f, const struct cg_hierarchy *h, const char *dir)
{
	bool group = false, parent = false;
	int rc = make_dir(h, dir, &group);

	for (int i = 0; rc == -ENOENT && i < MAKE_TRIES; i++) {
		rc = make_parents(h, dir, &parent);
		if (rc == 0)
			rc = make_dir(h, dir, &group);
	}
	f->v2_new = f->v2_new || (h->v2 && group);
	f->v2_parent_new = f->v2_parent_new || (h->v2 && parent);
	return rc;
}

static bool not_ours_to_write(int rc)
{
	return rc == -EACCES || rc == -EPERM || rc == -EROFS;
}

int cg_group_make(struct cg_group *g, struct err *e)
{
	struct cg_full *f = cg_full_of(g);

	for (size_t i = 0; i < g->layout->n; i++) {
		if (f->is_void[i])
			continue;
		int rc = make_in(f, &g->layout->items[i], f->dirs[i]);
		if (g->delegated_only && not_ours_to_write(rc)) {
			f->is_void[i] = true;
			continue;
		}
		if (rc < 0)
			return err_sys(e, -rc, f->dirs[i], "making the control group");
	}
	int v2 = cg_v2_index(g->layout);
	return v2 >= 0 && f->is_void[v2] ? 0 : open_v2(g, e);
}

/* --- handing controllers down (v2) --- */

/* "+cpu +memory" of a comma list, or one word; false when it doesn't fit. */
static bool enable_text(const char *list, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	while (*list) {
		size_t len = strcspn(list, ",");
		if (len) {
			int n = snprintf(buf + used, size - used, "%s+%.*s", used ? " " : "",
					 (int)len, list);
			if (n < 0 || (size_t)n >= size - used)
				return false;
			used += (size_t)n;
		}
		list += len + (list[len] == ',');
	}
	return true;
}

/* The kernel would let a group with processes hand down cpu and pids, as the root of threaded
 * groups; but then no group below it takes a process (cgroups(7), "Thread mode"). Only the tree's
 * top, which has no type, may have both. */
static bool holds_processes(const char *dir)
{
	char buf[32];

	return cg_read(dir, "cgroup.type", buf, sizeof(buf)) > 0 &&
	       cg_read(dir, "cgroup.procs", buf, sizeof(buf)) > 0;
}

static bool enable_all(const char *dir, const char *all)
{
	char text[1024];

	return !holds_processes(dir) && enable_text(all, text, sizeof(text)) &&
	       cg_write(dir, "cgroup.subtree_control", text) == 0;
}

/* True when a directory's list of controllers has all of those in `want`. */
static bool has_all(const char *dir, const char *list, const char *want)
{
	char have[1024], word[64];

	if (cg_read(dir, list, have, sizeof(have)) < 0)
		return false;
	for (char *p = have; *p; p++)
		if (*p == ' ')
			*p = ',';
	for (const char *p = want; *p;) {
		size_t len = strcspn(p, ",");
		snprintf(word, sizeof(word), "%.*s", (int)len, p);
		if (len && !cg_list_has(have, word))
			return false;
		p += len + (p[len] == ',');
	}
	return true;
}

/* In one directory: all in one write; if the kernel won't, one by one, and only what is needed has
 * to work. */
static int enable_in(const char *dir, const char *all, const char *need)
{
	char word[64];

	if (enable_all(dir, all))
		return 0;
	if (holds_processes(dir))
		return has_all(dir, "cgroup.subtree_control", need) ? 0 : -EBUSY;
	for (const char *p = all; *p;) {
		size_t len = strcspn(p, ",");
		if (len && len < sizeof(word) - 1) {
			snprintf(word, sizeof(word), "+%.*s", (int)len, p);
			int rc = cg_write(dir, "cgroup.subtree_control", word);
			if (rc < 0 && cg_list_has(need, word + 1))
				return rc;
		}
		p += len + (p[len] == ',');
	}
	return 0;
}

static int enable_failed(const char *dir, int rc, const char *need, const char *pointer,
			 struct err *e)
{
	if (rc == -EBUSY)
		return err_set(
			e, ERR_SYSTEM, EBUSY, pointer,
			"%s has processes of its own, so it can't hand controllers (%s) down "
			"to the container's group (cgroup v2: no internal processes); move "
			"them into a group below or choose another cgroupsPath",
			dir, need);
	if (not_ours_to_write(rc))
		return err_set(e, ERR_UNSUPPORTED, -rc, pointer,
			       "the controllers (%s) aren't handed down by %s, which isn't ours to "
			       "write: have them delegated to this user",
			       need, dir);
	return err_sys(e, -rc, pointer, "enabling controllers (%s) in %s/cgroup.subtree_control",
		       need, dir);
}

int cg_group_enable(struct cg_group *g, const char *need, const char *pointer, struct err *e)
{
	int v2 = cg_v2_index(g->layout);
	char path[PATH_MAX];

	if (v2 < 0 || cg_full_of(g)->is_void[v2])
		return 0;
	const struct cg_hierarchy *h = &g->layout->items[v2];
	const char *dir = cg_full_of(g)->dirs[v2];
	if (strlen(dir) >= sizeof(path) ||
	    (!cg_full_of(g)->v2_parent_new && has_all(dir, "cgroup.controllers", h->controllers)))
		return 0;
	strcpy(path, dir);
	/* The parent has them all, where a container was made below the tree's top before. */
	*strrchr(path, '/') = '\0';
	if (enable_all(path, h->controllers))
		return 0;
	strcpy(path, dir);
	/* From the mount point down to the group's parent. */
	for (char *p = path + strlen(h->mountpoint); (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		int rc = enable_in(path, h->controllers, need);
		if (rc < 0)
			return enable_failed(path, rc, need, pointer, e);
	}
	return 0;
}

/* --- entering --- */

bool cg_born_inside(const struct cg_group *g)
{
	return g->layout->mode == CG_V2 && g->v2_fd >= 0;
}

/* A container that runs its own groups (an init system) has no processes in its topmost group,
 * and v2 lets none in: the newcomer joins the group of the first process that is there. */
static int attach_beside(struct cg_group *g, const char *point, const char *top, const char *text)
{
	pid_t *pids = NULL;
	size_t n = 0;
	struct err ignored = {0};
	char file[64], buf[PATH_MAX], dir[PATH_MAX];

	if (cg_pids(g, &pids, &n, &ignored) < 0 || n == 0) {
		free(pids);
		return -EBUSY;
	}
	snprintf(file, sizeof(file), "%d/cgroup", (int)pids[0]);
	free(pids);
	if (cg_read("/proc", file, buf, sizeof(buf)) < 0)
		return -EBUSY;
	const char *line = strncmp(buf, "0::", 3) == 0 ? buf : strstr(buf, "\n0::");
	if (!line)
		return -EBUSY;
	line += *line == '\n' ? 4 : 3;
	if (snprintf(dir, sizeof(dir), "%s%.*s", point, (int)strcspn(line, "\n"), line) >=
	    (int)sizeof(dir))
		return -ENAMETOOLONG;
	/* Never out of the container's own group, whatever the process did meanwhile. */
	if (!str_starts(dir, top) || dir[strlen(top)] != '/' || strstr(dir, "/.."))
		return -EBUSY;
	return cg_write(dir, "cgroup.procs", text);
}

/* A thread that moves itself by `tasks` needs no lock on all processes of the host; any other move
 * takes it, and waits for a grace period of the kernel's RCU, milliseconds. */
static int enter_one(struct cg_group *g, size_t i)
{
	const struct cg_hierarchy *h = &g->layout->items[i];
	const char *dir = cg_full_of(g)->dirs[i];

	if (!h->v2)
		return cg_write(dir, "tasks", "0");
	int rc = cg_write(dir, "cgroup.procs", "0");
	return rc == -EBUSY ? attach_beside(g, h->mountpoint, dir, "0") : rc;
}

static int attach_one(struct cg_group *g, size_t i, const char *sub, const char *text)
{
	const struct cg_hierarchy *h = &g->layout->items[i];
	char dir[PATH_MAX];

	if (snprintf(dir, sizeof(dir), "%s%s%s", cg_full_of(g)->dirs[i], sub ? "/" : "",
		     sub ? sub : "") >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	int rc = cg_write(dir, "cgroup.procs", text);
	if (rc == -EBUSY && h->v2 && !sub)
		rc = attach_beside(g, h->mountpoint, dir, text);
	return rc;
}

/* What an unprivileged runtime could not make it need not enter. */
static bool may_miss(const struct cg_group *g, int rc)
{
	return g->delegated_only && (rc == -ENOENT || not_ours_to_write(rc));
}

int cg_enter(struct cg_group *g, bool born_in_v2, struct err *e)
{
	struct cg_full *f = cg_full_of(g);

	for (size_t i = 0; i < g->layout->n; i++) {
		if (f->is_void[i] || (born_in_v2 && g->layout->items[i].v2))
			continue;
		int rc = enter_one(g, i);
		if (rc < 0 && !may_miss(g, rc))
			return err_sys(e, -rc, f->dirs[i], "entering the control group");
	}
	return 0;
}

int cg_attach(struct cg_group *g, pid_t pid, const char *const *subs, struct err *e)
{
	struct cg_full *f = cg_full_of(g);
	char text[32];

	snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < g->layout->n; i++) {
		const char *sub = subs ? subs[i] : NULL;
		int rc = f->is_void[i] ? 0 : attach_one(g, i, sub, text);
		/* A process of a login session and a user's own group have only root's in common.
		 */
		if (not_ours_to_write(rc) && g->unit && g->layout->items[i].v2) {
			rc = cg_unit_join(g, pid, sub, e);
			if (rc < 0)
				return rc;
		}
		if (rc < 0 && !may_miss(g, rc))
			return err_sys(e, -rc, f->dirs[i],
				       "putting process %d into control group%s%s", (int)pid,
				       sub ? " " : "", sub ? sub : "");
	}
	return 0;
}

const char *cg_group_in(struct cg_group *g, size_t i, const char **ret_dir)
{
	struct cg_full *f = cg_full_of(g);
	const char *point = g->layout->items[i].mountpoint;

	if (f->is_void[i])
		return NULL;
	*ret_dir = f->dirs[i];
	return f->dirs[i] + (strcmp(point, "/") == 0 ? 0 : strlen(point));
}
