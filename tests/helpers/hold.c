/*
 * hold: a program with something that a checkpoint takes along only when it is asked to, or that
 * only the program itself can tell of.
 *
 *   hold lock FILE         holds a lock of FILE (flock(2))
 *   hold socket PATH       a datagram socket that stays connected to PATH and sends a growing
 * number hold keyring           prints the number of its session keyring, and ends
 *
 * The first two print "held" when they have it.
 */
#include <fcntl.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static void held(void)
{
	puts("held");
	fflush(stdout);
}

static int lock(const char *file)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return fail(file);
	held();
	for (;;)
		pause();
}

static int talk(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		return 2;
	strcpy(a.sun_path, path);
	if (s < 0 || connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		return fail(path);
	held();
	for (unsigned n = 1;; n++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", n);
		if (send(s, text, strlen(text), MSG_NOSIGNAL) < 0)
			return fail("sending");
		usleep(20000);
	}
}

static int keyring(void)
{
	long n = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);

	if (n < 0)
		return fail("keyring");
	printf("%ld\n", n);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "keyring") == 0)
		return keyring();
	if (argc == 3 && strcmp(argv[1], "lock") == 0)
		return lock(argv[2]);
	if (argc == 3 && strcmp(argv[1], "socket") == 0)
		return talk(argv[2]);
	fprintf(stderr, "usage: hold lock FILE | socket PATH | keyring\n");
	return 2;
}
