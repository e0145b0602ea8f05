/* tests/unit/test_vm_boot.c: a kernel's image and what it starts with, in guest memory: versions,
 * archives, files that are cut off or foreign. */
#include "common/fd.h"
#include "microvm/boot.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define RAM (64ull << 20)

static int file_of(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, 0), (ssize_t)len);
	return fd;
}

/* --- versions --- */

static int bzimage(const char *version, uint16_t at)
{
	static uint8_t image[8192];
	struct setup_header h = {.boot_flag = 0xaa55, .header = 0x53726448, .kernel_version = at};

	memset(image, 0, sizeof(image));
	memcpy(image + 0x1f1, &h, sizeof(h));
	if (at)
		memcpy(image + 0x200 + at, version, strlen(version));
	return file_of(image, sizeof(image));
}

static void version_is(const char *text, uint16_t at, const char *want)
{
	auto_fd fd = bzimage(text, at);
	char version[64] = "untouched";

	assert_int_equal(vm_boot_version(fd, version, sizeof(version)), want != NULL);
	assert_string_equal(version, want ? want : "untouched");
}

static void a_bzimage_bears_its_version(void **state)
{
	(void)state;
	version_is("6.1.0-50-cloud-amd64 (debian-kernel@lists.debian.org) #1 SMP", 0x1000,
		   "6.1.0-50-cloud-amd64");
	version_is("6.14.9+x~rc1_a", 0x300, "6.14.9+x~rc1_a");
	/* It ends with the file. */
	version_is("6.1", 8192 - 0x200 - 3, "6.1");
}

static void what_can_be_no_folder_is_no_version(void **state)
{
	(void)state;
	version_is("../../etc", 0x1000, NULL);
	version_is(".", 0x1000, NULL);
	version_is("6.1/../x", 0x1000, NULL);
	version_is("6.1\n", 0x1000, NULL);
	version_is("", 0x1000, NULL);
	version_is("6.1", 0, NULL);
	version_is("a-name-that-is-much-longer-than-the-place-there-is-for-it-and-goes-on", 0x1000,
		   NULL);
	auto_fd fd = bzimage("6.1", 0);
	char version[8];
	assert_int_equal(vm_boot_version(fd, version, sizeof(version)), 0);
	auto_fd cut = file_of("short", 5);
	assert_int_equal(vm_boot_version(cut, version, sizeof(version)), 0);
}

/* --- archives --- */

struct elf {
	Elf64_Ehdr h;
	Elf64_Phdr p;
	uint8_t code[16];
};

static struct elf elf(void)
{
	struct elf k = {
		.h = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64},
		      .e_machine = EM_X86_64,
		      .e_entry = 0x200000,
		      .e_phoff = offsetof(struct elf, p),
		      .e_phentsize = sizeof(Elf64_Phdr),
		      .e_phnum = 1},
		.p = {.p_type = PT_LOAD,
		      .p_offset = offsetof(struct elf, code),
		      .p_paddr = 0x200000,
		      .p_filesz = 16,
		      .p_memsz = 0x1000},
		.code = "kernel's first.",
	};

	return k;
}

static int load(const struct vm_memory *m, const struct elf *k, struct vm_boot *b, struct err *e)
{
	struct {
		struct elf k;
		char rest[1024]; /* the header of the other format would lie there */
	} file = {.k = *k};
	auto_fd fd = file_of(&file, sizeof(file));
	struct vm_boot_entry entry = {0};

	b->kernel = fd;
	b->name = "test";
	b->cmdline = "a word";
	b->vcpus = 1;
	b->devices = 2;
	int rc = vm_boot_load(m, b, &entry, e);
	if (rc >= 0) {
		assert_int_equal(entry.address, k->h.e_entry);
		assert_false(entry.pvh);
	}
	return rc;
}

static void archives_follow_each_other_at_multiples_of_four(void **state)
{
	auto_fd first = file_of("12345", 5), second = file_of("abcdefgh", 8),
		agent = file_of("agent.", 6);
	const struct vm_initrd initrd = {.head = {.s = (char[]){"the "}, .len = 4},
					 .file = agent,
					 .file_len = 6,
					 .tail = {.s = (char[]){"!"}, .len = 1}};
	struct vm_boot b = {.archives = {first, second}, .n_archives = 2, .initrd = &initrd};
	const struct elf k = elf();
	struct vm_memory m;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&m, RAM, &e), 0);
	assert_int_equal(load(&m, &k, &b, &e), 0);
	const struct boot_params *zero = vm_mem(&m, VM_BOOT_ZERO_PAGE, sizeof(*zero));
	assert_int_equal(zero->hdr.ramdisk_size, 8 + 8 + 11);
	assert_int_equal(zero->hdr.ramdisk_image % VM_PAGE, 0);
	assert_true(zero->hdr.ramdisk_image + zero->hdr.ramdisk_size <= RAM);
	assert_memory_equal(vm_mem(&m, zero->hdr.ramdisk_image, 27),
			    "12345\0\0\0"
			    "abcdefgh"
			    "the agent.!",
			    27);
	assert_memory_equal(vm_mem(&m, 0x200000, 16), k.code, 16);
	/* ACPI's first table is where it says, and in a place that is no RAM to the kernel. */
	assert_memory_equal(vm_mem(&m, zero->acpi_rsdp_addr, 8), "RSD PTR ", 8);
	vm_memory_free(&m);
}

