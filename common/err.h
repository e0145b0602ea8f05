/* common/err.h: the one error type of the project.
 *
 * A function that can fail returns 0 (or a useful non-negative number) or a
 * negative errno, and fills the caller's `struct err`. The struct is plain
 * bytes without a pointer: it can report ENOMEM, and it crosses the socket
 * from the container's process to the runtime as it is.
 *
 * Invariants
 *  1. Nothing here allocates, logs or exits. Only cli/ prints errors.
 *  2. err_* setters return the negative errno, so that a failing function
 *     ends in `return err_sys(e, errno, …)`.
 *  3. `where` names the object: a JSON pointer ("/mounts/3/destination"), a
 *     path or a container id; `text` says what failed and why, one line,
 *     lower case at the start, no full stop.
 *  4. `err` may be NULL only where a header says so.
 */
#ifndef RF_COMMON_ERR_H
#define RF_COMMON_ERR_H

/* What sort of trouble it is: decides the exit code and the JSON log field. */
enum err_kind {
	ERR_NONE = 0,
	ERR_USAGE,       /* the command line is wrong */
	ERR_SPEC,        /* config.json, process.json or a resources file is wrong */
	ERR_UNSUPPORTED, /* valid, but this runtime or this host can't do it */
	ERR_NOTFOUND,    /* no such container */
	ERR_EXISTS,      /* the id is taken */
	ERR_STATE,       /* the container's status forbids the verb */
	ERR_HOOK,        /* a hook failed or timed out */
	ERR_EXEC,        /* the container's program can't be executed */
	ERR_SYSTEM,      /* a system call failed */
	ERR_INTERNAL,    /* our own broken promise */
};

struct err {
	int code;           /* positive errno, 0 when unset */
	enum err_kind kind; /* see above */
	char where[512];    /* object, may be empty */
	char text[1024];    /* one sentence */
};

/* Sets the error. code: positive errno. Returns -code. */
int err_set(struct err *e, enum err_kind kind, int code, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* A failed system call: as err_set with ERR_SYSTEM, and ": <reason>" appended,
 * worded as engines match it ("no such file or directory"). Returns -code. */
int err_sys(struct err *e, int code, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Puts "<prefix>: " before the text on the way up. Returns rc unchanged. */
int err_wrap(struct err *e, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Empties the error. */
void err_clear(struct err *e);

/* strerrordesc_np with a lower-case first letter ("operation not permitted"). Never NULL. */
const char *err_reason(int code);

/* "where: text" or "text" into buf (always terminated). Returns buf. */
const char *err_line(const struct err *e, char *buf, unsigned long size);

/* The word for the JSON log ("spec", "system" …). Never NULL. */
const char *err_kind_name(enum err_kind kind);

#endif
