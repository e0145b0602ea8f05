/* runtime/events_json.c: the statistics document, with the names of runc-events(8).
 *
 * Invariants
 *  1. A number that runc leaves out when it is zero is left out here. What runc has no name for
 *     (oom, oom_kill, pids.failcnt, psi on old versions) stands only where it isn't zero.
 *  2. Nothing here touches anything but memory.
 */
#include "runtime/container.h"
#include "spec/json.h"

#include <stdio.h>
#include <string.h>

static void put_some(struct json_out *o, const char *key, uint64_t v)
{
	if (v)
		json_put_u64(o, key, v);
}

static void put_list(struct json_out *o, const char *key, const struct cg_u64s *l)
{
	if (!l->n)
		return;
	json_arr_open(o, key);
	for (size_t i = 0; i < l->n; i++)
		json_put_u64(o, NULL, l->v[i]);
	json_arr_close(o);
}

static void put_stall(struct json_out *o, const char *key, const struct cg_stall *s)
{
	json_obj_open(o, key);
	json_put_hundredths(o, "avg10", s->avg10);
	json_put_hundredths(o, "avg60", s->avg60);
	json_put_hundredths(o, "avg300", s->avg300);
	json_put_u64(o, "total", s->total);
	json_obj_close(o);
}

static void put_psi(struct json_out *o, const struct cg_pressure *p)
{
	if (!p->set)
		return;
	json_obj_open(o, "psi");
	put_stall(o, "some", &p->some);
	put_stall(o, "full", &p->full);
	json_obj_close(o);
}

static void put_cpu(struct json_out *o, const struct cg_stats *s)
{
	json_obj_open(o, "cpu");
	json_obj_open(o, "usage");
	put_some(o, "total", s->cpu.total);
	put_list(o, "percpu", &s->cpu.percpu);
	put_list(o, "percpu_kernel", &s->cpu.percpu_kernel);
	put_list(o, "percpu_user", &s->cpu.percpu_user);
	json_put_u64(o, "kernel", s->cpu.kernel);
	json_put_u64(o, "user", s->cpu.user);
	json_obj_close(o);
	json_obj_open(o, "throttling");
	put_some(o, "periods", s->cpu.periods);
	put_some(o, "throttledPeriods", s->cpu.throttled);
	put_some(o, "throttledTime", s->cpu.throttled_ns);
	json_obj_close(o);
	put_psi(o, &s->cpu.psi);
	json_obj_close(o);
}

static void put_cpuset(struct json_out *o, const struct cg_stats *s)
{
	static const char *const words[CG_CPUSET_FLAGS] = {
		[CG_CPU_EXCLUSIVE] = "cpu_exclusive",     [CG_MEM_HARDWALL] = "mem_hardwall",
		[CG_MEM_EXCLUSIVE] = "mem_exclusive",     [CG_MEMORY_MIGRATE] = "memory_migrate",
		[CG_SPREAD_PAGE] = "memory_spread_page",  [CG_SPREAD_SLAB] = "memory_spread_slab",
		[CG_MEMORY_PRESSURE] = "memory_pressure", [CG_LOAD_BALANCE] = "sched_load_balance",
	};

	json_obj_open(o, "cpuset");
	put_list(o, "cpus", &s->cpuset.cpus);
	json_put_u64(o, words[0], s->cpuset.flags[0]);
	put_list(o, "mems", &s->cpuset.mems);
	for (size_t i = 1; i < CG_CPUSET_FLAGS; i++)
		json_put_u64(o, words[i], s->cpuset.flags[i]);
	json_put_i64(o, "sched_relax_domain_level", s->cpuset.relax_domain_level);
	json_obj_close(o);
}

static void put_usage(struct json_out *o, const char *key, const struct cg_usage *u)
{
	json_obj_open(o, key);
	json_put_u64(o, "limit", u->limit);
	put_some(o, "usage", u->usage);
	put_some(o, "max", u->max);
	json_put_u64(o, "failcnt", u->failcnt);
	json_obj_close(o);
}

static void put_memory(struct json_out *o, const struct cg_stats *s)
{
	json_obj_open(o, "memory");
	put_some(o, "cache", s->memory.cache);
	put_usage(o, "usage", &s->memory.memory);
	put_usage(o, "swap", &s->memory.swap);
	put_usage(o, "kernel", &s->memory.kernel);
	put_usage(o, "kernelTCP", &s->memory.tcp);
	if (s->memory.n_raw) {
		json_obj_open(o, "raw");
		for (size_t i = 0; i < s->memory.n_raw; i++)
			json_put_u64(o, s->memory.raw[i].name, s->memory.raw[i].v);
		json_obj_close(o);
	}
	put_some(o, "oom", s->memory.oom);
	put_some(o, "oom_kill", s->memory.oom_kill);
	put_psi(o, &s->memory.psi);
	json_obj_close(o);
}

