/* bench/stops.c: linked into a copy of the program (mk/bench.mk), whose monitor then stops for good
 * where it would first enter the guest: what it has spent by then can be read from outside, at
 * leisure.
 *
 * It has to do no more than wait on a lock: that is what a processor's thread may do.
 */
#include "microvm/kvm.h"

#include <linux/futex.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void __real_vm_host_look(struct vm_host *ret);
void __wrap_vm_host_look(struct vm_host *ret);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list l;

	va_start(l, request);
	void *arg = va_arg(l, void *);
	va_end(l);
	unsigned word = 0;
	while (request == KVM_RUN && word == 0)
		(void)syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
	return __real_ioctl(fd, request, arg);
}

/* No guest runs: KVM without a processor's help will do. */
void __wrap_vm_host_look(struct vm_host *ret)
{
	__real_vm_host_look(ret);
	ret->reason[0] = '\0';
}
