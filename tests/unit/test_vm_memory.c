/* tests/unit/test_vm_memory.c: guest memory, and what isn't. */
#include "microvm/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define RAM (1u << 20)

static struct vm_memory mem;

static int setup(void **state)
{
	struct err e;

	(void)state;
	return vm_memory_make(&mem, RAM, &e);
}

static int teardown(void **state)
{
	(void)state;
	vm_memory_free(&mem);
	return 0;
}

static void memory_has_edges(void **state)
{
	(void)state;
	assert_ptr_equal(vm_mem(&mem, 0, 1), mem.base);
	assert_ptr_equal(vm_mem(&mem, RAM - 1, 1), mem.base + RAM - 1);
	assert_ptr_equal(vm_mem(&mem, 0, RAM), mem.base);
	assert_null(vm_mem(&mem, 0, 0));
	assert_null(vm_mem(&mem, RAM, 1));
	assert_null(vm_mem(&mem, RAM - 1, 2));
	assert_null(vm_mem(&mem, 1, RAM));
	assert_null(vm_mem(&mem, 0, UINT64_MAX));
	assert_null(vm_mem(&mem, UINT64_MAX, 1));
	assert_null(vm_mem(&mem, UINT64_MAX, UINT64_MAX));
	assert_null(vm_mem(&mem, 16, UINT64_MAX - 15));
	assert_null(vm_mem(&mem, VM_HIGH_START, 1));
}

/* Nothing is touched, so the size costs address space only. */
static void memory_above_the_hole(void **state)
{
	struct vm_memory big;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&big, VM_LOW_END + 2 * VM_PAGE, &e), 0);
	assert_ptr_equal(vm_mem(&big, VM_LOW_END - 1, 1), big.base + VM_LOW_END - 1);
	assert_null(vm_mem(&big, VM_LOW_END - 1, 2));
	assert_null(vm_mem(&big, VM_LOW_END, 1));
	assert_null(vm_mem(&big, VM_MMIO_BASE, 4));
	assert_null(vm_mem(&big, VM_HIGH_START - 1, 2));
	assert_ptr_equal(vm_mem(&big, VM_HIGH_START, 2 * VM_PAGE), big.base + VM_LOW_END);
	assert_null(vm_mem(&big, VM_HIGH_START, 2 * VM_PAGE + 1));
	assert_null(vm_mem(&big, VM_HIGH_START + 2 * VM_PAGE, 1));
	vm_memory_free(&big);
	vm_memory_free(&big);
}

static int reaches(const volatile uint8_t *at)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		signal(SIGSEGV, SIG_DFL); /* no report of a sanitizer */
		_exit(*at);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status);
}

/* Two megabytes of nothing on either side, and aligned to as much, whatever the size. */
static void memory_is_guarded(void **state)
{
	struct vm_memory m;
	struct err e;

	(void)state;
	for (unsigned i = 1; i < 40; i += 13) {
		assert_int_equal(vm_memory_make(&m, i * 100 * VM_PAGE, &e), 0);
		assert_int_equal((uintptr_t)m.base % (2 << 20), 0);
		assert_true(reaches(m.base));
		assert_true(reaches(m.base + m.size - 1));
		assert_false(reaches(m.base - 1));
		assert_false(reaches(m.base - (2 << 20)));
		assert_false(reaches(m.base + m.size));
		assert_false(reaches(m.base + m.size + (2 << 20) - 1));
		vm_memory_free(&m);
	}
}

/* How many small pages of [from, from + len) are there, by mincore(2). */
static size_t resident(uint8_t *from, size_t len)
{
	unsigned char map[1024];
	size_t n = 0;

	assert_true(len / VM_PAGE <= sizeof(map));
	assert_int_equal(mincore(from, len, map), 0);
	for (size_t i = 0; i < len / VM_PAGE; i++)
		n += map[i] & 1;
	return n;
}

static bool has_large_pages(void)
{
	char mode[64] = "";
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, mode, sizeof(mode) - 1) <= 0)
		mode[0] = '\0';
	if (fd >= 0)
		close(fd);
	return strstr(mode, "[madvise]") || strstr(mode, "[always]");
}

