/* runtime/microvm_accept.c: what a machine with a kernel of its own can't honour, and what size it
 * has.
 *
 * A refusal names its JSON pointer; docs/spec-conformance.md has the list.
 */
#include "runtime/microvm.h"

#include "microvm/kvm.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define MIB (1ull << 20)
/* What the guest's kernel and agent need around the container's limit. */
#define GUEST_ROOM (96 * MIB)
/* What the monitor and the file server need around the guest's memory. */
#define HOST_ROOM (64 * MIB)
#define HOST_PIDS 64
#define DEFAULT_MEMORY (512 * MIB)
#define LEAST_MEMORY (64 * MIB)
#define MEMORY_MOST (1ull << 50) /* more is nobody's sum of limits */
#define VCPUS_MAX 32u

static int refuse(const char *pointer, const char *why, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, ENOTSUP, pointer, "a micro-VM can't do it: %s", why);
}

/* A namespace of the host is out of reach. The network's is where the machine's card is plugged in.
 * What the pod's sandbox has is shared with it inside; what was pinned for a sandbox is a name for
 * the guest's. */
static int accept_path(const struct spec *s, struct be_vm_pod *pod, size_t i, struct err *e)
{
	const struct spec_namespace *ns = &s->linux_.namespaces.items[i];
	char pointer[64];

	snprintf(pointer, sizeof(pointer), "/linux/namespaces/%zu/path", i);
	if (pod)
		return be_vm_pod_has(pod, ns)
			       ? 0
			       : refuse(pointer, "the namespace isn't that of the pod's sandbox",
					e);
	if (ns->type == SPEC_NS_NETWORK)
		return 0;
	if (be_vm_is_sandbox(s) && (ns->type == SPEC_NS_IPC || ns->type == SPEC_NS_UTS))
		return be_vm_pinned_accept(ns, pointer, e);
	return refuse(pointer, "the namespace is of the host's kernel", e);
}

/* To leave one out is to share the host's. */
static int accept_namespaces(const struct spec *s, struct be_vm_pod *pod, struct err *e)
{
	static const enum spec_ns own[] = {SPEC_NS_PID, SPEC_NS_IPC, SPEC_NS_UTS, SPEC_NS_MOUNT};

	for (size_t i = 0; i < s->linux_.namespaces.n; i++) {
		int rc = s->linux_.namespaces.items[i].path ? accept_path(s, pod, i, e) : 0;
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (!spec_find_ns(s, own[i]))
			return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/linux/namespaces",
				       "a micro-VM can't share the host's %s namespace: name one "
				       "of type \"%s\"",
				       spec_ns_word(own[i]), spec_ns_word(own[i]));
	if (!spec_find_ns(s, SPEC_NS_NETWORK))
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP, "/linux/namespaces",
			       "a micro-VM can't use the host's network as its own: name a "
			       "namespace of type \"network\"");
	return 0;
}

static int accept_linux(const struct spec *s, struct err *e)
{
	const struct spec_linux *l = &s->linux_;

	if (l->net_devices.n)
		return refuse("/linux/netDevices", "the device would stay with the host", e);
	if (l->seccomp.listener_path)
		return refuse("/linux/seccomp/listenerPath",
			      "its system calls are the guest kernel's", e);
	if (l->resources.rdma.n)
		return refuse("/linux/resources/rdma", "it has no such device", e);
	if (l->intel_rdt.set)
		return refuse("/linux/intelRdt", "not wired to its processors", e);
	if (l->memory_policy.mode)
		return refuse("/linux/memoryPolicy", "the guest has one memory node", e);
	return 0;
}

static int accept_vm(const struct spec_vm *v, struct err *e)
{
	if (v->hypervisor_path)
		return refuse("/vm/hypervisor", "the monitor is built in", e);
	if (v->device_tree || v->dtdevs.n)
		return refuse("/vm/hwConfig/deviceTree", "x86 has none", e);
	if (v->n_iomems)
		return refuse("/vm/hwConfig/iomems", "no memory of devices is passed through", e);
	if (v->n_irqs)
		return refuse("/vm/hwConfig/irqs", "no interrupt is passed through", e);
	return 0;
}

/* A label is of the host's kernel: inside there is no such module, and outside it isn't the
 * container's process that would bear it. */
static void warn_labels(struct rt_container *c)
{
	const struct spec_process *p = &c->spec->process;
	struct err w;

	if (!c->env->warn ||
	    (!p->apparmor_profile && !p->selinux_label && !c->spec->linux_.mount_label))
		return;
	err_set(&w, ERR_UNSUPPORTED, ENOTSUP,
		p->apparmor_profile ? "/process/apparmorProfile"
		: p->selinux_label  ? "/process/selinuxLabel"
				    : "/linux/mountLabel",
		"security labels of the host mean nothing to a micro-VM's processes");
	c->env->warn(c->env->warn_arg, &w);
}

int be_vm_accept_fds(const struct rt_container *c, struct err *e)
{
	return c->preserve_fds ? refuse("--preserve-fds (or LISTEN_FDS)",
					"the descriptors are of the host's kernel", e)
			       : 0;
}

int be_vm_accept(struct rt_container *c, struct be_vm_pod *pod, struct err *e)
{
	int rc = accept_namespaces(c->spec, pod, e);

	warn_labels(c);
	if (rc >= 0)
		rc = be_vm_accept_fds(c, e);
	if (rc >= 0)
		rc = accept_linux(c->spec, e);
	if (rc >= 0)
		rc = accept_vm(&c->spec->vm, e);
	return rc < 0 ? rc : be_vm_image_accept(c->spec, e);
}

