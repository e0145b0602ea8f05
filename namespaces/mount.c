/* namespaces/mount.c: the mounts of the spec, in its order.
 *
 * Invariants
 *  1. A destination is made and opened by the path layer, and mounted on by descriptor.
 *  2. procfs and sysfs stand on real directories, not on a link of the image: opened with
 *     O_NOFOLLOW, and that very descriptor is mounted on (CVE-2019-19921, CVE-2023-27561).
 *  3. Nothing but a procfs comes to stand on /proc, and only the files that container tools
 *     emulate may be covered below it (CVE-2023-28642): first by name, when the spec is accepted,
 *     then, because a link may lead there, by what the opened destination is.
 *  4. Attributes are set before a mount is attached.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/path.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct mount_step {
	const struct spec_mount *m;
	const char *dest; /* the destination without "//", "/./", "/../" and final "/" */
	size_t index;
	struct ns_mount_opts opts;
};

/* Files of procfs that may be covered (3). */
static const char *const coverable[] = {"/proc/cpuinfo",
					"/proc/diskstats",
					"/proc/meminfo",
					"/proc/stat",
					"/proc/swaps",
					"/proc/uptime",
					"/proc/loadavg",
					"/proc/slabinfo",
					"/proc/net/dev",
					"/proc/sys/kernel/ns_last_pid",
					"/proc/sys/crypto/fips_enabled"};

static bool may_cover(const char *dest)
{
	for (size_t i = 0; i < sizeof(coverable) / sizeof(coverable[0]); i++)
		if (str_eq(coverable[i], dest))
			return true;
	return false;
}

/* By the letters alone: what links do to it is the path layer's business. */
static char *clean_path(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2);
	size_t n = 0;

	while (out && *path) {
		size_t len = strcspn(path, "/");
		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n > 0 && out[--n] != '/')
				;
		} else if (len > 0 && !(len == 1 && path[0] == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
		path += strspn(path, "/");
	}
	if (out && n == 0)
		out[n++] = '/';
	if (out)
		out[n] = '\0';
	return out;
}

static bool is_type(const struct mount_step *ms, const char *type)
{
	return !ms->opts.bind && str_eq(ms->m->type, type);
}

/* (3) by what it is. ns_open_source saw to it that a bind on /proc is a procfs. */
static int check_target(const struct mount_step *ms, int target, struct err *e)
{
	struct statfs fs;

	if (is_type(ms, "proc") || str_eq(ms->dest, "/proc") || may_cover(ms->dest))
		return 0;
	if (fstatfs(target, &fs) < 0)
		return err_sys(e, errno, NULL, "looking at the destination");
	if (fs.f_type == PROC_SUPER_MAGIC)
		return err_set(e, ERR_SPEC, EPERM, NULL,
			       "%s lies within a procfs, which can't be covered", ms->dest);
	return 0;
}

/* (2) */
static int open_real_dir(int root, const char *path, struct err *e)
{
	int fd = path_open(root, path, O_PATH | O_NOFOLLOW | O_DIRECTORY, e);

	if (fd == -ENOENT) {
		auto_fd made = path_make_dir(root, path, 0755, e);
		fd = made < 0 ? made : path_open(root, path, O_PATH | O_NOFOLLOW | O_DIRECTORY, e);
	}
	if (fd == -ENOTDIR || fd == -ELOOP)
		return err_set(e, ERR_SPEC, ENOTDIR, NULL,
			       "%s in the root file system must be a real directory, not a link",
			       path);
	return fd;
}

/* A directory that we made in the fresh /dev a moment ago is mounted on by its name: no link can
 * stand there, and no walk from the root is needed. NULL when it is none. */
static const char *make_in_dev(struct ns_child_ctx *c, const char *dest)
{
	if (!c->has_dev || !str_starts(dest, "/dev/") || strchr(dest + 5, '/'))
		return NULL;
	return mkdirat(c->dev, dest + 5, 0755) == 0 ? dest + 5 : NULL;
}

