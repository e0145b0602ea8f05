/* tests/fuzz/fuzz_process.c: the process document of exec: reader, rules, and its writer, whose
 * text means the same. */
#include "fuzz.h"

#include "spec/process_out.h"
#include "spec/spec.h"

static void round_trip(const struct spec_process *p)
{
	auto_strbuf first = {0}, second = {0};
	auto_arena a = {0};
	struct err e = {0};
	struct spec_process *again;

	spec_process_out(p, &first);
	FUZZ_CHECK(!first.failed);
	FUZZ_CHECK(spec_parse_process(&a, first.s, first.len, "again", &again, &e) == 0);
	FUZZ_CHECK(spec_check_process(again, "", &e) == 0);
	spec_process_out(again, &second);
	FUZZ_CHECK(second.len == first.len && memcmp(first.s, second.s, first.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = {0};
	auto_strbuf unknown = {0};
	struct err e = {0};
	struct spec_process *p;
	char *text = fuzz_text(data, size);
	int rc = spec_parse_process(&a, text, size, "process.json", &p, &e);

	free(text);
	if (rc == 0) {
		spec_unknown_caps(p, &unknown);
		rc = spec_check_process(p, "", &e);
	}
	if (rc < 0)
		fuzz_check_err(rc, &e);
	else
		round_trip(p);
	return 0;
}
