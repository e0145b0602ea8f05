/* cgroups/dbus.h: the D-Bus wire, as much of it as talking to systemd takes.
 *
 * Three parts: values that know their type (what goes into a message), a reader of what came, and a
 * connection that makes calls. The protocol is the D-Bus Specification 0.42; the static binary has
 * no library for it.
 *
 * Invariants
 *  1. What came from the socket is checked as from the network: lengths against what is there,
 *     strings for their end, types against what was expected, depth and size against limits.
 *  2. A reader that met anything wrong stays wrong, and yields nothing more.
 *  3. Nothing waits past the connection's deadline.
 */
#ifndef RF_CGROUPS_DBUS_H
#define RF_CGROUPS_DBUS_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CG_BUS_MAX_MESSAGE (1u << 20)
#define CG_BUS_MAX_DEPTH 16

/* A value of one complete type. Items: of arrays and structs, the one of a variant. */
struct cg_var {
	const char *sig; /* "t", "s", "as", "(ss)", "v" … */
	uint64_t u;      /* y b n q i u x t: two's complement */
	double d;        /* d */
	const char *s;   /* s o g; ay may be given as bytes: n of them */
	struct cg_var **items;
	size_t n;
};

/* Constructors, from the arena; NULL without memory (also when an argument is NULL). */
struct cg_var *cg_var_num(struct arena *a, const char *sig, uint64_t u);
struct cg_var *cg_var_str(struct arena *a, const char *s);
struct cg_var *cg_var_bytes(struct arena *a, const void *bytes, size_t n);
struct cg_var *cg_var_list(struct arena *a, const char *sig, struct cg_var **items, size_t n);

/* Appends the value, aligned as if `out` began at a multiple of 8. Lack of memory: out->failed. */
void cg_var_write(struct strbuf *out, const struct cg_var *v);
/* Length of the first complete type in the signature, 0 when it isn't one. */
size_t cg_sig_len(const char *sig);

struct cg_reader {
	const uint8_t *data;
	size_t len, at;
	bool big_endian, bad;
};
uint32_t cg_read_u32(struct cg_reader *r);
uint64_t cg_read_u64(struct cg_reader *r);
uint8_t cg_read_byte(struct cg_reader *r);
/* "s" and "o"; "" when bad. It lies within the data. */
const char *cg_read_str(struct cg_reader *r);
const char *cg_read_sig(struct cg_reader *r);
/* Steps over one value of the type. */
void cg_read_skip(struct cg_reader *r, const char *sig);

enum cg_msg_type { CG_MSG_CALL = 1, CG_MSG_REPLY, CG_MSG_ERROR, CG_MSG_SIGNAL };

struct cg_msg { /* strings lie within the message's bytes; "" when absent */
	uint8_t type;
	uint32_t serial, reply_to;
	const char *path, *iface, *member, *error, *sender, *sig;
	struct cg_reader body;
};
/* Bytes of the whole message by its first 16. -EPROTO, -EMSGSIZE. */
long cg_msg_size(const uint8_t head[16]);
/* A whole message. -EPROTO for anything that isn't one. */
int cg_msg_parse(const uint8_t *data, size_t len, struct cg_msg *ret_msg);

struct cg_call {
	const char *dest, *path, *iface, *member;
	const struct cg_var *const *args; /* ends with NULL; NULL: none */
	bool no_reply;
};
void cg_msg_build(struct strbuf *out, uint32_t serial, const struct cg_call *c);

enum { CG_BUS_JOBS = 16 };
struct cg_bus {
	int fd;
	bool direct; /* the manager itself, no bus daemon in between */
	uint32_t serial;
	int64_t deadline; /* of the call under way, by cg_now_ms */
	struct strbuf in; /* the message in hand */
	char error[128];  /* name of the last error reply */
	struct {
		char path[96], result[24];
	} jobs[CG_BUS_JOBS]; /* JobRemoved signals seen, the last ones */
	size_t n_jobs;
};
#define CG_BUS_INIT      \
	{                \
		.fd = -1 \
	}
/* Connects and authenticates (SASL EXTERNAL). `address`: a D-Bus address ("unix:path=/x;…"), the
 * first that answers; direct: no daemon, so no Hello. */
int cg_bus_connect(struct cg_bus *b, const char *address, bool direct, struct err *e);
/* An address's next socket: name into buf, abstract names begin with '\0'. Returns the length, 0 at
 * the end, -EINVAL for what isn't a unix socket. */
int cg_bus_address(const char **address, char *buf, size_t size);
/* Calls and waits. ret_msg may be NULL; it is good until the next call. An error reply is
 * -EEXIST, -ENOENT, -EACCES by its name, else -EREMOTEIO. */
int cg_bus_call(struct cg_bus *b, const struct cg_call *c, struct cg_msg *ret_msg, struct err *e);
/* Waits for a job's end: 0 for "done", else -ECANCELED with its result in the error. */
int cg_bus_wait_job(struct cg_bus *b, const char *job, struct err *e);
void cg_bus_close(struct cg_bus *b);

#endif
