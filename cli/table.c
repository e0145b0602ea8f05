/* cli/table.c: every verb and every option of the program. Names and meanings are those of
 * runc(8) and crun(1), so that engines and fingers find them. */
#include "cli/opt.h"

#include "common/str.h"

#define AT(f) offsetof(struct cli, f)

/* clang-format off */
const struct opt opt_globals[] = {
	{"root", 'r', "DIR", OPT_T_STR, AT(root), "state directory (default /run/ringfence, or $XDG_RUNTIME_DIR/ringfence)"},
	{"log", 'l', "FILE", OPT_T_STR, AT(log), "append messages to FILE (file:FILE is the same), or send them to syslog:ID or journald:ID"},
	{"log-format", 0, "FORMAT", OPT_T_STR, AT(log_format), "text or json"},
	{"log-level", 0, "LEVEL", OPT_T_STR, AT(log_level), "error, warning, info or debug"},
	{"debug", 0, NULL, OPT_T_BOOL, AT(debug), "log debug messages"},
	{"systemd-cgroup", 's', NULL, OPT_T_BOOL, AT(systemd_cgroup), "make the control group a unit of systemd: cgroupsPath is slice:prefix:name"},
	{"cgroup-manager", 0, "NAME", OPT_T_STR, AT(cgroup_manager), "who makes control groups: cgroupfs, systemd, or disabled (nobody: limits are refused)"},
	{"rootless", 0, "MODE", OPT_T_STR, AT(rootless), "auto, true or false: is cgroup trouble fatal?"},
	{"criu", 0, "PROGRAM", OPT_T_STR, AT(criu_program), "accepted for old callers"},
	{"version", 'v', NULL, OPT_T_BOOL, AT(version), "print the version"},
	{"help", 'h', NULL, OPT_T_BOOL, AT(help), "print help"},
	{0}};

#define HELP {"help", 'h', NULL, OPT_T_BOOL, AT(help), "print help"}, {0}
#define CREATE_OPTS \
	{"bundle", 'b', "DIR", OPT_T_STR, AT(create.bundle), "bundle directory (default .)"}, \
	{"config", 'f', "FILE", OPT_T_STR, AT(create.config), "another name than config.json"}, \
	{"console-socket", 0, "PATH", OPT_T_STR, AT(create.console_socket), "unix socket that receives the terminal's master"}, \
	{"pidfd-socket", 0, "PATH", OPT_T_STR, AT(create.pidfd_socket), "unix socket that receives a pidfd of the first process"}, \
	{"pid-file", 0, "FILE", OPT_T_STR, AT(create.pid_file), "write the first process's pid to FILE"}, \
	{"no-pivot", 0, NULL, OPT_T_BOOL, AT(create.no_pivot), "chroot instead of pivot_root (root on a ramfs)"}, \
	{"no-new-keyring", 0, NULL, OPT_T_BOOL, AT(create.no_new_keyring), "keep the caller's session keyring"}, \
	{"preserve-fds", 0, "N", OPT_T_UINT, AT(create.preserve_fds), "pass N more descriptors, from 3 on"}, \
	{"isolation", 0, "WALL", OPT_T_STR, AT(create.isolation), "shared or microvm"}

static const struct opt create_opts[] = {
	CREATE_OPTS,
	{"no-subreaper", 0, NULL, OPT_T_BOOL, AT(create.no_subreaper), "accepted for callers of crun: create adopts nobody"},
	HELP};
static const struct opt run_opts[] = {
	CREATE_OPTS,
	{"detach", 'd', NULL, OPT_T_BOOL, AT(create.detach), "return once the program runs"},
	{"keep", 0, NULL, OPT_T_BOOL, AT(create.keep), "don't delete the container when it ends"},
	{"no-subreaper", 0, NULL, OPT_T_BOOL, AT(create.no_subreaper), "don't adopt orphans of the container"},
	HELP};
static const struct opt plain_opts[] = {HELP};
static const struct opt kill_opts[] = {
	{"all", 'a', NULL, OPT_T_BOOL, AT(all), "signal every process of the container"},
	{"regex", 'r', NULL, OPT_T_BOOL, AT(regex), "CONTAINER is a regular expression: every container whose id has a match"}, HELP};
