/* net/describe.c: reads what a network namespace has (rtnetlink(7)): see card.h for what counts.
 *
 * Invariants
 *  1. One walk is one picture: a list that changed while it was read is read again, all of it.
 *  2. Nothing is changed.
 */
#include "net/card.h"
#include "net/internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#define TRIES 5

struct walk {
	struct arena *arena;
	struct net_cards cards;
	bool failed; /* no memory */
};

/* Room for one more behind n items, which grow in steps of powers of two. */
static void *grow(struct walk *w, void *items, size_t n, size_t size)
{
	void *more;

	if (n != 0 && (n & (n - 1)) != 0)
		return (char *)items + n * size;
	more = arena_array(w->arena, n ? 2 * n : 1, size);
	if (!more)
		w->failed = true;
	else if (n)
		memcpy(more, items, n * size);
	return more;
}

/* Appends one zeroed item to an array of a struct and says where; NULL when there is no memory. */
#define APPEND(w, items, n)                                        \
	({                                                         \
		void *more_ = grow(w, items, n, sizeof(*(items))); \
		bool moved_ = ((n) & ((n)-1)) == 0;                \
		if (more_ && moved_)                               \
			(items) = more_;                           \
		more_ ? &(items)[(n)++] : NULL;                    \
	})

static struct net_card *card_of(struct walk *w, int index)
{
	for (size_t i = 0; i < w->cards.n; i++)
		if (w->cards.items[i].index == index)
			return &w->cards.items[i];
	return NULL;
}

static struct net_ip get_ip(uint8_t family, struct nlattr *a)
{
	struct net_ip ip = {0};
	int len = family == AF_INET ? 4 : 16;

	if (a && nla_len(a) == len) {
		ip.family = family;
		memcpy(ip.bytes, nla_data(a), (size_t)len);
	}
	return ip;
}

static void take_card(struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *name = nlmsg_find_attr(h, sizeof(*i), IFLA_IFNAME);
	struct nlattr *mac = nlmsg_find_attr(h, sizeof(*i), IFLA_ADDRESS);
	struct nlattr *mtu = nlmsg_find_attr(h, sizeof(*i), IFLA_MTU);
	struct net_card *c;

	if (h->nlmsg_type != RTM_NEWLINK || i->ifi_type != ARPHRD_ETHER ||
	    !(i->ifi_flags & IFF_UP) || nlmsg_find_attr(h, sizeof(*i), IFLA_MASTER) || !name ||
	    !mac || nla_len(mac) != 6)
		return;
	c = APPEND(w, w->cards.items, w->cards.n);
	if (!c)
		return;
	c->index = i->ifi_index;
	c->mtu = mtu ? nla_get_u32(mtu) : 0;
	snprintf(c->name, sizeof(c->name), "%s", nla_get_string(name));
	memcpy(c->mac, nla_data(mac), 6);
}

static bool address_counts(const struct ifaddrmsg *i, uint32_t flags)
{
	if (i->ifa_scope != RT_SCOPE_UNIVERSE)
		return false;
	return i->ifa_family == AF_INET ||
	       (i->ifa_family == AF_INET6 && flags & IFA_F_PERMANENT && !(flags & IFA_F_TEMPORARY));
}

/* IFA_LOCAL is the device's own, IFA_ADDRESS the other end's where there is one (rtnetlink(7)). */
static void take_address(struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	const struct ifaddrmsg *i = nlmsg_data(h);
	struct nlattr *flags = nlmsg_find_attr(h, sizeof(*i), IFA_FLAGS);
	struct nlattr *local = nlmsg_find_attr(h, sizeof(*i), IFA_LOCAL);
	struct nlattr *peer = nlmsg_find_attr(h, sizeof(*i), IFA_ADDRESS);
	uint32_t bits = flags ? nla_get_u32(flags) : i->ifa_flags;
	struct net_card *c = h->nlmsg_type == RTM_NEWADDR ? card_of(w, (int)i->ifa_index) : NULL;
	struct net_address *to;

	if (!c || !address_counts(i, bits))
		return;
	to = APPEND(w, c->addresses, c->n_addresses);
	if (!to)
		return;
	to->ip = get_ip(i->ifa_family, local ? local : peer);
	to->peer = local ? get_ip(i->ifa_family, peer) : to->peer;
	if (memcmp(to->peer.bytes, to->ip.bytes, 16) == 0)
		to->peer.family = 0;
	to->broadcast = get_ip(i->ifa_family, nlmsg_find_attr(h, sizeof(*i), IFA_BROADCAST));
	to->prefix = i->ifa_prefixlen;
	to->no_prefix_route = bits & IFA_F_NOPREFIXROUTE;
	if (!to->ip.family)
		c->n_addresses--;
}

