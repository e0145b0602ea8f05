/* runtime/microvm_pod.c: which machine a container of a pod joins, and what it shares there with
 * the pod's sandbox.
 *
 * Invariants
 *  1. Annotations are the engine's word; the machine is one in the same state root, and was made
 *     as one.
 *  2. A namespace by path is the sandbox's when the path names it by the sandbox's process, or by
 *     the file that the sandbox's own configuration names. Only of the network what the process is
 *     in says anything: its others on the host are its jail's, or the host's.
 */
#include "runtime/microvm.h"

#include "common/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* containerd's and CRI-O's words; podman has the latter's. */
static const struct {
	const char *type, *sandbox;
} words[] = {
	{"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
	{"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
};

static const char *value_of(const struct spec_pairs *annotations, const char *key)
{
	for (size_t i = 0; i < annotations->n; i++)
		if (str_eq(annotations->items[i].key, key))
			return annotations->items[i].value;
	return NULL;
}

const char *be_vm_sandbox(const struct spec_pairs *annotations)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *type = value_of(annotations, words[i].type);

		if (!type || !str_eq(type, "container"))
			continue;
		const char *id = value_of(annotations, words[i].sandbox);
		return id ? id : "";
	}
	return NULL;
}

bool be_vm_is_sandbox(const struct spec *s)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *type = spec_annotation(s, words[i].type);

		if (type && str_eq(type, "sandbox"))
			return true;
	}
	return false;
}

static int refuse(const char *id, const char *why, struct err *e)
{
	return err_set(e, ERR_STATE, ENOENT, "/annotations", "the pod's sandbox \"%.128s\" %s", id,
		       why);
}

/* Stopped by a signal, it answers nothing. */
static bool is_stopped(const struct rt_container *m)
{
	struct err ignored;
	uint64_t ticks;
	char letter = 0;

	return proc_stat(-1, m->doc.pid, &letter, &ticks, &ignored) < 0 || letter == 'T';
}

static int look(struct rt_container *m, struct err *e)
{
	enum rt_status status;

	if (m->ops != &be_microvm)
		return refuse(m->id, "has no machine that could be joined: it isn't a micro-VM", e);
	int rc = rt_status(m, &status, e);
	if (rc < 0)
		return rc;
	if ((status != RT_CREATED && status != RT_RUNNING) || is_stopped(m))
		return refuse(m->id, status == RT_STOPPED ? "has stopped" : "is paused", e);
	return 0;
}

/* A name in the machine that no other container has, nor had: engines use ids again. */
static const char *name_owner(struct rt_container *c)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	const char *all = arena_printf(c->arena, "%s %lld.%ld %d", c->id, (long long)now.tv_sec,
				       now.tv_nsec, (int)getpid());
	return all ? arena_printf(c->arena, "%016llx",
				  (unsigned long long)str_hash(all, strlen(all)))
		   : NULL;
}

int be_vm_pod_open(struct rt_container *c, struct be_vm_pod *ret, struct err *e)
{
	const char *id = be_vm_sandbox(&c->spec->annotations);
	struct err why;

	*ret = (struct be_vm_pod){.owner = name_owner(c)};
	if (!ret->owner)
		return err_sys(e, ENOMEM, c->id, "joining a pod");
	if (!id || !id[0] || str_eq(id, c->id))
		return err_set(e, ERR_SPEC, EINVAL, "/annotations",
			       "a container of a pod that names no sandbox to join");
	int rc = rt_open(&ret->machine, c->env, id, 0, &why);
	if (rc < 0)
		rc = refuse(id, why.text, e);
	else
		rc = look(&ret->machine, e);
	if (rc < 0)
		rt_close(&ret->machine);
	return rc;
}

void be_vm_pod_close(struct be_vm_pod *p)
{
	rt_close(&p->machine);
}

/* Its id may be another container's meanwhile. */
int be_vm_machine(struct rt_container *c, struct rt_container *room, struct rt_container **ret,
		  struct err *e)
{
	const char *id = be_vm_sandbox(&c->doc.annotations);

	rt_init(room, c->env, c->id);
	*ret = c;
	if (c->ops != &be_joined)
		return 0;
	int rc = rt_open(room, c->env, id ? id : "", 0, e);
	if (rc >= 0 && room->ops != &be_microvm)
		rc = st_not_found(id, e);
	*ret = room;
	return rc;
}

/* As namespaces(7) names them. */
static const char *file_of(enum spec_ns type)
{
	switch (type) {
	case SPEC_NS_NETWORK:
		return "net";
	case SPEC_NS_MOUNT:
		return "mnt";
	default:
		return spec_ns_word(type);
	}
}

static bool same_file(const char *a, const char *b)
{
	struct stat one, other;

	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* By the file to which the engine had pinned it. */
static bool is_pinned(struct be_vm_pod *p, const struct spec_namespace *ns)
{
	const struct spec_namespace *own;
	struct err ignored;

	if (rt_load_spec(&p->machine, &ignored) < 0)
		return false;
	own = spec_find_ns(p->machine.spec, ns->type);
	return own && own->path && same_file(own->path, ns->path);
}

/* (2) */
bool be_vm_pod_has(struct be_vm_pod *p, const struct spec_namespace *ns)
{
	char own[64];

	if (ns->type == SPEC_NS_MOUNT)
		return false;
	snprintf(own, sizeof(own), "/proc/%d/ns/%s", (int)p->machine.doc.pid, file_of(ns->type));
	if (str_eq(own, ns->path))
		return true;
	return ns->type == SPEC_NS_NETWORK ? same_file(own, ns->path) : is_pinned(p, ns);
}

const char *be_vm_guest_ns(struct arena *a, pid_t pid, enum spec_ns type)
{
	return arena_printf(a, "/proc/%d/ns/%s", (int)pid, file_of(type));
}

/* Who joins links the machine's socket into his own directory: the number of its names tells. */
bool be_vm_has_company(struct rt_container *c)
{
	static const char *const names[] = {"agent.sock", "start.sock"};
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fstatat(c->dir, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			return st.st_nlink > 1;
	return false;
}
