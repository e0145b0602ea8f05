/* runtime/microvm_template.c: machines that were booted once and written down, kept for the next
 * start (microvm/snapshot.h).
 *
 * Invariants
 *  1. A template's name is a hash of all that its content depends on: kernel, this program,
 * processor, the host's kernel, shape. One that doesn't fit is never found.
 *  2. It has its name only when it is whole: until then it has none, and goes with who writes it,
 * however that ends (O_TMPFILE, open(2)).
 *  3. The folder is in the default state root, whatever root a container has: engines have their
 * own, and a machine is the same for all. Its owner was checked; a file in it that isn't ours is no
 *     template.
 *  4. Nothing here makes a start fail: without a template the guest boots.
 */
#include "runtime/microvm.h"

#include "microvm/snapshot.h"

#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define FOLDER ".templates"
#define KEPT 8u /* the oldest goes when one more is made */

/* NULL: there is none. */
static void add_file(struct strbuf *b, const char *path)
{
	struct stat st;

	if (!path)
		strbuf_puts(b, "-\n");
	else if (stat(path, &st) < 0)
		b->failed = true;
	else
		strbuf_printf(b, "%s %lx:%lx %lld %lld.%09ld\n", path, (long)st.st_dev,
			      (long)st.st_ino, (long long)st.st_size, (long long)st.st_mtim.tv_sec,
			      st.st_mtim.tv_nsec);
}

void be_vm_processor(struct strbuf *b)
{
	static const unsigned leaves[] = {0, 1, 7, 0x80000001, 0x80000008};
	unsigned r[4];

	for (size_t i = 0; i < sizeof(leaves) / sizeof(*leaves); i++) {
		if (!__get_cpuid_count(leaves[i], 0, &r[0], &r[1], &r[2], &r[3]))
			continue;
		if (leaves[i] == 1)
			r[1] &= 0xffffff; /* the rest is which processor we happen to be on */
		strbuf_printf(b, "%x %x %x %x %x\n", leaves[i], r[0], r[1], r[2], r[3]);
	}
}

/* The program is named by what it is built from, not by where it runs: it may be a copy. */
static bool make_name(const struct be_vm_shape *s, struct be_vm_template *t)
{
	auto_strbuf b = {0};
	struct utsname u;

	uname(&u);
	strbuf_printf(&b, "%s %s\n%llu %u %u %s\n", u.release, u.version,
		      (unsigned long long)s->memory, s->vcpus, s->cards,
		      s->parameters ? s->parameters : "");
	add_file(&b, s->kernel);
	add_file(&b, s->initrd);
	add_file(&b, s->modules);
	add_file(&b, "/proc/self/exe");
	be_vm_processor(&b);
	if (b.failed)
		return false;
	snprintf(t->name, sizeof(t->name), "%016llx%016llx",
		 (unsigned long long)str_hash(b.s, b.len),
		 (unsigned long long)str_hash(b.s, b.len / 2));
	return true;
}

static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       (st.st_mode & 077) == 0;
}

static bool fits(int fd, const struct be_vm_shape *s)
{
	struct err ignored;
	uint64_t offset;

	return vm_snapshot_check(fd, s->memory, s->vcpus, &offset, &ignored) >= 0;
}

static int open_folder(void)
{
	auto_str path = NULL;
	auto_fd root = -1;
	struct err ignored;

	if (rt_default_root(&path, &ignored) < 0 || st_root(path, true, &root, &ignored) < 0)
		return -1;
	if (mkdirat(root, FOLDER, 0700) < 0 && errno != EEXIST)
		return -1;
	return openat(root, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void be_vm_template_open(const struct be_vm_shape *s, struct be_vm_template *ret)
{
	struct be_vm_template t = BE_VM_TEMPLATE_INIT;

	*ret = t;
	t.dir = open_folder();
	if (t.dir < 0 || !make_name(s, &t)) {
		fd_cleanup(&t.dir);
		return;
	}
	t.from = openat(t.dir, t.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (t.from >= 0 && !(is_ours(t.from) && fits(t.from, s))) {
		fd_close(&t.from);
		(void)unlinkat(t.dir, t.name, 0);
	}
	if (t.from < 0)
		t.to = openat(t.dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	*ret = t;
}

/* What no longer fits anything goes by age: a new kernel or binary makes all names new. */
static void forget_oldest(int dir)
{
	struct timespec oldest = {0};
	char name[256] = "";
	unsigned n = 0;
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	for (struct dirent *it; d && (it = readdir(d));) {
		struct stat st;
		if (it->d_name[0] == '.' || fstatat(dir, it->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n++;
		if (!name[0] || st.st_mtim.tv_sec < oldest.tv_sec) {
			oldest = st.st_mtim;
			snprintf(name, sizeof(name), "%s", it->d_name);
		}
	}
	if (d)
		closedir(d);
	if (n > KEPT)
		(void)unlinkat(dir, name, 0);
}

/* Who was first keeps the name: two that were written at once are alike. */
static bool give_name(const struct be_vm_template *t)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->to);
	return linkat(AT_FDCWD, path, t->dir, t->name, AT_SYMLINK_FOLLOW) == 0;
}

void be_vm_template_close(struct be_vm_template *t, const struct be_vm_shape *s, bool works)
{
	if (works && t->to >= 0 && fits(t->to, s) && give_name(t))
		forget_oldest(t->dir);
	/* One that doesn't lead to a container is no good: the next start boots, and makes another.
	 */
	if (t->from >= 0 && !works)
		(void)unlinkat(t->dir, t->name, 0);
	fd_cleanup(&t->from);
	fd_cleanup(&t->to);
	fd_cleanup(&t->dir);
}