static void archives_that_do_not_fit_are_refused(void **state)
{
	auto_fd big = memfd_create("big", MFD_CLOEXEC), pipe_end = -1;
	const struct vm_initrd initrd = {.head = {.s = (char[]){"the agent"}, .len = 9},
					 .file = -1};
	struct vm_boot b = {.archives = {big}, .n_archives = 1, .initrd = &initrd};
	const struct elf k = elf();
	struct vm_memory m;
	struct err e;
	int ends[2];

	(void)state;
	assert_int_equal(vm_memory_make(&m, RAM, &e), 0);
	assert_int_equal(ftruncate(big, RAM), 0);
	assert_int_equal(load(&m, &k, &b, &e), -ENOMEM);
	assert_int_equal(ftruncate(big, INT32_MAX), 0);
	assert_int_equal(load(&m, &k, &b, &e), -EINVAL);
	assert_non_null(strstr(e.where, "/vm/kernel/initrd"));
	assert_int_equal(pipe(ends), 0);
	pipe_end = ends[0];
	close(ends[1]);
	b.archives[0] = pipe_end;
	assert_int_equal(load(&m, &k, &b, &e), -EINVAL);
	vm_memory_free(&m);
}

static void foreign_and_cut_files_are_no_kernels(void **state)
{
	struct vm_boot b = {0};
	struct vm_memory m;
	struct elf k;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&m, RAM, &e), 0);
	k = elf();
	k.h.e_machine = EM_AARCH64;
	assert_int_equal(load(&m, &k, &b, &e), -ENOEXEC);
	k = elf();
	k.p.p_filesz = 4096;
	assert_int_equal(load(&m, &k, &b, &e), -ENOEXEC); /* the file ends too early */
	k = elf();
	k.p.p_paddr = 0x1000;
	assert_int_equal(load(&m, &k, &b, &e), -ENOEXEC);
	k = elf();
	k.p.p_memsz = RAM;
	assert_int_equal(load(&m, &k, &b, &e), -ENOMEM);
	k = elf();
	k.h.e_entry = 0x100000000;
	assert_int_equal(load(&m, &k, &b, &e), -ENOEXEC);
	k = elf();
	k.h.e_ident[0] = 'x';
	assert_int_equal(load(&m, &k, &b, &e), -ENOEXEC);
	vm_memory_free(&m);
}

static bool has_large_pages(void)
{
	char mode[64] = "";
	auto_fd fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, mode, sizeof(mode) - 1) > 0 &&
	       (strstr(mode, "[madvise]") || strstr(mode, "[always]"));
}

/* Code, data and what comes behind, as a kernel of ours has them: the data's large page is one,
 * though each of the two is too small for it. */
static void segments_side_by_side_lie_in_large_pages(void **state)
{
	const uint64_t large = 2ull << 20;
	const struct {
		uint64_t at, len, file;
	} parts[] = {{large, large, 16},
		     {2 * large + 8192, 4096, 16},
		     {3 * large - 4096, large, 16},
		     {4 * large, 0, 16},
		     {9 * large, 4096, 16}};
	struct {
		Elf64_Ehdr h;
		Elf64_Phdr p[5];
		uint8_t code[16];
		char rest[1024];
	} file = {.h = elf().h, .code = "kernel's first."};
	struct vm_boot_entry entry = {0};
	struct vm_memory m;
	uint8_t there = 0;
	struct err e;

	(void)state;
	file.h.e_phoff = sizeof(file.h);
	file.h.e_phnum = 5;
	for (int i = 0; i < 5; i++)
		file.p[i] = (Elf64_Phdr){.p_type = PT_LOAD,
					 .p_offset = sizeof(file.h) + sizeof(file.p),
					 .p_paddr = parts[i].at,
					 .p_filesz = parts[i].file,
					 .p_memsz = parts[i].len};
	auto_fd fd = file_of(&file, sizeof(file));
	struct vm_boot b = {.kernel = fd, .name = "test", .cmdline = "a word", .vcpus = 1};
	assert_int_equal(vm_memory_make(&m, RAM, &e), 0);
	assert_int_equal(vm_boot_load(&m, &b, &entry, &e), 0);
	for (int i = 0; i < 5; i++)
		if (parts[i].len)
			assert_memory_equal(vm_mem(&m, parts[i].at, 16), file.code, 16);
	assert_int_equal(mincore(m.base + 2 * large + 65536, VM_PAGE, &there), 0);
	if (has_large_pages())
		assert_int_equal(there & 1, 1);
	/* What lies alone takes no more than it needs. */
	assert_int_equal(mincore(m.base + 9 * large + 65536, VM_PAGE, &there), 0);
	assert_int_equal(there & 1, 0);
	vm_memory_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bzimage_bears_its_version),
		cmocka_unit_test(what_can_be_no_folder_is_no_version),
		cmocka_unit_test(archives_follow_each_other_at_multiples_of_four),
		cmocka_unit_test(archives_that_do_not_fit_are_refused),
		cmocka_unit_test(foreign_and_cut_files_are_no_kernels),
		cmocka_unit_test(segments_side_by_side_lie_in_large_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
