/* namespaces/maps_helper.c: newuidmap(1) and newgidmap(1): the two privileged programs that an
 * unprivileged runtime calls, to map more than its caller's own id.
 *
 * They are setuid, so that what we hand them they check themselves, against /etc/subuid and
 * /etc/subgid. docs/security.md names them.
 *
 * Invariants
 *  1. Never called by root, of whatever user namespace: no environment of a privileged caller
 *     chooses a program.
 *  2. Found in an absolute directory of $PATH, called by its full name, with an empty environment
 *     and nothing but numbers as arguments.
 *  3. The pid is a child of ours that hasn't been waited for: it is nobody else's.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool ns_maps_find_helper(const char *path, const char *name, char *buf, size_t size)
{
	for (const char *dir = path; dir; dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
		int len = (int)strcspn(dir, ":");
		if (dir[0] == '/' && snprintf(buf, size, "%.*s/%s", len, dir, name) < (int)size &&
		    is_program(buf))
			return true;
	}
	return false;
}

void ns_maps_one_line(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	for (char *p = text; *p; p++) {
		if (*p == '\n')
			*p = ';';
		else if (!isprint((unsigned char)*p))
			*p = ' ';
	}
}

/* PROGRAM PID inside outside count [inside outside count]… */
static char **arguments(struct arena *a, const char *program, pid_t pid,
			const struct spec_id_maps *maps)
{
	char **argv = arena_array(a, 3 + maps->n * 3, sizeof(*argv));
	size_t n = 0;

	if (!argv)
		return NULL;
	argv[n++] = arena_strdup(a, program);
	argv[n++] = arena_printf(a, "%d", (int)pid);
	for (size_t i = 0; i < maps->n; i++) {
		argv[n++] = arena_printf(a, "%u", maps->items[i].container_id);
		argv[n++] = arena_printf(a, "%u", maps->items[i].host_id);
		argv[n++] = arena_printf(a, "%u", maps->items[i].size);
	}
	for (size_t i = 0; i < n; i++)
		if (!argv[i])
			return NULL;
	return argv;
}

/* Its standard output and error come to *ret_out. Returns 0 or a negative errno. */
static int spawn(char **argv, pid_t *ret_pid, int *ret_out)
{
	static char *no_env[] = {NULL};
	posix_spawn_file_actions_t files;
	int both[2];

	if (pipe2(both, O_CLOEXEC) < 0)
		return -errno;
	auto_fd out = both[0], in = both[1];
	int rc = posix_spawn_file_actions_init(&files);
	if (rc != 0)
		return -rc;
	rc = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	for (int fd = 1; rc == 0 && fd <= 2; fd++)
		rc = posix_spawn_file_actions_adddup2(&files, in, fd);
	if (rc == 0)
		rc = posix_spawn(ret_pid, argv[0], &files, NULL, argv, no_env);
	posix_spawn_file_actions_destroy(&files);
	if (rc == 0)
		*ret_out = take_fd(&out);
	return -rc;
}

/* To its end, whatever fits. */
static void hear(int fd, char *buf, size_t size)
{
	char rest[256];
	size_t n = 0;
	ssize_t got;

	do {
		bool full = n + 1 >= size;
		got = full ? read(fd, rest, sizeof(rest)) : read(fd, buf + n, size - 1 - n);
		if (got > 0 && !full)
			n += (size_t)got;
	} while (got > 0 || (got < 0 && errno == EINTR));
	buf[n] = '\0';
}

int ns_maps_by_helper(const char *name, pid_t pid, const struct spec_id_maps *maps, struct err *e)
{
	auto_arena a = {0};
	const char *path = getenv("PATH");
	char program[PATH_MAX], said[512];
	auto_fd out = -1;
	pid_t child;
	int status;

	if (!ns_maps_find_helper(path ? path : DEFAULT_PATH, name, program, sizeof(program)))
		return err_set(
			e, ERR_UNSUPPORTED, ENOENT, NULL,
			"needs the program %s, which isn't in PATH (Debian: package uidmap); "
			"without it an unprivileged user can map his own id only",
			name);
	char **argv = arguments(&a, program, pid, maps);
	int rc = argv ? spawn(argv, &child, &out) : -ENOMEM;
	if (rc < 0)
		return err_sys(e, -rc, NULL, "running %s", program);
	hear(out, said, sizeof(said));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, NULL, "waiting for %s", program);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	ns_maps_one_line(said);
	return err_set(e, ERR_SYSTEM, EPERM, NULL,
		       "%s refused: %s (what this user may map stands in /etc/sub%cid)", program,
		       said[0] ? said : "it gave no reason", name[3]);
}
