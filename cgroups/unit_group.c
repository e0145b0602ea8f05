/* cgroups/unit_group.c: a container's group that is a unit of systemd: planned, made, changed,
 * ended.
 *
 * crun's annotations choose a group below the unit's: run.oci.systemd.subgroup, which gets the
 * limits, and run.oci.delegate-cgroup, which gets the process and belongs to the container. Without
 * them the unit's own group is the container's, as with runc.
 *
 * Rules at the head of unit.h. A connection lasts for one step: a container that waits for its
 * start must not hold one.
 */
#include "cgroups/unit.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SUBGROUP "run.oci.systemd.subgroup"
#define DELEGATE "run.oci.delegate-cgroup"
#define DEFAULT_SUBGROUP "container"

struct cg_unit {
	struct cg_unit_name name;
	const struct spec *spec;
	const char *id, *sub; /* "" for none */
	bool user, adopted;
	unsigned version;
};

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, CG_UNIT_POINTER, "planning the unit");
}

/* --- annotations --- */

static int check_below(const char *key, const char *sub, struct err *e)
{
	char pointer[128];

	if (!strchr(sub, '/') && cg_path_valid(sub))
		return 0;
	snprintf(pointer, sizeof(pointer), "/annotations/%s", key);
	return err_set(e, ERR_SPEC, EINVAL, pointer,
		       "\"%s\" can't name a control group: one component is wanted", sub);
}

static int choose_below(const struct cg_layout *l, const struct spec *s, const char **ret_sub,
			struct err *e)
{
	const char *sub = spec_annotation(s, SUBGROUP), *delegate = spec_annotation(s, DELEGATE);
	bool delegated = delegate && *delegate;

	if (delegated && l->mode != CG_V2)
		return err_set(
			e, ERR_UNSUPPORTED, EOPNOTSUPP, "/annotations/" DELEGATE,
			"needs pure cgroup v2: a v1 hierarchy can't be handed to a container");
	if (!sub)
		sub = delegated ? DEFAULT_SUBGROUP : "";
	int rc = *sub ? check_below(SUBGROUP, sub, e) : 0;
	if (rc == 0 && delegated)
		rc = check_below(DELEGATE, delegate, e);
	if (rc == 0)
		*ret_sub = sub;
	return rc;
}

/* --- planned --- */

static int look(struct arena *a, struct cg_unit *u, const char **ret_path, struct err *e)
{
	struct cg_manager m;

	int rc = cg_manager_open(a, u->user, &m, e);
	if (rc < 0)
		return rc;
	if (u->name.is_slice)
		rc = cg_unit_active(&m, a, u->name.unit, &u->adopted, e);
	cg_bus_close(&m.bus);
	if (rc < 0)
		return rc;
	u->version = m.version;
	const char *path =
		arena_printf(a, "%s%s%s%s", m.root, u->name.path, *u->sub ? "/" : "", u->sub);
	if (!path)
		return no_memory(e);
	*ret_path = path;
	return 0;
}

int cg_unit_init(struct arena *a, const struct cg_layout *l, const struct cg_want *w,
		 struct cg_unit **ret_unit, const char **ret_path, struct err *e)
{
	struct cg_unit *u = arena_alloc(a, sizeof(*u));
	struct cg_props checked = {0};

	if (!u)
		return no_memory(e);
	*u = (struct cg_unit){.spec = w->spec, .id = w->id, .user = w->user};
	int rc = cg_unit_name(a, w->spec->linux_.cgroups_path, w->id, w->user, &u->name, e);
	if (rc == 0)
		rc = choose_below(l, w->spec, &u->sub, e);
	if (rc == 0)
		rc = cg_props_annotations(a, &w->spec->annotations, &checked, e);
	if (rc == 0)
		rc = look(a, u, ret_path, e);
	if (rc == 0)
		*ret_unit = u;
	return rc;
}

static const char *manager_word(bool user)
{
	return user ? "user" : "system";
}

const char *cg_unit_record(struct arena *a, const struct cg_unit *u)
{
	return arena_printf(a, "%s %s", manager_word(u->user), u->name.unit);
}

const char *cg_unit_detail(struct arena *a, const struct cg_unit *u)
{
	return arena_printf(a, "%s unit %s in %s (systemd %u, %s manager)",
			    u->adopted ? "use" : "start", u->name.unit, u->name.slice, u->version,
			    manager_word(u->user));
}

bool cg_unit_ours(const struct cg_unit *u)
{
	return !u->adopted;
}

/* --- made --- */

static int put(struct arena *a, struct cg_props *p, const char *name, struct cg_var *v, int rc,
	       struct err *e)
{
	return rc < 0 ? rc : cg_props_put(a, p, name, v, e);
}

