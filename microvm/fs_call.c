/* microvm/fs_call.c: from a message to a handler: lengths, names, the node, and what a share
 * allows.
 *
 * Invariants
 *  1. A handler sees a fixed part as long as the table says, names that are one component each and
 *     end, and a node that exists and is pinned.
 *  2. A request that would change a read-only share never reaches its handler: EROFS. (OPEN looks
 *     at its flags itself.)
 *  3. Whatever the message, there is one answer or none, by opcode alone.
 */
#include "microvm/fs_int.h"

#include <errno.h>
#include <string.h>

enum {
	SILENT = 1,  /* has no answer */
	CHANGES = 2, /* not in a read-only share, nor in the root */
	ROOT = 4,    /* knows what to do with the root (node NULL) */
	ALONE = 8,   /* no other request beside it; has no node */
	TAIL = 16,   /* something follows the fixed part and the names */
};

struct verb {
	int (*handler)(struct vm_fs_call *c);
	size_t arg;
	unsigned names, flags;
};

static const struct verb verbs[] = {
	[FUSE_LOOKUP] = {vm_fs_do_lookup, 0, 1, ROOT},
	[FUSE_FORGET] = {vm_fs_do_forget, sizeof(struct fuse_forget_in), 0, SILENT | ROOT},
	[FUSE_GETATTR] = {vm_fs_do_getattr, sizeof(struct fuse_getattr_in), 0, ROOT},
	[FUSE_SETATTR] = {vm_fs_do_setattr, sizeof(struct fuse_setattr_in), 0, CHANGES},
	[FUSE_READLINK] = {vm_fs_do_readlink, 0, 0, 0},
	[FUSE_SYMLINK] = {vm_fs_do_symlink, 0, 1, CHANGES | TAIL},
	[FUSE_MKNOD] = {vm_fs_do_mknod, sizeof(struct fuse_mknod_in), 1, CHANGES},
	[FUSE_MKDIR] = {vm_fs_do_mkdir, sizeof(struct fuse_mkdir_in), 1, CHANGES},
	[FUSE_UNLINK] = {vm_fs_do_unlink, 0, 1, CHANGES},
	[FUSE_RMDIR] = {vm_fs_do_rmdir, 0, 1, CHANGES},
	[FUSE_RENAME] = {vm_fs_do_rename, sizeof(struct fuse_rename_in), 2, CHANGES},
	[FUSE_RENAME2] = {vm_fs_do_rename2, sizeof(struct fuse_rename2_in), 2, CHANGES},
	[FUSE_LINK] = {vm_fs_do_link, sizeof(struct fuse_link_in), 1, CHANGES},
	[FUSE_OPEN] = {vm_fs_do_open, sizeof(struct fuse_open_in), 0, 0},
	[FUSE_READ] = {vm_fs_do_read, sizeof(struct fuse_read_in), 0, 0},
	[FUSE_WRITE] = {vm_fs_do_write, sizeof(struct fuse_write_in), 0, CHANGES | TAIL},
	[FUSE_STATFS] = {vm_fs_do_statfs, 0, 0, ROOT},
	[FUSE_RELEASE] = {vm_fs_do_release, sizeof(struct fuse_release_in), 0, 0},
	[FUSE_FSYNC] = {vm_fs_do_fsync, sizeof(struct fuse_fsync_in), 0, 0},
	[FUSE_SETXATTR] = {vm_fs_do_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 0, CHANGES | TAIL},
	[FUSE_GETXATTR] = {vm_fs_do_getxattr, sizeof(struct fuse_getxattr_in), 0, ROOT | TAIL},
	[FUSE_LISTXATTR] = {vm_fs_do_listxattr, sizeof(struct fuse_getxattr_in), 0, ROOT},
	[FUSE_REMOVEXATTR] = {vm_fs_do_removexattr, 0, 0, CHANGES | TAIL},
	[FUSE_FLUSH] = {vm_fs_do_flush, sizeof(struct fuse_flush_in), 0, 0},
	[FUSE_INIT] = {vm_fs_do_init, 16, 0, ALONE | TAIL},
	[FUSE_OPENDIR] = {vm_fs_do_opendir, sizeof(struct fuse_open_in), 0, ROOT},
	[FUSE_READDIR] = {vm_fs_do_readdir, sizeof(struct fuse_read_in), 0, ROOT},
	[FUSE_READDIRPLUS] = {vm_fs_do_readdirplus, sizeof(struct fuse_read_in), 0, ROOT},
	[FUSE_RELEASEDIR] = {vm_fs_do_releasedir, sizeof(struct fuse_release_in), 0, ROOT},
	[FUSE_FSYNCDIR] = {vm_fs_do_fsyncdir, sizeof(struct fuse_fsync_in), 0, ROOT},
	[FUSE_CREATE] = {vm_fs_do_create, sizeof(struct fuse_create_in), 1, CHANGES},
	[FUSE_DESTROY] = {vm_fs_do_destroy, 0, 0, ALONE},
	[FUSE_BATCH_FORGET] = {vm_fs_do_batch_forget, sizeof(struct fuse_batch_forget_in), 0,
			       SILENT | ROOT | TAIL},
	[FUSE_FALLOCATE] = {vm_fs_do_fallocate, sizeof(struct fuse_fallocate_in), 0, CHANGES},
	[FUSE_LSEEK] = {vm_fs_do_lseek, sizeof(struct fuse_lseek_in), 0, 0},
	[FUSE_COPY_FILE_RANGE] = {vm_fs_do_copy, sizeof(struct fuse_copy_file_range_in), 0, 0},
	[FUSE_SYNCFS] = {vm_fs_do_syncfs, sizeof(struct fuse_syncfs_in), 0, ROOT},
};

