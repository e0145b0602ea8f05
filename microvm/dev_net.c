/* microvm/dev_net.c: one network card (virtio 1.2, 5.1): a receive and a transmit queue over a tap
 * device.
 *
 * A frame goes between the tap and the driver's buffers by one readv(2) or writev(2), without a
 * copy. How long the next frame is isn't known before it is read: buffers for the longest are taken
 * from the queue first, with room of our own behind them, and what stays unused is put back.
 *
 * Invariants
 *  1. The tap is read only while there are buffers: what doesn't fit waits in the tap, where the
 *     kernel drops it as any card would.
 *  2. Between two calls from the loop no chain of a queue is held.
 *  3. The header that the tap gets is ours: copied, and cut down to what was negotiated.
 *  4. The tap hands over only what the driver said it takes (TUNSETOFFLOAD), nothing before.
 *  5. A call does at most BURST frames: the loop has others to serve.
 */
#include "microvm/devices.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { RECEIVE, TRANSMIT };

#define HEADER sizeof(struct virtio_net_hdr_v1)
#define FRAME_MAX 65562u /* 5.1.6.3.1: the longest with its header */
#define ETHERNET 18u     /* header and one VLAN tag */
#define MTU 1500u
#define BURST 64
#define IOV_TOP 1023 /* one less than readv(2) takes: ours is the last */

struct parked {
	uint16_t head;
	unsigned n; /* buffers */
	size_t len;
};

struct net {
	struct vm_device d;
	int tap;
	struct vm_source source; /* fd -1: the tap is gone */
	struct vm_limiter rx_limit, tx_limit;
	bool starved;                /* no buffers: the driver will notify */
	bool rx_limited, tx_limited; /* the limiter will call */
	bool tx_full;                /* the tap will say when it takes more */
	bool rx_paid, tx_paid;       /* the next frame is */
	uint64_t owed;               /* bytes received that the limiter hasn't heard of */

	/* Chains taken for receiving. A frame is put into those from `first` on. */
	unsigned first, n_parked, first_iov, n_iov;
	size_t capacity; /* bytes from first on */
	bool dry;        /* the queue had no more */
	struct parked parked[VM_QUEUE_MAX];
	struct iovec iov[IOV_TOP + 1];

	/* A frame that was longer than the buffers: kept until they suffice. */
	size_t pending;
	uint8_t frame[FRAME_MAX];
};

static bool active(const struct net *n, unsigned q)
{
	return n->d.started && !n->d.failed && n->d.queues[q].ready;
}

static void watch(struct net *n);

/* The link is down for good: its namespace went away. */
static void tap_gone(struct net *n)
{
	struct virtio_net_config *c = (struct virtio_net_config *)(void *)n->d.config;

	vm_loop_drop(n->d.loop, &n->source);
	c->status = 0;
	vm_device_config_changed(&n->d);
}

/* --- receiving --- */

static bool merges(const struct net *n)
{
	return vm_device_has(&n->d, VIRTIO_NET_F_MRG_RXBUF);
}

/* Bytes of buffers that hold whatever may come; without merging one chain must do. */
static size_t wanted(const struct net *n)
{
	const struct virtio_net_config *c = (const void *)n->d.config;

	if (!merges(n))
		return 1;
	if (vm_device_has(&n->d, VIRTIO_NET_F_GUEST_TSO4) ||
	    vm_device_has(&n->d, VIRTIO_NET_F_GUEST_TSO6))
		return FRAME_MAX;
	return HEADER + ETHERNET + (c->mtu > MTU ? c->mtu : MTU);
}

/* 1: one more chain is parked, 0: not (the queue is empty, or the arrays are full), -EPROTO. */
static int park(struct net *n)
{
	struct vm_queue *q = &n->d.queues[RECEIVE];
	struct vm_chain c;
	int rc;

	if (n->n_parked == VM_QUEUE_MAX)
		return 0;
	rc = vm_queue_pop(q, &c);
	n->dry = rc == 0;
	if (rc <= 0)
		return rc;
	if (c.n_out || c.in_len < HEADER)
		return -EPROTO;
	if (c.n_in > IOV_TOP - n->n_iov) {
		vm_queue_unpop(q);
		return 0;
	}
	memcpy(&n->iov[n->n_iov], c.in, c.n_in * sizeof(c.in[0]));
	n->parked[n->n_parked++] = (struct parked){c.head, c.n_in, c.in_len};
	n->n_iov += c.n_in;
	n->capacity += c.in_len;
	return 1;
}

static int gather(struct net *n)
{
	size_t want = wanted(n);
	int rc = 1;

	if (merges(n) && n->pending > want)
		want = n->pending;
	while (rc > 0 && n->capacity < want)
		rc = park(n);
	return rc;
}

