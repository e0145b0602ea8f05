/* runtime/microvm.h: what the files of the micro-VM backend share (docs/design/03-microvm.md). */
#ifndef RF_RUNTIME_MICROVM_H
#define RF_RUNTIME_MICROVM_H

#include "microvm/fs.h"
#include "runtime/container.h"
#include "spec/json.h"

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
/* ERR_SPEC: it isn't what a kernel unpacks. */
int be_vm_initrd_check(int fd, struct err *e);
/* An archive with the modules of that kernel for its guest; *ret_fd stays as it is when it has
 * none. */
int be_vm_modules(struct rt_container *c, struct be_vm_shape *s, int kernel, int *ret_fd,
		  struct err *e);

/* microvm_image.c: the image that is the container's root. */
struct be_vm_image {
	int fd; /* -1: none */
	bool qcow2, read_only;
};
int be_vm_image_accept(const struct spec *s, struct err *e);
/* For a spec that has one. */
int be_vm_image_open(struct rt_container *c, struct be_vm_image *ret, struct err *e);

/* microvm_template.c: a machine to go on from (from), or a file to write one down in (to); -1:
 * none. */
struct be_vm_template {
	int dir, from, to;
	char name[40];
};
#define BE_VM_TEMPLATE_INIT                     \
	{                                       \
		.dir = -1, .from = -1, .to = -1 \
	}
void be_vm_template_open(const struct be_vm_shape *s, struct be_vm_template *ret);
/* works: the container was made; else what it came from is given up. */
void be_vm_template_close(struct be_vm_template *t, const struct be_vm_shape *s, bool works);

/* What the processor is, for things that belong to its kind. */
void be_vm_processor(struct strbuf *b);

/* microvm_checkpoint.c: a machine that was written down, with its container. */
struct be_vm_saved {
	int machine, files; /* images; -1: none */
	const char *id;     /* of the container, as its machine knows it */
	char program[17], processor[17];
	uint64_t memory;
	unsigned vcpus;
	bool terminal;
	uint8_t (*macs)[6]; /* of its network cards; the arena's */
	size_t n_cards;
};
int be_vm_checkpoint(struct rt_container *c, const struct rt_criu *how, struct err *e);
/* Opens the images of a container that is to be made of them. ERR_NOTFOUND: there are none;
 * ERR_UNSUPPORTED: of another build or processor. */
int be_vm_saved_open(struct rt_container *c, const struct rt_criu *how, struct be_vm_saved *ret,
		     struct err *e);
void be_vm_saved_close(struct be_vm_saved *s);
/* microvm_launch.c: in the place of create and start. */
int be_vm_restore(struct rt_container *c, const struct rt_create *create, const struct rt_criu *how,
		  struct err *e);
/* The container's id as its machine knows it: a restored one's may be another. */
const char *be_vm_inside(const struct rt_container *c);

/* microvm_pod.c: a pod is one machine, that of its sandbox; the other containers join it. */
struct be_vm_pod {
	struct rt_container machine; /* the sandbox's */
	const char *owner;           /* of what the container brings: a name in the machine */
	pid_t guest_pid;             /* of the sandbox's first process, as the guest counts */
};
/* The sandbox that the annotations of an engine name ("" when they forget to), NULL: it has a
 * machine of its own. */
const char *be_vm_sandbox(const struct spec_pairs *annotations);
/* The pod's sandbox itself, by the same words? */
bool be_vm_is_sandbox(const struct spec *s);
/* Opens the machine that a container's annotations name: created or running, and not paused. */
int be_vm_pod_open(struct rt_container *c, struct be_vm_pod *ret, struct err *e);
void be_vm_pod_close(struct be_vm_pod *p);
/* Does the path mean the sandbox's own namespace? It may be one that the sandbox names by path
 * itself. */
