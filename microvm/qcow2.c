/* microvm/qcow2.c: from a byte of the disk to a byte of the image: L1 table, L2 table, cluster.
 *
 * Invariants
 *  1. The L1 table is read once, at the start. Of L2 tables SLOTS parts are cached, of compressed
 *     clusters the last one.
 *  2. An address out of the image is used after it was checked for alignment and reserved bits;
 * what lies behind the file's end reads as zeroes in data, and is an error in tables.
 *  3. No offset is formed above 2^56: the format has no more bits for them.
 */
#include "microvm/qcow2.h"

#include "microvm/inflate.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC 0x514649fbu
#define L1_MOST (1u << 20)     /* entries: half a petabyte of disk with clusters of 64 KiB */
#define SIZE_MOST (1ull << 55) /* bytes of disk */
#define OFFSET_BITS 0x00fffffffffffe00ull
#define COMPRESSED (1ull << 62)
#define COPIED (1ull << 63)
#define ZERO 1ull
#define SLOTS 16
#define PART 512 /* entries in a cached part; of L2 tables that are smaller, all of it */

/* Incompatible features of version 3. */
#define F_DIRTY 1ull /* reference counts may be wrong: nothing to a reader */
#define F_CORRUPT 2ull
#define F_DATA_FILE 4ull
#define F_COMPRESSION 8ull
#define F_EXTENDED_L2 16ull

struct header { /* as in the file, big endian */
	uint32_t magic, version;
	uint64_t backing_offset;
	uint32_t backing_size, cluster_bits;
	uint64_t size;
	uint32_t crypt, l1_entries;
	uint64_t l1_offset, refcount_offset;
	uint32_t refcount_clusters, snapshots;
	uint64_t snapshots_offset;
	/* Version 3. */
	uint64_t incompatible, compatible, autoclear;
	uint32_t refcount_order, header_length;
} __attribute__((packed));

struct part {
	uint64_t at; /* in the file; 0: empty slot */
	uint64_t entries[PART];
};

struct vm_qcow2 {
	int fd;
	bool v3;
	unsigned cluster_bits;
	uint64_t size;
	uint32_t l1_entries;
	uint64_t *l1;
	struct part parts[SLOTS];
	/* The last compressed cluster, unpacked, and behind it room for two of packed bytes. Made
	 * at the start: the thread that reads has no system calls for a first malloc(3) of its own.
	 */
	uint8_t *unpacked;
	uint64_t unpacked_entry; /* its L2 entry; 0: none */
};

static uint64_t cluster_size(const struct vm_qcow2 *q)
{
	return 1ull << q->cluster_bits;
}

/* Entries of one L2 table, as a power of two. */
static unsigned l2_bits(const struct vm_qcow2 *q)
{
	return q->cluster_bits - 3;
}

/* All len bytes, or how many there are before the file's end. */
static ssize_t read_at(int fd, void *to, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)to + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int unsupported(struct err *e, const char *what)
{
	return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "", "the qcow2 image %s, which isn't supported",
		       what);
}

static int malformed(struct err *e, const char *what)
{
	return err_set(e, ERR_SYSTEM, EINVAL, "", "the qcow2 image is malformed: %s", what);
}

static int check_features(const struct header *h, struct err *e)
{
	uint64_t f = be64toh(h->incompatible);
	uint32_t length = be32toh(h->header_length);

	if (f & F_CORRUPT)
		return err_set(e, ERR_SYSTEM, EINVAL, "", "the qcow2 image is marked as corrupt");
	if (f & F_DATA_FILE)
		return unsupported(e, "keeps its data in another file");
	if (f & F_COMPRESSION)
		return unsupported(e, "is compressed in another way than deflate");
	if (f & F_EXTENDED_L2)
		return unsupported(e, "has extended L2 entries");
	if (f & ~F_DIRTY)
		return unsupported(e, "has features of a newer version");
	if (length < sizeof(*h) || length % 8)
		return malformed(e, "the header's length");
	return 0;
}

