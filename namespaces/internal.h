/* namespaces/internal.h: what the files of this room share with each other only. */
#ifndef RF_NAMESPACES_INTERNAL_H
#define RF_NAMESPACES_INTERNAL_H

#include "namespaces/ns.h"

#include <stdint.h>

/* Opened in N2 by the runtime's process, inherited by the child through the clone. */
struct ns_prepared {
	int rootfs_tree; /* open_tree(OPEN_TREE_CLONE | AT_RECURSIVE) of the rootfs, detached */
	int *sources;	 /* per spec mount: detached clone of the bind source, or -1 */
	size_t n_sources;
	int joined[SPEC_NS_MAX]; /* per namespace type: descriptor of the path to join, or -1 */
	uint64_t clone_flags;	 /* CLONE_NEW* of the new ones */
	struct ns_filter filter; /* seccomp */
};

/* Context of the PLAN_BUILD, PLAN_ROOT and PLAN_PROCESS steps of this room (plan_env.room[PLAN_NS]),
 * in the child. */
struct ns_child_ctx {
	struct ns_launch *launch;
	const struct spec *spec;
	int root;   /* O_PATH of the container's root: the attached rootfs mount; valid to the end */
	int procfs; /* our own procfs of the new pid namespace (proc_open), or -1 */
	int sync;   /* our end of the pair */
	int master; /* pty, -1 */
};

/* rootfs.c, mount.c, device.c, mask.c, sysctl.c: steps of BUILD and ROOT --------------------- */
int ns_plan_root(struct plan *p, const struct spec *s, const char *rootfs, struct err *e);
int ns_plan_mounts(struct plan *p, const struct spec *s, const char *bundle, struct err *e);
int ns_plan_devices(struct plan *p, const struct spec *s, struct err *e);
int ns_plan_masks(struct plan *p, const struct spec *s, struct err *e);
int ns_plan_kernel(struct plan *p, const struct spec *s, struct err *e); /* hostname, domainname, sysctl */
int ns_accept_mounts(const struct spec *s, struct err *e);
int ns_prepare_root(struct ns_launch *l, struct err *e);    /* rootfs_tree */
int ns_prepare_sources(struct ns_launch *l, struct err *e); /* sources */
/* N7, between BUILD and ROOT: pivot_root (or MS_MOVE + chroot with no_pivot), old root detached. */
int ns_pivot(struct ns_child_ctx *c, struct err *e);

/* process.c, caps.c, seccomp.c, terminal.c, user.c: steps of PROCESS, shared with exec ------- */
int ns_plan_process(struct plan *p, const struct spec *s, struct err *e);
int ns_accept_process(const struct spec *s, const struct spec_process *p, const char *pointer,
		      struct err *e);
/* Compiles the filter (libseccomp), from the cache by content when cache_dir is set. */
int ns_filter_compile(struct arena *a, const struct spec_seccomp *s, const char *cache_dir,
		      struct ns_filter *ret_filter, struct err *e);

#endif
