/* microvm/seccomp.c: which system calls a thread of the monitor may make: one list for each kind,
 * written down as a BPF program (seccomp(2)).
 *
 * The lists are of what was seen in use and what the C library needs for threads and memory;
 * tests/unit/test_vm_jail.c counts them. KVM's ioctls are named by number: a thread that runs a
 * processor can't make another machine.
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
#include <sys/syscall.h>

#define LIST_MAX 64u

/* Every thread: memory, locks, its own end. malloc(3) counts processors once there are more threads
 * than eight. */
#define COMMON                                                                              \
	SYS_futex, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_exit,      \
		SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigpending,    \
		SYS_rt_sigtimedwait, SYS_gettid, SYS_getpid, SYS_tgkill, SYS_clock_gettime, \
		SYS_restart_syscall, SYS_rseq, SYS_write, SYS_close, SYS_sched_getaffinity

static const int loop_calls[] = {
	COMMON,           SYS_read,        SYS_readv,           SYS_writev,
	SYS_recvmsg,      SYS_sendmsg,     SYS_recvfrom,        SYS_sendto,
	SYS_epoll_wait,   SYS_epoll_pwait, SYS_epoll_ctl,       SYS_accept4,
	SYS_shutdown,     SYS_socketpair,  SYS_getrandom,       SYS_preadv,
	SYS_pwritev,      SYS_pread64,     SYS_pwrite64,        SYS_fdatasync,
	SYS_fsync,        SYS_fallocate,   SYS_timerfd_settime, SYS_mremap,
	SYS_fcntl,        SYS_poll,        SYS_ppoll,           SYS_kill,
	SYS_rt_sigaction, SYS_prlimit64,   SYS_prctl,
};
static const int vcpu_calls[] = {COMMON,        SYS_shutdown,   SYS_recvfrom,
				 SYS_epoll_ctl, SYS_epoll_wait, SYS_sendmsg,
				 SYS_recvmsg,   SYS_read,       SYS_timerfd_settime};
#define RELAY                                                                                  \
	COMMON, SYS_read, SYS_readv, SYS_writev, SYS_recvmsg, SYS_sendmsg, SYS_recvfrom,       \
		SYS_sendto, SYS_poll, SYS_ppoll, SYS_socketpair, SYS_shutdown, SYS_epoll_wait, \
		SYS_epoll_pwait, SYS_epoll_ctl, SYS_epoll_create1, SYS_fcntl, SYS_mremap,      \
		SYS_splice, SYS_getrandom, SYS_kill, SYS_rt_sigaction, SYS_prlimit64, SYS_prctl
static const int relay_calls[] = {RELAY};
static const int stand_calls[] = {RELAY, SYS_socket, SYS_connect};
/* A disk's bytes, and nothing else (blk_io.c). */
static const int disk_calls[] = {COMMON,      SYS_preadv,   SYS_pwritev,   SYS_pwritev2,
				 SYS_pread64, SYS_pwrite64, SYS_fdatasync, SYS_fallocate};

/* What each kind may ask of descriptors. */
static const unsigned loop_ioctls[] = {0x5421 /* FIONBIO */, 0x541b /* FIONREAD */};
/* A driver's register write says which offloads the tap may hand over (dev_net.c). */
static const unsigned vcpu_ioctls[] = {KVM_RUN, TUNSETOFFLOAD};
static const unsigned relay_ioctls[] = {0x5413 /* TIOCGWINSZ */, 0x541b, 0x5421};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
static const struct {
	const int *calls;
	size_t n_calls;
	const unsigned *ioctls;
	size_t n_ioctls;
} lists[] = {
	[VM_THREAD_LOOP] = {loop_calls, COUNT(loop_calls), loop_ioctls, COUNT(loop_ioctls)},
	[VM_THREAD_VCPU] = {vcpu_calls, COUNT(vcpu_calls), vcpu_ioctls, COUNT(vcpu_ioctls)},
	[VM_THREAD_RELAY] = {relay_calls, COUNT(relay_calls), relay_ioctls, COUNT(relay_ioctls)},
	[VM_THREAD_STAND] = {stand_calls, COUNT(stand_calls), relay_ioctls, COUNT(relay_ioctls)},
	[VM_THREAD_DISK] = {disk_calls, COUNT(disk_calls), NULL, 0},
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

static void write_program(struct program *p, enum vm_thread t)
{
	size_t n = lists[t].n_ioctls;

	p->n = 0;
	load(p, offsetof(struct seccomp_data, arch));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	load(p, offsetof(struct seccomp_data, nr));
	/* The commonest first. */
	put(p, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, (unsigned char)(2 + 2 * n));
	load(p, offsetof(struct seccomp_data, args[1]));
	for (size_t i = 0; i < n; i++)
		allow(p, lists[t].ioctls[i]);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	for (size_t i = 0; i < lists[t].n_calls; i++)
		allow(p, (unsigned)lists[t].calls[i]);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
}

int vm_jail_calls(enum vm_thread t, struct err *e)
{
	struct program p;

	write_program(&p, t);
	struct sock_fprog prog = {.len = p.n, .filter = p.code};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0) < 0)
		return err_sys(e, errno, NULL, "limiting the monitor's system calls");
	return 0;
}

int vm_jail_disk(struct err *e)
{
	return vm_jail_calls(VM_THREAD_DISK, e);
}
