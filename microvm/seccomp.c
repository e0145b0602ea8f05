/* microvm/seccomp.c: which system calls a thread of the monitor, or of what stands beside it, may
 * make: one list for each kind, written down as a BPF program (seccomp(2)).
 *
 * The lists are of what was seen in use and what the C library needs for threads and memory;
 * tests/unit/test_vm_jail.c counts and tries them. Some calls are allowed with certain arguments
 * alone: KVM's ioctls are named by number, so that a thread that runs a processor can't make
 * another machine; signals go to the process itself, sockets that are made are of unix(7).
 */
#include "microvm/jail.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIST_MAX 64u

/* Memory, locks, the end. */
#define MEMORY                                                                              \
	SYS_futex, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_exit,      \
		SYS_exit_group, SYS_rt_sigprocmask, SYS_clock_gettime, SYS_restart_syscall, \
		SYS_close

/* Each of the monitor's threads. malloc(3) counts processors once there are more threads than
 * eight. */
#define COMMON                                                                                    \
	MEMORY, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigtimedwait, SYS_gettid, SYS_getpid, \
		SYS_write, SYS_sched_getaffinity

static const int loop_calls[] = {
	COMMON,
	SYS_read,
	SYS_readv,
	SYS_writev,
	SYS_recvmsg,
	SYS_sendmsg,
	SYS_recvfrom,
	SYS_sendto,
	SYS_epoll_wait,
	SYS_epoll_pwait,
	SYS_epoll_ctl,
	SYS_accept4,
	SYS_shutdown,
	SYS_socketpair,
	SYS_getrandom,
	SYS_ftruncate,
	SYS_timerfd_settime,
	SYS_mremap,
	SYS_fcntl,
	SYS_poll,
	SYS_ppoll,
	SYS_rt_sigaction,
	SYS_prlimit64,
	SYS_prctl,
};
static const int vcpu_calls[] = {COMMON,        SYS_shutdown,   SYS_recvfrom,
				 SYS_epoll_ctl, SYS_epoll_wait, SYS_sendmsg,
				 SYS_recvmsg,   SYS_read,       SYS_timerfd_settime};
#define RELAY                                                                                  \
	COMMON, SYS_read, SYS_readv, SYS_writev, SYS_recvmsg, SYS_sendmsg, SYS_recvfrom,       \
		SYS_sendto, SYS_poll, SYS_ppoll, SYS_socketpair, SYS_shutdown, SYS_epoll_wait, \
		SYS_epoll_pwait, SYS_epoll_ctl, SYS_epoll_create1, SYS_fcntl, SYS_mremap,      \
		SYS_splice, SYS_getrandom, SYS_rt_sigaction, SYS_prlimit64, SYS_prctl
static const int relay_calls[] = {RELAY};
static const int stand_calls[] = {RELAY, SYS_connect};
/* A disk's bytes, and nothing else (blk_io.c). */
static const int disk_calls[] = {COMMON,      SYS_preadv,   SYS_pwritev,   SYS_pwritev2,
				 SYS_pread64, SYS_pwrite64, SYS_fdatasync, SYS_fallocate};
/* The file server: what a request may come to, and nothing by which it could become something else.
 * openat opens descriptors of its own anew (fs_open.c). */
static const int files_calls[] = {
	MEMORY,         SYS_mremap,   SYS_recvfrom,  SYS_sendto,      SYS_poll,
	SYS_shutdown,   SYS_openat,   SYS_openat2,   SYS_statx,       SYS_fstatfs,
	SYS_getdents64, SYS_lseek,    SYS_pread64,   SYS_pwritev2,    SYS_ftruncate,
	SYS_fallocate,  SYS_fsync,    SYS_fdatasync, SYS_syncfs,      SYS_copy_file_range,
	SYS_fchmodat,   SYS_fchownat, SYS_utimensat, SYS_mkdirat,     SYS_mknodat,
	SYS_symlinkat,  SYS_linkat,   SYS_unlinkat,  SYS_renameat2,   SYS_readlinkat,
	SYS_getxattr,   SYS_setxattr, SYS_listxattr, SYS_removexattr, SYS_setfsuid,
	SYS_setfsgid,   SYS_capset,   SYS_umask,     SYS_fcntl,
};
/* Its first thread: shares come and go (fs_share.c), and in the end all is closed. */
static const int shares_calls[] = {
	MEMORY,
	SYS_mremap,
	SYS_poll,
	SYS_accept4,
	SYS_setsockopt,
	SYS_recvmsg,
	SYS_sendmsg,
	SYS_statx,
	SYS_fcntl,
	SYS_fstatfs,
	/* What the guest holds is written down. */
	SYS_write,
	SYS_openat2,
};

