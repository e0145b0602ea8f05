/* microvm/vsock_stream.c: the vsock device's streams: their table, and the host's sockets behind
 * them. Packets are dev_vsock.c's business; see vsock.h for the invariants.
 *
 * The two directions end one by one (virtio 1.2, 5.10.6.6):
 *
 *   host's socket says               the guest is told     the guest says    the socket gets
 *   end of file                      SHUTDOWN send         SHUTDOWN send     shutdown(SHUT_WR)
 *   hang-up, or it takes no bytes    SHUTDOWN receive      SHUTDOWN receive  shutdown(SHUT_RD)
 *                                    RST, after both       RST               close, once all is out
 */
#include "microvm/vsock.h"

#include "common/fd.h"
#include "microvm/proto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Host ports: the slot in the low bits, how often it was used above. None is below 1024, and none
 * is VMADDR_PORT_ANY. */
#define SLOT_BITS 10u
#define GENERATIONS ((1u << (32 - SLOT_BITS)) - 2)
_Static_assert(VSOCK_STREAMS == 1u << SLOT_BITS, "a port names its slot");

static void stream_ready(struct vm_source *source, uint32_t events);

static struct vm_vsock_stream *take_slot(struct vm_vsock *v)
{
	struct vm_vsock_stream *s = v->free;

	if (s)
		v->free = s->next_free;
	else if (v->high < VSOCK_STREAMS)
		s = &v->streams[v->high++];
	return s;
}

static void fill(struct vm_vsock *v, struct vm_vsock_stream *s, int fd)
{
	uint32_t generation = s->generation % GENERATIONS + 1;

	*s = (struct vm_vsock_stream){.v = v, .fd = fd, .generation = generation};
	s->source = (struct vm_source){.fd = -1, .ready = stream_ready, .arg = s};
}

struct vm_vsock_stream *vm_vsock_new(struct vm_vsock *v, int fd)
{
	struct vm_vsock_stream *s = take_slot(v);

	if (!s)
		return NULL;
	fill(v, s, fd);
	s->state = VSOCK_WAITING;
	s->host_port = s->generation << SLOT_BITS | (uint32_t)(s - v->streams);
	s->guest_port = v->how.port;
	v->used++;
	return s;
}

struct vm_vsock_stream *vm_vsock_new_hello(struct vm_vsock *v, uint32_t guest_port)
{
	struct vm_vsock_stream *s = &v->streams[VSOCK_STREAMS];

	if (s->state != VSOCK_FREE)
		return NULL;
	fill(v, s, -1);
	s->state = VSOCK_OPEN;
	s->host_port = VM_HELLO_PORT;
	s->guest_port = guest_port;
	s->lost = true; /* what it says is of no interest */
	return s;
}

struct vm_vsock_stream *vm_vsock_find(struct vm_vsock *v, uint32_t host_port, uint32_t guest_port)
{
	struct vm_vsock_stream *s = &v->streams[host_port % VSOCK_STREAMS];

	if (host_port == VM_HELLO_PORT)
		s = &v->streams[VSOCK_STREAMS];
	if (s->host_port != host_port || s->guest_port != guest_port)
		return NULL;
	return s->state >= VSOCK_CONNECTING && s->state <= VSOCK_CLOSING ? s : NULL;
}

static void drop_held(struct vm_vsock_stream *s)
{
	free(s->held);
	s->held = NULL;
	s->held_at = s->held_len = 0;
}

/* The host's side is over. Bytes of the host that nobody will read are taken off first: the other
 * end shall see an end of file, not ECONNRESET (unix(7) has it so). Nothing comes after SHUT_RD, so
 * the socket's buffer bounds this. */
static void close_host(struct vm_vsock_stream *s)
{
	char waste[4096];

	drop_held(s);
	s->readable = false;
	if (s->fd < 0)
		return;
	vm_loop_drop(s->v->d.loop, &s->source);
	shutdown(s->fd, SHUT_RDWR);
	while (recv(s->fd, waste, sizeof(waste), MSG_DONTWAIT) > 0)
		;
	fd_close(&s->fd);
}

void vm_vsock_drop(struct vm_vsock_stream *s)
{
	struct vm_vsock *v = s->v;

	if (s->state == VSOCK_FREE)
		return;
	close_host(s);
	if (s->queued)
		TAILQ_REMOVE(&v->queue, s, link);
	s->queued = false;
	s->todo = 0;
	s->state = VSOCK_FREE;
	if (s == &v->streams[VSOCK_STREAMS])
		return;
	s->next_free = v->free;
	v->free = s;
	v->used--;
	vm_vsock_listen(v);
}

void vm_vsock_drop_all(struct vm_vsock *v)
{
	for (unsigned i = 0; i < v->high; i++)
		vm_vsock_drop(&v->streams[i]);
	vm_vsock_drop(&v->streams[VSOCK_STREAMS]);
}

void vm_vsock_enqueue(struct vm_vsock_stream *s, uint32_t todo)
{
	s->todo |= todo;
	if (!s->queued)
		TAILQ_INSERT_TAIL(&s->v->queue, s, link);
	s->queued = true;
}

