/* microvm/vcpu.h: one virtual processor: what it is told it is (CPUID, MSRs), its first state, and
 * its thread.
 *
 * Invariants
 *  1. A vCPU's ioctls are called by its own thread, once that runs; by another while it is halted.
 *  2. What KVM can't handle comes to `struct vm_bus` under the loop's lock; nothing else of the
 * monitor is touched.
 *  3. vm_vcpus_stop() returns when no vCPU runs any more.
 */
#ifndef RF_MICROVM_VCPU_H
#define RF_MICROVM_VCPU_H

#include "microvm/kvm.h"
#include "microvm/loop.h"

#include <signal.h>

#define VM_VCPUS_MAX 32u

struct kvm_run;

/* Where processors wait while their machine is written down. Zeroed and vm_halt_init(); one for all
 * of a machine. */
struct vm_halt {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted;
	unsigned waiting, ended; /* threads */
};
void vm_halt_init(struct vm_halt *h);

/* Where a guest's accesses go that KVM doesn't answer itself. */
struct vm_bus {
	struct vm_loop *loop;
	/* gpa outside RAM. Lock held. */
	void (*mmio)(void *arg, uint64_t gpa, void *data, unsigned len, bool write);
	/* Bytes written to the first serial port. Lock held. NULL: nobody listens. */
	void (*serial)(void *arg, const void *data, size_t len);
	/* The guest shut down, reset itself, or can't go on (why: one line, NULL: it asked for it).
	 * Lock held; from the vCPU's thread. */
	void (*ended)(void *arg, const char *why);
	void *arg;
	struct vm_halt *halt; /* NULL: they are never halted */
};

struct vm_vcpu {
	int fd;
	unsigned index;
	struct kvm_run *run;
	size_t run_size;
	const struct vm_bus *bus;
	pthread_t thread;
	bool started;
};

/* A vCPU with its CPUID: what KVM supports, less what a container's guest has no use for (nested
 * virtualisation, performance counters). n: how many the machine has. */
int vm_vcpu_make(struct vm_vcpu *v, struct vm_kvm *k, unsigned index, unsigned n,
		 const struct vm_bus *bus, struct err *e);
void vm_vcpu_free(struct vm_vcpu *v);
/* The first processor at a kernel's entry; the tables are in guest memory already. Linux's 64-bit
 * one (Documentation/arch/x86/boot.rst): paging on, low 4 GiB mapped one to one, rsi = the zero
 * page. PVH: 32-bit protected mode without paging, ebx = what the kernel is told. */
struct vm_boot_entry;
int vm_vcpu_boot(struct vm_vcpu *v, const struct vm_boot_entry *entry, struct err *e);
/* Lets them run, each on a thread of its own. */
int vm_vcpus_start(struct vm_vcpu *v, unsigned n, struct err *e);
/* Waits until none of them is in the guest, and keeps them out. Without the loop's lock.
 * -ETIMEDOUT: one doesn't come, and all go on. */
int vm_vcpus_halt(struct vm_vcpu *v, unsigned n, struct err *e);
void vm_vcpus_go(struct vm_vcpu *v, unsigned n);
/* Ends the threads, which aren't halted; the state stays in KVM. */
void vm_vcpus_stop(struct vm_vcpu *v, unsigned n);

#endif
