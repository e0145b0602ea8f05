/* cli/cmd_query.c: state, list, ps. Output has the form of runc's, byte for byte where engines
 * read it. */
#include "cli/opt.h"
#include "cli/ps_table.h"

#include "common/arena.h"
#include "common/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int cmd_state(struct cli *c, struct err *e)
{
	auto_arena a = {0};
	auto_strbuf out = {0};
	struct rt_info info;
	int rc = rt_state(&c->rt, &a, c->argv[0], &info, e);

	if (rc < 0)
		return rc;
	rt_state_json(&info, true, &out);
	printf("%s\n", out.s ? out.s : "");
	return 0;
}

static int check_format(const char *format, const char *plain, struct err *e)
{
	if (!format || str_eq(format, plain) || str_eq(format, "json"))
		return 0;
	return err_set(e, ERR_USAGE, EINVAL, NULL, "invalid format option: %s (%s or json)", format,
		       plain);
}

static void list_json(const struct rt_info *items, size_t n)
{
	auto_strbuf out = {0};

	strbuf_puts(&out, n ? "[" : "null");
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_puts(&out, ",");
		rt_state_json(&items[i], false, &out);
	}
	if (n)
		strbuf_puts(&out, "]");
	printf("%s\n", out.s ? out.s : "");
}

#define LIST_COLUMNS 6

static void list_row(const int *widths, const char *const *cells)
{
	for (int k = 0; k < LIST_COLUMNS - 1; k++)
		printf("%-*s", widths[k], cells[k] ? cells[k] : "");
	printf("%s\n", cells[LIST_COLUMNS - 1] ? cells[LIST_COLUMNS - 1] : "");
}

/* Columns are at least 12 wide, with three blanks between, as scripts know them from runc. */
static void list_table(const struct rt_info *items, size_t n)
{
	static const char *const head[LIST_COLUMNS] = {"ID",     "PID",     "STATUS",
						       "BUNDLE", "CREATED", "OWNER"};
	int widths[LIST_COLUMNS] = {12, 12, 12, 12, 12, 12};

	for (size_t i = 0; i < n; i++) {
		const char *wide[LIST_COLUMNS] = {
			[0] = items[i].id, [3] = items[i].bundle, [4] = items[i].created};
		for (int k = 0; k < LIST_COLUMNS; k++)
			if (wide[k] && (int)strlen(wide[k]) + 3 > widths[k])
				widths[k] = (int)strlen(wide[k]) + 3;
	}
	list_row(widths, head);
	for (size_t i = 0; i < n; i++) {
		char pid[16];
		snprintf(pid, sizeof(pid), "%d", (int)items[i].pid);
		const char *cells[LIST_COLUMNS] = {items[i].id,
						   pid,
						   rt_status_word(items[i].status),
						   items[i].bundle,
						   items[i].created,
						   items[i].owner};
		list_row(widths, cells);
	}
}

int cmd_list(struct cli *c, struct err *e)
{
	auto_arena a = {0};
	struct rt_info *items = NULL;
	size_t n = 0;
	int rc = check_format(c->format, "table", e);

	if (rc >= 0)
		rc = rt_list(&c->rt, &a, &items, &n, e);
	if (rc < 0)
		return rc;
	if (c->quiet)
		for (size_t i = 0; i < n; i++)
			printf("%s\n", items[i].id);
	else if (str_eq(c->format, "json"))
		list_json(items, n);
	else
		list_table(items, n);
	return 0;
}

static void ps_json(const pid_t *pids, size_t n)
{
	printf(n ? "[" : "null");
	for (size_t i = 0; i < n; i++)
		printf("%s%d", i ? "," : "", (int)pids[i]);
	printf("%s\n", n ? "]" : "");
}

/* Which column of ps's header is PID, counted in words. */
static int pid_column(char *header)
{
	int column = 0;

	for (char *w = strtok(header, " \n"); w; w = strtok(NULL, " \n"), column++)
		if (strcmp(w, "PID") == 0)
			return column;
	return -1;
}

static bool line_is_ours(char *line, int column, const pid_t *pids, size_t n)
{
	char *w = strtok(line, " \n");

	for (; w && column > 0; column--)
		w = strtok(NULL, " \n");
	for (size_t i = 0; w && i < n; i++)
		if (atoi(w) == pids[i])
			return true;
	return false;
}

static int ps_filter(FILE *in, const pid_t *pids, size_t n, struct err *e)
{
	char line[4096], copy[4096];

	if (!fgets(line, sizeof(line), in))
		return err_set(e, ERR_SYSTEM, EIO, "ps", "gave no output");
	memcpy(copy, line, sizeof(copy));
	int column = pid_column(copy);
	if (column < 0)
		return err_set(e, ERR_USAGE, EINVAL, "ps", "its output has no PID column");
	fputs(line, stdout);
	while (fgets(line, sizeof(line), in)) {
		memcpy(copy, line, sizeof(copy));
		if (line_is_ours(copy, column, pids, n))
			fputs(line, stdout);
	}
	return 0;
}

/* As runc-ps(8): the host's ps with the given options (-ef), and only the container's lines. */
static int ps_table(struct cli *c, const pid_t *pids, size_t n, struct err *e)
{
	static char ef[] = "-ef", ps[] = "ps";
	char *plain[] = {ps, ef, NULL};
	int pipefd[2], status, rc;

	if (pipe(pipefd) < 0)
		return err_sys(e, errno, "ps", "making a pipe");
	pid_t pid = fork();
	if (pid == 0) {
		c->argv[0] = ps;
		dup2(pipefd[1], 1);
		close(pipefd[0]);
		close(pipefd[1]);
		execvp("ps", c->argc > 1 ? c->argv : plain);
		_exit(127);
	}
	close(pipefd[1]);
	FILE *in = pid < 0 ? NULL : fdopen(pipefd[0], "r");
	rc = in ? ps_filter(in, pids, n, e) : err_sys(e, errno, "ps", "running it");
	if (in)
		fclose(in);
	if (pid > 0)
		waitpid(pid, &status, 0);
	return rc;
}

static int ps_pids(struct cli *c, bool json, struct err *e)
{
	pid_t *pids = NULL;
	size_t n = 0;
	int rc = rt_pids(&c->rt, c->argv[0], &pids, &n, e);

	if (rc < 0)
		return rc;
	if (json)
		ps_json(pids, n);
	else
		rc = ps_table(c, pids, n, e);
	free(pids);
	return rc;
}

int cmd_ps(struct cli *c, struct err *e)
{
	auto_arena a = {0};
	struct rt_process *list;
	size_t n;
	int rc = check_format(c->format, "table", e);

	if (rc < 0 || str_eq(c->format, "json"))
		return rc < 0 ? rc : ps_pids(c, true, e);
	rc = rt_processes(&c->rt, &a, c->argv[0], &list, &n, e);
	if (rc <= 0)
		return rc < 0 ? rc : ps_pids(c, false, e);
	return out_ps(list, n, c->argv + 1, c->argc > 0 ? (size_t)c->argc - 1 : 0, e);
}
