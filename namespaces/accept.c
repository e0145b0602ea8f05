/* namespaces/accept.c: N1: what this room refuses.
 *
 * Refusing is part of the promise: a property that isn't applied, or that this
 * host can't honour, is an error at create that names it by its JSON pointer,
 * never silence.
 */
#include "namespaces/process.h"

#include "common/sys.h"

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
	const struct spec_namespace *user = spec_find_ns(s, SPEC_NS_USER);

	if (!mnt)
		return refuse(e, "/linux/namespaces",
			      "a container needs a mount namespace of its own: add "
			      "{\"type\": \"mount\"}");
	if (mnt->path && user && !user->path)
		return refuse(e, "/linux/namespaces",
			      "a new user namespace has no rights over a mount namespace that is "
			      "joined: name its user namespace by path too");
	if (sys_caller() != 0 && !ns_has_user(s))
		return refuse(
			e, "/linux/namespaces",
			"an unprivileged user's container needs a user namespace: add "
			"{\"type\": \"user\"} and id maps (`ringfence spec --rootless` writes "
			"them)");
	return 0;
}

/* A group map that its user wrote himself costs setgroups(2) (user_namespaces(7)). */
static int accept_groups(const struct spec *s, const struct spec_process *p, const char *pointer,
			 struct err *e)
{
	char where[128];

	if (p->user.additional_gids.n == 0 || !ns_maps_only_own(&s->linux_.gid_mappings))
		return 0;
	snprintf(where, sizeof(where), "%s/user/additionalGids", pointer);
	return err_set(e, ERR_UNSUPPORTED, EPERM, where,
		       "an unprivileged user who maps nothing but his own group can't give a "
		       "process other groups; map a range of /etc/subgid in /linux/gidMappings");
}

static int unmapped(const char *pointer, const char *below, const char *what, uint32_t id,
		    const char *maps, struct err *e)
{
	char where[128];

	snprintf(where, sizeof(where), "%s%s", pointer, below);
	return err_set(e, ERR_SPEC, EINVAL, where, "%s %u isn't among the container ids of %s",
		       what, id, maps);
}

/* The kernel would only say that the argument is invalid. */
static int accept_ids(const struct spec *s, const struct spec_process *p, const char *pointer,
		      struct err *e)
{
	const struct spec_id_maps *uids = &s->linux_.uid_mappings, *gids = &s->linux_.gid_mappings;
	const struct spec_user *u = &p->user;
	char below[64];

	if (uids->n == 0 || gids->n == 0)
		return 0;
	if (!ns_maps_have(uids, 0))
		return unmapped("/linux/uidMappings", "", "the container's root, user", 0,
				"the map", e);
	if (!ns_maps_have(gids, 0))
		return unmapped("/linux/gidMappings", "", "the container's root, group", 0,
				"the map", e);
	if (!ns_maps_have(uids, u->uid))
		return unmapped(pointer, "/user/uid", "user", u->uid, "/linux/uidMappings", e);
	if (!ns_maps_have(gids, u->gid))
		return unmapped(pointer, "/user/gid", "group", u->gid, "/linux/gidMappings", e);
	for (size_t i = 0; i < u->additional_gids.n; i++) {
		snprintf(below, sizeof(below), "/user/additionalGids/%zu", i);
		if (!ns_maps_have(gids, u->additional_gids.items[i]))
			return unmapped(pointer, below, "group", u->additional_gids.items[i],
					"/linux/gidMappings", e);
	}
	return accept_groups(s, p, pointer, e);
}

/* A list that only exec would find to be none is refused before there is a container. */
static int accept_list(const char *list, const char *pointer, const char *below, struct err *e)
{
	struct ns_bits bits;
	int rc = list ? ns_bits_parse(list, &bits, e) : 0;

	if (rc < 0)
		snprintf(e->where, sizeof(e->where), "%s%s", pointer, below);
	return rc;
}

int ns_accept_process(const struct spec *s, const struct spec_process *p, const char *pointer,
		      struct err *e)
{
	int rc = accept_ids(s, p, pointer, e);

	if (rc >= 0)
		rc = accept_list(p->affinity_initial, pointer, "/execCPUAffinity/initial", e);
	if (rc >= 0)
		rc = accept_list(p->affinity_final, pointer, "/execCPUAffinity/final", e);

	return rc < 0 ? rc : ns_label_accept(p, pointer, e);
}

static int accept_linux(const struct spec_linux *l, struct err *e)
{
	if (l->personality.flags.n)
		return refuse(e, "/linux/personality/flags", "no flags are defined by the spec");
	int rc = accept_list(l->memory_policy.nodes, "/linux", "/memoryPolicy/nodes", e);
	if (rc < 0)
		return rc;
	return l->seccomp.set ? ns_filter_accept(&l->seccomp, e) : 0;
}

int ns_accept(const struct spec *s, struct err *e)
{
	int rc = accept_namespaces(s, e);

	if (s->vm.set)
		return refuse(e, "/vm",
			      "asks for a micro-VM, and the caller for the shared kernel");
	if (rc >= 0)
		rc = accept_linux(&s->linux_, e);
	if (rc >= 0 && s->has_process)
		rc = ns_accept_process(s, &s->process, "/process", e);
	return rc < 0 ? rc : ns_accept_mounts(s, e);
}
