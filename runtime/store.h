/* runtime/store.h: where containers are kept: <state root>/<id>/.
 *
 *   config.json   the copy that counts; later edits in the bundle have no effect
 *   state.json    struct st_doc, replaced by rename; its presence commits a create
 *   journal       outside effects, see journal.h
 *   start.sock    there from `create` to `start`
 *
 * Invariants
 *  1. Names are checked ids, opened O_NOFOLLOW beneath the root's descriptor, and their
 *     directories ours or root's: in a sticky root others may have some of their own.
 *  2. The lock is flock(2) on the directory itself: one file less to make, to leave behind and to
 *     race with. Whoever got it looks whether the directory still has a name.
 *  3. The directory goes last, after everything that the journal names.
 */
#ifndef RF_RUNTIME_STORE_H
#define RF_RUNTIME_STORE_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct st_doc {
	const char *oci_version, *id, *bundle, *rootfs, *created, *backend;
	const char *cgroup; /* path as the group knows it, NULL: none */
	const char *unit;   /* struct cg_group's, NULL: none */
	/* Where the first process's standard streams come from outside, in CRIU's words
	 * (criu_streams.c); NULL: they don't. */
	const char *streams[3];
	uint32_t owner;
	pid_t pid;
	uint64_t ticks; /* the process's start time: proc_start_time */
	/* A micro-VM: the size that its machine has for good; 0: not said. */
	const char *inside; /* its id in its machine, where that is another one; or NULL */
	uint64_t machine_memory, machine_vcpus;
	bool systemd, paused;
	bool poststart, poststop; /* there are such hooks: else the spec needn't be read */
	struct spec_pairs annotations;
};

/* create: makes it, with its parents. Refuses a root that isn't ours, or that others can write or
 * exchange. */
int st_root(const char *path, bool create, int *ret_fd, struct err *e);
/* True for us and for root: whose files we may trust. */
bool st_may_own(uid_t uid);
/* Makes the directory (0700) and locks it. ERR_EXISTS. */
int st_make(int root, const char *id, int *ret_dir, struct err *e);
/* ERR_NOTFOUND: `container does not exist`. */
int st_open(int root, const char *id, int *ret_dir, struct err *e);
/* wait false: -EWOULDBLOCK when another has it. ERR_NOTFOUND when it vanished meanwhile. */
int st_lock(const char *id, int dir, bool wait, struct err *e);
void st_unlock(int dir);
/* True when somebody holds the lock: it is being made, or deleted. */
bool st_busy(int dir);
/* Removes the files and the directory. Idempotent. */
int st_remove(int root, const char *id, int dir, struct err *e);
/* Ids, sorted, from the arena. */
int st_list(int root, struct arena *a, const char ***ret_ids, size_t *ret_n, struct err *e);

void st_doc_write(const struct st_doc *d, struct strbuf *out);
int st_doc_parse(struct arena *a, const char *text, size_t len, struct st_doc *ret_doc,
		 struct err *e);
int st_not_found(const char *id, struct err *e);

#endif
