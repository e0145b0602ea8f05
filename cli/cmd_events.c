/* cli/cmd_events.c: events: JSON lines, each written at once, for whoever reads the other end. */
#include "cli/opt.h"

#include <errno.h>
#include <stdio.h>

#define DEFAULT_INTERVAL "5s"

static int line(void *arg, const char *json, struct err *e)
{
	(void)arg;
	if (printf("%s\n", json) < 0 || fflush(stdout) != 0)
		return err_sys(e, errno, NULL, "writing to standard output");
	return 0;
}

int cmd_events(struct cli *c, struct err *e)
{
	const char *interval = c->interval ? c->interval : DEFAULT_INTERVAL;
	struct rt_events how = {.once = c->stats, .line = line};

	if (!opt_duration(interval, &how.interval_ns) || how.interval_ns == 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL,
			       "--interval is a time greater than 0 such as 5s, 500ms or 1m30s, "
			       "not \"%s\"",
			       interval);
	return rt_events(&c->rt, c->argv[0], &how, e);
}
