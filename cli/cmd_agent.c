/* cli/cmd_agent.c: the agent of a micro-VM as an ordinary process, on a unix socket: what its tests
 * and a developer drive. Its containers are ordinary ones under --root. */
#include "cli/opt.h"

#include "common/arena.h"
#include "common/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int listen_at(const char *path, int *ret_fd, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		return err_sys(e, ENAMETOOLONG, path, "listening");
	strcpy(a.sun_path, path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0)
		return err_sys(e, errno, path, "listening");
	*ret_fd = take_fd(&fd);
	return 0;
}

static int make_dir(struct arena *a, const char *root, const char *name, const char **ret_path,
		    struct err *e)
{
	const char *path = arena_printf(a, "%s.%s", root, name);

	if (!path || (mkdir(path, 0700) < 0 && errno != EEXIST))
		return err_sys(e, path ? errno : ENOMEM, path, "making a directory");
	*ret_path = path;
	return 0;
}

int cmd_agent(struct cli *c, struct err *e)
{
	struct cli_agent_dirs dirs = {.state = c->rt.root};
	auto_arena a = {0};
	auto_fd fd = -1;
	int rc = make_dir(&a, c->rt.root, "bundles", &dirs.bundles, e);

	if (rc >= 0)
		rc = make_dir(&a, c->rt.root, "scratch", &dirs.scratch, e);
	if (rc >= 0)
		rc = listen_at(c->argv[0], &fd, e);
	return rc < 0 ? rc : c->agent(fd, &dirs, e);
}
