/* microvm/fs_creds.c: whose the files are that a request makes.
 *
 * The guest's kernel has checked the caller's rights (a virtio-fs mount has default_permissions),
 * so a worker keeps its capabilities, and takes the caller's ids only to make something.
 *
 * Invariants
 *  1. Ids and capabilities are the thread's (setfsuid(2), capset(2)): workers don't meet in them.
 *  2. They are changed when a request needs others than those in force, not back after each one.
 *  3. A server that may not change its ids (rootless without a user namespace) makes everything as
 *     itself. One that may, but has no mapping for the caller's: EOVERFLOW, as the kernel says it.
 */
#include "microvm/fs_int.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Leaving uid 0 takes the capabilities of files out of the effective set, coming back puts them
 * in (capabilities(7)): after either the set is what we say. */
static int apply_caps(struct vm_fs_creds *c)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (unsigned i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){c->effective[i], c->permitted[i],
							  c->inheritable[i]};
	if (!c->fsetid)
		data[0].effective &= ~(1u << CAP_FSETID);
	return syscall(SYS_capset, &h, data) < 0 ? -errno : 0;
}

int vm_fs_creds_init(struct vm_fs_creds *c)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &h, data) < 0)
		return -errno;
	*c = (struct vm_fs_creds){.uid = (uid_t)setfsuid((uid_t)-1),
				  .gid = (gid_t)setfsgid((gid_t)-1)};
	for (unsigned i = 0; i < 2; i++) {
		c->effective[i] = data[i].effective;
		c->permitted[i] = data[i].permitted;
		c->inheritable[i] = data[i].inheritable;
	}
	c->fsetid = data[0].effective & 1u << CAP_FSETID;
	return 0;
}

/* What was set is seen by setting nonsense: the answer is the id in force. */
static bool set_ids(struct vm_fs_creds *c, uid_t uid, gid_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
	c->gid = (gid_t)setfsgid((gid_t)-1);
	c->uid = (uid_t)setfsuid((uid_t)-1);
	return c->uid == uid && c->gid == gid;
}

bool vm_fs_creds_able(struct vm_fs_creds *c)
{
	uid_t uid = c->uid;
	gid_t gid = c->gid;
	/* Another id that a user namespace with a map of more than one id has too. */
	bool able = set_ids(c, uid == 1 ? 0 : 1, gid == 1 ? 0 : 1);

	set_ids(c, uid, gid);
	return apply_caps(c) == 0 && able;
}

int vm_fs_keep_setid(struct vm_fs_call *call, bool keep)
{
	struct vm_fs_creds *c = &call->w->creds;

	keep = keep && c->effective[0] & 1u << CAP_FSETID;
	if (c->fsetid == keep)
		return 0;
	c->fsetid = keep;
	return apply_caps(c);
}

/* Set-id bits of a new file are as the guest's kernel left them: it knows the caller's groups. */
int vm_fs_become(struct vm_fs_call *call, uint32_t umask_of_caller)
{
	struct vm_fs_creds *c = &call->w->creds;
	const struct fuse_in_header *h = call->h;

	umask(umask_of_caller & 0777);
	if (!call->fs->as_caller || (c->uid == h->uid && c->gid == h->gid))
		return vm_fs_keep_setid(call, true);
	bool done = set_ids(c, h->uid, h->gid);
	c->fsetid = c->effective[0] & 1u << CAP_FSETID;
	int rc = apply_caps(c);
	return rc < 0 ? rc : done ? 0 : -EOVERFLOW;
}
