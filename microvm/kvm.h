/* microvm/kvm.h: one virtual machine of the kernel's (Documentation/virt/kvm/api.rst): memory
 * slots, interrupt lines and notification addresses. vCPUs are in microvm/vcpu.h.
 */
#ifndef RF_MICROVM_KVM_H
#define RF_MICROVM_KVM_H

#include "common/err.h"
#include "microvm/memory.h"

#include <stdbool.h>
#include <stddef.h>

struct kvm_cpuid2;

struct vm_kvm {
	int dev;         /* /dev/kvm; borrowed */
	int vm;          /* owned */
	size_t run_size; /* bytes of a vCPU's shared page(s) */
	/* What this host's processors and KVM can, owned; NULL until the first vCPU asks. Every
	 * leaf is an exit where the host is itself a guest, so it is asked once. */
	struct kvm_cpuid2 *cpuid;
};

/* Opens /dev/kvm and looks that it can do what a micro-VM needs. ERR_UNSUPPORTED says what is
 * missing: no device, no permission, a version or a capability. Returned descriptor owned by the
 * caller. */
int vm_kvm_open(int *ret_dev, struct err *e);
/* The machine: interrupt controllers in the kernel, no timer chip, RAM in its slots. */
int vm_kvm_make(struct vm_kvm *k, int dev, const struct vm_memory *m, struct err *e);
void vm_kvm_free(struct vm_kvm *k);
/* A write to the eventfd raises the interrupt line, edge-triggered (KVM_IRQFD). */
int vm_kvm_irq(struct vm_kvm *k, int eventfd, unsigned line, struct err *e);
/* A guest's 32-bit write of `value` at gpa signals the eventfd and doesn't leave the kernel
 * (KVM_IOEVENTFD). */
int vm_kvm_kick(struct vm_kvm *k, int eventfd, uint64_t gpa, uint32_t value, struct err *e);

/* check.c: what this host offers a micro-VM, for `vm check` and `info`. */
enum vm_hardware { VM_HW_NONE, VM_HW_VTX, VM_HW_AMDV };
struct vm_host {
	enum vm_hardware cpu;   /* what the processor says (CPUID) */
	bool module;            /* kvm_intel or kvm_amd is there */
	bool device, permitted; /* /dev/kvm exists, and may be opened */
	char reason[256];       /* why a Linux guest can't run here; empty: it can */
};
void vm_host_look(struct vm_host *ret);

#endif
