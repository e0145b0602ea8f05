/* runtime/microvm_look.c: what a micro-VM's container does, as its guest tells: processes, use,
 * memory that ran out, users.
 *
 * Invariants
 *  1. Every number and name is a guest's word: checked for what it is, and never more than that.
 *  2. Statistics of the container's own use (processors, memory, processes, network) are the
 *     guest's; of what the host holds for it (disks, huge pages, the host's processors), the host's
 *     group's.
 */
#include "runtime/microvm.h"

#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES_MAX 65536u

static int untrue(struct rt_container *c, const char *what, struct err *e)
{
	return err_set(e, ERR_INTERNAL, EPROTO, c->id, "the guest's answer has no %s", what);
}

/* --- processes --- */

static int ask_ps(struct rt_container *c, const struct json **ret_ok, struct err *e)
{
	auto_vm_request r;
	enum rt_status status;
	int rc = rt_status(c, &status, e);

	be_vm_request(&r, c, "ps");
	*ret_ok = NULL;
	if (rc < 0 || status == RT_STOPPED)
		return rc;
	rc = be_vm_ask(c, &r, ret_ok, e);
	/* It ended between two looks. */
	if (rc == -ESRCH) {
		err_clear(e);
		return 0;
	}
	return rc;
}

static const struct json *list_of(const struct json *ok, const char *key)
{
	const struct json *l = json_get(ok, key);

	return l && l->type == JSON_ARRAY && l->u.list.n <= PROCESSES_MAX ? l : NULL;
}

int be_vm_pids(struct rt_container *c, pid_t **ret_pids, size_t *ret_n, struct err *e)
{
	const struct json *ok, *list;
	uint64_t v;
	size_t n = 0;
	int rc = ask_ps(c, &ok, e);

	if (rc < 0)
		return rc;
	list = ok ? list_of(ok, "pids") : NULL;
	if (ok && !list)
		return untrue(c, "pids", e);
	pid_t *pids = calloc(list ? list->u.list.n + 1 : 1, sizeof(*pids));
	if (!pids)
		return err_sys(e, ENOMEM, c->id, "listing processes");
	for (const struct json *m = list ? list->u.list.first : NULL; m; m = m->next)
		if (m->type == JSON_NUMBER && str_to_u64(m->u.number, &v) && v && v <= INT32_MAX)
			pids[n++] = (pid_t)v;
	*ret_pids = pids;
	*ret_n = n;
	return 0;
}

static bool get_pid(const struct json *j, const char *key, bool needed, pid_t *ret)
{
	uint64_t v = 0;

	if (!json_get_u64(j, key, &v))
		return !needed;
	*ret = (pid_t)v;
	return v <= INT32_MAX && (v || !needed);
}

/* A copy that is one line for a terminal, whatever the program called itself. */
static const char *get_line(struct arena *a, const struct json *j, const char *key,
			    const char *otherwise)
{
	const char *s = otherwise;

	(void)json_get_string(j, key, &s);
	char *copy = s ? arena_strdup(a, s) : NULL;
	if (copy)
		vm_tame(copy);
	return copy;
}

static bool read_process(struct arena *a, const struct json *j, struct rt_process *ret)
{
	struct rt_process p = {.state = '?'};
	uint64_t uid = 0;
	const char *state = "";

	if (!get_pid(j, "pid", true, &p.pid) || !get_pid(j, "ppid", false, &p.ppid) ||
	    !get_pid(j, "pgid", false, &p.pgid) || !get_pid(j, "sid", false, &p.sid) ||
	    !json_get_u64(j, "uid", &uid) || uid > UINT32_MAX)
		return false;
	p.uid = (uint32_t)uid;
	(void)json_get_i64(j, "started", &p.started);
	(void)json_get_u64(j, "cpu_ms", &p.cpu_ms);
	(void)json_get_u64(j, "vsz", &p.vsz);
	(void)json_get_u64(j, "rss", &p.rss);
	(void)json_get_i64(j, "nice", &p.nice);
	(void)json_get_u64(j, "threads", &p.threads);
	if (json_get_string(j, "state", &state) && strlen(state) == 1 && state[0] >= 'A')
		p.state = state[0];
	p.tty = get_line(a, j, "tty", NULL);
	p.name = get_line(a, j, "name", "?");
	p.command = get_line(a, j, "command", "?");
	*ret = p;
	return p.name && p.command;
}

int be_vm_processes(struct rt_container *c, struct arena *a, struct rt_process **ret, size_t *ret_n,
		    struct err *e)
{
	const struct json *ok, *list;
	size_t n = 0;
	int rc = ask_ps(c, &ok, e);

