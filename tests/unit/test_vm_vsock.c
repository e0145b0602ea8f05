/* tests/unit/test_vm_vsock.c: the vsock device between a guest's driver, played by the test, and
 * host sockets: both ends of a stream, credit, half-closes, resets. */
#include "microvm/relay.h"
#include "vm_vsock_guest.h"

#include <sys/resource.h>

static void registers(void **state)
{
	uint64_t cid = 0;

	(void)state;
	drv_config(&v, 0, &cid, sizeof(cid));
	assert_int_equal(cid, GUEST);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_DEVICE_ID), 19);
}

static void hello_first(void **state)
{
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_REQUEST, VM_HELLO_PORT, 77);
	int early = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

	(void)state;
	add_rx(64);
	assert_int_equal(connect(early, (void *)&t.address, t.address_len), 0);
	assert_int_equal(write(early, "early", 5), 5);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vm_vsock_connect(v.d, pair[1], &v.e), 0);
	expect_none();
	assert_int_equal(t.hellos, 0);
	send_raw(&h, NULL, 0);
	expect_op(VIRTIO_VSOCK_OP_RESPONSE);
	/* One hello stream at a time; what it says is swallowed. */
	h.src_port = 78;
	send_raw(&h, NULL, 0);
	expect_op(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(t.got.h.dst_port, 78);
	h.src_port = 77;
	h.op = VIRTIO_VSOCK_OP_RW;
	h.len = 5;
	send_raw(&h, "hello", 5);
	expect_none();
	assert_int_equal(t.hellos, 0);
	h.op = VIRTIO_VSOCK_OP_SHUTDOWN;
	h.len = 0;
	h.flags = SHUT_BOTH;
	send_raw(&h, NULL, 0);
	assert_int_equal(t.hellos, 1);
	expect_op(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(t.got.h.dst_port, 77);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	send_op(VIRTIO_VSOCK_OP_RST, t.got.h.src_port, 0);
	host_at_end(pair[0]);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	send_op(VIRTIO_VSOCK_OP_RESPONSE, t.got.h.src_port, 0);
	guest_reads(t.got.h.src_port, "early");
	/* Once more means nothing. */
	say_hello();
	expect_op(VIRTIO_VSOCK_OP_RST);
	expect_none();
	assert_int_equal(t.hellos, 1);
	close(early);
	close(pair[0]);
}

static void both_ways(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = open_stream(&port);
	assert_int_equal(write(fd, "to the guest", 12), 12);
	guest_reads(port, "to the guest");
	send_data(port, "to the host", 11);
	host_reads(fd, "to the host");
	assert_int_equal(write(fd, "more", 4), 4);
	guest_reads(port, "more");
	assert_int_equal(t.got.h.fwd_cnt, 11);
	assert_true(drv_irq(&v) > 0);
	send_op(VIRTIO_VSOCK_OP_CREDIT_REQUEST, port, 0);
	expect_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(t.got.h.fwd_cnt, 11);
	assert_int_equal(t.got.h.buf_alloc, CREDIT);
	expect_none();
	close(fd);
}

/* A client wrote and went before the guest answered: nothing is lost. */
static void written_before_answer(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = begin(&port);
	assert_int_equal(write(fd, "in haste", 8), 8);
	close(fd);
	expect_none();
	send_op(VIRTIO_VSOCK_OP_RESPONSE, port, 0);
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(t.got.h.flags, VIRTIO_VSOCK_SHUTDOWN_RCV);
	guest_reads(port, "in haste");
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(t.got.h.flags, SHUT_BOTH);
	send_op(VIRTIO_VSOCK_OP_RST, port, 0);
	expect_none();
}

static void refused(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = begin(&port);
	send_op(VIRTIO_VSOCK_OP_RST, port, 0);
	host_at_end(fd);
	expect_none();
	close(fd);
}

/* The host is done writing, and still reads: how a standard input ends. */
static void host_half_close(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = open_stream(&port);
	assert_int_equal(write(fd, "last", 4), 4);
	shutdown(fd, SHUT_WR);
	guest_reads(port, "last");
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(t.got.h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	expect_none();
	send_data(port, "answer", 6);
	host_reads(fd, "answer");
	send_data(port, "end", 3);
	send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, SHUT_BOTH);
	expect_op(VIRTIO_VSOCK_OP_RST);
	host_reads(fd, "end");
	host_at_end(fd);
	close(fd);
	expect_none();
}

static void guest_half_close(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = open_stream(&port);
	send_data(port, "last", 4);
	send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, VIRTIO_VSOCK_SHUTDOWN_SEND);
	host_reads(fd, "last");
	host_at_end(fd);
	assert_int_equal(write(fd, "still", 5), 5);
	guest_reads(port, "still");
	/* Then the host ends too: both directions are done, and the guest confirms. */
	close(fd);
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	while (t.got.h.flags != SHUT_BOTH)
		expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	send_op(VIRTIO_VSOCK_OP_RST, port, 0);
	expect_none();
	/* A byte after its own SHUTDOWN would have been against the rules. */
	fd = open_stream(&port);
	send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, VIRTIO_VSOCK_SHUTDOWN_SEND);
	send_data(port, "x", 1);
	expect_op(VIRTIO_VSOCK_OP_RST);
	host_at_end(fd);
	close(fd);
}

