/* namespaces/maps.c: uid and gid maps of a new user namespace (user_namespaces(7)).
 *
 * A map file takes one write, of all its lines. With privileges we write it
 * ourselves; without, newuidmap(1) and newgidmap(1) do what /etc/subuid allows.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int write_file(pid_t pid, const char *name, const struct strbuf *text, struct err *e)
{
	char path[64];

	if (text->failed)
		return err_sys(e, ENOMEM, NULL, "building %s", name);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return file_write_at(AT_FDCWD, path, text->s, text->len, e);
}

/* newuidmap PID inside outside count [inside outside count]… */
static int run_helper(const char *program, pid_t pid, const struct spec_id_maps *maps,
		      struct err *e)
{
	auto_arena a = {0};
	char **argv = arena_array(&a, 3 + maps->n * 3, sizeof(*argv));
	pid_t child;
	int status, n = 0;

	if (!argv)
		return err_sys(e, ENOMEM, program, "building its arguments");
	argv[n++] = arena_strdup(&a, program);
	argv[n++] = arena_printf(&a, "%d", (int)pid);
	for (size_t i = 0; i < maps->n; i++) {
		argv[n++] = arena_printf(&a, "%u", maps->items[i].container_id);
		argv[n++] = arena_printf(&a, "%u", maps->items[i].host_id);
		argv[n++] = arena_printf(&a, "%u", maps->items[i].size);
	}
	int rc = posix_spawnp(&child, program, NULL, NULL, argv, environ);
	if (rc != 0)
		return err_sys(e, rc, program, "running it (package uidmap)");
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, program, "waiting for it");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, ERR_SYSTEM, EPERM, program,
			       "refused the map: see /etc/subuid and /etc/subgid");
	return 0;
}

void ns_maps_text(struct strbuf *b, const struct spec_id_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		strbuf_printf(b, "%u %u %u\n", maps->items[i].container_id, maps->items[i].host_id,
			      maps->items[i].size);
}

static int write_map(pid_t pid, const char *name, const char *helper,
		     const struct spec_id_maps *maps, struct err *e)
{
	auto_strbuf text = {0};
	struct err direct;

	ns_maps_text(&text, maps);
	int rc = write_file(pid, name, &text, geteuid() == 0 ? e : &direct);
	if (rc != -EPERM || geteuid() == 0)
		return rc < 0 && geteuid() != 0 ? (*e = direct, rc) : rc;
	return run_helper(helper, pid, maps, e);
}

/* One id of one's own may be mapped without help, once setgroups(2) is given up. */
static void deny_setgroups(pid_t pid, const struct spec_id_maps *maps)
{
	struct strbuf deny = {.s = (char[]){"deny"}, .len = strlen("deny")};
	struct err ignored;

	if (geteuid() != 0 && maps->n == 1 && maps->items[0].size == 1 &&
	    maps->items[0].host_id == getegid())
		(void)write_file(pid, "setgroups", &deny, &ignored);
}

int ns_write_maps(const struct spec *s, pid_t pid, struct err *e)
{
	const struct spec_namespace *user = spec_find_ns(s, SPEC_NS_USER);
	int rc;

	if (!user || user->path)
		return 0;
	rc = write_map(pid, "uid_map", "newuidmap", &s->linux_.uid_mappings, e);
	if (rc < 0)
		return err_wrap(e, rc, "mapping user ids");
	deny_setgroups(pid, &s->linux_.gid_mappings);
	rc = write_map(pid, "gid_map", "newgidmap", &s->linux_.gid_mappings, e);
	return rc < 0 ? err_wrap(e, rc, "mapping group ids") : 0;
}
