/* tests/unit/test_vm_jail.c: the lists of system calls of the monitor's threads and of what stands
 * beside it, and the names that a micro-VM makes in its state directory. */
#include "microvm/jail.h"
#include "runtime/microvm.h"
#include "tests/unit/vm_fs_client.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

static char base[PATH_MAX];

static const struct {
	enum vm_thread t;
	const char *name;
	unsigned most;
} kinds[] = {
	{VM_THREAD_LOOP, "loop", 50},     {VM_THREAD_VCPU, "processor", 30},
	{VM_THREAD_RELAY, "relay", 50},   {VM_THREAD_DISK, "disk", 50},
	{VM_THREAD_STAND, "stand", 50},   {VM_THREAD_FILES, "files", 50},
	{VM_THREAD_SHARES, "shares", 50},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void lists_are_short(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KINDS; i++) {
		print_message("%s: %u system calls\n", kinds[i].name, vm_jail_count(kinds[i].t));
		assert_in_range(vm_jail_count(kinds[i].t), 10, kinds[i].most);
	}
}

/* Wait status of a process that is limited and does this. */
static int limited(enum vm_thread t, void (*does)(void))
{
	int status = -1;
	struct err e;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || vm_jail_calls(t, &e) < 0)
			_exit(99);
		does();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void nothing(void)
{
}

static void executes(void)
{
	execl("/bin/true", "true", NULL);
}

static void forks(void)
{
	(void)fork();
}

static void traces(void)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void mounts(void)
{
	(void)mount("none", "/", "tmpfs", MS_REMOUNT, NULL);
}

static void enters_a_namespace(void)
{
	(void)unshare(CLONE_NEWUSER);
}

static void opens_a_socket(void)
{
	(void)socket(AF_INET, SOCK_DGRAM, 0);
}

static void signals_its_parent(void)
{
	(void)kill(getppid(), 0);
}

static void signals_a_thread_of_init(void)
{
	syscall(SYS_tgkill, 1, 1, 0);
}

static void makes_a_machine(void)
{
	(void)ioctl(0, KVM_CREATE_VM, 0);
}

static void becomes_root(void)
{
	syscall(SYS_setuid, 0);
}

static void calls_as_32_bits_do(void)
{
	/* getpid(2) by the other table: the architecture is looked at first. */
	__asm__ volatile("int $0x80" : : "a"(20) : "memory");
}

static void (*const forbidden[])(void) = {
	executes,
	forks,
	traces,
	mounts,
	enters_a_namespace,
	opens_a_socket,
	signals_its_parent,
	signals_a_thread_of_init,
	makes_a_machine,
	becomes_root,
	calls_as_32_bits_do,
};

static void forbidden_calls_kill(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KINDS; i++) {
		assert_int_equal(limited(kinds[i].t, nothing), 0);
		for (unsigned k = 0; k < sizeof(forbidden) / sizeof(forbidden[0]); k++) {
			int status = limited(kinds[i].t, forbidden[k]);

			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("%s: forbidden call %u: status %x", kinds[i].name, k,
					 (unsigned)status);
		}
	}
}

static void opens_a_file(void)
{
	(void)open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* What has guest memory has no files. */
static void files_are_the_servers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KINDS; i++)
		assert_int_equal(limited(kinds[i].t, opens_a_file),
				 kinds[i].t == VM_THREAD_FILES ? 0 : SIGSYS);
}

static void ends_by_a_signal(void)
{
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
}

static void connects(void)
{
	if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0)
		_exit(1);
}

static void what_is_meant_works(void **state)
{
	(void)state;
	assert_int_equal(limited(VM_THREAD_LOOP, ends_by_a_signal), SIGTERM);
	assert_int_equal(limited(VM_THREAD_STAND, ends_by_a_signal), SIGTERM);
	assert_int_equal(limited(VM_THREAD_STAND, connects), 0);
	assert_int_equal(limited(VM_THREAD_RELAY, connects), SIGSYS);
}

/* --- the whole jail --- */

static ino_t space(int ns, const char *name)
{
	struct stat st;

	return fstatat(ns, name, &st, 0) < 0 ? 0 : st.st_ino;
}

