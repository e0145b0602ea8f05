/* tests/unit/test_vm_queue.c: split virtqueues under a hostile driver, and copies between bytes and
 * buffers. */
#include "microvm/queue.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RAM (1u << 20)
#define DESC 0x1000u
#define AVAIL 0x2000u
#define USED 0x3000u
#define DATA 0x8000u
#define TABLE 0x10000u

static struct vm_memory mem;
static struct vm_queue q;
static struct vm_chain c;

static void *at(uint64_t gpa)
{
	return mem.base + gpa;
}

static struct vring_desc *desc(unsigned n)
{
	return (struct vring_desc *)at(DESC) + n;
}

static uint16_t *avail(void)
{
	return at(AVAIL);
}

static uint16_t *used(void)
{
	return at(USED);
}

static void set_desc(struct vring_desc *d, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	*d = (struct vring_desc){addr, len, flags, next};
}

/* Offers chain `head` as the next. */
static void offer(uint16_t head)
{
	avail()[2 + (avail()[1] & (q.size - 1))] = head;
	avail()[1]++;
}

static void place(uint16_t size)
{
	memset(mem.base, 0, RAM);
	q = (struct vm_queue){.mem = &mem, .max = VM_QUEUE_MAX};
	q.size = size;
	q.desc = DESC;
	q.avail = AVAIL;
	q.used = USED;
}

static int setup(void **state)
{
	struct err e;

	(void)state;
	if (vm_memory_make(&mem, RAM, &e) < 0)
		return -1;
	place(8);
	return vm_queue_start(&q);
}

static int teardown(void **state)
{
	(void)state;
	vm_memory_free(&mem);
	return 0;
}

static void chain_of_both_kinds(void **state)
{
	(void)state;
	set_desc(desc(3), DATA, 10, VRING_DESC_F_NEXT, 5);
	set_desc(desc(5), DATA + 100, 20, VRING_DESC_F_NEXT, 0);
	set_desc(desc(0), DATA + 200, 30, VRING_DESC_F_WRITE, 77);
	assert_int_equal(vm_queue_pop(&q, &c), 0);
	offer(3);
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	assert_int_equal(c.head, 3);
	assert_int_equal(c.n_out, 2);
	assert_int_equal(c.n_in, 1);
	assert_int_equal(c.out_len, 30);
	assert_int_equal(c.in_len, 30);
	assert_ptr_equal(c.out[1].iov_base, at(DATA + 100));
	assert_ptr_equal(c.in[0].iov_base, at(DATA + 200));
	assert_int_equal(vm_queue_pop(&q, &c), 0);
	vm_queue_push(&q, c.head, 30);
	assert_int_equal(used()[1], 1);
	assert_int_equal(((uint32_t *)at(USED + 4))[0], 3);
	assert_int_equal(((uint32_t *)at(USED + 4))[1], 30);
}

static void unpop_gives_it_again(void **state)
{
	(void)state;
	set_desc(desc(1), DATA, 10, 0, 0);
	offer(1);
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	vm_queue_unpop(&q);
	c.head = 99;
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	assert_int_equal(c.head, 1);
	assert_int_equal(vm_queue_pop(&q, &c), 0);
}

/* More chains than 16 bits count: the rings wrap and the indexes too. */
static void indexes_wrap(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 70000; i++) {
		unsigned head = i % 8;

		set_desc(desc(head), DATA + head * 16, head + 1, 0, 0);
		offer((uint16_t)head);
		assert_int_equal(vm_queue_pop(&q, &c), 1);
		assert_int_equal(c.head, head);
		vm_queue_push(&q, c.head, head);
		assert_true(vm_queue_wants_signal(&q));
	}
	assert_int_equal(used()[1], (uint16_t)70000);
	assert_int_equal(vm_queue_pop(&q, &c), 0);
}

static void expect_no_start(void)
{
	assert_int_equal(vm_queue_start(&q), -EPROTO);
	assert_true(q.broken);
	assert_false(q.ready);
	assert_int_equal(vm_queue_pop(&q, &c), -EPROTO);
	vm_queue_push(&q, 0, 0);
	assert_false(vm_queue_wants_signal(&q));
	vm_queue_reset(&q);
	assert_false(q.broken);
	assert_int_equal(q.max, VM_QUEUE_MAX);
	assert_int_equal(vm_queue_pop(&q, &c), 0);
}

