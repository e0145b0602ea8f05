/* tests/unit/test_vm_net.c: the network card with good drivers and bad ones, over a socket; over
 * a real tap: test_vm_net_tap.c. */
#include "common/str.h"
#include "tests/unit/vm_net.h"

#include <sys/socket.h>
#include <time.h>

static void up_with(uint64_t features, uint16_t size, const struct vm_net_how *more)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	far_end = pair[1];
	if (wire_bytes)
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &wire_bytes, sizeof(wire_bytes));
	plug(pair[0], more);
	drv_up(&v, features, size);
}

static void up(uint64_t features, uint16_t size)
{
	up_with(features, size, &(struct vm_net_how){0});
}

/* What a tap would hand over: a zeroed header and len - HEADER bytes of a pattern. */
static void arrive(size_t len, uint8_t seed)
{
	static uint8_t bytes[80000];

	memset(bytes, 0, HEADER);
	for (size_t i = HEADER; i < len; i++)
		bytes[i] = (uint8_t)(seed + i * 7);
	assert_int_equal(send(far_end, bytes, len, 0), len);
}

static void check_pattern(const uint8_t *at, size_t from, size_t len, uint8_t seed)
{
	for (size_t i = 0; i < len; i++)
		if (at[i] != (uint8_t)(seed + (from + i) * 7))
			fail_msg("byte %zu is wrong", from + i);
}

static void config(void **state)
{
	struct virtio_net_config c;

	(void)state;
	up_with(OFFLOADS, 8, &(struct vm_net_how){.mtu = 1400});
	drv_config(&v, 0, &c.mac, 6);
	drv_config(&v, 6, &c.status, 2);
	drv_config(&v, 10, &c.mtu, 2);
	assert_memory_equal(c.mac, "\x02\x01\x02\x03\x04\x05", 6);
	assert_int_equal(c.status, VIRTIO_NET_S_LINK_UP);
	assert_int_equal(c.mtu, 1400);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_DEVICE_ID), 1);
	assert_true(drv_offered(&v) & F(MTU));
	assert_int_equal(drv_offered(&v) & (F(CTRL_VQ) | F(MQ) | F(GUEST_UFO) | F(HOST_UFO)), 0);
}

static void no_mtu(void **state)
{
	(void)state;
	up(0, 8);
	assert_false(drv_offered(&v) & F(MTU));
}

static void receives(void **state)
{
	uint64_t at = drv_alloc(&v, 4096);
	uint8_t *p = drv_at(&v, at, 4096);
	struct drv_buf b[2] = {{at, 20, true}, {at + 2048, 2000, true}};
	uint32_t id, len;

	(void)state;
	up(0, 8);
	drv_add(&v, RX, b, 2);
	drv_kick(&v, RX);
	drv_turn(&v);
	assert_false(drv_used(&v, RX, &id, &len));
	arrive(HEADER + 100, 5);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, HEADER + 100);
	assert_int_equal(drv_irq(&v), 1);
	/* num_buffers is set without merging too. */
	assert_memory_equal(p, "\0\0\0\0\0\0\0\0\0\0\1\0", HEADER);
	check_pattern(p + HEADER, HEADER, 8, 5);
	check_pattern(p + 2048, 20, 92, 5);
}

static void transmits(void **state)
{
	uint64_t at = drv_alloc(&v, 4096);
	struct drv_buf b[3] = {{at, 5, false}, {at + 5, 30, false}, {at + 1000, 100, false}};
	uint8_t *p = drv_at(&v, at, 4096), got[300];
	uint32_t id, len;

	(void)state;
	up(0, 8);
	memset(p + 12, 'a', 23);
	memset(p + 1000, 'b', 100);
	memset(p + 1, 0, 11);
	p[0] = 0xff;        /* flags that nobody agreed on */
	p[6] = p[8] = 0x40; /* and what they would make of it */
	drv_add(&v, TX, b, 3);
	drv_kick(&v, TX);
	drv_turn(&v);
	assert_int_equal(recv(far_end, got, sizeof(got), 0), 135);
	for (unsigned i = 0; i < HEADER; i++)
		assert_int_equal(got[i], 0);
	assert_int_equal(got[12], 'a');
	assert_int_equal(got[34], 'a');
	assert_int_equal(got[35], 'b');
	assert_int_equal(got[134], 'b');
	assert_true(drv_used(&v, TX, &id, &len));
	assert_int_equal(len, 0);
	assert_int_equal(drv_irq(&v), 1);
}

