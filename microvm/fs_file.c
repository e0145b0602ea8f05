/* microvm/fs_file.c: opening and closing files: OPEN, CREATE, RELEASE, FLUSH.
 *
 * Invariants
 *  1. What stands at a name is opened only after it was seen to be a regular file: CREATE makes a
 *     file or opens a node, never whatever has the name.
 *  2. Of the client's flags those are kept that mean something here. O_APPEND is applied by WRITE
 *     (the guest's kernel also writes back mapped pages through such a file, at their own place);
 *     O_DIRECT is the guest's own affair: its buffers aren't ours.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define FLAGS_KEPT (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC)
#define YOUNG_NS 20000000 /* a time stamp's grain is a tick of the host's clock */

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Changed so lately that a later change could leave the same time behind. */
static bool is_young(const struct statx_timestamp *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - t->tv_sec) * 1000000000ll + now.tv_nsec - t->tv_nsec < YOUNG_NS;
}

/* Are the pages that the guest keeps of the file still right? If it is as it was at the open
 * before: then it needn't read a program again each time it runs it. */
static bool is_unchanged(struct vm_fs *fs, struct vm_fs_node *n, int fd)
{
	struct vm_fs_seen now = {0};
	struct statx stx;

	if (vm_fs_stat(fd, &stx) == 0)
		now = (struct vm_fs_seen){.mtime = stx.stx_mtime,
					  .ctime = stx.stx_ctime,
					  .size = stx.stx_size,
					  .valid = !is_young(&stx.stx_ctime)};
	pthread_mutex_lock(&fs->nodes.lock);
	struct vm_fs_seen old = n->seen;
	n->seen = now;
	pthread_mutex_unlock(&fs->nodes.lock);
	return now.valid && old.valid && now.size == old.size &&
	       same_time(&now.mtime, &old.mtime) && same_time(&now.ctime, &old.ctime);
}

/* fd is owned by the call. */
static int answer_open(struct vm_fs_call *c, struct vm_fs_node *n, int fd, uint32_t flags,
		       struct fuse_open_out *out)
{
	*out = (struct fuse_open_out){0};
	if ((flags & O_ACCMODE) == O_RDONLY)
		out->open_flags |= FOPEN_NOFLUSH;
	if (is_unchanged(c->fs, n, fd))
		out->open_flags |= FOPEN_KEEP_CACHE;
	return vm_fs_handle_add(c->fs, n, fd, false, &out->fh);
}

static bool changes(uint32_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

int vm_fs_do_open(struct vm_fs_call *c)
{
	const struct fuse_open_in *in = c->arg;

	if (changes(in->flags) && vm_fs_is_read_only(c))
		return -EROFS;
	if (c->node->type == S_IFDIR)
		return -EISDIR;
	int rc = vm_fs_keep_setid(c, !(in->open_flags & FUSE_OPEN_KILL_SUIDGID));
	if (rc < 0)
		return rc;
	int fd = vm_fs_open_node(c->fs, c->node, (int)(in->flags & FLAGS_KEPT));
	if (fd < 0)
		return fd;
	c->out_len = sizeof(struct fuse_open_out);
	return answer_open(c, c->node, fd, in->flags, (void *)c->out);
}

/* The name was free: a new file. What it is told to be comes from its descriptor. */
static int make_file(struct vm_fs_call *c, const struct fuse_create_in *in, int *ret_fd)
{
	struct open_how how = {.flags = (in->flags & FLAGS_KEPT & ~(unsigned)O_TRUNC) | O_CREAT |
					O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       .mode = in->mode & 07777,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};
	int rc = vm_fs_become(c, in->umask);

	if (rc < 0)
		return rc;
	*ret_fd = sys_openat2(c->node->fd, c->name[0], &how);
	return *ret_fd < 0 ? -errno : 0;
}

/* The name was taken. */
static int open_there(struct vm_fs_call *c, const struct fuse_create_in *in, struct vm_fs_node *n,
		      int *ret_fd)
{
	if (n->type == S_IFDIR)
		return -EISDIR;
	int rc = vm_fs_keep_setid(c, !(in->open_flags & FUSE_OPEN_KILL_SUIDGID));
	if (rc < 0)
		return rc;
	*ret_fd = vm_fs_open_node(c->fs, n, (int)(in->flags & FLAGS_KEPT));
	return *ret_fd < 0 ? *ret_fd : 0;
}

/* The node of a file just made: O_PATH from the descriptor, whatever has its name by now. */
static int entry_of(struct vm_fs_call *c, int fd, struct fuse_entry_out *ret)
{
	struct statx stx;
	int path = openat(c->fs->proc, vm_fs_link(fd).s, O_PATH | O_CLOEXEC);

	if (path < 0)
		return vm_fs_errno(errno);
	int rc = vm_fs_stat(path, &stx);
	if (rc < 0) {
		fd_close(&path);
		return rc;
	}
	struct vm_fs_key key = vm_fs_key_of(&stx, c->node->key.share);
	*ret = (struct fuse_entry_out){.entry_valid = VM_FS_VALID, .attr_valid = VM_FS_VALID};
	vm_fs_fill_attr(&stx, &ret->attr);
	return vm_fs_node_add(c->fs, &key, stx.stx_mode, path, c->node, c->name[0], &ret->nodeid);
}

/* Makes or opens; the entry is counted when 0 is returned. */
static int create(struct vm_fs_call *c, const struct fuse_create_in *in,
		  struct fuse_entry_out *entry, struct vm_fs_node **ret_node, int *ret_fd)
{
	int rc = make_file(c, in, ret_fd);
	bool made = rc == 0;

	if (made)
		rc = entry_of(c, *ret_fd, entry);
	else if (rc == -EEXIST && !(in->flags & O_EXCL))
		rc = vm_fs_entry(c->fs, c->node, c->name[0], entry);
	if (rc < 0)
		return rc;
	rc = vm_fs_node_get(c->fs, entry->nodeid, ret_node);
	if (rc == 0 && !made)
		rc = open_there(c, in, *ret_node, ret_fd);
	if (rc < 0)
		vm_fs_node_forget(c->fs, entry->nodeid, 1);
	return rc;
}

int vm_fs_do_create(struct vm_fs_call *c)
{
	const struct fuse_create_in *in = c->arg;
	struct fuse_entry_out *entry = (void *)c->out;
	struct vm_fs_node *n = NULL;
	auto_fd fd = -1;

	if (c->node->type != S_IFDIR)
		return -ENOTDIR;
	int rc = create(c, in, entry, &n, &fd);
	if (rc == 0) {
		rc = answer_open(c, n, take_fd(&fd), in->flags, (void *)(entry + 1));
		if (rc < 0)
			vm_fs_node_forget(c->fs, entry->nodeid, 1);
	}
	vm_fs_node_put(c->fs, n);
	c->out_len = sizeof(*entry) + sizeof(struct fuse_open_out);
	return rc;
}

int vm_fs_do_release(struct vm_fs_call *c)
{
	const struct fuse_release_in *in = c->arg;

	return vm_fs_handle_close(c->fs, in->fh, c->node, false);
}

/* close(2) of a copy: a network file system tells what went wrong with the writes. */
int vm_fs_do_flush(struct vm_fs_call *c)
{
	const struct fuse_flush_in *in = c->arg;
	struct vm_fs_handle *h;
	int rc = vm_fs_handle_get(c->fs, in->fh, c->node, false, &h);

	if (rc < 0)
		return rc;
	int copy = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0 || close(copy) < 0)
		rc = -errno;
	vm_fs_handle_put(c->fs, h);
	return rc;
}
