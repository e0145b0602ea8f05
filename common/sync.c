/* common/sync.c: see sync.h. */
#include "common/sync.h"

#include "common/fd.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* Messages without an error end before it. */
#define SHORT_LEN offsetof(struct sync_msg, err)

_Static_assert(sizeof(struct err) < 4096, "an error must fit one datagram");

int sync_pair(int ret_fds[2], struct err *e)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(e, errno, NULL, "making a socket pair");
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

int sync_send(int sock, enum sync_type type, int64_t value, int fd, struct err *e)
{
	struct sync_msg m = {.magic = SYNC_MAGIC, .type = type, .value = value};

	return fd_send(sock, fd, &m, SHORT_LEN, e);
}

static bool has_err(uint32_t type)
{
	return type == SYNC_ERROR || type == SYNC_AGAIN;
}

static int send_err(int sock, enum sync_type type, const struct err *what)
{
	/* Field by field: what stands behind the strings' ends is not for the other side. */
	struct sync_msg m = {.magic = SYNC_MAGIC, .type = type};
	struct err ignored;

	m.err.code = what->code;
	m.err.kind = what->kind;
	memcpy(m.err.where, what->where, strnlen(what->where, sizeof(m.err.where) - 1));
	memcpy(m.err.text, what->text, strnlen(what->text, sizeof(m.err.text) - 1));
	return fd_send(sock, -1, &m, sizeof(m), &ignored);
}

int sync_send_error(int sock, const struct err *what)
{
	return send_err(sock, SYNC_ERROR, what);
}

int sync_send_again(int sock, const struct err *why)
{
	return send_err(sock, SYNC_AGAIN, why);
}

/* What a hostile peer may have put into the error: an endless string, a code or kind that none has.
 */
static void tame(struct err *e)
{
	e->where[sizeof(e->where) - 1] = '\0';
	e->text[sizeof(e->text) - 1] = '\0';
	if (e->code <= 0 || e->code > 4095)
		e->code = EIO;
	if ((unsigned)e->kind <= ERR_NONE || (unsigned)e->kind > ERR_INTERNAL)
		e->kind = ERR_INTERNAL;
}

static int check(struct sync_msg *m, size_t len, struct err *e)
{
	size_t want = len >= SHORT_LEN && has_err(m->type) ? sizeof(*m) : SHORT_LEN;

	if (len != want || m->magic != SYNC_MAGIC || m->type < SYNC_GO || m->type > SYNC_AGAIN)
		return err_set(e, ERR_INTERNAL, EPROTO, NULL, "malformed message of %zu bytes",
			       len);
	if (has_err(m->type))
		tame(&m->err);
	return 1;
}

int sync_recv(int sock, struct sync_msg *ret_msg, int *ret_fd, struct err *e)
{
	struct sync_msg m = {0};
	auto_fd fd = -1;
	int n = fd_recv(sock, &m, sizeof(m), &fd, e);

	/* A peer that ended without reading all that we sent: the kernel says so once, and before
	 * what the peer itself had sent. */
	if (n == -ECONNRESET) {
		err_clear(e);
		n = fd_recv(sock, &m, sizeof(m), &fd, e);
	}
	if (n == -ECONNRESET) {
		err_clear(e);
		n = 0;
	}
	if (n <= 0)
		return n;
	int rc = check(&m, (size_t)n, e);
	if (rc < 0)
		return rc;
	*ret_msg = m;
	if (ret_fd)
		*ret_fd = take_fd(&fd);
	return rc;
}

int sync_expect(int sock, enum sync_type type, int64_t *ret_value, int *ret_fd, struct err *e)
{
	struct sync_msg m;
	auto_fd fd = -1;
	int rc = sync_recv(sock, &m, &fd, e);

	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(e, ERR_SYSTEM, EPIPE, NULL, "the other side ended early");
	if (m.type == SYNC_ERROR) {
		*e = m.err;
		return -e->code;
	}
	if (m.type != type)
		return err_set(e, ERR_INTERNAL, EPROTO, NULL, "message %u came, %u was due", m.type,
			       type);
	if (ret_value)
		*ret_value = m.value;
	if (ret_fd)
		*ret_fd = take_fd(&fd);
	return 0;
}
