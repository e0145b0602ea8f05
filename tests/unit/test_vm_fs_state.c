/* tests/unit/test_vm_fs_state.c: the file server's tables written down, and another server that
 * goes on with them: node ids and handles that the client kept. */
#include "tests/unit/vm_fs_world.h"

#include <stddef.h>
#include <sys/mman.h>
#include <sys/un.h>

static int saved = -1;

static socklen_t address(struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	int n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "rf-state-%d", (int)getpid());

	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static void serve(bool again)
{
	struct sockaddr_un a;
	socklen_t len = address(&a);
	/* In another order: a share is known by its name. */
	struct vm_share shares[3] = {share_of("ro", host("ro"), true),
				     share_of("root", host("share"), false),
				     share_of("0", host("other"), false)};
	struct vm_share first[3] = {shares[1], shares[2], shares[0]};

	cl->control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(cl->control, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(cl->control, 4), 0);
	cl->from = again ? saved : -1;
	client_start_as(again ? shares : first, 3, 0, 0);
	close(cl->control);
	cl->control = -1;
}

static int setup(void **state)
{
	(void)state;
	if (make_world() < 0)
		return -1;
	saved = memfd_create("saved", MFD_CLOEXEC);
	assert_int_equal(mkdir(host("share/d"), 0755), 0);
	assert_int_equal(mkdir(host("share/d/e"), 0755), 0);
	spill("share/d/e/f", "deep");
	spill("share/g", "flat");
	serve(false);
	assert_int_equal(fuse_init(), 0);
	root = f_walk("root");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	int status = client_stop();

	close(saved);
	return scratch_remove(base) < 0 ? -1 : status;
}

static int save(struct err *e)
{
	struct sockaddr_un a;
	socklen_t len = address(&a);
	int conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(conn, (struct sockaddr *)&a, len), 0);
	int rc = vm_fs_save(conn, saved, e);
	close(conn);
	return rc;
}

/* Another server in the place of the first; the client says nothing new. */
static void change(void)
{
	struct err e = {0};

	assert_int_equal(save(&e), 0);
	assert_int_equal(client_stop(), 0);
	assert_int_equal(lseek(saved, 0, SEEK_SET), 0);
	serve(true);
}

static void goes_on(void **state)
{
	uint64_t f, fh, made, made_fh, again;
	struct fuse_open_in in = {0};
	struct fuse_read_in read = {.size = 8192};

	(void)state;
	f = f_walk("root/d/e/f");
	assert_int_equal(f_open(f, O_RDWR, &fh), 0);
	assert_int_equal(f_write(f, fh, 0, "D", 1), 1);
	assert_int_equal(f_create(root, "made", O_RDWR | O_TRUNC | O_EXCL, 0644, &made, &made_fh),
			 0);
	assert_int_equal(f_write(made, made_fh, 0, "kept", 4), 4);
	assert_int_equal(ask(FUSE_OPENDIR, root, (struct ask){ARG(in)}), 0);
	read.fh = ((struct fuse_open_out *)body())->fh;
	change();
	assert_int_equal(f_read(f, fh, 0, 100), 4);
	assert_memory_equal(body(), "Deep", 4);
	/* Not truncated by being opened once more. */
	assert_int_equal(f_read(made, made_fh, 0, 100), 4);
	assert_int_equal(f_write(made, made_fh, 4, "on", 2), 2);
	assert_int_equal(f_release(made, made_fh), 0);
	assert_int_equal(f_release(made, made_fh), -EBADF);
	assert_int_equal(ask(FUSE_READDIR, root, (struct ask){ARG(read)}), 0);
	assert_true(cl->len > 0);
	/* The same inode has the same id, a new one another. */
	assert_int_equal(f_lookup(root, "made", &again), 0);
	assert_int_equal(again, made);
	assert_int_equal(f_mkdir(root, "new", 0755, &again), 0);
	assert_int_not_equal(again, f);
	assert_int_equal(f_walk("ro/f") != 0, 1);
	assert_int_equal(f_open(f_walk("ro/f"), O_RDWR, NULL), -EROFS);
}

