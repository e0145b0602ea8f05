/* microvm/dev_fs.c: the virtio-fs device (virtio 1.2, 5.11): one high-priority queue, one for
 * requests. It carries FUSE messages between the rings and the file server's socket.
 *
 * Invariants
 *  1. A request's header is copied, checked and sent from the copy; what follows it goes from guest
 *     memory into the socket in one call, so that the server sees one version of it.
 *  2. The server gets a number of ours in `unique`, and the guest its own back: two requests under
 *     way are never taken for each other, whatever numbers the guest chose. An answer with a number
 *     that isn't under way (the driver has reset the device since, or it was another device's) is
 *     dropped.
 *  3. At most UNDER_WAY requests are with the server; the rest waits in the ring.
 *  4. When the server is gone every request fails with ENOTCONN; nothing hangs.
 *  5. It can be written down when nothing is with the server; it waits for that, not for ever.
 *  6. Of an answer only what fits the guest's buffers is stored, and what was stored is told.
 */
#include "microvm/devices.h"

#include "common/fd.h"
#include "common/str.h"
#include "microvm/fs.h"

#include <errno.h>
#include <linux/fuse.h>
#include <linux/virtio_fs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define QUEUES 2u
#define UNDER_WAY 256u
#define ANSWERS_A_TURN 64 /* then others have the loop */
#define ID_FS 26u

struct request {
	uint64_t ticket; /* what the server calls it; 0: free */
	uint64_t unique; /* what the guest calls it */
	unsigned queue;
	uint16_t head;
	size_t in_len;
	unsigned n_in;
	struct iovec *in;
};

struct fs_device {
	struct vm_device d;
	struct vm_source source;
	int sock;
	bool gone; /* the server */
	unsigned n_free;
	uint16_t free[UNDER_WAY];
	struct request requests[UNDER_WAY];
	struct vm_chain chain; /* the one being looked at */
};

/* (2) Of all devices: one may take another's place before the same server. Under the lock. */
static uint64_t generation;

static struct fs_device *of(struct vm_device *d)
{
	return (struct fs_device *)d;
}

static void forget(struct fs_device *f, struct request *r)
{
	free(r->in);
	*r = (struct request){0};
	f->free[f->n_free++] = (uint16_t)(r - f->requests);
}

/* A request from a chain that has buffers for the answer; NULL without memory. There is a free
 * one. */
static struct request *remember(struct fs_device *f, unsigned queue, uint64_t unique)
{
	const struct vm_chain *c = &f->chain;
	size_t size = c->n_in * sizeof(struct iovec);
	struct iovec *in = malloc(size);

	if (!in)
		return NULL;
	memcpy(in, c->in, size);
	uint16_t slot = f->free[--f->n_free];
	struct request *r = &f->requests[slot];
	*r = (struct request){.ticket = ++generation * UNDER_WAY + slot,
			      .unique = unique,
			      .queue = queue,
			      .head = c->head,
			      .in_len = c->in_len,
			      .n_in = c->n_in,
			      .in = in};
	return r;
}

/* A header with an error and nothing behind it. */
static void refuse(struct fs_device *f, unsigned queue, uint64_t unique, int error)
{
	const struct vm_chain *c = &f->chain;
	struct fuse_out_header h = {.len = sizeof(h), .error = error, .unique = unique};
	size_t n = vm_iov_write(c->in, c->n_in, 0, &h, sizeof(h));

	vm_queue_push(&f->d.queues[queue], c->head, (uint32_t)n);
}

static bool is_silent(uint32_t opcode)
{
	return opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET || opcode == FUSE_INTERRUPT;
}

/* The chain's header, if it is a request as a driver may make it. */
static bool read_header(const struct vm_chain *c, struct fuse_in_header *ret)
{
	if (c->out_len < sizeof(*ret) || c->out_len > VM_FS_MESSAGE_MAX)
		return false;
	vm_iov_read(c->out, c->n_out, 0, ret, sizeof(*ret));
	if (ret->len != c->out_len)
		return false;
	return is_silent(ret->opcode) || c->in_len >= sizeof(struct fuse_out_header);
}

