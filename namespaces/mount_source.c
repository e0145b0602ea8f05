/* namespaces/mount_source.c: what bind mounts take from the host.
 *
 * Invariants
 *  1. A source is opened once, by the runtime's process, as a detached tree whose attributes are
 *     set before anybody can see it. The child inherits the descriptor.
 *  2. A caller who doesn't rule his mount namespace (unprivileged, or root of a user namespace
 *     made without one) may not clone its mounts: his child, which rules its own, opens the source
 *     by name, with no more rights than the caller has.
 *  3. What is bound over the whole of /proc is a procfs.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

/* Relative sources start at the bundle (config.md#mounts). */
static int source_path(const struct ns_launch *l, const struct spec_mount *m, const char *pointer,
		       char *path, size_t size, struct err *e)
{
	bool absolute = m->source[0] == '/';
	int n = snprintf(path, size, "%s%s%s", absolute ? "" : l->bundle, absolute ? "" : "/",
			 m->source);

	return (size_t)n < size ? 0 : err_sys(e, ENAMETOOLONG, pointer, "bind source");
}

/* (3): a look-alike would receive what programs believe to tell the kernel. */
static int check_proc(const struct spec_mount *m, int tree, const char *pointer, struct err *e)
{
	struct statfs fs;

	if (strcmp(m->destination, "/proc") != 0 && strcmp(m->destination, "/proc/") != 0)
		return 0;
	if (fstatfs(tree, &fs) < 0)
		return err_sys(e, errno, pointer, "looking at the bind source");
	if (fs.f_type != PROC_SUPER_MAGIC)
		return err_set(e, ERR_SPEC, EPERM, pointer,
			       "only a procfs can be bound on /proc, %s isn't one", m->source);
	return 0;
}

int ns_open_source(const struct ns_launch *l, size_t index, const struct ns_mount_opts *o,
		   struct err *e)
{
	const struct spec_mount *m = &l->spec->mounts.items[index];
	unsigned flags =
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (o->rbind ? (unsigned)AT_RECURSIVE : 0);
	struct ns_mount_opts all = *o;
	char path[PATH_MAX], pointer[64];

	snprintf(pointer, sizeof(pointer), "/mounts/%zu/source", index);
	int rc = source_path(l, m, pointer, path, sizeof(path), e);
	if (rc < 0)
		return rc;
	auto_fd tree = open_tree(AT_FDCWD, path, flags);
	if (tree < 0)
		return err_sys(e, errno, pointer, "bind source %s%s", path,
			       errno == EINVAL && !o->rbind ? " (mounts below it: try rbind)" : "");
	if (!all.propagation) {
		all.propagation = MS_PRIVATE;
		all.propagation_rec = true;
	}
	rc = check_proc(m, tree, pointer, e);
	if (rc >= 0)
		rc = ns_mount_apply(tree, &all, e);
	if (rc >= 0 && o->idmap)
		rc = ns_idmap(l, m, tree, o->idmap_rec, e);
	return rc < 0 ? err_wrap(e, rc, "bind source %s", path) : take_fd(&tree);
}

static int prepare_one(struct ns_launch *l, size_t index, struct err *e)
{
	struct ns_mount_opts o;
	char pointer[64];

	snprintf(pointer, sizeof(pointer), "/mounts/%zu", index);
	int rc = ns_mount_opts_parse(l->arena, &l->spec->mounts.items[index], pointer, &o, e);
	if (rc < 0 || !o.bind || o.remount)
		return rc;
	int tree = ns_open_source(l, index, &o, e);
	if (tree < 0 && ns_child_opens(tree)) {
		err_clear(e);
		return 0;
	}
	if (tree < 0)
		return err_wrap(e, tree, "error mounting \"%s\" to rootfs at \"%s\"",
				l->spec->mounts.items[index].source
					? l->spec->mounts.items[index].source
					: "",
				l->spec->mounts.items[index].destination);
	l->prepared->sources[index] = tree;
	return 0;
}

int ns_prepare_sources(struct ns_launch *l, struct err *e)
{
	const struct spec *s = l->spec;
	struct ns_prepared *p = l->prepared;
	int rc = 0;

	p->sources = arena_array(l->arena, s->mounts.n + 1, sizeof(int));
	if (!p->sources)
		return err_sys(e, ENOMEM, NULL, "opening mount sources");
	for (size_t i = 0; i < s->mounts.n; i++)
		p->sources[i] = -1;
	p->n_sources = s->mounts.n;
	for (size_t i = 0; i < s->mounts.n && rc >= 0; i++)
		rc = prepare_one(l, i, e);
	return rc;
}
