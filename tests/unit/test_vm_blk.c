/* tests/unit/test_vm_blk.c: a disk under good drivers and bad ones. */
#include "tests/unit/vm_driver.h"

#include "common/str.h"
#include "microvm/jail.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define RAM (8u << 20)
#define DISK (1u << 20)

static struct vm_driver v;
static int disk; /* the test's own descriptor of the same file */
static uint64_t header, data, status;

static int setup(void **state)
{
	(void)state;
	drv_open(&v, RAM);
	disk = memfd_create("disk", MFD_CLOEXEC);
	for (unsigned i = 0; i < DISK / 512; i++) {
		uint32_t block[128] = {i, ~i};

		if (pwrite(disk, block, 512, i * 512) != 512)
			return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drv_close(&v);
	close(disk);
	return 0;
}

static void make(struct vm_blk_how how)
{
	struct vm_device *d;

	how.fd = dup(disk);
	assert_int_equal(vm_blk_make(&v.wires, &how, &d, &v.e), 0);
	drv_attach(&v, d);
}

static void up(uint64_t features)
{
	drv_up(&v, features | 1ull << VIRTIO_BLK_F_FLUSH, 64);
	header = drv_alloc(&v, 16);
	status = drv_alloc(&v, 1);
	data = 4u << 20;
}

static void say(uint32_t type, uint64_t sector)
{
	*(struct virtio_blk_outhdr *)drv_at(&v, header, 16) =
		(struct virtio_blk_outhdr){.type = type, .sector = sector};
	*(uint8_t *)drv_at(&v, status, 1) = 0xff;
}

static uint8_t wait_answer(uint32_t *ret_len)
{
	uint32_t id;

	drv_kick(&v, 0);
	assert_true(drv_wait_used(&v, 0, 5000, &id, ret_len));
	return *(uint8_t *)drv_at(&v, status, 1);
}

/* One request with `len` bytes of data at `data`. Returns its status. */
static uint8_t ask(uint32_t type, uint64_t sector, uint32_t len, uint32_t *ret_len)
{
	struct drv_buf b[3] = {{header, 16, false},
			       {data, len, type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID},
			       {status, 1, true}};

	say(type, sector);
	if (!len)
		b[1] = b[2];
	drv_add(&v, 0, b, len ? 3 : 2);
	return wait_answer(ret_len);
}

static void *bytes(void)
{
	return drv_at(&v, data, 4u << 20);
}

static void describes_itself(void **state)
{
	struct virtio_blk_config c;

	(void)state;
	make((struct vm_blk_how){.serial = "0123456789abcdefghijKLM"});
	memset(&c, 0, sizeof(c));
	drv_config(&v, 0, &c.capacity, 8);
	assert_int_equal(c.capacity, DISK / 512);
	drv_config(&v, offsetof(struct virtio_blk_config, seg_max), &c.seg_max, 4);
	assert_int_equal(c.seg_max, 126);
	assert_true(drv_offered(&v) & 1ull << VIRTIO_BLK_F_FLUSH);
	assert_true(drv_offered(&v) & 1ull << VIRTIO_BLK_F_DISCARD);
	assert_false(drv_offered(&v) & 1ull << VIRTIO_BLK_F_RO);
	drv_set(&v, VIRTIO_MMIO_CONFIG, 7);
	drv_config(&v, 0, &c.capacity, 8);
	assert_int_equal(c.capacity, DISK / 512);
}

static void reads_and_writes(void **state)
{
	uint32_t len, *words, back[128];

	(void)state;
	make((struct vm_blk_how){0});
	up(0);
	words = bytes();
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 5, 1024, &len), VIRTIO_BLK_S_OK);
	assert_int_equal(len, 1025);
	assert_int_equal(words[0], 5);
	assert_int_equal(words[128], 6);
	assert_int_equal(words[129], ~6u);
	assert_int_equal(drv_irq(&v), 1);
	memset(words, 0x5a, 512);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 9, 512, &len), VIRTIO_BLK_S_OK);
	assert_int_equal(len, 1);
	assert_int_equal(pread(disk, back, 512, 9 * 512), 512);
	assert_memory_equal(back, words, 512);
	assert_int_equal(pread(disk, back, 512, 10 * 512), 512);
	assert_int_equal(back[0], 10);
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, 0, &len), VIRTIO_BLK_S_OK);
	/* Larger than a piece, and the very last sectors. */
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, DISK, &len), VIRTIO_BLK_S_OK);
	assert_int_equal(words[128 * 2047], 2047);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, DISK / 512 - 1, 512, &len), VIRTIO_BLK_S_OK);
	assert_int_equal(words[0], DISK / 512 - 1);
}

