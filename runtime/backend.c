/* runtime/backend.c: the table of isolation backends. */
#include "runtime/backend.h"

#include "common/str.h"
#include "runtime/microvm.h"

#include <errno.h>

static const struct be_ops *const backends[] = {&be_shared, &be_microvm, &be_joined, NULL};

const struct be_ops *const *be_all(void)
{
	return backends;
}

/* The caller's word, the document's annotation, its vm section, in this order. */
int be_choose(const char *asked, const struct spec *s, const struct be_ops **ret_ops, struct err *e)
{
	const char *name = asked ? asked : s->isolation;

	int rc = be_find(name || !s->vm.set ? name : be_microvm.name, ret_ops, e);
	/* One of a pod's that isn't its sandbox has no machine of its own. */
	if (rc == 0 && *ret_ops == &be_microvm && be_vm_sandbox(&s->annotations))
		*ret_ops = &be_joined;
	return rc;
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
	return err_set(e, ERR_UNSUPPORTED, EINVAL, NULL,
		       "unknown isolation \"%s\" (there are: shared, microvm)", name);
}
