/*
 * recvtty: receives a terminal's master over a console socket and talks through it.
 *
 *   recvtty SOCKET [ROWS COLUMNS]
 *
 * Listens on SOCKET, takes one descriptor, sets its size when asked to, prints
 * the descriptor's name as the first line, then copies standard input to the
 * terminal and the terminal to standard output until the other side is closed.
 */
#include "recvfd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "recvtty: %s: %s\n", what, strerror(errno));
	return 1;
}

static int copy_some(int from, int to)
{
	char buf[4096];
	ssize_t n = read(from, buf, sizeof(buf));

	if (n <= 0)
		return -1;
	for (ssize_t done = 0, w; done < n; done += w) {
		w = write(to, buf + done, (size_t)(n - done));
		if (w < 0)
			return -1;
	}
	return 0;
}

static int talk(int tty)
{
	struct pollfd p[2] = {{.fd = tty, .events = POLLIN}, {.fd = 0, .events = POLLIN}};

	while (poll(p, 2, -1) >= 0) {
		if (p[0].revents && copy_some(tty, 1) < 0)
			return 0;
		if (p[1].revents && copy_some(0, tty) < 0)
			p[1].fd = -1;
	}
	return fail("poll");
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char name[256];

	if ((argc != 2 && argc != 4) || strlen(argv[1]) >= sizeof(a.sun_path)) {
		fprintf(stderr, "usage: recvtty SOCKET [ROWS COLUMNS]\n");
		return 2;
	}
	strcpy(a.sun_path, argv[1]);
	int l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 1) < 0)
		return fail(argv[1]);
	int s = accept(l, NULL, NULL);
	if (s < 0)
		return fail("accept");
	ssize_t n;
	int tty = recvfd(s, name, sizeof(name) - 1, &n);
	if (tty < 0)
		return fail("no descriptor came");
	name[n] = '\0';
	if (argc == 4) {
		struct winsize w = {.ws_row = (unsigned short)atoi(argv[2]),
				    .ws_col = (unsigned short)atoi(argv[3])};

		if (ioctl(tty, TIOCSWINSZ, &w) < 0)
			return fail("TIOCSWINSZ");
	}
	dprintf(1, "received %s\n", name);
	return talk(tty);
}
