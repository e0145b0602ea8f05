/* Device rules: the BPF program, run by a small interpreter here, and the v1 form, matched as the
 * v1 controller matches, both against a plain reading of the rules. */
#include "cgroups/internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ANY       \
	{         \
		0 \
	}
#define NUM(x)                        \
	{                             \
		.set = true, .v = (x) \
	}
#define MAX_RULES 6

static const struct spec_device_rule sets[][MAX_RULES] = {
	/* each ends with the first rule whose access is "" */
	{{false, NULL, "rwm", ANY, ANY}, {.access = ""}},
	{{true, NULL, "rwm", ANY, ANY}, {.access = ""}},
	{{true, "a", NULL, ANY, ANY}, {false, "b", "rwm", NUM(8), ANY}, {.access = ""}},
	{{false, "a", "rwm", ANY, ANY}, {true, "c", "rw", NUM(10), NUM(229)}, {.access = ""}},
	{{true, "c", "r", NUM(4), NUM(1)}, {true, "c", "w", NUM(4), NUM(1)}, {.access = ""}},
	{{true, "c", "rwm", NUM(10), NUM(200)},
	 {false, "c", "w", NUM(10), NUM(200)},
	 {.access = ""}},
	{{true, "b", "rwm", NUM(8), NUM(0)}, {false, "b", "rwm", NUM(8), ANY}, {.access = ""}},
	{{true, "b", "rwm", NUM(8), ANY}, {false, "b", "w", NUM(8), NUM(1)}, {.access = ""}},
	{{true, NULL, "rwm", ANY, ANY}, {false, NULL, "w", ANY, ANY}, {.access = ""}},
	{{true, NULL, "rwm", ANY, ANY}, {false, "c", "m", ANY, NUM(3)}, {.access = ""}},
	{{true, "a", "r", NUM(8), ANY}, {.access = ""}},
	{{true, "c", "rwm", NUM(-1), NUM(-1)}, {.access = ""}},
	{{true, "c", "rwm", NUM(UINT32_MAX), NUM(0x80000000)}, {.access = ""}},
	{{true, "c", "rwm", NUM(4097), NUM(3)},
	 {true, "b", NULL, NUM(0), NUM(1 << 20)},
	 {.access = ""}},
	{{true, "b", NULL, NUM(8), NUM(1)},
	 {true, "b", NULL, NUM(8), NUM(3)},
	 {true, "b", NULL, ANY, NUM(0xfffff)},
	 {true, "b", NULL, NUM(4095), ANY},
	 {false, "b", NULL, NUM(4095), NUM(0xfffff)},
	 {.access = ""}},
	{{true, "a", NULL, NUM(8), NUM(1)},
	 {true, "a", NULL, NUM(8), NUM(3)},
	 {false, "a", NULL, NUM(8), NUM(3)},
	 {false, "a", NULL, ANY, NUM(4)},
	 {true, "c", NULL, NUM(8), ANY},
	 {.access = ""}},
	{{false, NULL, NULL, ANY, ANY},
	 {true, NULL, NULL, ANY, ANY},
	 {false, "b", "r", NUM(8), ANY},
	 {true, "b", "r", NUM(8), NUM(1)},
	 {.access = ""}},
};
#define N_SETS (sizeof(sets) / sizeof(sets[0]))

/* The kernel's majors have 12 bits, its minors 20. */
static const uint32_t numbers[] = {0, 1, 3, 4, 5, 8, 10, 136, 200, 229, 4095, 0xfffff};
#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

struct ask {
	char type;
	unsigned access;
	uint32_t major, minor;
};

static size_t load_set(struct spec_resources *r, struct spec_device_rule *room, size_t i)
{
	size_t n = 0;

	while (!sets[i][n].access || *sets[i][n].access)
		n++;
	memcpy(room, sets[i], n * sizeof(*room));
	r->devices.items = room;
	r->devices.n = n;
	return n;
}

/* --- the plain reading: each access by its last rule --- */

static bool names(const struct cg_dev *d, const struct ask *q)
{
	return (d->type == 'a' || d->type == q->type) &&
	       (d->major == CG_DEV_ANY || d->major == q->major) &&
	       (d->minor == CG_DEV_ANY || d->minor == q->minor);
}

static bool expected(const struct cg_dev *rules, size_t n, const struct ask *q)
{
	for (unsigned bit = 1; bit <= 4; bit <<= 1) {
		bool allowed = false;
		if (!(q->access & bit))
			continue;
		for (size_t i = 0; i < n; i++)
			if ((rules[i].access & bit) && names(&rules[i], q))
				allowed = rules[i].allow;
		if (!allowed)
			return false;
	}
	return true;
}

/* --- the interpreter --- */

