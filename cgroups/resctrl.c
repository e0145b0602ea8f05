/* cgroups/resctrl.c: see resctrl.h.
 *
 * config-linux.md, "IntelRdt": without closID the class bears the container's id and is made for
 * it; with closID and schemata it is made, or must have those very schemata; with closID alone it
 * must be there; closID "/" is the default class. Bandwidth and cache are written before
 * `schemata`, which has the last word.
 */
#include "cgroups/resctrl.h"
#include "cgroups/internal.h"
#include "common/fd.h"
#include "common/file.h"
#include "common/proc.h"
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define RDT "/linux/intelRdt"
#define MAX_TEXT (1u << 20)

/* --- finding it --- */

static bool kernel_has(void)
{
	auto_str text = NULL;
	struct err ignored;
	size_t len;

	return file_read_at(AT_FDCWD, "/proc/filesystems", MAX_TEXT, &text, &len, &ignored) == 0 &&
	       strstr(text, "\tresctrl\n");
}

int cg_resctrl_find(struct arena *a, const char **ret_root, struct err *e)
{
	auto_str text = NULL;
	size_t len;
	int rc = file_read_at(AT_FDCWD, "/proc/self/mountinfo", 64u << 20, &text, &len, e);

	if (rc < 0)
		return rc;
	const char *root = cg_resctrl_mount(a, text);
	if (!root)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, RDT,
			       kernel_has()
				       ? "needs resctrl, which isn't mounted: mount -t resctrl "
					 "resctrl /sys/fs/resctrl"
				       : "needs resctrl, which this host's processor or kernel "
					 "doesn't have");
	*ret_root = root;
	return 0;
}

/* --- what is asked --- */

static bool is_default(const struct spec_intel_rdt *rdt)
{
	return str_eq(rdt->clos_id, "/");
}

static bool is_named(const struct spec_intel_rdt *rdt)
{
	return rdt->clos_id && *rdt->clos_id;
}

static bool has_schemata(const struct spec_intel_rdt *rdt)
{
	return rdt->l3_cache_schema || rdt->mem_bw_schema || rdt->schemata.n;
}

static const char *name_pointer(const struct cg_resctrl *r)
{
	return is_named(r->rdt) ? RDT "/closID" : RDT;
}

static const char *legacy_pointer(const struct spec_intel_rdt *rdt)
{
	return !rdt->mem_bw_schema     ? RDT "/l3CacheSchema"
	       : !rdt->l3_cache_schema ? RDT "/memBwSchema"
				       : RDT;
}

/* The kernel's own directories beside the classes. */
static bool is_reserved(const char *name)
{
	return str_eq(name, "info") || str_eq(name, "mon_groups") || str_eq(name, "mon_data");
}

int cg_resctrl_init(struct arena *a, const char *root, const char *id,
		    const struct spec_intel_rdt *rdt, struct cg_resctrl *ret, struct err *e)
{
	struct cg_resctrl r = {.root = root, .id = id, .rdt = rdt};
	const char *name = is_named(rdt) ? rdt->clos_id : id;

	if (is_reserved(name) || strchr(name, '\n'))
		return err_set(e, ERR_SPEC, EINVAL, name_pointer(&r),
			       "\"%s\" can't be the name of a class of service", name);
	r.clos = is_default(rdt) ? root : arena_printf(a, "%s/%s", root, name);
	if (r.clos && rdt->enable_monitoring)
		r.mon = arena_printf(a, "%s/mon_groups/%s", r.clos, id);
	if (!r.clos || (rdt->enable_monitoring && !r.mon))
		return err_sys(e, ENOMEM, RDT, "planning the class of service");
	*ret = r;
	return 0;
}

static int read_file(const char *dir, const char *file, char **ret_text, struct err *e)
{
	auto_fd fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t len;

	if (fd < 0)
		return err_sys(e, errno, RDT, "opening %s", dir);
	return file_read_at(fd, file, MAX_TEXT, ret_text, &len, e);
}

static int accept_text(const char *have, const char *want, const char *pointer, struct err *e)
{
	size_t len = 0;
	const char *line = want ? cg_resctrl_unknown(have, want, &len) : NULL;

	if (!want)
		return err_sys(e, ENOMEM, pointer, "reading the schemata");
	if (!line)
		return 0;
	return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, pointer,
		       "\"%.*s\" is of no resource that this host shares out", (int)len, line);
}

