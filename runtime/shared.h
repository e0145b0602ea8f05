/* runtime/shared.h: what the files of the shared-kernel backend share. */
#ifndef RF_RUNTIME_SHARED_H
#define RF_RUNTIME_SHARED_H

#include "namespaces/ns.h"
#include "runtime/container.h"

int be_shared_plan(struct rt_container *c, struct plan *p, struct err *e);
int be_shared_checkpoint(struct rt_container *c, const struct rt_criu *how, struct err *e);
int be_shared_restore(struct rt_container *c, const struct rt_create *create,
		      const struct rt_criu *how, struct err *e);
int be_shared_create(struct rt_container *c, const struct rt_create *how, struct err *e);
int be_shared_exec(struct rt_container *c, const struct rt_exec *how, pid_t *ret_pid,
		   int *ret_pidfd, int *ret_master, struct err *e);
/* What linux.intelRdt, which the spec has, means on this host. ERR_UNSUPPORTED without resctrl. */
struct cg_resctrl;
int be_shared_resctrl(struct rt_container *c, struct cg_resctrl *ret, struct err *e);
/* Puts a process into the class of service that stands; without intelRdt it does nothing. */
int be_shared_join_resctrl(struct rt_container *c, pid_t pid, struct err *e);
/* Warns of a limit of kernel memory that the group was given and doesn't have. */
void be_shared_warn_kernel_memory(const struct rt_container *c, const struct spec_resources *r);
/* Where compiled filters are kept, or NULL. */
const char *be_shared_cache(struct rt_container *c);
/* Connected when asked for: *ret_fd is -1 otherwise. */
int be_shared_console(const char *path, int *ret_fd, struct err *e);

#endif
