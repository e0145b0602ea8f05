/* The default document: its bytes, and that it passes our own parser and check. */
#include "common/file.h"
#include "spec/profile.h"
#include "spec/spec.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void compare(const char *path, bool rootless)
{
	auto_strbuf b = {0};
	auto_str want = NULL;
	size_t len = 0;
	struct err e = {0};

	assert_int_equal(spec_write_default(&b, false, rootless, 0, 0), 0);
	if (file_read_at(AT_FDCWD, path, 1 << 20, &want, &len, &e) < 0)
		skip(); /* not run from the root of the tree */
	assert_string_equal(b.s, want);
}

static void test_bytes(void **state)
{
	(void)state;
	compare("tests/data/spec/default.json", false);
	compare("tests/data/spec/default-rootless.json", true);
}

static void test_valid(void **state)
{
	(void)state;
	for (int which = 0; which < 4; which++) {
		int rootless = which % 2;
		auto_arena a = {0};
		auto_strbuf b = {0};
		struct spec *s = NULL;
		struct err e = {0};

		assert_int_equal(spec_write_default(&b, which > 1, rootless, 1000, 1001), 0);
		assert_int_equal(spec_parse(&a, b.s, b.len, "c", &s, &e), 0);
		if (spec_check(s, &e) < 0)
			fail_msg("%s: %s", e.where, e.text);
		assert_int_equal(s->unknown.n, 0);
		assert_string_equal(s->oci_version, SPEC_VERSION);
		assert_int_equal(s->linux_.uid_mappings.n, rootless);
		if (rootless) {
			assert_int_equal(s->linux_.uid_mappings.items[0].host_id, 1000);
			assert_int_equal(s->linux_.gid_mappings.items[0].host_id, 1001);
		}
	}
}

/* The lists of the profile's filter don't contradict each other, and the document is what they say.
 */
static void test_filter(void **state)
{
	static const struct {
		const char *name;
		enum spec_call want;
	} calls[] = {{"read", SPEC_CALL_ALLOWED},      {"mq_getsetattr", SPEC_CALL_ALLOWED},
		     {"unshare", SPEC_CALL_REFUSED},   {"_sysctl", SPEC_CALL_REFUSED},
		     {"clone", SPEC_CALL_LIMITED},     {"socket", SPEC_CALL_LIMITED},
		     {"clone3", SPEC_CALL_UNNAMED},    {"rea", SPEC_CALL_UNNAMED},
		     {"readread", SPEC_CALL_UNNAMED},  {"", SPEC_CALL_UNNAMED},
		     {"mount_seta", SPEC_CALL_UNNAMED}};
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct spec *s = NULL;
	struct err e = {0};
	char word[32];
	size_t n_refused = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		assert_int_equal(spec_profile_call(calls[i].name), calls[i].want);
	while (spec_profile_refused(n_refused, word, sizeof(word))) {
		assert_int_equal(spec_profile_call(word), SPEC_CALL_REFUSED);
		n_refused++;
	}
	assert_int_equal(spec_write_default(&b, true, false, 0, 0), 0);
	assert_int_equal(spec_parse(&a, b.s, b.len, "c", &s, &e), 0);
	const struct spec_seccomp *f = &s->linux_.seccomp;
	assert_string_equal(f->default_action, "SCMP_ACT_ERRNO");
	assert_int_equal(f->syscalls.items[1].names.n, n_refused);
	for (size_t i = 0; i < f->syscalls.items[0].names.n; i++)
		assert_int_equal(spec_profile_call(f->syscalls.items[0].names.items[i]),
				 SPEC_CALL_ALLOWED);
	for (size_t i = 2; i < f->syscalls.n; i++)
		assert_int_equal(spec_profile_call(f->syscalls.items[i].names.items[0]),
				 SPEC_CALL_LIMITED);
	assert_true(f->syscalls.n > 2 && f->syscalls.items[0].names.n > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes),
					   cmocka_unit_test(test_valid),
					   cmocka_unit_test(test_filter)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