static uint32_t field_of(const struct ask *q, int off)
{
	uint32_t access = (q->access & CG_DEV_M ? BPF_DEVCG_ACC_MKNOD : 0) |
			  (q->access & CG_DEV_R ? BPF_DEVCG_ACC_READ : 0) |
			  (q->access & CG_DEV_W ? BPF_DEVCG_ACC_WRITE : 0);

	switch (off) {
	case offsetof(struct bpf_cgroup_dev_ctx, access_type):
		return access << 16 | (q->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	case offsetof(struct bpf_cgroup_dev_ctx, major):
		return q->major;
	case offsetof(struct bpf_cgroup_dev_ctx, minor):
		return q->minor;
	}
	fail_msg("load at %d", off);
	return 0;
}

static int interpret(const struct bpf_insn *code, size_t n, const struct ask *q)
{
	uint32_t r[11] = {0};
	bool set[11] = {[1] = true};

	for (size_t pc = 0, steps = 0; pc < n; pc++, steps++) {
		const struct bpf_insn *i = &code[pc];
		uint32_t imm = (uint32_t)i->imm;
		assert_true(steps < n && i->off >= 0);
		if (i->code != (BPF_LDX | BPF_MEM | BPF_W) &&
		    i->code != (BPF_ALU | BPF_MOV | BPF_K) &&
		    i->code != (BPF_ALU | BPF_MOV | BPF_X) && i->code != (BPF_JMP | BPF_EXIT))
			assert_true(set[i->dst_reg]);
		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(i->src_reg, 1);
			r[i->dst_reg] = field_of(q, i->off);
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			r[i->dst_reg] = imm;
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			assert_true(set[i->src_reg]);
			r[i->dst_reg] = r[i->src_reg];
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			r[i->dst_reg] &= imm;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			r[i->dst_reg] >>= imm;
			break;
		case BPF_ALU | BPF_LSH | BPF_K:
			r[i->dst_reg] <<= imm;
			break;
		case BPF_ALU | BPF_OR | BPF_X:
			assert_true(set[i->src_reg]);
			r[i->dst_reg] |= r[i->src_reg];
			break;
		case BPF_JMP32 | BPF_JNE | BPF_K:
			pc += r[i->dst_reg] != imm ? (size_t)i->off : 0;
			continue;
		case BPF_JMP32 | BPF_JEQ | BPF_K:
			pc += r[i->dst_reg] == imm ? (size_t)i->off : 0;
			continue;
		case BPF_JMP | BPF_EXIT:
			assert_true(set[0]);
			return (int)r[0];
		default:
			fail_msg("instruction %02x", i->code);
		}
		set[i->dst_reg] = true;
	}
	fail_msg("ran off the end");
	return -1;
}

/* --- v1's own matching (admin-guide/cgroup-v1/devices.rst): in "deny" one exception must cover
 * all that is wanted; in "allow" one that touches it denies --- */

static bool v1_answer(const struct cg_dev_v1 *v, const struct ask *q)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct cg_dev *x = &v->items[i];
		if (!names(x, q))
			continue;
		if (v->allow_all ? (x->access & q->access) != 0 : (q->access & ~x->access) == 0)
			return !v->allow_all;
	}
	return v->allow_all;
}

/* --- the comparisons --- */

typedef void (*visit)(void *arg, const struct ask *q);

static void every_ask(visit fn, void *arg)
{
	for (size_t i = 0; i < N_NUMBERS * N_NUMBERS; i++)
		for (unsigned k = 0; k < 14; k++) {
			struct ask q = {k % 2 ? 'b' : 'c', k / 2 + 1, numbers[i / N_NUMBERS],
					numbers[i % N_NUMBERS]};
			if (q.major < 1 << 12)
				fn(arg, &q);
		}
}

struct subject {
	struct cg_dev *rules;
	size_t n, set;
	struct bpf_insn *code;
	size_t len;
	struct cg_dev_v1 v1;
};

static void compare_bpf(void *arg, const struct ask *q)
{
	const struct subject *s = arg;

	if (interpret(s->code, s->len, q) != expected(s->rules, s->n, q))
		fail_msg("set %zu: %c %u:%u access %u", s->set, q->type, q->major, q->minor,
			 q->access);
}

static void compare_v1(void *arg, const struct ask *q)
{
	const struct subject *s = arg;

	/* v1 asks for each access of an open together and mknod by itself. */
	if ((q->access & CG_DEV_M) && q->access != CG_DEV_M)
		return;
	if (v1_answer(&s->v1, q) != expected(s->rules, s->n, q))
		fail_msg("set %zu: %c %u:%u access %u", s->set, q->type, q->major, q->minor,
			 q->access);
}

