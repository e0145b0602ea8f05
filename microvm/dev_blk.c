/* microvm/dev_blk.c: a disk (virtio 1.2, 5.2): requests out of the queue, checked, to the disk's
 * thread (blk_io.c), and its answers back.
 *
 * Invariants
 *  1. A request that has no room for its status byte breaks the queue's rules; every other wrong
 * one is answered with an error.
 *  2. No byte outside [0, capacity) is reached; nothing is written to a read-only disk.
 *  3. Buffers may be cut anywhere (2.7.4): lengths are those of the chain.
 */
#include "microvm/blk.h"
#include "microvm/devices.h"

#include "common/fd.h"

#include <endian.h>
#include <errno.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE 128u
#define SEGMENTS (QUEUE - 2)   /* the header and the status are buffers too */
#define ZEROES_MOST (1u << 21) /* sectors in one discard or write zeroes: 1 GiB */
#define BIT(n) (1ull << (n))

struct blk {
	struct vm_device d;
	struct vm_blk_io io;
	int fd;
	bool read_only;
	uint64_t sectors;
	char serial[VIRTIO_BLK_ID_BYTES]; /* not terminated when it is full */
	struct vm_limiter read, write;
	struct vm_source done;
};

static bool in_disk(const struct blk *b, uint64_t sector, uint64_t sectors)
{
	return sector <= b->sectors && sectors <= b->sectors - sector;
}

/* Read, write: whole sectors, inside. */
static uint8_t parse_move(struct blk *b, struct vm_blk_request *r, const struct vm_chain *c,
			  uint64_t sector)
{
	bool out = r->type == VIRTIO_BLK_T_OUT;
	size_t head = sizeof(struct virtio_blk_outhdr);

	r->len = out ? c->out_len - head : c->in_len - 1;
	if (!r->len || r->len % VM_BLK_SECTOR || !in_disk(b, sector, r->len / VM_BLK_SECTOR) ||
	    (out && b->read_only))
		return VIRTIO_BLK_S_IOERR;
	r->offset = sector * VM_BLK_SECTOR;
	r->n = out ? vm_iov_slice(c->out, c->n_out, head, r->len, r->v)
		   : vm_iov_slice(c->in, c->n_in, 0, r->len, r->v);
	r->durable = !vm_device_has(&b->d, VIRTIO_BLK_F_FLUSH);
	if (!out)
		r->written = (uint32_t)c->in_len;
	return VIRTIO_BLK_S_OK;
}

/* Discard, write zeroes: one range (max_…_seg is 1). A read-only disk offers neither. */
static uint8_t parse_range(struct blk *b, struct vm_blk_request *r, const struct vm_chain *c)
{
	unsigned feature =
		r->type == VIRTIO_BLK_T_DISCARD ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES;
	uint32_t allowed = r->type == VIRTIO_BLK_T_DISCARD ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	struct virtio_blk_discard_write_zeroes range;
	size_t head = sizeof(struct virtio_blk_outhdr);
	uint64_t sector;
	uint32_t sectors;

	if (!vm_device_has(&b->d, feature))
		return VIRTIO_BLK_S_UNSUPP;
	if (c->out_len - head != sizeof(range))
		return VIRTIO_BLK_S_IOERR;
	vm_iov_read(c->out, c->n_out, head, &range, sizeof(range));
	sector = le64toh(range.sector);
	sectors = le32toh(range.num_sectors);
	r->flags = le32toh(range.flags);
	if (r->flags & ~allowed)
		return VIRTIO_BLK_S_UNSUPP;
	if (!sectors || sectors > ZEROES_MOST || !in_disk(b, sector, sectors))
		return VIRTIO_BLK_S_IOERR;
	r->offset = sector * VM_BLK_SECTOR;
	r->len = (uint64_t)sectors * VM_BLK_SECTOR;
	r->durable = !vm_device_has(&b->d, VIRTIO_BLK_F_FLUSH);
	return VIRTIO_BLK_S_OK;
}

