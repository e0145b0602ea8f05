/* spec/lint.c: see lint.h. One function a rule, one line of the table each. */
#include "spec/lint_rules.h"

#include "spec/json.h"
#include "spec/table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *spec_severity_word(enum spec_severity s)
{
	static const char *const words[] = {"recommendation", "warning", "error"};

	return words[s];
}

static int add(struct spec_findings *f, const struct spec_finding *form, const char *fmt,
	       va_list ap)
{
	char text[512];

	if (f->n == f->cap) {
		size_t more = f->cap ? f->cap * 2 : 16;
		struct spec_finding *grown = arena_array(f->arena, more, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		if (f->n)
			memcpy(grown, f->items, f->n * sizeof(*grown));
		f->items = grown;
		f->cap = more;
	}
	vsnprintf(text, sizeof(text), fmt, ap);
	struct spec_finding *new = &f->items[f->n];
	*new = *form;
	new->pointer = arena_strdup(f->arena, form->pointer);
	new->text = arena_strdup(f->arena, text);
	if (!new->pointer || !new->text)
		return -ENOMEM;
	f->n++;
	return 0;
}

int spec_finding_add(struct spec_findings *f, const struct spec_finding *form, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int rc = add(f, form, fmt, ap);
	va_end(ap);
	return rc;
}

void spec_say(struct spec_look *l, const char *pointer, const char *fmt, ...)
{
	struct spec_finding form = {
		.severity = l->rule->severity, .rule = l->rule->id, .pointer = pointer};
	va_list ap;

	if (l->rc < 0)
		return;
	if (l->s->source) {
		const struct json *j = json_find(l->s->source->root, pointer, true);
		form.line = j->line;
		form.column = j->column;
	}
	va_start(ap, fmt);
	l->rc = add(l->f, &form, fmt, ap);
	va_end(ap);
}

void spec_say_at(struct spec_look *l, const char *base, size_t i, const char *fmt, ...)
{
	char pointer[128], text[400];
	va_list ap;

	snprintf(pointer, sizeof(pointer), "%s/%zu", base, i);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	spec_say(l, pointer, "%s", text);
}

static bool has_word(const struct spec_strings *l, const char *word)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i], word) == 0)
			return true;
	return false;
}

/* --- the document itself --- */

static void unknown_keys(struct spec_look *l)
{
	for (size_t i = 0; i < l->s->unknown.n; i++)
		spec_say(l, l->s->unknown.items[i].pointer,
			 "no such property in version " SPEC_VERSION
			 " of the specification: ignored");
}

static void other_platforms(struct spec_look *l)
{
	const struct {
		bool there;
		const char *pointer;
	} all[] = {{l->s->has_windows, "/windows"},
		   {l->s->has_solaris, "/solaris"},
		   {l->s->has_freebsd, "/freebsd"},
		   {l->s->has_zos, "/zos"}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].there)
			spec_say(l, all[i].pointer, "of another platform: ignored");
}

static void old_hooks(struct spec_look *l)
{
	if (l->s->hooks.prestart.n)
		spec_say(l, "/hooks/prestart",
			 "deprecated: createRuntime, createContainer or startContainer say which "
			 "namespaces a hook runs in");
}

/* --- namespaces --- */

static void shared_ns(struct spec_look *l, enum spec_ns type, const char *what)
{
	if (!spec_find_ns(l->s, type))
		spec_say(l, "/linux/namespaces", "no %s namespace: %s", spec_ns_word(type), what);
}

static void host_pid(struct spec_look *l)
{
	shared_ns(l, SPEC_NS_PID, "the container sees the host's processes, and may signal them");
}

static void host_network(struct spec_look *l)
{
	shared_ns(l, SPEC_NS_NETWORK,
		  "the container has the host's interfaces, ports and abstract unix sockets");
}

static void host_ipc(struct spec_look *l)
{
	shared_ns(l, SPEC_NS_IPC, "the container shares the host's System V and POSIX queues");
}

static void host_uts(struct spec_look *l)
{
	shared_ns(l, SPEC_NS_UTS, "the container has the host's name, and may change it");
}

static void no_cgroup_ns(struct spec_look *l)
{
	shared_ns(l, SPEC_NS_CGROUP, "the container sees where its group lies on the host");
}

static void host_root(struct spec_look *l)
{
	if (!spec_find_ns(l->s, SPEC_NS_USER) && l->s->has_process && l->s->process.user.uid == 0)
		spec_say(l, "/process/user/uid",
			 "root without a user namespace is the host's root behind the other walls");
}

