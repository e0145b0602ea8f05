/* microvm/pvh.c: the other way into an ELF kernel, that of Xen's "x86/HVM direct boot ABI" (PVH),
 * for kernels that aren't Linux: unikernels and BSDs. A note in the file says where the 32-bit
 * entry lies; what the guest has to know lies in a table of its own.
 *
 * Linux has that note too and isn't entered so: its own protocol hands over a seed for its random
 * numbers, and this one can't.
 */
#include "microvm/boot.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#define PHYS32_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY, of the owner "Xen" */
#define MAGIC 0x336ec578u
#define MAP_MAX 8u

/* Xen's public/arch-x86/hvm/start_info.h, version 1. */
struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp, map;
	uint32_t map_entries, reserved;
};
struct module {
	uint64_t address, size, cmdline, reserved;
};
struct map_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};
struct table {
	struct start_info info;
	struct module initrd;
	struct map_entry map[MAP_MAX];
};
_Static_assert(sizeof(struct start_info) == 56 && sizeof(struct module) == 32 &&
		       sizeof(struct map_entry) == 24,
	       "as the ABI has them");

static size_t aligned(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

bool vm_pvh_entry(const void *notes, size_t len, uint64_t *ret_entry)
{
	const uint8_t *at = notes;
	bool linux_too = false, found = false;

	while (len >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr n;
		memcpy(&n, at, sizeof(n));
		at += sizeof(n);
		len -= sizeof(n);
		if (n.n_namesz > len || aligned(n.n_namesz) > len ||
		    n.n_descsz > len - aligned(n.n_namesz))
			break;
		const uint8_t *what = at + aligned(n.n_namesz);
		if (n.n_namesz == 6 && memcmp(at, "Linux", 6) == 0)
			linux_too = true;
		/* As wide as the kernel's pointers; the entry is in the low 4 GiB in any case. */
		if (n.n_namesz == 4 && memcmp(at, "Xen", 4) == 0 && n.n_type == PHYS32_ENTRY &&
		    (n.n_descsz == 4 || n.n_descsz == 8)) {
			*ret_entry = 0;
			memcpy(ret_entry, what, n.n_descsz);
			found = true;
		}
		size_t all = aligned(n.n_namesz) + aligned(n.n_descsz);
		if (all > len)
			break;
		at += all;
		len -= all;
	}
	return found && !linux_too;
}

int vm_pvh_write(const struct vm_memory *m, const struct boot_params *zero, struct err *e)
{
	struct table *t = vm_mem(m, VM_BOOT_PVH, sizeof(*t));

	if (!t || zero->e820_entries > MAP_MAX)
		return err_set(e, ERR_INTERNAL, EINVAL, NULL, "no room for the kernel's tables");
	*t = (struct table){
		.info = {.magic = MAGIC,
			 .version = 1,
			 .cmdline = zero->hdr.cmd_line_ptr,
			 .rsdp = zero->acpi_rsdp_addr,
			 .map = VM_BOOT_PVH + offsetof(struct table, map),
			 .map_entries = zero->e820_entries},
		.initrd = {.address = zero->hdr.ramdisk_image, .size = zero->hdr.ramdisk_size},
	};
	if (zero->hdr.ramdisk_size) {
		t->info.n_modules = 1;
		t->info.modules = VM_BOOT_PVH + offsetof(struct table, initrd);
	}
	for (unsigned i = 0; i < zero->e820_entries; i++)
		t->map[i] = (struct map_entry){.address = zero->e820_table[i].addr,
					       .size = zero->e820_table[i].size,
					       .type = zero->e820_table[i].type};
	return 0;
}
