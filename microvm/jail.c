/* microvm/jail.c: namespaces, root and privileges of the monitor. */
#include "microvm/jail.h"

#include "common/fd.h"
#include "common/proc.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define NEW_SPACES (CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS)

/* Where a plain user may not make a mount namespace, a user namespace of his own lets him; root
 * needs none for that, and gets one as well: a capability that came back would be worth nothing. */
static int spaces(bool new_net, struct err *e)
{
	int wanted = NEW_SPACES | (new_net ? CLONE_NEWNET : 0);

	if (unshare(CLONE_NEWUSER | wanted) == 0)
		return 0;
	if (unshare(wanted) == 0)
		return 0;
	return err_sys(e, errno, NULL, "making the monitor's namespaces");
}

/* An empty tmpfs becomes the root; what was it is detached, with all that is mounted there. */
static int empty_root(struct err *e)
{
	if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("none", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0555") <
		    0)
		return err_sys(e, errno, NULL, "making the monitor's empty root");
	if (chdir("/tmp") < 0 || sys_pivot_root(".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
	    chdir("/") < 0)
		return err_sys(e, errno, NULL, "changing to the monitor's empty root");
	if (mount(NULL, "/", NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(e, errno, NULL, "making the monitor's root read-only");
	return 0;
}

static int drop(struct err *e)
{
	cap_t none = cap_init();
	int rc = 0;

	for (int c = 0; c <= cap_max_bits() && rc == 0; c++)
		if (cap_get_bound(c) > 0)
			rc = cap_drop_bound(c);
	if (rc == 0)
		rc = !none || cap_set_proc(none) < 0 || cap_reset_ambient() < 0 ? -1 : 0;
	if (rc < 0)
		rc = err_sys(e, errno, NULL, "dropping the monitor's capabilities");
	cap_free(none);
	if (rc == 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
		rc = err_sys(e, errno, NULL, "closing the monitor's jail");
	return rc;
}

/* What files need: made as anybody, owned by anybody, whatever their rights. */
static const cap_value_t file_caps[] = {
	CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,
	CAP_FSETID, CAP_SETUID,       CAP_SETGID,          CAP_SETFCAP,
};

/* Of those that are there: a plain user's server has none. */
static int keep_file_caps(struct err *e)
{
	cap_t now = cap_get_proc(), kept = cap_init();
	int rc = now && kept ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < sizeof(file_caps) / sizeof(*file_caps); i++) {
		cap_flag_value_t has = CAP_CLEAR;
		rc = cap_get_flag(now, file_caps[i], CAP_PERMITTED, &has);
		if (rc == 0 && has == CAP_SET)
			rc = cap_set_flag(kept, CAP_PERMITTED, 1, &file_caps[i], CAP_SET) < 0 ||
					     cap_set_flag(kept, CAP_EFFECTIVE, 1, &file_caps[i],
							  CAP_SET) < 0
				     ? -1
				     : 0;
	}
	if (rc == 0)
		rc = cap_set_proc(kept);
	if (rc < 0)
		rc = err_sys(e, errno, NULL, "dropping the file server's capabilities");
	cap_free(now);
	cap_free(kept);
	return rc;
}

int vm_jail_files(struct err *e)
{
	int rc = 0;

	if (unshare(NEW_SPACES) == 0)
		rc = empty_root(e);
	else if (errno != EPERM)
		rc = err_sys(e, errno, NULL, "making the file server's namespaces");
	if (rc >= 0 && setgroups(0, NULL) < 0 && errno != EPERM)
		rc = err_sys(e, errno, NULL, "leaving the file server's groups");
	if (rc >= 0)
		rc = keep_file_caps(e);
	if (rc >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = err_sys(e, errno, NULL, "closing the file server's jail");
	return rc;
}

int vm_jail(bool new_net, struct err *e)
{
	int rc = spaces(new_net, e);

	if (rc >= 0)
		rc = empty_root(e);
	return rc < 0 ? rc : drop(e);
}

int vm_jail_stand(bool new_net, struct err *e)
{
	auto_fd procfs = proc_open_bare(e), own = -1;

	if (procfs < 0)
		return procfs;
	own = openat(procfs, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (own < 0)
		return err_sys(e, errno, "/proc/self/fd", "can't be opened");
	int rc = vm_jail(new_net, e);
	if (rc >= 0 && fchdir(own) < 0)
		rc = err_sys(e, errno, "/proc/self/fd", "can't be entered");
	return rc < 0 ? rc : vm_jail_calls(VM_THREAD_STAND, e);
}
