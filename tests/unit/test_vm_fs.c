/* tests/unit/test_vm_fs.c: every request of the file server, as a guest's kernel sends them. */
#include "tests/unit/vm_fs_client.h"

#include <linux/falloc.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <time.h>

/* base/share is shared as "root", base/other as "0", base/file as "1". */
static char base[PATH_MAX], path[PATH_MAX + 512];
static uint64_t root;

/* A path on the host. */
static const char *host(const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", base, name);
	return path;
}

static void spill(const char *name, const char *text)
{
	FILE *f = fopen(host(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct stat look(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(host(name), &st), 0);
	return st;
}

static int setup(void **state)
{
	(void)state;
	umask(0);
	if (scratch_make(base) < 0 || chmod(base, 0755) < 0 || mkdir(host("share"), 0755) < 0 ||
	    mkdir(host("other"), 0755) < 0)
		return -1;
	spill("file", "a file of its own");
	struct vm_share shares[3] = {share_of("root", host("share"), false),
				     share_of("0", host("other"), false),
				     share_of("1", host("file"), false)};
	client_start(shares, 3, 0);
	root = f_walk("root");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	int status = client_stop();

	return scratch_remove(base) < 0 || status != 0 ? -1 : 0;
}

static void t_init(void **state)
{
	struct fuse_init_in in = {.major = 7, .minor = 37, .flags = FUSE_POSIX_LOCKS};
	struct fuse_init_out *out = body();
	(void)state;

	assert_int_equal(ask(FUSE_INIT, 0, (struct ask){ARG(in)}), 0);
	assert_int_equal(out->major, 7);
	assert_true(out->minor >= 31);
	assert_int_equal(out->max_write, VM_FS_MAX_WRITE);
	assert_int_equal(out->max_pages, VM_FS_MAX_WRITE / 4096);
	assert_int_equal(out->flags, 0); /* nothing that wasn't offered, nothing not served */
	assert_int_equal(fuse_init(), 0);
	assert_true(cl->flags & FUSE_SUBMOUNTS && cl->flags & FUSE_DONT_MASK);
	assert_false(cl->flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS | FUSE_WRITEBACK_CACHE));
	in.minor = 30;
	assert_int_equal(ask(FUSE_INIT, 0, (struct ask){ARG(in)}), -EPROTO);
	assert_int_equal(f_getattr(ROOT, NULL), -EPROTO); /* nothing before an INIT that works */
	in.major = 8;
	assert_int_equal(ask(FUSE_INIT, 0, (struct ask){ARG(in)}), 0);
	assert_int_equal(((struct fuse_init_out *)body())->major, 7);
	assert_int_equal(fuse_init(), 0);
	assert_int_equal(ask(FUSE_DESTROY, 0, (struct ask){0}), 0);
	assert_int_equal(fuse_init(), 0);
}

/* Names in a directory, "+" before those that came with an entry, sorted as they came. */
static char *list(uint64_t dir, bool plus, uint32_t size)
{
	static char names[1 << 20];
	struct fuse_read_in in = {.size = size};
	size_t at = 0;

	names[0] = 0;
	assert_int_equal(f_opendir(dir, &in.fh), 0);
	for (;;) {
		int rc = ask(plus ? FUSE_READDIRPLUS : FUSE_READDIR, dir, (struct ask){ARG(in)});
		assert_int_equal(rc, 0);
		assert_true(cl->len <= size);
		if (cl->len == 0)
			break;
		for (uint8_t *p = body(), *end = p + cl->len; p < end;) {
			struct fuse_entry_out *e = (void *)p;
			p += plus ? sizeof(*e) : 0;
			struct fuse_dirent *d = (void *)p;
			at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%.*s ",
					       plus && e->nodeid ? "+" : "", (int)d->namelen,
					       d->name);
			in.offset = d->off;
			p += FUSE_DIRENT_SIZE(d);
		}
	}
	assert_int_equal(f_releasedir(dir, in.fh), 0);
	return names;
}

