/* namespaces/prepare.c: N2: everything of the host that a launch needs, opened once.
 *
 * The descriptors are inherited by the child through the clone; no host path is
 * resolved a second time.
 */
#include "namespaces/process.h"

#include "common/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* The container's root becomes the root of a mount namespace that it joins, for good: never of the
 * one that we are in, or that the machine is. */
static int check_mount_ns(int fd, const char *pointer, struct err *e)
{
	static const char *const hosts[] = {"/proc/self/ns/mnt", "/proc/1/ns/mnt"};
	struct stat st, host;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, pointer, "looking at the namespace");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (stat(hosts[i], &host) == 0 && host.st_dev == st.st_dev &&
		    host.st_ino == st.st_ino)
			return err_set(
				e, ERR_SPEC, EINVAL, pointer,
				"is the host's own mount namespace, whose root would be lost");
	return 0;
}

/* One namespace by path: open, and see that it is of the type that the spec says. */
static int open_joined(const struct spec_namespace *n, size_t index, int *ret_fd, struct err *e)
{
	char pointer[64];

	snprintf(pointer, sizeof(pointer), "/linux/namespaces/%zu/path", index);
	auto_fd fd = open(n->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(e, errno, pointer, "opening %s", n->path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0 || (uint64_t)(unsigned)type != ns_clone_flag(n->type))
		return err_set(e, ERR_SPEC, EINVAL, pointer, "%s isn't a %s namespace", n->path,
			       spec_ns_word(n->type));
	int rc = n->type == SPEC_NS_MOUNT ? check_mount_ns(fd, pointer, e) : 0;
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
			rc = open_joined(n, i, &l->prepared->joined[n->type], e);
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
