/* microvm/kvm.c: the machine: capabilities, memory slots, interrupt lines, kicks. */
#include "microvm/kvm.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* Below 4 GiB, outside RAM and the windows of devices: three pages that VT-x needs without
 * unrestricted guests, and one for its identity map. */
#define TSS_ADDRESS 0xfffbd000ull
#define IDENTITY_MAP (TSS_ADDRESS + 3 * VM_PAGE)

static const struct {
	int cap;
	const char *what;
} needed[] = {
	{KVM_CAP_IRQCHIP, "interrupt controllers in the kernel"},
	{KVM_CAP_IRQFD, "irqfd"},
	{KVM_CAP_IOEVENTFD, "ioeventfd"},
	{KVM_CAP_USER_MEMORY, "memory of the process"},
	{KVM_CAP_EXT_CPUID, "CPUID as chosen"},
	{KVM_CAP_IMMEDIATE_EXIT, "leaving a vCPU at once"},
	{KVM_CAP_TSC_DEADLINE_TIMER, "timers by the time stamp counter"},
};

int vm_kvm_open(int *ret_dev, struct err *e)
{
	auto_fd dev = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (dev < 0)
		return err_set(e, ERR_UNSUPPORTED, errno, "/dev/kvm",
			       "a micro-VM needs KVM: %s (see `ringfence vm check`)",
			       err_reason(errno));
	if (ioctl(dev, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/dev/kvm",
			       "its interface is not version %d", KVM_API_VERSION);
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (ioctl(dev, KVM_CHECK_EXTENSION, needed[i].cap) <= 0)
			return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/dev/kvm",
				       "this kernel's KVM lacks %s", needed[i].what);
	*ret_dev = take_fd(&dev);
	return 0;
}

static int slot(struct vm_kvm *k, unsigned number, uint64_t gpa, void *host, uint64_t size,
		struct err *e)
{
	struct kvm_userspace_memory_region r = {.slot = number,
						.guest_phys_addr = gpa,
						.memory_size = size,
						.userspace_addr = (uintptr_t)host};

	if (size && ioctl(k->vm, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		return err_sys(e, errno, NULL, "giving the guest %llu MiB of memory",
			       (unsigned long long)(size >> 20));
	return 0;
}

static int slots(struct vm_kvm *k, const struct vm_memory *m, struct err *e)
{
	uint64_t low = m->size < VM_LOW_END ? m->size : VM_LOW_END;
	int rc = slot(k, 0, 0, m->base, low, e);

	return rc < 0 ? rc : slot(k, 1, VM_HIGH_START, m->base + low, m->size - low, e);
}

static int chips(struct vm_kvm *k, struct err *e)
{
	uint64_t map = IDENTITY_MAP;

	/* AMD's don't need the two, and refuse neither. */
	if (ioctl(k->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0 ||
	    ioctl(k->vm, KVM_SET_IDENTITY_MAP_ADDR, &map) < 0)
		return err_sys(e, errno, NULL, "placing the pages that VT-x needs");
	if (ioctl(k->vm, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_sys(e, errno, NULL, "making the interrupt controllers");
	return 0;
}

int vm_kvm_make(struct vm_kvm *k, int dev, const struct vm_memory *m, struct err *e)
{
	int size = ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)VM_PAGE)
		return err_sys(e, errno, "/dev/kvm", "asking for the size of a vCPU's page");
	*k = (struct vm_kvm){.dev = dev, .run_size = (size_t)size};
	k->vm = ioctl(dev, KVM_CREATE_VM, 0);
	if (k->vm < 0)
		return err_sys(e, errno, "/dev/kvm", "making a virtual machine");
	int rc = chips(k, e);
	if (rc >= 0)
		rc = slots(k, m, e);
	if (rc < 0)
		vm_kvm_free(k);
	return rc;
}

void vm_kvm_free(struct vm_kvm *k)
{
	fd_close(&k->vm);
	free(k->cpuid);
	k->cpuid = NULL;
}

int vm_kvm_irq(struct vm_kvm *k, int eventfd, unsigned line, struct err *e)
{
	struct kvm_irqfd r = {.fd = (unsigned)eventfd, .gsi = line};

	if (ioctl(k->vm, KVM_IRQFD, &r) < 0)
		return err_sys(e, errno, NULL, "wiring interrupt line %u", line);
	return 0;
}

int vm_kvm_kick(struct vm_kvm *k, int eventfd, uint64_t gpa, uint32_t value, struct err *e)
{
	struct kvm_ioeventfd r = {.datamatch = value,
				  .addr = gpa,
				  .len = 4,
				  .fd = eventfd,
				  .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};

	if (ioctl(k->vm, KVM_IOEVENTFD, &r) < 0)
		return err_sys(e, errno, NULL, "wiring the notification of queue %u", value);
	return 0;
}
