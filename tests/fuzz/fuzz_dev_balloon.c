/* tests/fuzz/fuzz_dev_balloon.c: the balloon, whose pages come and go by the guest's word. */
#include "fuzz_device.h"

static struct vm_device *make(struct vm_driver *v, struct fuzz_in *in)
{
	struct vm_device *d;

	(void)in;
	FUZZ_CHECK(vm_balloon_make(&v->wires, &d, &v->e) == 0);
	return d;
}

static void outside(struct vm_driver *v, struct fuzz_in *in)
{
	vm_balloon_target(v->d, fuzz_u32(in));
}

/* Page numbers, of RAM for the most part, above the rings. */
static size_t head(struct fuzz_in *in, uint8_t *to)
{
	uint8_t n = fuzz_u8(in) % 16 + 1;

	for (uint8_t i = 0; i < n; i++) {
		uint32_t page = 128 + fuzz_u8(in) % 128;
		memcpy(to + 4 * i, &page, sizeof(page));
	}
	return 4u * n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_world world = {.make = make, .outside = outside, .head = head};

	return fuzz_device(&world, data, size);
}
