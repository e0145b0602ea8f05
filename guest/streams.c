/* guest/streams.c: bytes between a process's pipe or terminal and the connection that is attached.
 *
 * Invariants
 *  1. Nothing is read before what was read last has been written: a slow reader slows the writer.
 *  2. What the process wrote and a client that left didn't take goes to the next one.
 *  3. A descriptor that nothing is wanted of isn't in the loop: a hang-up would turn it for ever.
 */
#include "guest/agent.h"

#include "common/fd.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROUNDS 4 /* chunks before others have their turn */

enum carried {
	MORE,  /* a chunk went through */
	LATER, /* nothing there, or no room */
	OVER,  /* the source has ended */
	TORN,  /* the source is lost */
	DEAD,  /* the target takes no more */
};

static char chunk[GUEST_CHUNK];

static int put(int fd, const char *data, size_t len, size_t *done)
{
	while (*done < len) {
		ssize_t n = write(fd, data + *done, len - *done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? LATER : DEAD;
		*done += (size_t)n;
	}
	return MORE;
}

static void drop_rest(struct guest_rest *r)
{
	free(r->data);
	*r = (struct guest_rest){0};
}

/* (1) */
static int flush(struct guest_rest *r, int to)
{
	int rc = put(to, r->data, r->len, &r->off);

	if (rc == MORE)
		drop_rest(r);
	return rc;
}

static int keep(struct guest_rest *r, const char *data, size_t len, int rc)
{
	r->data = malloc(len);
	if (!r->data)
		return DEAD;
	memcpy(r->data, data, len);
	r->off = 0;
	r->len = len;
	return rc;
}

static int carry(int from, int to, struct guest_rest *r)
{
	int rc = flush(r, to);
	size_t done = 0;

	if (rc != MORE)
		return rc;
	ssize_t n = read(from, chunk, sizeof(chunk));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? LATER : TORN;
	if (n == 0)
		return OVER;
	rc = put(to, chunk, (size_t)n, &done);
	return rc == MORE ? MORE : keep(r, chunk + done, (size_t)n - done, rc);
}

static int carry_some(int from, int to, struct guest_rest *r)
{
	int rc = MORE;

	for (int i = 0; rc == MORE && i < ROUNDS; i++)
		rc = carry(from, to, r);
	return rc;
}

static struct vm_loop *loop_of(const struct guest_stream *s)
{
	return &s->proc->agent->loop;
}

static void detach(struct guest_stream *s)
{
	vm_loop_drop(loop_of(s), &s->conn_source);
	vm_loop_drop(loop_of(s), &s->inner_source);
	fd_close(&s->conn);
	if (!s->held)
		drop_rest(&s->rest_in);
	s->in_over = false;
}

static void finish(struct guest_stream *s)
{
	detach(s);
	drop_rest(&s->rest_out);
	fd_close(&s->inner);
	s->finished = true;
}

/* Another process may hold the other end for ever: what counts is that the pipe is empty. */
static bool all_read(const struct guest_stream *s)
{
	int n = 0;

	return s->proc->stage == GUEST_ENDED && !s->rest_out.len &&
	       ioctl(s->inner, FIONREAD, &n) == 0 && n == 0;
}

static void pump_out(struct guest_stream *s)
{
	int rc = carry_some(s->inner, s->conn, &s->rest_out);

	if (rc == OVER || rc == TORN || (rc != DEAD && all_read(s)))
		finish(s);
	else if (rc == DEAD)
		detach(s);
}

static void pump_in(struct guest_stream *s)
{
	int rc = s->in_over ? flush(&s->rest_in, s->inner)
			    : carry_some(s->conn, s->inner, &s->rest_in);

	if (rc == TORN && s->held) {
		detach(s);
		return;
	}
	if (rc == OVER || rc == TORN)
		s->in_over = true;
	if (rc == DEAD && s->out) /* a terminal that was hung up: reading it will say so */
		drop_rest(&s->rest_in);
	else if (!s->out && (rc == DEAD || (s->in_over && !s->rest_in.len)))
		finish(s);
}

/* (3) */
static int watch(struct guest_stream *s, struct vm_source *source, int fd, uint32_t events,
		 struct err *e)
{
	if (source->fd >= 0 && events)
		return vm_loop_change(loop_of(s), source, events, e);
	if (source->fd >= 0) {
		vm_loop_drop(loop_of(s), source);
		return 0;
	}
	if (!events)
		return 0;
	source->fd = fd;
	int rc = vm_loop_add(loop_of(s), source, events, e);
	if (rc < 0)
		source->fd = -1;
	return rc;
}

static void watch_both(struct guest_stream *s)
{
	uint32_t inner = 0, conn = s->in ? 0 : EPOLLRDHUP;
	struct err ignored;

	if (s->conn < 0)
		return;
	if (s->out && s->rest_out.len)
		conn |= EPOLLOUT;
	else if (s->out)
		inner |= EPOLLIN;
	if (s->in && s->rest_in.len)
		inner |= EPOLLOUT;
	else if (s->in && !s->in_over)
		conn |= EPOLLIN;
	if (watch(s, &s->inner_source, s->inner, inner, &ignored) < 0 ||
	    watch(s, &s->conn_source, s->conn, conn, &ignored) < 0)
		detach(s);
}

static void pump(struct guest_stream *s)
{
	if (s->conn >= 0 && s->out)
		pump_out(s);
	if (s->conn >= 0 && s->in)
		pump_in(s);
	watch_both(s);
}

static void inner_ready(struct vm_source *source, uint32_t events)
{
	struct guest_stream *s = source->arg;

	(void)events;
	pump(s);
	guest_proc_settle(s->proc);
}

/* A client of an output stream has nothing to say: its half-close means that it has left. */
static void conn_ready(struct vm_source *source, uint32_t events)
{
	struct guest_stream *s = source->arg;

	if (!s->in && events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		detach(s);
	else
		pump(s);
	guest_proc_settle(s->proc);
}

static int nonblocking(int fd, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, NULL, "preparing a stream");
	return 0;
}

void guest_stream_init(struct guest_stream *s, struct guest_proc *p)
{
	*s = (struct guest_stream){
		.proc = p,
		.inner = -1,
		.conn = -1,
		.inner_source = {.fd = -1, .ready = inner_ready, .arg = s},
		.conn_source = {.fd = -1, .ready = conn_ready, .arg = s},
	};
}

int guest_stream_inner(struct guest_stream *s, int fd, bool in, bool out, struct err *e)
{
	auto_fd own = fd;
	int rc = s->inner >= 0 ? err_set(e, ERR_INTERNAL, EEXIST, NULL, "the stream is there")
			       : nonblocking(own, e);

	if (rc < 0)
		return rc;
	s->inner = take_fd(&own);
	s->in = in;
	s->out = out;
	return 0;
}

/* A terminal whose client has sent all and reads no more may not be told from one that has left. */
static bool taken(const struct guest_stream *s)
{
	return s->conn >= 0 && !(s->out && s->in_over);
}

int guest_stream_attach(struct guest_stream *s, int conn, struct err *e)
{
	if (taken(s) && !s->held)
		return err_set(e, ERR_STATE, EBUSY, s->proc->id,
			       "somebody is attached to the stream already");
	if (s->inner < 0 && !s->finished)
		return err_set(e, ERR_NOTFOUND, ENOENT, s->proc->id, "there is no such stream");
	int rc = nonblocking(conn, e);
	if (rc == 0)
		rc = vm_answer_ok(conn, "", e);
	if (rc < 0)
		return rc;
	detach(s);
	s->held = false;
	s->conn = conn;
	if (s->finished) /* it is over, as its client sees at once */
		detach(s);
	else
		pump(s);
	return 0;
}

void guest_stream_hold(struct guest_stream *s, bool hold)
{
	s->held = hold;
	if (hold && s->out)
		detach(s);
}

void guest_stream_end(struct guest_stream *s)
{
	if (s->in && !s->out) /* nobody is left to read it */
		finish(s);
	else
		pump(s);
}

void guest_stream_close(struct guest_stream *s)
{
	finish(s);
}

bool guest_stream_busy(const struct guest_stream *s)
{
	return s->conn >= 0;
}

void guest_stream_free(struct guest_stream *s)
{
	finish(s);
}
