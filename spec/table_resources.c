/* spec/table_resources.c: linux.resources (config-linux.md, "Control groups").
 *
 * Data only. The same tables serve config.json and `update --resources`.
 */
#include "spec/table.h"

#define F(member, json, ...) SPEC_FIELD(struct spec_device_rule, member, json, __VA_ARGS__)
static const struct spec_field rule_fields[] = {
	F(allow, "allow", SPEC_BOOL, SPEC_REQUIRED),
	F(type, "type", SPEC_STRING),
	F(major, "major", SPEC_OI64),
	F(minor, "minor", SPEC_OI64),
	F(access, "access", SPEC_STRING, .shape = spec_shape_access),
};
#undef F
/* Go's encoder of older engines writes "" and -1 for what is absent. */
static void finish_rule(void *object)
{
	struct spec_device_rule *r = object;

	if (r->type && !*r->type)
		r->type = NULL;
	if (r->access && !*r->access)
		r->access = NULL;
	if (r->major.v == -1)
		r->major = (struct opt_i64){0};
	if (r->minor.v == -1)
		r->minor = (struct opt_i64){0};
}
static const struct spec_table rule_table =
	SPEC_TABLE(struct spec_device_rule, rule_fields, .finish = finish_rule);

#define F(member, json, ...) SPEC_FIELD(struct spec_memory, member, json, __VA_ARGS__)
static const struct spec_field memory_fields[] = {
	F(limit, "limit", SPEC_OI64),
	F(reservation, "reservation", SPEC_OI64),
	F(swap, "swap", SPEC_OI64),
	F(kernel, "kernel", SPEC_OI64),
	F(kernel_tcp, "kernelTCP", SPEC_OI64),
	F(swappiness, "swappiness", SPEC_OU64, SPEC_RANGE(0, 100)),
	F(disable_oom_killer, "disableOOMKiller", SPEC_OBOOL),
	F(use_hierarchy, "useHierarchy", SPEC_OBOOL),
	F(check_before_update, "checkBeforeUpdate", SPEC_OBOOL),
};
#undef F
static const struct spec_table memory_table = SPEC_TABLE(struct spec_memory, memory_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_cpu, member, json, __VA_ARGS__)
static const struct spec_field cpu_fields[] = {
	F(shares, "shares", SPEC_OU64),
	F(quota, "quota", SPEC_OI64),
	F(burst, "burst", SPEC_OU64),
	F(period, "period", SPEC_OU64),
	F(realtime_runtime, "realtimeRuntime", SPEC_OI64),
	F(realtime_period, "realtimePeriod", SPEC_OU64),
	F(cpus, "cpus", SPEC_STRING, .shape = spec_shape_line),
	F(mems, "mems", SPEC_STRING, .shape = spec_shape_line),
	F(idle, "idle", SPEC_OI64, SPEC_RANGE(0, 1)),
};
#undef F
static const struct spec_table cpu_table = SPEC_TABLE(struct spec_cpu, cpu_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_throttle, member, json, __VA_ARGS__)
static const struct spec_field throttle_fields[] = {
	F(major, "major", SPEC_I64, SPEC_REQUIRED, SPEC_RANGE(0, UINT32_MAX)),
	F(minor, "minor", SPEC_I64, SPEC_REQUIRED, SPEC_RANGE(0, UINT32_MAX)),
	F(rate, "rate", SPEC_U64, SPEC_REQUIRED),
};
#undef F
static const struct spec_table throttle_table = SPEC_TABLE(struct spec_throttle, throttle_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_weight_device, member, json, __VA_ARGS__)
static const struct spec_field weight_fields[] = {
	F(major, "major", SPEC_I64, SPEC_REQUIRED, SPEC_RANGE(0, UINT32_MAX)),
	F(minor, "minor", SPEC_I64, SPEC_REQUIRED, SPEC_RANGE(0, UINT32_MAX)),
	F(weight, "weight", SPEC_OU64, SPEC_RANGE(0, UINT16_MAX)),
	F(leaf_weight, "leafWeight", SPEC_OU64, SPEC_RANGE(0, UINT16_MAX)),
};
#undef F
static const struct spec_table weight_table = SPEC_TABLE(struct spec_weight_device, weight_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_blockio, member, json, __VA_ARGS__)
static const struct spec_field blockio_fields[] = {
	F(weight, "weight", SPEC_OU64, SPEC_RANGE(0, UINT16_MAX)),
	F(leaf_weight, "leafWeight", SPEC_OU64, SPEC_RANGE(0, UINT16_MAX)),
	F(weight_device, "weightDevice", SPEC_LIST, SPEC_SUB(weight_table)),
	F(read_bps, "throttleReadBpsDevice", SPEC_LIST, SPEC_SUB(throttle_table)),
	F(write_bps, "throttleWriteBpsDevice", SPEC_LIST, SPEC_SUB(throttle_table)),
	F(read_iops, "throttleReadIOPSDevice", SPEC_LIST, SPEC_SUB(throttle_table)),
	F(write_iops, "throttleWriteIOPSDevice", SPEC_LIST, SPEC_SUB(throttle_table)),
};
#undef F
static const struct spec_table blockio_table = SPEC_TABLE(struct spec_blockio, blockio_fields);

