/* spec/lint_rules.h: what the rules of lint share; lint.c has the table of them. */
#ifndef RF_SPEC_LINT_RULES_H
#define RF_SPEC_LINT_RULES_H

#include "spec/lint.h"

#include <string.h>

struct spec_rule;
struct spec_look {
	const struct spec *s;
	struct spec_findings *f;
	const struct spec_rule *rule; /* the one that is looking */
	int rc;
};
struct spec_rule {
	const char *id;
	enum spec_severity severity;
	void (*look)(struct spec_look *l);
};

/* A finding of the rule at work. */
void spec_say(struct spec_look *l, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same at "<base>/<i>". */
void spec_say_at(struct spec_look *l, const char *base, size_t i, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static inline bool spec_is_any(const char *word, const char *const *list)
{
	for (; word && *list; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

/* Lists that a rule of good sense and one of the profile share: what the first names, the second
 * doesn't name again. */
extern const char *const spec_strong_caps[];
extern const char *const spec_to_mask[];
extern const char *const spec_to_protect[];

/* lint_profile.c: what a document opens beyond the default profile */
void spec_look_capabilities(struct spec_look *l);
void spec_look_masks(struct spec_look *l);
void spec_look_calls(struct spec_look *l);
void spec_look_devices(struct spec_look *l);
void spec_look_host_devices(struct spec_look *l);

#endif
