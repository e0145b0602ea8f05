/* cgroups/info.c: the controllers of this host as libcgroup sees them, for people to read.
 *
 * libcgroup reads its tables once a process and can't read them again; that and a millisecond of
 * start are why nothing but `info` goes through it.
 */
#include "cgroups/internal.h"

#include <errno.h>
#include <libcgroup.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

/* Errors come back as return values; the library's own printing would go past cli/. */
static void be_quiet(void *arg, int level, const char *fmt, va_list ap)
{
	(void)arg, (void)level, (void)fmt, (void)ap;
}

static bool is_v2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

int cg_controllers(void (*fn)(void *arg, const char *name, const char *mountpoint, bool v2),
		   void *arg, struct err *e)
{
	struct cgroup_mount_point m;
	void *iter = NULL;

	cgroup_set_logger(be_quiet, CGROUP_LOG_ERROR, NULL);
	int rc = cgroup_init();
	if (rc == ECGROUPNOTMOUNTED)
		return 0;
	if (rc)
		return err_set(e, ERR_SYSTEM, EIO, "/proc/self/mounts", "libcgroup: %s",
			       cgroup_strerror(rc));
	for (rc = cgroup_get_controller_begin(&iter, &m); rc == 0;
	     rc = cgroup_get_controller_next(&iter, &m))
		fn(arg, m.name, m.path, is_v2(m.path));
	cgroup_get_controller_end(&iter);
	if (rc != ECGEOF)
		return err_set(e, ERR_SYSTEM, EIO, "/proc/self/mounts", "libcgroup: %s",
			       cgroup_strerror(rc));
	return 0;
}
