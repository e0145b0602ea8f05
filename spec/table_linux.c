/* spec/table_linux.c: the linux object (config-linux.md) but for resources and seccomp.
 *
 * Data only, but for taking the file type out of a device's mode.
 */
#include "spec/table.h"

#include <sys/stat.h>

/* In the order of enum spec_ns. */
const char *const spec_ns_words[] = {"pid",  "network", "mount", "ipc", "uts",
				     "user", "cgroup",  "time",  NULL};
/* The recursive forms are no words of the schema, but engines and other runtimes have them. */
static const char *const propagations[] = {"private",    "shared",      "slave",
					   "unbindable", "rprivate",    "rshared",
					   "rslave",     "runbindable", NULL};
static const char *const device_types[] = {"c", "b", "u", "p", NULL};
static const char *const domains[] = {"LINUX", "LINUX32", NULL};
static const char *const policy_modes[] = {
	"MPOL_DEFAULT",   "MPOL_BIND",           "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE",
	"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_LOCAL",      NULL,
};
static const char *const policy_flags[] = {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
					   "MPOL_F_STATIC_NODES", NULL};

static const struct spec_field namespace_fields[] = {
	SPEC_FIELD(struct spec_namespace, type, "type", SPEC_ENUM, SPEC_REQUIRED,
		   .words = spec_ns_words),
	SPEC_FIELD(struct spec_namespace, path, "path", SPEC_STRING),
};
/* Go's encoder may write "" for a new namespace. */
static void finish_namespace(void *object)
{
	struct spec_namespace *n = object;

	if (n->path && !*n->path)
		n->path = NULL;
}
static const struct spec_table namespace_table =
	SPEC_TABLE(struct spec_namespace, namespace_fields, .finish = finish_namespace);

#define F(member, json, ...) SPEC_FIELD(struct spec_device, member, json, __VA_ARGS__)
static const struct spec_field device_fields[] = {
	F(type, "type", SPEC_LETTER, SPEC_REQUIRED, .words = device_types),
	F(path, "path", SPEC_STRING, SPEC_REQUIRED),
	F(major, "major", SPEC_OI64),
	F(minor, "minor", SPEC_OI64),
	F(file_mode, "fileMode", SPEC_OU64, SPEC_RANGE(0, UINT32_MAX)),
	F(uid, "uid", SPEC_OU64, SPEC_RANGE(0, UINT32_MAX)),
	F(gid, "gid", SPEC_OU64, SPEC_RANGE(0, UINT32_MAX)),
};
#undef F
/* Some engines copy st_mode, file type and all. A type that agrees is dropped here; one that
 * doesn't is left for the check to refuse. */
static void finish_device(void *object)
{
	struct spec_device *d = object;
	uint64_t type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;

	if ((d->file_mode.v & S_IFMT) == type)
		d->file_mode.v &= ~(uint64_t)S_IFMT;
}
static const struct spec_table device_table =
	SPEC_TABLE(struct spec_device, device_fields, .finish = finish_device);

static const struct spec_field net_device_fields[] = {
	SPEC_FIELD(struct spec_net_device, name, "name", SPEC_STRING),
};
static void finish_net_device(void *object)
{
	struct spec_net_device *d = object;

	if (d->name && !*d->name)
		d->name = NULL;
}
static const struct spec_table net_device_table = SPEC_TABLE(
	struct spec_net_device, net_device_fields,
	.key_at = offsetof(struct spec_net_device, host_name), .finish = finish_net_device);

static const struct spec_field offset_fields[] = {
	SPEC_FIELD(struct spec_time_offset, secs, "secs", SPEC_I64),
	SPEC_FIELD(struct spec_time_offset, nanosecs, "nanosecs", SPEC_U32,
		   SPEC_RANGE(0, 999999999)),
};
static const struct spec_table offset_table = SPEC_TABLE(struct spec_time_offset, offset_fields);

