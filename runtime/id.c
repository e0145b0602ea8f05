/* runtime/id.c: what a container may be called: a name that is safe as a directory, a cgroup and
 * an argument. It may start with "-": whoever shows it on a command line separates it. */
#include "runtime/container.h"

#include <errno.h>
#include <string.h>

#define ID_MAX 255

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '+' || c == '-';
}

static bool is_valid(const char *id)
{
	size_t n = strlen(id);

	if (n == 0 || n > ID_MAX || !is_word(id[0]))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!is_word(id[i]) && id[i] != '.')
			return false;
	return true;
}

int rt_check_id(const char *id, struct err *e)
{
	if (id && is_valid(id))
		return 0;
	if (id && !*id)
		return err_set(e, ERR_USAGE, EINVAL, NULL, "container id cannot be empty");
	return err_set(e, ERR_USAGE, EINVAL, NULL,
		       "invalid container ID format: must be 1 to %d characters of A-Z a-z 0-9 _ + "
		       "- and, after the first, \".\"",
		       ID_MAX);
}
