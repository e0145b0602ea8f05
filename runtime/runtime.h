/* runtime/runtime.h: the OCI lifecycle, as cli/ and guest/ see it (runtime.md of the spec).
 *
 * Every verb: finds the container beneath the state root, locks it, checks
 * state × event, lets the backend do it, records it. Nothing here prints.
 * Texts that engines match are kept: "container does not exist", "container not
 * running", "no such process" (docs/design/errors.md).
 */
#ifndef RF_RUNTIME_RUNTIME_H
#define RF_RUNTIME_RUNTIME_H

#include "common/err.h"
#include "common/plan.h"
#include "common/str.h"
#include "spec/lint.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <sys/types.h>

/* AUTO: for everybody but root of the first user namespace. */
enum rt_rootless { RT_ROOTLESS_AUTO, RT_ROOTLESS_TRUE, RT_ROOTLESS_FALSE };

/* What the global options say. */
struct rt_env {
	const char *root;               /* state root, absolute; "/run/ringfence" by default */
	bool systemd_cgroup, no_cgroup; /* neither: the group is made through its files */
	enum rt_rootless rootless;      /* cgroup trouble is no error */
	/* Told of what the spec wants logged and carried on from (poststop hooks). May be NULL. */
	void (*warn)(void *arg, const struct err *what);
	void *warn_arg;
	/* The network that we are in is the container's own too: we are its machine's agent. */
	bool own_network;
	/* The process ends after the call: what the kernel closes then isn't closed before. */
	bool ends;
};

/* `/run/ringfence`; without privileges $XDG_RUNTIME_DIR/ringfence, or what stands in for it (see
 * root.c). malloc'ed. */
int rt_default_root(char **ret_root, struct err *e);

/* The kernel that a micro-VM starts when its spec names none, or NULL: the environment's, one of
 * ours, the distribution's. The arena's. */
const char *rt_vm_kernel(struct arena *a);

enum rt_status { RT_CREATING, RT_CREATED, RT_RUNNING, RT_PAUSED, RT_STOPPED };
const char *rt_status_word(enum rt_status s);

struct rt_create {
	const char *id, *bundle; /* bundle: path as given, NULL: "." */
	const char *config;      /* file name, NULL: "config.json" in the bundle */
	const char *isolation;   /* backend's name or NULL */
	const char *console_socket, *pidfd_socket, *pid_file;
	unsigned preserve_fds;
	bool no_pivot, no_new_keyring, no_subreaper;
	bool plain_newlines; /* console_socket's end has a terminal that translates them itself */
	/* run only */
	bool detach, keep;
};

/* checkpoint and restore: what is asked of CRIU. */
struct rt_criu {
	const char *image_path; /* NULL: "checkpoint" */
	const char *work_path;  /* NULL: the image path */
	const char *parent_path, *manage_cgroups, *empty_ns, *page_server, *network_lock;
	const char *lsm_profile, *lsm_mount_context;
	bool leave_running, pre_dump;
	bool tcp_established, tcp_close, tcp_skip_in_flight, link_remap, ext_unix_sk, shell_job;
	bool lazy_pages, file_locks, auto_dedup;
	int status_fd; /* -1: none */
};

struct rt_exec {
	const char *id;
	const char *process_file; /* or NULL: from argv and the flags, over the container's own */
	char *const *argv;
	size_t argc;
	const char *cwd, *user, *console_socket, *pidfd_socket, *pid_file, *process_label,
		*apparmor;
	bool plain_newlines; /* as in rt_create */
	const char *const *env;
	size_t n_env;
	const char *const *caps;
	size_t n_caps;
	const char *const *gids;
	size_t n_gids;
	const char *const *cgroups; /* [CONTROLLER,...:]PATH each, below the container's */
	size_t n_cgroups;
	bool tty, detach, no_new_privs, ignore_paused;
	unsigned preserve_fds;
	const struct spec_process *process; /* filled by rt_exec for the backend */
};

struct rt_info { /* one container, for state and list; strings from the arena passed */
	const char *oci_version, *id, *bundle, *rootfs, *created, *owner, *backend;
	enum rt_status status;
	pid_t pid; /* 0 when stopped */
	struct spec_pairs annotations;
};

int rt_create(const struct rt_env *env, const struct rt_create *how, struct err *e);
int rt_start(const struct rt_env *env, const char *id, struct err *e);
/* create + start, and without `detach` wait: returns the program's exit code (128 + signal), and
 * deletes unless `keep`. */
