/* tests/unit/test_vm_fs_kernel.c: the file server behind a real kernel's FUSE client: this host's.
 * Each step is done twice, on the mount and on a plain directory of the same file system, and both
 * must say the same. Needs root and /dev/fuse. */
#include "tests/unit/vm_fs_client.h"

#include <linux/falloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/xattr.h>

/* base/share is served and mounted at base/mnt; base/plain is the other. */
static char base[PATH_MAX];
static pid_t pump;
static int dev = -1;

/* Carries messages between the kernel and the server: one thread for each direction. */
static void *to_server(void *arg)
{
	static char b[1 << 20];
	ssize_t n;
	(void)arg;

	while ((n = read(dev, b, sizeof(b))) > 0 || errno == EINTR || errno == ENOENT)
		if (n > 0 && send(cl->sock, b, (size_t)n, MSG_NOSIGNAL) != n)
			break;
	_exit(0);
}

static void *to_kernel(void *arg)
{
	static char b[1 << 20];
	ssize_t n;
	(void)arg;

	while ((n = recv(cl->sock, b, sizeof(b), 0)) > 0 || errno == EAGAIN)
		/* ENOENT: nobody waits for it any more. EINVAL: not an answer. */
		if (n > 0 && write(dev, b, (size_t)n) != n && errno != ENOENT)
			_exit(3);
	_exit(0);
}

static void start_pump(void)
{
	pthread_t t;

	fflush(NULL);
	pump = fork();
	assert_true(pump >= 0);
	if (pump == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&t, NULL, to_server, NULL) != 0)
			_exit(2);
		to_kernel(NULL);
	}
	close(cl->sock);
	close(dev);
}

