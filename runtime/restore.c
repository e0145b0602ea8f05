/* runtime/restore.c: a container from CRIU's images, in the place of create and start.
 *
 * Invariants
 *  1. Directory, journal, control group and state.json are made as by create, in that order, and
 *     undone by the same journal when CRIU fails.
 *  2. The restored process is noted in the journal as soon as CRIU names it, before it runs.
 *  3. Limits are those of config.json: the group stands before CRIU looks for it, and CRIU's mode
 *     "soft" doesn't touch what stands.
 *
 * Hooks: prestart and createRuntime run when the namespaces stand, poststart when it runs again.
 * createContainer and startContainer prepare a root file system and a program that were prepared
 * before the checkpoint, and don't run.
 */
#include "common/fd.h"
#include "common/file.h"
#include "common/proc.h"
#include "runtime/container.h"
#include "runtime/criu.h"
#include "runtime/shared.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define STREAMS_MAX 65536

struct restore {
	struct rt_container *c;
	const struct rt_criu *how;
	struct rt_criu_call call;
	struct cg_run cg;
	struct plan plan;
	struct plan_env env;
	int console_fd;
	int ns_fds[SPEC_NS_MAX];
	size_t n_ns_fds;
};

static int note(void *arg, const char *record, struct err *e)
{
	struct rt_container *c = arg;

	return st_journal_append(&c->journal, record, e);
}

/* --- what CRIU tells on its way --- */

/* (2) */
static int born(struct rt_container *c, pid_t pid, struct err *e)
{
	char record[64];

	if (pid <= 0 || c->proc.pid == pid)
		return 0;
	auto_fd fd = pidfd_open(pid, 0);
	if (fd < 0)
		return err_sys(e, errno, NULL, "the restored process %d", (int)pid);
	int rc = proc_start_time(-1, pid, &c->doc.ticks, e);
	if (rc < 0)
		return rc;
	c->doc.pid = c->proc.pid = pid;
	c->proc.pidfd = take_fd(&fd);
	c->proc.child = true;
	snprintf(record, sizeof(record), "pid %d %llu", (int)pid, (unsigned long long)c->doc.ticks);
	rc = note(c, record, e);
	/* What it forks from here on is there too. */
	return rc < 0 ? rc : be_shared_join_resctrl(c, pid, e);
}

static int hooks(struct rt_container *c, struct err *e)
{
	const struct spec_hooks *h = &c->spec->hooks;
	const struct rt_hook_place host = rt_hook_host(c);
	auto_strbuf state = {0};

	if (h->prestart.n == 0 && h->create_runtime.n == 0)
		return 0;
	rt_hook_state(c, RT_CREATING, c->doc.pid, &state);
	int rc = rt_hooks(&h->prestart, "prestart", &state, &host, e);
	return rc < 0 ? rc : rt_hooks(&h->create_runtime, "createRuntime", &state, &host, e);
}

static int console(struct restore *r, int fd, struct err *e)
{
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, EPROTO, NULL, "criu sent no terminal");
	if (r->console_fd >= 0)
		return err_wrap(e, fd_send(r->console_fd, fd, "/dev/ptmx", 9, e),
				"sending the pty to the console socket");
	if (r->c->proc.master >= 0)
		return err_set(e, ERR_UNSUPPORTED, EEXIST, NULL,
			       "the images hold a second terminal from outside");
	r->c->proc.master = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return r->c->proc.master < 0 ? err_sys(e, errno, NULL, "keeping the terminal") : 0;
}

static int reached(void *arg, const char *what, pid_t pid, int fd, struct err *e)
{
	struct restore *r = arg;

	if (str_eq(what, "orphan-pts-master"))
		return console(r, fd, e);
	if (!str_eq(what, "setup-namespaces"))
		return 0;
	int rc = born(r->c, pid, e);
	return rc < 0 ? rc : hooks(r->c, e);
}

/* --- what CRIU is asked for --- */

/* A message of two fields, a text and a text or a number, as one option. */
static int option(struct restore *r, enum rt_criu_opt field, const char *one, size_t n,
		  const char *two, int number, struct err *e)
{
	auto_strbuf b = {0};

	rt_wire_bytes(&b, 1, one, n);
	if (two)
		rt_wire_str(&b, 2, two);
	else
		rt_wire_num(&b, 2, (uint64_t)number);
	if (b.failed)
		return err_sys(e, ENOMEM, NULL, "asking criu");
	rt_wire_bytes(&r->call.opts, field, b.s, b.len);
	return 0;
}

