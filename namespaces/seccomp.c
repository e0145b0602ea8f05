/* namespaces/seccomp.c: linux.seccomp → a BPF program, by libseccomp (seccomp(2)).
 *
 * Invariants
 *  1. Compiled by the runtime's process, before the child exists; the child only loads bytes.
 *  2. A system call name that libseccomp doesn't know can't be called by that name either: it is
 *     skipped, as the spec's default action covers it.
 *  3. Only architectures that this kernel can run are compiled in: each costs compile time. The
 *     native one always is: without it the program itself could make no call.
 *  4. Where the default is an errno, a call newer than libseccomp, which no profile can name, fails
 *     with ENOSYS: C libraries then fall back to the older call, and take any other errno for the
 *     call's own.
 *  5. A filter that notifies hands its listener over by sendmsg and waits by recvmsg: neither may
 *     be notified itself, as nobody could answer yet.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct word {
	const char *word;
	uint32_t value;
};

static const struct word actions[] = {
	{"SCMP_ACT_KILL", SCMP_ACT_KILL},
	{"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
	{"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
	{"SCMP_ACT_ERRNO", SCMP_ACT_ERRNO(0)},
	{"SCMP_ACT_TRACE", SCMP_ACT_TRACE(0)},
	{"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
	{"SCMP_ACT_LOG", SCMP_ACT_LOG},
	{"SCMP_ACT_NOTIFY", SCMP_ACT_NOTIFY},
};

static const struct word operators[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE},
	{"SCMP_CMP_LT", SCMP_CMP_LT},
	{"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ},
	{"SCMP_CMP_GE", SCMP_CMP_GE},
	{"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

/* Those that a kernel of this machine runs (3). */
static const struct word archs[] = {
#if defined(__x86_64__)
	{"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
	{"SCMP_ARCH_X86", SCMP_ARCH_X86},
	{"SCMP_ARCH_X32", SCMP_ARCH_X32},
#elif defined(__aarch64__)
	{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},
	{"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
#elif defined(__riscv)
	{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
	{"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
#elif defined(__s390x__)
	{"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
	{"SCMP_ARCH_S390", SCMP_ARCH_S390},
#endif
};

static const struct word flags[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct word *find(const struct word *table, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(table[i].word, word))
			return &table[i];
	return NULL;
}

/* The action with its errno; the spec's default for ERRNO and TRACE is EPERM. */
static int action_value(const char *word, const struct opt_u64 *errno_ret, uint32_t *ret_value,
			const char *pointer, struct err *e)
{
	const struct word *w = find(actions, COUNT(actions), word);
	uint32_t code = errno_ret->set ? (uint32_t)errno_ret->v : EPERM;

	if (!w)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, pointer, "the action %s is unknown",
			       word);
	*ret_value = w->value;
	if (w->value == SCMP_ACT_ERRNO(0))
		*ret_value = SCMP_ACT_ERRNO(code);
	else if (w->value == SCMP_ACT_TRACE(0))
		*ret_value = SCMP_ACT_TRACE(code);
	return 0;
}

static int add_rule(scmp_filter_ctx ctx, const struct spec_syscall *s, uint32_t action, int nr,
		    struct err *e)
{
	struct scmp_arg_cmp cmp[6];
	bool doubled = false;
	unsigned seen = 0;
	int rc = 0;

	if (s->args.n > COUNT(cmp))
		return err_set(e, ERR_SPEC, EINVAL, "/linux/seccomp/syscalls",
			       "more than six argument conditions");
	for (size_t i = 0; i < s->args.n; i++) {
		const struct spec_seccomp_arg *a = &s->args.items[i];
		const struct word *op = find(operators, COUNT(operators), a->op);
		cmp[i] = (struct scmp_arg_cmp){a->index, (enum scmp_compare)op->value, a->value,
					       a->value_two};
		doubled = doubled || (seen >> a->index & 1);
		seen |= 1u << a->index;
	}
	/* libseccomp takes one condition an argument: several on one are alternatives, a rule each.
	 */
	if (doubled)
		for (size_t i = 0; i < s->args.n && rc == 0; i++)
			rc = seccomp_rule_add_array(ctx, action, nr, 1, &cmp[i]);
	else
		rc = seccomp_rule_add_array(ctx, action, nr, (unsigned)s->args.n, cmp);
	/* -EFAULT: the call doesn't exist on one of the architectures; -EEXIST: already so. */
	if (rc == 0 || rc == -EEXIST || rc == -EFAULT)
		return 0;
	return err_sys(e, -rc, "/linux/seccomp/syscalls", "adding a rule for system call %d", nr);
}

static int add_syscall(scmp_filter_ctx ctx, const struct spec_syscall *s, uint32_t dflt,
		       struct err *e)
{
	uint32_t action;
	int rc = action_value(s->action, &s->errno_ret, &action, "/linux/seccomp/syscalls", e);

	if (rc < 0 || action == dflt) /* the default does it already; libseccomp would refuse */
		return rc;
	for (size_t i = 0; i < s->names.n && rc == 0; i++) {
		int nr = seccomp_syscall_resolve_name(s->names.items[i]);
		if (nr != __NR_SCMP_ERROR)
			rc = add_rule(ctx, s, action, nr, e);
	}
	return rc;
}

static int add_archs(scmp_filter_ctx ctx, const struct spec_seccomp *s, struct err *e)
{
	for (size_t i = 0; i < s->architectures.n; i++) {
		const struct word *w = find(archs, COUNT(archs), s->architectures.items[i]);
		int rc = w ? seccomp_arch_add(ctx, w->value) : 0; /* (3) */
		if (rc < 0 && rc != -EEXIST)
			return err_sys(e, -rc, "/linux/seccomp/architectures", "adding %s",
				       w->word);
	}
	return 0;
}

#define X32_BIT 0x40000000u
#define NR_MAX 1023 /* no architecture of the table has more */

/* The last system call that libseccomp knows. */
static int last_known(uint32_t arch)
{
	for (int nr = NR_MAX; nr > 0; nr--) {
		char *name = seccomp_syscall_resolve_num_arch(arch, nr);
		free(name);
		if (name)
			return nr;
	}
	return NR_MAX;
}

/* (4) for one architecture; its jumps end behind it. libseccomp's word is the kernel's AUDIT_ARCH.
 */
static size_t put_newer(struct sock_filter *at, uint32_t arch)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)last_known(arch), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};

	memcpy(at, code, sizeof(code));
	return COUNT(code);
}

#define NEWER_MAX (COUNT(archs) * 6)

static size_t put_newer_all(struct sock_filter *at, scmp_filter_ctx ctx, uint32_t dflt)
{
	size_t n = 0;

	if ((dflt & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO || dflt == SCMP_ACT_ERRNO(ENOSYS))
		return 0;
	/* x32 shares the word of x86-64, and its calls are left to the filter. */
	for (size_t i = 0; i < COUNT(archs); i++)
		if (archs[i].value != SCMP_ARCH_X32 && seccomp_arch_exist(ctx, archs[i].value) == 0)
			n += put_newer(at + n, archs[i].value);
	return n;
}

/* The program's bytes, through a memory file: libseccomp writes to a descriptor. */
static int export(struct arena *a, scmp_filter_ctx ctx, uint32_t dflt, struct ns_filter *ret_filter,
		  struct err *e)
{
	auto_fd fd = memfd_create("seccomp", MFD_CLOEXEC);
	int rc = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	off_t len = rc < 0 ? 0 : lseek(fd, 0, SEEK_END);
	size_t n = len > 0 ? (size_t)len / sizeof(struct sock_filter) : 0;

	if (rc < 0)
		return err_sys(e, -rc, "/linux/seccomp", "compiling the filter");
	if (n == 0 || (size_t)len % sizeof(struct sock_filter) || n + NEWER_MAX > BPF_MAXINSNS)
		return err_set(e, ERR_SPEC, E2BIG, "/linux/seccomp",
			       "the filter has more than %d instructions", BPF_MAXINSNS);
	struct sock_filter *code = arena_array(a, n + NEWER_MAX, sizeof(*code));
	size_t before = code ? put_newer_all(code, ctx, dflt) : 0;
	if (!code || pread(fd, code + before, (size_t)len, 0) != len)
		return err_sys(e, ENOMEM, "/linux/seccomp", "keeping the filter");
	ret_filter->code = code;
	ret_filter->n = (unsigned short)(before + n);
	return 0;
}

static int compile(struct arena *a, const struct spec_seccomp *s, scmp_filter_ctx ctx,
		   uint32_t dflt, struct ns_filter *ret_filter, struct err *e)
{
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
	int rc = add_archs(ctx, s, e);
	for (size_t i = 0; i < s->syscalls.n && rc == 0; i++)
		rc = add_syscall(ctx, &s->syscalls.items[i], dflt, e);
	return rc < 0 ? rc : export(a, ctx, dflt, ret_filter, e);
}

static bool notifies(const struct spec_seccomp *s)
{
	for (size_t i = 0; i < s->syscalls.n; i++)
		if (str_eq(s->syscalls.items[i].action, "SCMP_ACT_NOTIFY"))
			return true;
	return false;
}

/* (5) */
static int accept_notified(const struct spec_syscall *c, size_t i, struct err *e)
{
	char at[96];

	if (!str_eq(c->action, "SCMP_ACT_NOTIFY"))
		return 0;
	for (size_t n = 0; n < c->names.n; n++) {
		const char *name = c->names.items[n];
		if (!str_eq(name, "sendmsg") && !str_eq(name, "recvmsg"))
			continue;
		snprintf(at, sizeof(at), "/linux/seccomp/syscalls/%zu/names/%zu", i, n);
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, at,
			       "%s can't be notified: it hands the listener over", name);
	}
	return 0;
}

/* libseccomp and the kernel know of more default actions than can work. */
static int accept_listener(const struct spec_seccomp *s, struct err *e)
{
	int rc = 0;

	if (str_eq(s->default_action, "SCMP_ACT_NOTIFY"))
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/linux/seccomp/defaultAction",
			       "SCMP_ACT_NOTIFY can't be the default: nobody could answer yet");
	if (notifies(s) && !(s->listener_path && s->listener_path[0]))
		return err_set(e, ERR_SPEC, EINVAL, "/linux/seccomp/listenerPath",
			       "SCMP_ACT_NOTIFY needs it: the socket of who answers");
	for (size_t i = 0; i < s->syscalls.n && rc == 0; i++)
		rc = accept_notified(&s->syscalls.items[i], i, e);
	return rc;
}

