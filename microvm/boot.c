/* microvm/boot.c: the kernel's image, its command line, initramfs and zero page in guest memory.
 *
 * Invariants
 *  1. The image is a file that the host's owner chose, but every number in it is checked against
 * its length and the guest's memory: a cut-off or foreign file is an error, not a crash.
 *  2. Nothing is read twice: what was checked is what is used.
 */
#include "microvm/boot.h"

#include "common/fd.h"
#include "common/str.h"
#include "microvm/acpi.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define E820_RAM 1
#define E820_RESERVED 2
#define LOW_TOP 0x100000ull      /* 1 MiB: kernels and initramfs lie above */
#define HEADER_MAGIC 0x53726448u /* "HdrS" */
#define SEED_BYTES 32u
#define SETUP_SEED 0x8000ull /* behind the zero page */

#define NOTES_MAX 0x10000u
#define SEGMENTS_MAX 64u
#define SEGMENT_GAP (2ull << 20) /* from one to its neighbour: less than a large page */

struct image {
	struct vm_boot_entry entry;
	uint64_t end; /* first byte behind what the kernel needs */
};

static int too_small(const struct vm_memory *m, struct err *e)
{
	return err_set(e, ERR_SPEC, ENOMEM, NULL,
		       "%llu MiB of memory are too little for the guest's kernel",
		       (unsigned long long)(m->size >> 20));
}

static int not_a_kernel(const struct vm_boot *b, const char *why, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, ENOEXEC, b->name,
		       "not a kernel that a micro-VM can start: %s", why);
}

/* Returns how many bytes there were: fewer than len at the file's end. */
static ssize_t read_some(int fd, void *to, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* A short file is one that was cut off. */
static int read_at(const struct vm_boot *b, void *to, size_t len, uint64_t offset, struct err *e)
{
	ssize_t n = read_some(b->kernel, to, len, offset);

	if (n < 0)
		return err_sys(e, (int)-n, b->name, "reading the kernel");
	return (size_t)n < len ? not_a_kernel(b, "the file ends too early", e) : 0;
}

/* --- ELF (elf(5)) --- */

static int check_segment(const struct vm_memory *m, const struct vm_boot *b, const Elf64_Phdr *p,
			 struct err *e)
{
	if (p->p_type != PT_LOAD || p->p_memsz == 0)
		return 0;
	if (p->p_filesz > p->p_memsz || p->p_paddr < LOW_TOP)
		return not_a_kernel(b, "a segment lies where none may", e);
	return vm_mem(m, p->p_paddr, p->p_memsz) ? 0 : too_small(m, e);
}

/* Segments beside each other are one piece: a small one that is written before its neighbour is
 * known would fill their large page with small ones. */
static void expect_segments(const struct vm_memory *m, const Elf64_Phdr *p, unsigned n,
			    struct image *im)
{
	uint64_t from = 0, to = 0;

	for (unsigned i = 0; i < n; i++) {
		if (p[i].p_type != PT_LOAD || p[i].p_memsz == 0)
			continue;
		if (p[i].p_paddr < to || p[i].p_paddr - to >= SEGMENT_GAP) {
			vm_memory_full(m, from, to - from);
			from = p[i].p_paddr;
		}
		to = p[i].p_paddr + p[i].p_memsz;
		if (to > im->end)
			im->end = to;
	}
	vm_memory_full(m, from, to - from);
}

static int load_segment(const struct vm_memory *m, const struct vm_boot *b, const Elf64_Phdr *p,
			struct err *e)
{
	/* What follows the file's part is zero already. */
	return p->p_type == PT_LOAD && p->p_memsz && p->p_filesz
		       ? read_at(b, vm_mem(m, p->p_paddr, p->p_memsz), p->p_filesz, p->p_offset, e)
		       : 0;
}

/* Whether the file asks for PVH is in its notes. */
static int read_notes(const struct vm_boot *b, const Elf64_Phdr *p, struct image *im, struct err *e)
{
	uint64_t address;

	if (p->p_type != PT_NOTE || p->p_filesz == 0 || p->p_filesz > NOTES_MAX)
		return 0;
	auto_str notes = malloc(p->p_filesz);
	if (!notes)
		return err_sys(e, ENOMEM, b->name, "reading the kernel");
	int rc = read_at(b, notes, p->p_filesz, p->p_offset, e);
	if (rc >= 0 && vm_pvh_entry(notes, p->p_filesz, &address))
		im->entry = (struct vm_boot_entry){.address = address, .pvh = true};
	return rc;
}

static int load_elf(const struct vm_memory *m, const struct vm_boot *b, const Elf64_Ehdr *h,
		    struct image *im, struct err *e)
{
	Elf64_Phdr p[SEGMENTS_MAX];

	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_machine != EM_X86_64)
		return not_a_kernel(b, "it is for another processor", e);
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > SEGMENTS_MAX)
		return not_a_kernel(b, "its table of segments is odd", e);
	int rc = read_at(b, p, h->e_phnum * sizeof(*p), h->e_phoff, e);
	for (unsigned i = 0; rc >= 0 && i < h->e_phnum; i++)
		rc = check_segment(m, b, &p[i], e);
	if (rc >= 0)
		expect_segments(m, p, h->e_phnum, im);
	for (unsigned i = 0; rc >= 0 && i < h->e_phnum; i++) {
		rc = load_segment(m, b, &p[i], e);
		if (rc >= 0)
			rc = read_notes(b, &p[i], im, e);
	}
	if (rc < 0)
		return rc;
	if (!im->entry.pvh)
		im->entry.address = h->e_entry;
	if (im->entry.address < LOW_TOP || im->entry.address >= im->end)
		return not_a_kernel(b, "its entry lies outside of it", e);
	return 0;
}

