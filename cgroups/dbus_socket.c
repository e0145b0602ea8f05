/* cgroups/dbus_socket.c: a connection to a bus or to the manager itself: address, SASL, calls, and
 * the one signal that matters, JobRemoved. Rules at the head of dbus.h. */
#include "cgroups/dbus.h"
#include "cgroups/internal.h"
#include "common/fd.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* systemd may be busy with a reload or a hundred other units; a stop may wait for processes. */
#define CALL_MS 30000
#define JOB_MS 100000
#define MAX_LINE 512

#define BUS "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"

/* --- addresses (D-Bus Specification, "Server Addresses") --- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Copies a value and undoes its %xx. Length or -EINVAL. */
static int unescape(const char *s, size_t len, char *buf, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)s[i];
		if (c == '%') {
			int hi = i + 2 < len ? hex_digit(s[i + 1]) : -1;
			int lo = hi < 0 ? -1 : hex_digit(s[i + 2]);
			if (lo < 0)
				return -EINVAL;
			c = hi * 16 + lo;
			i += 2;
		}
		if (n + 1 >= size || c == 0)
			return -EINVAL;
		buf[n++] = (char)c;
	}
	buf[n] = '\0';
	return n ? (int)n : -EINVAL;
}

int cg_bus_address(const char **address, char *buf, size_t size)
{
	static const char *const keys[] = {"path=", "abstract="};
	const char *one = *address + strspn(*address, ";");
	size_t len = strcspn(one, ";");

	if (len == 0)
		return 0;
	*address = one + len;
	if (!str_starts(one, "unix:"))
		return -EINVAL;
	for (const char *k = one + 5; k < one + len;) {
		size_t pair = strcspn(k, ",;");
		for (size_t i = 0; i < 2; i++) {
			size_t skip = strlen(keys[i]);
			if (pair <= skip || strncmp(k, keys[i], skip) != 0)
				continue;
			buf[0] = '\0';
			int n = unescape(k + skip, pair - skip, buf + i, size - i);
			return n < 0 ? n : n + (int)i;
		}
		k += pair + (k[pair] == ',');
	}
	return -EINVAL;
}