static bool route_counts(struct nlmsghdr *h, const struct rtmsg *i)
{
	return h->nlmsg_type == RTM_NEWROUTE && i->rtm_table == RT_TABLE_MAIN &&
	       i->rtm_type == RTN_UNICAST && i->rtm_tos == 0 && !(i->rtm_flags & RTM_F_CLONED) &&
	       i->rtm_protocol != RTPROT_KERNEL && i->rtm_protocol != RTPROT_RA &&
	       i->rtm_protocol != RTPROT_REDIRECT &&
	       (i->rtm_family == AF_INET || i->rtm_family == AF_INET6);
}

static uint32_t get_metric_mtu(struct nlattr *metrics)
{
	struct nlattr *mtu =
		metrics ? nla_find(nla_data(metrics), nla_len(metrics), RTAX_MTU) : NULL;

	return mtu ? nla_get_u32(mtu) : 0;
}

static void take_route(struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	const struct rtmsg *i = nlmsg_data(h);
	struct nlattr *oif = nlmsg_find_attr(h, sizeof(*i), RTA_OIF);
	struct nlattr *metric = nlmsg_find_attr(h, sizeof(*i), RTA_PRIORITY);
	struct net_card *c = oif && route_counts(h, i) ? card_of(w, (int)nla_get_u32(oif)) : NULL;
	struct net_route *to = c ? APPEND(w, c->routes, c->n_routes) : NULL;

	if (!to)
		return;
	to->to = get_ip(i->rtm_family, nlmsg_find_attr(h, sizeof(*i), RTA_DST));
	to->to.family = i->rtm_family;
	to->via = get_ip(i->rtm_family, nlmsg_find_attr(h, sizeof(*i), RTA_GATEWAY));
	to->source = get_ip(i->rtm_family, nlmsg_find_attr(h, sizeof(*i), RTA_PREFSRC));
	to->metric = metric ? nla_get_u32(metric) : 0;
	to->mtu = get_metric_mtu(nlmsg_find_attr(h, sizeof(*i), RTA_METRICS));
	to->prefix = i->rtm_dst_len;
	to->scope = i->rtm_scope;
	to->protocol = i->rtm_protocol;
	to->onlink = i->rtm_flags & RTNH_F_ONLINK;
}

static void take_neighbour(struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	const struct ndmsg *i = nlmsg_data(h);
	struct nlattr *ip = nlmsg_find_attr(h, sizeof(*i), NDA_DST);
	struct nlattr *mac = nlmsg_find_attr(h, sizeof(*i), NDA_LLADDR);
	struct net_card *c = h->nlmsg_type == RTM_NEWNEIGH ? card_of(w, i->ndm_ifindex) : NULL;
	struct net_neighbour *to;

	if (!c || !(i->ndm_state & NUD_PERMANENT) || !ip || !mac || nla_len(mac) != 6 ||
	    (i->ndm_family != AF_INET && i->ndm_family != AF_INET6))
		return;
	to = APPEND(w, c->neighbours, c->n_neighbours);
	if (!to)
		return;
	to->ip = get_ip(i->ndm_family, ip);
	memcpy(to->mac, nla_data(mac), 6);
	if (!to->ip.family)
		c->n_neighbours--;
}

/* The heads that the four lists are asked for with: each begins with its family and is zero else.
 */
static const struct list {
	int type;
	uint8_t family;
	size_t head;
	void (*take)(struct nlmsghdr *h, void *arg);
} lists[] = {
	{RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg), take_card},
	{RTM_GETADDR, AF_UNSPEC, sizeof(struct ifaddrmsg), take_address},
	{RTM_GETROUTE, AF_INET, sizeof(struct rtmsg), take_route},
	{RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg), take_route},
	{RTM_GETNEIGH, AF_UNSPEC, sizeof(struct ndmsg), take_neighbour},
};

static int walk(struct net_nl *nl, struct walk *w)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(lists) / sizeof(lists[0]); i++) {
		uint8_t head[64] = {lists[i].family};
		struct nl_msg *msg = net_nl_msg(lists[i].type, NLM_F_DUMP, head, lists[i].head);

		rc = net_nl_call(nl, &msg, lists[i].take, w);
		/* A kernel without IPv6. */
		if (rc == -EOPNOTSUPP && lists[i].family == AF_INET6)
			rc = 0;
	}
	return rc == 0 && w->failed ? -ENOMEM : rc;
}

int net_describe(int ns, struct arena *a, struct net_cards *ret_cards, struct err *e)
{
	auto_nl nl = {0};
	int rc = net_nl_open(ns, &nl, e);

	if (rc < 0)
		return rc;
	rc = -EAGAIN;
	for (int i = 0; rc == -EAGAIN && i < TRIES; i++) {
		struct walk w = {.arena = a};

		rc = walk(&nl, &w);
		if (rc == 0)
			*ret_cards = w.cards;
	}
	return rc < 0 ? err_sys(e, -rc, NULL, "reading the network namespace's cards") : 0;
}
