/* microvm/monitor.h: a running micro-VM: the process that calls vm_monitor_run() is it, until its
 * end.
 *
 * Threads: the caller's becomes the event loop; one for each vCPU; one for `work`.
 *
 * A machine from a template is on trial until vm_monitor_settle(): one that can't be read, ends by
 * itself before, or is given up, is replaced, in the same process, by one that boots. Until then
 * the loop's thread isn't limited (jail.h), for it may have to make the other machine; no program
 * of a container runs so early.
 */
#ifndef RF_MICROVM_MONITOR_H
#define RF_MICROVM_MONITOR_H

#include "microvm/boot.h"
#include "microvm/devices.h"

struct vm_monitor;

/* Descriptors are the monitor's from the call on; strings and arrays stay the caller's. -1 and 0:
 * none. */
struct vm_how {
	int kvm;     /* vm_kvm_open */
	int kernel;  /* vmlinux or bzImage */
	int program; /* what becomes /init */
	int agent;   /* listening socket: a connection to it is one to the guest's agent */
	int files;   /* SOCK_SEQPACKET to the file server */
	int log;     /* the guest's console */
	int from;    /* a template to go on from, instead of booting (snapshot.h) */
	int to;      /* an empty file that becomes one, once the agent listens */
	int control; /* listening socket of control.h */
	/* Archives that the guest's kernel unpacks before ours (boot.h), and how many. */
	int archives[VM_BOOT_ARCHIVES];
	size_t n_archives;
	/* Its kernel finds its devices by ACPI; else they are on the command line as well. */
	bool acpi;
	const char *kernel_name;
	const char *parameters; /* of the kernel, behind ours; or NULL */
	uint64_t memory;        /* bytes, whole pages */
	unsigned vcpus;
	const struct vm_net_how *nets;
	size_t n_nets;
	const struct vm_blk_how *disks;
	size_t n_disks;
	/* Runs on a thread of its own, without the lock; its return ends the machine, and
	 * *ret_status is what it returned. */
	int (*work)(struct vm_monitor *m, void *arg);
	/* On the loop's thread. boots: the trial failed, and why; what was agreed with the guest is
	 * void, and connections to it end. settled: it was passed, and the thread is limited. Both
	 * or neither; without them, without a kernel, or with disks there is no trial. */
	void (*boots)(void *arg, const struct err *why);
	void (*settled)(void *arg);
	void *arg;
};

/* A stream to the guest's agent, from `work`; waits for nothing: bytes do, until the agent listens.
 */
int vm_monitor_connect(struct vm_monitor *m, int *ret_fd, struct err *e);

/* For `work`: the container is made, and from now on the machine's end is the end. other: in the
 * machine that boots instead. false: it was made in one that is gone, or `settled` won't come.
 * Waits for nothing. */
bool vm_monitor_settle(struct vm_monitor *m, bool other);

/* For `work`: the guest is good for nothing, and why: on trial, that is its end. Else, and for the
 * one that boots instead, nothing is done: who waits for it says so. Waits for nothing. */
void vm_monitor_give_up(struct vm_monitor *m, const char *why);

/* For `work`: nothing of the container's output is on its way to the host, nor will be; until then,
 * and after false, the machine isn't written down. */
void vm_monitor_quiet(struct vm_monitor *m, bool quiet);
/* An eventfd, the monitor's, -1 without a control socket: the machine was written down and goes on,
 * or won't be: the streams are wanted again. */
int vm_monitor_again(struct vm_monitor *m);

/* Boots, and runs until `work` returned: 0. A guest that ended before it is an error: ERR_SYSTEM
 * with EIO. */
int vm_monitor_run(const struct vm_how *how, int *ret_status, struct err *e);

#endif
