/* spec/spec.h: the OCI runtime specification 1.3.0 (Linux) as checked C structs.
 *
 * Made from JSON by a table interpreter (spec/table_*.c); everything is owned
 * by the arena that the parser was given. Nobody above this room sees JSON.
 *
 * Invariants
 *  1. A string that the spec requires is never NULL after a successful parse;
 *     an optional one is NULL when absent. Lists are {items, n}; absent = n 0.
 *  2. Optional scalars are opt_*; `set` says whether the document had them.
 *  3. Every enum value was checked against the spec's words; 0 is "absent".
 *  4. Unknown properties are ignored, and listed in spec.unknown for `lint`.
 */
#ifndef RF_SPEC_SPEC_H
#define RF_SPEC_SPEC_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

#include <stdbool.h>
#include <stdint.h>

#define SPEC_VERSION "1.3.0" /* the newest version that we speak */
#define SPEC_VERSION_MIN "1.0.0"

struct opt_i64 {
	bool set;
	int64_t v;
};
struct opt_u64 {
	bool set;
	uint64_t v;
};
struct opt_bool {
	bool set;
	bool v;
};

struct spec_strings {
	const char **items;
	size_t n;
};
struct spec_pair {
	const char *key, *value;
};
struct spec_pairs {
	struct spec_pair *items;
	size_t n;
};
struct spec_u32s {
	uint32_t *items;
	size_t n;
};

struct spec_source; /* where a document came from, for positions in later messages; opaque */

/* --- process (config.md#process) --- */
struct spec_user {
	uint32_t uid, gid;
	struct opt_u64 umask;
	struct spec_u32s additional_gids;
	const char *username; /* Windows only; kept for lint */
};
struct spec_rlimit {
	const char *type;
	uint64_t soft, hard;
	int resource; /* RLIMIT_*, -1 unknown */
};
struct spec_caps {
	bool set; /* the object was present */
	struct spec_strings bounding, effective, inheritable, permitted, ambient;
};
struct spec_scheduler {
	const char *policy; /* SCHED_OTHER …; NULL: absent */
	int32_t nice, priority;
	struct spec_strings flags;
	uint64_t runtime, deadline, period;
};
struct spec_ioprio {
	const char *class;
	int32_t priority;
};
struct spec_process {
	const struct spec_source *source; /* NULL: made by hand */
	bool terminal;
	struct opt_u64 console_height, console_width;
	const char *cwd;
	struct spec_strings env, args;
	const char *command_line; /* Windows only */
	struct spec_user user;
	struct {
		struct spec_rlimit *items;
		size_t n;
	} rlimits;
	struct spec_caps capabilities;
	bool no_new_privileges;
	struct opt_i64 oom_score_adj;
	const char *apparmor_profile, *selinux_label;
	struct spec_scheduler scheduler;
	struct spec_ioprio io_priority;
	const char *affinity_initial, *affinity_final; /* execCPUAffinity */
};

/* --- root, mounts, hooks --- */
struct spec_id_map {
	uint32_t container_id, host_id, size;
};
struct spec_id_maps {
	struct spec_id_map *items;
	size_t n;
};
struct spec_mount {
	const char *destination, *type, *source;
	struct spec_strings options;
	struct spec_id_maps uid_mappings, gid_mappings;
};
struct spec_hook {
	const char *path;
	struct spec_strings args, env;
	struct opt_i64 timeout;
};
struct spec_hook_list {
	struct spec_hook *items;
	size_t n;
};
struct spec_hooks {
	struct spec_hook_list prestart, create_runtime, create_container, start_container,
		poststart, poststop;
};

/* --- linux (config-linux.md) --- */
enum spec_ns {
	SPEC_NS_PID = 1,
	SPEC_NS_NETWORK,
	SPEC_NS_MOUNT,
	SPEC_NS_IPC,
	SPEC_NS_UTS,
	SPEC_NS_USER,
	SPEC_NS_CGROUP,
	SPEC_NS_TIME,
	SPEC_NS_MAX
};
struct spec_namespace {
	enum spec_ns type;
	const char *path; /* NULL: a new one */
};
struct spec_device {
	char type; /* c b u p */
	const char *path;
	struct opt_i64 major, minor;
	struct opt_u64 file_mode, uid, gid;
};
struct spec_net_device {
	const char *host_name;
	const char *name; /* NULL: keep */
};
struct spec_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

