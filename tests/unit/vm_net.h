/* tests/unit/vm_net.h: what the tests of the network card share. */
#ifndef RF_TESTS_VM_NET_H
#define RF_TESTS_VM_NET_H

#include "tests/unit/vm_driver.h"

#include <linux/virtio_net.h>
#include <signal.h>

#define RAM (8u << 20)
#define RX 0
#define TX 1
#define HEADER 12u
#define F(name) (1ull << VIRTIO_NET_F_##name)
#define OFFLOADS \
	(F(CSUM) | F(GUEST_CSUM) | F(GUEST_TSO4) | F(GUEST_TSO6) | F(HOST_TSO4) | F(HOST_TSO6))

static struct vm_driver v;
static int far_end = -1; /* of the wire */
static int wire_bytes
	__attribute__((unused)); /* what the wire holds of the device's frames; 0: as it comes */

static inline int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	drv_open(&v, RAM);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	drv_close(&v);
	if (far_end >= 0)
		close(far_end);
	far_end = -1;
	wire_bytes = 0;
	return 0;
}

static inline void plug(int tap, const struct vm_net_how *more)
{
	struct vm_net_how how = *more;
	struct vm_device *d;

	how.tap = tap;
	memcpy(how.mac, "\x02\x01\x02\x03\x04\x05", 6);
	assert_int_equal(vm_net_make(&v.wires, &how, &d, &v.e), 0);
	drv_attach(&v, d);
}

static inline void post(uint64_t at, unsigned n, uint32_t each)
{
	for (unsigned i = 0; i < n; i++)
		drv_add1(&v, RX, at + (uint64_t)i * each, each, true);
	drv_kick(&v, RX);
	drv_turn(&v);
}

/* Bytes that wait at our end of the wire. */
static inline bool waits(void)
{
	struct pollfd p = {.fd = v.loop.epoll, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

#endif
