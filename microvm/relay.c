/* microvm/relay.c: see relay.h. One poll(2) loop over all ends.
 *
 * In what order: the io streams are asked for at once; when all are answered, `wait` is. So no
 * status can be had, and the process forgotten, before its streams are in our hands.
 *
 * Invariants
 *  1. Host descriptors may block: they are read and written only when poll said so, and no more at
 *     once than what cannot block then (pipe(7): PIPE_BUF). Our own streams don't block.
 *  2. A descriptor that nothing is wanted of isn't polled: a hang-up would be told for ever.
 */
#include "microvm/relay.h"

#include "common/fd.h"
#include "microvm/devices.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 65536u
#define TTY_CHUNK 1024u
#define CALLS 8u /* signals and sizes under way; more wait in the descriptor that brings them */

struct call { /* one frame out, one frame back */
	int sock;
	struct vm_frame answer;
};

struct flow {         /* one direction */
	int host;     /* -1: no such direction */
	size_t piece; /* the most that is written to the host at once; 0: a socket, which says
			 itself */
	bool ended;   /* the source has */
	bool dead;    /* the target takes no more */
	size_t at, len;
	char *buf;
};

struct channel { /* one io stream */
	struct call ask;
	bool open; /* the agent agreed: bytes from now on */
	bool told; /* our end of file is passed on */
	bool hung; /* `close` was asked: the host's side is gone for good */
	struct flow in, out;
};

enum { SOCK, FROM, TO, EACH }; /* what is polled of a channel */
enum { WAIT = 3 * EACH, SIGNALS, AGAIN, FIRST_CALL, N_POLLS = FIRST_CALL + CALLS };

struct relay {
	const struct vm_relay *how;
	struct channel channels[3];
	struct call wait, calls[CALLS];
	bool waiting; /* `wait` was sent */
	bool answered;
	bool quiet; /* as it was told last */
	int status;
	int signals; /* as how->signals, -1 when nothing comes any more */
	int failed;  /* the first thing that did, see err */
	struct err err;
	struct pollfd polls[N_POLLS];
	/* Here, so that all is one mapping of its own: the C library trims a thread's heap by
	 * calls that the monitor's thread mustn't make. */
	char bufs[4][CHUNK];
};

static void call_end(struct call *c)
{
	fd_close(&c->sock);
	vm_frame_free(&c->answer);
}

