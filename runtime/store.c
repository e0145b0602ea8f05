/* runtime/store.c: see store.h. */
#include "runtime/store.h"

#include "common/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int st_not_found(const char *id, struct err *e)
{
	return err_set(e, ERR_NOTFOUND, ENOENT, id, "container does not exist");
}

int st_open(int root, const char *id, int *ret_dir, struct err *e)
{
	int fd = openat(root, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return st_not_found(id, e);
	if (fd < 0)
		return err_sys(e, errno, id, "opening the container's state directory");
	if (fstat(fd, &st) < 0 || !st_may_own(st.st_uid)) {
		fd_close(&fd);
		return err_set(e, ERR_SYSTEM, EPERM, id,
			       "the container's state directory belongs to another user");
	}
	*ret_dir = fd;
	return 0;
}

/* The one that we hold may have been deleted, and made again, while we waited. Nobody renames one:
 * as long as it has a name, that is its own. */
static int still_there(const char *id, int dir, struct err *e)
{
	struct stat held;

	if (fstat(dir, &held) < 0)
		return err_sys(e, errno, id, "looking at the container's state directory");
	return held.st_nlink > 0 ? 0 : st_not_found(id, e);
}

int st_lock(const char *id, int dir, bool wait, struct err *e)
{
	int rc;

	do
		rc = flock(dir, LOCK_EX | (wait ? 0 : LOCK_NB));
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(e, errno, id, "locking the container");
	rc = still_there(id, dir, e);
	if (rc < 0)
		st_unlock(dir);
	return rc;
}

void st_unlock(int dir)
{
	(void)flock(dir, LOCK_UN);
}

bool st_busy(int dir)
{
	if (flock(dir, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK;
	st_unlock(dir);
	return false;
}

int st_make(int root, const char *id, int *ret_dir, struct err *e)
{
	auto_fd dir = -1;

	if (mkdirat(root, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(e, ERR_EXISTS, EEXIST, id,
				       "container with given ID already exists");
		return err_sys(e, errno, id, "making the container's state directory");
	}
	int rc = st_open(root, id, &dir, e);
	if (rc == 0)
		rc = st_lock(id, dir, true, e);
	if (rc < 0) {
		if (rc != -ENOENT)
			(void)unlinkat(root, id, AT_REMOVEDIR);
		return rc;
	}
	*ret_dir = take_fd(&dir);
	return 0;
}

static int remove_names(const char *id, int dir, const char *const *names, struct err *e)
{
	for (; *names; names++)
		if (unlinkat(dir, *names, 0) < 0 && errno != ENOENT)
			return err_sys(e, errno, id, "removing %s from the state directory",
				       *names);
	return 0;
}

int st_remove(int root, const char *id, int dir, struct err *e)
{
	static const char *const always[] = {"state.json", "config.json", "journal", NULL};
	static const char *const rarely[] = {"start.sock",      "agent.sock",
					     "console.log",     "state.json.new",
					     "config.json.new", "notify/notify.sock",
					     "awake",           "files.sock",
					     "machine.sock",    NULL};

	int rc = remove_names(id, dir, always, e);
	if (rc < 0 || unlinkat(root, id, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return rc;
	if (errno == ENOTEMPTY || errno == EEXIST)
		rc = remove_names(id, dir, rarely, e);
	if (rc == 0 && unlinkat(dir, "notify", AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = err_sys(e, errno, "notify", "removing the notify socket's directory");
	if (rc == 0 && unlinkat(root, id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = err_sys(e, errno, id, "removing the container's state directory");
	return rc;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_name(struct arena *a, const char ***names, size_t n, size_t *cap, const char *name)
{
	if (n == *cap) {
		size_t more = *cap ? *cap * 2 : 32;
		const char **grown = arena_array(a, more, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		for (size_t i = 0; i < n; i++)
			grown[i] = (*names)[i];
		*names = grown;
		*cap = more;
	}
	(*names)[n] = arena_strdup(a, name);
	return (*names)[n] ? 0 : -ENOMEM;
}

int st_list(int root, struct arena *a, const char ***ret_ids, size_t *ret_n, struct err *e)
{
	const char **names = NULL;
	size_t n = 0, cap = 0;
	auto_fd fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *item;
	int rc = 0;

	if (!d)
		return err_sys(e, errno, NULL, "listing the state root");
	(void)take_fd(&fd); /* the stream's now */
	while (rc == 0 && (item = readdir(d)) != NULL) {
		if (item->d_name[0] == '.' ||
		    (item->d_type != DT_DIR && item->d_type != DT_UNKNOWN))
			continue;
		rc = add_name(a, &names, n, &cap, item->d_name);
		n += rc == 0;
	}
	closedir(d);
	if (rc < 0)
		return err_sys(e, -rc, NULL, "listing the state root");
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	*ret_ids = names;
	*ret_n = n;
	return 0;
}
