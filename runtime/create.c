/* runtime/create.c: from a bundle to a created container.
 *
 * Invariants
 *  1. Everything that can be refused is refused before the first effect.
 *  2. The state directory is the first effect, state.json the last but the pid file: a directory
 *     without it is a create that didn't come to its end.
 *  3. A failure undoes by the same journal as `delete --force` would.
 */
#include "common/file.h"
#include "runtime/container.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Absolute and without symbolic links, in three calls. */
static int canonical(struct arena *a, const char *path, const char *what, const char **ret_path,
		     struct err *e)
{
	char proc[64], name[PATH_MAX];
	auto_fd fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, path, "opening the %s", what);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(proc, name, sizeof(name));
	if (n < 0 || n == sizeof(name) || name[0] != '/')
		return err_sys(e, n < 0 ? errno : ENAMETOOLONG, path, "naming the %s", what);
	*ret_path = arena_strndup(a, name, (size_t)n);
	return *ret_path ? 0 : err_sys(e, ENOMEM, path, "naming the %s", what);
}

static int read_config(struct rt_container *c, const char *file, struct err *e)
{
	auto_str raw = NULL;
	auto_fd bundle = open(c->doc.bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (bundle < 0)
		return err_sys(e, errno, c->doc.bundle, "opening the bundle");
	int rc = file_read_at(bundle, file, JSON_MAX_BYTES, &raw, &c->config_len, e);
	if (rc < 0)
		return rc;
	char *text = arena_strndup(c->arena, raw ? raw : "", c->config_len);
	if (!text)
		return err_sys(e, ENOMEM, file, "reading");
	c->config = text;
	rc = spec_parse(c->arena, text, c->config_len, file, &c->spec, e);
	return rc < 0 ? rc : spec_check(c->spec, e);
}

static int find_rootfs(struct rt_container *c, struct err *e)
{
	const char *path = c->spec->root_path;

	if (!path)
		return err_set(e, ERR_SPEC, EINVAL, "/root", "is required");
	if (path[0] != '/')
		path = arena_printf(c->arena, "%s/%s", c->doc.bundle, path);
	if (!path)
		return err_sys(e, ENOMEM, "/root/path", "naming the root file system");
	return canonical(c->arena, path, "root file system", &c->doc.rootfs, e);
}

static const char *timestamp(struct arena *a)
{
	struct timespec t;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return arena_printf(a, "%s.%09ldZ", text, t.tv_nsec);
}

static int fill_doc(struct rt_container *c, struct err *e)
{
	struct st_doc *d = &c->doc;

	d->id = c->id;
	d->oci_version = c->spec->oci_version;
	d->created = timestamp(c->arena);
	d->backend = c->ops->name;
	d->owner = geteuid();
	d->systemd = c->env->systemd_cgroup;
	d->annotations = c->spec->annotations;
	d->poststart = c->spec->hooks.poststart.n > 0;
	d->poststop = c->spec->hooks.poststop.n > 0;
	return d->created ? 0 : err_sys(e, ENOMEM, NULL, "creating");
}

int rt_prepare(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	const char *bundle = how->bundle ? how->bundle : ".";
	int rc = rt_check_id(c->id, e);

	if (rc == 0)
		rc = canonical(c->arena, bundle, "bundle", &c->doc.bundle, e);
	if (rc == 0)
		rc = read_config(c, how->config ? how->config : "config.json", e);
	if (rc == 0)
		rc = find_rootfs(c, e);
	if (rc == 0)
		rc = be_find(how->isolation, &c->ops, e);
	if (rc < 0)
		return rc;
	c->rootless = rt_is_rootless(c->env);
	rc = c->ops->accept(c, e);
	return rc < 0 ? rc : fill_doc(c, e);
}

static int check_launch(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	if (!c->spec->has_process)
		return err_set(e, ERR_SPEC, EINVAL, "/process",
			       "is required to create a container");
	int rc = rt_check_console(c->spec->process.terminal, !c->one_shot || how->detach,
				  how->console_socket, e);
	if (rc < 0)
		return rc;
	return rt_preserve_fds(c->arena, &c->spec->process, how->preserve_fds, &c->preserve_fds, e);
}

/* Written once and never replaced, so no rename is needed: state.json commits it. */
static int save_config(struct rt_container *c, struct err *e)
{
	auto_fd fd = openat(c->dir, "config.json",
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : file_write_all(fd, c->config, c->config_len);

	return rc < 0 ? err_sys(e, -rc, "config.json", "saving a copy") : 0;
}

static int make_locked(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	int rc = save_config(c, e);

	if (rc == 0)
		rc = c->ops->create(c, how, e);
	if (rc == 0)
		rc = rt_save_doc(c, e);
	return rc < 0 ? rc : rt_write_pid_file(how->pid_file, c->doc.pid, e);
}

int rt_make(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	int rc = rt_prepare(c, how, e);

	if (rc == 0)
		rc = check_launch(c, how, e);
	if (rc == 0)
		rc = st_root(c->env->root, true, &c->root, e);
	if (rc == 0)
		rc = st_make(c->root, c->id, &c->dir, e);
	if (rc < 0)
		return rc;
	c->locked = true;
	st_journal_init(&c->journal, c->dir);
	rc = make_locked(c, how, e);
	return rc < 0 ? rt_unwind(c, rc) : 0;
}

int rt_create(const struct rt_env *env, const struct rt_create *how, struct err *e)
{
	auto_container c;

	rt_init(&c, env, how->id);
	int rc = rt_make(&c, how, e);
	if (rc == 0)
		rt_unlock(&c); /* the waiting process may still hold the descriptor */
	return rc;
}
