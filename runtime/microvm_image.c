/* runtime/microvm_image.c: an image that holds the container's root file system (config-vm.md,
 * image).
 *
 * The specification means a system that the machine boots into, and that root.path is mounted in.
 * Here it boots into the agent, so the image takes root.path's place; a root.path that isn't empty
 * means something else, and is refused.
 *
 * Invariants
 *  1. One machine writes to an image, or several read it: a lock of the descriptor says so
 *     (F_OFD_SETLK, fcntl_locking(2)), for as long as the machine has it.
 *  2. What is in the image is read by the monitor's disk and by the guest's kernel, not here.
 */
#include "runtime/microvm.h"

#include "common/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static bool is_qcow2(const struct spec *s)
{
	return str_eq(s->vm.image_format, "qcow2");
}

int be_vm_image_accept(const struct spec *s, struct err *e)
{
	const char *format = s->vm.image_format;

	if (!s->vm.image_path)
		return 0;
	if (format && !str_eq(format, "raw") && !is_qcow2(s))
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/vm/image/format",
			       "\"%s\" can't be read: \"raw\" and \"qcow2\" can", format);
	if (is_qcow2(s) && !s->root_readonly)
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/vm/image/format",
			       "a qcow2 image can only be read: /root/readonly must be true");
	return 0;
}

static int root_is_empty(struct rt_container *c, struct err *e)
{
	DIR *d = opendir(c->doc.rootfs);
	const struct dirent *it = NULL;

	if (!d)
		return err_sys(e, errno, c->doc.rootfs, "opening the root file system");
	do
		it = readdir(d);
	while (it && (str_eq(it->d_name, ".") || str_eq(it->d_name, "..")));
	int rc = it ? err_set(e, ERR_UNSUPPORTED, ENOTEMPTY, "/vm/image",
			      "the image is the container's root file system, and takes the place "
			      "of %s, which must be empty",
			      c->doc.rootfs)
		    : 0;
	closedir(d);
	return rc;
}

/* An image of the other format would be a disk of nonsense, and a file that grows. */
static int check_kind(int fd, const struct be_vm_image *i, struct err *e)
{
	static const char magic[] = {'Q', 'F', 'I', '\xfb'};
	char start[sizeof(magic)] = "";
	struct stat st;

	if (fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return err_set(e, ERR_SPEC, EINVAL, "/vm/image/path",
			       "must be a file or a block device");
	bool qcow2 = pread(fd, start, sizeof(start), 0) == sizeof(start) &&
		     memcmp(start, magic, sizeof(start)) == 0;
	if (qcow2 == i->qcow2)
		return 0;
	return err_set(e, ERR_SPEC, EINVAL, "/vm/image/format",
		       qcow2 ? "must be \"qcow2\": that is what the image is"
			     : "is \"qcow2\", and the image is none");
}

/* (1) */
static int lock(int fd, const struct be_vm_image *i, struct err *e)
{
	struct flock l = {.l_type = i->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(e, ERR_SYSTEM, EBUSY, "/vm/image/path",
			       "another machine is using the image%s",
			       i->read_only ? ", and may write to it" : "");
	return err_sys(e, errno, "/vm/image/path", "locking the image");
}

int be_vm_image_open(struct rt_container *c, struct be_vm_image *ret, struct err *e)
{
	const struct spec *s = c->spec;
	struct be_vm_image i = {.qcow2 = is_qcow2(s), .read_only = s->root_readonly};
	int rc = root_is_empty(c, e);

	if (rc < 0)
		return rc;
	auto_fd fd = open(s->vm.image_path, (i.read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, "/vm/image/path", "the image %s: %s",
			       s->vm.image_path, err_reason(errno));
	rc = check_kind(fd, &i, e);
	if (rc >= 0)
		rc = lock(fd, &i, e);
	if (rc < 0)
		return rc;
	i.fd = take_fd(&fd);
	*ret = i;
	return 0;
}
