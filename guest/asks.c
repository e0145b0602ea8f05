/* guest/asks.c: what workers ask of the agent over the link, one function each.
 *
 * Invariant: each ask but LEND is answered by one struct guest_reply; LEND's carries a descriptor.
 */
#include "guest/agent.h"

#include "common/fd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

struct turn {
	struct guest_worker *w;
	struct guest_ask ask;
	int fd; /* came with it; -1: none */
	struct guest_reply reply;
	int give;                  /* descriptor that goes with the reply, borrowed; -1: none */
	struct guest_proc *settle; /* may be freed after the reply was made */
};

static int find(struct turn *t, struct guest_proc **ret_proc, struct err *e)
{
	struct guest_proc *p = guest_proc_find(t->w->agent, t->ask.id, t->ask.token);

	if (!p || p->stage == GUEST_RESERVED)
		return err_set(e, ERR_NOTFOUND, ENOENT, t->ask.id,
			       t->ask.token ? "no such process" : "container does not exist");
	*ret_proc = p;
	return 0;
}

static int reserve(struct turn *t, struct err *e)
{
	if (t->w->making)
		return err_set(e, ERR_INTERNAL, EEXIST, NULL, "one process a request");
	int rc = guest_proc_reserve(t->w->agent, &t->ask, &t->w->making, e);
	if (rc == 0)
		t->reply.token = t->w->making->token;
	return rc;
}

static int give_stream(struct turn *t, struct err *e)
{
	struct guest_proc *p = t->w->making;

	if (!p || t->ask.n < 0 || t->ask.n > 2 || t->fd < 0)
		return err_set(e, ERR_INTERNAL, EINVAL, NULL, "a stream of no process");
	bool in = t->ask.n == 0;
	return guest_stream_inner(&p->streams[t->ask.n], take_fd(&t->fd), in, !in, e);
}

static int commit(struct turn *t, struct err *e)
{
	struct guest_proc *p = t->w->making;
	int rc = 0;

	if (!p || t->ask.pid <= 0 || p->terminal != (t->fd >= 0))
		return err_set(e, ERR_INTERNAL, EINVAL, NULL, "no process to be remembered");
	if (p->terminal)
		rc = guest_stream_inner(&p->streams[0], take_fd(&t->fd), true, true, e);
	if (rc < 0)
		return rc;
	p->pid = t->ask.pid;
	p->stage = GUEST_LIVE;
	t->w->making = NULL;
	return 0;
}

static int cancel(struct turn *t, struct err *e)
{
	(void)e;
	if (t->w->making)
		guest_proc_free(t->w->making);
	t->w->making = NULL;
	return 0;
}

static int lend(struct turn *t, struct err *e)
{
	if (t->w->conn < 0)
		return err_set(e, ERR_INTERNAL, EBADF, NULL, "the connection is another's now");
	t->give = t->w->conn;
	return 0;
}

static int io(struct turn *t, struct err *e)
{
	struct guest_proc *p = NULL;
	int rc = find(t, &p, e);

	if (rc == 0 && (t->ask.n < 0 || t->ask.n > 2))
		rc = err_set(e, ERR_USAGE, EINVAL, "fd", "must be 0, 1 or 2");
	if (rc == 0)
		rc = guest_stream_attach(&p->streams[t->ask.n], t->w->conn, e);
	if (rc == 0) {
		t->w->conn = -1;
		t->settle = p;
	}
	return rc;
}

static int close_stream(struct turn *t, struct err *e)
{
	struct guest_proc *p = NULL;
	int rc = find(t, &p, e);

	if (rc == 0 && (t->ask.n < 0 || t->ask.n > 2))
		rc = err_set(e, ERR_USAGE, EINVAL, "fd", "must be 0, 1 or 2");
	if (rc < 0)
		return rc;
	guest_stream_close(&p->streams[t->ask.n]);
	t->settle = p;
	return 0;
}

static int hold(struct turn *t, struct err *e)
{
	struct guest_proc *p = NULL;
	int rc = find(t, &p, e);

	for (int i = 0; rc == 0 && i < 3; i++)
		guest_stream_hold(&p->streams[i], t->ask.n == 1);
	return rc;
}

static int wait_for(struct turn *t, struct err *e)
{
	struct guest_proc *p = NULL;
	int rc = find(t, &p, e);

	if (rc == 0)
		rc = guest_proc_wait(p, t->w->conn, t->ask.n == 1, e);
	if (rc == 0) {
		t->w->conn = -1;
		t->settle = p;
	}
	return rc;
}

