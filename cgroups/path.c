/* cgroups/path.c: a group's name, from the spec's word to a directory of each hierarchy.
 *
 * An absolute cgroupsPath is taken from each hierarchy's mount point down. A relative one lies
 * beneath our own group, which may be another one in each hierarchy; so that a later command,
 * started from another group, finds the same place, the result is recorded in full:
 * "/a/b", and where a hierarchy differs "/a/b;memory=/x/a/b".
 *
 * Invariants
 *  1. A recorded path has no "." or ".." or empty component and at least one component in every
 *     hierarchy where it has any. It never names a hierarchy's root.
 *  2. An empty place ("/a;memory=") is a hierarchy in which the container has no group.
 *  3. Nothing here touches anything but memory.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static bool component_valid(const char *s, size_t len)
{
	if (len == 0 || len > NAME_MAX || (len == 1 && s[0] == '.') ||
	    (len == 2 && s[0] == '.' && s[1] == '.'))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == ';')
			return false;
	return true;
}

bool cg_path_valid(const char *path)
{
	if (*path == '/')
		path++;
	for (;;) {
		size_t len = strcspn(path, "/");
		if (!component_valid(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

/* What an exception of the recorded path calls the hierarchy. */
const char *cg_path_key(struct arena *a, const struct cg_hierarchy *h)
{
	if (h->v2)
		return "unified";
	return arena_strndup(a, h->controllers + 1, strcspn(h->controllers + 1, ","));
}

static const char *join_own(struct arena *a, const struct cg_hierarchy *h, const char *rel)
{
	return arena_printf(a, "%s/%s", strcmp(h->own, "/") == 0 ? "" : h->own, rel);
}

static const char *record_relative(struct arena *a, const struct cg_layout *l, const char *rel)
{
	const char *first = l->n ? join_own(a, &l->items[0], rel) : arena_printf(a, "/%s", rel);
	const char *all = first;

	for (size_t i = 1; all && i < l->n; i++) {
		const char *here = join_own(a, &l->items[i], rel);
		if (!here)
			return NULL;
		if (strcmp(here, first) != 0)
			all = arena_printf(a, "%s;%s=%s", all, cg_path_key(a, &l->items[i]), here);
	}
	return all;
}

/* Our own group may be called what a path from the top may not. */
static int own_recordable(const struct cg_layout *l, const char *want, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (strchr(l->items[i].own, ';'))
			return err_set(e, ERR_SPEC, EINVAL, "/linux/cgroupsPath",
				       "\"%s\" lies beneath the caller's own control group %s, and "
				       "\";\" is refused: give a path that begins with \"/\"",
				       want, l->items[i].own);
	return 0;
}

int cg_path_record(struct arena *a, const struct cg_layout *l, const char *want,
		   const char **ret_path, struct err *e)
{
	size_t len = strlen(want);

	/* Engines write "/a/b/" and "//a" too: clean what means the same. */
	while (len > 1 && want[len - 1] == '/')
		len--;
	while (len > 1 && want[0] == '/' && want[1] == '/')
		want++, len--;
	char *clean = arena_strndup(a, want, len);
	if (!clean)
		return err_sys(e, ENOMEM, "", "choosing the control group");
	if (!cg_path_valid(clean))
		return err_set(
			e, ERR_SPEC, EINVAL, "/linux/cgroupsPath",
			"\"%s\" can't name a control group: it needs at least one component, "
			"and \".\", \"..\", empty components, \";\" and control characters are "
			"refused",
			want);
	int rc = *clean == '/' ? 0 : own_recordable(l, want, e);
	if (rc < 0)
		return rc;
	const char *path = *clean == '/' ? clean : record_relative(a, l, clean);
	if (!path)
		return err_sys(e, ENOMEM, "", "choosing the control group");
	*ret_path = path;
	return 0;
}

const char *cg_path_in(struct arena *a, const struct cg_hierarchy *h, const char *recorded)
{
	size_t first = strcspn(recorded, ";");
	const char *key = cg_path_key(a, h);
	size_t key_len = key ? strlen(key) : 0;

	for (const char *p = recorded + first; key && *p == ';';) {
		size_t len = strcspn(++p, ";");
		if (len > key_len && strncmp(p, key, key_len) == 0 && p[key_len] == '=')
			return arena_strndup(a, p + key_len + 1, len - key_len - 1);
		p += len;
	}
	return key ? arena_strndup(a, recorded, first) : NULL;
}
