/* Cards of a network namespace: described, wired to a tap, made anew in another namespace.
 * Everything happens in namespaces of the test's own. */
#include "net/card.h"

#include "common/fd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER 12 /* of virtio, before each frame of a tap */
#define MAC "02:00:00:00:00:07"

/* --- namespaces --- */

static int home = -1, outside, box; /* box: what an engine prepared; outside: its other end */

static void enter(int ns)
{
	assert_int_equal(setns(ns, CLONE_NEWNET), 0);
}

static int new_ns(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	enter(home);
	return fd;
}

static void run_in(int ns, const char *command)
{
	enter(ns);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
	enter(home);
}

/* What a command prints there. */
static void output(int ns, const char *command, char *buf, size_t size)
{
	FILE *f;
	size_t n;

	enter(ns);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	assert_int_equal(pclose(f), 0);
	enter(home);
}

/* A box with one card, eth0, whose other end is out0. */
static int set_up(void **state)
{
	char line[200];

	(void)state;
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET) < 0 || access("/dev/net/tun", R_OK | W_OK) < 0)
		return 0; /* each test skips */
	close(home);
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	box = new_ns();
	outside = new_ns();
	snprintf(line, sizeof(line),
		 "ip link add out0 type veth peer name eth0 address " MAC
		 " netns /proc/%d/fd/%d && ip link set out0 up",
		 getpid(), box);
	run_in(outside, line);
	run_in(outside, "ip addr add 10.9.0.1/24 dev out0");
	run_in(box, "ip link set eth0 mtu 1400 up && ip addr add 10.9.0.7/24 brd + dev eth0 && "
		    "ip addr add 10.9.0.8/24 dev eth0 && "
		    "ip addr add 10.8.0.1 peer 10.8.0.2/32 dev eth0 && "
		    "ip addr add fd00::7/64 dev eth0 nodad && "
		    "ip addr add fd01::7/64 dev eth0 nodad noprefixroute && "
		    "ip route add 169.254.1.1 dev eth0 scope link && "
		    "ip route add default via 169.254.1.1 dev eth0 && "
		    "ip route add 10.20.0.0/16 via 10.77.0.1 dev eth0 onlink metric 50 mtu 1300 "
		    "src 10.9.0.8 proto static && "
		    "ip -6 route add default via fd00::1 dev eth0 metric 99 && "
		    "ip route add blackhole 10.30.0.0/16 && "
		    "ip neigh add 169.254.1.1 lladdr 02:00:00:00:00:01 dev eth0 nud permanent && "
		    "ip route add 10.40.0.0/16 dev eth0 table 7");
	/* None of these counts: down, in a bridge, no Ethernet. */
	run_in(box, "ip link add off0 type veth peer name in0 && ip link add br0 type bridge && "
		    "ip link set in0 up master br0 && ip link set lo up");
	return 0;
}

static void need_privilege(void)
{
	if (!box)
		skip();
}

static struct net_cards describe(struct arena *a, int ns)
{
	struct net_cards c = {0};
	struct err e = {0};

	if (net_describe(ns, a, &c, &e) < 0)
		fail_msg("%s: %s", e.where, e.text);
	return c;
}

/* --- what is there --- */

static const char described[] =
	"{\"cards\":[{\"name\":\"eth0\",\"mac\":\"" MAC "\",\"mtu\":1400,\"addresses\":["
	"{\"ip\":\"10.9.0.7\",\"prefix\":24,\"broadcast\":\"10.9.0.255\"},"
	"{\"ip\":\"10.8.0.1\",\"prefix\":32,\"peer\":\"10.8.0.2\"},"
	"{\"ip\":\"10.9.0.8\",\"prefix\":24},"
	"{\"ip\":\"fd01::7\",\"prefix\":64,\"noPrefixRoute\":true},"
	"{\"ip\":\"fd00::7\",\"prefix\":64}],\"routes\":["
	"{\"to\":\"0.0.0.0\",\"prefix\":0,\"via\":\"169.254.1.1\",\"protocol\":3},"
	"{\"to\":\"10.20.0.0\",\"prefix\":16,\"via\":\"10.77.0.1\",\"source\":\"10.9.0.8\","
	"\"metric\":50,\"mtu\":1300,\"protocol\":4,\"onlink\":true},"
	"{\"to\":\"169.254.1.1\",\"prefix\":32,\"scope\":253,\"protocol\":3},"
	"{\"to\":\"::\",\"prefix\":0,\"via\":\"fd00::1\",\"metric\":99,\"protocol\":3}],"
	"\"neighbours\":[{\"ip\":\"169.254.1.1\",\"mac\":\"02:00:00:00:00:01\"}]}]}";