/* More frames than one call takes, and than the ring holds. */
static void transmits_many(void **state)
{
	uint64_t at = drv_alloc(&v, 256);
	uint32_t id, len, sent = 0, done = 0;
	char got[200];

	(void)state;
	up(DRV_EVENT, 256);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++)
			drv_add1(&v, TX, at, 100, false);
		drv_kick(&v, TX);
		for (int i = 0; i < 400; i++) {
			drv_turn(&v);
			while (recv(far_end, got, sizeof(got), 0) == 100)
				sent++;
		}
		while (drv_used(&v, TX, &id, &len))
			done++;
	}
	assert_int_equal(sent, 600);
	assert_int_equal(done, 600);
	assert_false(drv_broken(&v));
}

static void merges(void **state)
{
	uint64_t at = drv_alloc(&v, 8 * 1536);
	uint8_t *p = drv_at(&v, at, 8 * 1536);
	uint32_t id, len;

	(void)state;
	up(F(MRG_RXBUF) | OFFLOADS, 8);
	post(at, 8, 1536);
	arrive(5000, 3);
	arrive(HEADER + 60, 9);
	drv_turn(&v);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(drv_used(&v, RX, &id, &len));
		assert_int_equal(id, i);
		assert_int_equal(len, i < 3 ? 1536 : 5000 - 3 * 1536);
	}
	assert_int_equal(p[10], 4);
	check_pattern(p + HEADER, HEADER, 5000 - HEADER, 3);
	/* The buffers that stayed unused serve the next. */
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(id, 4);
	assert_int_equal(len, HEADER + 60);
	assert_int_equal(p[4 * 1536 + 10], 1);
	check_pattern(p + 4 * 1536 + HEADER, HEADER, 60, 9);
	arrive(2000, 1);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(id, 6);
	assert_int_equal(p[5 * 1536 + 10], 2);
}

/* The longest there is, in as many buffers as it takes. */
static void longest(void **state)
{
	uint64_t at = drv_alloc(&v, 64 * 1536);
	uint8_t *p = drv_at(&v, at, 64 * 1536);
	uint32_t id, len, sum = 0, n = 0;
	int big = 1 << 20;

	(void)state;
	up(F(MRG_RXBUF) | OFFLOADS, 64);
	setsockopt(far_end, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	post(at, 64, 1536);
	arrive(65562, 3);
	drv_turn(&v);
	for (; drv_used(&v, RX, &id, &len); n++)
		sum += len;
	assert_int_equal(sum, 65562);
	assert_int_equal(n, (65562 + 1535) / 1536);
	assert_int_equal(p[10], n);
	check_pattern(p + HEADER, HEADER, 65562 - HEADER, 3);
}

/* No buffers: the wire isn't looked at, so that the loop sleeps. */
static void starves(void **state)
{
	uint64_t at = drv_alloc(&v, 8 * 2048);
	uint32_t id, len;

	(void)state;
	up(DRV_EVENT, 8);
	arrive(200, 1);
	arrive(300, 2);
	arrive(400, 3);
	drv_turn(&v);
	assert_false(waits());
	post(at, 2, 2048);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, 200);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, 300);
	assert_false(drv_used(&v, RX, &id, &len));
	assert_false(waits());
	/* It asked to be told of the next buffer. */
	assert_int_equal(drv_avail_event(&v, RX), v.q[RX].added);
	post(at + 4096, 1, 2048);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, 400);
}

