/* tests/unit/test_vm_devices.c: entropy, console and balloon, with good drivers and bad ones. */
#include "tests/unit/vm_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define RAM (4u << 20)

static struct vm_driver v;

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	drv_open(&v, RAM);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drv_close(&v);
	return 0;
}

static void rng_up(void)
{
	struct vm_device *d;

	assert_int_equal(vm_rng_make(&v.wires, &d, &v.e), 0);
	drv_attach(&v, d);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_DEVICE_ID), 4);
	drv_up(&v, 0, 8);
}

static void rng_fills(void **state)
{
	uint64_t at = drv_alloc(&v, 64);
	struct drv_buf b[2] = {{at, 20, true}, {at + 32, 20, true}};
	uint8_t *bytes = drv_at(&v, at, 64);
	uint32_t id, len;
	unsigned zeroes = 0;

	(void)state;
	rng_up();
	drv_add(&v, 0, b, 2);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_true(drv_used(&v, 0, &id, &len));
	assert_int_equal(len, 40);
	assert_int_equal(drv_irq(&v), 1);
	for (unsigned i = 0; i < 20; i++)
		zeroes += !bytes[i] + !bytes[32 + i];
	assert_in_range(zeroes, 0, 10); /* 11 of 40 by chance: less than 1 in 10^17 */
	for (unsigned i = 20; i < 32; i++)
		assert_int_equal(bytes[i], 0);
}

/* All of the memory at once, its own rings too: a bounded part is filled. */
static void rng_is_bounded(void **state)
{
	struct drv_buf b = {RAM / 2, RAM / 2, true};
	uint32_t id, len;

	(void)state;
	rng_up();
	drv_add(&v, 0, &b, 1);
	drv_add1(&v, 0, drv_alloc(&v, 8), 8, false); /* nothing to write into */
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_true(drv_used(&v, 0, &id, &len));
	assert_int_equal(len, 4096);
	assert_int_equal(*(uint8_t *)drv_at(&v, RAM / 2 + 4096, 1), 0);
	assert_true(drv_used(&v, 0, &id, &len));
	assert_int_equal(len, 0);
	assert_false(drv_broken(&v));
	drv_avail_idx(&v, 0, 1000);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_true(drv_broken(&v));
}

static void console_up(int out)
{
	struct vm_device *d;

	assert_int_equal(vm_console_make(&v.wires, out, &d, &v.e), 0);
	drv_attach(&v, d);
	drv_up(&v, 0, 16);
}

/* The text's place in guest memory, apart from the rings. */
#define TEXT (1u << 20)

static void say(const void *text, size_t len)
{
	uint32_t id, used;

	memcpy(drv_at(&v, TEXT, len), text, len);
	drv_add1(&v, 1, TEXT, (uint32_t)len, false);
	drv_kick(&v, 1);
	drv_turn(&v);
	assert_true(drv_used(&v, 1, &id, &used));
	assert_int_equal(used, 0);
}

static void console_writes(void **state)
{
	char b[64] = "";
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	console_up(p[1]);
	say("hello ", 6);
	say("world\n", 6);
	assert_int_equal(read(p[0], b, sizeof(b)), 12);
	assert_string_equal(b, "hello world\n");
	/* All is written: the loop sleeps. */
	assert_int_equal(poll(&(struct pollfd){v.loop.epoll, POLLIN, 0}, 1, 20), 0);
	close(p[0]);
}

static void console_to_a_file(void **state)
{
	int fd = memfd_create("out", MFD_CLOEXEC), copy = dup(fd);
	char b[64] = "";

	(void)state;
	console_up(fd);
	say("line\n", 5);
	assert_int_equal(pread(copy, b, sizeof(b), 0), 5);
	assert_string_equal(b, "line\n");
	close(copy);
}

static void console_to_nowhere(void **state)
{
	(void)state;
	console_up(-1);
	say("line\n", 5);
	assert_false(drv_broken(&v));
}

/* Kilobytes of this process's memory. */
static long kib_resident(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

#ifdef __SANITIZE_ADDRESS__
#define FLOOD (64u << 20) /* it counts its own memory, and is slow */
#define GROWTH (64l << 10)
#else
#define FLOOD (1u << 30)
#define GROWTH 1024l
#endif

static void flood(unsigned total)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	for (size_t i = 63; i < sizeof(block); i += 64)
		block[i] = '\n';
	say(block, sizeof(block));
	long before = kib_resident();
	for (unsigned done = 0; done < total; done += sizeof(block))
		say(block, sizeof(block));
	assert_true(kib_resident() - before <= GROWTH);
}

/* A gigabyte: the file stays within its bound throughout, says what went, and ends with what was
 * said last. */
