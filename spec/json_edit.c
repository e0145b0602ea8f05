/* spec/json_edit.c: edits become cuts (a range of the text, and what stands there instead), sorted
 * and applied in one pass.
 *
 * Invariants
 *  1. Cuts don't overlap: two that do are a contradiction of the caller's, and refused.
 *  2. What comes out is valid JSON: the document was, every new text was looked at alone, and
 *     commas go and come with their neighbours.
 *  3. No recursion; time is edits × (siblings along their pointers).
 */
#include "spec/json_edit.h"

#include <errno.h>
#include <string.h>

struct cut {
	unsigned from, to;   /* replaced bytes; equal: an insertion */
	unsigned order;      /* of insertions at one place */
	const char *text;    /* NULL: nothing comes there */
	const char *key;     /* before text, when it is a new member */
	const char *pointer; /* who asked, for messages */
	bool comma;          /* before it all */
};

struct editor {
	const char *text, *name;
	size_t len;
	struct arena arena;
	struct json *root;
	const struct json **gone; /* removed values, sorted by place in the text */
	size_t n_gone;
	struct cut *cuts;
	size_t n_cuts;
	struct err *e;
};

static int refuse(struct editor *ed, const char *pointer, const char *why)
{
	return err_set(ed->e, ERR_INTERNAL, EINVAL, pointer, "%s: can't edit this: %s", ed->name,
		       why);
}

static int no_memory(struct editor *ed)
{
	return err_set(ed->e, ERR_SYSTEM, ENOMEM, ed->name, "no memory to edit");
}

/* --- finding --- */

/* The container that the pointer's last step is taken in. The pointer isn't "". */
static int find_parent(struct editor *ed, const char *pointer, const struct json **ret_parent)
{
	const char *last = strrchr(pointer, '/');
	char *prefix = arena_strndup(&ed->arena, pointer, (size_t)(last - pointer));

	if (!prefix)
		return no_memory(ed);
	*ret_parent = json_find(ed->root, prefix, false);
	return 0;
}

/* The member's name that the pointer's last step says. */
static char *last_key(struct editor *ed, const char *pointer)
{
	char *key = arena_strdup(&ed->arena, strrchr(pointer, '/') + 1), *to = key;

	for (const char *p = key; p && *p; p++) {
		bool escape = *p == '~' && (p[1] == '0' || p[1] == '1');

		*to++ = (char)(!escape ? *p : p[1] == '0' ? '~' : '/');
		p += escape;
	}
	if (key)
		*to = '\0';
	return key;
}

