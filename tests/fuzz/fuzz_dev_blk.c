/* tests/fuzz/fuzz_dev_blk.c: a disk. The first byte: 1 read only, 2 with a serial, 4 as qcow2 (the
 * disk begins with the bytes that follow: a u16 says how many). */
#include "fuzz_device.h"

#include <linux/virtio_blk.h>
#include <sys/mman.h>

#define DISK (64u << 10)

static struct vm_device *make(struct vm_driver *v, struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	struct vm_device *d = NULL;
	struct vm_blk_how how = {
		.fd = memfd_create("disk", MFD_CLOEXEC),
		.read_only = what & 5,
		.serial = what & 2 ? "serial" : NULL,
	};

	FUZZ_CHECK(how.fd >= 0 && ftruncate(how.fd, DISK) == 0);
	if (what & 4) {
		size_t n = fuzz_u16(in);
		n = n < in->left ? n : in->left;
		FUZZ_CHECK(pwrite(how.fd, in->at, n, 0) == (ssize_t)n);
		in->at += n;
		in->left -= n;
		how.qcow2 = true;
		if (vm_blk_make(&v->wires, &how, &d, &v->e) == 0)
			return d;
		how.qcow2 = false;
	}
	FUZZ_CHECK(vm_blk_make(&v->wires, &how, &d, &v->e) == 0);
	return d;
}

static size_t head(struct fuzz_in *in, uint8_t *to)
{
	struct virtio_blk_outhdr h = {.type = fuzz_u8(in) % 16, .sector = fuzz_u8(in)};

	memcpy(to, &h, sizeof(h));
	return sizeof(h);
}

/* The disk's thread gives back everything that was posted: the requests that aren't broken. */
static void settle(struct vm_driver *v)
{
	struct pollfd p = {.fd = v->loop.epoll, .events = POLLIN};
	const struct vm_queue *q = &v->d->queues[0];

	while (v->d->started && q->ready && !q->broken && q->next_avail != q->next_used) {
		int n = poll(&p, 1, fuzz_spoilt ? 20 : 10000);
		FUZZ_CHECK(n == 1 || fuzz_spoilt);
		if (n != 1)
			return;
		FUZZ_CHECK(vm_loop_turn(&v->loop, 0, &v->e) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_world world = {.make = make, .head = head, .settle = settle};

	return fuzz_device(&world, data, size);
}
