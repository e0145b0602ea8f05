/* Rules between fields: each wrong document is refused at the right pointer. */
#include "spec/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
#define PROC "\"cwd\":\"/\",\"args\":[\"sh\"]"
#define P(x) HEAD "\"process\":{" PROC "," x "}}"
#define L(x) HEAD "\"linux\":{" x "}}"
#define R(x) L("\"resources\":{" x "}")
#define S(act, x) L("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_" act "\"," x "}")
#define V(x) HEAD "\"vm\":{\"kernel\":{\"path\":\"/k\"}," x "}}"
#define VER(v) "{\"ociVersion\":\"" v "\",\"root\":{\"path\":\"r\"}}"
#define NS(t) "\"namespaces\":[{\"type\":\"" t "\"}]"
#define NSP(t) "\"namespaces\":[{\"type\":\"" t "\",\"path\":\"/proc/1/ns/x\"}]"
#define MAP(c, h, s) "{\"containerID\":" #c ",\"hostID\":" #h ",\"size\":" #s "}"
#define MAPS(l) "\"uidMappings\":[" l "],\"gidMappings\":[" l "]"
#define RLIMIT(s, h) "{\"type\":\"RLIMIT_CPU\",\"soft\":" #s ",\"hard\":" #h "}"

static const struct {
	const char *doc, *pointer, *text;
} bad[] = {
	{VER("2.0.0"), "/ociVersion", "must be 1.x"},
	{VER("0.9.0"), "/ociVersion", "must be 1.x"},
	{VER("10.0.0"), "/ociVersion", "must be 1.x"},
	{VER("1.0"), "/ociVersion", "must be a version"},
	{VER("1"), "/ociVersion", "must be a version"},
	{VER(""), "/ociVersion", "must be a version"},
	{VER("1.0.0.0"), "/ociVersion", "must be a version"},
	{VER("1.00.0"), "/ociVersion", "must be a version"},
	{VER("1.0.0-"), "/ociVersion", "must be a version"},
	{VER("v1.0.0"), "/ociVersion", "must be a version"},
	{VER("1.0.0 x"), "/ociVersion", "must be a version"},
	{"{\"ociVersion\":\"1.0.0\"}", "/root", "root must be specified"},
	{HEAD "\"process\":{\"cwd\":\"x\",\"args\":[\"a\"]}}", "/process/cwd", "absolute path"},
	{HEAD "\"process\":{\"cwd\":\"\",\"args\":[\"a\"]}}", "/process/cwd", "is \"\""},
	{HEAD "\"process\":{\"cwd\":\"/\"}}", "/process/args", "args must not be empty"},
	{HEAD "\"process\":{\"cwd\":\"/\",\"args\":[]}}", "/process/args",
	 "args must not be empty"},
	{HEAD "\"process\":{\"cwd\":\"/\",\"args\":[\"\"]}}", "/process/args/0",
	 "executable file not found in $PATH"},
	{P("\"env\":[\"A=1\",\"B\"]"), "/process/env/1", "NAME=value, is \"B\""},
	{P("\"env\":[\"=x\"]"), "/process/env/0", "name that isn't empty"},
	{P("\"rlimits\":[" RLIMIT(1, 2) "," RLIMIT(1, 2) "]"), "/process/rlimits/1/type", "twice"},
	{P("\"rlimits\":[" RLIMIT(3, 2) "]"), "/process/rlimits/0/soft", "hard limit 2, is 3"},
	{P("\"scheduler\":{\"policy\":\"SCHED_FIFO\"}"), "/process/scheduler/priority", "1 to 99"},
	{P("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}"),
	 "/process/scheduler/priority", "must be 0"},
	{P("\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":1,\"nice\":1}"),
	 "/process/scheduler/nice", "no meaning"},
	{P("\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"runtime\":1}"), "/process/scheduler/policy",
	 "SCHED_DEADLINE"},
	{P("\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":5,\"deadline\":4}"),
	 "/process/scheduler/runtime", "deadline"},
	{HEAD "\"hostname\":\"h\"}", "/hostname", "without a private UTS namespace"},
	{HEAD "\"domainname\":\"d\",\"linux\":{" NS("pid") "}}", "/domainname",
	 "private UTS namespace"},
	{HEAD "\"hostname\":\"0123456789012345678901234567890123456789012345678901234567890123x\","
	      "\"linux\":{" NS("uts") "}}",
	 "/hostname", "at most 64"},
	{HEAD "\"mounts\":[{\"destination\":\"/\"},{\"destination\":\"\"}]}",
	 "/mounts/1/destination", "must be an absolute path, is \"\""},
	{HEAD "\"mounts\":[{\"destination\":\"/\",\"uidMappings\":[" MAP(0, 0, 1) "]}]}",
	 "/mounts/0/gidMappings", "missing"},
	{HEAD "\"mounts\":[{\"destination\":\"/\",\"gidMappings\":[" MAP(0, 0, 1) "]}]}",
	 "/mounts/0/uidMappings", "missing"},
	{HEAD "\"mounts\":[{\"destination\":\"/\"," MAPS(MAP(0, 0, 0)) "}]}",
	 "/mounts/0/uidMappings/0/size", "at least 1"},
	{HEAD "\"hooks\":{\"poststart\":[{\"path\":\"/a\"},{\"path\":\"b\"}]}}",
	 "/hooks/poststart/1/path", "absolute"},
	{HEAD "\"hooks\":{\"startContainer\":[{\"path\":\"/a\",\"env\":[\"x\"]}]}}",
	 "/hooks/startContainer/0/env/0", "NAME=value"},
	{HEAD "\"annotations\":{\"\":\"x\"}}", "/annotations", "empty"},
	{L("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"pid\"}]"),
	 "/linux/namespaces/2/type", "stands already in entry 0"},
	{L("\"namespaces\":[{\"type\":\"pid\",\"path\":\"ns\"}]"), "/linux/namespaces/0/path",
	 "absolute"},
	{L(NS("user")), "/linux/uidMappings", "no uid mappings found"},
	{L(NS("user") ",\"uidMappings\":[" MAP(0, 0, 1) "]"), "/linux/gidMappings",
	 "no gid mappings found"},
	{L(MAPS(MAP(0, 0, 1))), "/linux/uidMappings", "user namespace"},
	{L(NS("user") "," MAPS(MAP(0, 1000, 0))), "/linux/uidMappings/0/size", "at least 1"},
	{L(NS("user") "," MAPS(MAP(0, 4294967295, 2))), "/linux/uidMappings/0/size", "last id"},
	{L(NS("user") "," MAPS(MAP(0, 1000, 10) "," MAP(9, 2000, 1))), "/linux/uidMappings/1",
	 "overlaps entry 0 in the container"},
	{L(NS("user") "," MAPS(MAP(0, 1000, 10) "," MAP(10, 1009, 5))), "/linux/uidMappings/1",
	 "overlaps entry 0 in the host"},
	{L("\"timeOffsets\":{\"monotonic\":{\"secs\":1}}"), "/linux/timeOffsets", "time namespace"},
	{L(NSP("time") ",\"timeOffsets\":{\"monotonic\":{}}"), "/linux/timeOffsets",
	 "time namespace"},
	{L("\"devices\":[{\"type\":\"c\",\"path\":\"d\",\"major\":1,\"minor\":1}]"),
	 "/linux/devices/0/path", "absolute"},
	{L("\"devices\":[{\"type\":\"p\",\"path\":\"/dev/../x\"}]"), "/linux/devices/0/path", ".."},
	{L("\"devices\":[{\"type\":\"p\",\"path\":\"//\"}]"), "/linux/devices/0/path",
	 "name a file"},
	{L("\"devices\":[{\"type\":\"b\",\"path\":\"/d\",\"minor\":1}]"), "/linux/devices/0/major",
	 "is required"},
	{L("\"devices\":[{\"type\":\"u\",\"path\":\"/d\",\"major\":1}]"), "/linux/devices/0/minor",
	 "is required"},
	{L("\"devices\":[{\"type\":\"c\",\"path\":\"/d\",\"major\":-1,\"minor\":1}]"),
	 "/linux/devices/0/major", "from 0 to 4095"},
	{L("\"devices\":[{\"type\":\"c\",\"path\":\"/d\",\"major\":1,\"minor\":1048576}]"),
	 "/linux/devices/0/minor", "from 0 to 1048575"},
	{L("\"devices\":[{\"type\":\"p\",\"path\":\"/d\",\"fileMode\":8630}]"),
	 "/linux/devices/0/fileMode", "permission bits"},
	{L("\"netDevices\":{\"eth0\":{}}"), "/linux/netDevices", "network namespace"},
	{L(NS("network") ",\"netDevices\":{\"a/b\":{}}"), "/linux/netDevices/a~1b", "no name"},
	{L(NS("network") ",\"netDevices\":{\"e\":{\"name\":\"0123456789abcdef\"}}"),
	 "/linux/netDevices/e/name", "no name"},
	{L(NS("network") ",\"netDevices\":{\"e\":{\"name\":\"e%d0\"}}"), "/linux/netDevices/e/name",
	 "no name"},
	{L(NS("network") ",\"netDevices\":{\"a\":{\"name\":\"x\"},\"x\":{}}"),
	 "/linux/netDevices/x", "two devices"},
	{L("\"maskedPaths\":[\"/a\",\"b\"]"), "/linux/maskedPaths/1", "absolute"},
	{L("\"readonlyPaths\":[\"b\"]"), "/linux/readonlyPaths/0", "absolute"},
	{L("\"cgroupsPath\":\"/a/../b\""), "/linux/cgroupsPath", ".."},
	{L("\"cgroupsPath\":\"..\""), "/linux/cgroupsPath", ".."},
	{L("\"intelRdt\":{\"closID\":\"../x\"}"), "/linux/intelRdt/closID", "one directory"},
	{L("\"memoryPolicy\":{\"mode\":\"MPOL_BIND\"}"), "/linux/memoryPolicy/nodes",
	 "is required"},
	{L("\"memoryPolicy\":{\"mode\":\"MPOL_LOCAL\",\"nodes\":\"0\"}"),
	 "/linux/memoryPolicy/nodes", "absent"},
	{L("\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}"),
	 "/linux/personality/flags/0", "no flag"},
	{L("\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}"), "/linux/sysctl/net.ipv4.ip_forward",
	 "network namespace"},
	{L("\"sysctl\":{\"net/core/somaxconn\":\"1\"}"), "/linux/sysctl/net~1core~1somaxconn",
	 "network namespace"},
	{L("\"sysctl\":{\"kernel.shmmax\":\"1\"}"), "/linux/sysctl/kernel.shmmax", "ipc namespace"},
	{L("\"sysctl\":{\"fs.mqueue.msg_max\":\"1\"}"), "/linux/sysctl/fs.mqueue.msg_max",
	 "ipc namespace"},
	{L("\"sysctl\":{\"vm.swappiness\":\"1\"}"), "/linux/sysctl/vm.swappiness", "the host"},
	{L("\"sysctl\":{\"kernel.shmmaxx\":\"1\"}"), "/linux/sysctl/kernel.shmmaxx", "the host"},
	{L(NS("network") ",\"sysctl\":{\"net/../kernel/core_pattern\":\"1\"}"),
	 "/linux/sysctl/net~1..~1kernel~1core_pattern", "no name"},
	{L(NS("network") ",\"sysctl\":{\"net.\":\"1\"}"), "/linux/sysctl/net.", "no name"},
	{L(NS("network") ",\"sysctl\":{\"\":\"1\"}"), "/linux/sysctl/", "no name"},
	{HEAD
	 "\"hostname\":\"h\",\"linux\":{" NS("uts") ",\"sysctl\":{\"kernel.hostname\":\"x\"}}}",
	 "/linux/sysctl/kernel.hostname", "conflicts"},
	{R("\"devices\":[{\"allow\":true,\"type\":\"u\"}]"), "/linux/resources/devices/0/type",
	 "a, b, c"},
	{R("\"devices\":[{\"allow\":true,\"major\":-2}]"), "/linux/resources/devices/0/major",
	 "-1 for all"},
	{R("\"memory\":{\"limit\":-2}"), "/linux/resources/memory/limit", "-1 for no limit"},
	{R("\"memory\":{\"limit\":5,\"swap\":4}"), "/linux/resources/memory/swap", "at least"},
	{R("\"cpu\":{\"quota\":5,\"burst\":6}"), "/linux/resources/cpu/burst", "quota 5"},
	{R("\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":0}]}"),
	 "/linux/resources/blockIO/weightDevice/0", "leafWeight"},
	{R("\"rdma\":{\"mlx\":{}}"), "/linux/resources/rdma/mlx", "hcaObjects"},
	{R("\"unified\":{\"../x\":\"1\"}"), "/linux/resources/unified/..~1x", "name of a file"},
	{S("ALLOW", "\"defaultErrnoRet\":1"), "/linux/seccomp/defaultErrnoRet", "no meaning"},
	{S("ERRNO", "\"defaultErrnoRet\":5000"), "/linux/seccomp/defaultErrnoRet", "out of range"},
	{S("NOTIFY", "\"flags\":[]"), "/linux/seccomp/defaultAction", "default"},
	{S("ALLOW", "\"listenerMetadata\":\"x\""), "/linux/seccomp/listenerMetadata",
	 "listenerPath"},
	{S("ALLOW", "\"listenerPath\":\"x\""), "/linux/seccomp/listenerPath", "absolute"},
	{S("ALLOW", "\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_LOG\"}]"),
	 "/linux/seccomp/syscalls/0/names", "at least one"},
	{S("ALLOW",
	   "\"syscalls\":[{\"names\":[\"a\"],\"action\":\"SCMP_ACT_KILL\",\"errnoRet\":1}]"),
	 "/linux/seccomp/syscalls/0/errnoRet", "no meaning"},
	{HEAD "\"vm\":{\"kernel\":{\"path\":\"k\"}}}", "/vm/kernel/path", "absolute"},
	{V("\"hypervisor\":{\"path\":\"h\"}"), "/vm/hypervisor/path", "absolute"},
	{V("\"image\":{\"path\":\"i\",\"format\":\"raw\"}"), "/vm/image/path", "absolute"},
	{V("\"hwConfig\":{\"vcpus\":0}"), "/vm/hwConfig/vcpus", "at least 1"},
};

