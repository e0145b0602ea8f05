/* cli/cmd_exec.c: exec. */
#include "cli/opt.h"

#include "common/str.h"

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
	for (size_t i = 0; i < c->gids.n; i++) {
		uint64_t gid;
		if (str_to_u64(c->gids.items[i], &gid))
			continue;
		c->understood = false;
		return err_set(e, ERR_USAGE, EINVAL, NULL, "additional gid \"%.64s\" is no number",
			       c->gids.items[i]);
	}
	if (!x->process_file && x->argc == 0)
		return err_set(
			e, ERR_USAGE, EINVAL, NULL,
			"process args cannot be empty: exec needs a COMMAND, or --process FILE");
	return rt_exec(&c->rt, x, e);
}
