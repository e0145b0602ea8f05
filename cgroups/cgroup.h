/* cgroups/cgroup.h: control groups, v1, v2 and hybrid, behind one set of calls.
 *
 * Layout is discovered from /proc/self/mountinfo and /proc/self/cgroup, never
 * assumed: each controller is driven on the hierarchy that has it. On a hybrid
 * host (v1 controllers singly mounted beside a v2 tree) the v2 tree is used
 * for whatever controllers it has, and for process tracking when nothing else can.
 *
 * Invariants
 *  1. Only directories that we created are removed, and only ours are written to.
 *  2. Group paths come from the spec or the engine (trusted), yet ".." components
 *     are refused (and a path without any component), so that a group always lies
 *     beneath the hierarchy's mount point; cgroupfs has no symbolic links.
 *  3. A start opens a file once and writes once; libcgroup serves `info`, off the
 *     hot path.
 *  4. A group in which processes are already is refused at create, before the
 *     journal knows it; an empty one that stands there is adopted.
 */
#ifndef RF_CGROUPS_CGROUP_H
#define RF_CGROUPS_CGROUP_H

#include "common/arena.h"
#include "common/err.h"
#include "common/plan.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who makes a container's group. */
enum cg_driver { CG_DRIVER_FILES, CG_DRIVER_SYSTEMD };

enum cg_mode { CG_NONE, CG_V1, CG_HYBRID, CG_V2 };

struct cg_hierarchy {
	const char *mountpoint;  /* "/sys/fs/cgroup/memory" */
	const char *controllers; /* ",memory," or ",cpu,cpuacct,"; ",name=systemd,"; v2: its list */
	const char *own;         /* our own group in it ("/" or "/a/b"), relative to the mount */
	bool v2;
	int fd; /* O_PATH|O_DIRECTORY of the mount point, opened on first use, else -1 */
};

struct cg_layout {
	enum cg_mode mode;
	struct cg_hierarchy *items;
	size_t n;
};

/* Reads the host's layout into arena memory. fds are closed by cg_layout_close. */
int cg_discover(struct arena *a, struct cg_layout **ret_layout, struct err *e);
void cg_layout_close(struct cg_layout *l);
/* "v1", "hybrid", "v2", "none" */
const char *cg_mode_word(enum cg_mode mode);
/* The hierarchy that has the controller, or NULL. */
struct cg_hierarchy *cg_find(const struct cg_layout *l, const char *controller);

/* A container's group: one path, the same in every hierarchy (under `own` where the path is
 * relative), as create found it and state.json keeps it. */
struct cg_group {
	struct cg_layout *layout; /* borrowed */
	const char *path; /* absolute within each hierarchy: "/libpod_parent/libpod-…"; where
			   * a relative one differs, "/a;memory=/x/a": opaque, keep it whole */
	const char
		*unit; /* the unit of systemd that it is: "system NAME" or "user NAME", or NULL */
	int v2_fd;     /* directory to clone into (CLONE_INTO_CGROUP), or -1 */
	bool delegated_only; /* rootless: failing to make it is no error, the group is void */
};

/* Where the group is in hierarchy `i` of its layout: its path as /proc/PID/cgroup has it, and its
 * directory on the host. NULL where it has none (rootless). */
const char *cg_group_in(struct cg_group *g, size_t i, const char **ret_dir);
/* Chooses the path: linux.cgroupsPath (absolute: from each hierarchy's mount point down; relative:
 * beneath our own group), or "/ringfence/<id>" when absent. With systemd: "slice:prefix:name", and
 * its manager (user: the caller's own) is asked where it is. */
struct cg_want {
	const struct spec *spec;
	const char *id;
	enum cg_driver driver;
	bool user;
};
int cg_group_init(struct arena *a, struct cg_layout *l, const struct cg_want *w,
		  struct cg_group **ret_group, struct err *e);
/* The same for a caller who may have no more than what was delegated to him: where he may not make
 * the group it is void, and without a cgroupsPath a place is chosen where he may. */
int cg_group_delegated(struct arena *a, struct cg_layout *l, const struct cg_want *w,
		       struct cg_group **ret_group, struct err *e);
/* True when it is void in every hierarchy. */
bool cg_group_none(const struct cg_group *g);
/* The group's directory in the hierarchy that is mounted at `point`; NULL: it has none. */
const char *cg_group_dir(const struct cg_group *g, const char *point);
/* From what state.json recorded; unit: NULL for none. */
int cg_group_open(struct arena *a, struct cg_layout *l, const char *path, const char *unit,
		  struct cg_group **ret_group, struct err *e);

