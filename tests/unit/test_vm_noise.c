/* tests/unit/test_vm_noise.c: every small device under a driver whose rings are noise. Guest memory
 * lies between pages that can't be touched, so that a step beyond it ends the test; what is
 * asserted is that the device serves an honest driver afterwards, and that nothing waits for ever.
 */
#include "tests/unit/vm_driver.h"

#include <endian.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <sys/mman.h>

#define RAM (2u << 20)
#define SIZE 8u
#define ROUNDS 3000u

static struct vm_driver v;

static uint64_t noise(uint64_t below)
{
	return ((uint64_t)random() << 31 | (uint64_t)random()) % below;
}

/* An address that is mostly in RAM, often at one of its edges, sometimes in the rings. */
static uint64_t address(void)
{
	switch (noise(8)) {
	case 0:
		return RAM - noise(600);
	case 1:
		return noise(600);
	case 2:
		return v.q[0].desc + noise(4096);
	case 3:
		return noise(UINT64_MAX);
	default:
		return noise(RAM);
	}
}

static uint32_t length(void)
{
	static const uint32_t likely[] = {1, 16, 512, 513, 528, 4096, 20, 0};

	return noise(4) ? likely[noise(8)] : (uint32_t)noise(noise(8) ? 70000 : UINT32_MAX);
}

/* What a disk takes for a request, at the start of a chain. */
static void put_header(uint64_t at)
{
	struct virtio_blk_outhdr *h = vm_mem(&v.mem, at, sizeof(*h));
	static const uint32_t types[] = {0, 1, 4, 8, 11, 13, 2, 99};
	struct virtio_blk_outhdr value = {.type = types[noise(8)],
					  .sector = noise(4) ? noise(64) : noise(UINT64_MAX)};

	if (h)
		memcpy(h, &value, sizeof(value));
}

static void put_desc(unsigned queue, unsigned i)
{
	struct vring_desc d = {.addr = address(),
			       .len = length(),
			       .flags = (uint16_t)noise(noise(8) ? 4 : 8),
			       .next = (uint16_t)noise(SIZE + (noise(16) == 0))};

	if (!(d.flags & VRING_DESC_F_WRITE) && noise(2)) {
		d.len = 16;
		put_header(d.addr);
	}
	*drv_desc(&v, queue, (uint16_t)i) = d;
}

static void scribble(unsigned queue)
{
	for (unsigned i = 0; i < SIZE; i++) {
		put_desc(queue, i);
		drv_avail(&v, queue)[2 + i] = (uint16_t)noise(SIZE + (noise(16) == 0));
	}
	drv_avail_idx(&v, queue, (uint16_t)(v.q[queue].added += (uint16_t)noise(4)));
	if (noise(64) == 0)
		drv_avail_idx(&v, queue, (uint16_t)noise(65536));
	drv_kick(&v, queue);
}

static void hostile_rounds(void)
{
	srandom(v.d->ops->id);
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i % 8 == 0) {
			v.brk = 0x10000;
			drv_up(&v,
			       (drv_offered(&v) & 0xffffff) | (noise(2) ? DRV_EVENT : 0) |
				       (noise(2) ? DRV_INDIRECT : 0),
			       SIZE);
		}
		scribble((unsigned)noise(v.d->ops->n_queues));
		drv_turn(&v);
	}
}

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	drv_open(&v, RAM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drv_close(&v);
	return 0;
}

/* One honest chain of `n` buffers; used within five seconds. */
static uint32_t honest(unsigned queue, const struct drv_buf *b, unsigned n)
{
	uint32_t id, len = 0;

	drv_add(&v, queue, b, n);
	drv_kick(&v, queue);
	assert_true(drv_wait_used(&v, queue, 5000, &id, &len));
	return len;
}

static void fresh(void)
{
	v.brk = 0x10000;
	drv_up(&v, 0, SIZE);
}

