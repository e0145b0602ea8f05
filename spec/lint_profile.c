/* spec/lint_profile.c: rules of lint that hold a document against the default profile (profile.h).
 *
 * What a rule of lint.c says already isn't said again. A container with a user namespace of its own
 * has files of the host's root out of reach, but the kernel's calls and capabilities' code in it.
 */
#include "spec/lint_rules.h"
#include "spec/profile.h"

#include <stdio.h>

static bool own_users(const struct spec_look *l)
{
	return spec_find_ns(l->s, SPEC_NS_USER) != NULL;
}

void spec_look_capabilities(struct spec_look *l)
{
	const struct spec_strings *b = &l->s->process.capabilities.bounding;

	for (size_t i = 0; i < b->n; i++)
		if (own_users(l) || !spec_is_any(b->items[i], spec_strong_caps))
			spec_say_at(l, "/process/capabilities/bounding", i,
				    "%s: the default profile gives no capability", b->items[i]);
}

/* Names of one finding. */
struct names {
	char text[300];
	size_t len, left_out;
};

static void put_name(struct names *n, const char *name)
{
	int len = (int)strlen(name);

	if (n->len + (size_t)len + 2 > sizeof(n->text)) {
		n->left_out++;
		return;
	}
	n->len += (size_t)snprintf(n->text + n->len, sizeof(n->text) - n->len, "%s%s",
				   n->len ? " " : "", name);
}

static void say_names(struct spec_look *l, const char *pointer, const struct names *n,
		      const char *what)
{
	char more[40] = "";

	if (n->left_out)
		snprintf(more, sizeof(more), " and %zu more", n->left_out);
	if (n->len)
		spec_say(l, pointer, "%s%s: %s", n->text, more, what);
}

/* The path or one above it is in the list. */
static bool covers(const struct spec_strings *list, const char *path)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t n = strlen(list->items[i]);
		if (strncmp(list->items[i], path, n) == 0 && (!path[n] || path[n] == '/'))
			return true;
	}
	return false;
}

void spec_look_masks(struct spec_look *l)
{
	const struct spec_linux *x = &l->s->linux_;
	struct names masks = {0}, protected = {0};

	if (own_users(l))
		return;
	for (const char *const *p = spec_profile_masked; *p; p++)
		if (!covers(&x->masked_paths, *p) && !spec_is_any(*p, spec_to_mask))
			put_name(&masks, *p);
	for (const char *const *p = spec_profile_readonly; *p; p++)
		if (!covers(&x->readonly_paths, *p) && !covers(&x->masked_paths, *p) &&
		    !spec_is_any(*p, spec_to_protect))
			put_name(&protected, *p);
	say_names(l, "/linux/maskedPaths", &masks, "the default profile masks them");
	say_names(l, "/linux/readonlyPaths", &protected, "read-only in the default profile");
}

/* --- system calls --- */

static bool lets_pass(const char *action)
{
	static const char *const open[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE",
					   NULL};

	return spec_is_any(action, open);
}

static bool is_beyond(const char *name, bool has_args)
{
	enum spec_call c = spec_profile_call(name);

	return c != SPEC_CALL_ALLOWED && (c != SPEC_CALL_LIMITED || !has_args);
}

/* Of a list of what is allowed: the rules that allow more. */
static void allowed_calls(struct spec_look *l)
{
	const struct spec_seccomp *f = &l->s->linux_.seccomp;

	for (size_t i = 0; i < f->syscalls.n; i++) {
		const struct spec_syscall *c = &f->syscalls.items[i];
		struct names n = {0};
		char pointer[64];
		for (size_t j = 0; lets_pass(c->action) && j < c->names.n; j++)
			if (is_beyond(c->names.items[j], c->args.n > 0))
				put_name(&n, c->names.items[j]);
		snprintf(pointer, sizeof(pointer), "/linux/seccomp/syscalls/%zu", i);
		say_names(l, pointer, &n, "not in the default profile");
	}
}

