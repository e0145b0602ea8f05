/* namespaces/process.h: a process about to become the container's program: shared by the first
 * process and by exec. */
#ifndef RF_NAMESPACES_PROCESS_H
#define RF_NAMESPACES_PROCESS_H

#include "namespaces/internal.h"

#include <stdbool.h>
#include <stdint.h>

/* A spec without the object asks for none. */
struct ns_caps {
	uint64_t bounding, effective, permitted, inheritable, ambient;
};

/* What the steps of PLAN_PROCESS need. Filled once, before the process gives up anything. */
struct ns_process {
	const struct spec *spec;
	const struct spec_process *process;
	struct ns_filter filter;
	struct ns_caps caps;
	int root;   /* O_PATH of the container's root */
	int procfs; /* own procfs, or -1 */
	int sync;   /* where the listener of a filter that notifies goes */
	unsigned preserve_fds;
	bool no_new_keyring;
	bool oom_done;    /* oom_score_adj was set from outside */
	uint64_t ignored; /* signals to be reset, by ns_signals_ignored */
	const char *cpus; /* exec only: where it runs at last; "": wherever its group may; NULL: as
			     it is */
	bool cwd_left;    /* cwd is to be entered as the user */
	const char *path; /* args[0] resolved, by ns_process_resolve */
	const char **env; /* NULL-terminated, HOME added when it was missing */
};

/* caps.c */
void ns_caps_resolve(const struct spec_caps *caps, struct ns_caps *ret_caps);
int ns_caps_drop_bounding(const struct ns_caps *caps, struct err *e);
/* Makes effective again what a change of uid left permitted. */
int ns_caps_raise(struct err *e);
int ns_caps_apply(const struct ns_caps *caps, struct err *e);

/* command.c: args[0] → a path, as execvp would with the spec's PATH; texts that engines match */
int ns_process_resolve(struct arena *a, struct ns_process *p, struct err *e);

/* user.c */
/* Home of a uid from /etc/passwd in the root, or "/" when it has none. Never fails. */
const char *ns_user_home(struct arena *a, int root, uint32_t uid);

/* signals.c */
/* Signals that this process ignores: bit n-1 for signal n. */
uint64_t ns_signals_ignored(void);
/* The same from the text of /proc/PID/status. */
uint64_t ns_signals_parse(const char *status);
void ns_signals_reset(uint64_t ignored);

/* placement.c */
#define NS_BITS 8192
struct ns_bits {
	unsigned long words[NS_BITS / (8 * sizeof(unsigned long))];
};
/* "0-3,7" */
int ns_bits_parse(const char *list, struct ns_bits *ret_bits, struct err *e);
/* "": on all CPUs that the group has. */
int ns_run_on(const char *cpus, struct err *e);
int ns_memory_policy(const struct spec_memory_policy *m, struct err *e);

/* label.c */
bool ns_label_selinux(void);
/* The label that a new file system gets where there is SELinux; NULL: none. */
const char *ns_label_mount(const char *label, const char *type, const struct ns_mount_opts *o);
int ns_label_accept(const struct spec_process *p, const char *pointer, struct err *e);
bool ns_label_wanted(const struct spec_process *p);
int ns_label_apply(int procfs, const struct spec_process *p, struct err *e);

/* maps.c */
/* The text of a map file. */
void ns_maps_text(struct strbuf *b, const struct spec_id_maps *maps);
/* True when a container id is mapped. */
bool ns_maps_have(const struct spec_id_maps *maps, uint32_t id);
/* True for an unprivileged caller's map of his own group alone: written without help, it costs
 * setgroups(2). */
bool ns_maps_only_own(const struct spec_id_maps *gids);
/* maps_helper.c */
/* Lets newuidmap(1) or newgidmap(1), called `name`, map the ids of process `pid`, a child of ours
 * that waits. */
int ns_maps_by_helper(const char *name, pid_t pid, const struct spec_id_maps *maps, struct err *e);
/* The first absolute directory of `path` (a list as $PATH) that has an executable file `name`.
 * False: none. */
bool ns_maps_find_helper(const char *path, const char *name, char *buf, size_t size);
/* What a helper printed, as one line without its end; in place. */
void ns_maps_one_line(char *text);

/* process.c */
/* p->env: the spec's, with HOME from the container's passwd when it has none. */
int ns_process_env(struct arena *a, struct ns_process *p, struct err *e);
/* True when a step writes to p->procfs. */
bool ns_process_needs_procfs(const struct spec_process *p);
/* Runs every step in order. After it the process is what the spec says; only execve is left. */
int ns_process_apply(struct ns_process *p, struct err *e);
/* apply + descriptors + execve. Returns only on failure. */
int ns_process_exec(struct arena *a, struct ns_process *p, struct err *e);

/* terminal.c */
/* Opens a pty of the container's devpts, makes the slave the controlling terminal on 0, 1, 2.
 * *ret_master is owned by the caller, ret_name (at least 32 bytes) its path in the container. */
int ns_terminal_open(const struct ns_process *p, int *ret_master, char *ret_name, size_t size,
		     struct err *e);
/* Puts the slave (descriptor 0) on /dev/console of the container. */
int ns_terminal_console(int root, struct err *e);
/* Hands the master to the console socket, or to the runtime (console_fd: -1) over the pair. plain:
 * its newlines are left as they are. */
int ns_terminal_deliver(int master, const char *name, int console_fd, bool plain, int sync,
			struct err *e);

/* seccomp.c, seccomp_cache.c */
/* True when the cache held the program: its code is then in the arena. Any trouble: false. */
bool ns_filter_cached(struct arena *a, const struct spec_seccomp *s, const char *cache_dir,
		      struct ns_filter *f);
/* Keeps a compiled program. Best effort: a cache that can't be written costs time, nothing else. */
void ns_filter_keep(const struct spec_seccomp *s, const char *cache_dir, const struct ns_filter *f);
/* seccomp_raw.c: the program in base64, into the arena; refused when it isn't whole. */
int ns_filter_raw(struct arena *a, const char *text, struct ns_filter *ret_filter, struct err *e);
/* Refuses, by pointer, what isn't applied. */
int ns_filter_accept(const struct spec_seccomp *s, struct err *e);
/* A filter that notifies: the listener's descriptor; else 0. */
int ns_filter_load(const struct ns_filter *f, struct err *e);

#endif
