/* namespaces/internal.h: what the files of this room share with each other only. */
#ifndef RF_NAMESPACES_INTERNAL_H
#define RF_NAMESPACES_INTERNAL_H

#include "namespaces/ns.h"

#include <stdint.h>

/* Opened in N2 by the runtime's process, inherited by the child through the clone. */
struct ns_prepared {
	int rootfs_tree; /* open_tree(OPEN_TREE_CLONE | AT_RECURSIVE) of the rootfs, detached */
	int *sources;    /* per spec mount: detached clone of the bind source, or -1 */
	size_t n_sources;
	int *devices; /* in a user namespace, which may not mknod: clones of the host's nodes */
	size_t n_devices;
	int joined[SPEC_NS_MAX]; /* per namespace type: descriptor of the path to join, or -1 */
	uint64_t clone_flags;    /* CLONE_NEW* of the new ones */
	struct ns_filter filter; /* seccomp */
	bool keep_groups;        /* the caller's supplementary groups stay */
	uint64_t ignored;        /* signals that the runtime's caller ignores */
};

/* Context of the PLAN_BUILD, PLAN_ROOT and PLAN_PROCESS steps of this room
 * (plan_env.room[PLAN_NS]), in the child. */
struct ns_child_ctx {
	struct ns_launch *launch;
	const struct spec *spec;
	int root; /* O_PATH of the container's root: the attached rootfs mount; valid to the end */
	int procfs; /* our own procfs of the new pid namespace (proc_open), or -1 */
	int sync;   /* our end of the pair */
	int master; /* pty, -1 */
	int mask;   /* the empty read-only tmpfs over masked directories, once it stands, or -1 */
	bool has_dev, has_null;
	int dev;  /* when has_dev: root of a fresh tmpfs on /dev, in which nobody else made anything
		   */
	int null; /* when has_null: the container's /dev/null, seen to be device 1:3 */
};

/* words.c: CLONE_NEW* of a type */
uint64_t ns_clone_flag(enum spec_ns type);
/* join.c: setns(2) into the namespaces that are joined by path; `pid`: the pid namespace too, for
 * children. Becomes root of a user namespace that it enters. */
int ns_join_paths(const struct ns_prepared *p, bool pid, struct err *e);
/* Root of the user namespace that we are in: ids 0, no groups, not dumpable. */
int ns_become_root(bool keep_groups, struct err *e);
/* spawn.c: receives the child that a helper of ours made with CLONE_PARENT and announced by
 * SYNC_PID; reaps the helper. *c: pid and pidfd, which is the caller's also on failure. */
int ns_take_child(pid_t helper, int sync, struct ns_child *c, struct err *e);
/* spawn.c: a helper joins namespaces and enters the group, the child is born there */
bool ns_needs_helper(const struct ns_prepared *p);
/* child.c: N5 to N10. Never returns. */
_Noreturn void ns_child_main(struct ns_launch *l, int sync);

/* rootfs.c, mount.c, device.c, mask.c, sysctl.c: steps of BUILD and ROOT --------------------- */
int ns_plan_root(struct plan *p, const struct spec *s, const char *rootfs, struct err *e);
/* Last of ROOT: read-only, propagation. */
int ns_plan_cwd(struct plan *p, const struct spec *s, struct err *e);
int ns_plan_root_end(struct plan *p, const struct spec *s, struct err *e);
int ns_plan_mounts(struct plan *p, const struct spec *s, const char *bundle, struct err *e);
int ns_plan_devices(struct plan *p, const struct spec *s, struct err *e);
int ns_plan_masks(struct plan *p, const struct spec *s, struct err *e);
int ns_plan_kernel(struct plan *p, const struct spec *s,
		   struct err *e); /* hostname, domainname, sysctl */
/* Every node that /dev must have: the defaults, then the spec's. */
int ns_prepare_devices(struct ns_launch *l, struct err *e);
/* True when the spec binds something over /dev: then its nodes are the engine's business. */
bool ns_dev_is_bound(const struct spec *s);
bool ns_has_user(const struct spec *s); /* a user namespace, new or joined */