static void sizes_that_are_none(void **state)
{
	static const uint16_t sizes[] = {0, 3, 6, 255, 257, 512, 1024, 32768, 65535};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		place(sizes[i]);
		expect_no_start();
	}
	place(128);
	q.max = 64;
	assert_int_equal(vm_queue_start(&q), -EPROTO);
	place(256);
	assert_int_equal(vm_queue_start(&q), 0);
	place(1);
	assert_int_equal(vm_queue_start(&q), 0);
}

static void areas_outside_or_askew(void **state)
{
	static const uint64_t bad[] = {1,
				       RAM,
				       RAM - 16,
				       VM_MMIO_BASE,
				       VM_HIGH_START,
				       UINT64_MAX,
				       UINT64_MAX - 15,
				       0xfffffffffffffff0ull,
				       1ull << 63};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		place(8);
		q.desc = bad[i];
		expect_no_start();
		place(8);
		q.avail = bad[i];
		expect_no_start();
		place(8);
		q.used = bad[i];
		expect_no_start();
	}
	place(8);
	q.desc = DESC + 8;
	expect_no_start();
	place(8);
	q.used = USED + 2;
	expect_no_start();
	/* The last byte of the event word is the last of RAM: that fits, two more don't. */
	place(8);
	q.avail = RAM - (6 + 16);
	assert_int_equal(vm_queue_start(&q), 0);
	place(8);
	q.avail = RAM - (6 + 16) + 2;
	expect_no_start();
}

static void expect_broken(void)
{
	assert_int_equal(vm_queue_pop(&q, &c), -EPROTO);
	assert_true(q.broken);
	assert_int_equal(vm_queue_pop(&q, &c), -EPROTO);
	vm_queue_push(&q, 0, 1);
	assert_int_equal(used()[1], 0);
	place(8);
	q.indirect = true;
	assert_int_equal(vm_queue_start(&q), 0);
}

static void one(uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	set_desc(desc(0), addr, len, flags, next);
	offer(0);
	expect_broken();
}

static void descriptors_that_lie(void **state)
{
	(void)state;
	one(DATA, 0, 0, 0);
	one(RAM, 1, 0, 0);
	one(RAM - 1, 2, 0, 0);
	one(UINT64_MAX, 1, 0, 0);
	one(UINT64_MAX - 3, 8, VRING_DESC_F_WRITE, 0);
	one(DATA, UINT32_MAX, 0, 0);
	one(VM_MMIO_BASE, 4, VRING_DESC_F_WRITE, 0);
	one(DATA, 16, VRING_DESC_F_NEXT, 0); /* itself */
	/* What lies behind the table would do as a descriptor. */
	set_desc(desc(8), DATA, 16, 0, 0);
	one(DATA, 16, VRING_DESC_F_NEXT, 8);      /* behind the table */
	one(DATA, 16, VRING_DESC_F_NEXT, 0xffff); /* far behind it */
}

static void chains_that_lie(void **state)
{
	(void)state;
	/* A circle of two. */
	set_desc(desc(1), DATA, 16, VRING_DESC_F_NEXT, 0);
	one(DATA, 16, VRING_DESC_F_NEXT, 1);
	/* What we read behind what we write. */
	set_desc(desc(1), DATA, 16, 0, 0);
	one(DATA, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	/* A head behind the table, where a good descriptor lies. */
	set_desc(desc(8), DATA, 16, 0, 0);
	offer(8);
	expect_broken();
	offer(0xffff);
	expect_broken();
}

/* The driver says that more chains wait than the ring holds. */
static void available_index_jumps(void **state)
{
	static const uint16_t jumps[] = {9, 255, 256, 0x8000, 0xffff};

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		avail()[1] = jumps[i];
		expect_broken();
	}
	/* Backwards, after one chain. */
	set_desc(desc(0), DATA, 4, 0, 0);
	offer(0);
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	avail()[1] = 0;
	expect_broken();
}

