/* runtime/create.c: from a bundle to a created container.
 *
 * Invariants
 *  1. Everything that can be refused is refused before the first effect.
 *  2. The state directory is the first effect, state.json the last but the pid file (for `run` the
 *     last before the process may go on by itself): a directory without it is a create that didn't
 *     come to its end.
 *  3. A failure undoes by the same journal as `delete --force` would.
 */
#include "common/file.h"
#include "common/sys.h"
#include "runtime/container.h"
#include "runtime/criu.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Absolute and without symbolic links, in three calls. */
static int canonical(struct arena *a, const char *path, const char *what, int *ret_fd,
		     const char **ret_path, struct err *e)
{
	char proc[64], name[PATH_MAX];
	auto_fd fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, path, "opening the %s", what);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(proc, name, sizeof(name));
	if (n < 0 || n == sizeof(name) || name[0] != '/')
		return err_sys(e, n < 0 ? errno : ENAMETOOLONG, path, "naming the %s", what);
	const char *copy = arena_strndup(a, name, (size_t)n);
	if (!copy)
		return err_sys(e, ENOMEM, path, "naming the %s", what);
	*ret_path = copy;
	if (ret_fd)
		*ret_fd = take_fd(&fd);
	return 0;
}

static int read_config(struct rt_container *c, int bundle, const char *file, struct err *e)
{
	auto_str raw = NULL;
	struct stat st;
	/* A fifo in its place must not hold us up for ever. */
	auto_fd fd = openat(bundle, file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_sys(e, ENOENT, file, "JSON specification file %s not found", file);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, file, "opening");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_SPEC, EINVAL, file, "isn't a regular file");
	int rc = file_read_sized(fd, file, (size_t)st.st_size, JSON_MAX_BYTES, &raw, &c->config_len,
				 e);
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
	return canonical(c->arena, path, "root file system", NULL, &c->doc.rootfs, e);
}

/* RFC 3339 in UTC. gmtime(3) would read the time zone's file for it; days since 1970 become a
 * date by counting in eras of 400 years that begin on the first of March. */
static const char *timestamp(struct arena *a)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	long days = (long)(t.tv_sec / 86400) + 719468, secs = (long)(t.tv_sec % 86400);
	long era = days / 146097, doe = days % 146097;
	long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
	long day = doy - (153 * m + 2) / 5 + 1, month = m < 10 ? m + 3 : m - 9;
	return arena_printf(a, "%04ld-%02ld-%02ldT%02ld:%02ld:%02ld.%09ldZ",
			    yoe + era * 400 + (month <= 2), month, day, secs / 3600, secs / 60 % 60,
			    secs % 60, t.tv_nsec);
}

static int fill_doc(struct rt_container *c, struct err *e)
{
	struct st_doc *d = &c->doc;

	d->id = c->id;
	d->oci_version = c->spec->oci_version;
	d->created = timestamp(c->arena);
	d->backend = c->ops->name;
	d->owner = sys_caller();
	d->systemd = c->env->systemd_cgroup;
	d->annotations = c->spec->annotations;
	d->poststart = c->spec->hooks.poststart.n > 0;
	d->poststop = c->spec->hooks.poststop.n > 0;
	return d->created ? 0 : err_sys(e, ENOMEM, NULL, "creating");
}

int rt_prepare(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	auto_fd bundle = -1;
	int rc = rt_check_id(c->id, e);

	if (rc == 0)
		rc = canonical(c->arena, how->bundle ? how->bundle : ".", "bundle", &bundle,
			       &c->doc.bundle, e);
	if (rc == 0)
		rc = read_config(c, bundle, how->config ? how->config : "config.json", e);
	if (rc == 0)
		rc = find_rootfs(c, e);
	if (rc == 0)
		rc = be_choose(how->isolation, c->spec, &c->ops, e);
	if (rc < 0)
		return rc;
	c->rootless = rt_is_rootless(c->env);
	rc = rt_preserve_fds(c->arena, &c->spec->process, how->preserve_fds, &c->preserve_fds, e);
	if (rc == 0)
		rc = c->ops->accept(c, e);
	return rc < 0 ? rc : fill_doc(c, e);
}

/* Relative to where the caller is, never to the container's root, where we stand later. */
static int name_pid_file(struct rt_container *c, const char *path, struct err *e)
{
	char cwd[PATH_MAX];

	c->pid_file = path;
	if (!path || path[0] == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return err_sys(e, errno, path, "finding the pid file's directory");
	c->pid_file = arena_printf(c->arena, "%s/%s", cwd, path);
	return c->pid_file ? 0 : err_sys(e, ENOMEM, path, "naming the pid file");
}

static int check_launch(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	if (!c->spec->has_process)
		return err_set(e, ERR_SPEC, EINVAL, "/process",
			       "is required to create a container");
	rt_warn_caps(c, &c->spec->process);
	int rc = rt_check_console(c->spec->process.terminal,
				  !(c->one_shot || c->restore) || how->detach, how->console_socket,
				  e);
	if (rc == 0)
		rc = name_pid_file(c, how->pid_file, e);
	if (rc == 0)
		rc = rt_hook_files(c, e);
	if (rc == 0)
		rc = rt_pidfd_connect(how->pidfd_socket, c->spec, &c->pidfd_socket, e);
	return rc;
}

/* Written once and never replaced, so no rename is needed: state.json commits it. */
static int save_config(struct rt_container *c, struct err *e)
{
	auto_fd fd = openat(c->dir, "config.json",
			    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = fd < 0 ? -errno : file_write_all(fd, c->config, c->config_len);

	return rc < 0 ? err_sys(e, -rc, "config.json", "saving a copy") : 0;
}

int rt_commit(struct rt_container *c, struct err *e)
{
	int rc = rt_save_doc(c, e);

	if (rc == 0)
		rc = rt_pidfd_send(c->pidfd_socket, c->proc.pidfd, "standard", e);
	if (rc == 0)
		rc = rt_write_pid_file(c->pid_file, c->doc.pid, e);
	c->pid_written = rc == 0 && c->pid_file;
	return rc;
}

static int make_locked(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	int rc = save_config(c, e);

	if (rc == 0)
		rc = rt_sdnotify_prepare(c, c->restore && rt_criu_notified(c->restore), e);
	if (rc == 0 && c->restore && !c->ops->restore)
		rc = err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			     "isolation %s can't restore a container", c->ops->name);
	else if (rc == 0 && c->restore)
		rc = c->ops->restore(c, how, c->restore, e);
	else if (rc == 0)
		rc = c->ops->create(c, how, e);
	return rc < 0 || c->one_shot ? rc : rt_commit(c, e);
}

int rt_make(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	int rc = rt_prepare(c, how, e);

	if (rc == 0)
		rc = c->ops->probe(e);
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
	c->journal.said = &c->said;
	rc = make_locked(c, how, e);
	if (rc < 0)
		return rt_unwind(c, rc);
	fd_close(&c->netns); /* what is in it stays */
	return 0;
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
