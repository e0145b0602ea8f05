/* common/path.c: see path.h. The only file that resolves a path of a guest's root.
 *
 * Numbers in comments are the header's invariants.
 */
#include "common/path.h"

#include "common/fd.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40  /* as the kernel's own limit, path_resolution(7) */
#define MAX_RETRY 128 /* lookups that raced with a rename (3) */

/* (1): every lookup of this file ends here. */
static int lookup(int root, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
			       .resolve = resolve | RESOLVE_NO_MAGICLINKS};
	int fd;

	for (int i = 0; i < MAX_RETRY; i++) {
		fd = sys_openat2(root, path, &how);
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd;
}

static int in_root(int root, const char *path, int flags)
{
	return lookup(root, path[0] ? path : ".", flags, RESOLVE_IN_ROOT);
}

int path_open(int root, const char *path, int flags, struct err *e)
{
	int fd = in_root(root, path, flags);

	return fd >= 0 ? fd : err_sys(e, errno, NULL, "opening %s in the container's root", path);
}

int path_open_same_mount(int root, const char *path, int flags, struct err *e)
{
	int fd = lookup(root, path[0] ? path : ".", flags, RESOLVE_IN_ROOT | RESOLVE_NO_XDEV);

	return fd >= 0 ? fd : err_sys(e, errno, NULL, "opening %s in the container's root", path);
}

/* A path being made: `text` changes when a dangling link is replaced by what it says. */
struct making {
	int root;
	mode_t mode;
	int links;
	char text[PATH_MAX];
};

/* The component that starts at or after *pos: its begin and end offsets; false at the end. */
static bool next_component(const char *s, size_t *pos, size_t *ret_end)
{
	while (s[*pos] == '/')
		(*pos)++;
	if (!s[*pos])
		return false;
	*ret_end = *pos + strcspn(s + *pos, "/");
	return true;
}

/* The component [begin, end) exists beneath `parent` and lookup found nothing behind it: a dangling
 * link, whose target takes its place in the text. 1: start again, 0: not a link (it was swapped).
 */
static int splice_link(struct making *m, int parent, size_t begin, size_t end)
{
	char target[PATH_MAX], joined[PATH_MAX * 2], name[NAME_MAX + 1];

	if (++m->links > MAX_LINKS)
		return -ELOOP;
	snprintf(name, sizeof(name), "%.*s", (int)(end - begin), m->text + begin);
	ssize_t n = readlinkat(parent, name, target, sizeof(target) - 1);
	if (n < 0)
		return errno == EINVAL || errno == ENOENT ? 0 : -errno;
	target[n] = '\0';
	snprintf(joined, sizeof(joined), "%.*s%s%s", target[0] == '/' ? 0 : (int)begin, m->text,
		 target, m->text + end);
	if (strlen(joined) >= sizeof(m->text))
		return -ENAMETOOLONG;
	memcpy(m->text, joined, strlen(joined) + 1);
	return 1;
}

/* Opens what was created a moment ago; -EAGAIN when it was taken away, swapped for a link, or moved
 * out of `parent` while it was looked up (EXDEV). */
static int just_made(int parent, const char *name, int flags)
{
	int fd = lookup(parent, name, O_PATH | flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);

	if (fd >= 0)
		return fd;
	return errno == ENOENT || errno == ELOOP || errno == EXDEV ? -EAGAIN : -errno;
}

/* Opens the directory [0, end) of the text, made beneath `parent` when it is missing (2).
 * Returns a descriptor, or -EAGAIN when the text changed or raced: start again. */
