/* spec/table_shape.c: shapes of strings that no list of words can say.
 *
 * Each returns NULL for a well shaped string, else what it must be, worded so
 * that ", is <value>" can follow.
 */
#include "spec/table.h"

#include <ctype.h>
#include <string.h>

const char *spec_shape_nonempty(const char *s)
{
	return *s ? NULL : "must not be empty";
}

/* ^[0-9, -]*$, as the schema has it for CPU lists. */
const char *spec_shape_cpulist(const char *s)
{
	return s[strspn(s, "0123456789, -")] ? "must be a list of numbers and ranges (0-3,7)"
					     : NULL;
}

/* ^[1-9][0-9]*[KMG]B$ */
const char *spec_shape_pagesize(const char *s)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || s[0] == '0' || !s[n] || !strchr("KMG", s[n]) || strcmp(s + n + 1, "B") != 0)
		return "must be a page size such as 64KB, 2MB or 1GB";
	return NULL;
}

/* ^MB:[^\n]*$ */
const char *spec_shape_mb(const char *s)
{
	if (strncmp(s, "MB:", 3) != 0 || strchr(s, '\n'))
		return "must be one line that begins with MB:";
	return NULL;
}

const char *spec_shape_rlimit(const char *s)
{
	return spec_rlimit_number(s) < 0
		       ? "must be a resource of setrlimit(2), RLIMIT_NOFILE for one"
		       : NULL;
}

/* A composition of r, w and m, each at most once. */
const char *spec_shape_access(const char *s)
{
	for (const char *c = s; *c; c++)
		if (!strchr("rwm", *c) || strchr(c + 1, *c))
			return "must be composed of r, w and m, each at most once";
	return NULL;
}

const char *spec_shape_line(const char *s)
{
	return strchr(s, '\n') ? "must not contain a line break" : NULL;
}
