/* Documents to structs: types, ranges, words, required keys; the specification's samples. */
#include "common/file.h"
#include "spec/spec.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
#define P(x) HEAD "\"process\":{\"cwd\":\"/\"," x "}}"
#define L(x) HEAD "\"linux\":{" x "}}"
#define R(x) L("\"resources\":{" x "}")
#define S(x) L("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"," x "}")
#define V(x) HEAD "\"vm\":{" x "}}"

static const struct {
	const char *doc, *pointer, *text;
} bad[] = {
	{"[]", "", "must be an object, is an array"},
	{"7", "", "must be an object, is a number"},
	{"{}", "/ociVersion", "is required"},
	{"{\"ociVersion\":null}", "/ociVersion", "must be a string, is null"},
	{"{\"ociVersion\":1.0}", "/ociVersion", "must be a string, is a number"},
	{"{\"ociVersion\":\"1.0.0\",\"root\":{}}", "/root/path", "is required"},
	{"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", "/root/path", "must not be empty"},
	{"{\"ociVersion\":\"1.0.0\",\"root\":\"r\"}", "/root", "must be an object, is a string"},
	{"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\",\"readonly\":\"yes\"}}",
	 "/root/readonly", "must be a boolean, is a string"},
	{HEAD "\"hostname\":[]}", "/hostname", "must be a string"},
	{HEAD "\"domainname\":5}", "/domainname", "must be a string"},
	{HEAD "\"mounts\":{}}", "/mounts", "must be an array, is an object"},
	{HEAD "\"mounts\":[null]}", "/mounts/0", "must be an object, is null"},
	{HEAD "\"mounts\":[{\"destination\":\"/\"},{}]}", "/mounts/1/destination", "is required"},
	{HEAD "\"mounts\":[{\"destination\":\"/\",\"options\":\"ro\"}]}", "/mounts/0/options",
	 "must be an array, is a string"},
	{HEAD "\"mounts\":[{\"destination\":\"/\",\"options\":[\"ro\",1]}]}", "/mounts/0/options/1",
	 "must be a string"},
	{HEAD "\"mounts\":[{\"destination\":\"/\",\"uidMappings\":[{\"hostID\":0,\"size\":1}]}]}",
	 "/mounts/0/uidMappings/0/containerID", "is required"},
	{HEAD "\"annotations\":{\"a/b~c\":1}}", "/annotations/a~1b~0c", "must be a string"},
	{HEAD "\"annotations\":{\"a\":null}}", "/annotations/a", "must be a string, is null"},
	{HEAD "\"hooks\":{\"poststop\":[{\"args\":[]}]}}", "/hooks/poststop/0/path", "is required"},
	{HEAD "\"hooks\":{\"prestart\":[{\"path\":\"/x\",\"timeout\":0}]}}",
	 "/hooks/prestart/0/timeout", "must be an integer from 1"},
	{HEAD "\"hooks\":{\"createRuntime\":{}}}", "/hooks/createRuntime", "must be an array"},
	{HEAD "\"freebsd\":1}", "/freebsd", "must be an object"},
	{HEAD "\"process\":{}}", "/process/cwd", "is required"},
	{P("\"terminal\":1"), "/process/terminal", "must be a boolean, is a number"},
	{P("\"consoleSize\":{\"height\":1}"), "/process/consoleSize/width", "is required"},
	{P("\"consoleSize\":{\"height\":1,\"width\":65536}"), "/process/consoleSize/width",
	 "from 0 to 65535"},
	{P("\"args\":\"sh\""), "/process/args", "must be an array"},
	{P("\"env\":[\"A=b\",null]"), "/process/env/1", "must be a string"},
	{P("\"user\":{\"uid\":-1}"), "/process/user/uid", "from 0 to 4294967295, is -1"},
	{P("\"user\":{\"uid\":4294967296}"), "/process/user/uid", "is 4294967296"},
	{P("\"user\":{\"uid\":1e3}"), "/process/user/uid", "without fraction and exponent"},
	{P("\"user\":{\"uid\":5.0}"), "/process/user/uid", "without fraction and exponent"},
	{P("\"user\":{\"gid\":\"0\"}"), "/process/user/gid", "must be a number, is a string"},
	{P("\"user\":{\"umask\":512}"), "/process/user/umask", "from 0 to 511"},
	{P("\"user\":{\"additionalGids\":[1,-1]}"), "/process/user/additionalGids/1", "is -1"},
	{P("\"rlimits\":[{\"type\":\"RLIMIT_NOPE\",\"soft\":1,\"hard\":1}]"),
	 "/process/rlimits/0/type", "setrlimit"},
	{P("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1}]"), "/process/rlimits/0/hard",
	 "is required"},
	{P("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":18446744073709551616,\"hard\":1}]"),
	 "/process/rlimits/0/soft", "18446744073709551615"},
	{P("\"capabilities\":[]"), "/process/capabilities", "must be an object, is an array"},
	{P("\"capabilities\":{\"bounding\":\"CAP_KILL\"}"), "/process/capabilities/bounding",
	 "must be an array"},
	{P("\"oomScoreAdj\":1001"), "/process/oomScoreAdj", "from -1000 to 1000"},
	{P("\"oomScoreAdj\":-1001"), "/process/oomScoreAdj", "from -1000 to 1000"},
	{P("\"scheduler\":{}"), "/process/scheduler/policy", "is required"},
	{P("\"scheduler\":{\"policy\":\"FIFO\"}"), "/process/scheduler/policy", "SCHED_FIFO"},
	{P("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}"), "/process/scheduler/nice",
	 "from -20 to 19"},
	{P("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}"),
	 "/process/scheduler/flags/0", "SCHED_FLAG_RESET_ON_FORK"},
	{P("\"ioPriority\":{\"class\":\"RT\"}"), "/process/ioPriority/class", "IOPRIO_CLASS_RT"},
	{P("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}"),
	 "/process/ioPriority/priority", "from 0 to 7"},
	{P("\"execCPUAffinity\":{\"initial\":\"a\"}"), "/process/execCPUAffinity/initial",
	 "list of numbers"},
	{L("\"namespaces\":[{\"type\":\"net\"}]"), "/linux/namespaces/0/type", "network"},
	{L("\"namespaces\":[{\"path\":\"/x\"}]"), "/linux/namespaces/0/type", "is required"},
	{L("\"uidMappings\":[{\"containerID\":0,\"hostID\":0}]"), "/linux/uidMappings/0/size",
	 "is required"},
	{L("\"timeOffsets\":{\"realtime\":{}}"), "/linux/timeOffsets/realtime", "not known"},
	{L("\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}"),
	 "/linux/timeOffsets/boottime/nanosecs", "999999999"},
	{L("\"devices\":[{\"type\":\"x\",\"path\":\"/d\"}]"), "/linux/devices/0/type",
	 "one of c, b, u, p"},
	{L("\"devices\":[{\"type\":\"cc\",\"path\":\"/d\"}]"), "/linux/devices/0/type",
	 "is \"cc\""},
	{L("\"devices\":[{\"type\":\"c\"}]"), "/linux/devices/0/path", "is required"},
	{L("\"netDevices\":{\"eth0\":null}"), "/linux/netDevices/eth0", "must be an object"},
	{L("\"netDevices\":{\"eth0\":{\"name\":23}}"), "/linux/netDevices/eth0/name",
	 "must be a string"},
	{L("\"sysctl\":{\"a\":1}"), "/linux/sysctl/a", "must be a string"},
	{L("\"rootfsPropagation\":\"none\""), "/linux/rootfsPropagation", "private, shared"},
	{L("\"maskedPaths\":[{}]"), "/linux/maskedPaths/0", "must be a string"},
	{L("\"personality\":{}"), "/linux/personality/domain", "is required"},
	{L("\"personality\":{\"domain\":\"BSD\"}"), "/linux/personality/domain", "LINUX32"},
	{L("\"memoryPolicy\":{\"mode\":\"BIND\"}"), "/linux/memoryPolicy/mode", "MPOL_BIND"},
	{L("\"intelRdt\":{\"memBwSchema\":\"L3:0=f\"}"), "/linux/intelRdt/memBwSchema", "MB:"},
	{R("\"devices\":[{}]"), "/linux/resources/devices/0/allow", "is required"},
	{R("\"devices\":[{\"allow\":true,\"access\":\"rx\"}]"), "/linux/resources/devices/0/access",
	 "composed of"},
	{R("\"memory\":{\"limit\":9223372036854775808}"), "/linux/resources/memory/limit",
	 "9223372036854775807"},
	{R("\"memory\":{\"swappiness\":101}"), "/linux/resources/memory/swappiness", "to 100"},
	{R("\"cpu\":{\"shares\":-1}"), "/linux/resources/cpu/shares", "is -1"},
	{R("\"cpu\":{\"idle\":2}"), "/linux/resources/cpu/idle", "from 0 to 1"},
	{R("\"cpu\":{\"cpus\":1}"), "/linux/resources/cpu/cpus", "must be a string"},
	{R("\"blockIO\":{\"weight\":65536}"), "/linux/resources/blockIO/weight", "to 65535"},
	{R("\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0}]}"),
	 "/linux/resources/blockIO/throttleReadBpsDevice/0/rate", "is required"},
	{R("\"hugepageLimits\":[{\"pageSize\":\"64kB\",\"limit\":1}]"),
	 "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
	{R("\"hugepageLimits\":[{\"pageSize\":\"02MB\",\"limit\":1}]"),
	 "/linux/resources/hugepageLimits/0/pageSize", "2MB"},
	{R("\"network\":{\"priorities\":[{\"name\":\"e\"}]}"),
	 "/linux/resources/network/priorities/0/priority", "is required"},
	{R("\"pids\":{\"limit\":\"max\"}"), "/linux/resources/pids/limit", "must be a number"},
	{R("\"rdma\":{\"m\":{\"hcaHandles\":\"x\"}}"), "/linux/resources/rdma/m/hcaHandles",
	 "must be a number"},
	{R("\"unified\":{\"memory.max\":1}"), "/linux/resources/unified/memory.max",
	 "must be a string"},
	{L("\"seccomp\":{}"), "/linux/seccomp/defaultAction", "is required"},
	{L("\"seccomp\":{\"defaultAction\":\"ALLOW\"}"), "/linux/seccomp/defaultAction",
	 "SCMP_ACT_ALLOW"},
	{S("\"architectures\":[\"x86\"]"), "/linux/seccomp/architectures/0", "SCMP_ARCH_X86"},
	{S("\"flags\":[\"LOG\"]"), "/linux/seccomp/flags/0", "SECCOMP_FILTER_FLAG_LOG"},
	{S("\"syscalls\":[{\"action\":\"SCMP_ACT_LOG\"}]"), "/linux/seccomp/syscalls/0/names",
	 "is required"},
	{S("\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":6,"
	   "\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]"),
	 "/linux/seccomp/syscalls/0/args/0/index", "from 0 to 5"},
	{S("\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_LOG\",\"args\":[{\"index\":0,"
	   "\"value\":1,\"op\":\"EQ\"}]}]"),
	 "/linux/seccomp/syscalls/0/args/0/op", "SCMP_CMP_EQ"},
	{V("\"image\":{\"path\":\"/i\",\"format\":\"raw\"}"), "/vm/kernel", "is required"},
	{V("\"kernel\":{}"), "/vm/kernel/path", "is required"},
	{V("\"kernel\":{\"path\":\"/k\",\"parameters\":\"quiet\"}"), "/vm/kernel/parameters",
	 "must be an array"},
	{V("\"kernel\":{\"path\":\"/k\"},\"image\":{\"path\":\"/i\",\"format\":\"iso\"}"),
	 "/vm/image/format", "qcow2"},
	{V("\"kernel\":{\"path\":\"/k\"},\"hwConfig\":{\"vcpus\":4294967296}"),
	 "/vm/hwConfig/vcpus", "4294967295"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_arena a = {0};
		struct spec *s = NULL;
		struct err e = {0};
		const char *at;

		if (spec_parse(&a, bad[i].doc, strlen(bad[i].doc), "c.json", &s, &e) == 0)
			fail_msg("accepted: %s", bad[i].doc);
		assert_null(s);
		assert_int_equal(e.kind, ERR_SPEC);
		assert_int_equal(strncmp(e.where, "c.json:1:", 9), 0);
		at = strstr(e.where, ": ");
		at = at ? at + 2 : "";
		if (strcmp(at, bad[i].pointer) != 0 || !strstr(e.text, bad[i].text))
			fail_msg("%s\n%s: %s\nwanted %s … %s", bad[i].doc, e.where, e.text,
				 bad[i].pointer, bad[i].text);
	}
}

static struct spec *parse(struct arena *a, const char *doc)
{
	struct spec *s = NULL;
	struct err e = {0};

	if (spec_parse(a, doc, strlen(doc), "c.json", &s, &e) < 0)
		fail_msg("%s: %s", e.where, e.text);
	return s;
}

/* null counts as absent wherever a value is optional. */
static void test_nulls(void **state)
{
	auto_arena a = {0};
	struct spec *s = parse(&a, HEAD "\"process\":null,\"mounts\":null,\"hooks\":null,"
					"\"hostname\":null,\"linux\":{\"resources\":null,"
					"\"maskedPaths\":null,\"seccomp\":null},\"vm\":null,"
					"\"annotations\":null,\"windows\":null}");

	(void)state;
	assert_false(s->has_process || s->has_windows || s->vm.set);
	assert_true(s->linux_.set);
	assert_false(s->linux_.resources.set || s->linux_.seccomp.set);
	assert_null(s->hostname);
	assert_int_equal(s->mounts.n + s->annotations.n + s->linux_.masked_paths.n, 0);
}

static void test_values(void **state)
{
	auto_arena a = {0};
	struct spec *s = parse(
		&a, HEAD
		"\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":4294967295,\"umask\":-0},"
		"\"oomScoreAdj\":-1000,\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":-20},"
		"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,\"hard\":18446744073709551615}"
		"]},"
		"\"linux\":{\"resources\":{\"memory\":{\"limit\":-1},\"pids\":{\"limit\":5},"
		"\"rdma\":{\"m1\":{\"hcaObjects\":7},\"m2\":{}},\"unified\":{\"k\":\"v\"}},"
		"\"namespaces\":[{\"type\":\"time\",\"path\":\"\"},{\"type\":\"pid\"}],"
		"\"devices\":[{\"type\":\"c\",\"path\":\"/d\",\"major\":1,\"fileMode\":8630}],"
		"\"timeOffsets\":{\"boottime\":{\"secs\":-9223372036854775808}},"
		"\"netDevices\":{\"eth0\":{\"name\":\"e\"},\"eth1\":{}}},"
		"\"vm\":{\"kernel\":{\"path\":\"/k\"},\"hwConfig\":{\"vcpus\":2,\"irqs\":[1,2]}},"
		"\"freebsd\":{\"jail\":{}}}");

	(void)state;
	assert_int_equal(s->process.user.uid, UINT32_MAX);
	assert_true(s->process.user.umask.set && s->process.user.umask.v == 0);
	assert_true(s->process.oom_score_adj.set && s->process.oom_score_adj.v == -1000);
	assert_int_equal(s->process.scheduler.nice, -20);
	assert_true(s->process.rlimits.items[0].hard == UINT64_MAX);
	assert_int_equal(s->process.rlimits.items[0].resource, 7);
	assert_true(s->linux_.resources.memory.limit.set &&
		    s->linux_.resources.memory.limit.v == -1);
	assert_false(s->linux_.resources.memory.swap.set);
	assert_int_equal(s->linux_.resources.pids_limit.v, 5);
	assert_int_equal(s->linux_.resources.rdma.n, 2);
	assert_string_equal(s->linux_.resources.rdma.items[1].device, "m2");
	assert_int_equal(s->linux_.resources.rdma.items[0].hca_objects.v, 7);
	assert_string_equal(s->linux_.resources.unified.items[0].value, "v");
	assert_int_equal(s->linux_.namespaces.items[0].type, SPEC_NS_TIME);
	assert_null(s->linux_.namespaces.items[0].path);
	assert_ptr_equal(spec_find_ns(s, SPEC_NS_PID), &s->linux_.namespaces.items[1]);
	assert_null(spec_find_ns(s, SPEC_NS_USER));
	assert_int_equal(s->linux_.devices.items[0].type, 'c');
	assert_int_equal(s->linux_.devices.items[0].file_mode.v, 0666);
	assert_true(s->linux_.boottime.set && s->linux_.boottime.secs == INT64_MIN);
	assert_false(s->linux_.monotonic.set);
	assert_string_equal(s->linux_.net_devices.items[0].host_name, "eth0");
	assert_null(s->linux_.net_devices.items[1].name);
	assert_true(s->vm.set && s->vm.vcpus.v == 2 && s->vm.n_irqs == 2 && !s->vm.memory.set);
	assert_true(s->has_freebsd && !s->has_zos);
	assert_int_equal(s->unknown.n, 0);
}