static void what_went_meanwhile(void **state)
{
	uint64_t g = f_walk("root/g"), e = f_walk("root/d/e"), f = f_walk("root/d/e/f");
	struct err err = {0};

	(void)state;
	assert_int_equal(save(&err), 0);
	assert_int_equal(client_stop(), 0);
	assert_int_equal(unlink(host("share/g")), 0);
	assert_int_equal(unlink(host("share/d/e/f")), 0);
	assert_int_equal(rmdir(host("share/d/e")), 0);
	assert_int_equal(symlink("../../victim", host("share/d/e")), 0);
	assert_int_equal(lseek(saved, 0, SEEK_SET), 0);
	serve(true);
	assert_int_equal(f_getattr(g, NULL), -ESTALE);
	assert_int_equal(f_getattr(e, NULL), -ESTALE);
	assert_int_equal(f_getattr(f, NULL), -ESTALE);
	assert_int_equal(f_getattr(f_walk("root/d"), NULL), 0);
}

static void open_and_nameless(void **state)
{
	uint64_t f = f_walk("root/d/e/f"), fh;
	struct err e = {0};

	(void)state;
	assert_int_equal(f_open(f, O_RDWR, &fh), 0);
	assert_int_equal(f_unlink(f_walk("root/d/e"), "f"), 0);
	assert_int_equal(save(&e), -EBUSY);
	assert_string_equal(e.text,
			    "the container has root/d/e/f open, which is gone from its place");
	/* The server lives on, and the next time it can be. */
	assert_int_equal(f_release(f, fh), 0);
	assert_int_equal(ftruncate(saved, 0), 0);
	assert_int_equal(lseek(saved, 0, SEEK_SET), 0);
	assert_int_equal(save(&e), 0);
}

static void open_and_gone(void **state)
{
	uint64_t f = f_walk("root/g"), fh;
	struct err e = {0};

	(void)state;
	assert_int_equal(f_open(f, O_RDWR, &fh), 0);
	assert_int_equal(save(&e), 0);
	assert_int_equal(client_stop(), 0);
	assert_int_equal(unlink(host("share/g")), 0);
	assert_int_equal(lseek(saved, 0, SEEK_SET), 0);
	serve(true);
	assert_int_equal(client_stop(), 1 << 8);
}

/* Every byte of it counts, and none crashes the server: a wrong one is an error, or another file of
 * the same share. */
static void damaged(void **state)
{
	uint64_t fh;
	struct err e = {0};
	char *text;

	(void)state;
	assert_int_equal(f_open(f_walk("root/d/e/f"), O_RDWR, &fh), 0);
	assert_int_equal(save(&e), 0);
	assert_int_equal(client_stop(), 0);
	off_t len = lseek(saved, 0, SEEK_END);
	assert_true(len > 200);
	text = malloc((size_t)len);
	assert_int_equal(pread(saved, text, (size_t)len, 0), len);
	for (off_t i = 0; i < len; i += 3) {
		char wrong = (char)(text[i] ^ 0xff);
		assert_int_equal(pwrite(saved, &wrong, 1, i), 1);
		assert_int_equal(lseek(saved, 0, SEEK_SET), 0);
		serve(true);
		int status = client_stop();
		assert_true(status == 0 || status == 1 << 8);
		assert_int_equal(pwrite(saved, &text[i], 1, i), 1);
	}
	for (off_t cut = len - 1; cut > 0; cut -= 7) {
		assert_int_equal(ftruncate(saved, cut), 0);
		assert_int_equal(lseek(saved, 0, SEEK_SET), 0);
		serve(true);
		assert_int_equal(client_stop(), 1 << 8);
	}
	free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(goes_on), TEST(what_went_meanwhile),
					   TEST(open_and_nameless), TEST(open_and_gone),
					   TEST(damaged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
