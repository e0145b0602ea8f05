/* tests/unit/test_vm_qcow2.c: qcow2 images made here, byte by byte, good and spoilt. */
#include "microvm/qcow2.h"

#include "microvm/jail.h"
#include "tests/unit/vm_driver.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define BITS 12
#define CLUSTER (1u << BITS)
#define SIZE (3u << 20) /* two L2 tables of 512 entries, the second half used */

/* Where things are in the file, in clusters. */
enum { HEADER, L1, L2_A, L2_B, DATA_A, DATA_B, N_CLUSTERS };

static int image;
static struct vm_qcow2 *q;
static struct err e;

static void put32(uint64_t at, uint32_t value)
{
	value = htobe32(value);
	assert_int_equal(pwrite(image, &value, 4, (off_t)at), 4);
}

static void put64(uint64_t at, uint64_t value)
{
	value = htobe64(value);
	assert_int_equal(pwrite(image, &value, 8, (off_t)at), 8);
}

static void put_cluster(unsigned n, int byte)
{
	char all[CLUSTER];

	memset(all, byte, sizeof(all));
	assert_int_equal(pwrite(image, all, sizeof(all), (off_t)n * CLUSTER), sizeof(all));
}

/* Cluster 0 of the disk is DATA_A, cluster 600 (in the second table) is DATA_B. */
static void draw(uint32_t version)
{
	assert_int_equal(ftruncate(image, 0), 0);
	for (unsigned i = 0; i < N_CLUSTERS; i++)
		put_cluster(i, 0);
	put32(0, 0x514649fb);
	put32(4, version);
	put32(20, BITS);
	put64(24, SIZE);
	put32(36, 2);
	put64(40, L1 * CLUSTER);
	if (version == 3) {
		put32(96, 4);
		put32(100, 104);
	}
	put64(L1 * CLUSTER, L2_A * CLUSTER | 1ull << 63);
	put64(L1 * CLUSTER + 8, L2_B * CLUSTER | 1ull << 63);
	put64(L2_A * CLUSTER, DATA_A * CLUSTER | 1ull << 63);
	put64(L2_B * CLUSTER + 8 * (600 - 512), DATA_B * CLUSTER | 1ull << 63);
	put_cluster(DATA_A, 'a');
	put_cluster(DATA_B, 'b');
}

static int setup(void **state)
{
	(void)state;
	image = memfd_create("image", MFD_CLOEXEC);
	draw(3);
	q = NULL;
	return image < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	vm_qcow2_free(q);
	close(image);
	return 0;
}

static void open_it(void)
{
	vm_qcow2_free(q);
	q = NULL;
	assert_int_equal(vm_qcow2_open(image, &q, &e), 0);
}

static int byte_at(uint64_t offset)
{
	uint8_t b = 0xff;
	int rc = vm_qcow2_read(q, offset, &b, 1);

	return rc < 0 ? rc : b;
}

static void refused(const char *why)
{
	struct vm_qcow2 *none = NULL;

	assert_true(vm_qcow2_open(image, &none, &e) < 0);
	assert_null(none);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" doesn't say \"%s\"", e.text, why);
	draw(3);
}

static void reads(void **state)
{
	static char all[SIZE];

	(void)state;
	for (uint32_t version = 2; version < 4; version++) {
		draw(version);
		open_it();
		assert_int_equal(vm_qcow2_size(q), SIZE);
		assert_int_equal(vm_qcow2_read(q, 0, all, SIZE), 0);
		for (unsigned i = 0; i < SIZE; i++) {
			unsigned c = i / CLUSTER;

			if (all[i] != (c == 0 ? 'a' : c == 600 ? 'b' : 0))
				fail_msg("byte %u is %d", i, all[i]);
		}
		assert_int_equal(byte_at(CLUSTER - 1), 'a');
		assert_int_equal(vm_qcow2_read(q, 600 * CLUSTER - 2, all, 5), 0);
		assert_memory_equal(all, "\0\0bbb", 5);
	}
}

static void not_outside(void **state)
{
	char b[16];

	(void)state;
	open_it();
	assert_int_equal(vm_qcow2_read(q, SIZE - 16, b, 16), 0);
	assert_int_equal(vm_qcow2_read(q, SIZE, b, 0), 0);
	assert_int_equal(vm_qcow2_read(q, SIZE - 15, b, 16), -EIO);
	assert_int_equal(vm_qcow2_read(q, SIZE, b, 1), -EIO);
	assert_int_equal(vm_qcow2_read(q, UINT64_MAX, b, 2), -EIO);
	assert_int_equal(vm_qcow2_read(q, UINT64_MAX - 3, b, 16), -EIO);
}

static void unallocated_tables_and_zero_clusters(void **state)
{
	(void)state;
	put64(L1 * CLUSTER + 8, 0);
	put64(L2_A * CLUSTER, DATA_A * CLUSTER | 1);
	open_it();
	assert_int_equal(byte_at(0), 0);
	assert_int_equal(byte_at(600 * CLUSTER), 0);
	/* The zero bit belongs to version 3. */
	draw(2);
	put64(L2_A * CLUSTER, DATA_A * CLUSTER | 1);
	open_it();
	assert_int_equal(byte_at(0), -EIO);
}

