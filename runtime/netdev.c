/* runtime/netdev.c: the counters of /proc/PID/net/dev (proc_pid_net(5)): two lines of heads, then
 * a line for each interface, its name before a colon and sixteen numbers behind it. */
#include "runtime/container.h"

#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool parse_line(const char *line, struct rt_netdev *d)
{
	line += strspn(line, " ");
	/* An alias's name may have a colon of its own: the last one ends the name. */
	const char *eol = line + strcspn(line, "\n"), *colon = memrchr(line, ':', eol - line);
	size_t len = colon ? (size_t)(colon - line) : 0;

	if (len == 0 || len >= sizeof(d->name))
		return false;
	memcpy(d->name, line, len);
	d->name[len] = '\0';
	return sscanf(colon + 1,
		      "%" SCNu64 "%" SCNu64 "%" SCNu64 "%" SCNu64 "%*u%*u%*u%*u%" SCNu64 "%" SCNu64
		      "%" SCNu64 "%" SCNu64,
		      &d->rx_bytes, &d->rx_packets, &d->rx_errors, &d->rx_dropped, &d->tx_bytes,
		      &d->tx_packets, &d->tx_errors, &d->tx_dropped) == 8;
}

size_t rt_netdev_parse(const char *text, struct rt_netdev *items, size_t max)
{
	size_t n = 0;

	for (const char *p = text; p && n < max; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		struct rt_netdev d = {0};
		if (parse_line(p, &d) && !str_eq(d.name, "lo"))
			items[n++] = d;
	}
	return n;
}

/* A container that is in its caller's network has no interfaces of its own. */
static bool is_shared(const struct rt_container *c)
{
	char path[64];
	struct stat ours, theirs;

	if (c->env->own_network)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->doc.pid);
	return stat("/proc/self/ns/net", &ours) < 0 || stat(path, &theirs) < 0 ||
	       (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino);
}

int rt_netdevs(struct rt_container *c, struct arena *a, struct be_stats *s, struct err *e)
{
	auto_str text = NULL;
	struct err ignored;
	char path[64];
	size_t len;

	s->nets = arena_array(a, RT_NETDEVS_MAX, sizeof(*s->nets));
	if (!s->nets)
		return err_sys(e, ENOMEM, c->id, "reading statistics");
	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)c->doc.pid);
	if (!is_shared(c) && file_read_at(AT_FDCWD, path, 1u << 20, &text, &len, &ignored) >= 0)
		s->n_nets = rt_netdev_parse(text, s->nets, RT_NETDEVS_MAX);
	return 0;
}
