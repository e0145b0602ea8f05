/* microvm/proto.h: frames between the runtime and the agent in the guest
 * (docs/design/03-microvm.md).
 *
 * A frame is a u32 (little endian) and that many bytes of JSON. Both ends are this program; still
 * each treats the other as hostile: lengths are limited, JSON is parsed with limits of depth and
 * values.
 */
#ifndef RF_MICROVM_PROTO_H
#define RF_MICROVM_PROTO_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"
#include "spec/json.h"

#define VM_AGENT_PORT 1024u
#define VM_HELLO_PORT 1u
#define VM_FRAME_MAX (16u << 20)
#define VM_SHARES_DIR \
	"/run/ringfence/shares" /* in the guest: where the shares' file system is mounted */

/* Writes one frame (the text of one JSON document). Blocks. */
int vm_frame_send(int fd, const char *json, size_t len, struct err *e);
/* Reads one frame into the arena and parses it. 1, or 0 at a clean end before any byte. */
int vm_frame_recv(int fd, struct arena *a, struct json **ret, struct err *e);

/* Sends a request and takes its answer: the object under "ok" in *ret_ok (may be NULL), or the
 * error that the agent sent, put into e as it was. */
int vm_call(int fd, struct arena *a, const char *json, size_t len, const struct json **ret_ok,
	    struct err *e);
/* The other side's answers. */
int vm_answer_ok(int fd, const char *members,
		 struct err *e); /* members: inside of the object, "" for none */
int vm_answer_error(int fd, const struct err *what, struct err *e);

#endif
