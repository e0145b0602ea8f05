/* guest/work.c: a worker: one request from its frame to its answer.
 *
 * Invariants
 *  1. Nothing is open here but 0, 1, 2, the client's connection and the link: a process that is
 *     born here would keep the rest from closing.
 *  2. A request is answered by exactly one frame (events: by one for each, after it); who answers
 *     is the agent where the connection outlives the request.
 */
#include "guest/work.h"

#include "common/fd.h"
#include "guest/init.h"
#include "microvm/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define CONN_FD 3
#define LINK_FD 4
#define REQUEST_TIMEOUT_S 30 /* for a client to send what it wants, or to take its answer */

/* A hook that fails ends the container: who asked is told why before that is known, for the machine
 * may go with it. */
static int start(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_LAST};
	int rc = guest_ask(j, &ask, -1, NULL, e);

	return rc < 0 ? rc : rt_start(&j->env, j->id, e);
}

static int hand_over(struct guest_job *j, struct guest_ask *ask, struct err *e)
{
	int rc = guest_get_process(j, &ask->token, e);

	if (rc >= 0)
		rc = guest_ask(j, ask, -1, NULL, e);
	j->handed = rc >= 0;
	return rc;
}

static int close_stream(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_CLOSE};
	int64_t n;
	int rc = guest_get_int(j, "fd", 0, 2, &n, e);

	if (rc >= 0)
		rc = guest_get_process(j, &ask.token, e);
	if (rc < 0)
		return rc;
	ask.n = (int32_t)n;
	return guest_ask(j, &ask, -1, NULL, e);
}

static int io(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_IO};
	int64_t n;
	int rc = guest_get_int(j, "fd", 0, 2, &n, e);

	if (rc < 0)
		return rc;
	ask.n = (int32_t)n;
	return hand_over(j, &ask, e);
}

static int wait_for(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_WAIT};
	bool holds = false;
	int rc = guest_get_bool(j, "hold", &holds, e);

	ask.n = holds;
	return rc < 0 ? rc : hand_over(j, &ask, e);
}

static int send_signal(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_SIGNAL};
	bool all = false;
	int64_t n;
	int rc = guest_get_int(j, "signal", 0, 64, &n, e);

	if (rc >= 0)
		rc = guest_get_bool(j, "all", &all, e);
	if (rc >= 0)
		rc = guest_get_process(j, &ask.token, e);
	if (rc < 0)
		return rc;
	ask.n = (int32_t)n;
	return ask.token ? guest_ask(j, &ask, -1, NULL, e)
			 : rt_kill(&j->env, j->id, (int)n, all, e);
}

static int winsize(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_WINSIZE};
	int64_t rows, columns;
	int rc = guest_get_int(j, "rows", 0, UINT16_MAX, &rows, e);

	if (rc >= 0)
		rc = guest_get_int(j, "columns", 0, UINT16_MAX, &columns, e);
	if (rc >= 0)
		rc = guest_get_process(j, &ask.token, e);
	if (rc < 0)
		return rc;
	ask.rows = (uint16_t)rows;
	ask.columns = (uint16_t)columns;
	return guest_ask(j, &ask, -1, NULL, e);
}

static int pause_verb(struct guest_job *j, struct err *e)
{
	return rt_pause(&j->env, j->id, true, e);
}

static int detach(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_HOLD, .n = 1};

	return guest_ask(j, &ask, -1, NULL, e);
}

static int resume(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_HOLD};
	struct err ignored;

	(void)guest_ask(j, &ask, -1, NULL, &ignored);
	return rt_pause(&j->env, j->id, false, e);
}

static int update(struct guest_job *j, struct err *e)
{
	const char *text = NULL;
	struct spec_resources *r = NULL;
	int rc = guest_get_string(j, "resources", true, &text, e);

	if (rc >= 0)
		rc = spec_parse_resources(&j->arena, text, strlen(text), "resources", &r, e);
	if (rc >= 0)
		rc = spec_check_resources(r, "", e);
	return rc < 0 ? rc : rt_update(&j->env, j->id, r, NULL, e);
}

static int take_line(void *arg, const char *json, struct err *e)
{
	struct guest_job *j = arg;

	(void)e;
	guest_key(j, "stats");
	strbuf_puts(&j->ok, json);
	return 0;
}

