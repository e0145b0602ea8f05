/* microvm/memory.h: the guest's memory, and the only way to reach it.
 *
 * Invariants
 *  1. Nobody computes a host address from a guest's: vm_mem() does, and checks the whole range.
 *  2. What was read once may have changed when it is read again: copy first, then check.
 */
#ifndef RF_MICROVM_MEMORY_H
#define RF_MICROVM_MEMORY_H

#include "common/err.h"

#include <stdint.h>

#define VM_PAGE 4096u
#define VM_LOW_END 0xc0000000ull     /* RAM below stops here: devices and interrupt controllers */
#define VM_HIGH_START 0x100000000ull /* and goes on here */
#define VM_MMIO_BASE 0xd0000000ull   /* the first virtio-mmio window */
#define VM_MMIO_SIZE 0x1000ull
#define VM_IRQ_BASE 5u

struct vm_memory {
	uint8_t *base; /* host address; the part above 4 GiB follows the low one without a hole */
	uint64_t size; /* bytes, whole pages */
};

/* size bytes of zeroes, private to this process (mmap(2), MAP_NORESERVE), between pages that nobody
 * may touch. */
int vm_memory_make(struct vm_memory *m, uint64_t size, struct err *e);
/* As vm_memory_make, with the first bytes of a template's file as content, copy-on-write. fd
 * borrowed. */
int vm_memory_map(struct vm_memory *m, uint64_t size, int fd, uint64_t offset, struct err *e);
void vm_memory_free(struct vm_memory *m);

/* All of [gpa, gpa + len), which is RAM, will be written now: a large page costs what a small one
 * does. */
void vm_memory_full(const struct vm_memory *m, uint64_t gpa, uint64_t len);

/* Host address of [gpa, gpa + len), or NULL when any byte of it isn't RAM. len 0: NULL. */
void *vm_mem(const struct vm_memory *m, uint64_t gpa, uint64_t len);

#endif
