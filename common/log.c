/* common/log.c: see log.h. */
#include "common/log.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct {
	int fd;
	bool json;
	enum log_level level;
} state = {.fd = -1, .level = LOG_LV_WARN};

int log_open(const char *path, bool json, enum log_level level, struct err *e)
{
	state.json = json;
	state.level = level;
	if (!path) {
		fd_close(&state.fd);
		return 0;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd < 0)
		return err_sys(e, errno, path, "opening the log file");
	fd_close(&state.fd);
	state.fd = fd;
	return 0;
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

static const char *level_word(enum log_level level)
{
	static const char *const words[] = {"error", "warning", "info", "debug"};

	return words[level];
}

/* One line, one write: several runtimes may share the file. */
static void to_file(enum log_level level, const char *text)
{
	auto_strbuf line = {0};
	char when[40] = "";
	time_t t = time(NULL);
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (state.json) {
		strbuf_printf(&line, "{\"level\":\"%s\",\"msg\":", level_word(level));
		strbuf_json(&line, text);
		strbuf_printf(&line, ",\"time\":\"%s\"}\n", when);
	} else {
		strbuf_printf(&line, "time=\"%s\" level=%s msg=", when, level_word(level));
		strbuf_json(&line, text);
		strbuf_puts(&line, "\n");
	}
	if (!line.failed)
		(void)file_write_all(state.fd, line.s, line.len);
}

/* Always one line, and nothing that a terminal would obey: paths and ids in it may be hostile. */
static void to_stderr(const char *text)
{
	auto_strbuf line = {0};

	strbuf_printf(&line, "ringfence: %s\n", text);
	if (line.failed)
		return;
	for (size_t i = 0; i + 1 < line.len; i++) {
		if ((unsigned char)line.s[i] < 0x20 || line.s[i] == 0x7f)
			line.s[i] = line.s[i] == '\n' || line.s[i] == '\t' ? ' ' : '?';
	}
	(void)file_write_all(STDERR_FILENO, line.s, line.len);
}

static void emit(enum log_level level, const char *text)
{
	if (!log_enabled(level))
		return;
	if (state.fd >= 0)
		to_file(level, text);
	if (level == LOG_LV_ERROR || state.fd < 0)
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