static void identity_map(struct spec_look *l)
{
	const struct spec_id_maps *m = &l->s->linux_.uid_mappings;

	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].container_id == 0 && m->items[i].host_id == 0)
			spec_say_at(l, "/linux/uidMappings", i,
				    "root of the container is root of the host");
}

/* --- capabilities, process --- */

const char *const spec_strong_caps[] = {"CAP_SYS_ADMIN",
					"CAP_SYS_MODULE",
					"CAP_SYS_RAWIO",
					"CAP_SYS_PTRACE",
					"CAP_SYS_BOOT",
					"CAP_SYS_TIME",
					"CAP_BPF",
					"CAP_PERFMON",
					"CAP_MAC_ADMIN",
					"CAP_MAC_OVERRIDE",
					"CAP_SYSLOG",
					"CAP_CHECKPOINT_RESTORE",
					"CAP_DAC_READ_SEARCH",
					NULL};

static void strong_capability(struct spec_look *l)
{
	const struct spec_strings *b = &l->s->process.capabilities.bounding;
	bool own = spec_find_ns(l->s, SPEC_NS_USER) != NULL;

	for (size_t i = 0; i < b->n && !own; i++)
		if (spec_is_any(b->items[i], spec_strong_caps))
			spec_say_at(
				l, "/process/capabilities/bounding", i,
				"%s reaches beyond the container, unless it has a user namespace",
				b->items[i]);
}

static void unknown_capability(struct spec_look *l)
{
	auto_strbuf names = {0};

	spec_unknown_caps(&l->s->process, &names);
	if (names.len && !names.failed)
		spec_say(l, "/process/capabilities", "not known, and so not granted: %s", names.s);
}

static void new_privileges(struct spec_look *l)
{
	if (l->s->has_process && !l->s->process.no_new_privileges)
		spec_say(l, "/process/noNewPrivileges",
			 "setuid programs of the image can raise privileges");
}

static void writable_root(struct spec_look *l)
{
	if (l->s->has_root && !l->s->root_readonly)
		spec_say(l, "/root/readonly", "the program can change the image that it runs from");
}

/* --- mounts --- */

/* Places of the host: "x" is that place alone, "x/" what lies in it too, "x*" all that begins so.
 */
static const char *const host_places[] = {"/",     "/boot/", "/dev", "/etc/", "/proc/",   "/run",
					  "/sys/", "/usr/",  "/var", "/bin/", "/var/run", NULL};
/* Where reading is harm enough. */
static const char *const secret_places[] = {"/",
					    "/root",
					    "/home",
					    "/proc",
					    "/dev",
					    "/etc/shadow",
					    "/etc/ssh/",
					    "/etc/ssl/private/",
					    "/run/ringfence",
					    "/var",
					    "/var/lib",
					    "/var/lib/docker",
					    "/var/lib/containers",
					    "/var/lib/kubelet",
					    "/dev/mem",
					    "/dev/kmsg",
					    "/dev/sd*",
					    "/dev/vd*",
					    "/dev/nvme*",
					    "/dev/dm-*",
					    "/dev/mapper/",
					    "/dev/disk/",
					    NULL};
static const char *const engine_sockets[] = {
	"/run/docker.sock",        "/var/run/docker.sock",
	"/run/podman/podman.sock", "/run/containerd/containerd.sock",
	"/run/crio/crio.sock",     NULL};

static bool is_bind(const struct spec_mount *m)
{
	return has_word(&m->options, "bind") || has_word(&m->options, "rbind");
}

static bool is_readonly(const struct spec_mount *m)
{
	return has_word(&m->options, "ro") || has_word(&m->options, "rro");
}

/* The path without slashes that say nothing. */
static void plain(const char *path, char *buf, size_t size)
{
	size_t n = 0;

	for (; *path && n + 1 < size; path++)
		if (*path != '/' || (path[1] && path[1] != '/') || (!n && !path[1]))
			buf[n++] = *path;
	buf[n] = '\0';
}

static bool is_place(const char *path, const char *const *places)
{
	for (; *places; places++) {
		size_t n = strlen(*places);
		char last = (*places)[n - 1];
		if (n > 1 && (last == '/' || last == '*'))
			n--;
		if (strncmp(path, *places, n) == 0 &&
		    (!path[n] || (path[n] == '/' && last == '/' && n > 1) || last == '*'))
			return true;
	}
	return false;
}

/* The place of the host that a mount shows; false: it shows none. */
static bool shows_host(const struct spec_mount *m, char *from, size_t size)
{
	if (!is_bind(m) || !m->source)
		return false;
	plain(m->source, from, size);
	return true;
}

