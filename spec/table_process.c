/* spec/table_process.c: the process object (config.md, "Process"), word by word.
 *
 * Data only, but for deriving RLIMIT_* numbers.
 */
#include "spec/table.h"

static const char *const scheduler_policies[] = {"SCHED_OTHER",    "SCHED_FIFO", "SCHED_RR",
						 "SCHED_BATCH",    "SCHED_ISO",  "SCHED_IDLE",
						 "SCHED_DEADLINE", NULL};
static const char *const scheduler_flags[] = {
	"SCHED_FLAG_RESET_ON_FORK",  "SCHED_FLAG_RECLAIM",
	"SCHED_FLAG_DL_OVERRUN",     "SCHED_FLAG_KEEP_POLICY",
	"SCHED_FLAG_KEEP_PARAMS",    "SCHED_FLAG_UTIL_CLAMP_MIN",
	"SCHED_FLAG_UTIL_CLAMP_MAX", NULL,
};
static const char *const ioprio_classes[] = {"IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE",
					     "IOPRIO_CLASS_IDLE", NULL};

#define F(member, json, ...) SPEC_FIELD(struct spec_user, member, json, __VA_ARGS__)
static const struct spec_field user_fields[] = {
	F(uid, "uid", SPEC_U32),
	F(gid, "gid", SPEC_U32),
	F(umask, "umask", SPEC_OU64, SPEC_RANGE(0, 0777)),
	F(additional_gids, "additionalGids", SPEC_U32S),
	F(username, "username", SPEC_STRING),
};
#undef F
static const struct spec_table user_table = SPEC_TABLE(struct spec_user, user_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_rlimit, member, json, __VA_ARGS__)
static const struct spec_field rlimit_fields[] = {
	F(type, "type", SPEC_STRING, SPEC_REQUIRED, .shape = spec_shape_rlimit),
	F(soft, "soft", SPEC_U64, SPEC_REQUIRED),
	F(hard, "hard", SPEC_U64, SPEC_REQUIRED),
};
#undef F
static void finish_rlimit(void *object)
{
	struct spec_rlimit *r = object;

	r->resource = spec_rlimit_number(r->type);
}
static const struct spec_table rlimit_table =
	SPEC_TABLE(struct spec_rlimit, rlimit_fields, .finish = finish_rlimit);

#define F(member, json, ...) SPEC_FIELD(struct spec_caps, member, json, __VA_ARGS__)
static const struct spec_field caps_fields[] = {
	F(bounding, "bounding", SPEC_STRINGS),       F(effective, "effective", SPEC_STRINGS),
	F(inheritable, "inheritable", SPEC_STRINGS), F(permitted, "permitted", SPEC_STRINGS),
	F(ambient, "ambient", SPEC_STRINGS),
};
#undef F
static const struct spec_table caps_table = SPEC_TABLE(struct spec_caps, caps_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_scheduler, member, json, __VA_ARGS__)
static const struct spec_field scheduler_fields[] = {
	F(policy, "policy", SPEC_STRING, SPEC_REQUIRED, .words = scheduler_policies),
	F(nice, "nice", SPEC_I32, SPEC_RANGE(-20, 19)),
	F(priority, "priority", SPEC_I32, SPEC_RANGE(0, 99)),
	F(flags, "flags", SPEC_STRINGS, .words = scheduler_flags),
	F(runtime, "runtime", SPEC_U64),
	F(deadline, "deadline", SPEC_U64),
	F(period, "period", SPEC_U64),
};
#undef F
static const struct spec_table scheduler_table =
	SPEC_TABLE(struct spec_scheduler, scheduler_fields);

static const struct spec_field ioprio_fields[] = {
	SPEC_FIELD(struct spec_ioprio, class, "class", SPEC_STRING, SPEC_REQUIRED,
		   .words = ioprio_classes),
	SPEC_FIELD(struct spec_ioprio, priority, "priority", SPEC_I32, SPEC_RANGE(0, 7)),
};
static const struct spec_table ioprio_table = SPEC_TABLE(struct spec_ioprio, ioprio_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_process, member, json, __VA_ARGS__)
static const struct spec_field console_fields[] = {
	F(console_height, "height", SPEC_OU64, SPEC_REQUIRED, SPEC_RANGE(0, UINT16_MAX)),
	F(console_width, "width", SPEC_OU64, SPEC_REQUIRED, SPEC_RANGE(0, UINT16_MAX)),
};
static const struct spec_table console_table = SPEC_TABLE(struct spec_process, console_fields);

static const struct spec_field affinity_fields[] = {
	F(affinity_initial, "initial", SPEC_STRING, .shape = spec_shape_cpulist),
	F(affinity_final, "final", SPEC_STRING, .shape = spec_shape_cpulist),
};
static const struct spec_table affinity_table = SPEC_TABLE(struct spec_process, affinity_fields);

static const struct spec_field process_fields[] = {
	F(terminal, "terminal", SPEC_BOOL),
	{.name = "consoleSize", .kind = SPEC_OBJECT, SPEC_SUB(console_table)},
	F(cwd, "cwd", SPEC_STRING, SPEC_REQUIRED),
	F(env, "env", SPEC_STRINGS),
	F(args, "args", SPEC_STRINGS),
	F(command_line, "commandLine", SPEC_STRING),
	F(user, "user", SPEC_OBJECT, SPEC_SUB(user_table)),
	F(rlimits, "rlimits", SPEC_LIST, SPEC_SUB(rlimit_table)),
	F(capabilities, "capabilities", SPEC_OBJECT, SPEC_SUB(caps_table),
	  SPEC_PRESENT(struct spec_process, capabilities.set)),
	F(no_new_privileges, "noNewPrivileges", SPEC_BOOL),
	F(oom_score_adj, "oomScoreAdj", SPEC_OI64, SPEC_RANGE(-1000, 1000)),
	F(apparmor_profile, "apparmorProfile", SPEC_STRING),
	F(selinux_label, "selinuxLabel", SPEC_STRING),
	F(scheduler, "scheduler", SPEC_OBJECT, SPEC_SUB(scheduler_table)),
	F(io_priority, "ioPriority", SPEC_OBJECT, SPEC_SUB(ioprio_table)),
	{.name = "execCPUAffinity", .kind = SPEC_OBJECT, SPEC_SUB(affinity_table)},
};
#undef F
const struct spec_table spec_table_process = SPEC_TABLE(struct spec_process, process_fields);
