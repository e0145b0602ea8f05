/* microvm/relay.h: carries the standard streams, signals and window sizes of one process in the
 * guest, and brings back its wait status. The monitor runs one for the container's first process,
 * exec one for its own.
 *
 * Invariants
 *  1. Nothing that one end doesn't do holds up another: a full output stops its own stream, an
 *     input that never ends nothing at all.
 *  2. Output isn't lost: the relay ends when each output stream is at its end and written, and
 *     `wait` has answered. An output that can't be written any more (EPIPE) is read and dropped,
 *     and the agent asked to close it (`yes | head` ends), as is a terminal that was hung up.
 *  3. The agent is hostile: it can send wrong or no answers, and loses only its own streams by it.
 */
#ifndef RF_MICROVM_RELAY_H
#define RF_MICROVM_RELAY_H

#include "common/err.h"

#include <stdbool.h>

struct vm_device;

struct vm_relay {
	/* Opens one more stream to the agent: a stream socket, which becomes the relay's, or a
	 * negative errno. */
	int (*open)(void *arg, struct err *e);
	void *arg;
	const char *id;      /* of the container */
	const char *process; /* "init", or what exec answered */
	/* All borrowed, blocking or not; -1: none. */
	int stdio[3]; /* of a process with pipes: read, written, written */
	int terminal; /* of one with a terminal, instead of stdio: both ways, in raw mode */
	/* A signalfd(2), or a pipe of struct signalfd_siginfo: SIGWINCH brings the terminal's size
	 * to the guest, any other signal is sent to the process. */
	int signals;
	bool holds; /* the process is to be killed when the caller ends before it */
	/* The agent can let go of the streams while the process lives (its verb `detach`): quiet
	 * (or NULL) is told that all output so far is written; an eventfd (-1: none) says that the
	 * streams are to be asked for again. */
	void (*quiet)(void *arg, bool quiet);
	int again;
};

/* Until the process has ended: 0, with its wait status (wait(2)) in *ret_status. What failed
 * otherwise: a stream that the agent refused, or -EPIPE when the guest ended first. Changes no
 * descriptor's flags but its own streams'. SIGPIPE is blocked in the calling thread meanwhile, and
 * its own are never forwarded. */
int vm_relay(const struct vm_relay *r, int *ret_status, struct err *e);

/* Ways to open. arg: const int *, the O_PATH descriptor of the agent's socket (through
 * /proc/self/fd). */
int vm_relay_open_path(void *arg, struct err *e);
/* The same for a process in vm_jail_stand(), which has no /proc. */
int vm_relay_open_here(void *arg, struct err *e);
/* In the monitor, on any thread but the loop's: arg: struct vm_device *, the vsock device. Takes
 * the loop's lock. */
int vm_relay_open_device(void *arg, struct err *e);

#endif
