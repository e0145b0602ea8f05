/* net/internal.h: what the files of this room share with each other only. */
#ifndef RF_NET_INTERNAL_H
#define RF_NET_INTERNAL_H

#include "common/str.h"
#include "net/net.h"

#include <linux/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

/* netlink.c: one rtnetlink socket; it stays in the network namespace in which it was opened. */
struct net_nl {
	struct nl_sock *sk;
};
#define auto_nl __attribute__((cleanup(net_nl_close))) struct net_nl

struct net_link {
	int index;
	unsigned flags;      /* IFF_* */
	char name[IFNAMSIZ]; /* the kernel's: the one asked for may be an alternative one */
};

/* The calling thread into the namespace (a descriptor; -1: stays) and back; *ret_own is closed by
 * the latter. */
int net_ns_enter(int ns, int *ret_own, struct err *e);
int net_ns_leave(int own, struct err *e);

/* ns: a descriptor of the namespace, or -1: the caller's. The caller is in its own again. */
int net_nl_open(int ns, struct net_nl *ret_nl, struct err *e);
void net_nl_close(struct net_nl *nl);
/* Sends *msg, which it frees, and waits for the answer; `each` (may be NULL) is given every message
 * of it. A negative errno, the kernel's own, without a struct err: callers know the object. */
int net_nl_call(struct net_nl *nl, struct nl_msg **msg, void (*each)(struct nlmsghdr *, void *),
		void *arg);
/* A message with its fixed part; NULL: no memory, which net_nl_call says too. */
struct nl_msg *net_nl_msg(int type, int flags, const void *head, size_t len);
/* -ENODEV when there is none of that name. */
int net_nl_link(struct net_nl *nl, const char *name, struct net_link *ret_link);

/* address.c: what a device loses on its way: its addresses, as one word for the journal. */
int net_addresses_save(struct net_nl *nl, const struct net_link *l, struct strbuf *word);
/* Adds them to device `to`, which was called `old` when they were saved. */
int net_addresses_restore(struct net_nl *nl, const struct net_link *to, const char *old,
			  const char *word);

#endif