/* --- bzImage: its own start unpacks it --- */

static int check_bzimage(const struct vm_boot *b, const struct setup_header *h, struct err *e)
{
	if (h->boot_flag != 0xaa55 || h->header != HEADER_MAGIC)
		return not_a_kernel(b, "neither an ELF file nor a bzImage", e);
	/* 2.12 brought the 64-bit entry. */
	if (h->version < 0x020c || !(h->xloadflags & XLF_KERNEL_64))
		return not_a_kernel(b, "it has no 64-bit entry", e);
	if (h->pref_address < LOW_TOP || h->init_size == 0)
		return not_a_kernel(b, "it wants to lie where it can't", e);
	return 0;
}

static int load_bzimage(const struct vm_memory *m, const struct vm_boot *b,
			struct setup_header *hdr, struct image *im, struct err *e)
{
	struct stat st;
	int rc = check_bzimage(b, hdr, e);

	if (rc < 0)
		return rc;
	if (fstat(b->kernel, &st) < 0)
		return err_sys(e, errno, b->name, "reading the kernel");
	uint64_t skip = ((hdr->setup_sects ? hdr->setup_sects : 4u) + 1u) * 512u;
	if ((uint64_t)st.st_size <= skip)
		return not_a_kernel(b, "the file ends too early", e);
	uint64_t len = (uint64_t)st.st_size - skip;
	/* In units of 16 bytes, rounded up; some end a little before. */
	if (len + 32 < (uint64_t)hdr->syssize * 16)
		return not_a_kernel(b, "the file ends too early", e);
	uint64_t room = hdr->init_size > len ? hdr->init_size : len;
	void *to = vm_mem(m, hdr->pref_address, room);
	if (!to)
		return too_small(m, e);
	vm_memory_full(m, hdr->pref_address, len);
	im->entry.address = hdr->pref_address + 0x200;
	im->end = hdr->pref_address + room;
	return read_at(b, to, len, skip, e);
}

static int load_kernel(const struct vm_memory *m, const struct vm_boot *b, struct setup_header *hdr,
		       struct image *im, struct err *e)
{
	union {
		Elf64_Ehdr elf;
		uint8_t bytes[0x300];
	} head;
	int rc = read_at(b, &head, sizeof(head), 0, e);

	if (rc < 0)
		return rc;
	if (memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
		return load_elf(m, b, &head.elf, im, e);
	memcpy(hdr, head.bytes + 0x1f1, sizeof(*hdr));
	return load_bzimage(m, b, hdr, im, e);
}

/* The string lies this far behind the first sector (boot.rst, kernel_version). */
int vm_boot_version(int kernel, char *ret, size_t size)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				   "._+~-";
	struct setup_header h;
	char text[128] = "";

