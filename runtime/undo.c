/* runtime/undo.c: undoes a journal, the last record first. Every kind is one line of the table;
 * each is idempotent and succeeds when its effect isn't there. A failure doesn't keep the older
 * records from being undone; the first one is returned, and the journal stays for another try. */
#include "cgroups/resctrl.h"
#include "common/sync.h"
#include "net/card.h"
#include "net/device.h"
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int undo_pid(struct rt_container *c, const char *arg, struct err *e)
{
	auto_fd fd = -1;
	unsigned long long ticks;
	int pid;

	if (sscanf(arg, "%d %llu", &pid, &ticks) != 2)
		return err_set(e, ERR_INTERNAL, EINVAL, "journal", "damaged record \"pid %s\"",
			       arg);
	/* Our own child was ended by its descriptor before. */
	if (c->proc.child && c->proc.pid == pid)
		return 0;
	int rc = rt_pidfd(pid, ticks, &fd, e);
	if (rc == -ESRCH)
		return 0;
	return rc < 0 ? rc : rt_end(fd, true, e);
}

static int undo_cgroup(struct rt_container *c, const char *arg, struct err *e)
{
	/* Made in this process: the hierarchies are known. */
	if (c->group && str_eq(c->group->path, arg))
		return cg_remove(c->group, e);
	return cg_undo(c->arena, arg, e);
}

static int undo_unit(struct rt_container *c, const char *arg, struct err *e)
{
	return cg_undo_unit(c->arena, arg, e);
}

/* Between the clone and the record of its pid a runtime can be killed, and the process wait at the
 * socket, with no name in the journal. It takes anything but START for an end. */
static int undo_socket(struct rt_container *c, const char *arg, struct err *e)
{
	auto_fd sock = -1;
	struct err why = {0}, ignored;
	struct sync_msg m;
	int rc = rt_socket_connect(c->dir, arg, SOCK_SEQPACKET, &sock, e);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return 0;
	if (rc < 0)
		return rc;
	err_set(&why, ERR_STATE, ECANCELED, NULL, "deleted before its start");
	if (sync_send_error(sock, &why) == 0)
		while (sync_recv(sock, &m, NULL, &ignored) > 0)
			continue;
	return 0;
}

/* Only a create that failed takes a device back: of a container that was made its namespace's owner
 * disposes. */
static int undo_netdev(struct rt_container *c, const char *arg, struct err *e)
{
	return c->netns >= 0 || !c->has_doc ? net_device_undo(arg, c->netns, e) : 0;
}

static int undo_resctrl(struct rt_container *c, const char *arg, struct err *e)
{
	return cg_resctrl_undo(arg, c->id, c->doc.pid, e);
}

/* "CARD TAP PATH": the filters that led the card's frames to a micro-VM's tap of that index; the
 * namespace may live on. */
static int undo_redirect(struct rt_container *c, const char *arg, struct err *e)
{
	char card[NET_NAME_SIZE];
	int tap, path = 0;

	(void)c;
	if (sscanf(arg, "%15s %d %n", card, &tap, &path) != 2 || path == 0)
		return err_set(e, ERR_INTERNAL, EINVAL, "journal", "damaged record \"redirect %s\"",
			       arg);
	auto_fd ns = open(arg + path, O_RDONLY | O_CLOEXEC);
	return ns < 0 ? 0 : net_redirect_undo(ns, card, tap, e);
}

static const struct {
	const char *kind;
	int (*undo)(struct rt_container *c, const char *arg, struct err *e);
} kinds[] = {
	{"pid", undo_pid},           {"cgroup", undo_cgroup},  {"netdev", undo_netdev},
	{"unit", undo_unit},         {"socket", undo_socket},  {"resctrl", undo_resctrl},
	{"redirect", undo_redirect}, {"joined", be_vm_unjoin},
};

static int undo_one(struct rt_container *c, const struct st_record *r, struct err *e)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, r->kind) == 0)
			return kinds[i].undo(c, r->arg, e);
	return err_set(e, ERR_INTERNAL, EINVAL, "journal", "unknown record \"%s\"", r->kind);
}

int rt_undo(struct rt_container *c, struct err *e)
{
	struct st_record *r;
	struct err later;
	size_t n;
	int first = st_journal_read(c->dir, c->journal.said, c->arena, &r, &n, e);
	bool pid_known = false;

	if (first < 0)
		return first;
	for (size_t i = 0; i < n; i++)
		pid_known = pid_known || strcmp(r[i].kind, "pid") == 0;
	for (size_t i = 0; i < n; i++) {
		/* Once the pid is known the socket says nothing that it doesn't. */
		if (pid_known && strcmp(r[i].kind, "socket") == 0)
			continue;
		int rc = undo_one(c, &r[i], first < 0 ? &later : e);
		if (rc < 0 && first == 0)
			first = rc;
	}
	return first;
}
