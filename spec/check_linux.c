/* spec/check_linux.c: rules of the linux object.
 *
 * Rules that need the host (is there a controller, a file system, a word in
 * libseccomp) are not here.
 */
#include "spec/check.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

static int check_namespaces(const struct spec_check *c, const struct spec *s)
{
	size_t first[SPEC_NS_MAX] = {0}; /* index + 1 */

	for (size_t i = 0; i < s->linux_.namespaces.n; i++) {
		const struct spec_namespace *n = &s->linux_.namespaces.items[i];
		char at[SPEC_POINTER];
		int rc;

		snprintf(at, sizeof(at), "/linux/namespaces/%zu/%s", i, "type");
		if (first[n->type])
			return spec_fail(c, at, "duplicated ns: %s stands already in entry %zu",
					 spec_ns_word(n->type), first[n->type] - 1);
		first[n->type] = i + 1;
		snprintf(at, sizeof(at), "/linux/namespaces/%zu/%s", i, "path");
		rc = spec_check_abs(c, at, n->path);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* A new user namespace without maps has no root. Where an existing one is joined, engines repeat
 * its maps, and nothing has to be written. */
static int check_user_maps(const struct spec_check *c, const struct spec *s)
{
	const struct spec_namespace *user = spec_find_ns(s, SPEC_NS_USER);
	const struct {
		const char *pointer;
		const struct spec_id_maps *maps;
	} both[] = {{"/linux/uidMappings", &s->linux_.uid_mappings},
		    {"/linux/gidMappings", &s->linux_.gid_mappings}};

	for (size_t i = 0; i < 2; i++) {
		bool any = both[i].maps->n > 0;
		int rc;

		if (any && !user)
			return spec_fail(c, both[i].pointer,
					 "needs a user namespace in /linux/namespaces");
		if (!any && user && !user->path)
			return spec_fail(c, both[i].pointer,
					 "User namespaces enabled, but no %s mappings found",
					 i == 0 ? "uid" : "gid");
		rc = spec_check_id_maps(c, both[i].pointer, both[i].maps);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_time_offsets(const struct spec_check *c, const struct spec *s)
{
	const struct spec_namespace *ns = spec_find_ns(s, SPEC_NS_TIME);

	if (!s->linux_.monotonic.set && !s->linux_.boottime.set)
		return 0;
	if (!ns || ns->path)
		return spec_fail(c, "/linux/timeOffsets",
				 "needs a new time namespace in /linux/namespaces");
	return 0;
}

static int check_device(const struct spec_check *c, size_t i, const struct spec_device *d)
{
	const struct {
		const char *word;
		const struct opt_i64 *v;
		int64_t max;
	} numbers[] = {{"major", &d->major, 0xfff}, {"minor", &d->minor, 0xfffff}};
	char at[SPEC_POINTER];
	int rc;

	snprintf(at, sizeof(at), "/linux/devices/%zu/path", i);
	rc = spec_check_abs(c, at, d->path);
	if (rc < 0)
		return rc;
	if (d->path[strspn(d->path, "/")] == '\0' || spec_has_dotdot(d->path))
		return spec_fail(c, at, "must name a file, without .. in its path");
	for (size_t k = 0; k < 2; k++) {
		snprintf(at, sizeof(at), "/linux/devices/%zu/%s", i, numbers[k].word);
		if (d->type != 'p' && !numbers[k].v->set)
			return spec_fail(c, at, "is required for type %c, but missing", d->type);
		if (d->type != 'p' && (numbers[k].v->v < 0 || numbers[k].v->v > numbers[k].max))
			return spec_fail(c, at, "must be from 0 to %lld, is %lld",
					 (long long)numbers[k].max, (long long)numbers[k].v->v);
	}
	snprintf(at, sizeof(at), "/linux/devices/%zu/fileMode", i);
	if (d->file_mode.v > 07777)
		return spec_fail(c, at, "must be permission bits only, is %llu (0%llo)",
				 (unsigned long long)d->file_mode.v,
				 (unsigned long long)d->file_mode.v);
	return 0;
}

static int check_devices(const struct spec_check *c, const struct spec *s)
{
	for (size_t i = 0; i < s->linux_.devices.n; i++) {
		int rc = check_device(c, i, &s->linux_.devices.items[i]);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool interface_name(const char *s)
{
	return *s && strlen(s) < IFNAMSIZ && !s[strcspn(s, "/: \t\n")] && !str_eq(s, ".") &&
	       !str_eq(s, "..");
}

/* "eth%d": the first name of the kind that is free over there. Elsewhere a per cent sign would be
 * taken for such a template by the kernel. */
static bool is_template(const char *s)
{
	const char *mark = strchr(s, '%');

	return mark && str_eq(mark, "%d");
}

static int check_net_device(const struct spec_check *c, const struct spec *s, size_t i)
{
	const struct spec_net_device *d = &s->linux_.net_devices.items[i];
	const char *name = d->name ? d->name : d->host_name;
	char at[SPEC_POINTER] = "/linux/netDevices", quoted[80];

	json_pointer_key(at, sizeof(at), d->host_name);
	if (!interface_name(d->host_name))
		return spec_fail(c, at, "is no name of a network interface");
	if (d->name)
		json_pointer_key(at, sizeof(at), "name");
	if (!interface_name(name) || (d->name && strchr(name, '%') && !is_template(name)))
		return spec_fail(c, at, "is no name of a network interface: %s",
				 json_quote(name, quoted, sizeof(quoted)));
	if (d->name && is_template(name))
		return 0;
	for (size_t k = 0; k < i; k++) {
		const struct spec_net_device *o = &s->linux_.net_devices.items[k];

		if (str_eq(name, o->name ? o->name : o->host_name))
			return spec_fail(c, at, "two devices would be named %s", name);
	}
	return 0;
}

static int check_net_devices(const struct spec_check *c, const struct spec *s)
{
	if (s->linux_.net_devices.n && !spec_find_ns(s, SPEC_NS_NETWORK))
		return spec_fail(c, "/linux/netDevices",
				 "needs a network namespace in /linux/namespaces");
	if (s->linux_.net_devices.n > 1024)
		return spec_fail(c, "/linux/netDevices", "more than 1024 devices");
	for (size_t i = 0; i < s->linux_.net_devices.n; i++) {
		int rc = check_net_device(c, s, i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_paths(const struct spec_check *c, const struct spec *s)
{
	const char *cgroup = s->linux_.cgroups_path;
	char quoted[120];
	int rc = spec_check_abs_list(c, "/linux/maskedPaths", &s->linux_.masked_paths);

	if (rc == 0)
		rc = spec_check_abs_list(c, "/linux/readonlyPaths", &s->linux_.readonly_paths);
	if (rc == 0 && cgroup && spec_has_dotdot(cgroup))
		return spec_fail(c, "/linux/cgroupsPath", "must not contain .., is %s",
				 json_quote(cgroup, quoted, sizeof(quoted)));
	return rc;
}

static int check_rdt(const struct spec_check *c, const struct spec *s)
{
	const char *id = s->linux_.intel_rdt.clos_id;

	/* "/": the default class. */
	if (id && *id && !str_eq(id, "/") &&
	    (strchr(id, '/') || str_eq(id, ".") || str_eq(id, "..")))
		return spec_fail(c, "/linux/intelRdt/closID", "must be the name of one directory");
	for (size_t i = 0; i < s->linux_.intel_rdt.schemata.n; i++) {
		char at[SPEC_POINTER];

		snprintf(at, sizeof(at), "/linux/intelRdt/schemata/%zu", i);
		if (strchr(s->linux_.intel_rdt.schemata.items[i], '\n'))
			return spec_fail(c, at, "must not contain a line break");
	}
	return 0;
}

/* set_mempolicy(2) */
static int check_memory_policy(const struct spec_check *c, const struct spec *s)
{
	const struct spec_memory_policy *m = &s->linux_.memory_policy;
	bool bare, has;

	if (!m->mode)
		return 0;
	bare = str_eq(m->mode, "MPOL_DEFAULT") || str_eq(m->mode, "MPOL_LOCAL");
	has = m->nodes && *m->nodes;
	if (bare && has)
		return spec_fail(c, "/linux/memoryPolicy/nodes", "must be absent or empty for %s",
				 m->mode);
	if (!bare && !has && !str_eq(m->mode, "MPOL_PREFERRED"))
		return spec_fail(c, "/linux/memoryPolicy/nodes", "is required for %s, but missing",
				 m->mode);
	return 0;
}

static int check_personality(const struct spec_check *c, const struct spec *s)
{
	if (s->linux_.personality.flags.n)
		return spec_fail(c, "/linux/personality/flags/0",
				 "the specification knows no flag of personality");
	return 0;
}

static int check_resources(const struct spec_check *c, const struct spec *s)
{
	return spec_check_resources(&s->linux_.resources, "/linux/resources", c->e);
}

static int check_seccomp(const struct spec_check *c, const struct spec *s)
{
	return spec_check_seccomp(c, &s->linux_.seccomp);
}

int spec_check_linux(const struct spec_check *c, const struct spec *s)
{
	static int (*const rules[])(const struct spec_check *, const struct spec *) = {
		check_namespaces,  check_user_maps, check_time_offsets, check_devices,
		check_net_devices, check_paths,     check_rdt,          check_memory_policy,
		check_personality, check_resources, check_seccomp,
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
		rc = rules[i](c, s);
	return rc;
}
