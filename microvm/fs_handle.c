/* microvm/fs_handle.c: the table of open files and directories.
 *
 * Invariants
 *  1. A handle belongs to the node it was opened on and is of one sort; asked for with another
 *     node or as another sort it is EBADF.
 *  2. A request that uses a handle holds a reference: a RELEASE beside it closes afterwards.
 */
#include "microvm/fs_int.h"

#include "common/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int vm_fs_handles_init(struct vm_fs *fs, uint32_t max)
{
	fs->handles = (struct vm_fs_handles){.max = max};
	pthread_mutex_init(&fs->handles.lock, NULL);
	return 0;
}

static int more_slots(struct vm_fs_handles *t)
{
	uint32_t n = t->n_slots ? t->n_slots * 2 : 64;
	struct vm_fs_handle **s = reallocarray(t->slots, n, sizeof(struct vm_fs_handle *));

	if (!s)
		return -ENOMEM;
	memset(s + t->n_slots, 0, (n - t->n_slots) * sizeof(struct vm_fs_handle *));
	t->slots = s;
	t->n_slots = n;
	return 0;
}

static int put_in(struct vm_fs_handles *t, struct vm_fs_handle *h)
{
	if (t->n >= t->max)
		return -ENFILE;
	if (t->n >= t->n_slots - t->n_slots / 4 && more_slots(t) < 0 && t->n >= t->n_slots)
		return -ENOMEM;
	uint32_t i = t->free_hint;
	while (t->slots[i % t->n_slots])
		i++;
	i %= t->n_slots;
	t->free_hint = i + 1;
	h->id = (uint64_t)++t->generation << 32 | i;
	t->slots[i] = h;
	t->n++;
	return 0;
}

int vm_fs_handle_add(struct vm_fs *fs, struct vm_fs_node *node, int fd, bool dir, uint64_t *ret_id)
{
	struct vm_fs_handle *h = malloc(sizeof(*h));
	int rc = -ENOMEM;

	if (h) {
		*h = (struct vm_fs_handle){.node = node, .fd = fd, .dir = dir, .refs = 1};
		pthread_mutex_lock(&fs->handles.lock);
		rc = put_in(&fs->handles, h);
		if (rc == 0)
			*ret_id = h->id;
		pthread_mutex_unlock(&fs->handles.lock);
	}
	if (rc < 0) {
		free(h);
		fd_close(&fd);
		return rc;
	}
	pthread_mutex_init(&h->lock, NULL);
	if (node)
		vm_fs_node_pin(fs, node);
	return 0;
}

static struct vm_fs_handle *by_id(struct vm_fs_handles *t, uint64_t id,
				  const struct vm_fs_node *node, bool dir)
{
	uint32_t slot = (uint32_t)id;
	struct vm_fs_handle *h = slot < t->n_slots ? t->slots[slot] : NULL;

	return h && h->id == id && h->node == node && h->dir == dir ? h : NULL;
}

int vm_fs_handle_get(struct vm_fs *fs, uint64_t id, const struct vm_fs_node *node, bool dir,
		     struct vm_fs_handle **ret)
{
	pthread_mutex_lock(&fs->handles.lock);
	struct vm_fs_handle *h = by_id(&fs->handles, id, node, dir);
	if (h) {
		h->refs++;
		*ret = h;
	}
	pthread_mutex_unlock(&fs->handles.lock);
	return h ? 0 : -EBADF;
}

void vm_fs_handle_put(struct vm_fs *fs, struct vm_fs_handle *h)
{
	pthread_mutex_lock(&fs->handles.lock);
	bool last = --h->refs == 0;
	pthread_mutex_unlock(&fs->handles.lock);
	if (!last)
		return;
	fd_close(&h->fd);
	vm_fs_node_put(fs, h->node);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

int vm_fs_handle_close(struct vm_fs *fs, uint64_t id, const struct vm_fs_node *node, bool dir)
{
	struct vm_fs_handles *t = &fs->handles;

	pthread_mutex_lock(&t->lock);
	struct vm_fs_handle *h = by_id(t, id, node, dir);
	if (h) {
		t->slots[(uint32_t)id] = NULL;
		t->n--;
	}
	pthread_mutex_unlock(&t->lock);
	if (!h)
		return -EBADF;
	vm_fs_handle_put(fs, h);
	return 0;
}

/* Nobody else runs. */
void vm_fs_handles_reset(struct vm_fs *fs)
{
	struct vm_fs_handles *t = &fs->handles;

	for (uint32_t i = 0; i < t->n_slots; i++) {
		struct vm_fs_handle *h = t->slots[i];

		t->slots[i] = NULL;
		if (h)
			vm_fs_handle_put(fs, h);
	}
	t->n = 0;
}

void vm_fs_handles_drop(struct vm_fs *fs, unsigned share)
{
	struct vm_fs_handles *t = &fs->handles;

	for (uint32_t i = 0; i < t->n_slots; i++) {
		struct vm_fs_handle *h = t->slots[i];

		if (!h || !h->node || h->node->key.share != share)
			continue;
		t->slots[i] = NULL;
		t->n--;
		vm_fs_handle_put(fs, h);
	}
}

void vm_fs_handles_free(struct vm_fs *fs)
{
	vm_fs_handles_reset(fs);
	free(fs->handles.slots);
	pthread_mutex_destroy(&fs->handles.lock);
}

int vm_fs_handle_bring(struct vm_fs *fs, uint64_t id, struct vm_fs_node *node, int fd, bool dir)
{
	struct vm_fs_handles *t = &fs->handles;
	uint32_t slot = (uint32_t)id, generation = t->generation;
	uint64_t ignored;

	if (slot >= 2 * t->max || (slot < t->n_slots && t->slots[slot])) {
		fd_close(&fd);
		return -EEXIST;
	}
	while (slot >= t->n_slots)
		if (more_slots(t) < 0) {
			fd_close(&fd);
			return -ENOMEM;
		}
	t->free_hint = slot;
	t->generation = (uint32_t)(id >> 32) - 1;
	int rc = vm_fs_handle_add(fs, node, fd, dir, &ignored);
	t->generation = generation;
	return rc;
}
