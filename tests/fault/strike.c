/* strike: runs a program and lets one system call of it, or of the processes that it makes, go
 * wrong.
 *
 *   strike [-p PID] -l FILE PROGRAM [ARG…]                   learn: a line "PROCESS CALL N" for
 * each call strike [-p PID] -i PROCESS:CALL:N:FAULT PROGRAM [ARG…]   strike there; FAULT: KILL or
 * an errno's name
 *
 * PROCESS counts those seen, in the order of their birth: 0 is the program, 1 its first child; with
 * -p PID, a process that is there already is 1. N counts a process's calls of that name. The
 * program's own status is the exit status, 128 and the signal if one ended it; -s FILE is made once
 * the fault struck.
 *
 * strace(1) can inject too, but counts its N for each process by itself, so that parent and child
 * are struck together, and holds on to what a program leaves running. Here
 *  1. one call of one process is struck, and afterwards nobody is traced any more;
 *  2. the tracer is the program's sibling: it ends with the program at the latest, and what runs on
 * is free;
 *  3. a killed process hasn't made the call; a refused call hasn't been made, but for close(2),
 * which on Linux frees the descriptor whatever it returns; brk(2) knows no errno: refused, the
 * kernel's gives the break as it is, and it never refuses what takes no further page;
 *  4. what a child executes is somebody else's program: its calls don't count.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_PROCESSES 64
#define MAX_CALLS 512
#define OPTIONS                                                                                   \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
	 PTRACE_O_TRACEEXEC)

struct process {
	pid_t pid;
	bool counts;               /* false: somebody else's program, or not ours yet */
	bool refused;              /* waits for its call's end, to be told the errno */
	unsigned long long wanted; /* of brk: what it asked for */
	unsigned calls[MAX_CALLS];
};

static struct process processes[MAX_PROCESSES];
static int n_processes;
static FILE *trace;
static const char *struck_file;
/* Where and how; at_process -1: learn. */
static int at_process = -1, at_errno;
static char at_call[64];
static unsigned at_n;

static void die(const char *what)
{
	fprintf(stderr, "strike: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static struct process *find(pid_t pid)
{
	for (int i = 0; i < n_processes; i++)
		if (processes[i].pid == pid)
			return &processes[i];
	if (n_processes == MAX_PROCESSES) {
		errno = E2BIG;
		die("too many processes");
	}
	processes[n_processes].pid = pid;
	processes[n_processes].counts = true;
	return &processes[n_processes++];
}

/* The tracer's end lets everybody go. */
static void let_go(bool struck)
{
	if (trace && fclose(trace) != 0)
		die("writing the trace");
	if (struck && struck_file)
		close(open(struck_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	_exit(0);
}

static bool struck_here(struct process *p, const char *name, unsigned n)
{
	return at_process == p - processes && at_n == n && strcmp(at_call, name) == 0;
}

/* No call: the kernel skips number -1. Of brk a question: how far is it now? */
static void skip_call(struct process *p, unsigned long long nr)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
		die("reading registers");
	p->wanted = regs.rdi;
	if (nr == SYS_brk)
		regs.rdi = 0;
	else
		regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, p->pid, NULL, &regs) < 0)
		die("writing registers");
}

static unsigned long long pages(unsigned long long address)
{
	return (address + 4095) / 4096;
}

/* brk: told the break as it is, or made after all. */
static bool refuse_brk(struct user_regs_struct *regs, unsigned long long wanted)
{
	const int call_len = 2; /* of the instruction */

	regs->rdi = wanted;
	if (pages(wanted) > pages(regs->rax))
		return true;
	regs->rax = SYS_brk;
	regs->rip -= call_len;
	return false;
}

static void refuse(struct process *p)
{
	struct user_regs_struct regs;
	bool struck = true;

	if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
		die("reading registers");
	if (regs.orig_rax == SYS_brk)
		struck = refuse_brk(&regs, p->wanted);
	else
		regs.rax = (unsigned long long)-at_errno;
	if (ptrace(PTRACE_SETREGS, p->pid, NULL, &regs) < 0)
		die("writing registers");
	let_go(struck);
}

static void entry(struct process *p, unsigned long long nr)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)nr);

	if (!name || nr >= MAX_CALLS)
		return;
	unsigned n = ++p->calls[nr];
	if (trace)
		fprintf(trace, "%d %s %u\n", (int)(p - processes), name, n);
	if (struck_here(p, name, n)) {
		if (at_errno == 0) {
			kill(p->pid, SIGKILL);
			let_go(true);
		}
		p->refused = true;
		if (nr != SYS_close)
			skip_call(p, nr);
	}
	free(name);
}