/* What will be filled comes in large pages, what is beside it in small ones; nothing is filled by
 * that, and what isn't RAM is left alone. */
static void memory_that_will_be_full(void **state)
{
	const size_t large = 2u << 20;
	struct vm_memory m;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&m, 16 * large, &e), 0);
	vm_memory_full(&m, 4 * large + 5000, large);
	vm_memory_full(&m, 15 * large, 2 * large);
	vm_memory_full(&m, 8 * large, VM_PAGE);
	assert_int_equal(resident(m.base + 4 * large, 2 * large), 0);
	m.base[2 * large] = m.base[4 * large + 5000] = m.base[8 * large] = m.base[15 * large] = 1;
	if (has_large_pages())
		assert_int_equal(resident(m.base + 4 * large, large), large / VM_PAGE);
	assert_int_equal(m.base[4 * large], 0);
	assert_false(reaches(m.base + m.size));
	vm_memory_free(&m);
}

static void memory_refuses_odd_sizes(void **state)
{
	struct vm_memory m;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&m, 0, &e), -EINVAL);
	assert_int_equal(vm_memory_make(&m, VM_PAGE + 1, &e), -EINVAL);
	assert_int_equal(vm_memory_make(&m, UINT64_MAX & ~4095ull, &e), -EINVAL);
}

/* A template shorter than the memory: zeroes behind it, and its file stays as it was. */
static void memory_from_a_template(void **state)
{
	int fd = memfd_create("template", MFD_CLOEXEC);
	struct vm_memory m;
	struct err e;
	char byte = 0;

	(void)state;
	assert_int_equal(ftruncate(fd, VM_PAGE + 100), 0);
	assert_int_equal(pwrite(fd, "hello", 5, VM_PAGE), 5);
	assert_int_equal(vm_memory_map(&m, 4 * VM_PAGE, fd, 0, &e), 0);
	assert_memory_equal(m.base + VM_PAGE, "hello", 5);
	assert_int_equal(m.base[3 * VM_PAGE], 0);
	m.base[VM_PAGE] = 'J';
	m.base[3 * VM_PAGE] = 'x';
	assert_int_equal(pread(fd, &byte, 1, VM_PAGE), 1);
	assert_int_equal(byte, 'h');
	vm_memory_free(&m);
	assert_int_equal(vm_memory_map(&m, VM_PAGE, fd, VM_PAGE, &e), 0);
	assert_memory_equal(m.base, "hello", 5);
	vm_memory_free(&m);
	assert_int_equal(vm_memory_map(&m, VM_PAGE, fd, 64 * VM_PAGE, &e), 0);
	assert_int_equal(m.base[0], 0);
	vm_memory_free(&m);
	assert_int_equal(vm_memory_map(&m, VM_PAGE, fd, 5, &e), -EINVAL);
	close(fd);
}

/* What is touched of a hole is ours, and nothing that the template's file system has to find room
 * for. */
static void holes_of_a_template(void **state)
{
	int fd = memfd_create("template", MFD_CLOEXEC);
	struct stat before, after;
	struct vm_memory m;
	struct err e;
	unsigned sum = 0;

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)RAM + VM_PAGE), 0);
	assert_int_equal(pwrite(fd, "a", 1, VM_PAGE), 1);
	assert_int_equal(pwrite(fd, "b", 1, VM_PAGE + RAM / 2 + 77), 1);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(vm_memory_map(&m, RAM, fd, VM_PAGE, &e), 0);
	for (size_t i = 0; i < RAM; i++)
		sum += m.base[i];
	assert_int_equal(sum, 'a' + 'b');
	for (size_t i = 0; i < RAM; i += VM_PAGE)
		m.base[i + 9] = 'x';
	assert_int_equal(m.base[0], 'a');
	assert_int_equal(m.base[RAM / 2 + 77], 'b');
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(after.st_blocks, before.st_blocks);
	vm_memory_free(&m);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(memory_has_edges),         T(memory_above_the_hole),    T(memory_is_guarded),
		T(memory_that_will_be_full), T(memory_refuses_odd_sizes), T(memory_from_a_template),
		T(holes_of_a_template),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
