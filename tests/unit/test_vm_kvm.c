/* tests/unit/test_vm_kvm.c: devices under a processor that KVM runs: register accesses as exits,
 * kicks as ioeventfds, interrupts through irqfds and the in-kernel controllers.
 *
 * The guest is a few dozen instructions in flat 32-bit protected mode, below. It is told at PARAMS
 * what to do: so many hostile rounds (descriptors and indexes made of noise while the device works
 * on them), then one honest request, whose used length it reports at port 0xf4.
 *
 * Without /dev/kvm the tests skip, and say why.
 */
#include "tests/unit/vm_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define RAM (4u << 20)
#define IRQ 5u
#define VECTOR 0x25u

/* The guest's memory; the same numbers are in its code. */
#define PARAMS 0x500u
#define GDT 0x600u
#define IDT 0x800u
#define CODE 0x1000u
#define STACK 0x8000u
#define DATA 0x13000u

struct params {
	uint32_t queue, flags, len, rounds; /* ours to set */
	uint32_t interrupts, seed;          /* the guest's count; its noise starts here */
};

/* clang-format off */
__asm__(
	".pushsection .rodata\n"
	".code32\n"
	".globl vm_guest, vm_guest_isr, vm_guest_end\n"
	"vm_guest:\n"
	"	movl $0xd0000000, %ebx\n"
	"	movl (%ebx), %eax\n"
	"	cmpl $0x74726976, %eax\n"
	"	jne .Lfail\n"
	/* The old interrupt controllers are silent, the local one is on, the I/O one sends line 5. */
	"	movb $0xff, %al\n"
	"	outb %al, $0x21\n"
	"	outb %al, $0xa1\n"
	"	movl $0x1ff, 0xfee000f0\n"
	"	movl $0x1b, 0xfec00000\n"
	"	movl $0, 0xfec00010\n"
	"	movl $0x1a, 0xfec00000\n"
	"	movl $0x25, 0xfec00010\n"
	"	sti\n"
	"	movl 0x514, %esi\n"
	"	movl 0x50c, %ecx\n"
	"	jecxz .Lhonest\n"

	/* Descriptors of noise, an index that jumps, and a kick; all is set up anew now and then. */
	".Lhostile:\n"
	"	testl $31, %ecx\n"
	"	jnz 1f\n"
	"	call .Lsetup\n"
	"1:	call .Lnoise\n"
	"	andl $7, %eax\n"
	"	shll $4, %eax\n"
	"	leal 0x10000(%eax), %edi\n"
	"	call .Lnoise\n"
	"	andl $0x1ffff8, %eax\n"
	"	orl $0x200000, %eax\n" /* may reach over the end of RAM with its length */
	"	movl %eax, (%edi)\n"
	"	movl $0, 4(%edi)\n"
	"	call .Lnoise\n"
	"	andl $0xffff, %eax\n"
	"	movl %eax, 8(%edi)\n"
	"	call .Lnoise\n"
	"	andl $0x00070007, %eax\n"
	"	movl %eax, 12(%edi)\n"
	"	call .Lnoise\n"
	"	andl $0x7, %eax\n"
	"	movw %ax, 0x11004\n"
	"	call .Lnoise\n"
	"	shrl $16, %eax\n"
	"	andl $3, %eax\n"
	"	addw %ax, 0x11002\n"
	"	movl 0x500, %eax\n"
	"	movl %eax, 0x50(%ebx)\n"
	"	decl %ecx\n"
	"	jnz .Lhostile\n"

	".Lhonest:\n"
	"	call .Lsetup\n"
	"	movl $0x13000, 0x10000\n"
	"	movl $0, 0x10004\n"
	"	movl 0x508, %eax\n"
	"	movl %eax, 0x10008\n"
	"	movl 0x504, %eax\n"
	"	movl %eax, 0x1000c\n"
	"	movw $0, 0x11004\n"
	"	movw $1, 0x11002\n"
	"	movl $0, 0x510\n"
	"	movl 0x500, %eax\n"
	"	movl %eax, 0x50(%ebx)\n"
	"2:	cli\n"
	"	cmpl $0, 0x510\n"
	"	je 3f\n"
	"	cmpw $1, 0x12002\n"
	"	je .Lgood\n"
	"3:	sti\n"
	"	hlt\n"
	"	jmp 2b\n"
	".Lgood:\n"
	"	movl 0x12008, %eax\n"
	"	outl %eax, $0xf4\n"
	".Lfail:\n"
	"	movl $-1, %eax\n"
	"	outl %eax, $0xf4\n"
	"	cli\n"
	"	hlt\n"

	/* Reset to DRIVER_OK, with empty rings of 8. */
	".Lsetup:\n"
	"	movl $0, 0x70(%ebx)\n"
	"	movl $0, 0x11000\n"
	"	movl $0, 0x12000\n"
	"	movl $1, 0x70(%ebx)\n"
	"	movl $3, 0x70(%ebx)\n"
	"	movl $1, 0x24(%ebx)\n"
	"	movl $1, 0x20(%ebx)\n"
	"	movl $0, 0x24(%ebx)\n"
	"	movl $0, 0x20(%ebx)\n"
	"	movl $11, 0x70(%ebx)\n"
	"	movl 0x500, %eax\n"
	"	movl %eax, 0x30(%ebx)\n"
	"	movl $8, 0x38(%ebx)\n"
	"	movl $0x10000, 0x80(%ebx)\n"
	"	movl $0, 0x84(%ebx)\n"
	"	movl $0x11000, 0x90(%ebx)\n"
	"	movl $0, 0x94(%ebx)\n"
	"	movl $0x12000, 0xa0(%ebx)\n"
	"	movl $0, 0xa4(%ebx)\n"
	"	movl $1, 0x44(%ebx)\n"
	"	movl $15, 0x70(%ebx)\n"
	"	movl 0x70(%ebx), %eax\n"
	"	cmpl $15, %eax\n"
	"	jne .Lfail\n"
	"	ret\n"

	".Lnoise:\n"
	"	imull $1664525, %esi, %esi\n"
	"	addl $1013904223, %esi\n"
	"	movl %esi, %eax\n"
	"	shrl $8, %eax\n"
	"	ret\n"

	/* KVM's instruction emulator, which runs all of this on some hosts, knows iret in real mode
	 * only: the return is made of popf and ret, with the address behind the flags. */
	"vm_guest_isr:\n"
	"	pushl %eax\n"
	"	pushl %edx\n"
	"	movl 0x60(%ebx), %eax\n"
	"	movl %eax, 0x64(%ebx)\n"
	"	incl 0x510\n"
	"	movl $0, 0xfee000b0\n"
	"	movl 8(%esp), %edx\n"
	"	movl 16(%esp), %eax\n"
	"	movl %edx, 16(%esp)\n"
	"	movl %eax, 12(%esp)\n"
	"	popl %edx\n"
	"	popl %eax\n"
	"	addl $4, %esp\n"
	"	popfl\n"
	"	ret\n"
	"vm_guest_end:\n"
	".code64\n"
	".popsection\n");
