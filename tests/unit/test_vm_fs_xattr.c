/* tests/unit/test_vm_fs_xattr.c: extended attributes: which ones a guest has, and how. */
#include "tests/unit/vm_fs_world.h"

#include <sys/xattr.h>

static int f_setxattr(uint64_t node, const char *name, const void *value, uint32_t len,
		      uint32_t flags, uint32_t more)
{
	struct fuse_setxattr_in in = {.size = len, .flags = flags, .setxattr_flags = more};

	return ask(FUSE_SETXATTR, node,
		   (struct ask){ARG(in), .name = name, .data = value, .data_len = len});
}

static int f_getxattr(uint64_t node, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	return ask(FUSE_GETXATTR, node, (struct ask){ARG(in), .name = name});
}

static int f_listxattr(uint64_t node, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};

	return ask(FUSE_LISTXATTR, node, (struct ask){ARG(in)});
}

static uint32_t told_size(void)
{
	return ((struct fuse_getxattr_out *)body())->size;
}

/* A file with its node; the test is left out where the host has no such attributes. */
static uint64_t a_file(void)
{
	spill("share/f", "");
	if (setxattr(host("share/f"), "user.probe", "", 0, 0) < 0)
		skip();
	assert_int_equal(removexattr(host("share/f"), "user.probe"), 0);
	return f_walk("root/f");
}

static void t_user(void **state)
{
	uint64_t f = a_file();
	char value[16];
	(void)state;

	assert_int_equal(f_getxattr(f, "user.a", 0), -ENODATA);
	assert_int_equal(f_setxattr(f, "user.a", "value", 5, XATTR_REPLACE, 0), -ENODATA);
	assert_int_equal(f_setxattr(f, "user.a", "value", 5, XATTR_CREATE, 0), 0);
	assert_int_equal(f_setxattr(f, "user.a", "value", 5, XATTR_CREATE, 0), -EEXIST);
	assert_int_equal(getxattr(host("share/f"), "user.a", value, sizeof(value)), 5);
	assert_int_equal(f_getxattr(f, "user.a", 0), 0);
	assert_int_equal(told_size(), 5);
	assert_int_equal(f_getxattr(f, "user.a", 4), -ERANGE);
	assert_int_equal(f_getxattr(f, "user.a", 0xffffffff), 0);
	assert_int_equal(cl->len, 5);
	assert_memory_equal(body(), "value", 5);
	assert_int_equal(f_setxattr(f, "user.empty", "", 0, 0, 0), 0);
	assert_int_equal(f_getxattr(f, "user.empty", 10), 0);
	assert_int_equal(cl->len, 0);
	assert_int_equal(f_listxattr(f, 0), 0);
	uint32_t n = told_size();
	assert_int_equal(n, sizeof("user.a") + sizeof("user.empty"));
	assert_int_equal(f_listxattr(f, n - 1), -ERANGE);
	assert_int_equal(f_listxattr(f, n), 0);
	assert_int_equal(cl->len, n);
	assert_int_equal(ask(FUSE_REMOVEXATTR, f, (struct ask){.name = "user.a"}), 0);
	assert_int_equal(ask(FUSE_REMOVEXATTR, f, (struct ask){.name = "user.a"}), -ENODATA);
	/* Not on links and pipes, as everywhere. */
	uint64_t l;
	assert_int_equal(f_symlink(root, "l", "f", &l), 0);
	assert_int_equal(f_setxattr(l, "user.a", "v", 1, 0, 0), -EPERM);
	assert_int_equal(getxattr(host("share/f"), "user.a", value, sizeof(value)), -1);
}

/* What means something to the host isn't there for the guest. */
static void t_host_names(void **state)
{
	uint64_t f = a_file();
	const char *names[] = {"trusted.overlay.redirect",
			       "trusted.overlay.opaque",
			       "trusted.x",
			       "security.selinux",
			       "security.ima",
			       "security.evm",
			       "system.nfs4_acl",
			       "system.posix_acl_other",
			       "btrfs.compression",
			       "x",
			       "user"};
	(void)state;

	bool hidden = setxattr(host("share/f"), "trusted.overlay.opaque", "y", 1, 0) == 0;
	setxattr(host("share/f"), "user.a", "y", 1, 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(f_setxattr(f, names[i], "y", 1, 0, 0), -EOPNOTSUPP);
		assert_int_equal(f_getxattr(f, names[i], 100), -EOPNOTSUPP);
		assert_int_equal(ask(FUSE_REMOVEXATTR, f, (struct ask){.name = names[i]}),
				 -EOPNOTSUPP);
	}
	char value[2];
	if (hidden)
		assert_int_equal(getxattr(host("share/f"), "trusted.overlay.opaque", value, 2), 1);
	assert_int_equal(f_listxattr(f, 100), 0);
	assert_int_equal(cl->len, sizeof("user.a"));
	assert_int_equal(f_getxattr(ROOT, "user.a", 100), -ENODATA);
	assert_int_equal(f_listxattr(ROOT, 0), 0);
	assert_int_equal(f_setxattr(ROOT, "user.a", "y", 1, 0, 0), -EROFS);
}

/* VFS_CAP_REVISION_2 with CAP_CHOWN, permitted and effective (linux/capability.h). */
static const uint8_t caps[20] = {1, 0, 0, 2, 1};

