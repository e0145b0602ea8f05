/* tests/unit/test_seccomp.c: linux.seccomp → BPF, checked by interpreting the program, and by
 * loading it in a child (no_new_privs: needs no root). */
#include "namespaces/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LIST(...)                                                              \
	{                                                                      \
		(const char *[]){__VA_ARGS__},                                 \
			sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) \
	}
#define NATIVE seccomp_arch_native()

static bool jumps(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k;
	case BPF_JGT:
		return a > f->k;
	case BPF_JGE:
		return a >= f->k;
	default:
		return (a & f->k) != 0;
	}
}

/* The part of classic BPF that seccomp(2) programs are made of. */
static uint32_t interpret(const struct ns_filter *f, const struct seccomp_data *d)
{
	const struct sock_filter *code = f->code;
	uint32_t a = 0;

	for (unsigned pc = 0; pc < f->n; pc++) {
		const struct sock_filter *i = &code[pc];
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			assert_true(i->k + 4 <= sizeof(*d) && i->k % 4 == 0);
			memcpy(&a, (const char *)d + i->k, 4);
			break;
		case BPF_JMP:
			pc += BPF_OP(i->code) == BPF_JA ? i->k : jumps(i, a) ? i->jt : i->jf;
			break;
		case BPF_ALU:
			assert_int_equal(BPF_OP(i->code), BPF_AND);
			a &= i->k;
			break;
		case BPF_RET:
			return i->k;
		default:
			fail_msg("instruction %x", i->code);
		}
	}
	fail_msg("no end");
	return 0;
}

static uint32_t verdict(const struct ns_filter *f, uint32_t arch, int nr, uint64_t arg0,
			uint64_t arg1)
{
	struct seccomp_data d = {.nr = nr, .arch = arch, .args = {arg0, arg1}};

	return interpret(f, &d);
}

static struct ns_filter compile(struct arena *a, const struct spec_seccomp *s, const char *cache)
{
	struct ns_filter f = {0};
	struct err e = {0};
	int rc = ns_filter_compile(a, s, cache, &f, &e);

	if (rc < 0)
		fail_msg("%s: %s", e.where, e.text);
	assert_true(f.set && f.n > 0);
	return f;
}

static struct spec_seccomp allow_all_but(struct spec_syscall *rules, size_t n)
{
	return (struct spec_seccomp){
		.set = true, .default_action = "SCMP_ACT_ALLOW", .syscalls = {rules, n}};
}