static int put_flags(struct arena *a, const struct cg_layout *l, struct cg_props *p, struct err *e)
{
	const struct cg_hierarchy *io = cg_find(l, "io");
	const char *const on[] = {"CPUAccounting", "MemoryAccounting", "TasksAccounting",
				  io ? "IOAccounting" : "BlockIOAccounting"};
	int rc = 0;

	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		rc = put(a, p, on[i], cg_var_num(a, "b", 1), rc, e);
	return put(a, p, "DefaultDependencies", cg_var_num(a, "b", 0), rc, e);
}

/* A slice has no processes of its own to begin with, and can't be delegated. */
static int put_place(struct arena *a, const struct cg_unit *u, pid_t pid, struct cg_props *p,
		     struct err *e)
{
	struct cg_var *slice = cg_var_str(a, u->name.slice), *one;

	if (u->name.is_slice)
		return put(a, p, "Wants", cg_var_list(a, "as", &slice, 1), 0, e);
	one = cg_var_num(a, "u", (uint64_t)pid);
	int rc = put(a, p, "Slice", slice, 0, e);
	rc = put(a, p, "Delegate", cg_var_num(a, "b", 1), rc, e);
	rc = put(a, p, "PIDs", cg_var_list(a, "au", &one, 1), rc, e);
	/* Whatever becomes of it, nothing of it stays. */
	if (u->version >= 236)
		rc = put(a, p, "CollectMode", cg_var_str(a, "inactive-or-failed"), rc, e);
	return rc;
}

static int gather(struct arena *a, struct cg_group *g, pid_t pid, const struct cg_values *values,
		  const struct cg_dev_v1 *devices, struct cg_props *p, struct err *e)
{
	const struct cg_unit *u = cg_full_of(g)->unit;
	const char *what = arena_printf(a, "container %s", u->id);

	int rc = put(a, p, "Description", cg_var_str(a, what), 0, e);
	if (rc == 0)
		rc = put_place(a, u, pid, p, e);
	if (rc == 0)
		rc = put_flags(a, g->layout, p, e);
	/* Limits of a group below are none of the unit's. */
	if (rc == 0 && !*u->sub)
		rc = cg_props_values(a, g->layout, values, u->version, p, e);
	if (rc == 0 && devices && !*u->sub)
		rc = cg_props_devices(a, devices, p, e);
	return rc < 0 ? rc : cg_props_annotations(a, &u->spec->annotations, p, e);
}

int cg_unit_make(struct cg_group *g, pid_t pid, const struct cg_values *values,
		 const struct cg_dev_v1 *devices, struct err *e)
{
	const struct cg_unit *u = cg_full_of(g)->unit;
	auto_arena a = {0};
	struct cg_props p = {0};
	struct cg_manager m;

	if (u->adopted)
		return 0;
	int rc = gather(&a, g, pid, values, devices, &p, e);
	if (rc == 0)
		rc = cg_manager_open(&a, u->user, &m, e);
	if (rc < 0)
		return rc;
	rc = cg_unit_start(&m, &a, &u->name, &p, e);
	cg_bus_close(&m.bus);
	return rc;
}

/* Beyond the unit's group nothing is changed: the groups above are systemd's. */
int cg_unit_hand_down(struct cg_group *g, const char *pointer, struct err *e)
{
	const struct cg_unit *u = cg_full_of(g)->unit;
	int v2 = cg_v2_index(g->layout);
	char dir[PATH_MAX], have[512], text[1024] = "";

	if (v2 < 0 || !*u->sub || cg_full_of(g)->is_void[v2])
		return 0;
	snprintf(dir, sizeof(dir), "%s", cg_full_of(g)->dirs[v2]);
	*strrchr(dir, '/') = '\0';
	long n = cg_read(dir, "cgroup.controllers", have, sizeof(have));
	for (char *rest = have, *word; n > 0 && (word = strsep(&rest, " "));)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "+%s ", word);
	int rc = n < 0 ? (int)n : cg_write(dir, "cgroup.subtree_control", text);
	return rc < 0 ? err_sys(e, -rc, pointer, "handing controllers down in %s", dir) : 0;
}

/* --- later --- */

/* "user NAME" as state and journal have it. */
static int parse_record(const char *record, bool *ret_user, const char **ret_name, struct err *e)
{
	for (int user = 0; user < 2; user++) {
		size_t n = strlen(manager_word(user));
		if (!str_starts(record, manager_word(user)) || record[n] != ' ' || !record[n + 1])
			continue;
		*ret_user = user;
		*ret_name = record + n + 1;
		return 0;
	}
	return err_set(e, ERR_INTERNAL, EINVAL, record, "the recorded unit is damaged");
}

static int open_recorded(struct arena *a, const char *record, struct cg_manager *m,
			 const char **ret_name, struct err *e)
{
	bool user = false;
	int rc = parse_record(record, &user, ret_name, e);

	return rc < 0 ? rc : cg_manager_open(a, user, m, e);
}

