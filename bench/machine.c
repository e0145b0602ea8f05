/* bench/machine.c: machines timed up to the same point, where the guest's agent answers a ping, and
 * weighed.
 *
 *   machine boot|write|restore KERNEL PROGRAM MIB VCPUS [TEMPLATE]
 *   machine qemu CID WORD…         the same guest in another monitor, over the host's vsock
 *   machine first WORD…            a command, until the first byte of its standard output
 *   machine weigh PID MIB          a monitor that runs
 *   machine initrd PROGRAM         the archive that the guests start with, to standard output
 *
 * Prints numbers: microseconds; of ours behind it "all own private": KiB of memory that the process
 * has without the guest's, of it not shared with a file, and what is private of the guest's. A
 * guest's memory is known by its size: it is the largest of the process's mappings.
 */
#include "common/fd.h"
#include "microvm/kvm.h"
#include "microvm/monitor.h"
#include "microvm/proto.h"

#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define PATIENCE_MS 120000
#define IDLE_S 1

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static void die(const char *what, const struct err *e)
{
	fprintf(stderr, "machine: %s%s%s\n", what, e ? ": " : "", e ? e->text : "");
	exit(1);
}

/* --- what a monitor holds --- */

struct weight {
	long all, own, guest; /* KiB */
};

/* One mapping's lines of smaps, proc(5); those of the guest's memory are the largest's and its
 * parts'. */
static struct weight weigh(pid_t pid, unsigned long mib)
{
	struct weight w = {0};
	unsigned long from, to, guest_from = 0, guest_to = 0;
	char path[64], line[512], rights[5];
	bool is_guest = false;
	long kib;

	for (int pass = 0; pass < 2; pass++) {
		snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
		FILE *f = fopen(path, "re");
		if (!f)
			die(path, NULL);
		for (unsigned long last = 0, start = 0; fgets(line, sizeof(line), f);) {
			if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3) {
				/* Its parts follow each other without a hole, between guards. */
				start = from == last ? start : from;
				last = strcmp(rights, "---p") == 0 ? 0 : to;
				if (pass == 0 && last && to - start >= mib << 20) {
					guest_from = start;
					guest_to = to;
				}
				is_guest = from >= guest_from && to <= guest_to;
			} else if (pass == 1 && sscanf(line, "Rss: %ld", &kib) == 1) {
				w.all += is_guest ? 0 : kib;
			} else if (pass == 1 && sscanf(line, "Anonymous: %ld", &kib) == 1) {
				*(is_guest ? &w.guest : &w.own) += kib;
			}
		}
		fclose(f);
	}
	return w;
}

static void print_weight(pid_t pid, unsigned long mib)
{
	struct weight w = weigh(pid, mib);

	printf("%ld %ld %ld\n", w.all, w.own, w.guest);
}

/* --- the point --- */

static bool pinged(int fd)
{
	static const char request[] = "{\"verb\":\"ping\"}";
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct err e;
	char c;

	if (vm_frame_send(fd, request, sizeof(request) - 1, &e) < 0)
		return false;
	return poll(&p, 1, PATIENCE_MS) == 1 && recv(fd, &c, 1, 0) == 1;
}

/* --- ours --- */

static int ping(struct vm_monitor *m, void *arg)
{
	int *report = arg, fd = -1;
	struct err e;

	if (vm_monitor_connect(m, &fd, &e) < 0 || !pinged(fd))
		return 1;
	(void)!write(*report, "", 1);
	/* Idle until we are killed. */
	struct pollfd p = {.fd = -1};
	(void)poll(&p, 1, PATIENCE_MS);
	return 0;
}

static int need(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		die(path, NULL);
	return fd;
}

