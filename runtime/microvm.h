/* runtime/microvm.h: what the files of the micro-VM backend share (docs/design/03-microvm.md). */
#ifndef RF_RUNTIME_MICROVM_H
#define RF_RUNTIME_MICROVM_H

#include "microvm/fs.h"
#include "runtime/container.h"

/* The size of the machine, from the spec: config-vm.md, else the limits, else the host. */
struct be_vm_shape {
	uint64_t memory; /* bytes */
	unsigned vcpus, cards;
	const char *kernel, *parameters; /* path; words or NULL */
	const char *initrd;              /* the user's, or NULL */
	/* What be_vm_modules found: the version of a bzImage and the folder of its modules, or
	 * NULL. */
	const char *version, *modules;
};
int be_vm_shape(struct rt_container *c, struct be_vm_shape *ret, struct err *e);

/* microvm_kernel.c: kernel and initrd, by their paths. */
int be_vm_kernel(struct rt_container *c, struct be_vm_shape *s, struct err *e);
/* An archive with the modules of that kernel for its guest; *ret_fd stays as it is when it has
 * none. */
int be_vm_modules(struct rt_container *c, struct be_vm_shape *s, int kernel, int *ret_fd,
		  struct err *e);

/* microvm_template.c: a machine to go on from (from), or a file to write one down in (to); -1:
 * none. */
struct be_vm_template {
	int dir, from, to;
	char name[40], making[64];
};
#define BE_VM_TEMPLATE_INIT                     \
	{                                       \
		.dir = -1, .from = -1, .to = -1 \
	}
void be_vm_template_open(const struct be_vm_shape *s, struct be_vm_template *ret);
/* works: the container was made; else what it came from is given up. */
void be_vm_template_close(struct be_vm_template *t, const struct be_vm_shape *s, bool works);

/* What the guest sees of the host's files. */
struct be_vm_shares {
	struct vm_share *items; /* the arena's; descriptors closed by be_vm_shares_close */
	size_t n;
};
/* Refuses, by JSON pointer, what a machine of its own can't honour. */
int be_vm_accept(struct rt_container *c, struct err *e);
/* Opens the root and every bind mount's source, and writes the text of the guest's config.json. */
int be_vm_bundle(struct rt_container *c, struct be_vm_shares *ret, struct strbuf *ret_config,
		 struct err *e);
void be_vm_shares_close(struct be_vm_shares *s);
/* The spec as the host's control group is to take it: room for the machine around the limits. */
struct spec *be_vm_host_spec(struct rt_container *c, const struct be_vm_shape *s, struct err *e);

int be_vm_create(struct rt_container *c, const struct rt_create *how, struct err *e);
int be_vm_exec(struct rt_container *c, const struct rt_exec *how, pid_t *ret_pid, int *ret_pidfd,
	       int *ret_master, struct err *e);
/* A connection to the agent of a container's machine. -ECONNREFUSED, -ENOENT when it is gone. */
int be_vm_connect(struct rt_container *c, int *ret_fd, struct err *e);
/* One request and its answer, on a connection of its own. */
struct json;
int be_vm_call(struct rt_container *c, const struct strbuf *request, const struct json **ret_ok,
	       struct err *e);

#endif
