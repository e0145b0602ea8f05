/* net/configure.c: in the guest: makes of the kernel's cards those that the host described.
 *
 * Invariants
 *  1. A card is its MAC: names and indices are the kernel's chance. A blank one is anybody's, once.
 *  2. Done twice, it ends the same.
 *  3. IPv6 addresses are used at once: the host has asked for duplicates of them already, and still
 *     holds them.
 */
#include "net/card.h"
#include "net/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#define SET (NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK)

static size_t ip_size(const struct net_ip *ip)
{
	return ip->family == AF_INET6 ? 16 : 4;
}

/* Nothing where there is no address. */
static int put_ip(struct nl_msg *msg, int type, const struct net_ip *ip)
{
	return ip->family ? nla_put(msg, type, (int)ip_size(ip), ip->bytes) : 0;
}

static const char *ip_text(const struct net_ip *ip, char *buf, size_t size)
{
	return inet_ntop(ip->family, ip->bytes, buf, (socklen_t)size) ?: "?";
}

/* Sends it, when all that was put in has fitted. */
static int finish(struct net_nl *nl, struct nl_msg *msg, int put)
{
	if (msg && put < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return net_nl_call(nl, &msg, NULL, NULL);
}

/* --- finding and naming --- */

struct search {
	const struct net_card *card;
	struct net_link own, was, blank; /* index 0: none */
};

static void compare_mac(struct nlmsghdr *h, void *arg)
{
	struct search *s = arg;
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *name = nlmsg_find_attr(h, sizeof(*i), IFLA_IFNAME);
	struct nlattr *mac = nlmsg_find_attr(h, sizeof(*i), IFLA_ADDRESS);
	struct net_link *to = NULL;

	if (h->nlmsg_type != RTM_NEWLINK || i->ifi_type != ARPHRD_ETHER || !name || !mac ||
	    nla_len(mac) != 6)
		return;
	if (memcmp(nla_data(mac), s->card->mac, 6) == 0)
		to = &s->own;
	else if (net_card_moved(s->card) && memcmp(nla_data(mac), s->card->was, 6) == 0)
		to = &s->was;
	else if (memcmp(nla_data(mac), NET_BLANK_MAC, sizeof(NET_BLANK_MAC) - 1) == 0)
		to = &s->blank;
	if (!to || to->index)
		return;
	to->index = i->ifi_index;
	to->flags = i->ifi_flags;
	snprintf(to->name, sizeof(to->name), "%s", nla_get_string(name));
}

static int set_mac(struct net_nl *nl, const struct net_link *l, const uint8_t mac[6])
{
	struct ifinfomsg i = {.ifi_index = l->index};
	struct nl_msg *msg = net_nl_msg(RTM_SETLINK, NLM_F_ACK, &i, sizeof(i));

	return finish(nl, msg, msg ? nla_put(msg, IFLA_ADDRESS, 6, mac) : 0);
}

static int find(struct net_nl *nl, const struct net_card *c, struct net_link *ret, struct err *e)
{
	struct ifinfomsg i = {0};
	struct search s = {.card = c};
	struct nl_msg *msg = net_nl_msg(RTM_GETLINK, NLM_F_DUMP, &i, sizeof(i));
	int rc = net_nl_call(nl, &msg, compare_mac, &s);

	if (rc == 0 && !s.own.index && !s.was.index && !s.blank.index)
		rc = -ENODEV;
	if (rc < 0)
		return err_sys(e, -rc, c->name, "looking for the card with its MAC");
	*ret = s.own.index ? s.own : s.was.index ? s.was : s.blank;
	rc = s.own.index ? 0 : set_mac(nl, ret, c->mac);
	return rc < 0 ? err_sys(e, -rc, c->name, "setting the MAC of %s", ret->name) : 0;
}

static int set_flags(struct net_nl *nl, const struct net_link *l, unsigned flags)
{
	struct ifinfomsg i = {.ifi_index = l->index, .ifi_flags = flags, .ifi_change = IFF_UP};

	return finish(nl, net_nl_msg(RTM_SETLINK, NLM_F_ACK, &i, sizeof(i)), 0);
}

/* Only a card that is down takes another name. */
static int rename_link(struct net_nl *nl, const struct net_link *l, const char *name)
{
	struct ifinfomsg i = {.ifi_index = l->index};
	int rc = l->flags & IFF_UP ? set_flags(nl, l, 0) : 0;
	struct nl_msg *msg = rc < 0 ? NULL : net_nl_msg(RTM_SETLINK, NLM_F_ACK, &i, sizeof(i));

	return rc < 0 ? rc : finish(nl, msg, msg ? nla_put_string(msg, IFLA_IFNAME, name) : 0);
}

/* Whoever has the name makes room: if it is one of the cards, it gets its own name in its turn. */
static int set_name(struct net_nl *nl, const struct net_card *c, const struct net_link *l,
		    struct err *e)
{
	char away[NET_NAME_SIZE];
	struct net_link other;
	int rc = 0;

	if (strcmp(l->name, c->name) == 0)
		return 0;
	if (net_nl_link(nl, c->name, &other) == 0) {
		snprintf(away, sizeof(away), "was%d", other.index);
		rc = rename_link(nl, &other, away);
	}
	if (rc == 0)
		rc = rename_link(nl, l, c->name);
	return rc < 0 ? err_sys(e, -rc, c->name, "renaming %s", l->name) : 0;
}

static int set_mtu(struct net_nl *nl, const struct net_card *c, const struct net_link *l,
		   struct err *e)
{
	struct ifinfomsg i = {.ifi_index = l->index};
	struct nl_msg *msg = net_nl_msg(RTM_SETLINK, NLM_F_ACK, &i, sizeof(i));
	int rc = finish(nl, msg, msg ? nla_put_u32(msg, IFLA_MTU, c->mtu) : 0);

	return rc < 0 ? err_sys(e, -rc, c->name, "setting its MTU to %u", c->mtu) : 0;
}

/* --- what it bears --- */

static int add_address(struct net_nl *nl, int index, const struct net_address *a)
{
	struct ifaddrmsg i = {.ifa_family = a->ip.family,
			      .ifa_prefixlen = a->prefix,
			      .ifa_index = (unsigned)index};
	struct nl_msg *msg = net_nl_msg(RTM_NEWADDR, SET, &i, sizeof(i));
	uint32_t flags = (a->ip.family == AF_INET6 ? IFA_F_NODAD : 0) |
			 (a->no_prefix_route ? IFA_F_NOPREFIXROUTE : 0);
	int put = 0;

	if (msg)
		put = put_ip(msg, IFA_LOCAL, &a->ip) |
		      put_ip(msg, IFA_ADDRESS, a->peer.family ? &a->peer : &a->ip) |
		      put_ip(msg, IFA_BROADCAST, &a->broadcast) |
		      nla_put_u32(msg, IFA_FLAGS, flags);
	return finish(nl, msg, put);
}

#define OLD_MAX 64u

struct olds {
	int index;
	unsigned n;
	struct {
		struct ifaddrmsg a;
		struct net_ip ip, peer;
	} items[OLD_MAX];
};

static struct net_ip ip_of(uint8_t family, struct nlattr *a)
{
	struct net_ip ip = {.family = family};

	if (!a || nla_len(a) != (int)ip_size(&ip))
		return (struct net_ip){0};
	memcpy(ip.bytes, nla_data(a), ip_size(&ip));
	return ip;
}

static void take_old(struct nlmsghdr *h, void *arg)
{
	struct olds *o = arg;
	const struct ifaddrmsg *a = nlmsg_data(h);

	if (h->nlmsg_type != RTM_NEWADDR || (int)a->ifa_index != o->index ||
	    a->ifa_scope != RT_SCOPE_UNIVERSE || o->n == OLD_MAX)
		return;
	o->items[o->n].a = *a;
	o->items[o->n].ip = ip_of(a->ifa_family, nlmsg_find_attr(h, sizeof(*a), IFA_LOCAL));
	o->items[o->n++].peer = ip_of(a->ifa_family, nlmsg_find_attr(h, sizeof(*a), IFA_ADDRESS));
}

/* What it had where it was before; the routes go with them. One that another took along is gone. */
static int drop_addresses(struct net_nl *nl, int index)
{
	struct olds o = {.index = index};
	struct ifaddrmsg any = {.ifa_family = AF_UNSPEC};
	struct nl_msg *msg = net_nl_msg(RTM_GETADDR, NLM_F_DUMP, &any, sizeof(any));
	int rc = net_nl_call(nl, &msg, take_old, &o);

	for (unsigned i = 0; rc == 0 && i < o.n; i++) {
		msg = net_nl_msg(RTM_DELADDR, NLM_F_ACK, &o.items[i].a, sizeof(o.items[i].a));
		rc = finish(nl, msg,
			    msg ? put_ip(msg, IFA_LOCAL, &o.items[i].ip) |
					    put_ip(msg, IFA_ADDRESS, &o.items[i].peer)
				: 0);
		rc = rc == -EADDRNOTAVAIL ? 0 : rc;
	}
	return rc;
}

static int put_mtu(struct nl_msg *msg, uint32_t mtu)
{
	struct nlattr *metrics = mtu ? nla_nest_start(msg, RTA_METRICS) : NULL;

	if (!mtu)
		return 0;
	if (!metrics || nla_put_u32(msg, RTAX_MTU, mtu) < 0)
		return -1;
	nla_nest_end(msg, metrics);
	return 0;
}

static int add_route(struct net_nl *nl, int index, const struct net_route *r)
{
	struct rtmsg i = {.rtm_family = r->to.family,
			  .rtm_dst_len = r->prefix,
			  .rtm_table = RT_TABLE_MAIN,
			  .rtm_protocol = r->protocol ? r->protocol : RTPROT_BOOT,
			  .rtm_scope = r->scope,
			  .rtm_type = RTN_UNICAST,
			  .rtm_flags = r->onlink ? RTNH_F_ONLINK : 0};
	struct nl_msg *msg = net_nl_msg(RTM_NEWROUTE, SET, &i, sizeof(i));
	int put = 0;

	if (msg)
		put = (r->prefix ? put_ip(msg, RTA_DST, &r->to) : 0) |
		      put_ip(msg, RTA_GATEWAY, &r->via) | put_ip(msg, RTA_PREFSRC, &r->source) |
		      nla_put_u32(msg, RTA_OIF, (uint32_t)index) |
		      (r->metric ? nla_put_u32(msg, RTA_PRIORITY, r->metric) : 0) |
		      put_mtu(msg, r->mtu);
	return finish(nl, msg, put);
}

static int add_neighbour(struct net_nl *nl, int index, const struct net_neighbour *n)
{
	struct ndmsg i = {
		.ndm_family = n->ip.family, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
	struct nl_msg *msg = net_nl_msg(RTM_NEWNEIGH, SET, &i, sizeof(i));

	return finish(nl, msg,
		      msg ? put_ip(msg, NDA_DST, &n->ip) | nla_put(msg, NDA_LLADDR, 6, n->mac) : 0);
}

/* The kernel lists IPv4's in the order in which they came, IPv6's the other way round. */
static int set_addresses(struct net_nl *nl, const struct net_card *c, int index, struct err *e)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < 2 * c->n_addresses; i++) {
		bool second = i >= c->n_addresses;
		const struct net_address *a =
			&c->addresses[second ? 2 * c->n_addresses - 1 - i : i];

		if ((a->ip.family == AF_INET6) != second)
			continue;
		int rc = add_address(nl, index, a);
		if (rc < 0)
			return err_sys(e, -rc, c->name, "adding the address %s/%u",
				       ip_text(&a->ip, text, sizeof(text)), a->prefix);
	}
	return 0;
}