static void guest_stops_reading(void **state)
{
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = open_stream(&port);
	send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, VIRTIO_VSOCK_SHUTDOWN_RCV);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	send_data(port, "still here", 10);
	host_reads(fd, "still here");
	send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, VIRTIO_VSOCK_SHUTDOWN_SEND);
	expect_op(VIRTIO_VSOCK_OP_RST);
	host_at_end(fd);
	close(fd);
}

/* The host closes while the guest still sends: the guest is told to stop, its bytes go nowhere, and
 * its credit comes back. */
static void host_closes(void **state)
{
	static uint8_t bulk[64 << 10];
	uint32_t port;
	int fd;

	(void)state;
	up();
	fd = open_stream(&port);
	close(fd);
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	while (t.got.h.flags != SHUT_BOTH)
		expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	expect_none();
	for (int i = 0; i < 8; i++) { /* twice its credit */
		send_data(port, bulk, sizeof(bulk));
		expect_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
		assert_int_equal(t.got.h.fwd_cnt, (i + 1) * sizeof(bulk));
	}
	send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, SHUT_BOTH);
	expect_op(VIRTIO_VSOCK_OP_RST);
	expect_none();
}

/* Host bytes that the guest will never read must not turn the host's end of file into an error. */
static void guest_closes_with_bytes_unread(void **state)
{
	char bulk[1000] = {0};
	uint32_t port;
	int fd;

	(void)state;
	up();
	t.alloc = 10;
	fd = open_stream(&port);
	assert_int_equal(write(fd, bulk, sizeof(bulk)), sizeof(bulk));
	send_data(port, "bye", 3);
	send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, SHUT_BOTH);
	host_reads(fd, "bye");
	host_at_end(fd);
	close(fd);
}

static void credit_to_guest(void **state)
{
	uint8_t bulk[5000];
	uint32_t port;
	int fd;

	(void)state;
	up();
	for (size_t i = 0; i < sizeof(bulk); i++)
		bulk[i] = (uint8_t)(i * 7);
	t.alloc = 1000;
	fd = open_stream(&port);
	assert_int_equal(write(fd, bulk, sizeof(bulk)), sizeof(bulk));
	for (uint32_t at = 0; at < sizeof(bulk); at += 1000) {
		expect_op(VIRTIO_VSOCK_OP_RW);
		assert_int_equal(t.got.h.len, 1000);
		assert_memory_equal(t.got.data, bulk + at, 1000);
		t.taken += 1000;
		expect_op(VIRTIO_VSOCK_OP_CREDIT_REQUEST);
		expect_none();
		if (t.taken < sizeof(bulk))
			send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, port, 0);
	}
	/* No credit, half-closed, then closed: the end comes behind the bytes, and the loop rests
	 * (drv_turn() would not end in 10000 turns otherwise). */
	assert_int_equal(write(fd, "tail", 4), 4);
	expect_none();
	close(fd);
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(t.got.h.flags, VIRTIO_VSOCK_SHUTDOWN_RCV);
	expect_none();
	send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, port, 0);
	guest_reads(port, "tail");
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(t.got.h.flags, SHUT_BOTH);
}

