/* tests/fuzz/fuzz_seccomp.c: the seccomp object to the kernel's program. Every program that comes
 * out is one that the kernel would take, and ends for whatever a process calls. */
#include "fuzz.h"

#include "namespaces/process.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

/* seccomp(2) and the kernel's bpf_check_classic: forward jumps within, aligned loads within the
 * data, a return at the end. */
static void check_program(const struct ns_filter *f)
{
	const struct sock_filter *code = f->code;

	FUZZ_CHECK(f->n > 0 && f->n <= BPF_MAXINSNS);
	for (unsigned i = 0; i < f->n; i++) {
		unsigned class = BPF_CLASS(code[i].code), left = f->n - i - 1;
		if (class == BPF_LD)
			FUZZ_CHECK(BPF_MODE(code[i].code) == BPF_ABS && code[i].k % 4 == 0 &&
				   code[i].k < sizeof(struct seccomp_data));
		else if (class == BPF_JMP && BPF_OP(code[i].code) == BPF_JA)
			FUZZ_CHECK(code[i].k < left);
		else if (class == BPF_JMP)
			FUZZ_CHECK(code[i].jt < left && code[i].jf < left);
		else if (class == BPF_ALU)
			FUZZ_CHECK(BPF_OP(code[i].code) == BPF_AND);
		else
			FUZZ_CHECK(class == BPF_RET);
	}
	FUZZ_CHECK(BPF_CLASS(code[f->n - 1].code) == BPF_RET);
}

static bool jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	default:
		return (a & i->k) != 0;
	}
}

/* A checked program's word on a call. */
static uint32_t run(const struct ns_filter *f, const struct seccomp_data *d)
{
	const struct sock_filter *code = f->code;
	uint32_t a = 0;

	for (unsigned pc = 0; pc < f->n; pc++) {
		const struct sock_filter *i = &code[pc];
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			memcpy(&a, (const char *)d + i->k, 4);
			break;
		case BPF_ALU:
			a &= i->k;
			break;
		case BPF_RET:
			return i->k;
		default:
			pc += BPF_OP(i->code) == BPF_JA ? i->k : jumps(i, a) ? i->jt : i->jf;
		}
	}
	FUZZ_CHECK(!"the program ends");
	return 0;
}

/* A call under a convention that isn't in the filter's list is never simply allowed by the rules of
 * another. */
static void ask(const struct ns_filter *f)
{
	for (int nr = -1; nr < 460; nr++) {
		struct seccomp_data d = {.nr = nr, .arch = AUDIT_ARCH_X86_64};
		(void)run(f, &d);
		d.arch = AUDIT_ARCH_I386;
		d.args[0] = d.args[1] = UINT64_MAX;
		(void)run(f, &d);
		d.arch = AUDIT_ARCH_S390;
		FUZZ_CHECK((run(f, &d) & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ALLOW);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct ns_filter f = {0};
	struct err e = {0};
	struct spec *s;

	if (size && data[0] == 'R') {
		char *text = fuzz_text(data + 1, size - 1);
		int rc = ns_filter_raw(&a, text, &f, &e);
		FUZZ_CHECK(rc == 0 ? f.set && f.n > 0 : e.code == -rc);
		free(text);
		return 0;
	}
	strbuf_puts(&b,
		    "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"linux\":{\"seccomp\":");
	strbuf_add(&b, data, size);
	strbuf_puts(&b, "}}");
	int rc = spec_parse(&a, b.s, b.len, "config.json", &s, &e);
	if (rc == 0)
		rc = spec_check(s, &e);
	if (rc == 0 && s->linux_.seccomp.set)
		rc = ns_filter_compile(&a, &s->linux_.seccomp, NULL, &f, &e);
	if (rc < 0)
		FUZZ_CHECK(e.code == -rc && e.text[0]);
	if (rc == 0 && f.set && !s->linux_.seccomp.bpf_data) {
		check_program(&f);
		ask(&f);
	}
	return 0;
}
