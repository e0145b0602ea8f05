/* cli/ps_table.c: processes as ps(1) prints them, for those that the host's ps can't see: a
 * micro-VM's.
 *
 * Known are -e, -A, -f, -ef, aux and -o LIST (POSIX's form of it, `name=HEAD` included); what
 * stands in a column is as in ps(1). Options that choose processes by something else are refused:
 * a container's are chosen already.
 */
#include "cli/ps_table.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS_MAX 64
#define CELL 64
#define PASSWD_MAX (4u << 20)

struct view {
	const char *passwd; /* the host's, or NULL */
	time_t now;
	uint64_t memory; /* KiB, of the host */
};

typedef const char *(*cell_fn)(const struct view *v, const struct rt_process *p, char buf[CELL]);

static const char *number(char buf[CELL], long long v)
{
	snprintf(buf, CELL, "%lld", v);
	return buf;
}

static const char *cell_pid(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, p->pid);
}

static const char *cell_ppid(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, p->ppid);
}

static const char *cell_pgid(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, p->pgid);
}

static const char *cell_sid(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, p->sid);
}

static const char *cell_uid(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, p->uid);
}

/* As the host's ps would name it. */
static const char *cell_user(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	return v->passwd && rt_passwd_name(v->passwd, p->uid, buf, CELL) ? buf
									 : number(buf, p->uid);
}

static uint64_t age(const struct view *v, const struct rt_process *p)
{
	return v->now > p->started ? (uint64_t)(v->now - p->started) : 0;
}

/* Percent of one processor over the process's life. */
static uint64_t permille(const struct view *v, const struct rt_process *p)
{
	uint64_t ms = age(v, p) * 1000;

	return ms ? p->cpu_ms / 1000 * 1000 * 1000 / ms + p->cpu_ms % 1000 * 1000 / ms : 0;
}

static const char *cell_c(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	uint64_t percent = permille(v, p) / 10;

	return number(buf, percent > 99 ? 99 : (long long)percent);
}

static const char *cell_pcpu(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	uint64_t m = permille(v, p);

	snprintf(buf, CELL, "%llu.%llu", (unsigned long long)(m / 10),
		 (unsigned long long)(m % 10));
	return buf;
}

static const char *cell_pmem(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	uint64_t m = v->memory && p->rss < UINT64_MAX / 1000 ? p->rss * 1000 / v->memory : 0;

	snprintf(buf, CELL, "%llu.%llu", (unsigned long long)(m / 10),
		 (unsigned long long)(m % 10));
	return buf;
}

static const char *cell_vsz(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, (long long)p->vsz);
}

static const char *cell_rss(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, (long long)p->rss);
}

static const char *cell_nice(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, p->nice);
}

static const char *cell_threads(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return number(buf, (long long)p->threads);
}

static const char *cell_state(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	snprintf(buf, CELL, "%c", p->state);
	return buf;
}

static const char *cell_tty(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v, (void)buf;
	return p->tty ? p->tty : "?";
}

/* The hour within a day, the day within a year, else the year. */
static const char *cell_start(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	time_t t = (time_t)p->started;
	struct tm then, now;

	if (!localtime_r(&t, &then) || !localtime_r(&v->now, &now))
		return "?";
	bool today = then.tm_year == now.tm_year && then.tm_yday == now.tm_yday;
	strftime(buf, CELL, today ? "%H:%M" : then.tm_year == now.tm_year ? "%b%d" : "%Y", &then);
	return buf;
}

/* [DD-]hh:mm:ss */
static const char *duration(char buf[CELL], uint64_t s, bool hours)
{
	unsigned long long days = s / 86400;
	unsigned h = (unsigned)(s / 3600 % 24), m = (unsigned)(s / 60 % 60),
		 rest = (unsigned)(s % 60);

	if (days)
		snprintf(buf, CELL, "%llu-%02u:%02u:%02u", days, h, m, rest);
	else if (h || hours)
		snprintf(buf, CELL, "%02u:%02u:%02u", h, m, rest);
	else
		snprintf(buf, CELL, "%02u:%02u", m, rest);
	return buf;
}

static const char *cell_time(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v;
	return duration(buf, p->cpu_ms / 1000, true);
}

static const char *cell_etime(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	return duration(buf, age(v, p), false);
}

static const char *cell_etimes(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	return number(buf, (long long)age(v, p));
}

