/* common/fd.h: ownership of file descriptors.
 *
 * Whoever holds an `auto_fd` owns it and closes it at the end of the scope;
 * take_fd() passes it on. A plain `int fd` parameter is borrowed. Every
 * descriptor is close-on-exec from birth.
 */
#ifndef RF_COMMON_FD_H
#define RF_COMMON_FD_H

#include "common/err.h"

#include <unistd.h>

#define auto_fd __attribute__((cleanup(fd_cleanup))) int

/* Closes *fd when it is not negative and sets it to -1. errno is kept. */
void fd_close(int *fd);
/* The end of an auto_fd's scope: as fd_close, unless fd_lazy was called. */
void fd_cleanup(int *fd);
/* For a process that is about to execve: from now on the end of a scope leaves low descriptors to
 * close-on-exec, which closes all of them in one call. fd_close still closes at once. */
void fd_lazy(void);

/* Moves the descriptor out of *fd, which becomes -1. */
static inline int take_fd(int *fd)
{
	int v = *fd;
	*fd = -1;
	return v;
}

/* Sends one descriptor with len bytes of payload over a unix socket (unix(7), SCM_RIGHTS). */
int fd_send(int sock, int fd, const void *data, unsigned long len, struct err *e);

/* Receives at most one descriptor; *ret_fd is -1 when none came. Returns payload length. */
int fd_recv(int sock, void *data, unsigned long len, int *ret_fd, struct err *e);

/* Marks every descriptor from `first` upwards close-on-exec (close_range(2)). */
int fd_cloexec_from(unsigned first, struct err *e);

#endif