static int open_target(struct ns_child_ctx *c, const struct mount_step *ms, bool dir, struct err *e)
{
	auto_fd target = -1;

	if (is_type(ms, "proc") || is_type(ms, "sysfs") || str_eq(ms->dest, "/proc"))
		target = open_real_dir(c->root, ms->dest, e);
	else
		target = dir ? path_make_dir(c->root, ms->dest, 0755, e)
			     : path_make_file(c->root, ms->dest, 0644, e);
	if (target < 0)
		return target;
	int rc = check_target(ms, target, e);
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
	if (rc >= 0 && o->label &&
	    fsconfig(fs, FSCONFIG_SET_STRING, o->label_type ? o->label_type : "context", o->label,
		     0) < 0)
		rc = err_sys(e, errno, "/linux/mountLabel", "label \"%s\"", o->label);
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

static int mount_fs(struct ns_child_ctx *c, const struct mount_step *ms, struct err *e)
{
	struct ns_mount_opts o = ms->opts;

	o.label = ns_label_mount(c->spec->linux_.mount_label, ms->m->type, &o);
	if (o.label && !ns_label_selinux())
		o.label = NULL;
	o.label_type = c->spec->mount_context;
	int tree = ns_needs_page(&o)
			   ? ns_page_mount(c->launch->bundle, ms->m->type, ms->m->source, &o, e)
			   : ns_fs_mount(ms->m->type, ms->m->source, &o, e);

	if (tree == -EPERM)
		return ns_mount_shared(c->spec, ms->m->type, &ms->opts, e);
	if (tree == -EINVAL && is_type(ms, "devpts"))
		return err_wrap(e, tree, "is its gid mapped in the user namespace?");
	return tree;
}

/* What a fresh mount gets after the fact: its propagation, and with tmpcopyup all the rest. */
static int fill_and_set(const struct mount_step *ms, int tree, int target, struct err *e)
{
	struct ns_mount_opts o = {.propagation = ms->opts.propagation,
				  .propagation_rec = ms->opts.propagation_rec};

	if (!ms->opts.tmpcopyup)
		return o.propagation == MS_PRIVATE ? 0 : ns_mount_apply(tree, &o, e);
	int rc = ns_copy_up(target, tree, &ms->opts, e);
	return rc < 0 ? rc : ns_mount_apply(tree, &ms->opts, e);
}

/* /dev/pts, /dev/shm, /dev/mqueue: mounted on without being opened. */
static int attach_in_dev(struct ns_child_ctx *c, const struct mount_step *ms, const char *name,
			 struct err *e)
{
	auto_fd tree = mount_fs(c, ms, e);
	int rc = tree < 0 ? tree : fill_and_set(ms, tree, -1, e);

	if (rc >= 0 && move_mount(tree, "", c->dev, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		rc = err_sys(e, errno, NULL, "attaching it");
	return rc;
}

static int run_fs(struct ns_child_ctx *c, const struct mount_step *ms, struct err *e)
{
	bool plain = !ms->opts.tmpcopyup && !is_type(ms, "cgroup") && !is_type(ms, "cgroup2") &&
		     !is_type(ms, "proc") && !is_type(ms, "sysfs");
	const char *name = plain ? make_in_dev(c, ms->dest) : NULL;

	if (name)
		return attach_in_dev(c, ms, name, e);
	auto_fd target = open_target(c, ms, true, e);
	if (target < 0)
		return target;
	if (is_type(ms, "cgroup") || is_type(ms, "cgroup2"))
		return ns_mount_cgroup(c, ms->m, &ms->opts, target, e);
	auto_fd tree = mount_fs(c, ms, e);
	int rc = tree < 0 ? tree : fill_and_set(ms, tree, target, e);
	if (rc >= 0)
		rc = attach(tree, target, e);
	if (rc >= 0 && is_type(ms, "tmpfs") && str_eq(ms->dest, "/dev") && !ms->opts.tmpcopyup) {
		c->dev = take_fd(&tree);
		c->has_dev = true;
	}
	return rc;
}

static int run_bind(struct ns_child_ctx *c, const struct mount_step *ms, struct err *e)
{
	auto_fd own = -1;
	int tree = c->launch->prepared->sources[ms->index];
	struct stat st;

	if (tree < 0)
		own = ns_open_source(c->launch, ms->index, &ms->opts, e);
	tree = tree < 0 ? own : tree;
	if (tree < 0)
		return tree;
	if (fstat(tree, &st) < 0)
		return err_sys(e, errno, NULL, "looking at the source");
	auto_fd target = open_target(c, ms, S_ISDIR(st.st_mode), e);
	if (target == -EISDIR) /* engines explain ENOTDIR to their users */
		return err_sys(e, ENOTDIR, NULL, "%s is a directory, and the source isn't one",
			       ms->dest);
	if (str_eq(ms->dest, "/dev"))
		c->has_dev = false;
	return target < 0 ? target : attach(tree, target, e);
}

/* Changes a mount that stands already; words of the file system go to the file system. */
static int run_remount(struct ns_child_ctx *c, const struct mount_step *ms, struct err *e)
{
	auto_fd target = path_open(c->root, ms->dest, O_PATH, e);
	int rc = target < 0 ? target : 0;

	if (rc >= 0 && ms->opts.n_fs) {
		auto_fd fs = fspick(target, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
		if (fs < 0)
			return err_sys(e, errno, NULL, "changing the file system");
		for (size_t i = 0; i < ms->opts.n_fs && rc >= 0; i++)
			rc = set_option(fs, ms->opts.fs[i], e);
		if (rc >= 0 && fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0) {
			rc = err_sys(e, errno, NULL, "changing the file system");
			add_kernel_words(fs, e);
		}
	}
	return rc < 0 ? rc : ns_mount_apply(target, &ms->opts, e);
}

static int run_mount(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct mount_step *ms = s->arg;

	if (ms->opts.remount)
		return run_remount(ctx, ms, e);
	int rc = ms->opts.bind ? run_bind(ctx, ms, e) : run_fs(ctx, ms, e);
	/* runc's words, which callers look for. */
	return rc < 0 ? err_wrap(e, rc, "error mounting \"%s\" to rootfs at \"%s\"",
				 ms->m->source ? ms->m->source : "", ms->dest)
		      : rc;
}

static const char *describe(struct arena *a, const struct mount_step *ms)
{
	auto_strbuf b = {0};

	if (ms->opts.remount)
		strbuf_puts(&b, ms->dest);
	else
		strbuf_printf(&b, "%s on %s", ms->opts.bind ? ms->m->source : ms->m->type,
			      ms->dest);
	for (size_t i = 0; i < ms->m->options.n; i++)
		strbuf_printf(&b, "%s%s", i ? "," : " (", ms->m->options.items[i]);
	if (ms->m->options.n)
		strbuf_puts(&b, ")");
	return b.failed ? NULL : arena_strdup(a, b.s);
}

/* Everything that is known of mount i before anything is done. */
static int read_mount(struct arena *a, const struct spec *s, size_t i, const char *pointer,
		      struct mount_step *ms, struct err *e)
{
	ms->m = &s->mounts.items[i];
	ms->index = i;
	ms->dest = clean_path(a, ms->m->destination);
	return ms->dest ? ns_mount_opts_parse(a, ms->m, pointer, &ms->opts, e)
			: err_sys(e, ENOMEM, pointer, "reading a mount");
}

int ns_plan_mounts(struct plan *p, const struct spec *s, const char *bundle, struct err *e)
{
	(void)bundle;
	for (size_t i = 0; i < s->mounts.n; i++) {
		const char *pointer = arena_printf(p->arena, "/mounts/%zu", i);
		struct mount_step *ms = arena_alloc(p->arena, sizeof(*ms));
		if (!pointer || !ms)
			return err_sys(e, ENOMEM, NULL, "planning mounts");
		int rc = read_mount(p->arena, s, i, pointer, ms, e);
		if (rc < 0)
			return rc;
		struct plan_step step = {.stage = PLAN_BUILD,
					 .room = PLAN_NS,
					 .what = ms->opts.remount ? "remount"
						 : ms->opts.bind  ? "bind"
								  : "mount",
					 .pointer = pointer,
					 .detail = describe(p->arena, ms),
					 .run = run_mount,
					 .arg = ms};
		rc = plan_add(p, &step, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* (3) by name. */
static int accept_dest(const struct mount_step *ms, const char *pointer, struct err *e)
{
	const char *d = ms->dest;

	if (str_eq(d, "/"))
		return err_set(e, ERR_SPEC, EINVAL, pointer,
			       "nothing can be mounted over the container's root");
	if (str_eq(d, "/proc") && !ms->opts.bind && !str_eq(ms->m->type, "proc"))
		return err_set(e, ERR_SPEC, EPERM, pointer,
			       "only a procfs can be mounted on /proc");
	if (str_starts(d, "/proc/") && !may_cover(d))
		return err_set(e, ERR_SPEC, EPERM, pointer,
			       "%s lies within /proc, which can't be covered", d);
	return 0;
}

static int accept_mount(const struct spec *s, const struct mount_step *ms, const char *pointer,
			struct err *e)
{
	const struct ns_mount_opts *o = &ms->opts;

	if (o->remount)
		return 0;
	if (o->bind && !ms->m->source)
		return err_set(e, ERR_SPEC, EINVAL, pointer, "a bind mount needs a source");
	if (!o->bind && !ms->m->type)
		return err_set(e, ERR_SPEC, EINVAL, pointer,
			       "neither a type nor the option bind or rbind");
	if (o->tmpcopyup && !is_type(ms, "tmpfs"))
		return err_set(e, ERR_SPEC, EINVAL, pointer, "tmpcopyup is for tmpfs only");
	if (o->idmap && !ms->m->uid_mappings.n && !ns_has_user(s))
		return err_set(e, ERR_SPEC, EINVAL, pointer,
			       "idmap needs uidMappings and gidMappings, or a user namespace");
	return accept_dest(ms, pointer, e);
}

int ns_accept_mounts(const struct spec *s, struct err *e)
{
	auto_arena a = {0};
	int rc = 0;

	for (size_t i = 0; i < s->mounts.n && rc >= 0; i++) {
		struct mount_step ms;
		char pointer[64];
		snprintf(pointer, sizeof(pointer), "/mounts/%zu", i);
		rc = read_mount(&a, s, i, pointer, &ms, e);
		if (rc >= 0)
			rc = accept_mount(s, &ms, pointer, e);
	}
	return rc;
}
