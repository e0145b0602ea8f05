/* namespaces/kernel.c: what is set in the kernel for the namespaces: names and sysctls. */
#include "namespaces/internal.h"

#include "common/proc.h"
#include "spec/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int run_hostname(const struct plan_step *s, void *ctx, struct err *e)
{
	(void)ctx;
	if (sethostname(s->arg, strlen(s->arg)) < 0)
		return err_sys(e, errno, NULL, "sethostname");
	return 0;
}

static int run_domainname(const struct plan_step *s, void *ctx, struct err *e)
{
	(void)ctx;
	if (setdomainname(s->arg, strlen(s->arg)) < 0)
		return err_sys(e, errno, NULL, "setdomainname");
	return 0;
}

/* "net.ipv4.ip_forward" → sys/net/ipv4/ip_forward. The first separator decides (sysctl(8)): a key
 * with slashes is a path already, and its dots are part of names; in one with dots a slash stands
 * for a dot. */
static int run_sysctl(const struct plan_step *s, void *ctx, struct err *e)
{
	struct ns_child_ctx *c = ctx;
	const struct spec_pair *kv = s->arg;
	char path[512];

	if ((size_t)snprintf(path, sizeof(path), "sys/%s", kv->key) >= sizeof(path))
		return err_set(e, ERR_SPEC, ENAMETOOLONG, NULL, "the key is too long");
	if (kv->key[strcspn(kv->key, "./")] == '.')
		for (char *p = path + strlen("sys/"); *p; p++)
			*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
	return proc_write(c->procfs, path, kv->value, e);
}

static int plan_name(struct plan *p, const char *value, const char *what, const char *pointer,
		     int (*run)(const struct plan_step *, void *, struct err *), struct err *e)
{
	struct plan_step step = {.stage = PLAN_ROOT,
				 .room = PLAN_NS,
				 .what = what,
				 .pointer = pointer,
				 .detail = value,
				 .run = run,
				 .arg = value};

	return value && value[0] ? plan_add(p, &step, e) : 0;
}

int ns_plan_kernel(struct plan *p, const struct spec *s, struct err *e)
{
	int rc = plan_name(p, s->hostname, "hostname", "/hostname", run_hostname, e);

	if (rc >= 0)
		rc = plan_name(p, s->domainname, "domainname", "/domainname", run_domainname, e);
	for (size_t i = 0; i < s->linux_.sysctl.n && rc >= 0; i++) {
		const struct spec_pair *kv = &s->linux_.sysctl.items[i];
		char at[512] = "/linux/sysctl";
		json_pointer_key(at, sizeof(at), kv->key);
		struct plan_step step = {
			.stage = PLAN_ROOT,
			.room = PLAN_NS,
			.what = "sysctl",
			.pointer = arena_strdup(p->arena, at),
			.detail = arena_printf(p->arena, "%s = %s", kv->key, kv->value),
			.run = run_sysctl,
			.arg = kv};
		rc = plan_add(p, &step, e);
	}
	return rc;
}
