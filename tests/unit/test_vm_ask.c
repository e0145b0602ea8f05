/* tests/unit/test_vm_ask.c: a request to the agent of a machine that runs, is stopped, hangs, has
 * ended or is a pod's. The machine is a child that waits, the agent a thread. */
#include "runtime/microvm.h"

#include "common/fd.h"
#include "microvm/proto.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "common/proc.h"

enum habit { ANSWERS, REFUSES, HANGS, LEAVES };

static struct {
	char root[PATH_MAX];
	struct rt_env env;
	struct rt_container sandbox, member; /* "pod" and "two" */
	pid_t machine, stand;
	int listener;
	enum habit habit;
	pthread_t agent;
	/* What it saw at its last request. */
	char verb[16], id[16];
	char letter; /* of the machine, as in proc(5) */
	bool awake;  /* the mark was there */
} t;

static char letter_of(pid_t pid)
{
	uint64_t ticks;
	struct err e;
	char letter = 0;

	return proc_stat(-1, pid, &letter, &ticks, &e) < 0 ? 0 : letter;
}

static void note(const struct json *j)
{
	const char *verb = "", *id = "";

	(void)json_get_string(j, "verb", &verb);
	(void)json_get_string(j, "id", &id);
	snprintf(t.verb, sizeof(t.verb), "%s", verb);
	snprintf(t.id, sizeof(t.id), "%s", id);
	t.letter = letter_of(t.machine);
	t.awake = faccessat(t.sandbox.dir, "awake", F_OK, 0) == 0;
}

static void serve(int fd)
{
	struct err e, why = {0};
	auto_arena a = {0};
	struct json *j;
	char c;

	if (vm_frame_recv(fd, &a, &j, &e) <= 0)
		return;
	note(j);
	if (t.habit == HANGS)
		(void)!read(fd, &c, 1);
	if (t.habit == LEAVES)
		kill(t.machine, SIGKILL);
	if (t.habit == REFUSES) {
		err_set(&why, ERR_STATE, EBUSY, "", "not now");
		(void)vm_answer_error(fd, &why, &e);
	}
	if (t.habit == ANSWERS)
		(void)vm_answer_ok(fd, "\"pid\":42", &e);
}

static void *agent(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(t.listener, NULL, NULL)) >= 0) {
		serve(fd);
		close(fd);
	}
	return NULL;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

/* A container of the root, as `create` leaves one. */
static void make(struct rt_container *c, const char *id, const char *backend, pid_t pid)
{
	static struct spec_pair words[] = {{"io.kubernetes.cri.container-type", "container"},
					   {"io.kubernetes.cri.sandbox-id", "pod"}};
	struct err e;

	rt_init(c, &t.env, id);
	assert_int_equal(st_root(t.root, true, &c->root, &e), 0);
	assert_int_equal(st_make(c->root, id, &c->dir, &e), 0);
	st_unlock(c->dir);
	c->doc = (struct st_doc){.oci_version = "1.2.0",
				 .id = id,
				 .bundle = "/",
				 .rootfs = "/",
				 .created = "now",
				 .backend = backend,
				 .pid = pid};
	assert_int_equal(proc_start_time(-1, pid, &c->doc.ticks, &e), 0);
	if (pid == t.stand)
		c->doc.annotations = (struct spec_pairs){.items = words, .n = 2};
	assert_int_equal(rt_save_doc(c, &e), 0);
	assert_int_equal(be_find(backend, &c->ops, &e), 0);
}

static int up(void **state)
{
	struct err e;

	(void)state;
	memset(&t, 0, sizeof(t));
	assert_int_equal(scratch_make(t.root), 0);
	t.env.root = t.root;
	t.machine = sleeper();
	t.stand = sleeper();
	make(&t.sandbox, "pod", "microvm", t.machine);
	make(&t.member, "two", "microvm-pod", t.stand);
	assert_int_equal(
		rt_socket_listen(t.sandbox.dir, "agent.sock", SOCK_STREAM, &t.listener, &e), 0);
	assert_int_equal(linkat(t.sandbox.dir, "agent.sock", t.member.dir, "agent.sock", 0), 0);
	assert_int_equal(pthread_create(&t.agent, NULL, agent, NULL), 0);
	return 0;
}

static int down(void **state)
{
	(void)state;
	shutdown(t.listener, SHUT_RDWR);
	pthread_join(t.agent, NULL);
	close(t.listener);
	kill(t.machine, SIGKILL);
	kill(t.stand, SIGKILL);
	waitpid(t.machine, NULL, 0);
	waitpid(t.stand, NULL, 0);
	rt_close(&t.sandbox);
	rt_close(&t.member);
	return scratch_remove(t.root);
}

static void stop(void)
{
	kill(t.machine, SIGSTOP);
	while (letter_of(t.machine) != 'T')
		usleep(1000);
}

