/* namespaces/mount.c: the mounts of the spec, in its order.
 *
 * Invariants
 *  1. A bind source is opened once, by the runtime's process, as a detached tree whose attributes
 *     are set before anybody can see it.
 *  2. A destination is made and opened by the path layer, and mounted on by descriptor.
 *  3. Nothing but procfs comes to stand on /proc, and only the files that container tools emulate
 *     may be covered below it (CVE-2019-19921, CVE-2023-28642).
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct mount_step {
	const struct spec_mount *m;
	size_t index;
	struct ns_mount_opts opts;
};

/* Files of procfs that may be covered (3). */
static const char *const coverable[] = {
	"/proc/cpuinfo",   "/proc/diskstats", "/proc/meminfo", "/proc/stat",
	"/proc/swaps",	   "/proc/uptime",    "/proc/loadavg", "/proc/slabinfo",
	"/proc/net/dev",   "/proc/sys/kernel/ns_last_pid",     "/proc/sys/crypto/fips_enabled"};

static bool may_cover(const char *destination)
{
	for (size_t i = 0; i < sizeof(coverable) / sizeof(coverable[0]); i++)
		if (str_eq(coverable[i], destination))
			return true;
	return false;
}

static int check_target(const struct mount_step *ms, int target, struct err *e)
{
	struct statfs fs;

	if (str_eq(ms->m->type, "proc") || may_cover(ms->m->destination))
		return 0;
	if (fstatfs(target, &fs) < 0)
		return err_sys(e, errno, NULL, "looking at the destination");
	if (fs.f_type == PROC_SUPER_MAGIC)
		return err_set(e, ERR_SPEC, EPERM, NULL,
			       "%s lies within /proc, which can't be covered",
			       ms->m->destination);
	return 0;
}

/* proc and sysfs stand on real directories: a link in the image would lead them, and all later
 * writes below them, elsewhere. */
static int refuse_link(int root, const char *path, struct err *e)
{
	struct err none;
	struct stat st;
	auto_fd fd = path_open(root, path, O_PATH | O_NOFOLLOW, &none);

	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(e, ERR_SPEC, ENOTDIR, NULL,
			       "%s in the root file system isn't a directory", path);
	return 0;
}

static int open_target(struct ns_child_ctx *c, const struct mount_step *ms, bool dir,
		       struct err *e)
{
	const char *dest = ms->m->destination;
	auto_fd target = -1;
	int rc = 0;

	if (str_eq(ms->m->type, "proc") || str_eq(ms->m->type, "sysfs"))
		rc = refuse_link(c->root, dest, e);
	if (rc < 0)
		return rc;
	target = dir ? path_make_dir(c->root, dest, 0755, e) : path_make_file(c->root, dest, 0644, e);
	if (target < 0)
		return target;
	rc = check_target(ms, target, e);
	return rc < 0 ? rc : take_fd(&target);
}

static int attach(int tree, int target, struct err *e)
{
	if (move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return err_sys(e, errno, NULL, "attaching it");
	return 0;
}

/* What the kernel said in the context's log, on one line: "tmpfs: Unknown parameter 'x'". */
static void add_kernel_words(int fs, struct err *e)
{
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	if (n <= 2)
		return;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	size_t len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, " (%s)", text + 2);
}

static int set_option(int fs, const char *option, struct err *e)
{
	char key[256];
	const char *eq = strchr(option, '=');
	int rc;

	if (!eq) {
		rc = fsconfig(fs, FSCONFIG_SET_FLAG, option, NULL, 0);
	} else {
		snprintf(key, sizeof(key), "%.*s", (int)(eq - option), option);
		rc = fsconfig(fs, FSCONFIG_SET_STRING, key, eq + 1, 0);
	}
	if (rc == 0)
		return 0;
	rc = err_sys(e, errno, NULL, "option \"%s\"", option);
	add_kernel_words(fs, e);
	return rc;
}

