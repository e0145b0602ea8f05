/* namespaces/maps.c: uid and gid maps of a new user namespace (user_namespaces(7)).
 *
 * A map file takes one write, of all its lines. With privileges we write it
 * ourselves, as an unprivileged caller may whose map is his own id alone; for any other map of his
 * newuidmap(1) and newgidmap(1) do what /etc/subuid allows (maps_helper.c).
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int write_file(pid_t pid, const char *name, const struct strbuf *text, struct err *e)
{
	char path[64];

	if (text->failed)
		return err_sys(e, ENOMEM, NULL, "building %s", name);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return file_write_at(AT_FDCWD, path, text->s, text->len, e);
}

void ns_maps_text(struct strbuf *b, const struct spec_id_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		strbuf_printf(b, "%u %u %u\n", maps->items[i].container_id, maps->items[i].host_id,
			      maps->items[i].size);
}

bool ns_maps_have(const struct spec_id_maps *maps, uint32_t id)
{
	for (size_t i = 0; i < maps->n; i++)
		if (id >= maps->items[i].container_id &&
		    id - maps->items[i].container_id < maps->items[i].size)
			return true;
	return false;
}

bool ns_maps_only_own(const struct spec_id_maps *gids)
{
	return sys_caller() != 0 && gids->n == 1 && gids->items[0].size == 1 &&
	       gids->items[0].host_id == getegid();
}

/* EPERM of an unprivileged caller: not his ids alone, or more than one. */
static int write_map(pid_t pid, const char *name, const char *helper,
		     const struct spec_id_maps *maps, struct err *e)
{
	auto_strbuf text = {0};

	ns_maps_text(&text, maps);
	int rc = write_file(pid, name, &text, e);
	if (rc == -EPERM && sys_caller() == 0)
		return err_wrap(e, rc,
				"the runtime's own user namespace doesn't have all of these ids");
	if (rc != -EPERM)
		return rc;
	err_clear(e);
	return ns_maps_by_helper(helper, pid, maps, e);
}

/* One id of one's own may be mapped without help, once setgroups(2) is given up. */
static void deny_setgroups(pid_t pid, const struct spec_id_maps *maps)
{
	struct strbuf deny = {.s = (char[]){"deny"}, .len = strlen("deny")};
	struct err ignored;

	if (ns_maps_only_own(maps))
		(void)write_file(pid, "setgroups", &deny, &ignored);
}

/* What failed, at what the specification asks for rather than at a file of procfs. */
static int err_at(struct err *e, int rc, const char *pointer, const char *what)
{
	snprintf(e->where, sizeof(e->where), "%s", pointer);
	return err_wrap(e, rc, "%s", what);
}

int ns_write_maps(const struct spec *s, pid_t pid, struct err *e)
{
	const struct spec_namespace *user = spec_find_ns(s, SPEC_NS_USER);
	int rc;

	if (!user || user->path)
		return 0;
	rc = write_map(pid, "uid_map", "newuidmap", &s->linux_.uid_mappings, e);
	if (rc < 0)
		return err_at(e, rc, "/linux/uidMappings", "mapping user ids");
	deny_setgroups(pid, &s->linux_.gid_mappings);
	rc = write_map(pid, "gid_map", "newgidmap", &s->linux_.gid_mappings, e);
	return rc < 0 ? err_at(e, rc, "/linux/gidMappings", "mapping group ids") : 0;
}