static void test_unknown(void **state)
{
	auto_arena a = {0};
	struct spec *s =
		parse(&a, "{\"ociVersion\":\"1.0.0\",\n \"Process\":{},\"root\":{\"path\":\"r\","
			  "\n\t\"readOnly\":true},\"linux\":{\"a/b\":null}}");

	(void)state;
	assert_int_equal(s->unknown.n, 3);
	assert_string_equal(s->unknown.items[0].pointer, "/Process");
	assert_int_equal(s->unknown.items[0].line, 2);
	assert_int_equal(s->unknown.items[0].column, 2);
	assert_string_equal(s->unknown.items[1].pointer, "/root/readOnly");
	assert_int_equal(s->unknown.items[1].line, 3);
	assert_string_equal(s->unknown.items[2].pointer, "/linux/a~1b");
	assert_false(s->has_process);
}

static void test_line(void **state)
{
	auto_arena a = {0};
	struct spec *s = NULL;
	struct err e = {0};
	char line[1600];
	static const char doc[] =
		"{\n\"ociVersion\": \"1.0.0\",\n\"mounts\": [\n  {\"destination\": 5}]}";

	(void)state;
	assert_true(spec_parse(&a, doc, strlen(doc), "config.json", &s, &e) < 0);
	assert_string_equal(
		err_line(&e, line, sizeof(line)),
		"config.json:4:19: /mounts/0/destination: must be a string, is a number");
}

