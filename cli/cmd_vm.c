/* cli/cmd_vm.c: vm check: whether a micro-VM can run here. */
#include "cli/opt.h"

#include "common/str.h"
#include "microvm/kvm.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <stdio.h>

static const char *processor(enum vm_hardware cpu)
{
	return cpu == VM_HW_VTX ? "VT-x" : cpu == VM_HW_AMDV ? "AMD-V" : "neither VT-x nor AMD-V";
}

int cmd_vm(struct cli *c, struct err *e)
{
	struct vm_host h;
	auto_arena a = {0};

	if (!str_eq(c->argv[0], "check"))
		return err_set(e, ERR_USAGE, EINVAL, c->argv[0], "there is only `vm check`");
	vm_host_look(&h);
	const char *kernel = rt_vm_kernel(&a);
	printf("processor   %s\n", processor(h.cpu));
	printf("module      %s\n", h.module ? "yes" : "neither kvm_intel nor kvm_amd");
	printf("/dev/kvm    %s\n", !h.device ? "no" : !h.permitted ? "not for this user" : "yes");
	printf("kernel      %s\n", kernel ? kernel : "none (make guest-kernel)");
	printf("micro-VM    %s\n", h.reason[0] ? h.reason : "yes");
	return h.reason[0] ? 1 : 0;
}