static int connect_to(const char *name, size_t len, int *ret_fd)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const struct timeval limit = {.tv_sec = CALL_MS / 1000};
	auto_fd fd = -1;

	if (len >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, name, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name != 0));
	if (connect(fd, (struct sockaddr *)&sa, size) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* --- bytes --- */

static int lost(struct cg_bus *b, int code, struct err *e, const char *what)
{
	fd_close(&b->fd);
	return err_sys(e, code, NULL, "talking to systemd: %s", what);
}

static int send_all(struct cg_bus *b, const void *data, size_t len, struct err *e)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(b->fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return lost(b, n < 0 ? errno : EPIPE, e, "sending");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int recv_some(struct cg_bus *b, void *buf, size_t size, struct err *e)
{
	struct pollfd p = {.fd = b->fd, .events = POLLIN};

	for (;;) {
		int64_t left = b->deadline - cg_now_ms();
		int rc = left > 0 ? poll(&p, 1, (int)left) : 0;
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return lost(b, rc < 0 ? errno : ETIMEDOUT, e, "waiting for an answer");
		ssize_t n = recv(b->fd, buf, size, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return lost(b, n < 0 ? errno : ECONNRESET, e, "receiving");
		return (int)n;
	}
}

static int recv_all(struct cg_bus *b, size_t len, struct err *e)
{
	char buf[4096];

	while (len) {
		int n = recv_some(b, buf, len < sizeof(buf) ? len : sizeof(buf), e);
		if (n < 0)
			return n;
		strbuf_add(&b->in, buf, (size_t)n);
		len -= (size_t)n;
	}
	return b->in.failed ? lost(b, ENOMEM, e, "receiving") : 0;
}

/* --- SASL --- */

/* "DATA" (an empty challenge) or nothing, then "OK" or a refusal. The other side says no more
 * before it is asked something, so all that comes belongs to it. */
static const char *verdict(const char *said)
{
	const char *end = strstr(said, "\r\n");

	if (end && str_starts(said, "DATA")) {
		said = end + 2;
		end = strstr(said, "\r\n");
	}
	return end ? said : NULL;
}

/* Without a name of ours: who we are the socket says, in the other side's user namespace, where our
 * own number may be another one. */
static int authenticate(struct cg_bus *b, struct err *e)
{
	static const char ask[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
	char said[MAX_LINE] = "";
	const char *line;
	size_t n = 0;

	int rc = send_all(b, ask, sizeof(ask) - 1, e);
	while (rc >= 0 && !(line = verdict(said))) {
		if (n == sizeof(said) - 1)
			return lost(b, EPROTO, e, "authenticating");
		rc = recv_some(b, said + n, sizeof(said) - 1 - n, e);
		n += rc > 0 ? (size_t)rc : 0;
		said[n] = '\0';
	}
	if (rc < 0)
		return rc;
	if (str_starts(line, "OK "))
		return 0;
	fd_close(&b->fd);
	return err_set(e, ERR_SYSTEM, EACCES, NULL,
		       "talking to systemd: it does not let this user in (\"%.*s\")",
		       (int)strcspn(line, "\r"), line);
}

/* --- messages --- */

static int recv_message(struct cg_bus *b, struct cg_msg *ret_msg, struct err *e)
{
	b->in.len = 0;
	int rc = recv_all(b, 16, e);
	if (rc < 0)
		return rc;
	long size = cg_msg_size((const uint8_t *)b->in.s);
	if (size < 0)
		return lost(b, (int)-size, e, "receiving");
	rc = recv_all(b, (size_t)size - 16, e);
	if (rc < 0)
		return rc;
	rc = cg_msg_parse((const uint8_t *)b->in.s, b->in.len, ret_msg);
	return rc < 0 ? lost(b, -rc, e, "reading a message") : 0;
}

/* JobRemoved(u id, o job, s unit, s result), org.freedesktop.systemd1(5). */
static void note_signal(struct cg_bus *b, const struct cg_msg *m)
{
	struct cg_reader r = m->body;

	if (m->type != CG_MSG_SIGNAL || strcmp(m->member, "JobRemoved") != 0 ||
	    strcmp(m->sig, "uoss") != 0)
		return;
	(void)cg_read_u32(&r);
	const char *job = cg_read_str(&r);
	(void)cg_read_str(&r);
	const char *result = cg_read_str(&r);
	if (r.bad)
		return;
	size_t i = b->n_jobs++ % CG_BUS_JOBS;
	snprintf(b->jobs[i].path, sizeof(b->jobs[i].path), "%s", job);
	snprintf(b->jobs[i].result, sizeof(b->jobs[i].result), "%s", result);
}

static int error_code(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} known[] = {
		{"org.freedesktop.systemd1.UnitExists", EEXIST},
		{"org.freedesktop.systemd1.NoSuchUnit", ENOENT},
		{"org.freedesktop.DBus.Error.AccessDenied", EACCES},
		{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", EACCES},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].code;
	return EREMOTEIO;
}

/* A guest has no say in this text, yet it goes to a terminal: no control characters. */
static int error_reply(struct cg_bus *b, const struct cg_call *c, const struct cg_msg *m,
		       struct err *e)
{
	struct cg_reader r = m->body;
	const char *said = *m->sig == 's' ? cg_read_str(&r) : "";
	char text[400];
	size_t n = 0;

	snprintf(b->error, sizeof(b->error), "%s", m->error);
	for (; n < sizeof(text) - 1 && said[n]; n++)
		text[n] = (unsigned char)said[n] < 0x20 || said[n] == 0x7f ? ' ' : said[n];
	text[n] = '\0';
	return err_set(e, ERR_SYSTEM, error_code(m->error), NULL, "systemd refused %s: %s",
		       c->member, *text ? text : m->error);
}

int cg_bus_call(struct cg_bus *b, const struct cg_call *c, struct cg_msg *ret_msg, struct err *e)
{
	auto_strbuf out = {0};
	uint32_t serial = ++b->serial;
	struct cg_msg m;

	b->deadline = cg_now_ms() + CALL_MS;
	cg_msg_build(&out, serial, c);
	if (out.failed)
		return err_sys(e, ENOMEM, NULL, "writing a message to systemd");
	if (b->fd < 0)
		return err_sys(e, ENOTCONN, NULL, "talking to systemd");
	int rc = send_all(b, out.s, out.len, e);
	if (rc < 0 || c->no_reply)
		return rc;
	for (;;) {
		rc = recv_message(b, &m, e);
		if (rc < 0)
			return rc;
		note_signal(b, &m);
		if (m.reply_to != serial)
			continue;
		if (m.type == CG_MSG_ERROR)
			return error_reply(b, c, &m, e);
		if (m.type == CG_MSG_REPLY)
			break;
	}
	if (ret_msg)
		*ret_msg = m;
	return 0;
}

static const char *job_result(const struct cg_bus *b, const char *job)
{
	for (size_t i = 0; i < CG_BUS_JOBS && i < b->n_jobs; i++)
		if (strcmp(b->jobs[i].path, job) == 0)
			return b->jobs[i].result;
	return NULL;
}

int cg_bus_wait_job(struct cg_bus *b, const char *job, struct err *e)
{
	const char *result;
	struct cg_msg m;

	b->deadline = cg_now_ms() + JOB_MS;
	while (!(result = job_result(b, job))) {
		int rc = recv_message(b, &m, e);
		if (rc < 0)
			return rc;
		note_signal(b, &m);
	}
	if (strcmp(result, "done") == 0)
		return 0;
	return err_set(e, ERR_SYSTEM, ECANCELED, NULL, "systemd's job ended with \"%s\"", result);
}

/* --- open and close --- */

static int hello(struct cg_bus *b, struct err *e)
{
	const struct cg_var rule = {
		.sig = "s",
		.s = "type='signal',interface='org.freedesktop.systemd1.Manager',"
		     "member='JobRemoved'"};
	const struct cg_var *const args[] = {&rule, NULL};
	struct cg_call call = {BUS, BUS_PATH, BUS, "Hello", NULL, false};
	int rc = cg_bus_call(b, &call, NULL, e);

	call.member = "AddMatch";
	call.args = args;
	call.no_reply = true;
	return rc < 0 ? rc : cg_bus_call(b, &call, NULL, e);
}

/* The first failure that isn't "nobody there" says most. */
int cg_bus_connect(struct cg_bus *b, const char *address, bool direct, struct err *e)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *rest = address;
	int rc = -EINVAL, len;

	while ((len = cg_bus_address(&rest, name, sizeof(name))) != 0) {
		rc = len < 0 ? len : connect_to(name, (size_t)len, &b->fd);
		if (rc == 0)
			break;
	}
	if (rc < 0)
		return err_sys(e, -rc, address, "connecting to systemd");
	b->direct = direct;
	b->deadline = cg_now_ms() + CALL_MS;
	rc = authenticate(b, e);
	return rc < 0 || direct ? rc : hello(b, e);
}

void cg_bus_close(struct cg_bus *b)
{
	fd_close(&b->fd);
	strbuf_free(&b->in);
}
