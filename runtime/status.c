/* runtime/status.c: what a container is, and what may be done to it then.
 *
 * Invariants
 *  1. Status is found, not kept: from the process (pid and start time), the start socket, and,
 *     only when state.json says that we paused it, the freezer. So it can't be stale, and asking
 *     opens no control group of a container that was never paused.
 *  2. A zombie is stopped: its parent is slow, not it.
 */
#include "common/proc.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define END_TIMEOUT_MS 30000

/* How a refusal is worded. {s} becomes the status, {id} the id. What callers may look for in it is
 * runc's: tests/differential/phrases.bats. */
static const struct {
	unsigned allowed; /* bits of enum rt_status */
	const char *refusal;
} table[RT_EVENTS] = {
	[RT_EV_START] = {1u << RT_CREATED, "cannot start a container in the {s} state"},
	[RT_EV_EXEC] = {1u << RT_CREATED | 1u << RT_RUNNING,
			"cannot exec in a container in the {s} state"},
	[RT_EV_KILL] = {1u << RT_CREATED | 1u << RT_RUNNING | 1u << RT_PAUSED,
			"container not running"},
	[RT_EV_CHECKPOINT] = {1u << RT_RUNNING | 1u << RT_PAUSED,
			      "cannot checkpoint a container that is {s}"},
	[RT_EV_PAUSE] = {1u << RT_CREATED | 1u << RT_RUNNING,
			 "cannot pause a container that is {s}: container not running"},
	[RT_EV_RESUME] = {1u << RT_PAUSED,
			  "cannot resume a container that is {s}: container not paused"},
	[RT_EV_UPDATE] = {1u << RT_CREATED | 1u << RT_RUNNING | 1u << RT_PAUSED,
			  "cannot update a container that is {s}: container not running"},
	[RT_EV_PIDS] = {1u << RT_CREATED | 1u << RT_RUNNING | 1u << RT_PAUSED | 1u << RT_STOPPED,
			"cannot list the processes of a container that is {s}"},
	[RT_EV_STATS] = {1u << RT_CREATED | 1u << RT_RUNNING | 1u << RT_PAUSED,
			 "container with id {id} is not running"},
	[RT_EV_DELETE] = {1u << RT_STOPPED,
			  "cannot delete container {id} that is not stopped: {s}"},
};

static void fill_in(const char *form, const char *id, const char *status, struct strbuf *out)
{
	while (*form) {
		if (str_starts(form, "{s}")) {
			strbuf_puts(out, status);
			form += 3;
		} else if (str_starts(form, "{id}")) {
			strbuf_puts(out, id);
			form += 4;
		} else {
			strbuf_add(out, form++, 1);
		}
	}
}

/* Where runc has words of their own for one status. */
static const char *special(enum rt_status s, enum rt_event ev, const char *otherwise)
{
	static const struct {
		enum rt_event ev;
		enum rt_status s;
		const char *refusal;
	} words[] = {
		{RT_EV_START, RT_RUNNING, "cannot start an already running container"},
		{RT_EV_START, RT_STOPPED, "cannot start a container that has stopped"},
		{RT_EV_EXEC, RT_STOPPED, "cannot exec in a stopped container"},
		{RT_EV_EXEC, RT_PAUSED,
		 "cannot exec in a paused container (use --ignore-paused to override)"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].ev == ev && words[i].s == s)
			return words[i].refusal;
	return otherwise;
}

int rt_allow(const char *id, enum rt_status s, enum rt_event ev, struct err *e)
{
	auto_strbuf text = {0};

	if (table[ev].allowed & 1u << s)
		return 0;
	fill_in(special(s, ev, table[ev].refusal), id, rt_status_word(s), &text);
	return err_set(e, ERR_STATE, s == RT_STOPPED ? ESRCH : EBUSY, NULL, "%s",
		       text.s && !text.failed ? text.s : "wrong state");
}

static bool has_start_socket(int dir)
{
	return faccessat(dir, "start.sock", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int alive(struct rt_container *c, enum rt_status *ret_status, struct err *e)
{
	bool frozen = false;

	if (has_start_socket(c->dir)) {
		*ret_status = RT_CREATED;
	} else {
		*ret_status = RT_RUNNING;
	}
	if (!c->doc.paused)
		return 0;
	int rc = c->ops->paused(c, &frozen, e);
	if (rc == 0 && frozen)
		*ret_status = RT_PAUSED;
	return rc;
}

int rt_status(struct rt_container *c, enum rt_status *ret_status, struct err *e)
{
	uint64_t ticks = 0;
	char letter = 0;

	if (!c->has_doc) {
		*ret_status = !c->locked && st_busy(c->dir) ? RT_CREATING : RT_STOPPED;
		return 0;
	}
	int rc = proc_stat(-1, c->doc.pid, &letter, &ticks, e);
	if (rc < 0 && rc != -ESRCH)
		return rc;
	if (rc < 0 || ticks != c->doc.ticks || letter == 'Z' || letter == 'X') {
		*ret_status = RT_STOPPED;
		return 0;
	}
	return alive(c, ret_status, e);
}

int rt_open_for(struct rt_container *c, const struct rt_env *env, const char *id, unsigned flags,
		enum rt_event ev, enum rt_status *ret_status, struct err *e)
{
	int rc = rt_open(c, env, id, flags, e);

	if (rc == 0)
		rc = rt_status(c, ret_status, e);
	return rc < 0 ? rc : rt_allow(id, *ret_status, ev, e);
}

int rt_pidfd(pid_t pid, uint64_t ticks, int *ret_pidfd, struct err *e)
{
	auto_fd fd = pid > 0 ? pidfd_open(pid, 0) : -1;
	uint64_t now = 0;
	char letter = 0;

	/* EINVAL: it has ended, but a session or a group is still called by its number. Linux 6.1
	 * says so, newer kernels ESRCH. */
	if (fd < 0)
		return err_sys(e, pid <= 0 || errno == EINVAL ? ESRCH : errno, NULL, "process %d",
			       (int)pid);
	/* The descriptor pins the pid: if the start time is right now, it is the one. */
	int rc = proc_stat(-1, pid, &letter, &now, e);
	if (rc < 0)
		return rc;
	if (now != ticks)
		return err_sys(e, ESRCH, NULL, "process %d", (int)pid);
	*ret_pidfd = take_fd(&fd);
	return 0;
}

int rt_end(int pidfd, bool kill, struct err *e)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	siginfo_t info = {0};
	int rc;

	if (kill && pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, errno, NULL, "killing the container's process");
	do
		rc = poll(&p, 1, END_TIMEOUT_MS);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(e, errno, NULL, "waiting for the container's process");
	if (rc == 0)
		return err_set(e, ERR_SYSTEM, ETIMEDOUT, NULL,
			       "the container's process did not end within %d s of SIGKILL",
			       END_TIMEOUT_MS / 1000);
	(void)waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
	return 0;
}

int rt_end_child(struct rt_container *c, struct err *e)
{
	fd_cleanup(&c->proc.sync);
	if (!c->proc.child || c->proc.ended || c->proc.pidfd < 0)
		return 0;
	return rt_end(c->proc.pidfd, true, e);
}
