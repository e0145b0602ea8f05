/* spec/lint.h: what a valid specification says that its author may not want.
 *
 * Errors are the parser's, spec_check's and the backend's; here are warnings (a wall has a hole)
 * and recommendations (a wall could be higher). A rule is known by its id, which never changes its
 * meaning.
 */
#ifndef RF_SPEC_LINT_H
#define RF_SPEC_LINT_H

#include "spec/spec.h"

enum spec_severity { SPEC_RECOMMENDATION, SPEC_WARNING, SPEC_ERROR };

struct spec_finding {
	enum spec_severity severity;
	const char *rule;      /* "host-pid" */
	const char *pointer;   /* JSON pointer of what it is about, or of where it is missing */
	const char *text;      /* one sentence */
	unsigned line, column; /* 0: the document isn't known */
};

struct spec_findings {
	struct arena *arena; /* borrowed: of the findings and their texts */
	struct spec_finding *items;
	size_t n, cap;
};

/* Adds every finding of a specification that spec_check accepts, in the order of the rules.
 * -ENOMEM. */
int spec_lint(const struct spec *s, struct spec_findings *f, struct err *e);
/* Adds one. The text is formatted as printf(3) does. */
int spec_finding_add(struct spec_findings *f, const struct spec_finding *form, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
const char *spec_severity_word(enum spec_severity s);

#endif
