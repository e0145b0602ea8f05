/* spec/resources_out.c: writes every property that table_resources.c reads. */
#include "spec/resources_out.h"

#include "spec/json.h"

static void put_i64(struct json_out *o, const char *key, const struct opt_i64 *v)
{
	if (v->set)
		json_put_i64(o, key, v->v);
}

static void put_u64(struct json_out *o, const char *key, const struct opt_u64 *v)
{
	if (v->set)
		json_put_u64(o, key, v->v);
}

static void put_bool(struct json_out *o, const char *key, const struct opt_bool *v)
{
	if (v->set)
		json_put_bool(o, key, v->v);
}

static void put_text(struct json_out *o, const char *key, const char *v)
{
	if (v)
		json_put_str(o, key, v);
}

static void put_devices(struct json_out *o, const struct spec_resources *r)
{
	if (!r->devices.n)
		return;
	json_arr_open(o, "devices");
	for (size_t i = 0; i < r->devices.n; i++) {
		const struct spec_device_rule *d = &r->devices.items[i];
		json_obj_open(o, NULL);
		json_put_bool(o, "allow", d->allow);
		put_text(o, "type", d->type);
		put_i64(o, "major", &d->major);
		put_i64(o, "minor", &d->minor);
		put_text(o, "access", d->access);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_memory(struct json_out *o, const struct spec_memory *m)
{
	if (!m->set)
		return;
	json_obj_open(o, "memory");
	put_i64(o, "limit", &m->limit);
	put_i64(o, "reservation", &m->reservation);
	put_i64(o, "swap", &m->swap);
	put_i64(o, "kernel", &m->kernel);
	put_i64(o, "kernelTCP", &m->kernel_tcp);
	put_u64(o, "swappiness", &m->swappiness);
	put_bool(o, "disableOOMKiller", &m->disable_oom_killer);
	put_bool(o, "useHierarchy", &m->use_hierarchy);
	put_bool(o, "checkBeforeUpdate", &m->check_before_update);
	json_obj_close(o);
}

static void put_cpu(struct json_out *o, const struct spec_cpu *c)
{
	if (!c->set)
		return;
	json_obj_open(o, "cpu");
	put_u64(o, "shares", &c->shares);
	put_i64(o, "quota", &c->quota);
	put_u64(o, "burst", &c->burst);
	put_u64(o, "period", &c->period);
	put_i64(o, "realtimeRuntime", &c->realtime_runtime);
	put_u64(o, "realtimePeriod", &c->realtime_period);
	put_text(o, "cpus", c->cpus);
	put_text(o, "mems", c->mems);
	put_i64(o, "idle", &c->idle);
	json_obj_close(o);
}

static void put_throttles(struct json_out *o, const char *key, const struct spec_throttles *l)
{
	if (!l->n)
		return;
	json_arr_open(o, key);
	for (size_t i = 0; i < l->n; i++) {
		json_obj_open(o, NULL);
		json_put_i64(o, "major", l->items[i].major);
		json_put_i64(o, "minor", l->items[i].minor);
		json_put_u64(o, "rate", l->items[i].rate);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_weights(struct json_out *o, const struct spec_blockio *b)
{
	if (!b->weight_device.n)
		return;
	json_arr_open(o, "weightDevice");
	for (size_t i = 0; i < b->weight_device.n; i++) {
		const struct spec_weight_device *d = &b->weight_device.items[i];
		json_obj_open(o, NULL);
		json_put_i64(o, "major", d->major);
		json_put_i64(o, "minor", d->minor);
		put_u64(o, "weight", &d->weight);
		put_u64(o, "leafWeight", &d->leaf_weight);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_blockio(struct json_out *o, const struct spec_blockio *b)
{
	if (!b->set)
		return;
	json_obj_open(o, "blockIO");
	put_u64(o, "weight", &b->weight);
	put_u64(o, "leafWeight", &b->leaf_weight);
	put_weights(o, b);
	put_throttles(o, "throttleReadBpsDevice", &b->read_bps);
	put_throttles(o, "throttleWriteBpsDevice", &b->write_bps);
	put_throttles(o, "throttleReadIOPSDevice", &b->read_iops);
	put_throttles(o, "throttleWriteIOPSDevice", &b->write_iops);
	json_obj_close(o);
}

static void put_hugepages(struct json_out *o, const struct spec_resources *r)
{
	if (!r->hugepages.n)
		return;
	json_arr_open(o, "hugepageLimits");
	for (size_t i = 0; i < r->hugepages.n; i++) {
		json_obj_open(o, NULL);
		put_text(o, "pageSize", r->hugepages.items[i].page_size);
		json_put_u64(o, "limit", r->hugepages.items[i].limit);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_network(struct json_out *o, const struct spec_resources *r)
{
	if (!r->net_class_id.set && !r->net_priorities.n)
		return;
	json_obj_open(o, "network");
	put_u64(o, "classID", &r->net_class_id);
	if (r->net_priorities.n)
		json_arr_open(o, "priorities");
	for (size_t i = 0; i < r->net_priorities.n; i++) {
		json_obj_open(o, NULL);
		json_put_str(o, "name", r->net_priorities.items[i].name);
		json_put_u64(o, "priority", r->net_priorities.items[i].priority);
		json_obj_close(o);
	}
	if (r->net_priorities.n)
		json_arr_close(o);
	json_obj_close(o);
}

static void put_rdma(struct json_out *o, const struct spec_resources *r)
{
	if (!r->rdma.n)
		return;
	json_obj_open(o, "rdma");
	for (size_t i = 0; i < r->rdma.n; i++) {
		json_obj_open(o, r->rdma.items[i].device);
		put_u64(o, "hcaHandles", &r->rdma.items[i].hca_handles);
		put_u64(o, "hcaObjects", &r->rdma.items[i].hca_objects);
		json_obj_close(o);
	}
	json_obj_close(o);
}

static void put_unified(struct json_out *o, const struct spec_pairs *l)
{
	if (!l->n)
		return;
	json_obj_open(o, "unified");
	for (size_t i = 0; i < l->n; i++)
		json_put_str(o, l->items[i].key, l->items[i].value);
	json_obj_close(o);
}

void spec_resources_out(const struct spec_resources *r, struct strbuf *out)
{
	struct json_out o;

	json_out_init(&o, out, NULL);
	json_obj_open(&o, NULL);
	put_devices(&o, r);
	put_memory(&o, &r->memory);
	put_cpu(&o, &r->cpu);
	put_blockio(&o, &r->blockio);
	put_hugepages(&o, r);
	put_network(&o, r);
	if (r->pids_limit.set) {
		json_obj_open(&o, "pids");
		json_put_i64(&o, "limit", r->pids_limit.v);
		json_obj_close(&o);
	}
	put_rdma(&o, r);
	put_unified(&o, &r->unified);
	json_obj_close(&o);
}
