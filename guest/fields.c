/* guest/fields.c: the members of a request, each with its type and limits. */
#include "guest/work.h"

#include <errno.h>
#include <string.h>

static int wrong(const char *key, const char *form, struct err *e)
{
	return err_set(e, ERR_USAGE, EINVAL, key, "must be %s", form);
}

int guest_get_string(const struct guest_job *j, const char *key, bool needed, const char **ret,
		     struct err *e)
{
	const struct json *m = json_get(j->ask, key);

	if (!m)
		return needed ? err_set(e, ERR_USAGE, EINVAL, key, "is required") : 0;
	if (m->type != JSON_STRING)
		return wrong(key, "a string", e);
	*ret = m->u.string;
	return 0;
}

int guest_get_bool(const struct guest_job *j, const char *key, bool *ret, struct err *e)
{
	const struct json *m = json_get(j->ask, key);

	if (!m)
		return 0;
	if (m->type != JSON_BOOL)
		return wrong(key, "true or false", e);
	*ret = m->u.boolean;
	return 0;
}

int guest_get_int(const struct guest_job *j, const char *key, int64_t min, int64_t max,
		  int64_t *ret, struct err *e)
{
	int64_t v;

	if (!json_get(j->ask, key))
		return err_set(e, ERR_USAGE, EINVAL, key, "is required");
	if (!json_get_i64(j->ask, key, &v) || v < min || v > max)
		return err_set(e, ERR_USAGE, EINVAL, key, "must be a number from %lld to %lld",
			       (long long)min, (long long)max);
	*ret = v;
	return 0;
}

int guest_get_strings(struct guest_job *j, const char *key, const char *const **ret, size_t *ret_n,
		      struct err *e)
{
	const struct json *m = json_get(j->ask, key);
	size_t n = 0;

	if (!m)
		return 0;
	if (m->type != JSON_ARRAY)
		return wrong(key, "a list of strings", e);
	/* One more: argv ends with NULL. */
	const char **items = arena_array(&j->arena, m->u.list.n + 1, sizeof(*items));
	if (!items)
		return err_sys(e, ENOMEM, key, "reading the request");
	for (const struct json *i = m->u.list.first; i; i = i->next) {
		if (i->type != JSON_STRING)
			return wrong(key, "a list of strings", e);
		items[n++] = i->u.string;
	}
	*ret = items;
	*ret_n = n;
	return 0;
}

int guest_get_process(const struct guest_job *j, uint32_t *ret_token, struct err *e)
{
	const char *word = "init";
	uint64_t v = 0;
	int rc = guest_get_string(j, "process", false, &word, e);

	if (rc == 0 && !str_eq(word, "init") && (!str_to_u64(word, &v) || !v || v > UINT32_MAX))
		rc = wrong("process", "\"init\" or what exec answered", e);
	if (rc == 0)
		*ret_token = (uint32_t)v;
	return rc;
}

void guest_key(struct guest_job *j, const char *key)
{
	strbuf_printf(&j->ok, "%s\"%s\":", j->ok.len ? "," : "", key);
}
