/* tests/fuzz/fuzz_dev_net.c: the network card; a socket pair plays the tap device. */
#include "fuzz_device.h"

#include <linux/virtio_net.h>
#include <signal.h>
#include <sys/socket.h>

static int wire = -1; /* its far end */

static struct vm_device *make(struct vm_driver *v, struct fuzz_in *in)
{
	struct vm_net_how how = {.mac = {2, 1, 2, 3, 4, 5}, .mtu = fuzz_u8(in) & 1 ? 1400 : 0};
	struct vm_device *d;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ==
		   0);
	how.tap = ends[0];
	wire = ends[1];
	FUZZ_CHECK(vm_net_make(&v->wires, &how, &d, &v->e) == 0);
	return d;
}

/* A frame comes (0 to 65535 bytes, the first of them the script's), what is on the wire is taken,
 * or the wire is cut. */
static void outside(struct vm_driver *v, struct fuzz_in *in)
{
	static uint8_t frame[65536];
	uint8_t what = fuzz_u8(in);
	uint16_t n = fuzz_u16(in);

	(void)v;
	if (wire < 0)
		return;
	if (what == 0xff) {
		close(wire);
		wire = -1;
	} else if (what & 1) {
		while (recv(wire, frame, sizeof(frame), MSG_DONTWAIT) > 0)
			;
	} else {
		memset(frame, 0, sizeof(frame));
		fuzz_take(in, frame, what < 64 ? what : 64);
		(void)!send(wire, frame, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static size_t head(struct fuzz_in *in, uint8_t *to)
{
	struct virtio_net_hdr_mrg_rxbuf h = {0};

	h.hdr.flags = fuzz_u8(in);
	h.hdr.gso_type = fuzz_u8(in);
	h.hdr.gso_size = fuzz_u8(in);
	h.hdr.hdr_len = fuzz_u8(in);
	h.hdr.csum_start = fuzz_u8(in);
	h.hdr.csum_offset = fuzz_u8(in);
	memcpy(to, &h, sizeof(h));
	return sizeof(h);
}

static void leave(void)
{
	if (wire >= 0)
		close(wire);
	wire = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_world world = {
		.make = make, .outside = outside, .head = head, .leave = leave};

	return fuzz_device(&world, data, size);
}
