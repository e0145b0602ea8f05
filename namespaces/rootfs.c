/* namespaces/rootfs.c: the container's root: a detached clone of the bundle's rootfs, attached in
 * the child's mount namespace and made "/" by pivot_root(2).
 *
 * The runtime's process changes its directory to the rootfs before the clone:
 * the kernel carries a working directory over into the copied mount namespace,
 * so the child reaches the mount point as "." without walking a host path that
 * its user namespace may have no right to. A mount namespace that is joined by path takes the
 * child to its root instead: there the container's root comes to lie over it, and replaces it.
 *
 * Invariants
 *  1. The root is cloned by the runtime's process where that may; only a caller who doesn't rule
 *     his mount namespace leaves it to the child, which rules its own and sees what its caller
 *     sees.
 *  2. Nothing that the child mounts reaches the host: all it has is private first.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

bool ns_has_user(const struct spec *s)
{
	return spec_find_ns(s, SPEC_NS_USER) != NULL;
}

bool ns_child_opens(int rc)
{
	return rc == -EPERM;
}

/* The rootfs below the working directory as a detached tree. What is mounted on it later stays in
 * the container either way; a slave hears of mounts that the host makes in the rootfs. */
static int clone_root(const struct ns_launch *l, struct err *e)
{
	bool rec;
	uint64_t asked = ns_propagation(l->spec->linux_.rootfs_propagation, &rec);
	struct mount_attr attr = {
		.propagation = asked == MS_SLAVE || asked == MS_SHARED ? MS_SLAVE : MS_PRIVATE};
	auto_fd tree = open_tree(AT_FDCWD, ".",
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);

	if (tree < 0)
		return err_sys(e, errno, "/root/path", "cloning the mount of %s", l->rootfs);
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(e, errno, "/root/path", "%s: mount_setattr (Linux 5.12 is needed)",
			       l->rootfs);
	return take_fd(&tree);
}

int ns_prepare_root(struct ns_launch *l, struct err *e)
{
	if (chdir(l->rootfs) < 0)
		return err_sys(e, errno, "/root/path", "opening %s", l->rootfs);
	int tree = clone_root(l, e);
	if (tree >= 0)
		l->prepared->rootfs_tree = tree;
	else if (!ns_child_opens(tree))
		return tree;
	err_clear(e);
	return 0;
}