bool be_vm_pod_has(struct be_vm_pod *p, const struct spec_namespace *ns);
/* "/proc/PID/ns/WORD" for the guest. */
const char *be_vm_guest_ns(struct arena *a, pid_t pid, enum spec_ns type);
/* Whose machine c is in: c itself, or its pod's sandbox, opened into *room, which is to be closed
 * by rt_close() in any case. -ENOENT: the sandbox is gone. */
int be_vm_machine(struct rt_container *c, struct rt_container *room, struct rt_container **ret,
		  struct err *e);
/* Is there more than one container in its machine? */
bool be_vm_has_company(struct rt_container *c);

/* microvm_pinned.c: ipc and uts namespaces that a sandbox names by path. Refuses what the guest's
 * new one can't stand for. */
int be_vm_pinned_accept(const struct spec_namespace *ns, const char *pointer, struct err *e);
/* The names (the arena's) that were set in a pinned uts namespace; NULL stays where the spec has
 * its own, or there are none. */
int be_vm_pinned_names(struct rt_container *c, const char **ret_host, const char **ret_domain,
		       struct err *e);

/* What the guest sees of the host's files. */
struct be_vm_shares {
	struct vm_share *items; /* the arena's; descriptors closed by be_vm_shares_close */
	const char **pointers;  /* of the paths that they stand for */
	size_t n;
};
/* Refuses descriptors that the caller wants passed (--preserve-fds, LISTEN_FDS). */
int be_vm_accept_fds(const struct rt_container *c, struct err *e);
/* Refuses, by JSON pointer, what a machine with a kernel of its own can't honour; and such
 * descriptors. pod: NULL, or what it joins. */
int be_vm_accept(struct rt_container *c, struct be_vm_pod *pod, struct err *e);
/* Opens the root and every bind mount's source. */
int be_vm_shares_open(struct rt_container *c, const struct be_vm_pod *pod, struct be_vm_shares *ret,
		      struct err *e);
/* Writes the text of the guest's config.json, in which the shares have the names that they have. */
int be_vm_config(struct rt_container *c, const struct be_vm_pod *pod, const struct be_vm_shares *s,
		 struct strbuf *ret_config, struct err *e);
void be_vm_shares_close(struct be_vm_shares *s);
/* The limits as the host's group is to have them, around a machine of so much memory (bytes). */
void be_vm_host_resources(struct spec_resources *r, uint64_t memory);
/* The spec as the host's control group is to take it: room for the machine around the limits. */
struct spec *be_vm_host_spec(struct rt_container *c, const struct be_vm_shape *s, struct err *e);

/* A terminal without a size of its own gets the caller's, before the program can ask. */
void be_vm_sized(struct spec_process *p);

int be_vm_create(struct rt_container *c, const struct rt_create *how, struct err *e);
/* microvm_launch.c: steps that a joining container takes as well. */
int be_vm_note(void *arg, const char *record, struct err *e);
int be_vm_groups(struct rt_container *c, const struct spec *host, struct plan *p, struct err *e);
/* The guest's console in a container's own directory; -EEXIST: somebody planted the name. */
int be_vm_log_make(int dir, int *ret_fd, struct err *e);
int be_vm_console(struct rt_container *c, const char *socket, int *ret_terminal, struct err *e);
int be_vm_hooks(struct rt_container *c, struct err *e);
int be_vm_create_inside(struct rt_container *c, const char *config, struct err *e);
/* Makes the container's process; `run` doesn't return, and ends when `sync` does. */
int be_vm_spawn(struct rt_container *c, uint64_t flags, void (*run)(void *arg, int sync), void *arg,
		struct err *e);
/* microvm_join.c */
int be_vm_join_accept(struct rt_container *c, struct err *e);
int be_vm_join_plan(struct rt_container *c, struct plan *p, struct err *e);
int be_vm_join(struct rt_container *c, const struct rt_create *how, struct err *e);
int be_vm_join_signal(struct rt_container *c, int sig, bool all, struct err *e);
int be_vm_exec(struct rt_container *c, const struct rt_exec *how, pid_t *ret_pid, int *ret_pidfd,
	       int *ret_master, struct err *e);