static void test_parts(void **state)
{
	auto_arena a = {0};
	struct spec_process *p = NULL;
	struct spec_resources *r = NULL;
	struct err e = {0};
	static const char process[] = "{\"cwd\":\"/\",\"args\":[\"a\"]}", none[] = "{}",
			  wrong[] = "{\"memory\":5}";

	(void)state;
	assert_int_equal(spec_parse_process(&a, process, strlen(process), "p", &p, &e), 0);
	assert_string_equal(p->args.items[0], "a");
	assert_true(spec_parse_process(&a, none, 2, "p", &p, &e) < 0);
	assert_string_equal(e.where, "p:1:1: /cwd");
	assert_int_equal(spec_parse_resources(&a, none, 2, "r", &r, &e), 0);
	assert_true(r->set);
	assert_true(spec_parse_resources(&a, wrong, strlen(wrong), "r", &r, &e) < 0);
	assert_string_equal(e.where, "r:1:11: /memory");
}

/* Parses, and checks, each file of a folder; the number of those that failed. */
static int run_folder(const char *path, bool want_good)
{
	DIR *d = opendir(path);
	struct dirent *f;
	int n = 0;

	if (!d)
		skip(); /* not run from the root of the tree */
	while ((f = readdir(d))) {
		auto_arena a = {0};
		auto_str text = NULL;
		size_t len = 0;
		struct spec *s = NULL;
		struct err e = {0};
		int rc;

		if (f->d_name[0] == '.')
			continue;
		assert_int_equal(file_read_at(dirfd(d), f->d_name, 1 << 20, &text, &len, &e), 0);
		rc = spec_parse(&a, text, len, f->d_name, &s, &e);
		if (rc == 0 && !want_good)
			rc = spec_check(s, &e);
		if ((rc == 0) != want_good)
			fail_msg("%s: %s: %s", f->d_name, e.where, e.text);
		n++;
	}
	closedir(d);
	return n;
}

