/* microvm/fs_make.c: changing what names there are: MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR,
 * RENAME, RENAME2.
 *
 * Invariants
 *  1. What is made is the caller's (fs_creds.c); what is removed or renamed the guest's kernel has
 *     allowed.
 *  2. No device node, no whiteout.
 *  3. A link or a rename stays in its share: EXDEV.
 */
#include "microvm/fs_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int vm_fs_do_mknod(struct vm_fs_call *c)
{
	const struct fuse_mknod_in *in = c->arg;
	mode_t type = in->mode & S_IFMT;

	if (type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
		return -EPERM;
	int rc = vm_fs_become(c, in->umask);
	if (rc < 0)
		return rc;
	if (mknodat(c->node->fd, c->name[0], type | (in->mode & 07777), 0) < 0)
		return -errno;
	return vm_fs_answer_entry(c, c->name[0]);
}

int vm_fs_do_mkdir(struct vm_fs_call *c)
{
	const struct fuse_mkdir_in *in = c->arg;
	int rc = vm_fs_become(c, in->umask);

	if (rc < 0)
		return rc;
	if (mkdirat(c->node->fd, c->name[0], in->mode & 07777) < 0)
		return -errno;
	return vm_fs_answer_entry(c, c->name[0]);
}

/* The target is the guest's text: nobody here follows it. */
int vm_fs_do_symlink(struct vm_fs_call *c)
{
	const char *target = (const char *)c->rest;
	int rc = vm_fs_become(c, 0);

	if (rc < 0)
		return rc;
	if (c->rest_len == 0 || strnlen(target, c->rest_len) != c->rest_len - 1)
		return -EINVAL;
	if (symlinkat(target, c->node->fd, c->name[0]) < 0)
		return -errno;
	return vm_fs_answer_entry(c, c->name[0]);
}

int vm_fs_do_link(struct vm_fs_call *c)
{
	const struct fuse_link_in *in = c->arg;
	struct vm_fs_node *old;
	int rc = vm_fs_node_get(c->fs, in->oldnodeid, &old);

	if (rc < 0)
		return rc;
	if (old->key.share != c->node->key.share)
		rc = -EXDEV;
	else if (linkat(c->fs->proc, vm_fs_link(old->fd).s, c->node->fd, c->name[0],
			AT_SYMLINK_FOLLOW) < 0)
		rc = -errno;
	vm_fs_node_put(c->fs, old);
	return rc < 0 ? rc : vm_fs_answer_entry(c, c->name[0]);
}

int vm_fs_do_unlink(struct vm_fs_call *c)
{
	return unlinkat(c->node->fd, c->name[0], 0) < 0 ? -errno : 0;
}

int vm_fs_do_rmdir(struct vm_fs_call *c)
{
	return unlinkat(c->node->fd, c->name[0], AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* A node that sleeps is found again where it is now. */
static void note_place(struct vm_fs_call *c, struct vm_fs_node *dir, const char *name)
{
	struct statx stx;

	if (vm_fs_stat_child(dir->fd, name, &stx) < 0)
		return;
	struct vm_fs_key key = vm_fs_key_of(&stx, dir->key.share);
	vm_fs_node_moved(c->fs, &key, dir, name);
}

static int rename_to(struct vm_fs_call *c, uint64_t newdir, unsigned flags)
{
	struct vm_fs_node *to;

	if (flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (newdir == FUSE_ROOT_ID)
		return -EXDEV;
	int rc = vm_fs_node_get(c->fs, newdir, &to);
	if (rc < 0)
		return rc;
	if (to->key.share != c->node->key.share)
		rc = -EXDEV;
	/* The C library's takes another call without flags; one is enough on the server's list. */
	else if (syscall(SYS_renameat2, c->node->fd, c->name[0], to->fd, c->name[1], flags) < 0)
		rc = -errno;
	if (rc == 0) {
		note_place(c, to, c->name[1]);
		if (flags & RENAME_EXCHANGE)
			note_place(c, c->node, c->name[0]);
	}
	vm_fs_node_put(c->fs, to);
	return rc;
}

int vm_fs_do_rename(struct vm_fs_call *c)
{
	const struct fuse_rename_in *in = c->arg;

	return rename_to(c, in->newdir, 0);
}

int vm_fs_do_rename2(struct vm_fs_call *c)
{
	const struct fuse_rename2_in *in = c->arg;

	return rename_to(c, in->newdir, in->flags);
}
