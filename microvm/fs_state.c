/* microvm/fs_state.c: the tables of nodes and handles as a file, and back: what the guest's kernel
 * holds of the shares across a checkpoint.
 *
 * Invariants
 *  1. A node comes back under its id, by its last known place; one that isn't there any more is
 *     ESTALE to the guest, as if it had been removed meanwhile, unless it was open: that is an
 * error.
 *  2. Parents stand before their children.
 *  3. The file was written by this program, but it lay about: what is read is checked as the
 *     client's messages are. Names are single components, and are opened as a lookup opens them.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x31305354414c4946ull /* "FILATS01" */
#define PIECE (1u << 20)            /* bytes that are held before they are written */
#define FILE_MAX_BYTES (1ull << 30)
#define DEPTH_MAX 4096u

struct head {
	uint64_t magic;
	uint32_t shares, nodes, handles, handle_generation;
	uint8_t ready, setxattr_ext, pad[6];
};

struct saved_node {
	uint64_t id, parent, nlookup; /* parent 0: the root of a share */
	uint32_t share, type;
	uint32_t name_len, pad;
};

struct saved_handle {
	uint64_t id, node; /* 0: the directory above the shares */
	uint32_t flags, dir;
};

/* "share/a/b" for people; what doesn't fit is left out in front. */
static void path_of(const struct vm_fs *fs, const struct vm_fs_node *n, char *buf, size_t size)
{
	size_t at = size - 1;

	buf[at] = '\0';
	for (; n; n = n->parent) {
		const char *name = n->parent ? n->name : fs->shares[n->key.share].name;
		size_t len = strlen(name);
		if (len + 1 > at)
			break;
		at -= len;
		memcpy(buf + at, name, len);
		if (n->parent)
			buf[--at] = '/';
	}
	memmove(buf, buf + at, size - at);
}

/* --- writing --- */

struct writer {
	struct vm_fs *fs;
	int fd;
	struct strbuf b;
	bool *done; /* by slot */
	uint32_t n;
	struct err *e;
};

static int flush(struct writer *w, size_t least)
{
	if (w->b.failed)
		return err_sys(w->e, ENOMEM, NULL, "writing down the open files");
	if (w->b.len < least)
		return 0;
	int rc = file_write_all(w->fd, w->b.s, w->b.len);
	w->b.len = 0;
	return rc < 0 ? err_sys(w->e, -rc, NULL, "writing down the open files") : 0;
}

static int put_node(struct writer *w, const struct vm_fs_node *n)
{
	struct saved_node s = {.id = n->id,
			       .parent = n->parent ? n->parent->id : 0,
			       .nlookup = n->nlookup,
			       .share = n->key.share,
			       .type = n->type,
			       .name_len = n->parent ? (uint32_t)strlen(n->name) : 0};

	w->done[(uint32_t)n->id] = true;
	w->n++;
	strbuf_add(&w->b, &s, sizeof(s));
	strbuf_add(&w->b, n->name, s.name_len);
	return flush(w, PIECE);
}

/* (2) */
static int put_chain(struct writer *w, const struct vm_fs_node *n)
{
	const struct vm_fs_node *chain[DEPTH_MAX];
	unsigned depth = 0;
	int rc = 0;

	for (; n && !w->done[(uint32_t)n->id] && depth < DEPTH_MAX; n = n->parent)
		chain[depth++] = n;
	while (rc == 0 && depth)
		rc = put_node(w, chain[--depth]);
	return rc;
}

static int put_nodes(struct writer *w)
{
	struct vm_fs_nodes *t = &w->fs->nodes;
	int rc = 0;

	w->done = calloc(t->n_slots, sizeof(*w->done));
	if (!w->done)
		return err_sys(w->e, ENOMEM, NULL, "writing down the open files");
	for (uint32_t i = 0; rc == 0 && i < t->n_slots; i++)
		if (t->slots[i] && !w->done[i])
			rc = put_chain(w, t->slots[i]);
	free(w->done);
	return rc;
}