static const struct opt delete_opts[] = {
	{"force", 'f', NULL, OPT_T_BOOL, AT(force), "kill it first; also removes half-made ones, and an unknown id is no error"},
	{"regex", 'r', NULL, OPT_T_BOOL, AT(regex), "CONTAINER is a regular expression: every container whose id has a match"}, HELP};
static const struct opt list_opts[] = {
	{"format", 'f', "FORMAT", OPT_T_STR, AT(format), "table or json"},
	{"quiet", 'q', NULL, OPT_T_BOOL, AT(quiet), "only ids"}, HELP};
static const struct opt ps_opts[] = {
	{"format", 'f', "FORMAT", OPT_T_STR, AT(format), "table or json (an array of pids)"}, HELP};
static const struct opt format_opts[] = {
	{"format", 'f', "FORMAT", OPT_T_STR, AT(format), "text or json"}, HELP};
static const struct opt events_opts[] = {
	{"interval", 0, "DURATION", OPT_T_STR, AT(interval), "time between statistics, such as 500ms or 1m30s (default 5s)"},
	{"stats", 0, NULL, OPT_T_BOOL, AT(stats), "print statistics once"}, HELP};
static const struct opt spec_opts[] = {
	{"bundle", 'b', "DIR", OPT_T_STR, AT(bundle), "where to write config.json (default .)"},
	{"file", 'f', "FILE", OPT_T_STR, AT(file), "write to FILE instead of config.json"},
	{"profile", 0, "runc|default", OPT_T_STR, AT(profile), "runc: what runc writes, as without the option; default: ringfence's default profile"},
	{"rootless", 0, NULL, OPT_T_BOOL, AT(spec_rootless), "for an unprivileged user: id maps of the caller"}, HELP};
static const struct opt explain_opts[] = {
	{"bundle", 'b', "DIR", OPT_T_STR, AT(create.bundle), "bundle directory (default .)"},
	{"config", 0, "FILE", OPT_T_STR, AT(create.config), "another name than config.json"},
	{"format", 'f', "FORMAT", OPT_T_STR, AT(format), "text or json"},
	{"isolation", 0, "WALL", OPT_T_STR, AT(create.isolation), "shared or microvm"}, HELP};
static const struct opt lint_opts[] = {
	{"bundle", 'b', "DIR", OPT_T_STR, AT(create.bundle), "bundle directory (default .)"},
	{"format", 'f', "FORMAT", OPT_T_STR, AT(format), "text or json"},
	{"strict", 0, NULL, OPT_T_BOOL, AT(strict), "warnings are errors"},
	{"isolation", 0, "WALL", OPT_T_STR, AT(create.isolation), "shared or microvm"}, HELP};
static const struct opt exec_opts[] = {
	{"console-socket", 0, "PATH", OPT_T_STR, AT(exec.console_socket), "unix socket that receives the terminal's master"},
	{"pidfd-socket", 0, "PATH", OPT_T_STR, AT(exec.pidfd_socket), "unix socket that receives a pidfd of the process"},
	{"cwd", 0, "DIR", OPT_T_STR, AT(exec.cwd), "working directory in the container"},
	{"env", 'e', "NAME=VALUE", OPT_T_LIST, AT(env), "add to the environment"},
	{"tty", 't', NULL, OPT_T_BOOL, AT(exec.tty), "give it a terminal"},
	{"user", 'u', "UID[:GID]", OPT_T_STR, AT(exec.user), "run as this user"},
	{"additional-gids", 'g', "GID", OPT_T_LIST, AT(gids), "add a group"},
	{"process", 'p', "FILE", OPT_T_STR, AT(exec.process_file), "the process as JSON"},
	{"detach", 'd', NULL, OPT_T_BOOL, AT(exec.detach), "return once it runs"},
	{"pid-file", 0, "FILE", OPT_T_STR, AT(exec.pid_file), "write its pid to FILE"},
	{"process-label", 0, "LABEL", OPT_T_STR, AT(exec.process_label), "SELinux label"},
	{"apparmor", 0, "PROFILE", OPT_T_STR, AT(exec.apparmor), "AppArmor profile"},
	{"no-new-privs", 0, NULL, OPT_T_BOOL, AT(exec.no_new_privs), "set no_new_privs"},
	{"cap", 'c', "CAP", OPT_T_LIST, AT(caps), "add a capability"},
	{"preserve-fds", 0, "N", OPT_T_UINT, AT(exec.preserve_fds), "pass N more descriptors, from 3 on"},
	{"cgroup", 0, "[CTRL:]PATH", OPT_T_LIST, AT(cgroups), "run in this group below the container's, or for these v1 controllers only"},
	{"ignore-paused", 0, NULL, OPT_T_BOOL, AT(exec.ignore_paused), "allow exec in a paused container"}, HELP};