static const char *const good[] = {
	HEAD "\"hostname\":\"h\",\"linux\":{" NSP("uts") "}}",
	VER("1.0.0"),
	VER("1.0.2-dev"),
	VER("1.3.0"),
	VER("1.99.0"),
	VER("1.2.0+dev"),
	P("\"env\":[\"A=\",\"B=c=d\"]"),
	P("\"capabilities\":{\"bounding\":[\"CAP_CHECKPOINT_RESTORE\",\"CAP_BPF\",\"CAP_CHOWN\"]}"),
	P("\"rlimits\":[" RLIMIT(2, 2) "]"),
	P("\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"runtime\":1,\"deadline\":2,\"period\":"
	  "3}"),
	P("\"scheduler\":{\"policy\":\"SCHED_FIFO\",\"priority\":99}"),
	HEAD "\"hostname\":\"h\",\"domainname\":\"d\",\"linux\":{" NS("uts") "}}",
	HEAD "\"hostname\":\"\"}",
	L(NS("user") "," MAPS(MAP(0, 0, 4294967295))),
	L(NS("user") "," MAPS(MAP(0, 1000, 10) "," MAP(10, 1010, 5))),
	L(NSP("user")),
	L(NSP("user") "," MAPS(MAP(0, 0, 1))),
	L(NS("time") ",\"timeOffsets\":{\"boottime\":{\"secs\":-5}}"),
	L("\"devices\":[{\"type\":\"p\",\"path\":\"/d\",\"fileMode\":438}]"),
	L(NSP("network") ",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\",\"net/ipv4/conf/eth0.1/"
			 "x\":\"1\"}"),
	L(NS("ipc") ",\"sysctl\":{\"kernel/sem\":\"1\",\"fs.mqueue.msg_max\":\"9\"}"),
	L(NS("uts") ",\"sysctl\":{\"kernel.hostname\":\"x\"}"),
	L("\"cgroupsPath\":\"/a..b/..c\""),
	L("\"rootfsPropagation\":\"rslave\""),
	R("\"devices\":[{\"allow\":false,\"type\":\"\",\"access\":\"rwm\",\"major\":-1}]"),
	R("\"memory\":{\"limit\":-1,\"swap\":-1},\"pids\":{}"),
	S("ERRNO", "\"defaultErrnoRet\":38"),
	V("\"hwConfig\":{\"vcpus\":1,\"memory\":1073741824}"),
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		auto_arena a = {0};
		struct spec *s = NULL;
		struct err e = {0};
		const char *at;

		if (spec_parse(&a, bad[i].doc, strlen(bad[i].doc), "c.json", &s, &e) < 0)
			fail_msg("doesn't parse: %s\n%s: %s", bad[i].doc, e.where, e.text);
		if (spec_check(s, &e) == 0)
			fail_msg("accepted: %s", bad[i].doc);
		assert_int_equal(e.kind, ERR_SPEC);
		assert_int_equal(strncmp(e.where, "c.json:1:", 9), 0);
		at = strstr(e.where, ": ");
		if (!at || strcmp(at + 2, bad[i].pointer) != 0 || !strstr(e.text, bad[i].text))
			fail_msg("%s\n%s: %s\nwanted %s … %s", bad[i].doc, e.where, e.text,
				 bad[i].pointer, bad[i].text);
	}
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_arena a = {0};
		struct spec *s = NULL;
		struct err e = {0};

		if (spec_parse(&a, good[i], strlen(good[i]), "c.json", &s, &e) < 0 ||
		    spec_check(s, &e) < 0)
			fail_msg("%s\n%s: %s", good[i], e.where, e.text);
	}
}

