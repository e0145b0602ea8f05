/* tests/unit/test_lint.c: each rule is seen to bite, and to keep quiet. */
#include "spec/lint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MASKS \
	"\"maskedPaths\":[\"/proc/kcore\",\"/proc/keys\",\"/proc/timer_list\",\"/sys/firmware\"]"
#define PROTECTED \
	"\"readonlyPaths\":[\"/proc/sys\",\"/proc/sysrq-trigger\",\"/proc/irq\",\"/proc/bus\"]"
#define ALL_NS                                                                               \
	"{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"mount\"}," \
	"{\"type\":\"cgroup\"}"
#define LIMITS "\"pids\":{\"limit\":100},\"memory\":{\"limit\":1000000,\"swap\":1000000}"
#define FILTER "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\"}"
#define PROCESS                                                                 \
	"\"process\":{\"args\":[\"x\"],\"cwd\":\"/\",\"noNewPrivileges\":true," \
	"\"user\":{\"uid\":1,\"gid\":1}"
#define ROOT "\"root\":{\"path\":\"r\",\"readonly\":true}"

/* The parts of a document that nothing can be said of; a test replaces one. */
struct parts {
	const char *rule; /* expected, NULL: nothing at all */
	const char *pointer;
	const char *process, *root, *linux_ns, *resources, *seccomp, *paths, *rest;
};

static struct spec_findings lint(struct arena *a, const struct parts *p)
{
	static char text[8192];
	struct spec_findings f = {.arena = a};
	struct err e = {0};
	struct spec *s;

	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.3.0\",%s},%s,\"linux\":{\"namespaces\":[%s],"
		 "\"resources\":{%s},%s,%s}%s}",
		 p->process ? p->process : PROCESS, p->root ? p->root : ROOT,
		 p->linux_ns ? p->linux_ns : ALL_NS, p->resources ? p->resources : LIMITS,
		 p->seccomp ? p->seccomp : FILTER, p->paths ? p->paths : MASKS "," PROTECTED,
		 p->rest ? p->rest : "");
	if (spec_parse(a, text, strlen(text), "config.json", &s, &e) < 0)
		fail_msg("%s: %s in %s", e.where, e.text, text);
	assert_int_equal(spec_lint(s, &f, &e), 0);
	return f;
}

#define WITHOUT_PID \
	"{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}"
#define WITH_USER                                                                         \
	ALL_NS ",{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,\"hostID\":%s," \
	       "\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":10}"
#define MOUNT(m) ",\"mounts\":[" m "]"

