/* runtime/query.c: state, list and pids. They take no lock and, but for pids, open nothing but
 * the state directory and one file of /proc. */
#include "common/file.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PASSWD_MAX (4u << 20)

/* Strings of the info outlive the container: its arena moves into the caller's. */
static int copy_info(struct arena *a, struct rt_info *i, struct err *e)
{
	const char **fields[] = {&i->oci_version, &i->id,      &i->bundle,
				 &i->rootfs,      &i->created, &i->backend};
	struct spec_pair *pairs = arena_array(a, i->annotations.n + 1, sizeof(*pairs));

	if (!pairs)
		return err_sys(e, ENOMEM, i->id, "reading the state");
	for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
		if (!*fields[k])
			continue;
		*fields[k] = arena_strdup(a, *fields[k]);
		if (!*fields[k])
			return err_sys(e, ENOMEM, i->id, "reading the state");
	}
	for (size_t k = 0; k < i->annotations.n; k++) {
		pairs[k].key = arena_strdup(a, i->annotations.items[k].key);
		pairs[k].value = arena_strdup(a, i->annotations.items[k].value);
		if (!pairs[k].key || !pairs[k].value)
			return err_sys(e, ENOMEM, i->id, "reading the state");
	}
	i->annotations.items = pairs;
	return 0;
}

static const char *owner_name(struct arena *a, uint32_t uid)
{
	auto_str text = NULL;
	char name[256];
	struct err ignored;

	if (uid == 0)
		return "root";
	if (file_read_at(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &text, NULL, &ignored) == 0 && text &&
	    rt_passwd_name(text, uid, name, sizeof(name)))
		return arena_strdup(a, name);
	return arena_printf(a, "#%u", uid);
}

int rt_state(const struct rt_env *env, struct arena *a, const char *id, struct rt_info *ret_info,
	     struct err *e)
{
	auto_container c;
	enum rt_status status;
	struct rt_info info;
	int rc = rt_open(&c, env, id, RT_OPEN_PARTIAL, e);

	if (rc == 0)
		rc = rt_status(&c, &status, e);
	if (rc < 0)
		return rc;
	rt_fill_info(&c, status, &info);
	rc = copy_info(a, &info, e);
	if (rc < 0)
		return rc;
	info.owner = owner_name(a, c.doc.owner);
	*ret_info = info;
	return 0;
}

int rt_list(const struct rt_env *env, struct arena *a, struct rt_info **ret_items, size_t *ret_n,
	    struct err *e)
{
	auto_fd root = -1;
	const char **ids = NULL;
	size_t n = 0, kept = 0;
	int rc = st_root(env->root, false, &root, e);

	if (rc == 0)
		rc = st_list(root, a, &ids, &n, e);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	struct rt_info *items = arena_array(a, n + 1, sizeof(*items));
	if (!items)
		return err_sys(e, ENOMEM, env->root, "listing");
	for (size_t i = 0; i < n; i++) {
		struct err one;
		/* Deleted meanwhile, or not a container's directory: not to be listed. */
		if (rt_check_id(ids[i], &one) < 0)
			continue;
		rc = rt_state(env, a, ids[i], &items[kept], &one);
		if (rc == -ENOENT)
			continue;
		if (rc < 0) /* damaged: shown, so that it can be deleted */
			items[kept] = (struct rt_info){.id = ids[i], .status = RT_STOPPED};
		kept++;
	}
	*ret_items = items;
	*ret_n = kept;
	return 0;
}

/* What outlived the first process: only in a pid namespace that isn't the container's own. */
static void drop_first(pid_t first, pid_t *pids, size_t *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (pids[i] != first)
			pids[kept++] = pids[i];
	*n = kept;
}

int rt_pids(const struct rt_env *env, const char *id, pid_t **ret_pids, size_t *ret_n,
	    struct err *e)
{
	auto_container c;
	enum rt_status status = RT_STOPPED;
	int rc = rt_open_for(&c, env, id, 0, RT_EV_PIDS, &status, e);

	if (rc == 0)
		rc = c.ops->pids(&c, ret_pids, ret_n, e);
	if (rc >= 0 && status == RT_STOPPED)
		drop_first(c.doc.pid, *ret_pids, ret_n);
	return rc;
}

int rt_processes(const struct rt_env *env, struct arena *a, const char *id,
		 struct rt_process **ret_items, size_t *ret_n, struct err *e)
{
	auto_container c;
	enum rt_status status = RT_STOPPED;
	int rc = rt_open_for(&c, env, id, 0, RT_EV_PIDS, &status, e);

	if (rc < 0 || !c.ops->processes)
		return rc;
	rc = c.ops->processes(&c, a, ret_items, ret_n, e);
	return rc < 0 ? rc : 1;
}
