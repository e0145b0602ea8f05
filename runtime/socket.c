/* runtime/socket.c: unix sockets whose path may be longer than sun_path: the directory is named
 * through /proc/self/fd. */
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static int address(int dir, const char *name, struct sockaddr_un *ret_addr, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = dir < 0 ? snprintf(a.sun_path, sizeof(a.sun_path), "%s", name)
			: snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/%s", dir,
				   name);

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return err_sys(e, ENAMETOOLONG, name, "naming a socket");
	*ret_addr = a;
	return 0;
}

int rt_socket_listen(int dir, const char *name, int type, int *ret_fd, struct err *e)
{
	struct sockaddr_un addr;
	auto_fd fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int rc = address(dir, name, &addr, e);

	if (rc < 0)
		return rc;
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 8) < 0)
		return err_sys(e, errno, name, "making the start socket");
	*ret_fd = take_fd(&fd);
	return 0;
}

int rt_socket_connect(int dir, const char *name, int type, int *ret_fd, struct err *e)
{
	struct sockaddr_un addr;
	auto_fd fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int rc = address(dir, name, &addr, e);

	if (rc < 0)
		return rc;
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return err_sys(e, errno, name, "connecting");
	*ret_fd = take_fd(&fd);
	return 0;
}

int rt_console_connect(const char *path, int *ret_fd, struct err *e)
{
	struct sockaddr_un addr;

	if (strlen(path) < sizeof(addr.sun_path))
		return rt_socket_connect(-1, path, SOCK_STREAM, ret_fd, e);
	auto_str dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	if (!slash)
		return err_sys(e, dir ? ENAMETOOLONG : ENOMEM, path, "connecting");
	*slash = '\0';
	auto_fd fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, dir, "opening the console socket's directory");
	return rt_socket_connect(fd, slash + 1, SOCK_STREAM, ret_fd, e);
}