static void t_root(void **state)
{
	struct fuse_entry_out *e = body();
	(void)state;

	assert_int_equal(f_attr(ROOT).mode, S_IFDIR | 0555);
	assert_string_equal(list(ROOT, false, 4096), ". .. root 0 1 ");
	assert_string_equal(list(ROOT, true, 4096), ". .. +root +0 +1 ");
	assert_string_equal(list(ROOT, true, 200), ". .. +root +0 +1 ");
	assert_int_equal(f_lookup(ROOT, "nothing", NULL), -ENOENT);
	assert_int_equal(f_lookup(ROOT, "root", NULL), 0);
	assert_int_equal(e->attr.flags, FUSE_ATTR_SUBMOUNT);
	assert_int_equal(f_lookup(ROOT, "1", NULL), 0);
	assert_int_equal(e->attr.flags, 0);
	assert_true(S_ISREG(e->attr.mode));
	assert_int_equal(f_mkdir(ROOT, "new", 0755, NULL), -EROFS);
	assert_int_equal(f_rename(ROOT, "root", ROOT, "x", 0), -EROFS);
	assert_int_equal(f_rename(root, "x", ROOT, "y", 0), -EXDEV);
	assert_int_equal(f_unlink(ROOT, "1"), -EROFS);
	assert_int_equal(ask(FUSE_STATFS, ROOT, (struct ask){0}), 0);
}

static void t_file_share(void **state)
{
	uint64_t node = f_walk("1"), fh;
	(void)state;

	assert_int_equal(f_open(node, O_RDWR, &fh), 0);
	assert_int_equal(f_read(node, fh, 0, 100), 17);
	assert_memory_equal(body(), "a file of its own", 17);
	assert_int_equal(f_write(node, fh, 0, "A", 1), 1);
	assert_int_equal(f_release(node, fh), 0);
	assert_int_equal(f_lookup(node, "x", NULL), -ENOTDIR);
	assert_int_equal(f_opendir(node, NULL), -ENOTDIR);
}

static void t_read_write(void **state)
{
	static char big[VM_FS_MAX_WRITE], back[VM_FS_MAX_WRITE];
	uint64_t node, fh;
	(void)state;

	memset(big, 'x', sizeof(big));
	assert_int_equal(f_create(root, "f", O_RDWR | O_EXCL, 0640, &node, &fh), 0);
	assert_int_equal(look("share/f").st_mode, S_IFREG | 0640);
	assert_int_equal(f_create(root, "f", O_RDWR | O_EXCL, 0640, NULL, NULL), -EEXIST);
	assert_int_equal(f_write(node, fh, 3, big, sizeof(big)), sizeof(big));
	assert_int_equal(look("share/f").st_size, 3 + sizeof(big));
	assert_int_equal(f_read(node, fh, 3, sizeof(big)), sizeof(big));
	memcpy(back, body(), sizeof(back));
	assert_memory_equal(back, big, sizeof(big));
	assert_int_equal(f_read(node, fh, 3 + sizeof(big), 10), 0);
	/* Beyond 4 GiB: sparse. */
	assert_int_equal(f_write(node, fh, 5ull << 30, "end", 3), 3);
	assert_int_equal(look("share/f").st_size, (5ll << 30) + 3);
	assert_int_equal(f_read(node, fh, 5ull << 30, 10), 3);
	assert_int_equal(f_write(node, fh, 1ull << 63, "end", 3), -EINVAL);
	assert_int_equal(f_release(node, fh), 0);
	assert_int_equal(f_read(node, fh, 0, 1), -EBADF);
	assert_int_equal(f_release(node, fh), -EBADF);
	/* Opened, made as it is, emptied. */
	uint64_t again;
	assert_int_equal(f_create(root, "f", O_WRONLY | O_TRUNC, 0600, &again, &fh), 0);
	assert_int_equal(again, node);
	assert_int_equal(look("share/f").st_size, 0);
	assert_int_equal(look("share/f").st_mode, S_IFREG | 0640);
	assert_int_equal(f_read(node, fh, 0, 1), -EBADF); /* write-only */
	assert_int_equal(f_release(node, fh), 0);
}

