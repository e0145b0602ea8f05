/* microvm/fs_root.c: the file system's root: a directory that isn't on any disk and holds the
 * shares. Nothing can be made, renamed or removed in it.
 */
#include "microvm/fs_int.h"

#include <errno.h>
#include <string.h>

void vm_fs_root_attr(const struct vm_fs *fs, struct fuse_attr *ret)
{
	*ret = (struct fuse_attr){.ino = FUSE_ROOT_ID,
				  .mode = S_IFDIR | 0555,
				  .nlink = (uint32_t)(2 + fs->n_shares),
				  .blksize = 4096};
}

/* A share's node stays as long as it, whatever the client forgets: its lookups needn't be counted.
 */
int vm_fs_root_entry(struct vm_fs *fs, const char *name, struct fuse_entry_out *ret)
{
	struct statx stx;
	size_t i = 0;

	while (i < fs->n_shares && (!fs->roots[i] || strcmp(fs->shares[i].name, name) != 0))
		i++;
	if (i == fs->n_shares)
		return -ENOENT;
	int rc = vm_fs_stat(fs->roots[i]->fd, &stx);
	if (rc < 0)
		return rc;
	*ret = (struct fuse_entry_out){
		.nodeid = fs->roots[i]->id, .entry_valid = VM_FS_VALID, .attr_valid = VM_FS_VALID};
	vm_fs_fill_attr(&stx, &ret->attr);
	ret->attr.flags = S_ISDIR(stx.stx_mode) ? FUSE_ATTR_SUBMOUNT : 0;
	return 0;
}

const char *vm_fs_root_name(const struct vm_fs *fs, uint64_t *i)
{
	if (*i < 2)
		return *i == 0 ? "." : "..";
	while (*i - 2 < fs->n_shares && !fs->roots[*i - 2])
		++*i;
	return *i - 2 < fs->n_shares ? fs->shares[*i - 2].name : NULL;
}
