/* common/sync.h: what the runtime and a container's process say to each other.
 *
 * Typed messages of a fixed size over a SOCK_SEQPACKET pair. A dead peer is an
 * end of file on the other side, which then ends too: no orphan waits for ever.
 */
#ifndef RF_COMMON_SYNC_H
#define RF_COMMON_SYNC_H

#include "common/err.h"

#include <stdint.h>
#include <sys/types.h>

enum sync_type {
	SYNC_GO = 1,   /* parent → child: maps, cgroup and links are in place, build */
	SYNC_PID,      /* helper → parent: pid of the real child, in the parent's pid namespace */
	SYNC_BUILT,    /* child → parent: mounts stand, run createRuntime hooks */
	SYNC_HOOKED,   /* parent → child: hooks ran, go on to createContainer and pivot */
	SYNC_CONSOLE,  /* child → parent: pty master as SCM_RIGHTS */
	SYNC_LISTENER, /* child → parent or `start`: seccomp notify descriptor as SCM_RIGHTS; GO */
	SYNC_READY,    /* child → parent: all is done but the start */
	SYNC_START,    /* parent or `start` → child: run the program */
	SYNC_ERROR,    /* child → parent: failed, see err */
	SYNC_AGAIN,    /* child → parent: what was agreed is void, it begins anew; why, see err.
			* parent → child: it is to begin anew, if it can */
};

struct sync_msg {
	uint32_t magic; /* SYNC_MAGIC */
	uint32_t type;  /* enum sync_type */
	int64_t value;  /* pid for SYNC_PID, else what the two agreed on, or 0 */
	struct err err; /* for SYNC_ERROR and SYNC_AGAIN */
};
#define SYNC_MAGIC 0x52464e43u

/* A connected pair, both ends close-on-exec. */
int sync_pair(int ret_fds[2], struct err *e);
/* Sends; fd -1 for none. -EPIPE when the peer is gone (no signal). For types without an
 * error, which are sent short. */
int sync_send(int sock, enum sync_type type, int64_t value, int fd, struct err *e);
int sync_send_error(int sock, const struct err *what);
int sync_send_again(int sock, const struct err *why);
/* Waits for one message and checks size, magic and type range (the peer may be hostile).
 * ret_fd may be NULL: a descriptor that came is then closed.
 * Returns 1 for a message, 0 for end of file, negative errno otherwise. */
int sync_recv(int sock, struct sync_msg *ret_msg, int *ret_fd, struct err *e);
/* Waits for exactly `type`. SYNC_ERROR becomes the caller's error; end of file -EPIPE with a
 * text that says that the peer ended early. */
int sync_expect(int sock, enum sync_type type, int64_t *ret_value, int *ret_fd, struct err *e);

#endif