static void t_append(void **state)
{
	uint64_t node, fh;
	struct fuse_write_in in = {.offset = 0, .size = 3, .flags = O_WRONLY | O_APPEND};
	(void)state;

	assert_int_equal(f_create(root, "log", O_WRONLY | O_APPEND, 0600, &node, &in.fh), 0);
	fh = in.fh;
	spill("share/log", "from the host ");
	/* An append goes behind what another wrote. */
	assert_int_equal(ask(FUSE_WRITE, node, (struct ask){ARG(in), .data = "one", .data_len = 3}),
			 0);
	char *text = scratch_slurp(host("share/log"));
	assert_string_equal(text, "from the host one");
	free(text);
	/* A page that is written back has its place. */
	in.write_flags = FUSE_WRITE_CACHE;
	assert_int_equal(ask(FUSE_WRITE, node, (struct ask){ARG(in), .data = "two", .data_len = 3}),
			 0);
	text = scratch_slurp(host("share/log"));
	assert_string_equal(text, "twom the host one");
	free(text);
	assert_int_equal(f_release(node, fh), 0);
}

static void t_list(void **state)
{
	struct fuse_read_in in = {.size = 4096};
	char name[300];
	(void)state;

	assert_int_equal(f_mkdir(root, "d", 0755, NULL), 0);
	uint64_t d = f_walk("root/d");
	assert_string_equal(list(d, false, 4096)[0] == '.' ? "ok" : "", "ok");
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "share/d/%d-%0*d", i, i % 240 + 1, 0);
		spill(name, "");
	}
	const uint32_t sizes[] = {4096, 1024, 512, VM_FS_MAX_WRITE};
	for (unsigned k = 0; k < 8; k++) {
		char *names = list(d, k & 1, sizes[k / 2]), *word;
		unsigned seen = 0, entries = 0;
		while ((word = strsep(&names, " "))) {
			seen += word[0] != 0;
			entries += word[0] == '+';
		}
		assert_int_equal(seen, 2002);
		assert_int_equal(entries, k & 1 ? 2000 : 0);
	}
	/* Too small for one name: an error, not an end. */
	assert_int_equal(f_opendir(d, &in.fh), 0);
	in.size = 16;
	assert_int_equal(ask(FUSE_READDIR, d, (struct ask){ARG(in)}), -EINVAL);
	/* A place that was told may be come back to, whatever was read since. */
	in.size = 4096;
	assert_int_equal(ask(FUSE_READDIR, d, (struct ask){ARG(in)}), 0);
	struct fuse_dirent *first = body();
	in.offset = first->off;
	assert_int_equal(ask(FUSE_READDIR, d, (struct ask){ARG(in)}), 0);
	struct fuse_dirent second = *(struct fuse_dirent *)body();
	uint64_t there = in.offset;
	for (in.offset = second.off; cl->len;) {
		struct fuse_dirent *last = NULL;
		assert_int_equal(ask(FUSE_READDIR, d, (struct ask){ARG(in)}), 0);
		for (uint8_t *p = body(), *end = p + cl->len; p < end; p += FUSE_DIRENT_SIZE(last))
			last = (void *)p;
		in.offset = last ? last->off : in.offset;
	}
	in.offset = there;
	assert_int_equal(ask(FUSE_READDIR, d, (struct ask){ARG(in)}), 0);
	assert_int_equal(((struct fuse_dirent *)body())->ino, second.ino);
	assert_int_equal(f_releasedir(d, in.fh), 0);
}