static void console_floods_a_file(void **state)
{
	int fd = memfd_create("out", MFD_CLOEXEC), copy = dup(fd);
	unsigned long long gone = 0;
	static char all[VM_CONSOLE_FILE_MAX + 1];
	struct stat st;

	(void)state;
	console_up(fd);
	for (unsigned i = 0; i < 64; i++) {
		flood(FLOOD / 64);
		assert_int_equal(fstat(copy, &st), 0);
		assert_in_range(st.st_size, 1, VM_CONSOLE_FILE_MAX);
	}
	say("Kernel panic\n", 13);
	ssize_t n = pread(copy, all, sizeof(all), 0);
	assert_in_range(n, 13, VM_CONSOLE_FILE_MAX);
	assert_memory_equal(all + n - 13, "Kernel panic\n", 13);
	assert_int_equal(sscanf(all, "[%llu bytes before this are gone]", &gone), 1);
	assert_true(gone > FLOOD / 2);
	close(copy);
}

/* CVE-2020-27174: a gigabyte, and nobody who reads. */
static void console_floods_nobody(void **state)
{
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	console_up(s[1]);
	flood(FLOOD);
	close(s[0]);
}

/* What can't be cut isn't. */
static void console_to_a_device(void **state)
{
	(void)state;
	console_up(open("/dev/null", O_WRONLY | O_CLOEXEC));
	flood(4u << 20);
	assert_false(drv_broken(&v));
}

/* The input queue is left alone: nothing comes. */
static void console_has_no_input(void **state)
{
	uint32_t id, len;
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	console_up(p[1]);
	drv_add1(&v, 0, drv_alloc(&v, 16), 16, true);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_false(drv_used(&v, 0, &id, &len));
	assert_false(drv_broken(&v));
	close(p[0]);
}

static size_t drain(int fd, char *to, size_t room)
{
	size_t n = 0;
	ssize_t k;

	for (;;) {
		drv_turn(&v);
		k = recv(fd, to + n, room - n, MSG_DONTWAIT);
		if (k <= 0)
			return n;
		n += (size_t)k;
	}
}

/* CVE-2020-27174's case: megabytes with nobody reading. Every buffer comes back at once; what is
 * read later are whole lines, and one says that others are missing. */
