/* net/card.h: the network cards of a namespace, carried over into a micro-VM's guest.
 *
 * An engine has prepared the container's network namespace: devices, addresses, routes. The guest
 * is to be what a process in that namespace would be. So the host reads what is there
 * (net_describe), puts a tap device beside each card and lets every frame that arrives on the one
 * leave by the other (net_redirect); the guest's card has the MAC of the one in the namespace,
 * and is given the same addresses and routes (net_configure).
 *
 * Carried over: Ethernet devices that are up and in no bridge; their permanent IPv4 and IPv6
 * addresses of global scope, and IPv4's of DHCP; unicast routes of the main table that the kernel
 * didn't make by itself; permanent neighbours. Not: other tables and rules, routes over several
 * ways, what routers announce (the guest hears them itself); and firewall rules of the namespace:
 * frames pass below them.
 *
 * ns: a descriptor of the network namespace, borrowed; -1: the caller's own. The calling thread is
 * in its own again when a function returns. All return 0 or a negative errno.
 */
#ifndef RF_NET_CARD_H
#define RF_NET_CARD_H

#include "common/arena.h"
#include "common/err.h"
#include "spec/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NET_NAME_SIZE 16 /* with the terminator */

struct net_ip {
	uint8_t family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16];
};

struct net_address {
	struct net_ip ip, peer, broadcast;
	uint8_t prefix;       /* of the peer's network where there is a peer */
	bool no_prefix_route; /* the network's route isn't made with the address */
};

struct net_route {
	struct net_ip to; /* always there; the default route has prefix 0 */
	struct net_ip via, source;
	uint32_t metric, mtu; /* 0: none */
	uint8_t prefix, scope, protocol;
	bool onlink;
};

struct net_neighbour {
	struct net_ip ip;
	uint8_t mac[6];
};

struct net_card {
	char name[NET_NAME_SIZE];
	int index; /* in the namespace that was described; in no JSON */
	uint8_t mac[6];
	/* Not all zero: of a machine that goes on elsewhere (restore): the MAC that the card has
	 * there still; it gives up the addresses that it had. */
	uint8_t was[6];
	uint32_t mtu;
	struct net_address *addresses;
	struct net_route *routes;
	struct net_neighbour *neighbours;
	size_t n_addresses, n_routes, n_neighbours;
};

static inline bool net_card_moved(const struct net_card *c)
{
	static const uint8_t none[6];

	return memcmp(c->was, none, sizeof(none)) != 0;
}

struct net_cards { /* in the order of their indices */
	struct net_card *items;
	size_t n;
};

/* describe.c: all in the arena. */
int net_describe(int ns, struct arena *a, struct net_cards *ret_cards, struct err *e);

/* card_json.c: the member "cards" of the agent's verb `net`, and back. The reader takes nothing
 * that net_configure can't use: a name, MAC or address that is none is refused (ERR_SPEC). */
void net_cards_put(const struct net_cards *c, struct json_out *o);
int net_cards_parse(const struct json *request, struct arena *a, struct net_cards *ret_cards,
		    struct err *e);

/* A guest that was started before its cards were known (a template) has cards with MACs of this
 * prefix of five bytes; each is given to the first card that asks for a MAC which no other has. */
#define NET_BLANK_MAC "\x02\x52\x46\0\0"

/* configure.c: gives the caller's namespace the cards: found by MAC, renamed, addresses, up,
 * routes. Again with the same cards: nothing changes. -ENODEV: there is none with that MAC, nor a
 * blank one.
 */
int net_configure(const struct net_cards *c, struct err *e);

struct net_tap {
	int index; /* in its namespace; no other device there gets it later */
	char name[NET_NAME_SIZE];
};

/* tap.c: a tap device in the namespace, up: its descriptor (non-blocking; frames bear a struct
 * virtio_net_hdr of 12 bytes) and name. No offloads yet: whoever reads the
 * frames asks for them (TUNSETOFFLOAD). It goes when the
 * descriptor is closed. */
int net_tap_make(int ns, uint32_t mtu, int *ret_fd, struct net_tap *ret_tap, struct err *e);

/* redirect.c: what arrives on the card leaves by the tap and back, before the namespace's own
 * stack sees it. -EBUSY: the card leads to another tap. On failure nothing is left; whoever keeps a
 * journal notes the card and the tap's index before. */
int net_redirect(int ns, const char *card, const struct net_tap *tap, struct err *e);
/* Takes it off the card, for a namespace that lives on; the tap's end goes with the tap. A card
 * that leads to a tap of another index, which is there, is left alone: it is another machine's by
 * now. Filters of others stay; an ingress queue in which nothing is left goes too. Idempotent; a
 * card that is gone is no error. */
int net_redirect_undo(int ns, const char *card, int tap, struct err *e);

#endif
