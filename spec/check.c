/* spec/check.c: rules between fields: the document, root, mounts, hooks; shared helpers.
 *
 * Invariants
 *  1. No rule touches the host: a document is right or wrong by itself.
 *  2. The first fault ends the check; rules run in the document's usual order.
 */
#include "spec/check.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int spec_fail(const struct spec_check *c, const char *pointer, const char *fmt, ...)
{
	char where[sizeof(c->e->where)], text[700];
	va_list ap;

	if (c->source) {
		const struct json *j = json_find(c->source->root, pointer, true);

		snprintf(where, sizeof(where), "%s:%u:%u%s%s%s", c->source->name, j->line,
			 j->column, *c->base || *pointer ? ": " : "", c->base, pointer);
	} else {
		snprintf(where, sizeof(where), "%s%s", c->base, pointer);
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(c->e, ERR_SPEC, EINVAL, where, "%s", text);
}

int spec_check_abs(const struct spec_check *c, const char *pointer, const char *path)
{
	char quoted[160];

	if (!path || path[0] == '/')
		return 0;
	return spec_fail(c, pointer, "must be an absolute path, is %s",
			 json_quote(path, quoted, sizeof(quoted)));
}

int spec_check_abs_list(const struct spec_check *c, const char *pointer,
			const struct spec_strings *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char at[SPEC_POINTER];
		int rc;

		if (l->items[i][0] == '/')
			continue;
		snprintf(at, sizeof(at), "%s/%zu", pointer, i);
		rc = spec_check_abs(c, at, l->items[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int spec_check_env(const struct spec_check *c, const char *pointer, const struct spec_strings *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *eq = strchr(l->items[i], '=');
		char at[SPEC_POINTER], quoted[120];

		if (eq && eq != l->items[i])
			continue;
		snprintf(at, sizeof(at), "%s/%zu", pointer, i);
		return spec_fail(c, at, "must be NAME=value%s, is %s",
				 eq ? " with a name that isn't empty" : "",
				 json_quote(l->items[i], quoted, sizeof(quoted)));
	}
	return 0;
}

static bool overlap(uint32_t a, uint32_t b, uint32_t size_a, uint32_t size_b)
{
	return a < (uint64_t)b + size_b && b < (uint64_t)a + size_a;
}

static int check_id_map(const struct spec_check *c, const char *pointer,
			const struct spec_id_maps *m, size_t i)
{
	const struct spec_id_map *x = &m->items[i];
	char at[SPEC_POINTER];

	snprintf(at, sizeof(at), "%s/%zu/size", pointer, i);
	if (x->size == 0)
		return spec_fail(c, at, "must be at least 1, is 0");
	if ((uint64_t)x->container_id + x->size > UINT32_MAX ||
	    (uint64_t)x->host_id + x->size > UINT32_MAX)
		return spec_fail(c, at, "%u ids from %u (container) and %u (host) pass the last id",
				 x->size, x->container_id, x->host_id);
	at[strlen(at) - strlen("/size")] = '\0';
	for (size_t k = 0; k < i; k++) {
		const struct spec_id_map *y = &m->items[k];

		if (overlap(x->container_id, y->container_id, x->size, y->size))
			return spec_fail(c, at, "overlaps entry %zu in the container's ids", k);
		if (overlap(x->host_id, y->host_id, x->size, y->size))
			return spec_fail(c, at, "overlaps entry %zu in the host's ids", k);
	}
	return 0;
}

/* user_namespaces(7): a map takes at most 340 lines. */
#define ID_MAPS_MAX 340

int spec_check_id_maps(const struct spec_check *c, const char *pointer,
		       const struct spec_id_maps *m)
{
	if (m->n > ID_MAPS_MAX)
		return spec_fail(c, pointer, "has %zu entries, the kernel takes at most %d", m->n,
				 ID_MAPS_MAX);
	for (size_t i = 0; i < m->n; i++) {
		int rc = check_id_map(c, pointer, m, i);

		if (rc < 0)
			return rc;
	}
	return 0;
}

bool spec_has_dotdot(const char *path)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return true;
		p += n;
		p += strspn(p, "/");
	}
	return false;
}

/* --- the document --- */

/* A number of a version: no sign, no leading zero. Returns what follows it, NULL when malformed. */
static const char *version_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n == 0 || n > 9 || (n > 1 && s[0] == '0') ? NULL : s + n;
}

