/* namespaces/env.c: the program's environment.
 *
 * Of a variable that is given twice the last one counts, as with runc: engines add to a list that
 * the image began. Programs that read environ from the front would take the first.
 */
#include "namespaces/process.h"

#include "common/str.h"

#include <errno.h>
#include <string.h>

/* Names seen, open addressing; `size` is a power of two, at least twice their number. */
struct names {
	const char **slots;
	size_t size;
};

static size_t name_len(const char *var)
{
	return strcspn(var, "=");
}

/* True when the variable's name wasn't there yet. */
static bool add(struct names *n, const char *var)
{
	size_t len = name_len(var), i = (size_t)str_hash(var, len) & (n->size - 1);

	for (; n->slots[i]; i = (i + 1) & (n->size - 1))
		if (name_len(n->slots[i]) == len && memcmp(n->slots[i], var, len) == 0)
			return false;
	n->slots[i] = var;
	return true;
}

/* HOME from the container's passwd when the spec gives none, as login(1) would. */
int ns_process_env(struct arena *a, struct ns_process *p, struct err *e)
{
	const struct spec_strings *env = &p->process->env;
	struct names seen = {.size = 16};
	size_t kept = env->n;

	while (seen.size < 2 * (env->n + 1))
		seen.size *= 2;
	seen.slots = arena_array(a, seen.size, sizeof(*seen.slots));
	const char **list = arena_array(a, env->n + 2, sizeof(*list));
	if (!seen.slots || !list)
		return err_sys(e, ENOMEM, NULL, "building the environment");
	/* From the last one on, filling the list from its end: the order stays. */
	for (size_t i = env->n; i-- > 0;)
		if (add(&seen, env->items[i]))
			list[--kept] = env->items[i];
	p->env = list + kept;
	if (add(&seen, "HOME="))
		list[env->n] =
			arena_printf(a, "HOME=%s", ns_user_home(a, p->root, p->process->user.uid));
	return 0;
}
