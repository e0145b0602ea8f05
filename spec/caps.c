/* spec/caps.c: names of capabilities. One that nobody knows is told and left out: the specification
 * has a runtime warn of it and go on.
 */
#include "spec/spec.h"

#include <string.h>
#include <sys/capability.h>

/* libcap takes lower case and numbers too; the specification has the names as they stand in
 * capabilities(7). */
bool spec_is_capability(const char *word)
{
	cap_value_t v;

	if (strncmp(word, "CAP_", 4) != 0 || word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")])
		return false;
	return cap_from_name(word, &v) == 0;
}

static bool in(const struct spec_strings *l, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(l->items[i], word))
			return true;
	return false;
}

void spec_unknown_caps(const struct spec_process *p, struct strbuf *out)
{
	const struct spec_caps *c = &p->capabilities;
	const struct spec_strings *sets[] = {&c->bounding, &c->effective, &c->inheritable,
					     &c->permitted, &c->ambient};

	for (size_t k = 0; k < sizeof(sets) / sizeof(sets[0]); k++)
		for (size_t i = 0; i < sets[k]->n; i++) {
			const char *word = sets[k]->items[i];
			bool told = in(sets[k], i, word);
			for (size_t before = 0; before < k && !told; before++)
				told = in(sets[before], sets[before]->n, word);
			if (!told && !spec_is_capability(word))
				strbuf_printf(out, "%s%s", out->len ? ", " : "", word);
		}
}
