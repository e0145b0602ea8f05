/* guest/processes.c: the processes that were started here, how they ended, and who waits for it.
 *
 * Invariants
 *  1. A container's first process is remembered until the container is deleted; another one until
 *     somebody has its status and nobody is attached to its streams.
 *  2. No pid of a process that isn't reaped yet is anybody else's, so it is signalled by its pid.
 *  3. Whoever learns that the container ended may end the machine. So those who tell of memory that
 *     ran out, and end by themselves now, are waited for; and who is starting it, and may have to
 *     say why it ended.
 */
#include "guest/agent.h"

#include "common/fd.h"
#include "common/str.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct guest_proc *guest_proc_find(struct guest_agent *a, const char *id, uint32_t token)
{
	for (struct guest_proc *p = a->procs; p; p = p->next)
		if (!p->forgotten && p->token == token && str_eq(p->id, id))
			return p;
	return NULL;
}

struct guest_proc *guest_proc_by_pid(struct guest_agent *a, pid_t pid)
{
	for (struct guest_proc *p = a->procs; p; p = p->next)
		if (p->stage == GUEST_LIVE && p->pid == pid)
			return p;
	return NULL;
}

static bool busy(const struct guest_proc *p)
{
	for (size_t i = 0; i < 3; i++)
		if (guest_stream_busy(&p->streams[i]))
			return true;
	return p->waiters != NULL;
}

/* Of those whose status nobody fetched, the oldest has to go. */
static int make_room(struct guest_agent *a, struct err *e)
{
	struct guest_proc *oldest = NULL;

	if (a->n_procs < GUEST_PROCS_MAX)
		return 0;
	for (struct guest_proc *p = a->procs; p; p = p->next)
		if (p->token && p->stage == GUEST_ENDED && !busy(p))
			oldest = p;
	if (!oldest)
		return err_set(e, ERR_SYSTEM, EAGAIN, NULL, "%u processes are there already",
			       GUEST_PROCS_MAX);
	guest_proc_free(oldest);
	return 0;
}

static int may_reserve(struct guest_agent *a, const struct guest_ask *ask, struct err *e)
{
	const struct guest_proc *first = guest_proc_find(a, ask->id, 0);

	if (ask->token && (!first || first->stage == GUEST_RESERVED))
		return err_set(e, ERR_NOTFOUND, ENOENT, ask->id, "container does not exist");
	if (!ask->token && first)
		return err_set(e, ERR_EXISTS, EEXIST, ask->id,
			       "container with given ID already exists");
	return make_room(a, e);
}

int guest_proc_reserve(struct guest_agent *a, const struct guest_ask *ask,
		       struct guest_proc **ret_proc, struct err *e)
{
	int rc = may_reserve(a, ask, e);

	if (rc < 0)
		return rc;
	struct guest_proc *p = calloc(1, sizeof(*p));
	char *id = strdup(ask->id);
	if (!p || !id) {
		free(p);
		free(id);
		return err_sys(e, ENOMEM, ask->id, "remembering a process");
	}
	p->agent = a;
	p->id = id;
	p->terminal = ask->terminal;
	p->token = ask->token ? ++a->last_token : 0;
	for (size_t i = 0; i < 3; i++)
		guest_stream_init(&p->streams[i], p);
	p->next = a->procs;
	a->procs = p;
	a->n_procs++;
	*ret_proc = p;
	return 0;
}

static void drop_waiter(struct guest_waiter *w)
{
	struct guest_waiter **at = &w->proc->waiters;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	vm_loop_drop(&w->proc->agent->loop, &w->source);
	fd_close(&w->conn);
	free(w);
}

void guest_proc_free(struct guest_proc *p)
{
	struct guest_proc **at = &p->agent->procs;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	p->agent->n_procs--;
	while (p->waiters)
		drop_waiter(p->waiters);
	for (size_t i = 0; i < 3; i++)
		guest_stream_free(&p->streams[i]);
	free(p->id);
	free(p);
}

/* (1) */
void guest_proc_settle(struct guest_proc *p)
{
	if (p->stage != GUEST_ENDED || busy(p))
		return;
	if (p->forgotten || (p->token && p->told))
		guest_proc_free(p);
}

/* A client that takes no forty bytes doesn't want them. */
static void tell(struct guest_proc *p, int conn)
{
	struct err ignored;
	char text[32];

	snprintf(text, sizeof(text), "\"status\":%d", p->status);
	if (vm_answer_ok(conn, text, &ignored) >= 0)
		p->told = true;
}

/* The client has left. One that stood for the process on the host was ended: so is the process. */
static void waiter_ready(struct vm_source *source, uint32_t events)
{
	struct guest_waiter *w = source->arg;
	struct guest_proc *p = w->proc;

	(void)events;
	if (w->holds && p->stage == GUEST_LIVE)
		(void)kill(p->pid, SIGKILL);
	drop_waiter(w);
	guest_proc_settle(p);
}

static int add_waiter(struct guest_proc *p, int conn, bool holds, struct err *e)
{
	struct guest_waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return err_sys(e, ENOMEM, p->id, "waiting for the process");
	*w = (struct guest_waiter){.proc = p,
				   .conn = conn,
				   .holds = holds,
				   .source = {.fd = conn, .ready = waiter_ready, .arg = w}};
	int rc = vm_loop_add(&p->agent->loop, &w->source, EPOLLRDHUP, e);
	if (rc < 0) {
		free(w);
		return rc;
	}
	w->next = p->waiters;
	p->waiters = w;
	return 0;
}

int guest_proc_wait(struct guest_proc *p, int conn, bool holds, struct err *e)
{
	auto_fd own = -1;
	int flags = fcntl(conn, F_GETFL);

	if (flags < 0 || fcntl(conn, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, p->id, "waiting for the process");
	if (p->stage != GUEST_ENDED || p->held)
		return add_waiter(p, conn, holds, e);
	own = conn;
	tell(p, own);
	return 0;
}

static void tell_all(struct guest_proc *p)
{
	while (p->waiters) {
		tell(p, p->waiters->conn);
		drop_waiter(p->waiters);
	}
}

static bool has_last_word(const struct guest_agent *a, const char *id)
{
	for (const struct guest_worker *w = a->workers; w; w = w->next)
		if (str_eq(w->last_word, id))
			return true;
	return false;
}

/* (3) */
void guest_proc_ended(struct guest_proc *p, int status)
{
	p->stage = GUEST_ENDED;
	p->status = status;
	p->held = !p->token && has_last_word(p->agent, p->id);
	if (!p->held)
		tell_all(p);
	for (size_t i = 0; i < 3; i++)
		guest_stream_end(&p->streams[i]);
	guest_proc_settle(p);
}

void guest_proc_release(struct guest_agent *a, const char *id)
{
	struct guest_proc *p = guest_proc_find(a, id, 0);

	if (!p || !p->held || has_last_word(a, id))
		return;
	p->held = false;
	tell_all(p);
	guest_proc_settle(p);
}

void guest_proc_forget(struct guest_agent *a, const char *id)
{
	struct guest_proc *next;

	for (struct guest_proc *p = a->procs; p; p = next) {
		next = p->next;
		if (p->forgotten || p->stage == GUEST_RESERVED || !str_eq(p->id, id))
			continue;
		p->forgotten = true;
		guest_proc_settle(p);
	}
}
