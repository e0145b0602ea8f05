/* runtime/container.c: opening and closing a container; see container.h. */
#include "runtime/container.h"

#include "common/file.h"
#include "spec/json.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define STATE_MAX (4u << 20)

void rt_init(struct rt_container *c, const struct rt_env *env, const char *id)
{
	*c = (struct rt_container){.env = env,
				   .id = id,
				   .root = -1,
				   .dir = -1,
				   .netns = -1,
				   .pidfd_socket = -1,
				   .hook_out = {-1, -1}};
	c->arena = &c->own;
	c->proc = (struct rt_proc){.pidfd = -1, .sync = -1, .master = -1};
	st_journal_init(&c->journal, -1);
}

void rt_close(struct rt_container *c)
{
	strbuf_free(&c->said);
	/* A process that ends now leaves the rest to the kernel, in one go. */
	if (c->env && c->env->ends)
		return;
	st_journal_close(&c->journal);
	if (c->group)
		fd_cleanup(&c->group->v2_fd);
	if (c->layout)
		cg_layout_close(c->layout);
	fd_cleanup(&c->proc.pidfd);
	fd_cleanup(&c->proc.sync);
	fd_cleanup(&c->proc.master);
	fd_cleanup(&c->netns);
	fd_cleanup(&c->pidfd_socket);
	fd_cleanup(&c->hook_out[0]);
	fd_cleanup(&c->hook_out[1]);
	fd_cleanup(&c->dir);
	fd_cleanup(&c->root);
	arena_free(&c->own);
	c->layout = NULL;
	c->group = NULL;
}

/* Reads a file of the state directory into the arena. */
static int read_own(struct rt_container *c, const char *name, size_t max, const char **ret_text,
		    size_t *ret_len, struct err *e)
{
	auto_str raw = NULL;
	size_t len = 0;
	int rc = file_read_at(c->dir, name, max, &raw, &len, e);

	if (rc < 0)
		return rc;
	char *text = arena_alloc(c->arena, len + 1);
	if (!text)
		return err_sys(e, ENOMEM, name, "reading");
	if (len)
		memcpy(text, raw, len);
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int read_doc(struct rt_container *c, struct err *e)
{
	const char *text;
	size_t len;
	int rc = read_own(c, "state.json", STATE_MAX, &text, &len, e);

	if (rc == 0)
		rc = st_doc_parse(c->arena, text, len, &c->doc, e);
	c->has_doc = rc == 0;
	return rc;
}

/* The holder's lock may be an orphan: a child that outlived its runtime keeps the descriptor. So
 * force ends the process that the journal names, which ends a living holder's wait for it too. */
static int break_lock(struct rt_container *c, struct err *e)
{
	int rc = st_lock(c->id, c->dir, false, e);

	if (rc != -EWOULDBLOCK)
		return rc;
	rc = rt_undo(c, e);
	return rc < 0 ? rc : st_lock(c->id, c->dir, true, e);
}

static int lock(struct rt_container *c, unsigned flags, struct err *e)
{
	if (!(flags & RT_OPEN_LOCK))
		return 0;
	int rc = flags & RT_OPEN_FORCE ? break_lock(c, e) : st_lock(c->id, c->dir, true, e);
	c->locked = rc == 0;
	return rc;
}

int rt_relock(struct rt_container *c, struct err *e)
{
	int rc = c->locked ? 0 : st_lock(c->id, c->dir, true, e);

	c->locked = rc == 0;
	return rc;
}

void rt_unlock(struct rt_container *c)
{
	if (c->locked)
		st_unlock(c->dir);
	c->locked = false;
}

int rt_open(struct rt_container *c, const struct rt_env *env, const char *id, unsigned flags,
	    struct err *e)
{
	rt_init(c, env, id);
	int rc = rt_check_id(id, e);
	if (rc == 0)
		rc = st_root(env->root, false, &c->root, e);
	if (rc == -ENOENT)
		return st_not_found(id, e);
	if (rc == 0)
		rc = st_open(c->root, id, &c->dir, e);
	if (rc == 0)
		rc = lock(c, flags, e);
	if (rc < 0)
		return rc;
	st_journal_init(&c->journal, c->dir);
	rc = read_doc(c, e);
	if (rc < 0 && flags & RT_OPEN_PARTIAL && (rc == -ENOENT || flags & RT_OPEN_FORCE)) {
		c->doc = (struct st_doc){.id = id};
		return be_find(NULL, &c->ops, e);
	}
	if (rc == -ENOENT)
		return err_set(e, ERR_STATE, EAGAIN, NULL, "container \"%s\" is not complete", id);
	return rc < 0 ? rc : be_find(c->doc.backend, &c->ops, e);
}

int rt_load_spec(struct rt_container *c, struct err *e)
{
	if (c->spec)
		return 0;
	int rc = read_own(c, "config.json", JSON_MAX_BYTES, &c->config, &c->config_len, e);
	if (rc < 0)
		return rc;
	return spec_parse(c->arena, c->config, c->config_len, "config.json", &c->spec, e);
}

int rt_plan_prepare(struct rt_container *c, const struct plan *p, struct plan_env *env,
		    struct err *e)
{
	int rc = plan_run(p, PLAN_PREPARE, env, e);

	if (rc >= 0 && c->group && !cg_group_none(c->group)) {
		c->doc.cgroup = c->group->path;
		c->doc.unit = c->group->unit;
	}
	return rc;
}

int rt_accept_groups(struct rt_container *c, struct err *e)
{
	int rc = cg_discover(c->arena, &c->layout, e);

	if (rc < 0)
		return rc;
	return c->env->no_cgroup ? cg_accept_none(c->layout, c->spec, e)
				 : cg_accept(c->layout, c->spec, c->rootless, e);
}

int rt_load_group(struct rt_container *c, struct err *e)
{
	int rc = 0;

	if (c->group)
		return 0;
	if (!c->doc.cgroup)
		return err_set(
			e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
			"container \"%s\" has no control group (made without, or none was this "
			"user's to make), and can't be paused, limited or counted without",
			c->id);
	if (!c->layout)
		rc = cg_discover(c->arena, &c->layout, e);
	if (rc == 0)
		rc = cg_group_open(c->arena, c->layout, c->doc.cgroup, c->doc.unit, &c->group, e);
	return rc;
}

int rt_save_doc(struct rt_container *c, struct err *e)
{
	auto_strbuf b = {0};

	st_doc_write(&c->doc, &b);
	if (b.failed)
		return err_sys(e, ENOMEM, "state.json", "writing");
	int rc = file_replace_at(c->dir, "state.json", b.s, b.len, 0600, e);
	c->has_doc = c->has_doc || rc == 0;
	return rc;
}
