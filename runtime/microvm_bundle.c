/* runtime/microvm_bundle.c: from the host's bundle to the guest's: which files are shared, and what
 * config.json reads inside.
 *
 * Invariants
 *  1. The guest's config.json is the host's text but for the values named here: what the guest's
 *     runtime applies is what was asked for.
 *  2. A share is opened once, here, as a mount of its own where the caller may make one: what is
 * mounted over it on the host later isn't seen, and read-only is the kernel's word too.
 */
#include "runtime/microvm.h"

#include "microvm/proto.h"
#include "spec/json_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define EDITS_MAX 4096u

struct edits {
	struct arena *arena;
	struct json_edit *items;
	size_t n;
	bool failed;
};

/* text NULL: remove. Both are the arena's, or constant. */
static void edit(struct edits *d, const char *pointer, const char *text)
{
	if (!pointer || d->n == EDITS_MAX) {
		d->failed = true;
		return;
	}
	d->items[d->n++] = (struct json_edit){.pointer = pointer, .text = text, .create = text};
}

static void edit_string(struct edits *d, const char *pointer, const char *value)
{
	struct strbuf b = {0};

	strbuf_json(&b, value);
	const char *text = b.failed ? NULL : arena_strdup(d->arena, b.s);
	strbuf_free(&b);
	d->failed = d->failed || !text;
	edit(d, pointer, text);
}

/* --- shares --- */

static bool has_word(const struct spec_strings *l, const char *word)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->items[i], word))
			return true;
	return false;
}

/* A remount has no source: it is about what is mounted there. */
static bool is_bind(const struct spec_mount *m)
{
	return !has_word(&m->options, "remount") &&
	       (str_eq(m->type, "bind") || has_word(&m->options, "bind") ||
		has_word(&m->options, "rbind"));
}

static bool is_read_only(const struct spec_mount *m)
{
	bool ro = false;

	for (size_t i = 0; i < m->options.n; i++) {
		const char *w = m->options.items[i];
		ro = str_eq(w, "ro") || str_eq(w, "rro") || (ro && !str_eq(w, "rw"));
	}
	return ro;
}

/* A tree of its own where we may make one, else the place itself. */
static int open_share(const char *path, bool recursive, const char *pointer, int *ret_fd,
		      struct err *e)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
	int fd = open_tree(AT_FDCWD, path, flags);

	if (fd < 0)
		fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, pointer, "opening %s: %s", path,
			       err_reason(errno));
	*ret_fd = fd;
	return 0;
}

/* In a machine with others each name bears its owner's. */
static int add_share(struct be_vm_shares *s, const struct be_vm_pod *pod, const char *name,
		     const char *path, bool recursive, bool read_only, const char *pointer,
		     struct err *e)
{
	struct vm_share *share = &s->items[s->n];

	snprintf(share->name, sizeof(share->name), "%s%s%s", pod ? pod->owner : "", pod ? "." : "",
		 name);
	share->read_only = read_only;
	s->pointers[s->n] = pointer;
	int rc = open_share(path, recursive, pointer, &share->fd, e);
	if (rc >= 0)
		s->n++;
	return rc;
}

void be_vm_shares_close(struct be_vm_shares *s)
{
	for (size_t i = 0; i < s->n; i++)
		fd_close(&s->items[i].fd);
	s->n = 0;
}

static int share_mount(struct rt_container *c, const struct be_vm_pod *pod, size_t i,
		       struct be_vm_shares *s, struct err *e)
{
	const struct spec_mount *m = &c->spec->mounts.items[i];
	const char *path = m->source, *pointer = arena_printf(c->arena, "/mounts/%zu/source", i);
	char name[32];

	if (!is_bind(m) || !path)
		return 0;
	if (path[0] != '/')
		path = arena_printf(c->arena, "%s/%s", c->doc.bundle, path);
	if (!path || !pointer)
		return err_sys(e, ENOMEM, NULL, "naming a mount's source");
	snprintf(name, sizeof(name), "%zu", i);
	return add_share(s, pod, name, path, has_word(&m->options, "rbind"), is_read_only(m),
			 pointer, e);
}

int be_vm_shares_open(struct rt_container *c, const struct be_vm_pod *pod, struct be_vm_shares *ret,
		      struct err *e)
{
	ret->items = arena_array(c->arena, c->spec->mounts.n + 1, sizeof(*ret->items));
	ret->pointers = arena_array(c->arena, c->spec->mounts.n + 1, sizeof(*ret->pointers));
	if (!ret->items || !ret->pointers)
		return err_sys(e, ENOMEM, NULL, "opening what the guest is to see");
	int rc = 0;
	if (!c->spec->vm.image_path)
		rc = add_share(ret, pod, "root", c->doc.rootfs, true, false, "/root/path", e);
	for (size_t i = 0; rc >= 0 && i < c->spec->mounts.n; i++)
		rc = share_mount(c, pod, i, ret, e);
	return rc;
}

/* --- what else reads differently inside --- */

/* The machine's network is the container's: it joins the one that the agent is in. In a pod, what
 * the container shares with the sandbox it shares inside; the sandbox has it there anew. */
static const char *inside(const struct spec_namespace *ns, const struct be_vm_pod *pod,
			  struct arena *a)
{
	const char *word = spec_ns_word(ns->type);
	bool net = ns->type == SPEC_NS_NETWORK;

