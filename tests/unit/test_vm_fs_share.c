/* tests/unit/test_vm_fs_share.c: shares that come and go while the file server runs. */
#include "tests/unit/vm_fs_world.h"

#include <stddef.h>
#include <sys/un.h>

/* The control socket: a name without a file, its length. */
static socklen_t address(struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "rf-share-%d", (int)getpid());

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int setup(void **state)
{
	struct sockaddr_un a;
	socklen_t len = address(&a);
	struct vm_share first;

	(void)state;
	if (make_world() < 0)
		return -1;
	cl->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(cl->control, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(cl->control, 4), 0);
	first = share_of("root", host("share"), false);
	spill("share/f", "first");
	spill("other/f", "second");
	client_start(&first, 1, 0);
	close(cl->control);
	cl->control = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	int status = client_stop();

	return scratch_remove(base) < 0 ? -1 : status;
}

static int dial(void)
{
	struct sockaddr_un a;
	socklen_t len = address(&a);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, len), 0);
	return fd;
}

static int add_at(int conn, const char *owner, const char *name, const char *at, bool read_only,
		  char *ret_name)
{
	struct vm_share s = share_of(name, at, read_only);
	struct err e;
	int rc = vm_fs_add(conn, owner, &s, &e);

	close(s.fd);
	if (ret_name)
		memcpy(ret_name, s.name, sizeof(s.name));
	return rc;
}

static int take_away(int conn, const char *owner)
{
	struct err e;

	return vm_fs_remove(conn, owner, &e);
}

static unsigned open_files(void)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "/proc/%d/fd", cl->pid);
	return (unsigned)scratch_count(dir);
}

static bool listed(const char *name)
{
	struct fuse_read_in in = {.size = 8192};
	struct fuse_open_in open = {0};
	bool found = false;

	assert_int_equal(ask(FUSE_OPENDIR, ROOT, (struct ask){ARG(open)}), 0);
	in.fh = ((struct fuse_open_out *)body())->fh;
	assert_int_equal(ask(FUSE_READDIR, ROOT, (struct ask){ARG(in)}), 0);
	for (size_t at = 0; at + sizeof(struct fuse_dirent) <= cl->len;) {
		const struct fuse_dirent *d = (void *)((uint8_t *)body() + at);

		found = found ||
			(d->namelen == strlen(name) && memcmp(d->name, name, d->namelen) == 0);
		at += FUSE_DIRENT_SIZE(d);
	}
	return found;
}

static void come_and_go(void **state)
{
	uint64_t node, fh, dir;

	(void)state;
	assert_int_equal(f_lookup(f_walk("root"), "f", &node), 0);
	unsigned before = open_files();
	int conn = dial();
	assert_int_equal(f_lookup(ROOT, "a.0", &node), -ENOENT);
	assert_int_equal(add_at(conn, "a", "a.0", host("other"), false, NULL), 0);
	assert_true(listed("a.0"));
	dir = f_walk("a.0");
	assert_int_equal(f_lookup(dir, "f", &node), 0);
	assert_int_equal(f_open(node, O_RDWR, &fh), 0);
	assert_int_equal(f_read(node, fh, 0, 100), 6);
	assert_memory_equal(body(), "second", 6);
	assert_int_equal(take_away(conn, "a"), 0);
	/* Nothing of it is open, nothing can be reached by what the client still knows. */
	assert_int_equal(f_read(node, fh, 0, 100), -ESTALE);
	assert_int_equal(f_getattr(dir, NULL), -ESTALE);
	assert_int_equal(f_lookup(ROOT, "a.0", &node), -ENOENT);
	assert_false(listed("a.0"));
	close(conn);
	assert_int_equal(add_at(conn = dial(), "b", "b.0", host("victim"), true, NULL), 0);
	assert_int_equal(f_getattr(dir, NULL), -ESTALE);
	assert_int_equal(f_mkdir(f_walk("b.0"), "new", 0755, NULL), -EROFS);
	assert_int_equal(take_away(conn, "b"), 0);
	close(conn);
	/* The first share wasn't touched. */
	assert_int_equal(f_lookup(f_walk("root"), "f", &node), 0);
	conn = dial();
	assert_int_equal(take_away(conn, "nobody"), 0); /* the one before is surely closed */
	assert_int_equal(open_files(), before + 1);
	close(conn);
}