static void give_back(struct net *n)
{
	for (; n->n_parked > n->first; n->n_parked--)
		vm_queue_unpop(&n->d.queues[RECEIVE]);
	n->first = n->n_parked = n->first_iov = n->n_iov = 0;
	n->capacity = 0;
}

static const struct iovec *window(const struct net *n, unsigned *ret_n)
{
	*ret_n = n->n_iov - n->first_iov;
	return &n->iov[n->first_iov];
}

/* Completes a frame's header: how many buffers it took (5.1.6.4.1), and no flag that wasn't
 * negotiated. */
static void finish_header(const struct net *n, uint16_t buffers)
{
	unsigned k;
	const struct iovec *v = window(n, &k);
	uint8_t none = 0;

	vm_iov_write(v, k, offsetof(struct virtio_net_hdr_v1, num_buffers), &buffers,
		     sizeof(buffers));
	if (!vm_device_has(&n->d, VIRTIO_NET_F_GUEST_CSUM))
		vm_iov_write(v, k, offsetof(struct virtio_net_hdr_v1, flags), &none, sizeof(none));
}

/* The frame of len bytes that is in the buffers goes to the driver. */
static void deliver(struct net *n, size_t len)
{
	struct vm_done done[VM_QUEUE_MAX];
	unsigned k = 0, iov = 0;

	for (size_t left = len; left; k++) {
		const struct parked *p = &n->parked[n->first + k];
		size_t part = left < p->len ? left : p->len;

		done[k] = (struct vm_done){p->head, (uint32_t)part};
		left -= part;
		iov += p->n;
		n->capacity -= p->len;
	}
	finish_header(n, (uint16_t)k);
	vm_queue_push_all(&n->d.queues[RECEIVE], done, k);
	n->first += k;
	n->first_iov += iov;
}

/* One frame from the tap, behind the buffers into our own. As readv(2). */
static ssize_t fetch(struct net *n)
{
	unsigned k;
	const struct iovec *v = window(n, &k);

	if (n->capacity < FRAME_MAX)
		n->iov[n->first_iov + k++] =
			(struct iovec){n->frame + n->capacity, FRAME_MAX - n->capacity};
	return readv(n->tap, v, (int)k);
}

/* Too long a frame, the part that is in the buffers and the rest, becomes the pending one. */
static void keep(struct net *n, size_t len)
{
	unsigned k;
	const struct iovec *v = window(n, &k);

	vm_iov_read(v, k, 0, n->frame, n->capacity);
	n->pending = len;
}

/* The pending frame once more; dropped when no number of buffers would do. */
static bool retry(struct net *n)
{
	unsigned k;
	const struct iovec *v = window(n, &k);

	if (n->pending <= n->capacity) {
		vm_iov_write(v, k, 0, n->frame, n->pending);
		deliver(n, n->pending);
	} else if (merges(n) && n->n_parked - n->first < n->d.queues[RECEIVE].size &&
		   (n->dry || n->first)) {
		n->starved = n->dry;
		return false;
	}
	n->pending = 0;
	return true;
}

/* A frame's length is known when it was read: it is paid for with the next one. */
static bool pay(struct net *n)
{
	if (n->rx_paid)
		return true;
	if (!vm_limiter_take(&n->rx_limit, n->owed)) {
		n->rx_limited = true;
		return false;
	}
	n->owed = 0;
	n->rx_paid = true;
	return true;
}

/* Whether another frame may follow. */
static bool receive_read(struct net *n)
{
	ssize_t len;

	if (!pay(n))
		return false;
	len = fetch(n);
	if (len < 0 && errno == EBADFD) {
		tap_gone(n);
		return false;
	}
	if (len < 0)
		return errno == EFAULT || errno == EINVAL; /* one frame is lost, others come */
	n->rx_paid = false;
	n->owed = (uint64_t)len;
	if ((size_t)len > n->capacity)
		keep(n, (size_t)len);
	else if ((size_t)len > HEADER)
		deliver(n, (size_t)len);
	return len > 0;
}

static bool receive_one(struct net *n)
{
	if (gather(n) < 0) {
		vm_device_fail(&n->d);
		return false;
	}
	if (n->first == n->n_parked) {
		n->starved = n->dry;
		return false;
	}
	if (!n->pending && !receive_read(n))
		return false;
	return n->pending ? retry(n) : true;
}

static void receive_burst(struct net *n)
{
	for (int i = 0; i < BURST && receive_one(n); i++)
		;
	give_back(n);
}