static int jailed(bool new_net)
{
	static const char *const own[] = {"user", "mnt", "ipc", "uts", "net"};
	int ns = open("/proc/self/ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ino_t before[5];
	struct err e;

	for (unsigned i = 0; i < 5; i++)
		before[i] = space(ns, own[i]);
	if (vm_jail(new_net, &e) < 0)
		return e.code == EPERM ? 77 : 2;
	for (unsigned i = 0; i < 5; i++)
		if ((space(ns, own[i]) != before[i]) != (i < 4 || new_net))
			return 3;
	if (openat(AT_FDCWD, "/proc", O_PATH | O_CLOEXEC) >= 0 ||
	    openat(AT_FDCWD, "/x", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0)
		return 4;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && prctl(PR_GET_DUMPABLE) == 0 ? 0 : 5;
}

static void namespaces_of_its_own(void **state)
{
	(void)state;
	for (int net = 0; net < 2; net++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0)
			_exit(jailed(net));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			skip();
		assert_int_equal(status, 0);
	}
}

/* --- the file server --- */

static unsigned limited_threads(pid_t pid, unsigned *ret_all)
{
	char path[300], line[256];
	unsigned n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *d = opendir(path);
	assert_non_null(d);
	for (struct dirent *it; (it = readdir(d));) {
		if (it->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, it->d_name);
		FILE *f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f))
			n += !strcmp(line, "Seccomp:\t2\n");
		if (f)
			fclose(f);
		++*ret_all;
	}
	closedir(d);
	return n;
}

static int control_socket(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&a, sizeof(a.sun_family)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Each thread of it, the first as well, that does no requests. */
static void server_is_limited(void **state)
{
	struct vm_share share = share_of("root", base, false);
	unsigned all = 0, n = 0;
	(void)state;

	cl->control = control_socket();
	client_start(&share, 1, 0);
	for (int i = 0; i < 500 && (n < all || n == 0); i++) {
		all = 0;
		n = limited_threads(cl->pid, &all);
		usleep(10000);
	}
	assert_int_equal(all, 4);
	assert_int_equal(n, all);
	close(cl->control);
	cl->control = -1;
	assert_int_equal(client_stop(), 0);
}

/* --- names in the state directory --- */

static const char *in_base(const char *name)
{
	static char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void victim_is_whole(void)
{
	char text[64] = "";
	int fd = open(in_base("victim"), O_RDONLY | O_CLOEXEC);

	assert_int_equal(read(fd, text, sizeof(text)), 8);
	assert_string_equal(text, "precious");
	close(fd);
}

static int make_name(int dir, const char *name, struct err *e)
{
	int fd = -1;
	int rc = !strcmp(name, "console.log") ? be_vm_log_make(dir, &fd, e)
					      : rt_socket_listen(dir, name, SOCK_STREAM, &fd, e);

	if (rc >= 0 && !strcmp(name, "console.log"))
		assert_int_equal(write(fd, "flood", 5), 5);
	if (rc >= 0)
		close(fd);
	return rc;
}

/* The jail-folder attack of CVE-2026-1386: what somebody planted under a name that we make is
 * refused, be it a link to a file or to nowhere, a file's second name, or a directory. */
static void planted_names(void **state)
{
	static const char *const names[] = {"console.log", "start.sock", "files.sock"};
	int dir;
	struct err e;
	struct stat st;
	(void)state;

	dir = open(in_base("victim"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(dir, "precious", 8), 8);
	close(dir);
	assert_int_equal(mkdir(in_base("state"), 0700), 0);
	dir = open(in_base("state"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(symlinkat("../victim", dir, names[i]), 0);
		assert_true(make_name(dir, names[i], &e) < 0);
		assert_int_equal(unlinkat(dir, names[i], 0), 0);
		assert_int_equal(symlinkat("../made", dir, names[i]), 0);
		assert_true(make_name(dir, names[i], &e) < 0);
		assert_int_equal(unlinkat(dir, names[i], 0), 0);
		assert_int_equal(linkat(AT_FDCWD, in_base("victim"), dir, names[i], 0), 0);
		assert_true(make_name(dir, names[i], &e) < 0);
		assert_int_equal(unlinkat(dir, names[i], 0), 0);
		assert_int_equal(mkdirat(dir, names[i], 0700), 0);
		assert_true(make_name(dir, names[i], &e) < 0);
		assert_int_equal(unlinkat(dir, names[i], AT_REMOVEDIR), 0);
		assert_int_equal(make_name(dir, names[i], &e), 0);
		victim_is_whole();
		assert_int_equal(lstat(in_base("made"), &st), -1);
	}
	close(dir);
}

static int world(void **state)
{
	(void)state;
	return scratch_make(base);
}

static int world_ends(void **state)
{
	(void)state;
	return scratch_remove(base);
}

/* A sanitizer has calls of its own, which no list has. */
#ifdef __SANITIZE_ADDRESS__
#define PLAIN(f) cmocka_unit_test(not_sanitized)
static void not_sanitized(void **state)
{
	(void)state;
	(void)forbidden_calls_kill;
	(void)files_are_the_servers;
	(void)what_is_meant_works;
	(void)server_is_limited;
	skip();
}
#else
#define PLAIN(f) cmocka_unit_test(f)
#endif

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_short),
		PLAIN(forbidden_calls_kill),
		PLAIN(files_are_the_servers),
		PLAIN(what_is_meant_works),
		cmocka_unit_test(namespaces_of_its_own),
		PLAIN(server_is_limited),
		cmocka_unit_test(planted_names),
	};

	return cmocka_run_group_tests(tests, world, world_ends);
}
