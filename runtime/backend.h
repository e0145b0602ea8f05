/* runtime/backend.h: where a plan is done: the vtable of the isolation backends.
 *
 * Chosen once at create, recorded in the state; nothing above branches on it.
 */
#ifndef RF_RUNTIME_BACKEND_H
#define RF_RUNTIME_BACKEND_H

#include "common/err.h"
#include "runtime/runtime.h"

struct be_stats; /* runtime/container.h */
struct be_oom;
struct rt_container; /* runtime/container.h: id, state, spec, journal of one container */

struct be_ops {
	const char *name; /* "shared", "microvm": kept in state.json */
	bool own_kernel;  /* its programs reach no socket of ours */
	/* Can this host do it at all? ERR_UNSUPPORTED with the reason if not. */
	int (*probe)(struct err *e);
	/* Refuses, by JSON pointer, what it can't honour. No effect. */
	int (*accept)(struct rt_container *c, struct err *e);
	/* Adds every step to the plan. No effect. */
	int (*plan)(struct rt_container *c, struct plan *p, struct err *e);
	/* Up to "created": the process exists and waits. */
	int (*create)(struct rt_container *c, const struct rt_create *how, struct err *e);
	/* Runs the program. Errors of execve come back from here. */
	int (*start)(struct rt_container *c, struct err *e);
	/* One more process; *ret_pid is its host pid, *ret_pidfd owned by the caller,
	 * *ret_master the pty master or -1. */
	int (*exec)(struct rt_container *c, const struct rt_exec *how, pid_t *ret_pid,
		    int *ret_pidfd, int *ret_master, struct err *e);
	/* Writes a running or paused container down; whether it goes on afterwards is `how`'s.
	 * NULL: it can't. */
	int (*checkpoint)(struct rt_container *c, const struct rt_criu *how, struct err *e);
	/* In the place of create and start. */
	int (*restore)(struct rt_container *c, const struct rt_create *create,
		       const struct rt_criu *how, struct err *e);
	int (*signal)(struct rt_container *c, int sig, bool all, struct err *e);
	int (*pause)(struct rt_container *c, bool pause, struct err *e);
	/* Is it stopped now? */
	int (*paused)(struct rt_container *c, bool *ret_paused, struct err *e);
	/* All or nothing. rdt: schemata to be written to the class of service, or NULL. */
	int (*update)(struct rt_container *c, const struct spec_resources *r,
		      const struct spec_intel_rdt *rdt, struct err *e);
	/* Pids as its kernel has them, malloc'ed. */
	int (*pids)(struct rt_container *c, pid_t **ret_pids, size_t *ret_n, struct err *e);
	/* The same with what ps(1) tells of them. NULL: their kernel is ours, and ps(1) sees them.
	 */
	int (*processes)(struct rt_container *c, struct arena *a, struct rt_process **ret,
			 size_t *ret_n, struct err *e);
	/* What it used; all zero where nothing counts it. */
	int (*stats)(struct rt_container *c, struct arena *a, struct be_stats *ret_stats,
		     struct err *e);
	/* Listens for out-of-memory events; closed by its `close`. */
	int (*oom)(struct rt_container *c, struct be_oom *ret_oom, struct err *e);
	/* "name[:group]" by the container's own passwd(5) and group(5), into u. */
	int (*user)(struct rt_container *c, const char *word, struct spec_user *u, struct err *e);
	/* Ends and removes all of it, from any partial state. Idempotent. */
	int (*destroy)(struct rt_container *c, struct err *e);
};

/* By name; NULL: the default. ERR_UNSUPPORTED for an unknown one. */
int be_find(const char *name, const struct be_ops **ret_ops, struct err *e);
/* For a new container: what was asked for, else what its document says. */
int be_choose(const char *asked, const struct spec *s, const struct be_ops **ret_ops,
	      struct err *e);
/* All of them, ends with NULL. */
const struct be_ops *const *be_all(void);

#endif
