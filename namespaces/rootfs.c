/* namespaces/rootfs.c: the container's root: a detached clone of the bundle's rootfs, attached in
 * the child's mount namespace and made "/" by pivot_root(2).
 *
 * The runtime's process changes its directory to the rootfs before the clone:
 * the kernel carries a working directory over into the copied mount namespace,
 * so the child reaches the mount point as "." without walking a host path that
 * its user namespace may have no right to.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/str.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	const char *word;
	uint64_t flag;
	bool recursive;
} propagations[] = {{"private", MS_PRIVATE, false},	 {"rprivate", MS_PRIVATE, true},
		    {"shared", MS_SHARED, false},	 {"rshared", MS_SHARED, true},
		    {"slave", MS_SLAVE, false},		 {"rslave", MS_SLAVE, true},
		    {"unbindable", MS_UNBINDABLE, false}, {"runbindable", MS_UNBINDABLE, true}};

bool ns_has_user(const struct spec *s)
{
	return spec_find_ns(s, SPEC_NS_USER) != NULL;
}

int ns_prepare_root(struct ns_launch *l, struct err *e)
{
	struct mount_attr attr = {.propagation = MS_PRIVATE};

	if (chdir(l->rootfs) < 0)
		return err_sys(e, errno, "/root/path", "opening %s", l->rootfs);
	auto_fd tree = open_tree(AT_FDCWD, ".",
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);
	if (tree < 0)
		return err_sys(e, errno, "/root/path", "cloning the mount of %s", l->rootfs);
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(e, errno, "/root/path", "%s: mount_setattr (Linux 5.12 is needed)",
			       l->rootfs);
	l->prepared->rootfs_tree = take_fd(&tree);
	return 0;
}

/* First step of all: nothing may reach the host any more, then the root is attached. */
static int attach_root(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	struct mount_attr attr = {.propagation = MS_PRIVATE};

	(void)s;
	umask(0); /* every mode below is meant as it stands */
	if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attr, sizeof(attr)) < 0)
		return err_sys(e, errno, NULL, "making all mounts private");
	c->root = c->launch->prepared->rootfs_tree;
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

static int swap_roots(struct ns_child_ctx *c, struct err *e)
{
	if (!c->launch->no_pivot) {
		/* The old root comes to lie over the new one, and is taken off (pivot_root(2)). */
		if (sys_pivot_root(".", ".") < 0)
			return err_sys(e, errno, NULL, "pivot_root (on a ramfs root try --no-pivot)");
		if (umount2(".", MNT_DETACH) < 0)
			return err_sys(e, errno, NULL, "detaching the host's root");
		return 0;
	}
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(e, errno, NULL, "moving the root");
	return chroot(".") < 0 ? err_sys(e, errno, NULL, "chroot") : 0;
}

int ns_pivot(struct ns_child_ctx *c, struct err *e)
{
	if (fchdir(c->root) < 0)
		return err_sys(e, errno, NULL, "entering the root");
	int rc = swap_roots(c, e);
	if (rc >= 0 && chdir("/") < 0)
		rc = err_sys(e, errno, NULL, "entering the new root");
	return rc;
}

static int finish_root(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	const char *word = c->spec->linux_.rootfs_propagation;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	(void)s;
	if (c->spec->root_readonly &&
	    mount_setattr(c->root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_sys(e, errno, "/root/readonly", "making the root read-only");
	for (size_t i = 0; word && i < sizeof(propagations) / sizeof(propagations[0]); i++) {
		struct mount_attr prop = {.propagation = propagations[i].flag};
		if (!str_eq(propagations[i].word, word))
			continue;
		if (mount_setattr(c->root, "",
				  AT_EMPTY_PATH | (propagations[i].recursive ? AT_RECURSIVE : 0),
				  &prop, sizeof(prop)) < 0)
			return err_sys(e, errno, "/linux/rootfsPropagation", "making the root %s",
				       word);
	}
	return 0;
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
