/* tests/unit/test_vm_fs_attack.c: a hostile client of the file server. What is beside the shares
 * must be as before, and the server must go on. */
#include "tests/unit/vm_fs_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

/* Every request that takes names, with this one in each place. */
static void with_name(const char *name, int want)
{
	struct fuse_mknod_in nod = {.mode = S_IFREG | 0644};
	struct fuse_mkdir_in dir = {.mode = 0755};
	struct fuse_create_in create = {.flags = O_RDWR, .mode = 0644};
	struct fuse_rename_in ren = {.newdir = root};
	struct fuse_rename2_in ren2 = {.newdir = root};
	uint64_t f = f_walk("root/f");
	struct fuse_link_in link_in = {.oldnodeid = f};

	assert_int_equal(f_lookup(root, name, NULL), want);
	assert_int_equal(f_lookup(ROOT, name, NULL), want);
	assert_int_equal(ask(FUSE_MKNOD, root, (struct ask){ARG(nod), .name = name}), want);
	assert_int_equal(ask(FUSE_MKDIR, root, (struct ask){ARG(dir), .name = name}), want);
	assert_int_equal(ask(FUSE_CREATE, root, (struct ask){ARG(create), .name = name}), want);
	assert_int_equal(f_symlink(root, name, "x", NULL), want);
	assert_int_equal(ask(FUSE_LINK, root, (struct ask){ARG(link_in), .name = name}), want);
	assert_int_equal(f_unlink(root, name), want);
	assert_int_equal(f_rmdir(root, name), want);
	assert_int_equal(ask(FUSE_RENAME, root, (struct ask){ARG(ren), .name = name, .name2 = "y"}),
			 want);
	assert_int_equal(ask(FUSE_RENAME, root, (struct ask){ARG(ren), .name = "f", .name2 = name}),
			 want);
	assert_int_equal(
		ask(FUSE_RENAME2, root, (struct ask){ARG(ren2), .name = name, .name2 = "y"}), want);
	assert_int_equal(
		ask(FUSE_RENAME2, root, (struct ask){ARG(ren2), .name = "f", .name2 = name}), want);
}

static void t_names(void **state)
{
	char slash[64];
	uint64_t before;
	(void)state;

	spill("share/f", "");
	before = digest("");
	snprintf(slash, sizeof(slash), "../victim/x");
	const char *bad[] = {"", ".", "..", "/", "a/b", "/etc/passwd", "f/", slash, "..//f", "./f"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		with_name(bad[i], -EINVAL);
	assert_true(digest("") == before);
}

static void t_long_name(void **state)
{
	char name[300];
	(void)state;

	memset(name, 'n', sizeof(name));
	name[256] = 0;
	assert_int_equal(f_lookup(root, name, NULL), -ENAMETOOLONG);
	assert_int_equal(f_mkdir(root, name, 0755, NULL), -ENAMETOOLONG);
	name[255] = 0;
	assert_int_equal(f_mkdir(root, name, 0755, NULL), 0);
}

/* Links are shown, never followed: neither in the middle nor at the end. */
static void t_links(void **state)
{
	uint64_t before = digest("victim"), l, d;
	const char *targets[] = {"/", "../victim", "../victim/file", "/proc/self/root", "."};
	(void)state;

	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		assert_int_equal(f_symlink(root, "l", targets[i], &l), 0);
		assert_int_equal(f_lookup(l, "victim", NULL), -ENOTDIR);
		assert_int_equal(f_lookup(l, "x", NULL), -ENOTDIR);
		assert_int_equal(f_open(l, O_RDONLY, NULL), -ELOOP);
		assert_int_equal(f_opendir(l, NULL), -ENOTDIR);
		assert_int_equal(f_mkdir(l, "new", 0755, NULL), -ENOTDIR);
		assert_int_equal(f_create(l, "new", O_RDWR, 0644, NULL, NULL), -ENOTDIR);
		assert_int_equal(f_create(root, "l", O_RDWR | O_TRUNC, 0644, NULL, NULL), -ELOOP);
		assert_int_equal(f_unlink(l, "x"), -ENOTDIR);
		assert_int_equal(f_mkdir(root, "d", 0755, &d), 0);
		assert_int_equal(f_rename(l, "x", d, "x", 0), -ENOTDIR);
		assert_int_equal(f_rename(d, "x", l, "x", 0), -ENOTDIR);
		assert_int_equal(f_rmdir(root, "d"), 0);
		assert_int_equal(f_unlink(root, "l"), 0);
	}
	assert_true(digest("victim") == before);
}