static const char *cell_name(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v, (void)buf;
	return p->name;
}

static const char *cell_command(const struct view *v, const struct rt_process *p, char buf[CELL])
{
	(void)v, (void)buf;
	return p->command;
}

struct column {
	const char *name, *head;
	int width; /* at least; negative: to the left */
	cell_fn cell;
};

static const struct column columns[] = {
	{"pid", "PID", 7, cell_pid},
	{"ppid", "PPID", 7, cell_ppid},
	{"pgid", "PGID", 7, cell_pgid},
	{"pgrp", "PGRP", 7, cell_pgid},
	{"sid", "SID", 7, cell_sid},
	{"sess", "SESS", 7, cell_sid},
	{"uid", "UID", 5, cell_uid},
	{"user", "USER", -8, cell_user},
	{"c", "C", 2, cell_c},
	{"pcpu", "%CPU", 4, cell_pcpu},
	{"%cpu", "%CPU", 4, cell_pcpu},
	{"pmem", "%MEM", 4, cell_pmem},
	{"%mem", "%MEM", 4, cell_pmem},
	{"vsz", "VSZ", 6, cell_vsz},
	{"rss", "RSS", 5, cell_rss},
	{"ni", "NI", 3, cell_nice},
	{"nice", "NI", 3, cell_nice},
	{"nlwp", "NLWP", 4, cell_threads},
	{"thcount", "THCNT", 5, cell_threads},
	{"s", "S", 1, cell_state},
	{"state", "S", 1, cell_state},
	{"stat", "STAT", -4, cell_state},
	{"tty", "TT", -8, cell_tty},
	{"tt", "TT", -8, cell_tty},
	{"tname", "TTY", -8, cell_tty},
	{"start", "START", 5, cell_start},
	{"stime", "STIME", 5, cell_start},
	{"time", "TIME", 8, cell_time},
	{"etime", "ELAPSED", 11, cell_etime},
	{"etimes", "ELAPSED", 7, cell_etimes},
	{"comm", "COMMAND", -15, cell_name},
	{"ucmd", "CMD", -15, cell_name},
	{"args", "COMMAND", -27, cell_command},
	{"command", "COMMAND", -27, cell_command},
	{"cmd", "CMD", -27, cell_command},
};

struct chosen {
	const struct column *column;
	const char *head;
};
struct table {
	struct chosen items[COLUMNS_MAX];
	size_t n;
	char names[2048];
};

static const struct column *find(const char *name)
{
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (strcmp(columns[i].name, name) == 0)
			return &columns[i];
	return NULL;
}

/* "pid,args" or "pid args"; a head of one's own takes the rest of the list. */
static int add_list(struct table *t, const char *list, struct err *e)
{
	size_t used = t->n ? strlen(t->names) + 1 : 0;
	char *word, *rest;

	if (snprintf(t->names + used, sizeof(t->names) - used, "%s", list) >=
	    (int)(sizeof(t->names) - used))
		return err_set(e, ERR_USAGE, E2BIG, "ps", "the list of columns is too long");
	rest = t->names + used;
	while ((word = strtok_r(rest, ", ", &rest)) && t->n < COLUMNS_MAX) {
		char *head = strchr(word, '=');
		if (head)
			*head++ = '\0';
		const struct column *c = find(word);
		if (!c)
			return err_set(e, ERR_USAGE, EINVAL, "ps",
				       "of a micro-VM's processes the column \"%.32s\" isn't known",
				       word);
		t->items[t->n++] = (struct chosen){c, head ? head : c->head};
	}
	return 0;
}

static int preset(struct table *t, const char *const (*list)[2], size_t n)
{
	for (t->n = 0; t->n < n; t->n++)
		t->items[t->n] = (struct chosen){find(list[t->n][0]), list[t->n][1]};
	return 0;
}

static int full(struct table *t)
{
	static const char *const list[][2] = {
		{"user", "UID"},    {"pid", "PID"}, {"ppid", "PPID"}, {"c", "C"},
		{"stime", "STIME"}, {"tty", "TTY"}, {"time", "TIME"}, {"cmd", "CMD"}};

	return preset(t, list, sizeof(list) / sizeof(list[0]));
}

static int short_form(struct table *t)
{
	static const char *const list[][2] = {
		{"pid", "PID"}, {"tty", "TTY"}, {"time", "TIME"}, {"ucmd", "CMD"}};

	return preset(t, list, sizeof(list) / sizeof(list[0]));
}