static void console_without_reader(void **state)
{
	static char all[2 << 20];
	unsigned lines = 0, lost = 0;
	int s[2];
	size_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	console_up(s[1]);
	for (unsigned i = 0; i < 60000; i++) {
		char line[64];

		say(line, (size_t)snprintf(line, sizeof(line), "line %06u of the log\n", i));
	}
	n = drain(s[0], all, sizeof(all) - 1);
	assert_in_range(n, 60000, 1000000);
	say("one more\n", 9);
	n += drain(s[0], all + n, sizeof(all) - 1 - n);
	say("the last\n", 9);
	n += drain(s[0], all + n, sizeof(all) - 1 - n);
	all[n] = '\0';
	for (char *line = strtok(all, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned was = lines + lost;

		lost += !strcmp(line, "[output lost]");
		lines += strlen(line) == 22 || !strcmp(line, "the last");
		/* One line may be cut: the last one before the loss. */
		if (lines + lost == was)
			assert_true(!strncmp(line, "line 0", strlen(line) < 6 ? strlen(line) : 6));
	}
	assert_int_equal(lost, 1);
	assert_true(lines > 1000);
	close(s[0]);
}

/* As a pipe that is full: no writing call waits, and nothing spins. */
static void console_full_pipe(void **state)
{
	struct pollfd p = {.events = POLLIN};
	char block[4096];
	int fds[2];

	(void)state;
	memset(block, 'x', sizeof(block));
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	console_up(fds[1]);
	for (unsigned i = 0; i < 200; i++)
		say(block, sizeof(block));
	p.fd = v.loop.epoll;
	assert_int_equal(poll(&p, 1, 50), 0);
	close(fds[0]);
	drv_turn(&v); /* the reader went away: dropped, and the guest may go on */
	say(block, sizeof(block));
	assert_int_equal(poll(&p, 1, 50), 0);
}

/* One buffer of the largest size there is, and a device that goes while output waits. */
static void console_huge_buffer(void **state)
{
	struct drv_buf b[15];
	uint32_t id, len;
	int s[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	console_up(s[1]);
	for (unsigned i = 0; i < 15; i++)
		b[i] = (struct drv_buf){0, RAM, false};
	drv_add(&v, 1, b, 15);
	drv_kick(&v, 1);
	drv_turn(&v);
	assert_true(drv_used(&v, 1, &id, &len));
	close(s[0]);
}

static void balloon_up(void)
{
	struct vm_device *d;

	assert_int_equal(vm_balloon_make(&v.wires, &d, &v.e), 0);
	drv_attach(&v, d);
	drv_up(&v, 1ull << 5, 16);
}

static void numbers(unsigned q, const uint32_t *pages, unsigned n)
{
	uint64_t at = drv_alloc(&v, 4 * n);

	memcpy(drv_at(&v, at, 4 * n), pages, 4 * n);
	drv_add1(&v, q, at, 4 * n, false);
	drv_kick(&v, q);
	drv_turn(&v);
}

static unsigned resident(uint64_t page, unsigned n)
{
	unsigned char in[64];
	unsigned sum = 0;

	assert_int_equal(mincore(drv_at(&v, page * VM_PAGE, n * VM_PAGE), n * VM_PAGE, in), 0);
	for (unsigned i = 0; i < n; i++)
		sum += in[i] & 1;
	return sum;
}

static void dirty(uint64_t page, unsigned n)
{
	memset(drv_at(&v, page * VM_PAGE, n * VM_PAGE), 0x77, n * VM_PAGE);
}

static void balloon_inflates(void **state)
{
	const uint32_t up[] = {512, 513, 514, 600, 601, 700}, down[] = {520, 519, 518, 517};
	uint32_t id, len;

	(void)state;
	balloon_up();
	dirty(512, 64);
	dirty(600, 3);
	dirty(700, 1);
	numbers(0, up, 6);
	assert_true(drv_used(&v, 0, &id, &len));
	assert_int_equal(resident(512, 3), 0);
	assert_int_equal(resident(515, 10), 10);
	assert_int_equal(resident(600, 2), 0);
	assert_int_equal(resident(602, 1), 1);
	assert_int_equal(resident(700, 1), 0);
	numbers(0, down, 4);
	assert_int_equal(resident(515, 2), 2);
	assert_int_equal(resident(517, 4), 0);
	assert_int_equal(resident(521, 4), 4);
	assert_int_equal(*(uint8_t *)drv_at(&v, 512 * VM_PAGE, 1), 0);
	numbers(1, up, 6);
	assert_true(drv_used(&v, 1, &id, &len));
	assert_false(drv_broken(&v));
}

static void bad_page(uint32_t page)
{
	const uint32_t pages[] = {512, page};

	drv_up(&v, 0, 16);
	dirty(512, 1);
	numbers(0, pages, 2);
	assert_true(drv_broken(&v));
}

static void balloon_refuses_what_isnt_ram(void **state)
{
	(void)state;
	balloon_up();
	bad_page(RAM / VM_PAGE);
	bad_page(0xffffffff);
	bad_page(0xd0000);
	bad_page(0x100000);
	/* The last page is one. */
	drv_up(&v, 0, 16);
	numbers(0, &(uint32_t){RAM / VM_PAGE - 1}, 1);
	assert_false(drv_broken(&v));
	/* A list longer than any driver writes. */
	drv_add1(&v, 0, 0, 65536, false);
	drv_kick(&v, 0);
	drv_turn(&v);
	assert_true(drv_broken(&v));
}

static void reported(unsigned q)
{
	struct drv_buf b[2] = {{512 * VM_PAGE, 4 * VM_PAGE, true},
			       {600 * VM_PAGE + 100, 2 * VM_PAGE, true}};
	uint32_t id, len;

	dirty(512, 8);
	dirty(600, 4);
	drv_add(&v, q, b, 2);
	drv_kick(&v, q);
	drv_turn(&v);
	assert_true(drv_used(&v, q, &id, &len));
	assert_int_equal(resident(512, 4), 0);
	assert_int_equal(resident(516, 4), 4);
	assert_int_equal(resident(600, 1), 1);
	assert_int_equal(resident(601, 1), 0);
	assert_int_equal(resident(602, 2), 2);
}

/* At the place that Linux uses, and at the specification's. */
static void balloon_reporting(void **state)
{
	(void)state;
	balloon_up();
	reported(2);
	reported(4);
	assert_false(drv_broken(&v));
}

static void balloon_target_and_actual(void **state)
{
	uint32_t value = 0;

	(void)state;
	balloon_up();
	vm_lock(&v.loop);
	vm_balloon_target(v.d, 1234);
	vm_unlock(&v.loop);
	assert_int_equal(drv_irq(&v), 1);
	assert_int_equal(drv_get(&v, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	drv_config(&v, 0, &value, 4);
	assert_int_equal(value, 1234);
	drv_set(&v, VIRTIO_MMIO_CONFIG + 4, 77);
	drv_set(&v, VIRTIO_MMIO_CONFIG, 99); /* not the driver's to say */
	drv_config(&v, 0, &value, 4);
	assert_int_equal(value, 1234);
	drv_config(&v, 4, &value, 4);
	assert_int_equal(value, 77);
	drv_set(&v, VIRTIO_MMIO_STATUS, 0);
	drv_config(&v, 0, &value, 4);
	assert_int_equal(value, 1234);
	drv_config(&v, 4, &value, 4);
	assert_int_equal(value, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(rng_fills),
		T(rng_is_bounded),
		T(console_writes),
		T(console_to_a_file),
		T(console_to_nowhere),
		T(console_floods_a_file),
		T(console_floods_nobody),
		T(console_to_a_device),
		T(console_has_no_input),
		T(console_without_reader),
		T(console_full_pipe),
		T(console_huge_buffer),
		T(balloon_inflates),
		T(balloon_refuses_what_isnt_ram),
		T(balloon_reporting),
		T(balloon_target_and_actual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
