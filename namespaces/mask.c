/* namespaces/mask.c: paths that the container may not see, and paths that it may not write.
 *
 * Invariants
 *  1. A masked file is covered by a clone of the container's /dev/null, after that was seen to be
 *     device 1:3 through the very descriptor that is cloned (CVE-2025-31133).
 *  2. A path that doesn't exist needs no mask; any other trouble is an error, never a gap.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int attach(int tree, int target, struct err *e)
{
	if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, errno, NULL, "covering it");
	return 0;
}

static int clone_of(int fd, unsigned flags, struct err *e)
{
	int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);

	return tree < 0 ? err_sys(e, errno, NULL, "cloning a mount") : tree;
}

/* (1), once for all files: the descriptor stays the node that was looked at. */
static int open_null(struct ns_child_ctx *c, struct err *e)
{
	struct stat st;

	if (c->has_null)
		return 0;
	auto_fd null = path_open(c->root, "/dev/null", O_PATH | O_NOFOLLOW, e);
	if (null < 0)
		return null;
	if (fstat(null, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return err_set(e, ERR_SPEC, EPERM, NULL,
			       "/dev/null in the container isn't the null device: nothing to cover "
			       "files with");
	c->null = take_fd(&null);
	c->has_null = true;
	return 0;
}

static int mask_file(struct ns_child_ctx *c, int target, struct err *e)
{
	int rc = open_null(c, e);

	if (rc < 0)
		return rc;
	auto_fd tree = clone_of(c->null, 0, e);
	return tree < 0 ? tree : attach(tree, target, e);
}

/* One empty tmpfs serves all directories. */
static int mask_dir(struct ns_child_ctx *c, int target, struct err *e)
{
	static const struct ns_mount_opts sealed = {.attr_set =
							    MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
							    MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};

	if (c->mask < 0) {
		auto_fd mask = ns_fs_mount("tmpfs", "tmpfs", &sealed, e);
		int rc = mask < 0 ? mask : attach(mask, target, e);
		c->mask = rc < 0 ? -1 : take_fd(&mask);
		return rc;
	}
	auto_fd tree = clone_of(c->mask, 0, e);
	return tree < 0 ? tree : attach(tree, target, e);
}

static int open_if_there(struct ns_child_ctx *c, const char *path, int *ret_fd, struct err *e)
{
	int fd = path_open(c->root, path, O_PATH, e);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0; /* (2) */
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 1;
}

/* Of the paths that engines mask, those that are directories. A guess: the kernel refuses to mount
 * on the other kind, and tells so by EINVAL or ENOTDIR. */
static bool looks_like_dir(const char *path)
{
	static const char *const dirs[] = {"/proc/acpi", "/proc/asound", "/proc/scsi",
					   "/sys/firmware", "/sys/devices/virtual/powercap"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (str_eq(dirs[i], path))
			return true;
	return false;
}

static int run_mask(const struct plan_step *s, void *ctx, struct err *e)
{
	auto_fd target = -1;
	bool dir = looks_like_dir(s->arg);
	int rc = open_if_there(ctx, s->arg, &target, e);

	if (rc <= 0)
		return rc;
	rc = dir ? mask_dir(ctx, target, e) : mask_file(ctx, target, e);
	if (rc == -EINVAL || rc == -ENOTDIR) {
		err_clear(e);
		rc = dir ? mask_file(ctx, target, e) : mask_dir(ctx, target, e);
	}
	return rc;
}

static int run_readonly(const struct plan_step *s, void *ctx, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_fd target = -1;
	int rc = open_if_there(ctx, s->arg, &target, e);

	if (rc <= 0)
		return rc;
	auto_fd tree = clone_of(target, AT_RECURSIVE, e);
	if (tree < 0)
		return tree;
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(e, errno, NULL, "making it read-only");
	return attach(tree, target, e);
}

static int plan_paths(struct plan *p, const struct spec_strings *paths, const char *list,
		      const char *what, int (*run)(const struct plan_step *, void *, struct err *),
		      struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < paths->n && rc >= 0; i++) {
		struct plan_step step = {.stage = PLAN_ROOT,
					 .room = PLAN_NS,
					 .what = what,
					 .pointer =
						 arena_printf(p->arena, "/linux/%s/%zu", list, i),
					 .detail = paths->items[i],
					 .run = run,
					 .arg = paths->items[i]};
		rc = plan_add(p, &step, e);
	}
	return rc;
}

int ns_plan_masks(struct plan *p, const struct spec *s, struct err *e)
{
	int rc = plan_paths(p, &s->linux_.readonly_paths, "readonlyPaths", "read-only",
			    run_readonly, e);

	return rc < 0 ? rc
		      : plan_paths(p, &s->linux_.masked_paths, "maskedPaths", "mask", run_mask, e);
}
