/* The D-Bus wire: values, messages, hostile ones, and a conversation with a manager that a child of
 * the test plays. */
#include "cgroups/unit.h"
#include "common/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct cg_var text(const char *s)
{
	return (struct cg_var){.sig = "s", .s = s};
}

static void a_call_is_read_back(void **state)
{
	auto_arena a = {0};
	auto_strbuf out = {0};
	struct cg_var *items[] = {cg_var_num(&a, "u", 7), cg_var_num(&a, "u", UINT32_MAX)};
	struct cg_var name = text("x"), *list = cg_var_list(&a, "au", items, 2);
	struct cg_var *deep = cg_var_list(&a, "v", &list, 1);
	struct cg_var *bytes = cg_var_bytes(&a, "\1\2\3", 3);
	const struct cg_var *const args[] = {&name, deep, bytes, NULL};
	struct cg_call call = {"d.est", "/p", "i.face", "Member", args, false};
	struct cg_msg m;

	(void)state;
	cg_msg_build(&out, 9, &call);
	assert_false(out.failed);
	assert_int_equal(cg_msg_size((uint8_t *)out.s), out.len);
	assert_int_equal(cg_msg_parse((uint8_t *)out.s, out.len, &m), 0);
	assert_int_equal(m.type, CG_MSG_CALL);
	assert_int_equal(m.serial, 9);
	assert_string_equal(m.path, "/p");
	assert_string_equal(m.member, "Member");
	assert_string_equal(m.sig, "svay");
	struct cg_reader r = m.body, again = m.body;
	assert_string_equal(cg_read_str(&r), "x");
	assert_string_equal(cg_read_sig(&r), "au");
	assert_int_equal(cg_read_u32(&r), 8);
	assert_int_equal(cg_read_u32(&r), 7);
	assert_int_equal(cg_read_u32(&r), UINT32_MAX);
	cg_read_skip(&r, "ay");
	assert_false(r.bad);
	assert_int_equal(r.at, r.len);
	cg_read_skip(&again, "s");
	cg_read_skip(&again, "v");
	cg_read_skip(&again, "ay");
	assert_int_equal(again.at, again.len);
	(void)cg_read_byte(&again);
	assert_true(again.bad);
}

static void marshalling_is_the_specifications(void **state)
{
	/* A struct begins at 8, a string has its length and a zero, an array of 8-byte items
	 * pads between length and items. */
	static const uint8_t want[] = {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'a', 0, 0, 0,
				       8, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0,   0, 0, 0};
	auto_arena a = {0};
	auto_strbuf out = {0};
	struct cg_var *five = cg_var_num(&a, "t", 5);
	struct cg_var *both[] = {cg_var_str(&a, "a"), cg_var_list(&a, "at", &five, 1)};

	(void)state;
	cg_var_write(&out, cg_var_num(&a, "y", 1));
	cg_var_write(&out, cg_var_list(&a, "(sat)", both, 2));
	assert_int_equal(out.len, sizeof(want));
	assert_memory_equal(out.s, want, sizeof(want));
}

static void signatures(void **state)
{
	char deep[64];

	(void)state;
	assert_int_equal(cg_sig_len("ss"), 1);
	assert_int_equal(cg_sig_len("a(sv)s"), 5);
	assert_int_equal(cg_sig_len("a{sv}"), 5);
	assert_int_equal(cg_sig_len(""), 0);
	assert_int_equal(cg_sig_len("a"), 0);
	assert_int_equal(cg_sig_len("()"), 0);
	assert_int_equal(cg_sig_len("(s"), 0);
	assert_int_equal(cg_sig_len("!"), 0);
	memset(deep, 'a', sizeof(deep) - 2);
	strcpy(deep + sizeof(deep) - 2, "s");
	assert_int_equal(cg_sig_len(deep), 0);
}

/* A reply with one string, either byte order. */
static size_t reply(uint8_t *p, bool big, uint8_t type, uint32_t to, const char *s)
{
	uint32_t len = (uint32_t)strlen(s), body = 4 + len + 1;
	size_t n = 0;
#define U32(v)                                                             \
	do {                                                               \
		uint32_t v_ = (v);                                         \
		for (int i_ = 0; i_ < 4; i_++)                             \
			p[n++] = (uint8_t)(v_ >> 8 * (big ? 3 - i_ : i_)); \
	} while (0)
	p[n++] = big ? 'B' : 'l';
	p[n++] = type;
	p[n++] = 0;
	p[n++] = 1;
	U32(body);
	U32(77);
	U32(15);
	memcpy(p + n, "\5\1u\0", 4);
	n += 4;
	U32(to);
	memcpy(p + n, "\10\1g\0\1s\0\0", 8);
	n += 8;
	U32(len);
	memcpy(p + n, s, len + 1);
	return n + len + 1;
}

