/* runtime/microvm_launch.c: a micro-VM container up to "created", seen from the runtime.
 *
 * Invariants
 *  1. As in shared_launch.c: every outside effect is in the journal first; the pid right after the
 *     clone, and until then the machine ends with us, by the end of file at `sync`.
 *  2. Everything that needs a path is opened here: the machine's own process gets descriptors.
 *  3. The agent's socket is called start.sock until the program was started, agent.sock afterwards:
 *     the name is the status.
 */
#include "runtime/microvm_process.h"

#include "common/proc.h"
#include "common/sync.h"
#include "common/sys.h"
#include "microvm/kvm.h"
#include "microvm/proto.h"
#include "net/card.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define WORD_MS 1000     /* from the end of a connection to the machine's word for it */
#define GIVEN_UP_MS 5000 /* from our word that the guest is given up to the machine's */

struct launch {
	struct rt_container *c;
	struct be_vm_shape shape;
	struct be_vm_parts parts;
	struct cg_run cg;
	struct plan plan;
	struct plan_env env;
	struct strbuf config;
	struct net_cards cards;
	struct be_vm_template template;
	struct be_vm_saved *saved; /* it goes on from there; or NULL */
	struct sync_msg word;      /* the machine's last one that isn't used up; type 0: none */
	bool replaced;             /* it was to go on from the template, and another one booted */
	unsigned patience;         /* seconds that the last question had */
};

int be_vm_note(void *arg, const char *record, struct err *e)
{
	struct rt_container *c = arg;

	return st_journal_append(&c->journal, record, e);
}

/* --- what it is made of --- */

static int open_file(const char *path, const char *pointer, const char *what, int *ret_fd,
		     struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, ERR_UNSUPPORTED, errno, pointer, "the guest's %s %s: %s", what,
			       path, err_reason(errno));
	*ret_fd = fd;
	return 0;
}

int be_vm_log_make(int dir, int *ret_fd, struct err *e)
{
	int fd = openat(dir, "console.log",
			O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "console.log", "making the guest's log");
	*ret_fd = fd;
	return 0;
}

int be_vm_console(struct rt_container *c, const char *socket, int *ret_terminal, struct err *e)
{
	const struct spec_process *p = &c->spec->process;
	auto_fd master = -1, to = -1;

	if (!p->terminal)
		return 0;
	int rc = be_vm_pty(p, &master, ret_terminal, e);
	if (rc >= 0 && socket)
		rc = rt_console_connect(socket, &to, e);
	if (rc >= 0 && socket)
		rc = fd_send(to, master, "/dev/pts/0", 10, e);
	if (rc >= 0 && !socket)
		c->proc.master = take_fd(&master);
	return rc < 0 ? err_wrap(e, rc, "the console") : 0;
}

/* The network namespace that the spec names; without a path one is made with the process. */
static int open_network(struct launch *l, struct err *e)
{
	const struct spec_namespace *ns = spec_find_ns(l->c->spec, SPEC_NS_NETWORK);

	if (!ns->path)
		return 0;
	l->parts.net = open(ns->path, O_RDONLY | O_CLOEXEC);
	if (l->parts.net < 0)
		return err_sys(e, errno, "/linux/namespaces", "opening the network namespace %s",
			       ns->path);
	return 0;
}

static int open_kernel(struct launch *l, struct err *e)
{
	struct be_vm_shape *s = &l->shape;
	int rc = open_file(s->kernel, "/vm/kernel/path", "kernel", &l->parts.kernel, e);

	if (rc >= 0 && s->initrd)
		rc = open_file(s->initrd, "/vm/kernel/initrd", "initrd", &l->parts.initrd, e);
	if (rc >= 0 && s->initrd)
		rc = be_vm_initrd_check(l->parts.initrd, e);
	if (rc >= 0)
		rc = be_vm_modules(l->c, s, l->parts.kernel, &l->parts.modules, e);
	return rc;
}

