/* tests/unit/test_vm_pvh.c: kernels that are entered by PVH: the note that asks for it, what such a
 * kernel is told, and that a real processor begins there as the ABI has it.
 *
 * Without /dev/kvm the last one skips, and says why. */
#include "common/fd.h"
#include "microvm/boot.h"
#include "microvm/vcpu.h"

#include <elf.h>
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cmocka.h>

#define RAM (64ull << 20)
#define KERNEL 0x200000u
#define PORT 0x99

struct note {
	Elf64_Nhdr h;
	char name[8];
	uint32_t what[2];
};

static struct note note(const char *name, uint32_t type, uint32_t bytes, uint32_t value)
{
	struct note n = {
		.h = {.n_namesz = (uint32_t)strlen(name) + 1, .n_descsz = bytes, .n_type = type},
		.what = {value, 0}};

	memcpy(n.name, name, strlen(name));
	return n;
}

/* A note's parts lie at multiples of four. */
static size_t put(uint8_t *to, struct note n)
{
	size_t name = (n.h.n_namesz + 3u) & ~3u;

	memcpy(to, &n.h, sizeof(n.h));
	memcpy(to + sizeof(n.h), n.name, name);
	memcpy(to + sizeof(n.h) + name, n.what, n.h.n_descsz);
	return sizeof(n.h) + name + n.h.n_descsz;
}

static void the_note_of_xen_asks_for_it(void **state)
{
	uint8_t notes[128] = {0};
	uint64_t entry = 0;

	(void)state;
	size_t len = put(notes, note("GNU", 3, 4, 7));
	len += put(notes + len, note("Xen", 18, 8, 0x1000500));
	assert_true(vm_pvh_entry(notes, len, &entry));
	assert_int_equal(entry, 0x1000500);
	len = put(notes, note("Xen", 18, 4, 0x200000));
	assert_true(vm_pvh_entry(notes, len, &entry));
	assert_int_equal(entry, 0x200000);
	/* Another of Xen's, another owner's, another width. */
	assert_false(vm_pvh_entry(notes, put(notes, note("Xen", 17, 8, 1)), &entry));
	assert_false(vm_pvh_entry(notes, put(notes, note("Zen", 18, 8, 1)), &entry));
	assert_false(vm_pvh_entry(notes, put(notes, note("Xen", 18, 0, 1)), &entry));
}

static void linux_is_entered_by_its_own_protocol(void **state)
{
	uint8_t notes[128] = {0};
	uint64_t entry = 0;

	(void)state;
	size_t len = put(notes, note("Xen", 18, 8, 0x1000500));
	len += put(notes + len, note("Linux", 0x100, 4, 0));
	assert_false(vm_pvh_entry(notes, len, &entry));
}

static void notes_that_lie_about_their_length_are_none(void **state)
{
	uint8_t notes[128] = {0};
	uint64_t entry = 0;
	size_t len = put(notes, note("Xen", 18, 8, 1));

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_false(vm_pvh_entry(notes, cut, &entry));
	struct note n = note("Xen", 18, 8, 1);
	n.h.n_namesz = UINT32_MAX;
	memcpy(notes, &n.h, sizeof(n.h));
	assert_false(vm_pvh_entry(notes, sizeof(notes), &entry));
	n.h.n_namesz = 4;
	n.h.n_descsz = UINT32_MAX - 2;
	memcpy(notes, &n.h, sizeof(n.h));
	assert_false(vm_pvh_entry(notes, sizeof(notes), &entry));
}

/* --- a whole kernel --- */

/* Reports what it was told: the first word of the table, whether paging is off, and the first words
 * of its command line and of its archive, one after the other. */
/* clang-format off */
__asm__(
	".pushsection .rodata\n"
	".code32\n"
	".globl pvh_guest, pvh_guest_end\n"
	"pvh_guest:\n"
	"	movl (%ebx), %eax\n"
	"	outl %eax, $0x99\n"
	"	movl %cr0, %eax\n"
	"	outl %eax, $0x99\n"
	"	movl 24(%ebx), %ecx\n" /* cmdline */
	"	movl (%ecx), %eax\n"
	"	outl %eax, $0x99\n"
	"	movl 16(%ebx), %ecx\n" /* the first module */
	"	movl (%ecx), %ecx\n"
	"	movl (%ecx), %eax\n"
	"	outl %eax, $0x99\n"
	"	movl 32(%ebx), %ecx\n" /* ACPI */
	"	movl (%ecx), %eax\n"
	"	outl %eax, $0x99\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	"pvh_guest_end:\n"
	".code64\n"
	".popsection\n"
);
/* clang-format on */
extern const uint8_t pvh_guest[], pvh_guest_end[];

