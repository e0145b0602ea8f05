/* runtime/criu_streams.c: the standard streams that a container gets from outside, by the names
 * under which CRIU gives others for them at a restore.
 *
 * They are noted when the container is made, as runc does: later the first process may have turned
 * one elsewhere for a moment (a shell's `echo >file` keeps its output as a higher descriptor
 * meanwhile), and what isn't named to CRIU can't be dumped.
 *
 * A pipe or a socket is known by its link's text, a file on a mount of the host's (a log, the
 * host's /dev/null) by mount and inode, a terminal by its device.
 */
#include "runtime/container.h"
#include "runtime/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* "pipe:[4026531840]" and the like. */
#define LINK_MAX_LEN 64

/* The virtual consoles and serial lines, and both ends of pseudo-terminals. */
static bool is_terminal(unsigned number)
{
	return number == TTY_MAJOR || number == TTYAUX_MAJOR ||
	       (number >= UNIX98_PTY_MASTER_MAJOR &&
		number < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT);
}

/* NULL: it has a name in a file system. */
static const char *link_key(struct arena *a, int fd)
{
	char path[32], target[LINK_MAX_LEN];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0 || target[0] == '/')
		return NULL;
	target[n] = '\0';
	return arena_strdup(a, target);
}

/* NULL: closed, or nothing that CRIU takes from outside. */
static const char *stream_key(struct arena *a, int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		return NULL;
	if (S_ISFIFO(st.stx_mode) || S_ISSOCK(st.stx_mode))
		return link_key(a, fd);
	if (S_ISCHR(st.stx_mode) && is_terminal(st.stx_rdev_major))
		return arena_printf(
			a, "tty[%llx:%llx]",
			(unsigned long long)makedev(st.stx_rdev_major, st.stx_rdev_minor),
			(unsigned long long)makedev(st.stx_dev_major, st.stx_dev_minor));
	if (S_ISREG(st.stx_mode) || st.stx_rdev_major == MEM_MAJOR)
		return arena_printf(a, "file[%llx:%llx]", (unsigned long long)st.stx_mnt_id,
				    (unsigned long long)st.stx_ino);
	return NULL;
}

void rt_note_streams(struct rt_container *c)
{
	/* A terminal of its own is none from outside. */
	for (int fd = 0; fd < 3 && !c->spec->process.terminal; fd++)
		c->doc.streams[fd] = stream_key(c->arena, fd);
}

const char *rt_stream_outside(const struct rt_container *c, int fd)
{
	const char *key = c->doc.streams[fd];
	unsigned long long mount;

	if (!key || !rt_criu_is_external(key))
		return key;
	/* In the host's mounts as the container itself: nothing is from outside. */
	if (!spec_find_ns(c->spec, SPEC_NS_MOUNT) ||
	    (sscanf(key, "file[%llx:", &mount) == 1 &&
	     rt_criu_has_mount(c->doc.pid, (unsigned)mount)))
		return NULL;
	return key;
}