static void names(void **state)
{
	struct vm_share none = {.name = "c.9", .fd = -1};
	struct err e;
	int conn = dial();

	(void)state;
	assert_int_equal(add_at(conn, "c", "root", host("other"), false, NULL), -EEXIST);
	assert_int_equal(add_at(conn, "c", "..", host("other"), false, NULL), -EINVAL);
	assert_int_equal(add_at(conn, "c", "a/b", host("other"), false, NULL), -EINVAL);
	assert_int_equal(add_at(conn, "", "c.0", host("other"), false, NULL), -EINVAL);
	assert_int_equal(vm_fs_add(conn, "c", &none, &e), -EINVAL);
	/* What a stranger would say, and one who says nothing and leaves. */
	assert_int_equal(send(conn, "x", 1, 0), 1);
	assert_int_equal(recv(conn, &e, sizeof(e), 0), 0);
	close(conn);
	close(dial());
	conn = dial();
	assert_int_equal(add_at(conn, "c", "c.0", host("other"), false, NULL), 0);
	/* Those of the start belong to nobody here. */
	assert_int_equal(take_away(conn, "root"), 0);
	assert_true(f_walk("root") != 0);
	assert_int_equal(take_away(conn, "c"), 0);
	close(conn);
}

/* Two mounts of one memory file system are one share, until the last goes; of a disk's, two. */
static void same_memory(void **state)
{
	char name[VM_SHARE_NAME], shm[PATH_MAX];
	uint64_t node;
	int conn = dial();

	(void)state;
	snprintf(shm, sizeof(shm), "/dev/shm/rf-share-%d", (int)getpid());
	assert_int_equal(mkdir(shm, 0755), 0);
	int rc[] = {add_at(conn, "d", "d.0", shm, false, NULL),
		    add_at(conn, "e", "e.0", shm, false, name),
		    add_at(conn, "e", "e.1", shm, true, NULL)};
	rmdir(shm);
	assert_int_equal(rc[0] | rc[1] | rc[2], 0);
	assert_string_equal(name, "d.0");
	assert_int_equal(f_lookup(ROOT, "e.1", &node), 0);
	assert_int_equal(take_away(conn, "d"), 0);
	assert_int_equal(f_lookup(ROOT, "d.0", &node), 0);
	assert_int_equal(take_away(conn, "e"), 0);
	assert_int_equal(f_lookup(ROOT, "d.0", &node), -ENOENT);
	assert_int_equal(add_at(conn, "d", "d.0", host("other"), false, NULL), 0);
	assert_int_equal(add_at(conn, "e", "e.0", host("other"), false, name), 0);
	assert_string_equal(name, "e.0");
	assert_int_equal(take_away(conn, "d") | take_away(conn, "e"), 0);
	close(conn);
}

/* A table that is full says so, and is as good as new afterwards. */
static void many(void **state)
{
	char name[VM_SHARE_NAME];
	int conn = dial(), rc = 0, n = 0;

	(void)state;
	for (; rc == 0 && n < 5000; n++) {
		snprintf(name, sizeof(name), "m.%d", n);
		rc = add_at(conn, "m", name, host("other"), false, NULL);
	}
	assert_true(rc == -ENOSPC || rc == -EMFILE);
	assert_int_equal(take_away(conn, "m"), 0);
	assert_int_equal(add_at(conn, "m", "m.0", host("other"), false, NULL), 0);
	assert_int_equal(take_away(conn, "m"), 0);
	close(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(names, setup, teardown),
		cmocka_unit_test_setup_teardown(same_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(many, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
