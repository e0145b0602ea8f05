/* runtime/events.c: tells what a container uses, and when it runs out of memory.
 *
 * Invariants
 *  1. One poll for the timer, the kernel's word of memory and the end; nothing sleeps.
 *  2. No lock is held: whoever watches keeps nobody from stopping or deleting the container.
 *  3. An out-of-memory event that ends the container is told before we end with it.
 */
#include "common/file.h"
#include "runtime/container.h"
#include "spec/json.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define NETDEVS_MAX 256

/* Interfaces of the container's own network namespace; none when it shares ours. */
static size_t read_nets(pid_t pid, struct rt_netdev *items)
{
	char path[64];
	struct stat ours, theirs;
	auto_str text = NULL;
	struct err ignored;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (stat("/proc/self/ns/net", &ours) < 0 || stat(path, &theirs) < 0 ||
	    (ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	if (file_read_at(AT_FDCWD, path, 1u << 20, &text, &len, &ignored) < 0)
		return 0;
	return rt_netdev_parse(text, items, NETDEVS_MAX);
}

static int tell_stats(struct rt_container *c, const struct rt_events *how, struct err *e)
{
	auto_arena a = {0};
	auto_strbuf out = {0};
	struct cg_stats s;
	struct rt_netdev *nets = arena_array(&a, NETDEVS_MAX, sizeof(*nets));

	if (!nets)
		return err_sys(e, ENOMEM, c->id, "reading statistics");
	int rc = c->ops->stats(c, &a, &s, e);
	if (rc < 0)
		return rc;
	rt_stats_json(c->id, &s, nets, read_nets(c->doc.pid, nets), &out);
	if (out.failed)
		return err_sys(e, ENOMEM, c->id, "writing statistics");
	return how->line(how->arg, out.s, e);
}

static int tell_oom(struct rt_container *c, const struct rt_events *how, struct err *e)
{
	auto_strbuf out = {0};
	struct json_out o;

	json_out_init(&o, &out, NULL);
	json_obj_open(&o, NULL);
	json_put_str(&o, "type", "oom");
	json_put_str(&o, "id", c->id);
	json_obj_close(&o);
	if (out.failed)
		return err_sys(e, ENOMEM, c->id, "writing an event");
	return how->line(how->arg, out.s, e);
}

static int make_timer(uint64_t ns, int *ret_fd, struct err *e)
{
	const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
	const struct itimerspec every = {.it_interval = t, .it_value = t};
	auto_fd fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0)
		return err_sys(e, errno, NULL, "making a timer");
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Waits for pidfd, timer and out-of-memory event. 1: the container ended. */
static int turn(struct rt_container *c, struct pollfd p[3], struct cg_oom *oom,
		const struct rt_events *how, struct err *e)
{
	uint64_t expirations;
	int rc = 0;

	if (poll(p, 3, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, errno, c->id, "waiting for events");
	if ((p[2].revents || p[0].revents) && oom->fd >= 0 && cg_oom_read(oom))
		rc = tell_oom(c, how, e);
	if (rc < 0 || p[0].revents)
		return rc < 0 ? rc : 1;
	if (p[1].revents && read(p[1].fd, &expirations, sizeof(expirations)) > 0)
		rc = tell_stats(c, how, e);
	return rc;
}

static int follow(struct rt_container *c, int pidfd, struct cg_oom *oom,
		  const struct rt_events *how, struct err *e)
{
	auto_fd timer = -1;
	int rc = make_timer(how->interval_ns, &timer, e);
	struct pollfd p[3] = {{.fd = pidfd, .events = POLLIN},
			      {.fd = timer, .events = POLLIN},
			      {.fd = oom->fd, .events = POLLIN}};

	while (rc == 0)
		rc = turn(c, p, oom, how, e);
	return rc < 0 ? rc : 0;
}

int rt_events(const struct rt_env *env, const char *id, const struct rt_events *how, struct err *e)
{
	auto_container c;
	auto_fd pidfd = -1;
	enum rt_status status;
	struct cg_oom oom = CG_OOM_INIT;
	int rc = rt_open(&c, env, id, 0, e);

	if (rc == 0)
		rc = rt_status(&c, &status, e);
	if (rc == 0)
		rc = rt_allow(id, status, RT_EV_STATS, e);
	if (rc == 0)
		rc = rt_pidfd(c.doc.pid, c.doc.ticks, &pidfd, e);
	if (rc == -ESRCH) /* it ended between two looks */
		return rt_allow(id, RT_STOPPED, RT_EV_STATS, e);
	if (rc < 0)
		return rc;
	if (how->once)
		return tell_stats(&c, how, e);
	rc = c.ops->oom(&c, &oom, e);
	if (rc == 0)
		rc = follow(&c, pidfd, &oom, how, e);
	cg_oom_close(&oom);
	return rc;
}