/* A host that doesn't read: the guest may send what its credit is, and what the socket took. */
static void credit_to_host(void **state)
{
	static uint8_t bulk[1 << 20], back[1 << 20];
	size_t sent = 0, seen = 0;
	uint32_t port, told = 0;
	int fd;

	(void)state;
	pattern(bulk, sizeof(bulk));
	up();
	fd = open_stream(&port);
	for (;;) {
		while (recv_packet(true))
			told = t.got.h.fwd_cnt;
		if (sent - told == CREDIT)
			break;
		send_data(port, bulk + sent, 32 << 10);
		sent += 32 << 10;
		assert_true(sent < sizeof(bulk) - CREDIT);
	}
	expect_none();
	/* It reads: the held bytes go on in order, and the credit comes back. */
	for (int i = 0; i < 1000 && seen < sent; i++) {
		seen += drain(fd, back + seen, 10000);
		while (recv_packet(true))
			told = t.got.h.fwd_cnt;
	}
	assert_int_equal(seen, sent);
	assert_true(told > sent - (64 << 10));
	send_data(port, bulk + sent, CREDIT);
	sent += CREDIT;
	for (int i = 0; i < 1000 && seen < sent; i++) {
		seen += drain(fd, back + seen, sizeof(back) - seen);
		drv_turn(&v);
	}
	assert_int_equal(seen, sent);
	assert_memory_equal(back, bulk, sent);
	close(fd);
}

/* The guest ends the stream, and even forgets it: what it sent before arrives all the same. */
static void held_until_out(void **state)
{
	static uint8_t bulk[1 << 20], back[1 << 20];

	(void)state;
	pattern(bulk, sizeof(bulk));
	up();
	for (int forget = 0; forget < 2; forget++) {
		size_t sent, seen = 0;
		uint32_t port;
		int fd = open_stream(&port);

		sent = choke(port, bulk);
		if (forget)
			send_op(VIRTIO_VSOCK_OP_RST, port, 0);
		else
			send_op(VIRTIO_VSOCK_OP_SHUTDOWN, port, SHUT_BOTH);
		expect_none();
		for (int i = 0; i < 1000 && seen < sent; i++) {
			seen += drain(fd, back + seen, sizeof(back) - seen);
			drv_turn(&v);
		}
		assert_int_equal(seen, sent);
		assert_memory_equal(back, bulk, sent);
		host_at_end(fd);
		if (forget)
			expect_none();
		else
			while (t.got.h.op != VIRTIO_VSOCK_OP_RST)
				assert_true(recv_packet(true));
		close(fd);
	}
}