int cg_resctrl_accept(const struct cg_resctrl *r, struct err *e)
{
	auto_arena a = {0};
	auto_str have = NULL;
	int rc = has_schemata(r->rdt) ? read_file(r->root, "schemata", &have, e) : 0;

	if (rc == 0 && have)
		rc = accept_text(have, cg_resctrl_legacy(&a, r->rdt), legacy_pointer(r->rdt), e);
	if (rc == 0 && have)
		rc = accept_text(have, cg_resctrl_lines(&a, r->rdt), RDT "/schemata", e);
	if (rc < 0 || !r->mon)
		return rc;
	const char *groups = arena_printf(&a, "%s/mon_groups", r->root);
	if (!groups || access(groups, F_OK) < 0)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, RDT "/enableMonitoring",
			       "this host's processor monitors neither caches nor bandwidth");
	return 0;
}

/* --- making it --- */

static int lock(const char *root, int *ret_fd, struct err *e)
{
	auto_fd fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, RDT, "opening %s", root);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, RDT, "locking %s", root);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The kernel keeps a sentence about the last refusal. */
static int write_text(const struct cg_resctrl *r, const char *text, const char *pointer,
		      struct err *e)
{
	char why[512];

	if (!text)
		return err_sys(e, ENOMEM, pointer, "writing the schemata");
	if (!*text)
		return 0;
	int rc = cg_write(r->clos, "schemata", text);
	if (rc == 0)
		return 0;
	if (cg_read(r->root, "info/last_cmd_status", why, sizeof(why)) <= 0 || str_eq(why, "ok"))
		return err_sys(e, -rc, pointer, "writing %s/schemata", r->clos);
	why[strcspn(why, "\n")] = '\0';
	return err_sys(e, -rc, pointer, "writing %s/schemata: \"%s\"", r->clos, why);
}

static int write_schemata(const struct cg_resctrl *r, const struct spec_intel_rdt *rdt,
			  struct err *e)
{
	auto_arena a = {0};
	int rc = write_text(r, cg_resctrl_legacy(&a, rdt), legacy_pointer(rdt), e);

	return rc < 0 ? rc : write_text(r, cg_resctrl_lines(&a, rdt), RDT "/schemata", e);
}

static unsigned long bandwidth_step(const struct cg_resctrl *r)
{
	char buf[32];
	uint64_t v;

	return cg_read(r->root, "info/MB/bandwidth_gran", buf, sizeof(buf)) > 0 &&
			       str_to_u64(buf, &v)
		       ? v
		       : 0;
}

static int compare(const struct cg_resctrl *r, struct err *e)
{
	auto_arena a = {0};
	auto_str have = NULL;
	const char *legacy = cg_resctrl_legacy(&a, r->rdt), *lines = cg_resctrl_lines(&a, r->rdt);
	const char *pointer = legacy_pointer(r->rdt);
	unsigned long step = bandwidth_step(r);
	size_t len = 0;

	if (!legacy || !lines)
		return err_sys(e, ENOMEM, RDT, "comparing the schemata");
	int rc = read_file(r->clos, "schemata", &have, e);
	if (rc < 0)
		return rc;
	const char *line = cg_resctrl_differs(have, legacy, lines, step, &len);
	if (!line) {
		line = cg_resctrl_differs(have, lines, "", step, &len);
		pointer = RDT "/schemata";
	}
	if (!line)
		return 0;
	return err_set(e, ERR_SPEC, EINVAL, pointer,
		       "\"%.*s\" isn't what the class of service %s has, which was there before",
		       (int)len, line, r->clos);
}

/* A class that was there before. */
static int join(const struct cg_resctrl *r, struct err *e)
{
	if (!is_named(r->rdt))
		return err_set(e, ERR_SPEC, EEXIST, RDT,
			       "%s is there already; to share it, name it in closID", r->clos);
	return has_schemata(r->rdt) ? compare(r, e) : 0;
}

static int make_dir(const struct cg_run *run, const char *path, const char *pointer, struct err *e)
{
	auto_strbuf record = {0};

	strbuf_printf(&record, "resctrl %s", path);
	if (record.failed)
		return err_sys(e, ENOMEM, pointer, "noting %s", path);
	int rc = run->note(run->note_arg, record.s, e);
	if (rc < 0 || mkdirat(AT_FDCWD, path, 0755) == 0)
		return rc;
	if (errno == ENOSPC)
		return err_set(e, ERR_SYSTEM, ENOSPC, pointer,
			       "making %s: all that the processor has are in use", path);
	return err_sys(e, errno, pointer, "making %s", path);
}

static int run_class(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct cg_resctrl *r = s->arg;
	auto_fd held = -1;
	int rc = lock(r->root, &held, e);

	if (rc < 0)
		return rc;
	if (access(r->clos, F_OK) == 0)
		return join(r, e);
	if (is_named(r->rdt) && !has_schemata(r->rdt))
		return err_set(e, ERR_SPEC, ENOENT, RDT "/closID",
			       "there is no class of service %s, and no schemata to make it with",
			       r->clos);
	rc = make_dir(ctx, r->clos, name_pointer(r), e);
	return rc < 0 ? rc : write_schemata(r, r->rdt, e);
}