/* Header, data and status cut in other places than their borders. */
static void cut_anywhere(void **state)
{
	uint64_t at;
	uint32_t len;

	(void)state;
	make((struct vm_blk_how){0});
	up(DRV_INDIRECT);
	at = drv_alloc(&v, 2048);
	say(VIRTIO_BLK_T_IN, 7);
	{
		struct drv_buf b[5] = {{header, 3, false},
				       {header + 3, 13, false},
				       {at, 500, true},
				       {at + 1000, 13, true},
				       {0, 0, false}};

		drv_add(&v, 0, b, 4);
		drv_kick(&v, 0);
		assert_true(drv_wait_used(&v, 0, 5000, &(uint32_t){0}, &len));
		assert_int_equal(*(uint32_t *)drv_at(&v, at, 4), 7);
		assert_int_equal(*(uint8_t *)drv_at(&v, at + 1012, 1), VIRTIO_BLK_S_OK);
	}
	/* A write whose header and data are one buffer. */
	at = drv_alloc(&v, 16 + 512);
	*(struct virtio_blk_outhdr *)drv_at(&v, at, 16) =
		(struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_OUT, .sector = 3};
	memset(drv_at(&v, at + 16, 512), 0x33, 512);
	{
		struct drv_buf b[2] = {{at, 528, false}, {status, 1, true}};
		uint8_t back[512];

		drv_add_indirect(&v, 0, b, 2);
		assert_int_equal(wait_answer(&len), VIRTIO_BLK_S_OK);
		assert_int_equal(pread(disk, back, 512, 3 * 512), 512);
		assert_int_equal(back[0], 0x33);
		assert_int_equal(back[511], 0x33);
	}
}

static void outside_the_disk(void **state)
{
	static const uint64_t sectors[] = {DISK / 512,       DISK / 512 - 1,   UINT64_MAX,
					   UINT64_MAX - 1,   UINT64_MAX / 512, 1ull << 55,
					   (1ull << 55) - 1, 1ull << 63};
	struct stat st;
	uint32_t len;

	(void)state;
	make((struct vm_blk_how){0});
	up(0);
	for (unsigned i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
		assert_int_equal(ask(VIRTIO_BLK_T_IN, sectors[i], 1024, &len), VIRTIO_BLK_S_IOERR);
		assert_int_equal(ask(VIRTIO_BLK_T_OUT, sectors[i], 1024, &len), VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 511, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, 513, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 0, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, DISK + 512, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(fstat(disk, &st), 0);
	assert_int_equal(st.st_size, DISK);
	/* The disk became shorter behind our back. */
	assert_int_equal(ftruncate(disk, DISK / 2), 0);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, DISK / 512 - 4, 1024, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 1024, &len), VIRTIO_BLK_S_OK);
	assert_false(drv_broken(&v));
}

static void kinds_of_requests(void **state)
{
	static const uint32_t unknown[] = {2, 3, 5, 7, 9, 10, 14, 99, 0x80000000u, UINT32_MAX};
	uint32_t len;

	(void)state;
	make((struct vm_blk_how){.serial = "disk-1"});
	up(0);
	for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_int_equal(ask(unknown[i], 0, 512, &len), VIRTIO_BLK_S_UNSUPP);
	memset(bytes(), 0xaa, 32);
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, 20, &len), VIRTIO_BLK_S_OK);
	assert_memory_equal(bytes(), "disk-1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xaa", 21);
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, 3, &len), VIRTIO_BLK_S_OK);
	/* Not negotiated. */
	assert_int_equal(ask(VIRTIO_BLK_T_DISCARD, 0, 16, &len), VIRTIO_BLK_S_UNSUPP);
}

static void expect_broken(const struct drv_buf *b, unsigned n)
{
	up(0);
	say(VIRTIO_BLK_T_IN, 0);
	drv_add(&v, 0, b, n);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_true(drv_broken(&v));
}