/* (3) */
static int listen_all(struct launch *l, struct err *e)
{
	const char *agent = l->saved ? "agent.sock" : "start.sock";
	struct be_vm_parts *p = &l->parts;
	int dir = l->c->dir, rc = rt_socket_listen(dir, agent, SOCK_STREAM, &p->agent, e);

	if (rc >= 0)
		rc = rt_socket_listen(dir, "files.sock", SOCK_SEQPACKET, &p->files, e);
	return rc < 0 ? rc : rt_socket_listen(dir, "machine.sock", SOCK_SEQPACKET, &p->control, e);
}

static int open_parts(struct launch *l, const struct rt_create *how, struct err *e)
{
	struct rt_container *c = l->c;
	int rc = vm_kvm_open(&l->parts.kvm, e);

	if (rc >= 0)
		rc = open_network(l, e);
	/* A machine that goes on has them in its memory. */
	if (rc >= 0 && !l->saved)
		rc = open_kernel(l, e);
	if (rc >= 0 && !l->saved)
		rc = open_file("/proc/self/exe", "", "agent", &l->parts.program, e);
	if (rc >= 0 && c->spec->vm.image_path)
		rc = be_vm_image_open(c, &l->parts.image, e);
	if (rc >= 0)
		rc = be_vm_shares_open(c, NULL, &l->parts.shares, e);
	if (rc >= 0)
		rc = be_vm_config(c, NULL, &l->parts.shares, &l->config, e);
	if (rc < 0)
		return rc;
	rc = listen_all(l, e);
	if (rc < 0)
		return rc;
	rc = be_vm_log_make(c->dir, &l->parts.log, e);
	return rc < 0 ? rc : be_vm_console(c, how->console_socket, &l->parts.terminal, e);
}

static void close_parts(struct launch *l)
{
	struct be_vm_parts *p = &l->parts;
	int *all[] = {&p->net,     &p->kvm,      &p->kernel,   &p->program, &p->agent,
		      &p->files,   &p->log,      &p->terminal, &p->sync,    &p->initrd,
		      &p->modules, &p->image.fd, &p->control};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		fd_cleanup(all[i]);
	be_vm_shares_close(&p->shares);
	strbuf_free(&l->config);
}

/* --- its process --- */

int be_vm_groups(struct rt_container *c, const struct spec *host, struct plan *p, struct err *e)
{
	if (c->env->no_cgroup)
		return 0;
	struct cg_want want = {.spec = host,
			       .id = c->id,
			       .driver =
				       c->env->systemd_cgroup ? CG_DRIVER_SYSTEMD : CG_DRIVER_FILES,
			       .user = c->rootless};
	bool own = c->rootless && !c->env->systemd_cgroup;
	int rc = own ? cg_group_delegated(c->arena, c->layout, &want, &c->group, e)
		     : cg_group_init(c->arena, c->layout, &want, &c->group, e);
	if (rc < 0)
		return rc;
	c->group->delegated_only = c->rootless;
	return cg_plan(p, c->group, host, e);
}

static int plan_groups(struct launch *l, struct err *e)
{
	struct spec *host = be_vm_host_spec(l->c, &l->shape, e);

	return host ? be_vm_groups(l->c, host, &l->plan, e) : -ENOMEM;
}

/* A plain user may not make a pid namespace: his machine has his pids around it, and what it may
 * signal is itself (microvm/seccomp.c). */
static pid_t clone_process(struct clone_args *args)
{
	pid_t pid = sys_clone3(args);

	if (pid >= 0 || errno != EPERM || !(args->flags & CLONE_NEWPID))
		return pid;
	args->flags &= ~(uint64_t)CLONE_NEWPID;
	return sys_clone3(args);
}

int be_vm_spawn(struct rt_container *c, uint64_t flags, void (*run)(void *arg, int sync), void *arg,
		struct err *e)
{
	int sync[2], pidfd = -1;
	char record[64];
	struct clone_args args = {
		.flags = CLONE_PIDFD | flags, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
	int rc = sync_pair(sync, e);

