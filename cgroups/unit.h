/* cgroups/unit.h: a container's group as a unit of systemd: its name, its properties, and the
 * conversation that makes and ends it.
 *
 * A transient scope (or slice) is asked for when the container's first process exists and waits:
 * a scope needs a process to begin with. systemd makes the group and puts the process in; the
 * rest (other hierarchies of v1, files that are no properties) is written as without systemd.
 *
 * Invariants
 *  1. Whatever systemd might write to the group again (it does at each reload) was told to it as a
 *     property, with the value that is in the file.
 *  2. The unit's group is known before the unit is: from its names, and the manager's own group.
 *  3. A slice that was there before is used and left; a scope is always ours.
 */
#ifndef RF_CGROUPS_UNIT_H
#define RF_CGROUPS_UNIT_H

#include "cgroups/dbus.h"
#include "cgroups/internal.h"

#define CG_UNIT_POINTER "/linux/cgroupsPath"

/* --- unit_name.c (pure) --- */
struct cg_unit_name {
	const char *unit;  /* "libpod-ID.scope" */
	const char *slice; /* "machine.slice"; "-.slice": the root */
	const char *path;  /* below the manager's own group: "/machine.slice/libpod-ID.scope" */
	bool is_slice;
};
/* cgroupsPath "slice:prefix:name"; NULL or "": of the container's id alone. */
int cg_unit_name(struct arena *a, const char *cgroups_path, const char *id, bool user,
		 struct cg_unit_name *ret, struct err *e);

/* --- unit_text.c (pure): a value in GVariant's text form --- */
int cg_unit_value(struct arena *a, const char *text, struct cg_var **ret_v, const char **ret_why);

/* --- unit_props.c (pure) --- */
struct cg_props {
	struct cg_var **items; /* of type (sv) */
	size_t n, cap;
};
/* Adds or replaces; NULL value: lack of memory. */
int cg_props_put(struct arena *a, struct cg_props *p, const char *name, struct cg_var *v,
		 struct err *e);
/* What the files of `values` say, as properties. version: systemd's number. */
int cg_props_values(struct arena *a, const struct cg_layout *l, const struct cg_values *values,
		    unsigned version, struct cg_props *p, struct err *e);
/* v1: device rules that cover those of the group; systemd writes them at each reload. */
int cg_props_devices(struct arena *a, const struct cg_dev_v1 *d, struct cg_props *p, struct err *e);
/* Annotations org.systemd.property.NAME. */
int cg_props_annotations(struct arena *a, const struct spec_pairs *annotations, struct cg_props *p,
			 struct err *e);

/* --- systemd.c --- */
struct cg_manager {
	struct cg_bus bus;
	bool user;
	unsigned version;
	const char *root; /* its own group, "" for the root */
};
/* Connects, asks version and root. -ECONNREFUSED, ERR_UNSUPPORTED, where there is none. */
int cg_manager_open(struct arena *a, bool user, struct cg_manager *ret, struct err *e);
int cg_unit_start(struct cg_manager *m, struct arena *a, const struct cg_unit_name *u,
		  const struct cg_props *p, struct err *e);
int cg_unit_set(struct cg_manager *m, struct arena *a, const char *unit, const struct cg_props *p,
		struct err *e);
/* Is it loaded and active? */
int cg_unit_active(struct cg_manager *m, struct arena *a, const char *unit, bool *ret_active,
		   struct err *e);
/* sub: below the unit's group, "" for itself. */
int cg_unit_attach(struct cg_manager *m, struct arena *a, const char *unit, const char *sub,
		   pid_t pid, struct err *e);
/* Idempotent. */
int cg_unit_stop(struct cg_manager *m, struct arena *a, const char *unit, struct err *e);

#endif
