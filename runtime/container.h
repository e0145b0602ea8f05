/* runtime/container.h: one container in hand, and what the files of this room share.
 *
 * Invariants
 *  1. A struct rt_container lives for one verb; rt_close frees all of it.
 *  2. A verb that changes something holds the lock (flock on the container's directory) while it
 *     does. `state`, `list`, `kill` and `exec` take none: state.json is replaced by rename, and a
 *     process is named by pid and start time.
 *  3. Hooks of the runtime's side that run after the program started run without the lock, so
 *     that they may call the runtime on their own container.
 */
#ifndef RF_RUNTIME_CONTAINER_H
#define RF_RUNTIME_CONTAINER_H

#include "cgroups/cgroup.h"
#include "common/fd.h"
#include "runtime/backend.h"
#include "runtime/journal.h"
#include "runtime/runtime.h"
#include "runtime/store.h"

struct json;
struct vm_frame;

/* The first process, as far as this process of ours made it. */
struct rt_proc {
	pid_t pid;
	int pidfd;
	int sync;   /* our end of the pair: START goes here when there is no start socket */
	int master; /* pty, or -1 */
	bool child; /* ours to reap */
	bool ended; /* and reaped */
};

struct rt_container {
	const struct rt_env *env;
	struct arena own;
	struct arena *arena; /* &own, or the caller's (explain) */
	const char *id;
	int root, dir; /* the state root, our directory in it */
	struct st_journal journal;
	struct strbuf said; /* the journal of a container that this process makes */
	struct st_doc doc;
	bool has_doc; /* state.json was there */
	/* run: START goes over the pair, no socket is made, and it goes before the process is
	 * READY, which then needn't wake us to go on. `born` makes everything that must stand by
	 * then. */
	bool one_shot;
	int (*born)(struct rt_container *c, struct err *e);
	const struct rt_criu *restore; /* it comes from images, not from its program */
	bool rootless;
	bool locked, destroyed;
	const char *pid_file; /* absolute: we change the directory meanwhile; NULL: none */
	bool pid_written;
	int hook_out[2];       /* files for the hooks' output and errors, or -1 */
	int pidfd_socket;      /* connected: who wants the process as a descriptor; or -1 */
	unsigned preserve_fds; /* what rt_preserve_fds found */
	struct spec *spec;
	const char *config; /* text of config.json */
	size_t config_len;
	const struct be_ops *ops;
	struct cg_layout *layout; /* discovered on first use */
	struct cg_group *group;
	struct rt_proc proc;
	int netns; /* while it is made: the network namespace that devices were moved into, or -1 */
};

#define auto_container __attribute__((cleanup(rt_close))) struct rt_container

enum rt_open_flags {
	RT_OPEN_LOCK = 1,    /* hold the lock */
	RT_OPEN_PARTIAL = 2, /* a half-made one will do: has_doc may be false */
	RT_OPEN_FORCE = 4,   /* with LOCK: end the process of whoever holds it rather than wait */
};

/* container.c */
void rt_init(struct rt_container *c, const struct rt_env *env, const char *id);
int rt_open(struct rt_container *c, const struct rt_env *env, const char *id, unsigned flags,
	    struct err *e);
void rt_close(struct rt_container *c);
/* The saved copy of config.json, parsed once. */
int rt_load_spec(struct rt_container *c, struct err *e);
/* First of all that a create does: the plan's own stage, after which the state names the group. */
int rt_plan_prepare(struct rt_container *c, const struct plan *p, struct plan_env *env,
		    struct err *e);
/* What an accept asks of the host's hierarchies; fills in the layout. */
int rt_accept_groups(struct rt_container *c, struct err *e);
/* The control group that state.json names. */
int rt_load_group(struct rt_container *c, struct err *e);
int rt_relock(struct rt_container *c, struct err *e);
void rt_unlock(struct rt_container *c);
int rt_save_doc(struct rt_container *c, struct err *e);
bool rt_is_rootless(const struct rt_env *env);

/* state.c */
void rt_fill_info(const struct rt_container *c, enum rt_status status, struct rt_info *ret_info);
/* As rt_state_json for a hook, at the given status and pid. */
void rt_hook_state(const struct rt_container *c, enum rt_status status, pid_t pid,
		   struct strbuf *out);

/* The containerProcessState of config-linux.md: process `pid` of a container at `status`. */
void rt_process_state(const struct rt_container *c, enum rt_status status, pid_t pid,
		      const char *metadata, struct strbuf *out);

/* notify.c: gives the listener of process `pid`'s filter to who listens at listenerPath, then lets
 * the process, which waits at `sock`, go on. */