	if (rc < 0)
		return rc;
	pid_t pid = clone_process(&args);
	if (pid == 0) {
		close(sync[0]);
		run(arg, sync[1]);
	}
	close(sync[1]);
	if (pid < 0) {
		close(sync[0]);
		return err_sys(e, errno, NULL, "making the container's process");
	}
	int master = c->proc.master;
	c->proc = (struct rt_proc){
		.pid = pid, .pidfd = pidfd, .sync = sync[0], .master = master, .child = true};
	rc = proc_start_time(-1, pid, &c->doc.ticks, e);
	if (rc < 0)
		return rc;
	c->doc.pid = pid;
	snprintf(record, sizeof(record), "pid %d %llu", (int)pid, (unsigned long long)c->doc.ticks);
	return be_vm_note(c, record, e);
}

static void be_machine(void *arg, int sync)
{
	struct launch *l = arg;

	l->parts.sync = sync;
	be_vm_process(l->c, &l->parts, &l->plan, &l->env);
}

static int spawn(struct launch *l, struct err *e)
{
	uint64_t flags = CLONE_NEWPID | (l->parts.net < 0 ? CLONE_NEWNET : 0);
	int rc = be_vm_spawn(l->c, flags, be_machine, l, e);

	/* With our copies of them open a machine that ended would be waited for. */
	fd_close(&l->parts.agent);
	fd_close(&l->parts.files);
	fd_close(&l->parts.control);
	return rc;
}

static int attach(struct launch *l, struct err *e)
{
	l->cg.pid = l->c->proc.pid;
	return plan_run(&l->plan, PLAN_ATTACH, &l->env, e);
}

/* --- its network --- */

/* The filters outlive the machine only where the namespace does. */
static int note_redirect(struct launch *l, const char *card, int tap, struct err *e)
{
	const struct spec_namespace *net = spec_find_ns(l->c->spec, SPEC_NS_NETWORK);
	char record[PATH_MAX + 64];

	if (!net->path)
		return 0;
	snprintf(record, sizeof(record), "redirect %s %d %s", card, tap, net->path);
	return be_vm_note(l->c, record, e);
}

static int connect_card(struct launch *l, int ns, size_t i, struct err *e)
{
	const struct net_card *card = &l->cards.items[i];
	struct vm_net_how how = {.mac = NET_BLANK_MAC};
	struct net_tap tap;
	auto_fd fd = -1;
	int rc = net_tap_make(ns, card->mtu, &fd, &tap, e);

	/* A template's cards have no names yet: the agent gives them theirs, and MAC and MTU. */
	how.mac[5] = (uint8_t)i;
	if (rc >= 0)
		rc = note_redirect(l, card->name, tap.index, e);
	if (rc >= 0)
		rc = net_redirect(ns, card->name, &tap, e);
	return rc < 0 ? rc : fd_send(l->c->proc.sync, fd, &how, sizeof(how), e);
}

/* After the hooks, which may have made it; then the machine may go on. */
static int connect_network(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;
	char path[64];
	auto_fd own = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->proc.pid);
	if (l->parts.net < 0)
		own = open(path, O_RDONLY | O_CLOEXEC);
	int ns = l->parts.net >= 0 ? l->parts.net : own;
	if (ns < 0)
		return err_sys(e, errno, path, "opening the container's network namespace");
	int rc = net_describe(ns, c->arena, &l->cards, e);
	if (rc >= 0 && l->cards.n > BE_VM_CARDS)
		rc = err_set(e, ERR_UNSUPPORTED, E2BIG, "/linux/namespaces",
			     "a micro-VM has at most %u network cards, the namespace has %zu",
			     BE_VM_CARDS, l->cards.n);
	if (rc >= 0)
		rc = sync_send(c->proc.sync, SYNC_GO, (int64_t)l->cards.n, -1, e);
	for (size_t i = 0; rc >= 0 && i < l->cards.n; i++)
		rc = connect_card(l, ns, i, e);
	return rc;
}

/* Which machine fits is known when its cards are counted. */
static int send_template(struct launch *l, struct err *e)
{
	struct be_vm_template *t = &l->template;

	if (l->saved && l->saved->n_cards != l->cards.n)
		return err_set(e, ERR_SPEC, EINVAL, "/linux/namespaces",
			       "the machine was checkpointed with %zu network cards, the namespace "
			       "has %zu",
			       l->saved->n_cards, l->cards.n);
	if (l->saved)
		return sync_send(l->c->proc.sync, SYNC_GO, 1, l->saved->machine, e);
	l->shape.cards = (unsigned)l->cards.n;
	/* A kernel remembers what it read of its disk. */
	if (!l->c->spec->no_template && l->parts.image.fd < 0)
		be_vm_template_open(&l->shape, t);
	return sync_send(l->c->proc.sync, SYNC_GO, t->from >= 0, t->from >= 0 ? t->from : t->to, e);
}

