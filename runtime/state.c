/* runtime/state.c: the state document of runtime.md, with the extras that engines read. */
#include "common/file.h"
#include "runtime/container.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

const char *rt_status_word(enum rt_status s)
{
	static const char *const words[] = {"creating", "created", "running", "paused", "stopped"};

	return (unsigned)s < sizeof(words) / sizeof(words[0]) ? words[s] : "unknown";
}

static void put_optional(struct json_out *o, const char *key, const char *v)
{
	if (v)
		json_put_str(o, key, v);
}

static void put_state(struct json_out *o, const char *key, const struct rt_info *info)
{
	json_obj_open(o, key);
	json_put_str(o, "ociVersion", info->oci_version ? info->oci_version : SPEC_VERSION);
	json_put_str(o, "id", info->id);
	json_put_i64(o, "pid", info->pid);
	json_put_str(o, "status", rt_status_word(info->status));
	json_put_str(o, "bundle", info->bundle ? info->bundle : "");
	put_optional(o, "rootfs", info->rootfs);
	put_optional(o, "created", info->created);
	if (info->annotations.n) {
		json_obj_open(o, "annotations");
		for (size_t i = 0; i < info->annotations.n; i++)
			json_put_str(o, info->annotations.items[i].key,
				     info->annotations.items[i].value);
		json_obj_close(o);
	}
	put_optional(o, "owner", info->owner);
	json_obj_close(o);
}

void rt_state_json(const struct rt_info *info, bool pretty, struct strbuf *out)
{
	struct json_out o;

	json_out_init(&o, out, pretty ? "  " : NULL);
	put_state(&o, NULL, info);
}

void rt_fill_info(const struct rt_container *c, enum rt_status status, struct rt_info *ret_info)
{
	const struct st_doc *d = &c->doc;

	*ret_info = (struct rt_info){
		.oci_version = d->oci_version,
		.id = c->id,
		.bundle = d->bundle,
		.rootfs = d->rootfs,
		.created = d->created,
		.backend = d->backend,
		.status = status,
		.pid = status == RT_STOPPED ? 0 : d->pid,
		.annotations = d->annotations,
	};
}

void rt_hook_state(const struct rt_container *c, enum rt_status status, pid_t pid,
		   struct strbuf *out)
{
	struct rt_info info;

	rt_fill_info(c, status, &info);
	info.pid = pid;
	rt_state_json(&info, false, out);
}

void rt_process_state(const struct rt_container *c, enum rt_status status, pid_t pid,
		      const char *metadata, struct strbuf *out)
{
	struct rt_info info;
	struct json_out o;

	rt_fill_info(c, status, &info);
	json_out_init(&o, out, NULL);
	json_obj_open(&o, NULL);
	json_put_str(&o, "ociVersion", info.oci_version ? info.oci_version : SPEC_VERSION);
	json_arr_open(&o, "fds");
	json_put_str(&o, NULL, "seccompFd");
	json_arr_close(&o);
	json_put_i64(&o, "pid", pid);
	put_optional(&o, "metadata", metadata);
	put_state(&o, "state", &info);
	json_obj_close(&o);
}
