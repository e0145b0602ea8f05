/* net/address.c: the addresses of a device that goes to another network namespace: the kernel takes
 * them off on the way.
 *
 * They are kept as the kernel said them, in hexadecimal, so that one word of a journal's record
 * holds them all; of what it said only the index, the flags and the label are not repeated as they
 * were.
 *
 * Invariant: kept are those that config-linux.md names: permanent, of global scope, of any family;
 * in the kernel's order, for the first of a subnet is its primary one.
 */
#include "net/internal.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#define NONE "-"
#define TRIES 5
/* What the kernel finds out by itself. */
#define FOUND_OUT                                                                 \
	(IFA_F_SECONDARY | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TENTATIVE | \
	 IFA_F_PERMANENT | IFA_F_STABLE_PRIVACY)

struct saving {
	int index;
	struct strbuf *word;
};

static uint32_t flags_of(struct nlmsghdr *h)
{
	const struct ifaddrmsg *a = nlmsg_data(h);
	struct nlattr *flags = nlmsg_find_attr(h, sizeof(*a), IFA_FLAGS);

	return flags ? nla_get_u32(flags) : a->ifa_flags;
}

static void save(struct nlmsghdr *h, void *arg)
{
	struct saving *s = arg;
	const struct ifaddrmsg *a = nlmsg_data(h);
	const unsigned char *bytes = nlmsg_data(h);

	if (h->nlmsg_type != RTM_NEWADDR || (int)a->ifa_index != s->index ||
	    a->ifa_scope != RT_SCOPE_UNIVERSE || !(flags_of(h) & IFA_F_PERMANENT))
		return;
	if (s->word->len)
		strbuf_puts(s->word, ",");
	for (int i = 0; i < nlmsg_datalen(h); i++)
		strbuf_printf(s->word, "%02x", bytes[i]);
}

int net_addresses_save(struct net_nl *nl, const struct net_link *l, struct strbuf *word)
{
	struct saving s = {.index = l->index, .word = word};
	int rc = -EAGAIN;

	/* Interrupted by a change of addresses, the list has to be asked for again. */
	for (int i = 0; rc == -EAGAIN && i < TRIES; i++) {
		struct ifaddrmsg a = {.ifa_family = AF_UNSPEC};
		struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);

		if (!msg || nlmsg_append(msg, &a, sizeof(a), NLMSG_ALIGNTO) < 0) {
			nlmsg_free(msg);
			return -ENOMEM;
		}
		word->len = 0;
		rc = net_nl_call(nl, &msg, save, &s);
	}
	if (rc == 0 && word->len == 0)
		strbuf_puts(word, NONE);
	return rc < 0 ? rc : word->failed ? -ENOMEM : 0;
}

/* "eth0" and "eth0:1" name the device that they belong to. */
static int put_label(struct nl_msg *msg, const char *label, const char *old, const char *name)
{
	char text[IFNAMSIZ];
	size_t n = strlen(old);

	if (strncmp(label, old, n) != 0 || (label[n] && label[n] != ':'))
		return nla_put_string(msg, IFA_LABEL, label);
	/* One that becomes too long is left to the kernel, which takes the name. */
	if ((size_t)snprintf(text, sizeof(text), "%s%s", name, label + n) >= sizeof(text))
		return 0;
	return nla_put_string(msg, IFA_LABEL, text);
}

static int put_attr(struct nl_msg *msg, struct nlattr *a, const char *old, const char *name)
{
	switch (nla_type(a)) {
	case IFA_FLAGS:
		return nla_put_u32(msg, IFA_FLAGS, nla_get_u32(a) & ~(uint32_t)FOUND_OUT);
	case IFA_LABEL:
		return put_label(msg, nla_get_string(a), old, name);
	default:
		return nla_put(msg, nla_type(a), nla_len(a), nla_data(a));
	}
}

static int restore(struct net_nl *nl, const struct net_link *to, const char *old, void *data,
		   int len)
{
	struct ifaddrmsg a;
	struct nl_msg *msg =
		nlmsg_alloc_simple(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
	const int head = (int)NLMSG_ALIGN(sizeof(a));
	struct nlattr *at = (struct nlattr *)((char *)data + head);

	if (!msg || len < (int)sizeof(a)) {
		nlmsg_free(msg);
		return msg ? -EINVAL : -ENOMEM;
	}
	memcpy(&a, data, sizeof(a));
	a.ifa_index = (unsigned)to->index;
	a.ifa_flags &= (unsigned char)~FOUND_OUT;
	int rc = nlmsg_append(msg, &a, sizeof(a), NLMSG_ALIGNTO);
	for (int left = len - head; rc >= 0 && nla_ok(at, left); at = nla_next(at, &left))
		rc = put_attr(msg, at, old, to->name);
	if (rc < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	return net_nl_call(nl, &msg, NULL, NULL);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* As many bytes as there are pairs of digits; aligned as attributes want it. */
static int decode(const char **word, uint32_t *buf, int max)
{
	unsigned char *out = (unsigned char *)buf;
	int n = 0;

	for (; digit((*word)[0]) >= 0 && digit((*word)[1]) >= 0 && n < max; *word += 2)
		out[n++] = (unsigned char)(digit((*word)[0]) << 4 | digit((*word)[1]));
	return n;
}

int net_addresses_restore(struct net_nl *nl, const struct net_link *to, const char *old,
			  const char *word)
{
	uint32_t buf[256];

	while (digit(*word) >= 0) {
		int len = decode(&word, buf, (int)sizeof(buf));
		int rc = restore(nl, to, old, buf, len);

		if (rc < 0)
			return rc;
		word += *word == ',';
	}
	return 0;
}