static void put_io(struct json_out *o, const char *key, const struct cg_io_list *l)
{
	if (!l->n)
		return;
	json_arr_open(o, key);
	for (size_t i = 0; i < l->n; i++) {
		json_obj_open(o, NULL);
		put_some(o, "major", l->items[i].major);
		put_some(o, "minor", l->items[i].minor);
		json_put_str(o, "op", l->items[i].op);
		put_some(o, "value", l->items[i].value);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_blkio(struct json_out *o, const struct cg_stats *s)
{
	json_obj_open(o, "blkio");
	put_io(o, "ioServiceBytesRecursive", &s->io.bytes);
	put_io(o, "ioServicedRecursive", &s->io.serviced);
	put_io(o, "ioQueueRecursive", &s->io.queued);
	put_io(o, "ioServiceTimeRecursive", &s->io.time_ns);
	put_io(o, "ioWaitTimeRecursive", &s->io.wait_ns);
	put_io(o, "ioMergedRecursive", &s->io.merged);
	put_psi(o, &s->io.psi);
	json_obj_close(o);
}

static void put_hugetlb(struct json_out *o, const struct cg_stats *s)
{
	json_obj_open(o, "hugetlb");
	for (size_t i = 0; i < s->n_hugetlb; i++) {
		const struct cg_usage *u = &s->hugetlb[i].bytes;
		json_obj_open(o, s->hugetlb[i].size);
		put_some(o, "usage", u->usage);
		put_some(o, "max", u->max);
		json_put_u64(o, "failcnt", u->failcnt);
		json_obj_close(o);
	}
	json_obj_close(o);
}

static void put_text(struct json_out *o, const char *key, const char *text)
{
	if (text)
		json_put_str(o, key, text);
}

static void put_info(struct json_out *o, const char *key, const struct cg_rdt_info *i, bool l3)
{
	if (!i->classes)
		return;
	json_obj_open(o, key);
	put_text(o, "cbm_mask", i->mask);
	put_some(o, "bandwidth_gran", i->step);
	put_some(o, "delay_linear", i->linear);
	put_some(o, l3 ? "min_cbm_bits" : "min_bandwidth", i->min);
	put_some(o, "num_closids", i->classes);
	json_obj_close(o);
}

/* An object for each domain in two lists: bandwidth and cache are counted apart. */
static void put_counters(struct json_out *o, const struct cg_rdt_stats *r)
{
	if (!r->n_domains)
		return;
	json_arr_open(o, "mbm_stats");
	for (size_t i = 0; i < r->n_domains; i++) {
		json_obj_open(o, NULL);
		put_some(o, "mbm_total_bytes", r->domains[i].total_bytes);
		put_some(o, "mbm_local_bytes", r->domains[i].local_bytes);
		json_obj_close(o);
	}
	json_arr_close(o);
	json_arr_open(o, "cmt_stats");
	for (size_t i = 0; i < r->n_domains; i++) {
		json_obj_open(o, NULL);
		put_some(o, "llc_occupancy", r->domains[i].occupancy);
		json_obj_close(o);
	}
	json_arr_close(o);
}

static void put_rdt(struct json_out *o, const struct cg_rdt_stats *r)
{
	json_obj_open(o, "intel_rdt");
	if (r) {
		put_info(o, "l3_cache_info", &r->l3_info, true);
		put_text(o, "l3_cache_schema_root", r->l3_root);
		put_text(o, "l3_cache_schema", r->l3);
		put_info(o, "mem_bw_info", &r->mb_info, false);
		put_text(o, "mem_bw_schema_root", r->mb_root);
		put_text(o, "mem_bw_schema", r->mb);
		put_counters(o, r);
	}
	json_obj_close(o);
}

static void put_nets(struct json_out *o, const struct rt_netdev *nets, size_t n)
{
	if (!n) {
		json_put_null(o, "network_interfaces");
		return;
	}
	json_arr_open(o, "network_interfaces");
	for (size_t i = 0; i < n; i++) {
		json_obj_open(o, NULL);
		json_put_str(o, "Name", nets[i].name);
		json_put_u64(o, "RxBytes", nets[i].rx_bytes);
		json_put_u64(o, "RxPackets", nets[i].rx_packets);
		json_put_u64(o, "RxErrors", nets[i].rx_errors);
		json_put_u64(o, "RxDropped", nets[i].rx_dropped);
		json_put_u64(o, "TxBytes", nets[i].tx_bytes);
		json_put_u64(o, "TxPackets", nets[i].tx_packets);
		json_put_u64(o, "TxErrors", nets[i].tx_errors);
		json_put_u64(o, "TxDropped", nets[i].tx_dropped);
		json_obj_close(o);
	}
	json_arr_close(o);
}

void rt_stats_json(const char *id, const struct be_stats *all, struct strbuf *out)
{
	const struct cg_stats *s = &all->used;
	struct json_out o;

	json_out_init(&o, out, NULL);
	json_obj_open(&o, NULL);
	json_put_str(&o, "type", "stats");
	json_put_str(&o, "id", id);
	json_obj_open(&o, "data");
	put_cpu(&o, s);
	put_cpuset(&o, s);
	put_memory(&o, s);
	json_obj_open(&o, "pids");
	put_some(&o, "current", s->pids.current);
	put_some(&o, "limit", s->pids.limit);
	put_some(&o, "failcnt", s->pids.failcnt);
	json_obj_close(&o);
	put_blkio(&o, s);
	put_hugetlb(&o, s);
	put_rdt(&o, s->rdt);
	put_nets(&o, all->nets, all->n_nets);
	json_obj_close(&o);
	json_obj_close(&o);
}
