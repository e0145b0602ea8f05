/* microvm/fs_lookup.c: from names to nodes (LOOKUP, FORGET, READLINK), and what an inode looks like
 * on the wire.
 *
 * Invariants
 *  1. A name that is empty, ".", ".." or holds a slash never reaches the host's kernel.
 *  2. Each entry that is answered counts one lookup of its node; the client gives them back with
 *     FORGET.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The kernel's form of a device number, in 32 bits (new_encode_dev). */
static uint32_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffu) << 12;
}

void vm_fs_fill_attr(const struct statx *stx, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){.ino = stx->stx_ino,
				  .size = stx->stx_size,
				  .blocks = stx->stx_blocks,
				  .atime = (uint64_t)stx->stx_atime.tv_sec,
				  .mtime = (uint64_t)stx->stx_mtime.tv_sec,
				  .ctime = (uint64_t)stx->stx_ctime.tv_sec,
				  .atimensec = stx->stx_atime.tv_nsec,
				  .mtimensec = stx->stx_mtime.tv_nsec,
				  .ctimensec = stx->stx_ctime.tv_nsec,
				  .mode = stx->stx_mode,
				  .nlink = stx->stx_nlink,
				  .uid = stx->stx_uid,
				  .gid = stx->stx_gid,
				  .rdev = device_number(stx->stx_rdev_major, stx->stx_rdev_minor),
				  .blksize = stx->stx_blksize};
}

/* A directory on another file system than its parent gets a device number of its own in the
 * guest, so that equal inode numbers don't look like hard links. */
static uint32_t attr_flags(const struct vm_fs_node *dir, const struct statx *stx)
{
	bool other = stx->stx_dev_major != dir->key.major || stx->stx_dev_minor != dir->key.minor;

	return other && S_ISDIR(stx->stx_mode) ? FUSE_ATTR_SUBMOUNT : 0;
}

static void fill_entry(const struct vm_fs_node *dir, uint64_t id, const struct statx *stx,
		       struct fuse_entry_out *ret)
{
	*ret = (struct fuse_entry_out){
		.nodeid = id, .entry_valid = VM_FS_VALID, .attr_valid = VM_FS_VALID};
	vm_fs_fill_attr(stx, &ret->attr);
	ret->attr.flags = attr_flags(dir, stx);
}

/* An inode that isn't in the table: what is told of it comes from the descriptor, not the name. */
static int new_entry(struct vm_fs *fs, struct vm_fs_node *dir, const char *name,
		     struct fuse_entry_out *ret)
{
	struct statx stx;
	uint64_t id;
	auto_fd fd = vm_fs_open_child(dir->fd, name);
	int rc = fd < 0 ? fd : vm_fs_stat(fd, &stx);

	if (rc < 0)
		return rc;
	struct vm_fs_key key = vm_fs_key_of(&stx, dir->key.share);
	rc = vm_fs_node_add(fs, &key, stx.stx_mode, take_fd(&fd), dir, name, &id);
	if (rc == 0)
		fill_entry(dir, id, &stx, ret);
	return rc;
}

/* A lookup was counted for what add and find return, so that the id is good until the answer is
 * out: the client can't forget what it wasn't told. */
int vm_fs_entry(struct vm_fs *fs, struct vm_fs_node *dir, const char *name,
		struct fuse_entry_out *ret)
{
	struct statx stx;

	if (dir->type != S_IFDIR)
		return -ENOTDIR;
	int rc = vm_fs_stat_child(dir->fd, name, &stx);
	if (rc < 0)
		return rc;
	struct vm_fs_key key = vm_fs_key_of(&stx, dir->key.share);
	uint64_t id = vm_fs_node_find(fs, &key, stx.stx_mode, dir, name);
	if (!id)
		return new_entry(fs, dir, name, ret);
	fill_entry(dir, id, &stx, ret);
	return 0;
}

int vm_fs_answer_entry(struct vm_fs_call *c, const char *name)
{
	c->out_len = sizeof(struct fuse_entry_out);
	return vm_fs_entry(c->fs, c->node, name, (void *)c->out);
}

bool vm_fs_name_ok(const char *name)
{
	return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

int vm_fs_do_lookup(struct vm_fs_call *c)
{
	if (c->node)
		return vm_fs_answer_entry(c, c->name[0]);
	c->out_len = sizeof(struct fuse_entry_out);
	return vm_fs_root_entry(c->fs, c->name[0], (void *)c->out);
}

int vm_fs_do_forget(struct vm_fs_call *c)
{
	const struct fuse_forget_in *in = c->arg;

	vm_fs_node_forget(c->fs, c->h->nodeid, in->nlookup);
	return 0;
}

int vm_fs_do_batch_forget(struct vm_fs_call *c)
{
	const struct fuse_batch_forget_in *in = c->arg;
	size_t n = c->rest_len / sizeof(struct fuse_forget_one);

	for (size_t i = 0; i < n && i < in->count; i++) {
		struct fuse_forget_one one;

		memcpy(&one, c->rest + i * sizeof(one), sizeof(one));
		vm_fs_node_forget(c->fs, one.nodeid, one.nlookup);
	}
	return 0;
}

int vm_fs_do_readlink(struct vm_fs_call *c)
{
	if (c->node->type != S_IFLNK)
		return -EINVAL;
	ssize_t n = readlinkat(c->node->fd, "", (char *)c->out, PATH_MAX);
	if (n < 0)
		return -errno;
	c->out_len = (size_t)n;
	return 0;
}
