/* namespaces/user.c: what /etc/passwd in the container's root says.
 *
 * The file is the guest's: read through the path layer, bounded, never trusted
 * for an identity; it only fills HOME.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/file.h"
#include "common/path.h"
#include "common/str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_PASSWD (1u << 20)

/* Field n (from 0) of a colon-separated line: begin and length. */
static const char *field(const char *line, size_t len, int n, size_t *ret_len)
{
	const char *end = line + len;

	for (; n > 0 && line < end; n--) {
		const char *colon = memchr(line, ':', (size_t)(end - line));
		if (!colon)
			return NULL;
		line = colon + 1;
	}
	const char *stop = memchr(line, ':', (size_t)(end - line));
	*ret_len = (size_t)((stop ? stop : end) - line);
	return line;
}

static const char *home_in(struct arena *a, const char *text, uint32_t uid)
{
	char want[16];
	size_t n;

	snprintf(want, sizeof(want), "%u", uid);
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *f = field(text, len, 2, &n);
		if (f && n == strlen(want) && memcmp(f, want, n) == 0) {
			f = field(text, len, 5, &n);
			return f && n > 0 && f[0] == '/' ? arena_strndup(a, f, n) : NULL;
		}
		text += len + (text[len] == '\n');
	}
	return NULL;
}

const char *ns_user_home(struct arena *a, int root, uint32_t uid)
{
	struct err ignored;
	struct stat st;
	auto_str text = NULL;
	auto_fd fd = path_open(root, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, &ignored);

	/* A fifo or a device in its place must not hold us up. */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    file_read_fd(fd, "/etc/passwd", MAX_PASSWD, &text, NULL, &ignored) < 0 || !text)
		return "/";
	const char *home = home_in(a, text, uid);
	return home ? home : "/";
}
