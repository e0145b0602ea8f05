/* microvm/vsock.h: what the two files of the vsock device share (dev_vsock.c: packets and queues;
 * vsock_stream.c: streams and their host sockets). Nobody else includes it.
 *
 * Invariants
 *  1. A stream that has something to send to the guest, or whose socket may be read, is in the
 *     device's queue (`queued`); only vm_vsock_pump() takes it out.
 *  2. Between two runs of the pump, a stream that isn't queued has the epoll events that
 *     vm_vsock_watch() computes.
 *  3. Bytes that the guest sent and the host socket didn't take yet are `held`; held_len ≤
 *     VSOCK_HELD, which is the credit that the guest got: one that sends more loses the stream.
 *  4. Streams live in a table that stays where it is as long as the device: a late event of the
 *     loop meets a stream that has nothing to do, never freed memory.
 */
#ifndef RF_MICROVM_VSOCK_H
#define RF_MICROVM_VSOCK_H

#include "microvm/devices.h"

#include <linux/virtio_ids.h>
#include <linux/virtio_vsock.h>
#include <sys/queue.h>

#define VSOCK_STREAMS 1024u
#define VSOCK_HELD (256u << 10)
#define VSOCK_TELL (64u << 10) /* so many bytes taken: the guest is told */
#define VSOCK_BOTH (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)
#define VSOCK_TODO(op) (1u << (op))

enum vsock_state {
	VSOCK_FREE,
	VSOCK_WAITING,    /* for the guest's hello */
	VSOCK_CONNECTING, /* REQUEST is sent or in todo */
	VSOCK_OPEN,
	VSOCK_CLOSING, /* nothing left but to send RST */
	VSOCK_LINGER,  /* the guest has forgotten it; the host hasn't taken all bytes yet */
};

struct vm_vsock;

struct vm_vsock_stream {
	struct vm_vsock *v;
	struct vm_source source;
	TAILQ_ENTRY(vm_vsock_stream) link; /* v->queue */
	struct vm_vsock_stream *next_free;
	enum vsock_state state;
	uint32_t generation; /* of the slot */
	uint32_t host_port, guest_port;
	int fd; /* -1: hello, or the host is done with it */
	bool queued;
	bool readable;   /* the socket may have bytes */
	bool eof;        /* the host has sent its last byte */
	bool lost;       /* the host takes no more bytes */
	bool asked;      /* CREDIT_REQUEST is out */
	bool passed_end; /* the guest's end of file has reached the socket */
	uint32_t todo;   /* VSOCK_TODO(op) of control packets to send */
	uint32_t guest_shut;
	uint32_t peer_alloc, peer_fwd, sent; /* host → guest */
	uint32_t received, forwarded, told;  /* guest → host */
	uint8_t *held;                       /* VSOCK_HELD bytes, or NULL */
	size_t held_at, held_len;
};

struct vm_vsock_reset { /* RST for something that is no stream of ours */
	uint64_t host_cid;
	uint32_t host_port, guest_port;
	uint16_t type;
};

#define VSOCK_RESETS 64u

struct vm_vsock {
	struct vm_device d;
	struct vm_vsock_how how;
	struct vm_source listen;
	bool listening;
	bool hello;      /* the guest's agent listens */
	bool open;       /* and streams begin */
	bool restored;   /* the guest must be told that all its streams are gone */
	bool announced;  /* … it has been, and must have taken it before anything else is said */
	unsigned events; /* buffers left in the event queue then */
	bool pumping, rx_used, tx_used;
	struct vm_vsock_stream *streams; /* VSOCK_STREAMS, and one for hello */
	struct vm_vsock_stream *free;
	unsigned high, used; /* slots ever used; in use */
	TAILQ_HEAD(vm_vsock_queue, vm_vsock_stream) queue;
	struct vm_vsock_reset resets[VSOCK_RESETS];
	unsigned n_resets;
	struct vm_chain chain;
	struct iovec iov[VM_CHAIN_MAX];
};

/* dev_vsock.c */
/* Moves all that can be moved, both ways. May free any stream. */
void vm_vsock_pump(struct vm_vsock *v);
/* The same from any thread: on the loop's, soon. */
void vm_vsock_wake(struct vm_vsock *v);
/* RST for a stream that is dropped now. False: too many are owed already. */
bool vm_vsock_owe_reset(struct vm_vsock *v, const struct vm_vsock_stream *s);
/* May streams be opened? */
bool vm_vsock_ready(const struct vm_vsock *v);

/* vsock_stream.c */
/* A stream to the guest's port; NULL: the table is full. fd becomes its own. */
struct vm_vsock_stream *vm_vsock_new(struct vm_vsock *v, int fd);
struct vm_vsock_stream *vm_vsock_new_hello(struct vm_vsock *v, uint32_t guest_port);
struct vm_vsock_stream *vm_vsock_find(struct vm_vsock *v, uint32_t host_port, uint32_t guest_port);
void vm_vsock_drop(struct vm_vsock_stream *s);
void vm_vsock_drop_all(struct vm_vsock *v);
/* RST to the guest, and the end for the host. */
void vm_vsock_kill(struct vm_vsock_stream *s);
/* Puts it into the queue with one more control packet (0: none). */
void vm_vsock_enqueue(struct vm_vsock_stream *s, uint32_t todo);
/* Bytes that the guest has room for. */
uint32_t vm_vsock_credit(const struct vm_vsock_stream *s);
/* Events as the state asks for them. */
void vm_vsock_watch(struct vm_vsock_stream *s);
/* From the host: how many bytes, 0: none now (readable is false then). */
size_t vm_vsock_receive(struct vm_vsock_stream *s, struct iovec *v, unsigned n);
/* To the host: takes or holds all of it; len is within the credit. */
void vm_vsock_deliver(struct vm_vsock_stream *s, struct iovec *v, unsigned n, size_t len);
/* The guest answered, shut down, or forgot the stream. */
void vm_vsock_opened(struct vm_vsock_stream *s);
void vm_vsock_shut(struct vm_vsock_stream *s, uint32_t flags);
void vm_vsock_forgotten(struct vm_vsock_stream *s);
/* Takes connections or leaves them waiting, as the device's state asks. */
void vm_vsock_listen(struct vm_vsock *v);
/* The guest is ready: those who waited go on. */
void vm_vsock_go(struct vm_vsock *v);

#endif
