/* cli/cmd_lifecycle.c: create, start, run, pause, resume. */
#include "cli/opt.h"

#include "common/arena.h"
#include "common/log.h"

/* --debug: what is going to be done, as explain says it. What is wrong is the verb's to report. */
static void trace(struct cli *c)
{
	auto_arena a = {0};
	struct plan p;
	struct err ignored;

	if (!log_enabled(LOG_LV_DEBUG) || rt_explain(&c->rt, &c->create, &a, &p, &ignored) < 0)
		return;
	for (size_t i = 0; i < p.n; i++)
		log_msg(LOG_LV_DEBUG, "%s: %s %s", plan_stage_name(p.steps[i].stage),
			p.steps[i].what, p.steps[i].detail ? p.steps[i].detail : "");
}

int cmd_create(struct cli *c, struct err *e)
{
	c->create.id = c->argv[0];
	trace(c);
	return rt_create(&c->rt, &c->create, e);
}

int cmd_run(struct cli *c, struct err *e)
{
	c->create.id = c->argv[0];
	trace(c);
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