static int check_header(const struct header *h, size_t len, struct err *e)
{
	uint32_t version = be32toh(h->version), bits = be32toh(h->cluster_bits);

	if (len < offsetof(struct header, incompatible) || be32toh(h->magic) != MAGIC)
		return err_set(e, ERR_SYSTEM, EINVAL, "", "this is no qcow2 image");
	if (version != 2 && version != 3)
		return unsupported(e, "is of another version than 2 and 3");
	if (version == 3 && len < sizeof(*h))
		return malformed(e, "the file ends in the header");
	if (h->backing_offset)
		return unsupported(e, "has a backing file");
	if (h->crypt)
		return unsupported(e, "is encrypted");
	if (bits < 9 || bits > 21)
		return malformed(e, "clusters are of 512 bytes to 2 MiB");
	if (be64toh(h->size) > SIZE_MOST)
		return malformed(e, "the disk is too large");
	return version == 3 ? check_features(h, e) : 0;
}

/* How many L1 entries the disk needs: never above 2^55 / 2^(9 + 6). */
static uint64_t l1_needed(const struct vm_qcow2 *q)
{
	unsigned bits = q->cluster_bits + l2_bits(q);

	return (q->size + (1ull << bits) - 1) >> bits;
}

static int load_l1(struct vm_qcow2 *q, const struct header *h, struct err *e)
{
	uint64_t at = be64toh(h->l1_offset), need = l1_needed(q);
	ssize_t bytes = (ssize_t)(need * sizeof(uint64_t));

	if (need > L1_MOST)
		return unsupported(e, "has a larger table of clusters than any disk needs");
	if (be32toh(h->l1_entries) < need)
		return malformed(e, "the L1 table is smaller than the disk");
	if (at & (cluster_size(q) - 1) || at & ~OFFSET_BITS)
		return malformed(e, "the L1 table's place");
	q->l1_entries = (uint32_t)need;
	q->l1 = calloc(need + 1, sizeof(uint64_t));
	if (!q->l1)
		return err_sys(e, ENOMEM, "", "reading a qcow2 image");
	if (read_at(q->fd, q->l1, (size_t)bytes, at) != bytes)
		return malformed(e, "the file ends in the L1 table");
	for (uint32_t i = 0; i < q->l1_entries; i++)
		q->l1[i] = be64toh(q->l1[i]);
	return 0;
}

/* An entry of the L2 table at `table`. */
static int l2_entry(struct vm_qcow2 *q, uint64_t table, uint64_t index, uint64_t *ret)
{
	unsigned bits = l2_bits(q), n = 1u << bits < PART ? 1u << bits : PART;
	uint64_t at = table + (index & ~(uint64_t)(n - 1)) * sizeof(uint64_t);
	struct part *p = &q->parts[(at / (PART * sizeof(uint64_t))) % SLOTS];
	ssize_t bytes = (ssize_t)(n * sizeof(uint64_t));

	if (p->at != at) {
		p->at = 0;
		if (read_at(q->fd, p->entries, (size_t)bytes, at) != bytes)
			return -EIO;
		p->at = at;
	}
	*ret = be64toh(p->entries[index & (n - 1)]);
	return 0;
}

/* The L2 entry of the cluster that byte `offset` of the disk lies in; 0: zeroes. */
static int find_cluster(struct vm_qcow2 *q, uint64_t offset, uint64_t *ret)
{
	uint64_t index = offset >> q->cluster_bits, l1;

	l1 = q->l1[index >> l2_bits(q)] & OFFSET_BITS;
	if (l1 & (cluster_size(q) - 1))
		return -EIO;
	*ret = 0;
	return l1 ? l2_entry(q, l1, index & ((1ull << l2_bits(q)) - 1), ret) : 0;
}

