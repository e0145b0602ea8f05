/* runtime/microvm_process.h: the machine's own process, between the runtime and microvm/. */
#ifndef RF_RUNTIME_MICROVM_PROCESS_H
#define RF_RUNTIME_MICROVM_PROCESS_H

#include "microvm/devices.h"
#include "runtime/microvm.h"

/* What the process is given; all descriptors are its own from the clone on. */
struct be_vm_parts {
	int net; /* network namespace to be in, or -1: it is in a new one */
	int kvm, kernel, program, agent, log;
	int files;           /* listening: shares come and go by it */
	int control;         /* listening: the machine is written down by it */
	int held;            /* what a machine that goes on held of the files, or -1 */
	int initrd, modules; /* unpacked before the agent: the user's; the kernel's; or -1 */
	int terminal;        /* slave of the container's pty, or -1 */
	/* To the runtime: GO comes with the number of network cards, then each as a tap with its
	 * struct vm_net_how, then GO with a template (1: to go on from, 0: to write) if any, then
	 * START (1: AGAIN was heard); end of file before that ends it. From it, of a machine that
	 * goes on from a template: AGAIN when it couldn't, and another boots; else READY after
	 * START. ERROR at its end, if it isn't the container's. */
	int sync;
	struct be_vm_image image;
	struct be_vm_shares shares;
	const struct be_vm_shape *shape;
};
#define BE_VM_CARDS 4u
#define BE_VM_PARTS_INIT                                                                          \
	{                                                                                         \
		.net = -1, .kvm = -1, .kernel = -1, .program = -1, .agent = -1, .log = -1,        \
		.files = -1, .control = -1, .held = -1, .terminal = -1, .sync = -1, .initrd = -1, \
		.modules = -1, .image = {                                                         \
			.fd = -1                                                                  \
		}                                                                                 \
	}

/* In the cloned process: becomes the monitor, and ends as the container's first process ended. */
_Noreturn void be_vm_process(struct rt_container *c, const struct be_vm_parts *p,
			     const struct plan *plan, const struct plan_env *env);

/* A process of ours that stands on the host for one in the guest: lends it its streams, passes
 * signals on, and ends as it does. */
struct be_vm_stand {
	int agent; /* be_vm_agent */
	const char *id, *process;
	int terminal; /* or -1 */
	int sync;     /* begins when START comes there, ends at its end; -1: at once */
	bool holds;   /* the process in the guest ends with it, and it with the machine */
	bool outside; /* its network namespace is its maker's: it gets one of its own */
};
_Noreturn void be_vm_stand_in(const struct be_vm_stand *s);

/* A pty of the host's, raw: the guest's has the line discipline. */
int be_vm_pty(const struct spec_process *p, int *ret_master, int *ret_slave, struct err *e);
/* All signals but those that can't be are read from *ret_fd from now on. */
int be_vm_signals(int *ret_fd, struct err *e);
/* Ends this process as wait(2) says that the other ended; where it can't die by that signal, with
 * 128 and the signal. */
_Noreturn void be_vm_end_as(int status);
/* Of a process that ends without knowing how the one in the guest did: why, for whoever still
 * listens at sync (a `run` in the foreground), else for the log. -1: none. */
void be_vm_last_words(int sync, int log, const struct err *e);
/* Closes every descriptor from 3 on that isn't in keep (n of them, in any order); without memory
 * the process ends. */
void be_vm_close_others(const int *keep, size_t n);

#endif
