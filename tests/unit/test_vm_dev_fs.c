/* tests/unit/test_vm_dev_fs.c: the virtio-fs device, with a server played by the test, a hostile
 * driver, and at last with the real server. */
#include "microvm/fs.h"
#include "tests/unit/scratch.h"
#include "tests/unit/vm_driver.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define HIPRIO 0
#define REQUESTS 1

static struct vm_driver v;
static int server = -1; /* the other end */

static int setup(void **state)
{
	struct vm_device *d;
	int pair[2];
	(void)state;

	drv_open(&v, 16 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	server = pair[1];
	assert_int_equal(vm_fs_make(&v.wires, "ringfence", pair[0], &d, &v.e), 0);
	drv_attach(&v, d);
	drv_up(&v, 0, 64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drv_close(&v);
	if (server >= 0)
		close(server);
	server = -1;
	return 0;
}

/* A request in the ring: header and body in one buffer, room bytes for the answer. */
struct posted {
	uint64_t out, in;
	uint16_t head;
};

static struct posted post(unsigned queue, uint32_t opcode, uint64_t unique, const void *more,
			  uint32_t len, uint32_t room)
{
	struct fuse_in_header h = {
		.len = (uint32_t)sizeof(h) + len, .opcode = opcode, .unique = unique, .nodeid = 1};
	struct posted p = {.out = drv_alloc(&v, h.len), .in = room ? drv_alloc(&v, room) : 0};
	struct drv_buf b[2] = {{p.out, h.len, false}, {p.in, room, true}};

	memcpy(drv_at(&v, p.out, h.len), &h, sizeof(h));
	if (len)
		memcpy((char *)drv_at(&v, p.out, h.len) + sizeof(h), more, len);
	p.head = drv_add(&v, queue, b, room ? 2 : 1);
	return p;
}

static void go(unsigned queue)
{
	drv_kick(&v, queue);
	drv_turn(&v);
}

/* What the server gets; false: nothing. */
static bool served(struct fuse_in_header *ret, void *more, size_t len)
{
	static uint8_t message[VM_FS_MESSAGE_MAX + 1];
	ssize_t n = recv(server, message, sizeof(message), MSG_DONTWAIT);

	if (n < (ssize_t)sizeof(*ret))
		return false;
	memcpy(ret, message, sizeof(*ret));
	assert_int_equal(ret->len, n);
	if (more)
		memcpy(more, message + sizeof(*ret), len);
	return true;
}

static void reply(uint64_t unique, int error, const char *body)
{
	char message[4096];
	struct fuse_out_header h = {
		.len = (uint32_t)(sizeof(h) + strlen(body)), .error = error, .unique = unique};

	memcpy(message, &h, sizeof(h));
	memcpy(message + sizeof(h), body, strlen(body));
	assert_int_equal(send(server, message, h.len, MSG_NOSIGNAL), h.len);
}

static struct fuse_out_header answer_at(uint64_t gpa)
{
	struct fuse_out_header h;

	memcpy(&h, drv_at(&v, gpa, sizeof(h)), sizeof(h));
	return h;
}

/* The next used element is this request's, `len` bytes long. */
static void expect_used(unsigned queue, const struct posted *p, uint32_t len)
{
	uint32_t id, got;

	assert_true(drv_used(&v, queue, &id, &got));
	assert_int_equal(id, p->head);
	assert_int_equal(got, len);
}

static void expect_none(unsigned queue)
{
	uint32_t id, len;

	assert_false(drv_used(&v, queue, &id, &len));
}

static void t_config(void **state)
{
	char tag[36];
	uint32_t queues;
	static const char want[36] = "ringfence";
	struct vm_device *d;
	(void)state;

	assert_int_equal(drv_get(&v, VIRTIO_MMIO_DEVICE_ID), 26);
	drv_config(&v, 0, tag, 4);
	for (unsigned i = 0; i < sizeof(tag); i++)
		drv_config(&v, i, tag + i, 1);
	assert_memory_equal(tag, want, sizeof(tag));
	drv_config(&v, 36, &queues, 4);
	assert_int_equal(queues, 1);
	assert_int_equal(vm_fs_make(&v.wires, "", -1, &d, &v.e), -EINVAL);
	assert_int_equal(
		vm_fs_make(&v.wires, "a tag of more than thirty-six bytes..", -1, &d, &v.e),
		-EINVAL);
}

static void t_round(void **state)
{
	struct fuse_in_header h;
	char body[6] = "";
	(void)state;

	struct posted p = post(REQUESTS, FUSE_LOOKUP, 42, "hello", 6, 64);
	go(REQUESTS);
	assert_true(served(&h, body, 6));
	assert_string_equal(body, "hello");
	assert_int_equal(h.opcode, FUSE_LOOKUP);
	expect_none(REQUESTS);
	reply(h.unique, 0, "world");
	drv_turn(&v);
	expect_used(REQUESTS, &p, sizeof(struct fuse_out_header) + 5);
	assert_int_equal(answer_at(p.in).unique, 42);
	assert_int_equal(answer_at(p.in).len, sizeof(struct fuse_out_header) + 5);
	assert_memory_equal((char *)drv_at(&v, p.in, 64) + sizeof(struct fuse_out_header),
			    "world\0", 6);
	assert_int_equal(drv_irq(&v), 1);
	assert_false(drv_broken(&v));
}

/* Headers cut anywhere, answers scattered over bytes. */
static void t_scattered(void **state)
{
	struct fuse_in_header h = {.len = sizeof(h) + 6, .opcode = FUSE_LOOKUP, .unique = 7}, got;
	struct drv_buf b[40];
	unsigned n = 0;
	char body[6], whole[64];
	uint64_t at = drv_alloc(&v, sizeof(h) + 6), in = drv_alloc(&v, 64);
	(void)state;

	memcpy(drv_at(&v, at, sizeof(h)), &h, sizeof(h));
	memcpy((char *)drv_at(&v, at, sizeof(h) + 6) + sizeof(h), "hello", 6);
	for (uint32_t i = 0; i < h.len; i += 7, n++)
		b[n] = (struct drv_buf){at + i, h.len - i < 7 ? h.len - i : 7, false};
	for (uint32_t i = 0; i < 64; i += 5, n++)
		b[n] = (struct drv_buf){in + i, 64 - i < 5 ? 64 - i : 5, true};
	uint16_t head = drv_add(&v, REQUESTS, b, n);
	go(REQUESTS);
	assert_true(served(&got, body, 6));
	assert_memory_equal(body, "hello", 6);
	reply(got.unique, -2, "");
	drv_turn(&v);
	struct posted p = {.head = head};
	expect_used(REQUESTS, &p, sizeof(struct fuse_out_header));
	assert_int_equal(answer_at(in).error, -2);
	assert_int_equal(answer_at(in).unique, 7);
	memset(whole, 0, sizeof(whole));
	assert_memory_equal((char *)drv_at(&v, in, 64) + 16, whole, 48);
}

/* Answers in any order; equal numbers of the guest's don't meet. */
static void t_order(void **state)
{
	struct fuse_in_header a, b;
	(void)state;

	struct posted p = post(REQUESTS, FUSE_GETATTR, 5, "one", 3, 64);
	struct posted q = post(REQUESTS, FUSE_GETATTR, 5, "two", 3, 64);
	go(REQUESTS);
	assert_true(served(&a, NULL, 0) && served(&b, NULL, 0));
	assert_int_not_equal(a.unique, b.unique);
	reply(b.unique, 0, "2");
	reply(a.unique, 0, "11");
	reply(a.unique, 0, "twice");
	reply(b.unique + 77777, 0, "unknown");
	reply(0, 0, "unknown");
	assert_int_equal(send(server, "short", 5, 0), 5);
	drv_turn(&v);
	expect_used(REQUESTS, &q, 17);
	expect_used(REQUESTS, &p, 18);
	expect_none(REQUESTS);
	assert_int_equal(answer_at(p.in).unique, 5);
	assert_false(drv_broken(&v));
}

static void t_forget(void **state)
{
	struct fuse_forget_in in = {.nlookup = 1};
	struct fuse_in_header h;
	(void)state;

	struct posted p = post(HIPRIO, FUSE_FORGET, 9, &in, sizeof(in), 0);
	go(HIPRIO);
	expect_used(HIPRIO, &p, 0);
	assert_true(served(&h, NULL, 0));
	assert_int_equal(h.opcode, FUSE_FORGET);
}

/* An answer larger than the room that the guest left, or whose length isn't true. */
static void t_too_large(void **state)
{
	struct fuse_in_header h;
	(void)state;

	struct posted p = post(REQUESTS, FUSE_GETATTR, 1, NULL, 0, 20);
	uint64_t behind = drv_alloc(&v, 16);
	go(REQUESTS);
	assert_true(served(&h, NULL, 0));
	reply(h.unique, 0, "more than four bytes");
	drv_turn(&v);
	expect_used(REQUESTS, &p, 16);
	assert_int_equal(answer_at(p.in).error, -EIO);
	assert_memory_equal(drv_at(&v, behind, 16), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	p = post(REQUESTS, FUSE_GETATTR, 1, NULL, 0, 64);
	go(REQUESTS);
	assert_true(served(&h, NULL, 0));
	struct fuse_out_header lie = {.len = 60, .unique = h.unique};
	assert_int_equal(send(server, &lie, sizeof(lie), 0), sizeof(lie));
	drv_turn(&v);
	expect_used(REQUESTS, &p, 16);
	assert_int_equal(answer_at(p.in).error, -EIO);
	assert_int_equal(answer_at(p.in).len, 16);
}

/* A driver that breaks the rules has its device stopped, and can start it anew. */
static void expect_broken(void)
{
	struct fuse_in_header h;

	go(REQUESTS);
	assert_true(drv_broken(&v));
	assert_false(served(&h, NULL, 0));
	expect_none(REQUESTS);
	drv_up(&v, 0, 64);
}

static void t_hostile(void **state)
{
	uint64_t big = drv_alloc(&v, VM_FS_MESSAGE_MAX + 4096);
	struct fuse_in_header *h = drv_at(&v, big, sizeof(*h));
	(void)state;

	drv_add1(&v, REQUESTS, big, sizeof(*h) - 1, false); /* short */
	expect_broken();
	*h = (struct fuse_in_header){.len = 41, .opcode = FUSE_GETATTR};
	struct drv_buf b[2] = {{big, sizeof(*h), false}, {big + 4096, 64, true}};
	drv_add(&v, REQUESTS, b, 2); /* its length is another */
	expect_broken();
	h->len = sizeof(*h);
	b[1].len = 15; /* no room for a header */
	drv_add(&v, REQUESTS, b, 2);
	expect_broken();
	drv_add(&v, REQUESTS, b, 1); /* none at all */
	expect_broken();
	drv_add1(&v, REQUESTS, big, 64, true); /* no request */
	expect_broken();
	h->len = VM_FS_MESSAGE_MAX + 1;
	b[0].len = h->len;
	b[1] = (struct drv_buf){big, 64, true};
	drv_add(&v, REQUESTS, b, 2);
	expect_broken();
	h->len = VM_FS_MESSAGE_MAX;
	b[0].len = h->len;
	drv_add(&v, REQUESTS, b, 2);
	go(REQUESTS);
	assert_false(drv_broken(&v)); /* as long as may be */
}

/* The same chain again and again: no more than 256 are with the server, each is answered once. */
static void t_many(void **state)
{
	struct fuse_in_header h[400];
	unsigned n = 0, used = 0;
	uint32_t id, len;
	(void)state;

	struct posted p = post(REQUESTS, FUSE_GETATTR, 3, NULL, 0, 64);
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = round == 0; i < 64; i++)
			drv_make_available(&v, REQUESTS, p.head);
		go(REQUESTS);
		while (n < 400 && served(&h[n], NULL, 0))
			n++;
	}
	assert_int_equal(n, 256);
	for (unsigned i = 0; i < n; i++) {
		reply(h[i].unique, 0, "");
		drv_turn(&v);
		while (n < 400 && served(&h[n], NULL, 0))
			n++;
		while (drv_used(&v, REQUESTS, &id, &len))
			used++;
	}
	assert_int_equal(n, 320);
	assert_int_equal(used, 320);
	assert_false(drv_broken(&v));
}

/* The socket is full: the ring keeps the rest, and it goes on by itself. */
static void t_full(void **state)
{
	static char block[VM_FS_MAX_WRITE];
	struct fuse_in_header h;
	unsigned n = 0;
	(void)state;

	for (unsigned i = 0; i < 20; i++)
		post(REQUESTS, FUSE_WRITE, i, block, sizeof(block), 64);
	go(REQUESTS);
	uint16_t taken = v.d->queues[REQUESTS].next_avail;
	assert_true(taken > 0 && taken < 20);
	for (; n < 20 && served(&h, NULL, 0); n++) {
		reply(h.unique, 0, "");
		drv_turn(&v);
	}
	assert_int_equal(n, 20);
	assert_int_equal(v.d->queues[REQUESTS].next_used, 20);
}

static void t_gone(void **state)
{
	struct fuse_forget_in in = {.nlookup = 1};
	(void)state;

	struct posted p = post(REQUESTS, FUSE_GETATTR, 3, NULL, 0, 64);
	go(REQUESTS);
	close(server);
	server = -1;
	drv_turn(&v);
	expect_used(REQUESTS, &p, 16);
	assert_int_equal(answer_at(p.in).error, -ENOTCONN);
	p = post(REQUESTS, FUSE_GETATTR, 4, NULL, 0, 64);
	struct posted q = post(HIPRIO, FUSE_FORGET, 9, &in, sizeof(in), 0);
	go(REQUESTS);
	go(HIPRIO);
	expect_used(REQUESTS, &p, 16);
	assert_int_equal(answer_at(p.in).error, -ENOTCONN);
	assert_int_equal(answer_at(p.in).unique, 4);
	expect_used(HIPRIO, &q, 0);
	assert_false(drv_broken(&v));
}

/* What was asked before a reset isn't answered after it. */
static void t_reset(void **state)
{
	struct fuse_in_header h;
	char none[64] = "";
	(void)state;

	struct posted p = post(REQUESTS, FUSE_GETATTR, 3, NULL, 0, 64);
	go(REQUESTS);
	assert_true(served(&h, NULL, 0));
	uint64_t late = h.unique;
	drv_up(&v, 0, 64);
	reply(late, 0, "late");
	drv_turn(&v);
	expect_none(REQUESTS);
	assert_memory_equal(drv_at(&v, p.in, 64), none, 64);
	/* Nor does it answer another that took its place. */
	p = post(REQUESTS, FUSE_GETATTR, 3, NULL, 0, 64);
	go(REQUESTS);
	assert_true(served(&h, NULL, 0));
	reply(late, 0, "late");
	drv_turn(&v);
	expect_none(REQUESTS);
	reply(h.unique, 0, "");
	drv_turn(&v);
	expect_used(REQUESTS, &p, 16);
}

/* One request through rings, socket and server. */
static void call(struct posted *p)
{
	uint32_t id, len;

	drv_kick(&v, REQUESTS);
	assert_true(drv_wait_used(&v, REQUESTS, 10000, &id, &len));
	assert_int_equal(id, p->head);
	assert_int_equal(answer_at(p->in).error, 0);
}

static void t_real(void **state)
{
	struct fuse_init_in init = {.major = 7, .minor = 37};
	struct fuse_getattr_in attr = {0};
	struct err e = {0};
	char dir[PATH_MAX];
	int status;
	(void)state;

	assert_int_equal(scratch_make(dir), 0);
	struct vm_share share = {.name = "root", .fd = open(dir, O_PATH | O_CLOEXEC)};
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* The monitor's end, which this copy holds too, would keep the server alive. */
		for (int fd = 3; fd < 64; fd++)
			if (fd != server && fd != share.fd)
				close(fd);
		_exit(vm_fs_serve(server, -1, -1, &share, 1, 2, NULL, &e) < 0);
	}
	close(server);
	server = -1;
	close(share.fd);
	struct posted p = post(REQUESTS, FUSE_INIT, 2, &init, sizeof(init), 128);
	call(&p);
	p = post(REQUESTS, FUSE_LOOKUP, 4, "root", 5, 256);
	call(&p);
	struct fuse_entry_out *out = (void *)((char *)drv_at(&v, p.in, 256) + 16);
	assert_true(S_ISDIR(out->attr.mode));
	p = post(REQUESTS, FUSE_GETATTR, 6, &attr, sizeof(attr), 256);
	call(&p);
	assert_int_equal(scratch_remove(dir), 0);
	drv_close(&v);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	setup(NULL); /* for the teardown */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(t_config),  T(t_round), T(t_scattered), T(t_order), T(t_forget), T(t_too_large),
		T(t_hostile), T(t_many),  T(t_full),      T(t_gone),  T(t_reset),  T(t_real),
	};
	return cmocka_run_group_tests_name("vm_dev_fs", tests, NULL, NULL);
}