static int ask(struct rt_container *c, struct err *e)
{
	const struct json *ok = NULL;
	auto_vm_request r;
	uint64_t pid = 0;

	be_vm_request(&r, c, "state");
	r.patience = 1;
	int rc = be_vm_ask(c, &r, &ok, e);
	if (rc >= 0) {
		assert_true(json_get_u64(ok, "pid", &pid));
		assert_int_equal(pid, 42);
		assert_string_equal(t.verb, "state");
		assert_string_equal(t.id, c->id);
	}
	return rc;
}

static void one_that_runs_answers_or_refuses(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(ask(&t.sandbox, &e), 0);
	assert_int_equal(ask(&t.member, &e), 0);
	assert_false(t.awake);
	t.habit = REFUSES;
	assert_int_equal(ask(&t.sandbox, &e), -EBUSY);
	assert_int_equal(e.kind, ERR_STATE);
	assert_non_null(strstr(e.text, "not now"));
}

static void woken_for_the_answer(struct rt_container *c)
{
	struct err e;

	stop();
	assert_int_equal(ask(c, &e), 0);
	assert_int_not_equal(t.letter, 'T');
	assert_true(t.awake);
	assert_int_equal(letter_of(t.machine), 'T');
	assert_int_equal(faccessat(t.sandbox.dir, "awake", F_OK, 0), -1);
	/* Also when there is none. */
	t.habit = REFUSES;
	assert_int_equal(ask(c, &e), -EBUSY);
	assert_int_equal(letter_of(t.machine), 'T');
	/* The lock is let go. */
	assert_int_equal(st_lock("pod", t.sandbox.dir, false, &e), 0);
	st_unlock(t.sandbox.dir);
}

static void a_stopped_one_is_woken_for_the_answer(void **state)
{
	(void)state;
	woken_for_the_answer(&t.sandbox);
}

/* What stands for the member on the host runs: it isn't asked. */
static void so_is_a_pods_for_who_joined(void **state)
{
	(void)state;
	woken_for_the_answer(&t.member);
	assert_int_not_equal(letter_of(t.stand), 'T');
}

static void one_that_hangs_is_given_up(void **state)
{
	struct err e;

	(void)state;
	t.habit = HANGS;
	assert_int_equal(ask(&t.sandbox, &e), -ETIMEDOUT);
	assert_non_null(strstr(e.text, "no answer for 1 s"));
	stop();
	assert_int_equal(ask(&t.member, &e), -ETIMEDOUT);
	assert_int_equal(letter_of(t.machine), 'T');
}

static void one_that_ended_is_said_in_the_verbs_words(void **state)
{
	auto_vm_request r;
	struct err e;

	(void)state;
	t.habit = LEAVES; /* while it is asked */
	assert_int_equal(ask(&t.member, &e), -ESRCH);
	assert_int_equal(e.kind, ERR_STATE);
	assert_non_null(strstr(e.text, "two is not running"));
	waitpid(t.machine, NULL, 0);
	be_vm_request(&r, &t.sandbox, "exec");
	r.event = RT_EV_EXEC;
	assert_int_equal(be_vm_ask(&t.sandbox, &r, NULL, &e), -ESRCH);
	assert_non_null(strstr(e.text, "cannot exec in a stopped container"));
	/* And when nothing of its sandbox is left, or the id is another's. */
	t.sandbox.doc.backend = "shared";
	assert_int_equal(rt_save_doc(&t.sandbox, &e), 0);
	assert_int_equal(ask(&t.member, &e), -ESRCH);
	assert_int_equal(st_remove(t.sandbox.root, "pod", t.sandbox.dir, &e), 0);
	assert_int_equal(ask(&t.member, &e), -ESRCH);
}

static void a_fresh_one_has_the_sockets_errors(void **state)
{
	auto_vm_request r;
	struct err e;

	(void)state;
	t.member.doc = (struct st_doc){0};
	t.habit = HANGS;
	be_vm_request(&r, &t.member, "create");
	r.fresh = true;
	r.patience = 1;
	assert_int_equal(be_vm_ask(&t.member, &r, NULL, &e), -ETIME);
	assert_int_equal(unlinkat(t.member.dir, "agent.sock", 0), 0);
	be_vm_request_free(&r);
	be_vm_request(&r, &t.member, "create");
	r.fresh = true;
	assert_int_equal(be_vm_ask(&t.member, &r, NULL, &e), -ENOENT);
}

static void a_connection_can_be_kept(void **state)
{
	auto_vm_request r;
	struct err e;

	(void)state;
	be_vm_request(&r, &t.sandbox, "events");
	assert_int_equal(r.fd, -1);
	r.keep = true;
	assert_int_equal(be_vm_ask(&t.sandbox, &r, NULL, &e), 0);
	assert_true(r.fd >= 0);
	close(r.fd);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(one_that_runs_answers_or_refuses),
		CASE(a_stopped_one_is_woken_for_the_answer),
		CASE(so_is_a_pods_for_who_joined),
		CASE(one_that_hangs_is_given_up),
		CASE(one_that_ended_is_said_in_the_verbs_words),
		CASE(a_fresh_one_has_the_sockets_errors),
		CASE(a_connection_can_be_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