int rt_notify(struct rt_container *c, enum rt_status status, pid_t pid, int listener, int sock,
	      struct err *e);

/* status.c */
enum rt_event {
	RT_EV_START,
	RT_EV_EXEC,
	RT_EV_KILL,
	RT_EV_CHECKPOINT,
	RT_EV_PAUSE,
	RT_EV_RESUME,
	RT_EV_UPDATE,
	RT_EV_PIDS,
	RT_EV_STATS,
	RT_EV_DELETE,
	RT_EVENTS
};
int rt_status(struct rt_container *c, enum rt_status *ret_status, struct err *e);
/* ERR_STATE with the text of the table when the status forbids the event. */
int rt_allow(const char *id, enum rt_status s, enum rt_event ev, struct err *e);
/* rt_open, when the status allows the event. */
int rt_open_for(struct rt_container *c, const struct rt_env *env, const char *id, unsigned flags,
		enum rt_event ev, enum rt_status *ret_status, struct err *e);
/* Told to env->warn: capabilities that nobody knows. */
void rt_warn_caps(const struct rt_container *c, const struct spec_process *p);
/* The process that state.json names, as a pidfd that is surely it. -ESRCH when it is gone. */
int rt_pidfd(pid_t pid, uint64_t ticks, int *ret_pidfd, struct err *e);
/* Kills (when kill) and waits for the end of a process; reaps it when it is our child. */
int rt_end(int pidfd, bool kill, struct err *e);
/* Ends the process that we made ourselves, if we did: its record may not have been written. */
int rt_end_child(struct rt_container *c, struct err *e);

/* hooks.c: `kind` is the property's name; the state document goes to standard input. All of them
 * in order, stops at the first failure: ERR_HOOK. `at` may be NULL. */
struct rt_hook_place {
	const char *dir; /* where they run, if it is still there; NULL: where we are */
	const int *out;  /* two descriptors for what they print, or NULL; -1: a message of ours */
};
int rt_hooks(const struct spec_hook_list *l, const char *kind, const struct strbuf *state,
	     const struct rt_hook_place *at, struct err *e);
/* The hooks of the host run in the bundle, as engines know it of the other runtimes. */
struct rt_hook_place rt_hook_host(const struct rt_container *c);
/* Opens what annotations say, into c->hook_out. */
int rt_hook_files(struct rt_container *c, struct err *e);
/* poststop: failures are told to env->warn and go on. */
void rt_hooks_poststop(struct rt_container *c);

/* What a container used, and the interfaces of its network. */
struct rt_netdev;
struct be_stats {
	struct cg_stats used;
	struct rt_netdev *nets;
	size_t n_nets;
};
/* Word of its kernel that it ran out of the container's memory. */
struct be_oom {
	int fd; /* poll for POLLIN; -1: nothing can tell, or tells any more */
	/* After POLLIN, until it is false: whether there was one more event. */
	bool (*read)(struct be_oom *o);
	void (*close)(struct be_oom *o);
	struct cg_oom group;    /* the shared kernel's */
	struct vm_frame *frame; /* a micro-VM's */
};
#define BE_OOM_INIT                            \
	{                                      \
		.fd = -1, .group = CG_OOM_INIT \
	}

/* netdev.c: one interface of a network namespace. */
struct rt_netdev {
	char name[16];
	uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped;
	uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped;
};
/* The text of /proc/PID/net/dev; loopback is left out. Returns how many fit. */
size_t rt_netdev_parse(const char *text, struct rt_netdev *items, size_t max);
#define RT_NETDEVS_MAX 256
/* Those of the namespace that the process is in; none where it is ours and not the container's
 * (env->own_network). */
int rt_netdevs(struct rt_container *c, struct arena *a, struct be_stats *s, struct err *e);
/* events_json.c: the document of one line of `events`. */
void rt_stats_json(const char *id, const struct be_stats *s, struct strbuf *out);
/* stats_parse.c: the same read again, from a guest that may lie: what isn't a number in its place
 * is zero, a name that isn't one is left out. data: the object of that name. */
int rt_stats_parse(struct arena *a, const struct json *data, struct be_stats *ret, struct err *e);

