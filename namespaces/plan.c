/* namespaces/plan.c: N1: the steps of this room, and what it refuses.
 *
 * Refusing is part of the promise: a property that isn't applied is an error
 * at create that names it, never silence.
 */
#include "namespaces/process.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static int refuse(struct err *e, const char *pointer, const char *what)
{
	return err_set(e, ERR_UNSUPPORTED, ENOTSUP, pointer, "%s", what);
}

static int accept_namespaces(const struct spec *s, struct err *e)
{
	const struct spec_namespace *mnt = spec_find_ns(s, SPEC_NS_MOUNT);

	if (!mnt)
		return refuse(e, "/linux/namespaces",
			      "a container needs a mount namespace of its own: add "
			      "{\"type\": \"mount\"}");
	if (mnt->path)
		return refuse(e, "/linux/namespaces",
			      "joining a mount namespace by path isn't supported yet");
	return 0;
}

int ns_accept_process(const struct spec *s, const struct spec_process *p, const char *pointer,
		      struct err *e)
{
	char at[128];

	(void)s;
	snprintf(at, sizeof(at), "%s/apparmorProfile", pointer);
	if (p->apparmor_profile && p->apparmor_profile[0])
		return refuse(e, at,
			      access("/sys/kernel/security/apparmor", F_OK) == 0
				      ? "AppArmor profiles aren't applied yet"
				      : "this host has no AppArmor");
	snprintf(at, sizeof(at), "%s/selinuxLabel", pointer);
	if (p->selinux_label && p->selinux_label[0])
		return refuse(e, at,
			      access("/sys/fs/selinux/enforce", F_OK) == 0
				      ? "SELinux labels aren't applied yet"
				      : "SELinux isn't enabled on this host");
	snprintf(at, sizeof(at), "%s/execCPUAffinity", pointer);
	if (p->affinity_initial || p->affinity_final)
		return refuse(e, at, "CPU affinity of exec isn't applied yet");
	return 0;
}

static int accept_linux(const struct spec_linux *l, struct err *e)
{
	if (l->seccomp.listener_path)
		return refuse(e, "/linux/seccomp/listenerPath",
			      "seccomp notify isn't supported yet");
	if (l->intel_rdt.set)
		return refuse(e, "/linux/intelRdt", "resctrl isn't supported yet");
	if (l->memory_policy.mode)
		return refuse(e, "/linux/memoryPolicy", "memory policies aren't applied yet");
	if (l->mount_label && l->mount_label[0])
		return refuse(e, "/linux/mountLabel", "SELinux isn't enabled on this host");
	if (l->personality.flags.n)
		return refuse(e, "/linux/personality/flags", "no flags are defined by the spec");
	return 0;
}

int ns_accept(const struct spec *s, struct err *e)
{
	int rc = accept_namespaces(s, e);

	if (s->vm.set)
		return refuse(e, "/vm", "asks for a micro-VM, whose backend isn't built yet");
	if (rc >= 0)
		rc = accept_linux(&s->linux_, e);
	if (rc >= 0 && s->has_process)
		rc = ns_accept_process(s, &s->process, "/process", e);
	return rc < 0 ? rc : ns_accept_mounts(s, e);
}

/* What clone3 and setns do by themselves: described for `explain`, run by nobody. */
static int plan_namespaces(struct plan *p, const struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->linux_.namespaces.n; i++) {
		const struct spec_namespace *n = &s->linux_.namespaces.items[i];
		struct plan_step step = {
			.stage = PLAN_NAMESPACE,
			.room = PLAN_NS,
			.what = n->path ? "join" : "new",
			.pointer = arena_printf(p->arena, "/linux/namespaces/%zu", i),
			.detail = arena_printf(p->arena, "%s namespace%s%s", spec_ns_word(n->type),
					       n->path ? " " : "", n->path ? n->path : "")};
		int rc = plan_add(p, &step, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int plan_maps(struct plan *p, const struct spec *s, struct err *e)
{
	const struct spec_namespace *user = spec_find_ns(s, SPEC_NS_USER);
	struct plan_step step = {.stage = PLAN_ATTACH,
				 .room = PLAN_NS,
				 .what = "map",
				 .pointer = "/linux/uidMappings",
				 .detail = "user and group ids"};

	return user && !user->path ? plan_add(p, &step, e) : 0;
}

int ns_plan(struct plan *p, const struct spec *s, const char *rootfs, const char *bundle,
	    struct err *e)
{
	int rc = plan_namespaces(p, s, e);

	if (rc >= 0)
		rc = plan_maps(p, s, e);
	if (rc >= 0)
		rc = ns_plan_root(p, s, rootfs, e);
	if (rc >= 0)
		rc = ns_plan_mounts(p, s, bundle, e);
	if (rc >= 0)
		rc = ns_plan_devices(p, s, e);
	if (rc >= 0)
		rc = ns_plan_kernel(p, s, e);
	if (rc >= 0)
		rc = ns_plan_masks(p, s, e);
	if (rc >= 0)
		rc = ns_plan_root_end(p, s, e);
	if (rc >= 0)
		rc = ns_plan_process(p, s, e);
	return rc;
}