struct kernel {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	uint8_t notes[64], code[256];
	char rest[1024];
};

static int kernel_file(uint32_t entry)
{
	struct kernel k = {
		.h = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64},
		      .e_machine = EM_X86_64,
		      .e_phoff = offsetof(struct kernel, p),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 2},
	};
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	k.p[0] = (Elf64_Phdr){.p_type = PT_NOTE,
			      .p_offset = offsetof(struct kernel, notes),
			      .p_filesz = put(k.notes, note("Xen", 18, 4, entry))};
	k.p[1] = (Elf64_Phdr){.p_type = PT_LOAD,
			      .p_offset = offsetof(struct kernel, code),
			      .p_paddr = KERNEL,
			      .p_filesz = sizeof(k.code),
			      .p_memsz = 0x1000};
	memcpy(k.code, pvh_guest, (size_t)(pvh_guest_end - pvh_guest));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &k, sizeof(k), 0), sizeof(k));
	return fd;
}

static int load(const struct vm_memory *m, uint32_t address, struct vm_boot_entry *ret)
{
	auto_fd fd = kernel_file(address);
	char archive[] = "0707";
	struct vm_initrd initrd = {.head = {.s = archive, .len = 4}, .file = -1};
	struct vm_boot b = {
		.kernel = fd, .name = "test", .cmdline = "word", .initrd = &initrd, .vcpus = 1};
	struct err e;

	return vm_boot_load(m, &b, ret, &e);
}

static void an_entry_outside_of_the_kernel_is_refused(void **state)
{
	struct vm_boot_entry entry = {0};
	struct vm_memory m;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&m, RAM, &e), 0);
	assert_int_equal(load(&m, KERNEL, &entry), 0);
	assert_true(entry.pvh);
	assert_int_equal(entry.address, KERNEL);
	assert_int_equal(load(&m, KERNEL + 0x1000, &entry), -ENOEXEC);
	assert_int_equal(load(&m, 0x1000, &entry), -ENOEXEC);
	vm_memory_free(&m);
}

static uint32_t next_word(struct vm_vcpu *v)
{
	uint32_t word;

	while (ioctl(v->fd, KVM_RUN, 0) < 0)
		assert_int_equal(errno, EINTR);
	assert_int_equal(v->run->exit_reason, KVM_EXIT_IO);
	assert_int_equal(v->run->io.port, PORT);
	assert_int_equal(v->run->io.size, 4);
	memcpy(&word, (uint8_t *)v->run + v->run->io.data_offset, sizeof(word));
	return word;
}

static uint32_t four(const char *text)
{
	uint32_t word;

	memcpy(&word, text, sizeof(word));
	return word;
}

static void a_processor_begins_there(void **state)
{
	struct vm_boot_entry entry = {0};
	struct vm_memory m;
	struct vm_vcpu v;
	struct vm_kvm k;
	struct err e;
	auto_fd dev = -1;

	(void)state;
	if (vm_kvm_open(&dev, &e) < 0) {
		printf("skipped: %s\n", e.text);
		skip();
	}
	assert_int_equal(vm_memory_make(&m, RAM, &e), 0);
	assert_int_equal(vm_kvm_make(&k, dev, &m, &e), 0);
	assert_int_equal(load(&m, KERNEL, &entry), 0);
	assert_int_equal(vm_vcpu_make(&v, &k, 0, 1, NULL, &e), 0);
	assert_int_equal(vm_vcpu_boot(&v, &entry, &e), 0);
	assert_int_equal(next_word(&v), 0x336ec578);
	uint32_t cr0 = next_word(&v);
	assert_int_equal(cr0 & 0x80000001u, 1); /* protected, not paged */
	assert_int_equal(next_word(&v), four("word"));
	assert_int_equal(next_word(&v), four("0707"));
	assert_int_equal(next_word(&v), four("RSD "));
	vm_vcpu_free(&v);
	vm_kvm_free(&k);
	vm_memory_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_note_of_xen_asks_for_it),
		cmocka_unit_test(linux_is_entered_by_its_own_protocol),
		cmocka_unit_test(notes_that_lie_about_their_length_are_none),
		cmocka_unit_test(an_entry_outside_of_the_kernel_is_refused),
		cmocka_unit_test(a_processor_begins_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