/* SemVer's tail: "-dev.1+build"; only its alphabet is looked at. */
static bool version_tail(const char *s)
{
	if (!*s)
		return true;
	if (*s != '-' && *s != '+')
		return false;
	for (const char *p = s + 1; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-+", *p))
			return false;
	return s[1] != '\0';
}

static int check_version(const struct spec_check *c, const char *v)
{
	const char *p = version_number(v);
	char quoted[80];

	json_quote(v, quoted, sizeof(quoted));
	for (int i = 0; p && i < 2; i++)
		p = *p == '.' ? version_number(p + 1) : NULL;
	if (!p || !version_tail(p))
		return spec_fail(c, "/ociVersion",
				 "must be a version such as " SPEC_VERSION ", is %s", quoted);
	if (strncmp(v, "1.", 2) != 0)
		return spec_fail(c, "/ociVersion",
				 "must be 1.x (this runtime speaks " SPEC_VERSION_MIN
				 " to " SPEC_VERSION "), is %s",
				 quoted);
	return 0;
}

static int check_mount_maps(const struct spec_check *c, size_t i, const struct spec_mount *m)
{
	char at[SPEC_POINTER];
	int rc;

	snprintf(at, sizeof(at), "/mounts/%zu/%s", i, "uidMappings");
	if (m->gid_mappings.n && !m->uid_mappings.n)
		return spec_fail(c, at, "is missing: gidMappings need uidMappings beside them");
	rc = spec_check_id_maps(c, at, &m->uid_mappings);
	if (rc < 0)
		return rc;
	snprintf(at, sizeof(at), "/mounts/%zu/%s", i, "gidMappings");
	if (m->uid_mappings.n && !m->gid_mappings.n)
		return spec_fail(c, at, "is missing: uidMappings need gidMappings beside them");
	return spec_check_id_maps(c, at, &m->gid_mappings);
}

static int check_mounts(const struct spec_check *c, const struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.items[i];
		char at[SPEC_POINTER];
		int rc;

		snprintf(at, sizeof(at), "/mounts/%zu/destination", i);
		rc = spec_check_abs(c, at, m->destination);
		if (rc == 0)
			rc = check_mount_maps(c, i, m);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_hook_list(const struct spec_check *c, const char *word,
			   const struct spec_hook_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		char at[SPEC_POINTER];
		int rc;

		snprintf(at, sizeof(at), "/hooks/%s/%zu/path", word, i);
		rc = spec_check_abs(c, at, l->items[i].path);
		snprintf(at, sizeof(at), "/hooks/%s/%zu/env", word, i);
		if (rc == 0)
			rc = spec_check_env(c, at, &l->items[i].env);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_hooks(const struct spec_check *c, const struct spec *s)
{
	const struct {
		const char *word;
		const struct spec_hook_list *list;
	} lists[] = {
		{"prestart", &s->hooks.prestart},
		{"createRuntime", &s->hooks.create_runtime},
		{"createContainer", &s->hooks.create_container},
		{"startContainer", &s->hooks.start_container},
		{"poststart", &s->hooks.poststart},
		{"poststop", &s->hooks.poststop},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		int rc = check_hook_list(c, lists[i].word, lists[i].list);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_annotations(const struct spec_check *c, const struct spec *s)
{
	for (size_t i = 0; i < s->annotations.n; i++)
		if (!s->annotations.items[i].key[0])
			return spec_fail(c, "/annotations", "a key must not be empty");
	return 0;
}

/* Setting a name in the host's own uts namespace would rename the host; whether one that is joined
 * is that, the document doesn't say (namespaces/prepare.c). */
static int check_names(const struct spec_check *c, const struct spec *s)
{
	const struct spec_namespace *uts = spec_find_ns(s, SPEC_NS_UTS);
	const struct {
		const char *pointer, *name;
	} names[] = {{"/hostname", s->hostname}, {"/domainname", s->domainname}};

	for (size_t i = 0; i < 2; i++) {
		if (!names[i].name || !*names[i].name)
			continue;
		if (!uts)
			return spec_fail(c, names[i].pointer,
					 "unable to set %s without a private UTS namespace",
					 names[i].pointer + 1);
		if (strlen(names[i].name) > 64)
			return spec_fail(c, names[i].pointer, "must have at most 64 bytes, has %zu",
					 strlen(names[i].name));
	}
	return 0;
}

int spec_check_vm(const struct spec_check *c, const struct spec_vm *vm)
{
	const struct {
		const char *pointer, *path;
	} paths[] = {
		{"/vm/hypervisor/path", vm->hypervisor_path}, {"/vm/kernel/path", vm->kernel_path},
		{"/vm/kernel/initrd", vm->kernel_initrd},     {"/vm/image/path", vm->image_path},
		{"/vm/hwConfig/deviceTree", vm->device_tree},
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int rc = spec_check_abs(c, paths[i].pointer, paths[i].path);

		if (rc < 0)
			return rc;
	}
	if (vm->vcpus.set && vm->vcpus.v == 0)
		return spec_fail(c, "/vm/hwConfig/vcpus", "must be at least 1, is 0");
	if (vm->memory.set && vm->memory.v == 0)
		return spec_fail(c, "/vm/hwConfig/memory", "must be more than 0 bytes");
	return 0;
}

static int check_process(const struct spec_check *c, const struct spec *s)
{
	return s->has_process ? spec_check_process(&s->process, "/process", c->e) : 0;
}

static int check_root(const struct spec_check *c, const struct spec *s)
{
	return s->has_root ? 0 : spec_fail(c, "/root", "root must be specified");
}

static int check_vm(const struct spec_check *c, const struct spec *s)
{
	return spec_check_vm(c, &s->vm);
}

int spec_check(const struct spec *s, struct err *e)
{
	static int (*const rules[])(const struct spec_check *, const struct spec *) = {
		check_root,        check_process,    check_names,       check_mounts, check_hooks,
		check_annotations, spec_check_linux, spec_check_sysctl, check_vm,
	};
	const struct spec_check c = {.source = s->source, .base = "", .e = e};
	int rc = check_version(&c, s->oci_version);

	for (size_t i = 0; rc == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
		rc = rules[i](&c, s);
	return rc;
}
