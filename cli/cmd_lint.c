/* cli/cmd_lint.c: lint: findings about a bundle's configuration, one a line, and an exit code that
 * tells the worst of them. */
#include "cli/opt.h"

#include "common/arena.h"
#include "common/str.h"
#include "spec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A file is a configuration in a bundle, a directory the bundle. */
static int choose(struct cli *c, struct arena *a, struct err *e)
{
	char *path = c->argc ? arena_strdup(a, c->argv[0]) : NULL;
	struct stat st;

	if (!c->argc)
		return 0;
	if (!path)
		return err_sys(e, ENOMEM, NULL, "reading the arguments");
	if (stat(path, &st) < 0)
		return err_sys(e, errno, path, "opening");
	if (S_ISDIR(st.st_mode)) {
		c->create.bundle = path;
		return 0;
	}
	char *slash = strrchr(path, '/');
	c->create.config = slash ? slash + 1 : path;
	if (slash) {
		c->create.bundle = slash == path ? "/" : path;
		*slash = '\0';
	}
	return 0;
}

static void print_one(const struct spec_finding *f, const char *name)
{
	if (f->line)
		printf("%s:%u:%u: ", name, f->line, f->column);
	printf("%s: %s%s%s [%s]\n", spec_severity_word(f->severity), f->pointer,
	       *f->pointer ? ": " : "", f->text, f->rule);
}

static void as_json(const struct spec_findings *f)
{
	auto_strbuf b = {0};
	struct json_out o;

	json_out_init(&o, &b, "\t");
	json_arr_open(&o, NULL);
	for (size_t i = 0; i < f->n; i++) {
		const struct spec_finding *x = &f->items[i];
		json_obj_open(&o, NULL);
		json_put_str(&o, "severity", spec_severity_word(x->severity));
		json_put_str(&o, "rule", x->rule);
		json_put_str(&o, "pointer", x->pointer);
		json_put_str(&o, "text", x->text);
		if (x->line) {
			json_put_u64(&o, "line", x->line);
			json_put_u64(&o, "column", x->column);
		}
		json_obj_close(&o);
	}
	json_arr_close(&o);
	printf("%s\n", b.s ? b.s : "");
}

static void as_text(const struct spec_findings *f, const char *name, const size_t count[])
{
	for (size_t i = 0; i < f->n; i++)
		print_one(&f->items[i], name);
	printf("%zu errors, %zu warnings, %zu recommendations\n", count[SPEC_ERROR],
	       count[SPEC_WARNING], count[SPEC_RECOMMENDATION]);
}

int cmd_lint(struct cli *c, struct err *e)
{
	auto_arena a = {0};
	struct spec_findings f = {.arena = &a};
	size_t count[SPEC_ERROR + 1] = {0};
	int rc = choose(c, &a, e);

	if (rc >= 0)
		rc = rt_lint(&c->rt, &c->create, &f, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < f.n; i++)
		count[f.items[i].severity]++;
	if (str_eq(c->format, "json"))
		as_json(&f);
	else
		as_text(&f, c->create.config ? c->create.config : "config.json", count);
	if (count[SPEC_ERROR] || (c->strict && count[SPEC_WARNING]))
		return 2;
	return count[SPEC_WARNING] ? 1 : 0;
}
