/* guest/shares.c: the host's shares, mounted when the first container needs them: a template that
 * was made before knows none.
 *
 * Invariant: under the lock of a directory of ours, for two requests may want it at once.
 */
#include "common/fd.h"
#include "guest/init.h"
#include "microvm/fs.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/statfs.h>

int guest_shares(const char *scratch, struct err *e)
{
	auto_fd lock = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (lock < 0 || flock(lock, LOCK_EX) < 0 || statfs(VM_SHARES_DIR, &fs) < 0)
		return err_sys(e, errno, VM_SHARES_DIR, "looking for the shares");
	if (fs.f_type == FUSE_SUPER_MAGIC)
		return 0;
	if (mount(VM_FS_TAG, VM_SHARES_DIR, "virtiofs", 0, NULL) < 0)
		return err_sys(e, errno, VM_SHARES_DIR, "mounting the shares");
	return 0;
}