/* Sends a request on a stream of its own. */
static int call_begin(struct relay *r, struct call *c, const struct strbuf *text, struct err *e)
{
	int rc;

	if (text->failed)
		return err_sys(e, ENOMEM, r->how->id, "asking the guest's agent");
	c->sock = r->how->open(r->how->arg, e);
	if (c->sock < 0)
		return c->sock;
	rc = vm_frame_send(c->sock, text->s, text->len, e);
	if (rc >= 0 && fcntl(c->sock, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		rc = err_sys(e, errno, r->how->id, "preparing a stream");
	if (rc < 0)
		call_end(c);
	return rc;
}

/* A request's text up to what is its own. */
static void request(struct relay *r, struct json_out *o, struct strbuf *b, const char *verb)
{
	json_out_init(o, b, NULL);
	json_obj_open(o, NULL);
	json_put_str(o, "verb", verb);
	json_put_str(o, "id", r->how->id);
	json_put_str(o, "process", r->how->process);
}

/* 1 with the answer, 0 when it isn't whole yet, or the error that it is. */
static int call_more(struct call *c, struct arena *a, const struct json **ret_ok, struct err *e)
{
	struct json *answer;
	int rc = vm_frame_more(c->sock, &c->answer, e);

	if (rc <= 0)
		return rc;
	rc = vm_frame_parse(&c->answer, a, &answer, e);
	if (rc >= 0)
		rc = vm_answer_read(answer, ret_ok, e);
	return rc < 0 ? rc : 1;
}

static void fail(struct relay *r, int rc, const struct err *e)
{
	if (!r->failed) {
		r->failed = rc;
		r->err = *e;
	}
}

/* Signals and window sizes. */

static struct call *free_call(struct relay *r)
{
	for (unsigned i = 0; i < CALLS; i++)
		if (r->calls[i].sock < 0)
			return &r->calls[i];
	return NULL;
}

/* A request whose answer changes nothing for us: the process may have ended meanwhile. */
static void say(struct relay *r, struct json_out *o)
{
	struct call *c = free_call(r);
	struct err ignored;

	json_obj_close(o);
	if (c)
		(void)call_begin(r, c, o->b, &ignored);
}

static void say_size(struct relay *r)
{
	auto_strbuf b = {0};
	struct json_out o;
	struct winsize w;

	if (r->how->terminal < 0 || ioctl(r->how->terminal, TIOCGWINSZ, &w) < 0 ||
	    !(w.ws_row || w.ws_col))
		return;
	request(r, &o, &b, "winsize");
	json_put_u64(&o, "rows", w.ws_row);
	json_put_u64(&o, "columns", w.ws_col);
	say(r, &o);
}

static void say_signal(struct relay *r, uint32_t signal)
{
	auto_strbuf b = {0};
	struct json_out o;

	request(r, &o, &b, "signal");
	json_put_u64(&o, "signal", signal);
	say(r, &o);
}

/* The host's side of a stream is gone: the process is to meet what it would meet without us, a pipe
 * without reader, a terminal that was hung up. */
static void say_close(struct relay *r, unsigned n)
{
	auto_strbuf b = {0};
	struct json_out o;

	request(r, &o, &b, "close");
	json_put_u64(&o, "fd", n);
	say(r, &o);
}

static void take_signal(struct relay *r)
{
	struct signalfd_siginfo info;
	ssize_t n = read(r->signals, &info, sizeof(info));

	if (n == 0) /* a pipe whose writer has gone */
		r->signals = -1;
	if (n != sizeof(info))
		return;
	if (info.ssi_signo == SIGPIPE && info.ssi_pid == (uint32_t)getpid())
		return; /* our own, of an output without a reader */
	if (info.ssi_signo == SIGWINCH)
		say_size(r);
	else
		say_signal(r, info.ssi_signo);
}

static void take_answers(struct relay *r)
{
	for (unsigned i = 0; i < CALLS; i++) {
		auto_arena a = {0};
		const struct json *ok;
		struct err ignored;

		if (r->polls[FIRST_CALL + i].revents &&
		    call_more(&r->calls[i], &a, &ok, &ignored) != 0)
			call_end(&r->calls[i]);
	}
}

/* Streams. */

/* Asked without fstat(2), which the monitor's thread for this mustn't call. */
static size_t piece_of(int fd)
{
	struct winsize w;
	char c;

	if (fcntl(fd, F_GETPIPE_SZ) >= 0)
		return PIPE_BUF;
	if (ioctl(fd, TIOCGWINSZ, &w) == 0)
		return TTY_CHUNK;
	return recv(fd, &c, 0, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == ENOTSOCK ? CHUNK : 0;
}

static void flow_init(struct flow *f, int host, char *buf)
{
	f->host = host;
	f->buf = buf;
	if (host >= 0)
		f->piece = piece_of(host);
}

static int channel_ask(struct relay *r, unsigned n, struct err *e)
{
	auto_strbuf b = {0};
	struct json_out o;

	request(r, &o, &b, "io");
	json_put_u64(&o, "fd", n);
	json_obj_close(&o);
	return call_begin(r, &r->channels[n].ask, &b, e);
}

static int channel_init(struct relay *r, unsigned n, int from, int to, struct err *e)
{
	struct channel *c = &r->channels[n];

	flow_init(&c->in, from, r->bufs[3]); /* only one channel has an input */
	flow_init(&c->out, to, r->bufs[n]);
	return from < 0 && to < 0 ? 0 : channel_ask(r, n, e);
}

/* All of the channel is over. */
static void channel_end(struct channel *c)
{
	call_end(&c->ask);
	c->in.dead = true;
	c->out.ended = true;
}

static void take_agreement(struct relay *r, struct channel *c)
{
	auto_arena a = {0};
	const struct json *ok;
	struct err e;
	int rc = call_more(&c->ask, &a, &ok, &e);

	if (rc < 0) {
		fail(r, rc, &e);
		channel_end(c);
	}
	c->open = rc > 0;
}

static bool wants_source(const struct flow *f)
{
	return f->host >= 0 && !f->ended && !f->len;
}

static bool wants_target(const struct flow *f)
{
	return f->host >= 0 && f->len && !f->dead;
}

/* Is an attempt over for good? */
static bool over(ssize_t n)
{
	return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

static void take(struct flow *f, int fd, size_t piece)
{
	ssize_t n = read(fd, f->buf, piece);

	if (n == 0 || over(n)) /* a terminal's hang-up is EIO, a stream's reset its end too */
		f->ended = true;
	f->at = 0;
	f->len = n > 0 && !f->dead ? (size_t)n : 0;
}

/* After a write to the target. */
static void given(struct flow *f, ssize_t n)
{
	if (over(n)) {
		f->dead = true;
		f->len = 0;
	} else if (n > 0) {
		f->at += (size_t)n;
		f->len -= (size_t)n;
	}
}

static void give_host(struct flow *f)
{
	const char *from = f->buf + f->at;

	if (f->piece)
		given(f, write(f->host, from, f->len < f->piece ? f->len : f->piece));
	else
		given(f, send(f->host, from, f->len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static void give_guest(struct channel *c)
{
	struct flow *f = &c->in;

	if (wants_target(f))
		given(f, send(c->ask.sock, f->buf + f->at, f->len, MSG_NOSIGNAL));
	if (f->host >= 0 && f->ended && !f->len && !f->dead && !c->told)
		c->told = shutdown(c->ask.sock, SHUT_WR) == 0;
}

#define READABLE (POLLIN | POLLHUP | POLLERR | POLLNVAL)
#define WRITABLE (POLLOUT | POLLHUP | POLLERR | POLLNVAL)

static void carry(struct channel *c, const struct pollfd *p)
{
	if ((p[TO].revents & WRITABLE) && wants_target(&c->out))
		give_host(&c->out);
	if ((p[SOCK].revents & READABLE) && wants_source(&c->out))
		take(&c->out, c->ask.sock, CHUNK);
	if ((p[FROM].revents & READABLE) && wants_source(&c->in))
		take(&c->in, c->in.host, CHUNK);
	/* A stream that only goes in, and whose process has gone or closed its input. */
	if (c->out.host < 0 && (p[SOCK].revents & (POLLHUP | POLLERR)))
		channel_end(c);
	else
		give_guest(c);
}

static void channel_wants(const struct channel *c, struct pollfd *p)
{
	short sock = 0;

	p[SOCK].fd = p[FROM].fd = p[TO].fd = -1;
	if (wants_target(&c->out)) /* also when the stream is closed already */
		p[TO] = (struct pollfd){.fd = c->out.host, .events = POLLOUT};
	if (c->ask.sock < 0)
		return;
	if (!c->open || wants_source(&c->out))
		sock |= POLLIN;
	if (c->open && wants_target(&c->in))
		sock |= POLLOUT;
	if (c->open && wants_source(&c->in) && !c->in.dead)
		p[FROM] = (struct pollfd){.fd = c->in.host, .events = POLLIN};
	if (sock || c->out.host < 0)
		p[SOCK] = (struct pollfd){.fd = c->ask.sock, .events = sock};
}

/* A terminal that says its end has been hung up. */
static bool host_gone(const struct channel *c)
{
	return c->out.host >= 0 && (c->out.dead || (c->in.host >= 0 && c->in.ended));
}

static void say_closes(struct relay *r)
{
	for (unsigned i = 0; i < 3; i++) {
		struct channel *c = &r->channels[i];

		if (!c->open || c->hung || c->out.ended || !host_gone(c) || !free_call(r))
			continue;
		c->hung = true;
		say_close(r, i);
	}
}

static bool channel_written(const struct channel *c)
{
	return c->out.host < 0 || (c->out.ended && (!c->out.len || c->out.dead));
}

/* Detached and attached again. */

static bool all_written(const struct relay *r)
{
	for (int i = 0; i < 3; i++)
		if (!channel_written(&r->channels[i]))
			return false;
	return true;
}

static void say_quiet(struct relay *r)
{
	bool quiet = r->waiting && !r->answered && all_written(r);

	if (r->how->quiet && quiet != r->quiet)
		r->how->quiet(r->how->arg, quiet);
	r->quiet = quiet;
}

/* An output that was over for good ends at once once more. */
static void attach_again(struct relay *r)
{
	uint64_t count;
	struct err e;

	if (read(r->how->again, &count, sizeof(count)) < 0)
		return;
	for (unsigned i = 0; i < 3; i++) {
		struct channel *c = &r->channels[i];

		if (c->out.host < 0 || !c->out.ended || c->out.dead || c->hung)
			continue;
		call_end(&c->ask);
		c->open = c->told = c->in.dead = c->out.ended = false;
		int rc = channel_ask(r, i, &e);
		if (rc < 0) {
			fail(r, rc, &e);
			channel_end(c);
		}
	}
}

/* The whole. */

static bool all_agreed(const struct relay *r)
{
	for (int i = 0; i < 3; i++)
		if (r->channels[i].ask.sock >= 0 && !r->channels[i].open)
			return false;
	return true;
}

static int take_status(struct relay *r, struct err *e)
{
	auto_arena a = {0};
	const struct json *ok;
	uint64_t status;
	int rc = call_more(&r->wait, &a, &ok, e);

	if (rc == 0)
		return 0;
	if (rc > 0 && (!json_get_u64(ok, "status", &status) || status > 0xffff))
		rc = err_set(e, ERR_INTERNAL, EPROTO, r->how->id,
			     "the guest's agent told no wait status");
	call_end(&r->wait);
	r->answered = true;
	if (rc > 0)
		r->status = (int)status;
	return rc < 0 ? rc : 0;
}

/* The guest is gone: what it wrote before is still on its way, and ends by itself. Any other
 * failure ends us at once. */
static int wait_failed(struct relay *r, int rc, const struct err *e)
{
	r->answered = true;
	if (rc != -EPIPE && rc != -ECONNRESET) {
		fail(r, rc, e);
		return rc;
	}
	r->failed = err_set(&r->err, ERR_SYSTEM, EPIPE, r->how->id,
			    "the micro-VM ended before the process's status was known");
	return 0;
}

static int begin_wait(struct relay *r, struct err *e)
{
	auto_strbuf b = {0};
	struct json_out o;
	int rc;

	request(r, &o, &b, "wait");
	if (r->how->holds)
		json_put_bool(&o, "hold", true);
	json_obj_close(&o);
	r->waiting = true;
	say_size(r);
	rc = call_begin(r, &r->wait, &b, e);
	return rc < 0 ? wait_failed(r, rc, e) : 0;
}

static void collect(struct relay *r)
{
	int signals = free_call(r) ? r->signals : -1;

	for (int i = 0; i < 3; i++)
		channel_wants(&r->channels[i], &r->polls[i * EACH]);
	r->polls[WAIT] = (struct pollfd){.fd = r->wait.sock, .events = POLLIN};
	r->polls[SIGNALS] = (struct pollfd){.fd = signals, .events = POLLIN};
	r->polls[AGAIN] = (struct pollfd){.fd = r->how->again, .events = POLLIN};
	for (unsigned i = 0; i < CALLS; i++)
		r->polls[FIRST_CALL + i] =
			(struct pollfd){.fd = r->calls[i].sock, .events = POLLIN};
}

static int turn(struct relay *r, struct err *e)
{
	int rc = 0;

	say_quiet(r);
	collect(r);
	if (poll(r->polls, N_POLLS, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, errno, r->how->id, "waiting for streams");
	for (int i = 0; i < 3; i++) {
		struct channel *c = &r->channels[i];
		const struct pollfd *p = &r->polls[i * EACH];

		if (c->open || c->ask.sock < 0)
			carry(c, p);
		else if (p[SOCK].revents)
			take_agreement(r, c);
	}
	take_answers(r);
	say_closes(r);
	if (r->polls[SIGNALS].revents)
		take_signal(r);
	if (r->polls[AGAIN].revents)
		attach_again(r);
	if (r->polls[WAIT].revents)
		rc = take_status(r, e);
	return rc < 0 ? wait_failed(r, rc, e) : 0;
}

static int begin(struct relay *r, struct err *e)
{
	const struct vm_relay *how = r->how;
	int rc;

	if (how->terminal >= 0)
		return channel_init(r, 0, how->terminal, how->terminal, e);
	rc = channel_init(r, 0, how->stdio[0], -1, e);
	for (unsigned i = 1; i < 3 && rc >= 0; i++)
		rc = channel_init(r, i, -1, how->stdio[i], e);
	return rc;
}

static int run(struct relay *r, struct err *e)
{
	int rc = begin(r, e);

	while (rc >= 0 && !(r->answered && all_written(r))) {
		if (!r->waiting && all_agreed(r))
			rc = begin_wait(r, e);
		if (rc >= 0 && !(r->answered && all_written(r)))
			rc = turn(r, e);
	}
	return rc;
}

static struct relay *relay_new(const struct vm_relay *how)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->how = how;
	r->signals = how->signals;
	r->wait.sock = -1;
	for (unsigned i = 0; i < CALLS; i++)
		r->calls[i].sock = -1;
	for (int i = 0; i < 3; i++) {
		r->channels[i].ask.sock = -1;
		r->channels[i].in.host = r->channels[i].out.host = -1;
	}
	return r;
}

static void relay_free(struct relay *r)
{
	for (int i = 0; i < 3; i++)
		call_end(&r->channels[i].ask);
	call_end(&r->wait);
	for (unsigned i = 0; i < CALLS; i++)
		call_end(&r->calls[i]);
	free(r);
}

/* A write to a pipe without readers brings SIGPIPE to the thread that writes (signal(7)): it is
 * blocked, and taken off before it is let through again. A caller who had it blocked keeps it. */
static int run_blocked(struct relay *r, struct err *e)
{
	const struct timespec now = {0};
	sigset_t pipe, old;
	int rc;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &old);
	rc = run(r, e);
	if (sigismember(&old, SIGPIPE))
		return rc;
	(void)sigtimedwait(&pipe, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

int vm_relay(const struct vm_relay *how, int *ret_status, struct err *e)
{
	struct relay *r = relay_new(how);
	int rc;

	if (!r)
		return err_sys(e, ENOMEM, how->id, "relaying its streams");
	rc = run_blocked(r, e);
	if (r->failed) {
		rc = r->failed;
		*e = r->err;
	}
	if (rc >= 0)
		*ret_status = r->status;
	relay_free(r);
	return rc < 0 ? rc : 0;
}
