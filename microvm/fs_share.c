/* microvm/fs_share.c: the table of shares, and the socket over which some come and go while the
 * server runs: a pod's containers join its machine one after the other.
 *
 * Invariants
 *  1. The table changes only when no request runs (vm_fs.alone); its places don't move.
 *  2. A share that went leaves nothing: its files are closed and its nodes gone, so that the host
 *     can unmount what was shared. The guest finds ESTALE.
 *  3. Who asks here could open the files himself: the guest can't reach this socket, and a share's
 *     descriptor comes from its owner.
 *  4. One directory of a file system in memory is one share, however many containers bring it:
 *     memory that two of them map has to be the same pages in the guest.
 *  5. The tables are written down (fs_state.c) when no request runs.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/vfs.h>

#define PATIENCE_S 10 /* for a client of the control socket */

enum what { ADD = 1, REMOVE, SAVE, READY };

struct ask {
	uint32_t what;
	char owner[VM_SHARE_NAME], name[VM_SHARE_NAME];
	bool read_only;
};

struct reply {
	int32_t rc;
	char name[VM_SHARE_NAME]; /* that it has now */
	char why[200];            /* SAVE: what failed, in words */
};

/* --- the table --- */

static int check_name(const char *name, struct err *e)
{
	if (!memchr(name, 0, VM_SHARE_NAME) || !vm_fs_name_ok(name))
		return err_set(e, ERR_INTERNAL, EINVAL, "", "a share's name isn't one component");
	return 0;
}

static int add_root(struct vm_fs *fs, size_t i, struct err *e)
{
	struct statx stx;
	uint64_t id;
	int rc = vm_fs_stat(fs->shares[i].fd, &stx);
	int fd = rc < 0 ? -1 : fcntl(fs->shares[i].fd, F_DUPFD_CLOEXEC, 0);

	if (rc < 0 || fd < 0)
		return err_sys(e, rc < 0 ? -rc : errno, fs->shares[i].name, "can't be shared");
	struct vm_fs_key key = vm_fs_key_of(&stx, (unsigned)i);
	rc = vm_fs_node_add(fs, &key, stx.stx_mode, fd, NULL, "", &id);
	if (rc == 0)
		rc = vm_fs_node_get(fs, id, &fs->roots[i]); /* pinned as long as it is shared */
	return rc < 0 ? err_sys(e, -rc, fs->shares[i].name, "can't be shared") : 0;
}

static int find_name(const struct vm_fs *fs, const char *name)
{
	for (size_t i = 0; i < fs->n_shares; i++)
		if (fs->roots[i] && str_eq(fs->shares[i].name, name))
			return (int)i;
	return -ENOENT;
}

static size_t free_place(const struct vm_fs *fs)
{
	size_t i = 0;

	while (i < fs->n_shares && fs->roots[i])
		i++;
	return i;
}

/* The share's descriptor is the table's from here on, also when this fails. */
static int add(struct vm_fs *fs, const struct vm_share *s, size_t *ret_place, struct err *e)
{
	size_t i = free_place(fs);
	auto_fd fd = s->fd;
	int rc = check_name(s->name, e);

	if (rc < 0)
		return rc;
	if (find_name(fs, s->name) >= 0)
		return err_set(e, ERR_EXISTS, EEXIST, s->name, "is shared already");
	if (i == fs->max_shares)
		return err_set(e, ERR_SYSTEM, ENOSPC, s->name, "too many shares");
	fs->shares[i] = *s;
	rc = add_root(fs, i, e);
	if (rc < 0)
		return rc;
	if (i == fs->n_shares)
		fs->n_shares++;
	*ret_place = i;
	(void)take_fd(&fd);
	return 0;
}

/* (2) */
static void drop(struct vm_fs *fs, size_t i)
{
	vm_fs_handles_drop(fs, (unsigned)i);
	fs->roots[i] = NULL;
	vm_fs_nodes_drop(fs, (unsigned)i);
	fd_close(&fs->shares[i].fd);
}