struct spec_device_rule {
	bool allow;
	const char *type, *access; /* NULL: "a" and "rwm" */
	struct opt_i64 major, minor;
};
struct spec_memory {
	bool set;
	struct opt_i64 limit, reservation, swap, kernel, kernel_tcp;
	struct opt_u64 swappiness;
	struct opt_bool disable_oom_killer, use_hierarchy, check_before_update;
};
struct spec_cpu {
	bool set;
	struct opt_u64 shares, period, burst, realtime_period;
	struct opt_i64 quota, realtime_runtime, idle;
	const char *cpus, *mems;
};
struct spec_throttle {
	int64_t major, minor;
	uint64_t rate;
};
struct spec_throttles {
	struct spec_throttle *items;
	size_t n;
};
struct spec_weight_device {
	int64_t major, minor;
	struct opt_u64 weight, leaf_weight;
};
struct spec_blockio {
	bool set;
	struct opt_u64 weight, leaf_weight;
	struct {
		struct spec_weight_device *items;
		size_t n;
	} weight_device;
	struct spec_throttles read_bps, write_bps, read_iops, write_iops;
};
struct spec_hugepage {
	const char *page_size;
	uint64_t limit;
};
struct spec_net_priority {
	const char *name;
	uint32_t priority;
};
struct spec_rdma {
	const char *device;
	struct opt_u64 hca_handles, hca_objects;
};
struct spec_resources {
	const struct spec_source *source; /* NULL: made by hand, or part of a spec */
	bool set;
	struct {
		struct spec_device_rule *items;
		size_t n;
	} devices;
	struct spec_memory memory;
	struct spec_cpu cpu;
	struct spec_blockio blockio;
	struct {
		struct spec_hugepage *items;
		size_t n;
	} hugepages;
	struct opt_u64 net_class_id;
	struct {
		struct spec_net_priority *items;
		size_t n;
	} net_priorities;
	struct opt_i64 pids_limit;
	struct {
		struct spec_rdma *items;
		size_t n;
	} rdma;
	struct spec_pairs unified;
};

struct spec_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	const char *op;
};
struct spec_syscall {
	struct spec_strings names;
	const char *action; /* SCMP_ACT_* */
	struct opt_u64 errno_ret;
	struct {
		struct spec_seccomp_arg *items;
		size_t n;
	} args;
};
struct spec_seccomp {
	bool set;
	const char *default_action;
	struct opt_u64 default_errno_ret;
	struct spec_strings architectures, flags; /* SCMP_ARCH_*, SECCOMP_FILTER_FLAG_* */
	const char *listener_path, *listener_metadata;
	bool fail_unknown;    /* by annotation: a name that isn't known is an error */
	const char *bpf_data; /* by annotation: base64 of the program; all else is empty then */
	struct {
		struct spec_syscall *items;
		size_t n;
	} syscalls;
};
struct spec_intel_rdt {
	bool set;
	const char *clos_id, *l3_cache_schema, *mem_bw_schema;
	struct spec_strings schemata;
	bool enable_monitoring;
};
struct spec_memory_policy {
	const char *mode, *nodes;
	struct spec_strings flags;
};
struct spec_personality {
	const char *domain;
	struct spec_strings flags;
};

struct spec_linux {
	bool set;
	struct {
		struct spec_namespace *items;
		size_t n;
	} namespaces;
	struct spec_id_maps uid_mappings, gid_mappings;
	struct spec_time_offset monotonic, boottime;
	struct {
		struct spec_device *items;
		size_t n;
	} devices;
	struct {
		struct spec_net_device *items;
		size_t n;
	} net_devices;
	const char *cgroups_path; /* NULL: the runtime chooses */
	struct spec_resources resources;
	struct spec_pairs sysctl;
	struct spec_seccomp seccomp;
	const char *rootfs_propagation; /* NULL, private, shared, slave, unbindable (and r-) */
	struct spec_strings masked_paths, readonly_paths;
	const char *mount_label;
	struct spec_intel_rdt intel_rdt;
	struct spec_memory_policy memory_policy;
	struct spec_personality personality;
};

