/* namespaces/device.c: nodes and links of /dev.
 *
 * Invariants
 *  1. A node is made beneath a parent descriptor that the path layer opened, by a call that never
 *     follows the last component: /dev of an image may be a link (CVE-2026-41579). The default
 *     nodes and links are made only in a /dev that is a real directory: a link could lead to a
 *     volume, which is the host's.
 *  2. What stands there already is left alone when it is the right device, else it is an error:
 *     nothing of the guest's is replaced.
 *  3. In a user namespace mknod is forbidden: the host's own node is bound in its place, from a
 *     clone opened before the guest's root was looked at. Where the runtime itself runs in one,
 *     and the container has none of its own, the kernel's refusal says so.
 *  4. Such a clone is private before the guest sees it. A clone is a peer of the mount that it was
 *     taken from (mount_namespaces(7)): what the guest mounted over its /dev/null would stand on
 *     the host's.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* config-linux.md#default-devices */
static const struct node {
	const char *path;
	unsigned major, minor;
} defaults[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
		{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};

static const struct {
	const char *target, *name;
} links[] = {{"/proc/self/fd", "fd"},
	     {"/proc/self/fd/0", "stdin"},
	     {"/proc/self/fd/1", "stdout"},
	     {"/proc/self/fd/2", "stderr"},
	     {"pts/ptmx", "ptmx"}};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

bool ns_dev_is_bound(const struct spec *s)
{
	bool bound = false;

	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.items[i];
		bool bind = str_eq(m->type, "bind");
		if (!str_eq(m->destination, "/dev") && !str_eq(m->destination, "/dev/"))
			continue;
		for (size_t o = 0; o < m->options.n; o++)
			bind = bind || str_eq(m->options.items[o], "bind") ||
			       str_eq(m->options.items[o], "rbind");
		bound = bind;
	}
	return bound;
}

static mode_t type_bits(char type)
{
	return type == 'b' ? S_IFBLK : type == 'p' ? S_IFIFO : S_IFCHR;
}

/* (2) */
static int same_node(int parent, const char *name, mode_t mode, dev_t dev, struct err *e)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, NULL, "looking at %s", name);
	if ((st.st_mode & S_IFMT) != (mode & S_IFMT) || (!S_ISFIFO(mode) && st.st_rdev != dev))
		return err_set(e, ERR_SPEC, EEXIST, NULL,
			       "%s exists in the root file system and is something else", name);
	return 0;
}

static int make_node(int parent, const char *name, mode_t mode, dev_t dev, struct err *e)
{
	if (mknodat(parent, name, mode, dev) == 0)
		return 0;
	if (errno == EEXIST)
		return same_node(parent, name, mode, dev, e);
	return err_sys(e, errno, NULL, "making the node %s", name);
}