static void at_syscall(struct process *p)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info) < 0)
		return; /* just killed */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY && p->counts)
		entry(p, info.entry.nr);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && p->refused)
		refuse(p);
}

static void at_event(struct process *p, int event)
{
	unsigned long pid;

	/* The program counts from its first exec on; a second one is the runtime's guard of itself.
	 */
	if (event == PTRACE_EVENT_EXEC)
		p->counts = p == processes;
	else if (event != PTRACE_EVENT_STOP && ptrace(PTRACE_GETEVENTMSG, p->pid, NULL, &pid) == 0)
		find((pid_t)pid)->counts = p->counts;
}

/* One stop of one process; what it goes on with. */
static void at_stop(pid_t pid, int status)
{
	struct process *p = find(pid);
	int sig = WSTOPSIG(status), event = status >> 16;
	long how = PTRACE_SYSCALL;

	if (sig == (SIGTRAP | 0x80))
		at_syscall(p);
	else if (event)
		at_event(p, event);
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
		how = PTRACE_LISTEN;
	if (event || sig == (SIGTRAP | 0x80))
		sig = 0;
	(void)ptrace(how, pid, NULL, (long)sig);
}

/* Stopped by us: from now on each of its calls stops it. */
static void seize(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
		die("tracing");
}

static void trace_all(pid_t program, pid_t other, int go)
{
	int status;
	pid_t pid;

	seize(program);
	find(program)->counts = false;
	if (other) {
		seize(other);
		find(other);
	}
	if (write(go, "", 1) != 1)
		die("starting the program");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status))
			at_stop(pid, status);
		else if (pid == program)
			break;
	}
	let_go(false);
}

static pid_t start(char **argv, int go[2])
{
	char c;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid > 0)
		return pid;
	close(go[1]);
	if (read(go[0], &c, 1) != 1)
		_exit(125);
	execv(argv[0], argv);
	die(argv[0]);
	return -1;
}

static int errno_of(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} table[] = {{"KILL", 0},        {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC}, {"EIO", EIO},
		     {"EMFILE", EMFILE}, {"EINTR", EINTR},   {"EAGAIN", EAGAIN}, {"EPERM", EPERM}};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].number;
	return -1;
}

static bool read_point(const char *word)
{
	char fault[16];

	if (sscanf(word, "%d:%63[^:]:%u:%15s", &at_process, at_call, &at_n, fault) != 4)
		return false;
	at_errno = errno_of(fault);
	return at_errno >= 0;
}

int main(int argc, char **argv)
{
	pid_t other = 0, program, tracer;
	int opt, status = 0, go[2];
	bool bad = false;

	while ((opt = getopt(argc, argv, "+p:l:i:s:")) != -1) {
		if (opt == 'p')
			other = (pid_t)strtol(optarg, NULL, 10);
		else if (opt == 'l')
			bad = bad || !(trace = fopen(optarg, "we"));
		else if (opt == 'i')
			bad = bad || !read_point(optarg);
		else if (opt == 's')
			struck_file = optarg;
		else
			bad = true;
	}
	if (bad || optind == argc || (!trace && at_process < 0)) {
		fprintf(stderr, "usage: strike [-p PID] [-s FILE] "
				"-l FILE | -i PROCESS:CALL:N:FAULT PROGRAM [ARG…]\n");
		return 125;
	}
	if (pipe2(go, O_CLOEXEC) < 0)
		die("pipe");
	program = start(argv + optind, go);
	tracer = fork();
	if (tracer < 0)
		die("fork");
	if (tracer == 0)
		trace_all(program, other, go[1]);
	close(go[1]);
	close(go[0]);
	while (waitpid(program, &status, 0) < 0 && errno == EINTR)
		continue;
	while (waitpid(tracer, NULL, 0) < 0 && errno == EINTR)
		continue;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
