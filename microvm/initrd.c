/* microvm/initrd.c: the guest's first file system: this program as /init, and folders to mount on.
 */
#include "microvm/boot.h"

#include "microvm/cpio.h"

#include <errno.h>
#include <sys/stat.h>

static const char *const folders[] = {"dev", "proc", "sys", "run", "tmp", "root", "mnt"};

int vm_initrd_make(int program, struct vm_initrd *ret, struct err *e)
{
	struct stat st;

	*ret = (struct vm_initrd){.file = program};
	if (fstat(program, &st) < 0)
		return err_sys(e, errno, NULL, "reading the guest's first program");
	ret->file_len = (uint64_t)st.st_size;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		vm_cpio_dir(&ret->head, folders[i]);
	/* The kernel opens it for /init before anything is mounted. */
	vm_cpio_char_device(&ret->head, "dev/console", 5, 1);
	vm_cpio_file_head(&ret->head, "init", true, ret->file_len);
	vm_cpio_file_tail(&ret->tail, ret->file_len);
	vm_cpio_end(&ret->tail);
	if (ret->head.failed || ret->tail.failed)
		return err_sys(e, ENOMEM, NULL, "making the guest's first file system");
	return 0;
}

void vm_initrd_free(struct vm_initrd *i)
{
	strbuf_free(&i->head);
	strbuf_free(&i->tail);
}
