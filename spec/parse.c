/* spec/parse.c: the entry points: text to checked structs.
 *
 * Invariants
 *  1. Outputs are set on success only; what was allocated stays in the arena.
 *  2. The tree is kept beside the structs, so that the cross-field checks can
 *     name positions too.
 */
#include "spec/table.h"

#include <errno.h>

/* Parses and fills a struct of the table from the arena. */
static int read_document(struct arena *a, const char *text, size_t len, const char *name,
			 const struct spec_table *t, void **ret_object,
			 const struct spec_source **ret_source, struct spec_unknown **ret_unknown,
			 size_t *ret_n_unknown, struct err *e)
{
	struct spec_source *source = arena_alloc(a, sizeof(*source));
	void *object = arena_alloc(a, t->size);
	struct json *root = NULL;
	int rc;

	if (source)
		source->name = arena_strdup(a, name);
	if (!source || !object || !source->name)
		return err_set(e, ERR_SYSTEM, ENOMEM, name, "no memory to parse");
	rc = json_parse(a, text, len, source->name, &root, e);
	if (rc < 0)
		return rc;
	rc = spec_table_read(a, source->name, root, t, object, ret_unknown, ret_n_unknown, e);
	if (rc < 0)
		return rc;
	source->root = root;
	*ret_source = source;
	*ret_object = object;
	return 0;
}

/* Process and resources have sources of their own: they may be checked apart from the document. */
static int add_source(struct arena *a, const char *name, const struct json *root,
		      const struct spec_source **ret_source, struct err *e)
{
	struct spec_source *source = arena_alloc(a, sizeof(*source));

	if (!source)
		return err_set(e, ERR_SYSTEM, ENOMEM, name, "no memory to parse");
	source->name = name;
	source->root = root;
	*ret_source = source;
	return 0;
}

static int add_part_sources(struct arena *a, struct spec *s, struct err *e)
{
	const struct json *root = s->source->root, *process = json_get(root, "process");
	const struct json *resources = json_get(json_get(root, "linux"), "resources");
	int rc = 0;

	if (s->has_process)
		rc = add_source(a, s->source->name, process, &s->process.source, e);
	if (rc == 0 && s->linux_.resources.set)
		rc = add_source(a, s->source->name, resources, &s->linux_.resources.source, e);
	return rc;
}

/* config.md: a relative destination counts from "/", for configurations of old. */
static int root_mounts(struct arena *a, struct spec *s, struct err *e)
{
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &s->mounts.items[i];

		if (!*m->destination || m->destination[0] == '/')
			continue;
		m->destination = arena_printf(a, "/%s", m->destination);
		if (!m->destination)
			return err_sys(e, ENOMEM, "/mounts", "reading");
	}
	return 0;
}

int spec_parse(struct arena *a, const char *json, size_t len, const char *name,
	       struct spec **ret_spec, struct err *e)
{
	struct spec_unknown *unknown = NULL;
	const struct spec_source *source = NULL;
	size_t n = 0;
	void *object = NULL;
	struct spec *s;
	int rc = read_document(a, json, len, name, &spec_table_config, &object, &source, &unknown,
			       &n, e);

	if (rc < 0)
		return rc;
	s = object;
	s->source = source;
	s->unknown.items = unknown;
	s->unknown.n = n;
	rc = add_part_sources(a, s, e);
	if (rc == 0)
		rc = root_mounts(a, s, e);
	if (rc == 0)
		rc = spec_apply_annotations(s, e);
	if (rc < 0)
		return rc;
	*ret_spec = s;
	return 0;
}

int spec_parse_process(struct arena *a, const char *json, size_t len, const char *name,
		       struct spec_process **ret_process, struct err *e)
{
	const struct spec_source *source = NULL;
	void *object = NULL;
	struct spec_process *p;
	int rc = read_document(a, json, len, name, &spec_table_process, &object, &source, NULL,
			       NULL, e);

	if (rc < 0)
		return rc;
	p = object;
	p->source = source;
	*ret_process = p;
	return 0;
}

int spec_parse_resources(struct arena *a, const char *json, size_t len, const char *name,
			 struct spec_resources **ret_resources, struct err *e)
{
	const struct spec_source *source = NULL;
	void *object = NULL;
	struct spec_resources *r;
	int rc = read_document(a, json, len, name, &spec_table_resources, &object, &source, NULL,
			       NULL, e);

	if (rc < 0)
		return rc;
	r = object;
	r->set = true;
	r->source = source;
	*ret_resources = r;
	return 0;
}
