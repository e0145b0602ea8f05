/* tests/unit/test_vm_pod.c: which machine a pod's container joins, what of its sandbox's it names,
 * and how large a sandbox's machine is. */
#include "runtime/microvm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CRI "io.kubernetes.cri."
#define CRIO "io.kubernetes.cri-o."

static const char *sandbox_of(struct spec_pair *pairs, size_t n)
{
	struct spec s = {.annotations = {.items = pairs, .n = n}};

	return be_vm_sandbox(&s);
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

static bool has(enum spec_ns type, const char *path)
{
	struct be_vm_pod p = {.machine.doc.pid = getpid()};
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

static struct be_vm_shape shape_of(const char *memory, const char *quota, const char *period)
{
	struct spec_pair pairs[] = {{CRI "sandbox-memory", memory},
				    {CRI "sandbox-cpu-quota", quota},
				    {CRI "sandbox-cpu-period", period}};
	struct spec s = {.annotations = {.items = pairs, .n = 3}, .vm.kernel_path = "/bin/true"};
	auto_container c;
	struct be_vm_shape shape = {0};
	struct err e;

	rt_init(&c, NULL, "x");
	c.spec = &s;
	assert_int_equal(be_vm_shape(&c, &shape, &e), 0);
	return shape;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(namespaces),
		cmocka_unit_test(guest_paths),
		cmocka_unit_test(shapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
