/* microvm/dev_vsock.c: the vsock device (virtio 1.2, 5.10): packets and queues. Streams and their
 * host sockets are vsock_stream.c; what both share is vsock.h.
 *
 * Streams go from the host to one port of the guest. The guest itself may connect to one port only,
 * to say that its agent listens ("hello"); all else gets RST.
 *
 * Invariants
 *  1. A header is copied once, then checked. One whose length isn't that of its buffers, or a
 * buffer too small for a header, is the driver's fault: the device fails, and all streams end. Any
 *     other nonsense costs the guest the stream that it named, and no more.
 *  2. What the guest can make us owe it is bounded: VSOCK_RESETS answers to packets of unknown
 *     streams (then its queue waits until it has given buffers), one set of flags a stream.
 *  3. Without a buffer from the guest, no host socket is read.
 *  4. Hello counts when the guest has closed that stream, and no stream begins while the loop is
 *     told to stop: a template that is written when hello calls holds nothing half done.
 *  5. After a restore the guest's old streams are reset (5.10.6.7) before it hears of new ones.
 */
#include "microvm/vsock.h"

#include "common/fd.h"
#include "common/str.h"
#include "microvm/proto.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/vm_sockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define GUEST_CID 3u
#define HEADER sizeof(struct virtio_vsock_hdr)
#define TURN_PACKETS 256u  /* of the guest's, taken in one run of the pump */
#define STREAM_PACKETS 64u /* of one stream's data, before it's another's turn */

enum { RX, TX, EVENT, N_QUEUES }; /* from the driver's point of view */

bool vm_vsock_ready(const struct vm_vsock *v)
{
	return v->open && v->d.started && !v->d.failed;
}

/* Invariant 1. */
static int fail(struct vm_vsock *v)
{
	vm_device_fail(&v->d);
	v->n_resets = 0;
	vm_vsock_drop_all(v);
	vm_vsock_listen(v);
	return -EPROTO;
}

/* The next of the guest's buffers, which must have room for `room` bytes: 1, 0 or -EPROTO. */
static int buffer(struct vm_vsock *v, size_t room)
{
	int rc = vm_queue_pop(&v->d.queues[RX], &v->chain);

	return rc < 0 || (rc > 0 && v->chain.in_len < room) ? fail(v) : rc;
}

/* The popped buffer goes back with this header; its payload is there already. */
static void give(struct vm_vsock *v, const struct virtio_vsock_hdr *h)
{
	vm_iov_write(v->chain.in, v->chain.n_in, 0, h, HEADER);
	vm_queue_push(&v->d.queues[RX], v->chain.head, (uint32_t)HEADER + le32toh(h->len));
	v->rx_used = true;
}

static int send_reset(struct vm_vsock *v, const struct vm_vsock_reset *r)
{
	struct virtio_vsock_hdr h = {
		.src_cid = htole64(r->host_cid),
		.dst_cid = htole64(GUEST_CID),
		.src_port = htole32(r->host_port),
		.dst_port = htole32(r->guest_port),
		.type = htole16(r->type),
		.op = htole16(VIRTIO_VSOCK_OP_RST),
	};
	int rc = buffer(v, HEADER);

	if (rc > 0)
		give(v, &h);
	return rc;
}

bool vm_vsock_owe_reset(struct vm_vsock *v, const struct vm_vsock_stream *s)
{
	if (v->n_resets >= VSOCK_RESETS)
		return false;
	v->resets[v->n_resets++] = (struct vm_vsock_reset){
		.host_cid = VMADDR_CID_HOST,
		.host_port = s->host_port,
		.guest_port = s->guest_port,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
	};
	return true;
}

static void give_stream(struct vm_vsock_stream *s, uint16_t op, uint32_t len, uint32_t flags)
{
	struct virtio_vsock_hdr h = {
		.src_cid = htole64(VMADDR_CID_HOST),
		.dst_cid = htole64(GUEST_CID),
		.src_port = htole32(s->host_port),
		.dst_port = htole32(s->guest_port),
		.len = htole32(len),
		.type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = htole16(op),
		.flags = htole32(flags),
		.buf_alloc = htole32(VSOCK_HELD),
		.fwd_cnt = htole32(s->forwarded),
	};

	s->told = s->forwarded;
	give(s->v, &h);
}

/* One of the control packets that wait. */
static int send_control(struct vm_vsock_stream *s)
{
	uint16_t op = (uint16_t)__builtin_ctz(s->todo);
	uint32_t flags = 0;
	int rc = buffer(s->v, HEADER);

	if (rc <= 0)
		return rc;
	if (op == VIRTIO_VSOCK_OP_SHUTDOWN)
		flags = (s->eof ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0) |
			(s->lost ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0);
	give_stream(s, op, 0, flags);
	s->todo &= ~VSOCK_TODO(op);
	if (op == VIRTIO_VSOCK_OP_RST)
		vm_vsock_drop(s);
	return 1;
}

