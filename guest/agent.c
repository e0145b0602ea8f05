/* guest/agent.c: the agent's loop: connections become workers, ended children are reaped.
 *
 * Invariants: those of agent.h, and
 *  1. A worker's place is given up when it was reaped, not when its link closes: a process that
 *     waits for its start keeps a copy of that.
 */
#include "guest/agent.h"

#include "common/fd.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void free_worker(struct guest_worker *w)
{
	struct guest_worker **at = &w->agent->workers;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	if (w->follow)
		w->agent->n_followers--;
	else
		w->agent->n_workers--;
	if (w->making)
		guest_proc_free(w->making);
	vm_loop_drop(&w->agent->loop, &w->link_source);
	vm_loop_drop(&w->agent->loop, &w->conn_source);
	fd_close(&w->link);
	fd_close(&w->conn);
	if (w->last_word)
		guest_proc_release(w->agent, w->last_word);
	free(w->last_word);
	free(w);
}

static void accept_more(struct guest_agent *a)
{
	struct err ignored;

	(void)vm_loop_change(&a->loop, &a->listen_source,
			     a->n_workers < GUEST_WORKERS_MAX ? EPOLLIN : 0, &ignored);
}

/* Its client would otherwise take the end of the connection for the host's trouble. */
static void worker_ended(struct guest_worker *w, int status)
{
	struct guest_agent *a = w->agent;
	struct err died, ignored;

	guest_asks(w);
	if (w->conn >= 0 && WIFSIGNALED(status) && !w->follow) {
		err_set(&died, ERR_INTERNAL, EIO, NULL, "the agent's worker was ended by signal %d",
			WTERMSIG(status));
		(void)vm_answer_error(w->conn, &died, &ignored);
	}
	free_worker(w);
	accept_more(a);
}

static struct guest_worker *worker_by_pid(struct guest_agent *a, pid_t pid)
{
	struct guest_worker *w = a->workers;

	while (w && w->pid != pid)
		w = w->next;
	return w;
}

/* Its worker's COMMIT may still lie in the link. */
static struct guest_proc *proc_by_pid(struct guest_agent *a, pid_t pid)
{
	struct guest_proc *p = guest_proc_by_pid(a, pid);

	for (struct guest_worker *w = a->workers; w && !p; w = w->next) {
		guest_asks(w);
		p = guest_proc_by_pid(a, pid);
	}
	return p;
}

static void reap(struct guest_agent *a)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct guest_worker *w = worker_by_pid(a, pid);
		struct guest_proc *p = w ? NULL : proc_by_pid(a, pid);

		if (w)
			worker_ended(w, status);
		else if (p)
			guest_proc_ended(p, status);
	}
}

static void signal_ready(struct vm_source *s, uint32_t events)
{
	struct guest_agent *a = s->arg;
	struct signalfd_siginfo info;

	(void)events;
	while (read(a->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	reap(a);
}

static void link_ready(struct vm_source *s, uint32_t events)
{
	struct guest_worker *w = s->arg;

	(void)events;
	guest_asks(w);
	accept_more(w->agent); /* it may have become a follower */
}

/* In the child: what the agent ignores or blocks mustn't reach a container's process. */
static _Noreturn void be_worker(struct guest_agent *a, int conn, int link)
{
	sigset_t none;

	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	guest_work(a->place, conn, link);
}

/* Takes conn and link where it succeeds. */
static int add_worker(struct guest_agent *a, pid_t pid, int *conn, int *link, struct err *e)
{
	struct guest_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return err_sys(e, ENOMEM, NULL, "serving a connection");
	*w = (struct guest_worker){.agent = a,
				   .pid = pid,
				   .conn = -1,
				   .link = -1,
				   .link_source = {.fd = *link, .ready = link_ready, .arg = w},
				   .conn_source = {.fd = -1}};
	int rc = vm_loop_add(&a->loop, &w->link_source, EPOLLIN, e);
	if (rc < 0) {
		free(w);
		return rc;
	}
	w->conn = take_fd(conn);
	w->link = take_fd(link);
	w->next = a->workers;
	a->workers = w;
	a->n_workers++;
	return 0;
}

/* The worker's end of the pair blocks, ours doesn't. */
static int make_link(int *ret_ours, int *ret_theirs, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, NULL, "making a worker's link");
	*ret_ours = pair[0];
	*ret_theirs = pair[1];
	if (fcntl(pair[0], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_sys(e, errno, NULL, "making a worker's link");
	return 0;
}

static int serve(struct guest_agent *a, int *conn, struct err *e)
{
	auto_fd ours = -1, theirs = -1;
	int rc = make_link(&ours, &theirs, e);

	if (rc < 0)
		return rc;
	pid_t pid = fork();
	if (pid < 0)
		return err_sys(e, errno, NULL, "starting a worker");
	if (pid == 0)
		be_worker(a, *conn, theirs);
	rc = add_worker(a, pid, conn, &ours, e);
	if (rc < 0)
		(void)kill(pid, SIGKILL);
	return rc;
}

/* Every process in the guest can make a vsock socket, whatever its namespaces (vsock(7)): of those
 * only the host is listened to. */
static bool is_host(int conn)
{
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	struct sockaddr_vm vm;

	if (getpeername(conn, (struct sockaddr *)&peer, &len) < 0)
		return false;
	memcpy(&vm, &peer, sizeof(vm));
	return peer.ss_family == AF_UNIX ||
	       (peer.ss_family == AF_VSOCK && vm.svm_cid == VMADDR_CID_HOST);
}

static void listen_ready(struct vm_source *s, uint32_t events)
{
	struct guest_agent *a = s->arg;
	struct err why, ignored;
	auto_fd conn = accept4(a->listen, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (conn < 0 || !is_host(conn))
		return;
	if (serve(a, &conn, &why) < 0 && conn >= 0)
		(void)vm_answer_error(conn, &why, &ignored);
	accept_more(a);
}

static int open_signals(struct guest_agent *a, struct err *e)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	(void)signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    sigprocmask(SIG_BLOCK, &child, NULL) < 0)
		return err_sys(e, errno, NULL, "becoming the reaper of orphans");
	a->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	return a->signals < 0 ? err_sys(e, errno, NULL, "listening to signals") : 0;
}

static int prepare(struct guest_agent *a, struct err *e)
{
	int rc = vm_loop_init(&a->loop, e);

	if (rc >= 0)
		rc = open_signals(a, e);
	if (rc < 0)
		return rc;
	a->listen_source = (struct vm_source){.fd = a->listen, .ready = listen_ready, .arg = a};
	a->signal_source = (struct vm_source){.fd = a->signals, .ready = signal_ready, .arg = a};
	rc = vm_loop_add(&a->loop, &a->listen_source, EPOLLIN, e);
	return rc < 0 ? rc : vm_loop_add(&a->loop, &a->signal_source, EPOLLIN, e);
}

int guest_serve(int listen, const struct guest_place *place, struct err *e)
{
	static struct guest_agent a;
	int flags = fcntl(listen, F_GETFL);

	a = (struct guest_agent){.place = place, .listen = listen, .signals = -1};
	/* A client may have left between the event and the accept. */
	if (flags < 0 || fcntl(listen, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, NULL, "preparing to listen");
	int rc = prepare(&a, e);
	return rc < 0 ? rc : vm_loop_run(&a.loop, e);
}