	if (read_some(kernel, &h, sizeof(h), 0x1f1) != sizeof(h) || h.boot_flag != 0xaa55 ||
	    h.header != HEADER_MAGIC || h.kernel_version == 0)
		return 0;
	if (read_some(kernel, text, sizeof(text) - 1, h.kernel_version + 0x200u) <= 0)
		return 0;
	size_t n = strspn(text, good);
	if (n == 0 || n >= size || text[0] == '.' || (text[n] != ' ' && text[n] != '\0'))
		return 0;
	memcpy(ret, text, n);
	ret[n] = '\0';
	return 1;
}

/* --- the tables around it --- */

/* Every archive begins at a multiple of four, as the kernel wants it; zeroes between are skipped.
 */
static uint64_t padded(uint64_t len)
{
	return (len + 3) & ~3ull;
}

static int measure(const struct vm_boot *b, uint64_t sizes[VM_BOOT_ARCHIVES], uint64_t *ret_all,
		   struct err *e)
{
	*ret_all = b->initrd->head.len + b->initrd->file_len + b->initrd->tail.len;
	for (size_t i = 0; i < b->n_archives; i++) {
		struct stat st;
		if (fstat(b->archives[i], &st) < 0)
			return err_sys(e, errno, NULL, "reading what the guest starts with");
		if (!S_ISREG(st.st_mode) || st.st_size >= INT32_MAX)
			return err_set(e, ERR_SPEC, EINVAL, "/vm/kernel/initrd",
				       "must be a file of less than 2 GiB");
		sizes[i] = (uint64_t)st.st_size;
		*ret_all += padded(sizes[i]);
	}
	return 0;
}

/* In one piece with the guest's memory, and not once more in ours. */
static int copy_initrd(const struct vm_initrd *i, char *to, struct err *e)
{
	if (i->head.len)
		memcpy(to, i->head.s, i->head.len);
	to += i->head.len;
	ssize_t n = i->file < 0 ? 0 : read_some(i->file, to, i->file_len, 0);
	if (n < 0)
		return err_sys(e, (int)-n, NULL, "reading what the guest starts with");
	if (i->tail.len)
		memcpy(to + i->file_len, i->tail.s, i->tail.len);
	return 0;
}

static int copy_archives(const struct vm_boot *b, const uint64_t *sizes, char *to, struct err *e)
{
	for (size_t i = 0; i < b->n_archives; i++) {
		ssize_t n = read_some(b->archives[i], to, sizes[i], 0);
		if (n < 0)
			return err_sys(e, (int)-n, NULL, "reading what the guest starts with");
		/* What a file lost meanwhile is zeroes. */
		to += padded(sizes[i]);
	}
	return copy_initrd(b->initrd, to, e);
}

/* As high as the low RAM goes, out of the kernel's way. */
static int load_initrd(const struct vm_memory *m, const struct vm_boot *b, const struct image *im,
		       struct boot_params *zero, struct err *e)
{
	uint64_t top = m->size < VM_LOW_END ? m->size : VM_LOW_END, all = 0;
	uint64_t sizes[VM_BOOT_ARCHIVES];

	if (!b->initrd)
		return 0;
	int rc = measure(b, sizes, &all, e);
	if (rc < 0)
		return rc;
	uint64_t len = (all + VM_PAGE - 1) & ~(uint64_t)(VM_PAGE - 1);
	if (len > top || top - len < im->end)
		return too_small(m, e);
	zero->hdr.ramdisk_image = (uint32_t)(top - len);
	zero->hdr.ramdisk_size = (uint32_t)all;
	vm_memory_full(m, top - len, len);
	return copy_archives(b, sizes, vm_mem(m, top - len, len), e);
}

static void e820(struct boot_params *zero, uint64_t from, uint64_t to, uint32_t type)
{
	if (to > from)
		zero->e820_table[zero->e820_entries++] =
			(struct boot_e820_entry){.addr = from, .size = to - from, .type = type};
}

