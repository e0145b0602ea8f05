/* namespaces/mount_host.c: file systems that show a namespace, in a container that shares it.
 *
 * A sysfs shows a network namespace, a procfs a pid namespace, an mqueue an ipc namespace, and only
 * who rules that namespace may mount one. Root of a user namespace doesn't rule the host's: where
 * the container shares it, the host's own mount is bound in its place, with all that lies below.
 *
 * Invariants
 *  1. Only what the container's namespaces show anyway: a container with a pid or ipc namespace of
 *     its own never gets the host's.
 *  2. What lies below is no less read-only than its top.
 *  3. What stands at the place is of the type that was asked for.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#define MQUEUE_MAGIC 0x19800202 /* ipc/mqueue.c; in no header */

static const struct shown {
	const char *type, *place;
	enum spec_ns ns;
	bool always; /* its own namespace, joined or half its own, may forbid it too */
	uint64_t magic;
} table[] = {
	{"sysfs", "/sys", SPEC_NS_NETWORK, true, SYSFS_MAGIC},
	{"proc", "/proc", SPEC_NS_PID, false, PROC_SUPER_MAGIC},
	{"mqueue", "/dev/mqueue", SPEC_NS_IPC, false, MQUEUE_MAGIC},
};

static const struct shown *find(const char *type)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (str_eq(table[i].type, type))
			return &table[i];
	return NULL;
}

static int bind(const struct shown *t, const struct ns_mount_opts *asked, struct err *e)
{
	struct ns_mount_opts o = *asked;
	struct statfs fs;
	auto_fd tree = open_tree(AT_FDCWD, t->place,
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);

	if (tree < 0 && errno != ENOENT)
		return err_sys(e, errno, NULL, "binding the host's %s", t->place);
	if (tree < 0 || fstatfs(tree, &fs) < 0 || (uint64_t)fs.f_type != t->magic)
		return err_set(e, ERR_UNSUPPORTED, ENODEV, NULL,
			       "the host's %s isn't of type %s, and a container that shares the "
			       "host's %s namespace can't have another one",
			       t->place, t->type, spec_ns_word(t->ns));
	o.rec_set |= o.attr_set;
	o.propagation = MS_PRIVATE;
	o.propagation_rec = true;
	int rc = ns_mount_apply(tree, &o, e);
	return rc < 0 ? rc : take_fd(&tree);
}

int ns_mount_shared(const struct spec *s, const char *type, const struct ns_mount_opts *o,
		    struct err *e)
{
	const struct shown *t = find(type);

	if (!t)
		return -EPERM;
	if (!t->always && spec_find_ns(s, t->ns))
		return err_wrap(e, -EPERM,
				"a user namespace may mount a %s only where its runtime sees one "
				"without anything mounted over its parts",
				type);
	err_clear(e);
	return bind(t, o, e);
}