/* First step of all: nothing may reach the host any more, then the root is attached. */
static int attach_root(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	struct mount_attr attr = {.propagation = MS_PRIVATE};

	(void)s;
	umask(0); /* every mode below is meant as it stands */
	c->root = c->launch->prepared->rootfs_tree;
	if (c->root < 0)
		c->root = clone_root(c->launch, e);
	if (c->root < 0)
		return c->root;
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(e, errno, NULL, "making all mounts private");
	if (move_mount(c->root, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, NULL, "attaching the root");
	return 0;
}

int ns_plan_root(struct plan *p, const struct spec *s, const char *rootfs, struct err *e)
{
	struct plan_step step = {.stage = PLAN_BUILD,
				 .room = PLAN_NS,
				 .what = "root",
				 .pointer = "/root/path",
				 .detail = rootfs,
				 .run = attach_root};

	(void)s;
	return plan_add(p, &step, e);
}

/* Mount point of a line of mountinfo, \ooo undone (proc_pid_mountinfo(5)). */
static bool mount_point(const char *line, char *ret, size_t size)
{
	size_t n = 0;

	for (int field = 0; field < 4; field++) {
		line += strcspn(line, " \n");
		if (*line++ != ' ')
			return false;
	}
	while (*line && *line != ' ' && *line != '\n' && n + 1 < size) {
		if (line[0] == '\\' && line[1] && line[2] && line[3]) {
			ret[n++] = (char)((line[1] - '0') << 6 | (line[2] - '0') << 3 |
					  (line[3] - '0'));
			line += 4;
		} else {
			ret[n++] = *line++;
		}
	}
	ret[n] = '\0';
	return *line == ' ';
}

/* Without pivot_root the host's root stays mounted beneath ours, so what lies on it is taken off.
 * `table` was read before the move: our own mounts aren't found at their old places any more. */
static int drop_old_mounts(const char *table, struct err *e)
{
	char point[PATH_MAX];

	for (const char *line = table; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (!mount_point(line, point, sizeof(point)) || str_eq(point, "/"))
			continue;
		/* EINVAL: gone with its parent, or locked to it by the user namespace. */
		if (umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL &&
		    errno != ENOENT && errno != ENOTDIR)
			return err_sys(e, errno, point, "taking off the host's mount");
	}
	return 0;
}

/* For hosts whose root is a ramfs, which pivot_root(2) refuses. */
static int move_root(struct err *e)
{
	auto_str table = NULL;
	int rc = file_read_at(AT_FDCWD, "/proc/self/mountinfo", 64u << 20, &table, NULL, e);

	if (rc >= 0 && mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		rc = err_sys(e, errno, NULL, "moving the root");
	if (rc >= 0)
		rc = drop_old_mounts(table, e);
	if (rc >= 0 && chroot(".") < 0)
		rc = err_sys(e, errno, NULL, "chroot");
	return rc;
}

static int pivot_root(struct err *e)
{
	/* The old root comes to lie over the new one, and is taken off (pivot_root(2)). */
	if (sys_pivot_root(".", ".") < 0)
		return err_sys(e, errno, NULL, "pivot_root (on a ramfs root try --no-pivot)");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, errno, NULL, "detaching the host's root");
	return 0;
}

int ns_pivot(struct ns_child_ctx *c, struct err *e)
{
	if (fchdir(c->root) < 0)
		return err_sys(e, errno, NULL, "entering the root");
	int rc = c->launch->no_pivot ? move_root(e) : pivot_root(e);
	if (rc >= 0 && chdir("/") < 0)
		rc = err_sys(e, errno, NULL, "entering the new root");
	return rc;
}

static int finish_root(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	const char *word = c->spec->linux_.rootfs_propagation;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY}, prop = {0};
	bool rec = false;

	(void)s;
	if (c->spec->root_readonly &&
	    mount_setattr(c->root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(e, errno, "/root/readonly", "making the root read-only");
	/* Private and slave it is since its clone; pivot_root wants no shared one. */
	prop.propagation = ns_propagation(word, &rec);
	if (prop.propagation != MS_SHARED && prop.propagation != MS_UNBINDABLE)
		return 0;
	if (mount_setattr(c->root, "", AT_EMPTY_PATH | (rec ? AT_RECURSIVE : 0), &prop,
			  sizeof(prop)) < 0)
		return err_sys(e, errno, "/linux/rootfsPropagation", "making the root %s", word);
	return 0;
}

/* Made where it's missing, as runc and crun do: engines hand workingDir on as it was written. A
 * folder that only its owner may enter is for the process to try. */
static int make_cwd(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	struct err why;
	auto_fd dir = path_make_dir(c->root, s->detail, 0755, &why);

	if (dir >= 0 || dir == -EACCES || dir == -EPERM)
		return 0;
	*e = why;
	return err_wrap(e, dir, "making the working directory");
}

int ns_plan_cwd(struct plan *p, const struct spec *s, struct err *e)
{
	struct plan_step step = {.stage = PLAN_ROOT,
				 .room = PLAN_NS,
				 .what = "make",
				 .pointer = "/process/cwd",
				 .detail = s->process.cwd,
				 .run = make_cwd};

	return s->has_process && !str_eq(s->process.cwd, "/") ? plan_add(p, &step, e) : 0;
}

int ns_plan_root_end(struct plan *p, const struct spec *s, struct err *e)
{
	struct plan_step step = {.stage = PLAN_ROOT,
				 .room = PLAN_NS,
				 .what = "finish",
				 .pointer = s->root_readonly ? "/root/readonly"
							     : "/linux/rootfsPropagation",
				 .detail = s->root_readonly ? "root, read-only" : "root",
				 .run = finish_root};

	return s->root_readonly || s->linux_.rootfs_propagation ? plan_add(p, &step, e) : 0;
}
