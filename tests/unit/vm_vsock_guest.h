/* tests/unit/vm_vsock_guest.h: a guest's vsock driver for the tests of the device: packets in and
 * out, and the host's ends of streams. */
#ifndef RF_TESTS_VM_VSOCK_GUEST_H
#define RF_TESTS_VM_VSOCK_GUEST_H

#include "vm_driver.h"

#include "common/fd.h"
#include "common/str.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_vsock.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PORT 1024u
#define GUEST 3u
#define HOST 2u
#define HEADER 44u
#define RX_BYTES 4096u
#define CREDIT (256u << 10)
#define SHUT_BOTH 3u

enum { RX, TX, EVENT };

struct got { /* what the guest received */
	struct virtio_vsock_hdr h;
	uint8_t data[RX_BYTES];
};

static struct vm_driver v;
static struct {
	int listen, hellos;
	bool stops; /* hello stops the loop */
	struct sockaddr_un address;
	socklen_t address_len;
	uint64_t rx_at[256]; /* by descriptor */
	uint64_t tx_at;
	uint32_t alloc, taken; /* the guest's side of the stream's credit */
	struct got got;
} t;

static inline void said_hello(void *arg)
{
	assert_ptr_equal(arg, &t);
	t.hellos++;
	if (t.stops)
		vm_loop_stop(&v.loop);
}

/* A chain as Linux makes it: a buffer for the header, one for the bytes. */
static inline void add_rx(unsigned n)
{
	while (n--) {
		uint64_t at = drv_alloc(&v, HEADER + RX_BYTES);
		struct drv_buf b[] = {{at, HEADER, true}, {at + HEADER, RX_BYTES, true}};

		t.rx_at[drv_add(&v, RX, b, 2)] = at;
	}
	drv_kick(&v, RX);
	drv_turn(&v);
}

static inline void make_device(void)
{
	struct vm_vsock_how how = {
		.listen = dup(t.listen), .port = PORT, .hello = said_hello, .arg = &t};
	struct vm_device *d;

	assert_int_equal(vm_vsock_make(&v.wires, &how, &d, &v.e), 0);
	drv_attach(&v, d);
}

static inline int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	drv_open(&v, 32 << 20);
	t.listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	t.address.sun_family = AF_UNIX;
	t.address_len = sizeof(t.address);
	/* unix(7): a name of the kernel's choice */
	assert_int_equal(bind(t.listen, (void *)&t.address, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(t.listen, (void *)&t.address, &t.address_len), 0);
	assert_int_equal(listen(t.listen, 64), 0);
	make_device();
	drv_up(&v, 0, 256);
	t.tx_at = drv_alloc(&v, HEADER + (1 << 20));
	t.alloc = CREDIT;
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	drv_close(&v);
	close(t.listen);
	return 0;
}

/* One packet to the guest, if there is one; its buffer goes back at once when `refill`. */
static inline bool recv_packet(bool refill)
{
	uint32_t id, len;
	uint64_t at;

	drv_turn(&v);
	if (!drv_used(&v, RX, &id, &len))
		return false;
	assert_in_range(id, 0, 255);
	at = t.rx_at[id];
	memcpy(&t.got.h, drv_at(&v, at, HEADER), HEADER);
	assert_int_equal(len, HEADER + t.got.h.len);
	assert_in_range(t.got.h.len, 0, RX_BYTES);
	memcpy(t.got.data, drv_at(&v, at + HEADER, RX_BYTES), t.got.h.len);
	assert_int_equal(t.got.h.dst_cid, GUEST);
	if (refill) {
		struct drv_buf b[] = {{at, HEADER, true}, {at + HEADER, RX_BYTES, true}};

		t.rx_at[drv_add(&v, RX, b, 2)] = at;
		drv_kick(&v, RX);
	}
	return true;
}

static inline void expect_op(uint16_t op)
{
	assert_true(recv_packet(true));
	assert_int_equal(t.got.h.op, op);
	assert_int_equal(t.got.h.src_cid, HOST);
}

/* And the loop rests: no source is ready again and again. */
static inline void expect_none(void)
{
	struct pollfd p = {.fd = v.loop.epoll, .events = POLLIN};

	assert_false(recv_packet(true));
	drv_turn(&v);
	assert_int_equal(poll(&p, 1, 0), 0);
}