/* An open file that can't be opened again by its name wouldn't come back. */
static int check_name(struct writer *w, const struct vm_fs_handle *h)
{
	struct vm_fs_node *parent = NULL;
	const struct vm_fs_node *n = h->node;
	struct statx stx;
	char path[160];

	if (!n->parent)
		return 0;
	int rc = vm_fs_node_get(w->fs, n->parent->id, &parent);
	if (rc == 0)
		rc = vm_fs_stat_child(parent->fd, n->name, &stx);
	vm_fs_node_put(w->fs, parent);
	if (rc == 0 && stx.stx_ino == n->key.ino && stx.stx_dev_major == n->key.major &&
	    stx.stx_dev_minor == n->key.minor)
		return 0;
	path_of(w->fs, n, path, sizeof(path));
	return err_set(w->e, ERR_UNSUPPORTED, EBUSY, NULL,
		       "the container has %s open, which is gone from its place", path);
}

static int put_handle(struct writer *w, const struct vm_fs_handle *h)
{
	int flags = h->fd < 0 ? 0 : fcntl(h->fd, F_GETFL);
	struct saved_handle s = {.id = h->id,
				 .node = h->node ? h->node->id : 0,
				 .flags = (uint32_t)flags,
				 .dir = h->dir};

	if (flags < 0)
		return err_sys(w->e, errno, NULL, "writing down the open files");
	int rc = h->node ? check_name(w, h) : 0;
	strbuf_add(&w->b, &s, sizeof(s));
	return rc < 0 ? rc : flush(w, PIECE);
}

static int put_handles(struct writer *w)
{
	const struct vm_fs_handles *t = &w->fs->handles;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < t->n_slots; i++)
		if (t->slots[i])
			rc = put_handle(w, t->slots[i]);
	return rc;
}

int vm_fs_state_save(struct vm_fs *fs, int fd, struct err *e)
{
	struct writer w = {.fs = fs, .fd = fd, .e = e};
	struct head h = {.magic = MAGIC,
			 .shares = (uint32_t)fs->n_shares,
			 .nodes = fs->nodes.n,
			 .handles = fs->handles.n,
			 .handle_generation = fs->handles.generation,
			 .ready = fs->ready,
			 .setxattr_ext = fs->setxattr_ext};

	strbuf_add(&w.b, &h, sizeof(h));
	for (size_t i = 0; i < fs->n_shares; i++)
		strbuf_add(&w.b, fs->shares[i].name, VM_SHARE_NAME);
	int rc = put_nodes(&w);
	if (rc == 0 && w.n != h.nodes)
		rc = err_set(e, ERR_UNSUPPORTED, ELOOP, NULL,
			     "a folder of the container is too deep");
	if (rc == 0)
		rc = put_handles(&w);
	if (rc == 0)
		rc = flush(&w, 0);
	strbuf_free(&w.b);
	return rc;
}

/* --- reading --- */

struct reader {
	struct vm_fs *fs;
	const char *at, *end;
	struct head h;
	unsigned *places; /* of the shares, by their number then */
	struct err *e;
};

static int damaged(struct reader *r)
{
	return err_set(r->e, ERR_SPEC, EINVAL, NULL, "the list of open files is damaged");
}

static bool take(struct reader *r, void *to, size_t len)
{
	if ((size_t)(r->end - r->at) < len)
		return false;
	memcpy(to, r->at, len);
	r->at += len;
	return true;
}

static int take_share(struct reader *r, unsigned i)
{
	char name[VM_SHARE_NAME];
	const struct vm_fs *fs = r->fs;

	if (!take(r, name, sizeof(name)) || !memchr(name, 0, sizeof(name)))
		return damaged(r);
	for (unsigned k = 0; k < fs->n_shares; k++)
		if (fs->roots[k] && str_eq(fs->shares[k].name, name)) {
			r->places[i] = k;
			return 0;
		}
	return err_set(r->e, ERR_SPEC, ENOENT, "/mounts",
		       "the container had more mounts from the host when it was checkpointed");
}

