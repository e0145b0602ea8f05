/* namespaces/label.c: AppArmor profile and SELinux label of the program.
 *
 * Both are set for the next execve by a write to /proc/self/attr, through our
 * own procfs. A host without the module refuses the property at create: a label
 * that isn't enforced would be a wall that isn't there. The label of mounts is
 * no wall by itself: without SELinux there is nothing that it could apply to.
 */
#include "namespaces/process.h"

#include "common/proc.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool has(const char *s)
{
	return s && s[0];
}

bool ns_label_selinux(void)
{
	return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

static bool apparmor(void)
{
	char yes = 'N';
	int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, &yes, 1) == 1 && yes == 'Y';

	if (fd >= 0)
		close(fd);
	return ok;
}

const char *ns_label_mount(const char *label, const char *type, const struct ns_mount_opts *o)
{
	/* The policy labels the files of these one by one. */
	static const char *const kernels_own[] = {"proc", "sysfs", "cgroup", "cgroup2", "mqueue"};

	if (!has(label))
		return NULL;
	for (size_t i = 0; i < sizeof(kernels_own) / sizeof(kernels_own[0]); i++)
		if (str_eq(kernels_own[i], type))
			return NULL;
	/* An engine that said it for one mount means it. */
	for (size_t i = 0; i < o->n_fs; i++)
		if (strncmp(o->fs[i], "context=", strlen("context=")) == 0)
			return NULL;
	return label;
}

int ns_label_accept(const struct spec_process *p, const char *pointer, struct err *e)
{
	char at[128];

	snprintf(at, sizeof(at), "%s/apparmorProfile", pointer);
	if (has(p->apparmor_profile) && !apparmor())
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, at, "this host has no AppArmor");
	snprintf(at, sizeof(at), "%s/selinuxLabel", pointer);
	if (has(p->selinux_label) && !ns_label_selinux())
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, at,
			       "SELinux isn't enabled on this host");
	return 0;
}

bool ns_label_wanted(const struct spec_process *p)
{
	return has(p->apparmor_profile) || has(p->selinux_label);
}

static int set_apparmor(int procfs, const char *profile, struct err *e)
{
	char text[512];

	if ((size_t)snprintf(text, sizeof(text), "exec %s", profile) >= sizeof(text))
		return err_set(e, ERR_SPEC, ENAMETOOLONG, "/process/apparmorProfile",
			       "the name is too long");
	int rc = proc_write(procfs, "self/attr/apparmor/exec", text, e);
	/* Kernels before 5.8 have only the file that all modules share. */
	if (rc == -ENOENT)
		rc = proc_write(procfs, "self/attr/exec", text, e);
	return rc < 0 ? err_wrap(e, rc, "AppArmor profile %s", profile) : 0;
}

int ns_label_apply(int procfs, const struct spec_process *p, struct err *e)
{
	int rc = 0;

	if (has(p->apparmor_profile))
		rc = set_apparmor(procfs, p->apparmor_profile, e);
	if (rc >= 0 && has(p->selinux_label)) {
		rc = proc_write(procfs, "self/attr/exec", p->selinux_label, e);
		if (rc < 0)
			err_wrap(e, rc, "SELinux label %s", p->selinux_label);
	}
	return rc;
}