static void receive(struct net *n)
{
	if (!active(n, RECEIVE) || n->source.fd < 0)
		return;
	n->starved = n->rx_limited = false;
	receive_burst(n);
	/* The arrays were full; they are empty now, and the tap wouldn't wake us for this one. */
	if (n->pending && !n->starved && !n->rx_limited && !n->d.failed)
		receive_burst(n);
	vm_device_signal(&n->d, RECEIVE);
	watch(n);
}

/* --- transmitting --- */

static bool gso_fits(const struct net *n, const struct virtio_net_hdr_v1 *h)
{
	unsigned bit = h->gso_type == VIRTIO_NET_HDR_GSO_TCPV4 ? VIRTIO_NET_F_HOST_TSO4
							       : VIRTIO_NET_F_HOST_TSO6;

	if (h->gso_type != VIRTIO_NET_HDR_GSO_TCPV4 && h->gso_type != VIRTIO_NET_HDR_GSO_TCPV6)
		return false;
	return vm_device_has(&n->d, bit) && h->gso_size && h->flags;
}

/* The header as the tap may see it; false: such a frame isn't sent. */
static bool clean_header(const struct net *n, struct virtio_net_hdr_v1 *h)
{
	h->flags &= vm_device_has(&n->d, VIRTIO_NET_F_CSUM) ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0;
	h->num_buffers = 0;
	if (!h->flags)
		h->csum_start = h->csum_offset = 0;
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return gso_fits(n, h);
	h->gso_size = h->hdr_len = 0;
	return true;
}

/* 0: sent, or dropped as a card drops what is no frame; -EAGAIN: not now. */
static int put_frame(struct net *n, const struct vm_chain *c)
{
	struct virtio_net_hdr_v1 h;
	struct iovec v[VM_CHAIN_MAX + 1] = {{&h, HEADER}};
	unsigned k;

	if (vm_iov_read(c->out, c->n_out, 0, &h, HEADER) < HEADER || c->out_len > FRAME_MAX ||
	    !clean_header(n, &h))
		return 0;
	k = vm_iov_slice(c->out, c->n_out, HEADER, FRAME_MAX, &v[1]);
	if (writev(n->tap, v, (int)k + 1) >= 0)
		return 0;
	return errno == EAGAIN || errno == EINTR ? -EAGAIN : 0;
}

static int send_chain(struct net *n, const struct vm_chain *c)
{
	int rc;

	if (n->source.fd < 0)
		return 0;
	if (!n->tx_paid && !vm_limiter_take(&n->tx_limit, c->out_len)) {
		n->tx_limited = true;
		return -EAGAIN;
	}
	rc = put_frame(n, c);
	n->tx_paid = n->tx_full = rc < 0;
	return rc;
}

/* As vm_queue_pop: 1, 0, -EPROTO. */
static int transmit_one(struct net *n)
{
	struct vm_queue *q = &n->d.queues[TRANSMIT];
	struct vm_chain c;
	int rc = vm_queue_pop(q, &c);

	if (rc <= 0)
		return rc;
	if (c.n_in || c.out_len < HEADER)
		return -EPROTO;
	if (send_chain(n, &c) < 0) {
		vm_queue_unpop(q);
		return 0;
	}
	vm_queue_push(q, c.head, 0);
	return 1;
}

/* The driver's kick once more, from ourselves; without an eventfd there is no later. */
static bool later(const struct net *n)
{
	uint64_t one = 1;

	return n->d.kick[TRANSMIT] >= 0 &&
	       write(n->d.kick[TRANSMIT], &one, sizeof(one)) == sizeof(one);
}

static void transmit(struct net *n)
{
	int rc = 1;

	if (!active(n, TRANSMIT) || n->tx_full || n->tx_limited)
		return;
	for (int i = 1; rc > 0; i++) {
		rc = transmit_one(n);
		if (rc > 0 && i % BURST == 0 && later(n))
			break;
	}
	vm_device_signal(&n->d, TRANSMIT);
	if (rc < 0)
		vm_device_fail(&n->d);
	watch(n);
}

/* --- the loop's calls --- */

static void watch(struct net *n)
{
	uint32_t events = 0;
	struct err e;

	if (n->source.fd < 0)
		return;
	if (active(n, RECEIVE) && !n->starved && !n->rx_limited)
		events |= EPOLLIN;
	if (active(n, TRANSMIT) && n->tx_full)
		events |= EPOLLOUT;
	if (vm_loop_change(n->d.loop, &n->source, events, &e) < 0)
		tap_gone(n);
}

