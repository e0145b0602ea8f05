/* microvm/fs_io.c: what is done with an open file: READ, WRITE, FSYNC, FALLOCATE, LSEEK,
 * COPY_FILE_RANGE, and SYNCFS.
 *
 * Invariants
 *  1. No answer and no request carries more than VM_FS_MAX_WRITE bytes of content.
 *  2. Content that an unprivileged caller changes takes set-id bits and file capabilities with it:
 *     the host's kernel does that when CAP_FSETID isn't in force.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/uio.h>

#define COPY_MAX (256ull << 20) /* a request: a worker is busy with it */

static int get_file(struct vm_fs_call *c, uint64_t fh, struct vm_fs_handle **ret)
{
	return vm_fs_handle_get(c->fs, fh, c->node, false, ret);
}

int vm_fs_do_read(struct vm_fs_call *c)
{
	const struct fuse_read_in *in = c->arg;
	struct vm_fs_handle *h;
	int rc = get_file(c, in->fh, &h);

	if (rc < 0)
		return rc;
	size_t size = in->size < VM_FS_MAX_WRITE ? in->size : VM_FS_MAX_WRITE;
	ssize_t n = pread(h->fd, c->out, size, (off_t)in->offset);
	rc = n < 0 ? -errno : 0;
	c->out_len = n < 0 ? 0 : (size_t)n;
	vm_fs_handle_put(c->fs, h);
	return rc;
}

/* An append by a caller is the host's, so that two guests don't write over each other; pages that
 * the guest's kernel writes back have their place. */
static ssize_t write_some(const struct vm_fs_call *c, const struct fuse_write_in *in, int fd)
{
	struct iovec v = {.iov_base = (void *)(uintptr_t)c->rest, .iov_len = in->size};
	bool append = in->flags & O_APPEND && !(in->write_flags & FUSE_WRITE_CACHE);

	if ((int64_t)in->offset < 0) {
		errno = EINVAL;
		return -1;
	}
	return pwritev2(fd, &v, 1, (off_t)in->offset, append ? RWF_APPEND : 0);
}

int vm_fs_do_write(struct vm_fs_call *c)
{
	const struct fuse_write_in *in = c->arg;
	struct fuse_write_out *out = (void *)c->out;
	struct vm_fs_handle *h;

	if (in->size > VM_FS_MAX_WRITE || in->size != c->rest_len)
		return -EINVAL;
	int rc = get_file(c, in->fh, &h);
	if (rc < 0)
		return rc;
	rc = vm_fs_keep_setid(c, !(in->write_flags & FUSE_WRITE_KILL_SUIDGID));
	ssize_t n = rc < 0 ? 0 : write_some(c, in, h->fd);
	if (n < 0)
		rc = -errno;
	*out = (struct fuse_write_out){.size = n < 0 ? 0 : (uint32_t)n};
	c->out_len = sizeof(*out);
	vm_fs_handle_put(c->fs, h);
	return rc;
}

int vm_fs_do_fsync(struct vm_fs_call *c)
{
	const struct fuse_fsync_in *in = c->arg;
	struct vm_fs_handle *h;
	int rc = get_file(c, in->fh, &h);

	if (rc < 0)
		return rc;
	bool data = in->fsync_flags & FUSE_FSYNC_FDATASYNC;
	if ((data ? fdatasync(h->fd) : fsync(h->fd)) < 0)
		rc = -errno;
	vm_fs_handle_put(c->fs, h);
	return rc;
}

int vm_fs_do_fallocate(struct vm_fs_call *c)
{
	const struct fuse_fallocate_in *in = c->arg;
	struct vm_fs_handle *h;

	if (in->mode &
	    ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	int rc = get_file(c, in->fh, &h);
	if (rc < 0)
		return rc;
	rc = vm_fs_keep_setid(c, c->h->uid == 0);
	if (rc == 0 && fallocate(h->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0)
		rc = -errno;
	vm_fs_handle_put(c->fs, h);
	return rc;
}

/* Only the questions about holes: the rest the guest's kernel knows itself. */
int vm_fs_do_lseek(struct vm_fs_call *c)
{
	const struct fuse_lseek_in *in = c->arg;
	struct fuse_lseek_out *out = (void *)c->out;
	struct vm_fs_handle *h;

	if (in->whence != SEEK_DATA && in->whence != SEEK_HOLE)
		return -EINVAL;
	int rc = get_file(c, in->fh, &h);
	if (rc < 0)
		return rc;
	off_t at = lseek(h->fd, (off_t)in->offset, (int)in->whence);
	if (at < 0)
		rc = -errno;
	*out = (struct fuse_lseek_out){.offset = (uint64_t)at};
	c->out_len = sizeof(*out);
	vm_fs_handle_put(c->fs, h);
	return rc;
}

static int copy_between(struct vm_fs_call *c, const struct fuse_copy_file_range_in *in, int from,
			int to)
{
	struct fuse_write_out *out = (void *)c->out;
	off_t off_in = (off_t)in->off_in, off_out = (off_t)in->off_out;
	size_t len = in->len < COPY_MAX ? in->len : COPY_MAX;
	int rc = vm_fs_keep_setid(c, c->h->uid == 0);
	ssize_t n = rc < 0 ? 0 : copy_file_range(from, &off_in, to, &off_out, len, 0);

	*out = (struct fuse_write_out){.size = n < 0 ? 0 : (uint32_t)n};
	c->out_len = sizeof(*out);
	return n < 0 ? -errno : rc;
}

/* The header's node is the source. */
int vm_fs_do_copy(struct vm_fs_call *c)
{
	const struct fuse_copy_file_range_in *in = c->arg;
	struct vm_fs_handle *from, *to;
	struct vm_fs_node *target;

	if (in->flags)
		return -EINVAL;
	int rc = get_file(c, in->fh_in, &from);
	if (rc < 0)
		return rc;
	rc = vm_fs_node_get(c->fs, in->nodeid_out, &target);
	if (rc == 0) {
		rc = vm_fs_handle_get(c->fs, in->fh_out, target, false, &to);
		if (rc == 0) {
			rc = copy_between(c, in, from->fd, to->fd);
			vm_fs_handle_put(c->fs, to);
		}
		vm_fs_node_put(c->fs, target);
	}
	vm_fs_handle_put(c->fs, from);
	return rc;
}

static int sync_one(struct vm_fs *fs, const struct vm_fs_node *n)
{
	if (n->type != S_IFREG && n->type != S_IFDIR)
		return 0;
	auto_fd fd = vm_fs_open_node(fs, n, O_RDONLY);
	if (fd < 0)
		return fd;
	return syncfs(fd) < 0 ? -errno : 0;
}

int vm_fs_do_syncfs(struct vm_fs_call *c)
{
	int rc = 0;

	if (c->node)
		return sync_one(c->fs, c->node);
	for (size_t i = 0; i < c->fs->n_shares && rc == 0; i++)
		rc = c->fs->roots[i] ? sync_one(c->fs, c->fs->roots[i]) : 0;
	return rc;
}