int vm_qcow2_open(int fd, struct vm_qcow2 **ret, struct err *e)
{
	struct header h = {0};
	struct vm_qcow2 *q;
	ssize_t len = read_at(fd, &h, sizeof(h), 0);
	int rc;

	if (len < 0)
		return err_sys(e, (int)-len, "", "reading a qcow2 image's header");
	rc = check_header(&h, (size_t)len, e);
	if (rc < 0)
		return rc;
	q = calloc(1, sizeof(*q));
	if (!q)
		return err_sys(e, ENOMEM, "", "opening a qcow2 image");
	q->fd = fd;
	q->v3 = be32toh(h.version) == 3;
	q->cluster_bits = be32toh(h.cluster_bits);
	q->size = be64toh(h.size);
	q->unpacked = malloc(3 * cluster_size(q));
	rc = q->unpacked ? load_l1(q, &h, e) : err_sys(e, ENOMEM, "", "opening a qcow2 image");
	if (rc < 0) {
		vm_qcow2_free(q);
		return rc;
	}
	*ret = q;
	return 0;
}

void vm_qcow2_free(struct vm_qcow2 *q)
{
	if (!q)
		return;
	free(q->unpacked);
	free(q->l1);
	free(q);
}

uint64_t vm_qcow2_size(const struct vm_qcow2 *q)
{
	return q->size;
}

static int read_plain(struct vm_qcow2 *q, uint64_t entry, uint64_t within, void *to, size_t len)
{
	ssize_t n = 0;

	if (!q->v3 || !(entry & ZERO)) {
		if (entry & ~(OFFSET_BITS | COPIED) || entry & OFFSET_BITS & (cluster_size(q) - 1))
			return -EIO;
		if (entry & OFFSET_BITS)
			n = read_at(q->fd, to, len, (entry & OFFSET_BITS) + within);
	}
	if (n < 0)
		return -EIO;
	memset((char *)to + n, 0, len - (size_t)n);
	return 0;
}

/* The entry of a compressed cluster: where its bytes start, and how many sectors beyond the first
 * one they touch. */
static int unpack(struct vm_qcow2 *q, uint64_t entry)
{
	unsigned bits = 62 - (q->cluster_bits - 8);
	uint64_t at = entry & ((1ull << bits) - 1);
	uint64_t sectors = (entry & (COMPRESSED - 1)) >> bits;
	size_t packed_len = (size_t)((sectors + 1) * 512 - at % 512);
	uint8_t *packed;
	ssize_t n;

	if (at >= SIZE_MOST)
		return -EIO;
	q->unpacked_entry = 0;
	packed = q->unpacked + cluster_size(q);
	n = read_at(q->fd, packed, packed_len, at);
	if (n < 0 ||
	    vm_inflate(packed, (size_t)n, q->unpacked, cluster_size(q)) != (ssize_t)cluster_size(q))
		return -EIO;
	q->unpacked_entry = entry;
	return 0;
}

static int read_packed(struct vm_qcow2 *q, uint64_t entry, uint64_t within, void *to, size_t len)
{
	if (entry != q->unpacked_entry && unpack(q, entry) < 0)
		return -EIO;
	memcpy(to, q->unpacked + within, len);
	return 0;
}

/* A part that lies in one cluster. */
static int read_part(struct vm_qcow2 *q, uint64_t offset, void *to, size_t len)
{
	uint64_t entry, within = offset & (cluster_size(q) - 1);

	if (find_cluster(q, offset, &entry) < 0)
		return -EIO;
	return entry & COMPRESSED ? read_packed(q, entry, within, to, len)
				  : read_plain(q, entry, within, to, len);
}

int vm_qcow2_read(struct vm_qcow2 *q, uint64_t offset, void *to, size_t len)
{
	if (offset > q->size || len > q->size - offset)
		return -EIO;
	while (len) {
		uint64_t left = cluster_size(q) - (offset & (cluster_size(q) - 1));
		size_t n = len < left ? len : (size_t)left;
		int rc = read_part(q, offset, to, n);

		if (rc < 0)
			return rc;
		offset += n;
		to = (char *)to + n;
		len -= n;
	}
	return 0;
}