static void host_mount(struct spec_look *l)
{
	char from[256];

	for (size_t i = 0; i < l->s->mounts.n; i++) {
		const struct spec_mount *m = &l->s->mounts.items[i];
		if (!shows_host(m, from, sizeof(from)))
			continue;
		if (is_place(from, engine_sockets))
			spec_say_at(l, "/mounts", i,
				    "%s: whoever may talk to it is root of the host", from);
		else if (is_place(from, host_places) && !is_readonly(m))
			spec_say_at(l, "/mounts", i, "%s of the host can be written", from);
	}
}

static void host_secrets(struct spec_look *l)
{
	char from[256];

	for (size_t i = 0; i < l->s->mounts.n; i++) {
		const struct spec_mount *m = &l->s->mounts.items[i];
		if (shows_host(m, from, sizeof(from)) && is_place(from, secret_places) &&
		    (is_readonly(m) || !is_place(from, host_places)))
			spec_say_at(l, "/mounts", i, "%s of the host can be read", from);
	}
}

static void shared_mount(struct spec_look *l)
{
	const char *root = l->s->linux_.rootfs_propagation;

	for (size_t i = 0; i < l->s->mounts.n; i++) {
		const struct spec_mount *m = &l->s->mounts.items[i];
		if (is_bind(m) &&
		    (has_word(&m->options, "shared") || has_word(&m->options, "rshared")))
			spec_say_at(l, "/mounts", i,
				    "mounts that the container makes appear on the host");
	}
	if (root && (strcmp(root, "shared") == 0 || strcmp(root, "rshared") == 0))
		spec_say(l, "/linux/rootfsPropagation",
			 "mounts that the container makes appear on the host");
}

static void writable_kernel_fs(struct spec_look *l)
{
	bool own = spec_find_ns(l->s, SPEC_NS_USER) != NULL;

	for (size_t i = 0; i < l->s->mounts.n && !own; i++) {
		const struct spec_mount *m = &l->s->mounts.items[i];
		if (!m->type || is_bind(m) || is_readonly(m))
			continue;
		if (strcmp(m->type, "sysfs") == 0)
			spec_say_at(l, "/mounts", i, "a writable sysfs reaches the host's devices");
		else if (strncmp(m->type, "cgroup", 6) == 0 && !spec_find_ns(l->s, SPEC_NS_CGROUP))
			spec_say_at(l, "/mounts", i,
				    "writable control groups without a cgroup namespace");
	}
}

/* What every engine covers; the rest of the usual list holds nothing on a kernel of today. */
const char *const spec_to_mask[] = {"/proc/kcore", "/proc/keys", "/proc/timer_list",
				    "/sys/firmware", NULL};
const char *const spec_to_protect[] = {"/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus",
				       NULL};

static void not_covered(struct spec_look *l, const struct spec_strings *paths, const char *pointer,
			const char *const *wanted, const char *what)
{
	bool own = spec_find_ns(l->s, SPEC_NS_USER) != NULL;

	for (; *wanted && !own; wanted++)
		if (!has_word(paths, *wanted))
			spec_say(l, pointer, "%s %s", *wanted, what);
}

static void unmasked(struct spec_look *l)
{
	not_covered(l, &l->s->linux_.masked_paths, "/linux/maskedPaths", spec_to_mask,
		    "can be read: it tells of the host");
}

static void writable_proc(struct spec_look *l)
{
	not_covered(l, &l->s->linux_.readonly_paths, "/linux/readonlyPaths", spec_to_protect,
		    "can be written: it is the host's");
}

/* --- resources --- */

static void all_devices(struct spec_look *l)
{
	const struct spec_resources *r = &l->s->linux_.resources;

	for (size_t i = 0; i < r->devices.n; i++) {
		const struct spec_device_rule *d = &r->devices.items[i];
		bool all = !d->type || strcmp(d->type, "a") == 0;
		bool any = !d->major.set || d->major.v < 0;
		bool opens = !d->access || strpbrk(d->access, "rw");
		if (d->allow && opens && (all || any))
			spec_say_at(l, "/linux/resources/devices", i,
				    "%s: the host's disks and memory are among them",
				    all ? "every device is allowed"
					: "every device of a type is allowed");
	}
}

