/* microvm/control.c: see control.h. */
#include "microvm/control.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_MAX (64u << 10)

enum what { SAVE = 1, GO, PIECE, DONE };

/* Both ways. Of a piece the data follows. */
struct message {
	uint32_t what;
	int32_t rc;
	uint64_t offset; /* DONE: the file's size */
	char text[200];
};

static int say(int conn, const struct message *m, const void *data, size_t len, struct err *e)
{
	struct iovec v[2] = {{(void *)(uintptr_t)m, sizeof(*m)}, {(void *)(uintptr_t)data, len}};
	const struct msghdr h = {.msg_iov = v, .msg_iovlen = len ? 2 : 1};
	ssize_t n;

	do
		n = sendmsg(conn, &h, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_sys(e, errno, NULL, "talking to the machine") : 0;
}

/* 1, or 0 at the end. ret_len: of the data behind it, at most `room`. */
static int hear(int conn, struct message *m, void *data, size_t room, size_t *ret_len,
		struct err *e)
{
	struct iovec v[2] = {{m, sizeof(*m)}, {data, room}};
	struct msghdr h = {.msg_iov = v, .msg_iovlen = room ? 2 : 1};
	ssize_t n;

	do
		n = recvmsg(conn, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	/* EAGAIN: the socket's patience is over; here that word means something else. */
	if (n < 0)
		return err_sys(e, errno == EAGAIN ? ETIMEDOUT : errno, NULL,
			       "hearing from the machine");
	if (n == 0)
		return 0;
	if ((size_t)n < sizeof(*m) || h.msg_flags & MSG_TRUNC)
		return err_set(e, ERR_SYSTEM, EPROTO, NULL, "the machine doesn't make sense");
	m->text[sizeof(m->text) - 1] = '\0';
	*ret_len = (size_t)n - sizeof(*m);
	return 1;
}

/* --- in the monitor --- */

static void part(struct vm_control *c)
{
	int fd = c->client.fd;
	struct err ignored;

	vm_loop_drop(c->loop, &c->client);
	fd_close(&fd);
	(void)vm_loop_change(c->loop, &c->listen, EPOLLIN, &ignored);
}

static void answer(int conn, int rc, uint64_t size, const char *text)
{
	struct message m = {.what = DONE, .rc = rc, .offset = size};
	struct err ignored;

	snprintf(m.text, sizeof(m.text), "%.199s", text);
	(void)say(conn, &m, NULL, 0, &ignored);
}

static void asked(struct vm_source *s, uint32_t events)
{
	struct vm_control *c = s->arg;
	struct message m = {0};
	struct err ignored;
	size_t len;

	(void)events;
	if (hear(s->fd, &m, NULL, 0, &len, &ignored) <= 0) {
		part(c);
	} else if (m.what != SAVE) {
		answer(s->fd, -EINVAL, 0, "the machine can't do that");
	} else if (!c->ready(c->arg)) {
		answer(s->fd, -EAGAIN, 0, "its output isn't taken");
	} else {
		c->wanted = true;
		vm_loop_stop(c->loop);
	}
}

static void came(struct vm_source *s, uint32_t events)
{
	struct vm_control *c = s->arg;
	struct err ignored;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	c->client = (struct vm_source){.fd = fd, .ready = asked, .arg = c};
	if (vm_loop_add(c->loop, &c->client, EPOLLIN, &ignored) < 0) {
		c->client.fd = -1;
		fd_close(&fd);
		return;
	}
	(void)vm_loop_change(c->loop, &c->listen, 0, &ignored);
}

int vm_control_init(struct vm_control *c, struct vm_loop *l, int listen, struct err *e)
{
	c->loop = l;
	c->client.fd = -1;
	c->listen = (struct vm_source){.fd = listen, .ready = came, .arg = c};
	if (listen < 0)
		return 0;
	int rc = vm_loop_add(l, &c->listen, EPOLLIN, e);
	if (rc < 0)
		c->listen.fd = -1;
	return rc;
}

int vm_control_put(void *control, const void *data, size_t len, uint64_t offset, struct err *e)
{
	const struct vm_control *c = control;

	for (size_t done = 0; done < len;) {
		const struct message m = {.what = PIECE, .offset = offset + done};
		size_t n = len - done < PIECE_MAX ? len - done : PIECE_MAX;
		int rc = say(c->client.fd, &m, (const char *)data + done, n, e);

		if (rc < 0)
			return rc;
		done += n;
	}
	return 0;
}

void vm_control_answer(struct vm_control *c, int rc, uint64_t size, const struct err *e)
{
	c->wanted = false;
	answer(c->client.fd, rc, size, rc < 0 ? e->text : "");
}

void vm_control_wait(struct vm_control *c)
{
	struct message m = {0};
	struct err ignored;
	size_t len;

	/* Whatever comes lets it go on. */
	if (hear(c->client.fd, &m, NULL, 0, &len, &ignored) > 0 && m.what == GO)
		answer(c->client.fd, 0, 0, "");
}

/* --- in the runtime --- */

/* Until it is done, or failed on either side: who asked then leaves. */
static int take_pieces(int conn, int fd, char *data, struct message *m, struct err *e)
{
	size_t len = 0;
	int rc;

	while ((rc = hear(conn, m, data, PIECE_MAX, &len, e)) > 0 && m->what == PIECE) {
		rc = file_write_all_at(fd, data, len, m->offset);
		if (rc < 0)
			return err_sys(e, -rc, NULL, "writing its image");
	}
	if (rc <= 0)
		return rc < 0 ? rc : err_set(e, ERR_SYSTEM, EPIPE, NULL, "the machine ended");
	return m->rc < 0 ? err_set(e, ERR_SYSTEM, -m->rc, NULL, "%s", m->text) : 0;
}

int vm_control_save(int conn, int fd, struct err *e)
{
	struct message m = {.what = SAVE};
	auto_str data = malloc(PIECE_MAX);

	if (!data)
		return err_sys(e, ENOMEM, NULL, "writing its image");
	int rc = say(conn, &m, NULL, 0, e);
	if (rc >= 0)
		rc = take_pieces(conn, fd, data, &m, e);
	if (rc >= 0 && ftruncate(fd, (off_t)m.offset) < 0)
		return err_sys(e, errno, NULL, "writing its image");
	return rc;
}

int vm_control_go(int conn, struct err *e)
{
	struct message m = {.what = GO};
	size_t len;
	int rc = say(conn, &m, NULL, 0, e);

	if (rc >= 0)
		rc = hear(conn, &m, NULL, 0, &len, e);
	if (rc <= 0)
		return rc < 0 ? rc : err_set(e, ERR_SYSTEM, EPIPE, NULL, "the machine ended");
	return m.rc < 0 ? err_set(e, ERR_SYSTEM, -m.rc, NULL, "%s", m.text) : 0;
}
