/* common/file.c: see file.h. */
#include "common/file.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_sized(int fd, const char *name, size_t size, size_t max, char **ret_data,
		    size_t *ret_len, struct err *e)
{
	auto_strbuf b = {0};
	char chunk[16384];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, errno, name, "reading");
		strbuf_add(&b, chunk, (size_t)n);
		if (b.failed)
			return err_sys(e, ENOMEM, name, "reading");
		if (b.len > max)
			return err_set(e, ERR_SYSTEM, EFBIG, name, "longer than %zu bytes", max);
		if (n == 0 || (size && b.len >= size))
			break;
	}
	*ret_data = take_str(&b.s);
	if (ret_len)
		*ret_len = b.len;
	return 0;
}

int file_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		 struct err *e)
{
	return file_read_sized(fd, name, 0, max, ret_data, ret_len, e);
}

int file_read_at(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len,
		 struct err *e)
{
	auto_fd fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, errno, path, "opening");
	return file_read_fd(fd, path, max, ret_data, ret_len, e);
}

/* How much of the data fits a one-line message. */
static int first_line(const char *data, size_t len)
{
	int n = 0;

	while (n < 80 && (size_t)n < len && data[n] && data[n] != '\n')
		n++;
	return n;
}

int file_write_at(int dirfd, const char *path, const char *data, size_t len, struct err *e)
{
	auto_fd fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return err_sys(e, errno, path, "opening for writing");
	do
		n = write(fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, path, "writing \"%.*s\"", first_line(data, len), data);
	return (size_t)n == len ? 0 : err_sys(e, EIO, path, "writing was cut short");
}

int file_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write_all_at(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *p = data;

	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, p + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int create_new(int dirfd, const char *path, mode_t mode)
{
	return openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

int file_replace_at(int dirfd, const char *path, const char *data, size_t len, mode_t mode,
		    struct err *e)
{
	char tmp[4096];

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return err_sys(e, ENAMETOOLONG, path, "writing");
	auto_fd fd = create_new(dirfd, tmp, mode);
	/* What a killed predecessor left under this name is ours to take away. */
	if (fd < 0 && errno == EEXIST) {
		(void)unlinkat(dirfd, tmp, 0);
		fd = create_new(dirfd, tmp, mode);
	}
	if (fd < 0)
		return err_sys(e, errno, tmp, "creating");
	int rc = file_write_all(fd, data, len);
	if (rc < 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return err_sys(e, -rc, tmp, "writing");
	}
	if (renameat(dirfd, tmp, dirfd, path) < 0) {
		rc = errno;
		(void)unlinkat(dirfd, tmp, 0);
		return err_sys(e, rc, path, "renaming into place");
	}
	return 0;
}
