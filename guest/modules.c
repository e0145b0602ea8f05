/* guest/modules.c: a distribution's kernel has its virtio drivers as modules; what it needs lies in
 * the initramfs, in the order in which it has to be loaded.
 *
 * /lib/modules-ringfence/order: file names, one a line. Files are removed once they are loaded: an
 * initramfs is memory.
 */
#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"
#include "guest/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/module.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DIR_PATH "/lib/modules-ringfence"
#define ORDER_MAX 65536

static int load(int dir, const char *name, struct err *e)
{
	size_t n = strlen(name);
	bool packed = (n > 3 && str_eq(name + n - 3, ".xz")) ||
		      (n > 3 && str_eq(name + n - 3, ".gz")) ||
		      (n > 4 && str_eq(name + n - 4, ".zst"));
	auto_fd fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, name, "opening the module");
	if (syscall(SYS_finit_module, fd, "", packed ? MODULE_INIT_COMPRESSED_FILE : 0) < 0 &&
	    errno != EEXIST)
		return err_sys(e, errno, name, "loading the module");
	(void)unlinkat(dir, name, 0);
	return 0;
}

int guest_modules(struct err *e)
{
	auto_fd dir = open(DIR_PATH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_str order = NULL;
	char *rest = NULL;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, DIR_PATH, "opening");
	int rc = file_read_at(dir, "order", ORDER_MAX, &order, NULL, e);
	for (char *w = rc < 0 ? NULL : strtok_r(order, "\n", &rest); w && rc >= 0;
	     w = strtok_r(NULL, "\n", &rest))
		rc = load(dir, w, e);
	return rc;
}
