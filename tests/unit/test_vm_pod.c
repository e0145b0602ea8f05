/* tests/unit/test_vm_pod.c: which machine a pod's container joins, what of its sandbox's it names,
 * which namespaces an engine may have pinned for it, and how large a sandbox's machine is. */
#include "runtime/microvm.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CRI "io.kubernetes.cri."
#define CRIO "io.kubernetes.cri-o."

static const char *sandbox_of(struct spec_pair *pairs, size_t n)
{
	const struct spec_pairs annotations = {.items = pairs, .n = n};

	return be_vm_sandbox(&annotations);
}
#define SANDBOX_OF(...)                               \
	sandbox_of((struct spec_pair[]){__VA_ARGS__}, \
		   sizeof((struct spec_pair[]){__VA_ARGS__}) / sizeof(struct spec_pair))

static void names(void **state)
{
	(void)state;
	assert_string_equal(
		SANDBOX_OF({CRI "container-type", "container"}, {CRI "sandbox-id", "s1"}), "s1");
	assert_string_equal(
		SANDBOX_OF({CRIO "SandboxID", "s2"}, {CRIO "ContainerType", "container"}), "s2");
	assert_string_equal(SANDBOX_OF({CRI "container-type", "container"}), "");
	assert_null(SANDBOX_OF({CRI "container-type", "sandbox"}, {CRI "sandbox-id", "s1"}));
	assert_null(SANDBOX_OF({CRI "sandbox-id", "s1"}));
	assert_null(SANDBOX_OF({"io.container.manager", "libpod"}));
	assert_null(sandbox_of(NULL, 0));
}

static bool is_sandbox(const char *key, const char *value)
{
	struct spec_pair pair = {key, value};
	struct spec s = {.annotations = {.items = &pair, .n = 1}};

	return be_vm_is_sandbox(&s);
}

static void sandboxes(void **state)
{
	(void)state;
	assert_true(is_sandbox(CRI "container-type", "sandbox"));
	assert_true(is_sandbox(CRIO "ContainerType", "sandbox"));
	assert_false(is_sandbox(CRIO "ContainerType", "container"));
	assert_false(is_sandbox(CRIO "SandboxID", "sandbox"));
}

/* --- namespaces pinned to files --- */

struct pins {
	char dir[32], uts[64], ipc[64], plain[64];
};

