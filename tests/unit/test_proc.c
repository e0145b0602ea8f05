/* tests/unit/test_proc.c: processes by start time, and writes beneath a procfs descriptor. */
#include "common/proc.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct err e;

static void private_procfs(void **state)
{
	struct statfs fs;
	uint64_t here = 0, there = 0;

	(void)state;
	auto_fd proc = proc_open(&e);
	assert_true(proc >= 0 && (fcntl(proc, F_GETFD) & FD_CLOEXEC));
	assert_int_equal(fstatfs(proc, &fs), 0);
	assert_int_equal(fs.f_type, PROC_SUPER_MAGIC);
	assert_int_equal(proc_start_time(proc, getpid(), &there, &e), 0);
	assert_int_equal(proc_start_time(-1, getpid(), &here, &e), 0);
	assert_true(here > 0 && here == there);
}

/* Processes, and nothing that could be read or set of the machine. */
static void bare_procfs(void **state)
{
	static const char *const gone[] = {"sys", "sys/kernel/core_pattern", "kcore", "mounts"};
	auto_fd proc = proc_open_bare(&e), own = -1;

	(void)state;
	if (geteuid() != 0)
		skip(); /* who may not mount gets the machine's */
	own = openat(proc, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(own >= 0);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_int_equal(faccessat(proc, gone[i], F_OK, 0), -1);
	assert_int_equal(openat(proc, "self/comm", O_WRONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EROFS);
}

/* The name is the program's own choice: it mustn't move the fields behind it. */
static void hostile_names(void **state)
{
	static const char *const names[] = {"a b c", ") Z 1 2 3", "))))", "x) R (y", "(", "", "\n"};
	uint64_t want, ticks;
	char was[16], letter;

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, was), 0);
	assert_int_equal(proc_start_time(-1, getpid(), &want, &e), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(prctl(PR_SET_NAME, names[i]), 0);
		letter = '?', ticks = 0;
		assert_int_equal(proc_stat(-1, getpid(), &letter, &ticks, &e), 0);
		assert_int_equal(letter, 'R');
		assert_int_equal(ticks, want);
	}
	prctl(PR_SET_NAME, was);
}

static void zombies_and_the_dead(void **state)
{
	siginfo_t info;
	uint64_t ticks = 77;
	char letter = '?';

	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_stat(-1, pid, &letter, &ticks, &e), 0);
	assert_int_equal(letter, 'Z');
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	letter = '?', ticks = 77;
	assert_int_equal(proc_stat(-1, pid, &letter, &ticks, &e), -ESRCH);
	assert_int_equal(proc_start_time(-1, -1, &ticks, &e), -ESRCH);
	assert_int_equal(letter, '?');
	assert_int_equal(ticks, 77);
}

static void writes(void **state)
{
	char name[16] = "";

	(void)state;
	auto_fd proc = proc_open(&e);
	assert_true(proc >= 0);
	assert_int_equal(proc_write(proc, "self/comm", "renamed", &e), 0);
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_string_equal(name, "renamed");
}

/* Out of the descriptor by "..", an absolute path or a link that jumps. */
static void stays_beneath(void **state)
{
	(void)state;
	auto_fd proc = proc_open(&e);
	assert_true(proc >= 0);
	assert_int_equal(proc_write(proc, "../dev/null", "x", &e), -EXDEV);
	assert_int_equal(proc_write(proc, "/dev/null", "x", &e), -EXDEV);
	assert_int_equal(proc_write(proc, "self/root/dev/null", "x", &e), -ELOOP);
	assert_int_equal(proc_write(proc, "self/fd/1", "x", &e), -ELOOP);
	assert_int_equal(proc_write(proc, "self/none", "x", &e), -ENOENT);
	assert_string_equal(e.text, "opening /proc/self/none: no such file or directory");
	assert_int_equal(proc_write(proc, "self/oom_score_adj", "4711\nx", &e), -EINVAL);
	assert_string_equal(e.text,
			    "writing \"4711\" to /proc/self/oom_score_adj: invalid argument");
}

/* KiB of the program's file and of others that are mapped now (proc(5), status). */
static long mapped_of_files(void)
{
	char text[4096] = "";
	auto_fd fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	long kib = -1;

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	const char *line = strstr(text, "RssFile:");
	assert_non_null(line);
	assert_int_equal(sscanf(line, "RssFile: %ld", &kib), 1);
	return kib;
}

static const char *const words[] = {"relocated", "when", "it", "was", "loaded"};
static int written = 1;

/* What the program wrote, itself or its linker, is there as before; the rest is read again. */
static void a_program_that_was_shed_goes_on(void **state)
{
	(void)state;
	written = 2;
	long before = mapped_of_files();
	proc_shed_program();
	long after = mapped_of_files();
	assert_true(after < before);
	assert_int_equal(written, 2);
	assert_string_equal(words[0], "relocated");
	auto_fd fd = proc_open(&e);
	assert_true(fd >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(private_procfs),
		cmocka_unit_test(bare_procfs),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(zombies_and_the_dead),
		cmocka_unit_test(writes),
		cmocka_unit_test(stays_beneath),
		cmocka_unit_test(a_program_that_was_shed_goes_on),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
