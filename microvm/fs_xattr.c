/* microvm/fs_xattr.c: extended attributes.
 *
 * Invariants
 *  1. The guest sees and sets user.*, security.capability and the two POSIX ACLs. The others mean
 *     something to the host: trusted.* (overlayfs keeps its redirects there), labels of security
 *     modules, other system.*. They aren't listed, don't exist, and can't be set (EOPNOTSUPP, as on
 *     a file system without them, so that archivers go on).
 *  2. The inode is reached through its descriptor's link in procfs, the thread's current
 *     directory: a link of the share isn't followed, a device isn't opened.
 */
#include "microvm/fs_int.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>

#define SIZE_MAX_XATTR 65536u /* XATTR_SIZE_MAX, XATTR_LIST_MAX */

static bool is_acl(const char *name)
{
	return strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

static bool is_shown(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strcmp(name, "security.capability") == 0 ||
	       is_acl(name);
}

/* The name at the start of the rest; what follows it in *ret_value. NULL: it doesn't end. */
static const char *take_name(const struct vm_fs_call *c, size_t skip, const uint8_t **ret_value,
			     size_t *ret_len)
{
	if (c->rest_len < skip)
		return NULL;
	const char *name = (const char *)c->rest + skip;
	size_t room = c->rest_len - skip, len = strnlen(name, room);

	if (len == 0 || len == room || len > XATTR_NAME_MAX)
		return NULL;
	*ret_value = c->rest + skip + len + 1;
	*ret_len = room - len - 1;
	return name;
}

/* The ACL made the owning group's rights others', so that a set-gid bit goes with them. */
static int drop_setgid(struct vm_fs_call *c)
{
	struct statx stx;
	int rc = vm_fs_stat(c->node->fd, &stx);

	if (rc < 0 || !(stx.stx_mode & S_ISGID))
		return rc;
	rc = vm_fs_keep_setid(c, true);
	if (rc < 0)
		return rc;
	mode_t mode = stx.stx_mode & 07777 & ~(mode_t)S_ISGID;
	return fchmodat(c->fs->proc, vm_fs_link(c->node->fd).s, mode, 0) < 0 ? -errno : 0;
}

/* Without SETXATTR_EXT the fixed part ends before its last two fields. */
int vm_fs_do_setxattr(struct vm_fs_call *c)
{
	struct fuse_setxattr_in in = {0};
	size_t more = c->fs->setxattr_ext ? sizeof(in) - FUSE_COMPAT_SETXATTR_IN_SIZE : 0;
	const uint8_t *value;
	size_t len;
	const char *name = take_name(c, more, &value, &len);

	if (!name)
		return -EINVAL;
	memcpy(&in, c->arg, FUSE_COMPAT_SETXATTR_IN_SIZE + more);
	if (in.size > len || in.size > SIZE_MAX_XATTR)
		return -EINVAL;
	if (!is_shown(name))
		return -EOPNOTSUPP;
	int rc = vm_fs_keep_setid(c, true);
	if (rc < 0)
		return rc;
	if (setxattr(vm_fs_link(c->node->fd).s, name, value, in.size, (int)in.flags) < 0)
		return -errno;
	return in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID ? drop_setgid(c) : 0;
}

int vm_fs_do_removexattr(struct vm_fs_call *c)
{
	const uint8_t *value;
	size_t len;
	const char *name = take_name(c, 0, &value, &len);

	if (!name)
		return -EINVAL;
	if (!is_shown(name))
		return -EOPNOTSUPP;
	return removexattr(vm_fs_link(c->node->fd).s, name) < 0 ? -errno : 0;
}

static int answer_size(struct vm_fs_call *c, size_t size)
{
	struct fuse_getxattr_out *out = (void *)c->out;

	*out = (struct fuse_getxattr_out){.size = (uint32_t)size};
	c->out_len = sizeof(*out);
	return 0;
}

/* A file system without ACLs has none: the guest's kernel would fail every access to it. */
static int get_errno(const char *name)
{
	return errno == EOPNOTSUPP && is_acl(name) ? -ENODATA : -errno;
}

int vm_fs_do_getxattr(struct vm_fs_call *c)
{
	const struct fuse_getxattr_in *in = c->arg;
	const uint8_t *value;
	size_t len;
	const char *name = take_name(c, 0, &value, &len);

	if (!name)
		return -EINVAL;
	if (!is_shown(name) || !c->node)
		return is_shown(name) ? -ENODATA : -EOPNOTSUPP;
	size_t room = in->size < SIZE_MAX_XATTR ? in->size : SIZE_MAX_XATTR;
	ssize_t n = getxattr(vm_fs_link(c->node->fd).s, name, c->out, room);
	if (n < 0)
		return get_errno(name);
	if (in->size == 0)
		return answer_size(c, (size_t)n);
	c->out_len = (size_t)n;
	return 0;
}

/* Keeps the names that are shown; returns their length. */
static size_t filter(char *list, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0; at < len;) {
		size_t n = strnlen(list + at, len - at - 1) + 1;

		if (is_shown(list + at)) {
			memmove(list + kept, list + at, n);
			kept += n;
		}
		at += n;
	}
	return kept;
}

int vm_fs_do_listxattr(struct vm_fs_call *c)
{
	const struct fuse_getxattr_in *in = c->arg;
	ssize_t n = 0;

	if (c->node)
		n = listxattr(vm_fs_link(c->node->fd).s, (char *)c->out, SIZE_MAX_XATTR);
	if (n < 0)
		return -errno;
	size_t len = filter((char *)c->out, (size_t)n);
	if (in->size == 0)
		return answer_size(c, len);
	if (len > in->size)
		return -ERANGE;
	c->out_len = len;
	return 0;
}
