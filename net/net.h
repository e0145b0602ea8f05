/* net/net.h: network links. */
#ifndef RF_NET_NET_H
#define RF_NET_NET_H

#include "common/err.h"
#include "spec/spec.h"

/* Brings the loopback device of the caller's network namespace up (netdevice(7)). */
int net_loopback_up(struct err *e);
#endif