static uint8_t give_serial(struct blk *b, struct vm_blk_request *r, const struct vm_chain *c)
{
	size_t room = c->in_len - 1;

	if (room > sizeof(b->serial))
		room = sizeof(b->serial);
	vm_iov_write(c->in, c->n_in, 0, b->serial, room);
	r->written = (uint32_t)c->in_len;
	return VIRTIO_BLK_S_OK;
}

static uint8_t parse_by_type(struct blk *b, struct vm_blk_request *r, const struct vm_chain *c,
			     uint64_t sector)
{
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return parse_move(b, r, c, sector);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return parse_range(b, r, c);
	case VIRTIO_BLK_T_FLUSH:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		return give_serial(b, r, c);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* A type that the disk's thread answers with r->answer: nothing is left to do. */
#define ANSWERED UINT32_MAX

static int parse(struct blk *b, struct vm_blk_request *r, const struct vm_chain *c)
{
	struct virtio_blk_outhdr h;
	struct iovec status;

	if (vm_iov_read(c->out, c->n_out, 0, &h, sizeof(h)) != sizeof(h) ||
	    vm_iov_slice(c->in, c->n_in, c->in_len - 1, 1, &status) != 1)
		return -EPROTO;
	r->head = c->head;
	r->type = le32toh(h.type);
	r->status = status.iov_base;
	r->written = 1;
	r->flags = r->n = 0;
	r->offset = r->len = 0;
	r->durable = false;
	r->answer = parse_by_type(b, r, c, le64toh(h.sector));
	if (r->answer != VIRTIO_BLK_S_OK || r->type == VIRTIO_BLK_T_GET_ID)
		r->type = ANSWERED;
	return 0;
}

static bool within_limit(struct blk *b, const struct vm_blk_request *r)
{
	if (r->type == VIRTIO_BLK_T_IN)
		return vm_limiter_take(&b->read, r->len);
	if (r->type == VIRTIO_BLK_T_OUT)
		return vm_limiter_take(&b->write, r->len);
	return r->type == ANSWERED || vm_limiter_take(&b->write, 0);
}

static void notify(struct vm_device *d, unsigned q)
{
	struct blk *b = (struct blk *)d;
	struct vm_blk_request *r;
	struct vm_chain c;
	int rc = 0;

	while ((r = vm_blk_slot(&b->io)) && (rc = vm_queue_pop(&d->queues[q], &c)) == 1) {
		rc = parse(b, r, &c);
		if (rc < 0)
			break;
		if (!within_limit(b, r)) {
			vm_queue_unpop(&d->queues[q]);
			break;
		}
		vm_blk_post(&b->io);
	}
	if (rc < 0)
		vm_device_fail(d);
}

/* A limit allows more. */
static void again(void *arg)
{
	struct blk *b = arg;

	if (b->d.started && !b->d.failed)
		notify(&b->d, 0);
}

static void give_back(struct blk *b)
{
	struct vm_blk_request *r;

	while ((r = vm_blk_finished(&b->io))) {
		*r->status = r->answer;
		vm_queue_push(&b->d.queues[0], r->head, r->written);
		vm_blk_return(&b->io);
	}
	vm_device_signal(&b->d, 0);
}

static void finished(struct vm_source *s, uint32_t events)
{
	struct blk *b = s->arg;
	uint64_t count;

	(void)events;
	if (read(s->fd, &count, sizeof(count)) < 0)
		return;
	give_back(b);
	again(b);
}

/* Nothing besides d; but what was taken from the queue is in no snapshot, so it is finished first.
 */
static void blk_save(struct vm_device *d, struct strbuf *out)
{
	struct blk *b = (struct blk *)d;

	(void)out;
	vm_blk_settle(&b->io);
	give_back(b);
}

static void blk_reset(struct vm_device *d)
{
	vm_blk_cancel(&((struct blk *)d)->io);
}

static void close_parts(struct blk *b)
{
	vm_limiter_free(&b->read);
	vm_limiter_free(&b->write);
	vm_qcow2_free(b->io.qcow2);
	free(b);
}

static void blk_free(struct vm_device *d)
{
	struct blk *b = (struct blk *)d;

	vm_loop_drop(d->loop, &b->done);
	vm_blk_io_stop(&b->io);
	fd_close(&b->fd);
	close_parts(b);
}

static const struct vm_device_ops ops = {
	.name = "block",
	.id = VIRTIO_ID_BLOCK,
	.n_queues = 1,
	.features = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_FLUSH),
	.config_len = offsetof(struct virtio_blk_config, max_secure_erase_sectors),
	.notify = notify,
	.reset = blk_reset,
	.save = blk_save,
	.free = blk_free,
};

