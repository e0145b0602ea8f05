/* tests/fuzz/fuzz_config.c: config.json from its bytes to the plan: reader, rules, lint, what the
 * shared-kernel wall accepts, and its steps, none of which is run. */
#include "fuzz.h"

#include "namespaces/ns.h"
#include "spec/lint.h"
#include "spec/spec.h"

/* Nothing may stand in a plan that explain can't print. */
static void plan(struct arena *a, const struct spec *s)
{
	struct plan p = {.arena = a};
	struct err e = {0};
	int rc = ns_plan(&p, s, "/rootfs", "/bundle", &e);

	FUZZ_CHECK(rc == 0 || (e.code == -rc && e.text[0]));
	for (size_t i = 0; i < p.n && rc == 0; i++)
		FUZZ_CHECK(p.steps[i].what && p.steps[i].pointer && p.steps[i].detail &&
			   p.steps[i].stage < PLAN_STAGES);
}

static void lint(struct arena *a, const struct spec *s)
{
	struct spec_findings f = {.arena = a};
	struct err e = {0};

	FUZZ_CHECK(spec_lint(s, &f, &e) == 0);
	for (size_t i = 0; i < f.n; i++)
		FUZZ_CHECK(f.items[i].rule && f.items[i].pointer && f.items[i].text[0] &&
			   spec_severity_word(f.items[i].severity));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = {0};
	struct err e = {0};
	struct spec *s;
	char *text = fuzz_text(data, size);
	int rc = spec_parse(&a, text, size, "config.json", &s, &e);

	/* Nothing of the spec points into the text. */
	memset(text, 'x', size);
	free(text);
	if (rc == 0)
		rc = spec_check(s, &e);
	if (rc == 0) {
		lint(&a, s);
		rc = ns_accept(s, &e);
		/* What isn't the document's fault may quote it as it is: log.c tames it. */
		FUZZ_CHECK(rc == 0 || (e.code == -rc && e.text[0]));
	} else {
		fuzz_check_err(rc, &e);
	}
	if (rc == 0)
		plan(&a, s);
	return 0;
}
