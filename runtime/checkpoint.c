/* runtime/checkpoint.c: a running container, written down by CRIU.
 *
 * Invariants
 *  1. A dump that fails leaves the container as it was, paused if it was paused: CRIU lets go of
 *     what it stopped, and nothing of ours is changed before it succeeded.
 *  2. After a dump that ended the processes the container is deleted, as with runc: its images
 *     are what is left of it, and `restore` may take its id again.
 */
#include "common/fd.h"
#include "common/file.h"
#include "runtime/container.h"
#include "runtime/criu.h"
#include "runtime/shared.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SMALL_FILE 65536
#define FREEZE_TIMEOUT_MS 10000

static bool stays(const struct rt_criu *how)
{
	return how->leave_running || how->pre_dump;
}

/* The virtual consoles and serial lines, and both ends of pseudo-terminals. */
static bool is_terminal(unsigned number)
{
	return number == TTY_MAJOR || number == TTYAUX_MAJOR ||
	       (number >= UNIX98_PTY_MASTER_MAJOR &&
		number < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT);
}

/* CRIU's name of what a stream is when it comes from outside, by which a restore replaces it: a
 * pipe, a socket, or a file on a mount of the host's (a log, the host's /dev/null) by mount and
 * inode. Empty: it is the container's own. */
static void stream_key(const struct rt_container *c, int fd, const char *target, struct strbuf *key)
{
	auto_str text = NULL;
	char path[64];
	struct stat st;
	struct err ignored;
	unsigned id;

	if (strstr(target, ":[")) {
		strbuf_puts(key, target);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)c->doc.pid, fd);
	if (stat(path, &st) < 0)
		return;
	bool tty = S_ISCHR(st.st_mode) && is_terminal(major(st.st_rdev));
	if (!tty && !S_ISREG(st.st_mode) && major(st.st_rdev) != MEM_MAJOR)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)c->doc.pid, fd);
	if (file_read_at(AT_FDCWD, path, SMALL_FILE, &text, NULL, &ignored) < 0)
		return;
	const char *at = strstr(text, "mnt_id:");
	if (!at || sscanf(at, "mnt_id: %u", &id) != 1 || rt_criu_has_mount(c->doc.pid, id))
		return;
	if (tty)
		strbuf_printf(key, "tty[%llx:%llx]", (unsigned long long)st.st_rdev,
			      (unsigned long long)st.st_dev);
	else
		strbuf_printf(key, "file[%x:%llx]", id, (unsigned long long)st.st_ino);
}

static int write_list(const struct rt_criu_call *call, const char *name,
		      const struct strbuf items[3], struct err *e)
{
	auto_strbuf b = {0};
	struct json_out o;

	json_out_init(&o, &b, NULL);
	json_arr_open(&o, NULL);
	for (int i = 0; i < 3; i++)
		json_put_str(&o, NULL, items[i].s ? items[i].s : "");
	json_arr_close(&o);
	if (b.failed)
		return err_sys(e, ENOMEM, name, "writing");
	return file_replace_at(call->img.fd, name, b.s, b.len, 0600, e);
}

/* What the streams were, as runc keeps it, and what a restore has to know of them. */
static int streams(const struct rt_container *c, struct rt_criu_call *call, struct err *e)
{
	struct strbuf targets[3] = {{0}}, keys[3] = {{0}};
	char path[64], target[PATH_MAX];

	for (int fd = 0; fd < 3; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)c->doc.pid, fd);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		/* It may be closed. */
		target[n < 0 ? 0 : n] = '\0';
		strbuf_puts(&targets[fd], target);
		stream_key(c, fd, target, &keys[fd]);
		if (keys[fd].s && rt_criu_is_external(keys[fd].s))
			rt_wire_str(&call->opts, RT_CO_EXTERNAL, keys[fd].s);
	}
	int rc = write_list(call, RT_CRIU_TARGETS, targets, e);
	if (rc == 0)
		rc = write_list(call, RT_CRIU_STREAMS, keys, e);
	for (int fd = 0; fd < 3; fd++) {
		strbuf_free(&targets[fd]);
		strbuf_free(&keys[fd]);
	}
	return rc;
}

/* A namespace that was joined isn't the container's own: a restore gets it from its spec. */
static int external_ns(const struct rt_container *c, enum spec_ns type, const char *word,
		       const char *cookie, struct strbuf *opts, struct err *e)
{
	const struct spec_namespace *ns = spec_find_ns(c->spec, type);
	auto_strbuf text = {0};
	char path[64];
	struct stat st;

	if (!ns || !ns->path)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)c->doc.pid, word);
	if (stat(path, &st) < 0)
		return err_sys(e, errno, path, "looking at a namespace");
	strbuf_printf(&text, "%s[%llu]:%s", word, (unsigned long long)st.st_ino, cookie);
	rt_wire_str(opts, RT_CO_EXTERNAL, text.s);
	return 0;
}

