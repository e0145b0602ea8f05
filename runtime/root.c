/* runtime/root.c: the state root, found and opened.
 *
 * Invariants
 *  1. The root belongs to us or to root, and nobody else may write in it: whoever could would
 *     choose what we kill and remove.
 *  2. It may be passed through but not listed (0711); each container's directory is 0700.
 */
#include "common/sys.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SYSTEM_ROOT "/run/ringfence"
/* Fixed by the kernel, and part of its ABI as USER_NS_INIT_INO of linux/nsfs.h. */
#define FIRST_USER_NS 0xEFFFFFFDu

/* Root in a user namespace of its own is nobody on the host, and may not write in /run. */
static bool in_first_user_ns(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == FIRST_USER_NS;
}

static bool unprivileged(void)
{
	return sys_caller() != 0 || !in_first_user_ns();
}

bool rt_is_rootless(const struct rt_env *env)
{
	if (env->rootless != RT_ROOTLESS_AUTO)
		return env->rootless == RT_ROOTLESS_TRUE;
	return unprivileged();
}

int rt_default_root(char **ret_root, struct err *e)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	struct rt_env none = {0};
	char *root;

	if (dir && dir[0] == '/' && rt_is_rootless(&none)) {
		if (asprintf(&root, "%s/ringfence", dir) < 0)
			return err_sys(e, ENOMEM, dir, "naming the state root");
	} else {
		root = strdup(SYSTEM_ROOT);
		if (!root)
			return err_sys(e, ENOMEM, NULL, "naming the state root");
	}
	*ret_root = root;
	return 0;
}

static int make_parents(const char *path, struct err *e)
{
	auto_str copy = strdup(path);

	if (!copy)
		return err_sys(e, ENOMEM, path, "making the state root");
	for (char *p = copy + 1; *copy; p++) {
		char was = *p;
		if (was != '/' && was != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0711) < 0 && errno != EEXIST)
			return err_sys(e, errno, copy, "making the state root");
		*p = was;
		if (was == '\0')
			break;
	}
	return 0;
}

static int check_owner(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, path, "reading the state root");
	if (st.st_uid != sys_caller() && st.st_uid != 0)
		return err_set(e, ERR_SYSTEM, EPERM, path,
			       "the state root belongs to another user (%u)", st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX))
		return err_set(e, ERR_SYSTEM, EPERM, path,
			       "the state root can be written by others; chmod go-w it");
	return 0;
}

static int open_dir(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
	if (fd < 0)
		return err_sys(e, errno, path, "opening the state root");
	int rc = check_owner(fd, path, e);
	if (rc < 0)
		return rc;
	*ret_fd = take_fd(&fd);
	return 0;
}
