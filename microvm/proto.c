/* microvm/proto.c: see proto.h.
 *
 * Invariants
 *  1. Memory grows with what has come, not with what a length announces.
 *  2. An error of the other side keeps its meaning, and can't be none: its code and kind are ones
 *     that this program knows.
 */
#include "microvm/proto.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 16384u
#define CODE_MAX 4095 /* the kernel's MAX_ERRNO */

/* Sends what v describes; v is used up. */
static int send_all(int fd, struct iovec *v, size_t n, struct err *e)
{
	struct msghdr m = {.msg_iov = v, .msg_iovlen = n};

	while (m.msg_iovlen) {
		ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return err_sys(e, errno, NULL, "sending a message");
		while (m.msg_iovlen && (size_t)sent >= m.msg_iov->iov_len) {
			sent -= (ssize_t)m.msg_iov->iov_len;
			m.msg_iov++;
			m.msg_iovlen--;
		}
		if (m.msg_iovlen) {
			m.msg_iov->iov_base = (char *)m.msg_iov->iov_base + sent;
			m.msg_iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

int vm_frame_send(int fd, const char *json, size_t len, struct err *e)
{
	uint32_t head = htole32((uint32_t)len);
	struct iovec v[] = {{.iov_base = &head, .iov_len = sizeof(head)},
			    {.iov_base = (void *)(uintptr_t)json, .iov_len = len}};

	if (len > VM_FRAME_MAX)
		return err_set(e, ERR_SYSTEM, EMSGSIZE, NULL,
			       "a message of %zu bytes is longer than %u", len, VM_FRAME_MAX);
	return send_all(fd, v, 2, e);
}

static int malformed(struct err *e, const char *how)
{
	return err_set(e, ERR_INTERNAL, EPROTO, NULL, "malformed message: %s", how);
}

/* At most max bytes, and what that says about the frame: > 0: so many, else as vm_frame_more. */
static ssize_t some(int fd, struct vm_frame *f, void *to, size_t max, struct err *e)
{
	ssize_t n;

	do
		n = read(fd, to, max);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		f->got += (size_t)n;
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return err_sys(e, errno, NULL, "receiving a message");
	if (n == 0 && f->got)
		return malformed(e, "it is cut");
	if (n == 0)
		return err_set(e, ERR_SYSTEM, EPIPE, NULL, "the other side ended early");
	return n < 0 ? 0 : n;
}

static size_t frame_len(const struct vm_frame *f)
{
	uint32_t head;

	memcpy(&head, f->head, sizeof(head));
	return le32toh(head);
}

/* (1) */
static ssize_t some_text(int fd, struct vm_frame *f, struct err *e)
{
	char chunk[CHUNK];
	size_t rest = sizeof(f->head) + frame_len(f) - f->got;
	ssize_t n = some(fd, f, chunk, rest < sizeof(chunk) ? rest : sizeof(chunk), e);

	if (n > 0)
		strbuf_add(&f->text, chunk, (size_t)n);
	if (f->text.failed)
		return err_sys(e, ENOMEM, NULL, "receiving a message");
	return n;
}

int vm_frame_more(int fd, struct vm_frame *f, struct err *e)
{
	ssize_t n;

	while (f->got < sizeof(f->head)) {
		n = some(fd, f, f->head + f->got, sizeof(f->head) - f->got, e);
		if (n <= 0)
			return (int)n;
	}
	if (frame_len(f) > VM_FRAME_MAX)
		return malformed(e, "it is too long");
	while (f->got < sizeof(f->head) + frame_len(f)) {
		n = some_text(fd, f, e);
		if (n <= 0)
			return (int)n;
	}
	return 1;
}

int vm_frame_parse(const struct vm_frame *f, struct arena *a, struct json **ret, struct err *e)
{
	struct json *j;
	int rc = f->text.len ? json_parse(a, f->text.s, f->text.len, "message", &j, e)
			     : malformed(e, "it is empty");

	/* What the user wrote isn't to blame. */
	if (rc < 0 && e->kind == ERR_SPEC) {
		e->kind = ERR_INTERNAL;
		e->code = EPROTO;
		return -EPROTO;
	}
	if (rc < 0)
		return rc;
	if (j->type != JSON_OBJECT)
		return malformed(e, "it isn't an object");
	*ret = j;
	return 0;
}

void vm_frame_free(struct vm_frame *f)
{
	strbuf_free(&f->text);
	f->got = 0;
}

int vm_frame_recv(int fd, struct arena *a, struct json **ret, struct err *e)
{
	__attribute__((cleanup(vm_frame_free))) struct vm_frame f = {0};
	int rc = vm_frame_more(fd, &f, e);

	if (rc == -EPIPE && !f.got) {
		err_clear(e);
		return 0;
	}
	if (rc == 0)
		return err_sys(e, EAGAIN, NULL, "receiving a message");
	if (rc > 0)
		rc = vm_frame_parse(&f, a, ret, e);
	return rc < 0 ? rc : 1;
}

/* Control characters of ASCII and, as UTF-8 has them, those from U+0080 to U+009F. */
void vm_tame(char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)s[0], next = (unsigned char)s[1];

		if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			s[0] = s[1] = '?';
		else if (c < 0x20 || c == 0x7f)
			s[0] = '?';
	}
}

static enum err_kind kind_by_name(const char *name)
{
	for (enum err_kind k = ERR_USAGE; k <= ERR_INTERNAL; k++)
		if (str_eq(err_kind_name(k), name))
			return k;
	return ERR_INTERNAL;
}

/* (2) */
static int take_error(const struct json *j, struct err *e)
{
	const char *kind, *where, *text;
	int64_t code;

	if (!json_get_i64(j, "code", &code) || !json_get_string(j, "kind", &kind) ||
	    !json_get_string(j, "where", &where) || !json_get_string(j, "text", &text))
		return malformed(e, "an error without its members");
	if (code <= 0 || code > CODE_MAX)
		code = EIO;
	err_set(e, kind_by_name(kind), (int)code, where, "%s", text);
	vm_tame(e->where);
	vm_tame(e->text);
	return -(int)code;
}

int vm_answer_read(const struct json *answer, const struct json **ret_ok, struct err *e)
{
	const struct json *error = json_get(answer, "error"), *ok = json_get(answer, "ok");

	if (error)
		return take_error(error, e);
	if (!ok || ok->type != JSON_OBJECT)
		return malformed(e, "it is no answer");
	if (ret_ok)
		*ret_ok = ok;
	return 0;
}

int vm_call(int fd, struct arena *a, const char *json, size_t len, const struct json **ret_ok,
	    struct err *e)
{
	struct json *answer;
	int rc = vm_frame_send(fd, json, len, e);

	if (rc >= 0)
		rc = vm_frame_recv(fd, a, &answer, e);
	if (rc == 0)
		return err_set(e, ERR_SYSTEM, EPIPE, NULL,
			       "the guest's agent ended before it answered");
	/* The agent's own word may be EAGAIN; this one it never has. */
	if (rc == -EAGAIN)
		return err_set(e, ERR_SYSTEM, ETIME, NULL,
			       "the guest's agent didn't answer in time");
	return rc < 0 ? rc : vm_answer_read(answer, ret_ok, e);
}

static int send_text(int fd, const struct strbuf *b, struct err *e)
{
	return b->failed ? err_sys(e, ENOMEM, NULL, "writing an answer")
			 : vm_frame_send(fd, b->s, b->len, e);
}

int vm_answer_ok(int fd, const char *members, struct err *e)
{
	auto_strbuf b = {0};

	strbuf_printf(&b, "{\"ok\":{%s}}", members);
	return send_text(fd, &b, e);
}

int vm_answer_error(int fd, const struct err *what, struct err *e)
{
	auto_strbuf b = {0};
	struct json_out o;

	json_out_init(&o, &b, NULL);
	json_obj_open(&o, NULL);
	json_obj_open(&o, "error");
	json_put_i64(&o, "code", what->code);
	json_put_str(&o, "kind", err_kind_name(what->kind));
	json_put_str(&o, "where", what->where);
	json_put_str(&o, "text", what->text);
	json_obj_close(&o);
	json_obj_close(&o);
	return send_text(fd, &b, e);
}