static void no_limits(struct spec_look *l)
{
	const struct spec_resources *r = &l->s->linux_.resources;

	if (!r->pids_limit.set || r->pids_limit.v <= 0)
		spec_say(l, "/linux/resources/pids/limit",
			 "no limit: a fork bomb takes the host's process ids");
	if (!r->memory.limit.set || r->memory.limit.v <= 0)
		spec_say(l, "/linux/resources/memory/limit",
			 "no limit: the container can take all memory");
	else if (!r->memory.swap.set)
		spec_say(l, "/linux/resources/memory/swap",
			 "a memory limit without one for swap only moves the pressure there");
}

static void old_resources(struct spec_look *l)
{
	const struct spec_resources *r = &l->s->linux_.resources;
	const struct {
		bool there;
		const char *pointer;
	} all[] = {
		{r->memory.kernel.set, "/linux/resources/memory/kernel"},
		{r->memory.kernel_tcp.set, "/linux/resources/memory/kernelTCP"},
		{r->memory.swappiness.set, "/linux/resources/memory/swappiness"},
		{r->memory.disable_oom_killer.set && r->memory.disable_oom_killer.v,
		 "/linux/resources/memory/disableOOMKiller"},
		{r->cpu.realtime_runtime.set, "/linux/resources/cpu/realtimeRuntime"},
		{r->cpu.realtime_period.set, "/linux/resources/cpu/realtimePeriod"},
		{r->blockio.leaf_weight.set, "/linux/resources/blockIO/leafWeight"},
		{r->net_class_id.set, "/linux/resources/network/classID"},
		{r->net_priorities.n > 0, "/linux/resources/network/priorities"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].there)
			spec_say(l, all[i].pointer, "has no meaning with cgroup v2");
}

/* --- seccomp --- */

static void no_filter(struct spec_look *l)
{
	const struct spec_seccomp *f = &l->s->linux_.seccomp;

	/* A program that the caller compiled (by annotation) has no action to look at. */
	if (!f->set && !f->bpf_data)
		spec_say(l, "/linux/seccomp",
			 "no filter: every system call of the kernel is in reach");
	else if (str_eq(f->default_action, "SCMP_ACT_ALLOW"))
		spec_say(l, "/linux/seccomp/defaultAction",
			 "a list of what is forbidden allows whatever the next kernel brings");
}

static const struct spec_rule rules[] = {
	{"unknown-key", SPEC_WARNING, unknown_keys},
	{"other-platform", SPEC_WARNING, other_platforms},
	{"old-hooks", SPEC_RECOMMENDATION, old_hooks},
	{"host-pid", SPEC_WARNING, host_pid},
	{"host-network", SPEC_WARNING, host_network},
	{"host-ipc", SPEC_WARNING, host_ipc},
	{"host-uts", SPEC_RECOMMENDATION, host_uts},
	{"no-cgroup-namespace", SPEC_RECOMMENDATION, no_cgroup_ns},
	{"host-root", SPEC_RECOMMENDATION, host_root},
	{"identity-map", SPEC_WARNING, identity_map},
	{"strong-capability", SPEC_WARNING, strong_capability},
	{"unknown-capability", SPEC_WARNING, unknown_capability},
	{"new-privileges", SPEC_RECOMMENDATION, new_privileges},
	{"writable-root", SPEC_RECOMMENDATION, writable_root},
	{"host-mount", SPEC_WARNING, host_mount},
	{"host-secrets", SPEC_WARNING, host_secrets},
	{"shared-mount", SPEC_WARNING, shared_mount},
	{"writable-kernel-fs", SPEC_WARNING, writable_kernel_fs},
	{"unmasked", SPEC_WARNING, unmasked},
	{"writable-proc", SPEC_WARNING, writable_proc},
	{"all-devices", SPEC_WARNING, all_devices},
	{"host-device", SPEC_WARNING, spec_look_host_devices},
	{"no-limit", SPEC_RECOMMENDATION, no_limits},
	{"v1-only", SPEC_RECOMMENDATION, old_resources},
	{"no-filter", SPEC_RECOMMENDATION, no_filter},
	{"profile-capability", SPEC_RECOMMENDATION, spec_look_capabilities},
	{"profile-masks", SPEC_RECOMMENDATION, spec_look_masks},
	{"profile-calls", SPEC_RECOMMENDATION, spec_look_calls},
	{"profile-device", SPEC_RECOMMENDATION, spec_look_devices},
};

int spec_lint(const struct spec *s, struct spec_findings *f, struct err *e)
{
	struct spec_look l = {.s = s, .f = f};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && l.rc == 0; i++) {
		l.rule = &rules[i];
		rules[i].look(&l);
	}
	return l.rc < 0 ? err_sys(e, -l.rc, NULL, "collecting findings") : 0;
}