static const struct spec_field offsets_fields[] = {
	SPEC_FIELD(struct spec_linux, monotonic, "monotonic", SPEC_OBJECT, SPEC_SUB(offset_table),
		   SPEC_PRESENT(struct spec_linux, monotonic.set)),
	SPEC_FIELD(struct spec_linux, boottime, "boottime", SPEC_OBJECT, SPEC_SUB(offset_table),
		   SPEC_PRESENT(struct spec_linux, boottime.set)),
};
static const struct spec_table offsets_table =
	SPEC_TABLE(struct spec_linux, offsets_fields, .closed = true);

#define F(member, json, ...) SPEC_FIELD(struct spec_intel_rdt, member, json, __VA_ARGS__)
static const struct spec_field rdt_fields[] = {
	F(clos_id, "closID", SPEC_STRING),
	F(l3_cache_schema, "l3CacheSchema", SPEC_STRING),
	F(mem_bw_schema, "memBwSchema", SPEC_STRING, .shape = spec_shape_mb),
	F(schemata, "schemata", SPEC_STRINGS),
	F(enable_monitoring, "enableMonitoring", SPEC_BOOL),
};
#undef F
static const struct spec_table rdt_table = SPEC_TABLE(struct spec_intel_rdt, rdt_fields);

static const struct spec_field policy_fields[] = {
	SPEC_FIELD(struct spec_memory_policy, mode, "mode", SPEC_STRING, SPEC_REQUIRED,
		   .words = policy_modes),
	SPEC_FIELD(struct spec_memory_policy, nodes, "nodes", SPEC_STRING,
		   .shape = spec_shape_cpulist),
	SPEC_FIELD(struct spec_memory_policy, flags, "flags", SPEC_STRINGS, .words = policy_flags),
};
static const struct spec_table policy_table = SPEC_TABLE(struct spec_memory_policy, policy_fields);

static const struct spec_field personality_fields[] = {
	SPEC_FIELD(struct spec_personality, domain, "domain", SPEC_STRING, SPEC_REQUIRED,
		   .words = domains),
	SPEC_FIELD(struct spec_personality, flags, "flags", SPEC_STRINGS),
};
static const struct spec_table personality_table =
	SPEC_TABLE(struct spec_personality, personality_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_linux, member, json, __VA_ARGS__)
static const struct spec_field linux_fields[] = {
	F(namespaces, "namespaces", SPEC_LIST, SPEC_SUB(namespace_table)),
	F(uid_mappings, "uidMappings", SPEC_LIST, SPEC_SUB(spec_table_id_map)),
	F(gid_mappings, "gidMappings", SPEC_LIST, SPEC_SUB(spec_table_id_map)),
	{.name = "timeOffsets", .kind = SPEC_OBJECT, SPEC_SUB(offsets_table)},
	F(devices, "devices", SPEC_LIST, SPEC_SUB(device_table)),
	F(net_devices, "netDevices", SPEC_MAP, SPEC_SUB(net_device_table)),
	F(cgroups_path, "cgroupsPath", SPEC_STRING),
	F(resources, "resources", SPEC_OBJECT, SPEC_SUB(spec_table_resources),
	  SPEC_PRESENT(struct spec_linux, resources.set)),
	F(sysctl, "sysctl", SPEC_PAIRS),
	F(seccomp, "seccomp", SPEC_OBJECT, SPEC_SUB(spec_table_seccomp),
	  SPEC_PRESENT(struct spec_linux, seccomp.set)),
	F(rootfs_propagation, "rootfsPropagation", SPEC_STRING, .words = propagations),
	F(masked_paths, "maskedPaths", SPEC_STRINGS),
	F(readonly_paths, "readonlyPaths", SPEC_STRINGS),
	F(mount_label, "mountLabel", SPEC_STRING),
	F(intel_rdt, "intelRdt", SPEC_OBJECT, SPEC_SUB(rdt_table),
	  SPEC_PRESENT(struct spec_linux, intel_rdt.set)),
	F(memory_policy, "memoryPolicy", SPEC_OBJECT, SPEC_SUB(policy_table)),
	F(personality, "personality", SPEC_OBJECT, SPEC_SUB(personality_table)),
};
#undef F
const struct spec_table spec_table_linux = SPEC_TABLE(struct spec_linux, linux_fields);