static int clone_host_node(const char *path, const char *pointer, mode_t type, dev_t dev,
			   int *ret_fd, struct err *e)
{
	static const struct ns_mount_opts alone = {.propagation = MS_PRIVATE}; /* (4) */
	struct stat st;
	auto_fd fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, pointer, "opening the host's %s", path);
	if ((st.st_mode & S_IFMT) != type || st.st_rdev != dev)
		return err_set(e, ERR_UNSUPPORTED, ENODEV, pointer,
			       "in a user namespace the host's %s is bound, and that is another "
			       "device",
			       path);
	int rc = ns_mount_apply(fd, &alone, e);
	if (rc < 0)
		return err_wrap(e, rc, "making the clone of the host's %s private", path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* (3). A caller who may not clone mounts leaves it to us. */
static int bind_node(struct ns_child_ctx *c, size_t slot, const char *path, mode_t type, dev_t dev,
		     struct err *e)
{
	int tree = c->launch->prepared->n_devices ? c->launch->prepared->devices[slot] : -1;
	auto_fd own = -1;
	int rc = tree < 0 ? clone_host_node(path, "", type, dev, &own, e) : 0;
	auto_fd target = rc < 0 ? -1 : path_make_file(c->root, path, 0666, e);

	if (rc < 0 || target < 0)
		return rc < 0 ? rc : target;
	if (move_mount(tree < 0 ? own : tree, "", target, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, errno, NULL, "binding the host's %s", path);
	return 0;
}

static int make_links(struct ns_child_ctx *c, int dev, struct err *e)
{
	struct err none;
	auto_fd kcore = path_open(c->root, "/proc/kcore", O_PATH | O_NOFOLLOW, &none);

	if (kcore >= 0 && symlinkat("/proc/kcore", dev, "core") < 0 && errno != EEXIST)
		return err_sys(e, errno, NULL, "linking /dev/core");
	for (size_t i = 0; i < COUNT(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			return err_sys(e, errno, NULL, "linking /dev/%s", links[i].name);
	return 0;
}

/* The container's /dev, seen to be a real directory (1). */
static int open_dev(struct ns_child_ctx *c, struct err *e)
{
	struct err first;
	int fd = path_open(c->root, "/dev", O_PATH | O_NOFOLLOW | O_DIRECTORY, &first);

	if (fd == -ENOENT) {
		auto_fd made = path_make_dir(c->root, "/dev", 0755, e);
		if (made < 0)
			return made;
		fd = path_open(c->root, "/dev", O_PATH | O_NOFOLLOW | O_DIRECTORY, &first);
	}
	if (fd == -ENOTDIR || fd == -ELOOP)
		return err_set(e, ERR_SPEC, ENOTDIR, NULL,
			       "/dev in the root file system must be a real directory, not a link");
	if (fd < 0)
		*e = first;
	return fd;
}

static int run_defaults(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	auto_fd own = c->has_dev ? -1 : open_dev(c, e);
	int dev = c->has_dev ? c->dev : own;
	int rc = dev < 0 ? dev : 0;

	(void)s;
	for (size_t i = 0; i < COUNT(defaults) && rc >= 0; i++) {
		const struct node *n = &defaults[i];
		dev_t number = makedev(n->major, n->minor);
		if (c->launch->prepared->n_devices)
			rc = bind_node(c, i, n->path, S_IFCHR, number, e);
		else
			rc = make_node(dev, n->path + strlen("/dev/"), S_IFCHR | 0666, number, e);
		if (rc == -EPERM)
			rc = bind_node(c, i, n->path, S_IFCHR, number, e);
	}
	return rc < 0 ? rc : make_links(c, dev, e);
}

static int run_device(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	const struct spec_device *d = s->arg;
	size_t index = (size_t)(d - c->spec->linux_.devices.items);
	const char *name;

	/* The link to the container's own pts/ptmx stands there; engines list the host's node. */
	if (str_eq(d->path, "/dev/ptmx"))
		return 0;
	if (c->launch->prepared->n_devices && d->type != 'p')
		return bind_node(c, COUNT(defaults) + index, d->path, type_bits(d->type),
				 makedev((unsigned)d->major.v, (unsigned)d->minor.v), e);
	auto_fd parent = path_open_parent(c->root, d->path, &name, e);
	if (parent < 0)
		return parent;
	int rc = make_node(parent, name,
			   type_bits(d->type) | (mode_t)(d->file_mode.set ? d->file_mode.v : 0666),
			   makedev((unsigned)d->major.v, (unsigned)d->minor.v), e);
	if (rc == -EPERM && d->type != 'p')
		return bind_node(c, COUNT(defaults) + index, d->path, type_bits(d->type),
				 makedev((unsigned)d->major.v, (unsigned)d->minor.v), e);
	if (rc < 0 || (!d->uid.set && !d->gid.set) || (d->uid.v == 0 && d->gid.v == 0))
		return rc;
	if (fchownat(parent, name, d->uid.set ? (uid_t)d->uid.v : (uid_t)-1,
		     d->gid.set ? (gid_t)d->gid.v : (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, NULL, "giving %s to %u:%u", d->path, (unsigned)d->uid.v,
			       (unsigned)d->gid.v);
	return 0;
}

int ns_plan_devices(struct plan *p, const struct spec *s, struct err *e)
{
	struct plan_step dflt = {.stage = PLAN_BUILD,
				 .room = PLAN_NS,
				 .what = "devices",
				 .pointer = "",
				 .detail =
					 "null zero full random urandom tty and the links of /dev",
				 .run = run_defaults};
	int rc = ns_dev_is_bound(s) ? 0 : plan_add(p, &dflt, e);

	for (size_t i = 0; i < s->linux_.devices.n && rc >= 0; i++) {
		const struct spec_device *d = &s->linux_.devices.items[i];
		struct plan_step step = {
			.stage = PLAN_BUILD,
			.room = PLAN_NS,
			.what = "device",
			.pointer = arena_printf(p->arena, "/linux/devices/%zu", i),
			.detail = arena_printf(p->arena, "%s (%c %lld:%lld)", d->path, d->type,
					       (long long)d->major.v, (long long)d->minor.v),
			.run = run_device,
			.arg = d};
		if (!ns_dev_is_bound(s))
			rc = plan_add(p, &step, e);
	}
	return rc;
}

static int prepare_node(struct ns_launch *l, size_t slot, const char *path, const char *pointer,
			mode_t type, dev_t dev, struct err *e)
{
	int rc = clone_host_node(path, pointer, type, dev, &l->prepared->devices[slot], e);

	if (!ns_child_opens(rc))
		return rc;
	err_clear(e);
	return 0;
}

int ns_prepare_devices(struct ns_launch *l, struct err *e)
{
	const struct spec *s = l->spec;
	size_t n = COUNT(defaults) + s->linux_.devices.n;
	int rc = 0;

	if (!ns_has_user(s) || ns_dev_is_bound(s))
		return 0;
	l->prepared->devices = arena_array(l->arena, n, sizeof(int));
	if (!l->prepared->devices)
		return err_sys(e, ENOMEM, NULL, "opening devices");
	for (size_t i = 0; i < n; i++)
		l->prepared->devices[i] = -1;
	l->prepared->n_devices = n;
	for (size_t i = 0; i < COUNT(defaults) && rc >= 0; i++)
		rc = prepare_node(l, i, defaults[i].path, "", S_IFCHR,
				  makedev(defaults[i].major, defaults[i].minor), e);
	for (size_t i = 0; i < s->linux_.devices.n && rc >= 0; i++) {
		const struct spec_device *d = &s->linux_.devices.items[i];
		char pointer[64];
		snprintf(pointer, sizeof(pointer), "/linux/devices/%zu", i);
		if (d->type != 'p')
			rc = prepare_node(l, COUNT(defaults) + i, d->path, pointer,
					  type_bits(d->type),
					  makedev((unsigned)d->major.v, (unsigned)d->minor.v), e);
	}
	return rc;
}
