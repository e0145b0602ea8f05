/* common/plan.h: what will be done, in order, before anything is done.
 *
 * Each room turns its part of the spec into steps without privileges
 * (ns_plan, cg_plan …); runtime/ joins and runs them. A plan can be printed
 * (`ringfence explain`), compared in a unit test without root, and unwound.
 *
 * Invariants
 *  1. Building a plan has no effect outside memory and needs no privilege.
 *  2. Steps of one stage run in the order in which they were added.
 *  3. A step with an effect outside the container's own namespaces carries an
 *     `undo` record; the executor writes it to the journal BEFORE it runs the step. A step whose
 *     record holds what only it finds out writes it by itself, through its room's context.
 *  4. Step memory belongs to the plan's arena.
 */
#ifndef RF_COMMON_PLAN_H
#define RF_COMMON_PLAN_H

#include "common/arena.h"
#include "common/err.h"

#include <stddef.h>

/* When and where a step runs. */
enum plan_stage {
	PLAN_PREPARE,   /* runtime's process, before the first process exists: cgroups, sources */
	PLAN_NAMESPACE, /* carried out by clone3/setns itself; described here, run by nobody */
	PLAN_ATTACH,    /* runtime's process, the child exists and waits: id maps, links */
	PLAN_ENTER,     /* child, before all else: v1 control groups */
	PLAN_BUILD,     /* child, in its namespaces, host root still there: mounts, nodes */
	PLAN_ROOT,      /* child, after pivot_root: masks, read-only paths, sysctl, hostname */
	PLAN_PROCESS,   /* child, at start: limits, identity, filter, exec */
	PLAN_STAGES
};

/* Whose context a step's function gets. */
enum plan_room { PLAN_NS, PLAN_CG, PLAN_NET, PLAN_RT, PLAN_ROOMS };

struct plan_step {
	enum plan_stage stage;
	enum plan_room room;
	const char *what;    /* verb for explain and messages: "mount", "device", "cgroup" … */
	const char *pointer; /* JSON pointer that asked for it, "" for a default */
	const char *detail;  /* one line for a reader: "proc on /proc (nosuid,noexec,nodev)" */
	const char *undo;    /* journal record ("cgroup /a/b"), or NULL */
	/* Does it. ctx is the room's context of the executor. NULL: descriptive only. */
	int (*run)(const struct plan_step *s, void *ctx, struct err *e);
	const void *arg; /* the step's own data, from the plan's arena or the spec */
};

struct plan {
	struct arena *arena;     /* borrowed; outlives the plan */
	struct plan_step *steps; /* in order of addition */
	size_t n, cap;
};

/* Contexts of the rooms, for the executor. */
struct plan_env {
	void *room[PLAN_ROOMS];
	/* Called with the undo record before a step that has one; NULL: no journal (child side). */
	int (*journal)(void *arg, const char *record, struct err *e);
	void *journal_arg;
};

/* Copies *s into the plan (strings are not copied). -ENOMEM. */
int plan_add(struct plan *p, const struct plan_step *s, struct err *e);
/* Runs the steps of one stage in order; stops at the first failure, wraps its message with what,
 * and sets err.where to the step's pointer if the step set none. */
int plan_run(const struct plan *p, enum plan_stage stage, const struct plan_env *env,
	     struct err *e);
const char *plan_stage_name(enum plan_stage stage);

#endif