static atomic_bool racing;

/* Swaps a directory of the share for a link to the victim, and back. */
static void *racer(void *arg)
{
	int share = *(int *)arg;

	while (racing)
		renameat2(share, "a", share, "b", RENAME_EXCHANGE);
	return NULL;
}

/* Whatever "a" is by now: everything that changes something, through the name and the node. */
static void strike(unsigned i)
{
	struct fuse_setattr_in set = {.valid = FATTR_MODE | FATTR_UID | FATTR_SIZE | FATTR_MTIME,
				      .mode = 0,
				      .uid = 666,
				      .size = 0};
	uint64_t a, x, fh;
	char name[32];

	if (f_lookup(root, "a", &a) != 0)
		return;
	snprintf(name, sizeof(name), "n%u", i % 50);
	if (f_lookup(a, "x", &x) == 0) {
		f_setattr(x, set);
		if (f_open(x, O_RDWR | O_TRUNC, &fh) == 0) {
			f_write(x, fh, 0, "owned", 5);
			f_release(x, fh);
		}
		f_link(x, a, name);
		f_forget(x, 1);
	}
	if (f_create(a, "x", O_RDWR | O_TRUNC, 0666, &x, &fh) == 0) {
		f_release(x, fh);
		f_forget(x, 1);
	}
	f_create(root, "a", O_RDWR | O_TRUNC, 0666, NULL, NULL);
	f_mkdir(a, name, 0777, NULL);
	f_unlink(a, "x");
	f_rmdir(a, name);
	f_unlink(a, name);
	f_rename(a, "file", root, "stolen", 0);
	f_unlink(root, "stolen");
	f_symlink(a, "x", "y", NULL);
	f_mknod(a, "file", S_IFIFO | 0666, 0);
	f_forget(a, 1);
}

static void t_race(void **state)
{
	int share = open(host("share"), O_PATH | O_CLOEXEC);
	uint64_t before;
	pthread_t t;
	unsigned links = 0, dirs = 0;
	(void)state;

	assert_int_equal(mkdir(host("share/a"), 0777), 0);
	assert_int_equal(symlink("../victim", host("share/b")), 0);
	before = digest("victim");
	racing = true;
	assert_int_equal(pthread_create(&t, NULL, racer, &share), 0);
	/* As long as it takes for both to be met, on a busy machine too. */
	for (unsigned i = 0; i < 1000 || ((links <= 50 || dirs <= 50) && i < 100000); i++) {
		struct fuse_entry_out *e = body();
		if (f_lookup(root, "a", NULL) == 0) {
			links += S_ISLNK(e->attr.mode);
			dirs += S_ISDIR(e->attr.mode);
		}
		strike(i);
	}
	racing = false;
	pthread_join(t, NULL);
	close(share);
	/* The race was one. */
	assert_true(links > 50 && dirs > 50);
	assert_true(digest("victim") == before);
}

static void t_invented_nodes(void **state)
{
	uint64_t f, before;
	(void)state;

	spill("share/f", "");
	f = f_walk("root/f");
	before = digest("");
	const uint64_t ids[] = {
		0,     2,          3,          f + 1,         f + (1ull << 32), f - (1ull << 32),
		~0ull, 1ull << 63, 0xffffffff, f & 0xffffffff};
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		assert_int_equal(f_getattr(ids[i], NULL), -ESTALE);
		assert_int_equal(f_lookup(ids[i], "x", NULL), -ESTALE);
		assert_int_equal(f_open(ids[i], O_RDWR, NULL), -ESTALE);
		assert_int_equal(f_rename(root, "f", ids[i], "x", 0), -ESTALE);
		assert_int_equal(f_link(ids[i], root, "x"), -ESTALE);
		f_forget(ids[i], ~0ull);
	}
	/* Forgotten once more than it was told: gone, and its number isn't given again. */
	f_forget(f, ~0ull);
	assert_true(f_gone(f));
	assert_int_not_equal(f_walk("root/f"), f);
	/* The roots stay. */
	f_forget(ROOT, ~0ull);
	f_forget(root, ~0ull);
	assert_int_equal(f_getattr(ROOT, NULL), 0);
	assert_int_equal(f_getattr(root, NULL), 0);
	assert_true(digest("") == before);
}