	if (!pod && !net)
		return arena_printf(a, "{\"type\":\"%s\"}", word);
	const char *path = be_vm_guest_ns(a, net ? 1 : pod->guest_pid, ns->type);
	return arena_printf(a, "{\"type\":\"%s\",\"path\":\"%s\"}", word, path ? path : "");
}

static void edit_namespaces(const struct spec *s, const struct be_vm_pod *pod, struct edits *d)
{
	for (size_t i = 0; i < s->linux_.namespaces.n; i++) {
		const struct spec_namespace *ns = &s->linux_.namespaces.items[i];

		if (ns->path || (!pod && ns->type == SPEC_NS_NETWORK))
			edit(d, arena_printf(d->arena, "/linux/namespaces/%zu", i),
			     inside(ns, pod, d->arena));
	}
}

/* What the engine called the pod in the namespace that it had made for it. */
static int edit_names(struct rt_container *c, struct edits *d, struct err *e)
{
	const char *host = NULL, *domain = NULL;
	int rc = be_vm_pinned_names(c, &host, &domain, e);

	if (rc >= 0 && host)
		edit_string(d, "/hostname", host);
	if (rc >= 0 && domain)
		edit_string(d, "/domainname", domain);
	return rc;
}

/* Hooks of the host's side ran there; what the host's control group does isn't done twice, for its
 * devices and processors have other names inside. */
static void edit_rest(const struct spec *s, struct edits *d)
{
	static const char *const gone[] = {
		"/hooks/prestart",
		"/hooks/createRuntime",
		"/hooks/createContainer",
		"/hooks/poststart",
		"/hooks/poststop",
		"/linux/cgroupsPath",
		"/linux/mountLabel",
		"/process/apparmorProfile",
		"/process/selinuxLabel",
		"/vm",
		/* Sockets and files of the host. */
		"/annotations/run.oci.pidfd_receiver",
		"/annotations/run.oci.hooks.stdout",
		"/annotations/run.oci.hooks.stderr",
	};
	static const char *const hosts[] = {
		"/linux/resources/blockIO",
		"/linux/resources/hugepageLimits",
		"/linux/resources/network",
		"/linux/resources/cpu/cpus",
		"/linux/resources/cpu/mems",
		"/linux/resources/cpu/realtimePeriod",
		"/linux/resources/cpu/realtimeRuntime",
	};

	for (size_t i = 0; i < sizeof(gone) / sizeof(*gone); i++)
		edit(d, gone[i], NULL);
	for (size_t i = 0; s->linux_.resources.set && i < sizeof(hosts) / sizeof(*hosts); i++)
		edit(d, hosts[i], NULL);
}

/* The caller is here; in there it is the agent. */
static void edit_groups(const struct spec *s, struct edits *d)
{
	auto_strbuf b = {0};
	gid_t *all = NULL;
	int n = s->keep_groups ? getgroups(0, NULL) : -1;

	if (n < 0)
		return;
	all = arena_array(d->arena, (size_t)n + 1, sizeof(*all));
	n = all ? getgroups(n, all) : -1;
	strbuf_puts(&b, "[");
	for (int i = 0; i < n; i++)
		strbuf_printf(&b, "%s%u", i ? "," : "", all[i]);
	strbuf_puts(&b, "]");
	const char *text = n < 0 || b.failed ? NULL : arena_strdup(d->arena, b.s);
	d->failed = d->failed || !text;
	edit(d, "/process/user/additionalGids", text);
	edit(d, "/annotations/run.oci.keep_original_groups", NULL);
}

static void edit_size(const struct spec_process *p, struct edits *d)
{
	struct spec_process sized = *p;

	be_vm_sized(&sized);
	if (p->terminal && sized.console_height.set && sized.console_width.set)
		edit(d, "/process/consoleSize",
		     arena_printf(d->arena, "{\"height\":%llu,\"width\":%llu}",
				  (unsigned long long)sized.console_height.v,
				  (unsigned long long)sized.console_width.v));
}

int be_vm_config(struct rt_container *c, const struct be_vm_pod *pod, const struct be_vm_shares *s,
		 struct strbuf *ret_config, struct err *e)
{
	struct edits d = {.arena = c->arena,
			  .items = arena_array(c->arena, EDITS_MAX, sizeof(*d.items))};

	if (!d.items)
		return err_sys(e, ENOMEM, NULL, "making the guest's bundle");
	for (size_t i = 0; i < s->n; i++)
		edit_string(&d, s->pointers[i],
			    arena_printf(c->arena, "%s/%s", VM_SHARES_DIR, s->items[i].name));
	if (c->spec->vm.image_path)
		edit_string(&d, "/root/path", VM_IMAGE_DIR);
	edit_size(&c->spec->process, &d);
	edit_groups(c->spec, &d);
	edit_namespaces(c->spec, pod, &d);
	edit_rest(c->spec, &d);
	int rc = pod ? 0 : edit_names(c, &d, e);
	if (rc < 0)
		return rc;
	if (d.failed)
		return err_sys(e, ENOMEM, NULL, "making the guest's bundle");
	return json_edit(c->config, c->config_len, "config.json", d.items, d.n, ret_config, e);
}
