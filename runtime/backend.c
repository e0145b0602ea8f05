/* runtime/backend.c: the table of isolation backends. */
#include "runtime/backend.h"

#include "common/str.h"
#include "runtime/container.h"

#include <errno.h>

static const struct be_ops *const backends[] = {&be_shared, NULL};

const struct be_ops *const *be_all(void)
{
	return backends;
}

int be_find(const char *name, const struct be_ops **ret_ops, struct err *e)
{
	if (!name) {
		*ret_ops = backends[0];
		return 0;
	}
	for (size_t i = 0; backends[i]; i++)
		if (str_eq(backends[i]->name, name)) {
			*ret_ops = backends[i];
			return 0;
		}
	if (str_eq(name, "microvm"))
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			       "the micro-VM backend isn't built yet");
	return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL,
		       "unknown isolation \"%s\" (there is: shared)", name);
}