void vm_vsock_kill(struct vm_vsock_stream *s)
{
	close_host(s);
	s->state = VSOCK_CLOSING;
	s->todo = 0;
	vm_vsock_enqueue(s, VSOCK_TODO(VIRTIO_VSOCK_OP_RST));
}

uint32_t vm_vsock_credit(const struct vm_vsock_stream *s)
{
	uint32_t flying = s->sent - s->peer_fwd;

	return flying < s->peer_alloc ? s->peer_alloc - flying : 0;
}

static bool may_read(const struct vm_vsock_stream *s)
{
	return s->state == VSOCK_OPEN && s->fd >= 0 && !s->eof &&
	       !(s->guest_shut & VIRTIO_VSOCK_SHUTDOWN_RCV);
}

/* epoll(7) tells of a hang-up again and again, wanted or not: a lost socket of which nothing is
 * wanted leaves the loop. */
void vm_vsock_watch(struct vm_vsock_stream *s)
{
	struct vm_loop *loop = s->v->d.loop;
	uint32_t want = 0;
	struct err e;
	int rc = 0;

	if (s->fd < 0)
		return;
	if (may_read(s) && !s->queued && vm_vsock_credit(s))
		want |= EPOLLIN;
	if (s->held_len)
		want |= EPOLLOUT;
	if (s->lost && !want) {
		vm_loop_drop(loop, &s->source);
	} else if (s->source.fd < 0) {
		s->source.fd = s->fd;
		rc = vm_loop_add(loop, &s->source, want, &e);
		if (rc < 0)
			s->source.fd = -1;
	} else {
		rc = vm_loop_change(loop, &s->source, want, &e);
	}
	if (rc < 0)
		vm_vsock_kill(s);
}

/* Something about the ends changed: does the guest know? */
static void tell_ends(struct vm_vsock_stream *s)
{
	if (s->state == VSOCK_OPEN)
		vm_vsock_enqueue(s, VSOCK_TODO(VIRTIO_VSOCK_OP_SHUTDOWN));
	if (s->lost && s->eof)
		close_host(s);
}

static void took(struct vm_vsock_stream *s, size_t n)
{
	s->forwarded += (uint32_t)n;
	if (s->state == VSOCK_OPEN && s->forwarded - s->told >= VSOCK_TELL)
		vm_vsock_enqueue(s, VSOCK_TODO(VIRTIO_VSOCK_OP_CREDIT_UPDATE));
}

/* The host takes no more bytes. */
static void lose(struct vm_vsock_stream *s)
{
	if (s->lost)
		return;
	s->lost = true;
	took(s, s->held_len);
	drop_held(s);
	tell_ends(s);
}

size_t vm_vsock_receive(struct vm_vsock_stream *s, struct iovec *v, unsigned n)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
	ssize_t got;

	if (!may_read(s)) {
		s->readable = false;
		return 0;
	}
	do
		got = recvmsg(s->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		return (size_t)got;
	s->readable = false;
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	s->eof = true;
	if (got < 0)
		lose(s);
	tell_ends(s);
	return 0;
}

/* How many bytes the socket took; a socket that takes none any more is lost. */
static size_t push(struct vm_vsock_stream *s, struct iovec *v, unsigned n)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
	ssize_t put;

	do
		put = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put >= 0)
		return (size_t)put;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		lose(s);
	return 0;
}

/* The guest's credit keeps held_len + len within VSOCK_HELD. */
static int hold(struct vm_vsock_stream *s, const struct iovec *v, unsigned n, size_t from,
		size_t len)
{
	if (!s->held)
		s->held = malloc(VSOCK_HELD);
	if (!s->held)
		return -ENOMEM;
	if (s->held_at + s->held_len + len > VSOCK_HELD) {
		memmove(s->held, s->held + s->held_at, s->held_len);
		s->held_at = 0;
	}
	s->held_len += vm_iov_read(v, n, from, s->held + s->held_at + s->held_len, len);
	return 0;
}

void vm_vsock_deliver(struct vm_vsock_stream *s, struct iovec *v, unsigned n, size_t len)
{
	size_t done = 0;

	s->received += (uint32_t)len;
	if (!s->lost && !s->held_len)
		done = push(s, v, n);
	if (s->lost)
		done = len;
	if (done < len && hold(s, v, n, done, len - done) < 0) {
		vm_vsock_kill(s);
		return;
	}
	took(s, done);
	vm_vsock_watch(s);
}

/* What was held back until all bytes are out. */
static void settle(struct vm_vsock_stream *s)
{
	if (s->held_len)
		return;
	if (s->state == VSOCK_LINGER)
		vm_vsock_drop(s);
	else if (s->state == VSOCK_OPEN && s->guest_shut == VSOCK_BOTH)
		vm_vsock_kill(s); /* 5.10.6.6: RST confirms that both sides are done */
	else if ((s->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) && s->fd >= 0 && !s->passed_end)
		s->passed_end = shutdown(s->fd, SHUT_WR) == 0;
}

