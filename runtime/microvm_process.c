/* runtime/microvm_process.c: from the clone to the monitor: control group, file server, streams.
 *
 * Invariants
 *  1. It has one thread until vm_monitor_run(), and the file server is forked before.
 *  2. Nothing of the runtime's stays open: no lock, no journal, no directory. Its memory, documents
 *     and plan, is given back before the file server is forked: neither process carries it along.
 *  3. It ends as the container's first process did: engines read its wait status. As the first
 *     process of its pid namespace it can't die by a signal of its own: 128 and the signal then,
 *     which is what engines make of such a status.
 */
#include "runtime/microvm_process.h"

#include "common/fd.h"
#include "common/proc.h"
#include "common/sync.h"
#include "microvm/jail.h"
#include "microvm/monitor.h"
#include "microvm/proto.h"
#include "microvm/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

#define FILE_THREADS 4

/* The guest ended without the container having done so. */
#define STATUS_LOST (255 << 8)
#define RELEASE_MS 30000
#define KEPT 15 /* descriptors that aren't cards */

struct process {
	const char *id;
	const struct be_vm_parts *p;
	/* What id and p name once the runtime's memory is given back. */
	struct be_vm_parts parts;
	struct be_vm_shape shape;
	int signals;
	struct vm_net_how cards[BE_VM_CARDS];
	size_t n_cards;
	int from, to; /* struct vm_how */
	bool outside; /* in the network namespace of whoever made it */
	/* Why the status of the container's first process isn't known: the relay's thread writes it
	 * before it ends, the monitor's reads it then. */
	bool lost;
	struct err why;
};

/* --- descriptors, signals, terminal --- */

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void be_vm_close_others(const int *keep, size_t n)
{
	int *sorted = calloc(n + 1, sizeof(*sorted));
	unsigned from = 3;
	size_t m = 0;

	if (!sorted)
		_exit(255);
	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 3)
			sorted[m++] = keep[i];
	qsort(sorted, m, sizeof(*sorted), by_number);
	for (size_t i = 0; i < m; i++) {
		if ((unsigned)sorted[i] > from)
			(void)syscall(SYS_close_range, from, sorted[i] - 1, 0);
		from = (unsigned)sorted[i] + 1;
	}
	free(sorted);
	(void)syscall(SYS_close_range, from, ~0u, 0);
}

int be_vm_signals(int *ret_fd, struct err *e)
{
	sigset_t all;

	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return err_sys(e, errno, NULL, "blocking signals");
	/* The end of a child of ours is nobody's message. */
	sigdelset(&all, SIGCHLD);
	int fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, errno, NULL, "making a signal descriptor");
	*ret_fd = fd;
	return 0;
}

_Noreturn void be_vm_end_as(int status)
{
	struct rlimit none = {0, 0};
	sigset_t all;

	if (WIFSIGNALED(status)) {
		int sig = WTERMSIG(status);
		/* The memory of a guest is nobody's core file. */
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		(void)setrlimit(RLIMIT_CORE, &none);
		signal(sig, SIG_DFL);
		sigemptyset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		raise(sig);
		_exit(128 + sig);
	}
	_exit(WEXITSTATUS(status));
}

void be_vm_sized(struct spec_process *p)
{
	struct winsize ws;

	if (!p->terminal || (p->console_height.set && p->console_width.set) ||
	    ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0 || (!ws.ws_row && !ws.ws_col))
		return;
	p->console_height = (struct opt_u64){.set = true, .v = ws.ws_row};
	p->console_width = (struct opt_u64){.set = true, .v = ws.ws_col};
}