#define CRIU_OPTS \
	{"image-path", 0, "DIR", OPT_T_STR, AT(criu.image_path), "directory of the images (default ./checkpoint)"}, \
	{"work-path", 0, "DIR", OPT_T_STR, AT(criu.work_path), "directory of logs and statistics (default: that of the images)"}, \
	{"tcp-established", 0, NULL, OPT_T_BOOL, AT(criu.tcp_established), "allow open TCP connections"}, \
	{"tcp-close", 0, NULL, OPT_T_BOOL, AT(criu.tcp_close), "close open TCP connections"}, \
	{"ext-unix-sk", 0, NULL, OPT_T_BOOL, AT(criu.ext_unix_sk), "allow unix sockets with a peer outside"}, \
	{"shell-job", 0, NULL, OPT_T_BOOL, AT(criu.shell_job), "allow a terminal and session from outside"}, \
	{"lazy-pages", 0, NULL, OPT_T_BOOL, AT(criu.lazy_pages), "move memory after the restore, by userfaultfd"}, \
	{"file-locks", 0, NULL, OPT_T_BOOL, AT(criu.file_locks), "allow file locks"}, \
	{"manage-cgroups-mode", 0, "MODE", OPT_T_STR, AT(criu.manage_cgroups), "soft (default), full, strict or ignore"}, \
	{"empty-ns", 0, "NAMESPACE", OPT_T_STR, AT(criu.empty_ns), "network: leave the namespace's content to hooks"}, \
	{"network-lock", 0, "METHOD", OPT_T_STR, AT(criu.network_lock), "iptables (default), nftables or skip"}, \
	{"auto-dedup", 0, NULL, OPT_T_BOOL, AT(criu.auto_dedup), "free pages that are elsewhere in the images"}
static const struct opt checkpoint_opts[] = {
	CRIU_OPTS,
	{"parent-path", 0, "DIR", OPT_T_STR, AT(criu.parent_path), "images of the pre-dump before, relative to the image path"},
	{"leave-running", 0, NULL, OPT_T_BOOL, AT(criu.leave_running), "let the container go on"},
	{"pre-dump", 0, NULL, OPT_T_BOOL, AT(criu.pre_dump), "only write its memory, and let it go on"},
	{"tcp-skip-in-flight", 0, NULL, OPT_T_BOOL, AT(criu.tcp_skip_in_flight), "leave out TCP connections that aren't established yet"},
	{"link-remap", 0, NULL, OPT_T_BOOL, AT(criu.link_remap), "allow open files whose name was removed"},
	{"status-fd", 0, "FD", OPT_T_STR, AT(status_fd), "descriptor that gets a zero byte when lazy pages can be had"},
	{"page-server", 0, "ADDRESS:PORT", OPT_T_STR, AT(criu.page_server), "send memory to (or with lazy pages: give it away at) this address"},
	HELP};
