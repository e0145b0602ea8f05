/* common/sys.c: see sys.h. */
#include "common/sys.h"

#include <linux/keyctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

pid_t sys_clone3(struct clone_args *args)
{
	return (pid_t)syscall(SYS_clone3, args, sizeof(*args));
}

int sys_openat2(int dirfd, const char *path, struct open_how *how)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

int sys_bpf(int cmd, void *attr, unsigned size)
{
	return (int)syscall(SYS_bpf, cmd, attr, size);
}

long sys_seccomp(unsigned op, unsigned flags, void *args)
{
	return syscall(SYS_seccomp, op, flags, args);
}

int sys_ioprio_set(int which, int who, int ioprio)
{
	return (int)syscall(SYS_ioprio_set, which, who, ioprio);
}

int sys_sched_setattr(pid_t pid, void *attr, unsigned flags)
{
	return (int)syscall(SYS_sched_setattr, pid, attr, flags);
}

long sys_keyctl_join(const char *name)
{
	return syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

/* Fixed by the kernel, and part of its ABI as USER_NS_INIT_INO of linux/nsfs.h. */
#define FIRST_USER_NS 0xEFFFFFFDu

bool sys_is_unprivileged(void)
{
	struct stat st;

	return sys_caller() != 0 ||
	       (stat("/proc/self/ns/user", &st) == 0 && st.st_ino != FIRST_USER_NS);
}
