/* microvm/modules.c: from modules.dep to an archive of drivers.
 *
 * modules.dep has a line for each module: its file, a colon, the files that it needs, those that
 * have to be loaded first at the end. Names are relative to its folder.
 *
 * Invariants
 *  1. The folder is the host's own (root's), yet nothing above it is opened: a name that leads out
 *     of it is an error.
 *  2. A file is in the archive once, behind all that it needs.
 */
#include "microvm/modules.h"

#include "common/fd.h"
#include "common/file.h"
#include "microvm/cpio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX (16u << 20)
#define TAKEN_MAX 128u

struct archive {
	int dir;
	const char *where;
	char *dep, *builtin;    /* the two lists; builtin NULL: there is none */
	char *taken[TAKEN_MAX]; /* names of files, allocated; in the order of loading */
	size_t n_taken;
	struct strbuf order, out;
};

static int no_memory(struct err *e)
{
	return err_sys(e, ENOMEM, NULL, "packing the guest's modules");
}

/* --- names --- */

/* Does the path (len bytes) end in a file of that module? kernel/fs/fuse/virtiofs.ko.xz is
 * virtiofs. */
static bool is_module(const char *path, size_t len, const char *name)
{
	const char *slash = memrchr(path, '/', len);
	const char *file = slash ? slash + 1 : path;
	size_t rest = len - (size_t)(file - path), n = strlen(name);

	if (rest < n + 3 || strncmp(file + n, ".ko", 3) != 0 ||
	    (rest > n + 3 && file[n + 3] != '.'))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((file[i] == '-' ? '_' : file[i]) != name[i])
			return false;
	return true;
}

/* The line of a list whose first word is that module's file, or NULL. */
static const char *find(const char *list, const char *name)
{
	for (const char *line = list; line && *line;) {
		if (is_module(line, strcspn(line, ":\n"), name))
			return line;
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return NULL;
}

/* (1) */
static bool leads_out(const char *path)
{
	return path[0] == '/' || path[0] == '\0' || str_starts(path, "../") || strstr(path, "/../");
}

/* --- files --- */

static int pack(struct archive *a, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
	char name[320];

	if (leads_out(path))
		return err_set(e, ERR_SYSTEM, EINVAL, a->where,
			       "modules.dep names a file outside of it: %.200s", path);
	auto_fd fd = openat(a->dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, a->where, "the module %.200s: %s", path,
			       err_reason(errno));
	int n = snprintf(name, sizeof(name), "%s/%s", VM_MODULES_DIR, file);
	if (n < 0 || (size_t)n >= sizeof(name))
		return err_sys(e, ENAMETOOLONG, a->where, "naming a module");
	strbuf_printf(&a->order, "%s\n", file);
	return vm_cpio_file(&a->out, name, false, fd, e);
}

/* (2) */
static int take(struct archive *a, const char *path, size_t len, struct err *e)
{
	for (size_t i = 0; i < a->n_taken; i++)
		if (strncmp(a->taken[i], path, len) == 0 && a->taken[i][len] == '\0')
			return 0;
	if (a->n_taken == TAKEN_MAX)
		return err_sys(e, E2BIG, a->where, "packing the guest's modules");
	char *copy = strndup(path, len);
	if (!copy)
		return no_memory(e);
	a->taken[a->n_taken++] = copy;
	return pack(a, copy, e);
}

/* The words of the line, from the last one to the module itself. */
static int take_line(struct archive *a, const char *line, struct err *e)
{
	size_t end = strcspn(line, "\n");
	int rc = 0;

	while (end && rc >= 0) {
		size_t from = end;
		while (from && line[from - 1] != ' ' && line[from - 1] != '\t')
			from--;
		size_t len = end - from;
		if (len && from + len == end && line[end - 1] == ':')
			len--;
		if (len)
			rc = take(a, line + from, len, e);
		end = from ? from - 1 : 0;
	}
	return rc;
}

static int take_module(struct archive *a, const struct vm_module_want *want, struct err *e)
{
	const char *line = find(a->dep, want->name);

	if (line)
		return take_line(a, line, e);
	if (!want->needed || (a->builtin && find(a->builtin, want->name)))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, ENOENT, a->where,
		       "the kernel has no %s, neither as a module nor built in", want->name);
}

static int read_lists(struct archive *a, struct err *e)
{
	struct err ignored;
	int rc = file_read_at(a->dir, "modules.dep", LIST_MAX, &a->dep, NULL, e);

	if (rc < 0)
		return err_wrap(e, rc, "%s", a->where);
	(void)file_read_at(a->dir, "modules.builtin", LIST_MAX, &a->builtin, NULL, &ignored);
	return 0;
}

static void archive_free(struct archive *a)
{
	for (size_t i = 0; i < a->n_taken; i++)
		free(a->taken[i]);
	strbuf_free(&a->order);
	strbuf_free(&a->out);
	str_cleanup(&a->dep);
	str_cleanup(&a->builtin);
}

static int write_all(struct archive *a, const struct vm_module_want *want, size_t n, struct err *e)
{
	int rc = read_lists(a, e);

	vm_cpio_dir(&a->out, "lib");
	vm_cpio_dir(&a->out, VM_MODULES_DIR);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = take_module(a, &want[i], e);
	if (rc < 0)
		return rc;
	vm_cpio_data(&a->out, VM_MODULES_DIR "/order", a->order.s ? a->order.s : "", a->order.len);
	vm_cpio_end(&a->out);
	return a->out.failed || a->order.failed ? no_memory(e) : 0;
}

int vm_modules_archive(int dir, const char *where, const struct vm_module_want *want, size_t n,
		       void **ret_data, size_t *ret_len, struct err *e)
{
	struct archive a = {.dir = dir, .where = where};
	int rc = write_all(&a, want, n, e);

	if (rc >= 0) {
		*ret_len = a.out.len;
		*ret_data = take_str(&a.out.s);
	}
	archive_free(&a);
	return rc;
}
