/* common/arena.c: see arena.h. */
#include "common/arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (32 * 1024)

struct arena_block {
	struct arena_block *next;
	size_t used, cap;
	alignas(16) unsigned char data[];
};

static struct arena_block *block_new(size_t cap)
{
	struct arena_block *b = calloc(1, sizeof(*b) + cap);

	if (b)
		b->cap = cap;
	return b;
}

/* The block with room for `size`: the newest, or a new one. An oversized request gets a block of
 * its own behind the newest, so that the newest goes on being filled. */
static struct arena_block *block_for(struct arena *a, size_t size)
{
	struct arena_block *top = a->blocks, *b;

	if (top && top->cap - top->used >= size)
		return top;
	b = block_new(size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES);
	if (!b)
		return NULL;
	if (top && b->cap == size) {
		b->next = top->next;
		top->next = b;
	} else {
		b->next = top;
		a->blocks = b;
	}
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	size = (size + 15) & ~(size_t)15;
	struct arena_block *b = block_for(a, size);
	if (!b)
		return NULL;
	void *p = b->data + b->used;
	b->used += size;
	a->total += size;
	return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return arena_alloc(a, bytes);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	/* n + 1 bytes even when s ends before n: callers may go on to use all n. */
	char *copy = s && n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

	return copy ? memcpy(copy, s, strnlen(s, n)) : NULL;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	char *copy = arena_strndup(a, s, (size_t)n);
	free(s);
	return copy;
}

void arena_free(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;
		a->blocks = b->next;
		free(b);
	}
	a->total = 0;
}
