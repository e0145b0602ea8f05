/* runtime/features.c: what this build can do, as features.md and features-linux.md say it.
 *
 * Lists come from the rooms that apply them. A switch is asked of the code that would refuse: a
 * small config that uses the thing is parsed and given to ns_accept, so that the document can't
 * say more than create does.
 */
#include "cgroups/cgroup.h"
#include "namespaces/ns.h"
#include "runtime/runtime.h"
#include "spec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const hook_kinds[] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
	NULL};
static const char *const seccomp_lists[] = {"actions", "operators", "archs", "knownFlags",
					    "supportedFlags"};

/* What changes a unit of the host's systemd. A dot at the end: whatever begins so. */
static const char *const unit_annotations[] = {"org.systemd.property.", "run.oci.delegate-cgroup",
					       "run.oci.systemd.subgroup", NULL};

/* One config for every question: %s is put into process, linux, mounts. */
#define QUESTION                                                                    \
	"{\"ociVersion\":\"1.3.0\",\"process\":{%s\"cwd\":\"/"                      \
	"\",\"args\":[\"x\"],\"user\":{\"uid\":"                                    \
	"0,\"gid\":0}},\"root\":{\"path\":\"rootfs\"},\"mounts\":[%s],\"linux\":{%" \
	"s\"namespaces\":["                                                         \
	"{\"type\":\"mount\"},{\"type\":\"network\"}]}}"

static bool can(const char *process, const char *mounts, const char *linux_)
{
	auto_arena a = {0};
	char text[1024];
	struct spec *s;
	struct err e;
	int n = snprintf(text, sizeof(text), QUESTION, process, mounts, linux_);

	return n > 0 && (size_t)n < sizeof(text) &&
	       spec_parse(&a, text, (size_t)n, "features", &s, &e) == 0 && spec_check(s, &e) == 0 &&
	       ns_accept(s, &e) >= 0;
}

static void put_list(struct json_out *o, const char *key, const char *const *words)
{
	json_arr_open(o, key);
	for (; words && *words; words++)
		json_put_str(o, NULL, *words);
	json_arr_close(o);
}

static void put_enabled(struct json_out *o, const char *key, bool enabled)
{
	json_obj_open(o, key);
	json_put_bool(o, "enabled", enabled);
	json_obj_close(o);
}

static void put_cgroup(struct json_out *o)
{
	static const struct {
		const char *key;
		bool v;
	} words[] = {{"v1", true},
		     {"v2", true},
		     {"systemd", true},
		     {"systemdUser", true},
		     {"rdma", true}};

	json_obj_open(o, "cgroup");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		json_put_bool(o, words[i].key, words[i].v);
	json_obj_close(o);
}

static void put_seccomp(struct json_out *o)
{
	json_obj_open(o, "seccomp");
	json_put_bool(o, "enabled", true);
	for (size_t i = 0; i < sizeof(seccomp_lists) / sizeof(seccomp_lists[0]); i++)
		put_list(o, seccomp_lists[i], ns_seccomp_words(seccomp_lists[i]));
	json_obj_close(o);
}

/* "Irrelevant to the availability of Intel RDT on the host" (features-linux.md): create tells of
 * that. */
static void put_rdt(struct json_out *o)
{
	json_obj_open(o, "intelRdt");
	json_put_bool(o, "enabled", can("", "", "\"intelRdt\":{\"closID\":\"x\"},"));
	json_put_bool(o, "schemata", can("", "", "\"intelRdt\":{\"schemata\":[\"L3:0=f\"]},"));
	json_put_bool(o, "monitoring", can("", "", "\"intelRdt\":{\"enableMonitoring\":true},"));
	json_obj_close(o);
}

static void put_linux(struct json_out *o)
{
	json_obj_open(o, "linux");
	put_list(o, "namespaces", ns_namespace_words());
	put_list(o, "capabilities", ns_capability_words());
	put_cgroup(o);
	put_seccomp(o);
	put_enabled(o, "apparmor", can("\"apparmorProfile\":\"x\",", "", ""));
	put_enabled(o, "selinux", can("\"selinuxLabel\":\"x\",", "", ""));
	put_rdt(o);
	json_obj_open(o, "mountExtensions");
	put_enabled(o, "idmap",
		    can("",
			"{\"destination\":\"/m\",\"source\":\"/\",\"options\":[\"bind\",\"idmap\"],"
			"\"uidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}],"
			"\"gidMappings\":[{\"containerID\":0,\"hostID\":1,\"size\":1}]}",
			""));
	json_obj_close(o);
	put_enabled(o, "netDevices", can("", "", "\"netDevices\":{\"eth0\":{\"name\":\"e\"}},"));
	json_obj_close(o);
}

int rt_features(struct strbuf *out, struct err *e)
{
	struct json_out o;

	json_out_init(&o, out, "  ");
	json_obj_open(&o, NULL);
	json_put_str(&o, "ociVersionMin", SPEC_VERSION_MIN);
	json_put_str(&o, "ociVersionMax", SPEC_VERSION);
	put_list(&o, "hooks", hook_kinds);
	put_list(&o, "mountOptions", ns_mount_options());
	put_linux(&o);
	json_obj_open(&o, "annotations");
	json_put_str(&o, "io.ringfence.version", RF_VERSION);
	json_obj_close(&o);
	json_arr_open(&o, "potentiallyUnsafeConfigAnnotations");
	for (size_t i = 0; unit_annotations[i]; i++)
		json_put_str(&o, NULL, unit_annotations[i]);
	/* A file of options that CRIU obeys as root. */
	json_put_str(&o, NULL, "org.criu.config");
	for (size_t i = 0; spec_annotation_word(i); i++)
		json_put_str(&o, NULL, spec_annotation_word(i));
	json_arr_close(&o);
	json_obj_close(&o);
	strbuf_puts(out, "\n");
	return out->failed ? err_sys(e, ENOMEM, NULL, "writing the features") : 0;
}