static void flush(struct vm_vsock_stream *s)
{
	struct iovec v = {.iov_base = s->held + s->held_at, .iov_len = s->held_len};
	size_t n = push(s, &v, 1);

	if (!s->held_len) /* lost: they count as taken already */
		return;
	s->held_at += n;
	s->held_len -= n;
	if (!s->held_len)
		drop_held(s);
	took(s, n);
}

static void stream_ready(struct vm_source *source, uint32_t events)
{
	struct vm_vsock_stream *s = source->arg;

	if (events & (EPOLLHUP | EPOLLERR))
		lose(s);
	else if ((events & EPOLLOUT) && s->held_len)
		flush(s);
	settle(s);
	if ((events & (EPOLLIN | EPOLLHUP)) && may_read(s)) {
		s->readable = true;
		vm_vsock_enqueue(s, 0);
	}
	vm_vsock_pump(s->v);
	vm_vsock_watch(s);
}

void vm_vsock_opened(struct vm_vsock_stream *s)
{
	s->state = VSOCK_OPEN;
	s->readable = true;
	vm_vsock_enqueue(s, s->lost ? VSOCK_TODO(VIRTIO_VSOCK_OP_SHUTDOWN) : 0);
}

void vm_vsock_shut(struct vm_vsock_stream *s, uint32_t flags)
{
	s->guest_shut |= flags & VSOCK_BOTH;
	if ((flags & VIRTIO_VSOCK_SHUTDOWN_RCV) && s->fd >= 0) {
		s->readable = false;
		shutdown(s->fd, SHUT_RD);
	}
	settle(s);
	vm_vsock_watch(s);
}

void vm_vsock_forgotten(struct vm_vsock_stream *s)
{
	s->state = VSOCK_LINGER;
	s->readable = false;
	s->todo = 0;
	settle(s);
	vm_vsock_watch(s);
}

/* A full table: streams that only the guest still keeps make room. */
static void reap(struct vm_vsock *v)
{
	for (unsigned i = 0; i < v->high; i++) {
		struct vm_vsock_stream *s = &v->streams[i];

		if (s->state == VSOCK_OPEN && s->fd < 0 && vm_vsock_owe_reset(v, s))
			vm_vsock_drop(s);
	}
}

static void go(struct vm_vsock_stream *s)
{
	s->state = VSOCK_CONNECTING;
	vm_vsock_enqueue(s, VSOCK_TODO(VIRTIO_VSOCK_OP_REQUEST));
}

static int begin(struct vm_vsock *v, int fd, struct err *e)
{
	struct vm_vsock_stream *s;

	if (v->d.failed)
		return err_set(e, ERR_SYSTEM, EPIPE, "vsock",
			       "the guest's driver broke the rules of its device");
	s = vm_vsock_new(v, fd);
	if (!s) {
		reap(v);
		s = vm_vsock_new(v, fd);
	}
	if (!s)
		return err_set(e, ERR_SYSTEM, EAGAIN, "vsock", "%u streams are open already",
			       VSOCK_STREAMS);
	if (vm_vsock_ready(v))
		go(s);
	vm_vsock_watch(s);
	return 0;
}

/* Whose thread this is isn't known: the packets are the loop's business. */
int vm_vsock_connect(struct vm_device *d, int fd, struct err *e)
{
	int rc = begin((struct vm_vsock *)d, fd, e);

	if (rc >= 0)
		vm_vsock_wake((struct vm_vsock *)d);
	return rc;
}

/* One at a time: epoll tells again when more wait. */
static void accept_ready(struct vm_source *source, uint32_t events)
{
	struct vm_vsock *v = source->arg;
	auto_fd fd = accept4(v->how.listen, NULL, NULL, SOCK_CLOEXEC);
	struct err e;

	(void)events;
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
		vm_loop_drop(v->d.loop, source); /* until the pump runs: some may be free then */
		return;
	}
	if (fd >= 0 && begin(v, fd, &e) == 0)
		take_fd(&fd);
	vm_vsock_pump(v);
	vm_vsock_listen(v);
}

/* Those who come to a device that has failed are turned away, not left waiting. */
void vm_vsock_listen(struct vm_vsock *v)
{
	bool want = v->d.failed || (vm_vsock_ready(v) && v->used < VSOCK_STREAMS);
	struct err e;

	if (v->how.listen < 0)
		return;
	if (!want) {
		vm_loop_drop(v->d.loop, &v->listen);
	} else if (v->listen.fd < 0) {
		v->listen =
			(struct vm_source){.fd = v->how.listen, .ready = accept_ready, .arg = v};
		if (vm_loop_add(v->d.loop, &v->listen, EPOLLIN, &e) < 0)
			v->listen.fd = -1;
	}
}

void vm_vsock_go(struct vm_vsock *v)
{
	for (unsigned i = 0; i < v->high; i++)
		if (v->streams[i].state == VSOCK_WAITING)
			go(&v->streams[i]);
	vm_vsock_listen(v);
}