static int stats(struct guest_job *j, struct err *e)
{
	struct rt_events how = {.once = true, .interval_ns = 1, .line = take_line, .arg = j};

	return rt_events(&j->env, j->id, &how, e);
}

static int send_line(void *arg, const char *json, struct err *e)
{
	struct guest_job *j = arg;

	return vm_frame_send(j->conn, json, strlen(json), e);
}

/* The answer says that events will follow; the end of the connection, that the container ended.
 * Who wants no statistics never makes us wait: the container's end is told after the last event. */
static int events(struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_FOLLOW};
	struct rt_events how = {.line = send_line, .arg = j};
	struct rt_info info;
	int64_t ns;
	int rc = guest_get_int(j, "interval_ns", 0, INT64_MAX, &ns, e);

	if (rc >= 0)
		rc = rt_state(&j->env, &j->arena, j->id, &info, e);
	if (rc < 0)
		return rc;
	how.interval_ns = (uint64_t)ns;
	ask.n = ns == 0;
	if (info.status != RT_STOPPED && info.status != RT_CREATING) { /* else it is refused */
		rc = guest_ask(j, &ask, -1, NULL, e);
		if (rc >= 0)
			rc = vm_answer_ok(j->conn, "", e);
		j->handed = rc >= 0;
	}
	return rc < 0 ? rc : rt_events(&j->env, j->id, &how, e);
}

static int ps(struct guest_job *j, struct err *e)
{
	struct json_out o;
	pid_t *pids = NULL;
	size_t n = 0;
	int rc = rt_pids(&j->env, j->id, &pids, &n, e);

	if (rc < 0)
		return rc;
	guest_key(j, "pids");
	json_out_init(&o, &j->ok, NULL);
	json_arr_open(&o, NULL);
	for (size_t i = 0; i < n; i++)
		json_put_i64(&o, NULL, pids[i]);
	json_arr_close(&o);
	guest_key(j, "processes");
	json_out_init(&o, &j->ok, NULL);
	json_arr_open(&o, NULL);
	for (size_t i = 0; i < n; i++)
		guest_put_process(&o, pids[i]);
	json_arr_close(&o);
	free(pids);
	return 0;
}

static int user(struct guest_job *j, struct err *e)
{
	const char *word = NULL;
	uint32_t uid = 0, gid = 0;
	int rc = guest_get_string(j, "user", true, &word, e);

	if (rc >= 0)
		rc = rt_user(&j->env, j->id, word, &uid, &gid, e);
	if (rc < 0)
		return rc;
	guest_key(j, "uid");
	strbuf_printf(&j->ok, "%u", uid);
	guest_key(j, "gid");
	strbuf_printf(&j->ok, "%u", gid);
	return 0;
}

static int state(struct guest_job *j, struct err *e)
{
	struct rt_info info;
	int rc = rt_state(&j->env, &j->arena, j->id, &info, e);

	if (rc < 0)
		return rc;
	guest_key(j, "state");
	rt_state_json(&info, false, &j->ok);
	return 0;
}

static int delete (struct guest_job *j, struct err *e)
{
	struct guest_ask ask = {.what = GUEST_FORGET};
	bool force = false;
	int rc = guest_get_bool(j, "force", &force, e);

	if (rc >= 0)
		rc = rt_delete(&j->env, j->id, force, e);
	if (rc >= 0)
		rc = guest_ask(j, &ask, -1, NULL, e);
	if (rc >= 0)
		guest_remove_bundle(j);
	return rc;
}

static int ping(struct guest_job *j, struct err *e)
{
	(void)j, (void)e;
	return 0;
}

enum about { CONTAINER, NOTHING, MACHINE };