/* 0, or a negative errno: -EAGAIN when the socket is full. */
static int send_message(struct fs_device *f, struct fuse_in_header *h)
{
	struct iovec v[VM_CHAIN_MAX + 1] = {{.iov_base = h, .iov_len = sizeof(*h)}};
	const struct vm_chain *c = &f->chain;
	unsigned n = vm_iov_slice(c->out, c->n_out, sizeof(*h), c->out_len - sizeof(*h), v + 1);
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n + 1};
	ssize_t sent;

	do
		sent = sendmsg(f->sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static bool is_end(int rc)
{
	return rc == -EPIPE || rc == -ECONNRESET;
}

/* The server gave up, or never was: what is under way fails, as will all that comes. */
static void lose_server(struct fs_device *f);

/* The chain is with the server, answered, or put back (-EAGAIN). */
static int submit(struct fs_device *f, unsigned queue, struct fuse_in_header *h)
{
	uint64_t unique = h->unique;
	bool silent = is_silent(h->opcode);
	struct request *r = silent ? NULL : remember(f, queue, unique);
	int rc = silent || r ? 0 : -ENOMEM;

	if (r)
		h->unique = r->ticket;
	if (rc == 0)
		rc = send_message(f, h);
	if (rc < 0 && r)
		forget(f, r);
	if (rc == -EAGAIN) {
		vm_queue_unpop(&f->d.queues[queue]);
		return rc;
	}
	if (silent)
		vm_queue_push(&f->d.queues[queue], f->chain.head, 0);
	else if (rc < 0)
		refuse(f, queue, unique, is_end(rc) ? -ENOTCONN : rc == -EMSGSIZE ? -EIO : rc);
	if (is_end(rc))
		lose_server(f);
	return 0;
}

static void fail_one(struct fs_device *f, unsigned queue, const struct fuse_in_header *h)
{
	if (is_silent(h->opcode))
		vm_queue_push(&f->d.queues[queue], f->chain.head, 0);
	else
		refuse(f, queue, h->unique, -ENOTCONN);
}

/* While the server or we can't take more, the ring keeps them: its answers, or the socket being
 * writable again, bring us back. */
static void wait_writable(struct fs_device *f, bool full)
{
	struct err e;

	if (f->source.fd >= 0)
		vm_loop_change(f->d.loop, &f->source, full ? EPOLLIN | EPOLLOUT : EPOLLIN, &e);
}

static void drain(struct fs_device *f, unsigned queue)
{
	struct vm_queue *q = &f->d.queues[queue];
	struct fuse_in_header h;
	int rc = 0;

	while (f->n_free && (rc = vm_queue_pop(q, &f->chain)) > 0) {
		if (!read_header(&f->chain, &h)) {
			rc = -EPROTO;
			break;
		}
		if (f->gone) {
			fail_one(f, queue, &h);
		} else if (submit(f, queue, &h) < 0) {
			wait_writable(f, true);
			break;
		}
	}
	if (rc < 0)
		vm_device_fail(&f->d);
	vm_device_signal(&f->d, queue);
}

static void drain_all(struct fs_device *f)
{
	for (unsigned i = 0; i < QUEUES && f->d.started && !f->d.failed; i++)
		if (f->d.queues[i].ready)
			drain(f, i);
}

static void notify(struct vm_device *d, unsigned q)
{
	drain(of(d), q);
}

/* Gives a chain back with an answer: the header, and `body` bytes behind it that are in place. */
static void answer(struct fs_device *f, struct request *r, int32_t error, size_t body)
{
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + body), .error = error, .unique = r->unique};

	vm_iov_write(r->in, r->n_in, 0, &h, sizeof(h));
	vm_queue_push(&f->d.queues[r->queue], r->head, h.len);
	forget(f, r);
}

static void lose_server(struct fs_device *f)
{
	f->gone = true;
	vm_loop_drop(f->d.loop, &f->source);
	for (unsigned i = 0; i < UNDER_WAY; i++)
		if (f->requests[i].ticket)
			answer(f, &f->requests[i], -ENOTCONN, 0);
	for (unsigned i = 0; i < QUEUES; i++)
		vm_device_signal(&f->d, i);
}

static struct request *find(struct fs_device *f, uint64_t ticket)
{
	struct request *r = &f->requests[ticket % UNDER_WAY];

	return ticket && r->ticket == ticket ? r : NULL;
}

/* Takes the message whose header was seen, into the request's buffers. false: it is lost. */
static bool take_answer(struct fs_device *f, struct request *r)
{
	struct fuse_out_header h;
	struct iovec v[VM_CHAIN_MAX + 1] = {{.iov_base = &h, .iov_len = sizeof(h)}};
	unsigned n = vm_iov_slice(r->in, r->n_in, sizeof(h), r->in_len - sizeof(h), v + 1);
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n + 1};
	ssize_t got = recvmsg(f->sock, &m, MSG_DONTWAIT);

	if (got < (ssize_t)sizeof(h))
		return false;
	bool whole = !(m.msg_flags & MSG_TRUNC) && h.len == (size_t)got;
	/* More than the guest left room for: it lied about a size. */
	answer(f, r, whole ? h.error : -EIO, whole ? (size_t)got - sizeof(h) : 0);
	return true;
}

