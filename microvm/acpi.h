/* microvm/acpi.h: the machine as ACPI describes it (ACPI specification 6.4), for kernels that know
 * neither the MP table nor virtio-mmio's words: those of distributions.
 *
 * The tables are always there: a few kilobytes that a kernel without ACPI never reads.
 */
#ifndef RF_MICROVM_ACPI_H
#define RF_MICROVM_ACPI_H

#include "microvm/memory.h"

/* Where BIOSes put them and a kernel that wasn't told would look; up to 1 MiB, and reserved. */
#define VM_BOOT_ACPI 0xe0000ull

/* RSDP (its address: VM_BOOT_ACPI), XSDT, FADT, MADT and DSDT: `vcpus` processors, the IOAPIC,
 * `devices` virtio-mmio windows with their lines. */
int vm_acpi_write(const struct vm_memory *m, unsigned vcpus, unsigned devices, struct err *e);

#endif