/* No credit: ask once; an answer or an update wakes the stream. */
static int starve(struct vm_vsock_stream *s)
{
	s->readable = false;
	if (!s->asked)
		s->todo |= VSOCK_TODO(VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	s->asked = true;
	return 1;
}

/* One packet of the host's bytes, straight from the socket into the guest's buffer. */
static int send_data(struct vm_vsock_stream *s)
{
	struct vm_vsock *v = s->v;
	uint32_t credit = vm_vsock_credit(s);
	size_t room, got;
	unsigned n;
	int rc;

	if (!credit)
		return starve(s);
	rc = buffer(v, HEADER + 1);
	if (rc <= 0)
		return rc;
	room = v->chain.in_len - HEADER;
	n = vm_iov_slice(v->chain.in, v->chain.n_in, HEADER, credit, v->iov);
	got = vm_vsock_receive(s, v->iov, n);
	if (!got) {
		vm_queue_unpop(&v->d.queues[RX]);
		return 1;
	}
	if (got < room && got < credit)
		s->readable = false;
	s->sent += (uint32_t)got;
	give_stream(s, VIRTIO_VSOCK_OP_RW, (uint32_t)got, 0);
	return 1;
}

/* False: the guest has no more buffers, or has lost the device. */
static bool serve(struct vm_vsock_stream *s)
{
	unsigned budget = STREAM_PACKETS;

	while (s->todo || (s->readable && budget)) {
		int rc = s->todo ? send_control(s) : send_data(s);

		if (rc <= 0)
			return false;
		budget -= !s->todo && budget;
	}
	if (!s->queued) /* it is gone */
		return true;
	s->readable = false; /* if it still is, epoll says so */
	s->queued = false;
	TAILQ_REMOVE(&s->v->queue, s, link);
	vm_vsock_watch(s);
	return true;
}

static void send_all(struct vm_vsock *v)
{
	struct vm_vsock_stream *s;

	while (v->n_resets) {
		if (send_reset(v, &v->resets[v->n_resets - 1]) <= 0)
			return;
		v->n_resets--;
	}
	while ((s = TAILQ_FIRST(&v->queue)))
		if (!serve(s))
			return;
}

/* The guest's packets. */

struct packet {
	struct virtio_vsock_hdr h;
	uint32_t op, len, flags;
	const struct vm_chain *c;
};

static void on_response(struct vm_vsock_stream *s, const struct packet *p)
{
	(void)p;
	if (s->state == VSOCK_CONNECTING)
		vm_vsock_opened(s);
	else
		vm_vsock_kill(s);
}

static void on_rst(struct vm_vsock_stream *s, const struct packet *p)
{
	(void)p;
	vm_vsock_forgotten(s);
}

static void on_shutdown(struct vm_vsock_stream *s, const struct packet *p)
{
	vm_vsock_shut(s, p->flags);
}

static void on_rw(struct vm_vsock_stream *s, const struct packet *p)
{
	struct vm_vsock *v = s->v;
	unsigned n = vm_iov_slice(p->c->out, p->c->n_out, HEADER, p->len, v->iov);
	uint32_t flying = s->received - s->forwarded;

	if ((s->guest_shut & VIRTIO_VSOCK_SHUTDOWN_SEND) || p->len > VSOCK_HELD - flying)
		vm_vsock_kill(s);
	else if (p->len)
		vm_vsock_deliver(s, v->iov, n, p->len);
}

static void on_credit_update(struct vm_vsock_stream *s, const struct packet *p)
{
	(void)s;
	(void)p; /* every packet brings the credit, see known() */
}

static void on_credit_request(struct vm_vsock_stream *s, const struct packet *p)
{
	(void)p;
	vm_vsock_enqueue(s, VSOCK_TODO(VIRTIO_VSOCK_OP_CREDIT_UPDATE));
}

/* For open streams; a connecting one knows the first two only. */
static void (*const on_op[])(struct vm_vsock_stream *s, const struct packet *p) = {
	[VIRTIO_VSOCK_OP_RESPONSE] = on_response,
	[VIRTIO_VSOCK_OP_RST] = on_rst,
	[VIRTIO_VSOCK_OP_SHUTDOWN] = on_shutdown,
	[VIRTIO_VSOCK_OP_RW] = on_rw,
	[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = on_credit_update,
	[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = on_credit_request,
};

static void hello(struct vm_vsock *v)
{
	if (v->hello)
		return;
	v->hello = true;
	if (!v->restored && v->how.hello) /* else event_notified() calls */
		v->how.hello(v->how.arg);
}

/* (4) */
static void open_up(struct vm_vsock *v)
{
	if (v->open || !v->hello || v->restored)
		return;
	if (__atomic_load_n(&v->d.loop->stop, __ATOMIC_ACQUIRE)) {
		eventfd_write(v->d.kick[RX], 1); /* once more when it goes on */
		return;
	}
	v->open = true;
	vm_vsock_go(v);
}

static void known(struct vm_vsock_stream *s, const struct packet *p)
{
	bool says_hello = s->host_port == VM_HELLO_PORT;

	if (s->state == VSOCK_CLOSING && p->op != VIRTIO_VSOCK_OP_RST)
		return; /* our RST is on its way */
	if (p->op >= sizeof(on_op) / sizeof(on_op[0]) || !on_op[p->op] ||
	    (s->state == VSOCK_CONNECTING && p->op > VIRTIO_VSOCK_OP_RST)) {
		vm_vsock_kill(s);
		return;
	}
	s->peer_alloc = le32toh(p->h.buf_alloc);
	s->peer_fwd = le32toh(p->h.fwd_cnt);
	if (vm_vsock_credit(s))
		s->asked = false;
	on_op[p->op](s, p);
	vm_vsock_watch(s);
	if (says_hello && s->state != VSOCK_OPEN)
		hello(s->v);
}

static void unknown(struct vm_vsock *v, const struct packet *p)
{
	struct vm_vsock_stream *s = NULL;

	if (p->op == VIRTIO_VSOCK_OP_RST)
		return;
	if (p->op == VIRTIO_VSOCK_OP_REQUEST && le32toh(p->h.dst_port) == VM_HELLO_PORT &&
	    le64toh(p->h.dst_cid) == VMADDR_CID_HOST &&
	    le16toh(p->h.type) == VIRTIO_VSOCK_TYPE_STREAM)
		s = vm_vsock_new_hello(v, le32toh(p->h.src_port));
	if (s) {
		vm_vsock_enqueue(s, VSOCK_TODO(VIRTIO_VSOCK_OP_RESPONSE));
		return;
	}
	v->resets[v->n_resets++] = (struct vm_vsock_reset){
		.host_cid = le64toh(p->h.dst_cid),
		.host_port = le32toh(p->h.dst_port),
		.guest_port = le32toh(p->h.src_port),
		.type = le16toh(p->h.type),
	};
}

static void packet(struct vm_vsock *v, const struct packet *p)
{
	struct vm_vsock_stream *s = NULL;

	if (le64toh(p->h.src_cid) != GUEST_CID)
		return; /* an answer would reach nobody */
	if (le64toh(p->h.dst_cid) == VMADDR_CID_HOST &&
	    le16toh(p->h.type) == VIRTIO_VSOCK_TYPE_STREAM)
		s = vm_vsock_find(v, le32toh(p->h.dst_port), le32toh(p->h.src_port));
	if (s)
		known(s, p);
	else
		unknown(v, p);
}

/* One packet of the guest's: 1, 0 or -EPROTO. */
static int take(struct vm_vsock *v)
{
	struct vm_chain *c = &v->chain;
	struct packet p = {.c = c};
	int rc = vm_queue_pop(&v->d.queues[TX], c);

	if (rc <= 0)
		return rc < 0 ? fail(v) : 0;
	if (vm_iov_read(c->out, c->n_out, 0, &p.h, HEADER) != HEADER)
		return fail(v);
	p.op = le16toh(p.h.op);
	p.len = le32toh(p.h.len);
	p.flags = le32toh(p.h.flags);
	if (p.len > c->out_len - HEADER)
		return fail(v);
	packet(v, &p);
	vm_queue_push(&v->d.queues[TX], c->head, 0);
	v->tx_used = true;
	return 1;
}

/* True: something was taken, and an answer may wait. A guest that fills its queue as fast as we
 * empty it shall not keep the loop for itself: after a turn's share it waits for the next kick,
 * which is ours then. */
static bool take_all(struct vm_vsock *v, unsigned *budget)
{
	bool any = false;

	while (v->n_resets < VSOCK_RESETS && *budget) {
		if (take(v) <= 0)
			return any;
		any = true;
		(*budget)--;
	}
	if (!*budget)
		eventfd_write(v->d.kick[TX], 1);
	return any;
}

void vm_vsock_pump(struct vm_vsock *v)
{
	unsigned budget = v->d.kick[TX] >= 0 ? TURN_PACKETS : UINT_MAX;

	if (v->pumping || !v->d.started || v->d.failed)
		return;
	v->pumping = true;
	do {
		open_up(v);
		send_all(v);
	} while (take_all(v, &budget));
	v->pumping = false;
	if (v->rx_used)
		vm_device_signal(&v->d, RX);
	if (v->tx_used)
		vm_device_signal(&v->d, TX);
	v->rx_used = v->tx_used = false;
	vm_vsock_listen(v);
}

void vm_vsock_wake(struct vm_vsock *v)
{
	if (v->d.kick[RX] >= 0)
		eventfd_write(v->d.kick[RX], 1);
	else
		vm_vsock_pump(v);
}

/* The event queue: how many buffers wait in it. The last pop, which finds none, asks the driver to
 * notify when it adds one. */
static unsigned count_events(struct vm_vsock *v)
{
	struct vm_queue *q = &v->d.queues[EVENT];
	unsigned n = 0;
	int rc;

	while ((rc = vm_queue_pop(q, &v->chain)) > 0)
		n++;
	for (unsigned i = 0; i < n; i++)
		vm_queue_unpop(q);
	if (rc < 0)
		fail(v);
	return n;
}

static void announce(struct vm_vsock *v)
{
	struct virtio_vsock_event event = {.id = htole32(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET)};
	struct vm_queue *q = &v->d.queues[EVENT];
	int rc = vm_queue_pop(q, &v->chain);

	if (rc < 0 || (rc > 0 && v->chain.in_len < sizeof(event)))
		fail(v);
	if (rc <= 0 || v->d.failed)
		return;
	vm_iov_write(v->chain.in, v->chain.n_in, 0, &event, sizeof(event));
	vm_queue_push(q, v->chain.head, sizeof(event));
	vm_device_signal(&v->d, EVENT);
	v->announced = true;
	v->events = count_events(v);
}

/* The driver gives a buffer back when it has done what the event asks for; a new stream that it
 * heard of earlier could be reset with the old ones. */
static void event_notified(struct vm_vsock *v)
{
	if (!v->restored)
		return;
	if (!v->announced) {
		announce(v);
		return;
	}
	if (count_events(v) <= v->events || v->d.failed)
		return;
	v->restored = v->announced = false;
	if (v->hello) {
		v->hello = false;
		hello(v);
	}
}

static void vsock_notify(struct vm_device *d, unsigned q)
{
	struct vm_vsock *v = (struct vm_vsock *)d;

	if (q == EVENT)
		event_notified(v);
	vm_vsock_pump(v);
}

static void vsock_reset(struct vm_device *d)
{
	struct vm_vsock *v = (struct vm_vsock *)d;

	v->hello = v->open = v->restored = v->announced = false;
	v->n_resets = 0;
	vm_vsock_drop_all(v);
	vm_vsock_listen(v);
}

static void vsock_save(struct vm_device *d, struct strbuf *out)
{
	const struct vm_vsock *v = (const struct vm_vsock *)d;
	uint8_t said = v->hello;

	strbuf_add(out, &said, sizeof(said));
}

static int vsock_load(struct vm_device *d, const void *data, size_t len)
{
	struct vm_vsock *v = (struct vm_vsock *)d;
	const uint8_t *said = data;

	if (len != 1 || *said > 1)
		return -EPROTO;
	v->hello = *said;
	v->restored = d->started && d->queues[EVENT].ready;
	return 0;
}

static void vsock_free(struct vm_device *d)
{
	struct vm_vsock *v = (struct vm_vsock *)d;

	vm_vsock_drop_all(v);
	vm_loop_drop(d->loop, &v->listen);
	fd_close(&v->how.listen);
	free(v->streams);
	free(v);
}

static const struct vm_device_ops ops = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.n_queues = N_QUEUES,
	.config_len = sizeof(struct virtio_vsock_config),
	.notify = vsock_notify,
	.reset = vsock_reset,
	.save = vsock_save,
	.load = vsock_load,
	.free = vsock_free,
};

int vm_vsock_make(const struct vm_wires *w, const struct vm_vsock_how *how,
		  struct vm_device **ret_device, struct err *e)
{
	struct virtio_vsock_config config = {.guest_cid = htole64(GUEST_CID)};
	struct vm_vsock *v = calloc(1, sizeof(*v));

	/* Pages of the table that no stream uses cost nothing. */
	if (v)
		v->streams = calloc(VSOCK_STREAMS + 1, sizeof(*v->streams));
	if (!v || !v->streams) {
		free(v);
		return err_sys(e, ENOMEM, "vsock", "making the device");
	}
	vm_device_init(&v->d, &ops, w->loop, w->mem, VM_QUEUE_MAX);
	memcpy(v->d.config, &config, sizeof(config));
	v->how = *how;
	v->listen.fd = -1;
	TAILQ_INIT(&v->queue);
	*ret_device = &v->d;
	return 0;
}