static int run_monitor(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct cg_resctrl *r = s->arg;
	auto_fd held = -1;
	int rc = lock(r->root, &held, e);

	if (rc < 0)
		return rc;
	if (access(r->mon, F_OK) == 0)
		return err_set(e, ERR_SYSTEM, EEXIST, s->pointer, "%s is there already", r->mon);
	return make_dir(ctx, r->mon, s->pointer, e);
}

static int write_pid(const char *dir, pid_t pid, struct err *e)
{
	char text[32];

	snprintf(text, sizeof(text), "%d\n", (int)pid);
	int rc = cg_write(dir, "tasks", text);
	return rc < 0 ? err_sys(e, -rc, RDT, "writing the process to %s/tasks", dir) : 0;
}

/* A monitoring group takes processes of its class only. */
int cg_resctrl_attach(const struct cg_resctrl *r, pid_t pid, struct err *e)
{
	int rc = write_pid(r->clos, pid, e);

	return rc < 0 || !r->mon ? rc : write_pid(r->mon, pid, e);
}

static int run_attach(const struct plan_step *s, void *ctx, struct err *e)
{
	const struct cg_run *run = ctx;

	return cg_resctrl_attach(s->arg, run->pid, e);
}

static int step(struct plan *p, const struct cg_resctrl *r, struct plan_step s, struct err *e)
{
	s.room = PLAN_CG;
	s.what = "resctrl";
	s.arg = r;
	return s.detail ? plan_add(p, &s, e) : err_sys(e, ENOMEM, RDT, "planning");
}

int cg_resctrl_plan(struct plan *p, const struct cg_resctrl *r, struct err *e)
{
	struct plan_step class = {.stage = PLAN_PREPARE,
				  .pointer = name_pointer(r),
				  .detail = arena_printf(p->arena, "class of service %s", r->clos),
				  .run = run_class};
	struct plan_step monitor = {.stage = PLAN_PREPARE,
				    .pointer = RDT "/enableMonitoring",
				    .detail = r->mon,
				    .run = run_monitor};
	struct plan_step attach = {.stage = PLAN_ATTACH,
				   .pointer = RDT,
				   .detail = "the process, into its class of service",
				   .run = run_attach};
	int rc = step(p, r, class, e);

	if (rc >= 0 && r->mon)
		rc = step(p, r, monitor, e);
	return rc < 0 ? rc : step(p, r, attach, e);
}

/* --- afterwards --- */

int cg_resctrl_update(const struct cg_resctrl *r, const struct spec_intel_rdt *now, struct err *e)
{
	struct cg_resctrl asked = *r;
	auto_fd held = -1;

	asked.rdt = now;
	asked.mon = NULL;
	int rc = cg_resctrl_accept(&asked, e);
	if (rc >= 0)
		rc = lock(r->root, &held, e);
	return rc < 0 ? rc : write_schemata(r, now, e);
}

/* Alive, and another's. */
static bool is_foreign(pid_t pid, pid_t own)
{
	struct err ignored;
	uint64_t ticks;
	char state;

	return pid > 0 && pid != own && proc_stat(-1, pid, &state, &ticks, &ignored) == 0 &&
	       state != 'Z' && state != 'X';
}

static bool in_use(const char *path, pid_t own)
{
	auto_str text = NULL;
	struct err ignored;

	if (read_file(path, "tasks", &text, &ignored) < 0)
		return false;
	for (char *p = text, *end; *p; p = *end ? end + 1 : end) {
		pid_t pid = (pid_t)strtol(p, &end, 10);

		end += strcspn(end, "\n");
		if (is_foreign(pid, own))
			return true;
	}
	return false;
}

int cg_resctrl_undo(const char *path, const char *id, pid_t pid, struct err *e)
{
	const char *name = strrchr(path, '/');
	auto_fd held = -1;

	if (!name || name == path)
		return err_set(e, ERR_INTERNAL, EINVAL, "journal", "damaged record \"resctrl %s\"",
			       path);
	auto_str root = strndup(path, (size_t)(name - path));
	if (!root)
		return err_sys(e, ENOMEM, "journal", "undoing %s", path);
	/* The lock of the file system's root; of a monitoring group nobody else knows. */
	held = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (held >= 0)
		(void)flock(held, LOCK_EX);
	if (!str_eq(name + 1, id) && in_use(path, pid))
		return 0;
	if (unlinkat(AT_FDCWD, path, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTDIR)
		return err_sys(e, errno, path, "removing");
	return 0;
}