/* --- its size --- */

static unsigned host_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* What an engine says of a pod whose containers will come; 0: nothing. */
struct pod_size {
	uint64_t memory, quota, period;
};

static uint64_t number(const struct spec *s, const char *key)
{
	const char *text = spec_annotation(s, key);
	uint64_t v = 0;

	return text && str_to_u64(text, &v) ? v : 0;
}

/* CRI-O writes the interface's LinuxContainerResources as JSON, formerly under another name. */
static void crio_size(struct rt_container *c, struct pod_size *ret)
{
	const char *text = spec_annotation(c->spec, "pod-linux-resources.crio.io");
	struct json *all;
	struct err ignored;

	if (!text)
		text = spec_annotation(c->spec, "io.kubernetes.cri-o.PodLinuxResources");
	if (!text || json_parse(c->arena, text, strlen(text), "annotation", &all, &ignored) < 0)
		return;
	(void)json_get_u64(all, "memory_limit_in_bytes", &ret->memory);
	(void)json_get_u64(all, "cpu_quota", &ret->quota);
	(void)json_get_u64(all, "cpu_period", &ret->period);
}

/* containerd: numbers as text. */
static struct pod_size size_of_pod(struct rt_container *c)
{
	struct pod_size p = {
		.memory = number(c->spec, "io.kubernetes.cri.sandbox-memory"),
		.quota = number(c->spec, "io.kubernetes.cri.sandbox-cpu-quota"),
		.period = number(c->spec, "io.kubernetes.cri.sandbox-cpu-period"),
	};

	crio_size(c, &p);
	return p;
}

static uint64_t processors(uint64_t quota, uint64_t period)
{
	if (!period)
		period = 100000;
	return quota / period + (quota % period != 0);
}

static unsigned count_vcpus(const struct spec *s, const struct pod_size *pod)
{
	const struct spec_cpu *cpu = &s->linux_.resources.cpu;
	unsigned n = host_cpus();

	if (s->vm.vcpus.set)
		n = s->vm.vcpus.v > VCPUS_MAX ? VCPUS_MAX : (unsigned)s->vm.vcpus.v;
	else {
		uint64_t quota =
			cpu->quota.set && cpu->quota.v > 0 ? (uint64_t)cpu->quota.v : pod->quota;
		uint64_t period = cpu->period.set && cpu->period.v ? cpu->period.v : pod->period;
		uint64_t want = processors(quota, period);
		if (want && want < n)
			n = (unsigned)want;
	}
	return n == 0 ? 1 : n > VCPUS_MAX ? VCPUS_MAX : n;
}

static uint64_t count_memory(const struct spec *s, const struct pod_size *pod)
{
	const struct spec_memory *m = &s->linux_.resources.memory;
	uint64_t bytes = DEFAULT_MEMORY;

	if (s->vm.memory.set)
		bytes = s->vm.memory.v;
	else if (m->limit.set && m->limit.v > 0)
		bytes = (uint64_t)m->limit.v + GUEST_ROOM;
	else if (pod->memory && pod->memory < MEMORY_MOST)
		bytes = pod->memory + GUEST_ROOM;
	return bytes & ~(uint64_t)4095;
}

static const char *join(struct arena *a, const struct spec_strings *l)
{
	const char *all = l->n ? l->items[0] : NULL;

	for (size_t i = 1; all && i < l->n; i++)
		all = arena_printf(a, "%s %s", all, l->items[i]);
	return all;
}

int be_vm_shape(struct rt_container *c, struct be_vm_shape *ret, struct err *e)
{
	const struct spec *s = c->spec;
	const struct pod_size pod = size_of_pod(c);
	struct be_vm_shape v = {.memory = count_memory(s, &pod),
				.vcpus = count_vcpus(s, &pod),
				.parameters = join(c->arena, &s->vm.kernel_parameters)};

	if (v.memory < LEAST_MEMORY)
		return err_set(e, ERR_SPEC, EINVAL, "/vm/hwConfig/memory",
			       "%llu MiB are too little for a guest: %llu MiB are the least",
			       (unsigned long long)(v.memory / MIB), LEAST_MEMORY / MIB);
	int rc = be_vm_kernel(c, &v, e);
	if (rc < 0)
		return rc;
	*ret = v;
	return 0;
}

void be_vm_host_resources(struct spec_resources *r, uint64_t memory)
{
	int64_t limit = (int64_t)(memory + HOST_ROOM);

	/* The monitor opens nothing once it runs: the list is the guest's. */
	r->devices.n = 0;
	if (r->memory.limit.set && r->memory.limit.v > 0) {
		int64_t swap = r->memory.swap.v - r->memory.limit.v;
		r->memory.limit.v = limit;
		if (r->memory.swap.set && r->memory.swap.v > 0)
			r->memory.swap.v = limit + swap;
	}
	/* Raw values of v2 are meant for the container: sizes of its memory would be the machine's.
	 */
	r->unified.n = 0;
	if (r->pids_limit.set && r->pids_limit.v > 0)
		r->pids_limit.v += HOST_PIDS;
}

struct spec *be_vm_host_spec(struct rt_container *c, const struct be_vm_shape *s, struct err *e)
{
	struct spec *host = arena_alloc(c->arena, sizeof(*host));

	if (!host) {
		err_sys(e, ENOMEM, NULL, "planning the control group");
		return NULL;
	}
	*host = *c->spec;
	be_vm_host_resources(&host->linux_.resources, s->memory);
	return host;
}
