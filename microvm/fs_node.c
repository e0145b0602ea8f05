/* microvm/fs_node.c: the table of nodes: node id ↔ inode ↔ O_PATH descriptor.
 *
 * Invariants
 *  1. The lock protects every field of the table and of its nodes. System calls that may wait for
 *     a disk run without it; a pinned node's fd, key, type and id don't change.
 *  2. A node goes when the client holds no lookup, nobody has pinned it and no other node names it
 *     as its parent.
 *  3. At most awake_max nodes hold a descriptor, unless all of them are pinned.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX (1u << 21) /* some 400 MB of this process at most */
#define DEPTH_MAX 4096u      /* of a sleeping node below one that is awake */

/* murmur's finaliser: spreads inode numbers over the buckets. */
static uint32_t hash_of(const struct vm_fs_key *k)
{
	uint64_t x = k->ino ^ (k->mnt << 40) ^ ((uint64_t)k->minor << 32) ^ k->share;

	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
	return (uint32_t)(x ^ (x >> 33));
}

static bool key_eq(const struct vm_fs_key *a, const struct vm_fs_key *b)
{
	return a->ino == b->ino && a->mnt == b->mnt && a->major == b->major &&
	       a->minor == b->minor && a->share == b->share;
}

int vm_fs_nodes_init(struct vm_fs *fs, uint32_t awake_max)
{
	struct vm_fs_nodes *t = &fs->nodes;

	*t = (struct vm_fs_nodes){.awake_max = awake_max, .max = NODES_MAX};
	pthread_mutex_init(&t->lock, NULL);
	t->n_buckets = 1024;
	t->buckets = calloc(t->n_buckets, sizeof(struct vm_fs_node *));
	return t->buckets ? 0 : -ENOMEM;
}

static void free_node(struct vm_fs_nodes *t, struct vm_fs_node *n)
{
	if (n->fd >= 0)
		t->awake--;
	fd_close(&n->fd);
	free(n->name);
	free(n);
	t->n--;
}

void vm_fs_nodes_free(struct vm_fs *fs)
{
	struct vm_fs_nodes *t = &fs->nodes;

	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			free_node(t, t->slots[i]);
	free(t->slots);
	free(t->generations);
	free(t->buckets);
	pthread_mutex_destroy(&t->lock);
}

static struct vm_fs_node *find(struct vm_fs_nodes *t, const struct vm_fs_key *key)
{
	struct vm_fs_node *n = t->buckets[hash_of(key) & (t->n_buckets - 1)];

	while (n && !key_eq(&n->key, key))
		n = n->next;
	return n;
}

static void hash_in(struct vm_fs_nodes *t, struct vm_fs_node *n)
{
	struct vm_fs_node **b = &t->buckets[hash_of(&n->key) & (t->n_buckets - 1)];

	n->next = *b;
	*b = n;
}

static void hash_out(struct vm_fs_nodes *t, struct vm_fs_node *n)
{
	struct vm_fs_node **at = &t->buckets[hash_of(&n->key) & (t->n_buckets - 1)];

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
}

/* Twice the buckets when there are more nodes than those. Without memory the chains grow. */
static void spread(struct vm_fs_nodes *t)
{
	if (t->n < t->n_buckets)
		return;
	struct vm_fs_node **more = calloc((size_t)t->n_buckets * 2, sizeof(struct vm_fs_node *));

	if (!more)
		return;
	free(t->buckets);
	t->buckets = more;
	t->n_buckets *= 2;
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			hash_in(t, t->slots[i]);
}

/* While a node sleeps its inode may go, and the number be given to another: if the types differ
 * that is sure, and the old node is out of the table of inodes for good. */
static struct vm_fs_node *find_typed(struct vm_fs_nodes *t, const struct vm_fs_key *key,
				     mode_t type)
{
	struct vm_fs_node *n = find(t, key);

	if (!n || n->type == (type & S_IFMT) || n->fd >= 0 || n->pins)
		return n;
	hash_out(t, n);
	n->key.ino = n->id;
	n->key.mnt = UINT64_MAX;
	hash_in(t, n);
	return NULL;
}

static int more_slots(struct vm_fs_nodes *t)
{
	uint32_t n = t->n_slots ? t->n_slots * 2 : 256;
	struct vm_fs_node **s = reallocarray(t->slots, n, sizeof(struct vm_fs_node *));

	if (!s)
		return -ENOMEM;
	t->slots = s;
	uint32_t *g = reallocarray(t->generations, n, sizeof(*g));
	if (!g)
		return -ENOMEM;
	t->generations = g;
	memset(s + t->n_slots, 0, (n - t->n_slots) * sizeof(struct vm_fs_node *));
	memset(g + t->n_slots, 0, (n - t->n_slots) * sizeof(*g));
	t->n_slots = n;
	return 0;
}

