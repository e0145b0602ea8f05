/* tests/unit/vm_fs_world.h: the host's side of the file server's tests: a folder with two shares
 * and a victim beside them, and a digest of what must not change. */
#ifndef RF_TESTS_VM_FS_WORLD_H
#define RF_TESTS_VM_FS_WORLD_H

#include "common/str.h"
#include "tests/unit/vm_fs_client.h"

/* base/share is shared as "root", base/other as "0", base/ro read-only as "ro"; base/victim is
 * nobody's. */
static char base[PATH_MAX], path[PATH_MAX + 512];
static uint64_t root;

/* A path on the host. */
static inline const char *host(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static inline void spill(const char *name, const char *text)
{
	FILE *f = fopen(host(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static inline struct stat look(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(host(name), &st), 0);
	return st;
}

static uint64_t digest_so_far;

static inline int digest_one(const char *name, const struct stat *st, int type, struct FTW *f)
{
	char line[PATH_MAX + 256];
	(void)f;

	int n = snprintf(line, sizeof(line), "%s %o %u %u %lu %ld %ld.%ld %ld.%ld", name,
			 st->st_mode, st->st_uid, st->st_gid, st->st_nlink, st->st_size,
			 st->st_mtim.tv_sec, st->st_mtim.tv_nsec, st->st_ctim.tv_sec,
			 st->st_ctim.tv_nsec);
	digest_so_far = digest_so_far * 31 + str_hash(line, (size_t)n);
	if (type == FTW_F && S_ISREG(st->st_mode)) {
		char *text = scratch_slurp(name);
		digest_so_far = digest_so_far * 31 + str_hash(text, strlen(text));
		free(text);
	}
	return 0;
}

/* Everything of a tree but access times. */
static inline uint64_t digest(const char *name)
{
	digest_so_far = 0;
	assert_int_equal(nftw(host(name), digest_one, 16, FTW_PHYS), 0);
	return digest_so_far;
}

static inline int make_world(void)
{
	umask(0);
	if (scratch_make(base) < 0 || chmod(base, 0755) < 0)
		return -1;
	const char *dirs[] = {"share", "other", "ro", "ro/d", "victim", "victim/dir"};
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (mkdir(host(dirs[i]), 0755) < 0)
			return -1;
	spill("victim/file", "the host's");
	spill("victim/x", "the host's too");
	spill("ro/f", "not to be changed");
	return symlink("f", host("ro/l"));
}

static inline void start_world_as(unsigned limit, uid_t uid)
{
	struct vm_share shares[3] = {share_of("root", host("share"), false),
				     share_of("0", host("other"), false),
				     share_of("ro", host("ro"), true)};
	client_start_as(shares, 3, limit, uid);
	assert_int_equal(fuse_init(), 0);
	root = f_walk("root");
}

static inline void start_world(unsigned limit)
{
	start_world_as(limit, 0);
}

static inline int world_setup(void **state)
{
	(void)state;
	if (make_world() < 0)
		return -1;
	start_world(0);
	return 0;
}

/* The server must have ended well. */
static inline int world_teardown(void **state)
{
	(void)state;
	int status = client_stop();

	return scratch_remove(base) < 0 || status != 0 ? -1 : 0;
}

#endif
