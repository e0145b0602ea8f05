/* microvm/dev_console.c: one console port (virtio 1.2, 5.3), output only: the kernel's log and the
 * agent's early words.
 *
 * Invariants
 *  1. The guest's buffers are taken at once into a ring of KEEP bytes: a reader that sleeps stops
 *     neither the guest nor the loop.
 *  2. What doesn't fit is lost by whole lines, and a line says so where they were.
 *  3. The output may be a pipe, socket, terminal or file; it is written without waiting. A file
 *     can't be polled and is written at once.
 *  4. A file never holds more than VM_CONSOLE_FILE_MAX: before it would, it begins anew, with a
 * line that says what went. What a guest said last is there, whatever it said before.
 */
#include "microvm/devices.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECEIVE, TRANSMIT };

#define KEEP 65536u
#define LOST "[output lost]\n"

struct console {
	struct vm_device d;
	int out;                 /* -1: the reader went away */
	struct vm_source source; /* fd -1: out can't be polled */
	bool file;
	bool losing;
	size_t start, len;
	uint64_t size, gone; /* of a file: what it holds, what it held once */
	char ring[KEEP];
};

static void keep(struct console *c, const char *bytes, size_t len)
{
	size_t at = (c->start + c->len) % KEEP, first = len < KEEP - at ? len : KEEP - at;

	memcpy(c->ring + at, bytes, first);
	memcpy(c->ring, bytes + first, len - first);
	c->len += len;
}

/* While losing, a line is skipped; the next one is kept when half of the ring is free again.
 * Returns how many bytes were skipped. */
static size_t skip_line(struct console *c, const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len);

	if (!end)
		return len;
	if (c->len <= KEEP / 2) {
		c->losing = false;
		keep(c, LOST, sizeof(LOST) - 1);
	}
	return (size_t)(end - bytes) + 1;
}

/* Room for "\n" is always left, to end the line that is cut. */
static size_t keep_some(struct console *c, const char *bytes, size_t len)
{
	size_t room = KEEP - 1 - c->len;

	if (len <= room) {
		keep(c, bytes, len);
		return len;
	}
	keep(c, bytes, room);
	keep(c, "\n", 1);
	c->losing = true;
	return room;
}

static void take(struct console *c, const char *bytes, size_t len)
{
	while (len && c->out >= 0) {
		size_t n = c->losing ? skip_line(c, bytes, len) : keep_some(c, bytes, len);

		bytes += n;
		len -= n;
	}
}

static ssize_t write_some(struct console *c)
{
	struct iovec all[2] = {{c->ring, KEEP}, {c->ring, KEEP}}, v[2];
	struct msghdr m = {.msg_iov = v, .msg_iovlen = vm_iov_slice(all, 2, c->start, c->len, v)};
	ssize_t n = sendmsg(c->out, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? writev(c->out, v, (int)m.msg_iovlen) : n;
}

static void reader_gone(struct console *c)
{
	vm_loop_drop(c->d.loop, &c->source);
	fd_close(&c->out);
	c->len = 0;
}

/* (4) */
static int cut(struct console *c)
{
	char line[96];

	if (!c->file || c->size + c->len <= VM_CONSOLE_FILE_MAX - sizeof(line))
		return 0;
	if (ftruncate(c->out, 0) < 0)
		return -errno;
	c->gone += c->size;
	int n = snprintf(line, sizeof(line), "[%llu bytes before this are gone]\n",
			 (unsigned long long)c->gone);
	if (write(c->out, line, (size_t)n) != n)
		return -EIO;
	c->size = (uint64_t)n;
	return 0;
}

/* What the last write said. */
static ssize_t write_all(struct console *c)
{
	ssize_t n = 0;

	while (c->len) {
		n = write_some(c);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		c->start = (c->start + (size_t)n) % KEEP;
		c->len -= (size_t)n;
		c->size += (size_t)n;
	}
	return n;
}

/* Writes what can be written; the loop calls again while something is left. */
static void flush(struct console *c)
{
	struct err e;
	ssize_t n;

	if (c->out >= 0 && cut(c) < 0)
		reader_gone(c);
	if (c->out < 0)
		return;
	n = write_all(c);
	if (c->len && n < 0 && errno != EAGAIN)
		reader_gone(c);
	else if (c->source.fd >= 0 &&
		 vm_loop_change(c->d.loop, &c->source, c->len ? EPOLLOUT : 0, &e) < 0)
		reader_gone(c);
}

static void writable(struct vm_source *s, uint32_t events)
{
	struct console *c = s->arg;

	if (events & EPOLLERR)
		reader_gone(c); /* nobody reads the pipe any more */
	else
		flush(c);
	/* A hang-up without room to write would be told for ever. */
	if (c->out >= 0 && (events & EPOLLHUP))
		reader_gone(c);
}

static void take_chain(struct console *c, const struct vm_chain *chain)
{
	char bytes[4096];
	size_t at = 0, n;

	while (c->out >= 0 &&
	       (n = vm_iov_read(chain->out, chain->n_out, at, bytes, sizeof(bytes)))) {
		take(c, bytes, n);
		at += n;
		if (at > KEEP) { /* no console writes that much at once */
			c->losing = true;
			return;
		}
	}
}

static void notify(struct vm_device *d, unsigned q)
{
	struct console *c = (struct console *)d;
	struct vm_chain chain;
	int rc = 0;

	if (q != TRANSMIT)
		return; /* there is no input: what waits in the receive queue, waits */
	while ((rc = vm_queue_pop(&d->queues[q], &chain)) == 1) {
		take_chain(c, &chain);
		flush(c);
		vm_queue_push(&d->queues[q], chain.head, 0);
	}
	vm_device_signal(d, q);
	if (rc < 0)
		vm_device_fail(d);
}

static void console_free(struct vm_device *d)
{
	struct console *c = (struct console *)d;

	flush(c);
	vm_loop_drop(d->loop, &c->source);
	fd_close(&c->out);
	free(c);
}

static const struct vm_device_ops ops = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.n_queues = 2,
	.notify = notify,
	.free = console_free,
};

/* What is cut off leaves no hole behind. */
static int watch_file(struct console *c, int flags, struct err *e)
{
	struct stat st;

	if (fstat(c->out, &st) < 0 || fcntl(c->out, F_SETFL, flags | O_APPEND) < 0)
		return err_sys(e, errno, "console", "preparing the file");
	c->file = S_ISREG(st.st_mode);
	c->size = (uint64_t)st.st_size;
	return 0;
}

static int watch(struct console *c, struct err *e)
{
	int flags, rc;

	c->source.fd = -1;
	if (c->out < 0)
		return 0;
	flags = fcntl(c->out, F_GETFL);
	if (flags < 0 || fcntl(c->out, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, errno, "console", "preparing the output");
	c->source = (struct vm_source){.fd = c->out, .ready = writable, .arg = c};
	rc = vm_loop_add(c->d.loop, &c->source, 0, e);
	if (rc < 0)
		c->source.fd = -1;
	return rc == -EPERM ? watch_file(c, flags, e) : rc;
}

int vm_console_make(const struct vm_wires *w, int out, struct vm_device **ret_device, struct err *e)
{
	struct console *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_sys(e, ENOMEM, "console", "making a device");
	vm_device_init(&c->d, &ops, w->loop, w->mem, 64);
	c->out = out;
	rc = watch(c, e);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*ret_device = &c->d;
	return 0;
}
