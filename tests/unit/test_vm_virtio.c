/* tests/unit/test_vm_virtio.c: the virtio-mmio transport: what a driver may do in which order, and
 * that a hostile one gets nowhere. The device under the transport is one of the test's own. */
#include "tests/unit/vm_driver.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>

/* Echo: queue 0 gets its out-buffers back in its in-buffers; queue 1 is only counted. */
struct echo {
	struct vm_device d;
	unsigned starts, resets, notified[2], configured, loads;
	uint8_t own;
};

static void echo_start(struct vm_device *d)
{
	((struct echo *)d)->starts++;
}

static void echo_reset(struct vm_device *d)
{
	((struct echo *)d)->resets++;
}

static void echo_configured(struct vm_device *d, size_t offset, size_t len)
{
	((struct echo *)d)->configured += (unsigned)(offset * 16 + len);
}

static void echo_notify(struct vm_device *d, unsigned q)
{
	static struct vm_chain c;
	uint8_t bytes[256];
	int rc;

	((struct echo *)d)->notified[q]++;
	while ((rc = vm_queue_pop(&d->queues[q], &c)) == 1) {
		size_t n = vm_iov_read(c.out, c.n_out, 0, bytes, sizeof(bytes));

		n = vm_iov_write(c.in, c.n_in, 0, bytes, n);
		vm_queue_push(&d->queues[q], c.head, (uint32_t)n);
	}
	vm_device_signal(d, q);
	if (rc < 0)
		vm_device_fail(d);
}

static void echo_save(struct vm_device *d, struct strbuf *out)
{
	strbuf_add(out, &((struct echo *)d)->own, 1);
}

static int echo_load(struct vm_device *d, const void *data, size_t len)
{
	((struct echo *)d)->loads++;
	if (len != 1 || *(const uint8_t *)data == 0xee)
		return -EPROTO;
	((struct echo *)d)->own = *(const uint8_t *)data;
	return 0;
}

static void echo_free(struct vm_device *d)
{
	free(d);
}

static const struct vm_device_ops echo_ops = {
	.name = "echo",
	.id = 42,
	.n_queues = 2,
	.features = 1ull << 5 | 1ull << 40,
	.config_len = 10,
	.configured = echo_configured,
	.start = echo_start,
	.notify = echo_notify,
	.reset = echo_reset,
	.save = echo_save,
	.load = echo_load,
	.free = echo_free,
};

static struct vm_driver v;
static struct echo *echo;

static struct echo *echo_make(void)
{
	struct echo *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	vm_device_init(&x->d, &echo_ops, &v.loop, &v.mem, 64);
	memcpy(x->d.config, "0123456789abc", 13);
	return x;
}

static int setup(void **state)
{
	(void)state;
	drv_open(&v, 1 << 20);
	echo = echo_make();
	drv_attach(&v, &echo->d);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drv_close(&v);
	return 0;
}

/* One chain there and back. */
static bool works(void)
{
	uint64_t at = drv_alloc(&v, 32);
	struct drv_buf b[2] = {{at, 5, false}, {at + 16, 8, true}};
	uint32_t id, len;
	uint16_t head;

	memcpy(drv_at(&v, at, 5), "hello", 5);
	head = drv_add(&v, 0, b, 2);
	drv_kick(&v, 0);
	drv_turn(&v);
	return drv_used(&v, 0, &id, &len) && id == head && len == 5 &&
	       !memcmp(drv_at(&v, at + 16, 5), "hello", 5);
}

static void says_what_it_is(void **state)
{
	(void)state;
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_DEVICE_ID), 42);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS), 0);
	assert_true(drv_offered(&v) ==
		    (DRV_V1 | DRV_EVENT | DRV_INDIRECT | 1ull << 5 | 1ull << 40));
	drv_set(&v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	drv_set(&v, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0xffffffff);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	for (uint32_t i = 0; i < 3; i++) {
		drv_set(&v, VIRTIO_MMIO_QUEUE_SEL, i);
		assert_int_equal(drv_get(&v, VIRTIO_MMIO_QUEUE_NUM_MAX), i < 2 ? 64 : 0);
		assert_int_equal(drv_get(&v, VIRTIO_MMIO_QUEUE_READY), 0);
	}
	drv_set(&v, VIRTIO_MMIO_SHM_SEL, 0);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_SHM_LEN_LOW), 0xffffffff);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_SHM_LEN_HIGH), 0xffffffff);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_SHM_BASE_LOW), 0xffffffff);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_SHM_BASE_HIGH), 0xffffffff);
}

