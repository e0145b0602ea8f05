/* tests/fuzz/fuzz_state.c: state.json and the journal. The first byte: 'j', the rest is a journal;
 * any other, it is a state document, and what was read is written and read again. */
#include "fuzz.h"

#include "runtime/journal.h"
#include "runtime/store.h"

static void same(const struct st_doc *a, const struct st_doc *b)
{
	FUZZ_CHECK(str_eq(a->oci_version, b->oci_version) && str_eq(a->id, b->id) &&
		   str_eq(a->bundle, b->bundle) && str_eq(a->rootfs, b->rootfs) &&
		   str_eq(a->created, b->created) && str_eq(a->backend, b->backend) &&
		   str_eq(a->cgroup, b->cgroup) && str_eq(a->unit, b->unit));
	FUZZ_CHECK(a->owner == b->owner && a->pid == b->pid && a->ticks == b->ticks &&
		   a->systemd == b->systemd && a->paused == b->paused &&
		   a->poststart == b->poststart && a->poststop == b->poststop);
	FUZZ_CHECK(a->annotations.n == b->annotations.n);
	for (size_t i = 0; i < a->annotations.n; i++)
		FUZZ_CHECK(str_eq(a->annotations.items[i].key, b->annotations.items[i].key) &&
			   str_eq(a->annotations.items[i].value, b->annotations.items[i].value));
}

static void document(const char *text, size_t len)
{
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct st_doc d = {0}, again = {0};
	struct err e = {0};
	int rc = st_doc_parse(&a, text, len, &d, &e);

	if (rc < 0) {
		fuzz_check_err(rc, &e);
		return;
	}
	FUZZ_CHECK(d.id && d.bundle && d.rootfs && d.backend && d.pid >= 0);
	st_doc_write(&d, &b);
	FUZZ_CHECK(!b.failed && st_doc_parse(&a, b.s, b.len, &again, &e) == 0);
	same(&d, &again);
}

/* One record a whole line, the last line first. */
static void journal(char *text, size_t len)
{
	struct strbuf said = {.s = text, .len = len, .cap = len + 1};
	struct st_record *r = NULL;
	auto_arena a = {0};
	struct err e = {0};
	size_t n = 0, want = 0;

	FUZZ_CHECK(st_journal_read(-1, &said, &a, &r, &n, &e) == 0);
	for (const char *p = text, *end; (end = strchr(p, '\n')); p = end + 1)
		want += end != p;
	FUZZ_CHECK(n == want);
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(r[i].kind && r[i].arg && !strchr(r[i].kind, ' ') &&
			   !strchr(r[i].arg, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	char *text = fuzz_text(data + 1, size - 1);
	if (data[0] == 'j')
		journal(text, size - 1);
	else
		document(text, size - 1);
	free(text);
	return 0;
}