int ns_fs_mount(const char *type, const char *source, const struct ns_mount_opts *o, struct err *e)
{
	static const struct ns_mount_opts none;
	auto_fd fs = fsopen(type, FSOPEN_CLOEXEC);
	int rc = 0;

	if (!o)
		o = &none;
	if (fs < 0)
		return err_sys(e, errno, NULL, "file system type \"%s\"", type);
	if (source && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return err_sys(e, errno, NULL, "source \"%s\"", source);
	for (size_t i = 0; i < o->n_fs && rc >= 0; i++)
		/* An instance of its own is all that there is since Linux 4.7. */
		if (!str_eq(o->fs[i], "newinstance"))
			rc = set_option(fs, o->fs[i], e);
	if (rc < 0)
		return rc;
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		rc = err_sys(e, errno, NULL, "making the file system %s", type);
		add_kernel_words(fs, e);
		return rc;
	}
	/* A file system to be filled first gets its attributes when it is full. */
	unsigned attrs = o->tmpcopyup ? 0 : (unsigned)(o->attr_set | o->rec_set);
	int mnt = fsmount(fs, FSMOUNT_CLOEXEC, attrs);
	return mnt < 0 ? err_sys(e, errno, NULL, "mounting %s", type) : mnt;
}

/* A user namespace may mount a sysfs only with a network namespace of its own: the host's then,
 * with all that lies below, as engines do themselves. */
static int mount_fs(struct ns_child_ctx *c, const struct mount_step *ms, struct err *e)
{
	int tree = ns_fs_mount(ms->m->type, ms->m->source, &ms->opts, e);

	if (tree != -EPERM || !str_eq(ms->m->type, "sysfs") || !ns_has_user(c->spec))
		return tree;
	tree = open_tree(AT_FDCWD, "/sys",
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (unsigned)AT_RECURSIVE);
	if (tree < 0)
		return err_sys(e, errno, NULL, "cloning the host's /sys");
	int rc = ns_mount_apply(tree, &ms->opts, e);
	if (rc < 0)
		fd_close(&tree);
	return rc < 0 ? rc : tree;
}

static int run_fs(struct ns_child_ctx *c, const struct mount_step *ms, struct err *e)
{
	auto_fd target = open_target(c, ms, true, e);

	if (target < 0)
		return target;
	if (str_eq(ms->m->type, "cgroup") || str_eq(ms->m->type, "cgroup2"))
		return ns_mount_cgroup(c, ms->m, &ms->opts, target, e);
	auto_fd tree = mount_fs(c, ms, e);
	if (tree < 0)
		return tree;
	int rc = 0;
	if (ms->opts.tmpcopyup) {
		rc = ns_copy_up(target, tree, e);
		if (rc >= 0)
			rc = ns_mount_apply(tree, &ms->opts, e);
	}
	rc = rc < 0 ? rc : attach(tree, target, e);
	if (rc >= 0 && !ms->opts.tmpcopyup && ms->opts.propagation &&
	    ms->opts.propagation != MS_PRIVATE) {
		struct ns_mount_opts prop = {.propagation = ms->opts.propagation,
					     .propagation_rec = ms->opts.propagation_rec};
		rc = ns_mount_apply(tree, &prop, e);
	}
	return rc;
}

static int run_bind(struct ns_child_ctx *c, const struct mount_step *ms, struct err *e)
{
	int tree = c->launch->prepared->sources[ms->index];
	struct stat st;

	if (fstat(tree, &st) < 0)
		return err_sys(e, errno, NULL, "looking at the source");
	auto_fd target = open_target(c, ms, S_ISDIR(st.st_mode), e);
	return target < 0 ? target : attach(tree, target, e);
}

static int run_mount(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct mount_step *ms = s->arg;

	return ms->opts.bind ? run_bind(ctx, ms, e) : run_fs(ctx, ms, e);
}

static const char *describe(struct arena *a, const struct mount_step *ms)
{
	auto_strbuf b = {0};

	strbuf_printf(&b, "%s on %s", ms->opts.bind ? ms->m->source : ms->m->type,
		      ms->m->destination);
	for (size_t i = 0; i < ms->m->options.n; i++)
		strbuf_printf(&b, "%s%s", i ? "," : " (", ms->m->options.items[i]);
	if (ms->m->options.n)
		strbuf_puts(&b, ")");
	return b.failed ? NULL : arena_strdup(a, b.s);
}