static const struct opt restore_opts[] = {
	CRIU_OPTS,
	{"bundle", 'b', "DIR", OPT_T_STR, AT(create.bundle), "bundle directory (default .)"},
	{"config", 'f', "FILE", OPT_T_STR, AT(create.config), "another name than config.json"},
	{"console-socket", 0, "PATH", OPT_T_STR, AT(create.console_socket), "unix socket that receives the terminal's master"},
	{"pid-file", 0, "FILE", OPT_T_STR, AT(create.pid_file), "write the first process's pid to FILE"},
	{"detach", 'd', NULL, OPT_T_BOOL, AT(create.detach), "return once it runs"},
	{"keep", 0, NULL, OPT_T_BOOL, AT(create.keep), "don't delete the container when it ends"},
	{"no-subreaper", 0, NULL, OPT_T_BOOL, AT(create.no_subreaper), "don't adopt orphans of the container"},
	{"no-pivot", 0, NULL, OPT_T_BOOL, AT(create.no_pivot), "accepted: CRIU chooses how it changes the root"},
	{"lsm-profile", 0, "TYPE:NAME", OPT_T_STR, AT(criu.lsm_profile), "another apparmor or selinux label"},
	{"lsm-mount-context", 0, "CONTEXT", OPT_T_STR, AT(criu.lsm_mount_context), "another SELinux context for mounts that had one"},
	HELP};
static const struct opt update_opts[] = {
	{"resources", 'r', "FILE", OPT_T_STR, AT(resources), "linux.resources as JSON; - reads standard input"},
	{"blkio-weight", 0, "N", OPT_T_U64, AT(blkio_weight), "block I/O weight, 10 to 1000"},
	{"cpu-period", 0, "US", OPT_T_U64, AT(cpu_period), "CPU period in microseconds"},
	{"cpu-quota", 0, "US", OPT_T_I64, AT(cpu_quota), "CPU time in each period, -1 for no limit"},
	{"cpu-burst", 0, "US", OPT_T_U64, AT(cpu_burst), "CPU time that may be saved up"},
	{"cpu-share", 0, "N", OPT_T_U64, AT(cpu_shares), "CPU shares"},
	{"cpu-shares", 0, "N", OPT_T_U64, AT(cpu_shares), "the same, as crun spells it"},
	{"cpu-rt-period", 0, "US", OPT_T_U64, AT(cpu_rt_period), "realtime period"},
	{"cpu-rt-runtime", 0, "US", OPT_T_I64, AT(cpu_rt_runtime), "realtime time in each period"},
	{"cpu-idle", 0, "0|1", OPT_T_I64, AT(cpu_idle), "run only when the CPU is idle"},
	{"cpuset-cpus", 0, "LIST", OPT_T_STR, AT(cpuset_cpus), "CPUs, such as 0-1,3"},
	{"cpuset-mems", 0, "LIST", OPT_T_STR, AT(cpuset_mems), "memory nodes"},
	{"memory", 0, "BYTES", OPT_T_BYTES, AT(memory), "memory limit (k, m, g; -1 for none)"},
	{"memory-reservation", 0, "BYTES", OPT_T_BYTES, AT(memory_reservation), "memory soft limit"},
	{"memory-swap", 0, "BYTES", OPT_T_BYTES, AT(memory_swap), "memory and swap together"},
	{"kernel-memory", 0, "BYTES", OPT_T_BYTES, AT(kernel_memory), "accepted for old callers"},
	{"kernel-memory-tcp", 0, "BYTES", OPT_T_BYTES, AT(kernel_memory_tcp), "accepted for old callers"},
	{"pids-limit", 0, "N", OPT_T_I64, AT(pids_limit), "number of processes, -1 for no limit"},
	{"l3-cache-schema", 0, "S", OPT_T_STR, AT(l3_cache_schema), "shares of the L3 cache, such as L3:0=ff;1=f"},
	{"mem-bw-schema", 0, "S", OPT_T_STR, AT(mem_bw_schema), "shares of the memory bandwidth, such as MB:0=50"}, HELP};