static void prepare(struct arena *a, struct subject *s, struct spec_resources *r,
		    struct spec_device_rule *room, size_t i)
{
	struct cg_ask ask = {.r = r, .prefix = ""};
	struct err e = {0};

	s->set = i;
	load_set(r, room, i);
	assert_int_equal(cg_dev_rules(a, &ask, &s->rules, &s->n, &e), 0);
}

static void programs(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_SETS; i++) {
		auto_arena a = {0};
		struct subject s = {0};
		struct spec_resources r = {0};
		struct spec_device_rule room[MAX_RULES];
		struct err e = {0};
		prepare(&a, &s, &r, room, i);
		assert_int_equal(cg_bpf_build(&a, s.rules, s.n, &s.code, &s.len, &e), 0);
		every_ask(compare_bpf, &s);
	}
}

static void on_v1(void **state)
{
	(void)state;
	size_t refused = 0;

	for (size_t i = 0; i < N_SETS; i++) {
		auto_arena a = {0};
		struct subject s = {0};
		struct spec_resources r = {0};
		struct spec_device_rule room[MAX_RULES];
		struct cg_ask ask = {.r = &r, .prefix = ""};
		struct err e = {0};
		prepare(&a, &s, &r, room, i);
		if (cg_dev_for_v1(&a, &ask, s.rules, s.n, &s.v1, &e) < 0) {
			assert_int_equal(e.kind, ERR_UNSUPPORTED);
			refused++;
			continue;
		}
		every_ask(compare_v1, &s);
	}
	assert_in_range(refused, 1, N_SETS / 2);
}

static void defaults_always(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct subject s = {0};
	struct spec_resources r = {0};
	struct spec_device_rule deny[] = {{false, "c", "rwm", NUM(1), NUM(3)}};
	struct cg_ask ask = {.r = &r, .prefix = ""};
	struct err e = {0};

	r.devices.items = deny;
	r.devices.n = 1;
	assert_int_equal(cg_dev_rules(&a, &ask, &s.rules, &s.n, &e), 0);
	assert_int_equal(cg_bpf_build(&a, s.rules, s.n, &s.code, &s.len, &e), 0);
	assert_int_equal(interpret(s.code, s.len, &(struct ask){'c', CG_DEV_R | CG_DEV_W, 1, 3}),
			 1);
	assert_int_equal(interpret(s.code, s.len, &(struct ask){'c', CG_DEV_R, 136, 7}), 1);
	assert_int_equal(interpret(s.code, s.len, &(struct ask){'b', CG_DEV_M, 8, 0}), 1);
	assert_int_equal(interpret(s.code, s.len, &(struct ask){'b', CG_DEV_R, 8, 0}), 0);
	assert_int_equal(interpret(s.code, s.len, &(struct ask){'c', 0, 9, 9}), 1);
}

/* The verifier refuses what can't be reached: after a rule for everything nothing may stand. */
static void nothing_unreachable(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct cg_dev rules[] = {{true, 'c', 1, 3, CG_DEV_ALL},
				 {false, 'a', CG_DEV_ANY, CG_DEV_ANY, CG_DEV_ALL},
				 {true, 'c', 1, 5, CG_DEV_R}};
	struct bpf_insn *code;
	size_t n;
	struct err e = {0};

	assert_int_equal(cg_bpf_build(&a, rules, 2, &code, &n, &e), 0);
	assert_int_equal(code[n - 1].code, BPF_JMP | BPF_EXIT);
	assert_int_equal(n, 12 + 2);
	assert_int_equal(cg_bpf_build(&a, rules, 0, &code, &n, &e), 0);
	assert_int_equal(n, 12 + 2);
	assert_int_equal(interpret(code, n, &(struct ask){'c', CG_DEV_R, 1, 5}), 0);
}

static void bad_rules(void **state)
{
	(void)state;
	struct spec_device_rule bad[] = {{true, "x", NULL, ANY, ANY},
					 {true, "cc", NULL, ANY, ANY},
					 {true, "c", "rwx", ANY, ANY},
					 {true, "c", "rw", NUM(-2), ANY},
					 {true, "c", "rw", ANY, NUM(4294967296)}};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_arena a = {0};
		struct spec_resources r = {0};
		struct cg_ask ask = {.r = &r, .prefix = "/linux/resources"};
		struct cg_dev *rules = NULL;
		size_t n = 0;
		struct err e = {0};
		r.devices.items = &bad[i];
		r.devices.n = 1;
		assert_int_equal(cg_dev_rules(&a, &ask, &rules, &n, &e), -EINVAL);
		assert_string_equal(e.where, "/linux/resources/devices/0");
		assert_null(rules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs),        cmocka_unit_test(on_v1),
		cmocka_unit_test(defaults_always), cmocka_unit_test(nothing_unreachable),
		cmocka_unit_test(bad_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
