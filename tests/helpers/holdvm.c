/* holdvm: keeps one virtual machine open, which never runs, until it is killed.
 *
 *   holdvm &
 *
 * A host's first machine makes Linux patch its scheduler (the key of preempt notifiers, in
 * __schedule), and its last one patches it back. QEMU's emulation (7.2, TCG with a thread for each
 * processor) now and then goes on with the breakpoint of such a patch after the byte is another:
 * one processor then traps for ever with its run queue locked, the other waits for that lock, and
 * the emulated host stands still. With a machine that is always there nothing is patched; its
 * processor, whose interrupt controller was never switched on, keeps KVM's own key of that kind
 * still, too.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);

	if (vm < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0 || ioctl(vm, KVM_CREATE_VCPU, 0) < 0) {
		perror("holdvm");
		return 1;
	}
	for (;;)
		pause();
}
