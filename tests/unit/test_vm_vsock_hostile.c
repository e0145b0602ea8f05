/* tests/unit/test_vm_vsock_hostile.c: a guest that breaks the rules of vsock: what it costs it, and
 * that it costs nobody else. */
#include "vm_vsock_guest.h"

static void overrun(void **state)
{
	static uint8_t bulk[2 << 20];
	uint32_t port, other;
	int fd, good;

	(void)state;
	up();
	fd = open_stream(&port);
	good = open_stream(&other);
	choke(port, bulk);
	/* Its own account is older than ours: what the socket took since is room. */
	for (int i = 0; i < 3; i++)
		send_data(port, bulk, 64 << 10);
	expect_op(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(t.got.h.src_port, port);
	send_data(other, "unhurt", 6);
	host_reads(good, "unhurt");
	close(fd);
	close(good);
}

/* Answers to packets of unknown streams are bounded: the guest's queue waits for its buffers. */
static void answers_without_buffers(void **state)
{
	unsigned taken = 0, answers = 0;
	uint32_t id, len;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_RW, 4000 + i, PORT);
		uint64_t at = drv_alloc(&v, HEADER);

		memcpy(drv_at(&v, at, HEADER), &h, HEADER);
		drv_add1(&v, TX, at, HEADER, false);
	}
	drv_kick(&v, TX);
	drv_turn(&v);
	while (drv_used(&v, TX, &id, &len))
		taken++;
	assert_in_range(taken, 1, 100);
	add_rx(8);
	while (recv_packet(true)) {
		assert_int_equal(t.got.h.op, VIRTIO_VSOCK_OP_RST);
		answers++;
	}
	while (drv_used(&v, TX, &id, &len))
		taken++;
	assert_int_equal(taken, 200);
	assert_int_equal(answers, 200);
}

/* Packets that cost the guest an RST, at worst the stream, never the device. */
static void nonsense(void **state)
{
	static const struct {
		const char *name;
		uint64_t src_cid, dst_cid;
		uint32_t port; /* 0: the stream's */
		uint16_t type, op;
		uint32_t alloc, fwd;
		bool rst, dead; /* answered with RST; the stream is gone */
	} cases[] = {
		{"unknown op", GUEST, HOST, 0, 1, 8, CREDIT, 0, true, true},
		{"op of 16 bits", GUEST, HOST, 0, 1, 0xffff, CREDIT, 0, true, true},
		{"op invalid", GUEST, HOST, 0, 1, 0, CREDIT, 0, true, true},
		{"request for a stream that is", GUEST, HOST, 0, 1, 1, CREDIT, 0, true, true},
		{"second response", GUEST, HOST, 0, 1, 2, CREDIT, 0, true, true},
		{"sequenced packets", GUEST, HOST, 0, 2, 5, CREDIT, 0, true, false},
		{"unknown type", GUEST, HOST, 0, 99, 1, CREDIT, 0, true, false},
		{"another host", GUEST, 9, 0, 1, 5, CREDIT, 0, true, false},
		{"a cid of 64 bits", GUEST, HOST | 1ull << 32, 0, 1, 5, CREDIT, 0, true, false},
		{"somebody else's name", 4, HOST, 0, 1, 3, CREDIT, 0, false, false},
		{"response to nothing", GUEST, HOST, 5000, 1, 2, CREDIT, 0, true, false},
		{"shutdown of nothing", GUEST, HOST, 5000, 1, 4, CREDIT, 0, true, false},
		{"connect to a port that isn't", GUEST, HOST, 22, 1, 1, CREDIT, 0, true, false},
		{"port any", GUEST, HOST, UINT32_MAX, 1, 1, CREDIT, 0, true, false},
		{"rst of nothing", GUEST, HOST, 5000, 1, 3, CREDIT, 0, false, false},
		{"much room", GUEST, HOST, 0, 1, 6, UINT32_MAX, 0, false, false},
		{"took what wasn't sent", GUEST, HOST, 0, 1, 6, CREDIT, 12345, false, false},
		{"empty data", GUEST, HOST, 0, 1, 5, CREDIT, 0, false, false},
	};

	(void)state;
	up();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct virtio_vsock_hdr h;
		uint32_t port;
		int fd = open_stream(&port);

		print_message("           %s\n", cases[i].name);
		h = header(cases[i].op, cases[i].port ? cases[i].port : port, PORT);
		h.src_cid = cases[i].src_cid;
		h.dst_cid = cases[i].dst_cid;
		h.type = cases[i].type;
		h.buf_alloc = cases[i].alloc;
		h.fwd_cnt = cases[i].fwd;
		send_raw(&h, NULL, 0);
		if (cases[i].rst) {
			assert_true(recv_packet(true));
			assert_int_equal(t.got.h.op, VIRTIO_VSOCK_OP_RST);
			assert_int_equal(t.got.h.src_cid, h.dst_cid);
			assert_int_equal(t.got.h.src_port, h.dst_port);
			assert_int_equal(t.got.h.dst_port, PORT);
			assert_int_equal(t.got.h.type, cases[i].dead ? 1 : h.type);
		}
		expect_none();
		if (cases[i].dead) {
			host_at_end(fd);
		} else {
			t.taken = 0;
			send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, port, 0);
			assert_int_equal(write(fd, "alive", 5), 5);
			guest_reads(port, "alive");
			send_op(VIRTIO_VSOCK_OP_RST, port, 0);
		}
		t.taken = 0;
		assert_false(drv_broken(&v));
		close(fd);
		expect_none();
	}
}

