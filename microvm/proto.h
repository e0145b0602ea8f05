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
#define VM_IMAGE_DIR "/run/ringfence/image" /* and the disk that is a container's root */

/* Writes one frame (the text of one JSON document) to a stream socket, without SIGPIPE. -EMSGSIZE:
 * longer than VM_FRAME_MAX; -EAGAIN: the socket's time is up, or it doesn't block and is full. */
int vm_frame_send(int fd, const char *json, size_t len, struct err *e);
/* Reads one frame into the arena and parses it; it must be an object. 1, or 0 at a clean end before
 * any byte. -EPROTO: not a frame, or cut; -EAGAIN as above. */
int vm_frame_recv(int fd, struct arena *a, struct json **ret, struct err *e);

/* The same piece by piece, from a descriptor that doesn't block. Zeroed at first; text is the
 * reader's until vm_frame_free(). Nothing behind the frame is read. */
struct vm_frame {
	uint8_t head[4];
	size_t got; /* bytes of the frame so far, its length included */
	struct strbuf text;
};
/* 1: it is whole, 0: more has to come, -EPIPE: the end before any byte; else as vm_frame_recv. */
int vm_frame_more(int fd, struct vm_frame *f, struct err *e);
int vm_frame_parse(const struct vm_frame *f, struct arena *a, struct json **ret, struct err *e);
void vm_frame_free(struct vm_frame *f);

/* Sends a request and takes its answer: the object under "ok" in *ret_ok (may be NULL), or the
 * error that the agent sent, put into e as it was. -EPIPE: it ended without an answer;
 * -ETIME: the socket's patience was over. */
int vm_call(int fd, struct arena *a, const char *json, size_t len, const struct json **ret_ok,
	    struct err *e);
/* What the answer in this frame says: as vm_call. An error's strings lose their control
 * characters: they end up on terminals. */
int vm_answer_read(const struct json *answer, const struct json **ret_ok, struct err *e);
/* A string of the other side for a terminal: control characters become question marks. */
void vm_tame(char *s);
/* The other side's answers. */
int vm_answer_ok(int fd, const char *members,
		 struct err *e); /* members: inside of the object, "" for none */
int vm_answer_error(int fd, const struct err *what, struct err *e);

#endif