static void t_invented_handles(void **state)
{
	uint64_t f, g, fh, dh;
	(void)state;

	assert_int_equal(f_create(root, "f", O_RDWR, 0644, &f, &fh), 0);
	assert_int_equal(f_create(root, "g", O_RDWR, 0644, &g, NULL), 0);
	assert_int_equal(f_opendir(root, &dh), 0);
	const uint64_t ids[] = {0,     1,  3,         fh + 1, fh + (1ull << 32), fh - (1ull << 32),
				~0ull, dh, 1ull << 63};
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct fuse_read_in dir = {.fh = ids[i], .size = 4096};
		assert_int_equal(f_read(f, ids[i], 0, 10), -EBADF);
		assert_int_equal(f_write(f, ids[i], 0, "x", 1), -EBADF);
		assert_int_equal(f_release(f, ids[i]), -EBADF);
		if (ids[i] != dh)
			assert_int_equal(ask(FUSE_READDIR, root, (struct ask){ARG(dir)}), -EBADF);
	}
	/* Another file's. */
	assert_int_equal(f_read(g, fh, 0, 10), -EBADF);
	assert_int_equal(f_write(g, fh, 0, "x", 1), -EBADF);
	assert_int_equal(f_release(g, fh), -EBADF);
	assert_int_equal(f_releasedir(root, fh), -EBADF);
	assert_int_equal(f_releasedir(ROOT, dh), -EBADF);
	assert_int_equal(f_write(f, fh, 0, "x", 1), 1);
}

/* Messages whose header, or whose inner length, isn't true. */
static void t_lengths(void **state)
{
	static struct {
		struct fuse_in_header h;
		uint8_t more[VM_FS_MAX_WRITE + 8192 - sizeof(struct fuse_in_header)];
	} m;
	uint64_t f, fh;
	(void)state;

	assert_int_equal(f_create(root, "f", O_RDWR, 0644, &f, &fh), 0);
	const uint32_t real[] = {40, 41, 48, 56, 80, 4096, VM_FS_MAX_WRITE + 4096};
	const uint32_t told[] = {0, 1, 39, 42, 47, 4095, 0x7fffffff, 0xffffffff};
	for (unsigned op = 0; op < 60; op++) {
		for (unsigned i = 0; i < 7 * 8; i++) {
			bool silent = op == FUSE_FORGET || op == FUSE_BATCH_FORGET ||
				      op == FUSE_INTERRUPT;
			m.h = (struct fuse_in_header){.len = told[i % 8],
						      .opcode = op,
						      .unique = cl->unique += 2,
						      .nodeid = f};
			send_raw(&m, real[i / 8]);
			if (!silent)
				assert_true(hear() < 0);
		}
	}
	/* Not even a header; longer than any; nothing behind a fixed part that promises some. */
	send_raw(&m, 39);
	send_raw(&m, 1);
	m.h = (struct fuse_in_header){
		.len = sizeof(m), .opcode = FUSE_WRITE, .unique = cl->unique += 2, .nodeid = f};
	send_raw(&m, sizeof(m));
	assert_int_equal(hear(), -EINVAL);
	struct fuse_write_in w = {.fh = fh, .size = 100};
	assert_int_equal(ask(FUSE_WRITE, f, (struct ask){ARG(w), .data = "short", .data_len = 5}),
			 -EINVAL);
	w.size = 0xffffffff;
	assert_int_equal(ask(FUSE_WRITE, f, (struct ask){ARG(w), .data = "short", .data_len = 5}),
			 -EINVAL);
	struct fuse_setxattr_in x = {.size = 0xffffffff};
	assert_int_equal(ask(FUSE_SETXATTR, f, (struct ask){ARG(x), .name = "user.a"}), -EINVAL);
	struct fuse_batch_forget_in b = {.count = 0xffffffff};
	struct fuse_forget_one one = {.nodeid = f, .nlookup = 0};
	tell(FUSE_BATCH_FORGET, 0, (struct ask){ARG(b), .data = &one, .data_len = sizeof(one)});
	tell(FUSE_BATCH_FORGET, 0, (struct ask){ARG(b), .data = &one, .data_len = 5});
	/* Names that don't end. */
	assert_int_equal(ask(FUSE_LOOKUP, root, (struct ask){.data = "f", .data_len = 1}), -EINVAL);
	assert_int_equal(ask(FUSE_LOOKUP, root, (struct ask){0}), -EINVAL);
	struct fuse_rename_in r = {.newdir = root};
	assert_int_equal(ask(FUSE_RENAME, root,
			     (struct ask){ARG(r), .name = "f", .data = "g", .data_len = 1}),
			 -EINVAL);
	assert_int_equal(ask(FUSE_RENAME, root, (struct ask){ARG(r), .name = "f"}), -EINVAL);
	assert_int_equal(
		ask(FUSE_SYMLINK, root, (struct ask){.name = "l", .data = "abc", .data_len = 3}),
		-EINVAL);
	assert_int_equal(
		ask(FUSE_SYMLINK, root, (struct ask){.name = "l", .data = "a\0b", .data_len = 4}),
		-EINVAL);
	/* Two names where one belongs. */
	assert_int_equal(ask(FUSE_UNLINK, root, (struct ask){.name = "f", .name2 = "f"}), -EINVAL);
	/* Sizes of answers: never more than a message holds. */
	assert_true(f_read(f, fh, 0, 0xffffffff) >= 0);
	struct fuse_read_in dir = {.size = 0xffffffff, .offset = 0};
	assert_int_equal(f_opendir(root, &dir.fh), 0);
	assert_int_equal(ask(FUSE_READDIRPLUS, root, (struct ask){ARG(dir)}), 0);
	dir.offset = 1ull << 63;
	assert_true(ask(FUSE_READDIR, root, (struct ask){ARG(dir)}) <= 0);
	assert_int_equal(f_getattr(f, NULL), 0);
}

