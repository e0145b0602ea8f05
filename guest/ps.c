/* guest/ps.c: a container's processes as ps(1) would tell of them: the host's can't see them. */
#include "guest/work.h"

#include "common/fd.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define COMMAND_MAX 4096

struct seen {
	char comm[32], state;
	int ppid, pgid, sid;
	unsigned tty;                    /* device number */
	unsigned long user, system, vsz; /* ticks, bytes */
	long nice, threads, rss;         /* pages */
	unsigned long long start;        /* ticks since boot */
};

/* proc_pid_stat(5); the name stands in parentheses and may hold any byte. */
static bool read_stat(int dir, struct seen *ret)
{
	auto_str text = NULL;
	struct err ignored;

	if (file_read_at(dir, "stat", 4096, &text, NULL, &ignored) < 0)
		return false;
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (!open || !close || close < open)
		return false;
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)(close - open - 1), open + 1);
	return sscanf(close,
		      ") %c %d %d %d %u %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %ld %ld %*d "
		      "%llu %lu %ld",
		      &ret->state, &ret->ppid, &ret->pgid, &ret->sid, &ret->tty, &ret->user,
		      &ret->system, &ret->nice, &ret->threads, &ret->start, &ret->vsz,
		      &ret->rss) == 12;
}

/* Its arguments with blanks between, or its name where it has none. */
static void put_command(struct json_out *o, int dir, const struct seen *s)
{
	char line[COMMAND_MAX], name[sizeof(s->comm) + 2];
	auto_fd fd = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);

	while (n > 0 && line[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (line[i] == '\0')
			line[i] = ' ';
	if (n > 0)
		line[n] = '\0';
	snprintf(name, sizeof(name), "[%s]", s->comm);
	json_put_str(o, "command", n > 0 ? line : name);
}

static long long boot_time(void)
{
	struct timespec now, up;

	clock_gettime(CLOCK_REALTIME, &now);
	clock_gettime(CLOCK_BOOTTIME, &up);
	return (long long)now.tv_sec - (long long)up.tv_sec;
}

static void put_tty(struct json_out *o, unsigned dev)
{
	char name[32];

	if (dev == 0)
		return;
	/* Unix98 terminals have the majors from 136 on (Documentation/admin-guide/devices.txt). */
	if (major(dev) >= 136 && major(dev) <= 143)
		snprintf(name, sizeof(name), "pts/%u", (major(dev) - 136) * 256 + minor(dev));
	else
		snprintf(name, sizeof(name), "%u:%u", major(dev), minor(dev));
	json_put_str(o, "tty", name);
}

void guest_put_process(struct json_out *o, pid_t pid)
{
	const unsigned long hz = (unsigned long)sysconf(_SC_CLK_TCK);
	struct seen s = {0};
	struct stat st;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	auto_fd dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* It ended meanwhile. */
	if (dir < 0 || fstat(dir, &st) < 0 || !read_stat(dir, &s))
		return;
	json_obj_open(o, NULL);
	json_put_i64(o, "pid", pid);
	json_put_i64(o, "ppid", s.ppid);
	json_put_i64(o, "pgid", s.pgid);
	json_put_i64(o, "sid", s.sid);
	json_put_u64(o, "uid", st.st_uid);
	json_put_str(o, "state", (const char[]){s.state, '\0'});
	put_tty(o, s.tty);
	json_put_i64(o, "started", boot_time() + (long long)(s.start / hz));
	json_put_u64(o, "cpu_ms", (s.user + s.system) * 1000 / hz);
	json_put_u64(o, "vsz", s.vsz / 1024);
	json_put_u64(o, "rss", (uint64_t)s.rss * (uint64_t)sysconf(_SC_PAGESIZE) / 1024);
	json_put_i64(o, "nice", s.nice);
	json_put_i64(o, "threads", s.threads);
	json_put_str(o, "name", s.comm);
	put_command(o, dir, &s);
	json_obj_close(o);
}
