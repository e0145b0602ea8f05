/* microvm/fs_open.c: how the file server reaches inodes.
 *
 * Invariants
 *  1. A name is one component beneath a directory that we hold (openat2(2)): no link is followed,
 *     no ".." climbed.
 *  2. A node is opened again through its own descriptor (/proc/self/fd of our own procfs), not by
 *     name; only regular files and directories are opened for I/O.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define WANTED (STATX_BASIC_STATS | STATX_MNT_ID)

int vm_fs_errno(int code)
{
	return code == EMFILE || code == ENFILE ? -ENOMEM : -code;
}

int vm_fs_open_child(int dir, const char *name)
{
	struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};
	int fd = sys_openat2(dir, name, &how);

	return fd < 0 ? vm_fs_errno(errno) : fd;
}

struct vm_fs_link vm_fs_link(int fd)
{
	struct vm_fs_link l;

	snprintf(l.s, sizeof(l.s), "%d", fd);
	return l;
}

/* What reading leaves behind (access times) stays out of a share that is read-only, if we may. */
static int open_quietly(const struct vm_fs *fs, int fd, int flags)
{
	struct vm_fs_link l = vm_fs_link(fd);
	int got = openat(fs->proc, l.s, flags | O_NOATIME | O_CLOEXEC);

	return got < 0 && errno == EPERM ? openat(fs->proc, l.s, flags | O_CLOEXEC) : got;
}

int vm_fs_open_node(const struct vm_fs *fs, const struct vm_fs_node *n, int flags)
{
	if (n->type == S_IFLNK)
		return -ELOOP;
	if (n->type == S_IFDIR)
		flags |= O_DIRECTORY;
	else if (n->type != S_IFREG)
		return -ENXIO;
	if (fs->shares[n->key.share].read_only) {
		int quiet = open_quietly(fs, n->fd, flags);
		return quiet < 0 ? -errno : quiet;
	}
	int fd = openat(fs->proc, vm_fs_link(n->fd).s, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int vm_fs_stat(int fd, struct statx *ret)
{
	int rc = statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, WANTED, ret);

	return rc < 0 ? -errno : 0;
}

int vm_fs_stat_child(int dir, const char *name, struct statx *ret)
{
	int rc = statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, WANTED, ret);

	return rc < 0 ? -errno : 0;
}

struct vm_fs_key vm_fs_key_of(const struct statx *stx, unsigned share)
{
	return (struct vm_fs_key){.ino = stx->stx_ino,
				  .mnt = stx->stx_mask & STATX_MNT_ID ? stx->stx_mnt_id : 0,
				  .major = stx->stx_dev_major,
				  .minor = stx->stx_dev_minor,
				  .share = share};
}

bool vm_fs_is_read_only(const struct vm_fs_call *c)
{
	return !c->node || c->fs->shares[c->node->key.share].read_only;
}
