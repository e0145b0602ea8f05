/* tests/fuzz/fuzz_json.c: the JSON reader, on any bytes: positions, pointers, writer and editor
 * agree with what it read. */
#include "fuzz.h"

#include "spec/json.h"
#include "spec/json_edit.h"

#define POINTER 4096

struct walk {
	const struct json *root;
	size_t len, n, pick; /* values seen; the one that is edited */
	struct json_out out;
	char pointer[POINTER];
	char picked[POINTER]; /* its pointer */
};

static bool plain(const char *pointer)
{
	return strlen(pointer) < POINTER - 1 && !strchr(pointer, '\\');
}

static void visit(struct walk *w, const struct json *j);

static void visit_list(struct walk *w, const struct json *j)
{
	size_t n = 0, before = strlen(w->pointer);

	for (const struct json *m = j->u.list.first; m; m = m->next, n++) {
		FUZZ_CHECK((m->key != NULL) == (j->type == JSON_OBJECT));
		FUZZ_CHECK(m->start > j->start && m->end < j->end);
		FUZZ_CHECK(!m->next || m->next->start > m->end);
		if (m->key)
			json_pointer_key(w->pointer, sizeof(w->pointer), m->key);
		else
			json_pointer_index(w->pointer, sizeof(w->pointer), n);
		visit(w, m);
		w->pointer[before] = '\0';
	}
	FUZZ_CHECK(n == j->u.list.n);
}

static void visit(struct walk *w, const struct json *j)
{
	char quoted[64];

	FUZZ_CHECK(j->start < j->end && j->end <= w->len && j->line && j->column);
	/* A control character and its escape, spelt out, have one pointer. */
	if (plain(w->pointer))
		FUZZ_CHECK(json_find(w->root, w->pointer, false) == j);
	if (w->n++ == w->pick && plain(w->pointer))
		strcpy(w->picked, w->pointer);
	if (j->type == JSON_STRING) {
		json_put_str(&w->out, j->key, j->u.string);
		json_quote(j->u.string, quoted, sizeof(quoted));
	} else if (j->type == JSON_OBJECT) {
		json_obj_open(&w->out, j->key);
		visit_list(w, j);
		json_obj_close(&w->out);
	} else if (j->type == JSON_ARRAY) {
		json_arr_open(&w->out, j->key);
		visit_list(w, j);
		json_arr_close(&w->out);
	} else if (j->type == JSON_BOOL) {
		json_put_bool(&w->out, j->key, j->u.boolean);
	} else {
		json_put_null(&w->out, j->key); /* numbers have no writer of their text */
	}
}

/* The same tree but for numbers, which became null. */
static void same(const struct json *a, const struct json *b)
{
	FUZZ_CHECK(a->type == JSON_NUMBER ? b->type == JSON_NULL : a->type == b->type);
	FUZZ_CHECK(str_eq(a->key, b->key));
	if (a->type == JSON_STRING)
		FUZZ_CHECK(strcmp(a->u.string, b->u.string) == 0);
	if (a->type == JSON_BOOL)
		FUZZ_CHECK(a->u.boolean == b->u.boolean);
	if (a->type != JSON_OBJECT && a->type != JSON_ARRAY)
		return;
	FUZZ_CHECK(a->u.list.n == b->u.list.n);
	a = a->u.list.first, b = b->u.list.first;
	for (; a; a = a->next, b = b->next)
		same(a, b);
}

/* A new member of the object, or element of the array, that is picked. */
static void add(const struct walk *w, const char *text)
{
	char pointer[POINTER + 8];
	struct json_edit e = {.pointer = pointer, .text = "{\"a\": [0]}", .create = true};
	auto_strbuf out = {0};
	auto_arena a = {0};
	struct err err = {0};
	struct json *root;
	const struct json *at = json_find(w->root, w->picked, false);

	snprintf(pointer, sizeof(pointer), "%s/%s", w->picked,
		 at->type == JSON_ARRAY ? "-" : "new~1~0");
	int rc = json_edit(text, w->len, "doc", &e, 1, &out, &err);
	bool list = at->type == JSON_ARRAY || at->type == JSON_OBJECT;
	FUZZ_CHECK((rc == 0) == list);
	if (rc == 0 && json_parse(&a, out.s, out.len, "doc", &root, &err) == 0) {
		bool there = json_get(at, "new/~") != NULL;
		const struct json *now = json_find(root, w->picked, false);
		FUZZ_CHECK(now && now->u.list.n == at->u.list.n + !there);
	}
}

/* A change in place, and a removal: what comes out is a document, and has it. */
static void edit(const struct walk *w, const char *text, bool remove)
{
	struct json_edit e = {.pointer = w->picked, .text = remove ? NULL : "[7]"};
	auto_strbuf out = {0};
	auto_arena a = {0};
	struct err err = {0};
	struct json *root;
	int rc = json_edit(text, w->len, "doc", &e, 1, &out, &err);

	FUZZ_CHECK(rc == 0 || (remove && !w->picked[0]));
	if (rc < 0)
		return;
	rc = json_parse(&a, out.s, out.len, "doc", &root, &err);
	/* The new value may be deeper than a document may be. */
	if (rc < 0 && !remove)
		return;
	FUZZ_CHECK(rc == 0);
	const struct json *now = json_find(root, w->picked, false);
	FUZZ_CHECK(remove || (now && now->type == JSON_ARRAY && now->u.list.n == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = {0}, again = {0};
	auto_strbuf b = {0};
	struct err e = {0};
	struct json *root, *copy;

	/* Its first byte chooses the value that is edited. */
	if (size < 1)
		return 0;
	char *text = fuzz_text(data + 1, size - 1);
	int rc = json_parse(&a, text, size - 1, "doc", &root, &e);
	if (rc < 0) {
		fuzz_check_err(rc, &e);
		FUZZ_CHECK(e.where[0]);
		free(text);
		return 0;
	}
	struct walk w = {.root = root, .len = size - 1, .pick = data[0]};
	json_out_init(&w.out, &b, data[0] & 1 ? "\t" : NULL);
	visit(&w, root);
	FUZZ_CHECK(!b.failed && json_parse(&again, b.s, b.len, "copy", &copy, &e) == 0);
	same(root, copy);
	edit(&w, text, false);
	edit(&w, text, true);
	add(&w, text);
	free(text);
	return 0;
}