int vm_fs_shares_init(struct vm_fs *fs, const struct vm_share *shares, size_t n, struct err *e)
{
	size_t ignored;
	int rc = 0;

	fs->max_shares = n + VM_FS_SHARES_MORE;
	fs->shares = calloc(fs->max_shares, sizeof(*fs->shares));
	fs->roots = calloc(fs->max_shares, sizeof(struct vm_fs_node *));
	fs->wanted = calloc(VM_FS_SHARES_MORE, sizeof(*fs->wanted));
	if (!fs->shares || !fs->roots || !fs->wanted)
		return err_sys(e, ENOMEM, "", "file server");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add(fs, &shares[i], &ignored, e);
	return rc;
}

void vm_fs_shares_free(struct vm_fs *fs)
{
	for (size_t i = 0; fs->roots && i < fs->n_shares; i++)
		if (fs->roots[i])
			fd_close(&fs->shares[i].fd);
	free(fs->shares);
	free(fs->roots);
	free(fs->wanted);
}

/* --- who wants what --- */

/* (4) */
static int find_same(const struct vm_fs *fs, const struct vm_share *s)
{
	struct statfs sfs;
	struct statx stx;

	if (fstatfs(s->fd, &sfs) < 0 || sfs.f_type != TMPFS_MAGIC || vm_fs_stat(s->fd, &stx) < 0)
		return -ENOENT;
	for (size_t i = 0; i < fs->n_shares; i++) {
		const struct vm_fs_node *r = fs->roots[i];

		if (r && r->key.ino == stx.stx_ino && r->key.major == stx.stx_dev_major &&
		    r->key.minor == stx.stx_dev_minor && fs->shares[i].read_only == s->read_only)
			return (int)i;
	}
	return -ENOENT;
}

static struct vm_fs_want *free_want(struct vm_fs *fs)
{
	for (size_t i = 0; i < VM_FS_SHARES_MORE; i++)
		if (!fs->wanted[i].owner[0])
			return &fs->wanted[i];
	return NULL;
}

/* Owns fd. */
static int want(struct vm_fs *fs, const struct ask *a, int fd, char *ret_name)
{
	struct vm_fs_want *w = free_want(fs);
	struct vm_share s = {.fd = fd, .read_only = a->read_only};
	auto_fd own = fd;
	size_t place;
	struct err e;

	if (fd < 0 || check_name(a->owner, &e) < 0 || check_name(a->name, &e) < 0)
		return -EINVAL;
	if (!w)
		return -ENOSPC;
	memcpy(s.name, a->name, sizeof(s.name));
	int same = find_same(fs, &s);
	int rc = same < 0 ? add(fs, &s, &place, &e) : 0;
	if (same < 0)
		(void)take_fd(&own);
	else
		place = (size_t)same;
	if (rc < 0)
		return rc;
	memcpy(w->owner, a->owner, sizeof(w->owner));
	w->share = place;
	memcpy(ret_name, fs->shares[place].name, VM_SHARE_NAME);
	return 0;
}

static bool is_wanted(const struct vm_fs *fs, size_t share)
{
	for (size_t i = 0; i < VM_FS_SHARES_MORE; i++)
		if (fs->wanted[i].owner[0] && fs->wanted[i].share == share)
			return true;
	return false;
}

static int leave(struct vm_fs *fs, const struct ask *a)
{
	struct err ignored;

	if (check_name(a->owner, &ignored) < 0)
		return -EINVAL;
	for (size_t i = 0; i < VM_FS_SHARES_MORE; i++) {
		struct vm_fs_want *w = &fs->wanted[i];

		if (!str_eq(w->owner, a->owner))
			continue;
		w->owner[0] = '\0';
		if (w->share >= fs->n_first && !is_wanted(fs, w->share))
			drop(fs, w->share);
	}
	return 0;
}

/* --- the socket --- */

