/* net/redirect.c: two devices as one wire: what comes in on one goes out by the other
 * (tc-mirred(8)).
 *
 * An ingress queue on each, and one filter in it that takes every frame. That happens before the
 * namespace's own stack sees the frame: the card keeps its addresses there, and the guest answers
 * for them.
 *
 * Invariants
 *  1. Our filter has a priority of its own: it is found by it, and filters of others stay, and are
 *     asked first.
 *  2. Whatever was there before may be there already: a clsact queue serves as well.
 *  3. One tap a card: a second one would get nothing, or steal. A filter of ours whose tap is gone
 *     is a dead monitor's, and replaced; one whose tap is there is taken off for that tap alone.
 */
#include "net/card.h"
#include "net/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#define OUR_PRIORITY 21062u
#define IN_INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

static struct tcmsg filter_head(int index)
{
	return (struct tcmsg){.tcm_ifindex = index,
			      .tcm_parent = IN_INGRESS,
			      .tcm_info = TC_H_MAKE(OUR_PRIORITY << 16, htons(ETH_P_ALL))};
}

static struct tcmsg queue_head(int index)
{
	return (struct tcmsg){.tcm_ifindex = index,
			      .tcm_parent = TC_H_INGRESS,
			      .tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0)};
}

/* --- what is there --- */

struct seen {
	int index;
	bool filters, queue; /* any filter; a queue of the kind that we make */
	int tap;             /* the one that a filter of ours leads to, if it is there */
};

/* The attribute at the end of a path of nested ones, or NULL. */
static struct nlattr *dig(struct nlattr *a, const int *path, size_t n)
{
	for (size_t i = 0; a && i < n; i++)
		a = nla_find(nla_data(a), nla_len(a), path[i]);
	return a;
}

static void see_filter(struct nlmsghdr *h, void *arg)
{
	static const int path[] = {TCA_U32_ACT, 1, TCA_ACT_OPTIONS, TCA_MIRRED_PARMS};
	struct seen *s = arg;
	const struct tcmsg *t = nlmsg_data(h);
	struct nlattr *a = dig(nlmsg_find_attr(h, sizeof(*t), TCA_OPTIONS), path, 4);
	struct tc_mirred m;

	if (h->nlmsg_type != RTM_NEWTFILTER)
		return;
	s->filters = true;
	if (TC_H_MAJ(t->tcm_info) >> 16 != OUR_PRIORITY || !a || nla_len(a) < (int)sizeof(m))
		return;
	/* The kernel forgets a device that goes: the action stays. */
	memcpy(&m, nla_data(a), sizeof(m));
	if (m.ifindex)
		s->tap = (int)m.ifindex;
}

static void see_queue(struct nlmsghdr *h, void *arg)
{
	struct seen *s = arg;
	const struct tcmsg *t = nlmsg_data(h);
	struct nlattr *kind = nlmsg_find_attr(h, sizeof(*t), TCA_KIND);

	if (h->nlmsg_type == RTM_NEWQDISC && t->tcm_ifindex == s->index &&
	    t->tcm_parent == TC_H_INGRESS && kind && strcmp(nla_get_string(kind), "ingress") == 0)
		s->queue = true;
}

static int look(struct net_nl *nl, int index, struct seen *ret)
{
	struct tcmsg filters = {.tcm_ifindex = index, .tcm_parent = IN_INGRESS}, queues = {0};
	struct nl_msg *msg = net_nl_msg(RTM_GETTFILTER, NLM_F_DUMP, &filters, sizeof(filters));
	int rc;

	*ret = (struct seen){.index = index};
	rc = net_nl_call(nl, &msg, see_filter, ret);
	if (rc < 0)
		return rc;
	msg = net_nl_msg(RTM_GETQDISC, NLM_F_DUMP, &queues, sizeof(queues));
	return net_nl_call(nl, &msg, see_queue, ret);
}

static int remove_filters(struct net_nl *nl, int index)
{
	struct tcmsg t = filter_head(index);
	struct nl_msg *msg = net_nl_msg(RTM_DELTFILTER, NLM_F_ACK, &t, sizeof(t));
	int rc = net_nl_call(nl, &msg, NULL, NULL);

	/* No such filter; no queue that it could be in. */
	return rc == -ENOENT || rc == -EINVAL ? 0 : rc;
}

/* --- doing --- */