/* (1), (3) */
static int bring(struct reader *r, const struct saved_node *s, const char *name, unsigned share)
{
	struct vm_fs_node *parent = NULL;
	struct statx stx;
	int rc = vm_fs_node_get(r->fs, s->parent, &parent);
	auto_fd fd = rc < 0 ? -1 : vm_fs_open_child(parent->fd, name);

	if (rc == 0)
		rc = fd < 0 ? fd : vm_fs_stat(fd, &stx);
	if (rc == 0 && (parent->key.share != share || (stx.stx_mode & S_IFMT) != s->type))
		rc = -ESTALE;
	if (rc == 0) {
		struct vm_fs_key key = vm_fs_key_of(&stx, share);
		rc = vm_fs_node_bring(r->fs, s->id, &key, s->type, take_fd(&fd), parent, name,
				      s->nlookup);
	}
	vm_fs_node_put(r->fs, parent);
	if (rc == -ENOMEM)
		return err_sys(r->e, ENOMEM, NULL, "opening the container's files");
	return rc == -EEXIST ? damaged(r) : 0;
}

static int take_node(struct reader *r)
{
	char name[NAME_MAX + 1];
	struct saved_node s;

	if (!take(r, &s, sizeof(s)) || s.name_len > NAME_MAX || s.share >= r->h.shares || !s.id ||
	    !take(r, name, s.name_len))
		return damaged(r);
	name[s.name_len] = '\0';
	unsigned share = r->places[s.share];
	if (s.parent)
		return vm_fs_name_ok(name) ? bring(r, &s, name, share) : damaged(r);
	int rc = vm_fs_node_renumber(r->fs, r->fs->roots[share], s.id);
	return rc < 0 ? damaged(r) : 0;
}

static int take_handle(struct reader *r)
{
	struct vm_fs_node *n = NULL;
	struct saved_handle s;
	int fd = -1;

	if (!take(r, &s, sizeof(s)) || (!s.node && !s.dir))
		return damaged(r);
	int rc = s.node ? vm_fs_node_get(r->fs, s.node, &n) : 0;
	if (rc == 0 && s.node)
		rc = fd = vm_fs_open_node(
			r->fs, n, (int)s.flags & (O_ACCMODE | O_APPEND | O_DIRECT | O_SYNC));
	if (rc >= 0)
		rc = vm_fs_handle_bring(r->fs, s.id, n, fd, s.dir);
	vm_fs_node_put(r->fs, n);
	return rc < 0 ? err_sys(r->e, -rc, NULL, "opening again a file that the container had open")
		      : 0;
}

static int take_all(struct reader *r)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < r->h.shares; i++)
		rc = take_share(r, i);
	for (unsigned i = 0; rc == 0 && i < r->h.nodes; i++)
		rc = take_node(r);
	r->fs->handles.generation = r->h.handle_generation;
	for (unsigned i = 0; rc == 0 && i < r->h.handles; i++)
		rc = take_handle(r);
	if (rc == 0 && r->at != r->end)
		rc = damaged(r);
	r->fs->ready = r->h.ready;
	r->fs->setxattr_ext = r->h.setxattr_ext;
	return rc;
}

int vm_fs_state_load(struct vm_fs *fs, int fd, struct err *e)
{
	struct reader r = {.fs = fs, .e = e};
	auto_str text = NULL;
	size_t len = 0;
	int rc = file_read_fd(fd, "the list of open files", FILE_MAX_BYTES, &text, &len, e);

	if (rc < 0)
		return rc;
	r.at = text;
	r.end = text + len;
	if (!take(&r, &r.h, sizeof(r.h)) || r.h.magic != MAGIC || r.h.shares > fs->max_shares)
		return damaged(&r);
	r.places = calloc(r.h.shares + 1, sizeof(*r.places));
	if (!r.places)
		return err_sys(e, ENOMEM, NULL, "opening the container's files");
	rc = take_all(&r);
	free(r.places);
	return rc;
}
