/* tests/unit/test_plan.c: steps run in order, the journal comes first, the first failure ends. */
#include "common/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What happened, one word each. */
static char trace[4096];

static void note(const char *word)
{
	size_t len = strlen(trace);

	snprintf(trace + len, sizeof(trace) - len, "%s ", word);
}

static int setup(void **state)
{
	(void)state;
	trace[0] = '\0';
	return 0;
}

static int step(const struct plan_step *s, void *ctx, struct err *e)
{
	(void)e;
	note(ctx ? ctx : "-");
	note(s->arg);
	return 7; /* a useful non-negative number is success */
}

static int failing(const struct plan_step *s, void *ctx, struct err *e)
{
	(void)ctx;
	note("fail");
	return err_sys(e, EPERM, s->arg, "mount");
}

static int journal(void *arg, const char *record, struct err *e)
{
	(void)e;
	note(arg);
	note(record);
	return 0;
}

static int full_journal(void *arg, const char *record, struct err *e)
{
	(void)arg, (void)record;
	return err_sys(e, ENOSPC, "/journal", "writing");
}

#define STEP(st, ro, tag)                                                              \
	&(struct plan_step)                                                            \
	{                                                                              \
		.stage = (st), .room = (ro), .what = "do", .pointer = "", .run = step, \
		.arg = (tag)                                                           \
	}

static void order(void **state)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	char ns[] = "ns", cg[] = "cg";
	struct plan_env env = {.room = {[PLAN_NS] = ns, [PLAN_CG] = cg}};
	struct err e = {0};

	(void)state;
	assert_int_equal(plan_add(&p, STEP(PLAN_BUILD, PLAN_NS, "1"), &e), 0);
	assert_int_equal(plan_add(&p, STEP(PLAN_PREPARE, PLAN_CG, "2"), &e), 0);
	assert_int_equal(plan_add(&p, STEP(PLAN_BUILD, PLAN_CG, "3"), &e), 0);
	assert_int_equal(plan_add(&p, STEP(PLAN_PREPARE, PLAN_RT, "4"), &e), 0);
	/* descriptive only */
	assert_int_equal(plan_add(&p, &(struct plan_step){.stage = PLAN_BUILD, .what = "say"}, &e),
			 0);
	assert_string_equal(trace, "");

	assert_int_equal(plan_run(&p, PLAN_PREPARE, &env, &e), 0);
	assert_string_equal(trace, "cg 2 - 4 ");
	assert_int_equal(plan_run(&p, PLAN_BUILD, &env, &e), 0);
	assert_string_equal(trace, "cg 2 - 4 ns 1 cg 3 ");
	assert_int_equal(plan_run(&p, PLAN_ROOT, &env, &e), 0);
	assert_string_equal(trace, "cg 2 - 4 ns 1 cg 3 ");
	assert_int_equal(e.code, 0);
}

static void empty(void **state)
{
	struct plan p = {0};
	struct plan_env env = {0};
	struct err e = {0};

	(void)state;
	for (int s = 0; s < PLAN_STAGES; s++)
		assert_int_equal(plan_run(&p, (enum plan_stage)s, &env, &e), 0);
}

static void many(void **state)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	struct err e;
	static int tags[1000];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct plan_step s = {.stage = PLAN_ROOT, .what = "n", .arg = &tags[i]};
		assert_int_equal(plan_add(&p, &s, &e), 0);
	}
	assert_int_equal(p.n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_ptr_equal(p.steps[i].arg, &tags[i]);
}

static void first_failure_ends(void **state)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	struct plan_env env = {0};
	struct err e = {0};
	struct plan_step bad = {.stage = PLAN_BUILD,
				.what = "mount",
				.pointer = "/mounts/0",
				.detail = "proc on /proc",
				.run = failing};

	(void)state;
	plan_add(&p, STEP(PLAN_BUILD, PLAN_NS, "1"), &e);
	plan_add(&p, &bad, &e);
	plan_add(&p, STEP(PLAN_BUILD, PLAN_NS, "3"), &e);
	assert_int_equal(plan_run(&p, PLAN_BUILD, &env, &e), -EPERM);
	assert_string_equal(trace, "- 1 fail ");
	assert_string_equal(e.where, "/mounts/0");
	assert_string_equal(e.text, "mount proc on /proc: mount: operation not permitted");
	assert_int_equal(e.code, EPERM);
	assert_int_equal(e.kind, ERR_SYSTEM);

	/* a step that names its object keeps it; no detail, no blank */
	p.steps[1].arg = "/etc/x";
	p.steps[1].detail = NULL;
	assert_int_equal(plan_run(&p, PLAN_BUILD, &env, &e), -EPERM);
	assert_string_equal(e.where, "/etc/x");
	assert_string_equal(e.text, "mount: mount: operation not permitted");

	/* a step that nobody's pointer asked for */
	p.steps[1].arg = NULL;
	p.steps[1].pointer = "";
	assert_int_equal(plan_run(&p, PLAN_BUILD, &env, &e), -EPERM);
	assert_string_equal(e.where, "");
	p.steps[1].pointer = NULL;
	assert_int_equal(plan_run(&p, PLAN_BUILD, &env, &e), -EPERM);
	assert_string_equal(e.where, "");
}

/* Invariant 3: the undo record is on paper before the step has any effect. */
static void journal_first(void **state)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};
	char arg[] = "journal:";
	struct plan_env env = {.journal = journal, .journal_arg = arg};
	struct err e = {0};
	struct plan_step s = *STEP(PLAN_PREPARE, PLAN_CG, "1");

	(void)state;
	plan_add(&p, &s, &e);
	s.undo = "cgroup /a";
	plan_add(&p, &s, &e);
	assert_int_equal(plan_run(&p, PLAN_PREPARE, &env, &e), 0);
	assert_string_equal(trace, "- 1 journal: cgroup /a - 1 ");

	trace[0] = '\0';
	env.journal = full_journal;
	assert_int_equal(plan_run(&p, PLAN_PREPARE, &env, &e), -ENOSPC);
	assert_string_equal(trace, "- 1 "); /* the second never ran */
	assert_string_equal(e.where, "/journal");

	trace[0] = '\0';
	env.journal = NULL; /* the child's side */
	assert_int_equal(plan_run(&p, PLAN_PREPARE, &env, &e), 0);
	assert_string_equal(trace, "- 1 - 1 ");
}

static void names(void **state)
{
	(void)state;
	for (int i = 0; i < PLAN_STAGES; i++) {
		const char *name = plan_stage_name((enum plan_stage)i);
		assert_true(name && name[0]);
		assert_string_not_equal(name, "unknown");
	}
	assert_string_equal(plan_stage_name(PLAN_BUILD), "build");
	assert_string_equal(plan_stage_name(PLAN_STAGES), "unknown");
	assert_string_equal(plan_stage_name((enum plan_stage) - 1), "unknown");
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(order), T(empty), T(many), T(first_failure_ends), T(journal_first), T(names),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
