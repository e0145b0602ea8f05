/* common/log_daemon.c: see log_daemon.h. */
#include "common/log_daemon.h"

#include "common/fd.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define FACILITY 1 /* user-level messages, as syslog(3) takes them by default */

static const char *const paths[] = {
	[LOG_TO_SYSLOG] = "/dev/log",
	[LOG_TO_JOURNALD] = "/run/systemd/journal/socket",
};

int log_daemon_open(enum log_daemon d, int *ret_fd, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(a.sun_path, paths[d], strlen(paths[d]) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, errno, paths[d], "connecting to the log daemon");
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Months have English names whatever the locale (RFC 3164, 4.1.2); the time is local. */
static void syslog_text(struct strbuf *b, int priority, const char *id, pid_t pid, time_t when,
			const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm t = {0};

	(void)localtime_r(&when, &t);
	strbuf_printf(b, "<%d>%.3s %2d %02d:%02d:%02d %s[%d]: ", FACILITY << 3 | priority,
		      months + 3 * t.tm_mon, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, id,
		      (int)pid);
	for (; *text; text++) {
		char c = (unsigned char)*text < 0x20 || *text == 0x7f ? ' ' : *text;
		strbuf_add(b, &c, 1);
	}
}

/* NAME=VALUE and a newline; a value with newlines after its length. */
static void field(struct strbuf *b, const char *name, const char *value)
{
	uint64_t n = htole64(strlen(value));

	strbuf_puts(b, name);
	if (strchr(value, '\n')) {
		strbuf_puts(b, "\n");
		strbuf_add(b, (const char *)&n, sizeof(n));
	} else {
		strbuf_puts(b, "=");
	}
	strbuf_puts(b, value);
	strbuf_puts(b, "\n");
}

void log_daemon_text(struct strbuf *b, enum log_daemon d, int priority, const char *id, pid_t pid,
		     time_t when, const char *text)
{
	if (d == LOG_TO_SYSLOG) {
		syslog_text(b, priority, id, pid, when, text);
		return;
	}
	field(b, "MESSAGE", text);
	strbuf_printf(b, "PRIORITY=%d\n", priority);
	field(b, "SYSLOG_IDENTIFIER", id);
	strbuf_printf(b, "SYSLOG_PID=%d\n", (int)pid);
}