/* Refuses, by JSON pointer, what this host or this version can't apply. No privileges, no effect.
 */
int cg_accept(const struct cg_layout *l, const struct spec *s, bool rootless, struct err *e);
/* The same for a container without a group: devices alone may be mentioned, for every engine does,
 * and aren't kept. */
int cg_accept_none(const struct cg_layout *l, const struct spec *s, struct err *e);
/* Adds steps: PLAN_PREPARE make + one per value; PLAN_ENTER (in the child) enter. The
 * steps' context (PLAN_CG) is struct cg_run. A unit is made when its first process is there: all
 * of it is PLAN_ATTACH then, the process included. */
int cg_plan(struct plan *p, struct cg_group *g, const struct spec *s, struct err *e);
struct cg_run {
	struct cg_group *group;
	bool born_in_v2; /* the child was cloned into v2_fd */
	pid_t pid;       /* the child, for PLAN_ATTACH */
	/* Writes the record of the journal, for steps that find out what is ours. */
	int (*note)(void *arg, const char *record, struct err *e);
	void *note_arg;
};
/* True when nothing has to be entered after the clone (pure v2). */
bool cg_born_inside(const struct cg_group *g);

/* The calling process, which has one thread only, enters the group in every hierarchy, but the v2
 * one when it was born there. */
int cg_enter(struct cg_group *g, bool born_in_v2, struct err *e);
/* crun's run.oci.delegate-cgroup: the process goes on in a group below, which is the container's
 * to manage. After the child's cgroup namespace was made. */
bool cg_delegates(const struct cg_group *g, const struct spec *s);
int cg_delegate(struct cg_group *g, const struct spec *s, pid_t pid, struct err *e);
/* "[CONTROLLER[,CONTROLLER...]:]PATH" each: the group below for every hierarchy, NULL for the
 * container's own. Makes nothing. */
int cg_subs(struct arena *a, const struct cg_group *g, const char *const *words, size_t n,
	    const char ***ret_subs, struct err *e);
/* Puts a pid into the group, in every hierarchy (exec), or below it. `subs`: cg_subs, or NULL. */
int cg_attach(struct cg_group *g, pid_t pid, const char *const *subs, struct err *e);
/* Applies resources to an existing group (update). Unset fields are left alone. All or nothing:
 * after a failure the files have what they had. */
int cg_update(struct cg_group *g, const struct spec_resources *r, struct err *e);
/* The same, and *ret_before (the arena's) takes it back; but for rules of devices. */
struct cg_before;
int cg_update_keep(struct cg_group *g, const struct spec_resources *r, struct arena *a,
		   struct cg_before **ret_before, struct err *e);
void cg_update_undo(struct cg_group *g, const struct cg_before *b);
/* What cpu quota (microseconds, -1: none) and period stand there. false: nothing says. */
bool cg_cpu_max(struct cg_group *g, int64_t *ret_quota, uint64_t *ret_period);
/* False when the kernel took a limit of kernel memory (v1, bytes) and set none: kernels from 5.16
 * on account it with all other memory alone. */
bool cg_kernel_memory_holds(struct cg_group *g, int64_t limit);
/* Stops or thaws every process and waits until the kernel says so (cgroup.events by POLLPRI on
 * v2; freezer.state on v1), at most timeout_ms. A thaw is one of v1's group too, beside v2.
 * -EOPNOTSUPP where there is no freezer. */
int cg_freeze(struct cg_group *g, bool freeze, int timeout_ms, struct err *e);
int cg_frozen(struct cg_group *g, bool *ret_frozen, struct err *e);
/* Signals every process: cgroup.kill for SIGKILL on v2; else freeze, signal each, thaw. A group
 * that doesn't exist is success. */
int cg_signal_all(struct cg_group *g, int sig, struct err *e);
/* Pids in the group and below, host view, malloc'ed (the caller frees). */
int cg_pids(struct cg_group *g, pid_t **ret_pids, size_t *ret_n, struct err *e);
/* Kills what is left, waits for it to be gone (pidfds, events), removes the directories and
 * those below. Idempotent. Also removes parents that we made and that are empty. */
int cg_remove(struct cg_group *g, struct err *e);
/* Undoes a journal record "cgroup <path>" (its argument is passed). Idempotent. */
int cg_undo(struct arena *a, const char *path, struct err *e);
/* Undoes "unit user NAME": stops it, if systemd knows it. Idempotent. */
int cg_undo_unit(struct arena *a, const char *unit, struct err *e);