static int send_signal(struct turn *t, struct err *e)
{
	struct guest_proc *p = NULL;
	int rc = find(t, &p, e);

	if (rc < 0)
		return rc;
	if (p->stage == GUEST_ENDED)
		return err_set(e, ERR_STATE, ESRCH, t->ask.id, "no such process");
	if (kill(p->pid, t->ask.n) < 0)
		return err_sys(e, errno, t->ask.id, "sending signal %d", t->ask.n);
	return 0;
}

static int winsize(struct turn *t, struct err *e)
{
	const struct winsize w = {.ws_row = t->ask.rows, .ws_col = t->ask.columns};
	struct guest_proc *p = NULL;
	int rc = find(t, &p, e);

	if (rc < 0)
		return rc;
	if (!p->terminal)
		return err_set(e, ERR_STATE, ENOTTY, t->ask.id, "the process has no terminal");
	if (p->streams[0].inner < 0) /* hung up: nobody is left to be told */
		return 0;
	if (ioctl(p->streams[0].inner, TIOCSWINSZ, &w) < 0)
		return err_sys(e, errno, t->ask.id, "setting the terminal's size");
	return 0;
}

static int forget(struct turn *t, struct err *e)
{
	(void)e;
	guest_proc_forget(t->w->agent, t->ask.id);
	return 0;
}

static void client_left(struct vm_source *source, uint32_t events)
{
	struct guest_worker *w = source->arg;

	(void)events;
	vm_loop_drop(&w->agent->loop, source);
	(void)kill(w->pid, SIGKILL);
}

static int last_word(struct turn *t, struct err *e)
{
	char *id = strdup(t->ask.id);

	if (!id)
		return err_sys(e, ENOMEM, t->ask.id, "waiting for the worker's last word");
	free(t->w->last_word);
	t->w->last_word = id;
	return 0;
}

static int follow(struct turn *t, struct err *e)
{
	struct guest_worker *w = t->w;

	if (w->conn < 0 || w->follow)
		return err_set(e, ERR_INTERNAL, EINVAL, NULL, "nobody to follow");
	if (w->agent->n_followers >= GUEST_FOLLOWERS_MAX)
		return err_set(e, ERR_SYSTEM, EAGAIN, NULL, "%u clients follow events already",
			       GUEST_FOLLOWERS_MAX);
	int rc = t->ask.n ? last_word(t, e) : 0;
	if (rc < 0)
		return rc;
	w->conn_source = (struct vm_source){.fd = w->conn, .ready = client_left, .arg = w};
	rc = vm_loop_add(&w->agent->loop, &w->conn_source, EPOLLRDHUP, e);
	if (rc < 0) {
		w->conn_source.fd = -1;
		return rc;
	}
	w->follow = true;
	w->agent->n_workers--;
	w->agent->n_followers++;
	return 0;
}

static int (*const functions[])(struct turn *t, struct err *e) = {
	[GUEST_RESERVE] = reserve, [GUEST_STREAM] = give_stream, [GUEST_COMMIT] = commit,
	[GUEST_CANCEL] = cancel,   [GUEST_LEND] = lend,          [GUEST_IO] = io,
	[GUEST_WAIT] = wait_for,   [GUEST_SIGNAL] = send_signal, [GUEST_WINSIZE] = winsize,
	[GUEST_HOLD] = hold,       [GUEST_CLOSE] = close_stream, [GUEST_FORGET] = forget,
	[GUEST_LAST] = last_word,  [GUEST_FOLLOW] = follow,
};

static void answer(struct turn *t)
{
	struct err e = {0}, ignored;
	int rc = -EPROTO;

	if ((size_t)t->ask.what < sizeof(functions) / sizeof(functions[0]))
		rc = functions[t->ask.what](t, &e);
	else
		err_set(&e, ERR_INTERNAL, EPROTO, NULL, "unknown ask");
	if (rc < 0)
		t->reply.err = e;
	/* A worker that isn't there any more needs no answer. */
	(void)fd_send(t->w->link, t->give, &t->reply, sizeof(t->reply), &ignored);
	if (t->settle)
		guest_proc_settle(t->settle);
}

void guest_asks(struct guest_worker *w)
{
	for (;;) {
		struct turn t = {.w = w, .fd = -1, .give = -1};
		struct err ignored;
		int n = fd_recv(w->link, &t.ask, sizeof(t.ask), &t.fd, &ignored);

		if (n == (int)sizeof(t.ask)) {
			t.ask.id[GUEST_ID_MAX] = '\0';
			answer(&t);
		}
		fd_close(&t.fd);
		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			vm_loop_drop(&w->agent->loop, &w->link_source);
			return;
		}
	}
}
