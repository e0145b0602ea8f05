/* common/file.h: whole files, read and written, on trusted paths.
 *
 * Trusted means: the host's own files and the state directory. A path inside a
 * container's root goes through common/path.h, a procfs path through
 * common/proc.h.
 */
#ifndef RF_COMMON_FILE_H
#define RF_COMMON_FILE_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads dirfd/path wholly into malloc'ed, zero-terminated *ret_data (the caller frees).
 * Fails with EFBIG past max bytes. Works on files without a size (procfs, cgroupfs, pipes). */
int file_read_at(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len,
		 struct err *e);
/* The same from an open descriptor. `name` is for the message. */
int file_read_fd(int fd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		 struct err *e);
/* The same of a regular file that has `size` bytes (0: not known): no further read to see its end.
 */
int file_read_sized(int fd, const char *name, size_t size, size_t max, char **ret_data,
		    size_t *ret_len, struct err *e);
/* One open, one write, one close: for cgroup and procfs files, which take one write. */
int file_write_at(int dirfd, const char *path, const char *data, size_t len, struct err *e);
/* Writes through a temporary name and rename(2): readers see the old or the new whole. */
int file_replace_at(int dirfd, const char *path, const char *data, size_t len, mode_t mode,
		    struct err *e);
/* Writes all of data to fd, over short writes and EINTR. -errno on failure. */
int file_write_all(int fd, const void *data, size_t len);
/* The same at an offset, by pwrite(2): fd's own position stays. -errno on failure. */
int file_write_all_at(int fd, const void *data, size_t len, uint64_t offset);

#endif
