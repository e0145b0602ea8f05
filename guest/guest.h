/* guest/guest.h: this program as PID 1 of a micro-VM, and the agent in it
 * (docs/design/03-microvm.md).
 */
#ifndef RF_GUEST_GUEST_H
#define RF_GUEST_GUEST_H

#include "common/err.h"

#include <stdbool.h>

struct guest_place {
	const char *state;   /* state root of the containers, absolute */
	const char *bundles; /* absolute; exists */
	const char *scratch; /* absolute, ours alone; exists: sockets and files of one request */
	/* We have a kernel for ourselves: its clock, its network and its end are ours to command.
	 */
	bool machine;
};

/* Serves `listen` (a listening stream socket, borrowed) until something of its own fails: the
 * negative errno. The caller has one thread; orphans and SIGCHLD are this function's from now on.
 */
int guest_serve(int listen, const struct guest_place *place, struct err *e);

/* Called first of all: when this is the first process of a micro-VM of ours, it never
 * returns. Otherwise it does nothing. */
void guest_main(char **argv);

#endif