static bool is_refused(const struct spec_seccomp *f, const char *name)
{
	for (size_t i = 0; i < f->syscalls.n; i++) {
		const struct spec_syscall *c = &f->syscalls.items[i];
		for (size_t j = 0; !lets_pass(c->action) && !c->args.n && j < c->names.n; j++)
			if (strcmp(c->names.items[j], name) == 0)
				return true;
	}
	return false;
}

/* Of a list of what is refused: what the profile refuses and it doesn't. */
static void unrefused_calls(struct spec_look *l)
{
	struct names n = {0};
	char word[32];

	for (size_t i = 0; spec_profile_refused(i, word, sizeof(word)); i++)
		if (!is_refused(&l->s->linux_.seccomp, word))
			put_name(&n, word);
	say_names(l, "/linux/seccomp/syscalls", &n, "refused by the default profile");
}

void spec_look_calls(struct spec_look *l)
{
	const struct spec_seccomp *f = &l->s->linux_.seccomp;

	if (!f->set || f->bpf_data)
		return;
	if (lets_pass(f->default_action))
		unrefused_calls(l);
	else
		allowed_calls(l);
	for (size_t i = 1; i < f->architectures.n; i++)
		spec_say_at(l, "/linux/seccomp/architectures", i,
			    "%s: the default profile has the program's own calls alone",
			    f->architectures.items[i]);
}

/* --- devices --- */

static const struct {
	int major, minor; /* -1: any */
} usual[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 1}, {5, 2}, {136, -1}};

/* Disks, and character devices 1:1, 1:2, 1:4: memory and ports of the machine
 * (Documentation/admin-guide/devices.txt of the kernel). */
static bool is_hosts(char type, int64_t major, int64_t minor)
{
	return type == 'b' || (type == 'c' && major == 1 && minor < 5 && minor != 3);
}

static bool is_usual(char type, int64_t major, int64_t minor)
{
	for (size_t i = 0; type == 'c' && i < sizeof(usual) / sizeof(usual[0]); i++)
		if (usual[i].major == major && (usual[i].minor < 0 || usual[i].minor == minor))
			return true;
	return type != 'c' && type != 'b'; /* a pipe is no device */
}

static int64_t number(const struct opt_i64 *n)
{
	return n->set ? n->v : -1;
}

static void device_nodes(struct spec_look *l, bool hosts, const char *what)
{
	for (size_t i = 0; i < l->s->linux_.devices.n; i++) {
		const struct spec_device *d = &l->s->linux_.devices.items[i];
		int64_t major = number(&d->major), minor = number(&d->minor);
		if (is_hosts(d->type, major, minor) == hosts && !is_usual(d->type, major, minor))
			spec_say_at(l, "/linux/devices", i, "%s (%c %lld:%lld): %s", d->path,
				    d->type, (long long)major, (long long)minor, what);
	}
}

/* Rules for every device, or all of a type, are the subject of another rule. */
static void device_rules(struct spec_look *l, bool hosts, const char *what)
{
	const struct spec_resources *r = &l->s->linux_.resources;

	for (size_t i = 0; i < r->devices.n; i++) {
		const struct spec_device_rule *d = &r->devices.items[i];
		int64_t major = number(&d->major), minor = number(&d->minor);
		char type = d->type ? d->type[0] : 'a';
		if (!d->allow || type == 'a' || major < 0 ||
		    (d->access && !strpbrk(d->access, "rw")))
			continue;
		if (is_hosts(type, major, minor) == hosts && !is_usual(type, major, minor))
			spec_say_at(l, "/linux/resources/devices", i, "%c %lld:%lld: %s", type,
				    (long long)major, (long long)minor, what);
	}
}

void spec_look_devices(struct spec_look *l)
{
	device_nodes(l, false, "not in the default profile");
	device_rules(l, false, "not in the default profile");
}

void spec_look_host_devices(struct spec_look *l)
{
	device_nodes(l, true, "a disk or the memory of the host");
	device_rules(l, true, "a disk or the memory of the host");
}
