/* cgroups/apply.c: values into files.
 *
 * Some files hold each other: v1's memory limit may not exceed memory plus swap, a quota may
 * not fall below its burst. Which of them has to be written first depends on what stands there.
 * Rather than reading them, a chain of values is written in order, and those that the kernel
 * refuses with EINVAL are tried again after the others, as long as that helps.
 *
 * Invariants
 *  1. A failure names the pointer, the file, the text and the kernel's reason.
 *  2. A missing file is ERR_UNSUPPORTED, unless the value asks for what holds anyway.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_CHAIN 8
/* The kernel's own number, not errno(3)'s: limits of kernel memory since 5.16. */
#define KERNEL_ENOTSUPP 524
/* Later kernels take one and set none (admin-guide/cgroup-v1/memory.rst). What came of it is asked
 * afterwards, the same for both: cg_kernel_memory_holds. */
#define KERNEL_MEMORY "memory.kmem.limit_in_bytes"

size_t cg_chain_len(const struct cg_values *v, size_t i)
{
	size_t n = 1;

	if (v->items[i].chain)
		while (i + n < v->n && n < MAX_CHAIN && v->items[i + n].chain == v->items[i].chain)
			n++;
	return n;
}

/* "? 50000" with the file's present first word for the question mark. */
static int fill_first(const char *dir, const struct cg_value *v, char *buf, size_t size)
{
	char now[128];
	long n = cg_read(dir, v->file, now, sizeof(now));

	if (n < 0)
		return (int)n;
	now[strcspn(now, " ")] = '\0';
	return snprintf(buf, size, "%s%s", now, v->data + 1) < (int)size ? 0 : -EOVERFLOW;
}

static int write_one(const char *dir, const struct cg_value *v)
{
	char buf[192];

	if (v->keep_first) {
		int rc = fill_first(dir, v, buf, sizeof(buf));
		return rc < 0 ? rc : cg_write(dir, v->file, buf);
	}
	int rc = cg_write(dir, v->file, v->data);
	/* A file that is not there looks so whether the directory forbids creating or not. */
	if (rc == -ENOENT && v->alt_file)
		rc = cg_write(dir, v->alt_file, v->alt_data);
	return rc;
}

static int failed(const char *dir, const struct cg_value *v, int rc, struct err *e)
{
	if (rc == -ENOENT || rc == -KERNEL_ENOTSUPP || rc == -EOPNOTSUPP)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, v->pointer,
			       "this kernel does not offer %s%s%s in %s (wanted \"%s\")", v->file,
			       v->alt_file ? " or " : "", v->alt_file ? v->alt_file : "", dir,
			       v->data);
	return err_sys(e, -rc, v->pointer, "writing \"%s\" to %s/%s", v->data, dir, v->file);
}

/* One value. A controller that wasn't handed down to a v2 group yet is, and the write repeated. */
static int write_value(struct cg_group *g, const struct cg_value *v, struct err *e, bool *ret_said)
{
	const char *dir = cg_full_of(g)->dirs[v->hier];
	char need[80];

	int rc = write_one(dir, v);
	if (rc == -ENOENT && g->layout->items[v->hier].v2 && !str_starts(v->file, "cgroup.")) {
		snprintf(need, sizeof(need), ",%.*s,", (int)strcspn(v->file, "."), v->file);
		rc = cg_group_enable(g, need, v->pointer, e);
		if (rc < 0) {
			*ret_said = true;
			return rc;
		}
		rc = write_one(dir, v);
	}
	if (rc == -KERNEL_ENOTSUPP && str_eq(v->file, KERNEL_MEMORY))
		return 0;
	return rc == -ENOENT && v->neutral ? 0 : rc;
}

bool cg_kernel_memory_holds(struct cg_group *g, int64_t limit)
{
	const struct cg_full *f = cg_full_of(g);
	char text[32];
	uint64_t now;

	for (size_t i = 0; i < g->layout->n; i++)
		if (!f->is_void[i] && cg_read(f->dirs[i], KERNEL_MEMORY, text, sizeof(text)) >= 0)
			/* The kernel rounds down to pages. */
			return cg_parse_u64(text, &now) && now <= (uint64_t)limit;
	return false;
}

/* Writes those of the chain that are still open; returns how many are left, or the failure of
 * one that no other order can help. */
static int pass(struct cg_group *g, const struct cg_value *v, bool *done, size_t n, struct err *e)
{
	int left = 0;

	for (size_t i = 0; i < n; i++) {
		bool said = false;
		int rc = done[i] ? 0 : write_value(g, &v[i], e, &said);
		if (rc == -EINVAL && n > 1)
			left++;
		else if (rc < 0)
			return said ? rc : failed(cg_full_of(g)->dirs[v[i].hier], &v[i], rc, e);
		else
			done[i] = true;
	}
	return left;
}

int cg_apply(struct cg_group *g, const struct cg_value *v, size_t n, struct err *e)
{
	bool done[MAX_CHAIN] = {false};
	struct cg_full *f = cg_full_of(g);

	if (f->is_void[v->hier]) {
		if (v->neutral)
			return 0;
		return err_set(e, ERR_UNSUPPORTED, EPERM, v->pointer,
			       "the control group %s could not be made, so it can't be limited",
			       f->dirs[v->hier]);
	}
	for (int left = (int)n;;) {
		int rc = pass(g, v, done, n, e);
		if (rc <= 0)
			return rc;
		if (rc == left) {
			size_t i = 0;
			while (done[i])
				i++;
			return failed(f->dirs[v[i].hier], &v[i], -EINVAL, e);
		}
		left = rc;
	}
}
