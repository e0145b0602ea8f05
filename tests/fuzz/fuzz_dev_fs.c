/* tests/fuzz/fuzz_dev_fs.c: the virtio-fs device between a guest and a file server, both hostile.
 */
#include "fuzz_device.h"

#include "microvm/fs.h"

#include <linux/fuse.h>
#include <signal.h>
#include <sys/socket.h>

static int server = -1;
static uint64_t unique; /* of the last request that the server saw */

static struct vm_device *make(struct vm_driver *v, struct fuzz_in *in)
{
	struct vm_device *d;
	int ends[2];

	(void)in;
	signal(SIGPIPE, SIG_IGN);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) ==
		   0);
	server = ends[1];
	unique = 0;
	vm_fs_patience_ms = 1; /* it may never answer */
	FUZZ_CHECK(vm_fs_make(&v->wires, VM_FS_TAG, ends[0], &d, &v->e) == 0);
	return d;
}

static void answer(struct fuzz_in *in, uint8_t what)
{
	static uint8_t message[sizeof(struct fuse_out_header) + 65536];
	size_t len = sizeof(struct fuse_out_header) + (what & 4 ? fuzz_u16(in) : fuzz_u8(in));
	struct fuse_out_header h = {
		.len = (uint32_t)len,
		.error = what & 8 ? -(int)fuzz_u8(in) : 0,
		.unique = what & 16 ? fuzz_u64(in) : unique,
	};

	if (what & 32)
		h.len = fuzz_u32(in);
	if (what & 64)
		len = fuzz_u8(in) % sizeof(h);
	memcpy(message, &h, sizeof(h));
	(void)!send(server, message, len, MSG_NOSIGNAL);
}

/* The server takes a request, answers, answers wrongly, or is gone. */
static void outside(struct vm_driver *v, struct fuzz_in *in)
{
	static uint8_t request[VM_FS_MESSAGE_MAX + 1];
	uint8_t what = fuzz_u8(in);

	(void)v;
	if (server < 0)
		return;
	if (what == 0xff) {
		close(server);
		server = -1;
		return;
	}
	if (what & 1) {
		ssize_t n = recv(server, request, sizeof(request), 0);
		struct fuse_in_header h;
		/* What comes through is a message as the server knows them. */
		FUZZ_CHECK(n <= (ssize_t)VM_FS_MESSAGE_MAX);
		if (n >= (ssize_t)sizeof(h)) {
			memcpy(&h, request, sizeof(h));
			FUZZ_CHECK(h.len == (size_t)n);
			unique = h.unique;
		}
	}
	if (what & 2)
		answer(in, what);
}

static size_t head(struct fuzz_in *in, uint8_t *to)
{
	struct fuse_in_header h = {.opcode = fuzz_u8(in), .nodeid = 1, .unique = fuzz_u8(in)};

	h.len = (uint32_t)sizeof(h) + fuzz_u8(in);
	memcpy(to, &h, sizeof(h));
	return sizeof(h);
}

static void leave(void)
{
	if (server >= 0)
		close(server);
	server = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_world world = {
		.make = make, .outside = outside, .head = head, .leave = leave};

	return fuzz_device(&world, data, size);
}
