/* namespaces/idmap.c: bind mounts whose owners are mapped (mount_setattr(2), MOUNT_ATTR_IDMAP).
 *
 * The kernel takes a map by the descriptor of a user namespace. One is made for
 * the purpose by a process that lives only until the descriptor is open.
 */
#include "namespaces/internal.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"
#include "common/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_map(pid_t pid, const char *name, const struct spec_id_maps *maps, struct err *e)
{
	auto_strbuf text = {0};
	char path[64];

	for (size_t i = 0; i < maps->n; i++)
		strbuf_printf(&text, "%u %u %u\n", maps->items[i].container_id,
			      maps->items[i].host_id, maps->items[i].size);
	if (text.failed)
		return err_sys(e, ENOMEM, NULL, "building %s", name);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return file_write_at(AT_FDCWD, path, text.s, text.len, e);
}

static int open_namespace(pid_t pid, const struct spec_id_maps *uids,
			  const struct spec_id_maps *gids, struct err *e)
{
	char path[64];
	int rc = write_map(pid, "uid_map", uids, e);

	if (rc >= 0)
		rc = write_map(pid, "gid_map", gids, e);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, NULL, "opening a user namespace") : fd;
}

/* A user namespace with the maps. Its only process lives until we close the pipe, or die. */
static int make_namespace(const struct spec_id_maps *uids, const struct spec_id_maps *gids,
			  struct err *e)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	int alive[2];
	char c;

	if (pipe2(alive, O_CLOEXEC) < 0)
		return err_sys(e, errno, NULL, "making a pipe");
	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		(void)close(alive[1]);
		_exit(read(alive[0], &c, 1) != 0);
	}
	int fd = pid < 0 ? err_sys(e, errno, NULL, "making a user namespace")
			 : open_namespace(pid, uids, gids, e);
	fd_close(&alive[0]);
	fd_close(&alive[1]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return fd;
}

static int map_source(const struct ns_launch *l, const struct spec_mount *m, struct err *e)
{
	const struct spec_linux *lin = &l->spec->linux_;

	if (m->uid_mappings.n)
		return make_namespace(&m->uid_mappings, &m->gid_mappings, e);
	if (l->prepared->joined[SPEC_NS_USER] >= 0) {
		int fd = fcntl(l->prepared->joined[SPEC_NS_USER], F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? err_sys(e, errno, NULL, "taking the user namespace") : fd;
	}
	return make_namespace(&lin->uid_mappings, &lin->gid_mappings, e);
}

int ns_idmap(const struct ns_launch *l, const struct spec_mount *m, int tree, bool recursive,
	     struct err *e)
{
	auto_fd map = map_source(l, m, e);
	if (map < 0)
		return err_wrap(e, map, "mapping ids");
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)map};

	if (mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			  sizeof(attr)) < 0)
		return err_sys(e, errno, NULL,
			       "mapping ids (the file system may not allow it, or is mapped)");
	return 0;
}
