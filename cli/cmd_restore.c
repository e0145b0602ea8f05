/* cli/cmd_restore.c: restore. */
#include "cli/opt.h"

int cmd_restore(struct cli *c, struct err *e)
{
	c->criu.status_fd = -1;
	c->create.id = c->argv[0];
	c->rt.ends = true;
	return rt_restore(&c->rt, &c->create, &c->criu, e);
}