/* A gateway must be reachable when its route is made: those without one first. */
static int set_routes(struct net_nl *nl, const struct net_card *c, int index, struct err *e)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < 2 * c->n_routes; i++) {
		const struct net_route *r = &c->routes[i % c->n_routes];

		if ((r->via.family != 0) != (i >= c->n_routes))
			continue;
		int rc = add_route(nl, index, r);
		if (rc < 0)
			return err_sys(e, -rc, c->name, "adding the route to %s/%u",
				       ip_text(&r->to, text, sizeof(text)), r->prefix);
	}
	return 0;
}

static int set_neighbours(struct net_nl *nl, const struct net_card *c, int index, struct err *e)
{
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < c->n_neighbours; i++) {
		const struct net_neighbour *n = &c->neighbours[i];
		int rc = add_neighbour(nl, index, n);

		if (rc < 0)
			return err_sys(e, -rc, c->name, "adding the neighbour %s",
				       ip_text(&n->ip, text, sizeof(text)));
	}
	return 0;
}

static int set_card(struct net_nl *nl, const struct net_card *c, struct err *e)
{
	struct net_link l;
	int rc = find(nl, c, &l, e);

	if (rc == 0)
		rc = set_name(nl, c, &l, e);
	if (rc == 0 && c->mtu)
		rc = set_mtu(nl, c, &l, e);
	if (rc == 0 && net_card_moved(c) && drop_addresses(nl, l.index) < 0)
		rc = err_set(e, ERR_SYSTEM, EIO, c->name, "dropping the addresses that it had");
	if (rc == 0)
		rc = set_addresses(nl, c, l.index, e);
	if (rc < 0)
		return rc;
	rc = set_flags(nl, &l, IFF_UP);
	if (rc < 0)
		return err_sys(e, -rc, c->name, "bringing it up");
	rc = set_routes(nl, c, l.index, e);
	return rc < 0 ? rc : set_neighbours(nl, c, l.index, e);
}

int net_configure(const struct net_cards *c, struct err *e)
{
	auto_nl nl = {0};
	int rc = net_nl_open(-1, &nl, e);

	for (size_t i = 0; rc == 0 && i < c->n; i++)
		rc = set_card(&nl, &c->items[i], e);
	return rc;
}
