/* cgroups/resctrl.h: linux.intelRdt: a class of service (CLOS) of the processor's caches and memory
 * bandwidth, and a group that counts their use, in the kernel's resctrl file system.
 *
 * Invariants
 *  1. Only directories that we made are removed. One that is shared, for closID names it, stays for
 *     as long as another's process is in it.
 *  2. What is there is compared, never changed: schemata are written into a class of our own, at
 * its making and at `update`.
 *  3. Looking, noting, making and writing are done under the file system's lock (flock(2) on its
 *     root, as the kernel's documentation of resctrl asks).
 *  4. The root is a parameter: nothing here knows where the file system is mounted but
 *     cg_resctrl_find.
 */
#ifndef RF_CGROUPS_RESCTRL_H
#define RF_CGROUPS_RESCTRL_H

#include "common/arena.h"
#include "common/err.h"
#include "common/plan.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <sys/types.h>

struct cg_rdt_stats;

/* What a container asks, and of what. */
struct cg_resctrl {
	const char *root; /* where resctrl is mounted */
	const char *id;   /* the container's */
	const struct spec_intel_rdt *rdt;
	const char *clos; /* the class's directory */
	const char *mon;  /* the monitoring group's, or NULL */
};

/* Where it is mounted in our mount namespace. ERR_UNSUPPORTED when it isn't. */
int cg_resctrl_find(struct arena *a, const char **ret_root, struct err *e);
/* ret->root and what it points to are borrowed or from the arena. */
int cg_resctrl_init(struct arena *a, const char *root, const char *id,
		    const struct spec_intel_rdt *rdt, struct cg_resctrl *ret, struct err *e);
/* Refuses, by JSON pointer, resources that this processor doesn't share out. No effect. */
int cg_resctrl_accept(const struct cg_resctrl *r, struct err *e);
/* Adds steps: PLAN_PREPARE class and monitoring group; PLAN_ATTACH the process. Their context is
 * struct cg_run. The records are written by the steps: whether the class is ours is found out by
 * them. *r outlives the plan. */
int cg_resctrl_plan(struct plan *p, const struct cg_resctrl *r, struct err *e);
/* Puts a process into the class and the monitoring group. */
int cg_resctrl_attach(const struct cg_resctrl *r, pid_t pid, struct err *e);
/* resctrl_stats.c. Into the arena. What the host lacks is left empty: an error is want of memory.
 */
int cg_resctrl_stats(struct arena *a, const struct cg_resctrl *r, struct cg_rdt_stats *ret,
		     struct err *e);
/* Writes `now`'s schemata into a class that we made. */
int cg_resctrl_update(const struct cg_resctrl *r, const struct spec_intel_rdt *now, struct err *e);
/* Undoes "resctrl <path>" of container `id`, whose process was `pid`. Idempotent. */
int cg_resctrl_undo(const char *path, const char *id, pid_t pid, struct err *e);

/* --- resctrl_text.c: texts (pure) --- */
/* Where the text of mountinfo has resctrl mounted, into the arena; NULL: nowhere. */
const char *cg_resctrl_mount(struct arena *a, const char *mountinfo);
/* The combination that config-linux.md asks for: l3CacheSchema's lines, without those of MB: when
 * memBwSchema is there, then memBwSchema. Ends with a newline. "" when neither is there. */
const char *cg_resctrl_legacy(struct arena *a, const struct spec_intel_rdt *rdt);
/* schemata, one a line. "" when there are none. */
const char *cg_resctrl_lines(struct arena *a, const struct spec_intel_rdt *rdt);
/* The first line of `want` whose resource `have` doesn't mention, cut out of `want` with *ret_len
 * bytes; NULL: there is none. */
const char *cg_resctrl_unknown(const char *have, const char *want, size_t *ret_len);
/* The first line of `want` that doesn't hold in `have`, save for what `later`, written after it,
 * says of the same domain. mb_step: the bandwidth's granularity, to which the kernel rounds up; 0:
 * none. */
const char *cg_resctrl_differs(const char *have, const char *want, const char *later,
			       unsigned long mb_step, size_t *ret_len);

#endif
