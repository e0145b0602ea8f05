/* tests/unit/test_vm_fs_limits.c: the file server with few descriptors, without privileges, and on
 * more than one file system. */
#include "tests/unit/vm_fs_world.h"

#include <sched.h>
#include <sys/mount.h>

#define FEW 300u
#define DIRS 30u
#define FILES 40u

static int setup(void **state)
{
	(void)state;
	return make_world();
}

static unsigned open_files(void)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d/fd", cl->pid);
	return (unsigned)scratch_count(dir);
}

static void fill(void)
{
	char name[64];

	for (unsigned d = 0; d < DIRS; d++) {
		snprintf(name, sizeof(name), "share/d%u", d);
		assert_int_equal(mkdir(host(name), 0755), 0);
		for (unsigned f = 0; f < FILES; f++) {
			snprintf(name, sizeof(name), "share/d%u/f%u", d, f);
			spill(name, name);
		}
	}
}

/* Looks at everything and forgets nothing. */
static void learn(uint64_t dirs[DIRS], uint64_t files[DIRS][FILES])
{
	char name[64];

	for (unsigned d = 0; d < DIRS; d++) {
		snprintf(name, sizeof(name), "d%u", d);
		assert_int_equal(f_lookup(root, name, &dirs[d]), 0);
		for (unsigned f = 0; f < FILES; f++) {
			snprintf(name, sizeof(name), "f%u", f);
			assert_int_equal(f_lookup(dirs[d], name, &files[d][f]), 0);
		}
	}
}

/* Wakes so many that whatever isn't held is put to sleep. */
static void push(uint64_t files[DIRS][FILES])
{
	for (unsigned d = 4; d < DIRS; d++)
		for (unsigned f = 0; f < FILES; f++)
			assert_int_equal(f_getattr(files[d][f], NULL), 0);
}

/* Many more nodes than descriptors: all of them work, whatever order they are asked in. */
static void t_sleep(void **state)
{
	uint64_t dirs[DIRS], files[DIRS][FILES], fh, again;
	char name[64];
	(void)state;

	fill();
	start_world(FEW);
	learn(dirs, files);
	assert_true(open_files() < FEW);
	for (unsigned f = 0; f < FILES; f++) {
		for (unsigned d = 0; d < DIRS; d++) {
			snprintf(name, sizeof(name), "share/d%u/f%u", d, f);
			assert_int_equal(f_attr(files[d][f]).ino, look(name).st_ino);
		}
	}
	/* Found again under the same number. */
	assert_int_equal(f_lookup(dirs[3], "f5", &again), 0);
	assert_int_equal(again, files[3][5]);
	assert_true(open_files() < FEW);
	/* Moved by us: they are found where they are now, whole directories too. */
	assert_int_equal(f_rename(root, "d0", dirs[1], "moved", 0), 0);
	assert_int_equal(f_rename(dirs[2], "f0", root, "f", 0), 0);
	assert_int_equal(f_rename(dirs[4], "f1", dirs[5], "f1", RENAME_EXCHANGE), 0);
	assert_int_equal(f_symlink(root, "l", "f", NULL), 0);
	for (unsigned d = 2; d < DIRS; d++) /* pushes them out */
		for (unsigned f = 2; f < FILES; f++)
			assert_int_equal(f_getattr(files[d][f], NULL), 0);
	assert_int_equal(f_attr(files[0][7]).ino, look("share/d1/moved/f7").st_ino);
	assert_int_equal(f_open(files[2][0], O_RDONLY, &fh), 0);
	assert_int_equal(f_read(files[2][0], fh, 0, 100), 11);
	assert_memory_equal(body(), "share/d2/f0", 11);
	assert_int_equal(f_attr(files[4][1]).ino, look("share/d5/f1").st_ino);
	assert_int_equal(f_attr(files[5][1]).ino, look("share/d4/f1").st_ino);
}

