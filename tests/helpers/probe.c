/*
 * probe: what the kernel says to a process, asked without the runtime.
 *
 *   probe lseek FD OFFSET WHENCE     the call's errno, or ok; lseek32: by the 32-bit entry of x86
 *   probe trap FD OFFSET WHENCE      the same with a handler of SIGSYS, which says what it was told
 *   probe thread FD OFFSET WHENCE    in a thread; then whether the others live
 *   probe trace FD OFFSET WHENCE     in a traced child; the number that a filter sends to its
 * tracer probe log                        makes an lseek whose filter, its own, asks for a log
 * entry probe sched [PID]                sched_getattr(2) probe setsched POLICY FLAGS NICE PRIORITY
 * RUNTIME DEADLINE PERIOD sets it; the errno, or what sched says then probe mempolicy MODE NODES
 * sets it (NODES: a mask); the errno, or the policy's name probe mount TYPE FLAGS mount(2) on /mnt
 * in a namespace of its own; the errno, or ok
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* asm-generic/siginfo.h, which clashes with the C library's. */
#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

struct call {
	long fd, offset, whence;
};

static int fail(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return 2;
}

static int verdict(long rc)
{
	printf("%s\n", rc < 0 ? strerrorname_np(errno) : "ok");
	return 0;
}

static long seek(const struct call *c)
{
	return syscall(SYS_lseek, c->fd, c->offset, c->whence);
}

static int by_lseek(const struct call *c)
{
	return verdict(seek(c));
}

/* i386 has lseek under number 19. */
static int by_lseek32(const struct call *c)
{
	long rc = -ENOSYS;
#if defined(__x86_64__)
	__asm__ volatile("int $0x80"
			 : "=a"(rc)
			 : "a"(19L), "b"(c->fd), "c"(c->offset), "d"(c->whence)
			 : "memory", "r8", "r9", "r10", "r11");
	rc = (int32_t)rc;
#else
	(void)c;
#endif
	errno = rc < 0 ? (int)-rc : 0;
	return verdict(rc);
}

static void on_trap(int sig, siginfo_t *i, void *context)
{
	(void)context;
	/* Nothing else runs: printf is as good as elsewhere. */
	printf("%s %s errno %d%s\n", sig == SIGSYS ? "SIGSYS" : "another signal",
	       i->si_code == SYS_SECCOMP ? "of a filter" : "of somebody", i->si_errno,
	       i->si_syscall == SYS_lseek ? " lseek" : "");
	exit(0);
}

static int by_trap(const struct call *c)
{
	struct sigaction a = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	if (sigaction(SIGSYS, &a, NULL) < 0)
		return fail("sigaction");
	return by_lseek(c);
}

static void *in_thread(void *arg)
{
	(void)seek(arg);
	return arg;
}

static int by_thread(const struct call *c)
{
	struct call copy = *c;
	void *result = NULL;
	pthread_t t;

	errno = pthread_create(&t, NULL, in_thread, &copy);
	if (errno || (errno = pthread_join(t, &result)))
		return fail("thread");
	printf("the thread %s, the others live\n", result == &copy ? "came back" : "ended");
	return 0;
}

static _Noreturn void traced(const struct call *c)
{
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		_exit(fail("PTRACE_TRACEME"));
	raise(SIGSTOP);
	(void)seek(c);
	_exit(0);
}

static int by_trace(const struct call *c)
{
	unsigned long message = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		traced(c);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return fail("waiting for the child");
	if (ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL) < 0 ||
	    ptrace(PTRACE_CONT, pid, 0, 0) < 0 || waitpid(pid, &status, 0) != pid)
		return fail("tracing");
	if (!WIFSTOPPED(status) || status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		return printf("no event\n") < 0;
	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &message) < 0)
		return fail("PTRACE_GETEVENTMSG");
	printf("an event with %lu\n", message);
	return 0;
}

static int by_log(const struct call *c)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = 4, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return fail("seccomp");
	return by_lseek(c);
}

/* sched_setattr(2); the C library has no type for it. */
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t min, max;
};

static int show_sched(pid_t pid)
{
	struct attr a = {.size = sizeof(a)};

	if (syscall(SYS_sched_getattr, pid, &a, sizeof(a), 0) < 0)
		return fail("sched_getattr");
	printf("policy %u flags %#llx nice %d priority %u", a.policy, (unsigned long long)a.flags,
	       a.nice, a.priority);
	/* Of other policies the newer kernels tell a slice of time. */
	if (a.policy == 6)
		printf(" deadline %llu/%llu/%llu", (unsigned long long)a.runtime,
		       (unsigned long long)a.deadline, (unsigned long long)a.period);
	printf(" clamp %u-%u\n", a.min, a.max);
	return 0;
}

static int set_sched(char **v)
{
	struct attr a = {.size = sizeof(a),
			 .policy = (uint32_t)strtoul(v[0], NULL, 0),
			 .flags = strtoull(v[1], NULL, 0),
			 .nice = (int32_t)strtol(v[2], NULL, 0),
			 .priority = (uint32_t)strtoul(v[3], NULL, 0),
			 .runtime = strtoull(v[4], NULL, 0),
			 .deadline = strtoull(v[5], NULL, 0),
			 .period = strtoull(v[6], NULL, 0)};

	if (syscall(SYS_sched_setattr, 0, &a, 0) < 0)
		return verdict(-1);
	return show_sched(0);
}

/* The policy of the stack as the kernel writes it: the second word of its line in numa_maps. */
static int mempolicy(int mode, unsigned long nodes)
{
	char line[512], name[64];
	FILE *f;

	if (syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL, nodes ? 64 : 0) < 0)
		return verdict(-1);
	f = fopen("/proc/self/numa_maps", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " stack") && sscanf(line, "%*s %63[^\n]", name) == 1) {
			/* "weighted interleave:0": up to the word that tells what the range is. */
			*strstr(name, " stack") = '\0';
			printf("%s\n", name);
			return 0;
		}
	errno = ENOENT;
	return fail("the stack's policy");
}

static int try_mount(const char *type, unsigned long flags)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail("a mount namespace");
	return verdict(mount(type, "/mnt", type, flags, NULL));
}

static const struct {
	const char *word;
	int (*run)(const struct call *c);
} calls[] = {{"lseek", by_lseek},   {"lseek32", by_lseek32}, {"trap", by_trap},
	     {"thread", by_thread}, {"trace", by_trace},     {"log", by_log}};

int main(int argc, char **argv)
{
	struct call c = {-1, 0, 0};

	if (argc == 5)
		c = (struct call){strtol(argv[2], NULL, 0), (long)strtoull(argv[3], NULL, 0),
				  strtol(argv[4], NULL, 0)};
	for (size_t i = 0; argc > 1 && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(argv[1], calls[i].word) == 0)
			return calls[i].run(&c);
	if (argc > 1 && strcmp(argv[1], "sched") == 0)
		return show_sched(argc > 2 ? atoi(argv[2]) : 0);
	if (argc == 9 && strcmp(argv[1], "setsched") == 0)
		return set_sched(argv + 2);
	if (argc == 4 && strcmp(argv[1], "mempolicy") == 0)
		return mempolicy((int)strtol(argv[2], NULL, 0), strtoul(argv[3], NULL, 0));
	if (argc == 4 && strcmp(argv[1], "mount") == 0)
		return try_mount(argv[2], strtoul(argv[3], NULL, 0));
	return 2;
}
