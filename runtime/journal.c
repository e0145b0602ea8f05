/* runtime/journal.c: see journal.h. */
#include "runtime/journal.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#define NAME "journal"
#define MAX_BYTES (1u << 20)

void st_journal_init(struct st_journal *j, int dir)
{
	*j = (struct st_journal){.dir = dir, .fd = -1};
}

void st_journal_close(struct st_journal *j)
{
	if (j->fd >= 0)
		fd_close(&j->fd);
}

int st_journal_append(struct st_journal *j, const char *record, struct err *e)
{
	char newline[] = "\n";
	auto_str copy = strdup(record);

	if (!copy)
		return err_sys(e, ENOMEM, NAME, "noting \"%s\"", record);
	if (!*record || strchr(record, '\n'))
		return err_set(e, ERR_INTERNAL, EINVAL, NAME, "a record must be one line");
	if (j->said)
		strbuf_printf(j->said, "%s\n", record);
	if (j->fd < 0)
		j->fd = openat(j->dir, NAME, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			       0600);
	if (j->fd < 0)
		return err_sys(e, errno, NAME, "opening the journal");
	struct iovec v[2] = {{copy, strlen(copy)}, {newline, 1}};
	ssize_t want = (ssize_t)(v[0].iov_len + 1), n = writev(j->fd, v, 2);
	if (n != want)
		return err_sys(e, n < 0 ? errno : ENOSPC, NAME, "noting \"%s\"", record);
	return 0;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n')) != NULL) {
		n++;
		text++;
	}
	return n;
}

static void split(char *line, struct st_record *r)
{
	char *space = strchr(line, ' ');

	r->kind = line;
	r->arg = "";
	if (space) {
		*space = '\0';
		r->arg = space + 1;
	}
}

int st_journal_read(int dir, const struct strbuf *said, struct arena *a,
		    struct st_record **ret_records, size_t *ret_n, struct err *e)
{
	auto_str raw = NULL;
	size_t len = 0, used = 0;
	bool known = said && said->s && !said->failed;
	int rc = known ? 0 : file_read_at(dir, NAME, MAX_BYTES, &raw, &len, e);

	if (rc == -ENOENT) {
		*ret_records = NULL;
		*ret_n = 0;
		return 0;
	}
	if (rc < 0)
		return rc;
	char *text = arena_strdup(a, known ? said->s : raw ? raw : "");
	size_t n = text ? count_lines(text) : 0;
	struct st_record *r = arena_array(a, n + 1, sizeof(*r));
	if (!text || !r)
		return err_sys(e, ENOMEM, NAME, "reading the journal");
	for (size_t i = n; i > 0; i--) {
		char *end = strchr(text, '\n');
		*end = '\0';
		if (*text) {
			split(text, &r[i - 1]);
			used++;
		}
		text = end + 1;
	}
	/* Empty lines left gaps; close them. */
	for (size_t i = 0, k = 0; i < n; i++)
		if (r[i].kind)
			r[k++] = r[i];
	*ret_records = r;
	*ret_n = used;
	return 0;
}