static int setup(void **state)
{
	char at[PATH_MAX + 16], options[160];
	(void)state;

	if (geteuid() != 0 || (dev = open("/dev/fuse", O_RDWR | O_CLOEXEC)) < 0 ||
	    unshare(CLONE_NEWNS) < 0)
		return 0; /* the tests skip themselves */
	umask(0);
	if (scratch_make(base) < 0 || chmod(base, 0755) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	const char *dirs[] = {"share", "share/w", "plain", "mnt"};
	for (unsigned i = 0; i < 4; i++) {
		snprintf(at, sizeof(at), "%s/%s", base, dirs[i]);
		if (mkdir(at, 0777) < 0)
			return -1;
	}
	snprintf(at, sizeof(at), "%s/share", base);
	struct vm_share share = share_of("root", at, false);
	client_start_as(&share, 1, 0, 0);
	snprintf(at, sizeof(at), "%s/mnt", base);
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40555,user_id=0,group_id=0,default_permissions,allow_other", dev);
	if (mount("ringfence", at, "fuse", 0, options) < 0)
		return -1;
	start_pump();
	return 0;
}

static int teardown(void **state)
{
	char at[PATH_MAX + 16];
	int status;
	(void)state;

	if (!pump)
		return 0;
	snprintf(at, sizeof(at), "%s/mnt", base);
	/* Ends the pump, which ends the server. */
	if (umount2(at, 0) < 0)
		return -1;
	waitpid(pump, &status, 0);
	if (status != 0)
		return -1;
	waitpid(cl->pid, &status, 0);
	return scratch_remove(base) < 0 || status != 0 ? -1 : 0;
}

static void needs_kernel(void)
{
	if (!pump)
		skip();
}

/* What a step said, and what it left. */
struct outcome {
	int rc, code;
	char text[256];
};

/* A step: two small numbers choose names and details. Relative to the current directory. */
typedef int (*step)(unsigned a, unsigned b, char text[256]);

static const char *const names[] = {"a", "b", "c", "d/a", "d/b", "d", "e", "d/f/g"};
#define NAME(i) names[(i) % 8]

static int s_write(unsigned a, unsigned b, char text[256])
{
	static const int flags[] = {O_WRONLY | O_CREAT,
				    O_RDWR | O_CREAT | O_EXCL,
				    O_WRONLY | O_TRUNC,
				    O_WRONLY | O_APPEND | O_CREAT,
				    O_RDWR,
				    O_WRONLY | O_CREAT | O_TRUNC,
				    O_RDONLY | O_CREAT,
				    O_WRONLY | O_SYNC};
	static const mode_t modes[] = {0644, 0600, 0666, 0755, 04755, 02755};
	int fd = open(NAME(a), flags[b % 8] | O_CLOEXEC | O_NONBLOCK, modes[(a + b) % 6]);

	if (fd < 0)
		return -1;
	int n = snprintf(text, 256, "step %u %u", a, b);
	ssize_t rc = pwrite(fd, text, (size_t)n, (b / 8 % 4) * 5000);
	int code = errno;
	struct stat st;
	fstat(fd, &st);
	snprintf(text, 256, "%zd %ld", rc, st.st_size);
	close(fd);
	errno = code;
	return rc < 0 ? -1 : 0;
}

static int s_read(unsigned a, unsigned b, char text[256])
{
	int fd = open(NAME(a), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	(void)b;

	if (fd < 0)
		return -1;
	ssize_t n = pread(fd, text, 200, b % 3 * 4990);
	int code = errno;
	if (n >= 0) {
		for (ssize_t i = 0; i < n; i++)
			text[i] = text[i] ? text[i] : '0';
		text[n] = 0;
	}
	close(fd);
	errno = code;
	return n < 0 ? -1 : 0;
}

static int s_mkdir(unsigned a, unsigned b, char text[256])
{
	static const mode_t modes[] = {0755, 0700, 01777, 02775};
	(void)text;
	return mkdir(NAME(a), modes[b % 4]);
}

static int s_subdir(unsigned a, unsigned b, char text[256])
{
	(void)a, (void)text;
	return b % 2 ? mkdir("d/f", 0755) : mkdir("d", 0777);
}

static int s_rmdir(unsigned a, unsigned b, char text[256])
{
	(void)b, (void)text;
	return b % 4 ? (errno = 0, 0) : rmdir(NAME(a));
}

static int s_unlink(unsigned a, unsigned b, char text[256])
{
	(void)b, (void)text;
	return unlink(NAME(a));
}

static int s_rename(unsigned a, unsigned b, char text[256])
{
	static const unsigned flags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
	(void)text;
	return renameat2(AT_FDCWD, NAME(a), AT_FDCWD, NAME(b), flags[(a + b) % 4]);
}

static int s_link(unsigned a, unsigned b, char text[256])
{
	(void)text;
	return linkat(AT_FDCWD, NAME(a), AT_FDCWD, NAME(b), 0);
}

static int s_symlink(unsigned a, unsigned b, char text[256])
{
	(void)text;
	return symlink(NAME(b), NAME(a));
}

static int s_readlink(unsigned a, unsigned b, char text[256])
{
	ssize_t n = readlink(NAME(a), text, 200);
	(void)b;

	text[n < 0 ? 0 : n] = 0;
	return n < 0 ? -1 : 0;
}

static int s_chmod(unsigned a, unsigned b, char text[256])
{
	static const mode_t modes[] = {0644, 0, 0777, 04755, 06755, 02644, 01777, 0500};
	(void)text;
	return chmod(NAME(a), modes[b % 8]);
}

static int s_chown(unsigned a, unsigned b, char text[256])
{
	static const uid_t ids[] = {0, 1000, 1001, (uid_t)-1};
	(void)text;
	return lchown(NAME(a), ids[b % 4], ids[b / 4 % 4]);
}

static int s_truncate(unsigned a, unsigned b, char text[256])
{
	(void)text;
	return truncate(NAME(a), (off_t)(b % 5) * 3000);
}

static int s_utimes(unsigned a, unsigned b, char text[256])
{
	struct timespec ts[2] = {{.tv_sec = b, .tv_nsec = 5}, {.tv_sec = a, .tv_nsec = 7}};
	struct stat st;

	if (b % 3 == 0)
		ts[0].tv_nsec = UTIME_OMIT;
	if (b % 4 == 0)
		ts[1].tv_nsec = UTIME_NOW;
	if (utimensat(AT_FDCWD, NAME(a), b % 5 ? ts : NULL, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	lstat(NAME(a), &st);
	if (b % 5 && b % 4)
		snprintf(text, 256, "%ld.%ld", st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return 0;
}

static int s_mknod(unsigned a, unsigned b, char text[256])
{
	(void)text;
	return mknod(NAME(a), b % 2 ? S_IFIFO | 0640 : S_IFREG | 0666, 0);
}

static int s_stat(unsigned a, unsigned b, char text[256])
{
	struct stat st;
	(void)b;

	if (lstat(NAME(a), &st) < 0)
		return -1;
	snprintf(text, 256, "%o %u:%u %lu %ld", st.st_mode, st.st_uid, st.st_gid,
		 S_ISDIR(st.st_mode) ? 0 : st.st_nlink, S_ISDIR(st.st_mode) ? 0 : st.st_size);
	return 0;
}

static int s_list(unsigned a, unsigned b, char text[256])
{
	struct dirent **list;
	int n = scandir(NAME(a), &list, NULL, alphasort);
	size_t at = 0;
	(void)b;

	if (n < 0)
		return -1;
	for (int i = 0; i < n; i++) {
		at += (size_t)snprintf(text + at, 256 - at, "%s %d ", list[i]->d_name,
				       list[i]->d_type);
		free(list[i]);
	}
	free(list);
	return 0;
}

static int s_xattr(unsigned a, unsigned b, char text[256])
{
	static const char *const attrs[] = {"user.one", "user.two", "security.capability"};
	const char *attr = attrs[b % 3];

	switch (b / 3 % 4) {
	case 0:
		return lsetxattr(NAME(a), attr, "value", 5, 0) < 0 ? -1 : 0;
	case 1:
		return lremovexattr(NAME(a), attr);
	case 2:
		return llistxattr(NAME(a), text, 200) < 0 ? -1 : 0;
	default:
		return lgetxattr(NAME(a), attr, text, 200) < 0 ? -1 : 0;
	}
}

/* Where a hole is said to be depends on what the host has in memory: only whether is compared. */
static int s_holes(unsigned a, unsigned b, char text[256])
{
	int fd = open(NAME(a), O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -1;
	int rc = fallocate(fd, b % 2 ? FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE : 0, b % 7 * 1000,
			   4096);
	int code = errno;
	if (fstat(fd, &st) == 0)
		snprintf(text, 256, "%ld %d", st.st_size, lseek(fd, 0, SEEK_HOLE) >= 0);
	close(fd);
	errno = code;
	return rc;
}

/* A file that is open while its name goes. */
static int s_unlinked(unsigned a, unsigned b, char text[256])
{
	int fd = open(NAME(a), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -1;
	int rc = unlink(NAME(a)) < 0 || fchmod(fd, 0640) < 0 || ftruncate(fd, b) < 0 ? -1 : 0;
	int code = errno;
	if (fstat(fd, &st) == 0)
		snprintf(text, 256, "%o %lu %ld", st.st_mode, st.st_nlink, st.st_size);
	close(fd);
	errno = code;
	return rc;
}

/* Through a mapping. */
static int s_map(unsigned a, unsigned b, char text[256])
{
	int fd = open(NAME(a), O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 10) {
		char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED) {
			p[b % 10] = 'm';
			memcpy(text, p, 10);
			text[10] = 0;
			for (unsigned i = 0; i < 10; i++)
				text[i] = text[i] ? text[i] : '0';
			munmap(p, 4096);
		}
	}
	close(fd);
	errno = 0;
	return 0;
}

static const step steps[] = {s_write,  s_read,     s_mkdir,  s_subdir, s_rmdir,    s_unlink,
			     s_rename, s_link,     s_stat,   s_chmod,  s_readlink, s_symlink,
			     s_chown,  s_truncate, s_utimes, s_mknod,  s_list,     s_xattr,
			     s_holes,  s_unlinked, s_map,    s_write,  s_read,     s_stat};

static uint32_t chance(void)
{
	static uint32_t s = 88172645u;

	s ^= s << 13;
	s ^= s >> 17;
	return s ^= s << 5;
}

static struct outcome take(const char *dir, unsigned n, unsigned a, unsigned b, uid_t uid)
{
	struct outcome o = {0};

	assert_int_equal(chdir(dir), 0);
	/* Of the thread: checks and what is made go by it. The saved id brings us back. */
	assert_int_equal(setegid(uid), 0);
	assert_int_equal(seteuid(uid), 0);
	errno = 0;
	o.rc = steps[n](a, b, o.text);
	o.code = o.rc < 0 ? errno : 0;
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	assert_int_equal(chdir("/"), 0);
	return o;
}

static void t_same(void **state)
{
	char plain[PATH_MAX + 16], mnt[PATH_MAX + 16];
	unsigned fine = 0;
	(void)state;

	needs_kernel();
	snprintf(plain, sizeof(plain), "%s/plain", base);
	snprintf(mnt, sizeof(mnt), "%s/mnt/root/w", base);
	for (unsigned i = 0; i < 15000; i++) {
		unsigned n = chance() % (sizeof(steps) / sizeof(steps[0]));
		unsigned a = chance() % 8, b = chance() % 64;
		uid_t uid = chance() % 3 ? 0 : 1000;
		umask(chance() % 2 ? 022 : 0);
		struct outcome x = take(plain, n, a, b, uid), y = take(mnt, n, a, b, uid);
		fine += x.rc == 0;
		if (x.rc != y.rc || x.code != y.code || strcmp(x.text, y.text) != 0)
			fail_msg("step %u: %u(%s, %u) by %u: %d %s \"%s\", on the mount %d %s "
				 "\"%s\"",
				 i, n, NAME(a), b, uid, x.rc, strerror(x.code), x.text, y.rc,
				 strerror(y.code), y.text);
	}
	umask(0);
	assert_true(fine > 4000); /* most steps did something */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(t_same)};

	return cmocka_run_group_tests_name("vm_fs_kernel", tests, setup, teardown);
}