static int save(struct vm_fs *fs, int fd, struct reply *r)
{
	auto_fd to = fd;
	struct err e;
	int rc = to < 0 ? -EINVAL : vm_fs_state_save(fs, to, &e);

	if (rc < 0 && to >= 0)
		snprintf(r->why, sizeof(r->why), "%.199s", e.text);
	return rc;
}

static int answer(struct vm_fs *fs, const struct ask *a, int *fd, struct reply *r)
{
	int rc = -EINVAL;

	pthread_rwlock_wrlock(&fs->alone);
	if (a->what == ADD)
		rc = want(fs, a, take_fd(fd), r->name);
	else if (a->what == REMOVE)
		rc = leave(fs, a);
	else if (a->what == SAVE)
		rc = save(fs, take_fd(fd), r);
	else if (a->what == READY)
		rc = 0;
	pthread_rwlock_unlock(&fs->alone);
	return rc;
}

static void serve_one(struct vm_fs *fs, int listen)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	auto_fd conn = accept4(listen, NULL, NULL, SOCK_CLOEXEC);
	struct err ignored;
	struct ask a;

	if (conn < 0)
		return;
	(void)setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (;;) {
		struct reply r = {0};
		auto_fd fd = -1;

		if (fd_recv(conn, &a, sizeof(a), &fd, &ignored) != (int)sizeof(a))
			return;
		r.rc = answer(fs, &a, &fd, &r);
		if (fd_send(conn, -1, &r, sizeof(r), &ignored) < 0)
			return;
	}
}

void vm_fs_control(struct vm_fs *fs, int listen)
{
	/* No events are asked of the requests' socket: that it is hung up is told anyway. */
	struct pollfd p[2] = {{.fd = fs->sock}, {.fd = listen, .events = POLLIN}};

	while (listen >= 0 && (poll(p, 2, -1) >= 0 || errno == EINTR) && !p[0].revents)
		if (p[1].revents)
			serve_one(fs, listen);
}

/* --- the other side --- */

static int call(int conn, const struct ask *a, int fd, struct reply *r, const char *what,
		struct err *e)
{
	auto_fd none = -1;
	int rc = fd_send(conn, fd, a, sizeof(*a), e);

	if (rc >= 0)
		rc = fd_recv(conn, r, sizeof(*r), &none, e);
	if (rc >= 0 && rc != (int)sizeof(*r))
		return err_set(e, ERR_SYSTEM, EPIPE, what, "the file server is gone");
	r->why[sizeof(r->why) - 1] = '\0';
	if (rc >= 0 && r->rc < 0 && r->why[0])
		return err_set(e, ERR_UNSUPPORTED, -r->rc, NULL, "%s", r->why);
	if (rc >= 0 && r->rc < 0)
		return err_sys(e, -r->rc, what, "sharing it with the machine");
	return rc < 0 ? rc : 0;
}

int vm_fs_ready(int conn, struct err *e)
{
	struct ask a = {.what = READY};
	struct reply r;

	return call(conn, &a, -1, &r, "files", e);
}

int vm_fs_save(int conn, int fd, struct err *e)
{
	struct ask a = {.what = SAVE};
	struct reply r;

	return call(conn, &a, fd, &r, "files", e);
}

int vm_fs_add(int conn, const char *owner, struct vm_share *s, struct err *e)
{
	struct ask a = {.what = ADD, .read_only = s->read_only};
	struct reply r;

	memcpy(a.name, s->name, sizeof(a.name));
	strncpy(a.owner, owner, sizeof(a.owner) - 1);
	int rc = call(conn, &a, s->fd, &r, s->name, e);
	if (rc >= 0)
		memcpy(s->name, r.name, sizeof(s->name));
	return rc;
}

int vm_fs_remove(int conn, const char *owner, struct err *e)
{
	struct ask a = {.what = REMOVE};
	struct reply r;

	strncpy(a.owner, owner, sizeof(a.owner) - 1);
	return call(conn, &a, -1, &r, owner, e);
}
