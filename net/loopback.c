/* net/loopback.c: a new network namespace has a loopback device that is down; here it comes up.
 *
 * By the old interface of netdevice(7): one call, where a netlink socket takes eight. Any socket
 * will do for it, also on a kernel without IPv4.
 */
#include "net/net.h"

#include "common/fd.h"

#include <errno.h>
#include <linux/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int net_loopback_up(struct err *e)
{
	auto_fd sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &lo) < 0)
		return err_sys(e, errno, "lo", "bringing it up");
	return 0;
}
