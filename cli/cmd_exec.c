/* cli/cmd_exec.c: exec. */
#include "cli/opt.h"

#include <errno.h>

int cmd_exec(struct cli *c, struct err *e)
{
	struct rt_exec *x = &c->exec;

	x->id = c->argv[0];
	x->argv = c->argv + 1;
	x->argc = (size_t)c->argc - 1;
	x->env = c->env.items;
	x->n_env = c->env.n;
	x->caps = c->caps.items;
	x->n_caps = c->caps.n;
	x->gids = c->gids.items;
	x->n_gids = c->gids.n;
	x->cgroups = c->cgroups.items;
	x->n_cgroups = c->cgroups.n;
	if (!x->process_file && x->argc == 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "exec needs a COMMAND, or --process FILE");
	return rt_exec(&c->rt, x, e);
}
