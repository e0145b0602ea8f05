/* tests/fuzz/fuzz_inflate.c: raw deflate streams into rooms of several sizes; a smaller room gets
 * the beginning of what a larger one gets. */
#include "fuzz.h"

#include "microvm/inflate.h"

#define ROOM 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *all = malloc(ROOM);

	FUZZ_CHECK(all);
	ssize_t n = vm_inflate(data, size, all, ROOM);
	FUZZ_CHECK(n <= (ssize_t)ROOM);
	for (size_t room = 0; n > 0 && room <= (size_t)n; room = room * 3 + 1) {
		uint8_t *part = malloc(room ? room : 1);
		FUZZ_CHECK(part);
		ssize_t m = vm_inflate(data, size, part, room);
		FUZZ_CHECK(m == (ssize_t)room && memcmp(part, all, room) == 0);
		free(part);
	}
	free(all);
	return 0;
}