/* create.c */
/* Parsed, checked, accepted; nothing made yet. */
int rt_prepare(struct rt_container *c, const struct rt_create *how, struct err *e);
int rt_make(struct rt_container *c, const struct rt_create *how, struct err *e);
/* state.json and the pid file: from here on it is a container. */
int rt_commit(struct rt_container *c, struct err *e);
/* delete.c: ends it, undoes the journal, poststop hooks, removes the directory. */
int rt_destroy(struct rt_container *c, struct err *e);
/* After a failure: destroys, keeping the first error. Returns rc. */
int rt_unwind(struct rt_container *c, int rc);
/* start.c: `c` is locked; released before poststart hooks. */
int rt_start_open(struct rt_container *c, struct err *e);
int rt_write_pid_file(const char *path, pid_t pid, struct err *e);
/* Terminal and console socket must fit together. */
int rt_check_console(bool terminal, bool detach, const char *console_socket, struct err *e);
/* Descriptors 3 … 3 + n - 1 must be our caller's, never what we opened ourselves. With LISTEN_FDS
 * meant for us, more of them and the variables for the process. */
int rt_preserve_fds(struct arena *a, struct spec_process *p, unsigned asked, unsigned *ret_n,
		    struct err *e);

/* pids.c: of a container without a control group. malloc'ed, the caller frees. */
int rt_ns_pids(const struct rt_container *c, pid_t **ret_pids, size_t *ret_n, struct err *e);
/* Returns 1, or 0 when the container has no pid namespace of its own. */
int rt_ns_signal(const struct rt_container *c, int sig, struct err *e);

/* run.c: the rest of a foreground `run` or `restore`: waits, deletes unless `keep`. Returns the
 * exit code. signals: from rt_signals_hold; notify: as in struct rt_foreground. */
int rt_wait_and_delete(struct rt_container *c, bool keep, int signals, int notify, struct err *e);
/* Orphans of a container without a pid namespace of its own come to us. */
int rt_adopt_orphans(const struct spec *s, struct err *e);

/* foreground.c: lends our terminal and our signals to a process until it ends. */
struct rt_foreground {
	int pidfd;
	pid_t pid;
	int master;    /* owned by the caller, -1: no terminal */
	int notify;    /* from rt_sdnotify_bind, or -1 */
	int signals;   /* signalfd from rt_signals_hold */
	bool size_set; /* the spec chose the size of the terminal */
};
/* Blocks the signals that are to be forwarded; *ret_fd reads them. */
int rt_signals_hold(int *ret_fd, struct err *e);
int rt_foreground(struct rt_foreground *f, struct err *e);

/* user.c: names of the passwd(5) and group(5) files given as text. */
/* "uid[:gid]" or names. NULL texts: numbers only. The gid of a number alone stays as it is. */
int rt_parse_user(const char *word, const char *passwd, const char *group, struct spec_user *u,
		  struct err *e);
/* With the files below /proc/PID/root of its first process. */
int rt_user_inside(struct rt_container *c, const char *word, struct spec_user *u, struct err *e);

/* pidfd_socket.c: *ret_fd stays as it is when nobody wants it; the word tells its receiver what it
 * is. */
int rt_pidfd_connect(const char *path, const struct spec *s, int *ret_fd, struct err *e);
int rt_pidfd_send(int sock, int pidfd, const char *word, struct err *e);

/* sdnotify.c: without NOTIFY_SOCKET in our environment they do nothing. */
/* The mount, the variable. `mounted`: also without it, for the images of a restore have the mount.
 */
int rt_sdnotify_prepare(struct rt_container *c, bool mounted, struct err *e);
int rt_sdnotify_bind(struct rt_container *c, int *ret_fd, struct err *e); /* before the START */
/* What came at the socket goes on to the manager; true when READY=1 was among it. */
bool rt_sdnotify_read(int fd, pid_t pid);
/* One message (changed by it), as it is passed on. */
bool rt_sdnotify_pass(char *message, pid_t pid, struct strbuf *out);
/* A checkpoint: has the container the mount? Then its spec has it from here on. */
int rt_sdnotify_mounted(struct rt_container *c, bool *ret_mounted, struct err *e);
/* Tells the manager that the program is ready, and its pid: a restored one said so long ago, one
 * with a kernel of its own can't. */
void rt_sdnotify_ready(pid_t pid);
/* Until READY=1 came or the process ended. */
int rt_sdnotify_wait(struct rt_container *c, int fd, struct err *e);

/* socket.c: unix sockets at paths longer than an address holds. */
int rt_socket_listen(int dir, const char *name, int type, int *ret_fd, struct err *e);
int rt_socket_connect(int dir, const char *name, int type, int *ret_fd, struct err *e);
int rt_console_connect(const char *path, int *ret_fd, struct err *e);

/* shared.c, microvm.c */
extern const struct be_ops be_shared, be_microvm, be_joined;
/* microvm_join.c: takes a container out of its pod's machine; arg: the record's. */
int be_vm_unjoin(struct rt_container *c, const char *arg, struct err *e);
/* undo.c: the journal backwards. */
int rt_undo(struct rt_container *c, struct err *e);

#endif
