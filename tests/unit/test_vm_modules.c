/* tests/unit/test_vm_modules.c: from modules.dep to an archive: names, order, what is missing. */
#include "common/fd.h"
#include "common/str.h"
#include "microvm/modules.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

static char root[PATH_MAX];

static void put(const char *name, const char *text)
{
	char path[PATH_MAX + 256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		(void)mkdir(path, 0755);
		*p = '/';
	}
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make(const struct vm_module_want *want, size_t n, char **ret, size_t *ret_len,
		struct err *e)
{
	auto_fd dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	void *data = NULL;
	int rc = vm_modules_archive(dir, root, want, n, &data, ret_len, e);

	*ret = data;
	return rc;
}

/* The n-th file's name and content ("" when there is none so far on), as the kernel reads them. */
static size_t field(const char *entry, unsigned n)
{
	char hex[9] = {0};

	memcpy(hex, entry + 6 + 8 * n, 8);
	return strtoul(hex, NULL, 16);
}

static const char *find(const char *data, size_t len, const char *name, size_t *ret_size)
{
	size_t at = 0;

	while (at + 110 <= len && strcmp(data + at + 110, "TRAILER!!!") != 0) {
		size_t size = field(data + at, 6), name_len = field(data + at, 11);
		size_t content = (at + 110 + name_len + 3) & ~(size_t)3;

		assert_memory_equal(data + at, "070701", 6);
		if (strcmp(data + at + 110, name) == 0) {
			*ret_size = size;
			return data + content;
		}
		at = (content + size + 3) & ~(size_t)3;
	}
	return NULL;
}

static void order_is(const char *data, size_t len, const char *want)
{
	size_t size = 0;
	const char *order = find(data, len, VM_MODULES_DIR "/order", &size);

	assert_non_null(order);
	assert_int_equal(size, strlen(want));
	assert_memory_equal(order, want, size);
}

static int setup(void **state)
{
	(void)state;
	if (scratch_make(root) < 0)
		return -1;
	put("modules.dep",
	    "kernel/fs/fuse/cuse.ko: kernel/fs/fuse/fuse.ko\n"
	    "kernel/virtio/virtio_fs.ko: kernel/virtio/ring.ko kernel/virtio/virtio.ko "
	    "kernel/fs/fuse/fuse.ko\n"
	    "kernel/fs/fuse/fuse.ko:\n"
	    "kernel/virtio/ring.ko: kernel/virtio/virtio.ko\n"
	    "kernel/virtio/virtio.ko:\n"
	    "kernel/char/virtio-rng.ko: kernel/virtio/ring.ko kernel/virtio/virtio.ko\n"
	    "kernel/net/packed.ko.xz:\n"
	    "kernel/net/gone.ko:\n"
	    "../../../etc/evil.ko:\n"
	    "/etc/absolute.ko:\n"
	    "kernel/../../up.ko:\n");
	put("modules.builtin", "kernel/net/inside.ko\n");
	put("kernel/fs/fuse/fuse.ko", "FUSE");
	put("kernel/virtio/virtio_fs.ko", "the file system");
	put("kernel/virtio/ring.ko", "r");
	put("kernel/virtio/virtio.ko", "");
	put("kernel/char/virtio-rng.ko", "rng");
	put("kernel/net/packed.ko.xz", "xz");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return scratch_remove(root);
}

static void what_is_needed_comes_first_and_once(void **state)
{
	static const struct vm_module_want want[] = {
		{"virtio_fs", true}, {"virtio_rng", true}, {"fuse", true}, {"packed", true}};
	auto_str data = NULL;
	size_t len = 0, size = 0;
	struct err e;

	(void)state;
	assert_int_equal(make(want, 4, &data, &len, &e), 0);
	order_is(data, len,
		 "fuse.ko\nvirtio.ko\nring.ko\nvirtio_fs.ko\nvirtio-rng.ko\npacked.ko.xz\n");
	const char *fs = find(data, len, VM_MODULES_DIR "/virtio_fs.ko", &size);
	assert_int_equal(size, strlen("the file system"));
	assert_memory_equal(fs, "the file system", size);
	assert_non_null(find(data, len, VM_MODULES_DIR "/virtio.ko", &size));
	assert_int_equal(size, 0);
	assert_int_equal(len % 4, 0);
}

static void what_is_built_in_is_no_module(void **state)
{
	static const struct vm_module_want want[] = {
		{"inside", true}, {"nowhere", false}, {"fuse", true}};
	auto_str data = NULL;
	size_t len = 0;
	struct err e;

	(void)state;
	assert_int_equal(make(want, 3, &data, &len, &e), 0);
	order_is(data, len, "fuse.ko\n");
}

static void fails(const char *name, int code, const char *text)
{
	const struct vm_module_want want = {name, true};
	char *data = NULL;
	size_t len = 0;
	struct err e = {0};

	assert_int_equal(make(&want, 1, &data, &len, &e), -code);
	assert_null(data);
	assert_string_equal(e.where, root);
	assert_non_null(strstr(e.text, text));
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	fails("nowhere", ENOENT, "no nowhere, neither as a module nor built in");
	fails("gone", ENOENT, "kernel/net/gone.ko");
	/* Part of a name isn't the name. */
	fails("us", ENOENT, "no us");
	fails("fus", ENOENT, "no fus");
	fails("fuse_x", ENOENT, "no fuse_x");
}

static void names_that_lead_out_are_refused(void **state)
{
	(void)state;
	fails("evil", EINVAL, "outside of it");
	fails("absolute", EINVAL, "outside of it");
	fails("up", EINVAL, "outside of it");
}

static void a_folder_without_a_list_is_none(void **state)
{
	const struct vm_module_want want = {"fuse", true};
	char path[PATH_MAX + 16], *data = NULL;
	size_t len = 0;
	struct err e = {0};

	(void)state;
	snprintf(path, sizeof(path), "%s/modules.dep", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(make(&want, 1, &data, &len, &e), -ENOENT);
	put("modules.dep", "\n\n:\n: :\nkernel/fs/fuse/fuse.ko: \t \n");
	assert_int_equal(make(&want, 1, &data, &len, &e), 0);
	order_is(data, len, "fuse.ko\n");
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_needed_comes_first_and_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_built_in_is_no_module, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_missing_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_lead_out_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_without_a_list_is_none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
