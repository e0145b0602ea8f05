/* microvm/memory.c: one mapping for all of the guest's RAM, and the check in front of it.
 *
 * Invariants
 *  1. RAM is [0, low) and [VM_HIGH_START, VM_HIGH_START + size - low), low = min(size, VM_LOW_END).
 *  2. No sum is formed that could wrap: lengths are compared with what is left.
 *  3. A template's holes are memory, not the file's: who touches a page of a hole in tmpfs(5),
 * where templates lie in general, is given one that the file keeps, until that file system is full,
 * and then SIGBUS.
 *  4. Before and behind RAM lies nothing: a wrong address that got past all checks ends the monitor
 *     instead of changing it.
 */
#include "microvm/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A guest's page of 2 MiB can be one of the host's only when their addresses agree to here. */
#define ALIGN (2ull << 20)
/* More than any guest of ours has: 46 bits are what every x86-64 processor can address. */
#define SIZE_LIMIT (1ull << 46)

/* Address space for size bytes at a multiple of ALIGN, with ALIGN bytes on either side that nobody
 * may touch; NULL on failure. */
static uint8_t *reserve(uint64_t size)
{
	uint8_t *start = mmap(NULL, size + 3 * ALIGN, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t head;

	if (start == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)start % ALIGN;
	if (head)
		munmap(start, head);
	if (head < ALIGN)
		munmap(start + head + size + 2 * ALIGN, ALIGN - head);
	return start + head + ALIGN;
}

int vm_memory_make(struct vm_memory *m, uint64_t size, struct err *e)
{
	uint8_t *base;

	if (!size || size % VM_PAGE || size > SIZE_LIMIT)
		return err_set(e, ERR_INTERNAL, EINVAL, "",
			       "%llu bytes can't be a guest's memory: whole pages are needed",
			       (unsigned long long)size);
	base = reserve(size);
	if (!base || mprotect(base, size, PROT_READ | PROT_WRITE) < 0)
		return err_sys(e, errno, "", "mapping %llu bytes of guest memory",
			       (unsigned long long)size);
	/* A core file of the monitor is not the place for a guest's secrets. */
	madvise(base, size, MADV_DONTDUMP);
	*m = (struct vm_memory){.base = base, .size = size};
	return 0;
}

/* Bytes of the file to map: past its end there is SIGBUS, so there the zeroes stay. */
static int file_part(int fd, uint64_t size, uint64_t offset, uint64_t *ret_len, struct err *e)
{
	struct stat st;
	uint64_t left;

	if (offset % VM_PAGE)
		return err_set(e, ERR_INTERNAL, EINVAL, "",
			       "the template's memory starts within a page");
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "", "looking at the template's memory");
	left = (uint64_t)st.st_size > offset ? (uint64_t)st.st_size - offset : 0;
	*ret_len = left < size ? left : size;
	return 0;
}

static uint64_t round_up(uint64_t n)
{
	return (n + VM_PAGE - 1) & ~(uint64_t)(VM_PAGE - 1);
}

/* (3) Where the file system can't tell, all of it is data (lseek(2)). */
static int map_data(struct vm_memory *m, int fd, uint64_t offset, uint64_t len, struct err *e)
{
	for (uint64_t at = 0; at < len;) {
		off_t data = lseek(fd, (off_t)(offset + at), SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return 0; /* a hole up to the end */
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(e, errno, "", "looking for the template's memory");
		uint64_t from = ((uint64_t)data - offset) & ~(uint64_t)(VM_PAGE - 1);
		uint64_t to = round_up((uint64_t)hole - offset);
		if (from >= len)
			return 0;
		at = to < round_up(len) ? to : round_up(len);
		if (mmap(m->base + from, at - from, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd,
			 (off_t)(offset + from)) == MAP_FAILED)
			return err_sys(e, errno, "", "mapping the template's memory");
	}
	return 0;
}

int vm_memory_map(struct vm_memory *m, uint64_t size, int fd, uint64_t offset, struct err *e)
{
	struct vm_memory fresh;
	uint64_t len = 0;
	int rc = file_part(fd, size, offset, &len, e);

	if (rc < 0)
		return rc;
	rc = vm_memory_make(&fresh, size, e);
	if (rc < 0)
		return rc;
	rc = map_data(&fresh, fd, offset, len, e);
	if (rc < 0) {
		vm_memory_free(&fresh);
		return rc;
	}
	madvise(fresh.base, size, MADV_DONTDUMP);
	/* Many machines stand on one template: what each writes is its own in pages of 4 KiB. */
	madvise(fresh.base, size, MADV_NOHUGEPAGE);
	*m = fresh;
	return 0;
}

void vm_memory_free(struct vm_memory *m)
{
	if (m->base)
		munmap(m->base - ALIGN, m->size + 2 * ALIGN);
	*m = (struct vm_memory){0};
}

/* Only what is filled anyway: elsewhere a guest that touches a byte would be given 2 MiB. The pages
 * at either end are taken whole. RAM lies aligned, and so do its ends, by the guard before and
 * behind. */
void vm_memory_full(const struct vm_memory *m, uint64_t gpa, uint64_t len)
{
	uint8_t *from = vm_mem(m, gpa, len);

	if (!from || len < ALIGN)
		return;
	uint64_t first = (uint64_t)(from - m->base) & ~(ALIGN - 1);
	uint64_t end = ((uint64_t)(from - m->base) + len + ALIGN - 1) & ~(ALIGN - 1);
	if (end > m->size)
		end = m->size;
	/* A kernel without large pages has none to give. */
	(void)madvise(m->base + first, end - first, MADV_HUGEPAGE);
}

static bool inside(uint64_t at, uint64_t len, uint64_t size)
{
	return at < size && len <= size - at;
}

void *vm_mem(const struct vm_memory *m, uint64_t gpa, uint64_t len)
{
	uint64_t low = m->size < VM_LOW_END ? m->size : VM_LOW_END;

	if (!len)
		return NULL;
	if (inside(gpa, len, low))
		return m->base + gpa;
	if (gpa >= VM_HIGH_START && inside(gpa - VM_HIGH_START, len, m->size - low))
		return m->base + low + (gpa - VM_HIGH_START);
	return NULL;
}
