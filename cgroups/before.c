/* cgroups/before.c: what stood in the files that an update writes, to be put back when the update
 * as a whole can't be.
 *
 * Invariants
 *  1. Read before the first write, and written back in the update's own order and chains.
 *  2. A file of several lines (one for each device, "8:0 rbps=1 …") gets back the line that the
 *     update replaced, and where it had none, the words that take the new one away.
 *  3. Putting back is as good as the kernel lets it be: a value that it takes no more stays.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 16384

struct cg_before {
	struct cg_values values; /* what stood there, as values to be written */
};

/* "8:0 …" */
static bool names_device(const char *data)
{
	size_t major = strspn(data, "0123456789");
	size_t minor = data[major] == ':' ? strspn(data + major + 1, "0123456789") : 0;

	return major && minor && data[major + 1 + minor] == ' ';
}

/* The line of text that begins as data does, up to its first blank; NULL: none. */
static const char *line_of(const char *text, const char *data)
{
	size_t n = strcspn(data, " ");

	if (!data[n])
		return NULL;
	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (strncmp(p, data, n + 1) == 0)
			return p;
	return NULL;
}

/* (2) What a device without a line of its own has. */
static const char *no_line(struct arena *a, const char *file, const char *data)
{
	const char *rest = strcmp(file, "io.max") == 0 ? "rbps=max wbps=max riops=max wiops=max"
			   : str_starts(file, "io.")   ? "default"
						       : "0";

	return arena_printf(a, "%.*s %s", (int)strcspn(data, " "), data, rest);
}

const char *cg_before_text(struct arena *a, const char *file, const char *data, const char *text)
{
	const char *line = line_of(text, data);

	if (!line && names_device(data))
		return no_line(a, file, data);
	if (!line)
		line = text;
	size_t n = strcspn(line, "\n");
	/* A file that was empty is emptied by an empty line. */
	return n ? arena_strndup(a, line, n) : arena_strdup(a, "\n");
}

/* 1: *ret is what to write to have it again; 0: there is no such file. */
static int read_one(struct arena *a, const char *dir, const struct cg_value *v,
		    struct cg_value *ret, struct err *e)
{
	char text[TEXT_MAX];
	const char *file = v->file, *data = v->data;
	long n = cg_read(dir, file, text, sizeof(text));

	if (n < 0 && v->alt_file) {
		file = v->alt_file;
		data = v->alt_data;
		n = cg_read(dir, file, text, sizeof(text));
	}
	if (n < 0)
		return 0;
	*ret = (struct cg_value){.pointer = v->pointer,
				 .hier = v->hier,
				 .file = file,
				 .data = cg_before_text(a, file, data, text),
				 .neutral = true,
				 .chain = v->chain};
	return ret->data ? 1 : err_sys(e, ENOMEM, dir, "reading the present limits");
}

int cg_before_read(struct arena *a, struct cg_group *g, const struct cg_values *values,
		   struct cg_before **ret, struct err *e)
{
	struct cg_before *b = arena_alloc(a, sizeof(*b));
	int rc = 0;

	if (b)
		b->values.items = arena_array(a, values->n + 1, sizeof(*b->values.items));
	if (!b || !b->values.items)
		return err_sys(e, ENOMEM, NULL, "reading the present limits");
	for (size_t i = 0; rc >= 0 && i < values->n; i++) {
		const struct cg_value *v = &values->items[i];
		if (cg_full_of(g)->is_void[v->hier])
			continue;
		rc = read_one(a, cg_full_of(g)->dirs[v->hier], v, &b->values.items[b->values.n], e);
		if (rc > 0)
			b->values.n++;
	}
	if (rc >= 0)
		*ret = b;
	return rc < 0 ? rc : 0;
}

void cg_update_undo(struct cg_group *g, const struct cg_before *b)
{
	struct err ignored;

	for (size_t i = 0, n; i < b->values.n; i += n) {
		n = cg_chain_len(&b->values, i);
		(void)cg_apply(g, &b->values.items[i], n, &ignored);
	}
	if (g->unit)
		(void)cg_unit_update(g, &b->values, &ignored);
}

static bool read_v1(const char *dir, int64_t *ret_quota, uint64_t *ret_period)
{
	char quota[64], period[64];

	return cg_read(dir, "cpu.cfs_quota_us", quota, sizeof(quota)) >= 0 &&
	       cg_read(dir, "cpu.cfs_period_us", period, sizeof(period)) >= 0 &&
	       str_to_i64(quota, ret_quota) && str_to_u64(period, ret_period);
}

/* "max 100000" */
static bool read_v2(const char *dir, int64_t *ret_quota, uint64_t *ret_period)
{
	char text[128];
	char *blank;

	if (cg_read(dir, "cpu.max", text, sizeof(text)) < 0 || !(blank = strchr(text, ' ')))
		return false;
	*blank = '\0';
	if (strcmp(text, "max") == 0)
		*ret_quota = -1;
	else if (!str_to_i64(text, ret_quota))
		return false;
	return str_to_u64(blank + 1, ret_period);
}

bool cg_cpu_max(struct cg_group *g, int64_t *ret_quota, uint64_t *ret_period)
{
	const struct cg_hierarchy *h = cg_find(g->layout, "cpu");

	if (!h || cg_full_of(g)->is_void[h - g->layout->items])
		return false;
	const char *dir = cg_full_of(g)->dirs[h - g->layout->items];
	return h->v2 ? read_v2(dir, ret_quota, ret_period) : read_v1(dir, ret_quota, ret_period);
}
