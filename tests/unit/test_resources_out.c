/* A resources object written again reads as it read before: nothing of it is lost or added. */
#include "spec/resources_out.h"
#include "spec/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char *const all =
	"{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\","
	"\"major\":1,"
	"\"minor\":3,\"access\":\"r\"}],"
	"\"memory\":{\"limit\":5,\"reservation\":4,\"swap\":-1,\"kernel\":3,\"kernelTCP\":2,"
	"\"swappiness\":9,\"disableOOMKiller\":true,\"useHierarchy\":false,\"checkBeforeUpdate\":"
	"true},"
	"\"cpu\":{\"shares\":1024,\"quota\":-1,\"burst\":0,\"period\":100,\"realtimeRuntime\":7,"
	"\"realtimePeriod\":8,\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":1},"
	"\"blockIO\":{\"weight\":10,\"leafWeight\":20,\"weightDevice\":[{\"major\":8,\"minor\":0,"
	"\"weight\":11,\"leafWeight\":12}],\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":1,"
	"\"rate\":100}],\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":2,\"rate\":101}],"
	"\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":3,\"rate\":102}],"
	"\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":4,\"rate\":103}]},"
	"\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4}],"
	"\"network\":{\"classID\":1,\"priorities\":[{\"name\":\"eth0\",\"priority\":5}]},"
	"\"pids\":{\"limit\":0},"
	"\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":4}},"
	"\"unified\":{\"memory.high\":\"a\\\"b\"}}";

static void round_trip(const char *text, struct strbuf *out)
{
	auto_arena a = {0};
	struct spec_resources *r;
	struct err e = {0};

	if (spec_parse_resources(&a, text, strlen(text), "r", &r, &e) < 0)
		fail_msg("%s: %s", e.where, e.text);
	spec_resources_out(r, out);
}

static void everything(void **state)
{
	auto_strbuf out = {0};
	(void)state;

	round_trip(all, &out);
	assert_string_equal(out.s, all);
}

static void nothing(void **state)
{
	auto_strbuf out = {0};
	(void)state;

	round_trip("{}", &out);
	assert_string_equal(out.s, "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(everything), cmocka_unit_test(nothing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