static void t_capability(void **state)
{
	uint64_t f = a_file(), fh;
	struct fuse_write_in in = {.size = 1, .write_flags = FUSE_WRITE_KILL_SUIDGID};
	(void)state;

	needs_root();
	assert_int_equal(f_setxattr(f, "security.capability", caps, sizeof(caps), 0, 0), 0);
	assert_int_equal(f_getxattr(f, "security.capability", 64), 0);
	assert_int_equal(cl->len, sizeof(caps));
	assert_memory_equal(body(), caps, sizeof(caps));
	/* They go with the first change of the content, and with a new owner. */
	assert_int_equal(f_open(f, O_WRONLY, &fh), 0);
	in.fh = fh;
	assert_int_equal(ask(FUSE_WRITE, f, (struct ask){ARG(in), .data = "y", .data_len = 1}), 0);
	assert_int_equal(f_getxattr(f, "security.capability", 64), -ENODATA);
	assert_int_equal(f_setxattr(f, "security.capability", caps, sizeof(caps), 0, 0), 0);
	assert_int_equal(f_setattr(f, (struct fuse_setattr_in){.valid = FATTR_UID, .uid = 5}), 0);
	assert_int_equal(f_getxattr(f, "security.capability", 64), -ENODATA);
}

/* acl(5) as the kernel's attribute: version 2, then tag, permission and id of each entry. */
struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} e[5];
};

static struct acl an_acl(uint16_t group)
{
	const uint32_t none = 0xffffffff;

	return (struct acl){
		2, {{1, 6, none}, {2, 7, 1000}, {4, group, none}, {16, 7, none}, {32, 4, none}}};
}

static void t_acl(void **state)
{
	uint64_t f = a_file(), d;
	struct acl acl = an_acl(4);
	struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG | 0666, .umask = 077};
	(void)state;

	if (setxattr(host("share/f"), "system.posix_acl_access", &acl, sizeof(acl), 0) < 0)
		skip();
	assert_int_equal(removexattr(host("share/f"), "system.posix_acl_access"), 0);
	assert_int_equal(f_getxattr(f, "system.posix_acl_access", 100), -ENODATA);
	assert_int_equal(f_setxattr(f, "system.posix_acl_access", &acl, sizeof(acl), 0, 0), 0);
	assert_int_equal(look("share/f").st_mode & 0777, 0674);
	assert_int_equal(f_getxattr(f, "system.posix_acl_access", 100), 0);
	assert_memory_equal(body(), &acl, sizeof(acl));
	/* A directory's default replaces the caller's umask. */
	assert_int_equal(f_mkdir(root, "d", 0755, &d), 0);
	assert_int_equal(f_setxattr(d, "system.posix_acl_default", &acl, sizeof(acl), 0, 0), 0);
	assert_int_equal(ask(FUSE_CREATE, d, (struct ask){ARG(in), .name = "f"}), 0);
	assert_int_equal(look("share/d/f").st_mode & 0777, 0664);
	assert_int_equal(ask(FUSE_CREATE, root, (struct ask){ARG(in), .name = "g"}), 0);
	assert_int_equal(look("share/g").st_mode & 0777, 0600);
	/* The set-gid bit goes when the guest's kernel says so, and only then. */
	assert_int_equal(f_setattr(f, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 02775}),
			 0);
	assert_int_equal(f_setxattr(f, "system.posix_acl_access", &acl, sizeof(acl), 0, 0), 0);
	assert_int_equal(look("share/f").st_mode & 07000, 02000);
	assert_int_equal(f_setxattr(f, "system.posix_acl_access", &acl, sizeof(acl), 0,
				    FUSE_SETXATTR_ACL_KILL_SGID),
			 0);
	assert_int_equal(look("share/f").st_mode & 07000, 0);
}

/* A client that doesn't know SETXATTR_EXT sends a shorter fixed part. */
static void t_short_form(void **state)
{
	uint64_t f = a_file();
	struct fuse_init_in init = {.major = 7, .minor = 31};
	struct {
		uint32_t size, flags;
	} in = {.size = 5};
	char value[16];
	(void)state;

	assert_int_equal(ask(FUSE_INIT, 0, (struct ask){ARG(init)}), 0);
	f = f_walk("root/f");
	assert_int_equal(
		ask(FUSE_SETXATTR, f,
		    (struct ask){ARG(in), .name = "user.a", .data = "value", .data_len = 5}),
		0);
	assert_int_equal(getxattr(host("share/f"), "user.a", value, sizeof(value)), 5);
}

/* Larger than any may be. */
static void t_sizes(void **state)
{
	static char big[70000];
	uint64_t f = a_file();
	char name[300];
	(void)state;

	assert_int_equal(f_setxattr(f, "user.big", big, 65537, 0, 0), -EINVAL);
	assert_true(f_setxattr(f, "user.big", big, 65536, 0, 0) <= 0);
	memset(name, 'n', sizeof(name));
	memcpy(name, "user.", 5);
	name[256] = 0;
	assert_int_equal(f_setxattr(f, name, "v", 1, 0, 0), -EINVAL);
	assert_int_equal(f_getxattr(f, name, 10), -EINVAL);
	assert_int_equal(f_getxattr(f, "", 10), -EINVAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(t_user), T(t_host_names), T(t_capability), T(t_acl), T(t_short_form), T(t_sizes),
	};
	return cmocka_run_group_tests_name("vm_fs_xattr", tests, NULL, NULL);
}
