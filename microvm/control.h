/* microvm/control.h: the socket by which the runtime has a running machine written down.
 *
 * SOCK_SEQPACKET in the container's directory; who reaches it is trusted, the guest mustn't. A
 * client asks for `save`, and is sent the machine in pieces: it is the client that writes the file,
 * so that neither its pages are charged to the container nor the monitor has to write one. The
 * machine stands still then, so that the file server's table can be saved too, and goes on when the
 * client says `go` or leaves.
 *
 * Invariants
 *  1. One client at a time; others wait in the backlog.
 *  2. Whoever dies in the middle leaves a machine that goes on.
 */
#ifndef RF_MICROVM_CONTROL_H
#define RF_MICROVM_CONTROL_H

#include "microvm/loop.h"

#include <stddef.h>

/* --- in the monitor --- */

struct vm_control {
	struct vm_loop *loop;
	struct vm_source listen, client;
	/* May it be written down now? Lock held. */
	bool (*ready)(void *arg);
	void *arg;
	bool wanted; /* `save` came, and the loop was told to stop */
};

/* listen is the caller's, and stays open; -1: nobody can ask. */
int vm_control_init(struct vm_control *c, struct vm_loop *l, int listen, struct err *e);
/* A struct vm_sink's put: to the client. */
int vm_control_put(void *control, const void *data, size_t len, uint64_t offset, struct err *e);
/* All was put: `save` is answered (rc < 0: with e). Without the lock, as what follows. */
void vm_control_answer(struct vm_control *c, int rc, uint64_t size, const struct err *e);
/* Blocks until the client lets the machine go on. */
void vm_control_wait(struct vm_control *c);

/* --- in the runtime, on a connection --- */

/* Writes the machine to the file (borrowed, empty): it stands still afterwards. -EAGAIN: not now,
 * its output hasn't reached the host yet. */
int vm_control_save(int conn, int fd, struct err *e);
int vm_control_go(int conn, struct err *e);

#endif