	if (rc < 0)
		return rc;
	list = ok ? list_of(ok, "processes") : NULL;
	if (ok && !list)
		return untrue(c, "processes", e);
	struct rt_process *items = arena_array(a, list ? list->u.list.n + 1 : 1, sizeof(*items));
	if (!items)
		return err_sys(e, ENOMEM, c->id, "listing processes");
	for (const struct json *m = list ? list->u.list.first : NULL; m; m = m->next)
		n += read_process(a, m, &items[n]);
	*ret = items;
	*ret_n = n;
	return 0;
}

/* --- use --- */

/* (2) */
static int add_hosts(struct rt_container *c, struct arena *a, struct cg_stats *s, struct err *e)
{
	struct cg_stats host = {0};
	int rc = c->doc.cgroup ? rt_load_group(c, e) : 0;

	if (rc >= 0 && c->group)
		rc = cg_stats(c->group, a, &host, e);
	if (rc < 0)
		return rc;
	s->io = host.io;
	s->cpuset = host.cpuset;
	s->hugetlb = host.hugetlb;
	s->n_hugetlb = host.n_hugetlb;
	return 0;
}

int be_vm_stats(struct rt_container *c, struct arena *a, struct be_stats *ret_stats, struct err *e)
{
	auto_vm_request r;
	const struct json *ok;
	struct be_stats s = {0};

	be_vm_request(&r, c, "stats");
	r.arena = a;
	int rc = be_vm_ask(c, &r, &ok, e);
	if (rc < 0)
		return rc;
	const struct json *data = json_find(ok, "/stats/data", false);
	if (!data || data->type != JSON_OBJECT)
		return untrue(c, "statistics", e);
	rc = rt_stats_parse(a, data, &s, e);
	if (rc >= 0)
		rc = add_hosts(c, a, &s.used, e);
	if (rc >= 0)
		*ret_stats = s;
	return rc;
}

/* --- out of memory --- */

static void oom_close(struct be_oom *o)
{
	fd_cleanup(&o->fd);
	if (o->frame)
		vm_frame_free(o->frame);
}

/* One frame that is whole: is it the word? */
static bool is_oom(const struct vm_frame *f)
{
	auto_arena a = {0};
	struct err ignored;
	struct json *j;
	const char *type;

	return vm_frame_parse(f, &a, &j, &ignored) >= 0 && json_get_string(j, "type", &type) &&
	       str_eq(type, "oom");
}

static bool oom_read(struct be_oom *o)
{
	struct err ignored;
	int rc;

	while ((rc = vm_frame_more(o->fd, o->frame, &ignored)) > 0) {
		bool is = is_oom(o->frame);
		vm_frame_free(o->frame);
		if (is)
			return true;
	}
	if (rc < 0) /* the container's end, or a guest that breaks the rules */
		oom_close(o);
	return false;
}

int be_vm_oom(struct rt_container *c, struct be_oom *ret_oom, struct err *e)
{
	auto_vm_request r;
	struct be_oom o = BE_OOM_INIT;

	be_vm_request(&r, c, "events");
	o.frame = arena_alloc(c->arena, sizeof(*o.frame));
	if (!o.frame)
		return err_sys(e, ENOMEM, c->id, "listening for out-of-memory events");
	r.keep = true;
	json_put_u64(&r.o, "interval_ns", 0);
	int rc = be_vm_ask(c, &r, NULL, e);
	auto_fd fd = r.fd;
	if (rc < 0)
		return rc;
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return err_sys(e, errno, c->id, "listening for out-of-memory events");
	o.fd = take_fd(&fd);
	o.read = oom_read;
	o.close = oom_close;
	*ret_oom = o;
	return 0;
}

/* --- users --- */

int be_vm_user(struct rt_container *c, const char *word, struct spec_user *u, struct err *e)
{
	auto_vm_request r;
	const struct json *ok;
	uint64_t uid, gid;

	be_vm_request(&r, c, "user");
	if (!word[strspn(word, "0123456789:")])
		return rt_parse_user(word, NULL, NULL, u, e);
	json_put_str(&r.o, "user", word);
	int rc = be_vm_ask(c, &r, &ok, e);
	if (rc < 0)
		return rc;
	/* The largest number says "unchanged" to the kernel, and is nobody. */
	if (!json_get_u64(ok, "uid", &uid) || !json_get_u64(ok, "gid", &gid) || uid >= UINT32_MAX ||
	    gid >= UINT32_MAX)
		return untrue(c, "user", e);
	u->uid = (uint32_t)uid;
	u->gid = (uint32_t)gid;
	return 0;
}
