/* runtime/microvm_kernel.c: which kernel a micro-VM starts, and what is unpacked for it before the
 * agent.
 *
 * Invariants
 *  1. A kernel that was named is taken, whatever else is there.
 *  2. Nobody named one and none of ours is installed: the distribution's, the running one before
 * the others, if its modules are there.
 *  3. Only a bzImage has modules looked for: an ELF vmlinux bears no version.
 */
#include "runtime/microvm.h"

#include "common/fd.h"
#include "common/file.h"
#include "microvm/boot.h"
#include "microvm/modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define BOOT "/boot"
#define MODULES "/lib/modules"
#define PREFIX "vmlinuz-"
#define VERSION_MAX 100

/* In the order of loading. What a container finds on a host by itself is here too: nothing inside
 * can load a module. */
static const struct vm_module_want wanted[] = {
	{"virtio_mmio", true},
	{"virtio_console", false},
	{"virtio_rng", false},
	{"virtio_net", false},
	{"vmw_vsock_virtio_transport", true},
	{"virtiofs", true},
	{"overlay", false},
	{"af_packet", false},
	{"virtio_balloon", false},
	/* Of an image: what ext4's checksums ask the kernel for at mount comes first. */
	{"virtio_blk", true},
	{"crc32c_generic", false},
	{"ext4", true},
	{"erofs", false},
};
#define ALL (sizeof(wanted) / sizeof(*wanted))
#define FOR_DISK 4u

/* --- which one --- */

static const char *const places[] = {"/usr/local/lib/ringfence/vmlinux",
				     "/usr/lib/ringfence/vmlinux"};

static bool has_modules(const char *version)
{
	char path[sizeof(MODULES) + VERSION_MAX + 16];
	int n = snprintf(path, sizeof(path), MODULES "/%s/modules.dep", version);

	return n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0;
}

static bool usable(const char *version)
{
	char path[sizeof(BOOT PREFIX) + VERSION_MAX + 2];
	int n = snprintf(path, sizeof(path), BOOT "/" PREFIX "%s", version);

	return n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0 && has_modules(version);
}

/* (2); the newest, when the running one isn't usable. */
static const char *distribution(struct arena *a)
{
	char best[VERSION_MAX] = "";
	struct utsname u;
	DIR *d = NULL;

	uname(&u);
	if (strlen(u.release) < sizeof(best) && usable(u.release))
		return arena_printf(a, BOOT "/" PREFIX "%s", u.release);
	d = opendir(BOOT);
	for (struct dirent *it; d && (it = readdir(d));) {
		const char *version = it->d_name + strlen(PREFIX);
		if (str_starts(it->d_name, PREFIX) && strlen(version) < sizeof(best) &&
		    usable(version) && strverscmp(version, best) > 0)
			strcpy(best, version);
	}
	if (d)
		closedir(d);
	return best[0] ? arena_printf(a, BOOT "/" PREFIX "%s", best) : NULL;
}

const char *rt_vm_kernel(struct arena *a)
{
	const char *named = getenv("RINGFENCE_KERNEL");

	for (size_t i = 0; !named && i < sizeof(places) / sizeof(*places); i++)
		if (access(places[i], R_OK) == 0)
			named = places[i];
	return named ? named : distribution(a);
}

int be_vm_kernel(struct rt_container *c, struct be_vm_shape *s, struct err *e)
{
	const struct spec_vm *v = &c->spec->vm;

	s->initrd = v->kernel_initrd;
	s->kernel = v->kernel_path ? v->kernel_path : rt_vm_kernel(c->arena);
	if (s->kernel)
		return 0;
	return err_set(
		e, ERR_UNSUPPORTED, ENOENT, "/vm/kernel/path",
		"there is no guest kernel: build one with `make guest-kernel` and install it "
		"as %s, or name one; of the distribution's none can be read with its modules",
		places[0]);
}

/* --- what the user's initrd is --- */

/* cpio, or packed by gzip, xz, zstd, lz4, bzip2, lzma or lzo (the kernel's
 * lib/decompress.c): whether the guest's kernel can unpack it is its own matter. A kernel that
 * finds anything else unpacks nothing behind it, and so no agent. */
int be_vm_initrd_check(int fd, struct err *e)
{
	static const struct {
		size_t len;
		char bytes[6];
	} starts[] = {
		{6, {'0', '7', '0', '7', '0', '1'}},
		{6, {'0', '7', '0', '7', '0', '2'}},
		{2, {'\x1f', '\x8b'}},
		{6, {'\xfd', '7', 'z', 'X', 'Z', '\0'}},
		{4, {'\x28', '\xb5', '\x2f', '\xfd'}},
		{4, {'\x02', '\x21', '\x4c', '\x18'}},
		{3, {'B', 'Z', 'h'}},
		{3, {'\x5d', '\0', '\0'}},
		{5, {'\x89', 'L', 'Z', 'O', '\0'}},
	};
	char start[6] = "";

	if (pread(fd, start, sizeof(start), 0) == sizeof(start))
		for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
			if (memcmp(start, starts[i].bytes, starts[i].len) == 0)
				return 0;
	return err_set(e, ERR_SPEC, EINVAL, "/vm/kernel/initrd",
		       "must be a cpio archive, or a packed one");
}

/* --- its modules --- */

static int as_file(void *data, size_t len, int *ret_fd, struct err *e)
{
	auto_fd fd = memfd_create("modules", MFD_CLOEXEC);

	if (fd < 0 || file_write_all(fd, data, len) < 0)
		return err_sys(e, errno, NULL, "keeping the guest's modules");
	*ret_fd = take_fd(&fd);
	return 0;
}

static int pack(const char *folder, bool disk, int *ret_fd, struct err *e)
{
	auto_fd dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_str archive = NULL;
	void *data = NULL;
	size_t len = 0;

	if (dir < 0)
		return err_sys(e, errno, folder, "opening the kernel's modules");
	/* The disk's stand behind the others. */
	int rc = vm_modules_archive(dir, folder, wanted, disk ? ALL : ALL - FOR_DISK, &data, &len,
				    e);
	archive = data;
	return rc < 0 ? rc : as_file(archive, len, ret_fd, e);
}

/* A kernel without a folder of modules may have all that it needs: what it lacks shows at boot. */
int be_vm_modules(struct rt_container *c, struct be_vm_shape *s, int kernel, int *ret_fd,
		  struct err *e)
{
	char version[VERSION_MAX];

	if (!vm_boot_version(kernel, version, sizeof(version)))
		return 0;
	s->version = arena_strdup(c->arena, version);
	const char *folder = arena_printf(c->arena, MODULES "/%s", version);
	if (!s->version || !folder)
		return err_sys(e, ENOMEM, NULL, "looking for the kernel's modules");
	if (!has_modules(version))
		return 0;
	s->modules = folder;
	return pack(folder, c->spec->vm.image_path, ret_fd, e);
}