/* clang-format on */

extern const char vm_guest[], vm_guest_isr[], vm_guest_end[];

struct machine {
	struct vm_driver v;
	int kvm, vm, cpu;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	uint32_t mmio_exits, result;
	int failed_exit; /* what ended the guest but its report; 0: nothing */
	bool done;
	const char *missing; /* why nothing can be run here */
};

static struct machine m;

static void wake(int sig)
{
	(void)sig;
}

static int teardown(void **state)
{
	(void)state;
	if (m.run)
		munmap(m.run, m.run_size);
	close(m.cpu);
	close(m.vm);
	close(m.kvm);
	drv_close(&m.v);
	return 0;
}

static void missing(const char *what)
{
	static char why[128];

	if (m.missing)
		return;
	snprintf(why, sizeof(why), "%s: %s", what, strerror(errno));
	m.missing = why;
}

static void make_vm(void)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = RAM, .userspace_addr = (uint64_t)(uintptr_t)m.v.mem.base};

	m.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m.kvm < 0)
		missing("/dev/kvm");
	m.vm = ioctl(m.kvm, KVM_CREATE_VM, 0);
	if (m.vm < 0)
		missing("KVM_CREATE_VM");
	if (ioctl(m.vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		missing("KVM_SET_USER_MEMORY_REGION");
	if (ioctl(m.vm, KVM_CREATE_IRQCHIP, 0) < 0)
		missing("KVM_CREATE_IRQCHIP");
	m.cpu = ioctl(m.vm, KVM_CREATE_VCPU, 0);
	if (m.cpu < 0)
		missing("KVM_CREATE_VCPU");
	m.run_size = (size_t)ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	m.run = m.missing ? NULL
			  : mmap(NULL, m.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, m.cpu, 0);
	if (m.run == MAP_FAILED)
		m.run = NULL;
}

static int setup(void **state)
{
	struct sigaction sa = {.sa_handler = wake};

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	m = (struct machine){.kvm = -1, .vm = -1, .cpu = -1};
	drv_open(&m.v, RAM);
	make_vm();
	return 0;
}

/* cmocka says "skipped" and no more. */
#define NEEDS_KVM                                                   \
	do {                                                        \
		if (!m.run) {                                       \
			print_message("# no KVM: %s\n", m.missing); \
			skip();                                     \
		}                                                   \
	} while (0)

static void put64(uint64_t gpa, uint64_t value)
{
	memcpy(drv_at(&m.v, gpa, 8), &value, 8);
}

static void load_guest(const struct params *p)
{
	size_t len = (size_t)(vm_guest_end - vm_guest);
	uint64_t isr = CODE + (uint64_t)(vm_guest_isr - vm_guest);

	memcpy(drv_at(&m.v, CODE, len), vm_guest, len);
	memcpy(drv_at(&m.v, PARAMS, sizeof(*p)), p, sizeof(*p));
	put64(GDT + 8, 0x00cf9a000000ffffull);
	put64(GDT + 16, 0x00cf92000000ffffull);
	put64(IDT + 8ull * VECTOR,
	      (isr & 0xffff) | 8ull << 16 | 0x8e00ull << 32 | (isr >> 16) << 48);
}

static void load_cpu(void)
{
	struct kvm_segment code = {.limit = 0xffffffff,
				   .selector = 8,
				   .type = 11,
				   .present = 1,
				   .db = 1,
				   .s = 1,
				   .g = 1};
	struct kvm_segment data = code;
	struct kvm_regs regs = {.rip = CODE, .rsp = STACK, .rflags = 2};
	struct kvm_sregs s;

	data.selector = 16;
	data.type = 3;
	assert_int_equal(ioctl(m.cpu, KVM_GET_SREGS, &s), 0);
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.gdt.base = GDT;
	s.gdt.limit = 23;
	s.idt.base = IDT;
	s.idt.limit = 0x7ff;
	s.cr0 |= 1;
	assert_int_equal(ioctl(m.cpu, KVM_SET_SREGS, &s), 0);
	assert_int_equal(ioctl(m.cpu, KVM_SET_REGS, &regs), 0);
}

/* The monitor's wiring: one window, one line, one ioeventfd a queue. */
static void wire(struct vm_device *d)
{
	struct kvm_irqfd irq = {.gsi = IRQ};

	drv_attach(&m.v, d);
	irq.fd = (uint32_t)d->irq;
	assert_int_equal(ioctl(m.vm, KVM_IRQFD, &irq), 0);
	for (unsigned i = 0; i < d->ops->n_queues; i++) {
		struct kvm_ioeventfd kick = {.datamatch = i,
					     .addr = VM_MMIO_BASE + VIRTIO_MMIO_QUEUE_NOTIFY,
					     .len = 4,
					     .fd = d->kick[i],
					     .flags = KVM_IOEVENTFD_FLAG_DATAMATCH};

		assert_int_equal(ioctl(m.vm, KVM_IOEVENTFD, &kick), 0);
	}
}

static void mmio(void)
{
	uint64_t at = m.run->mmio.phys_addr - VM_MMIO_BASE;

	m.mmio_exits++;
	/* A kick is none of the exits: KVM gave it to the ioeventfd. */
	if (m.run->mmio.phys_addr < VM_MMIO_BASE || at >= VM_MMIO_SIZE ||
	    at == VIRTIO_MMIO_QUEUE_NOTIFY) {
		m.failed_exit = KVM_EXIT_MMIO;
		return;
	}
	vm_lock(&m.v.loop);
	if (m.run->mmio.is_write)
		vm_mmio_write(m.v.d, at, m.run->mmio.data, m.run->mmio.len);
	else
		vm_mmio_read(m.v.d, at, m.run->mmio.data, m.run->mmio.len);
	vm_unlock(&m.v.loop);
}

static bool report(void)
{
	if (m.run->io.port != 0xf4)
		return false;
	memcpy(&m.result, (const uint8_t *)m.run + m.run->io.data_offset, sizeof(m.result));
	return true;
}

static void *run_cpu(void *arg)
{
	(void)arg;
	while (!m.failed_exit) {
		if (ioctl(m.cpu, KVM_RUN, 0) < 0)
			m.failed_exit = errno == EINTR ? EINTR : -errno;
		else if (m.run->exit_reason == KVM_EXIT_MMIO)
			mmio();
		else if (m.run->exit_reason == KVM_EXIT_IO && report())
			break;
		else
			m.failed_exit = (int)m.run->exit_reason;
	}
	__atomic_store_n(&m.done, true, __ATOMIC_RELEASE);
	vm_loop_stop(&m.v.loop);
	return NULL;
}

/* Runs processor and loop until the guest reports; at most 20 seconds. */
static uint32_t run(void)
{
	time_t end = time(NULL) + 20;

	assert_int_equal(pthread_create(&m.thread, NULL, run_cpu, NULL), 0);
	while (!__atomic_load_n(&m.done, __ATOMIC_ACQUIRE) && time(NULL) < end)
		assert_int_equal(vm_loop_turn(&m.v.loop, 500, &m.v.e), 0);
	if (!__atomic_load_n(&m.done, __ATOMIC_ACQUIRE)) {
		m.run->immediate_exit = 1;
		pthread_kill(m.thread, SIGUSR1);
	}
	pthread_join(m.thread, NULL);
	if (m.failed_exit) {
		struct kvm_regs r;

		ioctl(m.cpu, KVM_GET_REGS, &r);
		fail_msg("the guest ended with %d at %#llx", m.failed_exit,
			 (unsigned long long)r.rip);
	}
	return m.result;
}

static const struct params *params(void)
{
	return drv_at(&m.v, PARAMS, sizeof(struct params));
}

static void entropy(void **state)
{
	struct params p = {.flags = VRING_DESC_F_WRITE, .len = 64};
	const uint8_t *bytes = drv_at(&m.v, DATA, 65);
	struct vm_device *d;
	unsigned zeroes = 0;

	(void)state;
	assert_int_equal(vm_rng_make(&m.v.wires, &d, &m.v.e), 0);
	m.v.d = d;
	NEEDS_KVM;
	wire(d);
	load_guest(&p);
	load_cpu();
	assert_int_equal(run(), 64);
	for (unsigned i = 0; i < 64; i++)
		zeroes += !bytes[i];
	assert_in_range(zeroes, 0, 12);
	assert_int_equal(bytes[64], 0);
	assert_int_equal(params()->interrupts, 1);
	assert_in_range(m.mmio_exits, 20, 40);
}

static void console(void **state)
{
	struct params p = {.queue = 1, .len = 22};
	struct vm_device *d;
	char text[64] = "";
	int out[2];

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(vm_console_make(&m.v.wires, out[1], &d, &m.v.e), 0);
	m.v.d = d;
	NEEDS_KVM;
	wire(d);
	load_guest(&p);
	memcpy(drv_at(&m.v, DATA, 22), "words of a tiny guest\n", 22);
	load_cpu();
	assert_int_equal(run(), 0);
	assert_int_equal(read(out[0], text, sizeof(text)), 22);
	assert_string_equal(text, "words of a tiny guest\n");
	close(out[0]);
}

/* The rings are rewritten while the device works on them; then the same guest is honest, and is
 * served. */
static void hostile(void **state)
{
	struct params p = {.flags = VRING_DESC_F_WRITE, .len = 48, .rounds = 4000, .seed = 1};
	struct vm_device *d;

	(void)state;
	assert_int_equal(vm_rng_make(&m.v.wires, &d, &m.v.e), 0);
	m.v.d = d;
	NEEDS_KVM;
	wire(d);
	load_guest(&p);
	load_cpu();
	assert_int_equal(run(), 48);
	assert_false(d->failed);
	assert_true(m.mmio_exits > 4000 / 32 * 19); /* so many accesses has a set-up */
	assert_in_range(d->generation, 20, 127);    /* so often it broke the rules */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(entropy),
		T(console),
		T(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
