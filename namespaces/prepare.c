/* namespaces/prepare.c: N2: everything of the host that a launch needs, opened once.
 *
 * The descriptors are inherited by the child through the clone; no host path is
 * resolved a second time.
 */
#include "namespaces/process.h"

#include "common/fd.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

static bool is_process_ns(const struct stat *ns, const char *process, const char *word)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, word);
	return stat(path, &st) == 0 && st.st_dev == ns->st_dev && st.st_ino == ns->st_ino;
}

/* The namespace that we are in (*ret_ours), or that the machine is. */
static int is_hosts(int fd, const char *word, const char *pointer, bool *ret_ours, bool *ret_hosts,
		    struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, pointer, "looking at the namespace");
	*ret_ours = is_process_ns(&st, "self", word);
	*ret_hosts = *ret_ours || is_process_ns(&st, "1", word);
	return 0;
}

/* The container's root becomes the root of a mount namespace that it joins, for good. */
static int check_mount_ns(int fd, const char *pointer, struct err *e)
{
	bool ours, hosts;
	int rc = is_hosts(fd, "mnt", pointer, &ours, &hosts, e);

	if (rc >= 0 && hosts)
		return err_set(e, ERR_SPEC, EINVAL, pointer,
			       "is the host's own mount namespace, whose root would be lost");
	return rc;
}

/* The names of the container are set in the namespace that it joins: never in the host's, but the
 * one that it has. (CRI-O asks for that, for a pod on the host's network.) */
static int check_uts_ns(const struct spec *s, int fd, const char *pointer, struct err *e)
{
	const struct {
		const char *pointer, *name;
	} names[] = {{"/hostname", s->hostname}, {"/domainname", s->domainname}};
	struct utsname now;
	bool ours, hosts;
	int rc = is_hosts(fd, "uts", pointer, &ours, &hosts, e);

	if (rc < 0 || !hosts)
		return rc;
	if (uname(&now) < 0)
		return err_sys(e, errno, NULL, "asking for the host's names");
	for (size_t i = 0; i < 2; i++) {
		const char *have = i == 0 ? now.nodename : now.domainname;

		if (!names[i].name || !names[i].name[0] || (ours && str_eq(names[i].name, have)))
			continue;
		return err_set(e, ERR_SPEC, EINVAL, names[i].pointer,
			       "would rename the host, whose own uts namespace "
			       "/linux/namespaces names by path");
	}
	return 0;
}

/* One namespace by path: open, and see that it is of the type that the spec says. */
static int open_joined(const struct spec *s, size_t index, int *ret_fd, struct err *e)
{
	const struct spec_namespace *n = &s->linux_.namespaces.items[index];
	char pointer[64];

	snprintf(pointer, sizeof(pointer), "/linux/namespaces/%zu/path", index);
	auto_fd fd = open(n->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(e, errno, pointer, "opening %s", n->path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0 || (uint64_t)(unsigned)type != ns_clone_flag(n->type))
		return err_set(e, ERR_SPEC, EINVAL, pointer, "%s isn't a %s namespace", n->path,
			       spec_ns_word(n->type));
	int rc = 0;
	if (n->type == SPEC_NS_MOUNT)
		rc = check_mount_ns(fd, pointer, e);
	else if (n->type == SPEC_NS_UTS)
		rc = check_uts_ns(s, fd, pointer, e);
	if (rc < 0)
		return rc;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int prepare_namespaces(struct ns_launch *l, struct err *e)
{
	const struct spec_linux *lin = &l->spec->linux_;

	for (size_t i = 0; i < lin->namespaces.n; i++) {
		const struct spec_namespace *n = &lin->namespaces.items[i];
		int rc = 0;
		if (n->path)
			rc = open_joined(l->spec, i, &l->prepared->joined[n->type], e);
		else
			l->prepared->clone_flags |= ns_clone_flag(n->type);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int ns_prepare(struct ns_launch *l, struct err *e)
{
	struct ns_prepared *p = arena_alloc(l->arena, sizeof(*p));
	int rc;

	if (!p)
		return err_sys(e, ENOMEM, NULL, "preparing a launch");
	p->rootfs_tree = -1;
	for (int i = 0; i < SPEC_NS_MAX; i++)
		p->joined[i] = -1;
	p->ignored = ns_signals_ignored();
	p->keep_groups = l->spec->keep_groups;
	l->prepared = p;
	rc = prepare_namespaces(l, e);
	if (rc >= 0 && l->spec->linux_.seccomp.set)
		rc = ns_filter_compile(l->arena, &l->spec->linux_.seccomp, l->cache_dir, &p->filter,
				       e);
	if (rc >= 0)
		rc = ns_prepare_sources(l, e);
	if (rc >= 0)
		rc = ns_prepare_devices(l, e);
	if (rc >= 0)
		rc = ns_prepare_root(l, e);
	if (rc < 0)
		ns_release(l);
	return rc;
}

int ns_open_net(const struct ns_launch *l, pid_t pid, int *ret_fd, struct err *e)
{
	char path[64];
	int joined = l->prepared->joined[SPEC_NS_NETWORK];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	int fd = joined >= 0 ? fcntl(joined, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "/linux/namespaces", "opening the network namespace");
	*ret_fd = fd;
	return 0;
}

void ns_release(struct ns_launch *l)
{
	struct ns_prepared *p = l->prepared;

	if (!p)
		return;
	fd_close(&p->rootfs_tree);
	for (size_t i = 0; i < p->n_sources; i++)
		fd_close(&p->sources[i]);
	for (size_t i = 0; i < p->n_devices; i++)
		fd_close(&p->devices[i]);
	for (int i = 0; i < SPEC_NS_MAX; i++)
		fd_close(&p->joined[i]);
	l->prepared = NULL;
}