static void memory_map(const struct vm_memory *m, struct boot_params *zero)
{
	uint64_t low = m->size < VM_LOW_END ? m->size : VM_LOW_END;

	e820(zero, 0, VM_BOOT_MPTABLE, E820_RAM);
	e820(zero, VM_BOOT_MPTABLE, LOW_TOP, E820_RESERVED);
	e820(zero, LOW_TOP, low, E820_RAM);
	e820(zero, VM_HIGH_START, VM_HIGH_START + (m->size - low), E820_RAM);
}

/* Randomness for the kernel's first need: without it a guest waits for its own. */
static void seed(const struct vm_memory *m, struct boot_params *zero)
{
	struct setup_data *d = vm_mem(m, SETUP_SEED, sizeof(*d) + SEED_BYTES);

	if (getrandom(d->data, SEED_BYTES, 0) != SEED_BYTES)
		return;
	d->type = SETUP_RNG_SEED;
	d->len = SEED_BYTES;
	zero->hdr.setup_data = SETUP_SEED;
}

/* Four tables of 512 pages of 2 MiB each: the low 4 GiB one to one. */
static void page_tables(const struct vm_memory *m)
{
	uint64_t *t = vm_mem(m, VM_BOOT_TABLES, 6ull * VM_PAGE);
	const uint64_t present = 3, large = 0x80;

	t[0] = (VM_BOOT_TABLES + VM_PAGE) | present;
	for (unsigned i = 0; i < 4; i++)
		t[512 + i] = (VM_BOOT_TABLES + (2 + i) * VM_PAGE) | present;
	for (uint64_t i = 0; i < 2048; i++)
		t[1024 + i] = (i << 21) | present | large;
}

/* What the selectors of vcpu.c name: code at 0x10, data at 0x18, as the boot protocol asks. */
static void descriptors(const struct vm_memory *m)
{
	uint64_t *gdt = vm_mem(m, VM_BOOT_GDT, 32);

	gdt[0] = gdt[1] = 0;
	gdt[2] = 0x00af9b000000ffffull;
	gdt[3] = 0x00cf93000000ffffull;
}

static int command_line(const struct vm_memory *m, const struct vm_boot *b,
			struct boot_params *zero, struct err *e)
{
	size_t len = strlen(b->cmdline);

	if (len >= VM_CMDLINE_MAX)
		return err_set(e, ERR_SPEC, E2BIG, "/vm/kernel/parameters",
			       "the kernel's command line has %zu bytes, %u are the most", len,
			       VM_CMDLINE_MAX - 1);
	memcpy(vm_mem(m, VM_BOOT_CMDLINE, VM_CMDLINE_MAX), b->cmdline, len + 1);
	zero->hdr.cmd_line_ptr = VM_BOOT_CMDLINE;
	zero->hdr.cmdline_size = (uint32_t)len;
	return 0;
}

int vm_boot_load(const struct vm_memory *m, const struct vm_boot *b,
		 struct vm_boot_entry *ret_entry, struct err *e)
{
	struct image im = {0};
	struct boot_params *zero = vm_mem(m, VM_BOOT_ZERO_PAGE, sizeof(*zero));

	if (!zero || !vm_mem(m, 0, LOW_TOP))
		return too_small(m, e);
	memset(zero, 0, sizeof(*zero));
	zero->hdr.boot_flag = 0xaa55;
	zero->hdr.header = HEADER_MAGIC;
	zero->hdr.kernel_alignment = 0x1000000;
	int rc = load_kernel(m, b, &zero->hdr, &im, e);
	zero->hdr.type_of_loader = 0xff;
	zero->hdr.loadflags |= LOADED_HIGH;
	if (rc >= 0)
		rc = load_initrd(m, b, &im, zero, e);
	if (rc >= 0)
		rc = command_line(m, b, zero, e);
	if (rc >= 0)
		rc = vm_mptable_write(m, b->vcpus, e);
	if (rc >= 0)
		rc = vm_acpi_write(m, b->vcpus, b->devices, e);
	if (rc < 0)
		return rc;
	zero->acpi_rsdp_addr = VM_BOOT_ACPI;
	memory_map(m, zero);
	seed(m, zero);
	page_tables(m);
	descriptors(m);
	*ret_entry = im.entry;
	return im.entry.pvh ? vm_pvh_write(m, zero, e) : 0;
}