static void nothing_but_an_answer_before_one(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = begin(&port);
	send_data(port, "too early", 9);
	expect_op(VIRTIO_VSOCK_OP_RST);
	host_at_end(fd);
	close(fd);
	expect_none();
}

/* Chains that no driver makes: the device fails, its streams end, and so does who comes later. */
static void broken_chains(void **state)
{
	static const struct {
		const char *name;
		uint32_t out, len; /* bytes of the chain; what the header says follows */
	} cases[] = {
		{"no whole header", HEADER - 1, 0},
		{"one byte", 1, 0},
		{"more than the chain holds", HEADER + 8, 9},
		{"as much as a number can say", HEADER, UINT32_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct virtio_vsock_hdr h;
		int fd, late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		uint32_t port;

		print_message("           %s\n", cases[i].name);
		up();
		fd = open_stream(&port);
		h = header(VIRTIO_VSOCK_OP_RW, port, PORT);
		h.len = cases[i].len;
		memcpy(drv_at(&v, t.tx_at, HEADER), &h, HEADER);
		drv_add1(&v, TX, t.tx_at, cases[i].out, false);
		drv_kick(&v, TX);
		drv_turn(&v);
		assert_true(drv_broken(&v));
		host_at_end(fd);
		assert_int_equal(connect(late, (void *)&t.address, t.address_len), 0);
		host_at_end(late);
		assert_int_equal(vm_vsock_connect(v.d, fd, &v.e), -EPIPE);
		close(fd);
		close(late);
		drv_up(&v, 0, 256); /* the driver begins anew */
		t.hellos = 0;
	}
}

static void short_buffers(void **state)
{
	static const uint32_t sizes[] = {HEADER - 1, HEADER};

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint32_t port;
		int fd;

		add_rx(2);
		say_hello();
		expect_op(VIRTIO_VSOCK_OP_RST);
		fd = open_stream(&port);
		while (!drv_broken(&v) && send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
			drv_turn(&v);
			while (recv_packet(false))
				;
			drv_add1(&v, RX, drv_alloc(&v, 64), sizes[i], true);
			drv_kick(&v, RX);
			drv_turn(&v);
		}
		assert_true(drv_broken(&v));
		host_at_end(fd);
		close(fd);
		drv_up(&v, 0, 256);
	}
}