static int bsd(struct table *t)
{
	static const char *const list[][2] = {
		{"user", "USER"},   {"pid", "PID"},   {"pcpu", "%CPU"},   {"pmem", "%MEM"},
		{"vsz", "VSZ"},     {"rss", "RSS"},   {"tty", "TTY"},     {"stat", "STAT"},
		{"start", "START"}, {"time", "TIME"}, {"args", "COMMAND"}};

	return preset(t, list, sizeof(list) / sizeof(list[0]));
}

static int unknown(const char *word, struct err *e)
{
	return err_set(
		e, ERR_USAGE, EINVAL, "ps",
		"a micro-VM's processes are listed by -e, -f, aux and -o LIST, not by \"%.64s\"",
		word);
}

/* One word of options; *i moves on where it takes the next one. */
static int option(struct table *t, char *const *argv, size_t argc, size_t *i, bool *listed,
		  struct err *e)
{
	const char *word = argv[*i], *p = word + (*word == '-');

	if (strcmp(word, "aux") == 0 || strcmp(word, "-aux") == 0 || strcmp(word, "u") == 0)
		return bsd(t);
	p += strspn(p, "eAax");
	if (*p == 'f' && strspn(p, "feAx") == strlen(p))
		return full(t);
	if (*p == '\0')
		return 0;
	if (*p != 'o')
		return unknown(word, e);
	const char *list = p[1] ? p + 1 : *i + 1 < argc ? argv[++*i] : "";
	if (!*list)
		return unknown(word, e);
	if (!*listed)
		t->n = 0;
	*listed = true;
	return add_list(t, list, e);
}

static int choose(struct table *t, char *const *argv, size_t argc, struct err *e)
{
	bool listed = false;
	int rc = argc ? short_form(t) : full(t);

	for (size_t i = 0; rc >= 0 && i < argc; i++)
		rc = option(t, argv, argc, &i, &listed, e);
	return rc;
}

/* --- printing --- */

static void print_row(const struct table *t, const int *widths, const char *const *cells)
{
	for (size_t i = 0; i < t->n; i++) {
		int w = i + 1 < t->n || widths[i] > 0 ? widths[i] : 0;
		printf("%s%*s", i ? " " : "", w, cells[i]);
	}
	printf("\n");
}

static void widen(int *width, const char *cell)
{
	int n = (int)strnlen(cell, 32);

	if (n > abs(*width))
		*width = *width < 0 ? -n : n;
}

static void print_all(const struct table *t, const struct view *v, const struct rt_process *list,
		      size_t n)
{
	int widths[COLUMNS_MAX];
	const char *cells[COLUMNS_MAX];
	char bufs[COLUMNS_MAX][CELL];

	for (size_t i = 0; i < t->n; i++) {
		widths[i] = t->items[i].column->width;
		widen(&widths[i], t->items[i].head);
		/* The last one flows over; the others are as wide as their widest. */
		for (size_t k = 0; k < n && i + 1 < t->n; k++)
			widen(&widths[i], t->items[i].column->cell(v, &list[k], bufs[i]));
		cells[i] = t->items[i].head;
	}
	print_row(t, widths, cells);
	for (size_t k = 0; k < n; k++) {
		for (size_t i = 0; i < t->n; i++)
			cells[i] = t->items[i].column->cell(v, &list[k], bufs[i]);
		print_row(t, widths, cells);
	}
}

static uint64_t host_memory(void)
{
	auto_str text = NULL;
	struct err ignored;
	unsigned long long kib = 0;

	if (file_read_at(AT_FDCWD, "/proc/meminfo", 65536, &text, NULL, &ignored) >= 0 && text)
		(void)sscanf(text, "MemTotal: %llu", &kib);
	return kib;
}

int out_ps(const struct rt_process *list, size_t n, char *const *argv, size_t argc, struct err *e)
{
	auto_str passwd = NULL;
	struct err ignored;
	struct table t = {0};
	struct view v = {.now = time(NULL), .memory = host_memory()};
	int rc = choose(&t, argv, argc, e);

	if (rc < 0)
		return rc;
	if (file_read_at(AT_FDCWD, "/etc/passwd", PASSWD_MAX, &passwd, NULL, &ignored) >= 0)
		v.passwd = passwd;
	print_all(&t, &v, list, n);
	return 0;
}
