/* microvm/initrd.c: the guest's first file system: this program as /init, and folders to mount on.
 */
#include "microvm/boot.h"

#include "microvm/cpio.h"

#include <errno.h>

static const char *const folders[] = {"dev", "proc", "sys", "run", "tmp", "root", "mnt"};

int vm_initrd_make(int program, void **ret_data, size_t *ret_len, struct err *e)
{
	auto_strbuf b = {0};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		vm_cpio_dir(&b, folders[i]);
	/* The kernel opens it for /init before anything is mounted. */
	vm_cpio_char_device(&b, "dev/console", 5, 1);
	int rc = vm_cpio_file(&b, "init", true, program, e);
	if (rc < 0)
		return rc;
	vm_cpio_end(&b);
	if (b.failed)
		return err_sys(e, ENOMEM, NULL, "making the guest's first file system");
	*ret_len = b.len;
	*ret_data = take_str(&b.s);
	return 0;
}
