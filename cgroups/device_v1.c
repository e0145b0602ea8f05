/* cgroups/device_v1.c: device rules into devices.allow and devices.deny.
 *
 * Invariants
 *  1. One rule a write (the kernel reads one), all through one descriptor.
 *  2. Exceptions are written after the default, which clears what was there. For a running
 *     group (update) there is a moment in between in which less is allowed than before or after,
 *     never more than one of them.
 */
#include "cgroups/internal.h"
#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int write_rule(int fd, const char *text)
{
	size_t len = strlen(text);
	ssize_t n = write(fd, text, len);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

static void number(char *buf, size_t size, int64_t v)
{
	if (v == CG_DEV_ANY)
		snprintf(buf, size, "*");
	else
		snprintf(buf, size, "%lld", (long long)v);
}

static void rule_text(const struct cg_dev *d, char *buf, size_t size)
{
	char major[24], minor[24];

	number(major, sizeof(major), d->major);
	number(minor, sizeof(minor), d->minor);
	snprintf(buf, size, "%c %s:%s %s%s%s", d->type, major, minor,
		 d->access & CG_DEV_R ? "r" : "", d->access & CG_DEV_W ? "w" : "",
		 d->access & CG_DEV_M ? "m" : "");
}

static int write_all(const char *dir, const char *file, const struct cg_dev_v1 *d, bool head,
		     const char *pointer, struct err *e)
{
	char path[PATH_MAX], text[96] = "a";

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
		return err_sys(e, ENAMETOOLONG, pointer, "opening %s", file);
	auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, pointer, "opening %s", path);
	int rc = head ? write_rule(fd, text) : 0;
	for (size_t i = 0; rc == 0 && !head && i < d->n; i++) {
		rule_text(&d->items[i], text, sizeof(text));
		rc = write_rule(fd, text);
	}
	if (rc < 0)
		return err_sys(e, -rc, pointer, "writing \"%s\" to %s", text, path);
	return 0;
}

int cg_dev_v1_apply(const char *dir, const struct cg_dev_v1 *d, const char *pointer, struct err *e)
{
	int rc = write_all(dir, d->allow_all ? "devices.allow" : "devices.deny", d, true, pointer,
			   e);

	if (rc < 0 || d->n == 0)
		return rc;
	return write_all(dir, d->allow_all ? "devices.deny" : "devices.allow", d, false, pointer,
			 e);
}
