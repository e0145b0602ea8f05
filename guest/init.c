/* guest/init.c: the first process of a micro-VM: from the kernel's initramfs to a listening agent.
 *
 * Invariants
 *  1. It never returns and never ends: what can't be done is said on the console, and the machine
 *     goes down, which its monitor sees.
 *  2. The root is a tmpfs mounted over the initramfs, for pivot_root(2) refuses the latter. Both
 *     are read-only once their directories are made.
 *  3. Nothing here is particular to a container: it can be the state that a template is made of.
 */
#include "guest/init.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"
#include "guest/guest.h"
#include "microvm/proto.h"
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define FLAG "ringfence.guest=1"
#define NEW_ROOT "/tmp"          /* of the initramfs, until it is the root */
#define FIRST_PID_NS 0xEFFFFFFCu /* its inode, fixed by the kernel (linux/proc_ns.h) */
#define CONTROLLERS "/sys/fs/cgroup/cgroup.controllers"
#define SUBTREE "/sys/fs/cgroup/cgroup.subtree_control"

static const struct guest_place place = {
	.state = "/run/ringfence/state",
	.bundles = "/run/ringfence/bundles",
	.scratch = "/run/ringfence/agent",
	.machine = true,
};

static const struct {
	const char *type, *at;
	unsigned long flags;
	const char *options;
} mounts[] = {
	{"devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755"},
	{"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
	{"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
	{"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755"},
	{"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777"},
};

/* What distributions set, and programs in containers count on. */
static const struct {
	const char *path, *value;
} settings[] = {
	{"/proc/sys/fs/protected_hardlinks", "1"},
	{"/proc/sys/fs/protected_symlinks", "1"},
	{"/proc/sys/kernel/pid_max", "4194304"},
	{"/proc/sys/kernel/panic", "-1"},
	{"/proc/sys/kernel/printk", "4"},
	{"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"},
};

void guest_say(const char *text)
{
	(void)!write(2, "ringfence: ", strlen("ringfence: "));
	(void)!write(2, text, strlen(text));
	(void)!write(2, "\n", 1);
}

_Noreturn void guest_down(const struct err *why)
{
	char line[sizeof(struct err) + 4];

	if (why)
		guest_say(err_line(why, line, sizeof(line)));
	sync();
	for (;;) { /* without ACPI a power-off would only halt it */
		(void)reboot(RB_AUTOBOOT);
		pause();
	}
}

static int mount_one(const char *type, const char *at, unsigned long flags, const char *options,
		     struct err *e)
{
	if (mkdir(at, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, at, "making the mount point");
	if (mount(type, at, type, flags, options) < 0)
		return err_sys(e, errno, at, "mounting %s", type);
	return 0;
}

/* (2) */
static int new_root(struct err *e)
{
	static const char *const dirs[] = {"dev", "proc", "sys", "run", "tmp"};

	/* This program lies in the initramfs, and a container gets to see it (/proc/PID/exe). */
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return err_sys(e, errno, "/", "making the initramfs read-only");
	if (mount("tmpfs", NEW_ROOT, "tmpfs", 0, "mode=0755,size=1m") < 0 || chdir(NEW_ROOT) < 0)
		return err_sys(e, errno, NEW_ROOT, "mounting the root");
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(dirs[i], 0755) < 0)
			return err_sys(e, errno, dirs[i], "making a directory");
	if (mount("/proc", "proc", NULL, MS_MOVE, NULL) < 0)
		return err_sys(e, errno, "/proc", "moving it into the root");
	if (mount("tmpfs", ".", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return err_sys(e, errno, "/", "making it read-only");
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_sys(e, errno, "/", "changing the root");
	return 0;
}

/* Above the standard streams, which may be closed yet. */
static int open_high(const char *path, int flags)
{
	auto_fd fd = open(path, flags | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int open_stdio(struct err *e)
{
	static const char *const consoles[] = {"/dev/console", "/dev/hvc0", "/dev/null"};
	auto_fd null = open_high("/dev/null", O_RDONLY);
	auto_fd console = -1;

	for (size_t i = 0; console < 0 && i < sizeof(consoles) / sizeof(consoles[0]); i++)
		console = open_high(consoles[i], O_WRONLY);
	if (null < 0 || console < 0 || dup2(null, 0) < 0 || dup2(console, 1) < 0 ||
	    dup2(console, 2) < 0)
		return err_sys(e, errno, "/dev/console", "opening the standard streams");
	return 0;
}

static int mount_all(struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]) && rc == 0; i++) {
		rc = mount_one(mounts[i].type, mounts[i].at, mounts[i].flags, mounts[i].options, e);
		if (i == 0 && rc == 0)
			rc = open_stdio(e);
	}
	return rc;
}

/* One at a time: a controller that can't be delegated doesn't take the others with it. */
static void enable_controllers(void)
{
	auto_str list = NULL;
	struct err ignored;
	char word[64], *rest = NULL;

	if (file_read_at(AT_FDCWD, CONTROLLERS, 4096, &list, NULL, &ignored) < 0)
		return;
	for (char *w = strtok_r(list, " \n", &rest); w; w = strtok_r(NULL, " \n", &rest)) {
		snprintf(word, sizeof(word), "+%s", w);
		(void)file_write_at(AT_FDCWD, SUBTREE, word, strlen(word), &ignored);
	}
}

/* None of it keeps a container from running. */
static void settle_in(void)
{
	const struct rlimit files = {1024, 1048576};
	struct err ignored;

	(void)umask(022);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)!sethostname("localhost", strlen("localhost"));
	(void)net_loopback_up(&ignored);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		(void)file_write_at(AT_FDCWD, settings[i].path, settings[i].value,
				    strlen(settings[i].value), &ignored);
	enable_controllers();
}

static int make_dirs(struct err *e)
{
	static const char *const dirs[] = {"/run/ringfence", "/run/ringfence/state",
					   "/run/ringfence/bundles", "/run/ringfence/agent",
					   VM_SHARES_DIR};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(dirs[i], 0711) < 0)
			return err_sys(e, errno, dirs[i], "making a directory");
	return 0;
}

static int listen_vsock(int *ret_fd, struct err *e)
{
	const struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VM_AGENT_PORT};
	auto_fd fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0)
		return err_sys(e, errno, "vsock", "listening");
	*ret_fd = take_fd(&fd);
	return 0;
}

