/* cgroups/device_bpf.c: device rules as a BPF program on a v2 group.
 *
 * The kernel asks the program (BPF_PROG_TYPE_CGROUP_DEVICE) with the device's type, numbers and
 * the accesses wanted, and takes 1 for yes. The last rule that names a device and an access
 * decides, so the rules are tested from the last to the first:
 *
 *   r2 = accesses still to be decided   r3 = type   r4 = major   r5 = minor   r6 = both numbers
 *   a matching "deny" that covers one of r2 ends with 0
 *   a matching "allow" takes its accesses out of r2; none left ends with 1
 *   whoever gets past the first rule was never allowed: 0
 *
 * Neighbours that say the same of all accesses to devices of one type, each by one comparison, make
 * a run: one test of the type, a comparison each, one verdict. The verifier walks every path, and
 * with a path for each rule its walk cost a tenth of a container's start.
 *
 * Invariants
 *  1. No instruction is unreachable (the verifier refuses such programs): after a rule that
 *     always decides nothing follows.
 *  2. Jumps stay within a run, which has at most MAX_RUN rules: 16-bit offsets suffice.
 *  3. The program is attached with BPF_F_ALLOW_MULTI: programs above the group keep their
 *     say, and a container may attach its own below.
 *  4. On update the new program replaces the old one in one step: there is no moment without.
 */
#include "cgroups/internal.h"
#include "common/fd.h"
#include "common/sys.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>

#define MAX_PER_RULE 9
#define MAX_HEAD 12
#define MAX_RUN 1000
#define MAX_TAIL 2
#define MAX_ATTACHED 64

/* The kernel's dev_t: 12 bits of major, 20 of minor (include/linux/kdev_t.h). */
#define MAJOR_BITS 12
#define MINOR_BITS 20

struct code {
	struct bpf_insn *insn;
	size_t n;
};

static void emit(struct code *c, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	c->insn[c->n++] = (struct bpf_insn){
		.code = op, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off, .imm = imm};
}

static void emit_load(struct code *c, uint8_t dst, size_t offset)
{
	emit(c, BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, (int16_t)offset, 0);
}

