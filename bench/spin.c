/* bench/spin.c: times commands in rotation, fork to exit, and prints the median and minimum.
 *
 *   spin ROUNDS NAME=COMMAND [ARG…]…      words are split at blanks; standard streams are /dev/null
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct entry {
	char *name;
	char *argv[64];
	long *us;
};

static long now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static int by_value(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x > y) - (x < y);
}

static void split(struct entry *e, char *text)
{
	int n = 0;
	e->name = strtok(text, "=");
	for (char *w = strtok(NULL, " "); w && n < 63; w = strtok(NULL, " "))
		e->argv[n++] = w;
}

static long once(const struct entry *e, const posix_spawn_file_actions_t *quiet)
{
	pid_t pid;
	int status;
	long t0 = now_us();
	int rc = posix_spawnp(&pid, e->argv[0], quiet, NULL, e->argv, environ);
	if (rc != 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "spin: %s failed (spawn %d, status %d)\n", e->name, rc,
			rc ? 0 : status);
		exit(1);
	}
	return now_us() - t0;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0, n = argc - 2;
	if (rounds < 1)
		return 2;
	struct entry *e = calloc((size_t)n, sizeof(*e));
	if (!e)
		return 1;
	posix_spawn_file_actions_t quiet;
	posix_spawn_file_actions_init(&quiet);
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&quiet, fd, "/dev/null", fd ? O_WRONLY : O_RDONLY,
						 0);
	for (int i = 0; i < n; i++) {
		split(&e[i], argv[i + 2]);
		e[i].us = calloc((size_t)rounds, sizeof(long));
		if (!e[i].us || !e[i].argv[0])
			return 2;
	}
	for (int r = rounds > 1 ? -2 : 0; r < rounds; r++) /* two rounds to warm up */
		for (int i = 0; i < n; i++) {
			long us = once(&e[i], &quiet);
			if (r >= 0)
				e[i].us[r] = us;
		}
	for (int i = 0; i < n; i++) {
		qsort(e[i].us, (size_t)rounds, sizeof(long), by_value);
		printf("%s %ld %ld\n", e[i].name, e[i].us[rounds / 2], e[i].us[0]);
	}
	return 0;
}