/* Buffers, but not enough of them for what came: it waits, and arrives whole. */
static void waits_for_more(void **state)
{
	uint64_t at = drv_alloc(&v, 8 * 1536);
	uint8_t *p = drv_at(&v, at, 8 * 1536);
	uint32_t id, len = 0, sum = 0;

	(void)state;
	up(F(MRG_RXBUF) | OFFLOADS, 8);
	post(at, 2, 1536);
	arrive(5000, 3);
	arrive(100, 4);
	drv_turn(&v);
	assert_false(drv_used(&v, RX, &id, &len));
	assert_false(waits());
	post(at + 2 * 1536, 1, 1536);
	assert_false(drv_used(&v, RX, &id, &len));
	post(at + 3 * 1536, 2, 1536);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(drv_used(&v, RX, &id, &len));
		assert_int_equal(id, i);
		sum += len;
	}
	assert_int_equal(sum, 5000);
	assert_int_equal(p[10], 4);
	check_pattern(p + HEADER, HEADER, 5000 - HEADER, 3);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, 100);
}

/* A whole ring that can't hold it: it is lost, and nothing hangs on it. */
static void never_fits(void **state)
{
	uint64_t at = drv_alloc(&v, 4 * 1000);
	uint32_t id, len;

	(void)state;
	up(F(MRG_RXBUF) | OFFLOADS, 4);
	post(at, 4, 1000);
	arrive(5000, 3);
	arrive(100, 4);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, 100);
	assert_int_equal(id, 0);
	assert_false(drv_broken(&v));
}

/* The same for one buffer where buffers aren't merged. */
static void too_long(void **state)
{
	uint64_t at = drv_alloc(&v, 2 * 1536);
	uint32_t id, len;

	(void)state;
	up(0, 4);
	post(at, 2, 1536);
	arrive(1537, 3);
	arrive(1536, 4);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, 1536);
	assert_int_equal(id, 0);
}

/* Chains of many tiny buffers: more than one readv(2) takes. */
static void crumbs(void **state)
{
	uint64_t at = drv_alloc(&v, 8 * 256 * 8);
	struct drv_buf b[256];
	uint32_t id, len, sum = 0, n = 0;

	(void)state;
	up(F(MRG_RXBUF) | OFFLOADS | DRV_INDIRECT, 8);
	for (unsigned i = 0; i < 8; i++) {
		for (unsigned k = 0; k < 256; k++)
			b[k] = (struct drv_buf){at + (i * 256 + k) * 8, 8, true};
		drv_add_indirect(&v, RX, b, 255);
	}
	drv_kick(&v, RX);
	drv_turn(&v);
	arrive(5000, 3); /* 3 chains of 2040 bytes */
	arrive(9000, 3); /* 5, which is all that is left, but at most 4 go into one call */
	arrive(100, 5);
	drv_turn(&v);
	for (; drv_used(&v, RX, &id, &len); n++)
		sum += len;
	assert_int_equal(sum, 5000 + 100);
	assert_int_equal(n, 4);
	assert_false(drv_broken(&v));
}

static void bad_receive_chains(void **state)
{
	uint64_t at = drv_alloc(&v, 4096);
	struct drv_buf b[2] = {{at, 100, false}, {at, 2000, true}};

	(void)state;
	up(0, 8);
	post(at, 1, HEADER - 1);
	assert_true(drv_broken(&v));
	drv_up(&v, F(MRG_RXBUF), 8);
	drv_add(&v, RX, b, 2);
	drv_kick(&v, RX);
	drv_turn(&v);
	assert_true(drv_broken(&v));
	/* A broken device lets the wire alone. */
	arrive(100, 1);
	drv_turn(&v);
	assert_false(waits());
	/* And is whole again after a reset. */
	drv_up(&v, 0, 8);
	post(at, 1, 2048);
	assert_false(drv_broken(&v));
	assert_true(drv_used(&v, RX, &(uint32_t){0}, &(uint32_t){0}));
}

static void bad_transmit_chains(void **state)
{
	uint64_t at = drv_alloc(&v, 4096);
	struct drv_buf b[2] = {{at, 100, false}, {at, 100, true}};

	(void)state;
	up(0, 8);
	drv_add1(&v, TX, at, HEADER - 1, false);
	drv_kick(&v, TX);
	drv_turn(&v);
	assert_true(drv_broken(&v));
	drv_up(&v, 0, 8);
	drv_add(&v, TX, b, 2);
	drv_kick(&v, TX);
	drv_turn(&v);
	assert_true(drv_broken(&v));
	assert_int_equal(recv(far_end, &at, 1, 0), -1);
}

