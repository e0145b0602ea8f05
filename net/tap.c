/* net/tap.c: a tap device beside a card (Documentation/networking/tuntap.rst).
 *
 * Invariants
 *  1. Offloads are off until the guest's driver has said which ones it takes.
 *  2. The device says nothing by itself: no IPv6 address is made up for it, so that what its other
 *     end (the guest) hears came from the card.
 */
#include "common/fd.h"
#include "net/card.h"
#include "net/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define HEADER_SIZE 12 /* struct virtio_net_hdr_mrg_rxbuf, as VERSION_1 has it */
#define NAME "rftap%d"

static int set_header(int fd)
{
	int size = HEADER_SIZE, little = 1;

	if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0 || ioctl(fd, TUNSETVNETLE, &little) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, 0) < 0)
		return -errno;
	return 0;
}

/* A tap belongs to the namespace in which /dev/net/tun was opened. */
static int open_tun(int ns, int *ret_fd, struct err *e)
{
	auto_fd fd = -1;
	int own = -1, code, rc = net_ns_enter(ns, &own, e);

	if (rc < 0)
		return rc;
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	code = errno;
	rc = net_ns_leave(own, e);
	if (rc < 0)
		return rc;
	if (fd < 0)
		return err_sys(e, code, "/dev/net/tun", "a micro-VM's network needs it: opening");
	*ret_fd = take_fd(&fd);
	return 0;
}

/* SLAAC of its own would send router solicitations into the guest. */
static int put_no_ipv6(struct nl_msg *msg)
{
	struct nlattr *families = nla_nest_start(msg, IFLA_AF_SPEC);
	struct nlattr *inet6 = families ? nla_nest_start(msg, AF_INET6) : NULL;

	if (!inet6 || nla_put_u8(msg, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) < 0)
		return -ENOMEM;
	nla_nest_end(msg, inet6);
	nla_nest_end(msg, families);
	return 0;
}

static int set_link(struct net_nl *nl, const struct net_link *l, uint32_t mtu, bool ipv6)
{
	struct ifinfomsg i = {.ifi_index = l->index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct nl_msg *msg = net_nl_msg(RTM_SETLINK, NLM_F_ACK, &i, sizeof(i));

	if (msg &&
	    ((mtu && nla_put_u32(msg, IFLA_MTU, mtu) < 0) || (ipv6 && put_no_ipv6(msg) < 0))) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return net_nl_call(nl, &msg, NULL, NULL);
}

static int bring_up(int ns, const char *name, uint32_t mtu, struct net_tap *ret, struct err *e)
{
	auto_nl nl = {0};
	struct net_link l;
	int rc = net_nl_open(ns, &nl, e);

	if (rc < 0)
		return rc;
	rc = net_nl_link(&nl, name, &l);
	if (rc == 0)
		rc = set_link(&nl, &l, mtu, true);
	/* A kernel without IPv6 doesn't know that part. */
	if (rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP)
		rc = set_link(&nl, &l, mtu, false);
	if (rc < 0)
		return err_sys(e, -rc, name, "bringing the tap device up");
	ret->index = l.index;
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return 0;
}

int net_tap_make(int ns, uint32_t mtu, int *ret_fd, struct net_tap *ret_tap, struct err *e)
{
	struct ifreq r = {.ifr_name = NAME};
	auto_fd fd = -1;
	int rc = open_tun(ns, &fd, e);

	if (rc < 0)
		return rc;
	r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return err_sys(e, errno, "/dev/net/tun", "making a tap device");
	rc = set_header(fd);
	if (rc < 0)
		return err_sys(e, -rc, r.ifr_name, "setting the tap device's frame header");
	rc = bring_up(ns, r.ifr_name, mtu, ret_tap, e);
	if (rc == 0)
		*ret_fd = take_fd(&fd);
	return rc;
}
