/* spec/check_process.c: rules of the process object; the same for config.json and exec.
 *
 * Words that the kernel's headers know are accepted; whether this host has them
 * is for those who apply them.
 */
#include "spec/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/capability.h>

/* libcap takes lower case and numbers too; the specification has the names as they stand in
 * capabilities(7). */
static bool is_capability(const char *word)
{
	cap_value_t v;

	if (strncmp(word, "CAP_", 4) != 0 || word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")])
		return false;
	return cap_from_name(word, &v) == 0;
}

static int check_caps(const struct spec_check *c, const struct spec_process *p)
{
	const struct {
		const char *word;
		const struct spec_strings *list;
	} sets[] = {
		{"bounding", &p->capabilities.bounding},
		{"effective", &p->capabilities.effective},
		{"inheritable", &p->capabilities.inheritable},
		{"permitted", &p->capabilities.permitted},
		{"ambient", &p->capabilities.ambient},
	};

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		for (size_t k = 0; k < sets[i].list->n; k++) {
			char at[SPEC_POINTER], quoted[80];

			if (is_capability(sets[i].list->items[k]))
				continue;
			snprintf(at, sizeof(at), "/capabilities/%s/%zu", sets[i].word, k);
			return spec_fail(
				c, at, "unknown capability %s",
				json_quote(sets[i].list->items[k], quoted, sizeof(quoted)));
		}
	}
	return 0;
}

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
		return spec_fail(c, "/args", "must have at least one element: the program");
	if (!p->args.items[0][0])
		return spec_fail(c, "/args/0", "must not be empty: it is the program");
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
		check_caps,
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