/* Frames that a card drops: too long ones, and offloads that weren't agreed on. */
static void dropped_frames(void **state)
{
	static const struct {
		uint64_t features;
		struct virtio_net_hdr_v1 h;
		bool sent;
	} cases[] = {
		{0, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100, .flags = 1}, false},
		{F(CSUM),
		 {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100, .flags = 1},
		 false},
		{OFFLOADS,
		 {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100, .flags = 1},
		 true},
		{OFFLOADS,
		 {.gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 100, .flags = 1},
		 true},
		{OFFLOADS, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100}, false},
		{OFFLOADS, {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .flags = 1}, false},
		{OFFLOADS,
		 {.gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 100, .flags = 1},
		 false},
		{OFFLOADS, {.gso_type = 0x81, .gso_size = 100, .flags = 1}, false},
		{OFFLOADS, {.gso_type = 99, .gso_size = 100, .flags = 1}, false},
		{OFFLOADS, {.flags = 1, .csum_start = 34, .csum_offset = 16}, true},
	};
	uint64_t at = drv_alloc(&v, 65563);
	uint32_t id, len;
	char got[200];

	(void)state;
	up(0, 8);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		drv_up(&v, cases[i].features, 8);
		memcpy(drv_at(&v, at, HEADER), &cases[i].h, HEADER);
		drv_add1(&v, TX, at, 100, false);
		drv_kick(&v, TX);
		drv_turn(&v);
		if ((recv(far_end, got, sizeof(got), 0) == 100) != cases[i].sent)
			fail_msg("case %zu", i);
		if (cases[i].sent)
			assert_memory_equal(got, &cases[i].h, HEADER);
		assert_true(drv_used(&v, TX, &id, &len));
	}
	drv_add1(&v, TX, at, 65563, false);
	drv_kick(&v, TX);
	drv_turn(&v);
	assert_int_equal(recv(far_end, got, sizeof(got), 0), -1);
	assert_true(drv_used(&v, TX, &id, &len));
	assert_false(drv_broken(&v));
}

