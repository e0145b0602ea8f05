/* tests/unit/test_lint.c: each rule is seen to bite, and to keep quiet. */
#include "spec/lint.h"
#include "spec/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UTS "{\"type\":\"uts\"}"
#define ALL_NS                                                                               \
	"{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"mount\"}," \
	"{\"type\":\"cgroup\"}," UTS
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
	const char *without; /* of the profile's paths */
};

static void put_paths(struct strbuf *b, const char *key, const char *const *paths,
		      const char *without)
{
	const char *sep = "";

	strbuf_printf(b, "\"%s\":[", key);
	for (; *paths; paths++)
		if (!without || strcmp(without, *paths) != 0) {
			strbuf_printf(b, "%s\"%s\"", sep, *paths);
			sep = ",";
		}
	strbuf_printf(b, "]");
}

static struct spec_findings lint(struct arena *a, const struct parts *p)
{
	static char text[8192];
	struct spec_findings f = {.arena = a};
	struct err e = {0};
	struct spec *s;
	auto_strbuf paths = {0};

	put_paths(&paths, "maskedPaths", spec_profile_masked, p->without);
	strbuf_printf(&paths, ",");
	put_paths(&paths, "readonlyPaths", spec_profile_readonly, p->without);
	snprintf(text, sizeof(text),
		 "{\"ociVersion\":\"1.3.0\",%s},%s,\"linux\":{\"namespaces\":[%s],"
		 "\"resources\":{%s},%s,%s}%s}",
		 p->process ? p->process : PROCESS, p->root ? p->root : ROOT,
		 p->linux_ns ? p->linux_ns : ALL_NS, p->resources ? p->resources : LIMITS,
		 p->seccomp ? p->seccomp : FILTER, p->paths ? p->paths : paths.s,
		 p->rest ? p->rest : "");
	if (spec_parse(a, text, strlen(text), "config.json", &s, &e) < 0)
		fail_msg("%s: %s in %s", e.where, e.text, text);
	assert_int_equal(spec_lint(s, &f, &e), 0);
	return f;
}

#define WITHOUT_PID                                                                            \
	"{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}" \
	"," UTS
#define WITH_USER                                                                         \
	ALL_NS ",{\"type\":\"user\"}],\"uidMappings\":[{\"containerID\":0,\"hostID\":%s," \
	       "\"size\":10}],\"gidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":10}"
#define MOUNT(m) ",\"mounts\":[" m "]"

#define RULE(t, a, i)                                                                    \
	"{\"allow\":true,\"type\":\"" t "\",\"major\":" a ",\"minor\":" i ",\"access\":" \
	"\"rw\"}"
#define NODE(t, a, i) \
	"\"devices\":[{\"path\":\"/dev/x\",\"type\":\"" t "\",\"major\":" a ",\"minor\":" i "}]"
#define CALLS(names, action, args)                                                    \
	"\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":" \
	"[" names "],\"action\":\"SCMP_ACT_" action "\"" args "}]}"
#define ARGS ",\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]"
#define BIND(source, how)                                                       \
	MOUNT("{\"destination\":\"/h\",\"source\":\"" source "\",\"options\":[" \
	      "\"bind\",\"" how "\"]}")