/* What isn't a file of the share's is shown and not opened: no hang, no device. */
static void t_special(void **state)
{
	uint64_t n;
	struct fuse_entry_out *e = body();
	(void)state;

	assert_int_equal(mkfifo(host("share/fifo"), 0666), 0);
	assert_int_equal(f_lookup(root, "fifo", &n), 0);
	assert_int_equal(f_open(n, O_RDONLY, NULL), -ENXIO);
	assert_int_equal(f_open(n, O_WRONLY, NULL), -ENXIO);
	assert_int_equal(f_create(root, "fifo", O_RDWR, 0644, NULL, NULL), -ENXIO);
	assert_int_equal(f_setattr(n, (struct fuse_setattr_in){.valid = FATTR_SIZE}), -EINVAL);
	assert_int_equal(f_setattr(n, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0600}),
			 0);
	assert_int_equal(look("share/fifo").st_mode, S_IFIFO | 0600);
	if (mknod(host("share/null"), S_IFCHR | 0666, makedev(1, 3)) < 0)
		return;
	assert_int_equal(f_lookup(root, "null", &n), 0);
	assert_int_equal(e->attr.rdev, 0x103);
	assert_int_equal(f_open(n, O_RDONLY, NULL), -ENXIO);
	assert_int_equal(f_create(root, "null", O_WRONLY, 0644, NULL, NULL), -ENXIO);
}

/* A share that is read-only takes no change, in whatever request it comes. */
static void t_read_only(void **state)
{
	uint64_t ro = f_walk("ro"), f = f_walk("ro/f"), l = f_walk("ro/l"), fh, before;
	struct fuse_mknod_in nod = {.mode = S_IFREG};
	struct fuse_fallocate_in fa = {.length = 10};
	struct fuse_setxattr_in sx = {.size = 1};
	(void)state;

	before = digest("ro");
	struct stat st = look("ro/f");
	for (unsigned bit = 0; bit < 12; bit++)
		assert_int_equal(
			f_setattr(f, (struct fuse_setattr_in){.valid = 1u << bit, .mode = 0777}),
			-EROFS);
	assert_int_equal(f_open(f, O_WRONLY, NULL), -EROFS);
	assert_int_equal(f_open(f, O_RDWR, NULL), -EROFS);
	assert_int_equal(f_open(f, O_RDONLY | O_TRUNC, NULL), -EROFS);
	assert_int_equal(f_create(ro, "f", O_RDONLY, 0644, NULL, NULL), -EROFS);
	assert_int_equal(f_create(ro, "n", O_RDWR, 0644, NULL, NULL), -EROFS);
	assert_int_equal(f_mkdir(ro, "n", 0755, NULL), -EROFS);
	assert_int_equal(ask(FUSE_MKNOD, ro, (struct ask){ARG(nod), .name = "n"}), -EROFS);
	assert_int_equal(f_symlink(ro, "n", "x", NULL), -EROFS);
	assert_int_equal(f_link(f, ro, "n"), -EROFS);
	assert_int_equal(f_link(f, root, "n"), -EXDEV);
	assert_int_equal(f_unlink(ro, "f"), -EROFS);
	assert_int_equal(f_rmdir(ro, "d"), -EROFS);
	assert_int_equal(f_rename(ro, "f", ro, "g", 0), -EROFS);
	assert_int_equal(f_rename(ro, "f", root, "g", 0), -EROFS);
	assert_int_equal(f_rename(root, "x", ro, "g", RENAME_EXCHANGE), -EXDEV);
	assert_int_equal(ask(FUSE_SETXATTR, f,
			     (struct ask){ARG(sx), .name = "user.a", .data = "v", .data_len = 1}),
			 -EROFS);
	assert_int_equal(ask(FUSE_REMOVEXATTR, f, (struct ask){.name = "user.a"}), -EROFS);
	assert_int_equal(f_open(f, O_RDONLY, &fh), 0);
	assert_int_equal(f_write(f, fh, 0, "x", 1), -EROFS);
	fa.fh = fh;
	assert_int_equal(ask(FUSE_FALLOCATE, f, (struct ask){ARG(fa)}), -EROFS);
	struct fuse_copy_file_range_in cp = {
		.fh_in = fh, .nodeid_out = f, .fh_out = fh, .len = 5, .off_out = 5};
	assert_int_equal(ask(FUSE_COPY_FILE_RANGE, f, (struct ask){ARG(cp)}), -EBADF);
	/* Reading works, and leaves no trace. */
	assert_int_equal(f_read(f, fh, 0, 100), 17);
	assert_int_equal(ask(FUSE_READLINK, l, (struct ask){0}), 0);
	assert_int_equal(look("ro/f").st_atim.tv_nsec, st.st_atim.tv_nsec);
	assert_true(digest("ro") == before);
}