static int say_hello(struct err *e)
{
	const struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = VM_HELLO_PORT};
	auto_fd fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A template may be made in the middle of it: what goes on from there finds the connection
	 * reset, by a host that has heard it. */
	if (fd < 0 ||
	    (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 && errno != ECONNRESET))
		return err_sys(e, errno, "vsock", "saying hello to the host");
	return 0;
}

static int boot(struct err *e)
{
	auto_fd fd = -1;
	int rc = guest_modules(e);

	if (rc >= 0)
		rc = new_root(e);
	if (rc >= 0)
		rc = mount_all(e);
	if (rc < 0)
		return rc;
	settle_in();
	rc = make_dirs(e);
	if (rc >= 0)
		rc = listen_vsock(&fd, e);
	if (rc >= 0)
		rc = say_hello(e);
	return rc < 0 ? rc : guest_serve(fd, &place, e);
}

static bool asked_for(void)
{
	auto_str line = NULL;
	struct err ignored;
	char *rest = NULL;
	struct stat st;

	/* A container in a guest sees the same line, but isn't the first of all. */
	if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != FIRST_PID_NS ||
	    file_read_at(AT_FDCWD, "/proc/cmdline", 65536, &line, NULL, &ignored) < 0)
		return false;
	for (char *w = strtok_r(line, " \n", &rest); w; w = strtok_r(NULL, " \n", &rest))
		if (str_eq(w, FLAG))
			return true;
	return false;
}

static bool on_initramfs(void)
{
	struct statfs fs;

	return statfs("/", &fs) == 0 && (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}

void guest_main(char **argv)
{
	struct err e = {0};

	if (getpid() != 1 || !str_eq(argv[0], "/init") || !on_initramfs())
		return;
	bool mounted = mount_one("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, &e) == 0;
	if (!asked_for()) {
		if (mounted)
			(void)umount("/proc");
		return;
	}
	if (boot(&e) >= 0)
		err_set(&e, ERR_INTERNAL, EIO, NULL, "the agent ended");
	guest_down(&e);
}
