/* net/card_json.c: cards as JSON, from the host to the agent (card.h):
 *
 *	"cards": [{"name": "eth0", "mac": "02:00:00:00:00:01", "was": "…", "mtu": 1500,
 *	  "addresses": [{"ip": "10.0.0.2", "prefix": 24, "broadcast": "10.0.0.255", "peer": "…",
 *	                 "noPrefixRoute": true}],
 *	  "routes": [{"to": "0.0.0.0", "prefix": 0, "via": "10.0.0.1", "source": "…", "metric": 5,
 *	              "mtu": 1400, "scope": 253, "protocol": 4, "onlink": true}],
 *	  "neighbours": [{"ip": "10.0.0.1", "mac": "…"}]}]
 *
 * Invariant: the reader trusts nothing; what is not there has its zero, what is there and wrong is
 * refused.
 */
#include "net/card.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAC_TEXT 18
#define MTU_MIN 68 /* RFC 791 */
#define MTU_MAX 65535

/* --- writing --- */

static void put_mac(struct json_out *o, const char *key, const uint8_t mac[6])
{
	char text[MAC_TEXT];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	json_put_str(o, key, text);
}

static void put_ip(struct json_out *o, const char *key, const struct net_ip *ip)
{
	char text[INET6_ADDRSTRLEN];

	if (ip->family && inet_ntop(ip->family, ip->bytes, text, sizeof(text)))
		json_put_str(o, key, text);
}

static void put_number(struct json_out *o, const char *key, uint32_t v)
{
	if (v)
		json_put_u64(o, key, v);
}

static void put_address(struct json_out *o, const struct net_address *a)
{
	json_obj_open(o, NULL);
	put_ip(o, "ip", &a->ip);
	json_put_u64(o, "prefix", a->prefix);
	put_ip(o, "peer", &a->peer);
	put_ip(o, "broadcast", &a->broadcast);
	if (a->no_prefix_route)
		json_put_bool(o, "noPrefixRoute", true);
	json_obj_close(o);
}

static void put_route(struct json_out *o, const struct net_route *r)
{
	json_obj_open(o, NULL);
	put_ip(o, "to", &r->to);
	json_put_u64(o, "prefix", r->prefix);
	put_ip(o, "via", &r->via);
	put_ip(o, "source", &r->source);
	put_number(o, "metric", r->metric);
	put_number(o, "mtu", r->mtu);
	put_number(o, "scope", r->scope);
	put_number(o, "protocol", r->protocol);
	if (r->onlink)
		json_put_bool(o, "onlink", true);
	json_obj_close(o);
}

static void put_neighbour(struct json_out *o, const struct net_neighbour *n)
{
	json_obj_open(o, NULL);
	put_ip(o, "ip", &n->ip);
	put_mac(o, "mac", n->mac);
	json_obj_close(o);
}

static void put_card(struct json_out *o, const struct net_card *c)
{
	json_obj_open(o, NULL);
	json_put_str(o, "name", c->name);
	put_mac(o, "mac", c->mac);
	if (net_card_moved(c))
		put_mac(o, "was", c->was);
	put_number(o, "mtu", c->mtu);
	json_arr_open(o, "addresses");
	for (size_t i = 0; i < c->n_addresses; i++)
		put_address(o, &c->addresses[i]);
	json_arr_close(o);
	json_arr_open(o, "routes");
	for (size_t i = 0; i < c->n_routes; i++)
		put_route(o, &c->routes[i]);
	json_arr_close(o);
	json_arr_open(o, "neighbours");
	for (size_t i = 0; i < c->n_neighbours; i++)
		put_neighbour(o, &c->neighbours[i]);
	json_arr_close(o);
	json_obj_close(o);
}

void net_cards_put(const struct net_cards *c, struct json_out *o)
{
	json_arr_open(o, "cards");
	for (size_t i = 0; i < c->n; i++)
		put_card(o, &c->items[i]);
	json_arr_close(o);
}

/* --- reading --- */

/* Where the reader is, and what it found wrong: the first thing sticks. */
struct reader {
	struct arena *arena;
	struct err *e;
	int rc;
	char where[64];
};

static void refuse(struct reader *r, const char *key, const char *what)
{
	if (r->rc == 0)
		r->rc = err_set(r->e, ERR_SPEC, EINVAL, r->where, "%s: %s", key, what);
}

/* Pairs of digits with colons between them, and nothing else. */
static bool mac_from(const char *s, uint8_t ret[6])
{
	for (int i = 0; i < MAC_TEXT - 1; i++)
		if (i % 3 == 2 ? s[i] != ':' : !isxdigit((unsigned char)s[i]))
			return false;
	for (int i = 0; i < 6; i++)
		ret[i] = (uint8_t)strtoul(s + 3 * i, NULL, 16);
	return s[MAC_TEXT - 1] == '\0';
}

static void get_mac(struct reader *r, const struct json *j, const char *key, uint8_t ret[6])
{
	const char *s = NULL;

	if (!json_get_string(j, key, &s) || !mac_from(s, ret))
		refuse(r, key, "must be six bytes, as 02:00:00:00:00:01");
}

static struct net_ip get_ip(struct reader *r, const struct json *j, const char *key, bool needed)
{
	const struct json *m = json_get(j, key);
	struct net_ip ip = {0};

