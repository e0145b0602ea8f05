/* runtime/checkpoint.c: a running container, written down by CRIU.
 *
 * Invariants
 *  1. A dump that fails leaves the container as it was, paused if it was paused: CRIU lets go of
 *     what it stopped, and nothing of ours is changed before it succeeded.
 *  2. After a dump that ended the processes the container is deleted, as with runc: its images
 *     are what is left of it, and `restore` may take its id again.
 */
#include "common/file.h"
#include "runtime/container.h"
#include "runtime/criu.h"
#include "runtime/shared.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FREEZE_TIMEOUT_MS 10000

static bool stays(const struct rt_criu *how)
{
	return how->leave_running || how->pre_dump;
}

static int write_list(const struct rt_criu_call *call, const char *name, const char *const items[3],
		      struct err *e)
{
	auto_strbuf b = {0};
	struct json_out o;

	json_out_init(&o, &b, NULL);
	json_arr_open(&o, NULL);
	for (int i = 0; i < 3; i++)
		json_put_str(&o, NULL, items[i] ? items[i] : "");
	json_arr_close(&o);
	if (b.failed)
		return err_sys(e, ENOMEM, name, "writing");
	return file_replace_at(call->img.fd, name, b.s, b.len, 0600, e);
}

/* Empty: it is closed. */
static const char *link_of(pid_t pid, int fd, char buf[PATH_MAX])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	ssize_t n = readlink(path, buf, PATH_MAX - 1);
	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

/* What the streams were, as runc keeps it, and what a restore has to know of them. */
static int streams(const struct rt_container *c, struct rt_criu_call *call, struct err *e)
{
	const char *keys[3], *targets[3];
	char links[3][PATH_MAX];

	for (int fd = 0; fd < 3; fd++) {
		const char *key = keys[fd] = targets[fd] = rt_stream_outside(c, fd);
		bool external = key && rt_criu_is_external(key);
		if (external)
			rt_wire_str(&call->opts, RT_CO_EXTERNAL, key);
		if (external || !key)
			targets[fd] = link_of(c->doc.pid, fd, links[fd]);
	}
	int rc = write_list(call, RT_CRIU_TARGETS, targets, e);
	return rc < 0 ? rc : write_list(call, RT_CRIU_STREAMS, keys, e);
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

/* The hierarchies that are dumped, by their controllers' names as proc(5) has them: those in which
 * the container has a group. Elsewhere its processes are in the root group, and CRIU would take all
 * that is below for theirs: a restore would bring back the groups of others. */
static void own_hierarchies(struct rt_container *c, struct strbuf *opts)
{
	char name[64];
	const char *dir;

	for (size_t i = 0; i < c->layout->n; i++) {
		const char *w = c->layout->items[i].controllers;
		if (!cg_group_in(c->group, i, &dir))
			continue;
		if (c->layout->items[i].v2)
			rt_wire_str(opts, RT_CO_CG_DUMP_CONTROLLER, "");
		while (!c->layout->items[i].v2 && *(w += strspn(w, ","))) {
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(w, ","), w);
			rt_wire_str(opts, RT_CO_CG_DUMP_CONTROLLER, name);
			w += strcspn(w, ",");
		}
	}
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
	if (c->group) {
		freezer(c, b);
		own_hierarchies(c, b);
	}
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
	int rc = rt_open_for(&c, env, id, RT_OPEN_LOCK, RT_EV_CHECKPOINT, &status, e);

	if (rc == 0)
		rc = rt_criu_check_words(how, e);
	if (rc == 0 && !c.ops->checkpoint)
		rc = err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			     "isolation %s can't checkpoint a container", c.ops->name);
	if (rc == 0)
		rc = c.ops->checkpoint(&c, how, e);
	return rc < 0 || stays(how) ? rc : rt_destroy(&c, e);
}
