/* tests/unit/test_user.c: HOME from a passwd file that somebody else wrote. */
#include "namespaces/process.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[64];
static int root_fd;

static void put(const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/etc/passwd", root);
	unlink(path);
	if (!text)
		return;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int setup(void **state)
{
	char etc[128];

	(void)state;
	snprintf(root, sizeof(root), "/tmp/rf-user-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(etc, sizeof(etc), "%s/etc", root);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return mkdir(etc, 0755) < 0 || root_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char etc[128];

	(void)state;
	put(NULL);
	close(root_fd);
	snprintf(etc, sizeof(etc), "%s/etc", root);
	return rmdir(etc) < 0 || rmdir(root) < 0 ? -1 : 0;
}

static void is(const char *text, uint32_t uid, const char *home)
{
	auto_arena a = {0};

	put(text);
	assert_string_equal(ns_user_home(&a, root_fd, uid), home);
}

static void found(void **state)
{
	(void)state;
	is("root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n", 1000, "/home/me");
	is("root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh", 0, "/root");
	is("a:x:5:5::/first:\nb:x:5:5::/second:\n", 5, "/first");
	is("me:x:1000:1000::/home/me", 1000, "/home/me");
	is("big:x:4294967294:0::/big:", 4294967294u, "/big");
}

static void not_found(void **state)
{
	(void)state;
	is(NULL, 0, "/");
	is("", 0, "/");
	is("root:x:0:0:root:/root:/bin/sh\n", 7, "/");
	is("root:x:10:0:root:/root:/bin/sh\n", 1, "/");
}

static void odd_lines(void **state)
{
	(void)state;
	is("::::::\n\n:\n#\nme:x:3:3::/me:\n", 3, "/me");
	is("me:x:3\n", 3, "/");
	is("me:x:3:3::relative:\n", 3, "/");
	is("me:x:3:3:::\n", 3, "/");
	is("me:x: 3:3::/blank:\nme:x:03:3::/zero:\nme:x:-3:3::/minus:\n", 3, "/");
}

static void a_link_stays_in_the_root(void **state)
{
	char path[128];

	(void)state;
	auto_arena a = {0};
	put(NULL);
	snprintf(path, sizeof(path), "%s/etc/passwd", root);
	/* The host's file has a root with a home; the container's root has no such file. */
	assert_int_equal(symlink("../../../../../../etc/group-none", path), 0);
	assert_string_equal(ns_user_home(&a, root_fd, 0), "/");
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0); /* itself */
	assert_string_equal(ns_user_home(&a, root_fd, 0), "/");
}

static void a_fifo_doesnt_hold_us_up(void **state)
{
	char path[128];

	(void)state;
	auto_arena a = {0};
	put(NULL);
	snprintf(path, sizeof(path), "%s/etc/passwd", root);
	assert_int_equal(mkfifo(path, 0644), 0);
	alarm(5);
	assert_string_equal(ns_user_home(&a, root_fd, 0), "/");
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found),
		cmocka_unit_test(not_found),
		cmocka_unit_test(odd_lines),
		cmocka_unit_test(a_link_stays_in_the_root),
		cmocka_unit_test(a_fifo_doesnt_hold_us_up),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
