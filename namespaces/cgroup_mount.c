/* namespaces/cgroup_mount.c: the container's view of /sys/fs/cgroup.
 *
 * On v2 a cgroup2 mount, rooted by the cgroup namespace. On v1 and hybrid hosts
 * a small tmpfs with the container's own group of each hierarchy bound below
 * it: a guest never sees more than its own group, with or without a cgroup
 * namespace, and no release_agent.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define CGROUP_DIR "/sys/fs/cgroup"

static int attach(int tree, int target, struct err *e)
{
	if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, errno, NULL, "attaching it");
	return 0;
}

static int bind_host(const char *path, const struct ns_mount_opts *o, struct err *e)
{
	auto_fd tree = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return err_sys(e, errno, NULL, "binding %s", path);
	int rc = ns_mount_apply(tree, o, e);
	return rc < 0 ? rc : take_fd(&tree);
}

/* A group of the host without a cgroup namespace in between: the guest sees its own group only, and
 * root of a user namespace may not write even there (CVE-2023-25809). */
static struct ns_mount_opts bind_options(const struct ns_child_ctx *c,
					 const struct ns_mount_opts *asked)
{
	struct ns_mount_opts o = *asked;

	o.n_fs = 0;
	o.propagation = 0;
	if ((ns_has_user(c->spec) || c->launch->rootless) && !spec_find_ns(c->spec, SPEC_NS_CGROUP))
		o.attr_set |= MOUNT_ATTR_RDONLY;
	return o;
}

static const char *own_group(const struct ns_child_ctx *c, const char *point)
{
	const struct ns_launch *l = c->launch;

	return l->cgroup_dir ? l->cgroup_dir(l->cgroup_arg, point) : NULL;
}

/* Without a group of its own (rootless) and without a cgroup namespace there is nothing that the
 * container may see: an empty directory. */
static int empty(const struct ns_mount_opts *o, struct err *e)
{
	const char *words[] = {"mode=755"};
	struct ns_mount_opts bare = {.fs = words, .n_fs = 1};
	auto_fd tree = ns_fs_mount("tmpfs", "tmpfs", &bare, e);
	int rc = tree < 0 ? tree : ns_mount_apply(tree, o, e);

	return rc < 0 ? rc : take_fd(&tree);
}

static int mount_v2(struct ns_child_ctx *c, const struct ns_mount_opts *o, int target,
		    struct err *e)
{
	struct ns_mount_opts own = bind_options(c, o);
	const char *dir = own_group(c, CGROUP_DIR);
	auto_fd tree = c->launch->cgroup_dir && spec_find_ns(c->spec, SPEC_NS_CGROUP)
			       ? ns_fs_mount("cgroup2", "cgroup", o, e)
		       : dir ? bind_host(dir, &own, e)
			     : empty(&own, e);
	return tree < 0 ? tree : attach(tree, target, e);
}

/* Field n (from 0) of a line of mountinfo. */
static bool mountinfo_field(const char *line, int n, char *ret, size_t size)
{
	for (; n > 0; n--) {
		line += strcspn(line, " \n");
		if (*line != ' ')
			return false;
		line++;
	}
	snprintf(ret, size, "%.*s", (int)strcspn(line, " \n"), line);
	return true;
}

/* "cpu,cpuacct" is found as "cpu" and as "cpuacct" too. */
static int link_words(const char *name, int dir, struct err *e)
{
	char word[NAME_MAX + 1];

	if (!strchr(name, ','))
		return 0;
	for (const char *w = name; *w; w += strspn(w, ",")) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(w, ","), w);
		w += strcspn(w, ",");
		if (symlinkat(name, dir, word) < 0 && errno != EEXIST)
			return err_sys(e, errno, NULL, "linking %s", word);
	}
	return 0;
}

/* One hierarchy: a directory of its name in the tmpfs, with the group bound on it. A hierarchy in
 * which the container has no group (rootless) is left out. The tmpfs is ours alone: no link can be
 * in the way of a name in it. */
static int bind_hierarchy(const char *mountpoint, const char *own, int dir, struct err *e)
{
	const char *name = strrchr(mountpoint, '/') + 1;
	auto_fd tree = open_tree(AT_FDCWD, own, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0)
		return errno == ENOENT || errno == EACCES
			       ? 0
			       : err_sys(e, errno, NULL, "binding %s", own);
	if (mkdirat(dir, name, 0755) < 0)
		return errno == EEXIST ? 0 : err_sys(e, errno, NULL, "making %s", name);
	if (move_mount(tree, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, NULL, "attaching %s", name);
	return link_words(name, dir, e);
}

/* On a hybrid host the v2 tree stays outside: systemd in a container would take it for its own, and
 * not find there what /proc/1/cgroup names. */
static int bind_all(struct ns_child_ctx *c, int dir, struct err *e)
{
	auto_str text = NULL;
	char point[PATH_MAX];
	int rc = file_read_at(AT_FDCWD, "/proc/self/mountinfo", 16u << 20, &text, NULL, e);

	for (const char *line = text; rc >= 0 && line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		const char *rest = strstr(line, " - ");
		const char *end = strchr(line, '\n');
		if (!rest || (end && rest > end) || !str_starts(rest + 3, "cgroup "))
			continue;
		if (!mountinfo_field(line, 4, point, sizeof(point)) ||
		    !str_starts(point, CGROUP_DIR "/"))
			continue;
		const char *own = own_group(c, point);
		if (own)
			rc = bind_hierarchy(point, own, dir, e);
	}
	return rc;
}

static int mount_v1(struct ns_child_ctx *c, const struct ns_mount_opts *o, int target,
		    struct err *e)
{
	const char *words[] = {"mode=755"};
	struct ns_mount_opts bare = {.fs = words, .n_fs = 1}, all = bind_options(c, o);
	auto_fd tmpfs = ns_fs_mount("tmpfs", "tmpfs", &bare, e);
	int rc = tmpfs < 0 ? tmpfs : attach(tmpfs, target, e);

	if (rc >= 0)
		rc = bind_all(c, tmpfs, e);
	/* One call for the tmpfs and all that now lies on it; nobody but us is there yet. */
	all.rec_set |= all.attr_set;
	all.rec_clr |= all.attr_clr;
	all.attr_set = all.attr_clr = 0;
	return rc < 0 ? rc : ns_mount_apply(tmpfs, &all, e);
}

int ns_mount_cgroup(struct ns_child_ctx *c, const struct spec_mount *m,
		    const struct ns_mount_opts *o, int target, struct err *e)
{
	(void)m;
	return c->launch->cgroup_v2 ? mount_v2(c, o, target, e) : mount_v1(c, o, target, e);
}
