/* tests/unit/test_vm_vsock_restore.c: the vsock device out of a template: its guest hears that its
 * streams are gone before it hears of new ones. */
#include "vm_vsock_guest.h"

static void add_events(unsigned n)
{
	while (n--)
		drv_add1(&v, EVENT, drv_alloc(&v, 4), 4, true);
	drv_kick(&v, EVENT);
	drv_turn(&v);
}

/* A template: the guest has said hello, and its driver has filled its queues. After the restore it
 * hears of the reset first; only when it has given that buffer back, streams begin. */
static void restored(void **state, uint64_t features)
{
	auto_strbuf saved = {0};
	struct drv_queue queues[VM_DEVICE_QUEUES];
	uint32_t port, id = 0, len = 0, event = 1;
	int fd, waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

	(void)state;
	drv_up(&v, features, 256);
	up();
	add_events(8);
	fd = open_stream(&port);
	vm_device_save(v.d, &saved);
	vm_device_free(v.d);
	make_device();
	memcpy(queues, v.q, sizeof(queues));
	t.hellos = 0;
	assert_int_equal(connect(waiting, (void *)&t.address, t.address_len), 0);
	assert_int_equal(vm_device_load(v.d, saved.s, saved.len, &v.e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vm_vsock_connect(v.d, pair[1], &v.e), 0);
	drv_turn(&v);
	assert_true(drv_used(&v, EVENT, &id, &len));
	assert_int_equal(len, 4);
	memcpy(&event, drv_at(&v, drv_desc(&v, EVENT, (uint16_t)id)->addr, 4), 4);
	assert_int_equal(event, VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	assert_true(drv_irq(&v) > 0);
	drv_kick(&v, EVENT); /* a kick that brings nothing */
	expect_none();
	assert_int_equal(t.hellos, 0);
	if (features & DRV_EVENT)
		assert_int_equal(drv_avail_event(&v, EVENT), v.q[EVENT].added);
	add_events(1);
	assert_int_equal(t.hellos, 1);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	port = t.got.h.src_port;
	send_op(VIRTIO_VSOCK_OP_RESPONSE, port, 0);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	assert_int_equal(write(pair[0], "on", 2), 2);
	guest_reads(port, "on");
	assert_false(drv_used(&v, EVENT, &id, &len));
	close(fd);
	close(waiting);
	close(pair[0]);
}

static void restored_plain(void **state)
{
	restored(state, 0);
}

static void restored_event_index(void **state)
{
	restored(state, DRV_EVENT);
}

/* A template from before hello, and an agent quick to say it. */
static void hello_before_the_reset(void **state)
{
	auto_strbuf saved = {0};
	struct virtio_vsock_hdr h = header(VIRTIO_VSOCK_OP_REQUEST, VM_HELLO_PORT, 77);
	uint32_t id, len;
	int pair[2];

	(void)state;
	add_rx(16);
	vm_device_save(v.d, &saved);
	vm_device_free(v.d);
	make_device();
	assert_int_equal(vm_device_load(v.d, saved.s, saved.len, &v.e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vm_vsock_connect(v.d, pair[1], &v.e), 0);
	send_raw(&h, NULL, 0);
	expect_op(VIRTIO_VSOCK_OP_RESPONSE);
	h.op = VIRTIO_VSOCK_OP_SHUTDOWN;
	h.flags = SHUT_BOTH;
	send_raw(&h, NULL, 0);
	expect_op(VIRTIO_VSOCK_OP_RST);
	expect_none();
	assert_int_equal(t.hellos, 0);
	add_events(1); /* only now is there room for the event */
	assert_true(drv_used(&v, EVENT, &id, &len));
	expect_none();
	add_events(1);
	assert_int_equal(t.hellos, 1);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	close(pair[0]);
}

/* The monitor writes its template when hello calls: it stops the loop, and until that goes on no
 * stream begins, whoever waits for one. */
static void the_moment_for_a_template(void **state)
{
	int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), pair[2];

	(void)state;
	t.stops = true;
	add_rx(64);
	assert_int_equal(connect(waiting, (void *)&t.address, t.address_len), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(vm_vsock_connect(v.d, pair[1], &v.e), 0);
	say_hello();
	expect_op(VIRTIO_VSOCK_OP_RST);
	assert_int_equal(t.hellos, 1);
	assert_false(recv_packet(true));
	v.loop.stop = false;
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	expect_op(VIRTIO_VSOCK_OP_REQUEST);
	expect_none();
	close(waiting);
	close(pair[0]);
}

static void broken_template(void **state)
{
	auto_strbuf saved = {0};

	(void)state;
	up();
	vm_device_save(v.d, &saved);
	vm_device_free(v.d);
	make_device();
	saved.s[saved.len - 1] = 2;
	assert_int_equal(vm_device_load(v.d, saved.s, saved.len, &v.e), -EPROTO);
	assert_int_equal(vm_device_load(v.d, saved.s, saved.len - 1, &v.e), -EPROTO);
}

/* Event buffers that no driver gives, after a restore. */
static void broken_events(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		auto_strbuf saved = {0};

		vm_device_save(v.d, &saved);
		vm_device_free(v.d);
		make_device();
		assert_int_equal(vm_device_load(v.d, saved.s, saved.len, &v.e), 0);
		drv_turn(&v);
		if (i == 0)
			drv_add1(&v, EVENT, drv_alloc(&v, 4), 3, true); /* too short */
		else
			drv_add1(&v, EVENT, i == 1 ? 1ull << 40 : drv_alloc(&v, 4), 4, true);
		if (i == 2) /* one good, and one that isn't memory */
			drv_add1(&v, EVENT, 1ull << 40, 4, true);
		drv_kick(&v, EVENT);
		drv_turn(&v);
		assert_true(drv_broken(&v));
		drv_up(&v, 0, 256);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(restored_plain),         TEST(restored_event_index),
		TEST(hello_before_the_reset), TEST(the_moment_for_a_template),
		TEST(broken_template),        TEST(broken_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
