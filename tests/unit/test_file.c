/* tests/unit/test_file.c: whole files, read and written. */
#include "common/file.h"

#include "tests/unit/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char dir[PATH_MAX];
static int at = -1;

static int setup(void **state)
{
	(void)state;
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	if (scratch_make(dir) < 0)
		return -1;
	at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return at < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(at);
	return scratch_remove(dir);
}

static void expect(const char *name, const char *text)
{
	struct err e;
	char *data = NULL;
	size_t len = 0;

	assert_int_equal(file_read_at(at, name, 1 << 20, &data, &len, &e), 0);
	assert_int_equal(len, strlen(text));
	assert_string_equal(data, text);
	free(data);
}

static void replaced_and_read(void **state)
{
	struct err e;
	struct stat st;

	(void)state;
	assert_int_equal(file_replace_at(at, "f", "one\n", 4, 0600, &e), 0);
	expect("f", "one\n");
	int old = openat(at, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_replace_at(at, "f", "", 0, 0640, &e), 0);
	expect("f", "");
	assert_int_equal(fstatat(at, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);

	/* who had it open still sees the old one whole */
	char *data = NULL;
	assert_int_equal(file_read_fd(old, "f", 100, &data, NULL, &e), 0);
	assert_string_equal(data, "one\n");
	free(data);
	close(old);
	assert_int_equal(scratch_count(dir), 1);
}

/* What a killed predecessor left, or somebody planted, under the temporary name. */
static void replace_ignores_planted_names(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(file_replace_at(at, "victim", "safe", 4, 0600, &e), 0);
	assert_int_equal(symlinkat("victim", at, "g.new"), 0);
	assert_int_equal(file_replace_at(at, "g", "new", 3, 0600, &e), 0);
	expect("victim", "safe");
	expect("g", "new");

	assert_int_equal(mkdirat(at, "h.new", 0700), 0);
	assert_int_equal(file_replace_at(at, "h", "new", 3, 0600, &e), -EEXIST);
	assert_int_equal(mkdirat(at, "i", 0700), 0);
	assert_int_equal(file_replace_at(at, "i", "new", 3, 0600, &e), -EISDIR);
	assert_int_equal(faccessat(at, "i.new", F_OK, 0), -1);
	assert_int_equal(file_replace_at(at, "no/such", "", 0, 0600, &e), -ENOENT);
}

static void overlong_name(void **state)
{
	static char name[5000];
	struct err e;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	assert_int_equal(file_replace_at(at, name, "", 0, 0600, &e), -ENAMETOOLONG);
}

static void read_failures(void **state)
{
	struct err e;
	char *data = &(char){'?'}, *before = data;
	size_t len = 77;

	(void)state;
	assert_int_equal(file_read_at(at, "none", 10, &data, &len, &e), -ENOENT);
	assert_string_equal(e.where, "none");
	assert_string_equal(e.text, "opening: no such file or directory");
	assert_int_equal(file_read_at(at, ".", 10, &data, &len, &e), -EISDIR);
	assert_int_equal(file_read_fd(-1, "x", 10, &data, &len, &e), -EBADF);
	assert_ptr_equal(data, before);
	assert_int_equal(len, 77);
}

static void limits(void **state)
{
	static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 100000};
	struct err e;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *text = malloc(sizes[i] + 1), *data = NULL;
		memset(text, 't', sizes[i]);
		assert_int_equal(file_replace_at(at, "big", text, sizes[i], 0600, &e), 0);
		assert_int_equal(file_read_at(at, "big", sizes[i], &data, &len, &e), 0);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(data, text, len);
		assert_int_equal(data[len], 0);
		free(data);
		free(text);
		if (sizes[i])
			assert_int_equal(file_read_at(at, "big", sizes[i] - 1, &data, &len, &e),
					 -EFBIG);
	}
}

/* Files that say they have no size. */
static void sizeless(void **state)
{
	struct err e;
	char *data = NULL;
	size_t len = 0;
	int p[2];

	(void)state;
	assert_int_equal(file_read_at(AT_FDCWD, "/proc/self/status", 1 << 16, &data, &len, &e), 0);
	assert_non_null(strstr(data, "Pid:"));
	free(data);
	assert_int_equal(file_read_at(AT_FDCWD, "/dev/zero", 1 << 20, &data, &len, &e), -EFBIG);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(write(p[1], "a\0b", 3), 3);
	close(p[1]);
	assert_int_equal(file_read_fd(p[0], "pipe", 3, &data, &len, &e), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(data, "a\0b", 4);
	free(data);
	close(p[0]);
}

static void written_in_place(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(file_write_at(at, "cg", "1", 1, &e), -ENOENT);
	assert_int_equal(file_replace_at(at, "cg", "max\n", 4, 0600, &e), 0);
	assert_int_equal(file_write_at(at, "cg", "42", 2, &e), 0);
	expect("cg", "42x\n"); /* as a kernel file: not truncated */
	assert_int_equal(file_write_at(AT_FDCWD, "/dev/full", "12\nrest", 7, &e), -ENOSPC);
	assert_string_equal(e.where, "/dev/full");
	assert_string_equal(e.text, "writing \"12\": no space left on device");
}

static void *drain(void *arg)
{
	char buf[1000];
	size_t sum = 0;
	ssize_t n;

	while ((n = read(*(int *)arg, buf, sizeof(buf))) > 0)
		sum += (size_t)n;
	return (void *)(uintptr_t)sum;
}

/* Far more than a pipe holds: many short writes. */
static void write_all(void **state)
{
	static char big[1 << 20];
	pthread_t reader;
	void *sum;
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&reader, NULL, drain, &p[0]), 0);
	assert_int_equal(file_write_all(p[1], big, sizeof(big)), 0);
	close(p[1]);
	assert_int_equal(pthread_join(reader, &sum), 0);
	assert_int_equal((uintptr_t)sum, sizeof(big));
	close(p[0]);

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	close(p[0]);
	assert_int_equal(file_write_all(p[1], "x", 1), -EPIPE);
	close(p[1]);
	assert_int_equal(file_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(file_write_all(-1, "", 0), 0);
}

static void expect_piece(int fd, off_t offset, const char *text)
{
	char buf[64] = "";

	assert_int_equal(pread(fd, buf, strlen(text), offset), strlen(text));
	assert_string_equal(buf, text);
}

static void write_all_at(void **state)
{
	struct stat st;

	(void)state;
	int fd = openat(at, "pieces", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(file_write_all_at(fd, "later", 5, 8192), 0);
	assert_int_equal(file_write_all_at(fd, "first", 5, 0), 0);
	assert_int_equal(file_write_all_at(fd, "", 0, 100), 0);
	expect_piece(fd, 0, "first");
	expect_piece(fd, 8192, "later");
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 8197);
	close(fd);
	assert_int_equal(file_write_all_at(fd, "x", 1, 0), -EBADF);

	fd = openat(at, "pieces", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_write_all_at(fd, "x", 1, 0), -EBADF);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaced_and_read),
		cmocka_unit_test(replace_ignores_planted_names),
		cmocka_unit_test(overlong_name),
		cmocka_unit_test(read_failures),
		cmocka_unit_test(limits),
		cmocka_unit_test(sizeless),
		cmocka_unit_test(written_in_place),
		cmocka_unit_test(write_all),
		cmocka_unit_test(write_all_at),
	};

	return cmocka_run_group_tests_name("file", tests, setup, teardown);
}