/* A small generator of our own: the same run everywhere. */
static uint32_t chance(void)
{
	static uint32_t s = 2463534242u;

	s ^= s << 13;
	s ^= s >> 17;
	return s ^= s << 5;
}

/* A value that such a field may well hold, or nothing of the kind. */
static uint64_t field(const uint64_t *known, unsigned n)
{
	switch (chance() % 6) {
	case 0:
		return chance() % 16;
	case 1:
		return (uint64_t)chance() << 32 | chance();
	case 2:
		return chance() % 3 ? 0 : ~0ull;
	default:
		return known[chance() % n];
	}
}

/* Requests made of plausible and absurd parts. */
static void t_noise(void **state)
{
	static const char *const names[] = {"a", "b", "dir", "f", "..", "a/b", "x", "user.a"};
	uint64_t known[24] = {ROOT, root}, before = digest("victim"), before_ro = digest("ro");
	unsigned n = 2, at = 0;
	(void)state;

	for (unsigned i = 0; i < 30000; i++) {
		uint64_t arg[12];
		unsigned words = chance() % 12;
		uint32_t op = chance() % 52;
		for (unsigned k = 0; k < words; k++)
			arg[k] = field(known, n);
		if (op == FUSE_INIT || op == FUSE_DESTROY || op == FUSE_SYNCFS)
			continue;
		const char *name = chance() % 4 ? names[chance() % 8] : NULL;
		const char *name2 = chance() % 4 ? NULL : names[chance() % 8];
		uint64_t id = known[chance() % n];
		cl->uid = chance() % 3 * 1000;
		tell(op, id, (struct ask){arg, 8ull * words, name, name2, NULL, 0});
		if (op == FUSE_FORGET || op == FUSE_BATCH_FORGET || op == FUSE_INTERRUPT)
			continue;
		if (hear() == 0 && cl->len >= 8) {
			uint64_t word; /* a node id or a handle, as a rule */
			memcpy(&word, body(), sizeof(word));
			known[n < 24 ? n++ : 2 + at++ % 22] = word;
			if (cl->len >= sizeof(struct fuse_entry_out) + 8) {
				memcpy(&word, (char *)body() + sizeof(struct fuse_entry_out), 8);
				known[2 + at++ % 22 % (n - 2 ? n - 2 : 1)] = word;
			}
		}
	}
	cl->uid = 0;
	assert_int_equal(fuse_init(), 0);
	assert_int_equal(f_getattr(ROOT, NULL), 0);
	assert_true(digest("victim") == before);
	assert_true(digest("ro") == before_ro);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(t_names),   T(t_long_name), T(t_links),     T(t_race),  T(t_invented_nodes),
		T(t_lengths), T(t_special),   T(t_read_only), T(t_noise), T(t_invented_handles),
	};
	return cmocka_run_group_tests_name("vm_fs_attack", tests, NULL, NULL);
}
