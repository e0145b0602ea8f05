/* common/log.h: the log of cli/ (libraries return errors and don't log).
 *
 * Text: "time=… level=error msg=…" ; JSON: {"level":"error","msg":"…","time":"RFC3339"}, one
 * line each, as runc(8) writes with --log-format json. Errors also go to standard error.
 */
#ifndef RF_COMMON_LOG_H
#define RF_COMMON_LOG_H

#include "common/err.h"

#include <stdbool.h>

enum log_level { LOG_LV_ERROR, LOG_LV_WARN, LOG_LV_INFO, LOG_LV_DEBUG };

/* path NULL: standard error only. The file is opened for appending, 0600, close-on-exec. */
int log_open(const char *path, bool json, enum log_level level, struct err *e);
void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The one print of an error. */
void log_err(const struct err *e);
bool log_enabled(enum log_level level);

#endif
