/* tests/fuzz/replay.c: every fuzz target in one program, without libFuzzer: for make check, for
 * coverage, and to look at one input.
 *
 *	replay                          every target: its seeds, its kept inputs, some changes of
 *them replay -n 0 json user           these targets, no changes replay -f json FILE… these inputs
 *alone replay -x json DIRECTORY        writes the seeds there as libFuzzer wants them
 *
 * -n: how many changed inputs a target gets (2000), -t: seconds after which it gets no more (1),
 * -s: where the dice begin (1).
 *
 * Invariants
 *  1. Same inputs, same -n, same -s: the same calls in the same order, up to where -t ends them.
 *  2. A target runs in a process of its own: its crash or its hang is that target's failure, and
 *the input is in build/fuzz/failed/ then.
 *  3. A target without a seed fails: it would show nothing.
 */
#include "fuzz.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX 65536u
#define INPUTS_MAX 4096u
#define HANG 20 /* seconds for one input */
#define FAILED "build/fuzz/failed"

#define X(name) int fuzz_one_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS
#undef X

static const struct target {
	const char *name;
	int (*one)(const uint8_t *data, size_t size);
} targets[] = {
#define X(name) {#name, fuzz_one_##name},
	FUZZ_TARGETS
#undef X
};
#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))

struct input {
	uint8_t *data;
	size_t len;
};

static struct {
	struct input items[INPUTS_MAX];
	size_t n, seeds;
} pool;

/* What the child is at, for the parent to tell. */
static struct now {
	unsigned done, changed;
	size_t len;
	uint8_t data[INPUT_MAX];
} * now;

static unsigned n_changes = 2000, max_seconds = 1;
static uint64_t dice_at = 1;

static void die(const char *what, const char *name)
{
	fprintf(stderr, "replay: %s %s: %s\n", what, name, strerror(errno));
	exit(2);
}

/* --- inputs --- */

/* Text with hexadecimal digits and, behind '#', words for a reader. */
static size_t from_hex(uint8_t *data, size_t len)
{
	size_t n = 0, digits = 0;
	bool comment = false;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = data[i];
		comment = c == '#' || (comment && c != '\n');
		if (comment || !isxdigit(c))
			continue;
		int v = isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
		if (digits++ % 2)
			data[n++] |= (uint8_t)v;
		else
			data[n] = (uint8_t)(v << 4);
	}
	return n;
}

static void add_file(const char *path)
{
	struct input *in = &pool.items[pool.n];
	size_t name = strlen(path);
	FILE *f = fopen(path, "re");

	if (!f || pool.n == INPUTS_MAX || !(in->data = malloc(INPUT_MAX)))
		die("can't take", path);
	in->len = fread(in->data, 1, INPUT_MAX, f);
	fclose(f);
	if (name > 4 && strcmp(path + name - 4, ".hex") == 0)
		in->len = from_hex(in->data, in->len);
	pool.n++;
}

