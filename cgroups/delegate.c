/* cgroups/delegate.c: which groups an unprivileged runtime may have: those below what was delegated
 * to its user (cgroups(7), "Delegation").
 *
 * A group is within reach in a hierarchy when its directory can be made, or used, there and, on v2,
 * a process of ours may be moved into it, which takes the right to write cgroup.procs of the
 * nearest group above both. Where it isn't, the group is void: the container is without, and a
 * limit there is refused.
 *
 * Invariants
 *  1. Nothing is made here, and what is found is looked at with the caller's effective ids.
 *  2. A group of somebody else is void, whatever its name: it is neither listed nor signalled nor
 *     removed. The recorded path says so with an empty place ("/a;memory="), for every later
 *     verb.
 *  3. Root's own choice of a name comes first, so that who may write everywhere gets what root
 *     gets.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool may(const char *dir, const char *file, int mode)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s%s%s", dir, file ? "/" : "", file ? file : "") <
		       (int)sizeof(path) &&
	       faccessat(AT_FDCWD, path, mode, AT_EACCESS) == 0;
}

static const char *point_of(const struct cg_hierarchy *h)
{
	return strcmp(h->mountpoint, "/") == 0 ? "" : h->mountpoint;
}

/* Length of the part of both paths that ends with a whole component: "/a/b", "/a/c/d" → 2. */
size_t cg_common_length(const char *a, const char *b)
{
	size_t whole = 0;

	for (size_t i = 0;; i++) {
		bool end_a = a[i] == '/' || a[i] == '\0', end_b = b[i] == '/' || b[i] == '\0';
		if (end_a && end_b)
			whole = i;
		if (a[i] != b[i] || a[i] == '\0')
			return whole;
	}
}

/* The nearest group above both that exists takes our process out of one and into the other. */
static bool may_move(const struct cg_hierarchy *h, const char *rel)
{
	char common[PATH_MAX];

	if (!h->v2)
		return true;
	snprintf(common, sizeof(common), "%s%.*s", point_of(h), (int)cg_common_length(h->own, rel),
		 rel);
	return may(common, "cgroup.procs", W_OK);
}

static bool reachable(const struct cg_hierarchy *h, const char *rel)
{
	char dir[PATH_MAX];
	size_t least = strlen(point_of(h));

	if (snprintf(dir, sizeof(dir), "%s%s", point_of(h), rel) >= (int)sizeof(dir) ||
	    !may_move(h, rel))
		return false;
	if (may(dir, NULL, F_OK))
		return may(dir, NULL, W_OK | X_OK) && may(dir, "cgroup.procs", W_OK);
	for (char *slash; (slash = strrchr(dir, '/')) && slash >= dir + least;) {
		*slash = '\0';
		if (may(dir, NULL, F_OK))
			return may(dir, NULL, W_OK | X_OK);
	}
	return false;
}

/* The group above our own: a group of v2 that has processes can't hand controllers down. */
static const char *beside(struct arena *a, const struct cg_hierarchy *h, const char *name)
{
	const char *slash = strrchr(h->own, '/');

	return arena_printf(a, "%.*s/%s", (int)(slash - h->own), h->own, name);
}

static const char *below(struct arena *a, const struct cg_hierarchy *h, const char *name)
{
	return arena_printf(a, "%s/%s", strcmp(h->own, "/") == 0 ? "" : h->own, name);
}

/* Where the container goes in one hierarchy: "" nowhere, NULL no memory. */
static const char *choose(struct arena *a, const struct cg_hierarchy *h, const char *id)
{
	const char *name = arena_printf(a, CG_DEFAULT_PARENT "-%s", id);
	const char *tries[3];

	if (!name)
		return NULL;
	tries[0] = arena_printf(a, "/" CG_DEFAULT_PARENT "/%s", id);
	tries[1] = h->v2 ? beside(a, h, name) : below(a, h, name);
	tries[2] = below(a, h, name);
	for (size_t i = 0; i < 3; i++) {
		if (!tries[i])
			return NULL;
		if (reachable(h, tries[i]))
			return tries[i];
	}
	return "";
}

/* A place for each hierarchy as one recorded path; the first that isn't void is the plain part. */
static const char *record(struct arena *a, const struct cg_layout *l, const char *const *places)
{
	const char *plain = "", *all;

	for (size_t i = 0; i < l->n && !*plain; i++)
		plain = places[i];
	all = plain;
	for (size_t i = 0; i < l->n && all && *plain; i++)
		if (strcmp(places[i], plain) != 0)
			all = arena_printf(a, "%s;%s=%s", all, cg_path_key(a, &l->items[i]),
					   places[i]);
	return all;
}

int cg_delegated_path(struct arena *a, const struct cg_layout *l, const char *id, const char *asked,
		      const char **ret_path, struct err *e)
{
	const char **places = arena_array(a, l->n + 1, sizeof(*places));

	for (size_t i = 0; i < l->n && places; i++) {
		const struct cg_hierarchy *h = &l->items[i];
		places[i] = asked ? cg_path_in(a, h, asked) : choose(a, h, id);
		if (places[i] && asked && !reachable(h, places[i]))
			places[i] = "";
		if (!places[i])
			places = NULL;
	}
	const char *path = places ? record(a, l, places) : NULL;
	if (!path)
		return err_sys(e, ENOMEM, "", "choosing the control group");
	*ret_path = path;
	return 0;
}
