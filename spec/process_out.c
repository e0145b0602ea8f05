/* spec/process_out.c: writes every property that table_process.c reads. */
#include "spec/process_out.h"

#include "spec/json.h"

static void put_strings(struct json_out *o, const char *key, const struct spec_strings *l)
{
	if (l->n == 0)
		return;
	json_arr_open(o, key);
	for (size_t i = 0; i < l->n; i++)
		json_put_str(o, NULL, l->items[i]);
	json_arr_close(o);
}

static void put_string(struct json_out *o, const char *key, const char *v)
{
	if (v)
		json_put_str(o, key, v);
}

static void put_user(struct json_out *o, const struct spec_user *u)
{
	json_obj_open(o, "user");
	json_put_u64(o, "uid", u->uid);
	json_put_u64(o, "gid", u->gid);
	if (u->umask.set)
		json_put_u64(o, "umask", u->umask.v);
	if (u->additional_gids.n) {
		json_arr_open(o, "additionalGids");
		for (size_t i = 0; i < u->additional_gids.n; i++)
			json_put_u64(o, NULL, u->additional_gids.items[i]);
		json_arr_close(o);
	}
	json_obj_close(o);
}

static void put_size(struct json_out *o, const struct spec_process *p)
{
	if (!p->console_height.set || !p->console_width.set)
		return;
	json_obj_open(o, "consoleSize");
	json_put_u64(o, "height", p->console_height.v);
	json_put_u64(o, "width", p->console_width.v);
	json_obj_close(o);
}

static void put_caps(struct json_out *o, const struct spec_caps *c)
{
	if (!c->set)
		return;
	json_obj_open(o, "capabilities");
	put_strings(o, "bounding", &c->bounding);
	put_strings(o, "effective", &c->effective);
	put_strings(o, "inheritable", &c->inheritable);
	put_strings(o, "permitted", &c->permitted);
	put_strings(o, "ambient", &c->ambient);
	json_obj_close(o);
}

static void put_rlimits(struct json_out *o, const struct spec_process *p)
{
	if (p->rlimits.n == 0)
		return;
	json_arr_open(o, "rlimits");
	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *r = &p->rlimits.items[i];
		json_obj_open(o, NULL);
		json_put_str(o, "type", r->type);
		json_put_u64(o, "soft", r->soft);
		json_put_u64(o, "hard", r->hard);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_scheduler(struct json_out *o, const struct spec_scheduler *s)
{
	if (!s->policy)
		return;
	json_obj_open(o, "scheduler");
	json_put_str(o, "policy", s->policy);
	json_put_i64(o, "nice", s->nice);
	json_put_i64(o, "priority", s->priority);
	put_strings(o, "flags", &s->flags);
	if (s->runtime || s->deadline || s->period) {
		json_put_u64(o, "runtime", s->runtime);
		json_put_u64(o, "deadline", s->deadline);
		json_put_u64(o, "period", s->period);
	}
	json_obj_close(o);
}

static void put_rest(struct json_out *o, const struct spec_process *p)
{
	json_put_bool(o, "noNewPrivileges", p->no_new_privileges);
	if (p->oom_score_adj.set)
		json_put_i64(o, "oomScoreAdj", p->oom_score_adj.v);
	put_string(o, "apparmorProfile", p->apparmor_profile);
	put_string(o, "selinuxLabel", p->selinux_label);
	put_scheduler(o, &p->scheduler);
	if (p->io_priority.class) {
		json_obj_open(o, "ioPriority");
		json_put_str(o, "class", p->io_priority.class);
		json_put_i64(o, "priority", p->io_priority.priority);
		json_obj_close(o);
	}
	if (p->affinity_initial || p->affinity_final) {
		json_obj_open(o, "execCPUAffinity");
		put_string(o, "initial", p->affinity_initial);
		put_string(o, "final", p->affinity_final);
		json_obj_close(o);
	}
}

void spec_process_out(const struct spec_process *p, struct strbuf *out)
{
	struct json_out o;

	json_out_init(&o, out, NULL);
	json_obj_open(&o, NULL);
	json_put_bool(&o, "terminal", p->terminal);
	put_size(&o, p);
	put_user(&o, &p->user);
	put_strings(&o, "args", &p->args);
	put_strings(&o, "env", &p->env);
	put_string(&o, "cwd", p->cwd);
	put_caps(&o, &p->capabilities);
	put_rlimits(&o, p);
	put_rest(&o, p);
	json_obj_close(&o);
}
