/* tests/unit/test_path.c: no path leaves its root, whatever stands or moves in it. */
#include "common/path.h"

#include "common/fd.h"
#include "tests/unit/scratch.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* base/root is the container's, base/victim the host's; base/root comes again for each test. */
static char base[PATH_MAX], root_path[PATH_MAX + 8], victim[PATH_MAX + 8];
static int root = -1;
static struct err e;

static int group_setup(void **state)
{
	(void)state;
	umask(0);
	if (scratch_make(base) < 0)
		return -1;
	snprintf(root_path, sizeof(root_path), "%s/root", base);
	snprintf(victim, sizeof(victim), "%s/victim", base);
	return mkdir(victim, 0755);
}

static int group_teardown(void **state)
{
	(void)state;
	return scratch_remove(base);
}

static int setup(void **state)
{
	(void)state;
	err_clear(&e);
	if (mkdir(root_path, 0755) < 0)
		return -1;
	root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return root < 0 ? -1 : 0;
}

/* After each test: nothing was put beside the root, nor into the victim. */
static int teardown(void **state)
{
	(void)state;
	fd_close(&root);
	if (scratch_count(victim) != 0 || scratch_count(base) != 2)
		return -1;
	return scratch_remove(root_path);
}

/* The descriptor's place relative to the root, or "OUTSIDE"; closes it. */
static const char *place(int fd)
{
	static char where[PATH_MAX];
	char link[64];
	size_t len = strlen(root_path);

	if (fd < 0)
		return "FAILED";
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, where, sizeof(where) - 1);
	close(fd);
	where[n < 0 ? 0 : n] = '\0';
	if (strncmp(where, root_path, len) != 0 || (where[len] && where[len] != '/'))
		return "OUTSIDE";
	return where[len] ? where + len : "/";
}

static void is_made_at(bool dir, const char *path, const char *want)
{
	int fd = dir ? path_make_dir(root, path, 0755, &e) : path_make_file(root, path, 0644, &e);
	struct stat st;

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_PATH);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(S_ISDIR(st.st_mode), dir);
	assert_string_equal(place(fd), want);
}

static void link_at(const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, root, name), 0);
}

static void plain(void **state)
{
	(void)state;
	is_made_at(true, "/a/b/c", "/a/b/c");
	is_made_at(true, "a//b/./d/", "/a/b/d");
	is_made_at(true, "/a/b/c", "/a/b/c");
	is_made_at(true, "", "/");
	is_made_at(true, "/", "/");
	is_made_at(true, ".", "/");
	is_made_at(false, "/a/b/f", "/a/b/f");
	is_made_at(false, "/a/b/f", "/a/b/f");
	is_made_at(false, "x/y/z/f", "/x/y/z/f");
	is_made_at(false, "top", "/top");
}