static void full_ring_is_no_jump(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 8; i++) {
		set_desc(desc(i), DATA, 4, 0, 0);
		offer(i);
	}
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(vm_queue_pop(&q, &c), 1);
	assert_int_equal(vm_queue_pop(&q, &c), 0);
}

/* The fields of the queue changed after the start, as no register of ours lets them. */
static void moved_rings_break_it(void **state)
{
	(void)state;
	offer(0);
	q.desc = RAM - 16;
	expect_broken();
	q.size = 0;
	expect_broken();
	q.size = 65535;
	expect_broken();
	q.used = UINT64_MAX - 3;
	expect_broken();
	q.avail = 0xfffffffffffffffeull;
	expect_broken();
	q.used = RAM;
	vm_queue_push(&q, 0, 0);
	assert_true(q.broken);
}

static struct vring_desc *table(unsigned n)
{
	return (struct vring_desc *)at(TABLE) + n;
}

static void indirect_chain(void **state)
{
	(void)state;
	q.indirect = true;
	set_desc(desc(0), DATA, 5, VRING_DESC_F_NEXT, 1);
	set_desc(desc(1), TABLE, 32, VRING_DESC_F_INDIRECT | VRING_DESC_F_WRITE, 0);
	set_desc(table(0), DATA + 16, 6, VRING_DESC_F_NEXT, 1);
	set_desc(table(1), DATA + 32, 7, VRING_DESC_F_WRITE, 0);
	offer(0);
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	assert_int_equal(c.n_out, 2);
	assert_int_equal(c.out_len, 11);
	assert_int_equal(c.in_len, 7);
}

/* Not aligned, as a debugging allocator of the guest may make it. */
static void indirect_table_anywhere(void **state)
{
	struct vring_desc d = {DATA, 9, VRING_DESC_F_WRITE, 0};

	(void)state;
	q.indirect = true;
	memcpy(at(TABLE + 3), &d, sizeof(d));
	set_desc(desc(0), TABLE + 3, 16, VRING_DESC_F_INDIRECT, 0);
	offer(0);
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	assert_int_equal(c.in_len, 9);
}

