/* microvm/blk_io.c: the thread that reads and writes a disk.
 *
 * Invariants
 *  1. Bytes move in pieces of at most PIECE, and `cancel` is looked at between them.
 *  2. Everything of a request was checked before it was posted; only its bytes are still the
 *     guest's to change.
 */
#include "microvm/blk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE (1u << 20)

static bool cancelled(struct vm_blk_io *io)
{
	return __atomic_load_n(&io->cancel, __ATOMIC_ACQUIRE);
}

static ssize_t read_piece(struct vm_blk_io *io, const struct iovec *v, unsigned n, uint64_t at)
{
	ssize_t sum = 0;

	if (!io->qcow2)
		return preadv(io->fd, v, (int)n, (off_t)at);
	for (unsigned i = 0; i < n; i++) {
		int rc = vm_qcow2_read(io->qcow2, at + (uint64_t)sum, v[i].iov_base, v[i].iov_len);

		if (rc < 0) {
			errno = -rc;
			return -1;
		}
		sum += (ssize_t)v[i].iov_len;
	}
	return sum;
}

static ssize_t move_piece(struct vm_blk_io *io, const struct vm_blk_request *r, uint64_t done)
{
	struct iovec v[VM_CHAIN_MAX];
	unsigned n = vm_iov_slice(r->v, r->n, done, PIECE, v);

	if (r->type == VIRTIO_BLK_T_OUT)
		return pwritev2(io->fd, v, (int)n, (off_t)(r->offset + done),
				r->durable ? RWF_DSYNC : 0);
	return read_piece(io, v, n, r->offset + done);
}