int be_vm_pty(const struct spec_process *p, int *ret_master, int *ret_slave, struct err *e)
{
	auto_fd master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct winsize ws = {.ws_row = (unsigned short)p->console_height.v,
			     .ws_col = (unsigned short)p->console_width.v};
	struct termios t;
	int unlock = 0;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_sys(e, errno, "/process/terminal", "opening a pty");
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(e, errno, "/process/terminal", "opening the pty's other side");
	if (tcgetattr(slave, &t) == 0) {
		cfmakeraw(&t);
		(void)tcsetattr(slave, TCSANOW, &t);
	}
	if (p->console_height.set && p->console_width.set)
		(void)ioctl(master, TIOCSWINSZ, &ws);
	*ret_master = take_fd(&master);
	*ret_slave = slave;
	return 0;
}

/* The window's size is told to whoever has the terminal as its own. */
static int streams(const struct be_vm_parts *p, struct err *e)
{
	setsid();
	if (p->terminal < 0)
		return 0;
	if (ioctl(p->terminal, TIOCSCTTY, 0) < 0)
		return err_sys(e, errno, "/process/terminal", "taking the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(p->terminal, fd) < 0)
			return err_sys(e, errno, "/process/terminal", "placing the terminal");
	return 0;
}

/* A plain user's machine stays where it is: it has only what he has. */
static int join_network(struct process *w, struct err *e)
{
	if (w->p->net < 0 || setns(w->p->net, CLONE_NEWNET) == 0)
		return 0;
	w->outside = true;
	return errno == EPERM
		       ? 0
		       : err_sys(e, errno, "/linux/namespaces", "joining the network namespace");
}

/* What comes after GO. */
static int receive_cards(struct process *w, int64_t n, struct err *e)
{
	if (n < 0 || n > BE_VM_CARDS)
		return err_set(e, ERR_INTERNAL, EPROTO, NULL, "%lld network cards", (long long)n);
	for (; w->n_cards < (size_t)n; w->n_cards++) {
		struct vm_net_how *how = &w->cards[w->n_cards];
		int tap = -1, rc = fd_recv(w->p->sync, how, sizeof(*how), &tap, e);
		if (rc >= 0 && ((size_t)rc != sizeof(*how) || tap < 0))
			rc = err_set(e, ERR_INTERNAL, EPROTO, NULL, "a network card is missing");
		if (rc < 0)
			return rc;
		how->tap = tap;
	}
	return 0;
}

static int receive_template(struct process *w, struct err *e)
{
	int64_t is_whole = 0;
	int fd = -1, rc = sync_expect(w->p->sync, SYNC_GO, &is_whole, &fd, e);

	if (rc >= 0)
		*(is_whole ? &w->from : &w->to) = fd;
	return rc;
}

static char *copy_of(const char *s, bool *bad)
{
	char *copy = s ? strdup(s) : NULL;

	*bad = *bad || (s && !copy);
	return copy;
}

/* (2) Whatever lies in the container's arena is taken out of it or is not used any more. */
static int forget(struct process *w, struct rt_container *c, struct err *e)
{
	const struct be_vm_parts *p = w->p;
	size_t n = p->shares.n;
	bool bad = false;

	w->parts = *p;
	w->parts.shares =
		(struct be_vm_shares){.items = calloc(n + 1, sizeof(struct vm_share)), .n = n};
	w->shape = (struct be_vm_shape){.memory = p->shape->memory,
					.vcpus = p->shape->vcpus,
					.kernel = copy_of(p->shape->kernel, &bad),
					.parameters = copy_of(p->shape->parameters, &bad)};
	w->id = copy_of(be_vm_inside(c), &bad);
	if (bad || !w->parts.shares.items)
		return err_sys(e, ENOMEM, NULL, "making a micro-VM");
	if (n)
		memcpy(w->parts.shares.items, p->shares.items, n * sizeof(struct vm_share));
	w->parts.shape = &w->shape;
	w->p = &w->parts;
	arena_free(c->arena);
	malloc_trim(0);
	return 0;
}

/* --- the file server --- */

/* Whatever their number: none of the monitor's descriptors stays. */
static void keep_shares(const struct be_vm_parts *p, int sock)
{
	int *keep = calloc(p->shares.n + 4, sizeof(*keep));
	size_t n = 0;

	if (!keep)
		_exit(255);
	keep[n++] = sock;
	keep[n++] = p->files;
	keep[n++] = p->held;
	keep[n++] = p->held >= 0 ? p->sync : -1;
	for (size_t i = 0; i < p->shares.n; i++)
		keep[n++] = p->shares.items[i].fd;
	be_vm_close_others(keep, n);
	free(keep);
}

static _Noreturn void serve_files(const struct be_vm_parts *p, int sock)
{
	struct err e;

	keep_shares(p, sock);
	/* It holds none of the container's streams: whoever reads them waits for their end. */
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		(void)dup2(null, fd);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (vm_fs_prepare(&e) < 0 || vm_jail_files(&e) < 0)
		_exit(1);
	int rc = vm_fs_serve(sock, p->files, p->held, p->shares.items, p->shares.n, FILE_THREADS,
			     vm_jail_fs, &e);
	/* Why a restore can't be: the runtime waits for it. */
	if (rc < 0 && p->held >= 0)
		(void)sync_send_error(p->sync, &e);
	_exit(rc < 0);
}

static int start_files(const struct be_vm_parts *p, int *ret_sock, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, NULL, "making the file server's socket");
	pid_t pid = fork();
	if (pid == 0) {
		close(pair[0]);
		serve_files(p, pair[1]);
	}
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_sys(e, errno, NULL, "starting the file server");
	}
	*ret_sock = pair[0];
	return 0;
}