static void indirect_that_lies(void **state)
{
	(void)state;
	q.indirect = true;
	set_desc(table(0), DATA, 5, 0, 0);
	one(TABLE, 0, VRING_DESC_F_INDIRECT, 0);
	one(TABLE, 15, VRING_DESC_F_INDIRECT, 0);
	one(TABLE, 17, VRING_DESC_F_INDIRECT, 0);
	one(TABLE, 16 * (VM_CHAIN_MAX + 1), VRING_DESC_F_INDIRECT, 0);
	one(TABLE, 0xfffffff0u, VRING_DESC_F_INDIRECT, 0);
	one(RAM - 8, 16, VRING_DESC_F_INDIRECT, 0);
	one(RAM, 16, VRING_DESC_F_INDIRECT, 0);
	one(UINT64_MAX - 7, 16, VRING_DESC_F_INDIRECT, 0);
	one(TABLE, 16, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1);
	/* A table in a table, and a good one in it. */
	set_desc(table(0), TABLE + 4096, 16, VRING_DESC_F_INDIRECT, 0);
	set_desc(table(256), DATA, 16, 0, 0);
	one(TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	set_desc(table(0), DATA, 16, VRING_DESC_F_NEXT, 1);
	set_desc(table(1), DATA, 16, 0, 0);
	one(TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	set_desc(table(0), DATA, 16, VRING_DESC_F_NEXT, 0);
	one(TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	set_desc(table(0), DATA, 16, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	set_desc(table(1), DATA, 16, 0, 0);
	one(TABLE, 32, VRING_DESC_F_INDIRECT, 0);
	q.indirect = false;
	set_desc(table(0), DATA, 5, 0, 0);
	one(TABLE, 16, VRING_DESC_F_INDIRECT, 0);
}

/* The longest chain that there may be, and one buffer more. */
static void chain_of_many(void **state)
{
	(void)state;
	q.indirect = true;
	for (unsigned i = 0; i < VM_CHAIN_MAX; i++)
		set_desc(table(i), DATA, 1, i + 1 < VM_CHAIN_MAX ? VRING_DESC_F_NEXT : 0,
			 (uint16_t)(i + 1));
	set_desc(desc(0), TABLE, 16 * (VM_CHAIN_MAX - 1), VRING_DESC_F_INDIRECT, 0);
	set_desc(table(VM_CHAIN_MAX - 2), DATA, 1, 0, 0);
	offer(0);
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	assert_int_equal(c.n_out, VM_CHAIN_MAX - 1);
	for (unsigned i = 0; i < VM_CHAIN_MAX; i++)
		set_desc(table(i), DATA, 1, i + 1 < VM_CHAIN_MAX ? VRING_DESC_F_NEXT : 0,
			 (uint16_t)(i + 1));
	set_desc(desc(1), DATA, 1, VRING_DESC_F_NEXT, 2);
	set_desc(desc(2), TABLE, 16 * VM_CHAIN_MAX, VRING_DESC_F_INDIRECT, 0);
	offer(1);
	assert_int_equal(vm_queue_pop(&q, &c), -EPROTO);
}

/* Buffers that are each in RAM, the same one thrice: their sum is more than a chain may have. */
static void chain_above_4g(void **state)
{
	struct vm_memory big;
	struct err e;

	(void)state;
	assert_int_equal(vm_memory_make(&big, 1ull << 31, &e), 0);
	q.mem = &big;
	for (unsigned i = 0; i < 3; i++)
		((struct vring_desc *)(void *)(big.base + DESC))[i] = (struct vring_desc){
			0, 1u << 31, i < 2 ? VRING_DESC_F_NEXT : 0, (uint16_t)(i + 1)};
	((uint16_t *)(void *)(big.base + AVAIL))[1] = 1;
	assert_int_equal(vm_queue_pop(&q, &c), -EPROTO);
	vm_memory_free(&big);
}

static void signal_follows_the_flag(void **state)
{
	(void)state;
	assert_false(vm_queue_wants_signal(&q));
	vm_queue_push(&q, 0, 0);
	assert_true(vm_queue_wants_signal(&q));
	assert_false(vm_queue_wants_signal(&q));
	avail()[0] = VRING_AVAIL_F_NO_INTERRUPT;
	vm_queue_push(&q, 0, 0);
	assert_false(vm_queue_wants_signal(&q));
}

/* 2.7.7: once the index passes what the driver named, not before and not again. */
static void event_index(void **state)
{
	(void)state;
	q.event_idx = true;
	avail()[2 + 8] = 2; /* used_event */
	for (unsigned i = 0; i < 5; i++) {
		vm_queue_push(&q, 0, 0);
		assert_int_equal(vm_queue_wants_signal(&q), i == 2);
	}
	avail()[2 + 8] = 5; /* passed within a batch */
	for (unsigned i = 0; i < 3; i++)
		vm_queue_push(&q, 0, 0);
	assert_true(vm_queue_wants_signal(&q));
	assert_false(vm_queue_wants_signal(&q));
}

static void event_index_wraps(void **state)
{
	(void)state;
	q.event_idx = true;
	q.next_used = q.signalled = 65534;
	avail()[2 + 8] = 65535;
	vm_queue_push(&q, 0, 0);
	assert_false(vm_queue_wants_signal(&q));
	vm_queue_push(&q, 0, 0);
	assert_int_equal(q.next_used, 0);
	assert_true(vm_queue_wants_signal(&q));
	avail()[2 + 8] = 0;
	vm_queue_push(&q, 0, 0);
	assert_true(vm_queue_wants_signal(&q));
}

/* An empty queue asks for a kick at the next chain; the word lies behind the used ring. */
static void asks_for_a_kick(void **state)
{
	uint16_t *avail_event = at(USED + 4 + 8 * 8);

	(void)state;
	q.event_idx = true;
	*avail_event = 0x5555;
	set_desc(desc(0), DATA, 4, 0, 0);
	offer(0);
	assert_int_equal(vm_queue_pop(&q, &c), 1);
	assert_int_equal(*avail_event, 0x5555);
	assert_int_equal(vm_queue_pop(&q, &c), 0);
	assert_int_equal(*avail_event, 1);
	q.event_idx = false;
	*avail_event = 0x5555;
	assert_int_equal(vm_queue_pop(&q, &c), 0);
	assert_int_equal(*avail_event, 0x5555);
}

static void push_checks_its_head(void **state)
{
	(void)state;
	vm_queue_push(&q, 8, 0);
	assert_int_equal(used()[1], 0);
	assert_false(q.broken);
}

static void copies(void **state)
{
	char a[4] = "abcd", b[3] = "efg", d[5] = "hijkl", out[16] = "";
	struct iovec v[3] = {{a, 4}, {b, 3}, {d, 5}}, s[3];

	(void)state;
	assert_int_equal(vm_iov_read(v, 3, 0, out, 16), 12);
	assert_memory_equal(out, "abcdefghijkl", 12);
	assert_int_equal(vm_iov_read(v, 3, 5, out, 4), 4);
	assert_memory_equal(out, "fghi", 4);
	assert_int_equal(vm_iov_read(v, 3, 12, out, 4), 0);
	assert_int_equal(vm_iov_read(v, 3, SIZE_MAX, out, 4), 0);
	assert_int_equal(vm_iov_read(v, 0, 0, out, 4), 0);
	assert_int_equal(vm_iov_write(v, 3, 3, "XYZUV", 5), 5);
	assert_memory_equal(a, "abcX", 4);
	assert_memory_equal(b, "YZU", 3);
	assert_memory_equal(d, "Vijkl", 5);
	assert_int_equal(vm_iov_write(v, 3, 10, "12345", 5), 2);
	assert_int_equal(vm_iov_slice(v, 3, 4, 4, s), 2);
	assert_ptr_equal(s[0].iov_base, b);
	assert_int_equal(s[0].iov_len, 3);
	assert_ptr_equal(s[1].iov_base, d);
	assert_int_equal(s[1].iov_len, 1);
	assert_int_equal(vm_iov_slice(v, 3, 6, SIZE_MAX, s), 2);
	assert_int_equal(vm_iov_slice(v, 3, 12, 1, s), 0);
	assert_int_equal(vm_iov_slice(v, 3, 0, 0, s), 0);
}

/* Rings full of noise: whatever happens, a sanitizer sees no access outside. */
static void noise(void **state)
{
	unsigned long popped = 0;

	(void)state;
	srandom(4711);
	for (unsigned round = 0; round < 3000; round++) {
		place((uint16_t)(1u << (random() % 9)));
		q.indirect = random() & 1;
		q.event_idx = random() & 1;
		for (unsigned i = 0; i < 256; i++) {
			struct vring_desc d = {(uint64_t)random() % (RAM + RAM / 64),
					       (uint32_t)random() % 512,
					       (uint16_t)(random() & (random() & 1 ? 3 : 7)),
					       (uint16_t)(random() % (q.size + 1))};

			memcpy(at(DESC + i * 16), &d, sizeof(d));
		}
		assert_int_equal(vm_queue_start(&q), 0);
		for (unsigned i = 0; i < q.size; i++)
			avail()[2 + i] = (uint16_t)(random() % (q.size + 1));
		avail()[1] = (uint16_t)(random() % (q.size + 2));
		while (vm_queue_pop(&q, &c) == 1) {
			for (unsigned i = 0; i < c.n_in; i++)
				memset(c.in[i].iov_base, 1, c.in[i].iov_len);
			vm_queue_push(&q, c.head, (uint32_t)c.in_len);
			popped++;
			if (popped % 1024 == 0)
				break;
		}
	}
	assert_true(popped > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(chain_of_both_kinds),
		T(unpop_gives_it_again),
		T(indexes_wrap),
		T(sizes_that_are_none),
		T(areas_outside_or_askew),
		T(descriptors_that_lie),
		T(chains_that_lie),
		T(available_index_jumps),
		T(full_ring_is_no_jump),
		T(moved_rings_break_it),
		T(indirect_chain),
		T(indirect_table_anywhere),
		T(indirect_that_lies),
		T(chain_of_many),
		T(chain_above_4g),
		T(signal_follows_the_flag),
		T(event_index),
		T(event_index_wraps),
		T(asks_for_a_kick),
		T(push_checks_its_head),
		T(copies),
		T(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
