/* microvm/check.c: can this host run a Linux guest, and if not, why: said before anybody tries. */
#include "microvm/kvm.h"

#include "common/fd.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define VMX (1u << 5) /* leaf 1, ecx */
#define SVM (1u << 2) /* leaf 0x80000001, ecx */

static enum vm_hardware processor(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d) && (c & VMX))
		return VM_HW_VTX;
	if (__get_cpuid(0x80000001, &a, &b, &c, &d) && (c & SVM))
		return VM_HW_AMDV;
	return VM_HW_NONE;
}

static bool loaded(const char *module)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return access(path, F_OK) == 0;
}

static void say(struct vm_host *h, const char *why)
{
	if (!h->reason[0])
		snprintf(h->reason, sizeof(h->reason), "%.255s", why);
}

void vm_host_look(struct vm_host *ret)
{
	struct vm_host h = {.cpu = processor()};
	struct err e;
	auto_fd dev = -1;

	h.module = loaded("kvm_intel") || loaded("kvm_amd");
	h.device = access("/dev/kvm", F_OK) == 0;
	if (!h.device && h.cpu == VM_HW_NONE)
		say(&h, "the processor shows neither VT-x nor AMD-V: switch it on in the firmware, "
			"or allow nested virtualisation where this host is itself a guest");
	if (!h.device)
		say(&h, "there is no /dev/kvm: load the module kvm_intel or kvm_amd");
	int rc = h.device ? vm_kvm_open(&dev, &e) : 0;
	h.permitted = h.device && rc != -EACCES && rc != -EPERM;
	if (rc < 0)
		say(&h, e.text);
	/* A paravirtual KVM interprets the guest's kernel, and ends at its first instruction that
	 * the interpreter doesn't know. */
	if (!h.module)
		say(&h, "/dev/kvm is there, but neither kvm_intel nor kvm_amd is behind it: a "
			"paravirtual KVM can't run a Linux guest");
	*ret = h;
}