int rt_run(const struct rt_env *env, const struct rt_create *how, struct err *e);
/* Foreground: the exit code as rt_run; detached: 0. */
int rt_exec(const struct rt_env *env, struct rt_exec *how, struct err *e);
int rt_state(const struct rt_env *env, struct arena *a, const char *id, struct rt_info *ret_info,
	     struct err *e);
/* Every container, sorted by id; half-made ones as "creating" or "stopped". */
int rt_list(const struct rt_env *env, struct arena *a, struct rt_info **ret_items, size_t *ret_n,
	    struct err *e);
int rt_kill(const struct rt_env *env, const char *id, int sig, bool all, struct err *e);
/* force: from any state, also half-made; an unknown id is then success. */
int rt_delete(const struct rt_env *env, const char *id, bool force, struct err *e);
int rt_pause(const struct rt_env *env, const char *id, bool pause, struct err *e);
/* Writes it down; then it is deleted, unless it is to stay (leave_running, pre_dump). A failure
 * leaves it as it was. */
int rt_checkpoint(const struct rt_env *env, const char *id, const struct rt_criu *how,
		  struct err *e);
/* A container from what a checkpoint wrote; detach, keep and the result as in rt_run. */
int rt_restore(const struct rt_env *env, const struct rt_create *create, const struct rt_criu *how,
	       struct err *e);
/* rdt: schemata for the class of service that was made for the container, or NULL. */
int rt_update(const struct rt_env *env, const char *id, const struct spec_resources *r,
	      const struct spec_intel_rdt *rdt, struct err *e);
/* Of the host; of a micro-VM's container, the guest's. malloc'ed. */
int rt_pids(const struct rt_env *env, const char *id, pid_t **ret_pids, size_t *ret_n,
	    struct err *e);
/* What ps(1) would tell of a process that isn't of this kernel. Strings are the arena's, and have
 * no control characters. */
struct rt_process {
	pid_t pid, ppid, pgid, sid;
	uint32_t uid;
	char state;        /* proc_pid_stat(5) */
	const char *tty;   /* "pts/0"; NULL: none */
	int64_t started;   /* seconds since 1970 */
	uint64_t cpu_ms;   /* time of processors */
	uint64_t vsz, rss; /* KiB */
	int64_t nice;
	uint64_t threads;
	const char *name, *command;
};
/* 1, or 0 when the container's processes are this kernel's: rt_pids names them. */
int rt_processes(const struct rt_env *env, struct arena *a, const char *id,
		 struct rt_process **ret_items, size_t *ret_n, struct err *e);
/* The name of a uid in the text of a passwd(5) file. */
bool rt_passwd_name(const char *text, uint32_t uid, char *buf, size_t size);
/* "name[:group]" or numbers, by the container's own files. */
int rt_user(const struct rt_env *env, const char *id, const char *word, uint32_t *ret_uid,
	    uint32_t *ret_gid, struct err *e);
struct rt_events {
	bool once;            /* statistics now, and that is all */
	uint64_t interval_ns; /* 0: no statistics, out-of-memory events alone */
	/* Takes one JSON document on one line, without its line break. A failure ends rt_events. */
	int (*line)(void *arg, const char *json, struct err *e);
	void *arg;
};
/* Statistics at each interval and out-of-memory events, until the container ends. */
int rt_events(const struct rt_env *env, const char *id, const struct rt_events *how, struct err *e);
/* The plan of a create, without doing it. */
int rt_explain(const struct rt_env *env, const struct rt_create *how, struct arena *a,
	       struct plan *ret_plan, struct err *e);
/* What a create would refuse, and what spec_lint says besides, as findings; an error only when
 * there is no document to read. */
int rt_lint(const struct rt_env *env, const struct rt_create *how, struct spec_findings *f,
	    struct err *e);
/* The features document (features.md, features-linux.md). */
int rt_features(struct strbuf *out, struct err *e);
/* The state document of runtime.md, with runc's extras (rootfs, created, owner). */
void rt_state_json(const struct rt_info *info, bool pretty, struct strbuf *out);
/* Name or number ("0": only ask whether it could be sent; "TERM", "SIGTERM", "15", "RTMIN+1") →
 * number, -1 when unknown. */
int rt_signal_number(const char *word);
/* A name that is safe as a directory, a cgroup and an argument; NULL isn't. */
int rt_check_id(const char *id, struct err *e);

#endif
