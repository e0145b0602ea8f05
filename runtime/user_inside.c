/* runtime/user_inside.c: a user by the container's own passwd(5) and group(5): found in its root,
 * read as what they are, a guest's bytes (user.c). */
#include "runtime/container.h"

#include "common/file.h"
#include "common/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define USERS_MAX (4u << 20)

/* The container's own file, by way of its process's root and never by name from ours. */
static void read_inside(int root, const char *path, char **ret_text)
{
	struct err ignored;
	auto_fd fd = path_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &ignored);

	if (fd >= 0)
		(void)file_read_fd(fd, path, USERS_MAX, ret_text, NULL, &ignored);
}

int rt_user_inside(struct rt_container *c, const char *word, struct spec_user *u, struct err *e)
{
	auto_str passwd = NULL;
	auto_str group = NULL;
	auto_fd root = -1;
	char path[64];

	if (word[strspn(word, "0123456789:")]) {
		snprintf(path, sizeof(path), "/proc/%d/root", (int)c->doc.pid);
		root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			return err_sys(e, errno, path, "opening the container's root");
		read_inside(root, "/etc/passwd", &passwd);
		read_inside(root, "/etc/group", &group);
	}
	return rt_parse_user(word, passwd, group, u, e);
}

int rt_user(const struct rt_env *env, const char *id, const char *word, uint32_t *ret_uid,
	    uint32_t *ret_gid, struct err *e)
{
	auto_container c;
	struct spec_user u = {0};
	int rc = rt_open(&c, env, id, 0, e);

	if (rc == 0)
		rc = rt_load_spec(&c, e);
	if (rc < 0)
		return rc;
	/* A number alone keeps the group that it has. */
	u.gid = c.spec->process.user.gid;
	rc = c.ops->user(&c, word, &u, e);
	if (rc < 0)
		return rc;
	*ret_uid = u.uid;
	*ret_gid = u.gid;
	return 0;
}