static void t_make(void **state)
{
	uint64_t d, l;
	(void)state;

	assert_int_equal(f_mkdir(root, "d", 01777, &d), 0);
	assert_int_equal(look("share/d").st_mode, S_IFDIR | 01777);
	assert_int_equal(f_mkdir(root, "d", 0755, NULL), -EEXIST);
	assert_int_equal(f_mknod(d, "reg", S_IFREG | 04755, 0), 0);
	assert_int_equal(look("share/d/reg").st_mode, S_IFREG | 04755);
	assert_int_equal(f_mknod(d, "fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(f_mknod(d, "sock", S_IFSOCK | 0600, 0), 0);
	assert_true(S_ISSOCK(look("share/d/sock").st_mode));
	assert_int_equal(f_mknod(d, "c", S_IFCHR | 0600, 0x103), -EPERM);
	assert_int_equal(f_mknod(d, "whiteout", S_IFCHR, 0), -EPERM);
	assert_int_equal(f_mknod(d, "b", S_IFBLK | 0600, 0x800), -EPERM);
	assert_int_equal(f_mknod(d, "none", 0600, 0), -EPERM);
	assert_int_equal(f_symlink(d, "l", "/etc/passwd", &l), 0);
	assert_int_equal(ask(FUSE_READLINK, l, (struct ask){0}), 0);
	assert_int_equal(cl->len, 11);
	assert_memory_equal(body(), "/etc/passwd", 11);
	assert_int_equal(ask(FUSE_READLINK, d, (struct ask){0}), -EINVAL);
	assert_int_equal(f_rmdir(root, "d"), -ENOTEMPTY);
	assert_int_equal(f_unlink(root, "d"), -EISDIR);
	assert_int_equal(f_rmdir(d, "l"), -ENOTDIR);
	assert_int_equal(f_unlink(d, "l"), 0);
	assert_int_equal(f_unlink(d, "l"), -ENOENT);
}

static void t_link_rename(void **state)
{
	uint64_t d, f, again;
	(void)state;

	assert_int_equal(f_mkdir(root, "d", 0755, &d), 0);
	assert_int_equal(f_mknod(root, "f", S_IFREG | 0644, 0), 0);
	f = f_walk("root/f");
	assert_int_equal(f_link(f, d, "hard"), 0);
	assert_int_equal(((struct fuse_entry_out *)body())->nodeid, f);
	assert_int_equal(((struct fuse_entry_out *)body())->attr.nlink, 2);
	assert_int_equal(f_link(f, d, "hard"), -EEXIST);
	assert_int_equal(f_symlink(root, "l", "nowhere", &again), 0);
	assert_int_equal(f_link(again, d, "l2"), 0); /* the link itself */
	assert_true(S_ISLNK(look("share/d/l2").st_mode));
	assert_int_equal(f_rename(root, "l", d, "hard", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(f_rename(root, "l", d, "hard", RENAME_EXCHANGE), 0);
	assert_true(S_ISLNK(look("share/d/hard").st_mode));
	assert_int_equal(f_rename(root, "l", d, "hard", RENAME_WHITEOUT), -EINVAL);
	struct fuse_rename_in in = {.newdir = d};
	assert_int_equal(
		ask(FUSE_RENAME, root, (struct ask){ARG(in), .name = "f", .name2 = "hard"}), 0);
	assert_true(S_ISREG(look("share/d/hard").st_mode));
	assert_int_equal(f_walk("root/d/hard"), f);
	assert_int_equal(f_rename(root, "gone", d, "x", 0), -ENOENT);
	/* Across shares. */
	uint64_t other = f_walk("0");
	assert_int_equal(f_rename(d, "hard", other, "x", 0), -EXDEV);
	assert_int_equal(f_link(f, other, "x"), -EXDEV);
	assert_int_equal(f_rename(d, "hard", d + (1ull << 32), "x", 0), -ESTALE);
}

/* A file without a name works until it is closed. */
static void t_unlinked(void **state)
{
	uint64_t node, fh;
	(void)state;

	needs_root();
	assert_int_equal(f_create(root, "tmp", O_RDWR, 0600, &node, &fh), 0);
	assert_int_equal(f_unlink(root, "tmp"), 0);
	assert_int_equal(f_write(node, fh, 0, "abc", 3), 3);
	assert_int_equal(f_attr(node).nlink, 0);
	assert_int_equal(f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 2}),
			 0);
	assert_int_equal(
		f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0444}), 0);
	assert_int_equal(f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 7}),
			 0);
	assert_int_equal(
		f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_MTIME, .mtime = 9}), 0);
	struct fuse_attr a = f_attr(node);
	assert_int_equal(a.size, 2);
	assert_int_equal(a.mode, S_IFREG | 0444);
	assert_int_equal(a.uid, 7);
	assert_int_equal(a.mtime, 9);
	assert_int_equal(f_read(node, fh, 0, 10), 2);
	assert_int_equal(f_link(node, root, "back"), -ENOENT);
	assert_int_equal(f_release(node, fh), 0);
}

