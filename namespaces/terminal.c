/* namespaces/terminal.c: the container's pty.
 *
 * Invariants
 *  1. The pty comes from the container's own devpts, opened beneath its root by the path layer.
 *  2. The slave is reached from the master (TIOCGPTPEER), never by its name: /dev/pts is the
 *     guest's to play with (CVE-2025-52565).
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/path.h"
#include "common/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

static int open_master(int root, struct err *e)
{
	struct statfs fs;
	auto_fd fd = path_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, e);

	if (fd < 0)
		return err_wrap(e, fd, "process.terminal needs a devpts mount on /dev/pts");
	if (fstatfs(fd, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC)
		return err_set(e, ERR_SPEC, ENOTTY, "/process/terminal",
			       "/dev/pts in the container isn't a devpts");
	return take_fd(&fd);
}

static int set_size(int slave, const struct spec_process *p, struct err *e)
{
	struct winsize ws = {.ws_row = (unsigned short)p->console_height.v,
			     .ws_col = (unsigned short)p->console_width.v};

	/* Without one, the caller's own terminal's, before the program can ask: the foreground,
	 * which follows its changes, looks at it only later. */
	if ((!p->console_height.set || !p->console_width.set || (!ws.ws_row && !ws.ws_col)) &&
	    ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0)
		return 0;
	if (ioctl(slave, TIOCSWINSZ, &ws) < 0)
		return err_sys(e, errno, "/process/consoleSize", "setting the terminal's size");
	return 0;
}

int ns_terminal_open(const struct ns_process *p, int *ret_master, char *ret_name, size_t size,
		     struct err *e)
{
	unsigned number;
	int unlock = 0;
	auto_fd master = open_master(p->root, e);

	if (master < 0)
		return master;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
		return err_sys(e, errno, "/process/terminal", "unlocking the pty");
	auto_fd slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(e, errno, "/process/terminal", "opening the pty's other side");
	int rc = set_size(slave, p->process, e);
	if (rc < 0)
		return rc;
	/* The program writes to it under its own uid. */
	if (fchown(slave, p->process->user.uid, (gid_t)-1) < 0 && errno != EPERM && errno != EROFS)
		return err_sys(e, errno, "/process/terminal", "giving the pty to user %u",
			       p->process->user.uid);
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_sys(e, errno, "/process/terminal", "taking the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return err_sys(e, errno, "/process/terminal", "placing the terminal");
	snprintf(ret_name, size, "/dev/pts/%u", number);
	*ret_master = take_fd(&master);
	return 0;
}

int ns_terminal_console(int root, struct err *e)
{
	auto_fd target = path_make_file(root, "/dev/console", 0620, e);

	if (target < 0)
		return target;
	auto_fd tree = open_tree(0, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 ||
	    move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, errno, "/process/terminal", "mounting the pty on /dev/console");
	return 0;
}

/* What comes out of a foreground's terminal goes to another one, or to a file: the one translates
 * newlines itself, the other wants none translated. As runc. */
static int plain_newlines(int master, struct err *e)
{
	struct termios t;

	if (tcgetattr(master, &t) < 0)
		return err_sys(e, errno, "/process/terminal", "reading the terminal's settings");
	t.c_oflag &= ~(tcflag_t)ONLCR;
	if (tcsetattr(master, TCSANOW, &t) < 0)
		return err_sys(e, errno, "/process/terminal", "changing the terminal's settings");
	return 0;
}

int ns_terminal_deliver(int master, const char *name, int console_fd, bool plain, int sync,
			struct err *e)
{
	int rc = plain || console_fd < 0 ? plain_newlines(master, e) : 0;

	if (rc < 0)
		return rc;
	if (console_fd < 0)
		return sync_send(sync, SYNC_CONSOLE, 0, master, e);
	rc = fd_send(console_fd, master, name, strlen(name), e);
	return rc < 0 ? err_wrap(e, rc, "sending the pty to the console socket") : 0;
}
