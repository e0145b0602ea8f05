/* runtime/criu_wire.h: the messages of CRIU's service (criu(8), "service"), byte by byte.
 *
 * They are protocol buffers; what we need of that encoding is numbered fields that hold a
 * number or bytes, so no library is asked for it. Field numbers are CRIU's published interface
 * (rpc.proto) and never change their meaning.
 *
 * Invariants
 *  1. A message that came is checked against its length at every step: a field that reaches past
 *     the end, of a kind that isn't known or isn't its own, or whose number doesn't fit, makes the
 *     whole message invalid. Fields that we have no use for are skipped, whatever they hold.
 */
#ifndef RF_RUNTIME_CRIU_WIRE_H
#define RF_RUNTIME_CRIU_WIRE_H

#include "common/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rt_criu_type {
	RT_CRIU_DUMP = 1,
	RT_CRIU_RESTORE = 2,
	RT_CRIU_PRE_DUMP = 4,
	RT_CRIU_NOTIFY = 6,
	RT_CRIU_VERSION = 10,
};

/* Fields of the options: criu_opts. */
enum rt_criu_opt {
	RT_CO_IMAGES_FD = 1,
	RT_CO_PID = 2,
	RT_CO_LEAVE_RUNNING = 3,
	RT_CO_EXT_UNIX_SK = 4,
	RT_CO_TCP_ESTABLISHED = 5,
	RT_CO_EVASIVE_DEVICES = 6,
	RT_CO_SHELL_JOB = 7,
	RT_CO_FILE_LOCKS = 8,
	RT_CO_LOG_LEVEL = 9,
	RT_CO_LOG_FILE = 10,
	RT_CO_PAGE_SERVER = 11, /* address 1, port 2 */
	RT_CO_NOTIFY = 12,
	RT_CO_ROOT = 13,
	RT_CO_PARENT_IMG = 14,
	RT_CO_TRACK_MEM = 15,
	RT_CO_AUTO_DEDUP = 16,
	RT_CO_WORK_FD = 17,
	RT_CO_LINK_REMAP = 18,
	RT_CO_MANAGE_CGROUPS = 24,
	RT_CO_CG_ROOT = 25, /* ctrl 1, path 2 */
	RT_CO_RST_SIBLING = 26,
	RT_CO_INHERIT_FD = 27, /* key 1, fd 2 */
	RT_CO_CGROUPS_MODE = 34,
	RT_CO_EXTERNAL = 37,
	RT_CO_EMPTY_NS = 38,
	RT_CO_JOIN_NS = 39, /* ns 1, file 2 */
	RT_CO_CG_DUMP_CONTROLLER = 43,
	RT_CO_FREEZE_CGROUP = 44,
	RT_CO_TCP_SKIP_IN_FLIGHT = 46,
	RT_CO_LAZY_PAGES = 48,
	RT_CO_ORPHAN_PTS_MASTER = 50,
	RT_CO_CONFIG_FILE = 51,
	RT_CO_TCP_CLOSE = 52,
	RT_CO_LSM_PROFILE = 53,
	RT_CO_LSM_MOUNT_CONTEXT = 63,
	RT_CO_NETWORK_LOCK = 64,
};

void rt_wire_num(struct strbuf *b, unsigned field, uint64_t v);
void rt_wire_bytes(struct strbuf *b, unsigned field, const void *data, size_t n);
/* NULL: nothing. */
void rt_wire_str(struct strbuf *b, unsigned field, const char *s);

/* A request. opts: NULL for none. */
void rt_wire_request(struct strbuf *b, enum rt_criu_type type, const struct strbuf *opts);
/* Our answer to a NOTIFY. */
void rt_wire_notified(struct strbuf *b, bool success);

/* What CRIU says. Texts are cut to fit. */
struct rt_criu_answer {
	unsigned type; /* enum rt_criu_type */
	bool success;
	char script[64]; /* NOTIFY: what has been reached */
	int pid;         /* of NOTIFY and RESTORE */
	int error;       /* its errno */
	char message[256];
	unsigned version; /* 31700 for 3.17 */
};
/* false: no valid message. */
bool rt_wire_answer(const void *data, size_t n, struct rt_criu_answer *ret);

#endif
