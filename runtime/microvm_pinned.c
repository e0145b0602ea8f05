/* runtime/microvm_pinned.c: the ipc and uts namespaces that an engine (CRI-O) made for a pod and
 * pinned to files, before the pod's sandbox was there to have them.
 *
 * Inside its machine the sandbox gets new ones, and those are what the pod shares: the engine's
 * names for them, the files, mean these from then on.
 *
 * Invariants
 *  1. Only what nobody else can be in is replaced: a file with a namespace of the asked kind pinned
 *     to it, not the caller's, and with no process of the host in it. All else is refused.
 *  2. The pinned namespace isn't changed. Its names count where the configuration has none; what
 *     else was set in it is the configuration's to say again.
 */
#include "runtime/microvm.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

static int refuse(const char *pointer, const char *why, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, ENOTSUP, pointer, "a micro-VM can't do it: %s", why);
}

static bool is_process_ns(const char *process, const char *word, const struct stat *ns)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, word);
	return stat(path, &st) == 0 && st.st_dev == ns->st_dev && st.st_ino == ns->st_ino;
}

/* As far as the caller may see. */
static bool somebody_in(const char *word, const struct stat *ns)
{
	DIR *d = opendir("/proc");
	const struct dirent *p;
	bool found = false;

	while (d && !found && (p = readdir(d)))
		found = isdigit((unsigned char)p->d_name[0]) && is_process_ns(p->d_name, word, ns);
	if (d)
		closedir(d);
	return found;
}

/* A link of /proc/PID/ns ends at the link itself. */
static int open_pinned(const struct spec_namespace *ns, const char *pointer, int *ret_fd,
		       struct err *e)
{
	auto_fd at = open(ns->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -1;
	struct statfs fs;
	char path[64];

	if (at < 0 || fstatfs(at, &fs) < 0)
		return err_sys(e, errno, pointer, "opening %s", ns->path);
	if (fs.f_type != NSFS_MAGIC)
		return refuse(pointer, "the namespace is of the host's kernel", e);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, pointer, "opening %s", ns->path);
	if (ioctl(fd, NS_GET_NSTYPE) != (ns->type == SPEC_NS_IPC ? CLONE_NEWIPC : CLONE_NEWUTS))
		return err_set(e, ERR_SPEC, EINVAL, pointer, "%s isn't a %s namespace", ns->path,
			       spec_ns_word(ns->type));
	*ret_fd = take_fd(&fd);
	return 0;
}

/* (1) */
int be_vm_pinned_accept(const struct spec_namespace *ns, const char *pointer, struct err *e)
{
	const char *word = spec_ns_word(ns->type);
	auto_fd fd = -1;
	struct stat st;
	int rc = open_pinned(ns, pointer, &fd, e);

	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, pointer, "looking at %s", ns->path);
	if (is_process_ns("self", word, &st))
		return refuse(pointer, "the namespace is the host's own", e);
	if (somebody_in(word, &st))
		return refuse(pointer, "a process of the host is in the namespace", e);
	return 0;
}

static const char *name_of(struct arena *a, const char *name)
{
	return name[0] && !str_eq(name, "(none)") ? arena_strdup(a, name) : NULL;
}

/* The names of a uts namespace can only be asked from inside. */
static int ask_names(int ns, const char *pointer, struct utsname *ret, struct err *e)
{
	auto_fd own = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	if (own < 0 || setns(ns, CLONE_NEWUTS) < 0)
		return err_sys(e, errno, pointer, "asking for the pod's host name");
	int rc = uname(ret) < 0 ? -errno : 0;
	if (setns(own, CLONE_NEWUTS) < 0 && rc == 0)
		rc = -errno;
	return rc < 0 ? err_sys(e, -rc, pointer, "asking for the pod's host name") : 0;
}

/* (2) */
int be_vm_pinned_names(struct rt_container *c, const char **ret_host, const char **ret_domain,
		       struct err *e)
{
	const struct spec *s = c->spec;
	const struct spec_namespace *uts = spec_find_ns(s, SPEC_NS_UTS);
	char pointer[64];
	struct utsname u;
	auto_fd fd = -1;

	if (!uts || !uts->path || (s->hostname && s->hostname[0]))
		return 0;
	snprintf(pointer, sizeof(pointer), "/linux/namespaces/%zu/path",
		 (size_t)(uts - s->linux_.namespaces.items));
	int rc = open_pinned(uts, pointer, &fd, e);
	if (rc >= 0)
		rc = ask_names(fd, pointer, &u, e);
	if (rc < 0)
		return rc;
	*ret_host = name_of(c->arena, u.nodename);
	if (!s->domainname || !s->domainname[0])
		*ret_domain = name_of(c->arena, u.domainname);
	return 0;
}