static void to_json(const struct net_cards *c, struct strbuf *b)
{
	struct json_out o;

	json_out_init(&o, b, NULL);
	json_obj_open(&o, NULL);
	net_cards_put(c, &o);
	json_obj_close(&o);
}

static void test_describe(void **state)
{
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct net_cards c;

	(void)state;
	need_privilege();
	c = describe(&a, box);
	assert_int_equal(c.n, 1);
	to_json(&c, &b);
	assert_string_equal(b.s, described);
	/* The caller is where it was. */
	assert_int_equal(describe(&a, -1).n, 0);
	assert_int_equal(describe(&a, home).n, 0);
}

static int parse(struct arena *a, const char *text, struct net_cards *c, struct err *e)
{
	struct json *j = NULL;

	assert_int_equal(json_parse(a, text, strlen(text), "f", &j, e), 0);
	return net_cards_parse(j, a, c, e);
}

static void test_json_back(void **state)
{
	auto_arena a = {0};
	auto_strbuf b = {0};
	struct net_cards c = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(&a, described, &c, &e), 0);
	to_json(&c, &b);
	assert_string_equal(b.s, described);
	assert_int_equal(parse(&a, "{}", &c, &e), 0);
	assert_int_equal(c.n, 0);
}

#define CARD(rest) "{\"cards\":[{\"name\":\"e\",\"mac\":\"" MAC "\"" rest "}]}"

