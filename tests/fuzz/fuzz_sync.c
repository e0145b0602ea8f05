/* tests/fuzz/fuzz_sync.c: what a process in the container, or one that is to become it, says to the
 * runtime. The first byte chooses: 0 to 9 a message of common/sync.h of that due type (16 more:
 * with a descriptor), 's' sd_notify's text, else CRIU's answer. */
#include "fuzz.h"

#include "common/fd.h"
#include "common/str.h"
#include "common/sync.h"
#include "runtime/container.h"
#include "runtime/criu_wire.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2] = {-1, -1};

static void put(const uint8_t *data, size_t len, int fd)
{
	struct err e = {0};

	if (ends[0] < 0)
		FUZZ_CHECK(sync_pair(ends, &e) == 0);
	FUZZ_CHECK(fd_send(ends[1], fd, data, len, &e) == 0);
}

/* As it stands: a message that is taken is whole, and its strings end. */
static void receive(const uint8_t *data, size_t len, int fd)
{
	struct sync_msg m = {0};
	struct err e = {0};
	int got = -1;

	put(data, len, fd);
	int rc = sync_recv(ends[0], &m, &got, &e);
	FUZZ_CHECK(rc == 1 || (rc < 0 && e.code == -rc && got < 0));
	if (rc == 1) {
		FUZZ_CHECK(m.magic == SYNC_MAGIC && m.type >= SYNC_GO && m.type <= SYNC_AGAIN);
		FUZZ_CHECK((got >= 0) == (fd >= 0));
		if (m.type == SYNC_ERROR || m.type == SYNC_AGAIN)
			FUZZ_CHECK(m.err.code > 0 && memchr(m.err.text, 0, sizeof(m.err.text)) &&
				   memchr(m.err.where, 0, sizeof(m.err.where)));
	}
	fd_close(&got);
}

static void expect(const uint8_t *data, size_t len, enum sync_type due)
{
	struct err e = {0};
	int64_t value = 0;

	put(data, len, -1);
	int rc = sync_expect(ends[0], due, &value, NULL, &e);
	FUZZ_CHECK(rc == 0 || (rc < 0 && e.code == -rc && e.kind != ERR_NONE));
}

static void notify(const uint8_t *data, size_t len)
{
	auto_strbuf out = {0};
	char *text = fuzz_text(data, len);

	(void)rt_sdnotify_pass(text, 1234, &out);
	FUZZ_CHECK(!out.failed);
	/* Whatever a container says, the manager hears no other process named, and gets nothing to
	 * keep. */
	for (char *at = out.s, *line; at && (line = strsep(&at, "\n"));)
		FUZZ_CHECK(!str_starts(line, "FDSTORE") &&
			   (!str_starts(line, "MAINPID=") || str_eq(line, "MAINPID=1234")));
	free(text);
}

static void criu(const uint8_t *data, size_t len)
{
	struct rt_criu_answer r;
	uint8_t *copy = malloc(len ? len : 1);

	FUZZ_CHECK(copy);
	memcpy(copy, data, len);
	if (rt_wire_answer(copy, len, &r))
		FUZZ_CHECK(r.type && memchr(r.script, 0, sizeof(r.script)) &&
			   memchr(r.message, 0, sizeof(r.message)));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	uint8_t what = data[0];
	if ((what & 0xef) <= SYNC_AGAIN) {
		receive(data + 1, size - 1, what & 16 ? STDIN_FILENO : -1);
		expect(data + 1, size - 1, what & 15);
	} else if (what == 's') {
		notify(data + 1, size - 1);
	} else {
		criu(data + 1, size - 1);
	}
	return 0;
}