/* Nowhere to put the answer, or no whole header. */
static void chains_without_a_frame(void **state)
{
	uint32_t len;

	(void)state;
	make((struct vm_blk_how){0});
	expect_broken((struct drv_buf[]){{0x40000, 16, false}}, 1);
	expect_broken((struct drv_buf[]){{0x40000, 16, true}}, 1);
	expect_broken((struct drv_buf[]){{0x40000, 15, false}, {0x40100, 513, true}}, 2);
	up(0);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512, &len), VIRTIO_BLK_S_OK);
}

static void read_only_disk(void **state)
{
	uint32_t len;
	char back[4];

	(void)state;
	make((struct vm_blk_how){.read_only = true});
	assert_true(drv_offered(&v) & 1ull << VIRTIO_BLK_F_RO);
	assert_false(drv_offered(&v) & 1ull << VIRTIO_BLK_F_WRITE_ZEROES);
	assert_false(drv_offered(&v) & 1ull << VIRTIO_BLK_F_DISCARD);
	up(0); /* a driver that doesn't say that it saw */
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 1, 512, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_WRITE_ZEROES, 1, 16, &len), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, 0, &len), VIRTIO_BLK_S_OK);
	assert_int_equal(pread(disk, back, 4, 512), 4);
	assert_memory_equal(back, "\1\0\0\0", 4);
}

static uint8_t range(uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
	uint32_t len;

	*(struct virtio_blk_discard_write_zeroes *)bytes() =
		(struct virtio_blk_discard_write_zeroes){sector, sectors, flags};
	return ask(type, 0, 16, &len);
}

static uint32_t word(unsigned sector)
{
	uint32_t w = 0xdead;

	assert_int_equal(pread(disk, &w, 4, sector * 512), 4);
	return w;
}

