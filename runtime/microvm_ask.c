/* runtime/microvm_ask.c: questions to the agent of a machine that may be paused, or may hang.
 *
 * A paused machine answers nothing. Its container was frozen inside before the machine was stopped,
 * so the machine can be woken for an answer without the container running for a moment.
 *
 * Invariants
 *  1. A machine is woken under the lock of the container that it is, and stopped again before that
 *     is let go. Who is in a pod takes its own lock before its sandbox's, nobody the other way.
 *  2. While it is awake the file `awake` stands in the container's directory: its status is
 *     "paused" all the time, also when we die here. Then `resume` finds a machine that runs and a
 *     container that is frozen, and thaws it. A pod's machine stays awake for the others.
 *  3. Nobody waits for ever for a guest that hangs, but `start`: its hooks may take their time.
 */
#include "runtime/microvm.h"

#include "common/proc.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define STOP_TURNS 5000 /* of a fifth of a millisecond */
#define END_MS 2000     /* from the last connection to the end of the machine's process */
#define AWAKE "awake"

void be_vm_request(struct be_vm_request *r, const struct rt_container *c, const char *verb)
{
	*r = (struct be_vm_request){
		.arena = c->arena, .patience = BE_VM_PATIENCE, .event = RT_EV_STATS, .fd = -1};
	json_out_init(&r->o, &r->text, NULL);
	json_obj_open(&r->o, NULL);
	json_put_str(&r->o, "verb", verb);
	json_put_str(&r->o, "id", be_vm_inside(c));
}

void be_vm_request_free(struct be_vm_request *r)
{
	strbuf_free(&r->text);
}

static int is_stopped(struct rt_container *c, bool *ret, struct err *e)
{
	uint64_t ticks;
	char letter;
	int rc = proc_stat(-1, c->doc.pid, &letter, &ticks, e);

	if (rc >= 0)
		*ret = letter == 'T';
	return rc;
}