static int accept_names(const struct spec_seccomp *s, struct err *e)
{
	char at[96];

	for (size_t i = 0; s->fail_unknown && i < s->syscalls.n; i++) {
		const struct spec_strings *names = &s->syscalls.items[i].names;
		for (size_t k = 0; k < names->n; k++) {
			if (seccomp_syscall_resolve_name(names->items[k]) != __NR_SCMP_ERROR)
				continue;
			snprintf(at, sizeof(at), "/linux/seccomp/syscalls/%zu/names/%zu", i, k);
			return err_set(e, ERR_SPEC, EINVAL, at, "unknown system call %.64s",
				       names->items[k]);
		}
	}
	return 0;
}

int ns_filter_accept(const struct spec_seccomp *s, struct err *e)
{
	uint32_t value;
	char at[96];

	if (s->bpf_data) {
		auto_arena a = {0};
		struct ns_filter ignored;
		return ns_filter_raw(&a, s->bpf_data, &ignored, e);
	}
	int rc = action_value(s->default_action, &s->default_errno_ret, &value,
			      "/linux/seccomp/defaultAction", e);
	for (size_t i = 0; i < s->syscalls.n && rc == 0; i++) {
		const struct spec_syscall *c = &s->syscalls.items[i];
		snprintf(at, sizeof(at), "/linux/seccomp/syscalls/%zu/action", i);
		rc = action_value(c->action, &c->errno_ret, &value, at, e);
	}
	for (size_t i = 0; i < s->flags.n && rc == 0; i++) {
		snprintf(at, sizeof(at), "/linux/seccomp/flags/%zu", i);
		if (!find(flags, COUNT(flags), s->flags.items[i]))
			rc = err_set(e, ERR_UNSUPPORTED, ENOTSUP, at, "the flag %s is unknown",
				     s->flags.items[i]);
	}
	if (rc == 0)
		rc = accept_names(s, e);
	return rc < 0 ? rc : accept_listener(s, e);
}