/* One answer. false: there is none now. */
static bool hear(struct fs_device *f)
{
	struct fuse_out_header h;
	ssize_t n = recv(f->sock, &h, sizeof(h), MSG_PEEK | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		lose_server(f);
		return false;
	}
	struct request *r = n == sizeof(h) ? find(f, h.unique) : NULL;
	if (!r) {
		recv(f->sock, &h, sizeof(h), MSG_DONTWAIT);
		return true;
	}
	return take_answer(f, r);
}

static void ready(struct vm_source *s, uint32_t events)
{
	struct fs_device *f = s->arg;

	for (int i = 0; i < ANSWERS_A_TURN && !f->gone && hear(f); i++)
		;
	if (f->gone)
		drain_all(f);
	for (unsigned i = 0; i < QUEUES; i++)
		vm_device_signal(&f->d, i);
	if (f->gone)
		return;
	/* There was no room, in the socket or here: now there may be. */
	if (events & EPOLLOUT)
		wait_writable(f, false);
	drain_all(f);
}

static void reset(struct vm_device *d)
{
	struct fs_device *f = of(d);

	for (unsigned i = 0; i < UNDER_WAY; i++)
		if (f->requests[i].ticket)
			forget(f, &f->requests[i]);
	wait_writable(f, false);
}

unsigned vm_fs_patience_ms = 10000;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* A request that is with the server would be lost to the guest: it waits for each. */
static void save(struct vm_device *d, struct strbuf *out)
{
	struct fs_device *f = of(d);
	struct pollfd p = {.fd = f->sock, .events = POLLIN};
	const int64_t until = now_ms() + vm_fs_patience_ms;

	for (int64_t left = 1; !f->gone && f->n_free < UNDER_WAY && left > 0;) {
		left = until - now_ms();
		if (!hear(f) && left > 0)
			(void)poll(&p, 1, (int)left);
	}
	out->failed = out->failed || (!f->gone && f->n_free < UNDER_WAY);
	for (unsigned i = 0; i < QUEUES; i++)
		vm_device_signal(d, i);
}

static void free_device(struct vm_device *d)
{
	struct fs_device *f = of(d);

	for (unsigned i = 0; i < UNDER_WAY; i++)
		free(f->requests[i].in);
	vm_loop_drop(d->loop, &f->source);
	fd_close(&f->sock);
	free(f);
}

static const struct vm_device_ops ops = {
	.name = "fs",
	.id = ID_FS,
	.n_queues = QUEUES,
	.config_len = sizeof(struct virtio_fs_config),
	.notify = notify,
	.reset = reset,
	.save = save,
	.free = free_device,
};

static void set_config(struct fs_device *f, const char *tag)
{
	struct virtio_fs_config *c = (void *)f->d.config;

	memcpy(c->tag, tag, strnlen(tag, sizeof(c->tag)));
	c->num_request_queues = 1;
}

/* Room for a few of the largest messages, if the host's limit allows: else one after the other. */
static void widen(int sock)
{
	int size = 1 << 20;

	setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int vm_fs_make(const struct vm_wires *w, const char *tag, int sock, struct vm_device **ret_device,
	       struct err *e)
{
	if (!tag[0] || strlen(tag) > sizeof(((struct virtio_fs_config *)0)->tag))
		return err_set(e, ERR_INTERNAL, EINVAL, tag, "isn't a tag of 1 to 36 bytes");
	struct fs_device *f = calloc(1, sizeof(*f));
	if (!f)
		return err_sys(e, ENOMEM, tag, "making a file system device");
	vm_device_init(&f->d, &ops, w->loop, w->mem, VM_QUEUE_MAX);
	set_config(f, tag);
	while (f->n_free < UNDER_WAY) {
		f->free[f->n_free] = (uint16_t)(UNDER_WAY - 1 - f->n_free);
		f->n_free++;
	}
	f->source = (struct vm_source){.fd = sock, .ready = ready, .arg = f};
	int rc = vm_loop_add(w->loop, &f->source, EPOLLIN, e);
	if (rc < 0) {
		free(f);
		return rc;
	}
	widen(sock);
	f->sock = sock;
	*ret_device = &f->d;
	return 0;
}