/* So that no new process escapes CRIU while it collects them. */
static void freezer(struct rt_container *c, struct strbuf *opts)
{
	struct cg_hierarchy *h = cg_find(c->layout, "freezer");
	const char *dir;

	for (size_t i = 0; i < c->layout->n; i++)
		if (h ? &c->layout->items[i] == h : c->layout->mode == CG_V2)
			if (cg_group_in(c->group, i, &dir))
				rt_wire_str(opts, RT_CO_FREEZE_CGROUP, dir);
}

/* For --status-fd: the word that lazy pages can be had is CRIU's notification, the zero byte ours.
 * CRIU's own status_fd is obsolete, and at times closes a descriptor that the pages go through. */
static int reached(void *arg, const char *what, pid_t pid, int fd, struct err *e)
{
	const int *status_fd = arg;

	(void)pid;
	(void)fd;
	if (*status_fd < 0 || !str_eq(what, "status-ready"))
		return 0;
	int rc = file_write_all(*status_fd, "", 1);
	return rc < 0 ? err_sys(e, -rc, NULL, "--status-fd: writing to descriptor %d", *status_fd)
		      : 0;
}

static int request(struct rt_container *c, const struct rt_criu *how, struct rt_criu_call *call,
		   struct err *e)
{
	struct strbuf *b = &call->opts;
	int rc = rt_criu_begin(call, c, how, true, e);

	if (rc < 0)
		return rc;
	rt_wire_num(b, RT_CO_PID, (uint64_t)c->doc.pid);
	rt_wire_str(b, RT_CO_ROOT, c->doc.rootfs);
	rt_wire_str(b, RT_CO_PARENT_IMG, how->parent_path);
	if (how->pre_dump || how->parent_path)
		rt_wire_num(b, RT_CO_TRACK_MEM, 1);
	if (c->group)
		freezer(c, b);
	rc = external_ns(c, SPEC_NS_NETWORK, "net", RT_CRIU_EXT_NET, b, e);
	if (rc == 0)
		rc = external_ns(c, SPEC_NS_PID, "pid", RT_CRIU_EXT_PID, b, e);
	return rc < 0 ? rc : rt_criu_externals(c, c->doc.pid, b, e);
}

/* (1). CRIU freezes by itself, and waits for ever for processes that v1's freezer keeps from dying:
 * a paused container is thawed for it. */
static int run(struct rt_container *c, struct rt_criu_call *call, bool stay, struct err *e)
{
	struct err ignored;
	bool thawed = c->doc.paused && c->group;
	int rc = thawed ? cg_freeze(c->group, false, FREEZE_TIMEOUT_MS, e) : 0;

	if (rc == 0)
		rc = rt_criu_run(call, NULL, e);
	if (thawed && (rc < 0 || stay))
		(void)cg_freeze(c->group, true, FREEZE_TIMEOUT_MS, &ignored);
	return rc;
}

/* For restore, whose spec doesn't have the mount. */
static int mark(const struct rt_criu_call *call, bool notified, struct err *e)
{
	if (notified)
		return file_replace_at(call->img.fd, RT_CRIU_NOTIFIED, "", 0, 0600, e);
	(void)unlinkat(call->img.fd, RT_CRIU_NOTIFIED, 0);
	return 0;
}

int be_shared_checkpoint(struct rt_container *c, const struct rt_criu *how, struct err *e)
{
	int status_fd = how->status_fd;
	struct rt_criu_call call = {.type = how->pre_dump ? RT_CRIU_PRE_DUMP : RT_CRIU_DUMP,
				    .img.fd = -1,
				    .work.fd = -1,
				    .log = "dump.log",
				    .reached = reached,
				    .arg = &status_fd};
	bool notified = false;
	int rc = rt_load_spec(c, e);

	if (rc == 0)
		rc = rt_sdnotify_mounted(c, &notified, e);
	if (rc == 0)
		rc = rt_criu_accept(c, e);
	if (rc == 0)
		rc = rt_criu_check(e);
	if (rc == 0 && c->doc.cgroup)
		rc = rt_load_group(c, e);
	if (rc == 0)
		rc = request(c, how, &call, e);
	if (rc == 0)
		rc = streams(c, &call, e);
	if (rc == 0)
		rc = mark(&call, notified, e);
	if (rc == 0)
		rc = run(c, &call, stays(how), e);
	rt_criu_end(&call);
	return rc;
}

int rt_checkpoint(const struct rt_env *env, const char *id, const struct rt_criu *how,
		  struct err *e)
{
	auto_container c;
	enum rt_status status;
	int rc = rt_open(&c, env, id, RT_OPEN_LOCK, e);

	if (rc == 0)
		rc = rt_status(&c, &status, e);
	if (rc == 0)
		rc = rt_allow(id, status, RT_EV_CHECKPOINT, e);
	if (rc == 0)
		rc = rt_criu_check_words(how, e);
	if (rc == 0 && !c.ops->checkpoint)
		rc = err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			     "isolation %s can't checkpoint a container", c.ops->name);
	if (rc == 0)
		rc = c.ops->checkpoint(&c, how, e);
	return rc < 0 || stays(how) ? rc : rt_destroy(&c, e);
}
