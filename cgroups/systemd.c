/* cgroups/systemd.c: the conversation with systemd's manager (org.freedesktop.systemd1(5)).
 *
 * The manager itself listens at systemd/private of its run-time directory: first there, for a
 * minimal host has no bus daemon, and every message saves two hops. The bus, which is the way that
 * the manual describes, is the second; and the first where the environment names one (D-Bus
 * Specification, "Well-known Message Bus Instances"). The objects are the same on both.
 *
 * Rules at the head of unit.h.
 */
#include "cgroups/unit.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEST "org.freedesktop.systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define PROPERTIES "org.freedesktop.DBus.Properties"

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, NULL, "talking to systemd");
}

/* --- finding it --- */

/* Our user as the host knows it: in a user namespace the map says which (user_namespaces(7)). */
static unsigned host_uid(void)
{
	struct err ignored;
	auto_str map = NULL;
	unsigned inside, outside, count, own = (unsigned)geteuid();

	if (file_read_at(AT_FDCWD, "/proc/self/uid_map", 65536, &map, NULL, &ignored) < 0)
		return own;
	for (const char *line = map; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%u %u %u", &inside, &outside, &count) == 3 && own >= inside &&
		    own - inside < count)
			return outside + (own - inside);
	}
	return own;
}

static const char *runtime_dir(struct arena *a)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	return dir && *dir == '/' ? dir : arena_printf(a, "/run/user/%u", host_uid());
}

struct place {
	const char *address;
	bool direct;
};

/* Where to knock, in order; false without memory. */
static bool places(struct arena *a, bool user, struct place p[2])
{
	const char *env = getenv(user ? "DBUS_SESSION_BUS_ADDRESS" : "DBUS_SYSTEM_BUS_ADDRESS");
	const char *dir = user ? runtime_dir(a) : "/run";

	if (!dir)
		return false;
	const char *manager = arena_printf(a, "unix:path=%s/systemd/private", dir);
	const char *bus = user ? arena_printf(a, "unix:path=%s/bus", dir)
			       : "unix:path=/run/dbus/system_bus_socket";
	bool named = env && *env;
	p[0] = named ? (struct place){env, false} : (struct place){manager, true};
	p[1] = named ? (struct place){manager, true} : (struct place){bus, false};
	/* Who names the system's bus means that one. */
	if (named && !user)
		p[1].address = "";
	return p[0].address && p[1].address;
}

static int nobody(bool user, const struct err *why, struct err *e)
{
	return err_set(
		e, ERR_UNSUPPORTED, ECONNREFUSED, NULL,
		"the systemd cgroup driver needs systemd%s, which can't be reached (%.200s); %s",
		user ? " --user" : " as process 1", why->text,
		user ? "log in with a session or `loginctl enable-linger`, and set "
		       "XDG_RUNTIME_DIR; or use the cgroupfs driver"
		     : "configure the engine for the cgroupfs driver (without "
		       "--systemd-cgroup)");
}

static int knock(struct arena *a, bool user, struct cg_bus *b, struct err *e)
{
	struct place p[2];
	struct err first = {0}, second = {0};

	if (!places(a, user, p))
		return no_memory(e);
	*b = (struct cg_bus)CG_BUS_INIT;
	if (cg_bus_connect(b, p[0].address, p[0].direct, &first) == 0)
		return 0;
	cg_bus_close(b);
	*b = (struct cg_bus)CG_BUS_INIT;
	if (*p[1].address && cg_bus_connect(b, p[1].address, p[1].direct, &second) == 0)
		return 0;
	cg_bus_close(b);
	return nobody(user, &first, e);
}

/* --- asking --- */

static int call(struct cg_manager *m, const char *path, const char *iface, const char *member,
		const struct cg_var *const *args, struct cg_msg *ret_msg, struct err *e)
{
	struct cg_call c = {DEST, path, iface, member, args, false};

	return cg_bus_call(&m->bus, &c, ret_msg, e);
}

/* A string property of an object; into the arena. */
static int get_string(struct cg_manager *m, struct arena *a, const char *path, const char *iface,
		      const char *name, const char **ret_text, struct err *e)
{
	const struct cg_var of = {.sig = "s", .s = iface}, which = {.sig = "s", .s = name};
	const struct cg_var *const args[] = {&of, &which, NULL};
	struct cg_msg msg;

	int rc = call(m, path, PROPERTIES, "Get", args, &msg, e);
	if (rc < 0)
		return rc;
	struct cg_reader r = msg.body;
	bool text = strcmp(msg.sig, "v") == 0 && strcmp(cg_read_sig(&r), "s") == 0;
	const char *s = text ? cg_read_str(&r) : "";
	if (!text || r.bad)
		return err_set(e, ERR_SYSTEM, EPROTO, NULL, "systemd's %s isn't a text", name);
	*ret_text = arena_strdup(a, s);
	return *ret_text ? 0 : no_memory(e);
}

/* "252.38-1~deb12u1", "v253~rc1" → 252, 253. */
static unsigned version_number(const char *s)
{
	return (unsigned)strtoul(s + strcspn(s, "0123456789"), NULL, 10);
}

int cg_manager_open(struct arena *a, bool user, struct cg_manager *ret, struct err *e)
{
	struct cg_manager m = {.user = user};
	const char *version;

	int rc = knock(a, user, &m.bus, e);
	if (rc < 0)
		return rc;
	rc = get_string(&m, a, MANAGER_PATH, MANAGER, "Version", &version, e);
	if (rc == 0)
		rc = get_string(&m, a, MANAGER_PATH, MANAGER, "ControlGroup", &m.root, e);
	if (rc == 0 && strcmp(m.root, "/") == 0)
		m.root = "";
	if (rc == 0 && *m.root && (*m.root != '/' || !cg_path_valid(m.root)))
		rc = err_set(e, ERR_SYSTEM, EPROTO, NULL, "systemd names no group of its own");
	if (rc < 0) {
		cg_bus_close(&m.bus);
		return rc;
	}
	m.version = version_number(version);
	*ret = m;
	return 0;
}

