/* microvm/relay_open.c: a stream to the guest's agent: from outside of the monitor through its
 * socket, from inside straight from the device. */
#include "microvm/relay.h"

#include "common/fd.h"
#include "microvm/devices.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* unix(7) has no connectat(): the path is the descriptor's own, which can't be exchanged and is
 * never too long. */
static int open_below(const char *dir, const int *path, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(e, errno, NULL, "making a socket");
	snprintf(a.sun_path, sizeof(a.sun_path), "%s%d", dir, *path);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, errno, NULL, "connecting to the micro-VM's agent");
	return take_fd(&fd);
}

int vm_relay_open_path(void *arg, struct err *e)
{
	return open_below("/proc/self/fd/", arg, e);
}

int vm_relay_open_here(void *arg, struct err *e)
{
	return open_below("", arg, e);
}

int vm_relay_open_device(void *arg, struct err *e)
{
	struct vm_device *d = arg;
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, NULL, "making a socket pair");
	vm_lock(d->loop);
	rc = vm_vsock_connect(d, pair[1], e);
	vm_unlock(d->loop);
	if (rc >= 0)
		return pair[0];
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	return rc;
}
