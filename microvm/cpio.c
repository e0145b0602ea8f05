/* microvm/cpio.c: entries of a cpio archive. */
#include "microvm/cpio.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY 0040755u
#define PROGRAM 0100755u
#define PLAIN 0100644u
#define CHAR_DEVICE 0020600u

static void pad_to(struct strbuf *b, uint64_t len)
{
	static const char zero[4];

	strbuf_add(b, zero, -len & 3);
}

static void pad(struct strbuf *b)
{
	pad_to(b, b->len);
}

static void entry(struct strbuf *b, const char *name, unsigned mode, size_t size, unsigned major,
		  unsigned minor)
{
	/* Its place is its inode's number: one of its own. */
	unsigned inode = (unsigned)(b->len / 4) + 1;

	/* magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor,
	 * rdevminor, namesize, check */
	strbuf_printf(b, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", inode,
		      mode, 0, 0, 1, 0, size, 0, 0, major, minor, strlen(name) + 1, 0);
	strbuf_add(b, name, strlen(name) + 1);
	pad(b);
}

void vm_cpio_dir(struct strbuf *b, const char *name)
{
	entry(b, name, DIRECTORY, 0, 0, 0);
}

void vm_cpio_char_device(struct strbuf *b, const char *name, unsigned major, unsigned minor)
{
	entry(b, name, CHAR_DEVICE, 0, major, minor);
}

void vm_cpio_data(struct strbuf *b, const char *name, const void *data, size_t len)
{
	entry(b, name, PLAIN, len, 0, 0);
	strbuf_add(b, data, len);
	pad(b);
}

void vm_cpio_file_head(struct strbuf *b, const char *name, bool executable, uint64_t size)
{
	entry(b, name, executable ? PROGRAM : PLAIN, size, 0, 0);
}

void vm_cpio_file_tail(struct strbuf *b, uint64_t size)
{
	pad_to(b, size);
}

int vm_cpio_file(struct strbuf *b, const char *name, bool executable, int fd, struct err *e)
{
	struct stat st;
	char buf[65536];
	off_t done = 0;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, name, "reading what the guest starts with");
	vm_cpio_file_head(b, name, executable, (uint64_t)st.st_size);
	while (done < st.st_size) {
		size_t want = (size_t)(st.st_size - done);
		ssize_t n = pread(fd, buf, want < sizeof(buf) ? want : sizeof(buf), done);
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

void vm_cpio_end(struct strbuf *b)
{
	entry(b, "TRAILER!!!", 0, 0, 0, 0);
}