/* mount_options.c */
struct ns_mount_opts {
	uint64_t attr_set, attr_clr; /* MOUNT_ATTR_*, this mount */
	uint64_t rec_set, rec_clr;   /* the same with everything below: rro, rnosuid … */
	uint64_t propagation;        /* MS_PRIVATE …, 0: none asked for */
	bool propagation_rec;
	bool bind, rbind, remount, tmpcopyup, idmap, idmap_rec;
	const char **fs; /* what is left for the file system: "size=64k", "hidepid=2" */
	size_t n_fs;
	const char *label;      /* SELinux label of the file system, or NULL */
	const char *label_type; /* the option that it is given by, NULL: context */
};
/* MS_* of a propagation word ("rslave"), 0: none. */
uint64_t ns_propagation(const char *word, bool *ret_recursive);
/* Parses the words of one mount. Words that aren't in the table are the file system's; a bind
 * mount has none. `pointer` is the mount's. */
int ns_mount_opts_parse(struct arena *a, const struct spec_mount *m, const char *pointer,
			struct ns_mount_opts *ret_opts, struct err *e);
/* Sets attributes and propagation on a mount that isn't attached yet. */
int ns_mount_apply(int tree, const struct ns_mount_opts *o, struct err *e);

/* cgroup_mount.c, copyup.c */
int ns_mount_cgroup(struct ns_child_ctx *c, const struct spec_mount *m,
		    const struct ns_mount_opts *o, int target, struct err *e);
/* Copies the tree at `from` (a directory of the container's root) into `to`. */
int ns_copy_up(int from, int to, const struct ns_mount_opts *o, struct err *e);
/* mount_host.c: after EPERM, with its message in *e, for a fresh file system: the host's, where it
 * shows no more than the container's namespaces do. Returns the detached tree, or -EPERM. */
int ns_mount_shared(const struct spec *s, const char *type, const struct ns_mount_opts *o,
		    struct err *e);
/* A detached mount of a fresh file system with its options; *o may be NULL. */
int ns_fs_mount(const char *type, const char *source, const struct ns_mount_opts *o, struct err *e);

/* mount_page.c */
/* True for words that fsconfig(2) doesn't take. */
bool ns_needs_page(const struct ns_mount_opts *o);
/* The same by mount(2), whose options fill a page; `stage` is a directory to stand on meanwhile.
 * The caller's mount namespace is its own, and no mount of it is shared. */
int ns_page_mount(const char *stage, const char *type, const char *source,
		  const struct ns_mount_opts *o, struct err *e);

int ns_accept_mounts(const struct spec *s, struct err *e);
int ns_prepare_root(struct ns_launch *l, struct err *e); /* rootfs_tree */
/* mount_source.c, idmap.c */
int ns_prepare_sources(struct ns_launch *l, struct err *e); /* sources */
/* Opens the bind source of mount `index` with its attributes set. Returns the detached tree. */
int ns_open_source(const struct ns_launch *l, size_t index, const struct ns_mount_opts *o,
		   struct err *e);
/* True when opening a host tree failed with rc because the caller may not clone mounts of his mount
 * namespace: the child, which rules its own, opens the tree itself. */
bool ns_child_opens(int rc);
/* Maps the ids of a detached tree: the mount's own maps, or those of the container. */
int ns_idmap(const struct ns_launch *l, const struct spec_mount *m, int tree, bool recursive,
	     struct err *e);
/* N7, between BUILD and ROOT: pivot_root (or MS_MOVE + chroot with no_pivot), old root detached. */
int ns_pivot(struct ns_child_ctx *c, struct err *e);

/* process.c, caps.c, seccomp.c, terminal.c, user.c …: steps of PROCESS, shared with exec ----- */
int ns_plan_process(struct plan *p, const struct spec *s, struct err *e);
/* oom_score_adj of a process that we may still look into: our own, or our child before it hides. A
 * process that isn't dumpable can't write its own from within a user namespace. */
int ns_oom_of(pid_t pid, const struct spec_process *p, bool rootless, struct err *e);
int ns_accept_process(const struct spec *s, const struct spec_process *p, const char *pointer,
		      struct err *e);
/* Compiles the filter (libseccomp), from the cache by content when cache_dir is set. */
int ns_filter_compile(struct arena *a, const struct spec_seccomp *s, const char *cache_dir,
		      struct ns_filter *ret_filter, struct err *e);

#endif