/* What comes for a stream whose RST waits for a buffer is left alone; its own RST ends it. */
static void killed_twice(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	add_rx(1);
	say_hello();
	expect_op(VIRTIO_VSOCK_OP_RST);
	fd = begin(&port);
	send_op(VIRTIO_VSOCK_OP_RESPONSE, port, 0);
	assert_int_equal(write(fd, "x", 1), 1);
	drv_turn(&v); /* the only buffer is used */
	send_op(99, port, 0);
	send_op(99, port, 0);
	send_op(VIRTIO_VSOCK_OP_RW, port, 0);
	send_op(VIRTIO_VSOCK_OP_RST, port, 0);
	guest_reads(port, "x");
	expect_none();
	host_at_end(fd);
	close(fd);
}

/* Random packets and random hosts: nothing breaks that mustn't, and at the end the device still
 * does its work. The sanitizers look on. */
#define FUZZ_TURNS 20000
#define FUZZ_HOSTS 12

static uint32_t dice(uint32_t sides)
{
	static uint64_t x = 88172645463325252ull; /* xorshift64: the same run each time */

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 20) % sides;
}

struct fuzz_host {
	int fd;
	uint32_t port;
};

static void fuzz_host(struct fuzz_host *h)
{
	static uint8_t bulk[100000];
	int pair[2];

	if (h->fd < 0) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		if (vm_vsock_connect(v.d, pair[1], &v.e) < 0)
			close(pair[1]);
		h->fd = pair[0];
		return;
	}
	switch (dice(6)) {
	case 0:
		fd_close(&h->fd);
		break;
	case 1:
		shutdown(h->fd, (int)dice(3));
		break;
	case 2:
	case 3:
		drain(h->fd, bulk, dice(sizeof(bulk)));
		break;
	default:
		(void)!send(h->fd, bulk, dice(sizeof(bulk)), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static void fuzz_packet(const struct fuzz_host *h)
{
	static uint8_t bulk[70000];
	struct virtio_vsock_hdr p = header((uint16_t)dice(9), h->port, PORT);

	if (dice(3) == 0)
		p.op = VIRTIO_VSOCK_OP_RW;
	if (dice(20) == 0)
		p.dst_port = dice(2) ? dice(4096) : VM_HELLO_PORT;
	if (dice(40) == 0)
		p.type = (uint16_t)dice(4);
	if (dice(40) == 0)
		p.dst_cid = dice(5);
	p.flags = dice(8);
	p.buf_alloc = dice(4) ? CREDIT : dice(UINT32_MAX);
	p.fwd_cnt = dice(4) ? 0 : dice(UINT32_MAX);
	p.len = p.op == VIRTIO_VSOCK_OP_RW ? dice(sizeof(bulk)) : 0;
	send_raw(&p, bulk, p.len);
}

static void anything(void **state)
{
	struct fuzz_host hosts[FUZZ_HOSTS];
	uint32_t id, len;

	(void)state;
	for (int i = 0; i < FUZZ_HOSTS; i++)
		hosts[i] = (struct fuzz_host){-1, 0};
	up();
	for (int i = 0; i < FUZZ_TURNS; i++) {
		struct fuzz_host *h = &hosts[dice(FUZZ_HOSTS)];

		if (dice(3) == 0)
			fuzz_host(h);
		else
			fuzz_packet(h);
		/* Mostly the guest takes what comes; ports are learnt from it, and answered. */
		while (dice(8) && recv_packet(true)) {
			if (t.got.h.op != VIRTIO_VSOCK_OP_REQUEST)
				continue;
			h->port = t.got.h.src_port;
			if (dice(8))
				send_op(VIRTIO_VSOCK_OP_RESPONSE, h->port, 0);
		}
		while (drv_used(&v, TX, &id, &len))
			;
		assert_false(drv_broken(&v));
	}
	for (int i = 0; i < FUZZ_HOSTS; i++)
		fd_close(&hosts[i].fd);
	while (recv_packet(true))
		;
	expect_none();
	drv_up(&v, 0, 256);
	t.hellos = 0;
	up();
	hosts[0].fd = open_stream(&hosts[0].port);
	send_data(hosts[0].port, "sound", 5);
	host_reads(hosts[0].fd, "sound");
	close(hosts[0].fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(overrun),       TEST(answers_without_buffers),
		TEST(nonsense),      TEST(nothing_but_an_answer_before_one),
		TEST(broken_chains), TEST(short_buffers),
		TEST(killed_twice),  TEST(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