/* What is allowed for one argument's sake. */
/* KVM's: what a machine is written down from (control.h). */
static const unsigned loop_ioctls[] = {
	0x5421 /* FIONBIO */, 0x541b /* FIONREAD */, KVM_GET_REGS,      KVM_GET_SREGS,
	KVM_GET_XSAVE,        KVM_GET_XCRS,          KVM_GET_DEBUGREGS, KVM_GET_VCPU_EVENTS,
	KVM_GET_LAPIC,        KVM_GET_MP_STATE,      KVM_GET_MSRS,      KVM_GET_MSR_INDEX_LIST,
	KVM_GET_IRQCHIP,      KVM_GET_CLOCK};
/* A driver's register write says which offloads the tap may hand over (dev_net.c). */
static const unsigned vcpu_ioctls[] = {KVM_RUN, TUNSETOFFLOAD};
static const unsigned relay_ioctls[] = {0x5413 /* TIOCGWINSZ */, 0x541b, 0x5421};
static const unsigned local_socket[] = {AF_UNIX};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define CALLS(a) .calls = (a), .n_calls = COUNT(a)
#define IOCTLS(a) .ioctls = (a), .n_ioctls = COUNT(a)
static const struct list {
	const int *calls;
	size_t n_calls;
	const unsigned *ioctls;
	size_t n_ioctls;
	bool signals; /* raise(3), abort(3) */
	bool connects;
} lists[] = {
	[VM_THREAD_LOOP] = {CALLS(loop_calls), IOCTLS(loop_ioctls), .signals = true},
	[VM_THREAD_VCPU] = {CALLS(vcpu_calls), IOCTLS(vcpu_ioctls), .signals = true},
	[VM_THREAD_RELAY] = {CALLS(relay_calls), IOCTLS(relay_ioctls), .signals = true},
	[VM_THREAD_STAND] = {CALLS(stand_calls), IOCTLS(relay_ioctls), .signals = true,
			     .connects = true},
	[VM_THREAD_DISK] = {CALLS(disk_calls), .signals = true},
	[VM_THREAD_FILES] = {CALLS(files_calls)},
	[VM_THREAD_SHARES] = {CALLS(shares_calls)},
};

struct program {
	struct sock_filter code[2 * LIST_MAX + 32];
	unsigned short n;
};

static void put(struct program *p, unsigned short code, unsigned k, unsigned char yes,
		unsigned char no)
{
	p->code[p->n++] = (struct sock_filter)BPF_JUMP(code, k, yes, no);
}

static void load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

/* Equal: allowed. */
static void allow(struct program *p, unsigned value)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

/* This call with one of these values as an argument of it; with others the process ends. */
static void allow_with(struct program *p, unsigned call, unsigned arg, const unsigned *values,
		       size_t n)
{
	put(p, BPF_JMP | BPF_JEQ | BPF_K, call, 0, (unsigned char)(2 + 2 * n));
	load(p, offsetof(struct seccomp_data, args) + 8 * arg);
	for (size_t i = 0; i < n; i++)
		allow(p, values[i]);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

static void write_program(struct program *p, const struct list *l)
{
	const unsigned own = (unsigned)getpid();

	p->n = 0;
	load(p, offsetof(struct seccomp_data, arch));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	load(p, offsetof(struct seccomp_data, nr));
	/* The commonest first. */
	if (l->n_ioctls)
		allow_with(p, SYS_ioctl, 1, l->ioctls, l->n_ioctls);
	for (size_t i = 0; i < l->n_calls; i++)
		allow(p, (unsigned)l->calls[i]);
	if (l->signals)
		allow_with(p, SYS_tgkill, 0, &own, 1);
	if (l->connects)
		allow_with(p, SYS_socket, 0, local_socket, COUNT(local_socket));
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

unsigned vm_jail_count(enum vm_thread t)
{
	const struct list *l = &lists[t];

	return (unsigned)l->n_calls + (l->n_ioctls > 0) + l->signals + l->connects;
}

int vm_jail_calls(enum vm_thread t, struct err *e)
{
	struct program p;

	write_program(&p, &lists[t]);
	struct sock_fprog prog = {.len = p.n, .filter = p.code};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		return err_sys(e, errno, NULL, "limiting a thread's system calls");
	return 0;
}

int vm_jail_disk(struct err *e)
{
	return vm_jail_calls(VM_THREAD_DISK, e);
}

int vm_jail_fs(bool worker, struct err *e)
{
	return vm_jail_calls(worker ? VM_THREAD_FILES : VM_THREAD_SHARES, e);
}
