/* namespaces/copyup.c: tmpcopyup: what lay under a tmpfs is copied into it before it is attached.
 *
 * The source is the guest's tree: opened by descriptor, one component at a
 * time, links are copied as links and never followed; special files are left
 * out. Depth is bounded; size is bounded by the tmpfs.
 *
 * Descriptors are closed at once, by close_pair: one that stays open for writing
 * would keep the mount from becoming read-only.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 64

static int copy_tree(int from, int to, int depth, struct err *e);

static int close_pair(int *a, int *b, int rc)
{
	fd_close(a);
	fd_close(b);
	return rc;
}

static int copy_file(int from, int to, const char *name, const struct stat *st, struct err *e)
{
	auto_fd in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (in < 0 || out < 0)
		return err_sys(e, errno, NULL, "copying %s up", name);
	do
		n = sendfile(out, in, NULL, 1 << 20);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0 || fchown(out, st->st_uid, st->st_gid) < 0 ||
	    fchmod(out, st->st_mode & 07777) < 0)
		return err_sys(e, errno, NULL, "copying %s up", name);
	return close_pair(&in, &out, 0);
}

static int copy_link(int from, int to, const char *name, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return err_sys(e, errno, NULL, "copying %s up", name);
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 ? err_sys(e, errno, NULL, "copying %s up", name) : 0;
}

static int copy_dir(int from, int to, const char *name, const struct stat *st, int depth,
		    struct err *e)
{
	if (mkdirat(to, name, 0700) < 0)
		return err_sys(e, errno, NULL, "copying %s up", name);
	auto_fd in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0 || out < 0)
		return err_sys(e, errno, NULL, "copying %s up", name);
	int rc = copy_tree(in, out, depth + 1, e);
	if (rc < 0)
		return rc;
	if (fchown(out, st->st_uid, st->st_gid) < 0 || fchmod(out, st->st_mode & 07777) < 0)
		return err_sys(e, errno, NULL, "copying %s up", name);
	return close_pair(&in, &out, 0);
}

static int copy_entry(int from, int to, const char *name, int depth, struct err *e)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, NULL, "copying %s up", name);
	if (S_ISDIR(st.st_mode))
		return copy_dir(from, to, name, &st, depth, e);
	if (S_ISLNK(st.st_mode))
		return copy_link(from, to, name, e);
	return S_ISREG(st.st_mode) ? copy_file(from, to, name, &st, e) : 0;
}

static int copy_tree(int from, int to, int depth, struct err *e)
{
	int again = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *d;
	int rc = 0;

	if (!dir) {
		rc = err_sys(e, errno, NULL, "reading a directory to copy up");
		fd_close(&again);
		return rc;
	}
	if (depth > MAX_DEPTH)
		rc = err_sys(e, ELOOP, NULL, "copying up");
	while (rc >= 0 && (d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			rc = copy_entry(from, to, d->d_name, depth, e);
	closedir(dir);
	return rc;
}

static bool has_word(const struct ns_mount_opts *o, const char *word)
{
	for (size_t i = 0; i < o->n_fs; i++)
		if (str_starts(o->fs[i], word))
			return true;
	return false;
}

int ns_copy_up(int from, int to, const struct ns_mount_opts *o, struct err *e)
{
	struct stat st;
	auto_fd in = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		return err_sys(e, errno, NULL, "copying up");
	int rc = copy_tree(in, out, 0, e);
	/* The tmpfs takes over who owns the directory and who may enter it, unless it was told. */
	uid_t uid = has_word(o, "uid=") ? (uid_t)-1 : st.st_uid;
	gid_t gid = has_word(o, "gid=") ? (gid_t)-1 : st.st_gid;
	bool told = has_word(o, "mode=");
	if (rc >= 0 &&
	    (fchown(out, uid, gid) < 0 || (!told && fchmod(out, st.st_mode & 07777) < 0)))
		rc = err_sys(e, errno, NULL, "copying up");
	return close_pair(&in, &out, rc);
}
