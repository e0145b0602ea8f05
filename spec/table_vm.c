/* spec/table_vm.c: the vm object (config-vm.md).
 *
 * Data only. I/O memory ranges and interrupts are counted, for refusal.
 */
#include "spec/table.h"

static const char *const image_formats[] = {"raw", "qcow2", "vdi", "vmdk", "vhd", NULL};

#define F(member, json, ...) SPEC_FIELD(struct spec_vm, member, json, __VA_ARGS__)
static const struct spec_field hypervisor_fields[] = {
	F(hypervisor_path, "path", SPEC_STRING, SPEC_REQUIRED),
	F(hypervisor_parameters, "parameters", SPEC_STRINGS),
};
static const struct spec_table hypervisor_table = SPEC_TABLE(struct spec_vm, hypervisor_fields);

static const struct spec_field kernel_fields[] = {
	F(kernel_path, "path", SPEC_STRING, SPEC_REQUIRED),
	F(kernel_parameters, "parameters", SPEC_STRINGS),
	F(kernel_initrd, "initrd", SPEC_STRING),
};
static const struct spec_table kernel_table = SPEC_TABLE(struct spec_vm, kernel_fields);

static const struct spec_field image_fields[] = {
	F(image_path, "path", SPEC_STRING, SPEC_REQUIRED),
	F(image_format, "format", SPEC_STRING, SPEC_REQUIRED, .words = image_formats),
};
static const struct spec_table image_table = SPEC_TABLE(struct spec_vm, image_fields);

static const struct spec_field hw_fields[] = {
	F(device_tree, "deviceTree", SPEC_STRING),
	F(vcpus, "vcpus", SPEC_OU64, SPEC_RANGE(0, UINT32_MAX)),
	F(memory, "memory", SPEC_OU64),
	F(dtdevs, "dtdevs", SPEC_STRINGS),
	F(n_iomems, "iomems", SPEC_COUNT),
	F(n_irqs, "irqs", SPEC_COUNT),
};
static const struct spec_table hw_table = SPEC_TABLE(struct spec_vm, hw_fields);
#undef F

#define O(json, t, ...)                                                         \
	{                                                                       \
		.name = (json), .kind = SPEC_OBJECT, SPEC_SUB(t), ##__VA_ARGS__ \
	}
static const struct spec_field vm_fields[] = {
	O("hypervisor", hypervisor_table),
	O("kernel", kernel_table, SPEC_REQUIRED),
	O("image", image_table),
	O("hwConfig", hw_table),
};
#undef O
const struct spec_table spec_table_vm = SPEC_TABLE(struct spec_vm, vm_fields);
