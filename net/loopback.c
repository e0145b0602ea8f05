/* net/loopback.c: a new network namespace has a loopback device that is down; here it comes up. */
#include "net/net.h"

#include <errno.h>
#include <linux/if.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

static int bring_up(struct nl_sock *sock, struct err *e)
{
	struct rtnl_link *old = rtnl_link_alloc(), *up = rtnl_link_alloc();
	int rc = -NLE_NOMEM;

	if (old && up) {
		/* Index 1 is the loopback device of every network namespace. */
		rtnl_link_set_ifindex(old, 1);
		rtnl_link_set_flags(up, IFF_UP);
		rc = rtnl_link_change(sock, old, up, 0);
	}
	rtnl_link_put(old);
	rtnl_link_put(up);
	if (rc < 0)
		return err_set(e, ERR_SYSTEM, EIO, "lo", "bringing it up: %s", nl_geterror(rc));
	return 0;
}

int net_loopback_up(struct err *e)
{
	struct nl_sock *sock = nl_socket_alloc();
	int rc;

	if (!sock)
		return err_sys(e, ENOMEM, "lo", "bringing it up");
	/* Answers are short: no second look at each to learn its length. */
	nl_socket_disable_msg_peek(sock);
	rc = nl_connect(sock, 0 /* NETLINK_ROUTE */);
	if (rc < 0)
		rc = err_set(e, ERR_SYSTEM, EIO, "lo", "opening a netlink socket: %s",
			     nl_geterror(rc));
	else
		rc = bring_up(sock, e);
	nl_socket_free(sock);
	return rc;
}