static int call_kind(struct net_nl *nl, struct nl_msg *msg, const char *kind)
{
	if (msg && nla_put_string(msg, TCA_KIND, kind) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return net_nl_call(nl, &msg, NULL, NULL);
}

static int add_queue(struct net_nl *nl, int index)
{
	struct tcmsg t = queue_head(index);
	int rc = call_kind(
		nl, net_nl_msg(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &t, sizeof(t)),
		"ingress");

	return rc == -EEXIST ? 0 : rc;
}

/* The first and only action. */
static int put_action(struct nl_msg *msg, int to)
{
	struct tc_mirred m = {
		.action = TC_ACT_STOLEN, .eaction = TCA_EGRESS_REDIR, .ifindex = (unsigned)to};
	struct nlattr *list = nla_nest_start(msg, TCA_U32_ACT);
	struct nlattr *first = list ? nla_nest_start(msg, 1) : NULL;
	struct nlattr *options;

	if (!first || nla_put_string(msg, TCA_ACT_KIND, "mirred") < 0)
		return -ENOMEM;
	options = nla_nest_start(msg, TCA_ACT_OPTIONS);
	if (!options || nla_put(msg, TCA_MIRRED_PARMS, sizeof(m), &m) < 0)
		return -ENOMEM;
	nla_nest_end(msg, options);
	nla_nest_end(msg, first);
	nla_nest_end(msg, list);
	return 0;
}

/* u32 with a mask of nothing matches all; every distribution's kernel has it. */
static int put_match_all(struct nl_msg *msg, int to)
{
	struct {
		struct tc_u32_sel sel;
		struct tc_u32_key key;
	} all = {.sel = {.flags = TC_U32_TERMINAL, .nkeys = 1}};
	struct nlattr *options = nla_nest_start(msg, TCA_OPTIONS);

	if (!options || nla_put(msg, TCA_U32_SEL, sizeof(all), &all) < 0 || put_action(msg, to) < 0)
		return -ENOMEM;
	nla_nest_end(msg, options);
	return 0;
}

static int add_filter(struct net_nl *nl, int from, int to)
{
	struct tcmsg t = filter_head(from);
	struct nl_msg *msg =
		net_nl_msg(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &t, sizeof(t));

	if (msg && (nla_put_string(msg, TCA_KIND, "u32") < 0 || put_match_all(msg, to) < 0)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return net_nl_call(nl, &msg, NULL, NULL);
}

static int one_way(struct net_nl *nl, const struct net_link *from, const struct net_link *to,
		   struct err *e)
{
	int rc = add_queue(nl, from->index);

	if (rc < 0)
		return err_sys(e, -rc, from->name, "adding an ingress queue");
	rc = add_filter(nl, from->index, to->index);
	if (rc < 0)
		return err_sys(e, -rc, from->name, "redirecting what arrives there to %s",
			       to->name);
	return 0;
}

static int undo(struct net_nl *nl, const struct net_link *card, int tap, struct err *e)
{
	struct tcmsg t = queue_head(card->index);
	struct nl_msg *msg;
	struct seen seen;
	int rc = look(nl, card->index, &seen);

	if (rc == 0 && seen.tap && seen.tap != tap)
		return 0;
	if (rc == 0)
		rc = remove_filters(nl, card->index);
	if (rc == 0)
		rc = look(nl, card->index, &seen);
	if (rc == 0 && !seen.filters && seen.queue) {
		msg = net_nl_msg(RTM_DELQDISC, NLM_F_ACK, &t, sizeof(t));
		rc = net_nl_call(nl, &msg, NULL, NULL);
	}
	return rc < 0 ? err_sys(e, -rc, card->name, "taking the redirection off") : 0;
}

static int make_free(struct net_nl *nl, const struct net_link *card, struct err *e)
{
	struct seen seen;
	int rc = look(nl, card->index, &seen);

	if (rc == 0 && seen.tap)
		return err_set(e, ERR_SYSTEM, EBUSY, card->name,
			       "another micro-VM has this network card already");
	if (rc == 0 && seen.filters)
		rc = remove_filters(nl, card->index);
	return rc < 0 ? err_sys(e, -rc, card->name, "looking at its filters") : 0;
}

static int wire(struct net_nl *nl, const struct net_link *card, const struct net_link *tap,
		struct err *e)
{
	struct err ignored = {0};
	/* The guest's way out first: nothing arrives that it couldn't answer. */
	int rc = one_way(nl, tap, card, e);

	if (rc == 0)
		rc = one_way(nl, card, tap, e);
	if (rc < 0)
		(void)undo(nl, card, tap->index, &ignored);
	return rc;
}

int net_redirect(int ns, const char *card, const struct net_tap *tap, struct err *e)
{
	auto_nl nl = {0};
	struct net_link a, b = {.index = tap->index};
	int rc = net_nl_open(ns, &nl, e);

	if (rc < 0)
		return rc;
	snprintf(b.name, sizeof(b.name), "%s", tap->name);
	rc = net_nl_link(&nl, card, &a);
	if (rc < 0)
		return err_sys(e, -rc, card, "looking for the card");
	rc = make_free(&nl, &a, e);
	return rc < 0 ? rc : wire(&nl, &a, &b, e);
}

int net_redirect_undo(int ns, const char *card, int tap, struct err *e)
{
	auto_nl nl = {0};
	struct net_link l;
	int rc = net_nl_open(ns, &nl, e);

	if (rc < 0)
		return rc;
	rc = net_nl_link(&nl, card, &l);
	if (rc == -ENODEV)
		return 0;
	return rc < 0 ? err_sys(e, -rc, card, "looking for the card") : undo(&nl, &l, tap, e);
}
