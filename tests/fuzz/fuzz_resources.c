/* tests/fuzz/fuzz_resources.c: a resources object to what is written where, on three sorts of host,
 * and to a device program that says what the rules say. The first byte: bit 0 update, bit 1
 * rootless, bit 2 pids.limit 0 counts. */
#include "fuzz.h"

#include "cgroups/internal.h"
#include "cgroups/unit.h"

#include <linux/bpf.h>

static struct cg_hierarchy v1_items[] = {{"/cg/cpu", ",cpu,cpuacct,", "/", false, -1},
					 {"/cg/memory", ",memory,", "/", false, -1},
					 {"/cg/cpuset", ",cpuset,", "/", false, -1},
					 {"/cg/pids", ",pids,", "/", false, -1},
					 {"/cg/blkio", ",blkio,", "/", false, -1},
					 {"/cg/hugetlb", ",hugetlb,", "/", false, -1},
					 {"/cg/devices", ",devices,", "/", false, -1},
					 {"/cg/net", ",net_cls,net_prio,", "/", false, -1}};
static struct cg_hierarchy v2_items[] = {
	{"/cg", ",cpuset,cpu,io,memory,hugetlb,pids,rdma,", "/", true, -1}};
static const struct cg_layout layouts[] = {
	{CG_V1, v1_items, 8}, {CG_V2, v2_items, 1}, {CG_NONE, NULL, 0}};

static void values(const struct cg_layout *l, const struct cg_ask *ask)
{
	auto_arena a = {0};
	struct cg_values v = {0};
	struct cg_props props = {0};
	struct err e = {0};
	int rc = cg_values_build(&a, l, ask, &v, &e);

	if (rc < 0) {
		fuzz_check_err(rc, &e);
		return;
	}
	for (size_t i = 0; i < v.n; i++) {
		const struct cg_value *x = &v.items[i];
		FUZZ_CHECK(x->hier < l->n && x->pointer && x->data && x->file);
		FUZZ_CHECK(x->file[0] && !strchr(x->file, '/') && strcmp(x->file, "..") != 0);
		FUZZ_CHECK(!x->alt_file || (!strchr(x->alt_file, '/') && x->alt_data));
		FUZZ_CHECK(cg_chain_len(&v, i) >= 1 && cg_chain_len(&v, i) <= v.n - i);
	}
	rc = cg_props_values(&a, l, &v, 252, &props, &e);
	FUZZ_CHECK(rc == 0 || e.code == -rc);
}

/* --- devices: the program against a plain reading of the rules --- */

struct device {
	char type;
	uint32_t major, minor;
	unsigned access;
};

static bool names(const struct cg_dev *d, const struct device *q)
{
	return (d->type == 'a' || d->type == q->type) &&
	       (d->major == CG_DEV_ANY || d->major == q->major) &&
	       (d->minor == CG_DEV_ANY || d->minor == q->minor);
}

/* v1's own matching (admin-guide/cgroup-v1/devices.rst): where all is denied one exception must
 * cover all that is wanted, where all is allowed one that touches it denies. */
static bool v1_answer(const struct cg_dev_v1 *v, const struct device *q)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct cg_dev *x = &v->items[i];
		if (names(x, q) &&
		    (v->allow_all ? (x->access & q->access) != 0 : (q->access & ~x->access) == 0))
			return !v->allow_all;
	}
	return v->allow_all;
}

static bool expected(const struct cg_dev *rules, size_t n, const struct device *q)
{
	for (unsigned bit = 1; bit <= 4; bit <<= 1) {
		bool allowed = false;
		for (size_t i = 0; i < n; i++)
			if ((rules[i].access & bit) && names(&rules[i], q))
				allowed = rules[i].allow;
		if ((q->access & bit) && !allowed)
			return false;
	}
	return true;
}

static uint32_t field(const struct device *q, int off)
{
	uint32_t access = (q->access & CG_DEV_M ? BPF_DEVCG_ACC_MKNOD : 0) |
			  (q->access & CG_DEV_R ? BPF_DEVCG_ACC_READ : 0) |
			  (q->access & CG_DEV_W ? BPF_DEVCG_ACC_WRITE : 0);

	if (off == offsetof(struct bpf_cgroup_dev_ctx, access_type))
		return access << 16 | (q->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	FUZZ_CHECK(off == offsetof(struct bpf_cgroup_dev_ctx, major) ||
		   off == offsetof(struct bpf_cgroup_dev_ctx, minor));
	return off == offsetof(struct bpf_cgroup_dev_ctx, major) ? q->major : q->minor;
}

static bool taken(const struct bpf_insn *i, uint32_t a, uint32_t b)
{
	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return true;
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	default:
		FUZZ_CHECK(BPF_OP(i->code) == BPF_JSET);
		return (a & b) != 0;
	}
}

