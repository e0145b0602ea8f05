/* microvm/jail.h: takes from the monitor's process what it doesn't need any more.
 *
 * What stays: descriptors, memory, the processor. A guest that breaks out of KVM finds a process
 * without a file system, without capabilities, and with some thirty system calls.
 */
#ifndef RF_MICROVM_JAIL_H
#define RF_MICROVM_JAIL_H

#include "common/err.h"

#include <stdbool.h>

/* User, mount, ipc and uts namespaces of its own, an empty read-only root, no capability,
 * no_new_privs, not dumpable. One thread only. new_net: a network namespace of its own as well, for
 * a process that still stands in its maker's. The pid namespace is its maker's matter: it holds who
 * is born in it (clone(2)). */
int vm_jail(bool new_net, struct err *e);

/* The same for the file server, after vm_fs_prepare(): an empty root, no groups, and of the
 * capabilities those that files need. A plain user's keeps what it sees: it has no more than he. */
int vm_jail_files(struct err *e);

/* For a process that stands for one in the guest, and talks to its agent: vm_jail(), and the system
 * calls of a relay. Its current directory is where vm_relay_open_here finds its descriptors. */
int vm_jail_stand(bool new_net, struct err *e);

enum vm_thread {
	VM_THREAD_LOOP,
	VM_THREAD_VCPU,
	VM_THREAD_RELAY,
	VM_THREAD_DISK,
	VM_THREAD_STAND,  /* a relay that connects by itself */
	VM_THREAD_FILES,  /* the file server's, that does requests */
	VM_THREAD_SHARES, /* the file server's first */
};
/* The calling thread's system calls, from now on (seccomp(2)); any other ends the process. */
int vm_jail_calls(enum vm_thread t, struct err *e);
/* How many system calls that are; one that is bound to arguments counts. */
unsigned vm_jail_count(enum vm_thread t);
/* vm_jail_calls(VM_THREAD_DISK), for vm_blk_how.limit. */
int vm_jail_disk(struct err *e);
/* vm_jail_calls(VM_THREAD_FILES or _SHARES), for vm_fs_serve(). */
int vm_jail_fs(bool worker, struct err *e);

#endif
