/* common/log.c: see log.h. */
#include "common/log.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/log_daemon.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
	int fd;
	bool json;
	enum log_level level;
	enum log_daemon daemon;
	const char *id; /* under which the daemon hears of us; NULL: a file */
} state = {.fd = -1, .level = LOG_LV_WARN};

static const struct {
	const char *word;
	int priority; /* syslog(3)'s */
} levels[] = {[LOG_LV_ERROR] = {"error", 3},
	      [LOG_LV_WARN] = {"warning", 4},
	      [LOG_LV_INFO] = {"info", 6},
	      [LOG_LV_DEBUG] = {"debug", 7}};

/* A path may have a colon as well: only the three words are backends. */
static int open_where(const char *where, int *ret_fd, struct err *e)
{
	state.id = NULL;
	if (str_starts(where, "syslog:") || str_starts(where, "journald:")) {
		state.daemon = where[0] == 's' ? LOG_TO_SYSLOG : LOG_TO_JOURNALD;
		state.id = strchr(where, ':') + 1;
		if (!state.id[0])
			state.id = "ringfence";
		return log_daemon_open(state.daemon, ret_fd, e);
	}
	where += str_starts(where, "file:") ? strlen("file:") : 0;
	*ret_fd = open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	return *ret_fd < 0 ? err_sys(e, errno, where, "opening the log file") : 0;
}

int log_open(const char *where, bool json, enum log_level level, struct err *e)
{
	int fd = -1, rc = where ? open_where(where, &fd, e) : 0;

	state.json = json;
	state.level = level;
	if (rc < 0)
		return rc;
	fd_close(&state.fd);
	state.fd = fd;
	return 0;
}

int log_level_find(const char *word)
{
	for (int i = 0; i < (int)(sizeof(levels) / sizeof(levels[0])); i++)
		if (str_eq(levels[i].word, word))
			return i;
	return -1;
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

static void put_line(struct strbuf *line, bool json, enum log_level level, const char *text,
		     time_t t)
{
	char when[40] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (json) {
		strbuf_printf(line, "{\"level\":\"%s\",\"msg\":", levels[level].word);
		strbuf_json(line, text);
		strbuf_printf(line, ",\"time\":\"%s\"}", when);
	} else {
		strbuf_printf(line, "time=\"%s\" level=%s msg=", when, levels[level].word);
		strbuf_json(line, text);
	}
}

/* The daemon keeps time and level itself: without JSON it gets the words alone. */
static void to_daemon(enum log_level level, const char *text)
{
	auto_strbuf line = {0}, data = {0};
	time_t now = time(NULL);

	put_line(&line, state.json, level, text, now);
	if (state.json && line.failed)
		return;
	log_daemon_text(&data, state.daemon, levels[level].priority, state.id, getpid(), now,
			state.json ? line.s : text);
	if (!data.failed)
		(void)send(state.fd, data.s, data.len, MSG_NOSIGNAL);
}

/* One line, one write: several runtimes may share the file. */
static void to_file(int fd, bool json, enum log_level level, const char *text)
{
	auto_strbuf line = {0};

	put_line(&line, json, level, text, time(NULL));
	strbuf_puts(&line, "\n");
	if (!line.failed)
		(void)file_write_all(fd, line.s, line.len);
}

/* Always one line, and nothing that a terminal would obey: paths and ids in it may be hostile. */
static void to_stderr(const char *text)
{
	auto_strbuf line = {0};

	strbuf_printf(&line, "ringfence: %s\n", text);
	if (line.failed)
		return;
	for (size_t i = 0; i + 1 < line.len; i++) {
		unsigned char c = (unsigned char)line.s[i], next = (unsigned char)line.s[i + 1];
		/* U+0080 to U+009F, in UTF-8, steer terminals as the controls of ASCII do. */
		if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			line.s[i] = line.s[i + 1] = '?';
		else if (c < 0x20 || c == 0x7f)
			line.s[i] = c == '\n' || c == '\t' ? ' ' : '?';
	}
	(void)file_write_all(STDERR_FILENO, line.s, line.len);
}

static void emit(enum log_level level, const char *text)
{
	if (!log_enabled(level))
		return;
	if (state.fd >= 0)
		state.id ? to_daemon(level, text) : to_file(state.fd, state.json, level, text);
	else if (level >= LOG_LV_INFO) /* a log, not a message to somebody */
		to_file(STDERR_FILENO, false, level, text);
	else if (level == LOG_LV_WARN)
		to_stderr(text);
	if (level == LOG_LV_ERROR)
		to_stderr(text);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	emit(level, text);
	free(text);
}

void log_err(const struct err *e)
{
	char line[sizeof(e->where) + sizeof(e->text) + 4];

	emit(LOG_LV_ERROR, err_line(e, line, sizeof(line)));
}
