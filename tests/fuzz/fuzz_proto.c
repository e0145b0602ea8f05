/* tests/fuzz/fuzz_proto.c: frames between runtime and agent: the bytes as they are, in pieces as a
 * slow guest sends them (the first byte says how long), and what an answer says. */
#include "fuzz.h"

#include "microvm/proto.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST (64u << 10) /* fits the socket */

/* Strings of the guest end up on terminals. */
static void answer(const struct json *j)
{
	const struct json *ok = NULL;
	struct err e = {0};
	int rc = vm_answer_read(j, &ok, &e);

	if (rc < 0)
		fuzz_check_err(rc, &e);
	else
		FUZZ_CHECK(ok && ok->type == JSON_OBJECT);
}

/* All of it at once, then the end. */
static int whole(const uint8_t *data, size_t len)
{
	auto_arena a = {0};
	struct err e = {0};
	struct json *j = NULL;
	int ends[2];

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	FUZZ_CHECK(!len || write(ends[1], data, len) == (ssize_t)len);
	close(ends[1]);
	int rc = vm_frame_recv(ends[0], &a, &j, &e);
	if (rc == 1) {
		FUZZ_CHECK(j && j->type == JSON_OBJECT);
		answer(j);
	} else {
		FUZZ_CHECK(rc == 0 ? len == 0 : e.code == -rc);
	}
	close(ends[0]);
	return rc;
}

/* Piece by piece: the same in the end. */
static int pieces(const uint8_t *data, size_t len, size_t piece)
{
	auto_arena a = {0};
	struct vm_frame f = {0};
	struct err e = {0};
	struct json *j = NULL;
	int ends[2], rc = 0;

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	for (size_t at = 0; at < len && rc == 0; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		FUZZ_CHECK(write(ends[1], data + at, n) == (ssize_t)n);
		rc = vm_frame_more(ends[0], &f, &e);
	}
	close(ends[1]);
	if (rc == 0)
		rc = vm_frame_more(ends[0], &f, &e);
	if (rc == 1)
		rc = vm_frame_parse(&f, &a, &j, &e) < 0 ? -1 : 1;
	vm_frame_free(&f);
	close(ends[0]);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > MOST)
		return 0;
	size_t piece = data[0] ? data[0] : 256;
	int rc = whole(data + 1, size - 1);
	FUZZ_CHECK((rc == 1) == (pieces(data + 1, size - 1, piece) == 1));
	return 0;
}