static void tap_ready(struct vm_source *s, uint32_t events)
{
	struct net *n = s->arg;

	if (events & EPOLLIN)
		receive(n);
	if (events & EPOLLOUT) {
		n->tx_full = false;
		transmit(n);
	}
	if ((events & (EPOLLERR | EPOLLHUP)) && n->source.fd >= 0)
		tap_gone(n);
	watch(n); /* of a card that failed meanwhile, nothing: the loop would spin */
}

static void rx_again(void *arg)
{
	receive(arg);
}

static void tx_again(void *arg)
{
	struct net *n = arg;

	n->tx_limited = false;
	transmit(n);
}

/* --- the device --- */

static void notify(struct vm_device *d, unsigned q)
{
	struct net *n = (struct net *)d;

	/* Limited, the limiter calls; else more buffers may be what a frame waits for. */
	if (q == TRANSMIT)
		transmit(n);
	else if (!n->rx_limited)
		receive(n);
}

/* What isn't a tap (a test's socket) has no offloads. */
static void set_offloads(const struct net *n)
{
	static const struct {
		unsigned feature;
		unsigned long flag;
	} map[] = {
		{VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4},
		{VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6},
	};
	unsigned long flags = 0;

	if (n->d.started && vm_device_has(&n->d, VIRTIO_NET_F_GUEST_CSUM)) {
		flags = TUN_F_CSUM;
		for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
			if (vm_device_has(&n->d, map[i].feature))
				flags |= map[i].flag;
	}
	(void)ioctl(n->tap, TUNSETOFFLOAD, flags);
}

static void start(struct vm_device *d)
{
	struct net *n = (struct net *)d;

	set_offloads(n);
	watch(n);
}

static void reset(struct vm_device *d)
{
	struct net *n = (struct net *)d;

	n->pending = 0;
	n->starved = n->rx_limited = n->tx_limited = n->tx_full = false;
	set_offloads(n);
	watch(n);
}

/* Nothing is kept but the transport's registers; the tap is another one. */
static int load(struct vm_device *d, const void *data, size_t len)
{
	(void)data;
	if (len)
		return -EPROTO;
	start(d);
	return 0;
}

static void net_free(struct vm_device *d)
{
	struct net *n = (struct net *)d;

	vm_loop_drop(d->loop, &n->source);
	vm_limiter_free(&n->rx_limit);
	vm_limiter_free(&n->tx_limit);
	fd_close(&n->tap);
	free(n);
}

#define BIT(x) (1ull << (x))

static const struct vm_device_ops ops = {
	.name = "net",
	.id = VIRTIO_ID_NET,
	.n_queues = 2,
	.features = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) | BIT(VIRTIO_NET_F_CSUM) |
		    BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
		    BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_HOST_TSO4) |
		    BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_MRG_RXBUF),
	.config_len = offsetof(struct virtio_net_config, speed),
	.start = start,
	.notify = notify,
	.reset = reset,
	.load = load,
	.free = net_free,
};

static void fill_config(struct net *n, const struct vm_net_how *how)
{
	struct virtio_net_config *c = (struct virtio_net_config *)(void *)n->d.config;

	memcpy(c->mac, how->mac, sizeof(c->mac));
	c->status = VIRTIO_NET_S_LINK_UP;
	c->mtu = how->mtu;
	if (how->mtu)
		n->d.extra_features |= BIT(VIRTIO_NET_F_MTU);
}

static int wire(struct net *n, const struct vm_net_how *how, struct err *e)
{
	int flags = fcntl(how->tap, F_GETFL), rc;

	if (flags < 0 || fcntl(how->tap, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "net", "preparing the tap device");
	rc = vm_limiter_init(&n->rx_limit, n->d.loop, &how->rx, rx_again, n, e);
	if (rc == 0)
		rc = vm_limiter_init(&n->tx_limit, n->d.loop, &how->tx, tx_again, n, e);
	if (rc < 0)
		return rc;
	n->source = (struct vm_source){.fd = how->tap, .ready = tap_ready, .arg = n};
	rc = vm_loop_add(n->d.loop, &n->source, 0, e);
	if (rc < 0)
		n->source.fd = -1;
	return rc;
}

int vm_net_make(const struct vm_wires *w, const struct vm_net_how *how,
		struct vm_device **ret_device, struct err *e)
{
	struct net *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return err_sys(e, ENOMEM, "net", "making a device");
	vm_device_init(&n->d, &ops, w->loop, w->mem, VM_QUEUE_MAX);
	n->tap = n->source.fd = -1;
	fill_config(n, how);
	rc = wire(n, how, e);
	if (rc < 0) {
		net_free(&n->d);
		return rc;
	}
	n->tap = how->tap;
	set_offloads(n);
	*ret_device = &n->d;
	return 0;
}
