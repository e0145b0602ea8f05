/* cgroups/sub.c: `exec --cgroup [CONTROLLER[,CONTROLLER...]:]PATH`: groups below the container's
 * own that the caller chose, for every hierarchy or for those of the controllers named.
 *
 * Of two words for one hierarchy the later one counts. A plain v2 host has one tree only, where a
 * process can't be in two places: a controller is refused there.
 */
#include "cgroups/internal.h"

#include "common/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* v1 knows "name=systemd"; to callers it is "systemd" too. */
static int find(const struct cg_layout *l, const char *name, const char *word, size_t *ret_i,
		struct err *e)
{
	char named[128];

	snprintf(named, sizeof(named), "name=%s", name);
	for (size_t i = 0; i < l->n; i++) {
		const char *have = l->items[i].controllers;
		if (*name && have && (cg_list_has(have, name) || cg_list_has(have, named))) {
			*ret_i = i;
			return 0;
		}
	}
	return err_set(e, ERR_USAGE, EINVAL, NULL, "--cgroup %s: no controller \"%.64s\" here",
		       word, name);
}

/* NULL: the container's own. */
static int below(const char *word, const char *path, const char **ret_sub, struct err *e)
{
	path += strspn(path, "/");
	if (*path && !cg_path_valid(path))
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--cgroup %s: \"%s\" can't name a control group", word, path);
	*ret_sub = *path ? path : NULL;
	return 0;
}

static int for_controllers(struct arena *a, const struct cg_layout *l, const char *word,
			   size_t head, const char *sub, const char **subs, struct err *e)
{
	char *names = arena_strndup(a, word, head), *rest = NULL;
	size_t i = 0;
	int rc = 0;

	if (!names)
		return err_sys(e, ENOMEM, NULL, "choosing control groups");
	if (l->mode == CG_V2)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--cgroup %s: a process has one place in the v2 tree, whatever the "
			       "controller: give the path alone",
			       word);
	for (char *c = strtok_r(names, ",", &rest); c && rc == 0; c = strtok_r(NULL, ",", &rest)) {
		rc = find(l, c, word, &i, e);
		if (rc == 0)
			subs[i] = sub;
	}
	return rc;
}

static int choose(struct arena *a, const struct cg_layout *l, const char *word, const char **subs,
		  struct err *e)
{
	size_t head = strcspn(word, ":/");
	bool named = word[head] == ':';
	const char *sub = NULL;
	int rc = below(word, named ? word + head + 1 : word, &sub, e);

	if (rc < 0 || named)
		return rc < 0 ? rc : for_controllers(a, l, word, head, sub, subs, e);
	for (size_t i = 0; i < l->n; i++)
		subs[i] = sub;
	return 0;
}

int cg_subs(struct arena *a, const struct cg_group *g, const char *const *words, size_t n,
	    const char ***ret_subs, struct err *e)
{
	const char **subs = arena_array(a, g->layout->n + 1, sizeof(*subs));
	int rc = subs ? 0 : err_sys(e, ENOMEM, NULL, "choosing control groups");

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = choose(a, g->layout, words[i], subs, e);
	if (rc == 0)
		*ret_subs = subs;
	return rc;
}
