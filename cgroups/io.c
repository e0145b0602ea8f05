/* cgroups/io.c: one control file, read or written.
 *
 * Control files take a whole value in one write and give it in one read, so there is no
 * buffering and no retry of halves.
 *
 * Invariants
 *  1. No message is made here: the caller knows who asked for the value.
 *  2. Nothing is ever created: a control file exists or it doesn't.
 */
#include "cgroups/internal.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int open_control(const char *dir, const char *file, int flags)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, file) >= sizeof(path))
		return -ENAMETOOLONG;
	int fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cg_write(const char *dir, const char *file, const char *data)
{
	auto_fd fd = open_control(dir, file, O_WRONLY);
	if (fd < 0)
		return fd;
	size_t len = strlen(data);
	ssize_t n;
	do
		n = write(fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

long cg_read(const char *dir, const char *file, char *buf, size_t size)
{
	auto_fd fd = open_control(dir, file, O_RDONLY);
	if (fd < 0)
		return fd;
	ssize_t n;
	do
		n = read(fd, buf, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

int64_t cg_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
