/* guest/image.c: the image that holds a container's root file system: the machine's first disk.
 *
 * Invariants
 *  1. What the image says of itself is checked before the kernel is asked to mount it, so that a
 *     foreign or cut one gets a line that says so.
 *  2. It is written out and unmounted before the machine ends by itself: a power cut is what a
 *     journal is for, not how a container ends.
 */
#include "guest/init.h"

#include "common/fd.h"
#include "microvm/proto.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISK "/dev/vda"
#define SUPER 1024 /* where both kinds have their superblock */
#define SUPER_BYTES 1024
#define EXT_INCOMPAT_64BIT 0x80u

struct disk {
	uint64_t bytes;
	int read_only;
	uint8_t super[SUPER_BYTES];
	const char *type;
};

static uint32_t number(const struct disk *d, size_t at)
{
	uint32_t v;

	memcpy(&v, d->super + at, sizeof(v));
	return le32toh(v);
}

/* The kernel's Documentation/filesystems/ext4/super.rst. */
static int check_ext(const struct disk *d, struct err *e)
{
	uint64_t blocks = number(d, 4);
	uint32_t size = number(d, 24); /* 0: blocks of 1 KiB */

	if (number(d, 96) & EXT_INCOMPAT_64BIT)
		blocks |= (uint64_t)number(d, 336) << 32;
	if (size > 6 || blocks > (UINT64_MAX >> 16))
		return err_set(e, ERR_SYSTEM, EINVAL, "/vm/image",
			       "the image's ext4 file system is damaged");
	uint64_t bytes = blocks << (10 + size);
	if (bytes > d->bytes)
		return err_set(e, ERR_SYSTEM, EINVAL, "/vm/image",
			       "the image is cut off: its file system has %llu bytes, the image "
			       "%llu",
			       (unsigned long long)bytes, (unsigned long long)d->bytes);
	return 0;
}

/* (1) */
static int identify(struct disk *d, struct err *e)
{
	const uint32_t erofs = 0xe0f5e1e2;

	if ((number(d, 56) & 0xffff) == 0xef53) {
		d->type = "ext4";
		return check_ext(d, e);
	}
	if (number(d, 0) != erofs)
		return err_set(e, ERR_UNSUPPORTED, ENODEV, "/vm/image",
			       "the image must hold a file system, ext4 or erofs, from its first "
			       "byte on");
	d->type = "erofs";
	return 0;
}

static int look(struct disk *d, struct err *e)
{
	auto_fd fd = open(DISK, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &d->bytes) < 0 ||
	    ioctl(fd, BLKROGET, &d->read_only) < 0)
		return err_sys(e, errno, "/vm/image", "opening the disk in the guest");
	ssize_t n = pread(fd, d->super, SUPER_BYTES, SUPER);
	if (n < 0)
		return err_sys(e, errno, "/vm/image", "reading the image");
	memset(d->super + n, 0, SUPER_BYTES - (size_t)n);
	return identify(d, e);
}

static bool mounted(void)
{
	struct stat at, above;

	return stat(VM_IMAGE_DIR, &at) == 0 && stat(VM_IMAGE_DIR "/..", &above) == 0 &&
	       at.st_dev != above.st_dev;
}

int guest_image(const char *scratch, struct err *e)
{
	auto_fd lock = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct disk d = {0};

	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return err_sys(e, errno, VM_IMAGE_DIR, "looking for the image");
	if (mounted())
		return 0;
	int rc = look(&d, e);
	if (rc < 0)
		return rc;
	if (mkdir(VM_IMAGE_DIR, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, VM_IMAGE_DIR, "making a directory");
	if (mount(DISK, VM_IMAGE_DIR, d.type, d.read_only ? MS_RDONLY : 0, NULL) < 0)
		return err_sys(e, errno, "/vm/image", "mounting the image's %s file system",
			       d.type);
	return 0;
}

/* (2); what still holds it open loses the right to write. */
int guest_image_release(struct err *e)
{
	if (!mounted())
		return 0;
	if (umount2(VM_IMAGE_DIR, 0) == 0)
		return 0;
	if (mount(NULL, VM_IMAGE_DIR, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0)
		return 0;
	int code = errno;
	sync();
	return err_sys(e, code, "/vm/image", "unmounting the image");
}