static void both_byte_orders_are_read(void **state)
{
	uint8_t buf[128];
	struct cg_msg m;

	(void)state;
	for (int big = 0; big < 2; big++) {
		size_t n = reply(buf, big, CG_MSG_REPLY, 3, "hello");
		assert_int_equal(cg_msg_size(buf), n);
		assert_int_equal(cg_msg_parse(buf, n, &m), 0);
		assert_int_equal(m.reply_to, 3);
		struct cg_reader r = m.body;
		assert_string_equal(cg_read_str(&r), "hello");
		assert_false(r.bad);
	}
}

static void lengths_that_lie_are_refused(void **state)
{
	uint8_t head[16] = {'l', 2, 0, 1};
	uint8_t buf[128];
	struct cg_msg m;
	size_t n = reply(buf, false, CG_MSG_REPLY, 3, "hello");

	(void)state;
	memset(head + 4, 0xff, 12);
	assert_int_equal(cg_msg_size(head), -EMSGSIZE);
	head[0] = 'x';
	assert_int_equal(cg_msg_size(head), -EPROTO);
	/* A string longer than the body, and one without its zero. */
	buf[32] = 200;
	assert_int_equal(cg_msg_parse(buf, n, &m), 0);
	struct cg_reader r = m.body;
	assert_string_equal(cg_read_str(&r), "");
	assert_true(r.bad);
	buf[32] = 4;
	r = m.body;
	(void)cg_read_str(&r);
	assert_true(r.bad);
	memset(buf + 32, 0xff, 4);
	r = m.body;
	(void)cg_read_str(&r);
	assert_true(r.bad);
	assert_int_equal(cg_msg_parse(buf, n - 1, &m), -EPROTO);
	assert_int_equal(cg_msg_parse(buf, 8, &m), -EPROTO);
}

/* Whatever a byte becomes: an answer, and no access outside (the sanitizers' part). */
static void every_changed_byte(void **state)
{
	uint8_t good[128], bad[128];
	struct cg_msg m;
	size_t n = reply(good, false, CG_MSG_SIGNAL, 3, "hello");

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (int v = 0; v < 256; v++) {
			memcpy(bad, good, n);
			bad[i] = (uint8_t)v;
			uint8_t *exact = malloc(n);
			memcpy(exact, bad, n);
			if (cg_msg_parse(exact, n, &m) == 0) {
				struct cg_reader r = m.body;
				for (const char *s = m.sig; *s; s += cg_sig_len(s))
					cg_read_skip(&r, s);
			}
			free(exact);
		}
}

static void arrays_that_nest_or_overrun(void **state)
{
	uint8_t data[64] = {0};
	struct cg_reader r = {.data = data, .len = sizeof(data)};

	(void)state;
	data[0] = 200;
	cg_read_skip(&r, "ay");
	assert_true(r.bad);
	/* The array's length ends within its item. */
	r = (struct cg_reader){.data = data, .len = sizeof(data)};
	data[0] = 6;
	cg_read_skip(&r, "au");
	assert_true(r.bad);
	/* A variant of a variant of a variant … */
	for (size_t i = 0; i < sizeof(data); i += 3)
		memcpy(data + i, "\1v", i + 3 <= sizeof(data) ? 3 : 1);
	r = (struct cg_reader){.data = data, .len = sizeof(data)};
	cg_read_skip(&r, "v");
	assert_true(r.bad);
}

static void addresses(void **state)
{
	char name[108];
	const char *a = "tcp:host=x;unix:guid=1,path=/run/a%20b;unix:abstract=/tmp/x;unix:path=%0";

	(void)state;
	assert_int_equal(cg_bus_address(&a, name, sizeof(name)), -EINVAL);
	assert_int_equal(cg_bus_address(&a, name, sizeof(name)), 8);
	assert_string_equal(name, "/run/a b");
	assert_int_equal(cg_bus_address(&a, name, sizeof(name)), 7);
	assert_memory_equal(name, "\0/tmp/x", 7);
	assert_int_equal(cg_bus_address(&a, name, sizeof(name)), -EINVAL);
	assert_int_equal(cg_bus_address(&a, name, sizeof(name)), 0);
}