int be_vm_hooks(struct rt_container *c, struct err *e)
{
	const struct spec_hooks *h = &c->spec->hooks;
	auto_strbuf state = {0};

	if (!h->prestart.n && !h->create_runtime.n && !h->create_container.n)
		return 0;
	const struct rt_hook_place host = rt_hook_host(c);
	rt_hook_state(c, RT_CREATING, c->proc.pid, &state);
	int rc = rt_hooks(&h->prestart, "prestart", &state, &host, e);
	if (rc >= 0)
		rc = rt_hooks(&h->create_runtime, "createRuntime", &state, &host, e);
	if (rc >= 0 && !c->restore) /* its root was prepared before the checkpoint */
		rc = rt_hooks(&h->create_container, "createContainer", &state, &host, e);
	return rc;
}

/* --- the container in it --- */

/* The guest's last line on its console: of a kernel that panicked, the reason. */
static void add_console(struct rt_container *c, struct err *e)
{
	char tail[512];
	auto_fd fd = openat(c->dir, "console.log", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t from = end > (off_t)sizeof(tail) - 1 ? end - (off_t)sizeof(tail) + 1 : 0;
	ssize_t n = fd < 0 ? 0 : pread(fd, tail, sizeof(tail) - 1, from);

	while (n > 0 && (tail[n - 1] == '\n' || tail[n - 1] == '\r'))
		n--;
	if (n <= 0)
		return;
	tail[n] = '\0';
	char *line = strrchr(tail, '\n');
	size_t len = strlen(e->text);
	snprintf(e->text + len, sizeof(e->text) - len, "; its console ends with: %s",
		 line ? line + 1 : tail);
}

/* A distribution's kernel without them dies in silence: its console would be one. */
static void add_modules(const struct launch *l, struct err *e)
{
	size_t len = strlen(e->text);

	if (l->shape.version && !l->shape.modules && !l->shape.initrd)
		snprintf(e->text + len, sizeof(e->text) - len,
			 "; this host has no modules for its kernel (/lib/modules/%s)",
			 l->shape.version);
}

/* Nobody's start hangs for ever because a kernel does. */
static int silent(const struct launch *l, struct err *e)
{
	err_set(e, ERR_SYSTEM, ETIMEDOUT, NULL, "micro-VM: the guest said nothing for %u seconds",
		l->patience);
	add_modules(l, e);
	add_console(l->c, e);
	return -ETIMEDOUT;
}

/* The type of what the machine says of its own accord, at once or within that time; 0: nothing. */
static uint32_t word(struct launch *l, int ms)
{
	struct pollfd p = {.fd = l->c->proc.sync, .events = POLLIN};
	struct err ignored;

	if (!l->word.type && p.fd >= 0 && poll(&p, 1, ms) == 1 &&
	    sync_recv(p.fd, &l->word, NULL, &ignored) <= 0)
		l->word.type = 0;
	return l->word.type;
}

static void warn_template(const struct launch *l)
{
	const struct rt_env *env = l->c->env;
	struct err w;

	if (!env->warn)
		return;
	err_set(&w, ERR_SYSTEM, EIO, NULL, "a template was no good, a machine boots instead: %s",
		l->word.err.text);
	env->warn(env->warn_arg, &w);
}

/* The machine was to go on from a template, couldn't, and another boots in its place. */
static bool boots_instead(struct launch *l, int ms)
{
	if (l->template.from < 0 || word(l, ms) != SYNC_AGAIN)
		return false;
	warn_template(l);
	l->word.type = 0;
	l->replaced = true;
	be_vm_template_close(&l->template, &l->shape, false);
	l->template = (struct be_vm_template)BE_VM_TEMPLATE_INIT;
	return true;
}

/* The agent's silence, which may be the echo of the machine's end; else its own word. */
static bool is_echo(const struct err *e)
{
	return e->kind != ERR_SPEC && e->kind != ERR_EXEC && e->kind != ERR_UNSUPPORTED;
}

/* A machine that ended says why. */
static int last_words(struct launch *l, int rc, struct err *e)
{
	if (!is_echo(e) || word(l, WORD_MS) != SYNC_ERROR)
		return rc;
	*e = l->word.err;
	add_modules(l, e);
	add_console(l->c, e);
	return -e->code;
}

static int ask_fresh(struct launch *l, struct be_vm_request *r, struct err *e)
{
	/* One from a template has its agent up; and should it only be slow, another one boots. */
	l->patience = l->template.from >= 0 ? BE_VM_PATIENCE_GO : BE_VM_PATIENCE_MAKE;
	r->fresh = true;
	r->patience = l->patience;
	return be_vm_ask(l->c, r, NULL, e);
}

/* A machine that comes from a template has its randomness, clock and name from the day that it was
 * made: before anything else happens in it, it gets its own. */
static int reseed(struct launch *l, struct err *e)
{
	auto_vm_request r;
	uint8_t bytes[64];
	char hex[2 * sizeof(bytes) + 1];
	struct timespec now;

	be_vm_request(&r, l->c, "reseed");
	if (l->template.from < 0 && !l->saved)
		return 0;
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return err_sys(e, errno, NULL, "getting randomness for the guest");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	clock_gettime(CLOCK_REALTIME, &now);
	json_put_u64(&r.o, "time_ns", (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec);
	json_put_str(&r.o, "entropy", hex);
	return ask_fresh(l, &r, e);
}

static int configure_network(struct launch *l, struct err *e)
{
	auto_vm_request r;

	be_vm_request(&r, l->c, "net");
	if (l->cards.n == 0)
		return 0;
	for (size_t i = 0; l->saved && i < l->cards.n; i++)
		memcpy(l->cards.items[i].was, l->saved->macs[i], 6);
	net_cards_put(&l->cards, &r.o);
	return ask_fresh(l, &r, e);
}

int be_vm_create_inside(struct rt_container *c, const char *config, struct err *e)
{
	auto_vm_request r;

	be_vm_request(&r, c, "create");
	json_put_str(&r.o, "config", config);
	json_put_bool(&r.o, "terminal", c->spec->process.terminal);
	/* Ours goes to a terminal of the caller's, or to a file. */
	json_put_bool(&r.o, "plain_newlines", c->proc.master >= 0);
	r.fresh = true;
	r.patience = BE_VM_PATIENCE_MAKE;
	return be_vm_ask(c, &r, NULL, e);
}

/* What the guest had open is there again; else the file server says why at `sync`. */
static int files_ready(struct rt_container *c, struct err *e)
{
	auto_fd conn = -1;
	int rc = rt_socket_connect(c->dir, "files.sock", SOCK_SEQPACKET, &conn, e);

	return rc < 0 ? rc : vm_fs_ready(conn, e);
}

/* The container is made, or thawed where it was when its machine was written down. */
static int create_or_thaw(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;
	auto_vm_request r;

	be_vm_request(&r, c, "resume");
	l->patience = BE_VM_PATIENCE_MAKE;
	if (!l->saved)
		return be_vm_create_inside(c, l->config.s, e);
	int rc = files_ready(c, e);
	if (rc >= 0 && c->born)
		rc = c->born(c, e);
	if (rc < 0)
		return rc;
	return ask_fresh(l, &r, e);
}

/* An answer may have been the other machine's already: it needs no randomness, and may be told of
 * its network twice. */
static int make_inside(struct launch *l, struct err *e)
{
	int rc = reseed(l, e);

	if (rc >= 0)
		(void)boots_instead(l, 0);
	do
		rc = rc < 0 ? rc : configure_network(l, e);
	while (rc >= 0 && boots_instead(l, 0));
	return rc < 0 ? rc : create_or_thaw(l, e);
}

/* The machine may have ended and been replaced in that moment: then its monitor does nothing. */
static bool gave_up(struct launch *l)
{
	struct err why;

	if (l->template.from < 0)
		return false;
	err_set(&why, ERR_SYSTEM, ETIMEDOUT, NULL, "the guest said nothing for %u seconds",
		l->patience);
	return sync_send_again(l->c->proc.sync, &why) >= 0 && boots_instead(l, GIVEN_UP_MS);
}

/* A template that leads to no container costs its time, and is removed. */
static int make_container(struct launch *l, struct err *e)
{
	int rc = make_inside(l, e);

	if (rc == -ETIME ? gave_up(l) : rc < 0 && is_echo(e) && boots_instead(l, WORD_MS))
		rc = make_inside(l, e);
	if (rc >= 0)
		return 0;
	return rc == -ETIME ? silent(l, e) : last_words(l, rc, e);
}

/* After it the machine's end is the container's. One from a template says when its monitor is
 * limited as any is: before that no program of the container runs. */
static int settle(struct launch *l, struct err *e)
{
	int rc = sync_send(l->c->proc.sync, SYNC_START, l->replaced, -1, e);

	if (rc < 0)
		return last_words(l, rc, e);
	if (l->template.from < 0)
		return 0;
	if (word(l, 1000 * BE_VM_PATIENCE_MAKE) == SYNC_READY)
		return 0;
	/* Between the last question and this: which machine heard it can't be told. */
	err_set(e, ERR_SYSTEM, EIO, NULL,
		"micro-VM: the machine ended while its container was made");
	return last_words(l, -e->code, e);
}

static int launch(struct launch *l, struct err *e)
{
	struct rt_container *c = l->c;
	int rc = rt_plan_prepare(c, &l->plan, &l->env, e);

	if (rc >= 0)
		rc = spawn(l, e);
	if (rc >= 0)
		rc = attach(l, e);
	if (rc >= 0)
		rc = be_vm_hooks(c, e);
	if (rc >= 0)
		rc = connect_network(l, e);
	if (rc >= 0)
		rc = send_template(l, e);
	rc = rc < 0 ? last_words(l, rc, e) : make_container(l, e);
	if (rc >= 0)
		rc = settle(l, e);
	if (rc >= 0 && c->one_shot)
		rc = c->born(c, e);
	return rc;
}

static int make(struct launch *l, const struct rt_create *how, struct err *e)
{
	struct rt_container *c = l->c;

	c->proc.master = -1;
	l->parts.shape = &l->shape;
	c->doc.machine_memory = l->shape.memory;
	c->doc.machine_vcpus = l->shape.vcpus;
	l->cg = (struct cg_run){.note = be_vm_note, .note_arg = c};
	l->env = (struct plan_env){
		.room = {[PLAN_CG] = &l->cg}, .journal = be_vm_note, .journal_arg = c};
	int rc = plan_groups(l, e);
	l->cg.group = c->group;
	if (rc >= 0)
		rc = open_parts(l, how, e);
	if (rc >= 0)
		rc = launch(l, e);
	/* A refusal of what was asked for says nothing against the machine. */
	be_vm_template_close(&l->template, &l->shape, rc >= 0 || !is_echo(e));
	close_parts(l);
	return rc;
}

int be_vm_create(struct rt_container *c, const struct rt_create *how, struct err *e)
{
	struct launch l = {.c = c,
			   .plan = {.arena = c->arena},
			   .parts = BE_VM_PARTS_INIT,
			   .template = BE_VM_TEMPLATE_INIT};
	int rc = be_vm_shape(c, &l.shape, e);

	return rc < 0 ? rc : make(&l, how, e);
}

int be_vm_restore(struct rt_container *c, const struct rt_create *create, const struct rt_criu *how,
		  struct err *e)
{
	struct be_vm_saved saved = {.machine = -1, .files = -1};
	struct launch l = {.c = c,
			   .plan = {.arena = c->arena},
			   .parts = BE_VM_PARTS_INIT,
			   .template = BE_VM_TEMPLATE_INIT,
			   .saved = &saved};
	int rc = be_vm_saved_open(c, how, &saved, e);

	if (rc >= 0) {
		if (!str_eq(saved.id, c->id))
			c->doc.inside = saved.id;
		l.shape = (struct be_vm_shape){.memory = saved.memory, .vcpus = saved.vcpus};
		l.parts.held = saved.files;
		rc = make(&l, create, e);
	}
	be_vm_saved_close(&saved);
	return rc;
}
