/* runtime/doc.c: state.json, to and from struct st_doc. Ours alone: engines read what
 * `state` prints. A field that is missing or of another type makes the document damaged.
 * Some keys are written for scripts that know runc's state.json, and never read. */
#include "runtime/store.h"
#include "spec/json.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define FORMAT 1

/* Where a script finds the process and its namespaces. */
static void put_runc_keys(struct json_out *o, const struct st_doc *d)
{
	static const char *const spaces[][2] = {
		{"NEWCGROUP", "cgroup"}, {"NEWIPC", "ipc"},   {"NEWNET", "net"}, {"NEWNS", "mnt"},
		{"NEWPID", "pid"},       {"NEWUSER", "user"}, {"NEWUTS", "uts"}};
	char path[48];

	json_put_i64(o, "init_process_pid", d->pid);
	json_put_u64(o, "init_process_start", d->ticks);
	json_obj_open(o, "namespace_paths");
	for (size_t i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)d->pid, spaces[i][1]);
		json_put_str(o, spaces[i][0], path);
	}
	json_obj_close(o);
}

static const struct {
	const char *key;
	size_t offset;
	bool optional;
} strings[] = {
	{"ociVersion", offsetof(struct st_doc, oci_version), false},
	{"id", offsetof(struct st_doc, id), false},
	{"bundle", offsetof(struct st_doc, bundle), false},
	{"rootfs", offsetof(struct st_doc, rootfs), false},
	{"created", offsetof(struct st_doc, created), false},
	{"backend", offsetof(struct st_doc, backend), false},
	{"cgroup", offsetof(struct st_doc, cgroup), true},
	{"unit", offsetof(struct st_doc, unit), true},
	{"inside", offsetof(struct st_doc, inside), true},
	{"stdin", offsetof(struct st_doc, streams[0]), true},
	{"stdout", offsetof(struct st_doc, streams[1]), true},
	{"stderr", offsetof(struct st_doc, streams[2]), true},
};
#define N_STRINGS (sizeof(strings) / sizeof(strings[0]))

static const struct {
	const char *key;
	size_t offset;
} flags[] = {
	{"systemdCgroup", offsetof(struct st_doc, systemd)},
	{"paused", offsetof(struct st_doc, paused)},
	{"poststart", offsetof(struct st_doc, poststart)},
	{"poststop", offsetof(struct st_doc, poststop)},
};
#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

/* Zero is left out. */
static const struct {
	const char *key;
	size_t offset;
} sizes[] = {
	{"machineMemory", offsetof(struct st_doc, machine_memory)},
	{"machineVcpus", offsetof(struct st_doc, machine_vcpus)},
};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

void st_doc_write(const struct st_doc *d, struct strbuf *out)
{
	struct json_out o;

	json_out_init(&o, out, NULL);
	json_obj_open(&o, NULL);
	json_put_u64(&o, "format", FORMAT);
	for (size_t i = 0; i < N_STRINGS; i++) {
		const char *v;
		memcpy(&v, (const char *)d + strings[i].offset, sizeof(v));
		if (v)
			json_put_str(&o, strings[i].key, v);
	}
	json_put_u64(&o, "owner", d->owner);
	json_put_i64(&o, "pid", d->pid);
	json_put_u64(&o, "startTicks", d->ticks);
	for (size_t i = 0; i < N_FLAGS; i++)
		if (*(const bool *)((const char *)d + flags[i].offset))
			json_put_bool(&o, flags[i].key, true);
	for (size_t i = 0; i < N_SIZES; i++) {
		uint64_t v;
		memcpy(&v, (const char *)d + sizes[i].offset, sizeof(v));
		if (v)
			json_put_u64(&o, sizes[i].key, v);
	}
	if (d->annotations.n) {
		json_obj_open(&o, "annotations");
		for (size_t i = 0; i < d->annotations.n; i++)
			json_put_str(&o, d->annotations.items[i].key,
				     d->annotations.items[i].value);
		json_obj_close(&o);
	}
	put_runc_keys(&o, d);
	json_obj_close(&o);
	strbuf_puts(out, "\n");
}

static int damaged(const char *key, struct err *e)
{
	return err_set(e, ERR_INTERNAL, EPROTO, "state.json",
		       "damaged: \"%s\" is missing or wrong; delete --force removes the container",
		       key);
}

static int read_strings(const struct json *j, struct st_doc *d, struct err *e)
{
	for (size_t i = 0; i < N_STRINGS; i++) {
		const char *v = NULL;
		bool there = json_get(j, strings[i].key) != NULL;
		if (!json_get_string(j, strings[i].key, &v) && (there || !strings[i].optional))
			return damaged(strings[i].key, e);
		memcpy((char *)d + strings[i].offset, &v, sizeof(v));
	}
	return 0;
}

static int read_numbers(const struct json *j, struct st_doc *d, struct err *e)
{
	uint64_t format, owner, pid;

	if (!json_get_u64(j, "format", &format) || format != FORMAT)
		return damaged("format", e);
	if (!json_get_u64(j, "owner", &owner) || owner > UINT32_MAX)
		return damaged("owner", e);
	if (!json_get_u64(j, "pid", &pid) || pid > INT32_MAX)
		return damaged("pid", e);
	if (!json_get_u64(j, "startTicks", &d->ticks))
		return damaged("startTicks", e);
	d->owner = (uint32_t)owner;
	d->pid = (pid_t)pid;
	for (size_t i = 0; i < N_FLAGS; i++)
		(void)json_get_bool(j, flags[i].key, (bool *)((char *)d + flags[i].offset));
	for (size_t i = 0; i < N_SIZES; i++) {
		uint64_t v = 0;
		(void)json_get_u64(j, sizes[i].key, &v);
		memcpy((char *)d + sizes[i].offset, &v, sizeof(v));
	}
	return 0;
}

static int read_annotations(struct arena *a, const struct json *j, struct st_doc *d, struct err *e)
{
	const struct json *list = json_get(j, "annotations");

	if (!list)
		return 0;
	if (list->type != JSON_OBJECT)
		return damaged("annotations", e);
	d->annotations.items = arena_array(a, list->u.list.n + 1, sizeof(*d->annotations.items));
	if (!d->annotations.items)
		return err_sys(e, ENOMEM, "state.json", "reading");
	for (const struct json *m = list->u.list.first; m; m = m->next) {
		if (m->type != JSON_STRING)
			return damaged("annotations", e);
		d->annotations.items[d->annotations.n++] =
			(struct spec_pair){.key = m->key, .value = m->u.string};
	}
	return 0;
}

int st_doc_parse(struct arena *a, const char *text, size_t len, struct st_doc *ret_doc,
		 struct err *e)
{
	struct st_doc d = {0};
	struct json *j;
	int rc = json_parse(a, text, len, "state.json", &j, e);

	if (rc == 0)
		rc = read_strings(j, &d, e);
	if (rc == 0)
		rc = read_numbers(j, &d, e);
	if (rc == 0)
		rc = read_annotations(a, j, &d, e);
	if (rc == 0)
		*ret_doc = d;
	return rc;
}