/* Reads and writes; 0 bytes at the file's end is an error, for the disk was larger before. */
static int move(struct vm_blk_io *io, const struct vm_blk_request *r)
{
	uint64_t done = 0;

	while (done < r->len) {
		ssize_t n = cancelled(io) ? 0 : move_piece(io, r, done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static int write_zeroes(struct vm_blk_io *io, const struct vm_blk_request *r)
{
	static const char zeroes[65536];
	uint64_t done = 0;

	while (done < r->len) {
		uint64_t left = r->len - done;
		ssize_t n = cancelled(io) ? 0
					  : pwrite(io->fd, zeroes,
						   left < sizeof(zeroes) ? left : sizeof(zeroes),
						   (off_t)(r->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static int punch(struct vm_blk_io *io, const struct vm_blk_request *r, int mode)
{
	return fallocate(io->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)r->offset, (off_t)r->len) < 0
		       ? -errno
		       : 0;
}

/* A file system that has no way to say it gets the zeroes themselves. */
static int zero(struct vm_blk_io *io, const struct vm_blk_request *r)
{
	bool unmap = r->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	int rc = punch(io, r, unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);

	if (rc < 0)
		rc = write_zeroes(io, r);
	if (!rc && r->durable)
		rc = fdatasync(io->fd) < 0 ? -errno : 0;
	return rc;
}

/* A hint: what can't be done needn't. */
static int discard(struct vm_blk_io *io, const struct vm_blk_request *r)
{
	int rc = punch(io, r, FALLOC_FL_PUNCH_HOLE);

	return rc == -EOPNOTSUPP || rc == -ENOSYS ? 0 : rc;
}

static uint8_t perform(struct vm_blk_io *io, const struct vm_blk_request *r)
{
	int rc = 0;

	switch (r->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		rc = move(io, r);
		break;
	case VIRTIO_BLK_T_FLUSH:
		rc = fdatasync(io->fd) < 0 ? -errno : 0;
		break;
	case VIRTIO_BLK_T_DISCARD:
		rc = discard(io, r);
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		rc = zero(io, r);
		break;
	default:
		return r->answer; /* answered by the loop already */
	}
	return rc < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static void tell(struct vm_blk_io *io)
{
	uint64_t one = 1;

	/* Fails only when the counter is full: then it is readable all the same. */
	if (write(io->done, &one, sizeof(one)) < 0)
		return;
}

/* The lock is held, but while a request is under way. */
static void work_on(struct vm_blk_io *io)
{
	while (!io->stop) {
		struct vm_blk_request *r = &io->slots[io->finished % VM_BLK_SLOTS];

		if (io->finished == io->posted) {
			pthread_cond_wait(&io->changed, &io->lock);
			continue;
		}
		io->running = true;
		pthread_mutex_unlock(&io->lock);
		r->answer = perform(io, r);
		pthread_mutex_lock(&io->lock);
		io->running = false;
		io->finished++;
		pthread_cond_broadcast(&io->changed);
		tell(io);
	}
}

static void *work(void *arg)
{
	struct vm_blk_io *io = arg;
	int rc;

	pthread_mutex_lock(&io->lock);
	rc = io->limit ? io->limit(io->why) : 0;
	io->begun = rc < 0 ? rc : 1;
	pthread_cond_broadcast(&io->changed);
	if (rc >= 0)
		work_on(io);
	pthread_mutex_unlock(&io->lock);
	return NULL;
}

/* The thread takes no signals: they are the process's business. */
static int start_thread(struct vm_blk_io *io)
{
	sigset_t all, was;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &was);
	rc = pthread_create(&io->thread, NULL, work, io);
	pthread_sigmask(SIG_SETMASK, &was, NULL);
	return rc;
}

/* Until the thread has limited itself; then only is the disk the guest's. */
static int wait_begun(struct vm_blk_io *io)
{
	pthread_mutex_lock(&io->lock);
	while (!io->begun)
		pthread_cond_wait(&io->changed, &io->lock);
	io->why = NULL;
	pthread_mutex_unlock(&io->lock);
	return io->begun;
}

int vm_blk_io_start(struct vm_blk_io *io, struct err *e)
{
	int rc;

	io->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->done < 0)
		return err_sys(e, errno, "block", "making an eventfd");
	io->why = e;
	pthread_mutex_init(&io->lock, NULL);
	pthread_cond_init(&io->changed, NULL);
	rc = start_thread(io);
	if (rc) {
		close(io->done);
		return err_sys(e, rc, "block", "starting a disk's thread");
	}
	rc = wait_begun(io);
	if (rc < 0)
		vm_blk_io_stop(io);
	return rc < 0 ? rc : 0;
}

void vm_blk_io_stop(struct vm_blk_io *io)
{
	pthread_mutex_lock(&io->lock);
	io->stop = true;
	__atomic_store_n(&io->cancel, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&io->changed);
	pthread_mutex_unlock(&io->lock);
	pthread_join(io->thread, NULL);
	pthread_cond_destroy(&io->changed);
	pthread_mutex_destroy(&io->lock);
	close(io->done);
}

struct vm_blk_request *vm_blk_slot(struct vm_blk_io *io)
{
	/* `posted` and `returned` are changed by this thread alone. */
	return io->posted - io->returned < VM_BLK_SLOTS ? &io->slots[io->posted % VM_BLK_SLOTS]
							: NULL;
}

void vm_blk_post(struct vm_blk_io *io)
{
	pthread_mutex_lock(&io->lock);
	io->posted++;
	pthread_cond_broadcast(&io->changed);
	pthread_mutex_unlock(&io->lock);
}

struct vm_blk_request *vm_blk_finished(struct vm_blk_io *io)
{
	bool any;

	pthread_mutex_lock(&io->lock);
	any = io->returned != io->finished;
	pthread_mutex_unlock(&io->lock);
	return any ? &io->slots[io->returned % VM_BLK_SLOTS] : NULL;
}

void vm_blk_return(struct vm_blk_io *io)
{
	io->returned++;
}

void vm_blk_settle(struct vm_blk_io *io)
{
	pthread_mutex_lock(&io->lock);
	while (io->finished != io->posted)
		pthread_cond_wait(&io->changed, &io->lock);
	pthread_mutex_unlock(&io->lock);
}

void vm_blk_cancel(struct vm_blk_io *io)
{
	pthread_mutex_lock(&io->lock);
	__atomic_store_n(&io->cancel, true, __ATOMIC_RELEASE);
	io->posted = io->finished + io->running;
	while (io->finished != io->posted)
		pthread_cond_wait(&io->changed, &io->lock);
	io->returned = io->finished;
	__atomic_store_n(&io->cancel, false, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&io->lock);
}
