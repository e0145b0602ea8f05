/* microvm/fs_dir.c: directories: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR, FSYNCDIR.
 *
 * Invariants
 *  1. Offsets are the host's own (d_off): the client may come back to any that it was given.
 *  2. The host's entries are read in such small batches that all fit the answer, so that nothing is
 *     kept between two requests but the position.
 *  3. What ".." of a share's root is on the host isn't told.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 8192 /* bytes of host entries at a time */
#define POS_UNKNOWN ((off_t)-1)

struct host_entry { /* getdents64(2) */
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
};
#define HOST_ENTRY_MIN 24u
#define HOST_ENTRY_MAX 280u /* a name of 255 bytes */

/* An answer in the making. */
struct listing {
	struct vm_fs_call *c;
	size_t size; /* the client's buffer */
	bool plus;
};

int vm_fs_do_opendir(struct vm_fs_call *c)
{
	struct fuse_open_out *out = (void *)c->out;
	int fd = -1;

	if (c->node && c->node->type != S_IFDIR)
		return -ENOTDIR;
	if (c->node && (fd = vm_fs_open_node(c->fs, c->node, O_RDONLY)) < 0)
		return fd;
	*out = (struct fuse_open_out){0};
	c->out_len = sizeof(*out);
	return vm_fs_handle_add(c->fs, c->node, fd, true, &out->fh);
}

int vm_fs_do_releasedir(struct vm_fs_call *c)
{
	const struct fuse_release_in *in = c->arg;

	return vm_fs_handle_close(c->fs, in->fh, c->node, true);
}

int vm_fs_do_fsyncdir(struct vm_fs_call *c)
{
	const struct fuse_fsync_in *in = c->arg;
	struct vm_fs_handle *h;
	int rc = vm_fs_handle_get(c->fs, in->fh, c->node, true, &h);

	if (rc < 0)
		return rc;
	bool data = in->fsync_flags & FUSE_FSYNC_FDATASYNC;
	if (h->fd >= 0 && (data ? fdatasync(h->fd) : fsync(h->fd)) < 0)
		rc = -errno;
	vm_fs_handle_put(c->fs, h);
	return rc;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The inode behind a name; one that can't be had now (removed since, or no room) is listed without:
 * the guest looks it up when it wants it. */
static void look_behind(struct listing *l, const char *name, struct fuse_entry_out *ret)
{
	struct vm_fs_call *c = l->c;
	int rc = -ENOENT;

	if (!is_dots(name))
		rc = c->node ? vm_fs_entry(c->fs, c->node, name, ret)
			     : vm_fs_root_entry(c->fs, name, ret);
	if (rc < 0)
		*ret = (struct fuse_entry_out){0};
}

/* false: no room. */
static bool emit(struct listing *l, uint64_t ino, uint64_t off, unsigned type, const char *name)
{
	size_t len = strnlen(name, NAME_MAX);
	size_t head = l->plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET;
	size_t whole = FUSE_DIRENT_ALIGN(head + len);

	if (whole > l->size - l->c->out_len)
		return false;
	uint8_t *at = l->c->out + l->c->out_len;
	memset(at, 0, whole);
	if (l->plus) {
		look_behind(l, name, (void *)at);
		at += sizeof(struct fuse_entry_out);
	}
	*(struct fuse_dirent *)(void *)at = (struct fuse_dirent){
		.ino = ino, .off = off, .namelen = (uint32_t)len, .type = type};
	memcpy(at + FUSE_NAME_OFFSET, name, len);
	l->c->out_len += whole;
	return true;
}

static int list_root(struct listing *l, uint64_t off)
{
	const char *name;

	for (; (name = vm_fs_root_name(l->c->fs, &off)); off++) {
		uint64_t ino = off < 2 ? FUSE_ROOT_ID : l->c->fs->roots[off - 2]->key.ino;
		mode_t type = off < 2 ? S_IFDIR : l->c->fs->roots[off - 2]->type;

		if (!emit(l, ino, off + 1, IFTODT(type), name))
			break;
	}
	return 0;
}

/* How many bytes of host entries become at most l->size of ours. */
static size_t batch_for(const struct listing *l)
{
	size_t ours = l->plus ? FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + 1)
			      : FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 1);
	size_t n = (l->size - l->c->out_len) / ours * HOST_ENTRY_MIN;

	return n > BATCH ? BATCH : n < HOST_ENTRY_MAX ? HOST_ENTRY_MAX : n;
}

/* One batch. Returns how many of its entries were taken; *ret_full: there may be more, no room. */
static int list_batch(struct listing *l, struct vm_fs_handle *h, bool *ret_full)
{
	_Alignas(struct host_entry) uint8_t buf[BATCH];
	bool is_root = !l->c->node->parent;
	int taken = 0;
	ssize_t n = getdents64(h->fd, buf, batch_for(l));

	if (n < 0)
		return -errno;
	for (ssize_t at = 0; at < n;) {
		const struct host_entry *d = (const void *)(buf + at);
		bool above = is_root && strcmp(d->name, "..") == 0;
		uint64_t ino = above ? l->c->node->key.ino : d->ino;

		if (!emit(l, ino, (uint64_t)d->off, d->type, d->name)) {
			*ret_full = true;
			h->pos = POS_UNKNOWN;
			return taken;
		}
		h->pos = d->off;
		at += d->len;
		taken++;
	}
	return taken;
}

/* With the handle's lock held. */
static int list_dir(struct listing *l, struct vm_fs_handle *h, off_t off)
{
	bool full = false;

	if (h->pos != off && lseek(h->fd, off, SEEK_SET) < 0)
		return -errno;
	h->pos = off;
	size_t least = (l->plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET) + 256;
	do {
		int rc = list_batch(l, h, &full);

		/* What was taken before a failure is answered, the failure comes again. */
		if (rc < 0 && l->c->out_len == 0)
			return rc;
		if (rc <= 0)
			break;
	} while (!full && l->size - l->c->out_len >= least);
	return full && l->c->out_len == 0 ? -EINVAL : 0;
}

static int list(struct vm_fs_call *c, bool plus)
{
	const struct fuse_read_in *in = c->arg;
	struct listing l = {.c = c, .plus = plus};
	struct vm_fs_handle *h;
	int rc = vm_fs_handle_get(c->fs, in->fh, c->node, true, &h);

	if (rc < 0)
		return rc;
	l.size = in->size < VM_FS_MAX_WRITE ? in->size : VM_FS_MAX_WRITE;
	if (h->fd < 0) {
		rc = list_root(&l, in->offset);
	} else {
		pthread_mutex_lock(&h->lock);
		rc = list_dir(&l, h, (off_t)in->offset);
		pthread_mutex_unlock(&h->lock);
	}
	vm_fs_handle_put(c->fs, h);
	return rc;
}

int vm_fs_do_readdir(struct vm_fs_call *c)
{
	return list(c, false);
}

int vm_fs_do_readdirplus(struct vm_fs_call *c)
{
	return list(c, true);
}
