/* runtime/stats_parse.c: the statistics document read again, from a micro-VM's guest
 * (events_json.c writes it).
 *
 * Invariants
 *  1. The guest may write what it likes: a value that isn't what its place wants is as good as
 *     absent, lists have a limit, names are of letters that need no care.
 *  2. What the host knows better isn't read: disks, huge pages, cpusets, resctrl.
 */
#include "runtime/container.h"
#include "spec/json.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define RAW_MAX 512u

#define AT(member) offsetof(struct cg_stats, member)
static const struct {
	const char *pointer;
	size_t offset;
} numbers[] = {
	{"/cpu/usage/total", AT(cpu.total)},
	{"/cpu/usage/kernel", AT(cpu.kernel)},
	{"/cpu/usage/user", AT(cpu.user)},
	{"/cpu/throttling/periods", AT(cpu.periods)},
	{"/cpu/throttling/throttledPeriods", AT(cpu.throttled)},
	{"/cpu/throttling/throttledTime", AT(cpu.throttled_ns)},
	{"/memory/cache", AT(memory.cache)},
	{"/memory/oom", AT(memory.oom)},
	{"/memory/oom_kill", AT(memory.oom_kill)},
	{"/pids/current", AT(pids.current)},
	{"/pids/limit", AT(pids.limit)},
	{"/pids/failcnt", AT(pids.failcnt)},
};

static const struct {
	const char *key;
	size_t offset;
} usages[] = {
	{"usage", AT(memory.memory)},
	{"swap", AT(memory.swap)},
	{"kernel", AT(memory.kernel)},
	{"kernelTCP", AT(memory.tcp)},
};

static const struct {
	const char *key;
	size_t offset;
} pressures[] = {
	{"cpu", AT(cpu.psi)},
	{"memory", AT(memory.psi)},
};

static void read_number(const struct json *data, const char *pointer, uint64_t *ret)
{
	const struct json *j = json_find(data, pointer, false);

	if (j && j->type == JSON_NUMBER)
		(void)str_to_u64(j->u.number, ret);
}

static void read_usage(const struct json *j, struct cg_usage *u)
{
	(void)json_get_u64(j, "limit", &u->limit);
	(void)json_get_u64(j, "usage", &u->usage);
	(void)json_get_u64(j, "max", &u->max);
	(void)json_get_u64(j, "failcnt", &u->failcnt);
}

/* "12.34": shares of time are at most a hundred percent. */
static void read_share(const struct json *j, const char *key, uint64_t *ret)
{
	const struct json *m = json_get(j, key);
	const char *s = m && m->type == JSON_NUMBER ? m->u.number : "";
	size_t digits = strspn(s, "0123456789");
	char hundredths[8] = "00";

	if (digits == 0 || digits > 3 || (s[digits] && s[digits] != '.'))
		return;
	memcpy(hundredths, s, digits);
	memcpy(hundredths + digits, "00", 3);
	for (size_t i = 0; i < 2 && s[digits] && s[digits + 1 + i]; i++)
		hundredths[digits + i] = s[digits + 1 + i];
	(void)str_to_u64(hundredths, ret);
}

static void read_stall(const struct json *j, struct cg_stall *s)
{
	read_share(j, "avg10", &s->avg10);
	read_share(j, "avg60", &s->avg60);
	read_share(j, "avg300", &s->avg300);
	(void)json_get_u64(j, "total", &s->total);
}

static void read_pressure(const struct json *part, struct cg_pressure *p)
{
	const struct json *psi = json_get(part, "psi");

	if (!psi || psi->type != JSON_OBJECT)
		return;
	p->set = true;
	read_stall(json_get(psi, "some"), &p->some);
	read_stall(json_get(psi, "full"), &p->full);
}

/* As the kernel names its counters: "anon", "workingset_refault_anon". */
static bool is_counter(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return n && n < 64 && !name[n];
}

static int read_raw(struct arena *a, const struct json *data, struct cg_stats *s, struct err *e)
{
	const struct json *raw = json_find(data, "/memory/raw", false);
	size_t n = raw && raw->type == JSON_OBJECT ? raw->u.list.n : 0;

	s->memory.raw = arena_array(a, n + 1, sizeof(*s->memory.raw));
	if (!s->memory.raw)
		return err_sys(e, ENOMEM, NULL, "reading statistics");
	for (const struct json *m = n ? raw->u.list.first : NULL; m && s->memory.n_raw < RAW_MAX;
	     m = m->next) {
		struct cg_counter *to = &s->memory.raw[s->memory.n_raw];
		if (m->type == JSON_NUMBER && is_counter(m->key) && str_to_u64(m->u.number, &to->v))
			s->memory.raw[s->memory.n_raw++].name = arena_strdup(a, m->key);
	}
	return 0;
}

/* A name as the kernel takes one, in characters that show themselves. */
static bool is_interface(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return false;
	return n && n < sizeof(((struct rt_netdev *)NULL)->name);
}

static bool read_net(const struct json *j, struct rt_netdev *d)
{
	const char *name;

	if (!json_get_string(j, "Name", &name) || !is_interface(name))
		return false;
	memcpy(d->name, name, strlen(name) + 1);
	(void)json_get_u64(j, "RxBytes", &d->rx_bytes);
	(void)json_get_u64(j, "RxPackets", &d->rx_packets);
	(void)json_get_u64(j, "RxErrors", &d->rx_errors);
	(void)json_get_u64(j, "RxDropped", &d->rx_dropped);
	(void)json_get_u64(j, "TxBytes", &d->tx_bytes);
	(void)json_get_u64(j, "TxPackets", &d->tx_packets);
	(void)json_get_u64(j, "TxErrors", &d->tx_errors);
	(void)json_get_u64(j, "TxDropped", &d->tx_dropped);
	return true;
}

static int read_nets(struct arena *a, const struct json *data, struct be_stats *s, struct err *e)
{
	const struct json *list = json_get(data, "network_interfaces");

	s->nets = arena_array(a, RT_NETDEVS_MAX, sizeof(*s->nets));
	if (!s->nets)
		return err_sys(e, ENOMEM, NULL, "reading statistics");
	if (!list || list->type != JSON_ARRAY)
		return 0;
	for (const struct json *m = list->u.list.first; m && s->n_nets < RT_NETDEVS_MAX;
	     m = m->next)
		s->n_nets += read_net(m, &s->nets[s->n_nets]);
	return 0;
}

int rt_stats_parse(struct arena *a, const struct json *data, struct be_stats *ret, struct err *e)
{
	struct be_stats s = {0};
	char *at = (char *)&s.used;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		read_number(data, numbers[i].pointer, (uint64_t *)(void *)(at + numbers[i].offset));
	for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
		read_usage(json_get(json_get(data, "memory"), usages[i].key),
			   (struct cg_usage *)(void *)(at + usages[i].offset));
	for (size_t i = 0; i < sizeof(pressures) / sizeof(pressures[0]); i++)
		read_pressure(json_get(data, pressures[i].key),
			      (struct cg_pressure *)(void *)(at + pressures[i].offset));
	int rc = read_raw(a, data, &s.used, e);
	if (rc >= 0)
		rc = read_nets(a, data, &s, e);
	if (rc >= 0)
		*ret = s;
	return rc;
}
