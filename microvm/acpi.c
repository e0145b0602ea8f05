/* microvm/acpi.c: the ACPI tables of a machine without ACPI hardware ("hardware-reduced", 4.1): no
 * timer, no buttons, no registers; only who is there. Numbers in brackets are sections of ACPI 6.4.
 *
 * What a virtio-mmio device looks like here (_HID LNRO0005) is known from the kernel's driver,
 * drivers/virtio/virtio_mmio.c.
 */
#include "microvm/acpi.h"

#include "microvm/aml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LAPIC_ADDRESS 0xfee00000u
#define IOAPIC_ADDRESS 0xfec00000u
#define AREA (0x100000ull - VM_BOOT_ACPI)

struct rsdp { /* 5.2.5.3 */
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

struct header { /* 5.2.6 */
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct xsdt { /* 5.2.8 */
	struct header h;
	uint64_t fadt, madt;
} __attribute__((packed));

struct fadt { /* 5.2.9; what a hardware-reduced machine hasn't is in the gaps */
	struct header h;
	uint32_t facs, dsdt;
	uint8_t reserved, profile;
	uint8_t none[63];
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	uint8_t reset[13];
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	uint8_t x_none[120];
	char hypervisor[8];
} __attribute__((packed));
_Static_assert(sizeof(struct fadt) == 276, "of revision 6");

struct madt { /* 5.2.12 */
	struct header h;
	uint32_t lapic, flags;
} __attribute__((packed));

struct lapic { /* 5.2.12.2 */
	uint8_t type, length, processor, id;
	uint32_t flags;
} __attribute__((packed));

struct ioapic { /* 5.2.12.3 */
	uint8_t type, length, id, reserved;
	uint32_t address, first_line;
} __attribute__((packed));

/* The byte that makes the sum of all zero. */
static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static struct header header(const char signature[static 4], uint8_t revision)
{
	struct header h = {.revision = revision, .oem_revision = 1, .creator_revision = 1};

	memcpy(h.signature, signature, sizeof(h.signature));
	memcpy(h.oem, "RNGFNC", sizeof(h.oem));
	memcpy(h.table, "MICROVM ", sizeof(h.table));
	memcpy(h.creator, "RNGF", sizeof(h.creator));
	return h;
}

/* --- the devices --- */

static void put_device(struct strbuf *b, unsigned n)
{
	auto_strbuf d = {0}, resources = {0};
	char name[8];

	snprintf(name, sizeof(name), "V%03X", n & 0xfff);
	vm_aml_name(&d, "_HID");
	vm_aml_string(&d, "LNRO0005");
	vm_aml_name(&d, "_UID");
	vm_aml_integer(&d, n);
	vm_aml_memory32(&resources, (uint32_t)(VM_MMIO_BASE + n * VM_MMIO_SIZE), VM_MMIO_SIZE);
	vm_aml_interrupt(&resources, VM_IRQ_BASE + n);
	vm_aml_resources_end(&resources);
	vm_aml_name(&d, "_CRS");
	vm_aml_buffer(&d, &resources);
	vm_aml_device(b, name, &d);
}

static void make_dsdt(struct strbuf *b, unsigned devices)
{
	const struct header h = header("DSDT", 2);
	auto_strbuf all = {0};

	for (unsigned i = 0; i < devices; i++)
		put_device(&all, i);
	strbuf_add(b, &h, sizeof(h));
	vm_aml_scope(b, "\\_SB_", &all);
}

/* --- the rest --- */

static void make_fadt(struct strbuf *b, uint64_t dsdt)
{
	enum { PROFILE_SERVER = 4, NO_VGA = 1 << 2, NO_RTC = 1 << 5 };
	enum { WBINVD = 1 << 0, NO_BUTTONS = 3 << 4, HW_REDUCED = 1 << 20 };
	struct fadt f = {.h = header("FACP", 6),
			 .dsdt = (uint32_t)dsdt,
			 .profile = PROFILE_SERVER,
			 .boot_flags = NO_VGA | NO_RTC,
			 .flags = WBINVD | NO_BUTTONS | HW_REDUCED,
			 .x_dsdt = dsdt,
			 .hypervisor = "RNGFNC"};

	strbuf_add(b, &f, sizeof(f));
}

static void make_madt(struct strbuf *b, unsigned vcpus)
{
	const struct madt m = {.h = header("APIC", 5), .lapic = LAPIC_ADDRESS};
	const struct ioapic io = {
		.type = 1, .length = sizeof(io), .id = (uint8_t)vcpus, .address = IOAPIC_ADDRESS};

	strbuf_add(b, &m, sizeof(m));
	for (unsigned i = 0; i < vcpus; i++) {
		const struct lapic l = {
			.length = sizeof(l), .processor = (uint8_t)i, .id = (uint8_t)i, .flags = 1};
		strbuf_add(b, &l, sizeof(l));
	}
	strbuf_add(b, &io, sizeof(io));
}

static void make_xsdt(struct strbuf *b, uint64_t fadt, uint64_t madt)
{
	const struct xsdt x = {.h = header("XSDT", 1), .fadt = fadt, .madt = madt};

	strbuf_add(b, &x, sizeof(x));
}

static void make_rsdp(struct strbuf *b, uint64_t xsdt)
{
	struct rsdp r = {.revision = 2, .length = sizeof(r), .xsdt = xsdt};

	memcpy(r.signature, "RSD PTR ", sizeof(r.signature));
	memcpy(r.oem, "RNGFNC", sizeof(r.oem));
	r.checksum = checksum(&r, 20); /* of what revision 1 has */
	r.extended_checksum = checksum(&r, sizeof(r));
	strbuf_add(b, &r, sizeof(r));
}

/* --- into the guest's memory --- */

struct area {
	const struct vm_memory *m;
	uint64_t at; /* the next free byte */
	bool full;
};

/* Frees the buffer, for the next one. */
static uint64_t put(struct area *a, struct strbuf *b)
{
	uint64_t where = a->at;
	void *to = b->len <= VM_BOOT_ACPI + AREA - where ? vm_mem(a->m, where, b->len) : NULL;

	a->full = a->full || b->failed || !to;
	if (!a->full) {
		memcpy(to, b->s, b->len);
		a->at = (where + b->len + 15) & ~15ull;
	}
	strbuf_free(b);
	*b = (struct strbuf){0};
	return where;
}

/* Length and checksum stand in what all tables but the first begin with. */
static uint64_t put_table(struct area *a, struct strbuf *b)
{
	struct header h;

	if (!b->failed) {
		memcpy(&h, b->s, sizeof(h));
		h.length = (uint32_t)b->len;
		memcpy(b->s, &h, sizeof(h));
		h.checksum = checksum(b->s, b->len);
		memcpy(b->s, &h, sizeof(h));
	}
	return put(a, b);
}

int vm_acpi_write(const struct vm_memory *m, unsigned vcpus, unsigned devices, struct err *e)
{
	const uint64_t rsdp_room = (sizeof(struct rsdp) + 15) & ~15ull;
	struct area a = {.m = m, .at = VM_BOOT_ACPI + rsdp_room};
	auto_strbuf b = {0};

	make_dsdt(&b, devices);
	uint64_t dsdt = put_table(&a, &b);
	make_fadt(&b, dsdt);
	uint64_t fadt = put_table(&a, &b);
	make_madt(&b, vcpus);
	uint64_t madt = put_table(&a, &b);
	make_xsdt(&b, fadt, madt);
	uint64_t xsdt = put_table(&a, &b);
	a.at = VM_BOOT_ACPI;
	make_rsdp(&b, xsdt);
	put(&a, &b);
	return a.full ? err_set(e, ERR_SYSTEM, ENOMEM, NULL, "there is no room for the ACPI tables")
		      : 0;
}