/* A free slot; the hint makes a fresh table quick, a full one is doubled before a search. */
static int free_slot(struct vm_fs_nodes *t, uint32_t *ret)
{
	if (t->n >= t->max)
		return -ENOMEM;
	if (t->n >= t->n_slots - t->n_slots / 4 && more_slots(t) < 0 && t->n >= t->n_slots)
		return -ENOMEM;
	uint32_t i = t->free_hint;
	while (t->slots[i % t->n_slots])
		i++;
	*ret = i % t->n_slots;
	t->free_hint = *ret + 1;
	return 0;
}

static bool droppable(const struct vm_fs_node *n)
{
	return n->parent && n->nlookup == 0 && n->pins == 0 && n->children == 0;
}

/* Takes the node out if nothing holds it, and its parents as far as that frees them. */
static void drop(struct vm_fs_nodes *t, struct vm_fs_node *n)
{
	struct vm_fs_node *parent;

	for (; n && droppable(n); n = parent) {
		parent = n->parent;
		hash_out(t, n);
		t->slots[(uint32_t)n->id] = NULL;
		free_node(t, n);
		parent->children--;
	}
}

/* Where the inode is now. Without memory for the name the old place stays: a sleeping node that
 * isn't there any more is ESTALE. */
static void place(struct vm_fs_nodes *t, struct vm_fs_node *n, struct vm_fs_node *parent,
		  const char *name)
{
	if (!n->parent || n == parent || (n->parent == parent && strcmp(n->name, name) == 0))
		return;
	/* A share that changes beneath us can show a directory below itself: no circles. */
	for (const struct vm_fs_node *p = parent; p; p = p->parent)
		if (p == n)
			return;
	char *copy = strdup(name);
	if (!copy)
		return;
	free(n->name);
	n->name = copy;
	struct vm_fs_node *old = n->parent;
	parent->children++;
	n->parent = parent;
	old->children--;
	drop(t, old);
}

/* Closes the descriptors of nodes that nobody used lately, until there is room for one more.
 * An inode without a name couldn't be opened again. */
static void make_room(struct vm_fs_nodes *t)
{
	uint32_t steps = t->n_slots < 4096 ? 2 * t->n_slots : 8192;

	for (; t->awake >= t->awake_max && steps; steps--) {
		struct vm_fs_node *n = t->slots[t->hand++ % t->n_slots];
		struct statx stx;

		if (!n || n->fd < 0 || n->pins || !n->parent)
			continue;
		if (n->used || vm_fs_stat(n->fd, &stx) < 0 || stx.stx_nlink == 0) {
			n->used = false;
			continue;
		}
		fd_close(&n->fd);
		t->awake--;
	}
}

static void gets_fd(struct vm_fs_nodes *t, struct vm_fs_node *n, int fd)
{
	if (t->awake >= t->awake_max)
		make_room(t);
	n->fd = fd;
	t->awake++;
}

/* With the lock held. The slot is free. */
static int insert_at(struct vm_fs_nodes *t, uint32_t slot, const struct vm_fs_key *key, mode_t type,
		     int *fd, struct vm_fs_node *parent, const char *name, struct vm_fs_node **ret)
{
	struct vm_fs_node *n = calloc(1, sizeof(*n));
	char *copy = strdup(name);

	if (!n || !copy) {
		free(n);
		free(copy);
		return -ENOMEM;
	}
	*n = (struct vm_fs_node){.id = (uint64_t)++t->generations[slot] << 32 | slot,
				 .key = *key,
				 .type = type & S_IFMT,
				 .fd = -1,
				 .used = true,
				 .parent = parent,
				 .name = copy};
	t->slots[slot] = n;
	t->n++;
	gets_fd(t, n, take_fd(fd));
	if (parent)
		parent->children++;
	hash_in(t, n);
	spread(t);
	*ret = n;
	return 0;
}

static int insert(struct vm_fs_nodes *t, const struct vm_fs_key *key, mode_t type, int *fd,
		  struct vm_fs_node *parent, const char *name, struct vm_fs_node **ret)
{
	uint32_t slot;

	if (free_slot(t, &slot) < 0)
		return -ENOMEM;
	return insert_at(t, slot, key, type, fd, parent, name, ret);
}

