/* namespaces/ns.h: the shared-kernel wall: a process in namespaces of its own.
 *
 * The life of a launch (numbers are used in the code):
 *   N1  runtime: ns_accept, ns_plan                    no privilege, no effect
 *   N2  runtime: ns_prepare                            opens rootfs, bind sources and joined
 *                                                      namespaces ONCE, compiles the filter
 *   N3  runtime: ns_spawn                              clone3 into the namespaces and the v2 group
 *   N4  runtime: ns_write_maps, cgroup attach, links   only when asked for; then SYNC_GO
 *   N5  child:   PLAN_BUILD steps                      rootfs, mounts, nodes; host root still there
 *   N6  child:   SYNC_BUILT / SYNC_HOOKED              only when there are hooks before pivot
 *   N7  child:   pivot_root, PLAN_ROOT steps           from here no host path is reachable
 *   N8  child:   terminal, args resolved, SYNC_READY
 *   N9  child:   waits for SYNC_START, on the pair or from a `start` (start_fd)
 *   N10 child:   startContainer hooks, PLAN_PROCESS (a filter that notifies sends SYNC_LISTENER to
 *                where the START came from, and waits for a SYNC_GO), execve; failure is reported
 *                where the START came from; success is seen as end of file (close-on-exec)
 *
 * Invariants
 *  1. The child never resolves an untrusted path but through common/path.h.
 *  2. Descriptors that reach the program: 0, 1, 2 and preserve_fds from 3 on; nothing else.
 *  3. PR_SET_DUMPABLE is 0 from the first instruction that a guest could see until execve.
 *  4. When the runtime dies, the child sees the end of the pair and exits, unless it is READY
 *     with a start_fd.
 */
#ifndef RF_NAMESPACES_NS_H
#define RF_NAMESPACES_NS_H

#include "common/arena.h"
#include "common/err.h"
#include "common/plan.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <sys/types.h>

enum ns_hook_point { NS_HOOK_CREATE_CONTAINER, NS_HOOK_START_CONTAINER };

/* A compiled seccomp program; `code` points to struct sock_filter items. */
struct ns_filter {
	const void *code;
	unsigned short n;
	unsigned flags;
	bool set, notify; /* notify: loading it makes a listener */
};

/* All that a launch needs. Filled by the backend; descriptors are borrowed. */
struct ns_launch {
	struct arena *arena;
	const struct spec *spec;
	const char *rootfs;    /* absolute host path */
	const char *bundle;    /* absolute host path; relative bind sources start here */
	const char *cache_dir; /* compiled filters by content, or NULL: no cache */
	struct plan *plan;
	void *cg;       /* context of the control group's steps (PLAN_CG), for PLAN_ENTER */
	int cgroup_fd;  /* v2 directory for CLONE_INTO_CGROUP, or -1 */
	bool cgroup_v2; /* the host has the v2 tree only */
	/* The container's group in the hierarchy mounted at `point`, for cgroup mounts without a
	 * cgroup namespace; NULL: it has none there. No function: it stays in its caller's, which
	 * isn't its to see. */
	const char *(*cgroup_dir)(void *arg, const char *point);
	void *cgroup_arg;
	int start_fd;   /* listening SOCK_SEQPACKET socket for `start`, or -1: START on the pair */
	int console_fd; /* connected console socket, or -1: master goes over the pair */
	bool plain_newlines; /* the terminal translates none, even if it goes to a socket */
	unsigned preserve_fds;
	bool no_pivot, no_new_keyring;
	bool rootless; /* the caller is no root of the host: lowering oom_score_adj may fail */
	bool hooks_before_pivot; /* do N6 */
	bool wait_go;            /* do N4's SYNC_GO; false: the child goes on by itself */
	int (*run_hooks)(void *arg, enum ns_hook_point point, struct err *e);
	void *hooks_arg;
	struct ns_prepared *prepared; /* by ns_prepare */
};

struct ns_child {
	pid_t pid;
	int pidfd;
	int sync; /* our end of the pair */
};

/* N1. Refuses by JSON pointer what isn't applied (yet) or what this kernel lacks. */
int ns_accept(const struct spec *s, struct err *e);
/* N1. Adds the steps of the namespaces, mounts, devices, masks, identity. */
int ns_plan(struct plan *p, const struct spec *s, const char *rootfs, const char *bundle,
	    struct err *e);
/* N2. */
int ns_prepare(struct ns_launch *l, struct err *e);
/* Closes what ns_prepare opened. Safe on NULL and twice. */
void ns_release(struct ns_launch *l);
/* N3. The child runs N5 to N10 and never returns from here. */
int ns_spawn(struct ns_launch *l, struct ns_child *ret_child, struct err *e);
/* N4. uid_map, setgroups, gid_map (user_namespaces(7)) of the waiting child. No-op without a new
 * user namespace. Unprivileged callers go through newuidmap(1) and newgidmap(1). */
int ns_write_maps(const struct spec *s, pid_t pid, struct err *e);
/* N4. oom_score_adj of the waiting child, which can't set it by itself in a user namespace. No-op
 * without a new one. */
int ns_write_oom(const struct ns_launch *l, pid_t pid, struct err *e);

/* N4. The network namespace of the waiting child, or the one that it will join. */
int ns_open_net(const struct ns_launch *l, pid_t pid, int *ret_fd, struct err *e);

/* One more process in a running container. */
struct ns_exec {
	struct arena *arena;
	const struct spec *spec;            /* the container's, as created */
	const struct spec_process *process; /* to be executed; checked by spec_check_process */
	int init_pidfd;                     /* the container's first process */
	pid_t init_pid;
	const char *cache_dir;
	int cgroup_fd; /* v2 directory to be born in, or -1 */
	int console_fd;
	bool plain_newlines; /* as in ns_launch */
	unsigned preserve_fds;
	bool rootless;
	/* Called first of all in the new process: it enters its control groups. NULL: it is there.
	 */
	int (*enter)(void *arg, struct err *e);
	void *enter_arg;
	bool wait_go; /* the runtime puts it into a group that the caller chose before SYNC_GO */
};
/* Joins every namespace of init that differs from ours, and runs the process. Protocol: GO (when
 * wait_go), CONSOLE (terminal without console_fd), LISTENER answered by GO (notify), then
 * end of file on success or ERROR. */
int ns_exec_spawn(struct ns_exec *x, struct ns_child *ret_child, struct err *e);

/* What this room can do, for `features` and `info`. Lists end with NULL. */
const char *const *ns_mount_options(void);
const char *const *ns_namespace_words(void);
const char *const *ns_capability_words(void);
const char *const *ns_seccomp_words(
	const char *which); /* "actions" "operators" "archs" "knownFlags" "supportedFlags" */

#endif