static void test_samples(void **state)
{
	(void)state;
	assert_true(run_folder("tests/data/spec/good", true) >= 9);
	assert_true(run_folder("tests/data/spec/bad", false) >= 4);
}

/* Each byte of a full document changed or cut: no crash, and the outcome is clear. */
static void test_mutations(void **state)
{
	auto_str text = NULL;
	size_t len = 0;
	struct err e = {0};

	(void)state;
	if (file_read_at(AT_FDCWD, "tests/data/spec/good/spec-example.json", 1 << 20, &text, &len,
			 &e) < 0)
		skip();
	for (size_t i = 0; i < len; i += 3) {
		auto_arena a = {0};
		struct spec *s = NULL;
		char keep = text[i];

		text[i] = "0\"{}[]x-"[i % 8];
		if (spec_parse(&a, text, len, "c", &s, &e) == 0)
			spec_check(s, &e);
		text[i] = keep;
	}
}

static void test_many_keys(void **state)
{
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct spec *s = NULL;
	struct err e = {0};

	(void)state;
	strbuf_puts(&b, HEAD);
	for (int i = 0; i < 100000; i++)
		strbuf_printf(&b, "\"k%d\":{},", i);
	strbuf_puts(&b, "\"k\":1}");
	assert_int_equal(spec_parse(&a, b.s, b.len, "c", &s, &e), 0);
	assert_int_equal(s->unknown.n, 100001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),       cmocka_unit_test(test_nulls),
		cmocka_unit_test(test_values),    cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_line),      cmocka_unit_test(test_parts),
		cmocka_unit_test(test_samples),   cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_many_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
