/* common/log_daemon.h: the host's two log daemons, for log.c alone.
 *
 *   syslog    one datagram of RFC 3164's form to /dev/log; no host's name, as syslog(3) sends it
 *   journald  one datagram of fields to /run/systemd/journal/socket (systemd, "Native Journal
 *             Protocol")
 *
 * Invariants
 *  1. One message, one datagram, never waited for: a daemon that doesn't read holds nothing up.
 *  2. What is in the text can't end a field or a line of either protocol.
 */
#ifndef RF_COMMON_LOG_DAEMON_H
#define RF_COMMON_LOG_DAEMON_H

#include "common/err.h"
#include "common/str.h"

#include <sys/types.h>
#include <time.h>

enum log_daemon { LOG_TO_SYSLOG, LOG_TO_JOURNALD };

/* A connected socket, close-on-exec, into *ret_fd. The error names the daemon's socket. */
int log_daemon_open(enum log_daemon d, int *ret_fd, struct err *e);
/* priority: one of syslog(3)'s, 0 to 7. id: what the daemon shows as the program's name. */
void log_daemon_text(struct strbuf *b, enum log_daemon d, int priority, const char *id, pid_t pid,
		     time_t when, const char *text);

#endif
