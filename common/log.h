/* common/log.h: the log of cli/ (libraries return errors and don't log).
 *
 * Text: "time=… level=error msg=…" ; JSON: {"level":"error","msg":"…","time":"RFC3339"}, one
 * line each, as runc(8) writes with --log-format json. Errors also go to standard error, as a plain
 * line for whoever types the command; so do warnings where there is no file. What --debug says is a
 * log in either place.
 */
#ifndef RF_COMMON_LOG_H
#define RF_COMMON_LOG_H

#include "common/err.h"

#include <stdbool.h>

enum log_level { LOG_LV_ERROR, LOG_LV_WARN, LOG_LV_INFO, LOG_LV_DEBUG };

/* where: PATH or file:PATH, which is opened for appending, 0600, close-on-exec; syslog:ID or
 * journald:ID, the host's log daemons, of which time and level are then the business (crun(1),
 * --log); NULL: standard error only. Borrowed for good. */
int log_open(const char *where, bool json, enum log_level level, struct err *e);
/* The level of this word, -1 for none. */
int log_level_find(const char *word);
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The one print of an error. */
void log_err(const struct err *e);
bool log_enabled(enum log_level level);

#endif