static int compare_places(const void *a, const void *b)
{
	const struct json *x = *(const struct json *const *)a, *y = *(const struct json *const *)b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static bool is_gone(const struct editor *ed, const struct json *j)
{
	return ed->n_gone &&
	       bsearch(&j, ed->gone, ed->n_gone, sizeof(*ed->gone), compare_places) != NULL;
}

static bool has_survivor(const struct editor *ed, const struct json *list)
{
	for (const struct json *c = list->u.list.first; c; c = c->next)
		if (!is_gone(ed, c))
			return true;
	return false;
}

/* --- cuts --- */

static struct cut *add_cut(struct editor *ed, unsigned from, unsigned to, const char *pointer)
{
	struct cut *c = &ed->cuts[ed->n_cuts];

	*c = (struct cut){
		.from = from, .to = to, .pointer = pointer, .order = (unsigned)ed->n_cuts};
	ed->n_cuts++;
	return c;
}

static unsigned first_byte(const struct json *j)
{
	return j->key ? j->key_start : j->start;
}

/* A child and one comma: the one before it when something before it stays, else the one behind. */
static void cut_child(struct editor *ed, const struct json *parent, const struct json *child,
		      const char *pointer)
{
	const struct json *before = NULL;
	bool stays = false;

	for (const struct json *c = parent->u.list.first; c != child; c = c->next) {
		before = c;
		stays = stays || !is_gone(ed, c);
	}
	if (stays)
		add_cut(ed, before->end, child->end, pointer);
	else
		add_cut(ed, first_byte(child), child->next ? first_byte(child->next) : child->end,
			pointer);
}

static int cut_new(struct editor *ed, const struct json_edit *edit, const struct json *parent)
{
	const struct json *last = parent->u.list.last;
	unsigned at = last ? last->end : parent->start + 1;
	const char *key = NULL;
	struct cut *c;
	bool comma = has_survivor(ed, parent);

	if (parent->type == JSON_OBJECT) {
		key = last_key(ed, edit->pointer);
		if (!key)
			return no_memory(ed);
	}
	for (size_t i = 0; i < ed->n_cuts; i++) {
		const struct cut *other = &ed->cuts[i];

		if (!other->text || other->from != at || other->to != at)
			continue;
		comma = true;
		if (key && other->key && strcmp(key, other->key) == 0)
			return refuse(ed, edit->pointer, "it is created twice");
	}
	c = add_cut(ed, at, at, edit->pointer);
	c->text = edit->text;
	c->key = key;
	c->comma = comma;
	return 0;
}

static int check_text(struct editor *ed, const struct json_edit *edit)
{
	struct json *j = NULL;
	struct err e = {0};

	if (!edit->text ||
	    json_parse(&ed->arena, edit->text, strlen(edit->text), ed->name, &j, &e) == 0)
		return 0;
	if (e.kind == ERR_SPEC)
		return refuse(ed, edit->pointer, "its new text isn't JSON");
	*ed->e = e;
	return -e.code;
}

/* Sets or creates. */
static int cut_value(struct editor *ed, const struct json_edit *edit)
{
	const struct json *j = json_find(ed->root, edit->pointer, false), *parent = NULL;
	int rc;

	if (j) {
		add_cut(ed, j->start, j->end, edit->pointer)->text = edit->text;
		return 0;
	}
	rc = find_parent(ed, edit->pointer, &parent);
	if (rc < 0)
		return rc;
	if (edit->create && parent &&
	    (parent->type == JSON_OBJECT ||
	     (parent->type == JSON_ARRAY && strcmp(strrchr(edit->pointer, '/'), "/-") == 0)))
		return cut_new(ed, edit, parent);
	return err_set(ed->e, ERR_SPEC, ENOENT, edit->pointer, "%s has no such value to change",
		       ed->name);
}

/* --- the passes --- */

/* First: what goes, for commas depend on who stays. */
static int note_removals(struct editor *ed, const struct json_edit *edits, size_t n)
{
	size_t unique = 0;

	for (size_t i = 0; i < n; i++) {
		const struct json *j;

		if (edits[i].pointer[0] != '\0' && edits[i].pointer[0] != '/')
			return refuse(ed, edits[i].pointer, "a pointer begins with /");
		if (edits[i].text)
			continue;
		if (!edits[i].pointer[0])
			return refuse(ed, "/", "the whole document can't be removed");
		j = json_find(ed->root, edits[i].pointer, false);
		if (j)
			ed->gone[ed->n_gone++] = j;
	}
	qsort(ed->gone, ed->n_gone, sizeof(*ed->gone), compare_places);
	for (size_t i = 0; i < ed->n_gone; i++)
		if (i == 0 || ed->gone[i] != ed->gone[i - 1])
			ed->gone[unique++] = ed->gone[i];
	ed->n_gone = unique;
	return 0;
}

static int cut_removal(struct editor *ed, const char *pointer)
{
	const struct json *j = json_find(ed->root, pointer, false), *parent = NULL;
	int rc = j ? find_parent(ed, pointer, &parent) : 0;

	if (!j || rc < 0)
		return rc;
	cut_child(ed, parent, j, pointer);
	return 0;
}

static int compare_cuts(const void *a, const void *b)
{
	const struct cut *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Removals named twice come out as one; whatever else overlaps is refused. */
static int sort_cuts(struct editor *ed)
{
	size_t n = 0;

	if (ed->n_cuts)
		qsort(ed->cuts, ed->n_cuts, sizeof(*ed->cuts), compare_cuts);
	for (size_t i = 0; i < ed->n_cuts; i++) {
		const struct cut *c = &ed->cuts[i], *before = n ? &ed->cuts[n - 1] : NULL;

		if (before && !before->text && !c->text && before->from == c->from &&
		    before->to == c->to)
			continue;
		if (before && c->from < before->to)
			return refuse(ed, c->pointer,
				      "another edit changes a part of it, or its whole");
		ed->cuts[n++] = *c;
	}
	ed->n_cuts = n;
	return 0;
}

static int make_cuts(struct editor *ed, const struct json_edit *edits, size_t n)
{
	int rc = note_removals(ed, edits, n);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		rc = check_text(ed, &edits[i]);
		if (rc == 0)
			rc = edits[i].text ? cut_value(ed, &edits[i])
					   : cut_removal(ed, edits[i].pointer);
	}
	return rc < 0 ? rc : sort_cuts(ed);
}

static int apply(struct editor *ed, struct strbuf *out)
{
	struct strbuf b = {0};
	unsigned at = 0;

	for (size_t i = 0; i < ed->n_cuts; i++) {
		const struct cut *c = &ed->cuts[i];

		strbuf_add(&b, ed->text + at, c->from - at);
		strbuf_add(&b, ",", c->comma);
		if (c->key) {
			strbuf_json(&b, c->key);
			strbuf_puts(&b, ":");
		}
		if (c->text)
			strbuf_puts(&b, c->text);
		at = c->to;
	}
	strbuf_add(&b, ed->text + at, ed->len - at);
	if (!b.failed)
		strbuf_add(out, b.s, b.len);
	if (b.failed || out->failed) {
		strbuf_free(&b);
		return no_memory(ed);
	}
	strbuf_free(&b);
	return 0;
}

int json_edit(const char *text, size_t len, const char *name, const struct json_edit *edits,
	      size_t n, struct strbuf *out, struct err *e)
{
	struct editor ed = {.text = text, .len = len, .name = name, .e = e};
	int rc = json_parse(&ed.arena, text, len, name, &ed.root, e);

	if (rc == 0) {
		ed.gone = arena_array(&ed.arena, n + 1, sizeof(*ed.gone));
		ed.cuts = arena_array(&ed.arena, n + 1, sizeof(*ed.cuts));
		rc = ed.gone && ed.cuts ? make_cuts(&ed, edits, n) : no_memory(&ed);
	}
	if (rc == 0)
		rc = apply(&ed, out);
	arena_free(&ed.arena);
	return rc;
}
