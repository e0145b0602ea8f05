/* cgroups/values.h: what the two halves of the values share: values.c (scalars, by table) and
 * values_lists.c (per device, per page size, unified). Rules as at the head of values.c.
 */
#ifndef RF_CGROUPS_VALUES_H
#define RF_CGROUPS_VALUES_H

#include "cgroups/internal.h"

#include <stddef.h>

#define CG_AT(field) offsetof(struct spec_resources, field)

struct cg_build {
	struct arena *a;
	const struct cg_layout *l;
	struct spec_resources r; /* a copy: implied values are filled in */
	const struct cg_ask *ask;
	struct cg_values out;
	struct err *e;
	int rc; /* of a conversion that gave no text */
};

/* Adds one; NULL among its strings is lack of memory. */
int cg_values_add(struct cg_build *b, const struct cg_value *v);
/* The prefix and `tail`. */
const char *cg_values_pointer(struct cg_build *b, const char *tail);
/* The hierarchy that serves a controller by its v1 or v2 name (either may be NULL). */
const struct cg_hierarchy *cg_values_serving(const struct cg_build *b, const char *v1,
					     const char *v2);
size_t cg_values_index(const struct cg_build *b, const struct cg_hierarchy *h);
int cg_values_no_memory(struct cg_build *b);
/* `why` has one %s for `what`. */
int cg_values_unsupported(struct cg_build *b, const char *pointer, const char *why,
			  const char *what);
int cg_values_no_controller(struct cg_build *b, const char *pointer, const char *ctl);
int cg_values_no_v2(struct cg_build *b, const char *pointer);

/* Every list of the resources. */
int cg_values_lists(struct cg_build *b);

#endif
