/* test_label.c: which file systems get linux.mountLabel. */
#include "namespaces/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LABEL "system_u:object_r:container_file_t:s0:c1,c2"

static void mount_labels(void **state)
{
	(void)state;
	const char *said[] = {"size=1m", "context=other"};
	struct ns_mount_opts none = {0}, own = {.fs = said, .n_fs = 2},
			     size = {.fs = said, .n_fs = 1};

	assert_string_equal(ns_label_mount(LABEL, "tmpfs", &none), LABEL);
	assert_string_equal(ns_label_mount(LABEL, "tmpfs", &size), LABEL);
	assert_null(ns_label_mount(LABEL, "tmpfs", &own));
	assert_null(ns_label_mount(LABEL, "proc", &none));
	assert_null(ns_label_mount(LABEL, "cgroup2", &none));
	assert_null(ns_label_mount("", "tmpfs", &none));
	assert_null(ns_label_mount(NULL, "tmpfs", &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(mount_labels)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