int vm_fs_node_add(struct vm_fs *fs, const struct vm_fs_key *key, mode_t type, int fd,
		   struct vm_fs_node *parent, const char *name, uint64_t *ret_id)
{
	struct vm_fs_nodes *t = &fs->nodes;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	struct vm_fs_node *n = find_typed(t, key, type);
	if (!n)
		rc = insert(t, key, type, &fd, parent, name, &n);
	else if (n->fd < 0)
		gets_fd(t, n, take_fd(&fd)); /* it was asleep, and here it is */
	if (rc == 0) {
		place(t, n, parent, name);
		n->used = true;
		n->nlookup++;
		*ret_id = n->id;
	}
	pthread_mutex_unlock(&t->lock);
	fd_close(&fd);
	return rc;
}

uint64_t vm_fs_node_find(struct vm_fs *fs, const struct vm_fs_key *key, mode_t type,
			 struct vm_fs_node *parent, const char *name)
{
	struct vm_fs_nodes *t = &fs->nodes;
	uint64_t id = 0;

	pthread_mutex_lock(&t->lock);
	struct vm_fs_node *n = find_typed(t, key, type);
	if (n) {
		place(t, n, parent, name);
		n->used = true;
		n->nlookup++;
		id = n->id;
	}
	pthread_mutex_unlock(&t->lock);
	return id;
}

void vm_fs_node_moved(struct vm_fs *fs, const struct vm_fs_key *key, struct vm_fs_node *parent,
		      const char *name)
{
	struct vm_fs_nodes *t = &fs->nodes;

	pthread_mutex_lock(&t->lock);
	struct vm_fs_node *n = find(t, key);
	if (n)
		place(t, n, parent, name);
	pthread_mutex_unlock(&t->lock);
}

static struct vm_fs_node *by_id(struct vm_fs_nodes *t, uint64_t id)
{
	uint32_t slot = (uint32_t)id;
	struct vm_fs_node *n = slot < t->n_slots ? t->slots[slot] : NULL;

	return n && n->id == id ? n : NULL;
}

void vm_fs_node_pin(struct vm_fs *fs, struct vm_fs_node *n)
{
	pthread_mutex_lock(&fs->nodes.lock);
	n->pins++;
	pthread_mutex_unlock(&fs->nodes.lock);
}

void vm_fs_node_put(struct vm_fs *fs, struct vm_fs_node *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&fs->nodes.lock);
	n->pins--;
	drop(&fs->nodes, n);
	pthread_mutex_unlock(&fs->nodes.lock);
}

void vm_fs_node_forget(struct vm_fs *fs, uint64_t id, uint64_t n)
{
	struct vm_fs_nodes *t = &fs->nodes;

	pthread_mutex_lock(&t->lock);
	struct vm_fs_node *node = by_id(t, id);
	if (node) {
		node->nlookup -= n < node->nlookup ? n : node->nlookup;
		drop(t, node);
	}
	pthread_mutex_unlock(&t->lock);
}

