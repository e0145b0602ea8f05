/* microvm/initrd.c: the guest's first file system: this program as /init, and folders to mount on.
 */
#include "microvm/boot.h"

#include "common/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY 0040755u
#define PROGRAM 0100755u
#define CONSOLE 0020600u

static const char *const folders[] = {"dev", "proc", "sys", "run", "tmp", "root", "mnt"};

static void pad(struct strbuf *b)
{
	static const char zero[4];

	strbuf_add(b, zero, -b->len & 3);
}

/* device: major and minor of a node, or 0. */
static void entry(struct strbuf *b, const char *name, unsigned mode, size_t size, unsigned major,
		  unsigned minor)
{
	static unsigned inode;

	/* magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor,
	 * rdevminor, namesize, check */
	strbuf_printf(b, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", ++inode,
		      mode, 0, 0, 1, 0, size, 0, 0, major, minor, strlen(name) + 1, 0);
	strbuf_add(b, name, strlen(name) + 1);
	pad(b);
}

static int add_file(struct strbuf *b, const char *name, unsigned mode, int fd, struct err *e)
{
	struct stat st;
	char buf[65536];
	off_t done = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, name, "reading what the guest starts with");
	entry(b, name, mode, (size_t)st.st_size, 0, 0);
	while (done < st.st_size) {
		ssize_t n = pread(fd, buf, sizeof(buf), done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, n < 0 ? errno : EIO, name,
				       "reading what the guest starts with");
		strbuf_add(b, buf, (size_t)n);
		done += n;
	}
	pad(b);
	return 0;
}

int vm_initrd_make(int program, int modules, void **ret_data, size_t *ret_len, struct err *e)
{
	auto_strbuf b = {0};

	(void)modules;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		entry(&b, folders[i], DIRECTORY, 0, 0, 0);
	/* The kernel opens it for /init before anything is mounted. */
	entry(&b, "dev/console", CONSOLE, 0, 5, 1);
	int rc = add_file(&b, "init", PROGRAM, program, e);
	if (rc < 0)
		return rc;
	entry(&b, "TRAILER!!!", 0, 0, 0, 0);
	if (b.failed)
		return err_sys(e, ENOMEM, NULL, "making the guest's first file system");
	*ret_len = b.len;
	*ret_data = take_str(&b.s);
	return 0;
}