/* The last data cluster may be short in the file; a table may not. */
static void file_that_ends_early(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(image, DATA_B * CLUSTER + 100), 0);
	open_it();
	assert_int_equal(byte_at(600 * CLUSTER + 99), 'b');
	assert_int_equal(byte_at(600 * CLUSTER + 100), 0);
	assert_int_equal(ftruncate(image, L2_B * CLUSTER + 100), 0);
	open_it();
	assert_int_equal(byte_at(600 * CLUSTER), -EIO);
	assert_int_equal(byte_at(0), 0);
	assert_int_equal(ftruncate(image, L1 * CLUSTER + 8), 0);
	refused("ends in the L1 table");
	assert_int_equal(ftruncate(image, 90), 0);
	refused("ends in the header");
	assert_int_equal(ftruncate(image, 70), 0);
	refused("no qcow2");
	assert_int_equal(ftruncate(image, 0), 0);
	refused("no qcow2");
}

static void what_isnt_supported(void **state)
{
	(void)state;
	put64(8, 4096);
	refused("backing file");
	put32(32, 1);
	refused("encrypted");
	put32(32, 2);
	refused("encrypted");
	put64(72, 2);
	refused("corrupt");
	put64(72, 4);
	refused("another file");
	put64(72, 8);
	refused("than deflate");
	put64(72, 16);
	refused("extended L2");
	put64(72, 1ull << 40);
	refused("newer version");
	put32(4, 4);
	refused("another version");
	put32(4, 1);
	refused("another version");
	/* Dirty counts don't matter to who only reads. */
	put64(72, 1);
	open_it();
	assert_int_equal(byte_at(0), 'a');
}

static void headers_that_lie(void **state)
{
	static const uint32_t bits[] = {0, 8, 22, 31, 32, 64, UINT32_MAX};

	(void)state;
	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		put32(20, bits[i]);
		refused("clusters");
	}
	put64(24, UINT64_MAX);
	refused("too large");
	put64(24, (1ull << 55) + 1);
	refused("too large");
	put64(24, 1ull << 55);
	refused("table of clusters");
	put64(24, SIZE * 2);
	refused("L1 table is smaller");
	put32(36, 1);
	refused("L1 table is smaller");
	put64(40, L1 * CLUSTER + 8);
	refused("L1 table's place");
	put64(40, 1ull << 63);
	refused("L1 table's place");
	put64(40, 1ull << 55);
	refused("ends in the L1 table");
	put32(100, 96);
	refused("header's length");
	put32(100, 105);
	refused("header's length");
	/* More entries than are needed are nothing to us. */
	put32(36, UINT32_MAX);
	open_it();
	assert_int_equal(byte_at(600 * CLUSTER), 'b');
}

static void tables_that_lie(void **state)
{
	static const uint64_t entries[] = {512, DATA_A * CLUSTER + 512, DATA_A * CLUSTER | 2,
					   DATA_A * CLUSTER | 1ull << 56,
					   DATA_A * CLUSTER | 1ull << 61};

	(void)state;
	for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		draw(3);
		put64(L2_A * CLUSTER, entries[i]);
		open_it();
		assert_int_equal(byte_at(0), -EIO);
		assert_int_equal(byte_at(600 * CLUSTER), 'b');
	}
	draw(3);
	put64(L1 * CLUSTER, L2_A * CLUSTER + 512);
	open_it();
	assert_int_equal(byte_at(0), -EIO);
	put64(L1 * CLUSTER, 0x00fffffffffff000ull);
	open_it();
	assert_int_equal(byte_at(0), -EIO);
	/* Data far behind the end: nothing is there. */
	draw(3);
	put64(L2_A * CLUSTER, 0x00fffffffffff000ull);
	open_it();
	assert_true(byte_at(0) == 0 || byte_at(0) == -EIO);
	/* Tables that are each other's and their own data. */
	draw(3);
	put64(L2_A * CLUSTER, L2_A * CLUSTER);
	put64(L1 * CLUSTER + 8, L1 * CLUSTER);
	open_it();
	assert_int_equal(byte_at(6), L2_A * CLUSTER >> 8);
}

/* Cluster 1 of the disk, packed (a stored block) at an odd place behind all others. */
static void put_packed(uint64_t at, unsigned sectors)
{
	uint8_t all[5 + CLUSTER] = {1, CLUSTER & 255, CLUSTER >> 8, ~CLUSTER & 255,
				    ~CLUSTER >> 8 & 255};

	memset(all + 5, 'z', CLUSTER);
	all[5] = 'y';
	assert_int_equal(pwrite(image, all, sizeof(all), (off_t)at), sizeof(all));
	put64(L2_A * CLUSTER + 8, 1ull << 62 | (uint64_t)sectors << 58 | at);
}

