/* net/device.c: see device.h.
 *
 * Invariants
 *  1. All devices are looked at before the first one moves.
 *  2. A record is in the journal before its device moves. It is one line: old name, new name, "up"
 *     or "down", addresses, path of the namespace or "-".
 *  3. The runtime's process is in its own network namespace before and after each step: a socket
 *     keeps the namespace in which it was opened.
 */
#include "net/device.h"

#include "common/fd.h"
#include "net/internal.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TEMPLATE "%d"
#define TEMPLATE_MAX 4096

static const char *where(const struct spec_net_device *d, char *at, size_t size)
{
	snprintf(at, size, "/linux/netDevices");
	json_pointer_key(at, size, d->host_name);
	return at;
}

static bool is_template(const char *name)
{
	return name && strstr(name, TEMPLATE);
}

/* --- one device --- */

static struct nl_msg *link_msg(const struct net_link *l, unsigned flags, unsigned change)
{
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC,
			      .ifi_index = l->index,
			      .ifi_flags = flags,
			      .ifi_change = change};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_SETLINK, NLM_F_ACK);

	if (msg && nlmsg_append(msg, &i, sizeof(i), NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

static int set_up(struct net_nl *nl, const struct net_link *l)
{
	struct nl_msg *msg = link_msg(l, IFF_UP, IFF_UP);

	return net_nl_call(nl, &msg, NULL, NULL);
}

/* Both at once: a device whose own name is taken over there arrives under the new one. */
static int move_link(struct net_nl *from, const struct net_link *l, int to, const char *name)
{
	struct nl_msg *msg = link_msg(l, 0, 0);

	if (!msg || nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)to) < 0 ||
	    nla_put_string(msg, IFLA_IFNAME, name) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return net_nl_call(from, &msg, NULL, NULL);
}

/* Addresses first: from the moment at which it is up, the device is what it was. */
static int settle(struct net_nl *nl, const char *name, const char *old, const char *addresses,
		  bool up, struct err *e)
{
	struct net_link l;
	int rc = net_nl_link(nl, name, &l);

	if (rc < 0)
		return err_sys(e, -rc, NULL, "finding %s where it was moved to", name);
	rc = net_addresses_restore(nl, &l, old, addresses);
	if (rc < 0)
		return err_sys(e, -rc, NULL, "giving %s its addresses back", name);
	rc = up ? set_up(nl, &l) : 0;
	return rc < 0 ? err_sys(e, -rc, NULL, "bringing %s up", name) : 0;
}

static int own_ns(int *ret_fd, struct err *e)
{
	*ret_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, errno, NULL, "opening our own network namespace") : 0;
}

/* --- the steps --- */

/* A name that is free over there. */
static int choose(struct net_nl *there, const char *wanted, char *ret_name, struct err *e)
{
	const char *mark = strstr(wanted, TEMPLATE);
	struct net_link l;
	int tries = mark ? TEMPLATE_MAX : 1;

	for (int i = 0; i < tries; i++) {
		int n = mark ? snprintf(ret_name, IFNAMSIZ, "%.*s%d", (int)(mark - wanted), wanted,
					i)
			     : snprintf(ret_name, IFNAMSIZ, "%s", wanted);
		if (n >= IFNAMSIZ)
			break;
		int rc = net_nl_link(there, ret_name, &l);
		if (rc == -ENODEV)
			return 0;
		if (rc < 0)
			return err_sys(e, -rc, NULL, "looking for a device named %s", ret_name);
	}
	return err_set(e, ERR_SPEC, EEXIST, NULL,
		       "the container's network namespace has a device named %s already", wanted);
}

static int find(struct net_nl *here, const struct spec_net_device *d, struct net_link *ret_link,
		struct err *e)
{
	int rc = net_nl_link(here, d->host_name, ret_link);

	if (rc == -ENODEV)
		return err_set(e, ERR_SPEC, ENODEV, NULL,
			       "the runtime's network namespace has no device named %s",
			       d->host_name);
	if (rc < 0)
		return err_sys(e, -rc, NULL, "looking for the device");
	if (ret_link->flags & IFF_LOOPBACK)
		return err_set(e, ERR_SPEC, EINVAL, NULL, "a loopback device can't be moved");
	return 0;
}

static int check_device(struct net_nl *here, struct net_nl *there, const struct spec_net_device *d,
			struct err *e)
{
	char at[256], name[IFNAMSIZ];
	struct net_link l;
	int rc = find(here, d, &l, e);

	if (rc >= 0)
		rc = choose(there, d->name ? d->name : l.name, name, e);
	if (rc < 0 && !e->where[0])
		snprintf(e->where, sizeof(e->where), "%s", where(d, at, sizeof(at)));
	return rc;
}