static void emit_return(struct code *c, int32_t value)
{
	emit(c, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void emit_head(struct code *c)
{
	emit_load(c, BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit_load(c, BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, major));
	emit_load(c, BPF_REG_5, offsetof(struct bpf_cgroup_dev_ctx, minor));
	emit(c, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0);
	emit(c, BPF_ALU | BPF_AND | BPF_K, BPF_REG_3, 0, 0, 0xffff);
	emit(c, BPF_ALU | BPF_RSH | BPF_K, BPF_REG_2, 0, 0, 16);
	emit(c, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_4, 0, 0);
	emit(c, BPF_ALU | BPF_LSH | BPF_K, BPF_REG_6, 0, 0, MINOR_BITS);
	emit(c, BPF_ALU | BPF_OR | BPF_X, BPF_REG_6, BPF_REG_5, 0, 0);
	/* Nothing wanted, nothing to deny. */
	emit(c, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_2, 0, 2, 0);
	emit_return(c, 1);
}

static unsigned bpf_access(unsigned access)
{
	return (access & CG_DEV_M ? BPF_DEVCG_ACC_MKNOD : 0u) |
	       (access & CG_DEV_R ? BPF_DEVCG_ACC_READ : 0u) |
	       (access & CG_DEV_W ? BPF_DEVCG_ACC_WRITE : 0u);
}

/* A test that goes on elsewhere, which is for emit_offsets to say, when the register differs. */
static void emit_test(struct code *c, uint8_t reg, int64_t value)
{
	emit(c, BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, 0, (int32_t)(uint32_t)value);
}

/* The jumps from `start` up to `end` lead to the end of the code so far. */
static void emit_offsets(struct code *c, size_t start, size_t end)
{
	for (size_t i = start; i < end; i++)
		c->insn[i].off = (int16_t)(c->n - i - 1);
}

static void emit_type_test(struct code *c, const struct cg_dev *d)
{
	if (d->type != 'a')
		emit_test(c, BPF_REG_3, d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
}

static void emit_verdict(struct code *c, const struct cg_dev *d)
{
	int32_t access = (int32_t)bpf_access(d->access);

	if (d->access == CG_DEV_ALL) {
		emit_return(c, d->allow);
	} else if (d->allow) {
		emit(c, BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, ~access & 7);
		emit(c, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_2, 0, 2, 0);
		emit_return(c, 1);
	} else {
		emit(c, BPF_ALU | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0);
		emit(c, BPF_ALU | BPF_AND | BPF_K, BPF_REG_1, 0, 0, access);
		emit(c, BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_1, 0, 2, 0);
		emit_return(c, 0);
	}
}

/* True when the rule decides always, so that nothing may follow. */
static bool emit_rule(struct code *c, const struct cg_dev *d)
{
	size_t start = c->n;

	emit_type_test(c, d);
	if (d->major != CG_DEV_ANY)
		emit_test(c, BPF_REG_4, d->major);
	if (d->minor != CG_DEV_ANY)
		emit_test(c, BPF_REG_5, d->minor);
	size_t tests = c->n;
	emit_verdict(c, d);
	emit_offsets(c, start, tests);
	return tests == start && d->access == CG_DEV_ALL;
}

/* The one comparison that names the rule's devices among those of its type; false where it takes
 * two or none. */
static bool one_test(const struct cg_dev *d, uint8_t *ret_reg, int64_t *ret_value)
{
	bool major = d->major != CG_DEV_ANY, minor = d->minor != CG_DEV_ANY;

	if (major && minor) {
		*ret_reg = BPF_REG_6;
		*ret_value = d->major << MINOR_BITS | d->minor;
		return d->major >> MAJOR_BITS == 0 && d->minor >> MINOR_BITS == 0;
	}
	*ret_reg = major ? BPF_REG_4 : BPF_REG_5;
	*ret_value = major ? d->major : d->minor;
	return major || minor;
}

/* How many of the rules, from the n-th down, make a run; 0 where the n-th can't be in one. */
static size_t run_length(const struct cg_dev *rules, size_t n)
{
	const struct cg_dev *first = &rules[n - 1];
	uint8_t reg;
	int64_t value;
	size_t len = 0;

	while (len < n && len < MAX_RUN) {
		const struct cg_dev *d = &rules[n - 1 - len];
		if (d->access != CG_DEV_ALL || d->type != first->type || d->allow != first->allow ||
		    !one_test(d, &reg, &value))
			break;
		len++;
	}
	return len;
}

/* All but the last comparison jump to the verdict, the last one passes it by. */
static void emit_run(struct code *c, const struct cg_dev *rules, size_t n, size_t len)
{
	size_t start = c->n;
	uint8_t reg = 0;
	int64_t value = 0;

	emit_type_test(c, &rules[n - 1]);
	size_t hits = c->n;
	for (size_t i = 1; i < len; i++) {
		(void)one_test(&rules[n - i], &reg, &value);
		emit(c, BPF_JMP32 | BPF_JEQ | BPF_K, reg, 0, (int16_t)(len - i),
		     (int32_t)(uint32_t)value);
	}
	(void)one_test(&rules[n - len], &reg, &value);
	size_t last = c->n;
	emit_test(c, reg, value);
	emit_return(c, rules[n - 1].allow);
	emit_offsets(c, start, hits);
	emit_offsets(c, last, last + 1);
}

int cg_bpf_build(struct arena *a, const struct cg_dev *rules, size_t n, struct bpf_insn **ret_code,
		 size_t *ret_len, struct err *e)
{
	struct code c = {0};

	if (n > 100000)
		return err_sys(e, E2BIG, "", "making the device program of %zu rules", n);
	c.insn = arena_array(a, MAX_HEAD + n * MAX_PER_RULE + MAX_TAIL, sizeof(*c.insn));
	if (!c.insn)
		return err_sys(e, ENOMEM, "", "making the device program");
	emit_head(&c);
	bool decided = false;
	for (size_t left = n; left > 0 && !decided;) {
		size_t len = run_length(rules, left);
		if (len > 0)
			emit_run(&c, rules, left, len);
		else if (rules[left - 1].access)
			decided = emit_rule(&c, &rules[left - 1]);
		left -= len > 0 ? len : 1;
	}
	if (!decided)
		emit_return(&c, 0);
	*ret_code = c.insn;
	*ret_len = c.n;
	return 0;
}

/* --- the kernel's side (bpf(2)) --- */

static int load(const struct bpf_insn *code, size_t n)
{
	union bpf_attr attr = {0};

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)code;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "Apache-2.0";
	strcpy(attr.prog_name, "ringfence_dev");
	int fd = sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

/* Ids of the programs that are attached to this very group. */
static int attached(int group_fd, uint32_t *ids, uint32_t *n)
{
	union bpf_attr attr = {0};

	attr.query.target_fd = (uint32_t)group_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
	attr.query.prog_cnt = *n;
	if (sys_bpf(BPF_PROG_QUERY, &attr, sizeof(attr)) < 0)
		return -errno;
	*n = attr.query.prog_cnt;
	return 0;
}

static int program_of(uint32_t id)
{
	union bpf_attr attr = {0};

	attr.prog_id = id;
	int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

static int attach(int group_fd, int prog, int replaced)
{
	union bpf_attr attr = {0};

	attr.target_fd = (uint32_t)group_fd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (replaced >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)replaced;
	}
	return sys_bpf(BPF_PROG_ATTACH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

static int detach(int group_fd, uint32_t id)
{
	union bpf_attr attr = {0};
	auto_fd prog = program_of(id);

	if (prog < 0)
		return prog == -ENOENT ? 0 : prog;
	attr.target_fd = (uint32_t)group_fd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	return sys_bpf(BPF_PROG_DETACH, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* One program there: replaced in one step. Several (another tool's): ours comes first, then the
 * old ones go, for all of them have to agree. */
static int put(int group_fd, int prog)
{
	uint32_t ids[MAX_ATTACHED], n = MAX_ATTACHED;

	int rc = attached(group_fd, ids, &n);
	if (rc < 0)
		return rc;
	if (n == 1) {
		auto_fd old = program_of(ids[0]);
		return old < 0 ? old : attach(group_fd, prog, old);
	}
	rc = attach(group_fd, prog, -1);
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = detach(group_fd, ids[i]);
	return rc;
}

int cg_bpf_apply(int group_fd, bool fresh, const struct bpf_insn *code, size_t n,
		 const char *pointer, struct err *e)
{
	auto_fd prog = load(code, n);

	if (prog < 0)
		return err_sys(e, -prog, pointer, "loading the device program");
	int rc = fresh ? attach(group_fd, prog, -1) : put(group_fd, prog);
	return rc < 0 ? err_sys(e, -rc, pointer, "attaching the device program") : 0;
}
