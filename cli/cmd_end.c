/* cli/cmd_end.c: kill and delete, of one container, of several, or of all whose ids match a regular
 * expression (crun's --regex: extended, found anywhere in the id).
 *
 * Each is tried; the first failure decides the exit code, and every one is reported. That none
 * matches is no failure.
 */
#include "cli/opt.h"

#include "common/arena.h"
#include "common/log.h"

#include <errno.h>
#include <regex.h>
#include <signal.h>

typedef int (*action)(struct cli *c, const char *id, struct err *e);

/* rc so far, and what becomes of it by one more. */
static int add(int rc, int r, const struct err *one, struct err *e)
{
	if (r >= 0)
		return rc;
	if (rc < 0) {
		log_err(one);
		return rc;
	}
	*e = *one;
	return r;
}

static int each_match(struct cli *c, regex_t *re, action act, struct err *e)
{
	auto_arena a = {0};
	struct rt_info *items = NULL;
	size_t n = 0;
	int rc = rt_list(&c->rt, &a, &items, &n, e);

	for (size_t i = 0; i < n; i++) {
		struct err one = {0};
		if (regexec(re, items[i].id, 0, NULL, 0) != 0)
			continue;
		rc = add(rc, act(c, items[i].id, &one), &one, e);
	}
	return rc;
}

static int matching(struct cli *c, const char *pattern, action act, struct err *e)
{
	char why[128];
	regex_t re;
	int bad = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);

	if (bad) {
		regerror(bad, &re, why, sizeof(why));
		return err_set(e, ERR_USAGE, EINVAL, NULL, "\"%.64s\" is no regular expression: %s",
			       pattern, why);
	}
	int rc = each_match(c, &re, act, e);
	regfree(&re);
	return rc;
}

static int kill_one(struct cli *c, const char *id, struct err *e)
{
	return rt_kill(&c->rt, id, c->signal, c->all, e);
}

static int delete_one(struct cli *c, const char *id, struct err *e)
{
	return rt_delete(&c->rt, id, c->force, e);
}

int cmd_kill(struct cli *c, struct err *e)
{
	c->signal = c->argc > 1 ? rt_signal_number(c->argv[1]) : SIGTERM;
	if (c->signal < 0)
		return err_set(e, ERR_USAGE, EINVAL, NULL, "unknown signal \"%s\"", c->argv[1]);
	return c->regex ? matching(c, c->argv[0], kill_one, e) : kill_one(c, c->argv[0], e);
}

int cmd_delete(struct cli *c, struct err *e)
{
	int rc = 0;

	for (int i = 0; i < c->argc; i++) {
		struct err one = {0};
		int r = c->regex ? matching(c, c->argv[i], delete_one, &one)
				 : delete_one(c, c->argv[i], &one);
		rc = add(rc, r, &one, e);
	}
	return rc;
}