static void packed_clusters(void **state)
{
	uint64_t at = N_CLUSTERS * CLUSTER + 77;
	char b[8];

	(void)state;
	for (uint32_t version = 2; version < 4; version++) {
		draw(version);
		put_packed(at, 8);
		open_it();
		assert_int_equal(byte_at(CLUSTER), 'y');
		assert_int_equal(byte_at(2 * CLUSTER - 1), 'z');
		assert_int_equal(vm_qcow2_read(q, CLUSTER - 3, b, 5), 0);
		assert_memory_equal(b, "aaayz", 5);
		assert_int_equal(byte_at(2 * CLUSTER), 0);
	}
	/* Too few sectors, a file that ends early, bytes that are none, a place that is none. */
	put_packed(at, 7);
	open_it();
	assert_int_equal(byte_at(CLUSTER), -EIO);
	assert_int_equal(byte_at(0), 'a');
	put_packed(at, 8);
	open_it();
	assert_int_equal(ftruncate(image, (off_t)at + 5 + CLUSTER - 1), 0);
	assert_int_equal(byte_at(CLUSTER), -EIO);
	put64(L2_A * CLUSTER + 8, 1ull << 62 | DATA_A * CLUSTER);
	open_it();
	assert_int_equal(byte_at(CLUSTER), -EIO);
	put64(L2_A * CLUSTER + 8, UINT64_MAX);
	open_it();
	assert_int_equal(byte_at(CLUSTER), -EIO);
}

/* Every byte of header and tables wrong, one at a time: opened or refused, and read to the end. */
static void noise(void **state)
{
	static char all[SIZE];
	unsigned bad = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * 104 + 2 * 16; i++) {
		unsigned at = i < 208 ? i / 2 : L1 * CLUSTER + (i - 208) / 2;
		struct vm_qcow2 *x;

		draw(3);
		assert_int_equal(pwrite(image, i & 1 ? "\xff" : "\x01", 1, at), 1);
		if (vm_qcow2_open(image, &x, &e) < 0) {
			bad++;
			continue;
		}
		if (vm_qcow2_size(x) <= SIZE)
			vm_qcow2_read(x, 0, all, vm_qcow2_size(x));
		vm_qcow2_free(x);
	}
	assert_true(bad > 40);
}

static struct vm_driver v;
static uint64_t header; /* in the guest; the status behind it, the data at + 512 */

static void disk_up(int (*limit)(struct err *e))
{
	struct vm_blk_how how = {.fd = dup(image), .qcow2 = true, .limit = limit};
	struct vm_device *d;

	drv_open(&v, 1 << 20);
	assert_int_equal(vm_blk_make(&v.wires, &how, &d, &v.e), 0);
	drv_attach(&v, d);
	drv_up(&v, 1ull << VIRTIO_BLK_F_FLUSH, 16);
	header = drv_alloc(&v, 2 * CLUSTER);
}

/* 1024 bytes at a sector; the status. */
static uint8_t ask(uint32_t type, uint64_t sector)
{
	struct drv_buf b[3] = {{header, 16, false},
			       {header + 512, 1024, type == VIRTIO_BLK_T_IN},
			       {header + 16, 1, true}};
	uint32_t id, len;

	*(struct virtio_blk_outhdr *)drv_at(&v, header, 16) =
		(struct virtio_blk_outhdr){.type = type, .sector = sector};
	drv_add(&v, 0, b, 3);
	drv_kick(&v, 0);
	assert_true(drv_wait_used(&v, 0, 5000, &id, &len));
	return *(uint8_t *)drv_at(&v, header + 16, 1);
}

/* Through the device: always read-only. */
static void as_a_disk(void **state)
{
	(void)state;
	disk_up(NULL);
	assert_true(drv_offered(&v) & 1ull << VIRTIO_BLK_F_RO);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, CLUSTER / 512 - 1), VIRTIO_BLK_S_OK);
	assert_memory_equal(drv_at(&v, header + 1020, 8), "aaaa\0\0\0\0", 8);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0), VIRTIO_BLK_S_IOERR);
	drv_close(&v);
}

/* A packed cluster under the monitor's own list of system calls: any other ends the process. */
__attribute__((unused)) static void packed_and_jailed(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	put_packed(N_CLUSTERS * CLUSTER, 8);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		disk_up(vm_jail_disk);
		if (ask(VIRTIO_BLK_T_IN, CLUSTER / 512) != VIRTIO_BLK_S_OK ||
		    memcmp(drv_at(&v, header + 512, 2), "yz", 2) != 0)
			_exit(1);
		drv_close(&v);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The sanitizer makes system calls of its own: built with it, there is no such test. */
#ifdef __SANITIZE_ADDRESS__
#define JAILED
#else
#define JAILED T(packed_and_jailed),
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(reads),
		T(not_outside),
		T(unallocated_tables_and_zero_clusters),
		T(file_that_ends_early),
		T(what_isnt_supported),
		T(headers_that_lie),
		T(tables_that_lie),
		T(packed_clusters),
		T(noise),
		T(as_a_disk),
		JAILED};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
