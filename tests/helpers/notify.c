/*
 * notify: the two ends of sd_notify(3).
 *
 *   notify TEXT            sends TEXT to $NOTIFY_SOCKET; "\n" in it is a line's end
 *   notify -l SOCKET       binds SOCKET and prints every message, one line of it a line
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int print_all(int s, const struct sockaddr_un *a)
{
	char text[4097];
	ssize_t n;

	if (bind(s, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return fail("notify: bind");
	while ((n = recv(s, text, sizeof(text) - 1, 0)) >= 0) {
		text[n] = '\0';
		printf("%s%s", text, n && text[n - 1] == '\n' ? "" : "\n");
		fflush(stdout);
	}
	return fail("notify: recv");
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int listening = argc == 3 && strcmp(argv[1], "-l") == 0;
	const char *path = listening ? argv[2] : getenv("NOTIFY_SOCKET");
	int s = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (s < 0 || argc < 2 || !path || strlen(path) >= sizeof(a.sun_path))
		return 2;
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (listening)
		return print_all(s, &a);
	for (char *p = argv[1]; (p = strstr(p, "\\n"));) {
		*p = '\n';
		memmove(p + 1, p + 2, strlen(p + 2) + 1);
	}
	if (sendto(s, argv[1], strlen(argv[1]), 0, (struct sockaddr *)&a, sizeof(a)) < 0)
		return fail("notify: send");
	return 0;
}
