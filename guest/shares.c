/* guest/shares.c: the host's shares, mounted when the first container needs them: a template that
 * was made before knows none. Each share is a mount below that one, which the kernel makes by
 * itself when somebody walks in; of those that the host has taken back, nobody but us takes it off.
 *
 * Invariant: under the lock of a directory of ours, for two requests may want it at once.
 */
#include "common/fd.h"
#include "common/file.h"
#include "guest/init.h"
#include "guest/work.h"
#include "microvm/fs.h"
#include "microvm/proto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#define MOUNTS_MAX (4u << 20) /* bytes of /proc/self/mounts */

/* *ret_lock is held until it is closed. */
static int look(const char *scratch, int *ret_lock, bool *ret_mounted, struct err *e)
{
	auto_fd lock = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (lock < 0 || flock(lock, LOCK_EX) < 0 || statfs(VM_SHARES_DIR, &fs) < 0)
		return err_sys(e, errno, VM_SHARES_DIR, "looking for the shares");
	*ret_mounted = fs.f_type == FUSE_SUPER_MAGIC;
	*ret_lock = take_fd(&lock);
	return 0;
}

int guest_shares(const char *scratch, struct err *e)
{
	auto_fd lock = -1;
	bool mounted = false;
	int rc = look(scratch, &lock, &mounted, e);

	if (rc < 0 || mounted)
		return rc;
	if (mount(VM_FS_TAG, VM_SHARES_DIR, "virtiofs", 0, NULL) < 0)
		return err_sys(e, errno, VM_SHARES_DIR, "mounting the shares");
	return 0;
}

/* Asked of the listing, for a name may be remembered a while after it went. */
static bool is_shared(const char *name, size_t len)
{
	DIR *d = opendir(VM_SHARES_DIR);
	bool found = !d;

	for (struct dirent *t; d && !found && (t = readdir(d));)
		found = strlen(t->d_name) == len && memcmp(t->d_name, name, len) == 0;
	if (d)
		closedir(d);
	return found;
}

/* A line of /proc/self/mounts: where it is mounted is the second word. */
static void tidy_one(const char *line)
{
	const char *at = strchr(line, ' ');
	char path[sizeof(VM_SHARES_DIR) + 1 + NAME_MAX];

	if (!at || !str_starts(at + 1, VM_SHARES_DIR "/"))
		return;
	const char *name = at + 1 + strlen(VM_SHARES_DIR "/");
	size_t len = strcspn(name, " /");
	if (len == 0 || len > NAME_MAX || name[len] == '/' || is_shared(name, len))
		return;
	snprintf(path, sizeof(path), "%s/%.*s", VM_SHARES_DIR, (int)len, name);
	(void)umount2(path, MNT_DETACH);
}

int guest_tidy(struct guest_job *j, struct err *e)
{
	auto_fd lock = -1;
	auto_str text = NULL;
	bool mounted = false;
	char *rest = NULL;
	int rc = look(j->place->scratch, &lock, &mounted, e);

	if (rc < 0 || !mounted)
		return rc;
	rc = file_read_at(AT_FDCWD, "/proc/self/mounts", MOUNTS_MAX, &text, NULL, e);
	for (char *l = rc < 0 ? NULL : strtok_r(text, "\n", &rest); l;
	     l = strtok_r(NULL, "\n", &rest))
		tidy_one(l);
	return rc;
}
