/* net/netlink.c: a socket of rtnetlink(7), one question and its answer at a time. */
#include "net/internal.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <netlink/attr.h>
#include <sched.h>
#include <stdio.h>

static int connect_nl(struct net_nl *nl)
{
	nl->sk = nl_socket_alloc();
	if (!nl->sk)
		return -ENOMEM;
	/* An acknowledgement is asked for where nothing else would answer. */
	nl_socket_disable_auto_ack(nl->sk);
	return nl_connect(nl->sk, NETLINK_ROUTE) < 0 ? -EPROTONOSUPPORT : 0;
}

int net_ns_enter(int ns, int *ret_own, struct err *e)
{
	auto_fd own = ns < 0 ? -1 : open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (ns >= 0 && (own < 0 || setns(ns, CLONE_NEWNET) < 0))
		return err_sys(e, errno, NULL, "entering the container's network namespace");
	*ret_own = take_fd(&own);
	return 0;
}

int net_ns_leave(int own, struct err *e)
{
	auto_fd fd = own;

	if (fd >= 0 && setns(fd, CLONE_NEWNET) < 0)
		return err_sys(e, errno, NULL, "returning to our own network namespace");
	return 0;
}

int net_nl_open(int ns, struct net_nl *ret_nl, struct err *e)
{
	auto_nl nl = {0};
	int own = -1, rc = net_ns_enter(ns, &own, e);

	if (rc < 0)
		return rc;
	rc = connect_nl(&nl);
	if (net_ns_leave(own, e) < 0)
		return -e->code;
	if (rc < 0)
		return err_sys(e, -rc, NULL, "opening a netlink socket");
	*ret_nl = nl;
	nl.sk = NULL;
	return 0;
}

struct nl_msg *net_nl_msg(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg && nlmsg_append(msg, (void *)(uintptr_t)head, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		msg = NULL;
	}
	return msg;
}

void net_nl_close(struct net_nl *nl)
{
	if (nl->sk)
		nl_socket_free(nl->sk);
	nl->sk = NULL;
}

struct answer {
	int rc;
	void (*each)(struct nlmsghdr *, void *);
	void *arg;
};

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct answer *a = arg;

	if (a->each)
		a->each(nlmsg_hdr(msg), a->arg);
	return NL_OK;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *err, void *arg)
{
	struct answer *a = arg;

	(void)from;
	a->rc = err->error;
	return NL_STOP;
}

int net_nl_call(struct net_nl *nl, struct nl_msg **msg, void (*each)(struct nlmsghdr *, void *),
		void *arg)
{
	struct answer a = {.each = each, .arg = arg};
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc = cb && *msg ? 0 : -ENOMEM;

	if (rc == 0) {
		nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &a);
		nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
		rc = nl_send_auto(nl->sk, *msg) < 0 ? -EIO : 0;
	}
	if (rc == 0)
		rc = nl_recvmsgs(nl->sk, cb);
	if (cb)
		nl_cb_put(cb);
	nlmsg_free(*msg);
	*msg = NULL;
	if (a.rc < 0)
		return a.rc;
	return rc == -NLE_DUMP_INTR ? -EAGAIN : rc < 0 ? -EIO : 0;
}

struct found {
	struct net_link link;
	bool any;
};

static void take_link(struct nlmsghdr *h, void *arg)
{
	struct found *f = arg;
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *name = nlmsg_find_attr(h, sizeof(*i), IFLA_IFNAME);

	if (h->nlmsg_type != RTM_NEWLINK || !name)
		return;
	f->link.index = i->ifi_index;
	f->link.flags = i->ifi_flags;
	snprintf(f->link.name, sizeof(f->link.name), "%s", nla_get_string(name));
	f->any = true;
}

int net_nl_link(struct net_nl *nl, const char *name, struct net_link *ret_link)
{
	struct ifinfomsg i = {.ifi_family = AF_UNSPEC};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	struct found f = {0};

	if (!msg || nlmsg_append(msg, &i, sizeof(i), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(msg, IFLA_IFNAME, name) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	int rc = net_nl_call(nl, &msg, take_link, &f);
	if (rc < 0)
		return rc;
	if (!f.any)
		return -ENODEV;
	*ret_link = f.link;
	return 0;
}