static void t_setattr(void **state)
{
	uint64_t node, link, dir;
	struct stat st;
	(void)state;

	needs_root();
	spill("share/f", "0123456789");
	node = f_walk("root/f");
	assert_int_equal(
		f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 06755}), 0);
	assert_int_equal(look("share/f").st_mode, S_IFREG | 06755);
	/* A new owner takes the set-id bits away, a mode that comes with it stays. */
	assert_int_equal(f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_UID | FATTR_GID,
								  .uid = 11,
								  .gid = 12}),
			 0);
	st = look("share/f");
	assert_int_equal(st.st_mode, S_IFREG | 0755);
	assert_int_equal(st.st_uid, 11);
	assert_int_equal(st.st_gid, 12);
	assert_int_equal(
		f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 3ull << 30}),
		0);
	assert_int_equal(look("share/f").st_size, 3ll << 30);
	/* Times: one, the other stays; now; before 1970. */
	st = look("share/f");
	assert_int_equal(f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_ATIME,
								  .atime = (uint64_t)-5,
								  .atimensec = 77}),
			 0);
	assert_int_equal(look("share/f").st_mtim.tv_nsec, st.st_mtim.tv_nsec);
	st = look("share/f");
	assert_int_equal(st.st_atim.tv_sec, -5);
	assert_int_equal(st.st_atim.tv_nsec, 77);
	assert_int_equal(
		f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_MTIME_NOW | FATTR_MTIME}),
		0);
	assert_true(look("share/f").st_mtim.tv_sec > 1000000);
	assert_int_equal(look("share/f").st_atim.tv_sec, -5);
	/* UTIME_NOW and UTIME_OMIT as a count of nanoseconds mean nothing. */
	assert_int_equal(f_setattr(node, (struct fuse_setattr_in){.valid = FATTR_MTIME,
								  .mtime = 5,
								  .mtimensec = UTIME_NOW}),
			 0);
	assert_int_equal(look("share/f").st_mtim.tv_sec, 5);
	/* A link itself, never its target. */
	assert_int_equal(f_symlink(root, "l", "f", &link), 0);
	assert_int_equal(f_setattr(link, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 99}),
			 0);
	assert_int_equal(
		f_setattr(link, (struct fuse_setattr_in){.valid = FATTR_MTIME, .mtime = 3}), 0);
	assert_int_equal(look("share/l").st_uid, 99);
	assert_int_equal(look("share/l").st_mtim.tv_sec, 3);
	assert_int_equal(look("share/f").st_uid, 11);
	assert_int_equal(f_setattr(link, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0}),
			 -EOPNOTSUPP);
	assert_int_equal(f_setattr(link, (struct fuse_setattr_in){.valid = FATTR_SIZE}), -EINVAL);
	assert_int_equal(f_mkdir(root, "d", 0755, &dir), 0);
	assert_int_equal(f_setattr(dir, (struct fuse_setattr_in){.valid = FATTR_SIZE}), -EISDIR);
}