static const struct {
	const char *verb;
	int (*run)(struct guest_job *j, struct err *e);
	enum about
		about; /* CONTAINER: it has an id; MACHINE: refused where the machine isn't ours */
} verbs[] = {
	{"create", guest_create, CONTAINER},
	{"start", start, CONTAINER},
	{"exec", guest_exec, CONTAINER},
	{"io", io, CONTAINER},
	{"close", close_stream, CONTAINER},
	{"wait", wait_for, CONTAINER},
	{"signal", send_signal, CONTAINER},
	{"winsize", winsize, CONTAINER},
	{"pause", pause_verb, CONTAINER},
	{"resume", resume, CONTAINER},
	{"detach", detach, CONTAINER},
	{"update", update, CONTAINER},
	{"stats", stats, CONTAINER},
	{"events", events, CONTAINER},
	{"ps", ps, CONTAINER},
	{"user", user, CONTAINER},
	{"state", state, CONTAINER},
	{"delete", delete, CONTAINER},
	{"ping", ping, NOTHING},
	{"net", guest_net, MACHINE},
	{"tidy", guest_tidy, MACHINE},
	{"reseed", guest_reseed, MACHINE},
	{"release", guest_release, MACHINE},
	{"shutdown", guest_shutdown, MACHINE},
};

static int run_verb(struct guest_job *j, size_t i, struct err *e)
{
	int rc = 0;

	if (verbs[i].about == MACHINE && !j->place->machine)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "verb",
			       "\"%s\" is for a machine of its own", verbs[i].verb);
	if (verbs[i].about == CONTAINER)
		rc = guest_get_string(j, "id", true, &j->id, e);
	if (rc >= 0 && verbs[i].about == CONTAINER)
		rc = rt_check_id(j->id, e);
	return rc < 0 ? rc : verbs[i].run(j, e);
}

static int dispatch(struct guest_job *j, struct err *e)
{
	const char *word = NULL;
	int rc = j->ask->type == JSON_OBJECT
			 ? guest_get_string(j, "verb", true, &word, e)
			 : err_set(e, ERR_USAGE, EINVAL, NULL, "a request is an object");

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (str_eq(verbs[i].verb, word))
			return run_verb(j, i, e);
	return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "verb", "\"%.64s\" isn't known", word);
}

static void warn(void *arg, const struct err *what)
{
	struct guest_job *j = arg;
	char line[sizeof(what->where) + sizeof(what->text) + 4];

	strbuf_puts(&j->log, j->log.len ? "," : "");
	strbuf_json(&j->log, err_line(what, line, sizeof(line)));
}

static void answer(struct guest_job *j, int rc, const struct err *why)
{
	struct err e;

	if (j->handed || guest_borrow(j, &e) < 0)
		return;
	if (rc >= 0 && j->log.len) {
		guest_key(j, "warnings");
		strbuf_printf(&j->ok, "[%s]", j->log.s);
	}
	if (rc >= 0 && (j->ok.failed || j->log.failed)) {
		err_sys(&e, ENOMEM, j->id, "answering");
		(void)vm_answer_error(j->conn, &e, &e);
	} else if (rc >= 0) {
		(void)vm_answer_ok(j->conn, j->ok.s ? j->ok.s : "", &e);
	} else {
		(void)vm_answer_error(j->conn, why, &e);
	}
}

/* (1) */
static int arrange(int conn, int link)
{
	const struct timeval t = {.tv_sec = REQUEST_TIMEOUT_S};
	int low_conn = fcntl(conn, F_DUPFD_CLOEXEC, LINK_FD + 1);
	int low_link = fcntl(link, F_DUPFD_CLOEXEC, LINK_FD + 1);

	if (low_conn < 0 || low_link < 0 || dup3(low_conn, CONN_FD, O_CLOEXEC) < 0 ||
	    dup3(low_link, LINK_FD, O_CLOEXEC) < 0)
		return -errno;
	(void)setsockopt(CONN_FD, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	(void)setsockopt(CONN_FD, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	return syscall(SYS_close_range, LINK_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

_Noreturn void guest_work(const struct guest_place *place, int conn, int link)
{
	struct guest_job j = {.place = place,
			      .env = {.root = place->state,
				      .own_network = place->machine,
				      .warn = warn,
				      .warn_arg = &j},
			      .conn = CONN_FD,
			      .link = LINK_FD};
	struct json *ask = NULL;
	struct err e = {0};

	if (arrange(conn, link) < 0)
		_exit(1);
	int rc = vm_frame_recv(j.conn, &j.arena, &ask, &e);
	j.ask = ask;
	if (rc == 0) /* it left without a word */
		_exit(0);
	if (rc > 0)
		rc = dispatch(&j, &e);
	answer(&j, rc, &e);
	if (j.end_machine && rc >= 0)
		guest_down(NULL);
	_exit(0);
}
