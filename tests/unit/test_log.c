/* tests/unit/test_log.c: the two forms of the log, and the one line on standard error. */
#include "common/log.h"
#include "common/log_daemon.h"

#include "tests/unit/scratch.h"

#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define TIME "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"

static char dir[PATH_MAX], file[PATH_MAX + 8], errors[PATH_MAX + 8];
static int real_stderr = -1;
static struct err e;

static int group_setup(void **state)
{
	(void)state;
	if (scratch_make(dir) < 0)
		return -1;
	snprintf(file, sizeof(file), "%s/log", dir);
	snprintf(errors, sizeof(errors), "%s/stderr", dir);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	return scratch_remove(dir);
}

/* From here on standard error goes to a file … */
static int setup(void **state)
{
	(void)state;
	(void)unlink(file);
	int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	int rc = dup2(fd, STDERR_FILENO);
	close(fd);
	return rc < 0 ? -1 : 0;
}

/* … until a test is about to say what it thinks, or ends. */
static void stderr_back(void)
{
	if (real_stderr >= 0) {
		dup2(real_stderr, STDERR_FILENO);
		close(real_stderr);
		real_stderr = -1;
	}
}

static int teardown(void **state)
{
	(void)state;
	stderr_back();
	return log_open(NULL, false, LOG_LV_WARN, &e);
}

static void matches(const char *path, const char *pattern)
{
	char *text = scratch_slurp(path);
	regex_t re;

	stderr_back();
	assert_non_null(text);
	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" doesn't match \"%s\"", text, pattern);
	regfree(&re);
	free(text);
}

static void json_line(void **state)
{
	(void)state;
	assert_int_equal(log_open(file, true, LOG_LV_WARN, &e), 0);
	err_set(&e, ERR_SPEC, EINVAL, "/mounts/3", "is \"x\\y\",\n not \xff");
	log_err(&e);
	matches(file,
		"^\\{\"level\":\"error\",\"msg\":\"/mounts/3: is \\\\\"x\\\\\\\\y\\\\\",\\\\n "
		"not \\\\ufffd\",\"time\":\"" TIME "\"\\}\n$");
}

