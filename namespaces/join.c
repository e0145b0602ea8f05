/* namespaces/join.c: entering namespaces that exist. */
#include "namespaces/internal.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int ns_become_root(bool keep_groups, struct err *e)
{
	/* The id that we came with isn't mapped here; files we make need one that is. */
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return err_sys(e, errno, "/linux/uidMappings",
			       "becoming root of the user namespace (is container id 0 mapped?)");
	/* A namespace with setgroups denied keeps the groups that it has. */
	if (!keep_groups && syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return err_sys(e, errno, NULL, "dropping groups");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, NULL, "hiding from ptrace");
	return 0;
}

/* The mount namespace last: entering it leaves our own root and working directory. */
static const enum spec_ns order[] = {SPEC_NS_IPC,  SPEC_NS_UTS, SPEC_NS_NETWORK, SPEC_NS_CGROUP,
				     SPEC_NS_TIME, SPEC_NS_PID, SPEC_NS_MOUNT};
#define COUNT (sizeof(order) / sizeof(order[0]))

static int join(const struct ns_prepared *p, enum spec_ns type, struct err *e)
{
	if (setns(p->joined[type], (int)ns_clone_flag(type)) < 0)
		return err_sys(e, errno, "/linux/namespaces", "joining the %s namespace",
			       spec_ns_word(type));
	return 0;
}

/* A namespace may belong to the user namespace that is joined, or to ours: what our own rights
 * don't open is tried again with those of the user namespace. */
int ns_join_paths(const struct ns_prepared *p, bool pid, struct err *e)
{
	bool user = p->joined[SPEC_NS_USER] >= 0, left[COUNT] = {false};

	for (size_t i = 0; i < COUNT; i++) {
		if (p->joined[order[i]] < 0 || (order[i] == SPEC_NS_PID && !pid))
			continue;
		int rc = join(p, order[i], e);
		left[i] = user && rc == -EPERM;
		if (rc < 0 && !left[i])
			return rc;
	}
	int rc = user ? join(p, SPEC_NS_USER, e) : 0;
	if (rc >= 0 && user)
		rc = ns_become_root(p->keep_groups, e);
	for (size_t i = 0; i < COUNT && rc >= 0; i++)
		if (left[i])
			rc = join(p, order[i], e);
	return rc;
}
