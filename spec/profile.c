/* spec/profile.c: see profile.h. Lists of words, as short as they can be kept in a program.
 *
 * Invariants
 *  1. The filter allows by name: what the next kernel brings isn't reachable.
 *  2. What it doesn't know ends in ENOSYS, so that a C library takes the older call; what it knows
 *     and refuses in EPERM, so that a program says what it was forbidden.
 *  3. A condition is on what the kernel looks at as well. Of a pointer's target the filter knows
 *     nothing: clone3 isn't named, and so C libraries take clone, whose flags are an argument.
 */
#include "spec/profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char allowed[] =
	/* files */
	"read write open openat openat2 creat close close_range stat fstat lstat newfstatat statx "
	"statfs fstatfs lseek pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 "
	"access faccessat faccessat2 dup dup2 dup3 fcntl flock fsync fdatasync sync syncfs "
	"sync_file_range truncate ftruncate fallocate fadvise64 readahead getdents getdents64 "
	"getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink "
	"unlinkat symlink symlinkat readlink readlinkat mknod mknodat chmod fchmod fchmodat "
	"fchmodat2 chown fchown lchown fchownat umask utime utimes futimesat utimensat setxattr "
	"lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr "
	"removexattr lremovexattr fremovexattr setxattrat getxattrat listxattrat removexattrat "
	"sendfile splice tee copy_file_range ioctl "
	/* waiting */
	"poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait "
	"epoll_pwait2 eventfd eventfd2 signalfd signalfd4 timerfd_create timerfd_settime "
	"timerfd_gettime inotify_init inotify_init1 inotify_add_watch inotify_rm_watch pause "
	"io_setup io_destroy io_getevents io_pgetevents io_submit io_cancel "
	/* memory */
	"mmap mprotect munmap brk mremap msync mincore madvise process_madvise mlock mlock2 "
	"munlock "
	"mlockall munlockall memfd_create pkey_mprotect pkey_alloc pkey_free get_mempolicy mseal "
	"map_shadow_stack membarrier "
	/* processes, threads, time */
	"fork vfork execve execveat exit exit_group wait4 waitid kill tkill tgkill getpid getppid "
	"gettid getpgid setpgid getpgrp setsid getsid prctl arch_prctl set_tid_address "
	"set_robust_list get_robust_list rseq futex futex_waitv futex_wait futex_wake "
	"futex_requeue restart_syscall pidfd_open pidfd_send_signal getpriority setpriority "
	"sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler "
	"sched_setattr sched_getattr sched_get_priority_max sched_get_priority_min "
	"sched_rr_get_interval sched_setaffinity sched_getaffinity getcpu ioprio_set ioprio_get "
	"getrlimit setrlimit prlimit64 getrusage times sysinfo uname time gettimeofday adjtimex "
	"clock_gettime clock_getres clock_nanosleep nanosleep alarm getitimer setitimer "
	"timer_create timer_settime timer_gettime timer_getoverrun timer_delete getrandom "
	/* signals */
	"rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigqueueinfo "
	"rt_tgsigqueueinfo rt_sigsuspend sigaltstack "
	/* identity, and walls that a program builds for itself */
	"getuid getgid geteuid getegid getgroups getresuid getresgid setuid setgid setgroups "
	"setreuid "
	"setregid setresuid setresgid setfsuid setfsgid capget capset seccomp "
	"landlock_create_ruleset landlock_add_rule landlock_restrict_self "
	/* talk */
	"pipe pipe2 connect accept accept4 bind listen shutdown sendto recvfrom sendmsg recvmsg "
	"sendmmsg recvmmsg getsockname getpeername setsockopt getsockopt shmget shmat shmctl shmdt "
	"semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend "
	"mq_timedreceive mq_notify mq_getsetattr ";

static const char refused[] =
	/* walls of its own, and the way through ours */
	"unshare setns mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig "
	"fsmount "
	"fspick mount_setattr open_by_handle_at name_to_handle_at "
	/* the kernel as a machine to program: where most of its holes of late were */
	"bpf userfaultfd io_uring_setup io_uring_enter io_uring_register perf_event_open keyctl "
	"add_key request_key fanotify_init fanotify_mark modify_ldt "
	/* other processes' memory and descriptors */
	"ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd move_pages migrate_pages mbind "
	"set_mempolicy set_mempolicy_home_node "
	/* the host itself */
	"init_module finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff "
	"settimeofday clock_settime clock_adjtime sethostname setdomainname acct quotactl "
	"quotactl_fd syslog iopl ioperm lookup_dcookie vhangup uselib ustat sysfs _sysctl ";

const char *const spec_profile_masked[] = {
	/* as runc's */
	"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
	/* what other guests do, read off counters */
	"/proc/interrupts", "/proc/softirqs", "/proc/schedstat", "/proc/key-users",
	"/sys/devices/virtual/powercap",
	/* which pages they share with us, and where the kernel lies */
	"/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup", "/proc/kallsyms",
	"/proc/vmallocinfo", "/proc/slabinfo", "/proc/pagetypeinfo", "/proc/iomem", "/proc/ioports",
	/* serial numbers */
	"/sys/devices/virtual/dmi", NULL};
