/* runtime/exec.c: one more process: its description from a file or from flags over the
 * container's own, and the wait for it. No lock: nothing of the container's state changes. */
#include "common/file.h"
#include "runtime/container.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, NULL, "describing the process");
}

/* List plus more, in the arena. */
static int append(struct arena *a, struct spec_strings *list, const char *const *more, size_t n,
		  struct err *e)
{
	if (n == 0)
		return 0;
	const char **items = arena_array(a, list->n + n, sizeof(*items));
	if (!items)
		return no_memory(e);
	if (list->n)
		memcpy(items, list->items, list->n * sizeof(*items));
	memcpy(items + list->n, more, n * sizeof(*items));
	list->items = items;
	list->n += n;
	return 0;
}

/* Not inheritable, and so not ambient: a program without file capabilities gets none of a
 * non-root user's (CVE-2022-29162). */
static int add_caps(struct arena *a, struct spec_caps *caps, const struct rt_exec *how,
		    struct err *e)
{
	struct spec_strings *sets[] = {&caps->bounding, &caps->effective, &caps->permitted};
	int rc = 0;

	if (how->n_caps)
		caps->set = true;
	for (size_t i = 0; rc == 0 && i < sizeof(sets) / sizeof(sets[0]); i++)
		rc = append(a, sets[i], how->caps, how->n_caps, e);
	return rc;
}

static int add_gids(struct arena *a, struct spec_user *u, const struct rt_exec *how, struct err *e)
{
	struct spec_u32s *g = &u->additional_gids;
	uint64_t v;

	if (how->n_gids == 0)
		return 0;
	uint32_t *items = arena_array(a, g->n + how->n_gids, sizeof(*items));
	if (!items)
		return no_memory(e);
	if (g->n)
		memcpy(items, g->items, g->n * sizeof(*items));
	for (size_t i = 0; i < how->n_gids; i++) {
		if (!str_to_u64(how->gids[i], &v) || v >= UINT32_MAX)
			return err_set(e, ERR_USAGE, EINVAL, NULL,
				       "additional gid \"%.64s\" is no number", how->gids[i]);
		items[g->n + i] = (uint32_t)v;
	}
	g->items = items;
	g->n += how->n_gids;
	return 0;
}

static int from_flags(struct rt_container *c, const struct rt_exec *how, struct spec_process *p,
		      struct err *e)
{
	*p = c->spec->process;
	if (how->argc == 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL, "exec needs a command or --process");
	p->args = (struct spec_strings){0};
	p->terminal = how->tty;
	if (!how->tty)
		p->console_height.set = p->console_width.set = false;
	if (how->cwd)
		p->cwd = how->cwd;
	if (how->no_new_privs)
		p->no_new_privileges = true;
	if (how->apparmor)
		p->apparmor_profile = how->apparmor;
	if (how->process_label)
		p->selinux_label = how->process_label;
	int rc = append(c->arena, &p->args, (const char *const *)how->argv, how->argc, e);
	if (rc == 0)
		rc = append(c->arena, &p->env, how->env, how->n_env, e);
	if (rc == 0)
		rc = add_caps(c->arena, &p->capabilities, how, e);
	if (rc == 0)
		rc = how->user ? c->ops->user(c, how->user, &p->user, e) : 0;
	return rc < 0 ? rc : add_gids(c->arena, &p->user, how, e);
}

static int from_file(struct rt_container *c, const char *path, struct spec_process **ret_p,
		     struct err *e)
{
	auto_str raw = NULL;
	size_t len = 0;
	int rc = file_read_at(AT_FDCWD, path, JSON_MAX_BYTES, &raw, &len, e);

	if (rc < 0)
		return rc;
	char *text = arena_strndup(c->arena, raw ? raw : "", len);
	return text ? spec_parse_process(c->arena, text, len, path, ret_p, e) : no_memory(e);
}

static int describe(struct rt_container *c, struct rt_exec *how, struct err *e)
{
	struct spec_process *p = arena_alloc(c->arena, sizeof(*p));
	int rc = p ? rt_load_spec(c, e) : no_memory(e);

	if (rc == 0)
		rc = how->process_file ? from_file(c, how->process_file, &p, e)
				       : from_flags(c, how, p, e);
	if (rc == 0)
		rc = spec_check_process(p, how->process_file ? "" : "/process", e);
	if (rc == 0)
		rt_warn_caps(c, p);
	if (rc == 0)
		rc = rt_check_console(p->terminal, how->detach, how->console_socket, e);
	if (rc == 0)
		rc = rt_preserve_fds(c->arena, p, how->preserve_fds, &c->preserve_fds, e);
	how->process = p;
	return rc;
}

static int wait_for(const struct rt_exec *how, pid_t pid, int pidfd, int master, struct err *e)
{
	auto_fd signals = -1;
	struct rt_foreground f = {.pidfd = pidfd, .pid = pid, .master = master, .notify = -1};
	int rc = rt_signals_hold(&signals, e);

	if (rc < 0)
		return rc;
	f.signals = signals;
	f.size_set = how->process->console_height.set && how->process->console_width.set;
	return rt_foreground(&f, e);
}

static int launch(struct rt_container *c, struct rt_exec *how, struct err *e)
{
	auto_fd pidfd = -1, master = -1, wants = -1;
	struct err ignored;
	pid_t pid;
	int rc = rt_pidfd_connect(how->pidfd_socket, NULL, &wants, e);

	if (rc == 0)
		rc = c->ops->exec(c, how, &pid, &pidfd, &master, e);
	if (rc < 0)
		return rc;
	rc = rt_pidfd_send(wants, pidfd, "setns", e);
	if (rc == 0)
		rc = rt_write_pid_file(how->pid_file, pid, e);
	if (rc < 0)
		(void)rt_end(pidfd, true, &ignored);
	return rc < 0 || how->detach ? rc : wait_for(how, pid, pidfd, master, e);
}

int rt_exec(const struct rt_env *env, struct rt_exec *how, struct err *e)
{
	auto_container c;
	enum rt_status status;
	int rc = rt_open(&c, env, how->id, 0, e);

	if (rc == 0)
		rc = rt_status(&c, &status, e);
	if (rc == 0 && !(status == RT_PAUSED && how->ignore_paused))
		rc = rt_allow(how->id, status, RT_EV_EXEC, e);
	if (rc == 0)
		rc = describe(&c, how, e);
	return rc < 0 ? rc : launch(&c, how, e);
}
