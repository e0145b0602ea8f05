/* tests/fuzz/fuzz_dev_rng.c: the entropy device, and with it the transport and the virtqueues. */
#include "fuzz_device.h"

static struct vm_device *make(struct vm_driver *v, struct fuzz_in *in)
{
	struct vm_device *d;

	(void)in;
	FUZZ_CHECK(vm_rng_make(&v->wires, &d, &v->e) == 0);
	return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_world world = {.make = make};

	return fuzz_device(&world, data, size);
}