/* --- the machine --- */

static int stream_to_agent(void *arg, struct err *e)
{
	int fd = -1, rc = vm_monitor_connect(arg, &fd, e);

	return rc < 0 ? rc : fd;
}

static void boots(void *arg, const struct err *why)
{
	const struct process *w = arg;

	(void)sync_send_again(w->p->sync, why);
}

static void settled(void *arg)
{
	const struct process *w = arg;
	struct err ignored;

	(void)sync_send(w->p->sync, SYNC_READY, 0, -1, &ignored);
}

static void quiet(void *arg, bool is)
{
	vm_monitor_quiet(arg, is);
}

/* What an image's file system has in memory is written to it. An agent that doesn't answer keeps
 * the container's end waiting for so long, and no longer. */
static void release(struct vm_monitor *m)
{
	static const char request[] = "{\"verb\":\"release\"}";
	auto_fd fd = -1;
	struct err ignored;

	if (vm_monitor_connect(m, &fd, &ignored) < 0 ||
	    vm_frame_send(fd, request, sizeof(request) - 1, &ignored) < 0)
		return;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	(void)poll(&p, 1, RELEASE_MS);
}

/* Until the container is made. false: whoever made us is gone before it was done, or made a
 * container in a machine that is: so are we. */
static bool is_made(struct vm_monitor *m, int sync)
{
	struct sync_msg msg;
	struct err ignored;
	int rc;

	while ((rc = sync_recv(sync, &msg, NULL, &ignored)) > 0 && msg.type == SYNC_AGAIN)
		vm_monitor_give_up(m, msg.err.text);
	return rc > 0 && msg.type == SYNC_START && vm_monitor_settle(m, msg.value);
}

/* On the monitor's thread for it: the container's streams and its end. */
static int work(struct vm_monitor *m, void *arg)
{
	struct process *w = arg;
	int status = STATUS_LOST;

	if (!is_made(m, w->p->sync))
		return status;
	/* Nothing is made from here on: bytes are carried. */
	proc_shed_program();
	struct vm_relay r = {.open = stream_to_agent,
			     .arg = m,
			     .id = w->id,
			     .process = "init",
			     .stdio = {0, 1, 2},
			     .terminal = w->p->terminal,
			     .signals = w->signals,
			     .quiet = quiet,
			     .again = vm_monitor_again(m)};
	w->lost = vm_relay(&r, &status, &w->why) < 0;
	if (!w->lost && w->p->image.fd >= 0)
		release(m);
	return w->lost ? STATUS_LOST : status;
}