int ns_plan_mounts(struct plan *p, const struct spec *s, const char *bundle, struct err *e)
{
	(void)bundle;
	for (size_t i = 0; i < s->mounts.n; i++) {
		const char *pointer = arena_printf(p->arena, "/mounts/%zu", i);
		struct mount_step *ms = arena_alloc(p->arena, sizeof(*ms));
		if (!pointer || !ms)
			return err_sys(e, ENOMEM, NULL, "planning mounts");
		ms->m = &s->mounts.items[i];
		ms->index = i;
		int rc = ns_mount_opts_parse(p->arena, ms->m, pointer, &ms->opts, e);
		struct plan_step step = {.stage = PLAN_BUILD,
					 .room = PLAN_NS,
					 .what = ms->opts.bind ? "bind" : "mount",
					 .pointer = pointer,
					 .detail = describe(p->arena, ms),
					 .run = run_mount,
					 .arg = ms};
		if (rc >= 0)
			rc = plan_add(p, &step, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int ns_accept_mounts(const struct spec *s, struct err *e)
{
	auto_arena a = {0};

	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.items[i];
		struct ns_mount_opts o;
		char pointer[64];
		snprintf(pointer, sizeof(pointer), "/mounts/%zu", i);
		int rc = ns_mount_opts_parse(&a, m, pointer, &o, e);
		if (rc < 0)
			return rc;
		if (str_eq(m->destination, "/"))
			return err_set(e, ERR_SPEC, EINVAL, pointer,
				       "nothing can be mounted over the container's root");
		if (o.bind && !m->source)
			return err_set(e, ERR_SPEC, EINVAL, pointer,
				       "a bind mount needs a source");
		if (!o.bind && !m->type)
			return err_set(e, ERR_SPEC, EINVAL, pointer,
				       "neither a type nor the option bind or rbind");
	}
	return 0;
}

/* One source (1). Relative ones start at the bundle. */
static int open_source(struct ns_launch *l, const struct spec_mount *m,
		       const struct ns_mount_opts *o, const char *pointer, int *ret_fd,
		       struct err *e)
{
	char path[PATH_MAX];
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	struct ns_mount_opts all = *o;

	snprintf(path, sizeof(path), "%s%s%s", m->source[0] == '/' ? "" : l->bundle,
		 m->source[0] == '/' ? "" : "/", m->source);
	auto_fd tree = open_tree(AT_FDCWD, path, flags | (o->rbind ? (unsigned)AT_RECURSIVE : 0));
	if (tree < 0)
		return err_sys(e, errno, pointer, "bind source %s", path);
	if (!all.propagation) {
		all.propagation = MS_PRIVATE;
		all.propagation_rec = true;
	}
	int rc = ns_mount_apply(tree, &all, e);
	if (rc < 0)
		return err_wrap(e, rc, "bind source %s", path);
	*ret_fd = take_fd(&tree);
	return 0;
}

int ns_prepare_sources(struct ns_launch *l, struct err *e)
{
	const struct spec *s = l->spec;
	struct ns_prepared *p = l->prepared;

	p->sources = arena_array(l->arena, s->mounts.n, sizeof(int));
	if (!p->sources)
		return err_sys(e, ENOMEM, NULL, "opening mount sources");
	for (size_t i = 0; i < s->mounts.n; i++)
		p->sources[i] = -1;
	p->n_sources = s->mounts.n;
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct ns_mount_opts o;
		char pointer[64];
		snprintf(pointer, sizeof(pointer), "/mounts/%zu", i);
		int rc = ns_mount_opts_parse(l->arena, &s->mounts.items[i], pointer, &o, e);
		if (rc >= 0 && o.bind)
			rc = open_source(l, &s->mounts.items[i], &o, pointer, &p->sources[i], e);
		if (rc < 0)
			return rc;
	}
	return 0;
}
