/* cli/cmd_explain.c: explain: the plan of a create, by stage. */
#include "cli/opt.h"

#include "common/arena.h"
#include "common/str.h"
#include "spec/json.h"

#include <stdio.h>

static const char *const stage_notes[PLAN_STAGES] = {
	"by the runtime, before the container's process exists",
	"by the kernel, with the clone",
	"by the runtime, while the new process waits",
	"by the new process, before all else",
	"by the new process, the host's root still there",
	"by the new process, after pivot_root",
	"by the new process, at start",
};

static void as_text(const struct plan *p)
{
	for (int stage = 0; stage < PLAN_STAGES; stage++) {
		bool first = true;
		for (size_t i = 0; i < p->n; i++) {
			const struct plan_step *s = &p->steps[i];
			if ((int)s->stage != stage)
				continue;
			if (first)
				printf("%s: %s\n", plan_stage_name(s->stage), stage_notes[stage]);
			first = false;
			printf("  %-12s %s%s%s%s\n", s->what, s->detail ? s->detail : "",
			       s->pointer && s->pointer[0] ? "  [" : "",
			       s->pointer ? s->pointer : "",
			       s->pointer && s->pointer[0] ? "]" : "");
		}
	}
}

static void as_json(const struct plan *p)
{
	auto_strbuf b = {0};
	struct json_out o;

	json_out_init(&o, &b, "\t");
	json_arr_open(&o, NULL);
	for (size_t i = 0; i < p->n; i++) {
		const struct plan_step *s = &p->steps[i];
		json_obj_open(&o, NULL);
		json_put_str(&o, "stage", plan_stage_name(s->stage));
		json_put_str(&o, "what", s->what);
		json_put_str(&o, "detail", s->detail ? s->detail : "");
		json_put_str(&o, "pointer", s->pointer ? s->pointer : "");
		if (s->undo)
			json_put_str(&o, "undo", s->undo);
		json_obj_close(&o);
	}
	json_arr_close(&o);
	printf("%s\n", b.s ? b.s : "");
}

int cmd_explain(struct cli *c, struct err *e)
{
	auto_arena a = {0};
	struct plan p = {.arena = &a};

	c->create.id = c->argc ? c->argv[0] : "explained";
	int rc = rt_explain(&c->rt, &c->create, &a, &p, e);
	if (rc < 0)
		return rc;
	if (str_eq(c->format, "json"))
		as_json(&p);
	else
		as_text(&p);
	return 0;
}
