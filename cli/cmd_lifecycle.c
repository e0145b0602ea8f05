/* cli/cmd_lifecycle.c: create, start, run, kill, delete, pause, resume. */
#include "cli/opt.h"

#include "common/log.h"

#include <errno.h>
#include <signal.h>

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

int cmd_kill(struct cli *c, struct err *e)
{
	int sig = c->argc > 1 ? rt_signal_number(c->argv[1]) : SIGTERM;

	if (sig < 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL, "unknown signal \"%s\"", c->argv[1]);
	return rt_kill(&c->rt, c->argv[0], sig, c->all, e);
}

/* Each is tried; the first failure decides the exit code, and every one is reported. */
int cmd_delete(struct cli *c, struct err *e)
{
	int rc = 0;

	for (int i = 0; i < c->argc; i++) {
		struct err one = {0};
		int r = rt_delete(&c->rt, c->argv[i], c->force, &one);
		if (r >= 0)
			continue;
		if (rc < 0)
			log_err(&one);
		else
			*e = one;
		rc = rc < 0 ? rc : r;
	}
	return rc;
}

int cmd_pause(struct cli *c, struct err *e)
{
	return rt_pause(&c->rt, c->argv[0], true, e);
}

int cmd_resume(struct cli *c, struct err *e)
{
	return rt_pause(&c->rt, c->argv[0], false, e);
}
