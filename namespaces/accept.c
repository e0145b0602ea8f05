/* namespaces/accept.c: N1: what this room refuses.
 *
 * Refusing is part of the promise: a property that isn't applied, or that this
 * host can't honour, is an error at create that names it by its JSON pointer,
 * never silence.
 */
#include "namespaces/process.h"

#include <errno.h>

static int refuse(struct err *e, const char *pointer, const char *what)
{
	return err_set(e, ERR_UNSUPPORTED, ENOTSUP, pointer, "%s", what);
}

static int accept_namespaces(const struct spec *s, struct err *e)
{
	const struct spec_namespace *mnt = spec_find_ns(s, SPEC_NS_MOUNT);

	if (!mnt)
		return refuse(e, "/linux/namespaces",
			      "a container needs a mount namespace of its own: add "
			      "{\"type\": \"mount\"}");
	if (mnt->path)
		return refuse(e, "/linux/namespaces",
			      "joining a mount namespace by path isn't supported yet");
	return 0;
}

int ns_accept_process(const struct spec *s, const struct spec_process *p, const char *pointer,
		      struct err *e)
{
	(void)s;
	return ns_label_accept(p, pointer, e);
}

static int accept_linux(const struct spec_linux *l, struct err *e)
{
	if (l->intel_rdt.set)
		return refuse(e, "/linux/intelRdt", "resctrl isn't supported yet");
	if (l->personality.flags.n)
		return refuse(e, "/linux/personality/flags", "no flags are defined by the spec");
	return l->seccomp.set ? ns_filter_accept(&l->seccomp, e) : 0;
}

int ns_accept(const struct spec *s, struct err *e)
{
	int rc = accept_namespaces(s, e);

	if (s->vm.set)
		return refuse(e, "/vm", "asks for a micro-VM, whose backend isn't built yet");
	if (rc >= 0)
		rc = accept_linux(&s->linux_, e);
	if (rc >= 0 && s->has_process)
		rc = ns_accept_process(s, &s->process, "/process", e);
	return rc < 0 ? rc : ns_accept_mounts(s, e);
}
