/*
 * syscalls: makes each call of a list once, with arguments that can do no harm even where all of
 * them are allowed, and prints its name and "ok" or the errno. It runs within a container.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the C library's headers may be. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif

#define NONE "/none/such"
#define ALL_BITS 0xffffffffUL
#define NOBODY 0x7ffffffe /* no process has this id */

static long bad_time[2] = {0, -1};

struct call {
	const char *name;
	long nr;
	unsigned long args[6];
};
#define P(x) (unsigned long)(x)
#define C(n, ...)                   \
	{                           \
#n, SYS_##n,        \
		{                   \
			__VA_ARGS__ \
		}                   \
	}
/* No kernel accepts CLONE_THREAD without CLONE_SIGHAND: nothing is ever made. */
#define NS(flag)                            \
	{                                   \
		"clone:" #flag, SYS_clone,  \
		{                           \
			flag | CLONE_THREAD \
		}                           \
	}
#define FAMILY(n)                         \
	{                                 \
		"socket:" #n, SYS_socket, \
		{                         \
			n, 1, 0           \
		}                         \
	}

static const struct call calls[] = {
	C(unshare, 0),
	C(setns, -1, 0),
	C(mount, P(NONE), P(NONE), P("tmpfs"), 0, 0),
	C(umount2, P(NONE), 0),
	C(pivot_root, P(NONE), P(NONE)),
	C(chroot, P(NONE)),
	C(open_tree, -1, P("x"), 0),
	C(move_mount, -1, P("x"), -1, P("x"), ALL_BITS),
	C(fsopen, P("none"), 0),
	C(fsconfig, -1, 0, 0, 0, 0),
	C(fsmount, -1, ALL_BITS, 0),
	C(fspick, -1, P("x"), 0),
	C(mount_setattr, -1, P("x"), ALL_BITS, 0, 0),
	C(open_by_handle_at, -1, 0, 0),
	C(name_to_handle_at, -1, P("x"), 0, 0, 0),
	C(bpf, -1, 0, 0),
	C(userfaultfd, ALL_BITS),
	C(io_uring_setup, 0, 0),
	C(io_uring_enter, -1, 0, 0, 0, 0),
	C(io_uring_register, -1, 0, 0, 0),
	C(perf_event_open, 0, 0, -1, -1, 0),
	C(keyctl, -1),
	C(add_key, 0, 0, 0, 0, 0),
	C(request_key, 0, 0, 0, 0),
	C(fanotify_init, ALL_BITS, 0),
	C(fanotify_mark, -1, 0, 0, -1, 0),
	C(modify_ldt, 0, 0, 0),
	C(ptrace, 16 /* attach */, NOBODY, 0, 0),
	C(process_vm_readv, NOBODY, 0, 0, 0, 0, 0),
	C(process_vm_writev, NOBODY, 0, 0, 0, 0, 0),
	C(kcmp, NOBODY, NOBODY, 0, 0, 0),
	C(pidfd_getfd, -1, 0, 0),
	C(move_pages, NOBODY, 0, 0, 0, 0, 0),
	C(migrate_pages, NOBODY, 0, 0, 0),
	C(mbind, 0, 0, ALL_BITS, 0, 0, 0),
	C(set_mempolicy, ALL_BITS, 0, 0),
	C(init_module, 0, 0, P("")),
	C(finit_module, -1, P(""), 0),
	C(delete_module, P("none"), O_NONBLOCK),
	C(kexec_load, 0, 0, 0, ALL_BITS),
	C(kexec_file_load, -1, -1, 0, 0, ALL_BITS),
	C(reboot, 0, 0, 0, 0),
	C(swapon, P(NONE), 0),
	C(swapoff, P(NONE)),
	C(settimeofday, P(bad_time), 0),
	C(clock_settime, 12345, P(bad_time)),
	C(clock_adjtime, 12345, 0),
	C(sethostname, P(""), -1),
	C(setdomainname, P(""), -1),
	C(acct, P(NONE)),
	C(quotactl, ALL_BITS, 0, 0, 0),
	C(syslog, ALL_BITS, 0, 0),
	C(iopl, 4),
	C(ioperm, 0, 0, 0),
	C(lookup_dcookie, 0, 0, 0),
	C(ustat, 0xffff, 0),
	C(sysfs, ALL_BITS),
	NS(CLONE_NEWUSER),
	NS(CLONE_NEWNS),
	NS(CLONE_NEWPID),
	NS(CLONE_NEWNET),
	NS(CLONE_NEWIPC),
	NS(CLONE_NEWUTS),
	NS(CLONE_NEWCGROUP),
	C(personality, 0x40000 /* ADDR_NO_RANDOMIZE */),
	/* not named */
	C(clone3, 0, 0),
	C(vmsplice, -1, 0, 0, 0),
	C(remap_file_pages, 0, 0, 0, 0, 0),
	C(cachestat, -1, 0, 0, 0),
	C(statmount, 0, 0, 0, 0),
	/* families: AF_PACKET, AF_ALG, AF_VSOCK, AF_XDP; unix, inet, inet6, netlink */
	FAMILY(17),
	FAMILY(38),
	FAMILY(40),
	FAMILY(44),
	FAMILY(1),
	FAMILY(2),
	FAMILY(10),
	{"socket:16", SYS_socket, {16, 3, 0}},
	/* what programs need */
	{"clone:0", SYS_clone, {CLONE_THREAD}},
	{"personality:ask", SYS_personality, {ALL_BITS}},
	C(openat, -1, P("x"), 0),
	C(openat2, -1, 0, 0, 0),
	C(execveat, -1, P("x"), 0, 0, 0),
	C(splice, -1, 0, -1, 0, 0, 0),
	C(io_setup, 0, 0),
	C(memfd_create, P("x"), 0),
	C(pidfd_open, NOBODY, 0),
	C(seccomp, ALL_BITS, 0, 0),
	C(landlock_create_ruleset, 0, 0, 1),
	C(inotify_init1, 0),
	C(mlock, 0, 0),
	C(getrandom, 0, 0, 0),
	C(chown, P(NONE), 0, 0),
	C(setgroups, ALL_BITS, 0),
	C(copy_file_range, -1, 0, -1, 0, 0, 0),
	C(faccessat2, -1, P("x"), 0, ALL_BITS),
	C(membarrier, 0, 0, 0),
	C(get_mempolicy, 0, 0, 0, 0, 0),
	C(sched_setaffinity, NOBODY, 0, 0),
	C(shmget, 0, 0, 0),
};

int main(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		const struct call *c = &calls[i];
		const unsigned long *a = c->args;
		errno = 0;
		long rc = syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		printf("%s %s\n", c->name, rc < 0 ? strerrorname_np(errno) : "ok");
	}
	return 0;
}