/* --- a manager played by a child --- */

struct play {
	pid_t pid;
	char address[160];
};

static int read_exact(int fd, uint8_t *p, size_t n)
{
	while (n) {
		ssize_t got = read(fd, p, n);
		if (got <= 0)
			return -1;
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

static size_t message(uint8_t *out, uint8_t type, uint32_t to, const char *member, const char *sig,
		      const struct strbuf *body)
{
	auto_strbuf b = {0};
	auto_arena a = {0};
	const uint8_t head[16] = {'l', type, 0, 1, (uint8_t)body->len, 0, 0, 0, 5};
	size_t at;

	strbuf_add(&b, head, 16);
#define PAD()             \
	while (b.len % 8) \
	strbuf_add(&b, "", 1)
	if (to) {
		strbuf_add(&b, "\5\1u", 4);
		cg_var_write(&b, cg_var_num(&a, "u", to));
	}
	if (member) {
		PAD();
		strbuf_add(&b, type == CG_MSG_ERROR ? "\4\1s" : "\3\1s", 4);
		cg_var_write(&b, cg_var_str(&a, member));
	}
	PAD();
	strbuf_add(&b, "\10\1g", 4);
	struct cg_var g = {.sig = "g", .s = sig};
	cg_var_write(&b, &g);
	b.s[12] = (char)(b.len - 16);
	PAD();
	strbuf_add(&b, body->s ? body->s : "", body->len);
	at = b.len;
	memcpy(out, b.s, at);
	return at;
}

static void say(int fd, uint8_t type, uint32_t to, const char *member, const char *sig,
		const struct strbuf *body)
{
	uint8_t out[1024];
	size_t n = message(out, type, to, member, sig, body);

	/* In two pieces: a message may come so. */
	if (write(fd, out, 10) != 10 || write(fd, out + 10, n - 10) != (ssize_t)n - 10)
		_exit(2);
}

static void job_removed(int fd, struct arena *a, const char *job, const char *result)
{
	auto_strbuf body = {0};
	struct cg_var path = {.sig = "o", .s = job};

	cg_var_write(&body, cg_var_num(a, "u", 1));
	cg_var_write(&body, &path);
	cg_var_write(&body, cg_var_str(a, "x.scope"));
	cg_var_write(&body, cg_var_str(a, result));
	say(fd, CG_MSG_SIGNAL, 0, "JobRemoved", "uoss", &body);
}

static void answer(int fd, const char *mode, const struct cg_msg *m)
{
	auto_strbuf body = {0};
	auto_arena a = {0};
	struct cg_var job = {.sig = "o", .s = "/job/1"};
	struct cg_reader r = m->body;

	if (strcmp(m->member, "AddMatch") == 0 || strcmp(m->member, "ResetFailedUnit") == 0)
		return;
	if (strcmp(m->member, "Hello") == 0) {
		cg_var_write(&body, cg_var_str(&a, ":1.1"));
		say(fd, CG_MSG_REPLY, m->serial, NULL, "s", &body);
	} else if (strcmp(m->member, "Get") == 0) {
		(void)cg_read_str(&r);
		const char *which = cg_read_str(&r);
		struct cg_var *v =
			cg_var_str(&a, strcmp(which, "Version") == 0 ? "252.38-1" : "/own");
		if (strcmp(mode, "evil root") == 0 && strcmp(which, "ControlGroup") == 0)
			v = cg_var_str(&a, "/../..");
		if (strcmp(mode, "no text") == 0)
			v = cg_var_num(&a, "t", 5);
		cg_var_write(&body, cg_var_list(&a, "v", &v, 1));
		say(fd, CG_MSG_REPLY, m->serial, NULL, "v", &body);
	} else if (strcmp(mode, "refuses") == 0) {
		cg_var_write(&body, cg_var_str(&a, "no\n\033[1mway"));
		say(fd, CG_MSG_ERROR, m->serial, "org.example.No", "s", &body);
	} else if (strcmp(mode, "hangs up") == 0) {
		_exit(0);
	} else if (strcmp(mode, "garbage") == 0) {
		(void)!write(fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
	} else if (strcmp(mode, "no job") == 0) {
		cg_var_write(&body, cg_var_num(&a, "u", 5));
		say(fd, CG_MSG_REPLY, m->serial, NULL, "u", &body);
	} else {
		/* Another's signal and another's reply first, and the end before the answer. */
		job_removed(fd, &a, "/job/2", "failed");
		cg_var_write(&body, &job);
		say(fd, CG_MSG_REPLY, m->serial + 1000, NULL, "o", &body);
		job_removed(fd, &a, "/job/1", strcmp(mode, "fails") == 0 ? "failed" : "done");
		say(fd, CG_MSG_REPLY, m->serial, NULL, "o", &body);
	}
}

static void serve(int fd, const char *mode)
{
	uint8_t buf[8192];
	struct cg_msg m;
	char auth[64];

	if (read_exact(fd, (uint8_t *)auth, 29) < 0 ||
	    memcmp(auth, "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n", 29) != 0)
		_exit(3);
	const char *said = strcmp(mode, "rejects") == 0 ? "REJECTED EXTERNAL\r\n"
							: "DATA\r\nOK 0123456789abcdef\r\n";
	if (write(fd, said, strlen(said)) < 0)
		_exit(4);
	while (read_exact(fd, buf, 16) == 0) {
		long n = cg_msg_size(buf);
		if (n < 0 || n > (long)sizeof(buf) ||
		    read_exact(fd, buf + 16, (size_t)n - 16) < 0 ||
		    cg_msg_parse(buf, (size_t)n, &m) < 0)
			_exit(5);
		answer(fd, mode, &m);
	}
	_exit(0);
}

static void begin(struct play *p, const char *mode)
{
	static int count;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "rf-test-%d-%d", (int)getpid(),
			 count++);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
			 0);
	assert_int_equal(listen(fd, 1), 0);
	snprintf(p->address, sizeof(p->address), "unix:abstract=%s", sa.sun_path + 1);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", p->address, 1);
	p->pid = fork();
	if (p->pid == 0)
		serve(accept(fd, NULL, NULL), mode);
	fd_close(&fd);
}

static void finish(struct play *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

/* Opens the manager and starts a unit; what came of it. */
static int conversation(const char *mode, struct err *e)
{
	auto_arena a = {0};
	struct play p;
	struct cg_manager m = {.bus = CG_BUS_INIT};
	struct cg_props props = {0};
	const struct cg_unit_name unit = {.unit = "x.scope", .slice = "system.slice"};

	begin(&p, mode);
	int rc = cg_manager_open(&a, false, &m, e);
	if (rc == 0) {
		assert_int_equal(m.version, 252);
		assert_string_equal(m.root, "/own");
		assert_int_equal(cg_props_put(&a, &props, "Slice", cg_var_str(&a, "x"), e), 0);
		rc = cg_unit_start(&m, &a, &unit, &props, e);
	}
	cg_bus_close(&m.bus);
	finish(&p);
	return rc;
}

static void a_unit_is_started(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(conversation("fine", &e), 0);
}

static void what_a_manager_may_do(void **state)
{
	static const struct {
		const char *mode;
		int rc;
		const char *text;
	} rows[] = {
		{"fails", -ECANCELED, "ended with \"failed\""},
		{"refuses", -EREMOTEIO, "no  [1mway"},
		{"hangs up", -ECONNRESET, "connection reset"},
		{"garbage", -EPROTO, "protocol error"},
		{"no job", -EPROTO, "names no job"},
		{"no text", -EPROTO, "isn't a text"},
		{"evil root", -EPROTO, "no group of its own"},
		{"rejects", -ECONNREFUSED, "does not let this user in"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};
		int rc = conversation(rows[i].mode, &e);
		if (rc != rows[i].rc || !strstr(e.text, rows[i].text))
			fail_msg("%s: %d %s", rows[i].mode, rc, e.text);
	}
}

static void nobody_is_there(void **state)
{
	auto_arena a = {0};
	struct cg_manager m;
	struct err e = {0};

	(void)state;
	setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:abstract=rf-nobody", 1);
	assert_int_equal(cg_manager_open(&a, false, &m, &e), -ECONNREFUSED);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(e.text, "cgroupfs driver"));
	/* And nothing to undo. */
	assert_int_equal(cg_undo_unit(&a, "system x.scope", &e), 0);
	assert_int_equal(cg_undo_unit(&a, "x.scope", &e), -EINVAL);
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_read_back),
		cmocka_unit_test(marshalling_is_the_specifications),
		cmocka_unit_test(signatures),
		cmocka_unit_test(both_byte_orders_are_read),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(every_changed_byte),
		cmocka_unit_test(arrays_that_nest_or_overrun),
		cmocka_unit_test(addresses),
		cmocka_unit_test(a_unit_is_started),
		cmocka_unit_test(what_a_manager_may_do),
		cmocka_unit_test(nobody_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