static void discard_and_zeroes(void **state)
{
	struct stat before, after;
	uint32_t len;

	(void)state;
	make((struct vm_blk_how){0});
	up(1ull << VIRTIO_BLK_F_DISCARD | 1ull << VIRTIO_BLK_F_WRITE_ZEROES);
	fstat(disk, &before);
	assert_int_equal(range(VIRTIO_BLK_T_DISCARD, 512, 512, 0), VIRTIO_BLK_S_OK);
	fstat(disk, &after);
	assert_in_range(after.st_blocks, 0, before.st_blocks - 512);
	assert_int_equal(after.st_size, DISK);
	assert_int_equal(word(600), 0);
	assert_int_equal(word(511), 511);
	/* tmpfs has no ZERO_RANGE: the zeroes are written; with UNMAP a hole will do. */
	assert_int_equal(range(VIRTIO_BLK_T_WRITE_ZEROES, 100, 300, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(word(99), 99);
	assert_int_equal(word(100), 0);
	assert_int_equal(word(399), 0);
	assert_int_equal(word(400), 400);
	assert_int_equal(range(VIRTIO_BLK_T_WRITE_ZEROES, 2040, 8, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(word(2047), 0);
	assert_int_equal(range(VIRTIO_BLK_T_WRITE_ZEROES, 2041, 8, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(VIRTIO_BLK_T_DISCARD, UINT64_MAX, 8, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(VIRTIO_BLK_T_DISCARD, 8, UINT32_MAX, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(VIRTIO_BLK_T_DISCARD, 8, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(VIRTIO_BLK_T_DISCARD, 8, 8, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range(VIRTIO_BLK_T_WRITE_ZEROES, 8, 8, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask(VIRTIO_BLK_T_DISCARD, 0, 32, &len), VIRTIO_BLK_S_IOERR);
	assert_int_equal(word(8), 8);
}

/* More requests than slots, all at once; each is answered once, in order. */
static void many_at_once(void **state)
{
	uint64_t heads, states;
	uint32_t id, len;

	(void)state;
	make((struct vm_blk_how){0});
	drv_up(&v, 1ull << VIRTIO_BLK_F_FLUSH | DRV_EVENT | DRV_INDIRECT, 64);
	heads = drv_alloc(&v, 16 * 64);
	states = drv_alloc(&v, 64);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 64; i++) {
			struct drv_buf b[3] = {{heads + 16 * i, 16, false},
					       {(4u << 20) + i * 512, 512, true},
					       {states + i, 1, true}};

			*(struct virtio_blk_outhdr *)drv_at(&v, heads + 16 * i, 16) =
				(struct virtio_blk_outhdr){.sector = i + round};
			drv_add_indirect(&v, 0, b, 3);
		}
		drv_kick(&v, 0);
		for (unsigned i = 0; i < 64; i++) {
			assert_true(drv_wait_used(&v, 0, 5000, &id, &len));
			assert_int_equal(id, i);
			assert_int_equal(*(uint8_t *)drv_at(&v, states + i, 1), 0);
			assert_int_equal(*(uint32_t *)drv_at(&v, (4u << 20) + i * 512, 4),
					 i + round);
		}
		v.brk -= 64 * (48 + 64); /* the indirect tables may go */
	}
}

/* Reset with requests under way: none is answered afterwards, and the device starts anew. */
static void reset_under_way(void **state)
{
	uint32_t id, len;

	(void)state;
	make((struct vm_blk_how){0});
	for (unsigned round = 0; round < 50; round++) {
		v.brk = 0x10000;
		up(0);
		drv_turn(&v);
		assert_false(drv_used(&v, 0, &id, &len));
		say(VIRTIO_BLK_T_IN, 0);
		for (unsigned i = 0; i < 16; i++) {
			struct drv_buf b[3] = {
				{header, 16, false}, {data, DISK, true}, {status, 1, true}};

			drv_add(&v, 0, b, 3);
		}
		drv_kick(&v, 0);
		assert_int_equal(vm_loop_turn(&v.loop, 0, &v.e), 0);
		usleep(10 * round); /* so that another part of them is done each time */
		drv_set(&v, VIRTIO_MMIO_STATUS, 0);
		memset(bytes(), 0x11, DISK);
		usleep(2000); /* a request that went on would be done by now */
		drv_turn(&v);
		assert_int_equal(((uint8_t *)bytes())[0], 0x11);
		assert_int_equal(((uint8_t *)bytes())[DISK - 1], 0x11);
	}
	v.brk = 0x10000;
	up(0);
	assert_false(drv_used(&v, 0, &id, &len));
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 4, 512, &len), VIRTIO_BLK_S_OK);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 10 MB/s: 4 MiB take no less than 300 ms (a tenth of a second's worth passes at once). Writes have
 * their own bucket. */
static void rate_limit(void **state)
{
	int64_t start;
	uint32_t len;

	(void)state;
	make((struct vm_blk_how){.read = {.bytes = 10000000}});
	up(0);
	start = now_ms();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, DISK, &len), VIRTIO_BLK_S_OK);
	assert_in_range(now_ms() - start, 200, 5000);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, DISK, &len), VIRTIO_BLK_S_OK);
}

/* A request that a limit holds back, and a reset meanwhile: the timer finds nothing to do. */
static void reset_while_limited(void **state)
{
	uint32_t id, len;

	(void)state;
	make((struct vm_blk_how){.read = {.ops = 10}});
	up(0);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512, &len), VIRTIO_BLK_S_OK);
	say(VIRTIO_BLK_T_IN, 0);
	drv_add(&v, 0,
		(struct drv_buf[]){{header, 16, false}, {data, 512, true}, {status, 1, true}}, 3);
	drv_kick(&v, 0);
	drv_turn(&v);
	drv_set(&v, VIRTIO_MMIO_STATUS, 0);
	usleep(150000);
	drv_turn(&v);
	assert_false(v.d->started);
	up(0);
	assert_false(drv_used(&v, 0, &id, &len));
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512, &len), VIRTIO_BLK_S_OK);
}

/* The thread's limit comes before its first request; when it fails, there is no disk. */
static int limit_rc;
static pthread_t limited;

static int limit(struct err *e)
{
	limited = pthread_self();
	return limit_rc ? err_set(e, ERR_SYSTEM, EPERM, "", "not to be limited") : 0;
}

static void thread_is_limited(void **state)
{
	struct vm_blk_how how = {.fd = dup(disk), .limit = limit};
	struct vm_device *d = NULL;
	uint32_t len;

	(void)state;
	limit_rc = -1;
	assert_int_equal(vm_blk_make(&v.wires, &how, &d, &v.e), -EPERM);
	assert_null(d);
	assert_string_equal(v.e.text, "not to be limited");
	close(how.fd);
	limit_rc = 0;
	make((struct vm_blk_how){.limit = limit});
	assert_false(pthread_equal(limited, pthread_self()));
	up(0);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 5, 512, &len), VIRTIO_BLK_S_OK);
}

