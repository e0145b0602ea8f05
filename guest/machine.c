/* guest/machine.c: verbs that are about the guest as a whole. */
#include "guest/work.h"

#include "common/fd.h"
#include "guest/init.h"
#include "net/card.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SEED_MAX 512

static int set_clock(int64_t ns, struct err *e)
{
	const struct timespec t = {ns / 1000000000, ns % 1000000000};

	return clock_settime(CLOCK_REALTIME, &t) < 0 ? err_sys(e, errno, NULL, "setting the clock")
						     : 0;
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode(const char *hex, unsigned char *out, size_t *ret_n, struct err *e)
{
	size_t n = strlen(hex) / 2;

	if (strlen(hex) % 2 || n == 0 || n > SEED_MAX || hex[strspn(hex, "0123456789abcdef")])
		return err_set(e, ERR_USAGE, EINVAL, "entropy",
			       "must be 1 to %d bytes in small hexadecimal digits", SEED_MAX);
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
	*ret_n = n;
	return 0;
}

/* Credited (random(4)), and taken at once: two guests of one template must not draw the same. */
static int stir(const unsigned char *seed, size_t n, struct err *e)
{
	struct {
		struct rand_pool_info head;
		unsigned char bytes[SEED_MAX];
	} pool = {.head = {.entropy_count = (int)(n * 8), .buf_size = (int)n}};
	auto_fd fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	memcpy(pool.bytes, seed, n);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &pool) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		return err_sys(e, errno, "/dev/urandom", "adding entropy");
	return 0;
}

static int seed(struct guest_job *j, struct err *e)
{
	unsigned char bytes[SEED_MAX];
	const char *hex = NULL;
	size_t n = 0;
	int rc = guest_get_string(j, "entropy", false, &hex, e);

	if (rc < 0 || !hex)
		return rc;
	rc = decode(hex, bytes, &n, e);
	return rc < 0 ? rc : stir(bytes, n, e);
}

/* After a restore: what no two guests may share. */
int guest_reseed(struct guest_job *j, struct err *e)
{
	const char *name = NULL;
	int64_t ns = 0;
	int rc = seed(j, e);

	if (rc >= 0 && json_get(j->ask, "time_ns")) {
		rc = guest_get_int(j, "time_ns", 0, INT64_MAX, &ns, e);
		if (rc >= 0)
			rc = set_clock(ns, e);
	}
	if (rc >= 0)
		rc = guest_get_string(j, "hostname", false, &name, e);
	if (rc >= 0 && name && sethostname(name, strlen(name)) < 0)
		rc = err_sys(e, errno, "hostname", "setting it");
	return rc;
}

/* Before create, or again when the host's namespace has changed. */
int guest_net(struct guest_job *j, struct err *e)
{
	struct net_cards cards;
	int rc = net_cards_parse(j->ask, &j->arena, &cards, e);

	return rc < 0 ? rc : net_configure(&cards, e);
}

/* The containers are dead: their mounts are gone, or soon will be. */
int guest_release(struct guest_job *j, struct err *e)
{
	(void)j;
	return guest_image_release(e);
}

int guest_shutdown(struct guest_job *j, struct err *e)
{
	(void)e;
	j->end_machine = true;
	return 0;
}
