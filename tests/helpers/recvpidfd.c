/*
 * recvpidfd: receives a pidfd over a socket and says whose it is.
 *
 *   recvpidfd SOCKET
 *
 * Listens on SOCKET, takes one descriptor with its message, prints the message, the pid that the
 * descriptor stands for, and, when that process has ended, a third line.
 */
#include "recvfd.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "recvpidfd: %s: %s\n", what, strerror(errno));
	return 1;
}

static int pid_of(int fd)
{
	char path[64], line[128];
	int pid = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pid: %d", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid;
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char text[256];
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 2 || strlen(argv[1]) >= sizeof(a.sun_path))
		return 2;
	memcpy(a.sun_path, argv[1], strlen(argv[1]) + 1);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0)
		return fail(argv[1]);
	int conn = accept(s, NULL, NULL);
	ssize_t n = 0;
	int fd = conn < 0 ? -1 : recvfd(conn, text, sizeof(text) - 1, &n);
	if (fd < 0)
		return fail("receiving");
	text[n] = '\0';
	printf("%s\n%d\n", text, pid_of(fd));
	fflush(stdout);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (poll(&p, 1, -1) < 0)
		return fail("poll");
	printf("ended\n");
	return 0;
}
