/* spec/table_seccomp.c: the seccomp object (config-linux.md, "Seccomp").
 *
 * Data only. Whether a word is known to the libseccomp at hand is for the room
 * that builds the filter.
 */
#include "spec/table.h"

static const char *const actions[] = {
	"SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
	"SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
	"SCMP_ACT_ERRNO",       "SCMP_ACT_TRACE",
	"SCMP_ACT_ALLOW",       "SCMP_ACT_LOG",
	"SCMP_ACT_NOTIFY",      NULL,
};
static const char *const archs[] = {
	"SCMP_ARCH_X86",         "SCMP_ARCH_X86_64",      "SCMP_ARCH_X32",     "SCMP_ARCH_ARM",
	"SCMP_ARCH_AARCH64",     "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",    "SCMP_ARCH_MIPS",
	"SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",         "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",
	"SCMP_ARCH_S390",        "SCMP_ARCH_S390X",       "SCMP_ARCH_SH",      "SCMP_ARCH_SHEB",
	"SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",    "SCMP_ARCH_RISCV64", NULL,
};
static const char *const flags[] = {
	"SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_LOG",
	"SECCOMP_FILTER_FLAG_SPEC_ALLOW",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	NULL,
};
static const char *const operators[] = {"SCMP_CMP_NE",        "SCMP_CMP_LT", "SCMP_CMP_LE",
					"SCMP_CMP_EQ",        "SCMP_CMP_GE", "SCMP_CMP_GT",
					"SCMP_CMP_MASKED_EQ", NULL};

#define F(member, json, ...) SPEC_FIELD(struct spec_seccomp_arg, member, json, __VA_ARGS__)
static const struct spec_field arg_fields[] = {
	F(index, "index", SPEC_U32, SPEC_REQUIRED, SPEC_RANGE(0, 5)),
	F(value, "value", SPEC_U64, SPEC_REQUIRED),
	F(value_two, "valueTwo", SPEC_U64),
	F(op, "op", SPEC_STRING, SPEC_REQUIRED, .words = operators),
};
#undef F
static const struct spec_table arg_table = SPEC_TABLE(struct spec_seccomp_arg, arg_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_syscall, member, json, __VA_ARGS__)
static const struct spec_field syscall_fields[] = {
	F(names, "names", SPEC_STRINGS, SPEC_REQUIRED, .shape = spec_shape_nonempty),
	F(action, "action", SPEC_STRING, SPEC_REQUIRED, .words = actions),
	F(errno_ret, "errnoRet", SPEC_OU64, SPEC_RANGE(0, UINT32_MAX)),
	F(args, "args", SPEC_LIST, SPEC_SUB(arg_table)),
};
#undef F
static const struct spec_table syscall_table = SPEC_TABLE(struct spec_syscall, syscall_fields);

#define F(member, json, ...) SPEC_FIELD(struct spec_seccomp, member, json, __VA_ARGS__)
static const struct spec_field seccomp_fields[] = {
	F(default_action, "defaultAction", SPEC_STRING, SPEC_REQUIRED, .words = actions),
	F(default_errno_ret, "defaultErrnoRet", SPEC_OU64, SPEC_RANGE(0, UINT32_MAX)),
	F(architectures, "architectures", SPEC_STRINGS, .words = archs),
	F(flags, "flags", SPEC_STRINGS, .words = flags),
	F(listener_path, "listenerPath", SPEC_STRING),
	F(listener_metadata, "listenerMetadata", SPEC_STRING),
	F(syscalls, "syscalls", SPEC_LIST, SPEC_SUB(syscall_table)),
};
#undef F
const struct spec_table spec_table_seccomp = SPEC_TABLE(struct spec_seccomp, seccomp_fields);
