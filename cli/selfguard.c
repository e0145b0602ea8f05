/* cli/selfguard.c: the binary can't be overwritten from inside (CVE-2019-5736).
 *
 * A container can get hold of the program that sets it up (/proc/PID/exe, or by
 * making its command a link to it) and open it for writing once it has ended.
 * So verbs that a guest may look at run from a detached, read-only clone of the
 * binary's mount: an open for writing through it gives EROFS. Whether we are
 * there already is read from the mount itself, not from a variable that a
 * caller could set. Without the right to mount, a sealed memory copy does it.
 *
 * Usually that has happened before main (cli/entry.c); here are the other ways, and the words.
 */
#include "cli/opt.h"

#include "common/fd.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define EXE "/proc/self/exe"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern char **environ;

static bool safe_already(void)
{
	struct statvfs fs;

	if (statvfs(EXE, &fs) == 0 && (fs.f_flag & ST_RDONLY))
		return true;
	/* Not writable for us, then not for a guest whose root is no more than we are. */
	return sys_caller() != 0 && access(EXE, W_OK) < 0;
}

static int readonly_clone(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	auto_fd fd = open_tree(AT_FDCWD, EXE, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -1;
	return take_fd(&fd);
}

static int sealed_copy(void)
{
	auto_fd self = open(EXE, O_RDONLY | O_CLOEXEC);
	auto_fd copy = memfd_create("ringfence", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;

	if (self < 0 || copy < 0 || fstat(self, &st) < 0)
		return -1;
	/* Sealed means that we run from such a copy already. */
	if (fcntl(self, F_GET_SEALS) == SEALS)
		return -2;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(copy, self, NULL, (size_t)left);
		if (n <= 0)
			return -1;
		left -= n;
	}
	if (fcntl(copy, F_ADD_SEALS, SEALS) < 0)
		return -1;
	return take_fd(&copy);
}

int cli_self_guard(char **argv, struct err *e)
{
	if (cli_guarded || safe_already())
		return 0;
	auto_fd fd = readonly_clone();
	if (fd < 0)
		fd = sealed_copy();
	if (fd == -2)
		return 0;
	if (fd >= 0)
		execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(e, errno, EXE, "going on in a protected copy of this program");
}
