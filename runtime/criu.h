/* runtime/criu.h: CRIU (criu(8)) at work for checkpoint and restore.
 *
 * It is run as `criu swrk FD`, its service for one caller, not by options of its command line:
 * only the service hands over the master of a restored terminal, stops between namespaces and
 * processes for hooks, and makes the restored process our child (so that a foreground restore
 * learns its exit code, and whoever adopts our children gets it as theirs).
 *
 * Invariants
 *  1. CRIU dies with us, and is gone when rt_criu_run returns.
 *  2. It gets our standard streams and the descriptors of the call, nothing else.
 *  3. What CRIU mounts for a restore it mounts in a mount namespace of its own.
 */
#ifndef RF_RUNTIME_CRIU_H
#define RF_RUNTIME_CRIU_H

#include "common/err.h"
#include "runtime/criu_wire.h"

#include <stddef.h>
#include <sys/types.h>

struct cg_group;
struct rt_container;
struct rt_criu;

/* What a work directory and an image directory are here: opened, and named for messages. */
struct rt_criu_dir {
	int fd;
	const char *path; /* absolute */
};

#define RT_CRIU_FDS 16

struct rt_criu_call {
	enum rt_criu_type type;
	struct strbuf opts;
	struct rt_criu_dir img, work;
	const char *log;      /* file in the work directory */
	const char *root;     /* restore: bound on itself, for CRIU's eyes only */
	int fds[RT_CRIU_FDS]; /* to be inherited under their own numbers; borrowed */
	size_t n_fds;
	struct cg_group *enter; /* CRIU works in it, or NULL */
	/* fd: -1 or a descriptor that came along, closed afterwards. */
	int (*reached)(void *arg, const char *what, pid_t pid, int fd, struct err *e);
	void *arg;
};

/* ERR_UNSUPPORTED when there is no criu in PATH, when it doesn't answer or is too old. */
int rt_criu_check(struct err *e);
/* ret_pid: of the restored process (may be NULL). A refusal of CRIU's is worded from its log. */
int rt_criu_run(struct rt_criu_call *call, pid_t *ret_pid, struct err *e);
/* Leaves a descriptor to CRIU. */
int rt_criu_pass(struct rt_criu_call *call, int fd, struct err *e);

#define RT_CRIU_IMAGES "checkpoint" /* the default image directory */

/* --- criu_request.c: what both directions ask for --- */

/* Refuses bad words of the command line. */
int rt_criu_check_words(const struct rt_criu *how, struct err *e);
/* Is it the key of a stream that a dump must be told of (a file or a terminal from outside)? */
bool rt_criu_is_external(const char *key);
/* Refuses a container that couldn't come back. */
int rt_criu_accept(const struct rt_container *c, struct err *e);
/* Opens image and work directory (the former made when missing, if make) and writes the options
 * that don't depend on the direction. */
int rt_criu_begin(struct rt_criu_call *call, struct rt_container *c, const struct rt_criu *how,
		  bool make, struct err *e);
void rt_criu_end(struct rt_criu_call *call);
/* Is RT_CRIU_NOTIFIED among the images? */
bool rt_criu_notified(const struct rt_criu *how);

/* --- criu_streams.c: standard streams from outside --- */

/* Notes in the document what our own are, which the container gets. */
void rt_note_streams(struct rt_container *c);
/* CRIU's key of one of them, as it was when the container was made; NULL: the container's own, or
 * closed. The spec must be loaded. */
const char *rt_stream_outside(const struct rt_container *c, int fd);

/* --- criu_mounts.c: mounts whose content comes from the host --- */

/* Names each of them to CRIU: for a dump (of first process `pid`) those that are there, for a
 * restore (pid 0) all that the spec asks for. */
int rt_criu_externals(struct rt_container *c, pid_t pid, struct strbuf *opts, struct err *e);
/* Is a mount of this id in the mount namespace of the process? */
bool rt_criu_has_mount(pid_t pid, unsigned id);
/* Directories and files to mount on, where the root file system lacks them. */
int rt_criu_mountpoints(struct rt_container *c, struct err *e);

#define RT_CRIU_EXT_NET "extRootNetNS"
#define RT_CRIU_EXT_PID "extRootPidNS"
/* Three strings in a JSON array, in the image directory, for the first process's streams: what
 * their links said (the name is runc's, engines look for it), and CRIU's keys of those that a
 * restore replaces by its own. */
#define RT_CRIU_TARGETS "descriptors.json"
#define RT_CRIU_STREAMS "streams.json"
/* An empty file there: the images have the notify socket's mount (sdnotify.c). */
#define RT_CRIU_NOTIFIED "notify"

#endif