int be_vm_paused(struct rt_container *c, bool *ret_paused, struct err *e)
{
	int rc = is_stopped(c, ret_paused, e);

	if (rc >= 0 && faccessat(c->dir, AWAKE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		*ret_paused = true;
	return rc;
}

/* Until the processors have left the guest: a moment, with nothing to wait at. */
static int until(struct rt_container *c, bool stopped, struct err *e)
{
	const struct timespec moment = {.tv_nsec = 200000};
	bool is = !stopped;
	int rc = 0;

	for (int i = 0; rc >= 0 && is != stopped && i < STOP_TURNS; i++) {
		rc = is_stopped(c, &is, e);
		if (rc >= 0 && is != stopped)
			nanosleep(&moment, NULL);
	}
	return rc < 0 || is == stopped
		       ? rc
		       : err_set(e, ERR_SYSTEM, ETIMEDOUT, c->id, "the machine didn't %s",
				 stopped ? "stop" : "go on");
}

/* Not by the freezer: a thread of the kernel's own in the machine's group (KVM's
 * kvm-nx-lpage-recovery, before Linux 6.13) can't be frozen, and the group never is. */
static int run_machine(struct rt_container *c, bool run, struct err *e)
{
	auto_fd fd = -1;
	int rc = rt_pidfd(c->doc.pid, c->doc.ticks, &fd, e);

	if (rc < 0)
		return rc;
	if (pidfd_send_signal(fd, run ? SIGCONT : SIGSTOP, NULL, 0) < 0)
		return err_sys(e, errno, c->id, "stopping the machine");
	return until(c, !run, e);
}

/* (2) */
static int mark_awake(struct rt_container *c, struct err *e)
{
	auto_fd mark = openat(c->dir, AWAKE, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return mark < 0 ? err_sys(e, errno, AWAKE, "noting that the machine is awake") : 0;
}

static int wake(struct rt_container *c, struct err *e)
{
	int rc = mark_awake(c, e);

	return rc < 0 ? rc : run_machine(c, true, e);
}

static int sleep_again(struct rt_container *c, struct err *e)
{
	int rc = run_machine(c, false, e);

	if (rc >= 0)
		(void)unlinkat(c->dir, AWAKE, 0);
	return rc;
}

/* --- asking --- */

static int call(struct rt_container *c, struct be_vm_request *r, const struct json **ret_ok,
		struct err *e)
{
	const struct timeval patience = {.tv_sec = r->patience};
	auto_fd fd = -1;
	int rc = be_vm_connect(c, &fd, e);

	if (rc < 0)
		return rc;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	rc = vm_call(fd, r->arena, r->text.s, r->text.len, ret_ok, e);
	if (rc >= 0 && r->keep)
		r->fd = take_fd(&fd);
	return rc;
}

/* A connection that breaks is most often the machine's end, which is no trouble. */
static bool has_ended(const struct rt_container *machine)
{
	struct err ignored;
	auto_fd fd = -1;
	int rc = rt_pidfd(machine->doc.pid, machine->doc.ticks, &fd, &ignored);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return rc == -ESRCH || (rc >= 0 && poll(&p, 1, END_MS) == 1);
}

static int ended(const struct rt_container *c, const struct be_vm_request *r, struct err *e)
{
	return rt_allow(c->id, RT_STOPPED, r->event, e);
}

/* Asks by c's name for the machine's socket. */
static int talk(struct rt_container *c, const struct rt_container *machine, struct be_vm_request *r,
		const struct json **ret_ok, struct err *e)
{
	int rc = call(c, r, ret_ok, e);
	bool broken = rc == -ECONNREFUSED || rc == -ENOENT || rc == -EPIPE || rc == -ECONNRESET;

	if (rc < 0 && e->kind != ERR_SYSTEM) /* the agent's own word */
		return rc;
	if (broken && has_ended(machine))
		return ended(c, r, e);
	if (rc == -ETIME)
		return err_set(e, ERR_SYSTEM, ETIMEDOUT, c->id, "the guest gave no answer for %u s",
			       r->patience);
	return rc;
}

/* (1) */
static int talk_woken(struct rt_container *c, struct rt_container *machine, struct be_vm_request *r,
		      const struct json **ret_ok, struct err *e)
{
	bool stopped = false, ours = !machine->locked;
	struct err ignored;
	int rc = rt_relock(machine, e);

	if (rc >= 0)
		rc = is_stopped(machine, &stopped, e);
	/* Somebody resumed it meanwhile. */
	if (rc >= 0 && stopped)
		rc = wake(machine, e);
	if (rc >= 0)
		rc = talk(c, machine, r, ret_ok, e);
	if (stopped) {
		int back = sleep_again(machine, rc < 0 ? &ignored : e);
		rc = rc < 0 ? rc : back;
	}
	if (ours)
		rt_unlock(machine);
	return rc;
}

static int ask(struct rt_container *c, struct rt_container *machine, struct be_vm_request *r,
	       const struct json **ret_ok, struct err *e)
{
	bool stopped = false;
	int rc = is_stopped(machine, &stopped, e);

	if (rc == -ESRCH)
		return ended(c, r, e);
	if (rc < 0)
		return rc;
	return stopped ? talk_woken(c, machine, r, ret_ok, e) : talk(c, machine, r, ret_ok, e);
}

int be_vm_ask(struct rt_container *c, struct be_vm_request *r, const struct json **ret_ok,
	      struct err *e)
{
	struct rt_container *machine, room;

	json_obj_close(&r->o);
	if (r->text.failed)
		return err_sys(e, ENOMEM, c->id, "asking the guest");
	if (r->fresh)
		return call(c, r, ret_ok, e);
	int rc = be_vm_machine(c, &room, &machine, e);
	if (rc >= 0)
		rc = ask(c, machine, r, ret_ok, e);
	else if (rc == -ENOENT)
		rc = ended(c, r, e);
	rt_close(&room);
	return rc;
}

/* --- pause --- */

static int freeze_inside(struct rt_container *c, bool freeze, struct err *e)
{
	auto_vm_request r;

	be_vm_request(&r, c, freeze ? "pause" : "resume");
	r.event = freeze ? RT_EV_PAUSE : RT_EV_RESUME;
	return be_vm_ask(c, &r, NULL, e);
}

/* A guest that hangs freezes nothing: the machine is stopped all the same. */
static int pause_machine(struct rt_container *c, struct err *e)
{
	struct err ignored;

	(void)freeze_inside(c, true, &ignored);
	return run_machine(c, false, e);
}

/* What wasn't frozen, for the guest hung, isn't thawed: ERR_STATE. */
static int resume_machine(struct rt_container *c, struct err *e)
{
	int rc = wake(c, e);

	if (rc >= 0)
		rc = freeze_inside(c, false, e);
	if (rc < 0 && e->kind == ERR_STATE) {
		err_clear(e);
		rc = 0;
	}
	if (rc >= 0)
		(void)unlinkat(c->dir, AWAKE, 0);
	return rc;
}

/* One of several: the others run on, and so does the machine. The mark says what it is. */
static int pause_one(struct rt_container *c, bool pause, struct err *e)
{
	int rc = pause ? mark_awake(c, e) : 0;

	if (rc < 0)
		return rc;
	rc = freeze_inside(c, pause, e);
	if (pause == (rc < 0))
		(void)unlinkat(c->dir, AWAKE, 0);
	return rc;
}

int be_vm_pause(struct rt_container *c, bool pause, struct err *e)
{
	bool stopped = false;
	int rc = is_stopped(c, &stopped, e);

	if (rc < 0)
		return rc;
	if (!stopped && be_vm_has_company(c))
		return pause_one(c, pause, e);
	return pause ? pause_machine(c, e) : resume_machine(c, e);
}

/* --- checkpoint --- */

int be_vm_hold(struct rt_container *c, bool *ret_paused, struct err *e)
{
	bool stopped = false;
	int rc = be_vm_paused(c, ret_paused, e);

	if (rc >= 0)
		rc = is_stopped(c, &stopped, e);
	if (rc < 0 || stopped)
		return rc < 0 ? rc : wake(c, e);
	rc = mark_awake(c, e);
	if (rc >= 0 && !*ret_paused)
		rc = freeze_inside(c, true, e);
	if (rc < 0 && !*ret_paused)
		(void)unlinkat(c->dir, AWAKE, 0);
	return rc;
}

int be_vm_let_go(struct rt_container *c, bool paused, struct err *e)
{
	if (paused)
		return sleep_again(c, e);
	int rc = freeze_inside(c, false, e);
	if (rc >= 0)
		(void)unlinkat(c->dir, AWAKE, 0);
	return rc;
}