/* --- what a group used --- */

struct cg_u64s {
	uint64_t *v;
	size_t n;
};
struct cg_counter {
	const char *name;
	uint64_t v;
};
/* Pressure (PSI): shares of time in hundredths of a percent, total in microseconds. */
struct cg_stall {
	uint64_t avg10, avg60, avg300, total;
};
struct cg_pressure {
	bool set;
	struct cg_stall some, full;
};
struct cg_usage { /* bytes, but failcnt: times that the limit was hit; no limit: the largest */
	uint64_t limit, usage, max, failcnt;
};
struct cg_io {
	uint64_t major, minor;
	const char *op; /* "Read", "Write", "Sync", "Async", "Discard", "Total" */
	uint64_t value;
};
struct cg_io_list {
	struct cg_io *items;
	size_t n;
};
struct cg_hugetlb {
	const char *size; /* "2MB" */
	struct cg_usage bytes;
};
enum cg_cpuset_flag {
	CG_CPU_EXCLUSIVE,
	CG_MEM_HARDWALL,
	CG_MEM_EXCLUSIVE,
	CG_MEMORY_MIGRATE,
	CG_SPREAD_PAGE,
	CG_SPREAD_SLAB,
	CG_MEMORY_PRESSURE,
	CG_LOAD_BALANCE,
	CG_CPUSET_FLAGS
};
/* resctrl: texts NULL, numbers 0 where the host doesn't have them. */
struct cg_rdt_info {
	const char *mask;
	uint64_t min, classes, step, linear; /* min: bits of a mask, or percent of bandwidth */
};
struct cg_rdt_domain {
	uint64_t occupancy, total_bytes, local_bytes;
};
struct cg_rdt_stats {
	const char *l3_root, *l3, *mb_root, *mb; /* lines of schemata: of the host, of the class */
	struct cg_rdt_info l3_info, mb_info;
	struct cg_rdt_domain *domains; /* what the container uses, an L3 domain each */
	size_t n_domains;
};
/* What the host's controllers tell; the rest is zero, and lists are empty. */
struct cg_stats {
	struct {
		uint64_t total, user, kernel;                      /* nanoseconds */
		struct cg_u64s percpu, percpu_user, percpu_kernel; /* nanoseconds; v1 */
		uint64_t periods, throttled, throttled_ns;
		struct cg_pressure psi;
	} cpu;
	struct {
		struct cg_u64s cpus, mems; /* v2: those in effect */
		uint64_t flags[CG_CPUSET_FLAGS];
		int64_t relax_domain_level;
	} cpuset;
	struct {
		uint64_t cache;                            /* bytes */
		struct cg_usage memory, swap, kernel, tcp; /* swap: memory and swap together */
		uint64_t oom, oom_kill;                    /* times, processes */
		struct cg_counter *raw;                    /* memory.stat, by name */
		size_t n_raw;
		struct cg_pressure psi;
	} memory;
	struct {
		uint64_t current, limit, failcnt; /* tasks; limit 0: none; refused forks */
	} pids;
	struct {
		struct cg_io_list bytes, serviced, time_ns, wait_ns, merged, queued;
		struct cg_pressure psi;
	} io;
	struct cg_hugetlb *hugetlb;
	size_t n_hugetlb;
	const struct cg_rdt_stats *rdt; /* NULL: it has no class of service */
};
/* Reads them into arena memory. A file that isn't there (no such controller, not delegated) is no
 * failure. */
int cg_stats(struct cg_group *g, struct arena *a, struct cg_stats *ret_stats, struct err *e);

/* Word of the kernel that it ran out of the group's memory. */
struct cg_oom {
	int fd;   /* poll for POLLIN; -1: nothing here can tell */
	int file; /* v1: memory.oom_control, v2: memory.events */
	bool v2;
	uint64_t seen; /* v2: oom_kill as last read */
};
#define CG_OOM_INIT                  \
	{                            \
		.fd = -1, .file = -1 \
	}
/* Success without a memory controller too: fd stays -1. */
int cg_oom_open(struct cg_group *g, struct cg_oom *ret_oom, struct err *e);
/* After POLLIN: true when it was an out-of-memory event, not the group's end. */
bool cg_oom_read(struct cg_oom *o);
void cg_oom_close(struct cg_oom *o);

/* For `info`: names and versions through libcgroup. Calls fn for each controller. */
int cg_controllers(void (*fn)(void *arg, const char *name, const char *mountpoint, bool v2),
		   void *arg, struct err *e);
#endif
