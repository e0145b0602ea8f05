/* cgroups/stats_parse.c: the texts of the kernel's statistics files, as numbers.
 *
 * Invariants
 *  1. Nothing here touches anything but memory; the only failure is -ENOMEM.
 *  2. A line that isn't as expected is left out: a later kernel may add columns and keys.
 */
#include "cgroups/internal.h"
#include "common/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 65536

/* The decimal number at s, which has to end at a blank, a line break or the end. */
static bool number(const char *s, uint64_t *ret_v)
{
	char buf[24];
	size_t len = strcspn(s, " \t\n");

	if (len >= sizeof(buf))
		return false;
	memcpy(buf, s, len);
	buf[len] = '\0';
	return str_to_u64(buf, ret_v);
}

bool cg_parse_u64(const char *text, uint64_t *ret_v)
{
	if (strncmp(text, "max", 3) == 0 && (text[3] == '\0' || text[3] == '\n')) {
		*ret_v = UINT64_MAX;
		return true;
	}
	return number(text, ret_v);
}

static const char *next_line(const char *p)
{
	p = strchr(p, '\n');
	return p && p[1] ? p + 1 : NULL;
}

static size_t count(const char *text, const char *set)
{
	size_t n = 1;

	for (const char *p = text; (p = strpbrk(p, set)); p++)
		n++;
	return n;
}

bool cg_parse_key(const char *text, const char *key, uint64_t *ret_v)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = next_line(p))
		if (strncmp(p, key, len) == 0 && p[len] == ' ')
			return cg_parse_u64(p + len + 1, ret_v);
	return false;
}

int cg_parse_flat(struct arena *a, const char *text, struct cg_counter **ret_items, size_t *ret_n)
{
	struct cg_counter *items = arena_array(a, count(text, "\n"), sizeof(*items));
	size_t n = 0;

	if (!items)
		return -ENOMEM;
	for (const char *p = text; p; p = next_line(p)) {
		size_t len = strcspn(p, " \n");
		if (len == 0 || p[len] != ' ' || !number(p + len + 1, &items[n].v))
			continue;
		if (!(items[n++].name = arena_strndup(a, p, len)))
			return -ENOMEM;
	}
	*ret_items = items;
	*ret_n = n;
	return 0;
}

int cg_parse_columns(struct arena *a, const char *text, bool lines, size_t column,
		     struct cg_u64s *ret)
{
	uint64_t *v = arena_array(a, count(text, " \n"), sizeof(*v));
	size_t n = 0, at = 0;

	if (!v)
		return -ENOMEM;
	for (const char *p = text; *p;) {
		size_t len = strcspn(p, " \n");
		if (len && (!lines || at == column) && number(p, &v[n]))
			n++;
		at = p[len] == '\n' ? 0 : at + (len > 0);
		p += len + (p[len] != '\0');
	}
	*ret = (struct cg_u64s){v, n};
	return 0;
}

/* "3" or "3-5", up to a comma or the end; *ret_end is behind it. */
static bool range(const char *p, uint64_t *ret_from, uint64_t *ret_to, const char **ret_end)
{
	char *end;

	if (*p < '0' || *p > '9')
		return false;
	*ret_from = *ret_to = strtoull(p, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9')
		*ret_to = strtoull(end + 1, &end, 10);
	*ret_end = end;
	return (*end == ',' || *end == '\n' || !*end) && *ret_to >= *ret_from && *ret_to < LIST_MAX;
}

int cg_parse_list(struct arena *a, const char *text, struct cg_u64s *ret)
{
	uint64_t from, to;
	const char *end;
	size_t n = 0;

	for (const char *p = text; range(p, &from, &to, &end); p = end + 1) {
		n += to - from + 1;
		if (*end != ',')
			break;
	}
	if (n == 0 || n > LIST_MAX)
		return 0;
	uint64_t *v = arena_array(a, n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	n = 0;
	for (const char *p = text; range(p, &from, &to, &end); p = end + 1) {
		for (; from <= to; from++)
			v[n++] = from;
		if (*end != ',')
			break;
	}
	*ret = (struct cg_u64s){v, n};
	return 0;
}

/* "8:16 " at p; returns what follows, NULL when it isn't a device. */
static const char *device(const char *p, struct cg_io *io)
{
	char *end;

	if (*p < '0' || *p > '9')
		return NULL;
	io->major = strtoull(p, &end, 10);
	if (*end != ':' || end[1] < '0' || end[1] > '9')
		return NULL;
	io->minor = strtoull(end + 1, &end, 10);
	return *end == ' ' ? end + 1 : NULL;
}

int cg_parse_blkio(struct arena *a, const char *text, struct cg_io_list *ret)
{
	struct cg_io *items = arena_array(a, count(text, "\n"), sizeof(*items));
	size_t n = 0;

	if (!items)
		return -ENOMEM;
	for (const char *p = text; p; p = next_line(p)) {
		const char *op = device(p, &items[n]);
		size_t len = op ? strcspn(op, " \n") : 0;
		if (!len || op[len] != ' ' || !number(op + len + 1, &items[n].value))
			continue;
		if (!(items[n++].op = arena_strndup(a, op, len)))
			return -ENOMEM;
	}
	*ret = (struct cg_io_list){items, n};
	return 0;
}

/* The value of " key=" in this line. */
static bool pair(const char *p, const char *key, uint64_t *ret_v)
{
	size_t len = strlen(key);

	for (;; p += *p == ' ') {
		if (strncmp(p, key, len) == 0 && p[len] == '=')
			return number(p + len + 1, ret_v);
		p += strcspn(p, " \n");
		if (*p != ' ')
			return false;
	}
}

int cg_parse_io_stat(struct arena *a, const char *text, const char *const keys[3],
		     struct cg_io_list *ret)
{
	static const char *const ops[3] = {"Read", "Write", "Discard"};
	struct cg_io *items = arena_array(a, count(text, "\n") * 3, sizeof(*items));
	struct cg_io io;
	size_t n = 0;

	if (!items)
		return -ENOMEM;
	for (const char *p = text; p; p = next_line(p)) {
		const char *rest = device(p, &io);
		for (size_t i = 0; rest && i < 3; i++) {
			io.op = ops[i];
			if (pair(rest, keys[i], &io.value))
				items[n++] = io;
		}
	}
	*ret = (struct cg_io_list){items, n};
	return 0;
}

/* "12.34" as 1234. */
static bool hundredths(const char *p, const char *key, uint64_t *ret_v)
{
	const char *at = strstr(p, key), *eol = strchr(p, '\n');

	if (!at || (eol && at > eol))
		return false;
	at += strlen(key);
	size_t len = strcspn(at, ".");
	char buf[24];
	if (len == 0 || len > 16 || at[len] != '.' || strspn(at + len + 1, "0123456789") < 2)
		return false;
	memcpy(buf, at, len);
	memcpy(buf + len, at + len + 1, 2);
	buf[len + 2] = '\0';
	return str_to_u64(buf, ret_v);
}

static bool stall(const char *line, struct cg_stall *s)
{
	return hundredths(line, "avg10=", &s->avg10) && hundredths(line, "avg60=", &s->avg60) &&
	       hundredths(line, "avg300=", &s->avg300) && pair(line, "total", &s->total);
}

void cg_parse_pressure(const char *text, struct cg_pressure *ret)
{
	for (const char *p = text; p; p = next_line(p)) {
		bool full = str_starts(p, "full ");
		struct cg_stall s;
		if ((!full && !str_starts(p, "some ")) || !stall(p + 5, &s))
			continue;
		*(full ? &ret->full : &ret->some) = s;
		ret->set = true;
	}
}
