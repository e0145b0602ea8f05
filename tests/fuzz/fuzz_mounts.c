/* tests/fuzz/fuzz_mounts.c: the table of mounts and binds: lines "destination type source option,…"
 * with blanks between, "-" for what is absent; a line "user" gives the container a user namespace,
 * "mask PATH" and "readonly PATH" a path. */
#include "fuzz.h"

#include "namespaces/internal.h"

#define MAX_MOUNTS 32
#define MAX_WORDS 16

struct table {
	struct spec spec;
	struct spec_namespace user;
	struct spec_mount mounts[MAX_MOUNTS];
	const char *words[MAX_MOUNTS][MAX_WORDS];
	const char *masked[MAX_MOUNTS], *readonly[MAX_MOUNTS];
};

static const char *word(char **rest)
{
	const char *w = strsep(rest, " ");

	return w && *w && strcmp(w, "-") != 0 ? w : NULL;
}

static void add_mount(struct table *t, const char *destination, char *rest)
{
	struct spec_mount *m = &t->mounts[t->spec.mounts.n];

	*m = (struct spec_mount){.destination = destination};
	m->options.items = t->words[t->spec.mounts.n++];
	m->type = word(&rest);
	m->source = word(&rest);
	for (char *o; m->options.n < MAX_WORDS && (o = strsep(&rest, ","));)
		if (*o)
			m->options.items[m->options.n++] = o;
}

static void add_line(struct table *t, char *line)
{
	struct spec_strings *masked = &t->spec.linux_.masked_paths,
			    *readonly = &t->spec.linux_.readonly_paths;
	const char *first = word(&line);

	if (!first)
		return;
	if (strcmp(first, "user") == 0)
		t->spec.linux_.namespaces.n = 1;
	else if (strcmp(first, "mask") == 0 && line && masked->n < MAX_MOUNTS)
		masked->items[masked->n++] = line;
	else if (strcmp(first, "readonly") == 0 && line && readonly->n < MAX_MOUNTS)
		readonly->items[readonly->n++] = line;
	else if (first[0] == '/' && t->spec.mounts.n < MAX_MOUNTS)
		add_mount(t, first, line);
}

/* What is accepted becomes a step for each; nothing lies on the root, or in a procfs. */
static void plan(const struct table *t)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	struct err e = {0};
	bool ignored;

	FUZZ_CHECK(ns_plan_mounts(&p, &t->spec, "/bundle", &e) == 0);
	FUZZ_CHECK(p.n == t->spec.mounts.n);
	for (size_t i = 0; i < p.n; i++)
		FUZZ_CHECK(p.steps[i].run && p.steps[i].detail && p.steps[i].what);
	FUZZ_CHECK(ns_plan_masks(&p, &t->spec, &e) == 0);
	(void)ns_plan_devices(&p, &t->spec, &e);
	(void)ns_dev_is_bound(&t->spec);
	(void)ns_propagation(t->spec.mounts.n ? t->spec.mounts.items[0].type : NULL, &ignored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct table *t = calloc(1, sizeof(*t));
	struct err e = {0};
	char *lines[3 * MAX_MOUNTS];
	size_t n = 0;

	FUZZ_CHECK(t);
	t->user.type = SPEC_NS_USER;
	t->spec.linux_.set = true;
	t->spec.linux_.namespaces.items = &t->user;
	t->spec.linux_.masked_paths.items = t->masked;
	t->spec.linux_.readonly_paths.items = t->readonly;
	t->spec.mounts.items = t->mounts;
	while (in.left && n < sizeof(lines) / sizeof(lines[0])) {
		lines[n] = fuzz_line(&in);
		add_line(t, lines[n++]);
	}
	int rc = ns_accept_mounts(&t->spec, &e);
	if (rc == 0)
		plan(t);
	else
		FUZZ_CHECK(e.code == -rc && e.text[0]);
	while (n)
		free(lines[--n]);
	free(t);
	return 0;
}