/* Each kind of request under the monitor's own list of system calls: any other ends the process. */
__attribute__((unused)) static void works_jailed(void **state)
{
	uint32_t len;
	pid_t pid = fork();
	int status_of;

	(void)state;
	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(2);
		make((struct vm_blk_how){.limit = vm_jail_disk});
		drv_up(&v, 1ull << VIRTIO_BLK_F_WRITE_ZEROES | 1ull << VIRTIO_BLK_F_DISCARD, 64);
		header = drv_alloc(&v, 16);
		status = drv_alloc(&v, 1);
		data = 4u << 20;
		/* Without FLUSH negotiated each write is durable. */
		if (ask(VIRTIO_BLK_T_IN, 5, 512, &len) || ask(VIRTIO_BLK_T_OUT, 5, 512, &len) ||
		    ask(VIRTIO_BLK_T_FLUSH, 0, 0, &len) ||
		    range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0) ||
		    range(VIRTIO_BLK_T_DISCARD, 0, 8, 0))
			_exit(3);
		up(0);
		if (ask(VIRTIO_BLK_T_OUT, 5, 512, &len))
			_exit(4);
		vm_device_free(v.d);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status_of, 0), pid);
	assert_int_equal(status_of, 0);
	make((struct vm_blk_how){0}); /* for the teardown */
}

/* What was taken from the queue is answered before the state is written. */
static void saved_in_the_middle(void **state)
{
	auto_strbuf s = {0};
	uint32_t id, len;

	(void)state;
	make((struct vm_blk_how){0});
	up(0);
	for (unsigned i = 0; i < 8; i++) {
		struct drv_buf b[3] = {{header, 16, false}, {data, DISK, true}, {status, 1, true}};

		say(VIRTIO_BLK_T_IN, 0);
		drv_add(&v, 0, b, 3);
	}
	drv_kick(&v, 0);
	assert_int_equal(vm_loop_turn(&v.loop, 0, &v.e), 0);
	vm_lock(&v.loop);
	vm_device_save(v.d, &s);
	vm_unlock(&v.loop);
	for (unsigned i = 0; i < 8; i++)
		assert_true(drv_used(&v, 0, &id, &len));
	assert_int_equal(drv_irq(&v), 1);
	assert_int_equal(vm_device_load(v.d, s.s, s.len, &v.e), 0);
	assert_int_equal(drv_irq(&v), 1);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 4, 512, &len), VIRTIO_BLK_S_OK);
}

static void not_a_disk(void **state)
{
	struct vm_device *d = NULL;
	struct vm_blk_how how = {0};
	int p[2];

	(void)state;
	make(how); /* for the teardown */
	how.fd = memfd_create("small", MFD_CLOEXEC);
	assert_int_equal(ftruncate(how.fd, 511), 0);
	assert_int_equal(vm_blk_make(&v.wires, &how, &d, &v.e), -EINVAL);
	how.qcow2 = true;
	assert_int_equal(vm_blk_make(&v.wires, &how, &d, &v.e), -EINVAL);
	assert_string_equal(v.e.text, "this is no qcow2 image");
	close(how.fd);
	assert_int_equal(pipe(p), 0);
	how = (struct vm_blk_how){.fd = p[0]};
	assert_int_equal(vm_blk_make(&v.wires, &how, &d, &v.e), -EINVAL);
	assert_null(d);
	close(p[0]);
	close(p[1]);
}

/* The sanitizer makes system calls of its own: built with it, there is no such test. */
#ifdef __SANITIZE_ADDRESS__
#define JAILED
#else
#define JAILED T(works_jailed),
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(describes_itself),  T(reads_and_writes),
		T(cut_anywhere),      T(outside_the_disk),
		T(kinds_of_requests), T(chains_without_a_frame),
		T(read_only_disk),    T(discard_and_zeroes),
		T(many_at_once),      T(reset_under_way),
		T(rate_limit),        T(reset_while_limited),
		T(thread_is_limited), JAILED T(saved_in_the_middle),
		T(not_a_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
