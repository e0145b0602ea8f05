/* spec/check.h: what the files of cross-field rules share. Only this room includes it.
 *
 * A rule that fails returns spec_fail(…) with the pointer of the value at
 * fault; the position is looked up from the kept tree at that moment only.
 */
#ifndef RF_SPEC_CHECK_H
#define RF_SPEC_CHECK_H

#include "spec/table.h"

struct spec_check {
	const struct spec_source *source; /* NULL: no positions */
	const char *base;                 /* pointer of the source's root, in messages */
	struct err *e;
};

#define SPEC_POINTER 320 /* room for a pointer in a message */

/* The error for the value at `pointer` (relative to c->base). */
int spec_fail(const struct spec_check *c, const char *pointer, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Absolute, or an error; NULL is fine. */
int spec_check_abs(const struct spec_check *c, const char *pointer, const char *path);
/* Every string of a list absolute. */
int spec_check_abs_list(const struct spec_check *c, const char *pointer,
			const struct spec_strings *l);
/* Every string NAME=value. */
int spec_check_env(const struct spec_check *c, const char *pointer, const struct spec_strings *l);
/* Sizes, overflow and overlaps of id maps. */
int spec_check_id_maps(const struct spec_check *c, const char *pointer,
		       const struct spec_id_maps *m);
/* Whether a path has a ".." component. */
bool spec_has_dotdot(const char *path);

int spec_check_linux(const struct spec_check *c, const struct spec *s);
int spec_check_sysctl(const struct spec_check *c, const struct spec *s);
int spec_check_seccomp(const struct spec_check *c, const struct spec_seccomp *s);
int spec_check_vm(const struct spec_check *c, const struct spec_vm *vm);

#endif