static void add_folder(const char *form, const char *target)
{
	char path[4096], file[8192];
	struct dirent **names;

	snprintf(path, sizeof(path), form, target);
	int n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		struct stat st;
		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (stat(file, &st) == 0 && S_ISREG(st.st_mode))
			add_file(file);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void load(const char *target)
{
	while (pool.n)
		free(pool.items[--pool.n].data);
	add_folder("tests/fuzz/seeds/%s", target);
	if (strcmp(target, "config") == 0)
		add_folder("tests/data/spec/good%.0s", target);
	pool.seeds = pool.n;
	add_folder("tests/fuzz/crashes/%s", target);
}

/* --- changes --- */

static uint32_t dice(uint32_t sides)
{
	dice_at = dice_at * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(dice_at >> 33) % sides;
}

static void set_number(uint8_t *data, size_t len)
{
	static const uint64_t odd[] = {0,           1,          0x7f,       0x80,
				       0xff,        0x7fff,     0x8000,     0xffff,
				       0x10000,     0x7fffffff, 0x80000000, 0xffffffff,
				       0x100000000, INT64_MAX,  UINT64_MAX, 4096};
	size_t width = (size_t)1 << dice(4);
	uint64_t v = odd[dice(sizeof(odd) / sizeof(odd[0]))];

	if (len >= width)
		memcpy(data + dice((uint32_t)(len - width + 1)), &v, width);
}

/* A piece of another input in place of, or before, what stands there. */
static size_t graft(uint8_t *data, size_t len)
{
	const struct input *from = &pool.items[dice((uint32_t)pool.n)];
	size_t at = dice((uint32_t)len + 1), start, n;

	if (!from->len)
		return len;
	start = dice((uint32_t)from->len);
	n = 1 + dice((uint32_t)(from->len - start < 64 ? from->len - start : 64));
	if (dice(2) && len + n <= INPUT_MAX) {
		memmove(data + at + n, data + at, len - at);
		len += n;
	}
	if (at + n > INPUT_MAX)
		return len;
	memcpy(data + at, from->data + start, n);
	return at + n > len ? at + n : len;
}

static size_t cut(uint8_t *data, size_t len)
{
	size_t at = dice((uint32_t)len), n = 1 + dice(16);

	n = n < len - at ? n : len - at;
	memmove(data + at, data + at + n, len - at - n);
	return len - n;
}

static size_t change(uint8_t *data, size_t len)
{
	if (!len)
		return graft(data, len);
	switch (dice(6)) {
	case 0:
		data[dice((uint32_t)len)] ^= (uint8_t)(1u << dice(8));
		return len;
	case 1:
		data[dice((uint32_t)len)] = (uint8_t)dice(256);
		return len;
	case 2:
		set_number(data, len);
		return len;
	case 3:
		return cut(data, len);
	default:
		return graft(data, len);
	}
}

/* --- running --- */

static void one(const struct target *t, const uint8_t *data, size_t len)
{
	/* To the byte, as libFuzzer gives it. */
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		die("no memory for", t->name);
	memcpy(copy, data, len);
	if (data != now->data)
		memcpy(now->data, data, len);
	now->len = len;
	alarm(HANG);
	t->one(copy, len);
	now->done++;
	free(copy);
}

static double clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

static void run(const struct target *t)
{
	double end = clock_now() + max_seconds;

	for (size_t i = 0; i < pool.n; i++)
		one(t, pool.items[i].data, pool.items[i].len);
	for (unsigned n = 0; n < n_changes && clock_now() < end; n++) {
		const struct input *from = &pool.items[dice((uint32_t)pool.n)];
		size_t len = from->len;
		memcpy(now->data, from->data, len);
		for (unsigned k = 1 + dice(6); k; k--)
			len = change(now->data, len);
		now->changed++;
		one(t, now->data, len);
	}
	/* At the end, for all of them; where a tracer is allowed. */
	now->len = 0;
	if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
		abort();
	exit(0);
}

static void keep(const struct target *t)
{
	char path[256];

	snprintf(path, sizeof(path), FAILED "/%s.input", t->name);
	FILE *f = fopen(path, "we");
	if (f) {
		fwrite(now->data, 1, now->len, f);
		fclose(f);
	}
	printf("# the input: %s (%zu bytes, run %u)\n", path, now->len, now->done + 1);
}

static void show(const char *log)
{
	char line[512];
	FILE *f = fopen(log, "re");

	for (int i = 0; f && i < 40 && fgets(line, sizeof(line), f); i++)
		printf("# %s%s", line, strchr(line, '\n') ? "" : "\n");
	if (f)
		fclose(f);
}

/* Its messages go to a file: they are of interest when it fails. */
static bool run_apart(const struct target *t, unsigned number)
{
	char log[256];
	int status = 0;

	snprintf(log, sizeof(log), FAILED "/%s.log", t->name);
	memset(now, 0, sizeof(*now));
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		die("can't start", t->name);
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
			die("can't write", log);
		run(t);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	bool good = status == 0 && pool.seeds;
	printf("%s %u %s: %zu seeds, %zu kept, %u changes\n", good ? "ok" : "not ok", number,
	       t->name, pool.seeds, pool.n - pool.seeds, now->changed);
	if (good)
		return true;
	if (!pool.seeds)
		printf("# it has no seed\n");
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("# took longer than %d seconds\n", HANG);
	if (status)
		keep(t);
	show(log);
	return false;
}

static const struct target *find(const char *name)
{
	for (size_t i = 0; i < N_TARGETS; i++)
		if (strcmp(targets[i].name, name) == 0)
			return &targets[i];
	errno = ENOENT;
	die("no target is called", name);
	return NULL;
}

static bool run_all(char **names, int n)
{
	unsigned number = 0;
	bool good = true;
	uint64_t begin = dice_at;

	for (size_t i = 0; i < (n ? (size_t)n : N_TARGETS); i++) {
		const struct target *t = n ? find(names[i]) : &targets[i];
		load(t->name);
		dice_at = begin;
		good = run_apart(t, ++number) && good;
	}
	printf("1..%u\n", number);
	return good;
}

static void expand(const char *target, const char *folder)
{
	char path[4096];

	load(target);
	for (size_t i = 0; i < pool.n; i++) {
		snprintf(path, sizeof(path), "%s/seed-%zu", folder, i);
		FILE *f = fopen(path, "we");
		if (!f || fwrite(pool.items[i].data, 1, pool.items[i].len, f) != pool.items[i].len)
			die("can't write", path);
		fclose(f);
	}
}

int main(int argc, char **argv)
{
	const struct target *files = NULL;
	int c;

	now = mmap(NULL, sizeof(*now), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (now == MAP_FAILED)
		die("no memory for", "inputs");
	while ((c = getopt(argc, argv, "n:t:s:f:x:")) >= 0) {
		if (c == 'n')
			n_changes = (unsigned)atoi(optarg);
		else if (c == 't')
			max_seconds = (unsigned)atoi(optarg);
		else if (c == 's')
			dice_at = strtoull(optarg, NULL, 0);
		else if (c == 'f')
			files = find(optarg);
		else if (c == 'x' && optind < argc)
			return expand(optarg, argv[optind]), 0;
		else
			return 2;
	}
	/* A driver's assertion (tests/unit/vm_driver.h) is a crash. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	/* Scratch trees belong into memory. */
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	if (!files) {
		(void)mkdir("build/fuzz", 0755);
		(void)mkdir(FAILED, 0755);
		return run_all(argv + optind, argc - optind) ? 0 : 1;
	}
	for (; optind < argc; optind++)
		add_file(argv[optind]);
	for (size_t i = 0; i < pool.n; i++)
		one(files, pool.items[i].data, pool.items[i].len);
	return 0;
}
