/* tests/fuzz/fuzz_dev_vsock.c: streams between guest and host: the guest's packets, and the host's
 * ends, which write, read, shut down and leave. */
#include "fuzz_device.h"

#include "microvm/proto.h"

#include <linux/virtio_vsock.h>
#include <signal.h>
#include <sys/socket.h>

#define ENDS 8

static int ends[ENDS];
static unsigned n_ends;

static void hello(void *arg)
{
	(void)arg;
}

static struct vm_device *make(struct vm_driver *v, struct fuzz_in *in)
{
	struct vm_vsock_how how = {.listen = -1, .port = VM_AGENT_PORT, .hello = hello};
	struct vm_device *d;

	(void)in;
	signal(SIGPIPE, SIG_IGN);
	n_ends = 0;
	FUZZ_CHECK(vm_vsock_make(&v->wires, &how, &d, &v->e) == 0);
	return d;
}

static void connect_one(struct vm_driver *v)
{
	struct err e = {0};
	int pair[2];

	if (n_ends == ENDS)
		return;
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	if (vm_vsock_connect(v->d, pair[0], &e) == 0) {
		ends[n_ends++] = pair[1];
		return;
	}
	close(pair[0]);
	close(pair[1]);
}

static void outside(struct vm_driver *v, struct fuzz_in *in)
{
	static char bytes[32768];
	uint8_t what = fuzz_u8(in), which = fuzz_u8(in);
	int fd = n_ends ? ends[which % n_ends] : -1;

	switch (what % 5) {
	case 0:
		connect_one(v);
		break;
	case 1:
		(void)!send(fd, bytes, fuzz_u16(in) % sizeof(bytes), MSG_NOSIGNAL);
		break;
	case 2:
		(void)!recv(fd, bytes, sizeof(bytes), 0);
		break;
	case 3:
		(void)!shutdown(fd, fuzz_u8(in) % 3);
		break;
	default:
		if (n_ends) {
			close(fd);
			ends[which % n_ends] = ends[n_ends - 1];
			n_ends--;
		}
	}
}

/* The host's port of one of the first streams in one of the first slots, as the device numbers
 * them: a guest knows it from what it received. */
static uint32_t host_port(uint8_t which)
{
	return (1u + (which >> 4)) << 10 | (which & 15);
}

/* A packet whose fields fit each other more often than not. Of the first byte, bit 7: another port
 * of the guest's, bit 6: to the hello port, bit 5: to any. */
static size_t head(struct fuzz_in *in, uint8_t *to)
{
	uint8_t op = fuzz_u8(in), flags = fuzz_u8(in), len = fuzz_u8(in);
	struct virtio_vsock_hdr h = {
		.src_cid = 3,
		.dst_cid = 2,
		.src_port = op & 0x80 ? fuzz_u8(in) : VM_AGENT_PORT,
		.dst_port = op & 0x40   ? VM_HELLO_PORT
			    : op & 0x20 ? fuzz_u32(in)
					: host_port(fuzz_u8(in)),
		.len = len,
		.type = VIRTIO_VSOCK_TYPE_STREAM,
		.op = op % 8,
		.flags = flags & 3,
	};

	h.buf_alloc = (uint32_t)fuzz_u16(in) << 4;
	h.fwd_cnt = fuzz_u8(in);
	memcpy(to, &h, sizeof(h));
	return sizeof(h);
}

static void leave(void)
{
	while (n_ends)
		close(ends[--n_ends]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_world world = {
		.make = make, .outside = outside, .head = head, .leave = leave};

	return fuzz_device(&world, data, size);
}