/* The kernel takes WAIT_KILLABLE_RECV only with a listener, and TSYNC beside one only when what it
 * returns can't be mistaken for the listener. */
static void flags_of(const struct spec_seccomp *s, struct ns_filter *out)
{
	for (size_t i = 0; i < s->flags.n; i++)
		out->flags |= find(flags, COUNT(flags), s->flags.items[i])->value;
	out->notify = notifies(s);
	if (!out->notify)
		out->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	else if (out->flags & SECCOMP_FILTER_FLAG_TSYNC)
		out->flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
	if (out->notify)
		out->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

int ns_filter_compile(struct arena *a, const struct spec_seccomp *s, const char *cache_dir,
		      struct ns_filter *ret_filter, struct err *e)
{
	struct ns_filter out = {.set = true};
	uint32_t dflt = SCMP_ACT_KILL_PROCESS;
	int rc = ns_filter_accept(s, e);

	if (rc < 0)
		return rc;
	if (s->bpf_data)
		return ns_filter_raw(a, s->bpf_data, ret_filter, e);
	(void)action_value(s->default_action, &s->default_errno_ret, &dflt, "", e);
	flags_of(s, &out);
	if (ns_filter_cached(a, s, cache_dir, &out)) {
		*ret_filter = out;
		return 0;
	}
	scmp_filter_ctx ctx = seccomp_init(dflt);
	if (!ctx)
		return err_sys(e, ENOMEM, "/linux/seccomp", "compiling the filter");
	rc = compile(a, s, ctx, dflt, &out, e);
	seccomp_release(ctx);
	if (rc < 0)
		return rc;
	ns_filter_keep(s, cache_dir, &out);
	*ret_filter = out;
	return 0;
}

int ns_filter_load(const struct ns_filter *f, struct err *e)
{
	struct sock_fprog prog = {.len = f->n, .filter = (struct sock_filter *)(uintptr_t)f->code};

	if (!f->set)
		return 0;
	int fd = (int)sys_seccomp(SECCOMP_SET_MODE_FILTER, f->flags, &prog);
	if (fd < 0)
		return err_sys(e, errno, "/linux/seccomp", "loading the filter");
	return f->notify ? fd : 0;
}

/* What features and info say; made from the tables above. */
const char *const *ns_seccomp_words(const char *which)
{
	static const char *lists[4][16];
	static const struct {
		const char *name;
		const struct word *table;
		size_t n;
	} sets[] = {{"actions", actions, COUNT(actions)},
		    {"operators", operators, COUNT(operators)},
		    {"archs", archs, COUNT(archs)},
		    {"knownFlags", flags, COUNT(flags)}};

	if (str_eq(which, "supportedFlags"))
		which = "knownFlags";
	for (size_t s = 0; s < COUNT(sets); s++) {
		if (!str_eq(which, sets[s].name))
			continue;
		for (size_t i = 0; i < sets[s].n; i++)
			lists[s][i] = sets[s].table[i].word;
		return lists[s];
	}
	return lists[3] + 15; /* an empty list */
}