static void actions_and_errnos(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_syscall rules[] = {
		{.names = LIST("mkdir", "no_such_call"),
		 .action = "SCMP_ACT_ERRNO",
		 .errno_ret = {true, 28}},
		{.names = LIST("rmdir"), .action = "SCMP_ACT_ERRNO"},
		{.names = LIST("chroot"), .action = "SCMP_ACT_KILL_PROCESS"},
		{.names = LIST("acct"), .action = "SCMP_ACT_TRAP"},
		{.names = LIST("swapon"), .action = "SCMP_ACT_LOG"},
		{.names = LIST("swapoff"), .action = "SCMP_ACT_TRACE", .errno_ret = {true, 7}},
	};
	struct spec_seccomp s = allow_all_but(rules, 6);
	struct ns_filter f = compile(&a, &s, NULL);

	assert_int_equal(verdict(&f, NATIVE, SYS_mkdir, 0, 0), SECCOMP_RET_ERRNO | 28);
	assert_int_equal(verdict(&f, NATIVE, SYS_rmdir, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(verdict(&f, NATIVE, SYS_chroot, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(verdict(&f, NATIVE, SYS_acct, 0, 0), SECCOMP_RET_TRAP);
	assert_int_equal(verdict(&f, NATIVE, SYS_swapon, 0, 0), SECCOMP_RET_LOG);
	assert_int_equal(verdict(&f, NATIVE, SYS_swapoff, 0, 0), SECCOMP_RET_TRACE | 7);
	assert_int_equal(verdict(&f, NATIVE, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(&f, NATIVE, 900, 0, 0), SECCOMP_RET_ALLOW);
}

static void newer_calls_dont_exist(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_syscall rules[] = {
		{.names = LIST("read", "write"), .action = "SCMP_ACT_ALLOW"}};
	struct spec_seccomp s = {.set = true,
				 .default_action = "SCMP_ACT_ERRNO",
				 .default_errno_ret = {true, EACCES},
				 .syscalls = {rules, 1}};
	struct ns_filter f = compile(&a, &s, NULL);

	assert_int_equal(verdict(&f, NATIVE, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(&f, NATIVE, SYS_openat, 0, 0), SECCOMP_RET_ERRNO | EACCES);
	assert_int_equal(verdict(&f, NATIVE, SYS_faccessat2, 0, 0), SECCOMP_RET_ERRNO | EACCES);
	assert_int_equal(verdict(&f, NATIVE, 1000, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	/* A default that kills stays one. */
	s.default_action = "SCMP_ACT_KILL_PROCESS";
	s.default_errno_ret.set = false;
	f = compile(&a, &s, NULL);
	assert_int_equal(verdict(&f, NATIVE, 1000, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

/* One condition on the first argument of kill(2). */
static uint32_t with(const char *op, uint64_t value, uint64_t two, uint64_t arg)
{
	auto_arena a = {0};
	struct spec_seccomp_arg cond = {.index = 0, .value = value, .value_two = two, .op = op};
	struct spec_syscall rule = {
		.names = LIST("kill"), .action = "SCMP_ACT_ERRNO", .args = {&cond, 1}};
	struct spec_seccomp s = allow_all_but(&rule, 1);
	struct ns_filter f = compile(&a, &s, NULL);

	return verdict(&f, NATIVE, SYS_kill, arg, 0);
}

static void conditions(void **state)
{
	(void)state;
	static const struct {
		const char *op;
		bool below, equal, above;
	} ops[] = {{"SCMP_CMP_NE", true, false, true}, {"SCMP_CMP_LT", true, false, false},
		   {"SCMP_CMP_LE", true, true, false}, {"SCMP_CMP_EQ", false, true, false},
		   {"SCMP_CMP_GE", false, true, true}, {"SCMP_CMP_GT", false, false, true}};
	static const uint64_t values[] = {10, 0x100000000u, 0xffffffff00000001u};

	for (size_t v = 0; v < 3; v++)
		for (size_t i = 0; i < 6; i++) {
			bool hits[] = {ops[i].below, ops[i].equal, ops[i].above};
			for (int d = 0; d < 3; d++)
				assert_int_equal(
					with(ops[i].op, values[v], 0, values[v] + (uint64_t)d - 1),
					hits[d] ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW);
		}
	assert_int_equal(with("SCMP_CMP_MASKED_EQ", 0xf0, 0x10, 0xabc01f),
			 SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(with("SCMP_CMP_MASKED_EQ", 0xf0, 0x10, 0xabc02f), SECCOMP_RET_ALLOW);
}

static void several_conditions(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_seccomp_arg both[] = {{0, 1, 0, "SCMP_CMP_EQ"}, {1, 2, 0, "SCMP_CMP_EQ"}};
	struct spec_seccomp_arg either[] = {{0, 1, 0, "SCMP_CMP_EQ"}, {0, 2, 0, "SCMP_CMP_EQ"}};
	struct spec_syscall rules[] = {
		{.names = LIST("kill"), .action = "SCMP_ACT_ERRNO", .args = {both, 2}},
		{.names = LIST("dup2"), .action = "SCMP_ACT_ERRNO", .args = {either, 2}}};
	struct spec_seccomp s = allow_all_but(rules, 2);
	struct ns_filter f = compile(&a, &s, NULL);

	assert_int_equal(verdict(&f, NATIVE, SYS_kill, 1, 2), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(verdict(&f, NATIVE, SYS_kill, 1, 3), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(&f, NATIVE, SYS_dup2, 1, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(verdict(&f, NATIVE, SYS_dup2, 2, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(verdict(&f, NATIVE, SYS_dup2, 3, 0), SECCOMP_RET_ALLOW);
}

static void architectures(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_syscall rules[] = {{.names = LIST("mkdir"), .action = "SCMP_ACT_ERRNO"}};
	struct spec_seccomp s = allow_all_but(rules, 1);
	struct ns_filter f = compile(&a, &s, NULL);

	/* One that isn't listed can't be called at all. */
	assert_true(verdict(&f, SCMP_ARCH_S390X, 39, 0, 0) == SECCOMP_RET_KILL_THREAD ||
		    verdict(&f, SCMP_ARCH_S390X, 39, 0, 0) == SECCOMP_RET_KILL_PROCESS);
	/* Of another machine: passed over, the native one stays. */
	s.architectures = (struct spec_strings)LIST("SCMP_ARCH_S390X");
	f = compile(&a, &s, NULL);
	assert_int_equal(verdict(&f, NATIVE, SYS_mkdir, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(verdict(&f, NATIVE, SYS_read, 0, 0), SECCOMP_RET_ALLOW);
#ifdef __x86_64__
	s.architectures =
		(struct spec_strings)LIST("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
	s.default_action = "SCMP_ACT_ERRNO";
	rules[0].action = "SCMP_ACT_ALLOW";
	f = compile(&a, &s, NULL);
	assert_int_equal(verdict(&f, SCMP_ARCH_X86, 39, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(&f, SCMP_ARCH_X86, 83, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	assert_int_equal(verdict(&f, SCMP_ARCH_X86, 1000, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	assert_int_equal(verdict(&f, SCMP_ARCH_X86_64, 0x40000000 + SYS_mkdir, 0, 0),
			 SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(&f, SCMP_ARCH_X86_64, 0x40000000 + SYS_rmdir, 0, 0),
			 SECCOMP_RET_ERRNO | EPERM);
#endif
}

static void refused(const struct spec_seccomp *s, const char *where)
{
	auto_arena a = {0};
	struct ns_filter f = {.n = 77};
	struct err e = {0};

	assert_true(ns_filter_compile(&a, s, NULL, &f, &e) < 0);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	assert_string_equal(e.where, where);
	assert_int_equal(f.n, 77);
}

static void refusals(void **state)
{
	(void)state;
	struct spec_syscall rules[] = {{.names = LIST("mkdir"), .action = "SCMP_ACT_ERRNO"},
				       {.names = LIST("rmdir"), .action = "SCMP_ACT_NOTIFY"}};
	struct spec_seccomp s = allow_all_but(rules, 2);

	rules[1].names = (struct spec_strings)LIST("rmdir", "sendmsg");
	s.listener_path = "/run/x";
	refused(&s, "/linux/seccomp/syscalls/1/names/1");
	rules[1].action = "SCMP_ACT_NONE";
	refused(&s, "/linux/seccomp/syscalls/1/action");
	s.default_action = "SCMP_ACT_NOTIFY";
	refused(&s, "/linux/seccomp/syscalls/1/action");
	s.syscalls.n = 1;
	refused(&s, "/linux/seccomp/defaultAction");
	s.default_action = "SCMP_ACT_ALLOW";
	s.flags = (struct spec_strings)LIST("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_NONE");
	refused(&s, "/linux/seccomp/flags/1");
}

static void notify_flags(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_syscall rules[] = {{.names = LIST("rmdir"), .action = "SCMP_ACT_NOTIFY"}};
	struct spec_seccomp s = allow_all_but(rules, 1);

	s.flags = (struct spec_strings)LIST("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
	s.listener_path = "/run/x";
	struct ns_filter f = compile(&a, &s, NULL);
	assert_true(f.notify);
	assert_int_equal(f.flags,
			 SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
}

static void flags(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_seccomp s = allow_all_but(NULL, 0);

	s.flags = (struct spec_strings)LIST("SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
					    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
					    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
	assert_int_equal(compile(&a, &s, NULL).flags, SECCOMP_FILTER_FLAG_TSYNC |
							      SECCOMP_FILTER_FLAG_LOG |
							      SECCOMP_FILTER_FLAG_SPEC_ALLOW);
}

static void loaded_by_a_child(void **state)
{
	(void)state;
	auto_arena a = {0};
	struct spec_syscall rules[] = {
		{.names = LIST("getppid"), .action = "SCMP_ACT_ERRNO", .errno_ret = {true, 28}}};
	struct spec_seccomp s = allow_all_but(rules, 1);
	struct ns_filter f = compile(&a, &s, NULL);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = {0};
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ns_filter_load(&f, &e) < 0)
			_exit(1);
		_exit(syscall(SYS_getppid) < 0 && errno == 28 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int cached(const char *dir, char *path, size_t size)
{
	char command[300];

	snprintf(command, sizeof(command), "ls %s/seccomp-* 2>/dev/null", dir);
	FILE *p = popen(command, "re");
	int n = 0;
	char line[256];

	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, size, "%s", line);
		n++;
	}
	pclose(p);
	return n;
}

/* Changes one byte of a file. */
static void spoil(const char *path, off_t at)
{
	char c;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c = (char)(c + 1);
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

static void cache(void **state)
{
	(void)state;
	auto_arena a = {0};
	char dir[] = "/tmp/rf-seccomp-XXXXXX", sub[64], path[256] = "";
	struct spec_syscall rules[] = {
		{.names = LIST("mkdir"), .action = "SCMP_ACT_ERRNO", .errno_ret = {true, 28}}};
	struct spec_seccomp s = allow_all_but(rules, 1);
	struct ns_filter again = {0};
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/c", dir);
	assert_false(ns_filter_cached(&a, &s, sub, &again));
	struct ns_filter f = compile(&a, &s, sub);
	assert_int_equal(cached(sub, path, sizeof(path)), 1);
	assert_true(stat(sub, &st) == 0 && (st.st_mode & 07777) == 0700);
	assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	assert_true(ns_filter_cached(&a, &s, sub, &again));
	assert_int_equal(again.n, f.n);
	assert_memory_equal(again.code, f.code, f.n * sizeof(struct sock_filter));
	/* Another filter has another file. */
	rules[0].errno_ret.v = 17;
	assert_false(ns_filter_cached(&a, &s, sub, &again));
	rules[0].errno_ret.v = 28;
	/* Not ours alone: not believed. */
	assert_int_equal(chmod(path, 0644), 0);
	assert_false(ns_filter_cached(&a, &s, sub, &again));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(sub, 0777), 0);
	assert_false(ns_filter_cached(&a, &s, sub, &again));
	assert_int_equal(chmod(sub, 0700), 0);
	assert_true(ns_filter_cached(&a, &s, sub, &again));
	/* Another key, or a file cut short. */
	spoil(path, 0);
	assert_false(ns_filter_cached(&a, &s, sub, &again));
	compile(&a, &s, sub);
	assert_true(ns_filter_cached(&a, &s, sub, &again));
	assert_int_equal(truncate(path, st.st_size - 3), 0);
	assert_false(ns_filter_cached(&a, &s, sub, &again));
	assert_int_equal(truncate(path, 0), 0);
	assert_false(ns_filter_cached(&a, &s, sub, &again));
	unlink(path);
	rmdir(sub);
	rmdir(dir);
}

static void words(void **state)
{
	(void)state;
	static const char *const which[] = {"actions", "operators", "archs", "knownFlags",
					    "supportedFlags"};

	for (size_t i = 0; i < 5; i++)
		assert_non_null(ns_seccomp_words(which[i])[0]);
	assert_null(ns_seccomp_words("none")[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(actions_and_errnos),
		cmocka_unit_test(newer_calls_dont_exist),
		cmocka_unit_test(conditions),
		cmocka_unit_test(several_conditions),
		cmocka_unit_test(architectures),
		cmocka_unit_test(refusals),
		cmocka_unit_test(notify_flags),
		cmocka_unit_test(flags),
		cmocka_unit_test(loaded_by_a_child),
		cmocka_unit_test(cache),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