static const struct parts cases[] = {
	{0},
	{"unknown-key", "/linux/rootPropagation", .seccomp = FILTER ",\"rootPropagation\":\"x\""},
	{"other-platform", "/windows", .rest = ",\"windows\":{}"},
	{"old-hooks", "/hooks/prestart", .rest = ",\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}"},
	{"host-pid", "/linux/namespaces", .linux_ns = WITHOUT_PID},
	{"host-network", "/linux/namespaces",
	 .linux_ns = "{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"cgroup\"}," UTS},
	{"host-ipc", "/linux/namespaces",
	 .linux_ns = "{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"cgroup\"}," UTS},
	{"no-cgroup-namespace", "/linux/namespaces",
	 .linux_ns = "{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"}," UTS},
	{"host-uts", "/linux/namespaces",
	 .linux_ns = "{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":"
		     "\"cgroup\"}"},
	{"host-root", "/process/user/uid",
	 .process = "\"process\":{\"args\":[\"x\"],\"cwd\":\"/\",\"noNewPrivileges\":true,"
		    "\"user\":{\"uid\":0,\"gid\":0}"},
	{"strong-capability", "/process/capabilities/bounding/0",
	 .process = PROCESS ",\"capabilities\":{\"bounding\":[\"CAP_SYS_MODULE\"]}"},
	{"unknown-capability", "/process/capabilities",
	 .process = PROCESS ",\"capabilities\":{\"permitted\":[\"CAP_KILL\",\"CAP_FLY\"],"
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
	{"host-mount", "/mounts/0", .rest = BIND("//etc//cron.d/", "rw")},
	{"host-mount", "/mounts/0", .rest = BIND("/", "rw")},
	{"host-mount", "/mounts/0", .rest = BIND("/sys/fs/cgroup", "rw")},
	{NULL, NULL, .rest = BIND("/etcetera", "rw")},
	{NULL, NULL, .rest = BIND("/var/lib/engine/volumes/1", "rw")},
	{NULL, NULL, .rest = BIND("/dev/null", "rw")},
	{"host-secrets", "/mounts/0", .rest = BIND("/", "ro")},
	{"host-secrets", "/mounts/0", .rest = BIND("/root/", "rw")},
	{"host-secrets", "/mounts/0", .rest = BIND("/etc/ssh/key", "ro")},
	{"host-secrets", "/mounts/0", .rest = BIND("/dev/sda1", "ro")},
	{NULL, NULL, .rest = BIND("/rooted", "ro")},
	{"shared-mount", "/mounts/0",
	 .rest = MOUNT("{\"destination\":\"/h\",\"source\":\"/x\","
		       "\"options\":[\"rbind\",\"rshared\"]}")},
	{"shared-mount", "/linux/rootfsPropagation",
	 .seccomp = FILTER ",\"rootfsPropagation\":\"shared\""},
	{"writable-kernel-fs", "/mounts/0",
	 .rest = MOUNT("{\"destination\":\"/sys\",\"source\":\"sysfs\",\"type\":\"sysfs\"}")},
	{"unmasked", "/linux/maskedPaths", .without = "/proc/timer_list"},
	{"writable-proc", "/linux/readonlyPaths", .without = "/proc/sysrq-trigger"},
	{"profile-masks", "/linux/maskedPaths", .without = "/proc/kallsyms"},
	{"profile-masks", "/linux/readonlyPaths", .without = "/proc/driver"},
	{"all-devices", "/linux/resources/devices/0",
	 .resources = LIMITS ",\"devices\":[{\"allow\":true,\"type\":\"a\",\"access\":\"rwm\"}]"},
	{"all-devices", "/linux/resources/devices/1",
	 .resources = LIMITS ",\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,"
			     "\"type\":\"b\",\"access\":\"r\"}]"},
	{NULL, NULL,
	 .resources = LIMITS ",\"devices\":[{\"allow\":true,\"type\":\"c\",\"access\":\"m\"}]"},
	{NULL, NULL, .resources = LIMITS ",\"devices\":[" RULE("c", "136", "7") "]"},
	{NULL, NULL, .resources = LIMITS ",\"devices\":[" RULE("c", "1", "3") "]"},
	{"host-device", "/linux/resources/devices/0",
	 .resources = LIMITS ",\"devices\":[" RULE("c", "1", "1") "]"},
	{"host-device", "/linux/resources/devices/0",
	 .resources = LIMITS ",\"devices\":[" RULE("b", "8", "0") "]"},
	{"profile-device", "/linux/resources/devices/0",
	 .resources = LIMITS ",\"devices\":[" RULE("c", "10", "229") "]"},
	{"host-device", "/linux/devices/0", .seccomp = FILTER "," NODE("b", "8", "1")},
	{"profile-device", "/linux/devices/0", .seccomp = FILTER "," NODE("c", "10", "232")},
	{NULL, NULL, .seccomp = FILTER "," NODE("c", "1", "5")},
	{"no-limit", "/linux/resources/pids/limit",
	 .resources = "\"memory\":{\"limit\":1000000,\"swap\":1000000}"},
	{"no-limit", "/linux/resources/memory/limit", .resources = "\"pids\":{\"limit\":100}"},
	{"no-limit", "/linux/resources/memory/swap",
	 .resources = "\"pids\":{\"limit\":100},\"memory\":{\"limit\":1000000}"},
	{"v1-only", "/linux/resources/memory/swappiness",
	 .resources = "\"pids\":{\"limit\":100},\"memory\":{\"limit\":1000000,\"swap\":1000000,"
		      "\"swappiness\":3}"},
	{"no-filter", "/linux/seccomp", .seccomp = "\"cgroupsPath\":\"/x\""},
	{NULL, NULL, .seccomp = CALLS("\"read\",\"write\"", "ALLOW", "")},
	{NULL, NULL, .seccomp = CALLS("\"bpf\"", "KILL", "")},
	{NULL, NULL, .seccomp = CALLS("\"clone\"", "ALLOW", ARGS)},
	{"profile-calls", "/linux/seccomp/syscalls/0", .seccomp = CALLS("\"clone\"", "ALLOW", "")},
	{"profile-calls", "/linux/seccomp/syscalls/0",
	 .seccomp = CALLS("\"read\",\"bpf\"", "LOG", "")},
	{"profile-calls", "/linux/seccomp/syscalls/0", .seccomp = CALLS("\"new\"", "ALLOW", ARGS)},
	{"profile-calls", "/linux/seccomp/architectures/1",
	 .seccomp = "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":["
		    "\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X32\"]}"},
	{"profile-capability", "/process/capabilities/bounding/0",
	 .process = PROCESS ",\"capabilities\":{\"bounding\":[\"CAP_NET_RAW\"]}"},
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
	/* Its capabilities reach the kernel's code all the same. */
	static const char beyond[] = "profile-capability";

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
		assert_int_equal(f.n, 1 + (maps[i].rule != NULL));
		assert_string_equal(f.items[0].rule, maps[i].rule ? maps[i].rule : beyond);
		assert_string_equal(f.items[f.n - 1].rule, beyond);
	}
}

/* A list of what is refused: the rule of lists is one finding, what it lets pass another. */
static void lists_of_refusals(void **state)
{
	auto_arena a = {0};
	struct parts p = {.seccomp = "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\","
				     "\"syscalls\":[{\"names\":[\"unshare\",\"setns\"],"
				     "\"action\":\"SCMP_ACT_ERRNO\"}]}"};
	struct spec_findings f = lint(&a, &p);

	(void)state;
	assert_int_equal(f.n, 2);
	assert_string_equal(f.items[0].rule, "no-filter");
	assert_string_equal(f.items[0].pointer, "/linux/seccomp/defaultAction");
	assert_string_equal(f.items[1].rule, "profile-calls");
	assert_string_equal(f.items[1].pointer, "/linux/seccomp/syscalls");
	assert_ptr_equal(strstr(f.items[1].text, "mount umount2"), f.items[1].text);
	assert_non_null(strstr(f.items[1].text, " more: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_rule),
					   cmocka_unit_test(user_namespaces),
					   cmocka_unit_test(lists_of_refusals)};

	return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