static void good_driver(void **state)
{
	(void)state;
	drv_up(&v, 1ull << 40, 16);
	assert_int_equal(echo->starts, 1);
	assert_true(vm_device_has(&echo->d, 40));
	assert_false(vm_device_has(&echo->d, 5));
	assert_int_equal(drv_irq(&v), 0);
	assert_true(works());
	assert_int_equal(drv_irq(&v), 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	drv_set(&v, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_true(works());
}

static void features_that_dont_agree(void **state)
{
	(void)state;
	assert_false(drv_negotiate(&v, 0));
	assert_false(drv_negotiate(&v, 1ull << 5));
	assert_false(drv_negotiate(&v, DRV_V1 | 1ull << 6));
	assert_false(drv_negotiate(&v, DRV_V1 | 1ull << 33));
	assert_false(drv_negotiate(&v, UINT64_MAX));
	drv_status(&v, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_false(echo->d.started);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_DRIVER_OK, 0);
	assert_true(drv_negotiate(&v, DRV_V1 | 1ull << 5));
}

/* FEATURES_OK may be tried again with fewer features; once it stands they are fixed. */
static void features_are_fixed(void **state)
{
	(void)state;
	assert_false(drv_negotiate(&v, DRV_V1 | 1));
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 1u << 5);
	drv_status(&v, VIRTIO_CONFIG_S_FEATURES_OK);
	assert_true(drv_get(&v, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK);
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	assert_true(echo->d.accepted == (DRV_V1 | 1u << 5));
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2);
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0xffffffff);
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	assert_true(echo->d.accepted == (DRV_V1 | 1u << 5));
}

static void status_goes_in_order(void **state)
{
	(void)state;
	drv_set(&v, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS), 0);
	drv_set(&v, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS), 0);
	drv_set(&v, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_NEEDS_RESET | 0x30 | 0xffffff00);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS), 0);
	drv_set(&v, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	drv_set(&v, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER); /* would clear a bit */
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	/* Features are deaf before DRIVER. */
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	assert_true(echo->d.accepted == 0);
	drv_set(&v, VIRTIO_MMIO_STATUS, 0xff);
	assert_false(echo->d.started);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK, 0);
}