/* --- vm (config-vm.md) --- */
struct spec_vm {
	bool set;
	const char *hypervisor_path;
	struct spec_strings hypervisor_parameters;
	const char *kernel_path;
	struct spec_strings kernel_parameters;
	const char *kernel_initrd;
	const char *image_path, *image_format;
	const char *device_tree;
	struct opt_u64 vcpus, memory;
	struct spec_strings dtdevs;
	size_t n_iomems, n_irqs; /* refused when present, so only counted */
};

struct spec_unknown {
	const char *pointer;
	unsigned line, column;
};

struct spec {
	const struct spec_source *source; /* NULL: made by hand */
	const char *oci_version;
	bool has_process, has_root;
	struct spec_process process;
	const char *root_path;
	bool root_readonly;
	const char *hostname, *domainname;
	struct {
		struct spec_mount *items;
		size_t n;
	} mounts;
	struct spec_hooks hooks;
	struct spec_pairs annotations;
	/* by annotation (annotations.c) */
	const char *isolation; /* "shared", "microvm" or NULL */
	const char *hook_stdout, *hook_stderr, *pidfd_receiver, *mount_context;
	bool keep_groups;
	bool no_template; /* a micro-VM boots, though there is one to go on from */
	struct spec_linux linux_;
	struct spec_vm vm;
	bool has_solaris, has_windows, has_freebsd, has_zos; /* ignored, named by lint */
	struct {
		struct spec_unknown *items;
		size_t n;
	} unknown;
};

/* Parses one document. `name` is what messages call it ("config.json"); positions are
 * name:line:column. Limits: 16 MiB, depth 64. Error kind ERR_SPEC; where = "name:line:col:
 * /pointer", so that a printed line reads "config.json:41:17: /mounts/3/destination: must be …".
 * Types, required keys, ranges, enums, duplicate keys are checked here, cross-field rules by
 * spec_check. */
int spec_parse(struct arena *a, const char *json, size_t len, const char *name,
	       struct spec **ret_spec, struct err *e);
bool spec_is_capability(const char *word);
/* Those that aren't, each once, with commas between. */
void spec_unknown_caps(const struct spec_process *p, struct strbuf *out);
/* What annotations ask for goes into the fields that they stand for; spec_parse does it. */
int spec_apply_annotations(struct spec *s, struct err *e);
/* The i-th annotation that changes what is done, NULL behind the last. */
const char *spec_annotation_word(size_t i);
/* A process object on its own (exec --process FILE). */
int spec_parse_process(struct arena *a, const char *json, size_t len, const char *name,
		       struct spec_process **ret_process, struct err *e);
/* A resources object on its own (update --resources FILE). */
int spec_parse_resources(struct arena *a, const char *json, size_t len, const char *name,
			 struct spec_resources **ret_resources, struct err *e);

/* What can't be said of a field alone: version we speak, absolute paths, a user namespace needs
 * maps and maps need one, no namespace twice, unknown capability, rlimit soft ≤ hard, hostname
 * needs a uts namespace … ERR_SPEC with the pointer. A missing process is no error here: only
 * start needs one. */
int spec_check(const struct spec *s, struct err *e);
/* The same for a process of exec. `pointer` is the prefix of messages ("/process" or ""). */
int spec_check_process(const struct spec_process *p, const char *pointer, struct err *e);
/* The same for resources of update ("" as pointer). */
int spec_check_resources(const struct spec_resources *r, const char *pointer, struct err *e);

/* The default config.json of `ringfence spec`, as runc-spec(8) shapes it: same keys, same order,
 * tab-indented. profile: that of our default profile instead (profile.h). rootless: maps of the
 * caller's ids, no network-admin mounts. -ENOMEM. */
int spec_write_default(struct strbuf *out, bool profile, bool rootless, uint32_t uid, uint32_t gid);

/* Helpers over the structs */
const struct spec_namespace *spec_find_ns(const struct spec *s, enum spec_ns type);
const char *spec_ns_word(enum spec_ns type);                        /* "pid", "network" … */
const char *spec_annotation(const struct spec *s, const char *key); /* NULL when absent */
/* RLIMIT_* for "RLIMIT_NOFILE", -1 for unknown words. */
int spec_rlimit_number(const char *word);

#endif
