/* runtime/netdev.c: the counters of /proc/PID/net/dev (proc_pid_net(5)): two lines of heads, then
 * a line for each interface, its name before a colon and sixteen numbers behind it. */
#include "runtime/container.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
