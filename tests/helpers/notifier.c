/*
 * notifier: an agent of seccomp's user notifications.
 *
 *   notifier SOCKET FILE ERRNO
 *
 * Listens on SOCKET. Of every connection it takes one state document, which is
 * appended to FILE as a line, and one listener; every notified call fails with
 * ERRNO from then on, or with 0 returns 4242 without being made.
 *
 * A listener has a thread, not a process, of its own: who kills the agent has
 * killed all of it, and nobody holds SOCKET open any longer.
 */
#include "recvfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_MAX 65536

static int fail(const char *what)
{
	fprintf(stderr, "notifier: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The document ends where the connection does. */
static int receive(int s, int out)
{
	static char text[TEXT_MAX];
	ssize_t n;
	int fd = recvfd(s, text, sizeof(text), &n);

	if (fd < 0)
		return -1;
	for (; n > 0; n = read(s, text, sizeof(text)))
		if (write(out, text, (size_t)n) != n)
			return -1;
	return write(out, "\n", 1) == 1 ? fd : -1;
}

static int error_of_all;

static void *serve(void *arg)
{
	int listener = (int)(intptr_t)arg;

	for (;;) {
		struct seccomp_notif call;
		struct seccomp_notif_resp answer;

		memset(&call, 0, sizeof(call));
		memset(&answer, 0, sizeof(answer));
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) {
			if (errno == EINTR || errno == ENOENT)
				continue;
			(void)fail("receiving a call");
			return NULL;
		}
		answer.id = call.id;
		answer.error = -error_of_all;
		answer.val = error_of_all ? 0 : 4242;
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 && errno != ENOENT) {
			(void)fail("answering a call");
			return NULL;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (argc != 4 || strlen(argv[1]) >= sizeof(a.sun_path)) {
		fprintf(stderr, "usage: notifier SOCKET FILE ERRNO\n");
		return 2;
	}
	strcpy(a.sun_path, argv[1]);
	int out = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (out < 0 || l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 4) < 0)
		return fail(argv[1]);
	error_of_all = atoi(argv[3]);
	for (int s; (s = accept4(l, NULL, NULL, SOCK_CLOEXEC)) >= 0; close(s)) {
		int listener = receive(s, out);
		pthread_t t;

		if (listener < 0)
			return fail("no descriptor came");
		errno = pthread_create(&t, NULL, serve, (void *)(intptr_t)listener);
		if (errno)
			return fail("a thread for the listener");
	}
	return fail("accept");
}
