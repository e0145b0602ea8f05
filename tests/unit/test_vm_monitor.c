/* tests/unit/test_vm_monitor.c: a machine from a template on trial (microvm/monitor.h): one that
 * ends too early is replaced by one that boots, one that is settled ends when it ends.
 *
 * Guests are a few instructions that say a letter on the serial port, which is the log: T is the
 * template's, B the kernel's that would boot. The monitor limits the threads of its process for
 * good, so each case has a process of its own. Without /dev/kvm the tests skip, and say why.
 */
#include "common/fd.h"
#include "microvm/fs.h"
#include "microvm/kvm.h"
#include "microvm/monitor.h"
#include "microvm/snapshot.h"
#include "tests/unit/vm_driver.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define RAM (64ull << 20)
#define ENTRY 0x200000u
#define STATUS (7 << 8)
#define HEADER 40 /* bytes of it in a template (snapshot.c) */

/* clang-format off */
__asm__(
	".pushsection .rodata\n"
	".globl guest_dies, guest_lives, guest_hangs, guest_dies_late, guest_boots, guest_boots_not, guest_end\n"
	/* Without an interrupt table the first fault is the third. */
	"guest_dies:\n"
	"	mov $0x3f8, %dx\n"
	"	mov $'T', %al\n"
	"	out %al, %dx\n"
	"	ud2\n"
	"guest_lives:\n"
	"	mov $0x3f8, %dx\n"
	"	mov $'T', %al\n"
	"	out %al, %dx\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	"guest_hangs:\n"
	"	mov $0x3f8, %dx\n"
	"	mov $'T', %al\n"
	"	out %al, %dx\n"
	"1:	jmp 1b\n"
	/* After some tenths of a second. */
	"guest_dies_late:\n"
	"	mov $0x3f8, %dx\n"
	"	mov $'T', %al\n"
	"	out %al, %dx\n"
	"	rdtsc\n"
	"	shl $32, %rdx\n"
	"	or %rax, %rdx\n"
	"	mov %rdx, %rbx\n"
	"1:	pause\n"
	"	rdtsc\n"
	"	shl $32, %rdx\n"
	"	or %rdx, %rax\n"
	"	sub %rbx, %rax\n"
	"	cmp $1000000000, %rax\n"
	"	jb 1b\n"
	"	ud2\n"
	"guest_boots:\n"
	"	mov $0x3f8, %dx\n"
	"	mov $'B', %al\n"
	"	out %al, %dx\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	"guest_boots_not:\n"
	"	mov $0x3f8, %dx\n"
	"	mov $'B', %al\n"
	"	out %al, %dx\n"
	"	ud2\n"
	"guest_end:\n"
	".popsection\n");
/* clang-format on */
extern const char guest_dies[], guest_lives[], guest_hangs[], guest_dies_late[], guest_boots[],
	guest_boots_not[], guest_end[];

static void need(void)
{
	struct err e;
	auto_fd kvm = -1;

	if (vm_kvm_open(&kvm, &e) < 0) {
		print_message("# no KVM: %s\n", e.text);
		skip();
	}
}

/* What a case sees of the other process. */
struct seen {
	unsigned boots, settled, limited;
	int rc, kind, status;
	char why[128];
	int64_t idle_us;
};

enum what { LEAVES, GIVES_UP, READS_ON, READS_ON_AND_STAYS, SETTLES, SETTLES_AND_STAYS };

struct world {
	struct seen *seen;
	enum what what;
	int log[2];
	struct vm_how how;
};

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

/* An ELF file with the code from there on. */
static int kernel_of(const char *code)
{
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p;
		char code[1024];
	} k = {.h = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64},
		     .e_machine = EM_X86_64,
		     .e_entry = ENTRY,
		     .e_phoff = sizeof(k.h),
		     .e_phentsize = sizeof(k.p),
		     .e_phnum = 1},
	       .p = {.p_type = PT_LOAD,
		     .p_offset = sizeof(k.h) + sizeof(k.p),
		     .p_paddr = ENTRY,
		     .p_filesz = sizeof(k.code),
		     .p_memsz = sizeof(k.code)}};

	memcpy(k.code, code, (size_t)(guest_end - code));
	return file_of(&k, sizeof(k));
}

/* --- a template --- */

static void load(struct vm_machine *m, const char *code)
{
	struct vm_initrd initrd = {0};
	struct vm_boot_entry entry = {0};
	struct err e;
	auto_fd kernel = kernel_of(code), agent = file_of("agent", 5);
	struct vm_boot b = {.kernel = kernel,
			    .name = "test",
			    .cmdline = "",
			    .vcpus = 1,
			    .devices = m->n_devices,
			    .initrd = &initrd};

	assert_int_equal(vm_initrd_make(agent, &initrd, &e), 0);
	assert_int_equal(vm_boot_load(m->mem, &b, &entry, &e), 0);
	vm_initrd_free(&initrd);
	assert_int_equal(vm_vcpu_boot(m->vcpus, &entry, &e), 0);
}

