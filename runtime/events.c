/* runtime/events.c: tells what a container uses, and when it runs out of memory.
 *
 * Invariants
 *  1. One poll for the timer, the kernel's word of memory and the end; nothing sleeps.
 *  2. No lock is held: whoever watches keeps nobody from stopping or deleting the container.
 *  3. An out-of-memory event that ends the container is told before we end with it.
 */
#include "runtime/container.h"
#include "spec/json.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int tell_stats(struct rt_container *c, const struct rt_events *how, struct err *e)
{
	auto_arena a = {0};
	auto_strbuf out = {0};
	struct be_stats s = {0};
	int rc = c->ops->stats(c, &a, &s, e);

	if (rc < 0)
		return rc;
	rt_stats_json(c->id, &s, &out);
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

/* 0 ns: one that never runs off. */
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

static int tell_ooms(struct rt_container *c, struct be_oom *oom, const struct rt_events *how,
		     struct err *e)
{
	int rc = 0;

	while (rc >= 0 && oom->fd >= 0 && oom->read(oom))
		rc = tell_oom(c, how, e);
	return rc;
}

/* Waits for pidfd, timer and out-of-memory event. 1: the container ended. */
static int turn(struct rt_container *c, struct pollfd p[3], struct be_oom *oom,
		const struct rt_events *how, struct err *e)
{
	uint64_t expirations;
	int rc = 0;

	p[2].fd = oom->fd;
	if (poll(p, 3, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, errno, c->id, "waiting for events");
	if (p[2].revents || p[0].revents)
		rc = tell_ooms(c, oom, how, e);
	if (rc < 0 || p[0].revents)
		return rc < 0 ? rc : 1;
	if (p[1].revents && read(p[1].fd, &expirations, sizeof(expirations)) > 0)
		rc = tell_stats(c, how, e);
	/* A micro-VM can't be asked any more: it ended just now. */
	return rc == -ESRCH ? 1 : rc;
}

static int follow(struct rt_container *c, int pidfd, struct be_oom *oom,
		  const struct rt_events *how, struct err *e)
{
	auto_fd timer = -1;
	int rc = make_timer(how->interval_ns, &timer, e);
	struct pollfd p[3] = {{.fd = pidfd, .events = POLLIN},
			      {.fd = timer, .events = POLLIN},
			      {.events = POLLIN}};

	while (rc == 0)
		rc = turn(c, p, oom, how, e);
	return rc < 0 ? rc : 0;
}

int rt_events(const struct rt_env *env, const char *id, const struct rt_events *how, struct err *e)
{
	auto_container c;
	auto_fd pidfd = -1;
	enum rt_status status;
	struct be_oom oom = BE_OOM_INIT;
	int rc = rt_open_for(&c, env, id, 0, RT_EV_STATS, &status, e);

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
	if (oom.close)
		oom.close(&oom);
	return rc;
}