static void modes(void **state)
{
	struct stat st;

	(void)state;
	is_made_at(true, "seen", "/seen");
	close(path_make_dir(root, "p/q", 0700, &e));
	close(path_make_file(root, "r/f", 0640, &e));
	assert_int_equal(fstatat(root, "p", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(root, "p/q", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(root, "r", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(root, "r/f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void dots_stay(void **state)
{
	(void)state;
	is_made_at(true, "../../../../etc/x", "/etc/x");
	is_made_at(true, "new/../other", "/other");
	is_made_at(true, "..", "/");
	is_made_at(false, "/../../victim/f", "/victim/f");
	is_made_at(false, "a/../../../f", "/f");
	assert_string_equal(place(path_open(root, "../..", O_PATH, &e)), "/");
	assert_int_equal(path_open(root, "../nothing", O_PATH, &e), -ENOENT);
}

static void links_stay(void **state)
{
	(void)state;
	is_made_at(true, "real/sub", "/real/sub");
	link_at("/real", "absolute");
	link_at("real", "relative");
	link_at("../../../../../..", "up");
	link_at("/", "slash");
	link_at(victim, "host");
	is_made_at(true, "absolute/sub", "/real/sub");
	is_made_at(true, "absolute/new", "/real/new");
	is_made_at(true, "relative/new2", "/real/new2");
	is_made_at(true, "up/new", "/new");
	is_made_at(true, "up", "/");
	is_made_at(false, "slash/up/slash/f", "/f");
	is_made_at(false, "absolute/f", "/real/f");
	/* the host's path, but in the root: base/root/<base>/victim */
	assert_non_null(strstr(place(path_make_dir(root, "host/x", 0755, &e)), "/victim/x"));
	assert_non_null(strstr(place(path_make_file(root, "host/f", 0644, &e)), "/victim/f"));
}

static void dangling(void **state)
{
	(void)state;
	is_made_at(true, "var/lib", "/var/lib");
	link_at("/run", "var/run");
	is_made_at(true, "var/run/lock", "/run/lock");
	link_at("../tmp/./deep/down", "var/tmp");
	is_made_at(true, "/var/tmp", "/tmp/deep/down");
	link_at("../../../out/there/", "var/lib/esc");
	is_made_at(true, "var/lib/esc/x", "/out/there/x");
	link_at("/etc/real.conf", "conf");
	is_made_at(false, "conf", "/etc/real.conf");
	link_at("nowhere/f", "var/f");
	is_made_at(false, "var/f", "/var/nowhere/f");
	link_at("gone", "var/gone2");
	is_made_at(false, "var/gone2/under/f", "/var/gone/under/f");
}

/* c0 -> c1 -> … -> end: n links; each links also through a folder, so that text grows. */
static void chain(const char *prefix, int n)
{
	char name[64], target[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		snprintf(target, sizeof(target), i % 2 ? "./%s%d" : "/%s%d", prefix, i + 1);
		link_at(target, name);
	}
}

static void chains_end(void **state)
{
	(void)state;
	chain("c", 40);
	chain("d", 40);
	chain("x", 41);
	is_made_at(true, "c0", "/c40");
	is_made_at(false, "d0", "/d40");
	assert_int_equal(path_make_dir(root, "x0", 0755, &e), -ELOOP);
	assert_int_equal(path_make_file(root, "x0", 0755, &e), -ELOOP);
	assert_int_equal(path_make_dir(root, "x0/under", 0755, &e), -ELOOP);
	assert_int_equal(faccessat(root, "x41", F_OK, 0), -1);
	is_made_at(true, "x1", "/x41");

	/* two dangling chains in one path share the limit */
	chain("p", 30);
	chain("q", 30);
	assert_int_equal(path_make_dir(root, "p0/../q0", 0755, &e), -ELOOP);

	link_at("loop", "loop");
	link_at("pong/x", "ping");
	link_at("ping/x", "pong");
	assert_int_equal(path_make_dir(root, "loop", 0755, &e), -ELOOP);
	assert_int_equal(path_make_file(root, "loop", 0644, &e), -ELOOP);
	assert_int_equal(path_make_dir(root, "ping/a", 0755, &e), -ELOOP);
}

/* A dangling link whose own target grows at each step must end, not fill memory. */
static void growing_link(void **state)
{
	(void)state;
	link_at("grow2/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/../b", "grow");
	link_at("missing/grow", "grow2");
	int fd = path_make_dir(root, "grow/grow/grow", 0755, &e);
	assert_string_not_equal(place(fd), "OUTSIDE");
}

static void wrong_kinds(void **state)
{
	(void)state;
	is_made_at(true, "dir", "/dir");
	is_made_at(false, "file", "/file");
	assert_int_equal(mkfifoat(root, "fifo", 0600), 0);
	link_at("dir", "to-dir");
	assert_int_equal(path_make_file(root, "dir", 0644, &e), -EISDIR);
	assert_int_equal(path_make_file(root, "to-dir", 0644, &e), -EISDIR);
	assert_int_equal(path_make_file(root, "/", 0644, &e), -EISDIR);
	assert_int_equal(path_make_file(root, "", 0644, &e), -EISDIR);
	assert_int_equal(path_make_dir(root, "file", 0755, &e), -ENOTDIR);
	assert_int_equal(path_make_dir(root, "fifo", 0755, &e), -ENOTDIR);
	assert_int_equal(path_make_dir(root, "file/x", 0755, &e), -ENOTDIR);
	assert_int_equal(path_make_dir(root, "file/../x", 0755, &e), -ENOTDIR);
	assert_int_equal(path_make_file(root, "file/x", 0644, &e), -ENOTDIR);
	assert_int_equal(path_make_file(root, "new/", 0644, &e), -EINVAL);
	assert_int_equal(path_make_file(root, "new/..", 0644, &e) < 0, 1);
	is_made_at(false, "fifo", "/fifo"); /* opened by O_PATH: doesn't wait for a writer */
	assert_int_equal(path_make_dir(-1, "x", 0755, &e), -EBADF);
	assert_int_equal(path_make_file(-1, "x", 0755, &e), -EBADF);
	assert_int_equal(e.kind, ERR_SYSTEM);
}

static void overlong(void **state)
{
	static char path[3 * PATH_MAX], name[NAME_MAX + 10];

	(void)state;
	memset(name, 'n', NAME_MAX + 1);
	assert_int_equal(path_make_dir(root, name, 0755, &e), -ENAMETOOLONG);
	assert_int_equal(path_make_file(root, name, 0755, &e), -ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	assert_string_equal(place(path_make_dir(root, name, 0755, &e)) + 1, name);
	for (size_t i = 0; i + 2 < sizeof(path); i += 2)
		memcpy(path + i, "a/", 2);
	assert_int_equal(path_make_dir(root, path, 0755, &e), -ENAMETOOLONG);
	assert_int_equal(path_make_file(root, path, 0755, &e), -ENAMETOOLONG);
	assert_int_equal(path_open(root, path, O_PATH, &e), -ENAMETOOLONG);
	const char *last = "untouched";
	assert_true(path_open_parent(root, path, &last, &e) < 0);
	assert_string_equal(last, "untouched");

	/* a target so long that it doesn't fit in the link's place */
	path[PATH_MAX - 2] = '\0';
	link_at(path, "long");
	memset(path, '/', PATH_MAX);
	memcpy(path, "long", 4);
	memcpy(path + 2000, "x", 2);
	assert_int_equal(path_make_dir(root, path, 0755, &e), -ENAMETOOLONG);
}

static void opening(void **state)
{
	struct stat st;

	(void)state;
	is_made_at(false, "d/f", "/d/f");
	link_at("/d/f", "link");
	assert_string_equal(place(path_open(root, "link", O_RDONLY, &e)), "/d/f");
	auto_fd fd = path_open(root, "link", O_PATH | O_NOFOLLOW, &e);
	assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(path_open(root, "link", O_RDONLY | O_NOFOLLOW, &e), -ELOOP);
	assert_int_equal(path_open(root, "d", O_RDWR, &e), -EISDIR);
	assert_int_equal(path_open(root, "d/g", O_PATH, &e), -ENOENT);
	assert_string_equal(e.text,
			    "opening d/g in the container's root: no such file or directory");
	assert_string_equal(place(path_open(root, "", O_PATH, &e)), "/");
}

/* The host's root as root: it has a procfs, whose links jump. */
static void magic_links_and_mounts(void **state)
{
	char fdlink[64];
	auto_fd host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	snprintf(fdlink, sizeof(fdlink), "/proc/self/fd/%d", root);
	assert_int_equal(path_open(host, "/proc/self/root", O_PATH, &e), -ELOOP);
	assert_int_equal(path_open(host, "/proc/self/cwd/x", O_PATH, &e), -ELOOP);
	assert_int_equal(path_open(host, fdlink, O_PATH, &e), -ELOOP);
	assert_int_equal(path_make_dir(host, fdlink, 0755, &e), -ELOOP);
	assert_int_equal(path_make_file(host, fdlink, 0755, &e), -ELOOP);
	assert_int_equal(path_open_same_mount(host, "/proc/self", O_PATH, &e), -EXDEV);
	auto_fd dev = path_open(host, "/proc/self/status", O_RDONLY, &e);
	assert_true(dev >= 0);
	assert_string_equal(place(path_open_same_mount(root, "/", O_PATH, &e)), "/");
	assert_int_equal(path_open_same_mount(root, "none", O_PATH, &e), -ENOENT);
}

static void parents(void **state)
{
	static const char *const bad[] = {"", "/", ".", "..", "a/", "a/.", "a/..", "/.."};
	const char *name = "untouched";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(path_open_parent(root, bad[i], &name, &e), -EINVAL);
		assert_int_equal(e.kind, ERR_SPEC);
		assert_string_equal(name, "untouched");
	}
	assert_int_equal(faccessat(root, "a", F_OK, 0), -1);
	assert_string_equal(place(path_open_parent(root, "/dev/sub/null", &name, &e)), "/dev/sub");
	assert_string_equal(name, "null");
	assert_string_equal(place(path_open_parent(root, "top", &name, &e)), "/");
	assert_string_equal(name, "top");
	assert_string_equal(place(path_open_parent(root, "/../..hidden", &name, &e)), "/");
	assert_string_equal(name, "..hidden");

	/* the last component is a link: left alone; one before it: followed, in the root */
	link_at(victim, "dev/null");
	assert_string_equal(place(path_open_parent(root, "dev/null", &name, &e)), "/dev");
	link_at("../../..", "out");
	assert_string_equal(place(path_open_parent(root, "out/null", &name, &e)), "/");
	is_made_at(false, "f", "/f");
	name = "untouched";
	assert_int_equal(path_open_parent(root, "f/x", &name, &e), -ENOTDIR);
	assert_string_equal(name, "untouched");
}

/* --- races --- */

struct racer {
	const char *a, *b;
	atomic_bool stop;
	atomic_int swaps;
};

static void *swap(void *arg)
{
	struct racer *r = arg;

	while (!r->stop) {
		if (renameat2(root, r->a, root, r->b, RENAME_EXCHANGE) == 0)
			r->swaps++;
	}
	return NULL;
}

/* A call under race may fail, but never with a place outside, and never with another object. */
static void check_raced(int fd, bool dir, int *made)
{
	static const int fair[] = {-EAGAIN, -ELOOP, -ENOENT, -ENOTDIR, -EEXIST, -EISDIR};
	struct stat st;
	bool known = false;

	if (fd >= 0) {
		assert_int_equal(fstat(fd, &st), 0);
		assert_false(S_ISLNK(st.st_mode));
		assert_int_equal(S_ISDIR(st.st_mode), dir);
		assert_string_not_equal(place(fd), "OUTSIDE");
		++*made;
		return;
	}
	for (size_t i = 0; i < sizeof(fair) / sizeof(fair[0]); i++)
		known |= fd == fair[i];
	assert_true(known);
}

static int round_of_calls(int i)
{
	static const char *const forms[] = {"flip/n%d/x/y", "flip/f%d", "flip/../flip/m%d",
					    "flip/n%d/../../flip/o%d"};
	char path[128];
	int made = 0;

	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
		snprintf(path, sizeof(path), forms[f], i, i);
		if (f == 1)
			check_raced(path_make_file(root, path, 0644, &e), false, &made);
		else
			check_raced(path_make_dir(root, path, 0755, &e), true, &made);
	}
	const char *name;
	snprintf(path, sizeof(path), "flip/node%d", i);
	auto_fd parent = path_open_parent(root, path, &name, &e);
	if (parent >= 0)
		(void)mknodat(parent, name, S_IFIFO | 0600, 0);
	return made;
}

/* The same by name must reach the victim: otherwise the race was none and nothing is shown. */
static bool naive_escapes(void)
{
	char path[PATH_MAX + 64];

	for (int i = 0; i < 100000 && scratch_count(victim) == 0; i++) {
		snprintf(path, sizeof(path), "%s/flip/naive%d", root_path, i);
		(void)mkdir(path, 0755);
	}
	bool escaped = scratch_count(victim) > 0;
	scratch_remove(victim);
	assert_int_equal(mkdir(victim, 0755), 0);
	return escaped;
}

static void race(const char *target)
{
	struct racer r = {.a = "flip", .b = "flop"};
	pthread_t thread;
	int made = 0;

	is_made_at(true, "flip", "/flip");
	link_at(target, "flop");
	assert_int_equal(pthread_create(&thread, NULL, swap, &r), 0);
	for (int i = 0; i < 500; i++)
		made += round_of_calls(i);
	int left = scratch_count(victim);
	bool bites = naive_escapes();
	r.stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(left, 0);
	assert_true(bites);
	assert_true(r.swaps > 0);
	assert_true(made > 500); /* and most of the work gets done nevertheless */
}

static void race_absolute(void **state)
{
	(void)state;
	race(victim);
}

static void race_relative(void **state)
{
	(void)state;
	race("../victim");
}

/* Until it is gone: between the two calls the racer may put the other kind there. */
static void sweep(const char *name)
{
	while (faccessat(root, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		(void)unlinkat(root, name, 0);
		(void)unlinkat(root, name, AT_REMOVEDIR);
	}
}

/* The just created component itself is swapped for a link to the victim. */
static void race_on_last(void **state)
{
	struct racer r = {.a = "d/last", .b = "trap"};
	pthread_t thread;
	int made = 0;

	(void)state;
	is_made_at(true, "d", "/d");
	assert_int_equal(pthread_create(&thread, NULL, swap, &r), 0);
	for (int i = 0; i < 2000; i++) {
		bool dir = i % 2;
		sweep("d/last");
		sweep("trap");
		link_at(victim, "trap");
		check_raced(dir ? path_make_dir(root, "d/last", 0755, &e)
				: path_make_file(root, "d/last", 0644, &e),
			    dir, &made);
	}
	r.stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(scratch_count(victim), 0);
	assert_true(made > 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(plain),         T(modes),         T(dots_stay),    T(links_stay),
		T(dangling),      T(chains_end),    T(growing_link), T(wrong_kinds),
		T(overlong),      T(opening),       T(parents),      T(magic_links_and_mounts),
		T(race_absolute), T(race_relative), T(race_on_last),
	};

	return cmocka_run_group_tests_name("path", tests, group_setup, group_teardown);
}