/* 32-bit arithmetic: all that the program has. */
static bool run(const struct bpf_insn *code, size_t n, const struct device *q)
{
	uint32_t r[11] = {0};

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &code[pc];
		unsigned class = BPF_CLASS(i->code);
		uint32_t operand = BPF_SRC(i->code) == BPF_X ? r[i->src_reg] : (uint32_t)i->imm;

		FUZZ_CHECK(i->dst_reg < 10 && i->src_reg < 10 && i->off >= 0);
		if (i->code == (BPF_JMP | BPF_EXIT))
			return r[0];
		if (class == BPF_LDX)
			r[i->dst_reg] = field(q, i->off);
		else if ((class == BPF_ALU || class == BPF_ALU64) && BPF_OP(i->code) == BPF_MOV)
			r[i->dst_reg] = operand;
		else if (class == BPF_ALU && BPF_OP(i->code) == BPF_AND)
			r[i->dst_reg] &= operand;
		else if (class == BPF_ALU && BPF_OP(i->code) == BPF_OR)
			r[i->dst_reg] |= operand;
		else if (class == BPF_ALU && BPF_OP(i->code) == BPF_LSH)
			r[i->dst_reg] <<= operand & 31;
		else if (class == BPF_ALU && BPF_OP(i->code) == BPF_RSH)
			r[i->dst_reg] >>= operand & 31;
		else if (class == BPF_JMP || class == BPF_JMP32)
			pc += taken(i, r[i->dst_reg], operand) ? (size_t)i->off : 0;
		else
			FUZZ_CHECK(!"a known instruction");
	}
	FUZZ_CHECK(!"the program ends");
	return false;
}

/* Every device that a rule names, and some beside each. */
static void compare(const struct cg_dev *rules, size_t n, const struct bpf_insn *code, size_t len,
		    const struct cg_dev_v1 *v1)
{
	for (size_t i = 0; i < n && i < 32; i++)
		for (unsigned k = 0; k < 32; k++) {
			struct device q = {
				.type = k & 8 ? 'b' : 'c',
				.major = ((uint32_t)rules[i].major + (k & 1)) & 0xfff,
				.minor = ((uint32_t)rules[i].minor + (k >> 1 & 1)) & 0xfffff,
				.access = k & 16  ? CG_DEV_ALL
					  : k & 4 ? rules[i].access & CG_DEV_ALL
						  : CG_DEV_R,
			};
			bool want = expected(rules, n, &q);
			if (!q.access)
				continue;
			FUZZ_CHECK(!code || run(code, len, &q) == want);
			/* v1 is asked for each access of an open together, for mknod by itself. */
			if (v1 && (!(q.access & CG_DEV_M) || q.access == CG_DEV_M))
				FUZZ_CHECK(v1_answer(v1, &q) == want);
		}
}

static void devices(const struct cg_ask *ask)
{
	auto_arena a = {0};
	struct cg_dev *rules;
	struct cg_dev_v1 v1 = {0};
	struct cg_props props = {0};
	struct bpf_insn *code = NULL;
	struct err e = {0};
	size_t n, len = 0;
	int rc = cg_dev_rules(&a, ask, &rules, &n, &e);

	if (rc < 0) {
		fuzz_check_err(rc, &e);
		return;
	}
	rc = cg_bpf_build(&a, rules, n, &code, &len, &e);
	FUZZ_CHECK(rc == 0 || e.code == -rc);
	bool by_v1 = cg_dev_for_v1(&a, ask, rules, n, &v1, &e) == 0;
	compare(rules, n, rc == 0 ? code : NULL, len, by_v1 ? &v1 : NULL);
	if (by_v1)
		(void)cg_props_devices(&a, &v1, &props, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = {0};
	struct spec_resources *r;
	struct err e = {0};

	if (!size)
		return 0;
	char *text = fuzz_text(data + 1, size - 1);
	int rc = spec_parse_resources(&a, text, size - 1, "resources.json", &r, &e);
	free(text);
	if (rc == 0)
		rc = spec_check_resources(r, "", &e);
	if (rc < 0) {
		fuzz_check_err(rc, &e);
		return 0;
	}
	struct cg_ask ask = {.r = r,
			     .prefix = "",
			     .update = data[0] & 1,
			     .rootless = data[0] & 2,
			     .pids_zero = data[0] & 4};
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		values(&layouts[i], &ask);
	devices(&ask);
	return 0;
}