/* What lies below the unit's own group: "/container", or "". */
static const char *below_unit(const struct cg_group *g, const char *name)
{
	const char *at = strstr(g->path, name);

	return at ? at + strcspn(at, "/") : "";
}

/* A period alone is written beside the quota that stood there: the file knows both now. */
static int settle(struct arena *a, struct cg_group *g, const struct cg_values *from,
		  struct cg_values *ret, struct err *e)
{
	char now[128];

	ret->items = arena_array(a, from->n + 1, sizeof(*ret->items));
	if (!ret->items)
		return no_memory(e);
	ret->n = from->n;
	for (size_t i = 0; i < from->n; i++) {
		struct cg_value *v = &ret->items[i];
		*v = from->items[i];
		if (v->keep_first &&
		    cg_read(cg_full_of(g)->dirs[v->hier], v->file, now, sizeof(now)) > 0)
			v->data = arena_strdup(a, now);
		if (!v->data)
			return no_memory(e);
	}
	return 0;
}

int cg_unit_update(struct cg_group *g, const struct cg_values *values, struct err *e)
{
	auto_arena a = {0};
	struct cg_props p = {0};
	struct cg_values now = {0};
	struct cg_manager m;
	const char *name;

	int rc = values->n ? settle(&a, g, values, &now, e) : 0;
	if (rc < 0 || values->n == 0)
		return rc;
	rc = open_recorded(&a, g->unit, &m, &name, e);
	if (rc < 0)
		return rc;
	if (!*below_unit(g, name))
		rc = cg_props_values(&a, g->layout, &now, m.version, &p, e);
	if (rc == 0)
		rc = cg_unit_set(&m, &a, name, &p, e);
	cg_bus_close(&m.bus);
	return rc;
}

int cg_unit_join(struct cg_group *g, pid_t pid, const char *sub, struct err *e)
{
	auto_arena a = {0};
	struct cg_manager m;
	const char *name;

	int rc = open_recorded(&a, g->unit, &m, &name, e);
	if (rc < 0)
		return rc;
	const char *below = below_unit(g, name);
	if (sub)
		below = arena_printf(&a, "%s/%s", below, sub);
	rc = below ? cg_unit_attach(&m, &a, name, below, pid, e) : no_memory(e);
	cg_bus_close(&m.bus);
	return rc;
}

/* Without a manager there is no unit: its groups went with it, or are removed by their record. */
int cg_undo_unit(struct arena *a, const char *unit, struct err *e)
{
	struct cg_manager m;
	const char *name;
	int rc = open_recorded(a, unit, &m, &name, e);

	if (rc == -ECONNREFUSED) {
		err_clear(e);
		return 0;
	}
	if (rc < 0)
		return rc;
	rc = cg_unit_stop(&m, a, name, e);
	cg_bus_close(&m.bus);
	return rc;
}

/* --- delegated to the container --- */

/* Whom root of the container is on the host. */
static uid_t root_of(const struct spec_id_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		if (maps->items[i].container_id == 0)
			return maps->items[i].host_id;
	return 0;
}

/* What a delegate may write to (admin-guide/cgroup-v2.rst, "Model of Delegation"). */
static int hand_over(const char *dir, uid_t uid, gid_t gid)
{
	static const char *const files[] = {"", "cgroup.procs", "cgroup.subtree_control",
					    "cgroup.threads"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, files[i]) >= (int)sizeof(path))
			return -ENAMETOOLONG;
		if (fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	return 0;
}

bool cg_delegates(const struct cg_group *g, const struct spec *s)
{
	const char *below = g->unit ? spec_annotation(s, DELEGATE) : NULL;

	return below && *below && cg_v2_index(g->layout) >= 0;
}

int cg_delegate(struct cg_group *g, const struct spec *s, pid_t pid, struct err *e)
{
	auto_arena a = {0};
	const char *below = spec_annotation(s, DELEGATE);
	const char **subs = arena_array(&a, g->layout->n, sizeof(*subs));
	int v2 = cg_v2_index(g->layout), rc = 0;
	char dir[PATH_MAX];

	if (!subs)
		return err_sys(e, ENOMEM, "/annotations/" DELEGATE, "naming it");

	if (snprintf(dir, sizeof(dir), "%s/%s", cg_full_of(g)->dirs[v2], below) >= (int)sizeof(dir))
		return err_sys(e, ENAMETOOLONG, "/annotations/" DELEGATE, "naming it");
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		rc = -errno;
	if (rc == 0 && (s->linux_.uid_mappings.n || s->linux_.gid_mappings.n))
		rc = hand_over(dir, root_of(&s->linux_.uid_mappings),
			       root_of(&s->linux_.gid_mappings));
	/* Without privileges it is ours already, and nobody else's to be. */
	if (rc == -EPERM && g->delegated_only)
		rc = 0;
	if (rc < 0)
		return err_sys(e, -rc, dir, "making the group for the container");
	subs[v2] = below;
	return cg_attach(g, pid, subs, e);
}