static bool same_ns(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int run_check(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct net_run *r = ctx;
	const struct spec *spec = s->arg;
	auto_nl here = {0}, there = {0};
	auto_fd own = -1;
	int rc = own_ns(&own, e);

	if (rc >= 0 && same_ns(own, r->target))
		return err_set(e, ERR_SPEC, EINVAL, NULL,
			       "needs a network namespace other than the runtime's own");
	if (rc >= 0)
		rc = net_nl_open(-1, &here, e);
	if (rc >= 0)
		rc = net_nl_open(r->target, &there, e);
	for (size_t i = 0; i < spec->linux_.net_devices.n && rc >= 0; i++)
		rc = check_device(&here, &there, &spec->linux_.net_devices.items[i], e);
	return rc;
}

static int note(const struct net_run *r, const struct net_link *l, const char *name,
		const char *addresses, struct err *e)
{
	auto_strbuf record = {0};

	strbuf_printf(&record, "netdev %s %s %s %s %s", l->name, name,
		      l->flags & IFF_UP ? "up" : "down", addresses, r->path ? r->path : "-");
	if (record.failed)
		return err_sys(e, ENOMEM, NULL, "noting the move");
	return r->note(r->note_arg, record.s, e);
}

/* The kernel moves first and renames then: a device whose new name was taken meanwhile is over
 * there, under its old one, where no record would look for it. */
static int take_back(struct net_nl *there, int own, const struct net_link *l, const char *name,
		     int rc)
{
	struct net_link stray;

	if (net_nl_link(there, name, &stray) == 0 && net_nl_link(there, l->name, &stray) == 0 &&
	    stray.index == l->index)
		(void)move_link(there, &stray, own, l->name);
	return rc;
}

static int run_move(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct net_run *r = ctx;
	const struct spec_net_device *d = s->arg;
	auto_nl here = {0}, there = {0};
	auto_strbuf addresses = {0};
	auto_fd own = -1;
	char name[IFNAMSIZ];
	struct net_link l;
	int rc = own_ns(&own, e);

	if (rc >= 0)
		rc = net_nl_open(-1, &here, e);
	if (rc >= 0)
		rc = net_nl_open(r->target, &there, e);
	if (rc >= 0)
		rc = find(&here, d, &l, e);
	if (rc >= 0)
		rc = choose(&there, d->name ? d->name : l.name, name, e);
	if (rc < 0)
		return rc;
	rc = net_addresses_save(&here, &l, &addresses);
	if (rc < 0)
		return err_sys(e, -rc, NULL, "reading the addresses");
	rc = note(r, &l, name, addresses.s, e);
	if (rc < 0)
		return rc;
	rc = move_link(&here, &l, r->target, name);
	if (rc < 0)
		return err_sys(e, -take_back(&there, own, &l, name, rc), NULL,
			       "moving it into the container's network namespace");
	return settle(&there, name, l.name, addresses.s, true, e);
}

static int plan_device(struct plan *p, const struct spec_net_device *d, struct err *e)
{
	char at[256];
	struct plan_step step = {.stage = PLAN_ATTACH,
				 .room = PLAN_NET,
				 .what = "device",
				 .pointer = arena_strdup(p->arena, where(d, at, sizeof(at))),
				 .run = run_move,
				 .arg = d};

	step.detail =
		arena_printf(p->arena, "%s → %s", d->host_name, d->name ? d->name : d->host_name);
	if (!step.pointer || !step.detail)
		return err_sys(e, ENOMEM, "/linux/netDevices", "planning a device");
	return plan_add(p, &step, e);
}

int net_plan_devices(struct plan *p, const struct spec *s, struct err *e)
{
	struct plan_step check = {.stage = PLAN_ATTACH,
				  .room = PLAN_NET,
				  .what = "devices",
				  .pointer = "/linux/netDevices",
				  .detail = "are there, and their names free",
				  .run = run_check,
				  .arg = s};
	size_t n = s->linux_.net_devices.n;
	int rc = n ? plan_add(p, &check, e) : 0;

	/* Templates last: they take the names that the others leave. */
	for (size_t i = 0; i < 2 * n && rc >= 0; i++) {
		const struct spec_net_device *d = &s->linux_.net_devices.items[i % n];

		if (is_template(d->name) == (i >= n))
			rc = plan_device(p, d, e);
	}
	return rc;
}

/* --- undoing --- */

struct record {
	const char *old, *name, *state, *addresses, *path;
};

/* Cuts the words of *text off. */
static bool parse(char *text, struct record *ret)
{
	const char **words[] = {&ret->old, &ret->name, &ret->state, &ret->addresses};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char *end = strchr(text, ' ');

		if (!end)
			return false;
		*end = '\0';
		*words[i] = text;
		text = end + 1;
	}
	ret->path = text;
	return *text != '\0';
}

static int fetch(const struct record *r, int target, struct err *e)
{
	auto_nl here = {0}, there = {0};
	auto_fd own = -1;
	struct net_link l;
	int rc = own_ns(&own, e);

	if (rc >= 0)
		rc = net_nl_open(-1, &here, e);
	/* It never went, or is back. */
	if (rc >= 0 && net_nl_link(&here, r->old, &l) == 0)
		return 0;
	if (rc >= 0)
		rc = net_nl_open(target, &there, e);
	if (rc < 0 || net_nl_link(&there, r->name, &l) < 0)
		return rc;
	rc = move_link(&there, &l, own, r->old);
	if (rc < 0)
		return err_sys(e, -rc, r->old, "taking the device back from the container");
	return settle(&here, r->old, r->name, r->addresses, str_eq(r->state, "up"), e);
}

int net_device_undo(const char *record, int target, struct err *e)
{
	auto_str text = strdup(record);
	auto_fd fd = -1;
	struct record r;

	if (!text)
		return err_sys(e, ENOMEM, "journal", "undoing a move of a network device");
	if (!parse(text, &r))
		return err_set(e, ERR_INTERNAL, EINVAL, "journal", "damaged record \"netdev %s\"",
			       record);
	if (target < 0 && str_eq(r.path, "-"))
		return 0;
	if (target >= 0)
		return fetch(&r, target, e);
	fd = open(r.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	/* The namespace was taken away meanwhile. */
	return fd < 0 ? 0 : fetch(&r, fd, e);
}