static void text_line(void **state)
{
	struct stat st;

	(void)state;
	umask(0);
	assert_int_equal(log_open(file, false, LOG_LV_WARN, &e), 0);
	log_msg(LOG_LV_WARN, "slow %s", "disk");
	matches(file, "^time=\"" TIME "\" level=warning msg=\"slow disk\"\n$");
	matches(errors, "^$"); /* a warning goes to the file alone */
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void error_on_stderr(void **state)
{
	(void)state;
	assert_int_equal(log_open(file, true, LOG_LV_ERROR, &e), 0);
	err_sys(&e, ENOENT, "/root/path", "opening");
	log_err(&e);
	matches(errors, "^ringfence: /root/path: opening: no such file or directory\n$");
}

/* A hostile name makes no second line and moves no cursor. */
static void stderr_is_one_plain_line(void **state)
{
	(void)state;
	assert_int_equal(log_open(NULL, false, LOG_LV_ERROR, &e), 0);
	err_set(&e, ERR_SPEC, EINVAL, "/a\nringfence: fake",
		"tab\tesc\x1b[2Jbell\x07 \xc3\xa4 \xc2\x9b"
		"2J");
	log_err(&e);
	matches(errors,
		"^ringfence: /a ringfence: fake: tab esc\\?\\[2Jbell\\? \xc3\xa4 \\?\\?2J\n$");
}

static void levels(void **state)
{
	(void)state;
	for (int limit = LOG_LV_ERROR; limit <= LOG_LV_DEBUG; limit++) {
		assert_int_equal(log_open(NULL, false, (enum log_level)limit, &e), 0);
		for (int lv = LOG_LV_ERROR; lv <= LOG_LV_DEBUG; lv++)
			assert_int_equal(log_enabled((enum log_level)lv), lv <= limit);
	}
	assert_int_equal(log_open(file, true, LOG_LV_INFO, &e), 0);
	log_msg(LOG_LV_DEBUG, "unseen");
	log_msg(LOG_LV_INFO, "seen");
	log_msg(LOG_LV_ERROR, "seen too");
	assert_int_equal(log_level_find("error"), LOG_LV_ERROR);
	assert_int_equal(log_level_find("debug"), LOG_LV_DEBUG);
	assert_int_equal(log_level_find("warn"), -1);
	matches(file, "^\\{\"level\":\"info\",[^\n]*\n\\{\"level\":\"error\",[^\n]*\n$");
}

static void without_file(void **state)
{
	(void)state;
	assert_int_equal(log_open(file, true, LOG_LV_WARN, &e), 0);
	log_msg(LOG_LV_WARN, "one");
	assert_int_equal(log_open(NULL, false, LOG_LV_WARN, &e), 0);
	log_msg(LOG_LV_WARN, "two");
	log_msg(LOG_LV_INFO, "three");
	matches(errors, "^ringfence: two\n$");
	matches(file, "\"one\"[^\n]*\n$");
}

static void appends(void **state)
{
	(void)state;
	assert_int_equal(log_open(file, false, LOG_LV_WARN, &e), 0);
	log_msg(LOG_LV_WARN, "one");
	assert_int_equal(log_open(file, false, LOG_LV_WARN, &e), 0);
	log_msg(LOG_LV_WARN, "two");
	matches(file, "msg=\"one\"\n.*msg=\"two\"\n$");
}

static void cannot_open(void **state)
{
	(void)state;
	int rc = log_open("/nonexistent/dir/log", true, LOG_LV_WARN, &e);
	stderr_back();
	assert_int_equal(rc, -ENOENT);
	assert_string_equal(e.where, "/nonexistent/dir/log");
	assert_int_equal(log_open(dir, true, LOG_LV_WARN, &e), -EISDIR);
}

/* Runtimes that share a file: no line is torn. */
static void shared_file(void **state)
{
	enum { WRITERS = 4, LINES = 100 };
	pid_t pids[WRITERS];
	char pad[600];
	int seen = 0, torn = 0, status;

	(void)state;
	memset(pad, 'p', sizeof(pad));
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork();
		if (pids[w] == 0) {
			if (log_open(file, true, LOG_LV_WARN, &e) < 0)
				_exit(1);
			for (int i = 0; i < LINES; i++)
				log_msg(LOG_LV_WARN, "%.*s", (int)sizeof(pad), pad);
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++)
		waitpid(pids[w], &status, 0);
	stderr_back();
	char *text = scratch_slurp(file);
	assert_non_null(text);
	for (char *save, *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		seen++;
		torn += strncmp(line, "{\"level\"", 8) != 0 || line[strlen(line) - 1] != '}' ||
			strlen(line) < sizeof(pad);
	}
	free(text);
	assert_int_equal(seen, WRITERS * LINES);
	assert_int_equal(torn, 0);
}

/* --- what the daemons get --- */

static bool is_text(const struct strbuf *b, const char *want, size_t n)
{
	return !b->failed && b->len == n && memcmp(b->s, want, n) == 0;
}
#define IS(b, text) assert_true(is_text(b, text, sizeof(text) - 1))

static void syslog_form(void **state)
{
	auto_strbuf b = {0};

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	log_daemon_text(&b, LOG_TO_SYSLOG, 3, "web", 42, 86400 * 32 + 3661, "went\nwrong\x1b[m");
	IS(&b, "<11>Feb  2 01:01:01 web[42]: went wrong [m");
}

static void journald_form(void **state)
{
	auto_strbuf plain = {0}, lines = {0};

	(void)state;
	log_daemon_text(&plain, LOG_TO_JOURNALD, 4, "web", 42, 0, "a=b");
	IS(&plain, "MESSAGE=a=b\nPRIORITY=4\nSYSLOG_IDENTIFIER=web\nSYSLOG_PID=42\n");
	log_daemon_text(&lines, LOG_TO_JOURNALD, 7, "w\nX=1", 42, 0, "one\nPRIORITY=0");
	IS(&lines, "MESSAGE\n\x0e\0\0\0\0\0\0\0one\nPRIORITY=0\nPRIORITY=7\n"
		   "SYSLOG_IDENTIFIER\n\5\0\0\0\0\0\0\0w\nX=1\nSYSLOG_PID=42\n");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(json_line),   T(text_line),    T(error_on_stderr), T(stderr_is_one_plain_line),
		T(levels),      T(without_file), T(appends),         T(cannot_open),
		T(shared_file), T(syslog_form),  T(journald_form),
	};

	return cmocka_run_group_tests_name("log", tests, group_setup, group_teardown);
}