/* Bytes of a file or a block device. */
static int raw_size(int fd, uint64_t *ret, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "block", "looking at a disk");
	*ret = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode) && ioctl(fd, BLKGETSIZE64, ret) < 0)
		return err_sys(e, errno, "block", "asking for a disk's size");
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(e, ERR_UNSUPPORTED, EINVAL, "block",
			       "a disk is a file or a block device");
	return 0;
}

static int measure(struct blk *b, const struct vm_blk_how *how, struct err *e)
{
	uint64_t bytes = 0;
	int rc =
		how->qcow2 ? vm_qcow2_open(how->fd, &b->io.qcow2, e) : raw_size(how->fd, &bytes, e);

	if (rc < 0)
		return rc;
	if (how->qcow2)
		bytes = vm_qcow2_size(b->io.qcow2);
	b->sectors = bytes / VM_BLK_SECTOR;
	if (!b->sectors)
		return err_set(e, ERR_UNSUPPORTED, EINVAL, "block",
			       "the disk is smaller than a sector");
	return 0;
}

static void describe(struct blk *b)
{
	struct virtio_blk_config c = {
		.capacity = htole64(b->sectors),
		.seg_max = htole32(SEGMENTS),
		.max_discard_sectors = htole32(ZEROES_MOST),
		.max_discard_seg = htole32(1),
		.discard_sector_alignment = htole32(VM_PAGE / VM_BLK_SECTOR),
		.max_write_zeroes_sectors = htole32(ZEROES_MOST),
		.max_write_zeroes_seg = htole32(1),
		.write_zeroes_may_unmap = 1,
	};

	memcpy(b->d.config, &c, sizeof(c));
	b->d.extra_features = b->read_only
				      ? BIT(VIRTIO_BLK_F_RO)
				      : BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES);
}

static int start_parts(struct blk *b, const struct vm_blk_how *how, struct err *e)
{
	struct vm_loop *l = b->d.loop;
	int rc = vm_limiter_init(&b->read, l, &how->read, again, b, e);

	if (!rc)
		rc = vm_limiter_init(&b->write, l, &how->write, again, b, e);
	if (!rc)
		rc = vm_blk_io_start(&b->io, e);
	if (rc < 0)
		return rc;
	b->done = (struct vm_source){.fd = b->io.done, .ready = finished, .arg = b};
	rc = vm_loop_add(l, &b->done, EPOLLIN, e);
	if (rc < 0)
		vm_blk_io_stop(&b->io);
	return rc;
}

int vm_blk_make(const struct vm_wires *w, const struct vm_blk_how *how,
		struct vm_device **ret_device, struct err *e)
{
	struct blk *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return err_sys(e, ENOMEM, "block", "making a device");
	vm_device_init(&b->d, &ops, w->loop, w->mem, QUEUE);
	b->fd = b->io.fd = how->fd;
	b->io.limit = how->limit;
	b->read_only = how->read_only || how->qcow2;
	if (how->serial)
		memcpy(b->serial, how->serial, strnlen(how->serial, sizeof(b->serial)));
	rc = measure(b, how, e);
	if (!rc) {
		describe(b);
		rc = start_parts(b, how, e);
	}
	if (rc < 0) {
		close_parts(b);
		return rc;
	}
	*ret_device = &b->d;
	return 0;
}