const struct verb cli_verbs[] = {
	{"create", "CONTAINER", "make a container; its program waits for start", NULL, create_opts, 1, 1, false, true, false, cmd_create},
	{"start", "CONTAINER", "run the program of a created container", NULL, plain_opts, 1, 1, false, false, false, cmd_start},
	{"run", "CONTAINER", "create and start a container, wait for it, delete it",
	 "The exit code is the program's, or 128 and the signal that ended it.", run_opts, 1, 1, false, true, false, cmd_run},
	{"exec", "CONTAINER COMMAND [ARG...]", "run one more process in a running container",
	 "The exit code is the command's; 255 when it could not be run.", exec_opts, 1, -1, true, true, false, cmd_exec},
	{"kill", "CONTAINER [SIGNAL]", "send a signal to the first process (default TERM)", NULL, kill_opts, 1, 2, false, false, false, cmd_kill},
	{"delete", "CONTAINER...", "remove a stopped container and all that create made", NULL, delete_opts, 1, -1, false, false, false, cmd_delete},
	{"state", "CONTAINER", "print the state document", NULL, plain_opts, 1, 1, false, false, false, cmd_state},
	{"list", "", "list containers", NULL, list_opts, 0, 0, false, false, false, cmd_list},
	{"ps", "CONTAINER [PS-OPTION...]", "list the processes of a container", NULL, ps_opts, 1, -1, true, false, false, cmd_ps},
	{"events", "CONTAINER", "print statistics and out-of-memory events as JSON lines",
	 "It goes on until the container ends. Each line is an object with type (stats or oom), id and, for stats, data: cpu times in nanoseconds, sizes in bytes.",
	 events_opts, 1, 1, false, false, false, cmd_events},
	{"pause", "CONTAINER", "freeze every process", NULL, plain_opts, 1, 1, false, false, false, cmd_pause},
	{"resume", "CONTAINER", "let a paused container go on", NULL, plain_opts, 1, 1, false, false, false, cmd_resume},
	{"checkpoint", "CONTAINER", "write a running container down, and delete it",
	 "The options are those of runc and crun, handed to criu(8), whose log is dump.log in the work directory. A micro-VM needs no CRIU: it is written down as a machine. A failure leaves the container running.",
	 checkpoint_opts, 1, 1, false, false, false, cmd_checkpoint},
	{"restore", "CONTAINER", "make a container from what checkpoint wrote, running",
	 "Bundle and configuration are as for run. CRIU's log is restore.log in the work directory. Without --detach the exit code is the program's.",
	 restore_opts, 1, 1, false, false, false, cmd_restore},
	{"update", "CONTAINER", "change resource limits", NULL, update_opts, 1, 1, false, false, false, cmd_update},
	{"spec", "", "write a default config.json", NULL, spec_opts, 0, 0, false, false, false, cmd_spec},
	{"features", "", "print what this runtime supports, as JSON", NULL, plain_opts, 0, 0, false, false, false, cmd_features},
	{"explain", "[CONTAINER]", "print what a create would do, without doing it", NULL, explain_opts, 0, 1, false, false, false, cmd_explain},
	{"lint", "[BUNDLE|FILE]", "say what a configuration gets wrong, opens or leaves open",
	 "Exit code 0: nothing but recommendations, 1: warnings, 2: errors, which a create would end with.", lint_opts, 0, 1, false, false, false, cmd_lint},
	{"vm", "check", "say whether this host can run micro-VMs, and why not",
	 "Exit code 0: it can, 1: it can't; the reason is on standard output.", plain_opts, 1, 1, false, false, false, cmd_vm},
	{"info", "", "print what this host offers", NULL, format_opts, 0, 0, false, false, false, cmd_info},
	{"version", "", "print the version", NULL, plain_opts, 0, 0, false, false, false, cmd_version},
	{"help", "[VERB]", "print help", NULL, plain_opts, 0, 1, false, false, false, cmd_help},
	{"generate", "man|bash|zsh|fish|verbs [VERB]", "print a man page, a completion script or the verbs", NULL, plain_opts, 1, 2, false, false, true, cmd_generate},
	{"agent", "SOCKET", "a micro-VM's agent, on a unix socket", NULL, plain_opts, 1, 1, false, true, true, cmd_agent},
	{0}};
/* clang-format on */

const struct verb *cli_find_verb(const char *name)
{
	for (const struct verb *v = cli_verbs; v->name; v++)
		if (str_eq(v->name, name))
			return v;
	return NULL;
}
