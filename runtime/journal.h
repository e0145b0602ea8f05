/* runtime/journal.h: outside effects, noted before they are made.
 *
 * A line is "kind argument\n". Undoing reads the lines backwards; every kind's undo is
 * idempotent, so a journal may be undone again from the start after a crash.
 *
 * Invariants
 *  1. A record is in the file before its effect exists.
 *  2. A torn last line (the writer was killed) is no record: its effect was not begun.
 *  3. No record holds a newline; one that would is refused.
 */
#ifndef RF_RUNTIME_JOURNAL_H
#define RF_RUNTIME_JOURNAL_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

#include <stddef.h>

struct st_journal {
	int dir;             /* borrowed */
	int fd;              /* opened by the first append, -1 */
	struct strbuf *said; /* begun by this process: what it appended, else NULL; borrowed */
};

struct st_record {
	const char *kind, *arg;
};

void st_journal_init(struct st_journal *j, int dir);
void st_journal_close(struct st_journal *j);
int st_journal_append(struct st_journal *j, const char *record, struct err *e);
/* The records in the order in which they are to be undone: the last one first. No file: none. What
 * this process has `said` (NULL: not all of it) needs no reading. */
int st_journal_read(int dir, const struct strbuf *said, struct arena *a,
		    struct st_record **ret_records, size_t *ret_n, struct err *e);

#endif
