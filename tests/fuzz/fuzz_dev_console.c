/* tests/fuzz/fuzz_dev_console.c: the console, whose reader (a pipe of the smallest size) reads now
 * and then, or leaves. */
#include "fuzz_device.h"

#include <fcntl.h>
#include <signal.h>

static int reader = -1;

static struct vm_device *make(struct vm_driver *v, struct fuzz_in *in)
{
	struct vm_device *d;
	int ends[2];

	(void)in;
	signal(SIGPIPE, SIG_IGN);
	FUZZ_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	(void)!fcntl(ends[1], F_SETPIPE_SZ, 4096);
	reader = ends[0];
	FUZZ_CHECK(vm_console_make(&v->wires, ends[1], &d, &v->e) == 0);
	return d;
}

static void outside(struct vm_driver *v, struct fuzz_in *in)
{
	char got[4096];
	uint16_t n = fuzz_u16(in);

	(void)v;
	if (n == 0xffff && reader >= 0) {
		close(reader);
		reader = -1;
	} else if (reader >= 0) {
		(void)!read(reader, got, n % sizeof(got));
	}
}

static void leave(void)
{
	if (reader >= 0)
		close(reader);
	reader = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_world world = {.make = make, .outside = outside, .leave = leave};

	return fuzz_device(&world, data, size);
}
