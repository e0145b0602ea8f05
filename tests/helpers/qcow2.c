/* tests/helpers/qcow2.c: qcow2 RAW IMAGE: the same disk as a qcow2 image (version 2, clusters of
 * 64 KiB; those of zeroes are left out). It has no reference counts: for readers alone.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLUSTER 65536u
#define ENTRIES (CLUSTER / 8) /* of a table of the second level */
#define COPIED (1ull << 63)

struct header {
	char magic[4];
	uint32_t version;
	uint64_t backing;
	uint32_t backing_size, cluster_bits;
	uint64_t size;
	uint32_t encryption, l1_size;
	uint64_t l1, refcounts;
	uint32_t refcount_clusters, snapshots;
	uint64_t snapshot_table;
} __attribute__((packed));

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void put(int fd, const void *data, size_t len, uint64_t at)
{
	if (pwrite(fd, data, len, (off_t)at) != (ssize_t)len)
		fail("pwrite");
}

static int is_zero(const char *p)
{
	return p[0] == 0 && memcmp(p, p + 1, CLUSTER - 1) == 0;
}

int main(int argc, char **argv)
{
	static char data[CLUSTER];
	struct stat st;

	if (argc != 3)
		return 2;
	int in = open(argv[1], O_RDONLY), out = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		fail(argv[1]);
	uint64_t clusters = ((uint64_t)st.st_size + CLUSTER - 1) / CLUSTER;
	uint32_t tables = (uint32_t)((clusters + ENTRIES - 1) / ENTRIES);
	const struct header h = {.magic = {'Q', 'F', 'I', '\xfb'},
				 .version = htobe32(2),
				 .cluster_bits = htobe32(16),
				 .size = htobe64((uint64_t)st.st_size),
				 .l1_size = htobe32(tables),
				 .l1 = htobe64(CLUSTER)};
	uint64_t next = 2 + tables; /* behind header, first level and tables */

	if (tables > ENTRIES || ftruncate(out, (off_t)(next * CLUSTER)) < 0)
		fail(argv[2]);
	put(out, &h, sizeof(h), 0);
	for (uint32_t i = 0; i < tables; i++) {
		const uint64_t entry = htobe64((2ull + i) * CLUSTER | COPIED);
		put(out, &entry, sizeof(entry), CLUSTER + i * 8);
	}
	for (uint64_t i = 0; i < clusters; i++) {
		memset(data, 0, sizeof(data));
		if (pread(in, data, sizeof(data), (off_t)(i * CLUSTER)) < 0)
			fail("pread");
		if (is_zero(data))
			continue;
		const uint64_t entry = htobe64(next * CLUSTER | COPIED);
		put(out, &entry, sizeof(entry), 2 * CLUSTER + i * 8);
		put(out, data, sizeof(data), next++ * CLUSTER);
	}
	return 0;
}