/* The printed line, position and all; of a missing member its parent's position is given. */
static void test_line(void **state)
{
	static const char doc[] = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\n"
				  " \"mounts\": [\n  {\"destination\": \"\"}]}",
			  none[] = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\n"
				   " \"process\": {\"cwd\":\"/\"}}";
	auto_arena a = {0};
	struct spec *s = NULL;
	struct err e = {0};
	char line[1600];

	(void)state;
	assert_int_equal(spec_parse(&a, doc, strlen(doc), "config.json", &s, &e), 0);
	assert_true(spec_check(s, &e) < 0);
	assert_string_equal(err_line(&e, line, sizeof(line)),
			    "config.json:3:19: /mounts/0/destination: must be an absolute path, is "
			    "\"\"");
	assert_int_equal(spec_parse(&a, none, strlen(none), "config.json", &s, &e), 0);
	assert_true(spec_check(s, &e) < 0);
	assert_string_equal(e.where, "config.json:2:13: /process/args");
}

/* config.md allows a relative destination, from "/". */
static void test_relative_destination(void **state)
{
	static const char doc[] = "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},"
				  "\"mounts\":[{\"destination\":\"a/b\"}]}";
	auto_arena a = {0};
	struct spec *s = NULL;
	struct err e = {0};

	(void)state;
	assert_int_equal(spec_parse(&a, doc, strlen(doc), "c.json", &s, &e), 0);
	assert_int_equal(spec_check(s, &e), 0);
	assert_string_equal(s->mounts.items[0].destination, "/a/b");
}

