/* cgroups/resctrl_text.c: the texts of resctrl: where it is mounted, what is to be written, and
 * whether what stands there is what is asked for.
 *
 * A line of schemata is "RESOURCE:ID=VALUE;ID=VALUE…", and the kernel pads resources and values
 * with blanks or zeros when it prints them: what counts is resource, domain and number.
 */
#include "cgroups/internal.h"
#include "cgroups/resctrl.h"
#include "common/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A piece of a text. */
struct piece {
	const char *s;
	size_t n;
};

static struct piece trim(struct piece p)
{
	while (p.n && isspace((unsigned char)*p.s))
		p.s++, p.n--;
	while (p.n && isspace((unsigned char)p.s[p.n - 1]))
		p.n--;
	return p;
}

/* Cuts what is before the mark off *rest, and the mark. False at the end. */
static bool cut(struct piece *rest, char mark, struct piece *ret)
{
	if (rest->n == 0)
		return false;
	const char *end = memchr(rest->s, mark, rest->n);
	size_t n = end ? (size_t)(end - rest->s) : rest->n, gone = n + (end != NULL);

	*ret = (struct piece){rest->s, n};
	*rest = (struct piece){rest->s + gone, rest->n - gone};
	return true;
}

static struct piece whole(const char *text)
{
	return (struct piece){text, strlen(text)};
}

static bool same(struct piece a, struct piece b)
{
	return a.n == b.n && strncasecmp(a.s, b.s, a.n) == 0;
}

/* A number without what doesn't change it. */
static struct piece digits(struct piece p)
{
	p = trim(p);
	if (p.n > 2 && p.s[0] == '0' && (p.s[1] == 'x' || p.s[1] == 'X'))
		p = (struct piece){p.s + 2, p.n - 2};
	while (p.n > 1 && p.s[0] == '0')
		p.s++, p.n--;
	return p;
}

/* "RESOURCE:rest" */
static bool parse_line(struct piece line, struct piece *ret_resource, struct piece *ret_rest)
{
	struct piece resource;

	if (!memchr(line.s, ':', line.n) || !cut(&line, ':', &resource))
		return false;
	*ret_resource = trim(resource);
	*ret_rest = line;
	return true;
}

static bool parse_domain(struct piece *rest, struct piece *ret_id, struct piece *ret_value)
{
	struct piece word, id;

	while (cut(rest, ';', &word))
		if (cut(&word, '=', &id)) {
			*ret_id = digits(id);
			*ret_value = digits(word);
			return true;
		}
	return false;
}

/* The last value that the text gives a domain of a resource: later lines win. */
static bool find(const char *text, struct piece resource, struct piece id, struct piece *ret)
{
	struct piece all = whole(text), line, name, rest, i, value;
	bool found = false;

	while (cut(&all, '\n', &line)) {
		if (!parse_line(line, &name, &rest) || !same(name, resource))
			continue;
		while (parse_domain(&rest, &i, &value))
			if (same(i, id)) {
				*ret = value;
				found = true;
			}
	}
	return found;
}

static unsigned long number(struct piece p)
{
	char buf[24] = "";

	memcpy(buf, p.s, p.n < sizeof(buf) ? p.n : sizeof(buf) - 1);
	return strtoul(buf, NULL, 10);
}

static bool agrees(struct piece resource, struct piece have, struct piece want, unsigned long step)
{
	if (same(have, want))
		return true;
	if (step == 0 || !same(resource, whole("MB")))
		return false;
	unsigned long v = number(want);
	return (v + step - 1) / step * step == number(have);
}

static bool line_holds(const char *have, struct piece line, const char *later, unsigned long step)
{
	struct piece resource, rest, id, want, is;

	if (!parse_line(line, &resource, &rest))
		return trim(line).n == 0;
	while (parse_domain(&rest, &id, &want)) {
		if (find(later, resource, id, &is))
			continue;
		if (!find(have, resource, id, &is) || !agrees(resource, is, want, step))
			return false;
	}
	return true;
}

const char *cg_resctrl_differs(const char *have, const char *want, const char *later,
			       unsigned long mb_step, size_t *ret_len)
{
	struct piece all = whole(want), line;

	while (cut(&all, '\n', &line))
		if (!line_holds(have, line, later, mb_step)) {
			*ret_len = line.n;
			return line.s;
		}
	return NULL;
}

static bool has_resource(const char *text, struct piece resource)
{
	struct piece all = whole(text), line, name, rest;

	while (cut(&all, '\n', &line))
		if (parse_line(line, &name, &rest) && same(name, resource))
			return true;
	return false;
}

const char *cg_resctrl_unknown(const char *have, const char *want, size_t *ret_len)
{
	struct piece all = whole(want), line, name, rest;

	while (cut(&all, '\n', &line)) {
		if (trim(line).n == 0)
			continue;
		if (!parse_line(line, &name, &rest) || !has_resource(have, name)) {
			*ret_len = line.n;
			return line.s;
		}
	}
	return NULL;
}

/* --- what is to be written --- */

static const char *add_line(struct arena *a, const char *text, struct piece line)
{
	return arena_printf(a, "%s%.*s\n", text, (int)line.n, line.s);
}

const char *cg_resctrl_legacy(struct arena *a, const struct spec_intel_rdt *rdt)
{
	struct piece all = whole(rdt->l3_cache_schema ? rdt->l3_cache_schema : ""), line;
	const char *text = "";

	while (text && cut(&all, '\n', &line)) {
		bool bandwidth = line.n >= 3 && memcmp(line.s, "MB:", 3) == 0;

		if (line.n && !(bandwidth && rdt->mem_bw_schema))
			text = add_line(a, text, line);
	}
	if (text && rdt->mem_bw_schema)
		text = add_line(a, text, whole(rdt->mem_bw_schema));
	return text;
}

const char *cg_resctrl_lines(struct arena *a, const struct spec_intel_rdt *rdt)
{
	const char *text = "";

	for (size_t i = 0; text && i < rdt->schemata.n; i++)
		text = add_line(a, text, whole(rdt->schemata.items[i]));
	return text;
}

/* --- where it is --- */

/* The fifth field of a line whose file system, the first word after " - ", is resctrl. */
static bool mount_point(char *line, char **ret_point)
{
	char *sep = strstr(line, " - "), *p = line;

	if (!sep || strncmp(sep + 3, "resctrl ", 8) != 0)
		return false;
	for (int i = 0; i < 4; i++)
		if (!strsep(&p, " "))
			return false;
	*ret_point = strsep(&p, " ");
	return *ret_point != NULL;
}

const char *cg_resctrl_mount(struct arena *a, const char *mountinfo)
{
	char *text = arena_strdup(a, mountinfo), *line, *point = NULL;

	/* The kernel has one instance: whichever mount shows it. */
	while ((line = strsep(&text, "\n")))
		if (mount_point(line, &point))
			break;
	if (line)
		cg_unescape(point);
	return line ? point : NULL;
}
