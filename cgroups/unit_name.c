/* cgroups/unit_name.c: "slice:prefix:name" as a unit's name and the path of its group.
 *
 * A slice's name holds its place: a-b.slice lies in a.slice, and "-.slice" is the root
 * (systemd.slice(5)). What may stand in a unit's name is systemd.unit(5)'s; what the kernel's own
 * files are called gets an underscore in front as a group.
 *
 * Invariants
 *  1. A name has no "/", and no character that systemd would refuse; a path is valid by
 *     cg_path_valid.
 *  2. Nothing here touches anything but memory.
 */
#include "cgroups/unit.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN 255

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, CG_UNIT_POINTER, "naming the unit");
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr(":_.-\\", c));
}

/* As systemd-escape(1) writes them; "@" would make an instance of a template. */
static const char *escape(struct arena *a, const char *s)
{
	static const char hex[] = "0123456789abcdef";
	char *out = arena_alloc(a, 4 * strlen(s) + 1), *p = out;

	for (; out && *s; s++) {
		if (plain(*s)) {
			*p++ = *s;
			continue;
		}
		*p++ = '\\';
		*p++ = 'x';
		*p++ = hex[(unsigned char)*s >> 4];
		*p++ = hex[(unsigned char)*s & 15];
	}
	return out;
}

/* --- slices --- */

/* Parts between dashes: none empty, but for the root slice. */
static bool slice_valid(const char *s)
{
	size_t n = strlen(s);

	if (strcmp(s, "-.slice") == 0)
		return true;
	if (!ends_with(s, ".slice") || n == strlen(".slice") || n > NAME_MAX_LEN || *s == '-' ||
	    strstr(s, "--") || strstr(s, "-.slice") || strchr(s, '/'))
		return false;
	for (; *s; s++)
		if (!plain(*s) || *s == ':')
			return false;
	return true;
}

/* A name that the kernel's files in a group could have. */
static const char *group_name(struct arena *a, const char *name)
{
	static const char *const taken[] = {"tasks", "notify_on_release", "release_agent", NULL};
	static const char *const owners[] = {"cgroup", "cpu",     "cpuacct", "io",     "blkio",
					     "memory", "devices", "pids",    "cpuset", NULL};
	bool clash = *name == '_' || *name == '.';

	for (size_t i = 0; taken[i]; i++)
		clash = clash || strcmp(name, taken[i]) == 0;
	for (size_t i = 0; owners[i]; i++)
		clash = clash || (str_starts(name, owners[i]) && name[strlen(owners[i])] == '.');
	return clash ? arena_printf(a, "_%s", name) : name;
}

/* "a-b.slice" → "/a.slice/a-b.slice"; NULL without memory. */
static const char *slice_path(struct arena *a, const char *slice)
{
	const char *path = "";

	if (strcmp(slice, "-.slice") == 0)
		return path;
	for (const char *p = slice; path && (p = strpbrk(p, "-.")); p++) {
		/* A dot within a part ends nothing. */
		if (*p == '.' && strcmp(p, ".slice") != 0)
			continue;
		const char *one = arena_printf(a, "%.*s.slice", (int)(p - slice), slice);
		one = one ? group_name(a, one) : NULL;
		path = one ? arena_printf(a, "%s/%s", path, one) : NULL;
		if (*p == '.')
			break;
	}
	return path;
}

/* --- the whole --- */

static int bad_form(const char *path, struct err *e)
{
	return err_set(e, ERR_SPEC, EINVAL, CG_UNIT_POINTER,
		       "expected \"slice:prefix:name\" for systemd cgroups, got \"%s\"", path);
}

struct parts {
	const char *slice, *prefix, *name;
};

static int split(struct arena *a, const char *path, const char *id, struct parts *ret,
		 struct err *e)
{
	*ret = (struct parts){"", "ringfence", id};
	if (!path || !*path)
		return 0;
	size_t first = strcspn(path, ":");
	if (!path[first])
		return bad_form(path, e);
	size_t second = strcspn(path + first + 1, ":");
	const char *name = path + first + 1 + second;
	if (*name != ':' || !name[1] || strchr(name + 1, ':'))
		return bad_form(path, e);
	ret->slice = arena_strndup(a, path, first);
	ret->prefix = arena_strndup(a, path + first + 1, second);
	ret->name = name + 1;
	return ret->slice && ret->prefix ? 0 : no_memory(e);
}

static int bad_slice(const char *slice, struct err *e)
{
	return err_set(e, ERR_SPEC, EINVAL, CG_UNIT_POINTER,
		       "\"%s\" is no slice: its name must end in .slice, with no \"/\" and nothing "
		       "empty between dashes",
		       slice);
}

/* The slice that a slice lies in, by its name. */
static const char *parent_slice(struct arena *a, const char *slice)
{
	const char *dash = strrchr(slice, '-');

	return dash && dash > slice ? arena_printf(a, "%.*s.slice", (int)(dash - slice), slice)
				    : "-.slice";
}

static int name_slice(struct arena *a, const char *name, struct cg_unit_name *u, struct err *e)
{
	if (!slice_valid(name) || strcmp(name, "-.slice") == 0)
		return bad_slice(name, e);
	u->is_slice = true;
	u->unit = name;
	u->slice = parent_slice(a, name);
	u->path = slice_path(a, name);
	return u->slice && u->path ? 0 : no_memory(e);
}

static int name_scope(struct arena *a, const struct parts *p, struct cg_unit_name *u, struct err *e)
{
	const char *prefix = escape(a, p->prefix), *name = escape(a, p->name);
	const char *above = slice_path(a, u->slice);

	u->unit = prefix && name ? arena_printf(a, "%s-%s.scope", prefix, name) : NULL;
	const char *dir = u->unit ? group_name(a, u->unit) : NULL;
	u->path = dir && above ? arena_printf(a, "%s/%s", above, dir) : NULL;
	if (!u->path)
		return no_memory(e);
	if (strlen(u->unit) > NAME_MAX_LEN)
		return err_set(e, ERR_SPEC, ENAMETOOLONG, CG_UNIT_POINTER,
			       "the unit's name would be longer than %d characters: %s",
			       NAME_MAX_LEN, u->unit);
	return 0;
}

int cg_unit_name(struct arena *a, const char *cgroups_path, const char *id, bool user,
		 struct cg_unit_name *ret, struct err *e)
{
	struct cg_unit_name u = {0};
	struct parts p;
	int rc = split(a, cgroups_path, id, &p, e);

	if (rc < 0)
		return rc;
	u.slice = *p.slice ? p.slice : user ? "user.slice" : "system.slice";
	if (strcmp(u.slice, "-") == 0)
		u.slice = "-.slice";
	if (!slice_valid(u.slice))
		return bad_slice(u.slice, e);
	rc = ends_with(p.name, ".slice") ? name_slice(a, p.name, &u, e) : name_scope(a, &p, &u, e);
	if (rc == 0)
		*ret = u;
	return rc;
}