/* A connection to the agent of a container's machine. -ECONNREFUSED, -ENOENT when it is gone. */
int be_vm_connect(struct rt_container *c, int *ret_fd, struct err *e);
/* The agent's socket as a path that no renaming changes (vm_relay_open_path). */
int be_vm_agent(struct rt_container *c, int *ret_fd, struct err *e);

/* microvm_ask.c: the one way to ask the agent of a machine.
 *
 *	auto_vm_request r;
 *	be_vm_request(&r, c, "signal");
 *	json_put_i64(&r.o, "signal", sig);
 *	rc = be_vm_ask(c, &r, &ok, e);
 */
struct be_vm_request {
	struct strbuf text;
	struct json_out o;   /* the request, open for more members (docs/design/03-microvm.md) */
	struct arena *arena; /* where the answer is to stand: the container's */
	unsigned patience;   /* seconds for the answer, BE_VM_PATIENCE; 0: as long as it takes */
	enum rt_event event; /* whose words say that the container has stopped: RT_EV_STATS */
	bool fresh;          /* the machine is being made: see be_vm_ask */
	bool keep;           /* more will come by the connection: */
	int fd;              /* it, the caller's once the answer is there; -1 before */
};
#define auto_vm_request __attribute__((cleanup(be_vm_request_free))) struct be_vm_request
#define BE_VM_PATIENCE 30
#define BE_VM_PATIENCE_MAKE 90 /* a boot, and the making of a container or process */
#define BE_VM_PATIENCE_GO 20   /* each first answer of one from a template */
#define BE_VM_PATIENCE_END 15  /* of who ends a container, and goes on without an answer */
/* A request for a verb about c, with what it says of itself in brackets above. */
void be_vm_request(struct be_vm_request *r, const struct rt_container *c, const char *verb);
void be_vm_request_free(struct be_vm_request *r);
/* Closes the request and sends it to the agent of c's machine, which is c's own or its pod's, on a
 * connection of its own. *ret_ok (may be NULL): the answer's object. A machine that is stopped is
 * woken for it, and stopped again. What the agent refused comes as the agent said it; besides:
 *   -ESRCH      ERR_STATE, in the words of `event`: the machine has ended
 *   -ETIMEDOUT  ERR_SYSTEM: the guest hangs
 * Of a fresh machine nothing is known yet but its socket: nobody wakes it, and its end and its
 * silence come as the socket's errors (-ECONNREFUSED, -ENOENT, -EPIPE, -ECONNRESET; -ETIME). */
int be_vm_ask(struct rt_container *c, struct be_vm_request *r, const struct json **ret_ok,
	      struct err *e);
int be_vm_pause(struct rt_container *c, bool pause, struct err *e);
/* Freezes the container inside, and lets its machine run: paused for everybody, until
 * be_vm_let_go() with what it was before. The container is locked. */
int be_vm_hold(struct rt_container *c, bool *ret_paused, struct err *e);
int be_vm_let_go(struct rt_container *c, bool paused, struct err *e);
int be_vm_paused(struct rt_container *c, bool *ret_paused, struct err *e);

/* microvm_update.c, microvm_look.c: as in struct be_ops. */
int be_vm_update(struct rt_container *c, const struct spec_resources *r,
		 const struct spec_intel_rdt *rdt, struct err *e);
int be_vm_pids(struct rt_container *c, pid_t **ret_pids, size_t *ret_n, struct err *e);
int be_vm_processes(struct rt_container *c, struct arena *a, struct rt_process **ret, size_t *ret_n,
		    struct err *e);
int be_vm_stats(struct rt_container *c, struct arena *a, struct be_stats *ret_stats, struct err *e);
int be_vm_oom(struct rt_container *c, struct be_oom *ret_oom, struct err *e);
int be_vm_user(struct rt_container *c, const char *word, struct spec_user *u, struct err *e);

#endif
