/* runtime/root.c: the state root, found and opened.
 *
 * Root's is /run/ringfence, whatever its environment says. Everybody else's is
 * $XDG_RUNTIME_DIR/ringfence; without that variable, in the first of these that is there for him:
 * /run (root of a user namespace that has its own), /run/user/UID, or /tmp, as ringfence-UID.
 *
 * Invariants
 *  1. The root belongs to us or to root, and nobody else may write in it: whoever could would
 *     choose what we kill and remove. The directory that it lies in is nobody else's either, so
 *     that it can't be exchanged; a link in its place is followed only if it is ours or root's.
 *  2. Root's may be passed through but not listed (0711), a user's is his alone (0700); each
 *     container's directory is 0700.
 */
#include "common/file.h"
#include "common/sys.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_ROOT "/run/ringfence"
#define OVERFLOW_UID 65534u /* unless /proc/sys/kernel/overflowuid says otherwise */

bool rt_is_rootless(const struct rt_env *env)
{
	if (env->rootless != RT_ROOTLESS_AUTO)
		return env->rootless == RT_ROOTLESS_TRUE;
	return sys_is_unprivileged();
}

/* Who we are outside our user namespace (user_namespaces(7)). */
static unsigned outer_uid(void)
{
	auto_str map = NULL;
	struct err ignored;
	unsigned inside, outside;

	if (sys_caller() == 0 &&
	    file_read_at(AT_FDCWD, "/proc/self/uid_map", 1u << 16, &map, NULL, &ignored) >= 0 &&
	    sscanf(map, "%u %u", &inside, &outside) == 2 && inside == 0)
		return outside;
	return (unsigned)sys_caller();
}

/* Where the user manager's directory would be, had the variable been handed on. */
static int without_variable(char **ret_root)
{
	char dir[64];
	struct stat st;

	if (sys_caller() == 0 && faccessat(AT_FDCWD, "/run", W_OK, AT_EACCESS) == 0)
		return asprintf(ret_root, SYSTEM_ROOT);
	snprintf(dir, sizeof(dir), "/run/user/%u", outer_uid());
	if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == sys_caller())
		return asprintf(ret_root, "%s/ringfence", dir);
	return asprintf(ret_root, "/tmp/ringfence-%u", outer_uid());
}

int rt_default_root(char **ret_root, struct err *e)
{
	bool user = sys_is_unprivileged();
	const char *dir = user ? getenv("XDG_RUNTIME_DIR") : NULL;
	char *root;
	int n;

	if (!user)
		n = asprintf(&root, SYSTEM_ROOT);
	else if (dir && dir[0] == '/')
		n = asprintf(&root, "%s/ringfence", dir);
	else
		n = without_variable(&root);
	if (n < 0)
		return err_sys(e, ENOMEM, NULL, "naming the state root");
	*ret_root = root;
	return 0;
}

/* A user's is sticky: what cleans a runtime directory up passes over it (XDG base directory
 * specification). */
static int make_parents(const char *path, struct err *e)
{
	const mode_t mode = sys_caller() == 0 ? 0711 : S_ISVTX | 0700;
	auto_str copy = strdup(path);

	if (!copy)
		return err_sys(e, ENOMEM, path, "making the state root");
	for (char *p = copy + 1; *copy; p++) {
		char was = *p;
		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return err_sys(e, errno, copy, "making the state root");
		*p = was;
		if (was == '\0')
			break;
	}
	return 0;
}

/* Within a user namespace the host's root, like everybody without a name there, is the overflow
 * user (user_namespaces(7)). */
bool st_may_own(uid_t uid)
{
	return uid == sys_caller() || uid == 0;
}

static bool may_own_parent(uid_t uid)
{
	return st_may_own(uid) || (uid == OVERFLOW_UID && sys_is_unprivileged());
}

/* (1) */
static int check_owner(int fd, const char *path, struct err *e)
{
	struct stat st, up;

	if (fstat(fd, &st) < 0 || fstatat(fd, "..", &up, 0) < 0)
		return err_sys(e, errno, path, "reading the state root");
	if (!st_may_own(st.st_uid))
		return err_set(e, ERR_SYSTEM, EPERM, path,
			       "the state root belongs to another user (%u)", st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX))
		return err_set(e, ERR_SYSTEM, EPERM, path,
			       "the state root can be written by others; chmod go-w it");
	if (!may_own_parent(up.st_uid))
		return err_set(e, ERR_SYSTEM, EPERM, path,
			       "the directory that the state root lies in belongs to another user "
			       "(%u)",
			       up.st_uid);
	if (up.st_mode & S_IWOTH && !(up.st_mode & S_ISVTX))
		return err_set(e, ERR_SYSTEM, EPERM, path,
			       "the directory that the state root lies in can be written by "
			       "everybody");
	return 0;
}

static int open_dir(const char *path)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct stat st;
	int fd = open(path, flags | O_NOFOLLOW);

	/* A link gives ENOTDIR. */
	if (fd >= 0 || errno != ENOTDIR)
		return fd;
	if (lstat(path, &st) < 0 || !S_ISLNK(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	if (!st_may_own(st.st_uid)) {
		errno = ELOOP;
		return -1;
	}
	return open(path, flags);
}

int st_root(const char *path, bool create, int *ret_fd, struct err *e)
{
	auto_fd fd = open_dir(path);

	if (fd < 0 && errno == ENOENT && create) {
		int rc = make_parents(path, e);
		if (rc < 0)
			return rc;
		fd = open_dir(path);
	}
	if (fd < 0 && errno == ELOOP)
		return err_set(e, ERR_SYSTEM, EPERM, path,
			       "the state root is a symbolic link that another user made");
	if (fd < 0)
		return err_sys(e, errno, path, "opening the state root");
	int rc = check_owner(fd, path, e);
	if (rc < 0)
		return rc;
	*ret_fd = take_fd(&fd);
	return 0;
}