/* --- jobs --- */

/* A call whose reply is a job's path, and the job's end. */
static int run_job(struct cg_manager *m, const char *member, const struct cg_var *const *args,
		   struct err *e)
{
	struct cg_msg msg;
	char job[96];

	int rc = call(m, MANAGER_PATH, MANAGER, member, args, &msg, e);
	if (rc < 0)
		return rc;
	struct cg_reader r = msg.body;
	const char *path = strcmp(msg.sig, "o") == 0 ? cg_read_str(&r) : "";
	if (r.bad || !*path || strlen(path) >= sizeof(job))
		return err_set(e, ERR_SYSTEM, EPROTO, NULL, "systemd's answer to %s names no job",
			       member);
	snprintf(job, sizeof(job), "%s", path);
	return cg_bus_wait_job(&m->bus, job, e);
}

/* What failed before under this name is forgotten; nothing else is changed. */
static void reset_failed(struct cg_manager *m, const char *unit)
{
	const struct cg_var name = {.sig = "s", .s = unit};
	const struct cg_var *const args[] = {&name, NULL};
	struct err ignored;

	(void)call(m, MANAGER_PATH, MANAGER, "ResetFailedUnit", args, NULL, &ignored);
}

/* StartTransientUnit(s name, s mode, a(sv) properties, a(sa(sv)) aux) → o job */
int cg_unit_start(struct cg_manager *m, struct arena *a, const struct cg_unit_name *u,
		  const struct cg_props *p, struct err *e)
{
	const struct cg_var name = {.sig = "s", .s = u->unit}, mode = {.sig = "s", .s = "fail"},
			    aux = {.sig = "a(sa(sv))"};
	const struct cg_var *props = cg_var_list(a, "a(sv)", p->items, p->n);
	const struct cg_var *const args[] = {&name, &mode, props, &aux, NULL};

	if (!props)
		return no_memory(e);
	int rc = run_job(m, "StartTransientUnit", args, e);
	if (rc == -EEXIST) {
		reset_failed(m, u->unit);
		rc = run_job(m, "StartTransientUnit", args, e);
	}
	return err_wrap(e, rc, "making %s", u->unit);
}

int cg_unit_set(struct cg_manager *m, struct arena *a, const char *unit, const struct cg_props *p,
		struct err *e)
{
	const struct cg_var name = {.sig = "s", .s = unit}, runtime = {.sig = "b", .u = 1};
	const struct cg_var *props = cg_var_list(a, "a(sv)", p->items, p->n);
	const struct cg_var *const args[] = {&name, &runtime, props, NULL};

	if (p->n == 0)
		return 0;
	int rc = props ? call(m, MANAGER_PATH, MANAGER, "SetUnitProperties", args, NULL, e)
		       : no_memory(e);
	return err_wrap(e, rc, "changing %s", unit);
}

int cg_unit_active(struct cg_manager *m, struct arena *a, const char *unit, bool *ret_active,
		   struct err *e)
{
	const struct cg_var name = {.sig = "s", .s = unit};
	const struct cg_var *const args[] = {&name, NULL};
	const char *path, *state;
	struct cg_msg msg;

	int rc = call(m, MANAGER_PATH, MANAGER, "GetUnit", args, &msg, e);
	if (rc == -ENOENT) {
		*ret_active = false;
		return 0;
	}
	if (rc < 0)
		return rc;
	struct cg_reader r = msg.body;
	path = strcmp(msg.sig, "o") == 0 ? arena_strdup(a, cg_read_str(&r)) : NULL;
	if (!path || r.bad)
		return err_set(e, ERR_SYSTEM, EPROTO, NULL, "systemd's answer names no unit");
	rc = get_string(m, a, path, DEST ".Unit", "ActiveState", &state, e);
	if (rc == 0)
		*ret_active = strcmp(state, "active") == 0;
	return rc;
}

/* AttachProcessesToUnit(s unit, s subcgroup, au pids): for what the kernel doesn't let us do. */
int cg_unit_attach(struct cg_manager *m, struct arena *a, const char *unit, const char *sub,
		   pid_t pid, struct err *e)
{
	const struct cg_var name = {.sig = "s", .s = unit}, below = {.sig = "s", .s = sub};
	struct cg_var *one = cg_var_num(a, "u", (uint64_t)pid);
	const struct cg_var *pids = cg_var_list(a, "au", &one, 1);
	const struct cg_var *const args[] = {&name, &below, pids, NULL};

	if (!pids)
		return no_memory(e);
	return err_wrap(e, call(m, MANAGER_PATH, MANAGER, "AttachProcessesToUnit", args, NULL, e),
			"putting process %d into %s", (int)pid, unit);
}

int cg_unit_stop(struct cg_manager *m, struct arena *a, const char *unit, struct err *e)
{
	const struct cg_var name = {.sig = "s", .s = unit}, mode = {.sig = "s", .s = "replace"};
	const struct cg_var *const args[] = {&name, &mode, NULL};

	(void)a;
	int rc = run_job(m, "StopUnit", args, e);
	if (rc == -ENOENT)
		return 0;
	reset_failed(m, unit);
	return err_wrap(e, rc, "stopping %s", unit);
}
