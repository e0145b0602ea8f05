/* microvm/fs_attr.c: what an inode is (GETATTR, SETATTR) and how full its file system (STATFS).
 *
 * Invariants
 *  1. Everything is done on the node's descriptor, so that a file without a name keeps working and
 *     a link is never followed.
 *  2. The guest's kernel decided what becomes of the set-id bits; the host's clears them only where
 *     the request says so (FATTR_KILL_SUIDGID), or a new owner makes it (chown(2)).
 */
#include "microvm/fs_int.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statfs.h>

static int answer_attr(struct vm_fs_call *c)
{
	struct fuse_attr_out *out = (void *)c->out;
	struct statx stx;

	*out = (struct fuse_attr_out){.attr_valid = VM_FS_VALID};
	c->out_len = sizeof(*out);
	if (!c->node) {
		vm_fs_root_attr(c->fs, &out->attr);
		return 0;
	}
	int rc = vm_fs_stat(c->node->fd, &stx);
	if (rc == 0)
		vm_fs_fill_attr(&stx, &out->attr);
	return rc;
}

int vm_fs_do_getattr(struct vm_fs_call *c)
{
	return answer_attr(c);
}

static int set_owner(struct vm_fs_call *c, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;
	int rc = fchownat(c->node->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);

	return rc < 0 ? -errno : 0;
}

static int set_mode(struct vm_fs_call *c, const struct fuse_setattr_in *in)
{
	if (c->node->type == S_IFLNK)
		return -EOPNOTSUPP;
	int rc = vm_fs_keep_setid(c, true);
	if (rc < 0)
		return rc;
	rc = fchmodat(c->fs->proc, vm_fs_link(c->node->fd).s, in->mode & 07777, 0);
	return rc < 0 ? -errno : 0;
}

static int set_size(struct vm_fs_call *c, const struct fuse_setattr_in *in)
{
	if (c->node->type != S_IFREG)
		return c->node->type == S_IFDIR ? -EISDIR : -EINVAL;
	int rc = vm_fs_keep_setid(c, !(in->valid & FATTR_KILL_SUIDGID));
	if (rc < 0)
		return rc;
	auto_fd fd = vm_fs_open_node(c->fs, c->node, O_WRONLY);
	if (fd < 0)
		return fd;
	return ftruncate(fd, (off_t)in->size) < 0 ? -errno : 0;
}

static struct timespec one_time(uint32_t valid, uint32_t set, uint32_t now, uint64_t s, uint32_t ns)
{
	if (!(valid & (set | now)))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	if (valid & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	/* A count that means something else to utimensat(2) isn't a time. */
	return (struct timespec){.tv_sec = (time_t)s, .tv_nsec = ns < 1000000000u ? ns : 0};
}

static int set_times(struct vm_fs_call *c, const struct fuse_setattr_in *in)
{
	struct timespec ts[2] = {
		one_time(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		one_time(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
	};

	return utimensat(c->node->fd, "", ts, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

/* An owner takes set-id bits away, so that a mode that comes with one is set after it. */
int vm_fs_do_setattr(struct vm_fs_call *c)
{
	const struct fuse_setattr_in *in = c->arg;
	int rc = 0;

	if (in->valid & (FATTR_UID | FATTR_GID))
		rc = set_owner(c, in);
	if (rc == 0 && in->valid & FATTR_MODE)
		rc = set_mode(c, in);
	if (rc == 0 && in->valid & FATTR_SIZE)
		rc = set_size(c, in);
	if (rc == 0 && in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW))
		rc = set_times(c, in);
	return rc < 0 ? rc : answer_attr(c);
}

int vm_fs_do_statfs(struct vm_fs_call *c)
{
	struct fuse_statfs_out *out = (void *)c->out;
	struct statfs s = {.f_bsize = 4096, .f_frsize = 4096, .f_namelen = 255};

	if (c->node && fstatfs(c->node->fd, &s) < 0)
		return -errno;
	*out = (struct fuse_statfs_out){.st = {.blocks = s.f_blocks,
					       .bfree = s.f_bfree,
					       .bavail = s.f_bavail,
					       .files = s.f_files,
					       .ffree = s.f_ffree,
					       .bsize = (uint32_t)s.f_bsize,
					       .namelen = (uint32_t)s.f_namelen,
					       .frsize = (uint32_t)s.f_frsize}};
	c->out_len = sizeof(*out);
	return 0;
}