	if (!m && !needed)
		return ip;
	if (m && m->type == JSON_STRING) {
		ip.family = strchr(m->u.string, ':') ? AF_INET6 : AF_INET;
		if (inet_pton(ip.family, m->u.string, ip.bytes) == 1)
			return ip;
	}
	refuse(r, key, "must be an IP address");
	return (struct net_ip){0};
}

static uint32_t get_number(struct reader *r, const struct json *j, const char *key, uint32_t max)
{
	uint64_t v = 0;

	if (json_get(j, key) && (!json_get_u64(j, key, &v) || v > max))
		refuse(r, key, "must be a number, and not that large");
	return (uint32_t)v;
}

static bool get_flag(struct reader *r, const struct json *j, const char *key)
{
	bool v = false;

	if (json_get(j, key) && !json_get_bool(j, key, &v))
		refuse(r, key, "must be true or false");
	return v;
}

static void same_family(struct reader *r, const char *key, const struct net_ip *a,
			const struct net_ip *b)
{
	if (b->family && b->family != a->family)
		refuse(r, key, "must be of the same family as the other addresses");
}

static uint8_t get_prefix(struct reader *r, const struct json *j, const struct net_ip *ip)
{
	if (!json_get(j, "prefix"))
		refuse(r, "prefix", "is missing");
	return (uint8_t)get_number(r, j, "prefix", ip->family == AF_INET6 ? 128 : 32);
}

static void get_address(struct reader *r, const struct json *j, void *to)
{
	struct net_address *a = to;

	a->ip = get_ip(r, j, "ip", true);
	a->prefix = get_prefix(r, j, &a->ip);
	a->peer = get_ip(r, j, "peer", false);
	a->broadcast = get_ip(r, j, "broadcast", false);
	a->no_prefix_route = get_flag(r, j, "noPrefixRoute");
	same_family(r, "peer", &a->ip, &a->peer);
	same_family(r, "broadcast", &a->ip, &a->broadcast);
}

static void get_route(struct reader *r, const struct json *j, void *to)
{
	struct net_route *o = to;

	o->to = get_ip(r, j, "to", true);
	o->prefix = get_prefix(r, j, &o->to);
	o->via = get_ip(r, j, "via", false);
	o->source = get_ip(r, j, "source", false);
	o->metric = get_number(r, j, "metric", UINT32_MAX);
	o->mtu = get_number(r, j, "mtu", MTU_MAX);
	o->scope = (uint8_t)get_number(r, j, "scope", UINT8_MAX);
	o->protocol = (uint8_t)get_number(r, j, "protocol", UINT8_MAX);
	o->onlink = get_flag(r, j, "onlink");
	same_family(r, "via", &o->to, &o->via);
	same_family(r, "source", &o->to, &o->source);
}

static void get_neighbour(struct reader *r, const struct json *j, void *to)
{
	struct net_neighbour *n = to;

	n->ip = get_ip(r, j, "ip", true);
	get_mac(r, j, "mac", n->mac);
}

/* A list of objects, each given to `get` with a zeroed item of `size` bytes. */
static void *get_list(struct reader *r, const struct json *j, const char *key, size_t size,
		      void (*get)(struct reader *r, const struct json *j, void *to), size_t *ret_n)
{
	const struct json *list = json_get(j, key);
	char *items = NULL;
	size_t n = 0;

	if (list && list->type != JSON_ARRAY)
		refuse(r, key, "must be an array");
	if (!list || r->rc < 0 || list->u.list.n == 0)
		return NULL;
	items = arena_array(r->arena, list->u.list.n, size);
	if (!items) {
		r->rc = err_sys(r->e, ENOMEM, r->where, "reading the cards");
		return NULL;
	}
	for (const struct json *c = list->u.list.first; c && r->rc == 0; c = c->next, n++) {
		if (c->type != JSON_OBJECT)
			refuse(r, key, "must hold objects");
		else
			get(r, c, items + n * size);
	}
	*ret_n = n;
	return items;
}

/* As the kernel takes them: no slash, no colon, no blank. */
static bool name_fits(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= NET_NAME_SIZE || str_eq(s, ".") || str_eq(s, ".."))
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || (unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

static void get_card(struct reader *r, const struct json *j, void *to)
{
	struct net_card *c = to;
	const char *name = NULL;

	if (!json_get_string(j, "name", &name) || !name_fits(name)) {
		refuse(r, "name", "must be a device's name");
		return;
	}
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(r->where, sizeof(r->where), "/cards: %s", name);
	get_mac(r, j, "mac", c->mac);
	if (json_get(j, "was"))
		get_mac(r, j, "was", c->was);
	c->mtu = get_number(r, j, "mtu", MTU_MAX);
	if (c->mtu && c->mtu < MTU_MIN)
		refuse(r, "mtu", "must be 68 or more");
	c->addresses =
		get_list(r, j, "addresses", sizeof(*c->addresses), get_address, &c->n_addresses);
	c->routes = get_list(r, j, "routes", sizeof(*c->routes), get_route, &c->n_routes);
	c->neighbours = get_list(r, j, "neighbours", sizeof(*c->neighbours), get_neighbour,
				 &c->n_neighbours);
}

int net_cards_parse(const struct json *request, struct arena *a, struct net_cards *ret_cards,
		    struct err *e)
{
	struct reader r = {.arena = a, .e = e, .where = "/cards"};
	struct net_cards c = {0};

	c.items = get_list(&r, request, "cards", sizeof(*c.items), get_card, &c.n);
	if (r.rc == 0)
		*ret_cards = c;
	return r.rc;
}