static void test_parts(void **state)
{
	static const char process[] = "{\"cwd\":\"/\",\n\"args\":[\"a\"],\"env\":[\"b\"]}",
			  resources[] = "{\"memory\":{\"limit\":-5}}";
	const char *argv[] = {"a"};
	struct spec_process made = {.cwd = "x", .args = {argv, 1}};
	auto_arena a = {0};
	struct spec_process *p = NULL;
	struct spec_resources *r = NULL;
	struct err e = {0};

	(void)state;
	assert_true(spec_check_process(&made, "", &e) < 0);
	assert_string_equal(e.where, "/cwd");
	assert_true(spec_check_process(&made, "/process", &e) < 0);
	assert_string_equal(e.where, "/process/cwd");
	made.cwd = "/";
	assert_int_equal(spec_check_process(&made, "", &e), 0);
	assert_int_equal(spec_parse_process(&a, process, strlen(process), "p", &p, &e), 0);
	assert_true(spec_check_process(p, "", &e) < 0);
	assert_string_equal(e.where, "p:2:21: /env/0");
	assert_int_equal(spec_parse_resources(&a, resources, strlen(resources), "r", &r, &e), 0);
	assert_true(spec_check_resources(r, "", &e) < 0);
	assert_string_equal(e.where, "r:1:20: /memory/limit");
}

static void test_words(void **state)
{
	const struct spec_pair pair = {"k", "v"};
	const struct spec s = {.annotations = {(struct spec_pair *)(uintptr_t)&pair, 1}};

	(void)state;
	assert_string_equal(spec_ns_word(SPEC_NS_PID), "pid");
	assert_string_equal(spec_ns_word(SPEC_NS_TIME), "time");
	assert_string_equal(spec_ns_word(0), "unknown");
	assert_string_equal(spec_ns_word(SPEC_NS_MAX), "unknown");
	assert_int_equal(spec_rlimit_number("RLIMIT_NOFILE"), 7);
	assert_int_equal(spec_rlimit_number("NOFILE"), -1);
	assert_string_equal(spec_annotation(&s, "k"), "v");
	assert_null(spec_annotation(&s, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),   cmocka_unit_test(test_good),
		cmocka_unit_test(test_line),  cmocka_unit_test(test_parts),
		cmocka_unit_test(test_words), cmocka_unit_test(test_relative_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
