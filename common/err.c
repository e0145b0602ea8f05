/* common/err.c: see err.h. */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void put(struct err *e, enum err_kind kind, int code, const char *where, const char *fmt,
		va_list ap)
{
	if (!e)
		return;
	e->code = code;
	e->kind = kind;
	snprintf(e->where, sizeof(e->where), "%s", where ? where : "");
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
}

int err_set(struct err *e, enum err_kind kind, int code, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(e, kind, code, where, fmt, ap);
	va_end(ap);
	return -code;
}

int err_sys(struct err *e, int code, const char *where, const char *fmt, ...)
{
	const char *reason = err_reason(code);
	va_list ap;

	va_start(ap, fmt);
	put(e, ERR_SYSTEM, code, where, fmt, ap);
	va_end(ap);
	if (e) {
		/* The reason is what engines look for: a long text makes room for it. */
		size_t most = sizeof(e->text) - strlen(reason) - sizeof(": ");
		size_t len = strnlen(e->text, most);
		snprintf(e->text + len, sizeof(e->text) - len, ": %s", reason);
	}
	return -code;
}

int err_wrap(struct err *e, int rc, const char *fmt, ...)
{
	char prefix[sizeof(e->text) / 2];
	va_list ap;

	if (!e)
		return rc;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix) - 2, fmt, ap);
	va_end(ap);
	strcat(prefix, ": ");
	size_t shift = strlen(prefix);
	memmove(e->text + shift, e->text, strnlen(e->text, sizeof(e->text) - 1 - shift) + 1);
	e->text[sizeof(e->text) - 1] = '\0';
	memcpy(e->text, prefix, shift);
	return rc;
}

void err_clear(struct err *e)
{
	if (e)
		memset(e, 0, sizeof(*e));
}

const char *err_reason(int code)
{
	static _Thread_local char text[128];
	const char *s = strerrordesc_np(code);

	if (!s) {
		snprintf(text, sizeof(text), "error %d", code);
		return text;
	}
	snprintf(text, sizeof(text), "%s", s);
	if (text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
		text[0] = (char)(text[0] - 'A' + 'a');
	return text;
}

const char *err_line(const struct err *e, char *buf, unsigned long size)
{
	snprintf(buf, size, "%s%s%s", e->where, e->where[0] ? ": " : "", e->text);
	return buf;
}

const char *err_kind_name(enum err_kind kind)
{
	static const char *const names[] = {
		[ERR_NONE] = "none",         [ERR_USAGE] = "usage",
		[ERR_SPEC] = "spec",         [ERR_UNSUPPORTED] = "unsupported",
		[ERR_NOTFOUND] = "notfound", [ERR_EXISTS] = "exists",
		[ERR_STATE] = "state",       [ERR_HOOK] = "hook",
		[ERR_EXEC] = "exec",         [ERR_SYSTEM] = "system",
		[ERR_INTERNAL] = "internal",
	};

	return (unsigned)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}