static int inherit(struct restore *r, const char *key, int fd, struct err *e)
{
	int rc = option(r, RT_CO_INHERIT_FD, key, strlen(key), NULL, fd, e);

	return rc < 0 || fd < 3 ? rc : rt_criu_pass(&r->call, fd, e);
}

static int read_streams(struct restore *r, const char *name, struct json **ret, struct err *e)
{
	auto_str text = NULL;
	size_t len = 0;
	int rc = file_read_at(r->call.img.fd, name, STREAMS_MAX, &text, &len, e);

	if (rc < 0)
		return rc;
	char *copy = arena_strndup(r->c->arena, text ? text : "", len);
	if (!copy)
		return err_sys(e, ENOMEM, name, "reading");
	rc = json_parse(r->c->arena, copy, len, name, ret, e);
	if (rc == 0 && (*ret)->type != JSON_ARRAY)
		rc = err_set(e, ERR_SPEC, EINVAL, name, "must be an array");
	return rc;
}

/* What the first process had from outside becomes our own streams. Images of runc's have only the
 * links' texts, of which pipes and sockets are such keys. Two streams of one pipe take one key:
 * CRIU gives both the same. */
static int inherit_streams(struct restore *r, struct err *e)
{
	const char *seen[3] = {"", "", ""};
	struct json *j;
	int n = 0, rc = read_streams(r, RT_CRIU_STREAMS, &j, e);

	if (rc == -ENOENT)
		rc = read_streams(r, RT_CRIU_TARGETS, &j, e);
	for (const struct json *s = rc == 0 ? j->u.list.first : NULL; rc == 0 && s && n < 3;
	     s = s->next, n++) {
		bool again = false;
		seen[n] = s->type == JSON_STRING ? s->u.string : "";
		for (int i = 0; i < n; i++)
			again = again || str_eq(seen[i], seen[n]);
		if (strstr(seen[n], ":[") || rt_criu_is_external(seen[n]))
			rc = again ? 0 : inherit(r, seen[n], n, e);
	}
	return rc;
}

static int one_namespace(struct restore *r, const struct spec_namespace *ns, struct err *e)
{
	const char *word = spec_ns_word(ns->type);
	const char *key = ns->type == SPEC_NS_NETWORK ? RT_CRIU_EXT_NET
			  : ns->type == SPEC_NS_PID   ? RT_CRIU_EXT_PID
						      : NULL;

	if (!ns->path)
		return 0;
	if (!key)
		return option(r, RT_CO_JOIN_NS, word, strlen(word), ns->path, 0, e);
	auto_fd fd = open(ns->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, ns->path, "opening the %s namespace", word);
	r->ns_fds[r->n_ns_fds] = take_fd(&fd);
	return inherit(r, key, r->ns_fds[r->n_ns_fds++], e);
}

/* Each controller's root becomes our group, whatever the dumped one was called. */
static int cgroup_roots(struct restore *r, struct err *e)
{
	const struct cg_layout *l = r->c->layout;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->n; i++) {
		const char *dir, *path = cg_group_in(r->c->group, i, &dir);
		const char *w = l->items[i].controllers;
		if (!path)
			continue;
		if (l->items[i].v2) {
			rc = option(r, RT_CO_CG_ROOT, "", 0, path, 0, e);
			continue;
		}
		while (rc == 0 && *(w += strspn(w, ","))) {
			rc = option(r, RT_CO_CG_ROOT, w, strcspn(w, ","), path, 0, e);
			w += strcspn(w, ",");
		}
	}
	return rc;
}

static bool leaves_cgroups(const struct rt_criu *how)
{
	return str_eq(how->manage_cgroups, "ignore") || str_eq(how->manage_cgroups, "none");
}

static int request(struct restore *r, struct err *e)
{
	struct rt_container *c = r->c;
	struct strbuf *b = &r->call.opts;
	int rc = rt_criu_begin(&r->call, c, r->how, false, e);

	if (rc < 0)
		return rc;
	rt_wire_str(b, RT_CO_ROOT, c->doc.rootfs);
	rt_wire_num(b, RT_CO_RST_SIBLING, 1);
	rt_wire_num(b, RT_CO_EVASIVE_DEVICES, 1);
	rt_wire_str(b, RT_CO_LSM_PROFILE, r->how->lsm_profile);
	rt_wire_str(b, RT_CO_LSM_MOUNT_CONTEXT, r->how->lsm_mount_context);
	rc = inherit_streams(r, e);
	for (size_t i = 0; rc == 0 && i < c->spec->linux_.namespaces.n; i++)
		rc = one_namespace(r, &c->spec->linux_.namespaces.items[i], e);
	if (leaves_cgroups(r->how))
		r->call.enter = c->group;
	else if (rc == 0 && c->group)
		rc = cgroup_roots(r, e);
	return rc < 0 ? rc : rt_criu_externals(c, 0, b, e);
}