static void rng(void **state)
{
	struct vm_device *d;

	(void)state;
	assert_int_equal(vm_rng_make(&v.wires, &d, &v.e), 0);
	drv_attach(&v, d);
	hostile_rounds();
	fresh();
	assert_int_equal(honest(0, &(struct drv_buf){0x40000, 32, true}, 1), 32);
}

static void console(void **state)
{
	struct vm_device *d;
	int out = memfd_create("out", MFD_CLOEXEC), copy = dup(out);
	char word[4] = "";
	off_t end;

	(void)state;
	assert_int_equal(vm_console_make(&v.wires, out, &d, &v.e), 0);
	drv_attach(&v, d);
	hostile_rounds();
	fresh();
	/* The first line ends what may be lost. */
	memcpy(drv_at(&v, 0x40000, 5), "\nend\n", 5);
	honest(1, &(struct drv_buf){0x40000, 5, false}, 1);
	end = lseek(copy, 0, SEEK_END);
	assert_int_equal(pread(copy, word, 4, end - 4), 4);
	assert_memory_equal(word, "end\n", 4);
	close(copy);
}

static void balloon(void **state)
{
	struct vm_device *d;

	(void)state;
	assert_int_equal(vm_balloon_make(&v.wires, &d, &v.e), 0);
	drv_attach(&v, d);
	hostile_rounds();
	fresh();
	memcpy(drv_at(&v, 0x40000, 4), &(uint32_t){0x100}, 4);
	*(uint8_t *)drv_at(&v, 0x100000, 1) = 1;
	honest(0, &(struct drv_buf){0x40000, 4, false}, 1);
	assert_int_equal(*(uint8_t *)drv_at(&v, 0x100000, 1), 0);
}

static void disk(struct vm_blk_how how)
{
	struct drv_buf b[3] = {{0x40000, 16, false}, {0x41000, 1024, true}, {0x40100, 1, true}};
	struct vm_device *d;

	assert_int_equal(vm_blk_make(&v.wires, &how, &d, &v.e), 0);
	drv_attach(&v, d);
	hostile_rounds();
	fresh();
	memset(drv_at(&v, 0x40000, 16), 0, 16);
	*(uint8_t *)drv_at(&v, 0x40100, 1) = 0xff;
	assert_int_equal(honest(0, b, 3), 1025);
	assert_int_equal(*(uint8_t *)drv_at(&v, 0x40100, 1), VIRTIO_BLK_S_OK);
}

static void raw_disk(void **state)
{
	int fd = memfd_create("disk", MFD_CLOEXEC), copy = dup(fd);

	(void)state;
	assert_int_equal(ftruncate(fd, 32768), 0);
	disk((struct vm_blk_how){.fd = fd, .serial = "noise"});
	assert_int_equal(lseek(copy, 0, SEEK_END), 32768);
	close(copy);
}

static void read_only_disk(void **state)
{
	static char before[32768], after[32768];
	int fd = memfd_create("disk", MFD_CLOEXEC), copy = dup(fd);

	(void)state;
	memset(before, 'r', sizeof(before));
	assert_int_equal(pwrite(fd, before, sizeof(before), 0), sizeof(before));
	disk((struct vm_blk_how){.fd = fd, .read_only = true});
	assert_int_equal(pread(copy, after, sizeof(after), 0), sizeof(after));
	assert_memory_equal(before, after, sizeof(after));
	close(copy);
}

/* An image whose tables are itself. */
static void qcow2_disk(void **state)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	uint32_t header[26] = {0x514649fb, 2, 0, 0, 0, 9, 0, 32768, 0, 1, 0, 512};
	uint64_t table = htobe64(512);

	(void)state;
	for (unsigned i = 0; i < 26; i++)
		header[i] = htobe32(header[i]);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(pwrite(fd, &table, 8, 512), 8);
	disk((struct vm_blk_how){.fd = fd, .qcow2 = true});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(rng), T(console), T(balloon), T(raw_disk), T(read_only_disk), T(qcow2_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
