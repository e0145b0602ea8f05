/* tests/unit/test_caps.c: capability names → sets, and what a process has afterwards. */
#include "namespaces/process.h"

#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define BIT(c) (UINT64_C(1) << (c))
#define LIST(...)                                                              \
	{                                                                      \
		(const char *[]){__VA_ARGS__},                                 \
			sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) \
	}

static void names(void **state)
{
	(void)state;
	struct spec_caps in = {.set = true,
			       .bounding = LIST("CAP_CHOWN", "CAP_KILL", "CAP_CHECKPOINT_RESTORE"),
			       .effective = LIST("CAP_CHOWN"),
			       .permitted = LIST("CAP_CHOWN", "CAP_CHOWN"),
			       .ambient = LIST("CAP_SYS_ADMIN")};
	struct ns_caps out;

	ns_caps_resolve(&in, &out);
	assert_int_equal(out.bounding,
			 BIT(CAP_CHOWN) | BIT(CAP_KILL) | BIT(CAP_CHECKPOINT_RESTORE));
	assert_int_equal(out.effective, BIT(CAP_CHOWN));
	assert_int_equal(out.permitted, BIT(CAP_CHOWN));
	assert_int_equal(out.inheritable, 0);
	assert_int_equal(out.ambient, BIT(CAP_SYS_ADMIN));
}

static void unknown_names_give_nothing(void **state)
{
	(void)state;
	struct spec_caps in = {.set = true, .effective = LIST("CAP_NONE_SUCH", "", "CAP_", "99")};
	struct ns_caps out;

	ns_caps_resolve(&in, &out);
	assert_int_equal(out.effective, 0);
}

static void absent_means_none(void **state)
{
	(void)state;
	struct spec_caps in = {0};
	struct ns_caps out;

	memset(&out, 0xff, sizeof(out));
	ns_caps_resolve(&in, &out);
	assert_int_equal(
		out.bounding | out.effective | out.permitted | out.inheritable | out.ambient, 0);
}

static void get(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		_exit(99);
	*effective = d[0].effective | (uint64_t)d[1].effective << 32;
	*permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	*inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
}

/* The five sets in a child; its exit code is the verdict. */
static int in_child(const struct ns_caps *asked, bool within_held)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err e = {0};
		uint64_t before, p, i, eff;
		get(&eff, &before, &i);
		if (ns_caps_apply(asked, &e) < 0)
			_exit(1);
		get(&eff, &p, &i);
		uint64_t want = within_held ? asked->permitted & before : asked->permitted;
		_exit(p == want && (eff & ~p) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void everybody_may_give_up_all(void **state)
{
	(void)state;
	struct ns_caps none = {0};

	assert_int_equal(in_child(&none, false), 0);
}

static void what_the_caller_lacks_is_left_out(void **state)
{
	(void)state;
	struct ns_caps all = {.effective = BIT(41) - 1, .permitted = BIT(41) - 1};

	assert_int_equal(in_child(&all, true), 0);
}

static void effective_beyond_permitted_is_an_error(void **state)
{
	(void)state;
	struct ns_caps odd = {.effective = BIT(CAP_KILL)};

	if (geteuid() != 0)
		skip();
	assert_int_equal(in_child(&odd, false), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(unknown_names_give_nothing),
		cmocka_unit_test(absent_means_none),
		cmocka_unit_test(everybody_may_give_up_all),
		cmocka_unit_test(what_the_caller_lacks_is_left_out),
		cmocka_unit_test(effective_beyond_permitted_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
