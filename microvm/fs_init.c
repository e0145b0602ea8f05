/* microvm/fs_init.c: the start and the end of a client: INIT, DESTROY.
 *
 * Both run alone. INIT begins anew: what an earlier client (the guest mounts again, or was
 * rebooted) had open is closed.
 */
#include "microvm/fs_int.h"

#include <errno.h>
#include <string.h>

/* Left out on purpose: POSIX_LOCKS and FLOCK_LOCKS (locks are the guest's own: two guests of a
 * shared volume don't see each other's), WRITEBACK_CACHE (sizes and times are the host's),
 * EXPORT_SUPPORT (nobody looks up ".."), NO_OPEN_SUPPORT. */
#define WANTED                                                                                 \
	(FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK |            \
	 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | \
	 FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS |        \
	 FUSE_SUBMOUNTS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SETXATTR_EXT | FUSE_INIT_EXT)
#define MINOR_LEAST 31u
#define INIT_IN_LEAST 16u
#define GUEST_PAGE 4096u

static void begin_anew(struct vm_fs *fs)
{
	vm_fs_handles_reset(fs);
	vm_fs_nodes_reset(fs);
	fs->ready = false;
}

static void fill(const struct fuse_init_in *in, struct fuse_init_out *out)
{
	*out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead =
			in->max_readahead < VM_FS_MAX_WRITE ? in->max_readahead : VM_FS_MAX_WRITE,
		.flags = in->flags & WANTED,
		.max_background = 64,
		.congestion_threshold = 48,
		.max_write = VM_FS_MAX_WRITE,
		.time_gran = 1,
		.max_pages = VM_FS_MAX_WRITE / GUEST_PAGE,
	};
}

int vm_fs_do_init(struct vm_fs_call *c)
{
	struct fuse_init_in in = {0};
	struct fuse_init_out *out = (void *)c->out;
	size_t more =
		c->rest_len < sizeof(in) - INIT_IN_LEAST ? c->rest_len : sizeof(in) - INIT_IN_LEAST;

	memcpy(&in, c->arg, INIT_IN_LEAST + more);
	begin_anew(c->fs);
	if (in.major < FUSE_KERNEL_VERSION ||
	    (in.major == FUSE_KERNEL_VERSION && in.minor < MINOR_LEAST))
		return -EPROTO;
	fill(&in, out);
	c->out_len = sizeof(*out);
	if (in.major > FUSE_KERNEL_VERSION)
		return 0; /* it sees our version and asks again in that */
	c->fs->setxattr_ext = out->flags & FUSE_SETXATTR_EXT;
	c->fs->ready = true;
	return 0;
}

int vm_fs_do_destroy(struct vm_fs_call *c)
{
	begin_anew(c->fs);
	return 0;
}
