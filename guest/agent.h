/* guest/agent.h: what the files of this room share.
 *
 * The agent is PID 1: it must not end, and it should be small. So it reads nothing that comes from
 * the host: for each connection it forks a worker, which reads the request, does it through
 * runtime/, answers and ends. What outlives a request (processes, their streams, who waits for
 * them) the agent keeps itself; a worker changes it by fixed-size messages over a pair of sockets,
 * the link.
 *
 * Invariants
 *  1. The agent parses no JSON, opens no path and never blocks.
 *  2. A worker's message that names a new process (COMMIT) is read before that process is reaped:
 *     until its worker has ended, it is the worker's child and not ours.
 *  3. What a process wrote stays in its pipe until somebody attached takes it; the agent holds at
 *     most GUEST_CHUNK bytes of a direction.
 */
#ifndef RF_GUEST_AGENT_H
#define RF_GUEST_AGENT_H

#include "guest/guest.h"
#include "microvm/loop.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUEST_ID_MAX 255
#define GUEST_CHUNK 65536u   /* bytes copied at a time */
#define GUEST_WORKERS_MAX 64 /* requests under way; more wait in the socket's backlog */
#define GUEST_FOLLOWERS_MAX 256
#define GUEST_PROCS_MAX 1024 /* processes remembered */

struct guest_agent;
struct guest_proc;

/* --- streams.c: one stream of bytes between a process and who is attached to it --- */

struct guest_rest { /* what was read and couldn't be written yet */
	char *data;
	size_t off, len;
};

struct guest_stream {
	struct guest_proc *proc;
	int inner;     /* our end of the pipe, or the terminal's master; -1: over */
	int conn;      /* who is attached, or -1 */
	bool in, out;  /* to the process, from the process */
	bool in_over;  /* the client has sent all */
	bool held;     /* the client may be torn off, and another will come (GUEST_HOLD) */
	bool finished; /* nothing comes or goes any more */
	struct guest_rest rest_in, rest_out;
	struct vm_source inner_source, conn_source;
};

/* --- processes.c: what was started, and who waits --- */

struct guest_waiter {
	struct guest_waiter *next;
	struct guest_proc *proc;
	int conn;
	bool holds; /* the process is killed when this client leaves before its end */
	struct vm_source source;
};

enum guest_stage { GUEST_RESERVED, GUEST_LIVE, GUEST_ENDED };

struct guest_proc {
	struct guest_proc *next;
	struct guest_agent *agent;
	char *id;       /* the container's */
	uint32_t token; /* 0: its first process */
	enum guest_stage stage;
	bool terminal, told, forgotten; /* told: somebody has its status */
	bool held;                      /* its end isn't told yet: see last_word */
	pid_t pid;
	int status; /* wait(2) */
	struct guest_stream streams[3];
	struct guest_waiter *waiters;
};

/* --- agent.c --- */

struct guest_worker {
	struct guest_worker *next;
	struct guest_agent *agent;
	pid_t pid;
	int conn; /* the client; -1: it became a stream or a waiter */
	int link;
	struct guest_proc *making; /* reserved, and not yet committed */
	bool follow;               /* ends with its client, and counts apart */
	char *last_word;           /* the container whose end waits for what it still tells */
	struct vm_source link_source, conn_source;
};

struct guest_agent {
	const struct guest_place *place;
	struct vm_loop loop;
	int listen, signals;
	struct vm_source listen_source, signal_source;
	struct guest_worker *workers;
	struct guest_proc *procs;
	unsigned n_workers, n_followers, n_procs;
	uint32_t last_token;
};

/* --- the link --- */

enum guest_what {
	GUEST_RESERVE, /* id, token (0 or not), terminal: a place in the table */
	GUEST_STREAM,  /* n: 0 to 2, with our end of the pipe */
	GUEST_COMMIT,  /* pid; with the master of the terminal, if it has one */
	GUEST_CANCEL,  /* the reserved one won't come */
	GUEST_LEND,    /* gives the client's connection back to the worker */
	GUEST_IO,      /* id, token, n: the connection becomes that stream */
	GUEST_CLOSE,   /* id, token, n: that stream is over, whoever is attached */
	GUEST_HOLD,    /* id, token, n 1: the streams let go, for a while; n 0: that is over */
	GUEST_WAIT,    /* id, token: the connection is answered at the end; n 1: and holds it */
	GUEST_SIGNAL,  /* id, token, n */
	GUEST_WINSIZE, /* id, token, rows, columns */
	GUEST_FORGET,  /* id: all of the container's processes */
	GUEST_LAST,    /* id: its end is told when the worker has ended */
	GUEST_FOLLOW,  /* the worker is to end when the client leaves; n: and before the end of the
			  container, id, is told */
};

struct guest_ask {
	enum guest_what what;
	uint32_t token;
	int32_t n;
	pid_t pid;
	uint16_t rows, columns;
	bool terminal;
	char id[GUEST_ID_MAX + 1];
};

struct guest_reply {
	uint32_t token;
	struct err err; /* code 0: done */
};

/* asks.c: answers what lies in the link of a worker. */
void guest_asks(struct guest_worker *w);

/* processes.c */
int guest_proc_reserve(struct guest_agent *a, const struct guest_ask *ask,
		       struct guest_proc **ret_proc, struct err *e);
struct guest_proc *guest_proc_find(struct guest_agent *a, const char *id, uint32_t token);
struct guest_proc *guest_proc_by_pid(struct guest_agent *a, pid_t pid);
/* Owns conn when it returns 0. */
int guest_proc_wait(struct guest_proc *p, int conn, bool holds, struct err *e);
void guest_proc_ended(struct guest_proc *p, int status);
/* A follower of the container is gone: its end is told, unless there is another one. */
void guest_proc_release(struct guest_agent *a, const char *id);
/* A stream or waiter of it is done: it may be time to forget it. The pointer is dead afterwards. */
void guest_proc_settle(struct guest_proc *p);
/* Everything of a container. */
void guest_proc_forget(struct guest_agent *a, const char *id);
void guest_proc_free(struct guest_proc *p);

/* streams.c */
void guest_stream_init(struct guest_stream *s, struct guest_proc *p);
/* Owns fd, also when it fails. */
int guest_stream_inner(struct guest_stream *s, int fd, bool in, bool out, struct err *e);
/* Owns conn when it returns 0. It is told so before the first byte. */
int guest_stream_attach(struct guest_stream *s, int conn, struct err *e);
/* hold: an output's client is parted from behind all that was sent to it; an input's may be torn
 * off, by a restore on another host, which isn't the end of the input. Until the next client, or
 * false. */
void guest_stream_hold(struct guest_stream *s, bool hold);
/* The process has ended: what is in the pipe is all there will be. */
void guest_stream_end(struct guest_stream *s);
/* Nobody on the host will ever take or send bytes again: the process finds its pipe without the
 * other end, or its terminal hung up. */
void guest_stream_close(struct guest_stream *s);
bool guest_stream_busy(const struct guest_stream *s);
void guest_stream_free(struct guest_stream *s);

/* work.c: the worker; never returns. */
_Noreturn void guest_work(const struct guest_place *place, int conn, int link);

#endif
