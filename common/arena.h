/* common/arena.h: memory that lives and dies together.
 *
 * A spec, a plan and their strings are allocated from one arena and freed in
 * one call; nothing in them is freed singly. Allocation failure returns NULL
 * with errno ENOMEM; memory is zeroed and aligned for any type.
 */
#ifndef RF_COMMON_ARENA_H
#define RF_COMMON_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct arena_block;
struct arena {
	struct arena_block *blocks;
	size_t total; /* bytes handed out, for limits and tests */
};

#define auto_arena __attribute__((cleanup(arena_free))) struct arena

/* Zeroed memory of `size` bytes owned by the arena, or NULL. */
void *arena_alloc(struct arena *a, size_t size);
/* As arena_alloc for n items, with overflow check. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* Copies of strings; NULL on failure or for a NULL argument. */
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Frees everything. Safe on a zeroed arena, and twice. */
void arena_free(struct arena *a);

#endif
