/* spec/table_config.c: the document itself: root, mounts, hooks, annotations.
 *
 * Data only.
 */
#include "spec/table.h"

#define F(member, json, ...) SPEC_FIELD(struct spec_id_map, member, json, __VA_ARGS__)
static const struct spec_field id_map_fields[] = {
	F(container_id, "containerID", SPEC_U32, SPEC_REQUIRED),
	F(host_id, "hostID", SPEC_U32, SPEC_REQUIRED),
	F(size, "size", SPEC_U32, SPEC_REQUIRED),
};
#undef F
const struct spec_table spec_table_id_map = SPEC_TABLE(struct spec_id_map, id_map_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_mount, member, json, __VA_ARGS__)
static const struct spec_field mount_fields[] = {
	F(destination, "destination", SPEC_STRING, SPEC_REQUIRED),
	F(type, "type", SPEC_STRING),
	F(source, "source", SPEC_STRING),
	F(options, "options", SPEC_STRINGS),
	F(uid_mappings, "uidMappings", SPEC_LIST, SPEC_SUB(spec_table_id_map)),
	F(gid_mappings, "gidMappings", SPEC_LIST, SPEC_SUB(spec_table_id_map)),
};
#undef F
static const struct spec_table mount_table = SPEC_TABLE(struct spec_mount, mount_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_hook, member, json, __VA_ARGS__)
static const struct spec_field hook_fields[] = {
	F(path, "path", SPEC_STRING, SPEC_REQUIRED),
	F(args, "args", SPEC_STRINGS),
	F(env, "env", SPEC_STRINGS),
	F(timeout, "timeout", SPEC_OI64, SPEC_RANGE(1, INT64_MAX)),
};
#undef F
static const struct spec_table hook_table = SPEC_TABLE(struct spec_hook, hook_fields);

#define F(member, json) SPEC_FIELD(struct spec_hooks, member, json, SPEC_LIST, SPEC_SUB(hook_table))
static const struct spec_field hooks_fields[] = {
	F(prestart, "prestart"),
	F(create_runtime, "createRuntime"),
	F(create_container, "createContainer"),
	F(start_container, "startContainer"),
	F(poststart, "poststart"),
	F(poststop, "poststop"),
};
#undef F
static const struct spec_table hooks_table = SPEC_TABLE(struct spec_hooks, hooks_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec, member, json, __VA_ARGS__)
static const struct spec_field root_fields[] = {
	F(root_path, "path", SPEC_STRING, SPEC_REQUIRED, .shape = spec_shape_nonempty),
	F(root_readonly, "readonly", SPEC_BOOL),
};
static const struct spec_table root_table = SPEC_TABLE(struct spec, root_fields);

static const struct spec_field config_fields[] = {
	F(oci_version, "ociVersion", SPEC_STRING, SPEC_REQUIRED),
	F(process, "process", SPEC_OBJECT, SPEC_SUB(spec_table_process),
	  SPEC_PRESENT(struct spec, has_process)),
	{.name = "root",
	 .kind = SPEC_OBJECT,
	 SPEC_SUB(root_table),
	 SPEC_PRESENT(struct spec, has_root)},
	F(hostname, "hostname", SPEC_STRING),
	F(domainname, "domainname", SPEC_STRING),
	F(mounts, "mounts", SPEC_LIST, SPEC_SUB(mount_table)),
	F(hooks, "hooks", SPEC_OBJECT, SPEC_SUB(hooks_table)),
	F(annotations, "annotations", SPEC_PAIRS),
	F(linux_, "linux", SPEC_OBJECT, SPEC_SUB(spec_table_linux),
	  SPEC_PRESENT(struct spec, linux_.set)),
	F(vm, "vm", SPEC_OBJECT, SPEC_SUB(spec_table_vm), SPEC_PRESENT(struct spec, vm.set)),
	{.name = "solaris", .kind = SPEC_IGNORED, SPEC_PRESENT(struct spec, has_solaris)},
	{.name = "windows", .kind = SPEC_IGNORED, SPEC_PRESENT(struct spec, has_windows)},
	{.name = "freebsd", .kind = SPEC_IGNORED, SPEC_PRESENT(struct spec, has_freebsd)},
	{.name = "zos", .kind = SPEC_IGNORED, SPEC_PRESENT(struct spec, has_zos)},
};
#undef F
const struct spec_table spec_table_config = SPEC_TABLE(struct spec, config_fields);
