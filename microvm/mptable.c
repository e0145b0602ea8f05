/* microvm/mptable.c: the MultiProcessor tables (Intel's MultiProcessor Specification 1.4, chapter
 * 4): a small kernel without ACPI learns from them of its processors and of the IOAPIC's lines.
 */
#include "microvm/boot.h"

#include <errno.h>
#include <string.h>

#define LAPIC_ADDRESS 0xfee00000u
#define IOAPIC_ADDRESS 0xfec00000u
#define LINES 24u /* of KVM's IOAPIC */
#define BUS_ISA 0
#define AREA 0x400u /* the last KiB below 640 KiB */

enum { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_INTERRUPT, MP_LOCAL };
enum { INT_VECTORED, INT_NMI, INT_SMI, INT_EXTERNAL };

struct pointer { /* 4.1 */
	char signature[4];
	uint32_t table;
	uint8_t length, revision, checksum, features[5];
} __attribute__((packed));

struct header { /* 4.2 */
	char signature[4];
	uint16_t length;
	uint8_t revision, checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_size, entries;
	uint32_t lapic;
	uint16_t extended_length;
	uint8_t extended_checksum, reserved;
} __attribute__((packed));

struct processor { /* 4.3.1 */
	uint8_t type, id, version, flags;
	uint32_t signature, features, reserved[2];
} __attribute__((packed));

struct bus { /* 4.3.2 */
	uint8_t type, id;
	char name[6];
} __attribute__((packed));

struct ioapic { /* 4.3.3 */
	uint8_t type, id, version, flags;
	uint32_t address;
} __attribute__((packed));

struct interrupt { /* 4.3.4, 4.3.5 */
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, irq, to, line;
} __attribute__((packed));

struct writer {
	uint8_t *at;
	struct header *h;
};

static void put(struct writer *w, const void *entry, size_t len)
{
	memcpy(w->at, entry, len);
	w->at += len;
	w->h->entries++;
}

/* The byte that makes the sum of all zero. */
static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static void put_processors(struct writer *w, unsigned n)
{
	const uint8_t enabled = 1, boots = 2;

	for (unsigned i = 0; i < n; i++) {
		struct processor p = {.type = MP_PROCESSOR,
				      .id = (uint8_t)i,
				      .version = 0x14,
				      .flags = enabled | (i == 0 ? boots : 0),
				      .signature = 0x600,
				      .features = 0x201};
		put(w, &p, sizeof(p));
	}
}

static void put_lines(struct writer *w, uint8_t apic)
{
	struct bus isa = {MP_BUS, BUS_ISA, {'I', 'S', 'A', ' ', ' ', ' '}};
	struct ioapic io = {MP_IOAPIC, apic, 0x11, 1, IOAPIC_ADDRESS};

	put(w, &isa, sizeof(isa));
	put(w, &io, sizeof(io));
	for (uint8_t i = 0; i < LINES; i++) {
		struct interrupt line = {MP_INTERRUPT, INT_VECTORED, 0, BUS_ISA, i, apic, i};
		put(w, &line, sizeof(line));
	}
	struct interrupt external = {MP_LOCAL, INT_EXTERNAL, 0, BUS_ISA, 0, 0, 0};
	struct interrupt nmi = {MP_LOCAL, INT_NMI, 0, BUS_ISA, 0, 0xff, 1};
	put(w, &external, sizeof(external));
	put(w, &nmi, sizeof(nmi));
}

static size_t table_size(unsigned vcpus)
{
	return sizeof(struct header) + vcpus * sizeof(struct processor) + sizeof(struct bus) +
	       sizeof(struct ioapic) + (LINES + 2) * sizeof(struct interrupt);
}

int vm_mptable_write(const struct vm_memory *m, unsigned vcpus, struct err *e)
{
	size_t size = table_size(vcpus);
	uint64_t where = VM_BOOT_MPTABLE + sizeof(struct pointer);
	struct pointer *p = vm_mem(m, VM_BOOT_MPTABLE, AREA);

	if (!p || size > AREA - sizeof(*p))
		return err_set(e, ERR_UNSUPPORTED, E2BIG, "/vm/hwConfig/vcpus",
			       "%u processors are more than the boot tables hold", vcpus);
	struct header *h = vm_mem(m, where, size);
	struct writer w = {.at = (uint8_t *)(h + 1), .h = h};
	*h = (struct header){.signature = {'P', 'C', 'M', 'P'},
			     .length = (uint16_t)size,
			     .revision = 4,
			     .lapic = LAPIC_ADDRESS};
	memcpy(h->oem, "RINGFENC", sizeof(h->oem));
	memcpy(h->product, "MICROVM     ", sizeof(h->product));
	put_processors(&w, vcpus);
	put_lines(&w, (uint8_t)vcpus);
	h->checksum = checksum(h, size);
	*p = (struct pointer){.signature = {'_', 'M', 'P', '_'},
			      .table = (uint32_t)where,
			      .length = 1,
			      .revision = 4};
	p->checksum = checksum(p, sizeof(*p));
	return 0;
}