static void no_mmio(void *arg, uint64_t gpa, void *data, unsigned len, bool write)
{
	(void)arg, (void)gpa, (void)data, (void)len, (void)write;
}

/* The devices that nearly every machine has, in the monitor's order. Nothing of it has run. */
static int template_of(const char *code)
{
	struct vm_loop loop;
	struct vm_memory mem;
	struct vm_kvm kvm;
	struct vm_vcpu cpu = {.fd = -1};
	struct vm_device *devices[5];
	int files[2];
	const struct vm_wires w = {.loop = &loop, .mem = &mem};
	const struct vm_vsock_how how = {.listen = -1};
	const struct vm_bus bus = {.loop = &loop, .mmio = no_mmio};
	struct vm_machine m = {.kvm = &kvm,
			       .mem = &mem,
			       .vcpus = &cpu,
			       .n_vcpus = 1,
			       .devices = devices,
			       .n_devices = 5};
	struct err e;
	auto_fd dev = -1;
	int fd = memfd_create("template", MFD_CLOEXEC);

	assert_int_equal(vm_kvm_open(&dev, &e), 0);
	assert_int_equal(vm_loop_init(&loop, &e), 0);
	assert_int_equal(vm_memory_make(&mem, RAM, &e), 0);
	assert_int_equal(vm_kvm_make(&kvm, dev, &mem, &e), 0);
	assert_int_equal(vm_console_make(&w, -1, &devices[0], &e), 0);
	assert_int_equal(vm_rng_make(&w, &devices[1], &e), 0);
	assert_int_equal(vm_vsock_make(&w, &how, &devices[2], &e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files), 0);
	assert_int_equal(vm_fs_make(&w, VM_FS_TAG, files[0], &devices[3], &e), 0);
	assert_int_equal(vm_balloon_make(&w, &devices[4], &e), 0);
	assert_int_equal(vm_vcpu_make(&cpu, &kvm, 0, 1, &bus, &e), 0);
	load(&m, code);
	assert_int_equal(vm_snapshot_file(fd, &m, &e), 0);
	vm_vcpu_free(&cpu);
	close(files[1]);
	for (unsigned i = 0; i < m.n_devices; i++)
		vm_device_free(devices[i]);
	vm_kvm_free(&kvm);
	vm_memory_free(&mem);
	vm_loop_free(&loop);
	return fd;
}

/* --- the monitor's process --- */

static void boots(void *arg, const struct err *why)
{
	struct world *w = arg;

	w->seen->boots++;
	snprintf(w->seen->why, sizeof(w->seen->why), "%.120s", why->text);
}

static void settled(void *arg)
{
	struct world *w = arg;

	w->seen->limited = prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
	__atomic_add_fetch(&w->seen->settled, 1, __ATOMIC_SEQ_CST);
}

static char letter(struct world *w)
{
	char c = 0;

	return read(w->log[0], &c, 1) == 1 ? c : 0;
}

static int64_t processor_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

/* What a settled machine whose processor stands costs in a third of a second. */
static int64_t idle(struct vm_monitor *m)
{
	if (vm_monitor_settle(m, false) || !vm_monitor_settle(m, true))
		return -1;
	(void)poll(NULL, 0, 100);
	int64_t before = processor_us();
	(void)poll(NULL, 0, 333);
	return processor_us() - before;
}

static int work(struct vm_monitor *m, void *arg)
{
	struct world *w = arg;

	if (w->what == LEAVES)
		return STATUS;
	char said = letter(w);
	for (int i = 0; w->what == GIVES_UP && i < 2; i++)
		vm_monitor_give_up(m, i ? "once more" : "it hangs");
	if (w->what == SETTLES || w->what == SETTLES_AND_STAYS)
		said = vm_monitor_settle(m, false) ? said : 0;
	else
		while (said == 'T')
			said = letter(w);
	/* The machine that booted can't be given up. */
	if (w->what == GIVES_UP)
		vm_monitor_give_up(m, "the other one");
	if (w->what == READS_ON || w->what == GIVES_UP)
		w->seen->idle_us = idle(m);
	while (w->what == READS_ON_AND_STAYS || w->what == SETTLES_AND_STAYS ||
	       (w->what == SETTLES && !__atomic_load_n(&w->seen->settled, __ATOMIC_SEQ_CST)))
		(void)poll(NULL, 0, 10);
	return said ? STATUS : 1 << 8;
}

static _Noreturn void be_monitor(struct world *w)
{
	struct err e = {0};

	alarm(60);
	w->seen->rc = vm_monitor_run(&w->how, &w->seen->status, &e);
	w->seen->kind = e.kind;
	_exit(0);
}

/* The template is closed. */
static struct seen run_it(int template, const char *kernel, enum what what)
{
	struct err e;
	struct seen *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct world w = {.seen = shared, .what = what};
	int status, files[2];