/* A child makes them, pins them and ends. */
static void pin(struct pins *p)
{
	pid_t child = fork();
	char from[64];
	int status;

	if (child == 0) {
		if (unshare(CLONE_NEWUTS | CLONE_NEWIPC) < 0 || sethostname("pinned", 6) < 0)
			_exit(1);
		snprintf(from, sizeof(from), "/proc/%d/ns/uts", (int)getpid());
		bool bad = mount(from, p->uts, NULL, MS_BIND, NULL) < 0;
		snprintf(from, sizeof(from), "/proc/%d/ns/ipc", (int)getpid());
		_exit(bad || mount(from, p->ipc, NULL, MS_BIND, NULL) < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int pins_up(void **state)
{
	static struct pins p = {.dir = "/tmp/rft-pins.XXXXXX"};
	char *const files[] = {p.uts, p.ipc, p.plain};
	static const char *const names[] = {"uts", "ipc", "plain"};

	/* Mounts of our own, which end with us. */
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 0;
	if (!mkdtemp(p.dir) || mount("tmpfs", p.dir, "tmpfs", 0, NULL) < 0)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		snprintf(files[i], sizeof(p.uts), "%s/%s", p.dir, names[i]);
		close(open(files[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	pin(&p);
	*state = &p;
	return 0;
}

static int pins_down(void **state)
{
	const struct pins *p = *state;

	if (p) {
		umount2(p->dir, MNT_DETACH);
		rmdir(p->dir);
	}
	return 0;
}

static int accepts(enum spec_ns type, const char *path, struct err *e)
{
	struct spec_namespace ns = {.type = type, .path = path};

	return be_vm_pinned_accept(&ns, "/linux/namespaces/3/path", e);
}

static void refused(enum spec_ns type, const char *path, const char *why)
{
	struct err e;

	assert_true(accepts(type, path, &e) < 0);
	assert_string_equal(e.where, "/linux/namespaces/3/path");
	assert_non_null(strstr(e.text, why));
}

static void pinned(void **state)
{
	const struct pins *p = *state;
	char path[96];
	struct err e;

	if (!p)
		skip();
	assert_int_equal(accepts(SPEC_NS_UTS, p->uts, &e), 0);
	assert_int_equal(accepts(SPEC_NS_IPC, p->ipc, &e), 0);
	refused(SPEC_NS_IPC, p->uts, "isn't a ipc namespace");
	refused(SPEC_NS_UTS, p->plain, "of the host's kernel");
	refused(SPEC_NS_UTS, "/nothing", "no such file");
	/* By a process: there is one. */
	refused(SPEC_NS_UTS, "/proc/self/ns/uts", "of the host's kernel");
	snprintf(path, sizeof(path), "%s/link", p->dir);
	assert_int_equal(symlink(p->uts, path), 0);
	refused(SPEC_NS_UTS, path, "of the host's kernel");
}

static void hosts_own(void **state)
{
	const struct pins *p = *state;

	if (!p)
		skip();
	assert_int_equal(mount("/proc/self/ns/ipc", p->plain, NULL, MS_BIND, NULL), 0);
	refused(SPEC_NS_IPC, p->plain, "the host's own");
	assert_int_equal(umount(p->plain), 0);
}

static void inhabited(void **state)
{
	const struct pins *p = *state;
	int go[2];
	char c;

	if (!p)
		skip();
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		int fd = open(p->uts, O_RDONLY | O_CLOEXEC);
		if (setns(fd, CLONE_NEWUTS) < 0 || write(go[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(go[0], &c, 1), 1);
	refused(SPEC_NS_UTS, p->uts, "a process of the host is in the namespace");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(go[0]);
	close(go[1]);
	struct err e;
	assert_int_equal(accepts(SPEC_NS_UTS, p->uts, &e), 0);
}

static void pinned_names(void **state)
{
	const struct pins *p = *state;
	auto_container c;
	const char *host = NULL, *domain = NULL;
	char before[65], after[65];
	struct err e;

	if (!p)
		skip();
	struct spec_namespace ns = {.type = SPEC_NS_UTS, .path = p->uts};
	struct spec s = {.linux_.namespaces = {.items = &ns, .n = 1}};
	rt_init(&c, NULL, "x");
	c.spec = &s;
	gethostname(before, sizeof(before));
	assert_int_equal(be_vm_pinned_names(&c, &host, &domain, &e), 0);
	gethostname(after, sizeof(after));
	assert_string_equal(host, "pinned");
	assert_string_equal(before, after);
	/* What the configuration says counts. */
	s.hostname = "given";
	host = NULL;
	assert_int_equal(be_vm_pinned_names(&c, &host, &domain, &e), 0);
	assert_null(host);
}

/* What the sandbox's configuration named by a file, its containers may. */
static void pod_pinned(void **state)
{
	const struct pins *p = *state;
	struct be_vm_pod pod = {.machine.doc.pid = getpid()};

	if (!p)
		skip();
	struct spec_namespace own[] = {{.type = SPEC_NS_UTS, .path = p->uts},
				       {.type = SPEC_NS_IPC}};
	struct spec s = {.linux_.namespaces = {.items = own, .n = 2}};
	struct spec_namespace ns = {.type = SPEC_NS_UTS, .path = p->uts};
	pod.machine.spec = &s;
	assert_true(be_vm_pod_has(&pod, &ns));
	ns = (struct spec_namespace){.type = SPEC_NS_UTS, .path = p->ipc};
	assert_false(be_vm_pod_has(&pod, &ns));
	ns = (struct spec_namespace){.type = SPEC_NS_IPC, .path = p->ipc};
	assert_false(be_vm_pod_has(&pod, &ns));
	ns = (struct spec_namespace){.type = SPEC_NS_UTS, .path = "/nothing"};
	assert_false(be_vm_pod_has(&pod, &ns));
}

static bool has(enum spec_ns type, const char *path)
{
	struct spec none = {0};
	struct be_vm_pod p = {.machine = {.doc.pid = getpid(), .spec = &none}};
	struct spec_namespace ns = {.type = type, .path = path};

	return be_vm_pod_has(&p, &ns);
}

static void namespaces(void **state)
{
	char path[64];
	const int pid = (int)getpid();

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/ns/ipc", pid);
	assert_true(has(SPEC_NS_IPC, path));
	assert_false(has(SPEC_NS_UTS, path));
	/* The same namespace by another name: of the network's alone that says anything. */
	assert_false(has(SPEC_NS_IPC, "/proc/self/ns/ipc"));
	assert_true(has(SPEC_NS_NETWORK, "/proc/self/ns/net"));
	assert_false(has(SPEC_NS_NETWORK, "/proc/self/ns/ipc"));
	assert_false(has(SPEC_NS_NETWORK, "/nothing"));
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	assert_false(has(SPEC_NS_MOUNT, path));
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	assert_true(has(SPEC_NS_PID, path));
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid + 1);
	assert_false(has(SPEC_NS_PID, path));
}

static void guest_paths(void **state)
{
	auto_arena a = {0};

	(void)state;
	assert_string_equal(be_vm_guest_ns(&a, 1, SPEC_NS_NETWORK), "/proc/1/ns/net");
	assert_string_equal(be_vm_guest_ns(&a, 42, SPEC_NS_IPC), "/proc/42/ns/ipc");
	assert_string_equal(be_vm_guest_ns(&a, 42, SPEC_NS_MOUNT), "/proc/42/ns/mnt");
}

/* What the guest's config.json says of names and namespaces, where pod is what it joins. */
static void inside(const struct pins *p, const struct be_vm_pod *pod, const char *names,
		   const char *want_names, const char *want_spaces)
{
	auto_container c;
	auto_strbuf text = {0}, made = {0}, got = {0};
	struct be_vm_shares none = {0};
	struct json *all;
	struct err e;

	strbuf_printf(&text,
		      "{\"ociVersion\":\"1.0.2\",%s\"root\":{\"path\":\"r\"},\"linux\":{"
		      "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},"
		      "{\"type\":\"network\",\"path\":\"/run/netns/x\"},"
		      "{\"type\":\"ipc\",\"path\":\"%s\"},{\"type\":\"uts\",\"path\":\"%s\"}]}}",
		      names, p->ipc, p->uts);
	rt_init(&c, NULL, "x");
	c.config = text.s;
	c.config_len = text.len;
	assert_int_equal(spec_parse(c.arena, text.s, text.len, "config.json", &c.spec, &e), 0);
	assert_int_equal(be_vm_config(&c, pod, &none, &made, &e), 0);
	assert_int_equal(json_parse(c.arena, made.s, made.len, "made", &all, &e), 0);
	const char *host = NULL;
	json_get_string(all, "hostname", &host);
	assert_string_equal(host ? host : "", want_names);
	assert_non_null(strstr(made.s, want_spaces));
}

static void guests_config(void **state)
{
	const struct pins *p = *state;
	const struct be_vm_pod pod = {.guest_pid = 42};

	if (!p)
		skip();
	inside(p, NULL, "", "pinned",
	       "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},"
	       "{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"},{\"type\":\"ipc\"},"
	       "{\"type\":\"uts\"}]");
	inside(p, NULL, "\"hostname\":\"given\",", "given", "{\"type\":\"uts\"}]");
	/* Who joins gets what the sandbox has; a name of his own is set there. */
	inside(p, &pod, "", "",
	       "\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},"
	       "{\"type\":\"network\",\"path\":\"/proc/1/ns/net\"},"
	       "{\"type\":\"ipc\",\"path\":\"/proc/42/ns/ipc\"},"
	       "{\"type\":\"uts\",\"path\":\"/proc/42/ns/uts\"}]");
	inside(p, &pod, "\"hostname\":\"given\",", "given", "/proc/42/ns/uts");
}

static struct be_vm_shape shape(struct spec_pair *pairs, size_t n)
{
	struct spec s = {.annotations = {.items = pairs, .n = n}, .vm.kernel_path = "/bin/true"};
	auto_container c;
	struct be_vm_shape shape = {0};
	struct err e;

	rt_init(&c, NULL, "x");
	c.spec = &s;
	assert_int_equal(be_vm_shape(&c, &shape, &e), 0);
	return shape;
}

static struct be_vm_shape shape_of(const char *memory, const char *quota, const char *period)
{
	struct spec_pair pairs[] = {{CRI "sandbox-memory", memory},
				    {CRI "sandbox-cpu-quota", quota},
				    {CRI "sandbox-cpu-period", period}};

	return shape(pairs, 3);
}

static struct be_vm_shape crio_shape(const char *json)
{
	struct spec_pair pair = {CRIO "PodLinuxResources", json};

	return shape(&pair, 1);
}

static void shapes(void **state)
{
	const uint64_t mib = 1ull << 20, otherwise = shape_of("0", "0", "100000").memory;
	const unsigned cpus = shape_of("0", "0", "100000").vcpus;

	(void)state;
	assert_int_equal(shape_of("1073741824", "0", "0").memory, (1024 + 96) * mib);
	assert_int_equal(shape_of("much", "-1", "").memory, otherwise);
	assert_int_equal(shape_of("18446744073709551615", "0", "0").memory, otherwise);
	assert_int_equal(shape_of("0", "150000", "100000").vcpus, cpus < 2 ? cpus : 2);
	assert_int_equal(shape_of("0", "50000", "0").vcpus, 1);
	assert_int_equal(shape_of("0", "-1", "100000").vcpus, cpus);
	assert_int_equal(shape_of("0", "18446744073709551615", "1").vcpus, cpus);
}

static void crio_shapes(void **state)
{
	const uint64_t mib = 1ull << 20, otherwise = shape_of("0", "0", "100000").memory;
	struct spec_pair now = {"pod-linux-resources.crio.io",
				"{\"memory_limit_in_bytes\":134217728}"};

	(void)state;
	assert_int_equal(crio_shape("{\"memory_limit_in_bytes\":1073741824}").memory,
			 (1024 + 96) * mib);
	assert_int_equal(crio_shape("{\"cpu_period\":100000,\"cpu_quota\":50000}").vcpus, 1);
	assert_int_equal(crio_shape("{\"memory_limit_in_bytes\":-1,\"cpu_quota\":-1}").memory,
			 otherwise);
	assert_int_equal(crio_shape("null").memory, otherwise);
	assert_int_equal(crio_shape("{").memory, otherwise);
	assert_int_equal(crio_shape("[1]").memory, otherwise);
	assert_int_equal(crio_shape("{\"memory_limit_in_bytes\":\"1\"}").memory, otherwise);
	assert_int_equal(shape(&now, 1).memory, (128 + 96) * mib);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),      cmocka_unit_test(sandboxes),
		cmocka_unit_test(namespaces), cmocka_unit_test(guest_paths),
		cmocka_unit_test(shapes),     cmocka_unit_test(crio_shapes),
		cmocka_unit_test(pinned),     cmocka_unit_test(hosts_own),
		cmocka_unit_test(inhabited),  cmocka_unit_test(pinned_names),
		cmocka_unit_test(pod_pinned), cmocka_unit_test(guests_config),
	};

	return cmocka_run_group_tests(tests, pins_up, pins_down);
}
