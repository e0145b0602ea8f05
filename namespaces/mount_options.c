/* namespaces/mount_options.c: every mount option word of the spec, in one table
 * (config.md#linux-mount-options). */
#include "namespaces/internal.h"

#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

enum opt_kind {
	OPT_ATTR,        /* set, clear: of this mount */
	OPT_REC,         /* the same for the whole tree */
	OPT_PROPAGATION, /* set = MS_*, clear = 1: recursive */
	OPT_BIND,
	OPT_RBIND,
	OPT_COPYUP,
	OPT_IDMAP, /* set = 1: recursive */
	OPT_REMOUNT,
	OPT_FS,  /* passed on to the file system under this very word */
	OPT_VOID /* a default, or without effect: accepted, nothing to do */
};

static const struct {
	const char *word;
	enum opt_kind kind;
	uint64_t set, clear;
} options[] = {
	{"async", OPT_VOID, 0, 0},
	{"atime", OPT_ATTR, 0, MOUNT_ATTR__ATIME},
	{"bind", OPT_BIND, 0, 0},
	{"defaults", OPT_VOID, 0, 0},
	{"dev", OPT_ATTR, 0, MOUNT_ATTR_NODEV},
	{"diratime", OPT_ATTR, 0, MOUNT_ATTR_NODIRATIME},
	{"dirsync", OPT_FS, 0, 0},
	{"exec", OPT_ATTR, 0, MOUNT_ATTR_NOEXEC},
	{"idmap", OPT_IDMAP, 0, 0},
	{"iversion", OPT_FS, 0, 0},
	{"lazytime", OPT_FS, 0, 0},
	{"loud", OPT_VOID, 0, 0},
	{"mand", OPT_VOID, 0, 0},
	{"noatime", OPT_ATTR, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"nodev", OPT_ATTR, MOUNT_ATTR_NODEV, 0},
	{"nodiratime", OPT_ATTR, MOUNT_ATTR_NODIRATIME, 0},
	{"noexec", OPT_ATTR, MOUNT_ATTR_NOEXEC, 0},
	{"noiversion", OPT_VOID, 0, 0},
	{"nolazytime", OPT_VOID, 0, 0},
	{"nomand", OPT_VOID, 0, 0},
	{"norelatime", OPT_ATTR, 0, MOUNT_ATTR__ATIME},
	{"nostrictatime", OPT_ATTR, 0, MOUNT_ATTR__ATIME},
	{"nosuid", OPT_ATTR, MOUNT_ATTR_NOSUID, 0},
	{"nosymfollow", OPT_ATTR, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"private", OPT_PROPAGATION, MS_PRIVATE, 0},
	{"ratime", OPT_REC, 0, MOUNT_ATTR__ATIME},
	{"rbind", OPT_RBIND, 0, 0},
	{"rdev", OPT_REC, 0, MOUNT_ATTR_NODEV},
	{"rdiratime", OPT_REC, 0, MOUNT_ATTR_NODIRATIME},
	{"relatime", OPT_ATTR, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"remount", OPT_REMOUNT, 0, 0},
	{"rexec", OPT_REC, 0, MOUNT_ATTR_NOEXEC},
	{"ridmap", OPT_IDMAP, 1, 0},
	{"rnoatime", OPT_REC, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
	{"rnodev", OPT_REC, MOUNT_ATTR_NODEV, 0},
	{"rnodiratime", OPT_REC, MOUNT_ATTR_NODIRATIME, 0},
	{"rnoexec", OPT_REC, MOUNT_ATTR_NOEXEC, 0},
	{"rnorelatime", OPT_REC, 0, MOUNT_ATTR__ATIME},
	{"rnostrictatime", OPT_REC, 0, MOUNT_ATTR__ATIME},
	{"rnosuid", OPT_REC, MOUNT_ATTR_NOSUID, 0},
	{"rnosymfollow", OPT_REC, MOUNT_ATTR_NOSYMFOLLOW, 0},
	{"ro", OPT_ATTR, MOUNT_ATTR_RDONLY, 0},
	{"rprivate", OPT_PROPAGATION, MS_PRIVATE, 1},
	{"rrelatime", OPT_REC, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
	{"rro", OPT_REC, MOUNT_ATTR_RDONLY, 0},
	{"rrw", OPT_REC, 0, MOUNT_ATTR_RDONLY},
	{"rshared", OPT_PROPAGATION, MS_SHARED, 1},
	{"rslave", OPT_PROPAGATION, MS_SLAVE, 1},
	{"rstrictatime", OPT_REC, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"rsuid", OPT_REC, 0, MOUNT_ATTR_NOSUID},
	{"rsymfollow", OPT_REC, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable", OPT_PROPAGATION, MS_UNBINDABLE, 1},
	{"rw", OPT_ATTR, 0, MOUNT_ATTR_RDONLY},
	{"shared", OPT_PROPAGATION, MS_SHARED, 0},
	{"silent", OPT_VOID, 0, 0},
	{"slave", OPT_PROPAGATION, MS_SLAVE, 0},
	{"strictatime", OPT_ATTR, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
	{"suid", OPT_ATTR, 0, MOUNT_ATTR_NOSUID},
	{"symfollow", OPT_ATTR, 0, MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", OPT_FS, 0, 0},
	{"tmpcopyup", OPT_COPYUP, 0, 0},
	{"unbindable", OPT_PROPAGATION, MS_UNBINDABLE, 0},
};

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define COUNT COUNT_OF(options)

const char *const *ns_mount_options(void)
{
	static const char *words[COUNT + 1];

	for (size_t i = 0; i < COUNT; i++)
		words[i] = options[i].word;
	return words;
}

uint64_t ns_propagation(const char *word, bool *ret_recursive)
{
	for (size_t i = 0; word && i < COUNT; i++) {
		if (options[i].kind != OPT_PROPAGATION || !str_eq(options[i].word, word))
			continue;
		*ret_recursive = options[i].clear != 0;
		return options[i].set;
	}
	return 0;
}

/* A later word takes back what an earlier one set: "ro,rw" is rw. */
static void change(uint64_t *set, uint64_t *clr, uint64_t add, uint64_t remove)
{
	*set = (*set & ~remove) | add;
	*clr = (*clr & ~add) | remove;
}

static void apply_word(struct ns_mount_opts *o, size_t i)
{
	switch (options[i].kind) {
	case OPT_ATTR:
		change(&o->attr_set, &o->attr_clr, options[i].set, options[i].clear);
		break;
	case OPT_REC:
		change(&o->rec_set, &o->rec_clr, options[i].set, options[i].clear);
		break;
	case OPT_PROPAGATION:
		o->propagation = options[i].set;
		o->propagation_rec = options[i].clear != 0;
		break;
	case OPT_BIND:
		o->bind = true;
		break;
	case OPT_RBIND:
		o->bind = o->rbind = true;
		break;
	case OPT_COPYUP:
		o->tmpcopyup = true;
		break;
	case OPT_IDMAP:
		o->idmap = true;
		o->idmap_rec = o->idmap_rec || options[i].set;
		break;
	case OPT_REMOUNT:
		o->remount = true;
		break;
	case OPT_FS:
	case OPT_VOID:
		break;
	}
}

/* "sync,async" is neither: of a file system's words too the later one stands. */
static void take_back(struct ns_mount_opts *o, const char *word)
{
	const char *undone = str_eq(word, "async")         ? "sync"
			     : strncmp(word, "no", 2) == 0 ? word + 2
							   : NULL;
	size_t kept = 0;

	for (size_t i = 0; undone && i < o->n_fs; i++)
		if (!str_eq(o->fs[i], undone))
			o->fs[kept++] = o->fs[i];
	if (undone)
		o->n_fs = kept;
}

int ns_mount_opts_parse(struct arena *a, const struct spec_mount *m, const char *pointer,
			struct ns_mount_opts *ret_opts, struct err *e)
{
	struct ns_mount_opts o = {0};

	o.fs = arena_array(a, m->options.n + 1, sizeof(*o.fs));
	if (!o.fs)
		return err_sys(e, ENOMEM, pointer, "reading mount options");
	for (size_t w = 0; w < m->options.n; w++) {
		const char *word = m->options.items[w];
		size_t i = 0;
		if (!*word) /* buildah's "no option" */
			continue;
		while (i < COUNT && !str_eq(options[i].word, word))
			i++;
		if (i < COUNT)
			apply_word(&o, i);
		if (i < COUNT && options[i].kind == OPT_VOID)
			take_back(&o, word);
		if (i == COUNT || options[i].kind == OPT_FS)
			o.fs[o.n_fs++] = word;
	}
	if (str_eq(m->type, "bind"))
		o.bind = true;
	if (o.bind && o.n_fs && !o.remount)
		return err_set(e, ERR_SPEC, EINVAL, pointer,
			       "\"%s\" isn't an option of a bind mount", o.fs[0]);
	if (m->uid_mappings.n || m->gid_mappings.n)
		o.idmap = true;
	if (o.idmap && (!o.bind || o.remount))
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, pointer,
			       "only bind mounts can have ids mapped");
	*ret_opts = o;
	return 0;
}

struct change {
	unsigned flags;
	struct mount_attr attr;
};

/* Puts `first` before what `next` does when both go to the same mounts: one call less. */
static bool join_changes(const struct change *first, struct change *next)
{
	uint64_t set = first->attr.attr_set, clr = first->attr.attr_clr;

	if (first->flags != next->flags)
		return false;
	change(&set, &clr, next->attr.attr_set, next->attr.attr_clr);
	next->attr.attr_set = set;
	next->attr.attr_clr = clr;
	next->attr.propagation |= first->attr.propagation;
	return true;
}

int ns_mount_apply(int tree, const struct ns_mount_opts *o, struct err *e)
{
	/* A bind without what lies below is one mount: "recursive" says nothing about it. */
	unsigned rec = o->bind && !o->rbind && !o->remount ? 0 : AT_RECURSIVE;
	struct change calls[] = {
		{o->propagation_rec ? rec : 0, {.propagation = o->propagation}},
		{rec, {.attr_set = o->rec_set, .attr_clr = o->rec_clr}},
		{0, {.attr_set = o->attr_set, .attr_clr = o->attr_clr}},
	};

	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		struct mount_attr *attr = &calls[i].attr;
		if (!attr->propagation && !attr->attr_set && !attr->attr_clr)
			continue;
		if (i + 1 < COUNT_OF(calls) && join_changes(&calls[i], &calls[i + 1]))
			continue;
		/* An access-time mode can only be set together with clearing the whole field. */
		if (attr->attr_set & MOUNT_ATTR__ATIME)
			attr->attr_clr |= MOUNT_ATTR__ATIME;
		if (mount_setattr(tree, "", AT_EMPTY_PATH | calls[i].flags, attr, sizeof(*attr)) <
		    0)
			return err_sys(e, errno, NULL, "setting mount attributes");
	}
	return 0;
}
