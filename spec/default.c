/* spec/default.c: the default config.json, in the shape of runc-spec(8), and the one of our default
 * profile (profile.h).
 *
 * Tables in the order in which they are written; tools compare runc's document
 * byte by byte, so order, indentation and the host name are part of the promise.
 */
#include "spec/json.h"
#include "spec/profile.h"
#include "spec/spec.h"

#include <errno.h>

static const char *const caps[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", NULL};
static const char *const no_caps[] = {NULL};
static const char *const cap_sets[] = {"bounding", "effective", "permitted", "ambient", NULL};
static const char *const env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL};
static const char *const args[] = {"sh", NULL};

/* Whose document a row is of: both bits of the one that is written. */
#define ROOTED 1
#define ROOTLESS 2
#define AS_RUNC 4
#define PROFILE 8
#define ANY_USER (ROOTED | ROOTLESS)
#define BOTH (ANY_USER | AS_RUNC | PROFILE)
#define OPTIONS (const char *const[])

static const struct {
	int mode;
	const char *destination, *type, *source;
	const char *const *options;
} mounts[] = {
	{ANY_USER | AS_RUNC, "/proc", "proc", "proc", NULL},
	{ANY_USER | PROFILE, "/proc", "proc", "proc", OPTIONS{"nosuid", "noexec", "nodev", NULL}},
	{ANY_USER | AS_RUNC, "/dev", "tmpfs", "tmpfs",
	 OPTIONS{"nosuid", "strictatime", "mode=755", "size=65536k", NULL}},
	{ANY_USER | PROFILE, "/dev", "tmpfs", "tmpfs",
	 OPTIONS{"nosuid", "noexec", "mode=755", "size=1m", "nr_inodes=1k", NULL}},
	{ROOTED | AS_RUNC | PROFILE, "/dev/pts", "devpts", "devpts",
	 OPTIONS{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5", NULL}},
	{ROOTLESS | AS_RUNC | PROFILE, "/dev/pts", "devpts", "devpts",
	 OPTIONS{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", NULL}},
	{ANY_USER | AS_RUNC, "/dev/shm", "tmpfs", "shm",
	 OPTIONS{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k", NULL}},
	{ANY_USER | PROFILE, "/dev/shm", "tmpfs", "shm",
	 OPTIONS{"nosuid", "noexec", "nodev", "mode=1777", "size=64m", "nr_inodes=16k", NULL}},
	{BOTH, "/dev/mqueue", "mqueue", "mqueue", OPTIONS{"nosuid", "noexec", "nodev", NULL}},
	{ROOTED | AS_RUNC | PROFILE, "/sys", "sysfs", "sysfs",
	 OPTIONS{"nosuid", "noexec", "nodev", "ro", NULL}},
	{ROOTLESS | AS_RUNC | PROFILE, "/sys", "none", "/sys",
	 OPTIONS{"rbind", "nosuid", "noexec", "nodev", "ro", NULL}},
	{BOTH, "/sys/fs/cgroup", "cgroup", "cgroup",
	 OPTIONS{"nosuid", "noexec", "nodev", "relatime", "ro", NULL}},
	/* The root is read-only: what nearly every program writes to. */
	{ANY_USER | PROFILE, "/run", "tmpfs", "tmpfs",
	 OPTIONS{"nosuid", "noexec", "nodev", "mode=755", "size=16m", "nr_inodes=16k", NULL}},
	{ANY_USER | PROFILE, "/tmp", "tmpfs", "tmpfs",
	 OPTIONS{"nosuid", "nodev", "mode=1777", "size=64m", "nr_inodes=16k", NULL}},
};

static const struct {
	int mode;
	const char *type;
} namespaces[] = {
	{BOTH, "pid"},
	{ROOTED | AS_RUNC | PROFILE, "network"},
	{ROOTLESS | PROFILE, "network"},
	{BOTH, "ipc"},
	{BOTH, "uts"},
	{BOTH, "mount"},
	{ROOTLESS | AS_RUNC | PROFILE, "user"},
	{ANY_USER | PROFILE, "cgroup"},
};

static bool is_of(int row, int mode)
{
	return (row & mode) == mode;
}

static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/sys/firmware",
	"/proc/scsi",
	NULL,
};
static const char *const readonly[] = {"/proc/bus",           "/proc/fs", "/proc/irq", "/proc/sys",
				       "/proc/sysrq-trigger", NULL};

static void put_strings(struct json_out *o, const char *key, const char *const *items)
{
	json_arr_open(o, key);
	for (; *items; items++)
		json_put_str(o, NULL, *items);
	json_arr_close(o);
}

static void put_process(struct json_out *o, int mode)
{
	const char *const *given = mode & PROFILE ? no_caps : caps;

	json_obj_open(o, "process");
	json_put_bool(o, "terminal", true);
	json_obj_open(o, "user");
	json_put_u64(o, "uid", 0);
	json_put_u64(o, "gid", 0);
	json_obj_close(o);
	put_strings(o, "args", args);
	put_strings(o, "env", env);
	json_put_str(o, "cwd", "/");
	json_obj_open(o, "capabilities");
	for (size_t i = 0; cap_sets[i]; i++)
		put_strings(o, cap_sets[i], given);
	json_obj_close(o);
	json_arr_open(o, "rlimits");
	json_obj_open(o, NULL);
	json_put_str(o, "type", "RLIMIT_NOFILE");
	json_put_u64(o, "hard", 1024);
	json_put_u64(o, "soft", 1024);
	json_obj_close(o);
	json_arr_close(o);
	json_put_bool(o, "noNewPrivileges", true);
	json_obj_close(o);
}

static void put_mounts(struct json_out *o, int mode)
{
	json_arr_open(o, "mounts");
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (!is_of(mounts[i].mode, mode))
			continue;
		json_obj_open(o, NULL);
		json_put_str(o, "destination", mounts[i].destination);
		json_put_str(o, "type", mounts[i].type);
		json_put_str(o, "source", mounts[i].source);
		if (mounts[i].options)
			put_strings(o, "options", mounts[i].options);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_id_map(struct json_out *o, const char *key, uint32_t host)
{
	json_arr_open(o, key);
	json_obj_open(o, NULL);
	json_put_u64(o, "containerID", 0);
	json_put_u64(o, "hostID", host);
	json_put_u64(o, "size", 1);
	json_obj_close(o);
	json_arr_close(o);
}

/* Everything but the default devices is denied. */
static void put_resources(struct json_out *o, int mode)
{
	json_obj_open(o, "resources");
	json_arr_open(o, "devices");
	json_obj_open(o, NULL);
	json_put_bool(o, "allow", false);
	json_put_str(o, "access", "rwm");
	json_obj_close(o);
	json_arr_close(o);
	if (mode & PROFILE) {
		json_obj_open(o, "pids");
		json_put_u64(o, "limit", 1024);
		json_obj_close(o);
	}
	json_obj_close(o);
}

/* Ports below 1024 of the container's own network, without a capability for them. */
static void put_sysctl(struct json_out *o)
{
	json_obj_open(o, "sysctl");
	json_put_str(o, "net.ipv4.ip_unprivileged_port_start", "0");
	json_obj_close(o);
}

static void put_linux(struct json_out *o, int mode, uint32_t uid, uint32_t gid)
{
	json_obj_open(o, "linux");
	if (mode & ROOTLESS) {
		put_id_map(o, "uidMappings", uid);
		put_id_map(o, "gidMappings", gid);
	} else {
		put_resources(o, mode);
	}
	if (mode & PROFILE)
		put_sysctl(o);
	json_arr_open(o, "namespaces");
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		if (!is_of(namespaces[i].mode, mode))
			continue;
		json_obj_open(o, NULL);
		json_put_str(o, "type", namespaces[i].type);
		json_obj_close(o);
	}
	json_arr_close(o);
	put_strings(o, "maskedPaths", mode & PROFILE ? spec_profile_masked : masked);
	put_strings(o, "readonlyPaths", mode & PROFILE ? spec_profile_readonly : readonly);
	if (mode & PROFILE)
		spec_profile_put_filter(o);
	json_obj_close(o);
}

int spec_write_default(struct strbuf *out, bool profile, bool rootless, uint32_t uid, uint32_t gid)
{
	const int mode = (rootless ? ROOTLESS : ROOTED) | (profile ? PROFILE : AS_RUNC);
	struct json_out o;

	json_out_init(&o, out, "\t");
	json_obj_open(&o, NULL);
	json_put_str(&o, "ociVersion", SPEC_VERSION);
	put_process(&o, mode);
	json_obj_open(&o, "root");
	json_put_str(&o, "path", "rootfs");
	json_put_bool(&o, "readonly", true);
	json_obj_close(&o);
	json_put_str(&o, "hostname", profile ? "ringfence" : "runc");
	put_mounts(&o, mode);
	put_linux(&o, mode, uid, gid);
	json_obj_close(&o);
	return out->failed ? -ENOMEM : 0;
}