/* Somebody else moves things while their nodes sleep: stale, never another file. */
static void t_stale(void **state)
{
	uint64_t dirs[DIRS], files[DIRS][FILES], other;
	unsigned stale = 0, right = 0;
	char name[64], away[PATH_MAX + 16];
	(void)state;

	fill();
	start_world(FEW);
	learn(dirs, files);
	struct stat victim = look("victim/x");
	for (unsigned f = 0; f < FILES; f++) {
		snprintf(name, sizeof(name), "share/d0/f%u", f);
		struct stat old = look(name);
		assert_int_equal(unlink(host(name)), 0);
		snprintf(away, sizeof(away), "%s/victim/x", base);
		assert_int_equal(f % 2 ? symlink(away, host(name)) : mkdir(host(name), 0755), 0);
		struct fuse_attr a = {0};
		int rc = f_getattr(files[0][f], &a);
		stale += rc == -ESTALE;
		right += rc == 0 && a.ino == old.st_ino && S_ISREG(a.mode);
		assert_int_not_equal(a.ino, victim.st_ino);
		assert_int_equal(f_lookup(dirs[0], strrchr(name, '/') + 1, &other), 0);
		assert_int_not_equal(other, files[0][f]);
	}
	assert_int_equal(stale + right, FILES);
	assert_true(stale > 0);
	/* A whole directory swapped for a link to another. */
	snprintf(away, sizeof(away), "%s/victim/taken", base);
	assert_int_equal(rename(host("share/d1"), away), 0);
	assert_int_equal(symlink("../victim/taken", host("share/d1")), 0);
	push(files);
	assert_int_equal(f_getattr(files[1][0], NULL), -ESTALE);
	assert_int_equal(f_lookup(dirs[1], "f0", NULL), -ESTALE);
}

/* What is open stays, though its name is gone and others push. */
static void t_pinned(void **state)
{
	uint64_t dirs[DIRS], files[DIRS][FILES], node, fh;
	char away[PATH_MAX + 16];
	(void)state;

	fill();
	start_world(FEW);
	assert_int_equal(f_create(root, "tmp", O_RDWR, 0600, &node, &fh), 0);
	assert_int_equal(f_write(node, fh, 0, "kept", 4), 4);
	assert_int_equal(f_unlink(root, "tmp"), 0);
	learn(dirs, files);
	assert_int_equal(f_attr(node).size, 4);
	assert_int_equal(f_read(node, fh, 0, 10), 4);
	assert_int_equal(f_release(node, fh), 0);
	/* No name, nothing open, but known: it can't be found again, so it isn't put to sleep. */
	push(files);
	push(files);
	assert_int_equal(f_attr(node).nlink, 0);
	f_forget(node, 1);
	assert_true(f_gone(node));
	/* Open, and moved by somebody else: what holds it is the descriptor. */
	assert_int_equal(f_open(files[3][3], O_RDONLY, &fh), 0);
	snprintf(away, sizeof(away), "%s/share/away", base);
	assert_int_equal(rename(host("share/d3/f3"), away), 0);
	push(files);
	push(files);
	assert_int_equal(f_attr(files[3][3]).ino, look("share/away").st_ino);
}

/* Too many open files are refused, one by one closed they are given again. */
static void t_handles(void **state)
{
	uint64_t dirs[DIRS], files[DIRS][FILES], fh[FEW];
	unsigned n = 0;
	int rc = 0;
	(void)state;

	fill();
	start_world(FEW);
	learn(dirs, files);
	while (n < FEW && (rc = f_open(files[n % DIRS][n / DIRS], O_RDONLY, &fh[n])) == 0)
		n++;
	assert_int_equal(rc, -ENFILE);
	assert_true(n > FEW / 4 && n < FEW / 2);
	for (unsigned d = 0; d < DIRS; d++) /* the rest goes on */
		for (unsigned f = 0; f < FILES; f++)
			assert_int_equal(f_getattr(files[d][f], NULL), 0);
	assert_int_equal(f_opendir(dirs[0], NULL), -ENFILE);
	assert_int_equal(f_release(files[0][0], fh[0]), 0);
	assert_int_equal(f_open(files[7][7], O_RDONLY, &fh[0]), 0);
	/* Nothing of a refused CREATE stays open: a hundred of them change nothing. */
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(f_create(root, "new", O_RDWR, 0644, NULL, NULL), -ENFILE);
	assert_true(open_files() < FEW);
	/* A client that begins anew has nothing open. */
	assert_int_equal(fuse_init(), 0);
	assert_true(open_files() < 20);
	root = f_walk("root");
}