/* --- the whole --- */

static int prepare(struct restore *r, const struct rt_create *create, struct err *e)
{
	struct rt_container *c = r->c;
	int rc = be_shared_plan(c, &r->plan, e);

	rt_note_streams(c);
	if (rc >= 0 && c->group && c->group->unit)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			       "restore into a systemd scope isn't supported yet");
	r->cg = (struct cg_run){.group = c->group, .note = note, .note_arg = c};
	r->env = (struct plan_env){.room = {[PLAN_CG] = &r->cg}, .journal = note, .journal_arg = c};
	if (rc >= 0)
		rc = be_shared_console(create->console_socket, &r->console_fd, e);
	if (rc >= 0)
		rc = rt_criu_mountpoints(c, e);
	if (rc >= 0 && c->born)
		rc = c->born(c, e);
	if (rc >= 0)
		rc = rt_plan_prepare(c, &r->plan, &r->env, e);
	return rc < 0 ? rc : request(r, e);
}

int be_shared_restore(struct rt_container *c, const struct rt_create *create,
		      const struct rt_criu *how, struct err *e)
{
	struct restore r = {.c = c,
			    .how = how,
			    .call = {.type = RT_CRIU_RESTORE,
				     .img.fd = -1,
				     .work.fd = -1,
				     .log = "restore.log",
				     .root = c->doc.rootfs,
				     .reached = reached},
			    .plan = {.arena = c->arena},
			    .console_fd = -1};
	pid_t pid = 0;

	r.call.arg = &r;
	int rc = rt_criu_accept(c, e);
	if (rc >= 0)
		rc = rt_criu_check(e);
	if (rc >= 0)
		rc = prepare(&r, create, e);
	if (rc >= 0)
		rc = rt_criu_run(&r.call, &pid, e);
	if (rc >= 0)
		rc = born(c, pid, e);
	rt_criu_end(&r.call);
	fd_cleanup(&r.console_fd);
	for (size_t i = 0; i < r.n_ns_fds; i++)
		fd_cleanup(&r.ns_fds[i]);
	return rc;
}

static int poststart(struct rt_container *c, struct err *e)
{
	const struct rt_hook_place host = rt_hook_host(c);
	auto_strbuf state = {0};
	struct err ignored;

	rt_unlock(c);
	if (!c->doc.poststart)
		return 0;
	rt_hook_state(c, RT_RUNNING, c->doc.pid, &state);
	int rc = rt_hooks(&c->spec->hooks.poststart, "poststart", &state, &host, e);
	if (rc < 0 && rt_relock(c, &ignored) == 0)
		rt_unwind(c, rc);
	return rc;
}

/* What a foreground restore holds. */
struct restored {
	struct rt_container c; /* first: `listen_to_it` finds the rest by it */
	int notify;            /* from rt_sdnotify_bind */
	int signals;
};

/* Before CRIU lets the program go on. */
static int listen_to_it(struct rt_container *c, struct err *e)
{
	return rt_sdnotify_bind(c, &((struct restored *)c)->notify, e);
}

static int restore(struct restored *r, const struct rt_create *create, struct err *e)
{
	struct rt_container *c = &r->c;
	int rc = rt_criu_check_words(c->restore, e);

	if (rc == 0)
		rc = rt_make(c, create, e);
	if (rc == 0)
		rc = poststart(c, e);
	if (rc == 0)
		rt_sdnotify_ready(c->doc.pid);
	if (rc < 0 || create->detach)
		return rc;
	rc = create->no_subreaper ? 0 : rt_adopt_orphans(c->spec, e);
	if (rc == 0)
		rc = rt_signals_hold(&r->signals, e);
	return rc < 0 ? rc : rt_wait_and_delete(c, create->keep, r->signals, r->notify, e);
}

int rt_restore(const struct rt_env *env, const struct rt_create *create, const struct rt_criu *how,
	       struct err *e)
{
	struct restored r = {.notify = -1, .signals = -1};

	rt_init(&r.c, env, create->id);
	r.c.restore = how;
	r.c.born = listen_to_it;
	int rc = restore(&r, create, e);
	rt_close(&r.c);
	fd_cleanup(&r.notify);
	fd_cleanup(&r.signals);
	return rc;
}
