/* bench/floor.c: the least that can start a container, written by hand.
 *
 * What `ringfence run` is held against: one clone3 into all namespaces (and a
 * cgroup v2 directory when one is given), the default mounts of `ringfence
 * spec`, its nodes, masked and read-only paths, 3 capabilities, then the
 * program. No parsing, no state, no checks: it must never be used for anything
 * but measuring.
 *
 *   floor ROOTFS CGROUP_DIR|- PROGRAM [ARG…]
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

/* One file system by the old mount call: one system call where fsopen needs four. */
static const struct {
	const char *source, *target, *type, *data;
	unsigned long flags;
} mounts[] = {
	{"proc", "proc", "proc", NULL, 0},
	{"tmpfs", "dev", "tmpfs", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME},
	{"devpts", "dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5",
	 MS_NOSUID | MS_NOEXEC},
	{"shm", "dev/shm", "tmpfs", "mode=1777,size=65536k", MS_NOSUID | MS_NOEXEC | MS_NODEV},
	{"mqueue", "dev/mqueue", "mqueue", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV},
	{"sysfs", "sys", "sysfs", NULL, MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY},
};

static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
	     {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};

static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
				       {"/proc/self/fd/0", "dev/stdin"},
				       {"/proc/self/fd/1", "dev/stdout"},
				       {"/proc/self/fd/2", "dev/stderr"},
				       {"pts/ptmx", "dev/ptmx"}};

static const char *const masked_files[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list",
					   "/proc/sched_debug"};
static const char *const masked_dirs[] = {"/proc/acpi", "/proc/scsi", "/sys/firmware"};
static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
				       "/proc/sysrq-trigger"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void build(const char *rootfs)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private /");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind rootfs");
	must(chdir(rootfs), "chdir");
	for (size_t i = 0; i < COUNT(mounts); i++) {
		(void)mkdir(mounts[i].target, 0755);
		must(mount(mounts[i].source, mounts[i].target, mounts[i].type, mounts[i].flags,
			   mounts[i].data),
		     mounts[i].target);
	}
	umask(0);
	for (size_t i = 0; i < COUNT(nodes); i++)
		must(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)),
		     nodes[i].name);
	for (size_t i = 0; i < COUNT(links); i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
	umask(022);
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "detach");
}

static void hide(void)
{
	for (size_t i = 0; i < COUNT(masked_files); i++)
		(void)mount("/dev/null", masked_files[i], NULL, MS_BIND, NULL);
	for (size_t i = 0; i < COUNT(masked_dirs); i++)
		(void)mount("tmpfs", masked_dirs[i], "tmpfs", MS_RDONLY, NULL);
	for (size_t i = 0; i < COUNT(readonly); i++)
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
			must(mount(NULL, readonly[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL),
			     readonly[i]);
	must(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), "read-only root");
}

/* AUDIT_WRITE, KILL, NET_BIND_SERVICE, as the default specification grants. */
static void drop(void)
{
	const uint32_t keep = 1u << CAP_KILL | 1u << CAP_NET_BIND_SERVICE | 1u << CAP_AUDIT_WRITE;
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{.effective = keep, .permitted = keep}, {0}};
	struct rlimit nofile = {1024, 1024};

	for (int cap = 0; cap <= 40; cap++)
		if (cap > 31 || !(keep >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	must(setrlimit(RLIMIT_NOFILE, &nofile), "rlimit");
	must(syscall(SYS_capset, &h, d), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	struct clone_args args = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
					   CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
				  .exit_signal = SIGCHLD};
	if (strcmp(argv[2], "-") != 0) {
		must(mkdir(argv[2], 0755), argv[2]);
		int fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
		must(fd, argv[2]);
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)fd;
	}
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	must(pid, "clone3");
	if (pid == 0) {
		setsid();
		build(argv[1]);
		must(sethostname("floor", 5), "sethostname");
		hide();
		drop();
		execv(argv[3], argv + 3);
		must(-1, argv[3]);
	}
	int status = 0;
	must(waitpid(pid, &status, 0), "waitpid");
	if (strcmp(argv[2], "-") != 0)
		must(rmdir(argv[2]), "rmdir");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
