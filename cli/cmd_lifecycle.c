/* cli/cmd_lifecycle.c: create, start, run, pause, resume. */
#include "cli/opt.h"

int cmd_create(struct cli *c, struct err *e)
{
	c->create.id = c->argv[0];
	return rt_create(&c->rt, &c->create, e);
}

int cmd_run(struct cli *c, struct err *e)
{
	c->create.id = c->argv[0];
	c->rt.ends = true;
	return rt_run(&c->rt, &c->create, e);
}

int cmd_start(struct cli *c, struct err *e)
{
	return rt_start(&c->rt, c->argv[0], e);
}

int cmd_pause(struct cli *c, struct err *e)
{
	return rt_pause(&c->rt, c->argv[0], true, e);
}

int cmd_resume(struct cli *c, struct err *e)
{
	return rt_pause(&c->rt, c->argv[0], false, e);
}