/* An interrupted request is answered in its time. ACCESS isn't served: the guest's kernel checks
 * rights itself, and asks no more after ENOSYS. */
static const struct verb *verb_of(uint32_t opcode)
{
	static const struct verb ignored = {.flags = SILENT};

	if (opcode == FUSE_INTERRUPT)
		return &ignored;
	return opcode < sizeof(verbs) / sizeof(verbs[0]) && verbs[opcode].handler ? &verbs[opcode]
										  : NULL;
}

/* Cuts the body into the fixed part, the names and the rest. */
static int parse(struct vm_fs_call *c, const struct verb *v, size_t len)
{
	const uint8_t *at = (const uint8_t *)(c->h + 1);

	if (c->h->len != len || c->h->total_extlen)
		return -EINVAL;
	len -= sizeof(*c->h);
	if (len < v->arg)
		return -EINVAL;
	c->arg = at;
	at += v->arg;
	len -= v->arg;
	for (unsigned i = 0; i < v->names; i++) {
		size_t n = strnlen((const char *)at, len);

		c->name[i] = (const char *)at;
		if (n == len || !vm_fs_name_ok(c->name[i]))
			return -EINVAL;
		at += n + 1;
		len -= n + 1;
	}
	c->rest = at;
	c->rest_len = len;
	return len && !(v->flags & TAIL) ? -EINVAL : 0;
}

static int run(struct vm_fs_call *c, const struct verb *v)
{
	bool alone = v->flags & ALONE;

	if (!alone && !c->fs->ready)
		return -EPROTO;
	if (alone || (v->flags & SILENT))
		return v->handler(c);
	if (c->h->nodeid == FUSE_ROOT_ID && !(v->flags & ROOT))
		return v->flags & CHANGES ? -EROFS : -EISDIR;
	if (c->h->nodeid != FUSE_ROOT_ID) {
		int rc = vm_fs_node_get(c->fs, c->h->nodeid, &c->node);
		if (rc < 0)
			return rc;
	}
	int rc = v->flags & CHANGES && vm_fs_is_read_only(c) ? -EROFS : v->handler(c);
	vm_fs_node_put(c->fs, c->node);
	return rc;
}

static int run_locked(struct vm_fs_call *c, const struct verb *v)
{
	if (v->flags & ALONE)
		pthread_rwlock_wrlock(&c->fs->alone);
	else
		pthread_rwlock_rdlock(&c->fs->alone);
	int rc = run(c, v);
	pthread_rwlock_unlock(&c->fs->alone);
	return rc;
}

size_t vm_fs_call(struct vm_fs_worker *w, size_t len)
{
	struct fuse_out_header *out = (void *)w->out;
	struct vm_fs_call c = {
		.fs = w->fs, .w = w, .h = (const void *)w->in, .out = w->out + sizeof(*out)};

	if (len < sizeof(*c.h))
		return 0; /* there is nobody to answer */
	const struct verb *v = verb_of(c.h->opcode);
	int rc = v ? 0 : -ENOSYS;
	if (v && v->handler)
		rc = parse(&c, v, len);
	if (rc == 0 && v->handler)
		rc = run_locked(&c, v);
	if (v && v->flags & SILENT)
		return 0;
	size_t body = rc < 0 ? 0 : c.out_len;
	*out = (struct fuse_out_header){
		.len = (uint32_t)(sizeof(*out) + body), .error = rc, .unique = c.h->unique};
	return out->len;
}
