/* tests/unit/test_vm_net_fuzz.c: the network card under a driver that writes anything anywhere:
 * nothing of the monitor breaks (this is for the sanitizers), the loop comes to rest, a reset
 * heals. */
#include "tests/unit/vm_net.h"

#include <stdio.h>
#include <sys/socket.h>

#define ROUNDS 20000

static uint64_t seed;

static uint32_t dice(uint32_t sides)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % sides;
}

/* One in `SANE` is anything; the others are what a driver might write, or noise would end at the
 * first check. */
#define SANE 60

static struct vring_desc any_desc(unsigned queue, uint16_t at, uint16_t size)
{
	static const uint32_t lengths[] = {12,   12,   13,   60,   60,    1526,
					   1526, 1526, 4096, 4096, 65562, 65563},
			      bad[] = {0, 1, 11, RAM, ~0u};
	struct vring_desc d = {.addr = dice(RAM - 65563),
			       .len = lengths[dice(12)],
			       .flags = queue == RX ? VRING_DESC_F_WRITE : 0,
			       .next = (uint16_t)((at + 1) & (size - 1))};

	if (dice(4) == 0)
		d.flags |= VRING_DESC_F_NEXT;
	if (dice(SANE) == 0)
		d.addr = dice(2) ? ~0ull - dice(100) : dice(2 * RAM);
	if (dice(SANE) == 0)
		d.len = bad[dice(5)];
	if (dice(SANE) == 0)
		d.flags = (uint16_t)dice(8);
	if (dice(SANE) == 0)
		d.next = (uint16_t)dice(65536);
	return d;
}

static void scribble(void)
{
	unsigned i = dice(2);
	struct drv_queue *q = &v.q[i];

	for (unsigned k = dice(6); k; k--) {
		uint16_t at = (uint16_t)dice(q->size);

		*drv_desc(&v, i, at) = any_desc(i, at, q->size);
	}
	for (unsigned k = dice(6); k; k--)
		if ((uint16_t)(q->added - v.d->queues[i].next_used) < q->size)
			drv_make_available(&v, i, (uint16_t)dice(dice(SANE) ? q->size : 65536));
	if (dice(SANE) == 0)
		drv_avail_idx(&v, i, (uint16_t)dice(65536));
	if (dice(3) == 0)
		drv_used_event(&v, i, (uint16_t)dice(65536));
	drv_kick(&v, i);
}

static struct tally {
	unsigned used, broken;
} tally;

/* From the start, with any features; every descriptor is one that a driver might write. */
static void prepare(void)
{
	drv_up(&v,
	       (dice(2) ? F(MRG_RXBUF) : 0) | (dice(2) ? OFFLOADS : 0) |
		       (dice(2) ? DRV_INDIRECT : 0) | (dice(2) ? DRV_EVENT : 0),
	       (uint16_t)(1u << dice(9)));
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < v.q[i].size; k++)
			*drv_desc(&v, i, (uint16_t)k) =
				(struct vring_desc){.addr = dice(RAM - 4096),
						    .len = 4096,
						    .flags = i == RX ? VRING_DESC_F_WRITE : 0};
}

static void one_round(void)
{
	static char frame[65562];
	char got[100];

	switch (dice(4)) {
	case 0:
		(void)!send(far_end, frame, dice(4) ? dice(2000) : dice(sizeof(frame)),
			    MSG_DONTWAIT);
		break;
	case 1:
		while (recv(far_end, got, sizeof(got), MSG_DONTWAIT) > 0)
			;
		break;
	default:
		scribble();
	}
	drv_turn(&v);
	if (waits())
		fail_msg("the loop doesn't come to rest");
	tally.broken += drv_broken(&v);
	if (!drv_broken(&v) && dice(100))
		return;
	tally.used += v.d->queues[RX].next_used + v.d->queues[TX].next_used;
	prepare();
}
/* The rings lie at the same place after each reset: the driver's memory is finite. */
static void anything(void **state)
{
	uint64_t bottom = v.brk;
	struct vm_net_how how = {0};
	int pair[2];

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	far_end = pair[1];
	plug(pair[0], &how);
	seed = 1;
	prepare();
	for (int i = 0; i < ROUNDS; i++) {
		if (v.brk > RAM / 2)
			v.brk = bottom;
		one_round();
	}
	/* It was no idle talk. */
	if (tally.used < ROUNDS / 4 || tally.broken < ROUNDS / 200)
		fail_msg("only %u buffers used, %u times broken", tally.used, tally.broken);
	/* It works yet. */
	v.brk = bottom;
	while (recv(far_end, pair, 1, MSG_DONTWAIT) > 0)
		;
	drv_up(&v, 0, 8);
	post(drv_alloc(&v, 8 * 2048), 8, 2048);
	assert_int_equal(send(far_end, "0123456789abcdef", 16, 0), 16);
	drv_turn(&v);
	assert_true(drv_used(&v, 0, &(uint32_t){0}, &(uint32_t){0}));
	assert_false(drv_broken(&v));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(anything, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