/* Without buffers nothing is read from the host; with them it goes on, controls first. */
static void no_buffers(void **state)
{
	static uint8_t bulk[64 << 10];
	size_t seen = 0;
	uint32_t port;
	int fd;

	(void)state;
	pattern(bulk, sizeof(bulk));
	add_rx(2);
	say_hello();
	expect_op(VIRTIO_VSOCK_OP_RST);
	fd = open_stream(&port);
	assert_int_equal(write(fd, bulk, sizeof(bulk)), sizeof(bulk));
	for (int i = 0; i < 2; i++) {
		assert_true(recv_packet(false));
		assert_int_equal(t.got.h.len, RX_BYTES);
		seen += RX_BYTES;
	}
	assert_false(recv_packet(false));
	send_op(VIRTIO_VSOCK_OP_CREDIT_REQUEST, port, 0);
	assert_false(recv_packet(false));
	add_rx(1);
	assert_true(recv_packet(true));
	assert_int_equal(t.got.h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	while (seen < sizeof(bulk)) {
		expect_op(VIRTIO_VSOCK_OP_RW);
		assert_memory_equal(t.got.data, bulk + seen, t.got.h.len);
		seen += t.got.h.len;
	}
	expect_none();
	close(fd);
}

#define MANY 1024

static void many_streams(void **state)
{
	static int fds[MANY];
	static uint32_t ports[MANY];
	int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

	(void)state;
	up();
	for (int i = 0; i < MANY; i++) {
		fds[i] = open_stream(&ports[i]);
		for (int k = 0; k < i; k++)
			assert_int_not_equal(ports[i], ports[k]);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vm_vsock_connect(v.d, pair[1], &v.e), -EAGAIN);
	assert_int_equal(connect(late, (void *)&t.address, t.address_len), 0);
	expect_none();
	for (int i = 0; i < MANY; i++) {
		char text[32];

		snprintf(text, sizeof(text), "stream %d", i);
		assert_int_equal(write(fds[i], text, strlen(text)), strlen(text));
		send_data(ports[MANY - 1 - i], "x", 1);
	}
	for (int i = 0; i < MANY; i++) {
		char text[32];

		snprintf(text, sizeof(text), "stream %d", i);
		t.taken = 0;
		guest_reads(ports[i], text);
		host_reads(fds[i], "x");
	}
	/* One ends, and who waited comes in. */
	t.taken = 0;
	send_op(VIRTIO_VSOCK_OP_RST, ports[7], 0);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	assert_int_not_equal(t.got.h.src_port, ports[7]);
	send_op(VIRTIO_VSOCK_OP_RESPONSE, t.got.h.src_port, 0);
	/* Streams that only the guest keeps make room when room is asked for. */
	close(fds[9]);
	while (recv_packet(true))
		assert_int_equal(t.got.h.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(vm_vsock_connect(v.d, pair[1], &v.e), 0);
	expect_op(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(t.got.h.src_port, ports[9]);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	for (int i = 0; i < MANY; i++)
		if (i != 9)
			close(fds[i]);
	close(late);
	close(pair[0]);
}

/* A megabyte each way at once, in pieces of all sizes; the device's rings as drivers have them now:
 * event indexes, indirect tables. */
static void bulk_both_ways(void **state)
{
	static uint8_t bulk[1 << 20], to_host[1 << 20], to_guest[1 << 20];
	size_t sent = 0, seen = 0, wrote = 0, got = 0;
	uint32_t port, piece = 1, credit_at = 0;
	int fd;

	(void)state;
	pattern(bulk, sizeof(bulk));
	drv_up(&v, DRV_EVENT | DRV_INDIRECT, 256);
	up();
	fd = open_stream(&port);
	for (int i = 0; i < 100000 && (seen < sizeof(bulk) || got < sizeof(bulk)); i++) {
		ssize_t n = send(fd, bulk + wrote, sizeof(bulk) - wrote, MSG_DONTWAIT);

		wrote += n > 0 ? (size_t)n : 0;
		piece = piece * 5 % 60013;
		if (sent + piece > sizeof(bulk))
			piece = (uint32_t)(sizeof(bulk) - sent);
		if (piece && sent + piece - credit_at <= CREDIT) {
			send_data(port, bulk + sent, piece);
			sent += piece;
		}
		piece += !piece;
		seen += drain(fd, to_host + seen, i % 3 ? 20000 : 1);
		while (recv_packet(true)) {
			credit_at = t.got.h.fwd_cnt;
			assert_true(t.got.h.op == VIRTIO_VSOCK_OP_RW || !t.got.h.len);
			memcpy(to_guest + got, t.got.data, t.got.h.len);
			got += t.got.h.len;
			t.taken = (uint32_t)got;
		}
		if (i % 16 == 0)
			send_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE, port, 0);
	}
	assert_int_equal(seen, sizeof(bulk));
	assert_int_equal(got, sizeof(bulk));
	assert_memory_equal(to_host, bulk, sizeof(bulk));
	assert_memory_equal(to_guest, bulk, sizeof(bulk));
	close(fd);
}

static void device_reset(void **state)
{
	uint32_t port;
	int fd, waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	up();
	fd = open_stream(&port);
	drv_set(&v, VIRTIO_MMIO_STATUS, 0);
	host_at_end(fd);
	close(fd);
	assert_int_equal(connect(waiting, (void *)&t.address, t.address_len), 0);
	drv_up(&v, 0, 256);
	add_rx(8);
	expect_none(); /* the new kernel's agent has said nothing yet */
	t.hellos = 0;
	say_hello();
	expect_op(VIRTIO_VSOCK_OP_RST);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	close(waiting);
}

/* The host stops reading with bytes held for it: the guest hears it, and gets its credit back. */
static void host_stops_reading(void **state)
{
	static uint8_t bulk[2 << 20];
	uint32_t port;
	size_t sent;
	int fd;

	(void)state;
	up();
	fd = open_stream(&port);
	sent = choke(port, bulk);
	shutdown(fd, SHUT_RD);
	/* What lies in the socket is still its own; more won't come. */
	assert_true(drain(fd, bulk, sizeof(bulk)) >= sent - CREDIT);
	expect_op(VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(t.got.h.flags, VIRTIO_VSOCK_SHUTDOWN_RCV);
	assert_int_equal(t.got.h.fwd_cnt, sent);
	while (recv_packet(true))
		assert_int_equal(t.got.h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	expect_none();
	assert_int_equal(write(fd, "still", 5), 5);
	guest_reads(port, "still");
	close(fd);
}

/* A queue full of packets is one turn's share: the rest of the loop has its turn before the next.
 */
static void a_turns_share(void **state)
{
	struct virtio_vsock_hdr h;
	uint32_t port, id, len;
	uint64_t at = drv_alloc(&v, HEADER);
	unsigned n = 0;
	int fd;

	(void)state;
	up();
	fd = open_stream(&port);
	h = header(VIRTIO_VSOCK_OP_CREDIT_REQUEST, port, PORT);
	memcpy(drv_at(&v, at, HEADER), &h, HEADER);
	for (int i = 0; i < 256; i++)
		drv_add1(&v, TX, at, HEADER, false);
	drv_kick(&v, TX);
	assert_int_equal(vm_loop_turn(&v.loop, 0, &v.e), 0);
	while (drv_used(&v, TX, &id, &len))
		n++;
	assert_int_equal(n, 256);
	for (int i = 0; i < 3; i++) /* the guest goes on without a kick */
		drv_add1(&v, TX, at, HEADER, false);
	assert_int_equal(vm_loop_turn(&v.loop, 0, &v.e), 0);
	assert_true(drv_used(&v, TX, &id, &len));
	expect_op(VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	close(fd);
}

/* No descriptor left: who waits stays in the backlog, the loop rests, and goes on later. */
static void no_descriptors(void **state)
{
	int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	struct rlimit old, none;
	uint32_t port;

	(void)state;
	up();
	fd = open_stream(&port);
	getrlimit(RLIMIT_NOFILE, &old);
	none = old;
	none.rlim_cur = (rlim_t)dup(0);
	close((int)none.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(connect(waiting, (void *)&t.address, t.address_len), 0);
	expect_none();
	setrlimit(RLIMIT_NOFILE, &old);
	send_op(VIRTIO_VSOCK_OP_RST, port, 0);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	close(fd);
	close(waiting);
}

/* As the monitor's relay does it, from a thread of its own. */
static void opened_by_the_relay(void **state)
{
	struct err e;
	int fd;

	(void)state;
	up();
	fd = vm_relay_open_device(v.d, &e);
	assert_true(fd >= 0);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	send_op(VIRTIO_VSOCK_OP_RESPONSE, t.got.h.src_port, 0);
	assert_int_equal(write(fd, "ask", 3), 3);
	guest_reads(t.got.h.src_port, "ask");
	close(fd);
	vm_device_fail(v.d);
	assert_int_equal(vm_relay_open_device(v.d, &e), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers),
		TEST(hello_first),
		TEST(both_ways),
		TEST(written_before_answer),
		TEST(refused),
		TEST(host_half_close),
		TEST(guest_half_close),
		TEST(guest_stops_reading),
		TEST(host_closes),
		TEST(guest_closes_with_bytes_unread),
		TEST(credit_to_guest),
		TEST(credit_to_host),
		TEST(held_until_out),
		TEST(no_buffers),
		TEST(many_streams),
		TEST(bulk_both_ways),
		TEST(device_reset),
		TEST(host_stops_reading),
		TEST(a_turns_share),
		TEST(no_descriptors),
		TEST(opened_by_the_relay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
