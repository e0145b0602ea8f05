/* common/sys.h: system calls that the C library has no wrapper for. Each returns as the
 * wrapper would: -1 and errno. Kernel floor of the project: 5.12 (mount_setattr). */
#ifndef RF_COMMON_SYS_H
#define RF_COMMON_SYS_H

#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/types.h>

/* clone3(2) without a stack: behaves as fork. Returns 0 in the child. */
pid_t sys_clone3(struct clone_args *args);
int sys_openat2(int dirfd, const char *path, struct open_how *how);
int sys_bpf(int cmd, void *attr, unsigned size);
long sys_seccomp(unsigned op, unsigned flags, void *args);
int sys_ioprio_set(int which, int who, int ioprio);
int sys_sched_setattr(pid_t pid, void *attr, unsigned flags);
long sys_keyctl_join(const char *name); /* keyctl(KEYCTL_JOIN_SESSION_KEYRING) */
int sys_pivot_root(const char *new_root, const char *put_old);

/* Who called this program: geteuid(2) as it was at execve, without a call (getauxval(3)). */
static inline uid_t sys_caller(void)
{
	return (uid_t)getauxval(AT_EUID);
}

/* True for everybody but root of the first user namespace: root of another one is nobody on the
 * host. */
bool sys_is_unprivileged(void);

#endif
