/* tests/fuzz/fuzz_qcow2.c: qcow2 images: what opens is read through, piece by piece and at odd
 * places; the same place always has the same bytes. */
#include "fuzz.h"

#include "microvm/qcow2.h"

#include <sys/mman.h>
#include <unistd.h>

#define PIECE 4096u
#define READS 16u

static void read_all(struct vm_qcow2 *q)
{
	uint8_t a[PIECE], b[PIECE];
	uint64_t size = vm_qcow2_size(q), step = size / READS + 1;

	for (uint64_t at = 0; at < size; at += step) {
		size_t n = size - at < PIECE ? (size_t)(size - at) : PIECE;
		int rc = vm_qcow2_read(q, at, a, n);
		FUZZ_CHECK(rc <= 0 && vm_qcow2_read(q, at, b, n) == rc);
		FUZZ_CHECK(rc < 0 || memcmp(a, b, n) == 0);
	}
	FUZZ_CHECK(vm_qcow2_read(q, size, a, 1) < 0);
	FUZZ_CHECK(vm_qcow2_read(q, UINT64_MAX - 1, a, 4) < 0);
	if (size > 1)
		FUZZ_CHECK(vm_qcow2_read(q, size - 1, a, 2) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	struct vm_qcow2 *q = NULL;
	struct err e = {0};

	FUZZ_CHECK(fd >= 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	int rc = vm_qcow2_open(fd, &q, &e);
	if (rc == 0) {
		read_all(q);
		vm_qcow2_free(q);
	} else {
		FUZZ_CHECK(e.code == -rc && e.text[0] && !q);
	}
	close(fd);
	return 0;
}