/* A server without privileges makes everything as itself, and says what it can't do. */
static void t_rootless(void **state)
{
	uint64_t node, fh;
	uid_t uid = geteuid() == 0 ? 65534 : geteuid();
	(void)state;

	if (geteuid() == 0)
		assert_int_equal(chown(host("share"), uid, uid), 0);
	start_world_as(0, geteuid() == 0 ? uid : 0);
	assert_int_equal(f_create(root, "f", O_RDWR, 0600, &node, &fh), 0);
	assert_int_equal(look("share/f").st_uid, uid);
	cl->uid = cl->gid = 1000;
	assert_int_equal(f_mkdir(root, "d", 0755, NULL), 0);
	assert_int_equal(look("share/d").st_uid, uid);
	cl->uid = cl->gid = 0;
	assert_int_equal(f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 0}),
			 -EPERM);
	assert_int_equal(f_write(node, fh, 0, "abc", 3), 3);
	assert_int_equal(f_read(node, fh, 0, 9), 3);
	assert_int_equal(f_link(node, root, "hard"), 0);
	assert_int_equal(f_rename(root, "hard", root, "h", 0), 0);
	assert_int_equal(
		f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0640}), 0);
	assert_int_equal(f_unlink(root, "h"), 0);
	/* What only root may: the host refuses it. */
	uint64_t ro = f_walk("0");
	if (geteuid() == 0)
		assert_int_equal(f_mkdir(ro, "d", 0755, NULL), -EACCES);
}

/* Another file system in a share: its own device number in the guest, its own nodes. */
static void t_submount(void **state)
{
	struct fuse_entry_out *e = body();
	uint64_t d, f;
	(void)state;

	if (unshare(CLONE_NEWNS) < 0)
		skip();
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mkdir(host("share/tmp"), 0755), 0);
	assert_int_equal(mkdir(host("share/same"), 0755), 0);
	assert_int_equal(mount("tmpfs", host("share/tmp"), "tmpfs", 0, "size=1m"), 0);
	spill("share/f", "");
	char from[PATH_MAX + 16];
	snprintf(from, sizeof(from), "%s/share", base);
	/* The share itself again, and read-only there: the nodes aren't those of the writable way.
	 */
	assert_int_equal(mount(from, host("share/same"), NULL, MS_BIND, NULL), 0);
	assert_int_equal(
		mount(NULL, host("share/same"), NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	start_world(0);
	assert_int_equal(f_lookup(root, "tmp", &d), 0);
	assert_int_equal(e->attr.flags, FUSE_ATTR_SUBMOUNT);
	assert_int_equal(f_mkdir(d, "x", 0755, NULL), 0);
	assert_int_equal(e->attr.flags, 0);
	assert_int_equal(f_rename(d, "x", root, "x", 0), -EXDEV);
	assert_int_equal(f_lookup(root, "f", &f), 0);
	assert_int_equal(f_open(f, O_RDWR, NULL), 0);
	assert_int_equal(f_lookup(root, "same", &d), 0);
	assert_int_equal(f_lookup(d, "f", &f), 0);
	assert_int_equal(f_open(f, O_RDWR, NULL), -EROFS);
	assert_int_equal(f_mkdir(d, "x", 0755, NULL), -EROFS);
	assert_int_equal(client_stop(), 0);
	assert_int_equal(umount2(host("share/same"), MNT_DETACH), 0);
	assert_int_equal(umount2(host("share/tmp"), MNT_DETACH), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(t_sleep), T(t_stale), T(t_pinned), T(t_handles), T(t_rootless), T(t_submount),
	};
	return cmocka_run_group_tests_name("vm_fs_limits", tests, NULL, NULL);
}
