/* microvm/boot.h: a kernel in guest memory: Linux, ready for its 64-bit entry (the kernel's
 * Documentation/arch/x86/boot.rst and zero-page.rst), or another one with an entry by PVH.
 *
 * What lies where below 1 MiB: */
#ifndef RF_MICROVM_BOOT_H
#define RF_MICROVM_BOOT_H

#include "common/str.h"
#include "microvm/memory.h"

#include <stdbool.h>
#include <stddef.h>

#define VM_BOOT_GDT 0x500ull        /* segment descriptors */
#define VM_BOOT_PVH 0x6000ull       /* what a kernel entered by PVH is told */
#define VM_BOOT_ZERO_PAGE 0x7000ull /* struct boot_params */
#define VM_BOOT_TABLES 0x9000ull    /* page tables: 6 pages, the low 4 GiB one to one */
#define VM_BOOT_CMDLINE 0x20000ull  /* at most VM_CMDLINE_MAX bytes */
#define VM_BOOT_MPTABLE                                                           \
	0x9fc00ull /* the last KiB of the low memory: where a kernel looks for it \
		    */
#define VM_CMDLINE_MAX 2048u
#define VM_BOOT_ARCHIVES 2u

/* An archive of which one file is read straight into the guest's memory. */
struct vm_initrd {
	struct strbuf head, tail; /* what stands before and behind it */
	int file;                 /* borrowed; -1: none */
	uint64_t file_len;
};

struct vm_boot {
	int kernel;       /* an ELF vmlinux or a bzImage; borrowed */
	const char *name; /* its path, for messages */
	const char *cmdline;
	/* Archives that the kernel unpacks one after the other, what comes later over what came
	 * before (Documentation/driver-api/early-userspace/buffer-format.rst): those of files first
	 * (borrowed; each from its start), then the bytes. */
	int archives[VM_BOOT_ARCHIVES];
	size_t n_archives;
	const struct vm_initrd *initrd; /* or NULL */
	unsigned vcpus, devices;        /* how many */
};

/* The version that a bzImage bears in its header ("6.1.0-50-cloud-amd64"), as far as it can be the
 * name of a folder. 1: it is in ret; 0: the file is no bzImage, or bears none. */
int vm_boot_version(int kernel, char *ret, size_t size);

/* Where the first processor begins, and how: in 64-bit mode as Linux wants it, or by PVH. */
struct vm_boot_entry {
	uint64_t address;
	bool pvh;
};

/* Loads all of it. ERR_UNSUPPORTED: not a kernel that
 * this can start; ERR_SPEC: memory too small. */
int vm_boot_load(const struct vm_memory *m, const struct vm_boot *b,
		 struct vm_boot_entry *ret_entry, struct err *e);

/* pvh.c. Do these notes of an ELF file (elf(5)) ask for an entry by PVH, and aren't Linux's? */
bool vm_pvh_entry(const void *notes, size_t len, uint64_t *ret_entry);
/* What the zero page says, in PVH's words, at VM_BOOT_PVH. */
struct boot_params;
int vm_pvh_write(const struct vm_memory *m, const struct boot_params *zero, struct err *e);

/* mptable.c: the processors and interrupt lines, as the MultiProcessor Specification 1.4 writes
 * them. */
int vm_mptable_write(const struct vm_memory *m, unsigned vcpus, struct err *e);

/* initrd.c: a cpio archive (microvm/cpio.h) with the program (borrowed) as /init and the folders
 * that it mounts things on. To be freed, also when it failed. */
int vm_initrd_make(int program, struct vm_initrd *ret, struct err *e);
void vm_initrd_free(struct vm_initrd *i);

#endif
