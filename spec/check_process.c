/* spec/check_process.c: rules of the process object; the same for config.json and exec.
 *
 * Words that the kernel's headers know are accepted; whether this host has them
 * is for those who apply them.
 */
#include "spec/check.h"

#include <stdio.h>
#include <string.h>

static int check_rlimits(const struct spec_check *c, const struct spec_process *p)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *r = &p->rlimits.items[i];
		char at[SPEC_POINTER];

		snprintf(at, sizeof(at), "/rlimits/%zu/%s", i, "type");
		if (r->resource < 0 || r->resource > 63)
			return spec_fail(c, at, "unknown resource limit");
		if (seen & UINT64_C(1) << r->resource)
			return spec_fail(c, at, "%s stands twice in the list", r->type);
		seen |= UINT64_C(1) << r->resource;
		snprintf(at, sizeof(at), "/rlimits/%zu/%s", i, "soft");
		if (r->soft > r->hard)
			return spec_fail(c, at, "must not exceed the hard limit %llu, is %llu",
					 (unsigned long long)r->hard, (unsigned long long)r->soft);
	}
	return 0;
}

static int check_args(const struct spec_check *c, const struct spec_process *p)
{
	if (p->args.n == 0)
		return spec_fail(c, "/args", "args must not be empty: the first is the program");
	if (!p->args.items[0][0])
		return spec_fail(c, "/args/0", "exec: \"\": executable file not found in $PATH");
	return 0;
}

static int check_scheduler(const struct spec_check *c, const struct spec_process *p)
{
	const struct spec_scheduler *s = &p->scheduler;
	bool realtime, deadline;

	if (!s->policy)
		return 0;
	realtime = str_eq(s->policy, "SCHED_FIFO") || str_eq(s->policy, "SCHED_RR");
	deadline = str_eq(s->policy, "SCHED_DEADLINE");
	if (realtime ? s->priority < 1 : s->priority != 0)
		return spec_fail(c, "/scheduler/priority", "must be %s for %s, is %d",
				 realtime ? "from 1 to 99" : "0", s->policy, s->priority);
	if (s->nice && (realtime || deadline))
		return spec_fail(c, "/scheduler/nice", "has no meaning for %s", s->policy);
	if (!deadline && (s->runtime || s->deadline || s->period))
		return spec_fail(c, "/scheduler/policy",
				 "must be SCHED_DEADLINE for runtime, deadline and period, is %s",
				 s->policy);
	if (deadline &&
	    (!s->runtime || s->runtime > s->deadline || (s->period && s->deadline > s->period)))
		return spec_fail(c, "/scheduler/runtime",
				 "SCHED_DEADLINE needs 0 < runtime <= deadline <= period");
	return 0;
}

int spec_check_process(const struct spec_process *p, const char *pointer, struct err *e)
{
	static int (*const rules[])(const struct spec_check *, const struct spec_process *) = {
		check_args,

		check_rlimits,
		check_scheduler,
	};
	const struct spec_check c = {.source = p->source, .base = pointer, .e = e};
	int rc = spec_check_abs(&c, "/cwd", p->cwd);

	if (rc == 0)
		rc = spec_check_env(&c, "/env", &p->env);
	for (size_t i = 0; rc == 0 && i < sizeof(rules) / sizeof(rules[0]); i++)
		rc = rules[i](&c, p);
	return rc;
}