static inline struct virtio_vsock_hdr header(uint16_t op, uint32_t host_port, uint32_t guest_port)
{
	return (struct virtio_vsock_hdr){.src_cid = GUEST,
					 .dst_cid = HOST,
					 .src_port = guest_port,
					 .dst_port = host_port,
					 .type = VIRTIO_VSOCK_TYPE_STREAM,
					 .op = op,
					 .buf_alloc = t.alloc,
					 .fwd_cnt = t.taken};
}

/* The guest sends this header with as many bytes; `room` is what the chain holds behind it. */
static inline void send_raw(const struct virtio_vsock_hdr *h, const void *data, uint32_t room)
{
	struct drv_buf b[] = {{t.tx_at, HEADER, false}, {t.tx_at + HEADER, room, false}};
	uint32_t id, len;

	memcpy(drv_at(&v, t.tx_at, HEADER), h, HEADER);
	if (room)
		memcpy(drv_at(&v, t.tx_at + HEADER, room), data, room);
	drv_add(&v, TX, b, room ? 2 : 1);
	drv_kick(&v, TX);
	drv_turn(&v);
	if (!drv_broken(&v)) {
		assert_true(drv_used(&v, TX, &id, &len));
		assert_int_equal(len, 0);
	}
}

static inline void send_op(uint16_t op, uint32_t host_port, uint32_t flags)
{
	struct virtio_vsock_hdr h = header(op, host_port, PORT);

	h.flags = flags;
	send_raw(&h, NULL, 0);
}

static inline void send_data(uint32_t host_port, const void *data, uint32_t len)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, host_port, PORT);

	h.len = len;
	send_raw(&h, data, len);
}

/* The agent says hello, and closes that stream. */
static inline void say_hello(void)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_REQUEST, VM_HELLO_PORT, 5555);

	send_raw(&h, NULL, 0);
	expect_op(VIRTIO_VSOCK_OP_RESPONSE);
	assert_int_equal(t.got.h.dst_port, 5555);
	assert_int_equal(t.got.h.src_port, VM_HELLO_PORT);
	h.op = VIRTIO_VSOCK_OP_SHUTDOWN;
	h.flags = SHUT_BOTH;
	send_raw(&h, NULL, 0);
}

static inline void up(void)
{
	add_rx(128);
	say_hello();
	expect_op(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(t.hellos, 1);
}

/* A host's end of a new stream, not answered by the guest yet; its port. */
static inline int begin(uint32_t *ret_port)
{
	int pair[2];

	t.taken = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	vm_lock(&v.loop);
	assert_int_equal(vm_vsock_connect(v.d, pair[1], &v.e), 0);
	vm_unlock(&v.loop);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	assert_int_equal(t.got.h.dst_port, PORT);
	assert_int_equal(t.got.h.type, VIRTIO_VSOCK_TYPE_STREAM);
	assert_int_equal(t.got.h.buf_alloc, CREDIT);
	assert_int_equal(t.got.h.fwd_cnt, 0);
	*ret_port = t.got.h.src_port;
	assert_true(*ret_port >= 1024);
	return pair[0];
}

static inline int open_stream(uint32_t *ret_port)
{
	int fd = begin(ret_port);

	send_op(VIRTIO_VSOCK_OP_RESPONSE, *ret_port, 0);
	return fd;
}

static inline void host_reads(int fd, const char *text)
{
	char buf[256];
	ssize_t n;

	drv_turn(&v);
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, n);
}

static inline void host_at_end(int fd)
{
	char c;

	drv_turn(&v);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), 0);
}

static inline void guest_reads(uint32_t port, const char *text)
{
	expect_op(VIRTIO_VSOCK_OP_RW);
	assert_int_equal(t.got.h.src_port, port);
	assert_int_equal(t.got.h.len, strlen(text));
	assert_memory_equal(t.got.data, text, t.got.h.len);
	t.taken += t.got.h.len;
}

static inline size_t drain(int fd, uint8_t *to, size_t max)
{
	size_t n = 0;
	ssize_t got;

	while (n < max && (got = recv(fd, to + n, max - n, MSG_DONTWAIT)) > 0)
		n += (size_t)got;
	return n;
}

static inline void pattern(uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(i * 2654435761u >> 11);
}

/* Sends until the credit is used up and nothing more is announced; how much that was. */
static inline size_t choke(uint32_t port, const uint8_t *bulk)
{
	uint32_t told = 0, sent = 0;

	while (sent - told < CREDIT) {
		send_data(port, bulk + sent, 32 << 10);
		sent += 32 << 10;
		while (recv_packet(true))
			told = t.got.h.fwd_cnt;
	}
	return sent;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