static void failed_driver_stops_it(void **state)
{
	(void)state;
	drv_up(&v, 0, 16);
	drv_status(&v, VIRTIO_CONFIG_S_FAILED);
	assert_false(works());
	assert_int_equal(echo->notified[0], 0);
	assert_true(drv_negotiate(&v, DRV_V1));
	drv_status(&v, VIRTIO_CONFIG_S_FAILED);
	drv_status(&v, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_false(echo->d.started);
}

static void nothing_before_driver_ok(void **state)
{
	(void)state;
	assert_true(drv_negotiate(&v, DRV_V1));
	drv_queue_make(&v, 0, 16);
	assert_false(works());
	drv_set(&v, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	drv_turn(&v);
	assert_int_equal(echo->notified[0], 0);
	/* The same chain, once it may. */
	drv_status(&v, VIRTIO_CONFIG_S_DRIVER_OK);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_int_equal(echo->notified[0], 1);
	/* A queue that was never made. */
	drv_kick(&v, 1);
	drv_set(&v, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	drv_set(&v, VIRTIO_MMIO_QUEUE_NOTIFY, 2);
	drv_set(&v, VIRTIO_MMIO_QUEUE_NOTIFY, 0xffffffff);
	drv_turn(&v);
	assert_int_equal(echo->notified[1], 0);
}

static void reset_forgets_all(void **state)
{
	(void)state;
	drv_up(&v, DRV_EVENT, 16);
	assert_true(works());
	drv_kick(&v, 0); /* pending over the reset */
	drv_set(&v, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(echo->resets, 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_STATUS), 0);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	assert_int_equal(echo->d.queues[0].size, 0);
	assert_false(echo->d.queues[0].event_idx);
	drv_turn(&v);
	assert_int_equal(echo->notified[0], 1);
	drv_set(&v, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(echo->resets, 1);
	drv_up(&v, 0, 8);
	for (unsigned i = 0; i < 20; i++)
		assert_true(works());
	assert_int_equal(echo->starts, 2);
}

/* A driver that breaks the rules is told, and the device sleeps until the reset. */
static void broken_chain_needs_reset(void **state)
{
	uint64_t at = drv_alloc(&v, 16);

	(void)state;
	drv_up(&v, 0, 16);
	drv_add1(&v, 0, v.mem.size, 4, false);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_true(drv_broken(&v));
	assert_int_equal(drv_irq(&v), 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(echo->notified[0], 1);
	drv_kick(&v, 0);
	drv_kick(&v, 1);
	drv_turn(&v);
	assert_int_equal(echo->notified[0], 1);
	assert_int_equal(echo->notified[1], 0);
	vm_queue_push(&echo->d.queues[1], 0, 1);
	assert_int_equal(drv_used_ring(&v, 1)[2], 0);
	/* The driver can't wipe the bit away. */
	drv_set(&v, VIRTIO_MMIO_STATUS, drv_get(&v, VIRTIO_MMIO_STATUS) & ~0x40u);
	assert_true(drv_broken(&v));
	drv_up(&v, 0, 16);
	assert_false(drv_broken(&v));
	drv_add1(&v, 1, at, 4, false);
	drv_kick(&v, 1);
	drv_turn(&v);
	assert_int_equal(echo->notified[1], 1);
	assert_true(works());
}

static void refused(uint32_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
	assert_true(drv_negotiate(&v, DRV_V1));
	drv_queue_place(&v, 0, size, desc, avail, used);
	drv_set(&v, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_true(drv_broken(&v));
	drv_status(&v, VIRTIO_CONFIG_S_DRIVER_OK);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_int_equal(echo->notified[0], 0);
}

static void malformed_queues(void **state)
{
	uint64_t desc = drv_alloc(&v, 1024), avail = drv_alloc(&v, 512), used = drv_alloc(&v, 1024);
	uint64_t ram = v.mem.size;

	(void)state;
	refused(0, desc, avail, used);
	refused(3, desc, avail, used);
	refused(128, desc, avail, used);
	refused(65535, desc, avail, used);
	refused(65536 + 16, desc, avail, used); /* 16 in sixteen bits */
	refused(0xffffffff, desc, avail, used);
	refused(16, desc + 8, avail, used);
	refused(16, desc, avail + 1, used);
	refused(16, desc, avail, used + 2);
	refused(16, ram, avail, used);
	refused(16, desc, ram - 2, used);
	refused(16, desc, avail, ram - 4);
	refused(16, UINT64_MAX - 15, avail, used);
	refused(16, desc, UINT64_MAX - 1, used);
	refused(16, desc, avail, UINT64_MAX - 3);
	refused(16, desc + (1ull << 32), avail, used);
	refused(16, desc | 1ull << 63, avail, used);
	drv_up(&v, 0, 64);
	assert_true(works());
}

/* The class of CVE-2019-18960 and CVE-2026-5747: queue registers that change under a running
 * device. */
static void running_queue_is_closed(void **state)
{
	struct vm_queue before;

	(void)state;
	drv_up(&v, 0, 16);
	assert_true(works());
	before = echo->d.queues[0];
	drv_queue_place(&v, 0, 64, v.mem.size - 16, v.mem.size - 2, UINT64_MAX - 3);
	drv_queue_place(&v, 0, 65535, 0, 0, 0);
	drv_set(&v, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_memory_equal(&before, &echo->d.queues[0], sizeof(before));
	assert_true(works());
	/* Turned off it stays off: it can't be made anew behind DRIVER_OK. */
	drv_set(&v, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_QUEUE_READY), 0);
	drv_queue_place(&v, 0, 64, v.mem.size - 16, v.mem.size - 2, UINT64_MAX - 3);
	assert_int_equal(echo->d.queues[0].size, 16);
	drv_set(&v, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_false(works());
	/* Features and status neither. */
	drv_set(&v, VIRTIO_MMIO_DRIVER_FEATURES, 0xffffffff);
	assert_true(echo->d.accepted == DRV_V1);
}

/* A ready queue is closed before DRIVER_OK too, and opened by turning it off. */
static void ready_queue_is_closed(void **state)
{
	(void)state;
	assert_true(drv_negotiate(&v, DRV_V1));
	drv_queue_make(&v, 0, 16);
	drv_set(&v, VIRTIO_MMIO_QUEUE_NUM, 65535);
	drv_set64(&v, VIRTIO_MMIO_QUEUE_DESC_LOW, UINT64_MAX);
	assert_int_equal(echo->d.queues[0].size, 16);
	assert_true(echo->d.queues[0].desc == v.q[0].desc);
	drv_set(&v, VIRTIO_MMIO_QUEUE_READY, 0);
	drv_queue_make(&v, 0, 32);
	drv_status(&v, VIRTIO_CONFIG_S_DRIVER_OK);
	assert_int_equal(echo->d.queues[0].size, 32);
	assert_true(works());
}

static void queues_need_features_ok(void **state)
{
	(void)state;
	drv_set(&v, VIRTIO_MMIO_STATUS, 0);
	drv_queue_place(&v, 0, 16, 4096, 8192, 12288);
	drv_set(&v, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(echo->d.queues[0].size, 0);
	assert_false(drv_broken(&v));
}

/* Also with the kick written to the register, as without an ioeventfd. */
static void kick_by_register(void **state)
{
	uint64_t at = drv_alloc(&v, 16);
	uint32_t id, len;

	(void)state;
	drv_up(&v, 0, 16);
	drv_add1(&v, 0, at, 4, false);
	drv_set(&v, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(echo->notified[0], 0); /* not on a vCPU's thread … */
	drv_turn(&v);
	assert_int_equal(echo->notified[0], 1); /* … but on the loop's */
	assert_true(drv_used(&v, 0, &id, &len));
	vm_loop_drop(&v.loop, &echo->d.kick_source[0]);
	fd_close(&echo->d.kick[0]);
	drv_set(&v, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(echo->notified[0], 2);
}

static void event_index_over_the_transport(void **state)
{
	uint64_t at = drv_alloc(&v, 16);

	(void)state;
	drv_up(&v, DRV_EVENT | DRV_INDIRECT, 16);
	drv_used_event(&v, 0, 2);
	for (unsigned i = 0; i < 6; i++) {
		struct drv_buf b[2] = {{at, 4, false}, {at + 8, 4, true}};

		drv_add_indirect(&v, 0, b, 2);
		drv_kick(&v, 0);
		drv_turn(&v);
		assert_int_equal(drv_irq(&v), i == 2);
		assert_int_equal(drv_avail_event(&v, 0), i + 1);
	}
}

/* Control registers take four aligned bytes, the configuration space every width. */
static void odd_accesses(void **state)
{
	uint8_t b[8];
	uint64_t wide = 0;
	uint16_t two = 0xffff;

	(void)state;
	for (unsigned offset = 0; offset < 0x100; offset++) {
		memset(b, 0xaa, sizeof(b));
		vm_mmio_read(&echo->d, offset, b, 1);
		assert_int_equal(b[0], 0);
		vm_mmio_read(&echo->d, offset, b, 2);
		assert_int_equal(b[1], 0);
		vm_mmio_read(&echo->d, offset, &wide, 8);
		assert_true(wide == 0);
		if (offset % 4) {
			vm_mmio_read(&echo->d, offset, b, 4);
			assert_int_equal(b[0] | b[3], 0);
		}
		vm_mmio_write(&echo->d, offset, &two, 1);
		vm_mmio_write(&echo->d, offset, &two, 2);
	}
	assert_int_equal(echo->d.status, 0);
	vm_mmio_read(&echo->d, UINT64_MAX - 3, b, 4);
	vm_mmio_write(&echo->d, UINT64_MAX - 3, b, 4);
	vm_mmio_read(&echo->d, UINT64_MAX, b, 8);
}

static void config_space(void **state)
{
	char b[8] = "";

	(void)state;
	drv_config(&v, 0, b, 8);
	assert_memory_equal(b, "01234567", 8);
	drv_config(&v, 9, b, 1);
	assert_int_equal(b[0], '9');
	drv_config(&v, 7, b, 2);
	assert_memory_equal(b, "78", 2);
	drv_config(&v, 8, b, 4); /* over the end: nothing of it */
	assert_memory_equal(b, "\0\0\0\0", 4);
	drv_config(&v, 10, b, 1);
	assert_int_equal(b[0], 0);
	drv_config(&v, 0xeff, b, 8);
	vm_mmio_write(&echo->d, VIRTIO_MMIO_CONFIG, "x", 1);
	assert_int_equal(echo->d.config[0], '0');
	drv_status(&v, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	drv_status(&v, VIRTIO_CONFIG_S_DRIVER);
	vm_mmio_write(&echo->d, VIRTIO_MMIO_CONFIG, "x", 1);
	assert_int_equal(echo->d.config[0], '0');
	echo->d.config_writable = true;
	vm_mmio_write(&echo->d, VIRTIO_MMIO_CONFIG + 2, "yz", 2);
	assert_memory_equal(echo->d.config, "01yz4", 5);
	assert_int_equal(echo->configured, 2 * 16 + 2);
	vm_mmio_write(&echo->d, VIRTIO_MMIO_CONFIG + 8, "overflow", 8);
	vm_mmio_write(&echo->d, VIRTIO_MMIO_CONFIG + 10, "o", 1);
	vm_mmio_write(&echo->d, VIRTIO_MMIO_CONFIG + 300, "o", 1);
	assert_memory_equal(echo->d.config + 8, "89abc", 5);
}

static void config_change_is_told(void **state)
{
	uint32_t g = drv_get(&v, VIRTIO_MMIO_CONFIG_GENERATION);

	(void)state;
	vm_device_config_changed(&echo->d);
	assert_int_equal(drv_irq(&v), 0); /* nobody listens yet */
	assert_int_not_equal(drv_get(&v, VIRTIO_MMIO_CONFIG_GENERATION), g);
	drv_up(&v, 0, 16);
	vm_device_config_changed(&echo->d);
	assert_int_equal(drv_irq(&v), 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
}

/* A device in the middle of its life, into a second one of the same make. */
static void saved_and_loaded(void **state)
{
	auto_strbuf s = {0};
	struct vm_driver first;

	(void)state;
	drv_up(&v, DRV_EVENT, 16);
	for (unsigned i = 0; i < 5; i++)
		assert_true(works());
	echo->own = 7;
	drv_add1(&v, 1, drv_alloc(&v, 8), 8, false); /* its kick is lost with the first one */
	vm_device_save(&echo->d, &s);
	assert_false(s.failed);
	first = v;
	echo = echo_make();
	drv_attach(&v, &echo->d);
	assert_int_equal(vm_device_load(&echo->d, s.s, s.len, &v.e), 0);
	assert_int_equal(echo->own, 7);
	assert_int_equal(drv_irq(&v), 1); /* unacknowledged then, told again */
	drv_turn(&v);
	assert_int_equal(echo->notified[1], 1);
	for (unsigned i = 0; i < 20; i++)
		assert_true(works());
	assert_true(vm_device_has(&echo->d, VIRTIO_RING_F_EVENT_IDX));
	vm_device_free(first.d);
}

static void spoilt_state_is_refused(void **state)
{
	auto_strbuf s = {0};
	unsigned refusals = 0, starts;

	(void)state;
	drv_up(&v, DRV_EVENT, 16);
	echo->own = 7;
	vm_device_save(&echo->d, &s);
	starts = echo->starts;
	for (size_t i = 0; i < s.len; i++)
		assert_int_equal(vm_device_load(&echo->d, s.s, i, &v.e), -EPROTO);
	/* Any byte may be wrong: refused and reset, or loaded and harmless. */
	for (size_t i = 0; i < s.len; i++) {
		char was = s.s[i];

		s.s[i] = (char)0xee;
		if (vm_device_load(&echo->d, s.s, s.len, &v.e) < 0) {
			refusals++;
			drv_set(&v, VIRTIO_MMIO_STATUS, 0);
			assert_int_equal(echo->d.queues[0].size, 0);
		}
		drv_kick(&v, 0);
		drv_turn(&v);
		s.s[i] = was;
	}
	assert_true(refusals > 30);
	assert_int_equal(vm_device_load(&echo->d, s.s, s.len, &v.e), 0);
	s.len = 0;
	echo->d.accepted |= 1ull << 50; /* never offered */
	vm_device_save(&echo->d, &s);
	assert_int_equal(vm_device_load(&echo->d, s.s, s.len, &v.e), -EPROTO);
	s.len = 0;
	echo->d.accepted &= ~(1ull << 50);
	vm_device_save(&echo->d, &s);
	assert_int_equal(echo->starts, starts);
	assert_int_equal(vm_device_load(&echo->d, s.s, s.len, &v.e), 0);
	assert_true(works());
}

/* Registers hit with anything, in any order: no assertion but the sanitizers' own, and that a reset
 * brings everything back. */
static void noise(void **state)
{
	static const uint16_t likely[] = {
		VIRTIO_MMIO_STATUS,           VIRTIO_MMIO_DRIVER_FEATURES,
		VIRTIO_MMIO_QUEUE_SEL,        VIRTIO_MMIO_QUEUE_NUM,
		VIRTIO_MMIO_QUEUE_READY,      VIRTIO_MMIO_QUEUE_NOTIFY,
		VIRTIO_MMIO_QUEUE_DESC_LOW,   VIRTIO_MMIO_QUEUE_AVAIL_LOW,
		VIRTIO_MMIO_QUEUE_USED_LOW,   VIRTIO_MMIO_DRIVER_FEATURES_SEL,
		VIRTIO_MMIO_QUEUE_DESC_HIGH,  VIRTIO_MMIO_INTERRUPT_ACK,
		VIRTIO_MMIO_QUEUE_AVAIL_HIGH, VIRTIO_MMIO_QUEUE_USED_HIGH,
	};
	static const uint32_t values[] = {0, 1, 2, 3, 7, 11, 15, 16, 64, 4096, 0xfffff0, ~0u};

	(void)state;
	srandom(99);
	echo->d.config_writable = true;
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t offset =
			random() % 8 ? likely[random() % 14] : (uint64_t)random() % VM_MMIO_SIZE;
		uint64_t value = random() % 4 ? values[random() % 12] : (uint64_t)random();
		unsigned len = random() % 8 ? 4 : 1u << (random() % 4);

		vm_mmio_write(&echo->d, offset, &value, len);
		vm_mmio_read(&echo->d, offset, &value, len);
		if (i % 64 == 0)
			drv_turn(&v);
	}
	drv_up(&v, 0, 16);
	assert_true(works());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(says_what_it_is),
		T(good_driver),
		T(features_that_dont_agree),
		T(features_are_fixed),
		T(status_goes_in_order),
		T(failed_driver_stops_it),
		T(nothing_before_driver_ok),
		T(reset_forgets_all),
		T(broken_chain_needs_reset),
		T(malformed_queues),
		T(running_queue_is_closed),
		T(ready_queue_is_closed),
		T(queues_need_features_ok),
		T(kick_by_register),
		T(event_index_over_the_transport),
		T(odd_accesses),
		T(config_space),
		T(config_change_is_told),
		T(saved_and_loaded),
		T(spoilt_state_is_refused),
		T(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
