/* runtime/criu_mounts.c: mounts whose content CRIU can't know: binds of the host's files, control
 * groups, device nodes of a user namespace.
 *
 * A dump names each by the mount point that it has in the container, with the spec's destination
 * as its cookie; a restore says where on the host each cookie is. So nothing but the spec has to
 * be kept between the two, and a restore elsewhere takes what its own config.json says.
 */
#include "runtime/criu.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/path.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTINFO_MAX (16u << 20)

/* Where externals are collected. */
struct collect {
	struct rt_container *c;
	struct strbuf *opts;
	int root;              /* a dump: the container's root, else -1 */
	const char *mountinfo; /* and what is mounted there */
};

static const char *const nodes[] = {"/dev/null", "/dev/zero",    "/dev/full",
				    "/dev/tty",  "/dev/urandom", "/dev/random"};

/* Octal escapes of mountinfo (proc(5)) undone. */
static void unescape(const char *from, size_t n, struct strbuf *to)
{
	for (size_t i = 0; i < n; i++) {
		if (from[i] == '\\' && i + 3 < n) {
			char byte = (char)((from[i + 1] - '0') << 6 | (from[i + 2] - '0') << 3 |
					   (from[i + 3] - '0'));
			strbuf_add(to, &byte, 1);
			i += 3;
		} else {
			strbuf_add(to, from + i, 1);
		}
	}
}

/* The mount point, field 5, of the line that begins with the mount's id. */
static bool mountpoint(const char *mountinfo, uint64_t id, struct strbuf *ret)
{
	char first[32];
	int n = snprintf(first, sizeof(first), "%llu ", (unsigned long long)id);

	for (const char *l = mountinfo; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
		if (strncmp(l, first, (size_t)n) != 0)
			continue;
		for (int i = 0; i < 4; i++)
			l += strcspn(l, " \n") + 1;
		unescape(l, strcspn(l, " \n"), ret);
		return !ret->failed && ret->len;
	}
	return false;
}

bool rt_criu_has_mount(pid_t pid, unsigned id)
{
	auto_str text = NULL;
	auto_strbuf point = {0};
	char path[64];
	struct err ignored;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	return file_read_at(AT_FDCWD, path, MOUNTINFO_MAX, &text, NULL, &ignored) >= 0 &&
	       mountpoint(text, id, &point);
}

/* Nothing, when no mount stands at the destination (any more). */
static void dump_external(const struct collect *k, const char *dest)
{
	auto_strbuf point = {0}, word = {0};
	struct err ignored;
	struct statx st;
	auto_fd fd = path_open(k->root, dest, O_PATH, &ignored);

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID) || !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT) ||
	    !mountpoint(k->mountinfo, st.stx_mnt_id, &point))
		return;
	strbuf_printf(&word, "mnt[%s]:%s", point.s, dest);
	rt_wire_str(k->opts, RT_CO_EXTERNAL, word.s);
}

static void external(const struct collect *k, const char *dest, const char *source)
{
	auto_strbuf word = {0};

	if (k->root >= 0) {
		dump_external(k, dest);
		return;
	}
	strbuf_printf(&word, "mnt[%s]:%s", dest, source);
	rt_wire_str(k->opts, RT_CO_EXTERNAL, word.s);
}

static bool is_bind(const struct spec_mount *m)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (str_eq(m->options.items[i], "bind") || str_eq(m->options.items[i], "rbind"))
			return true;
	return false;
}

static bool is_cgroup(const struct spec_mount *m)
{
	return !is_bind(m) && (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"));
}

static void bind_external(const struct collect *k, const struct spec_mount *m)
{
	auto_strbuf source = {0};

	if (m->source && m->source[0] != '/')
		strbuf_printf(&source, "%s/", k->c->doc.bundle);
	strbuf_puts(&source, m->source ? m->source : "");
	if (source.s)
		external(k, m->destination, source.s);
}

/* As they are mounted: the v2 tree alone on the destination, or a directory for each hierarchy. */
static int cgroup_external(const struct collect *k, const struct spec_mount *m, struct err *e)
{
	struct cg_layout *l = k->c->layout;

	for (size_t i = 0; i < l->n; i++) {
		const char *dir, *path = cg_group_in(k->c->group, i, &dir);
		const char *name = strrchr(l->items[i].mountpoint, '/');
		if (!path || !name || (l->mode == CG_V2 && !l->items[i].v2))
			continue;
		const char *dest =
			l->mode == CG_V2 ? m->destination
					 : arena_printf(k->c->arena, "%s%s", m->destination, name);
		if (!dest)
			return err_sys(e, ENOMEM, NULL, "naming control groups");
		external(k, dest, dir);
	}
	return 0;
}

static int collect(const struct collect *k, struct err *e)
{
	const struct spec *s = k->c->spec;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.items[i];
		if (is_bind(m))
			bind_external(k, m);
		else if (is_cgroup(m) && k->c->group)
			rc = cgroup_external(k, m, e);
	}
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		external(k, nodes[i], nodes[i]);
	for (size_t i = 0; i < s->linux_.devices.n; i++)
		external(k, s->linux_.devices.items[i].path, s->linux_.devices.items[i].path);
	return rc;
}

int rt_criu_externals(struct rt_container *c, pid_t pid, struct strbuf *opts, struct err *e)
{
	struct collect k = {.c = c, .opts = opts, .root = -1};
	auto_str text = NULL;
	auto_fd root = -1;
	char path[64];

	if (pid > 0) {
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
		int rc = file_read_at(AT_FDCWD, path, MOUNTINFO_MAX, &text, NULL, e);
		if (rc < 0)
			return rc;
		snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
		root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			return err_sys(e, errno, path, "opening the container's root");
		k.root = root;
		k.mountinfo = text;
	}
	return collect(&k, e);
}

/* --- mount points of a restore --- */

/* Another mount covers it: CRIU brings what is in there. */
static bool below_another(const struct spec *s, size_t index)
{
	const char *dest = s->mounts.items[index].destination;

	for (size_t i = 0; i < index; i++) {
		const char *over = s->mounts.items[i].destination;
		size_t n = strlen(over);
		if (n > 1 && strncmp(dest, over, n) == 0 && (dest[n] == '/' || !dest[n]))
			return true;
	}
	return false;
}

static int make_mountpoint(struct rt_container *c, int root, const struct spec_mount *m,
			   struct err *e)
{
	struct err ignored;
	struct stat st = {.st_mode = S_IFDIR};
	auto_fd there = path_open(root, m->destination, O_PATH, &ignored);

	if (there >= 0)
		return 0;
	if (is_bind(m) && m->source) {
		auto_fd bundle = open(c->doc.bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fstatat(bundle, m->source, &st, 0) < 0)
			return err_sys(e, errno, m->source, "looking at a mount's source");
	}
	auto_fd made = S_ISDIR(st.st_mode) ? path_make_dir(root, m->destination, 0755, e)
					   : path_make_file(root, m->destination, 0755, e);
	return made < 0 ? made : 0;
}

int rt_criu_mountpoints(struct rt_container *c, struct err *e)
{
	const struct spec *s = c->spec;
	auto_fd root = open(c->doc.rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (root < 0)
		return err_sys(e, errno, c->doc.rootfs, "opening the root file system");
	for (size_t i = 0; rc == 0 && i < s->mounts.n; i++)
		if (!below_another(s, i))
			rc = err_wrap(e, make_mountpoint(c, root, &s->mounts.items[i], e),
				      "making the mount point %s", s->mounts.items[i].destination);
	return rc;
}
