/* spec/check_sysctl.c: which kernel parameters a container may set.
 *
 * Invariants
 *  1. Only parameters that belong to a namespace of the container's own pass:
 *     everything else would change the host.
 *  2. A key is a relative path beneath /proc/sys with . or / between its parts.
 */
#include "spec/check.h"

#include <stdio.h>
#include <string.h>

/* Which namespace a parameter belongs to. A trailing . or * means every key that begins so. */
static const struct {
	const char *key;
	enum spec_ns ns;
} owners[] = {
	{"net.", SPEC_NS_NETWORK},
	{"fs.mqueue.", SPEC_NS_IPC},
	{"kernel.msgmax", SPEC_NS_IPC},
	{"kernel.msgmnb", SPEC_NS_IPC},
	{"kernel.msgmni", SPEC_NS_IPC},
	{"kernel.msg_next_id", SPEC_NS_IPC},
	{"kernel.sem", SPEC_NS_IPC},
	{"kernel.sem_next_id", SPEC_NS_IPC},
	{"kernel.auto_msgmni", SPEC_NS_IPC},
	{"kernel.shmall", SPEC_NS_IPC},
	{"kernel.shmmax", SPEC_NS_IPC},
	{"kernel.shmmni", SPEC_NS_IPC},
	{"kernel.shm_next_id", SPEC_NS_IPC},
	{"kernel.shm_rmid_forced", SPEC_NS_IPC},
	{"kernel.domainname", SPEC_NS_UTS},
	{"kernel.hostname", SPEC_NS_UTS},
	{"user.", SPEC_NS_USER},
};

/* sysctl(8)'s rule: the first separator decides; in a key with slashes a dot is an ordinary
 * character ("net/ipv4/conf/eth0.1/…"). Dotted form for comparison with the table. */
static bool key_is(const char *key, const char *pattern)
{
	bool slashes = key[strcspn(key, "./")] == '/';

	for (; *pattern; key++, pattern++) {
		char k = *key;

		if (slashes && (k == '/' || k == '.'))
			k = k == '/' ? '.' : '/';
		if (k != *pattern)
			return false;
	}
	return pattern[-1] == '.' ? *key != '\0' : *key == '\0';
}

static bool well_shaped(const char *key)
{
	size_t run = 0; /* length of the part at hand */

	if (key[strcspn(key, " \t\n*?[\\")] || !*key)
		return false;
	for (const char *p = key; *p; p++) {
		if (*p != '.' && *p != '/')
			run++;
		else if (run == 0)
			return false; /* an empty part; so ".." can't stand anywhere */
		else
			run = 0;
	}
	return run > 0;
}

static enum spec_ns owner(const char *key)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if (key_is(key, owners[i].key))
			return owners[i].ns;
	return 0;
}

static int check_key(const struct spec_check *c, const struct spec *s, const char *key)
{
	enum spec_ns ns = owner(key);
	const struct spec_namespace *have = ns ? spec_find_ns(s, ns) : NULL;
	char at[SPEC_POINTER] = "/linux/sysctl";

	json_pointer_key(at, sizeof(at), key);
	if (!well_shaped(key))
		return spec_fail(c, at, "is no name of a kernel parameter");
	if (!ns)
		return spec_fail(c, at,
				 "is not in a separate kernel namespace: it would change the host");
	if (!have)
		return spec_fail(
			c, at,
			"is not allowed in the host's %s namespace: /linux/namespaces has none",
			spec_ns_word(ns));
	if (key_is(key, "kernel.hostname") && s->hostname && *s->hostname)
		return spec_fail(c, at,
				 "is not allowed as it conflicts with /hostname: set one of them");
	if (key_is(key, "kernel.domainname") && s->domainname && *s->domainname)
		return spec_fail(
			c, at, "is not allowed as it conflicts with /domainname: set one of them");
	return 0;
}

int spec_check_sysctl(const struct spec_check *c, const struct spec *s)
{
	for (size_t i = 0; i < s->linux_.sysctl.n; i++) {
		int rc = check_key(c, s, s->linux_.sysctl.items[i].key);

		if (rc < 0)
			return rc;
	}
	return 0;
}