const char *const spec_profile_readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					     "/proc/sysrq-trigger",
					     /* mtrr and the drivers' files are the machine's */
					     "/proc/mtrr", "/proc/driver", NULL};

/* Calls that are decided by an argument. */
static const struct {
	const char *name;
	unsigned error; /* 0: allowed */
	unsigned index;
	const char *op;
	uint64_t value, value_two;
} limited[] = {
	/* No new namespace: 0x7e020000 are all of CLONE_NEW*. */
	{"clone", 0, 0, "MASKED_EQ", 0x7e020000, 0},
	{"clone", EPERM, 0, "MASKED_EQ", 0x00020000, 0x00020000},
	{"clone", EPERM, 0, "MASKED_EQ", 0x02000000, 0x02000000},
	{"clone", EPERM, 0, "MASKED_EQ", 0x04000000, 0x04000000},
	{"clone", EPERM, 0, "MASKED_EQ", 0x08000000, 0x08000000},
	{"clone", EPERM, 0, "MASKED_EQ", 0x10000000, 0x10000000},
	{"clone", EPERM, 0, "MASKED_EQ", 0x20000000, 0x20000000},
	{"clone", EPERM, 0, "MASKED_EQ", 0x40000000, 0x40000000},
	/* AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; AF_PACKET, AF_ALG, AF_VSOCK … lie behind. */
	{"socket", 0, 0, "EQ", 1, 0},
	{"socket", 0, 0, "EQ", 2, 0},
	{"socket", 0, 0, "EQ", 10, 0},
	{"socket", 0, 0, "EQ", 16, 0},
	{"socket", EAFNOSUPPORT, 0, "GT", 16, 0},
	{"socketpair", 0, 0, "EQ", 1, 0},
	/* PER_LINUX, PER_LINUX32, and the question which one it is */
	{"personality", 0, 0, "EQ", 0, 0},
	{"personality", 0, 0, "EQ", 8, 0},
	{"personality", 0, 0, "EQ", 0xffffffff, 0},
};
#define N_LIMITED (sizeof(limited) / sizeof(limited[0]))

/* The next word of a list, into buf; NULL behind the last. */
static const char *next_word(const char *list, char *buf, size_t size)
{
	size_t n = strcspn(list, " ");

	if (!n)
		return NULL;
	snprintf(buf, size, "%.*s", (int)n, list);
	return list + n + 1;
}

static bool is_in(const char *list, const char *name)
{
	char word[32];

	while ((list = next_word(list, word, sizeof(word))))
		if (strcmp(word, name) == 0)
			return true;
	return false;
}

enum spec_call spec_profile_call(const char *name)
{
	for (size_t i = 0; i < N_LIMITED; i++)
		if (strcmp(limited[i].name, name) == 0)
			return SPEC_CALL_LIMITED;
	if (is_in(allowed, name))
		return SPEC_CALL_ALLOWED;
	return is_in(refused, name) ? SPEC_CALL_REFUSED : SPEC_CALL_UNNAMED;
}

const char *spec_profile_refused(size_t i, char *buf, size_t size)
{
	const char *list = refused;

	for (; (list = next_word(list, buf, size)); i--)
		if (i == 0)
			return buf;
	return NULL;
}

static void put_action(struct json_out *o, unsigned error)
{
	json_put_str(o, "action", error ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW");
	if (error)
		json_put_u64(o, "errnoRet", error);
}

static void put_list(struct json_out *o, const char *list, unsigned error)
{
	char word[32];

	json_obj_open(o, NULL);
	json_arr_open(o, "names");
	while ((list = next_word(list, word, sizeof(word))))
		json_put_str(o, NULL, word);
	json_arr_close(o);
	put_action(o, error);
	json_obj_close(o);
}

static void put_limited(struct json_out *o, size_t i)
{
	char op[32];

	snprintf(op, sizeof(op), "SCMP_CMP_%s", limited[i].op);
	json_obj_open(o, NULL);
	json_arr_open(o, "names");
	json_put_str(o, NULL, limited[i].name);
	json_arr_close(o);
	put_action(o, limited[i].error);
	json_arr_open(o, "args");
	json_obj_open(o, NULL);
	json_put_u64(o, "index", limited[i].index);
	json_put_u64(o, "value", limited[i].value);
	if (strcmp(limited[i].op, "MASKED_EQ") == 0)
		json_put_u64(o, "valueTwo", limited[i].value_two);
	json_put_str(o, "op", op);
	json_obj_close(o);
	json_arr_close(o);
	json_obj_close(o);
}

void spec_profile_put_filter(struct json_out *o)
{
	json_obj_open(o, "seccomp");
	json_put_str(o, "defaultAction", "SCMP_ACT_ERRNO");
	json_put_u64(o, "defaultErrnoRet", ENOSYS);
	json_arr_open(o, "syscalls");
	put_list(o, allowed, 0);
	put_list(o, refused, EPERM);
	for (size_t i = 0; i < N_LIMITED; i++)
		put_limited(o, i);
	json_arr_close(o);
	json_obj_close(o);
}
