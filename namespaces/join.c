/* namespaces/join.c: entering namespaces that exist. */
#include "namespaces/internal.h"

#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int ns_become_root(struct err *e)
{
	/* The id that we came with isn't mapped here; files we make need one that is. */
	if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
		return err_sys(e, errno, "/linux/uidMappings",
			       "becoming root of the user namespace (is container id 0 mapped?)");
	/* A namespace with setgroups denied keeps the groups that it has. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return err_sys(e, errno, NULL, "dropping groups");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, errno, NULL, "hiding from ptrace");
	return 0;
}

/* The user namespace first: it gives the right to join the others that it owns. The pid namespace
 * is joined by whoever clones, because setns changes it for children only. */
int ns_join_paths(const struct ns_prepared *p, struct err *e)
{
	static const enum spec_ns order[] = {SPEC_NS_USER,    SPEC_NS_IPC,    SPEC_NS_UTS,
					     SPEC_NS_NETWORK, SPEC_NS_CGROUP, SPEC_NS_TIME};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		int fd = p->joined[order[i]];
		if (fd < 0)
			continue;
		if (setns(fd, (int)ns_clone_flag(order[i])) < 0)
			return err_sys(e, errno, "/linux/namespaces", "joining the %s namespace",
				       spec_ns_word(order[i]));
		int rc = order[i] == SPEC_NS_USER ? ns_become_root(e) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}