static int enter(struct making *m, int parent, size_t begin, size_t end)
{
	char prefix[PATH_MAX], name[NAME_MAX + 1];

	if (end - begin > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(prefix, sizeof(prefix), "%.*s", (int)end, m->text);
	snprintf(name, sizeof(name), "%.*s", (int)(end - begin), m->text + begin);
	int fd = in_root(m->root, prefix, O_PATH | O_DIRECTORY);
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : -errno;
	if (mkdirat(parent, name, m->mode) == 0) {
		return just_made(parent, name, O_DIRECTORY);
	}
	if (errno != EEXIST)
		return errno == ENOENT ? -EAGAIN : -errno;
	int rc = splice_link(m, parent, begin, end);
	return rc < 0 ? rc : -EAGAIN;
}

/* One pass over the components up to offset `stop` (SIZE_MAX: all). */
static int walk(struct making *m, size_t stop)
{
	auto_fd cur = in_root(m->root, ".", O_PATH | O_DIRECTORY);
	size_t pos = 0, end = 0;

	if (cur < 0)
		return -errno;
	while (pos < stop && next_component(m->text, &pos, &end) && pos < stop) {
		int fd = enter(m, cur, pos, end);
		if (fd < 0)
			return fd;
		fd_close(&cur);
		cur = fd;
		pos = end;
	}
	return take_fd(&cur);
}

static int start_making(struct making *m, int root, const char *path, mode_t mode)
{
	m->root = root;
	m->mode = mode;
	m->links = 0;
	if (strlen(path) >= sizeof(m->text))
		return -ENAMETOOLONG;
	memcpy(m->text, path, strlen(path) + 1);
	return 0;
}

int path_make_dir(int root, const char *path, mode_t mode, struct err *e)
{
	struct making m;
	int fd = in_root(root, path, O_PATH | O_DIRECTORY); /* nearly always there */
	int rc = fd < 0 ? -errno : 0;

	if (fd >= 0)
		return fd;
	if (rc == -ENOENT || rc == -EAGAIN)
		rc = start_making(&m, root, path, mode) < 0 ? -ENAMETOOLONG : -EAGAIN;
	for (int i = 0; rc == -EAGAIN && i < MAX_RETRY; i++) {
		rc = walk(&m, SIZE_MAX);
		if (rc >= 0)
			return rc;
	}
	return err_sys(e, -rc, NULL, "making the directory %s in the container's root", path);
}

/* Offset of the last component of s, or -1 when it is empty, "." or "..". */
static ssize_t last_component(const char *s)
{
	size_t len = strlen(s), begin;

	if (len == 0 || s[len - 1] == '/')
		return -1;
	for (begin = len; begin > 0 && s[begin - 1] != '/'; begin--)
		;
	if (strcmp(s + begin, ".") == 0 || strcmp(s + begin, "..") == 0 || len - begin > NAME_MAX)
		return -1;
	return (ssize_t)begin;
}

/* One try to open or create the file that m->text names. -EAGAIN: again. */
static int try_file(struct making *m)
{
	int fd = in_root(m->root, m->text, O_PATH);
	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : -errno;

	ssize_t begin = last_component(m->text);
	if (begin < 0)
		return -EINVAL;
	struct making dirs = *m;
	dirs.mode = 0755;
	auto_fd parent = walk(&dirs, (size_t)begin);
	if (parent == -EAGAIN) {
		/* The prefix changed length: take over the text with its last component. */
		m->links = dirs.links;
		memcpy(m->text, dirs.text, sizeof(m->text));
	}
	if (parent < 0)
		return parent;
	auto_fd made = openat(parent, m->text + begin,
			      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, m->mode);
	int code = errno;
	bool is_new = made >= 0;
	fd_close(&made); /* a writer left open would keep the root from becoming read-only */
	if (is_new)
		return just_made(parent, m->text + begin, 0);
	if (code != EEXIST)
		return code == ENOENT ? -EAGAIN : -code;
	int rc = splice_link(m, parent, (size_t)begin, strlen(m->text));
	return rc < 0 ? rc : -EAGAIN;
}

int path_make_file(int root, const char *path, mode_t mode, struct err *e)
{
	struct making m;
	struct stat st;
	int rc = start_making(&m, root, path, mode);

	if (rc == 0)
		rc = -EAGAIN;
	for (int i = 0; rc == -EAGAIN && i < MAX_RETRY; i++)
		rc = try_file(&m);
	auto_fd fd = rc;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		rc = -EISDIR;
	if (rc < 0)
		return err_sys(e, -rc, NULL, "making the file %s in the container's root", path);
	return take_fd(&fd);
}

int path_open_parent(int root, const char *path, const char **ret_name, struct err *e)
{
	ssize_t begin = last_component(path);
	char dir[PATH_MAX];

	if (begin < 0 || (size_t)begin >= sizeof(dir))
		return err_set(e, ERR_SPEC, EINVAL, NULL, "%s doesn't end in a file name", path);
	snprintf(dir, sizeof(dir), "%.*s", (int)begin, path);
	int fd = path_make_dir(root, dir, 0755, e);
	if (fd >= 0)
		*ret_name = path + begin;
	return fd;
}