/* Opens a pinned, sleeping node beneath its parent, which is awake and pinned. */
static int wake_one(struct vm_fs *fs, struct vm_fs_node *n, struct vm_fs_node *parent)
{
	struct vm_fs_nodes *t = &fs->nodes;
	struct statx stx;

	pthread_mutex_lock(&t->lock);
	auto_str name = n->parent == parent ? strdup(n->name) : NULL;
	pthread_mutex_unlock(&t->lock);
	if (!name)
		return -ESTALE;
	auto_fd fd = vm_fs_open_child(parent->fd, name);
	if (fd < 0)
		return fd == -ENOMEM ? fd : -ESTALE;
	int rc = vm_fs_stat(fd, &stx);
	if (rc < 0)
		return rc;
	struct vm_fs_key key = vm_fs_key_of(&stx, n->key.share);
	if (!key_eq(&key, &n->key) || (stx.stx_mode & S_IFMT) != n->type)
		return -ESTALE;
	pthread_mutex_lock(&t->lock);
	if (n->fd < 0)
		gets_fd(t, n, take_fd(&fd));
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* Pins the sleeping nodes from n upwards and the first that is awake: how many, topmost last. */
static unsigned pin_chain(struct vm_fs_nodes *t, struct vm_fs_node *n, struct vm_fs_node **chain)
{
	unsigned depth = 0;

	pthread_mutex_lock(&t->lock);
	while (n && depth < DEPTH_MAX) {
		n->pins++;
		chain[depth++] = n;
		if (n->fd >= 0)
			break;
		n = n->parent;
	}
	pthread_mutex_unlock(&t->lock);
	return depth;
}

static int wake(struct vm_fs *fs, struct vm_fs_node *n)
{
	struct vm_fs_node **chain = calloc(DEPTH_MAX, sizeof(struct vm_fs_node *));

	if (!chain)
		return -ENOMEM;
	unsigned depth = pin_chain(&fs->nodes, n, chain);
	int rc = chain[depth - 1]->fd >= 0 ? 0 : -ESTALE;
	for (unsigned i = depth - 1; i-- > 0 && rc == 0;)
		rc = wake_one(fs, chain[i], chain[i + 1]);
	for (unsigned i = 0; i < depth; i++)
		vm_fs_node_put(fs, chain[i]);
	free(chain);
	return rc;
}

int vm_fs_node_get(struct vm_fs *fs, uint64_t id, struct vm_fs_node **ret)
{
	struct vm_fs_nodes *t = &fs->nodes;

	pthread_mutex_lock(&t->lock);
	struct vm_fs_node *n = by_id(t, id);
	if (n) {
		n->pins++;
		n->used = true;
	}
	bool asleep = n && n->fd < 0;
	pthread_mutex_unlock(&t->lock);
	if (!n)
		return -ESTALE;
	int rc = asleep ? wake(fs, n) : 0;
	if (rc < 0)
		vm_fs_node_put(fs, n);
	else
		*ret = n;
	return rc;
}

void vm_fs_nodes_reset(struct vm_fs *fs)
{
	struct vm_fs_nodes *t = &fs->nodes;

	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			t->slots[i]->nlookup = 0;
	/* Leaves go with the parents that they free; a slot is empty or held by a child below. */
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			drop(t, t->slots[i]);
	pthread_mutex_unlock(&t->lock);
}

/* A node's parents are of its own share: all of them go. */
void vm_fs_nodes_drop(struct vm_fs *fs, unsigned share)
{
	struct vm_fs_nodes *t = &fs->nodes;

	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < t->n_slots; i++) {
		struct vm_fs_node *n = t->slots[i];

		if (!n || n->key.share != share)
			continue;
		hash_out(t, n);
		t->slots[i] = NULL;
		free_node(t, n);
	}
	pthread_mutex_unlock(&t->lock);
}

/* --- after a restore --- */

static int make_slot(struct vm_fs_nodes *t, uint64_t id)
{
	uint32_t slot = (uint32_t)id;

	if (slot >= 2 * t->max || id >> 32 == 0)
		return -EEXIST;
	while (slot >= t->n_slots)
		if (more_slots(t) < 0)
			return -ENOMEM;
	return 0;
}

int vm_fs_node_renumber(struct vm_fs *fs, struct vm_fs_node *root, uint64_t id)
{
	struct vm_fs_nodes *t = &fs->nodes;
	uint32_t from = (uint32_t)root->id, to = (uint32_t)id;
	int rc = make_slot(t, id);

	if (rc < 0)
		return rc;
	struct vm_fs_node *other = t->slots[to];
	if (other && other != root && other->parent)
		return -EEXIST;
	t->slots[from] = NULL;
	if (other && other != root) { /* another root, whose turn comes */
		t->slots[from] = other;
		other->id = (uint64_t)t->generations[from] << 32 | from;
	}
	t->slots[to] = root;
	t->generations[to] = (uint32_t)(id >> 32);
	root->id = id;
	return 0;
}

/* Two names of one inode that were two inodes then: the second is known by its id alone. */
static struct vm_fs_key own_key(struct vm_fs_nodes *t, const struct vm_fs_key *key, uint64_t id)
{
	struct vm_fs_key own = *key;

	if (find(t, key)) {
		own.ino = id;
		own.mnt = UINT64_MAX;
	}
	return own;
}

int vm_fs_node_bring(struct vm_fs *fs, uint64_t id, const struct vm_fs_key *key, mode_t type,
		     int fd, struct vm_fs_node *parent, const char *name, uint64_t nlookup)
{
	struct vm_fs_nodes *t = &fs->nodes;
	uint32_t slot = (uint32_t)id;
	struct vm_fs_node *n;

	pthread_mutex_lock(&t->lock);
	int rc = make_slot(t, id);
	if (rc == 0 && t->slots[slot])
		rc = -EEXIST;
	if (rc == 0) {
		struct vm_fs_key own = own_key(t, key, id);
		t->generations[slot] = (uint32_t)(id >> 32) - 1;
		rc = insert_at(t, slot, &own, type, &fd, parent, name, &n);
	}
	if (rc == 0)
		n->nlookup = nlookup;
	pthread_mutex_unlock(&t->lock);
	fd_close(&fd);
	return rc;
}
