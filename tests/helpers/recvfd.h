/* recvfd.h: one descriptor with its message over a connected unix socket (unix(7), SCM_RIGHTS), for
 * the helpers that are each one file. */
#ifndef RF_TESTS_RECVFD_H
#define RF_TESTS_RECVFD_H

#include <string.h>
#include <sys/socket.h>

/* The descriptor, close-on-exec and the caller's, or -1; *ret_n: bytes of the message in text,
 * which nothing ends. */
static inline int recvfd(int s, char *text, size_t size, ssize_t *ret_n)
{
	union {
		char b[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec v = {text, size};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control.b,
			   .msg_controllen = sizeof(control.b)};
	ssize_t n = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int fd = -1;

	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	*ret_n = n;
	return fd;
}

#endif