static int run(struct process *w, int files, int *ret_status, struct err *e)
{
	const struct be_vm_parts *p = w->p;
	const struct vm_blk_how disk = {
		.fd = p->image.fd, .qcow2 = p->image.qcow2, .read_only = p->image.read_only};
	struct vm_how how = {.kvm = p->kvm,
			     .kernel = p->kernel,
			     .program = p->program,
			     .agent = p->agent,
			     .files = files,
			     .control = p->control,
			     .log = p->log,
			     .from = w->from,
			     .to = w->to,
			     .kernel_name = p->shape->kernel,
			     .parameters = p->shape->parameters,
			     .acpi = p->modules >= 0,
			     .memory = p->shape->memory,
			     .vcpus = p->shape->vcpus,
			     .nets = w->cards,
			     .n_nets = w->n_cards,
			     .disks = &disk,
			     .n_disks = p->image.fd >= 0,
			     .work = work,
			     .boots = boots,
			     .settled = settled,
			     .arg = w};
	int keep[KEPT + BE_VM_CARDS] = {w->from,  w->to,     p->kvm,      p->kernel,   p->program,
					p->agent, p->log,    p->terminal, p->sync,     w->signals,
					files,    p->initrd, p->modules,  p->image.fd, p->control};

	for (size_t i = 0; i < w->n_cards; i++)
		keep[KEPT + i] = w->cards[i].tap;
	be_vm_close_others(keep, KEPT + w->n_cards);
	if (p->initrd >= 0)
		how.archives[how.n_archives++] = p->initrd;
	if (p->modules >= 0)
		how.archives[how.n_archives++] = p->modules;
	int rc = vm_jail(w->outside, e);
	if (rc >= 0)
		rc = vm_monitor_run(&how, ret_status, e);
	if (rc >= 0 && w->lost) {
		*e = w->why;
		rc = -e->code;
	}
	return rc;
}

void be_vm_last_words(int sync, int log, const struct err *e)
{
	char what[sizeof(e->where) + sizeof(e->text) + 4], line[sizeof(what) + 16];

	/* The log's last line is the guest's as long as somebody listens and reads it. */
	if (sync >= 0 && sync_send_error(sync, e) >= 0)
		return;
	int n = snprintf(line, sizeof(line), "ringfence: %s\n", err_line(e, what, sizeof(what)));
	if (log >= 0)
		(void)!write(log, line, (size_t)n);
}

_Noreturn void be_vm_process(struct rt_container *c, const struct be_vm_parts *p,
			     const struct plan *plan, const struct plan_env *env)
{
	struct process w = {.id = be_vm_inside(c), .p = p, .signals = -1, .from = -1, .to = -1};
	struct err e;
	int files = -1, status = STATUS_LOST;
	int64_t cards = 0;
	int rc = join_network(&w, &e);

	if (rc >= 0 && sync_expect(p->sync, SYNC_GO, &cards, NULL, &e) < 0)
		_exit(1);
	if (rc >= 0)
		rc = receive_cards(&w, cards, &e);
	if (rc >= 0)
		rc = receive_template(&w, &e);
	if (rc >= 0)
		rc = plan_run(plan, PLAN_ENTER, env, &e);
	if (rc >= 0)
		rc = streams(p, &e);
	if (rc >= 0)
		rc = forget(&w, c, &e);
	if (rc >= 0)
		rc = start_files(w.p, &files, &e);
	if (rc >= 0)
		rc = be_vm_signals(&w.signals, &e);
	if (rc >= 0)
		rc = run(&w, files, &status, &e);
	if (rc < 0)
		be_vm_last_words(p->sync, p->log, &e);
	be_vm_end_as(status);
}
