/* common/fd.c: see fd.h. */
#include "common/fd.h"

#include <errno.h>
#include <linux/close_range.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* High ones are closed all the same: a long plan must not run into RLIMIT_NOFILE. */
#define LAZY_BELOW 256

static bool lazy;

void fd_lazy(void)
{
	lazy = true;
}

void fd_cleanup(int *fd)
{
	if (*fd >= 0 && !(lazy && *fd < LAZY_BELOW))
		fd_close(fd);
}

int fd_send(int sock, int fd, const void *data, unsigned long len, struct err *e)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, NULL, "sending a message over a unix socket");
	return (unsigned long)n == len ? 0 : err_sys(e, EIO, NULL, "a message was cut short");
}

/* Keeps the first descriptor of a message and closes every other one. */
static int take_rights(struct msghdr *msg)
{
	int kept = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

int fd_recv(int sock, void *data, unsigned long len, int *ret_fd, struct err *e)
{
	union {
		char buf[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf)};
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, errno, NULL, "receiving from a unix socket");
	int fd = take_rights(&msg);
	if (msg.msg_flags & MSG_TRUNC) {
		fd_close(&fd);
		return err_set(e, ERR_INTERNAL, EPROTO, NULL, "a message was longer than expected");
	}
	*ret_fd = fd;
	return (int)n;
}

int fd_cloexec_from(unsigned first, struct err *e)
{
	if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(e, errno, NULL, "marking descriptors from %u close-on-exec", first);
	return 0;
}
