/*
 * inject: puts a character into the input of the terminal on standard input, as its reader's user
 * would type it (TIOCSTI; TIOCLINUX pastes a selection), and says what the kernel answers; first as
 * it is, then once more after it tried to make the terminal its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static void put(const char *name, unsigned long request, void *arg)
{
	printf("%s %s\n", name, ioctl(0, request, arg) < 0 ? strerrorname_np(errno) : "ok");
}

int main(void)
{
	char typed = '#', paste = 3; /* TIOCL_PASTESEL, ioctl_console(2) */

	put("TIOCSTI", TIOCSTI, &typed);
	put("TIOCLINUX", TIOCLINUX, &paste);
	put("TIOCSCTTY", TIOCSCTTY, NULL);
	put("TIOCSTI-again", TIOCSTI, &typed);
	/* Nobody but the one who asked shall read what was typed. */
	tcflush(0, TCIFLUSH);
	return 0;
}
