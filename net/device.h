/* net/device.h: linux.netDevices: devices of the runtime's network namespace that go into the
 * container's.
 *
 * They go when the container's process exists and nothing of it is built, so that every hook finds
 * them there. They stay: whoever owns the namespace ends them, the runtime doesn't fetch them back
 * at the end (config-linux.md, "Namespace Lifecycle and Container Termination"). A create that
 * fails is another matter: it leaves the host as it was.
 */
#ifndef RF_NET_DEVICE_H
#define RF_NET_DEVICE_H

#include "common/plan.h"
#include "net/net.h"

/* Context of the steps: plan_env.room[PLAN_NET] in PLAN_ATTACH. */
struct net_run {
	int target; /* the container's network namespace; borrowed */
	const char
		*path; /* where it is found again after a crash; NULL: it ends with the process */
	/* Writes the record of the journal: what a device's undo needs is found out by the step. */
	int (*note)(void *arg, const char *record, struct err *e);
	void *note_arg;
};

int net_plan_devices(struct plan *p, const struct spec *s, struct err *e);
/* Undoes "netdev <record>" of a create that failed: the device comes back with name, addresses and
 * state. target: the namespace, or -1: by the record's path; without one the namespace is gone and
 * took the device along, or sent it home. */
int net_device_undo(const char *record, int target, struct err *e);

#endif