/* A wire that takes no more: frames wait, in their order. */
static void full_wire(void **state)
{
	uint64_t at = drv_alloc(&v, 256 * 16);
	uint32_t id, len;
	unsigned char got[100], next = 0;
	unsigned done = 0;

	(void)state;
	wire_bytes = 16384;
	up(0, 256);
	for (unsigned i = 0; i < 255; i++) {
		memset(drv_at(&v, at + 16 * i, 16), 0, 16);
		*(uint8_t *)drv_at(&v, at + 16 * i + HEADER, 1) = (uint8_t)i;
		drv_add1(&v, TX, at + 16 * i, 16, false);
	}
	drv_kick(&v, TX);
	drv_turn(&v);
	while (drv_used(&v, TX, &id, &len))
		done++;
	assert_in_range(done, 1, 254);
	assert_false(waits());
	while (next < 255) {
		assert_int_equal(recv(far_end, got, sizeof(got), 0), 16);
		assert_int_equal(got[HEADER], next++);
		drv_turn(&v);
	}
	assert_false(drv_broken(&v));
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 10 frames a second: one at once, the others when their time has come. Only the time is looked at:
 * a busy machine's may be longer. */
static void transmit_rate(void **state)
{
	uint64_t at = drv_alloc(&v, 256);
	uint32_t id, len;
	int64_t start = now_ms();

	(void)state;
	up_with(0, 16, &(struct vm_net_how){.tx = {.ops = 10}});
	for (int i = 0; i < 4; i++)
		drv_add1(&v, TX, at, 100, false);
	drv_kick(&v, TX);
	drv_turn(&v);
	assert_true(drv_used(&v, TX, &id, &len));
	drv_kick(&v, TX); /* another kick doesn't help */
	drv_turn(&v);
	for (int i = 0; i < 3; i++)
		assert_true(drv_wait_used(&v, TX, 5000, &id, &len));
	assert_true(now_ms() - start >= 290);
}

/* 10,000 bytes a second, of which a tenth at once; the fifth frame comes when the first three and
 * one byte are paid for. */
static void receive_rate(void **state)
{
	uint64_t at = drv_alloc(&v, 16 * 2048);
	uint32_t id, len;
	int64_t start = now_ms();

	(void)state;
	up_with(0, 16, &(struct vm_net_how){.rx = {.bytes = 10000}});
	post(at, 16, 2048);
	for (int i = 0; i < 5; i++)
		arrive(1000, 1);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	drv_kick(&v, RX); /* more buffers are no more tokens */
	drv_turn(&v);
	for (int i = 0; i < 4; i++)
		assert_true(drv_wait_used(&v, RX, 5000, &id, &len));
	assert_true(now_ms() - start >= 190);
}

static void wire_gone(void **state)
{
	uint64_t at = drv_alloc(&v, 256);
	uint32_t id, len;
	uint16_t status;

	(void)state;
	up(0, 8);
	drv_irq(&v);
	close(far_end);
	far_end = -1;
	post(at, 1, 256);
	drv_turn(&v);
	assert_false(waits());
	drv_config(&v, 6, &status, 2);
	assert_int_equal(status, 0);
	assert_true(drv_get(&v, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	/* What is sent is gone as well, not stuck. */
	drv_add1(&v, TX, at, 100, false);
	drv_kick(&v, TX);
	drv_turn(&v);
	assert_true(drv_used(&v, TX, &id, &len));
	drv_up(&v, 0, 8);
}

static void reset_forgets(void **state)
{
	uint64_t at = drv_alloc(&v, 8 * 1536);
	uint32_t id, len;

	(void)state;
	up(F(MRG_RXBUF) | OFFLOADS, 8);
	post(at, 2, 1536);
	arrive(5000, 3);
	drv_turn(&v);
	drv_up(&v, F(MRG_RXBUF) | OFFLOADS, 8);
	post(at, 8, 1536);
	assert_false(drv_used(&v, RX, &id, &len));
	arrive(100, 3);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(len, 100);
}

static void saved_and_loaded(void **state)
{
	uint64_t at = drv_alloc(&v, 8 * 2048);
	auto_strbuf bytes = {0};
	struct vm_device *old, *d;
	struct vm_net_how how = {0};
	int pair[2];
	uint32_t id, len;

	(void)state;
	up(0, 8);
	post(at, 4, 2048);
	arrive(100, 1);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	old = v.d;
	vm_device_save(old, &bytes);

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	how.tap = pair[0];
	assert_int_equal(vm_net_make(&v.wires, &how, &d, &v.e), 0);
	vm_device_free(old);
	drv_attach(&v, d);
	close(far_end);
	far_end = pair[1];
	assert_int_equal(vm_device_load(d, bytes.s, bytes.len, &v.e), 0);
	arrive(200, 2);
	drv_turn(&v);
	assert_true(drv_used(&v, RX, &id, &len));
	assert_int_equal(id, 1);
	assert_int_equal(len, 200);
}

/* --- of the queue --- */

/* Several at once: the index moves when all of them are there. */
static void push_all(void **state)
{
	struct vm_done done[] = {{1, 10}, {0, 20}, {9, 30}, {3, 40}};
	uint32_t id, len;

	(void)state;
	up(0, 4);
	vm_queue_push_all(&v.d->queues[TX], done, 4); /* 9 is no descriptor of a queue of 4 */
	assert_true(drv_used(&v, TX, &id, &len));
	assert_int_equal(id, 1);
	assert_int_equal(len, 10);
	assert_true(drv_used(&v, TX, &id, &len));
	assert_int_equal(id, 0);
	assert_true(drv_used(&v, TX, &id, &len));
	assert_int_equal(id, 3);
	assert_int_equal(len, 40);
	assert_false(drv_used(&v, TX, &id, &len));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(config),
		T(no_mtu),
		T(receives),
		T(transmits),
		T(transmits_many),
		T(merges),
		T(longest),
		T(starves),
		T(waits_for_more),
		T(never_fits),
		T(too_long),
		T(crumbs),
		T(bad_receive_chains),
		T(bad_transmit_chains),
		T(dropped_frames),
		T(full_wire),
		T(transmit_rate),
		T(receive_rate),
		T(wire_gone),
		T(reset_forgets),
		T(saved_and_loaded),
		T(push_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
