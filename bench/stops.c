/* bench/stops.c: linked into a copy of the program, whose monitor then doesn't enter the guest.
 *
 * For the benchmark (mk/bench.mk) it stops for good there: what it has spent by then can be read
 * from outside, at leisure. It has to do no more than wait on a lock: that is what a processor's
 * thread may do. For the fault campaign (make fault), compiled with ENTRY_FAILS, KVM
 * refuses the entry: a create then comes to its end, on any host with a /dev/kvm.
 */
#include "microvm/kvm.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
void __real_vm_host_look(struct vm_host *ret);
void __wrap_vm_host_look(struct vm_host *ret);

#ifdef ENTRY_FAILS
static int not_entered(void)
{
	errno = EIO;
	return -1;
}
#else
static int not_entered(void)
{
	unsigned word = 0;

	for (;;)
		(void)syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
	return -1;
}
#endif

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list l;

	va_start(l, request);
	void *arg = va_arg(l, void *);
	va_end(l);
	if (request == KVM_RUN)
		return not_entered();
	return __real_ioctl(fd, request, arg);
}

/* No guest runs: KVM without a processor's help will do. */
void __wrap_vm_host_look(struct vm_host *ret)
{
	__real_vm_host_look(ret);
	ret->reason[0] = '\0';
}