static void test_json_bad(void **state)
{
	static const struct {
		const char *text, *where, *why;
	} cases[] = {
		{"{\"cards\":{}}", "/cards", "cards: must be an array"},
		{"{\"cards\":[1]}", "/cards", "cards: must hold objects"},
		{"{\"cards\":[{\"mac\":\"" MAC "\"}]}", "/cards", "name: "},
		{"{\"cards\":[{\"name\":\"a/b\"}]}", "/cards", "name: "},
		{"{\"cards\":[{\"name\":\"..\"}]}", "/cards", "name: "},
		{"{\"cards\":[{\"name\":\"sixteen-letters-\"}]}", "/cards", "name: "},
		{"{\"cards\":[{\"name\":\"e\"}]}", "/cards: e", "mac: "},
		{"{\"cards\":[{\"name\":\"e\",\"mac\":\"02:00:00:00:00\"}]}", "/cards: e", "mac: "},
		{"{\"cards\":[{\"name\":\"e\",\"mac\":\"02:00:00:00:00:0x\"}]}", "/cards: e",
		 "mac: "},
		{CARD(",\"mtu\":67"), "/cards: e", "mtu: "},
		{CARD(",\"mtu\":65536"), "/cards: e", "mtu: "},
		{CARD(",\"mtu\":-1"), "/cards: e", "mtu: "},
		{CARD(",\"addresses\":[{\"ip\":\"10.0.0\",\"prefix\":8}]"), "/cards: e", "ip: "},
		{CARD(",\"addresses\":[{\"ip\":\"10.0.0.1\"}]"), "/cards: e", "prefix: "},
		{CARD(",\"addresses\":[{\"ip\":\"10.0.0.1\",\"prefix\":33}]"), "/cards: e",
		 "prefix: "},
		{CARD(",\"addresses\":[{\"ip\":\"::1\",\"prefix\":129}]"), "/cards: e", "prefix: "},
		{CARD(",\"addresses\":[{\"ip\":\"10.0.0.1\",\"prefix\":8,\"peer\":\"::1\"}]"),
		 "/cards: e", "peer: "},
		{CARD(",\"routes\":[{\"prefix\":8}]"), "/cards: e", "to: "},
		{CARD(",\"routes\":[{\"to\":\"::\",\"prefix\":0,\"via\":\"10.0.0.1\"}]"),
		 "/cards: e", "via: "},
		{CARD(",\"routes\":[{\"to\":\"::\",\"prefix\":0,\"onlink\":1}]"), "/cards: e",
		 "onlink: "},
		{CARD(",\"routes\":[{\"to\":\"::\",\"prefix\":0,\"metric\":4294967296}]"),
		 "/cards: e", "metric: "},
		{CARD(",\"neighbours\":[{\"ip\":\"::1\"}]"), "/cards: e", "mac: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_arena a = {0};
		struct net_cards c = {.n = 77};
		struct err e = {0};

		if (parse(&a, cases[i].text, &c, &e) != -EINVAL)
			fail_msg("case %zu wasn't refused", i);
		assert_int_equal(e.kind, ERR_SPEC);
		if (strcmp(e.where, cases[i].where) != 0 ||
		    strncmp(e.text, cases[i].why, strlen(cases[i].why)) != 0)
			fail_msg("case %zu: %s: %s", i, e.where, e.text);
		assert_int_equal(c.n, 77);
	}
}

/* --- the wire --- */

static int packet_socket(int ns, const char *device)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd;

	enter(ns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	at.sll_ifindex = (int)if_nametoindex(device);
	enter(home);
	assert_true(fd >= 0 && at.sll_ifindex > 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* A frame of an experimental type, so that no stack answers it. */
static size_t make_frame(unsigned char *f, const char *words)
{
	memcpy(f, "\x02\0\0\0\0\x07\x02\0\0\0\0\x09\x88\xb5", 14);
	memset(f + 14, 0, 46);
	strcpy((char *)f + 14, words);
	return 60;
}

/* Waits for that frame among what else the stacks say. */
static bool arrives(int fd, size_t skip_bytes, const unsigned char *frame, size_t len)
{
	unsigned char buf[2048];
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (poll(&p, 1, 2000) == 1) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n == (ssize_t)(len + skip_bytes) && memcmp(buf + skip_bytes, frame, len) == 0)
			return true;
	}
	return false;
}

/* As a launch does it: -EBUSY when the card is somebody's. *ret_index also then. */
static int try_box(int *ret_tap, int *ret_index, struct err *e)
{
	auto_arena a = {0};
	struct net_cards c = describe(&a, box);
	struct net_tap tap = {0};
	auto_fd fd = -1;
	int rc = net_tap_make(box, c.items[0].mtu, &fd, &tap, e);

	*ret_index = tap.index;
	if (rc == 0)
		rc = net_redirect(box, c.items[0].name, &tap, e);
	if (rc == 0)
		*ret_tap = take_fd(&fd);
	return rc;
}

/* The tap's index. */
static int connect_box(int *tap)
{
	struct err e = {0};
	int index = 0;

	if (try_box(tap, &index, &e) < 0)
		fail_msg("%s: %s", e.where, e.text);
	return index;
}

static void test_wire(void **state)
{
	unsigned char out[HEADER + 60] = {0}, in[60];
	auto_fd tap = -1, far = -1;
	struct err e = {0};
	int index;

	(void)state;
	need_privilege();
	index = connect_box(&tap);
	far = packet_socket(outside, "out0");
	/* Non-blocking, and silent but for what arrives. */
	assert_true(fcntl(tap, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(tap, F_GETFD) & FD_CLOEXEC);

	make_frame(out + HEADER, "from the guest");
	assert_int_equal(write(tap, out, sizeof(out)), sizeof(out));
	assert_true(arrives(far, 0, out + HEADER, 60));
	make_frame(in, "to the guest");
	assert_int_equal(write(far, in, sizeof(in)), sizeof(in));
	assert_true(arrives(tap, HEADER, in, 60));
	assert_int_equal(net_redirect_undo(box, "eth0", index, &e), 0);
}

/* A card serves one: a second is told, the successor of one that died without a word isn't. */
static void test_one_at_a_time(void **state)
{
	unsigned char frame[60];
	auto_fd first = -1, second = -1, far = -1;
	int first_index, refused, index;
	struct err e = {0};

	(void)state;
	need_privilege();
	first_index = connect_box(&first);
	assert_int_equal(try_box(&second, &refused, &e), -EBUSY);
	assert_int_equal(second, -1);
	assert_string_equal(e.where, "eth0");
	/* What the second one undoes is its own: the first one's wire is whole. */
	assert_int_not_equal(refused, first_index);
	assert_int_equal(net_redirect_undo(box, "eth0", refused, &e), 0);
	far = packet_socket(outside, "out0");
	make_frame(frame, "still there");
	assert_int_equal(write(far, frame, sizeof(frame)), sizeof(frame));
	assert_true(arrives(first, HEADER, frame, 60));
	close(first);
	first = -1;
	index = connect_box(&second);
	/* Nor does the dead one's late undoing touch its successor's. */
	assert_int_not_equal(index, first_index);
	assert_int_equal(net_redirect_undo(box, "eth0", first_index, &e), 0);
	make_frame(frame, "the next one's");
	assert_int_equal(write(far, frame, sizeof(frame)), sizeof(frame));
	assert_true(arrives(second, HEADER, frame, 60));
	assert_int_equal(net_redirect_undo(box, "eth0", index, &e), 0);
}

static void test_undo(void **state)
{
	char before[4096], after[4096];
	auto_fd tap = -1;
	struct err e = {0};
	int index;

	(void)state;
	need_privilege();
	output(box, "tc qdisc show dev eth0; tc filter show dev eth0 ingress; ip -o link | wc -l",
	       before, sizeof(before));
	/* Twice is no harm, nor is what isn't there. */
	assert_int_equal(net_redirect_undo(box, "eth0", 77, &e), 0);
	index = connect_box(&tap);
	output(box, "tc qdisc show dev eth0; tc filter show dev eth0 ingress", after,
	       sizeof(after));
	assert_non_null(strstr(after, "Egress Redirect to device rftap0"));
	assert_int_equal(net_redirect_undo(box, "eth0", index, &e), 0);
	assert_int_equal(net_redirect_undo(box, "eth0", index, &e), 0);
	assert_int_equal(net_redirect_undo(box, "nosuch0", index, &e), 0);
	close(tap);
	tap = -1;
	output(box, "tc qdisc show dev eth0; tc filter show dev eth0 ingress; ip -o link | wc -l",
	       after, sizeof(after));
	assert_string_equal(before, after);
}

/* A queue and filters that were there serve, and stay. */
static void test_undo_beside_others(void **state)
{
	static const char show[] = "tc qdisc show dev eth0; tc filter show dev eth0 ingress";
	static const char *const queues[] = {"clsact", "ingress"};

	(void)state;
	need_privilege();
	for (int i = 0; i < 2; i++) {
		char before[4096], after[4096], line[256];
		unsigned char out[HEADER + 60] = {0};
		auto_fd tap = -1, far = -1;
		struct err e = {0};

		snprintf(line, sizeof(line),
			 "tc qdisc add dev eth0 %s && tc filter add dev eth0 ingress protocol ip "
			 "prio 5 "
			 "u32 match ip dst 10.99.0.1/32 flowid 1:1",
			 queues[i]);
		run_in(box, line);
		output(box, show, before, sizeof(before));
		int index = connect_box(&tap);
		far = packet_socket(outside, "out0");
		make_frame(out, "through");
		assert_int_equal(write(far, out, 60), 60);
		assert_true(arrives(tap, HEADER, out, 60));
		assert_int_equal(net_redirect_undo(box, "eth0", index, &e), 0);
		output(box, show, after, sizeof(after));
		assert_string_equal(before, after);
		snprintf(line, sizeof(line), "tc qdisc del dev eth0 %s", queues[i]);
		run_in(box, line);
	}
}

/* --- the guest's side --- */

/* What the virtual machine does: every frame of one tap into the other. */
static void *pump(void *arg)
{
	int *fds = arg;
	struct pollfd p[] = {{.fd = fds[0], .events = POLLIN},
			     {.fd = fds[1], .events = POLLIN},
			     {.fd = fds[2], .events = POLLIN}};
	char buf[4096];

	while (poll(p, 3, -1) > 0 && !p[2].revents)
		for (int i = 0; i < 2; i++) {
			ssize_t n = p[i].revents ? read(fds[i], buf, sizeof(buf)) : 0;

			if (n > 0 && write(fds[!i], buf, (size_t)n) < 0)
				break;
		}
	return NULL;
}

static int udp(int ns, const char *local, unsigned short port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd;

	enter(ns);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enter(home);
	inet_pton(AF_INET, local, &at.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void say(int from, const char *to, unsigned short port, const char *word)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, to, &at.sin_addr);
	assert_int_equal(sendto(from, word, strlen(word), 0, (struct sockaddr *)&at, sizeof(at)),
			 strlen(word));
}

static void hear(int fd, const char *word)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char buf[64] = "";

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(read(fd, buf, sizeof(buf)), strlen(word));
	assert_string_equal(buf, word);
}

static void configure(int ns, const struct net_cards *c)
{
	struct err e = {0};
	int rc;

	enter(ns);
	rc = net_configure(c, &e);
	enter(home);
	if (rc < 0)
		fail_msg("%s: %s", e.where, e.text);
}

static void same_output(int a, int b, const char *command)
{
	char x[4096], y[4096];

	output(a, command, x, sizeof(x));
	output(b, command, y, sizeof(y));
	assert_true(x[0] != '\0');
	assert_string_equal(x, y);
}

static void test_configure(void **state)
{
	auto_fd guest = -1, guest_tap = -1, tap = -1, a = -1, b = -1;
	auto_arena arena = {0};
	struct net_cards c;
	struct err e = {0};
	struct net_tap name;
	char line[128];
	int stop[2], fds[3], index;
	pthread_t thread;

	(void)state;
	need_privilege();
	guest = new_ns();
	/* One with its name and another MAC is in the way. */
	run_in(guest, "ip link add eth0 up type veth peer name eth9");
	assert_int_equal(net_tap_make(guest, 0, &guest_tap, &name, &e), 0);
	snprintf(line, sizeof(line), "ip link set %s address " MAC, name.name);
	run_in(guest, line);
	c = describe(&arena, box);
	configure(guest, &c);
	for (int i = 0; i < 2; i++) {
		same_output(box, guest,
			    "ip -o addr show dev eth0 scope global | sed 's/^[0-9]*: //'");
		/* The blackhole was none of the card's. */
		same_output(box, guest, "ip route show dev eth0");
		same_output(box, guest, "ip -6 route show dev eth0 | grep -v fe80");
		same_output(box, guest, "ip neigh show dev eth0 nud permanent");
		same_output(box, guest,
			    "ip -o link show dev eth0 | grep -oE 'mtu [0-9]+|ether [0-9a-f:]+'");
		configure(guest, &c);
	}

	/* A datagram each way, through both taps. */
	run_in(guest, "ip neigh flush dev eth0 && ip link set eth0 arp on");
	index = connect_box(&tap);
	assert_int_equal(pipe(stop), 0);
	fds[0] = tap;
	fds[1] = guest_tap;
	fds[2] = stop[0];
	assert_int_equal(pthread_create(&thread, NULL, pump, fds), 0);
	a = udp(outside, "10.9.0.1", 5000);
	b = udp(guest, "10.9.0.7", 5001);
	say(b, "10.9.0.1", 5000, "hello");
	hear(a, "hello");
	say(a, "10.9.0.7", 5001, "and back");
	hear(b, "and back");
	close(stop[1]);
	pthread_join(thread, NULL);
	close(stop[0]);
	assert_int_equal(net_redirect_undo(box, "eth0", index, &e), 0);
}

/* Two cards whose names the guest's kernel gave the other way round. */
static void test_swapped_names(void **state)
{
	struct net_card cards[] = {{.name = "eth0", .mac = {2, 0, 0, 0, 1, 0}, .mtu = 1300},
				   {.name = "eth1", .mac = {2, 0, 0, 0, 1, 1}, .mtu = 1301}};
	struct net_cards c = {cards, 2};
	auto_fd guest = -1;
	char out[1024];

	(void)state;
	need_privilege();
	guest = new_ns();
	run_in(guest, "ip link add eth1 up address 02:00:00:00:01:00 type veth peer name eth0 "
		      "address 02:00:00:00:01:01 && ip link set eth0 up");
	configure(guest, &c);
	output(guest, "ip -br link | awk '/eth/ {print $1, $3}' | sed 's/@[a-z0-9]*//' | sort", out,
	       sizeof(out));
	assert_string_equal(out, "eth0 02:00:00:00:01:00\neth1 02:00:00:00:01:01\n");
	output(guest, "ip -o link show up | grep -o 'mtu 130.' | sort", out, sizeof(out));
	assert_string_equal(out, "mtu 1300\nmtu 1301\n");
}

/* Cards of a template, whose MACs weren't known: each serves one. */
static void test_blank_cards(void **state)
{
	struct net_card cards[] = {{.name = "lan", .mac = {2, 0, 0, 0, 1, 0}},
				   {.name = "eth1", .mac = {2, 0, 0, 0, 1, 1}},
				   {.name = "wan", .mac = {2, 0, 0, 0, 1, 2}}};
	struct net_cards c = {cards, 2};
	struct err e = {0};
	auto_fd guest = -1;
	char out[1024];
	int rc;

	(void)state;
	need_privilege();
	guest = new_ns();
	run_in(guest, "ip link add eth0 address 02:52:46:00:00:00 type veth peer name eth1 "
		      "address 02:52:46:00:00:01");
	for (int i = 0; i < 2; i++) {
		configure(guest, &c);
		output(guest,
		       "ip -br link | sed 's/@[a-z0-9]*//' | awk '!/lo/ {print $1, $3}' | sort",
		       out, sizeof(out));
		assert_string_equal(out, "eth1 02:00:00:00:01:01\nlan 02:00:00:00:01:00\n");
	}
	/* There is no third. */
	c.n = 3;
	enter(guest);
	rc = net_configure(&c, &e);
	enter(home);
	assert_int_equal(rc, -ENODEV);
	assert_string_equal(e.where, "wan");
}

/* A machine that goes on with another network than it had. */
static void test_moved_card(void **state)
{
	static const uint8_t then[6] = {2, 0, 0, 0, 1, 0};
	auto_fd guest = -1;
	auto_arena arena = {0};
	auto_strbuf text = {0};
	struct net_cards c;
	struct json *j;
	struct err e = {0};

	(void)state;
	need_privilege();
	guest = new_ns();
	run_in(guest, "ip link add eth0 address 02:00:00:00:01:00 type veth peer name eth1 address "
		      "02:00:00:00:01:01 && ip link set eth0 up && ip link set eth1 up && "
		      "ip addr add 192.0.2.9/24 dev eth0 && ip addr add 192.0.2.10/24 dev eth0 && "
		      "ip addr add 2001:db8::9/64 dev eth0 nodad && "
		      "ip route add default via 192.0.2.1 && ip addr add 198.51.100.1/24 dev eth1");
	c = describe(&arena, box);
	assert_int_equal(c.n, 1);
	memcpy(c.items[0].was, then, 6);
	/* As the agent hears it. */
	to_json(&c, &text);
	assert_non_null(strstr(text.s, "\"was\":\"02:00:00:00:01:00\""));
	assert_int_equal(json_parse(&arena, text.s, text.len, "cards", &j, &e), 0);
	assert_int_equal(net_cards_parse(j, &arena, &c, &e), 0);
	configure(guest, &c);
	same_output(box, guest, "ip -o addr show dev eth0 scope global | sed 's/^[0-9]*: //'");
	same_output(box, guest, "ip route show dev eth0");
	same_output(box, guest, "ip -o link show dev eth0 | grep -oE 'ether [0-9a-f:]+'");
	run_in(guest, "ip -o addr show dev eth1 | grep -q 198.51.100.1");
}

static void test_no_card(void **state)
{
	struct net_card card = {.name = "eth0", .mac = {2, 9, 9, 9, 9, 9}};
	struct net_cards c = {&card, 1};
	struct err e = {0};

	(void)state;
	need_privilege();
	assert_int_equal(net_configure(&c, &e), -ENODEV);
	assert_string_equal(e.where, "eth0");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_describe),           cmocka_unit_test(test_json_back),
		cmocka_unit_test(test_json_bad),           cmocka_unit_test(test_wire),
		cmocka_unit_test(test_one_at_a_time),      cmocka_unit_test(test_undo),
		cmocka_unit_test(test_undo_beside_others), cmocka_unit_test(test_configure),
		cmocka_unit_test(test_swapped_names),      cmocka_unit_test(test_blank_cards),
		cmocka_unit_test(test_moved_card),         cmocka_unit_test(test_no_card),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