static const struct spec_field hugepage_fields[] = {
	SPEC_FIELD(struct spec_hugepage, page_size, "pageSize", SPEC_STRING, SPEC_REQUIRED,
		   .shape = spec_shape_pagesize),
	SPEC_FIELD(struct spec_hugepage, limit, "limit", SPEC_U64, SPEC_REQUIRED),
};
static const struct spec_table hugepage_table = SPEC_TABLE(struct spec_hugepage, hugepage_fields);

static const struct spec_field priority_fields[] = {
	SPEC_FIELD(struct spec_net_priority, name, "name", SPEC_STRING, SPEC_REQUIRED,
		   .shape = spec_shape_nonempty),
	SPEC_FIELD(struct spec_net_priority, priority, "priority", SPEC_U32, SPEC_REQUIRED),
};
static const struct spec_table priority_table =
	SPEC_TABLE(struct spec_net_priority, priority_fields);

static const struct spec_field rdma_fields[] = {
	SPEC_FIELD(struct spec_rdma, hca_handles, "hcaHandles", SPEC_OU64,
		   SPEC_RANGE(0, UINT32_MAX)),
	SPEC_FIELD(struct spec_rdma, hca_objects, "hcaObjects", SPEC_OU64,
		   SPEC_RANGE(0, UINT32_MAX)),
};
static const struct spec_table rdma_table =
	SPEC_TABLE(struct spec_rdma, rdma_fields, .key_at = offsetof(struct spec_rdma, device));

#define R struct spec_resources
static const struct spec_field network_fields[] = {
	SPEC_FIELD(R, net_class_id, "classID", SPEC_OU64, SPEC_RANGE(0, UINT32_MAX)),
	SPEC_FIELD(R, net_priorities, "priorities", SPEC_LIST, SPEC_SUB(priority_table)),
};
static const struct spec_table network_table = SPEC_TABLE(R, network_fields);

/* Newer Go bindings write "pids": {} for no limit, so limit isn't insisted on. */
static const struct spec_field pids_fields[] = {
	SPEC_FIELD(R, pids_limit, "limit", SPEC_OI64),
};
static const struct spec_table pids_table = SPEC_TABLE(R, pids_fields);

static const struct spec_field resources_fields[] = {
	SPEC_FIELD(R, devices, "devices", SPEC_LIST, SPEC_SUB(rule_table)),
	SPEC_FIELD(R, memory, "memory", SPEC_OBJECT, SPEC_SUB(memory_table),
		   SPEC_PRESENT(R, memory.set)),
	SPEC_FIELD(R, cpu, "cpu", SPEC_OBJECT, SPEC_SUB(cpu_table), SPEC_PRESENT(R, cpu.set)),
	SPEC_FIELD(R, blockio, "blockIO", SPEC_OBJECT, SPEC_SUB(blockio_table),
		   SPEC_PRESENT(R, blockio.set)),
	SPEC_FIELD(R, hugepages, "hugepageLimits", SPEC_LIST, SPEC_SUB(hugepage_table)),
	{.name = "network", .kind = SPEC_OBJECT, SPEC_SUB(network_table)},
	{.name = "pids", .kind = SPEC_OBJECT, SPEC_SUB(pids_table)},
	SPEC_FIELD(R, rdma, "rdma", SPEC_MAP, SPEC_SUB(rdma_table)),
	SPEC_FIELD(R, unified, "unified", SPEC_PAIRS),
};
const struct spec_table spec_table_resources = SPEC_TABLE(R, resources_fields);
#undef R
