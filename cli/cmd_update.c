/* cli/cmd_update.c: update: flags or a JSON document → resources. */
#include "cli/opt.h"

#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int read_document(const char *path, char **ret_text, size_t *ret_len, struct err *e)
{
	if (str_eq(path, "-"))
		return file_read_fd(0, "standard input", 16u << 20, ret_text, ret_len, e);
	return file_read_at(AT_FDCWD, path, 16u << 20, ret_text, ret_len, e);
}

static void from_flags(const struct cli *c, struct spec_resources *r)
{
	r->set = true;
	r->memory.limit = c->memory;
	r->memory.reservation = c->memory_reservation;
	r->memory.swap = c->memory_swap;
	r->memory.set = c->memory.set || c->memory_reservation.set || c->memory_swap.set;
	r->cpu.period = c->cpu_period;
	r->cpu.quota = c->cpu_quota;
	r->cpu.burst = c->cpu_burst;
	r->cpu.shares = c->cpu_shares;
	r->cpu.realtime_period = c->cpu_rt_period;
	r->cpu.realtime_runtime = c->cpu_rt_runtime;
	r->cpu.idle = c->cpu_idle;
	r->cpu.cpus = c->cpuset_cpus;
	r->cpu.mems = c->cpuset_mems;
	r->cpu.set = r->cpu.period.set || r->cpu.quota.set || r->cpu.burst.set ||
		     r->cpu.shares.set || r->cpu.realtime_period.set ||
		     r->cpu.realtime_runtime.set || r->cpu.idle.set || r->cpu.cpus || r->cpu.mems;
	r->blockio.weight = c->blkio_weight;
	r->blockio.set = c->blkio_weight.set;
	r->pids_limit = c->pids_limit;
}

/* As in linux.intelRdt, of which it is a part. */
static int rdt_from_flags(const struct cli *c, struct spec_intel_rdt *rdt, struct err *e)
{
	const char *bandwidth = c->mem_bw_schema;

	if (bandwidth && (!str_starts(bandwidth, "MB:") || strchr(bandwidth, '\n')))
		return err_set(e, ERR_USAGE, EINVAL, "--mem-bw-schema",
			       "must be one line that begins with MB:");
	rdt->l3_cache_schema = c->l3_cache_schema;
	rdt->mem_bw_schema = bandwidth;
	rdt->set = c->l3_cache_schema || bandwidth;
	return 0;
}

int cmd_update(struct cli *c, struct err *e)
{
	auto_arena a = {0};
	auto_str text = NULL;
	size_t len;
	struct spec_resources flags = {0}, *r = &flags;
	struct spec_intel_rdt rdt = {0};
	int rc;

	/* A kernel that scales weights otherwise would take it. */
	if (c->blkio_weight.set && c->blkio_weight.v &&
	    (c->blkio_weight.v < 10 || c->blkio_weight.v > 1000))
		return err_set(e, ERR_USAGE, EINVAL, "/blockIO/weight", "must be from 10 to 1000");
	rc = rdt_from_flags(c, &rdt, e);
	if (rc < 0)
		return rc;
	from_flags(c, &flags);
	if (c->resources) {
		rc = read_document(c->resources, &text, &len, e);
		if (rc >= 0)
			rc = spec_parse_resources(
				&a, text, len,
				str_eq(c->resources, "-") ? "resources" : c->resources, &r, e);
	}
	if (rc >= 0)
		rc = spec_check_resources(r, "", e);
	return rc < 0 ? rc : rt_update(&c->rt, c->argv[0], r, rdt.set ? &rdt : NULL, e);
}