	assert_true(shared != MAP_FAILED);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, files), 0);
	assert_int_equal(pipe2(w.log, O_CLOEXEC), 0);
	w.how = (struct vm_how){.kernel = kernel_of(kernel),
				.program = file_of("agent", 5),
				.agent = -1,
				.files = files[0],
				.log = w.log[1],
				.from = template,
				.to = -1,
				.control = -1,
				.kernel_name = "test",
				.memory = RAM,
				.vcpus = 1,
				.work = work,
				.boots = boots,
				.settled = settled,
				.arg = &w};
	assert_int_equal(vm_kvm_open(&w.how.kvm, &e), 0);
	pid_t pid = fork();
	if (pid == 0)
		be_monitor(&w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	struct seen seen = *shared;
	int all[] = {w.how.kernel, w.how.program, w.how.from, w.how.kvm,
		     w.log[0],     w.log[1],      files[0],   files[1]};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		close(all[i]);
	munmap(shared, sizeof(*shared));
	return seen;
}

static void replaced(const struct seen *s)
{
	assert_int_equal(s->rc, 0);
	assert_int_equal(s->status, STATUS);
	assert_int_equal(s->boots, 1);
	assert_int_equal(s->settled, 0);
	assert_in_range(s->idle_us, 0, 100000); /* the loop waits for something */
}

static void one_that_ends_is_replaced(void **state)
{
	(void)state;
	need();
	struct seen s = run_it(template_of(guest_dies), guest_boots, READS_ON);
	replaced(&s);
	assert_non_null(strstr(s.why, "stopped"));
}

static void one_that_is_given_up_is_replaced(void **state)
{
	(void)state;
	need();
	/* Whether its processor stands or runs in circles. */
	const char *guests[] = {guest_lives, guest_hangs};
	for (size_t i = 0; i < 2; i++) {
		struct seen s = run_it(template_of(guests[i]), guest_boots, GIVES_UP);
		replaced(&s);
		assert_non_null(strstr(s.why, "it hangs"));
	}
}

/* Its header is whole, and the processor's state isn't. */
static void one_that_cant_be_read_is_replaced(void **state)
{
	(void)state;
	need();
	const uint8_t noise[64] = {[0 ... 63] = 0xff};
	int template = template_of(guest_lives);
	assert_int_equal(pwrite(template, noise, sizeof(noise), HEADER), sizeof(noise));
	struct seen s = run_it(template, guest_boots, READS_ON);
	replaced(&s);
	print_message("# %s\n", s.why);
	assert_null(strstr(s.why, "stopped"));
}

static void a_second_end_is_the_end(void **state)
{
	(void)state;
	need();
	struct seen s = run_it(template_of(guest_dies), guest_boots_not, READS_ON_AND_STAYS);
	assert_true(s.rc < 0);
	assert_int_equal(s.kind, ERR_SYSTEM);
	assert_int_equal(s.boots, 1);
	assert_int_equal(s.settled, 0);
}

static void one_that_lives_is_settled(void **state)
{
	(void)state;
	need();
	struct seen s = run_it(template_of(guest_lives), guest_boots, SETTLES);
	assert_int_equal(s.rc, 0);
	assert_int_equal(s.status, STATUS);
	assert_int_equal(s.boots, 0);
	assert_int_equal(s.settled, 1);
	assert_true(s.limited);
}

static void once_settled_it_is_not_replaced(void **state)
{
	(void)state;
	need();
	struct seen s = run_it(template_of(guest_dies_late), guest_boots, SETTLES_AND_STAYS);
	assert_true(s.rc < 0);
	assert_int_equal(s.kind, ERR_SYSTEM);
	assert_int_equal(s.boots, 0);
	assert_int_equal(s.settled, 1);
}

/* Whoever wanted it is gone. */
static void work_that_ends_ends_the_trial(void **state)
{
	(void)state;
	need();
	struct seen s = run_it(template_of(guest_lives), guest_boots, LEAVES);
	assert_int_equal(s.rc, 0);
	assert_int_equal(s.status, STATUS);
	assert_int_equal(s.boots + s.settled, 0);
}

/* A sanitizer has calls of its own, which no thread's list has. */
#ifdef __SANITIZE_ADDRESS__
#define PLAIN(f) cmocka_unit_test(not_sanitized)
static void not_sanitized(void **state)
{
	(void)state;
	(void)one_that_ends_is_replaced;
	(void)one_that_is_given_up_is_replaced;
	(void)one_that_cant_be_read_is_replaced;
	(void)a_second_end_is_the_end;
	(void)one_that_lives_is_settled;
	(void)once_settled_it_is_not_replaced;
	(void)work_that_ends_ends_the_trial;
	skip();
}
#else
#define PLAIN(f) cmocka_unit_test(f)
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAIN(one_that_ends_is_replaced),        PLAIN(one_that_cant_be_read_is_replaced),
		PLAIN(one_that_is_given_up_is_replaced), PLAIN(a_second_end_is_the_end),
		PLAIN(one_that_lives_is_settled),        PLAIN(once_settled_it_is_not_replaced),
		PLAIN(work_that_ends_ends_the_trial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