static _Noreturn void monitor(const char *mode, char **argv, int report)
{
	struct vm_how how = {.kernel = need(argv[0], O_RDONLY),
			     .program = need(argv[1], O_RDONLY),
			     .agent = -1,
			     .files = -1,
			     .control = -1,
			     .log = need("/dev/null", O_WRONLY),
			     .from = -1,
			     .to = -1,
			     .kernel_name = argv[0],
			     .memory = strtoull(argv[2], NULL, 10) << 20,
			     .vcpus = (unsigned)atoi(argv[3]),
			     .work = ping,
			     .arg = &report};
	int status;
	struct err e;

	if (strcmp(mode, "restore") == 0)
		how.from = need(argv[4], O_RDONLY);
	if (strcmp(mode, "write") == 0)
		how.to = need(argv[4], O_RDWR | O_CREAT | O_TRUNC);
	if (vm_kvm_open(&how.kvm, &e) < 0 || vm_monitor_run(&how, &status, &e) < 0)
		die("the machine", &e);
	exit(1);
}

static void ours(const char *mode, char **argv)
{
	int report[2];
	char c;

	if (pipe2(report, O_CLOEXEC) < 0)
		die("pipe", NULL);
	long start = now_us();
	pid_t pid = fork();
	if (pid == 0)
		monitor(mode, argv, report[1]);
	close(report[1]);
	if (read(report[0], &c, 1) != 1)
		die("no answer", NULL);
	printf("%ld ", now_us() - start);
	sleep(IDLE_S);
	print_weight(pid, strtoul(argv[2], NULL, 10));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- theirs --- */

static pid_t spawned(char **argv, int out)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(out, STDOUT_FILENO);
	execvp(argv[0], argv);
	die(argv[0], NULL);
	return -1;
}

static int vsock(unsigned cid, unsigned port, bool listening)
{
	struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("vsock", NULL);
	if (listening ? bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 4) < 0
		      : connect(fd, (void *)&a, sizeof(a)) < 0)
		die("vsock of the guest", NULL);
	return fd;
}

static void theirs(unsigned cid, char **argv)
{
	int null = need("/dev/null", O_WRONLY), hello = vsock(VMADDR_CID_ANY, VM_HELLO_PORT, true);
	struct pollfd p = {.fd = hello, .events = POLLIN};
	long start = now_us();
	pid_t pid = spawned(argv, null);

	if (poll(&p, 1, PATIENCE_MS) != 1 || !pinged(vsock(cid, VM_AGENT_PORT, false)))
		die("no answer", NULL);
	printf("%ld\n", now_us() - start);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- a command --- */

static void first(char **argv)
{
	int out[2], status;
	char c;

	if (pipe2(out, O_CLOEXEC) < 0)
		die("pipe", NULL);
	long start = now_us();
	pid_t pid = spawned(argv, out[1]);
	close(out[1]);
	if (read(out[0], &c, 1) != 1)
		die("nothing was written", NULL);
	long took = now_us() - start;
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		die("the command failed", NULL);
	printf("%ld\n", took);
}

static void initrd(const char *program)
{
	struct vm_initrd i;
	struct err e;
	char buf[65536];
	ssize_t n;

	if (vm_initrd_make(need(program, O_RDONLY), &i, &e) < 0)
		die("the archive", &e);
	fwrite(i.head.s, 1, i.head.len, stdout);
	while ((n = read(i.file, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	fwrite(i.tail.s, 1, i.tail.len, stdout);
	if (fflush(stdout))
		die("writing the archive", NULL);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[1] : "";

	/* A guest that is never asked is never restored. */
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(mode, "qemu") && argc > 3)
		theirs((unsigned)atoi(argv[2]), argv + 3);
	else if (!strcmp(mode, "first"))
		first(argv + 2);
	else if (!strcmp(mode, "weigh") && argc == 4)
		print_weight(atoi(argv[2]), strtoul(argv[3], NULL, 10));
	else if (!strcmp(mode, "initrd"))
		initrd(argv[2]);
	else if ((!strcmp(mode, "boot") && argc == 6) ||
		 ((!strcmp(mode, "write") || !strcmp(mode, "restore")) && argc == 7))
		ours(mode, argv + 2);
	else
		return 2;
	return 0;
}