static const struct parts cases[] = {
	{0},
	{"unknown-key", "/linux/rootPropagation", .seccomp = FILTER ",\"rootPropagation\":\"x\""},
	{"other-platform", "/windows", .rest = ",\"windows\":{}"},
	{"old-hooks", "/hooks/prestart", .rest = ",\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}"},
	{"host-pid", "/linux/namespaces", .linux_ns = WITHOUT_PID},
	{"host-network", "/linux/namespaces",
	 .linux_ns = "{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"cgroup\"}"},
	{"host-ipc", "/linux/namespaces",
	 .linux_ns = "{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"cgroup\"}"},
	{"no-cgroup-namespace", "/linux/namespaces",
	 .linux_ns = "{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"}"},
	{"host-root", "/process/user/uid",
	 .process = "\"process\":{\"args\":[\"x\"],\"cwd\":\"/\",\"noNewPrivileges\":true,"
		    "\"user\":{\"uid\":0,\"gid\":0}"},
	{"strong-capability", "/process/capabilities/bounding/1",
	 .process = PROCESS ",\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_SYS_MODULE\"]}"},
	{"unknown-capability", "/process/capabilities",
	 .process = PROCESS ",\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_FLY\"],"
			    "\"ambient\":[\"cap_kill\"]}"},
	{"new-privileges", "/process/noNewPrivileges",
	 .process = "\"process\":{\"args\":[\"x\"],\"cwd\":\"/\",\"user\":{\"uid\":1,\"gid\":1}"},
	{"writable-root", "/root/readonly", .root = "\"root\":{\"path\":\"r\"}"},
	{"host-mount", "/mounts/0",
	 .rest = MOUNT("{\"destination\":\"/h\",\"source\":\"/etc\",\"options\":[\"bind\"]}")},
	{"host-mount", "/mounts/0",
	 .rest = MOUNT("{\"destination\":\"/s\",\"source\":\"/run/docker.sock\","
		       "\"options\":[\"bind\",\"ro\"]}")},
	{NULL, NULL,
	 .rest = MOUNT(
		 "{\"destination\":\"/h\",\"source\":\"/etc\",\"options\":[\"rbind\",\"ro\"]}")},
	{"shared-mount", "/mounts/0",
	 .rest = MOUNT("{\"destination\":\"/h\",\"source\":\"/x\","
		       "\"options\":[\"rbind\",\"rshared\"]}")},
	{"shared-mount", "/linux/rootfsPropagation",
	 .seccomp = FILTER ",\"rootfsPropagation\":\"shared\""},
	{"writable-kernel-fs", "/mounts/0",
	 .rest = MOUNT("{\"destination\":\"/sys\",\"source\":\"sysfs\",\"type\":\"sysfs\"}")},
	{"unmasked", "/linux/maskedPaths",
	 .paths = "\"maskedPaths\":[\"/proc/kcore\",\"/proc/keys\",\"/sys/firmware\"]," PROTECTED},
	{"writable-proc", "/linux/readonlyPaths",
	 .paths = MASKS ",\"readonlyPaths\":[\"/proc/sys\",\"/proc/irq\",\"/proc/bus\"]"},
	{"all-devices", "/linux/resources/devices/0",
	 .resources = LIMITS ",\"devices\":[{\"allow\":true,\"type\":\"a\",\"access\":\"rwm\"}]"},
	{"all-devices", "/linux/resources/devices/1",
	 .resources = LIMITS ",\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,"
			     "\"type\":\"b\",\"access\":\"r\"}]"},
	{NULL, NULL,
	 .resources = LIMITS ",\"devices\":[{\"allow\":true,\"type\":\"c\",\"access\":\"m\"}]"},
	{"no-limit", "/linux/resources/pids/limit",
	 .resources = "\"memory\":{\"limit\":1000000,\"swap\":1000000}"},
	{"no-limit", "/linux/resources/memory/limit", .resources = "\"pids\":{\"limit\":100}"},
	{"no-limit", "/linux/resources/memory/swap",
	 .resources = "\"pids\":{\"limit\":100},\"memory\":{\"limit\":1000000}"},
	{"v1-only", "/linux/resources/memory/swappiness",
	 .resources = "\"pids\":{\"limit\":100},\"memory\":{\"limit\":1000000,\"swap\":1000000,"
		      "\"swappiness\":3}"},
	{"no-filter", "/linux/seccomp", .seccomp = "\"cgroupsPath\":\"/x\""},
	{"no-filter", "/linux/seccomp/defaultAction",
	 .seccomp = "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}"},
};

static void each_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_arena a = {0};
		struct spec_findings f = lint(&a, &cases[i]);
		if (f.n != (cases[i].rule != NULL))
			fail_msg("case %zu: %zu findings, the last %s at %s", i, f.n,
				 f.n ? f.items[f.n - 1].rule : "-",
				 f.n ? f.items[f.n - 1].pointer : "-");
		if (!f.n)
			continue;
		assert_string_equal(f.items[0].rule, cases[i].rule);
		assert_string_equal(f.items[0].pointer, cases[i].pointer);
		assert_true(f.items[0].line >= 1 && f.items[0].column >= 1);
		assert_true(strlen(f.items[0].text) > 10);
	}
}

/* With a user namespace the host's root isn't in reach; unless it is mapped. */
static void user_namespaces(void **state)
{
	static const struct {
		const char *host, *rule;
	} maps[] = {{"100000", NULL}, {"0", "identity-map"}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		auto_arena a = {0};
		char ns[512];
		snprintf(ns, sizeof(ns), WITH_USER, maps[i].host);
		struct parts p = {.linux_ns = ns,
				  .paths = "\"maskedPaths\":[]",
				  .process = PROCESS
				  ",\"capabilities\":{\"bounding\":[\"CAP_SYS_ADMIN\"]}"};
		struct spec_findings f = lint(&a, &p);
		assert_int_equal(f.n, maps[i].rule != NULL);
		if (f.n)
			assert_string_equal(f.items[0].rule, maps[i].rule);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_rule),
					   cmocka_unit_test(user_namespaces)};

	return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
