/* cli/cmd_checkpoint.c: checkpoint. */
#include "cli/opt.h"

#include "common/str.h"

#include <errno.h>
#include <limits.h>

static int status_fd(struct cli *c, struct err *e)
{
	int64_t n = -1;

	if (c->status_fd && (!str_to_i64(c->status_fd, &n) || n < -1 || n > INT_MAX))
		return err_set(e, ERR_USAGE, EINVAL, NULL, "--status-fd: \"%s\" isn't a descriptor",
			       c->status_fd);
	c->criu.status_fd = (int)n;
	return 0;
}

int cmd_checkpoint(struct cli *c, struct err *e)
{
	int rc = status_fd(c, e);

	return rc < 0 ? rc : rt_checkpoint(&c->rt, c->argv[0], &c->criu, e);
}
