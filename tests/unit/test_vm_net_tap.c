/* tests/unit/test_vm_net_tap.c: the network card over a real tap, in a network namespace of the
 * test's own: what the kernel does with offloads. */
#include "microvm/jail.h"
#include "net/card.h"
#include "tests/unit/vm_net.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int packets(const char *device)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)),
	    one = 1;

	to.sll_ifindex = (int)if_nametoindex(device);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void sum16(uint8_t *at, const uint8_t *from, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(from[i] << 8 | from[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(~sum >> 8);
	at[1] = (uint8_t)~sum;
}

/* A TCP segment of 3000 bytes of payload, to be cut into pieces of 1000 by whoever can't take it
 * whole: a header of 10 bytes (packet(7)), then the frame. */
static size_t big_segment(uint8_t *b)
{
	const struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					 .hdr_len = 54,
					 .gso_size = 1000,
					 .csum_start = 34,
					 .csum_offset = 16};
	uint8_t *f = b + sizeof(h), *ip = f + 14, *tcp = ip + 20;
	const unsigned total = 20 + 20 + 3000;

	memcpy(b, &h, sizeof(h));
	memset(f, 0, 14 + total);
	memcpy(f, "\x02\x01\x02\x03\x04\x05\x02\0\0\0\0\x09\x08\0", 14);
	memcpy(ip, "\x45\0\0\0\0\1\x40\0\x40\x06\0\0\x0a\0\0\1\x0a\0\0\2", 20);
	ip[2] = total >> 8;
	ip[3] = total & 0xff;
	sum16(ip + 10, ip, 20, 0);
	memcpy(tcp, "\x10\0\x20\0\0\0\0\1\0\0\0\1\x50\x10\x10\0", 16);
	/* The pseudo header's sum, not inverted: the rest is the other end's work. */
	sum16(tcp + 16, ip + 12, 8, 6 + total - 20);
	tcp[16] = (uint8_t)~tcp[16];
	tcp[17] = (uint8_t)~tcp[17];
	return sizeof(h) + 14 + total;
}

/* What came in that is one of ours: longest frame, and how many. */
static unsigned segments(uint64_t at, uint32_t each, uint32_t *ret_longest)
{
	uint32_t id, len;
	unsigned n = 0;

	*ret_longest = 0;
	while (drv_used(&v, RX, &id, &len)) {
		const uint8_t *p = drv_at(&v, at + (uint64_t)id * each, len);

		if (len < HEADER + 14 || memcmp(p + HEADER, "\x02\x01\x02\x03\x04\x05", 6) != 0)
			continue;
		n++;
		*ret_longest = len > *ret_longest ? len : *ret_longest;
	}
	return n;
}

static void real_tap(void **state)
{
	uint64_t at = drv_alloc(&v, 16 * 4096);
	uint8_t frame[4096], got[200], *p = drv_at(&v, at, 16 * 4096);
	struct net_tap name;
	uint32_t longest_one;
	uint16_t status;
	size_t len = big_segment(frame);
	ssize_t n;
	int tap;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0) {
		plug(eventfd(0, EFD_CLOEXEC), &(struct vm_net_how){0});
		skip();
	}
	assert_int_equal(net_tap_make(-1, 1500, &tap, &name, &v.e), 0);
	far_end = packets(name.name);
	plug(tap, &(struct vm_net_how){.mtu = 1500});

	/* With the offload it arrives in one piece, its checksum left to us. */
	drv_up(&v, F(MRG_RXBUF) | OFFLOADS, 16);
	post(at, 16, 4096);
	assert_int_equal(send(far_end, frame, len, 0), len);
	drv_turn(&v);
	assert_int_equal(segments(at, 4096, &longest_one), 1);
	assert_int_equal(longest_one, HEADER + 14 + 40 + 3000);

	/* Without, in three, whole ones. */
	drv_up(&v, 0, 16);
	post(at, 16, 4096);
	assert_int_equal(send(far_end, frame, len, 0), len);
	drv_turn(&v);
	assert_int_equal(segments(at, 4096, &longest_one), 3);
	assert_int_equal(longest_one, HEADER + 14 + 40 + 1000);

	/* And out. */
	while (recv(far_end, got, sizeof(got), 0) > 0)
		;
	memset(p, 0, 4096);
	memcpy(p + HEADER, "\x02\0\0\0\0\x09\x02\x01\x02\x03\x04\x05\x88\xb5hello", 19);
	drv_add1(&v, TX, at, HEADER + 60, false);
	drv_kick(&v, TX);
	drv_turn(&v);
	do
		n = recv(far_end, got, sizeof(got), 0);
	while (n > 0 && memcmp(got + 10 + 12, "\x88\xb5hello", 7) != 0);
	assert_int_equal(n, 10 + 60);

	/* Somebody deletes the device under us. */
	snprintf((char *)frame, sizeof(frame), "ip link del %s", name.name);
	assert_int_equal(system((char *)frame), 0);
	drv_turn(&v);
	assert_false(waits());
	drv_config(&v, 6, &status, 2);
	assert_int_equal(status, 0);
	assert_false(drv_broken(&v));
}

/* A driver starts and resets the card from a thread that runs a processor, under that thread's list
 * of system calls: any other ends the process. */
__attribute__((unused)) static void started_jailed(void **state)
{
	int status, tap = -1;
	struct net_tap name;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 || net_tap_make(-1, 1500, &tap, &name, &v.e) < 0) {
		plug(eventfd(0, EFD_CLOEXEC), &(struct vm_net_how){0});
		skip();
	}
	plug(tap, &(struct vm_net_how){.mtu = 1500});
	pid_t pid = fork();
	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    vm_jail_calls(VM_THREAD_VCPU, &v.e) < 0)
			_exit(2);
		drv_up(&v, F(MRG_RXBUF) | OFFLOADS, 16);
		drv_status(&v, 0);
		drv_up(&v, 0, 16);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The sanitizer makes system calls of its own: built with it, there is no such test. */
#ifdef __SANITIZE_ADDRESS__
#define JAILED
#else
#define JAILED cmocka_unit_test_setup_teardown(started_jailed, setup, teardown),
#endif

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(real_tap, setup, teardown), JAILED};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