/* What is made is the caller's; a set-gid directory gives its group; umask is the caller's. */
static void t_owner(void **state)
{
	uint64_t d;
	struct fuse_create_in in = {.flags = O_WRONLY, .mode = S_IFREG | 0666, .umask = 027};
	struct fuse_mkdir_in md = {.mode = 0777, .umask = 022};
	struct stat st;
	(void)state;

	needs_root();
	cl->uid = 1234;
	cl->gid = 5678;
	assert_int_equal(f_mkdir(root, "mine", 0700, &d), 0);
	st = look("share/mine");
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
	assert_int_equal(f_symlink(d, "l", "x", NULL), 0);
	assert_int_equal(look("share/mine/l").st_uid, 1234);
	assert_int_equal(f_mknod(d, "fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(look("share/mine/fifo").st_gid, 5678);
	/* Another caller, in a directory that isn't its own: the guest's kernel let it. */
	cl->uid = 4321;
	cl->gid = 8765;
	assert_int_equal(ask(FUSE_CREATE, d, (struct ask){ARG(in), .name = "f"}), 0);
	st = look("share/mine/f");
	assert_int_equal(st.st_uid, 4321);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(ask(FUSE_MKDIR, d, (struct ask){ARG(md), .name = "dd"}), 0);
	assert_int_equal(look("share/mine/dd").st_mode, S_IFDIR | 0755);
	/* Set-gid. */
	assert_int_equal(chmod(host("share/mine/dd"), 02777), 0);
	assert_int_equal(chown(host("share/mine/dd"), 0, 42), 0);
	uint64_t dd = f_walk("root/mine/dd");
	assert_int_equal(f_mkdir(dd, "sub", 0755, NULL), 0);
	st = look("share/mine/dd/sub");
	assert_int_equal(st.st_gid, 42);
	assert_int_equal(st.st_mode, S_IFDIR | 02755);
	/* A caller of the directory's group, by a group that isn't its first: the guest kept the
	 * bit. */
	assert_int_equal(f_mknod(dd, "tool", S_IFREG | 02755, 0), 0);
	assert_int_equal(look("share/mine/dd/tool").st_mode, S_IFREG | 02755);
	cl->uid = cl->gid = 0;
	assert_int_equal(f_mkdir(d, "roots", 0755, NULL), 0);
	assert_int_equal(look("share/mine/roots").st_uid, 0);
}

/* Set-id bits and file capabilities go when the request says so, and stay when it doesn't. */
static void t_kill_priv(void **state)
{
	uint64_t node, fh;
	struct fuse_write_in in = {.size = 1, .write_flags = FUSE_WRITE_KILL_SUIDGID};
	(void)state;

	needs_root();
	spill("share/f", "0123456789");
	assert_int_equal(chmod(host("share/f"), 06755), 0);
	node = f_walk("root/f");
	assert_int_equal(f_open(node, O_WRONLY, &fh), 0);
	in.fh = fh;
	assert_int_equal(f_write(node, fh, 0, "x", 1), 1);
	assert_int_equal(look("share/f").st_mode, S_IFREG | 06755);
	cl->uid = 1000;
	assert_int_equal(ask(FUSE_WRITE, node, (struct ask){ARG(in), .data = "y", .data_len = 1}),
			 0);
	assert_int_equal(look("share/f").st_mode, S_IFREG | 0755);
	assert_int_equal(chmod(host("share/f"), 06755), 0);
	struct fuse_setattr_in cut = {.valid = FATTR_SIZE | FATTR_KILL_SUIDGID, .size = 1};
	assert_int_equal(f_setattr(node, cut), 0);
	assert_int_equal(look("share/f").st_mode, S_IFREG | 0755);
	assert_int_equal(chmod(host("share/f"), 06755), 0);
	struct fuse_open_in open_in = {.flags = O_WRONLY | O_TRUNC,
				       .open_flags = FUSE_OPEN_KILL_SUIDGID};
	assert_int_equal(ask(FUSE_OPEN, node, (struct ask){ARG(open_in)}), 0);
	assert_int_equal(look("share/f").st_mode, S_IFREG | 0755);
	assert_int_equal(look("share/f").st_size, 0);
}

static void t_holes(void **state)
{
	uint64_t node, fh;
	(void)state;

	assert_int_equal(f_create(root, "sparse", O_RDWR, 0600, &node, &fh), 0);
	assert_int_equal(f_write(node, fh, 1 << 20, "data", 4), 4);
	struct fuse_lseek_in in = {.fh = fh, .offset = 0, .whence = SEEK_DATA};
	assert_int_equal(ask(FUSE_LSEEK, node, (struct ask){ARG(in)}), 0);
	assert_int_equal(((struct fuse_lseek_out *)body())->offset, 1 << 20);
	in.whence = SEEK_HOLE;
	assert_int_equal(ask(FUSE_LSEEK, node, (struct ask){ARG(in)}), 0);
	assert_int_equal(((struct fuse_lseek_out *)body())->offset, 0);
	in.offset = 2 << 20;
	assert_int_equal(ask(FUSE_LSEEK, node, (struct ask){ARG(in)}), -ENXIO);
	in.whence = SEEK_SET;
	assert_int_equal(ask(FUSE_LSEEK, node, (struct ask){ARG(in)}), -EINVAL);
	struct fuse_fallocate_in fa = {.fh = fh, .length = 2 << 20};
	assert_int_equal(ask(FUSE_FALLOCATE, node, (struct ask){ARG(fa)}), 0);
	assert_int_equal(look("share/sparse").st_size, 2 << 20);
	assert_true(look("share/sparse").st_blocks * 512 >= 2 << 20);
	fa.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	assert_int_equal(ask(FUSE_FALLOCATE, node, (struct ask){ARG(fa)}), 0);
	assert_int_equal(f_read(node, fh, 1 << 20, 4), 4);
	assert_memory_equal(body(), "\0\0\0\0", 4);
	fa.mode = FALLOC_FL_COLLAPSE_RANGE;
	assert_int_equal(ask(FUSE_FALLOCATE, node, (struct ask){ARG(fa)}), -EOPNOTSUPP);
}

static void t_copy(void **state)
{
	uint64_t a, fa, b, fb;
	(void)state;

	spill("share/a", "0123456789");
	a = f_walk("root/a");
	assert_int_equal(f_open(a, O_RDONLY, &fa), 0);
	assert_int_equal(f_create(root, "b", O_RDWR, 0600, &b, &fb), 0);
	struct fuse_copy_file_range_in in = {
		.fh_in = fa, .off_in = 2, .nodeid_out = b, .fh_out = fb, .len = 5};
	assert_int_equal(ask(FUSE_COPY_FILE_RANGE, a, (struct ask){ARG(in)}), 0);
	assert_int_equal(((struct fuse_write_out *)body())->size, 5);
	assert_int_equal(f_read(b, fb, 0, 10), 5);
	assert_memory_equal(body(), "23456", 5);
	in.flags = 1;
	assert_int_equal(ask(FUSE_COPY_FILE_RANGE, a, (struct ask){ARG(in)}), -EINVAL);
	in.flags = 0;
	in.fh_out = fa;
	assert_int_equal(ask(FUSE_COPY_FILE_RANGE, a, (struct ask){ARG(in)}), -EBADF);
}

static void t_sync(void **state)
{
	uint64_t node, fh;
	struct fuse_syncfs_in sync_in = {0};
	(void)state;

	assert_int_equal(f_create(root, "f", O_RDWR, 0600, &node, &fh), 0);
	struct fuse_fsync_in in = {.fh = fh};
	assert_int_equal(ask(FUSE_FSYNC, node, (struct ask){ARG(in)}), 0);
	in.fsync_flags = FUSE_FSYNC_FDATASYNC;
	assert_int_equal(ask(FUSE_FSYNC, node, (struct ask){ARG(in)}), 0);
	assert_int_equal(ask(FUSE_FSYNCDIR, node, (struct ask){ARG(in)}), -EBADF);
	struct fuse_flush_in fl = {.fh = fh};
	assert_int_equal(ask(FUSE_FLUSH, node, (struct ask){ARG(fl)}), 0);
	assert_int_equal(f_opendir(root, &in.fh), 0);
	assert_int_equal(ask(FUSE_FSYNCDIR, root, (struct ask){ARG(in)}), 0);
	assert_int_equal(ask(FUSE_FSYNC, root, (struct ask){ARG(in)}), -EBADF);
	assert_int_equal(ask(FUSE_SYNCFS, root, (struct ask){ARG(sync_in)}), 0);
	assert_int_equal(ask(FUSE_SYNCFS, ROOT, (struct ask){ARG(sync_in)}), 0);
	assert_int_equal(ask(FUSE_STATFS, root, (struct ask){0}), 0);
	assert_true(((struct fuse_statfs_out *)body())->st.blocks > 0);
}

/* Pages are kept over an open when the file is as it was, and aren't when it isn't. */
static void t_keep_cache(void **state)
{
	struct fuse_open_out *out = body();
	struct timespec t = {.tv_nsec = 50000000};
	(void)state;

	spill("share/f", "1");
	uint64_t node = f_walk("root/f");
	nanosleep(&t, NULL);
	assert_int_equal(f_open(node, O_RDONLY, NULL), 0);
	assert_false(out->open_flags & FOPEN_KEEP_CACHE);
	assert_int_equal(f_open(node, O_RDONLY, NULL), 0);
	assert_true(out->open_flags & FOPEN_KEEP_CACHE);
	spill("share/f", "2");
	assert_int_equal(f_open(node, O_RDONLY, NULL), 0);
	assert_false(out->open_flags & FOPEN_KEEP_CACHE);
	assert_int_equal(f_open(node, O_RDONLY, NULL), 0);
	struct stat st = look("share/f");
	clock_gettime(CLOCK_REALTIME, &t);
	/* Too young to tell, unless the machine was so busy that it isn't. */
	if ((t.tv_sec - st.st_ctim.tv_sec) * 1000000000ll + t.tv_nsec - st.st_ctim.tv_nsec <
	    20000000)
		assert_false(out->open_flags & FOPEN_KEEP_CACHE);
}

static void t_unserved(void **state)
{
	struct fuse_access_in in = {0};
	(void)state;

	assert_int_equal(ask(FUSE_ACCESS, root, (struct ask){ARG(in)}), -ENOSYS);
	assert_int_equal(ask(FUSE_TMPFILE, root, (struct ask){0}), -ENOSYS);
	assert_int_equal(ask(FUSE_SETLK, root, (struct ask){0}), -ENOSYS);
	assert_int_equal(ask(0, root, (struct ask){0}), -ENOSYS);
	assert_int_equal(ask(0xffffffff, root, (struct ask){0}), -ENOSYS);
	tell(FUSE_INTERRUPT, 0, (struct ask){0});
	assert_int_equal(f_getattr(root, NULL), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(t_init),       T(t_root),      T(t_file_share),  T(t_read_write), T(t_append),
		T(t_list),       T(t_make),      T(t_link_rename), T(t_unlinked),   T(t_setattr),
		T(t_owner),      T(t_kill_priv), T(t_holes),       T(t_copy),       T(t_sync),
		T(t_keep_cache), T(t_unserved),
	};
	return cmocka_run_group_tests_name("vm_fs", tests, NULL, NULL);
}
