# linux.netDevices: devices of the runtime's network namespace in the container's. The runtime runs in
# a network namespace of the test's own: no device of the host is touched.

load helpers

rf() { inns "$RINGFENCE" --root "$T/state" "$@"; }
inns() { nsenter --net="$ns" "$@"; }
# A namespace that a file stands for.
new_ns() {
	touch "$1"
	unshare --net="$1" true
}

extra_setup() {
	mkdir "$T/keep"
	ns=$T/keep/host
	new_ns "$ns"
	need ip
	inns ip link set lo up
	inns ip link add far type veth peer name near
	inns ip link set far up
	inns ip link set near mtu 1400 address 02:00:00:00:00:11 up
	inns ip addr add 10.9.0.2/24 dev near
	inns ip addr add 10.9.0.3/24 dev near
	inns ip -6 addr add fd09::2/64 dev near nodad
}

extra_teardown() {
	local f
	rf delete --force "$id" >/dev/null 2>&1 || true
	for f in "$T"/keep/*; do umount "$f"; done
}

# device HOST [NAME]: asks for one more.
device() {
	jq --arg h "$1" --arg n "${2:-}" '.linux.netDevices[$h] = if $n == "" then {} else {name: $n} end' \
		"$config" >"$config.new" && mv "$config.new" "$config"
}
# addresses DEVICE: those that are to be kept, one a line.
addresses() { inns ip -j addr show dev "$1" | jq -r '.[0].addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"'; }
# as_before: the device is in the runtime's namespace as extra_setup left it.
as_before() {
	[ "$(addresses near)" = $'10.9.0.2/24\n10.9.0.3/24\nfd09::2/64' ] || { inns ip addr; return 1; }
	inns ip -j link show near | jq -e '.[0] | .mtu == 1400 and .address == "02:00:00:00:00:11" and (.flags | index("UP") != null)'
}
target_ns() {
	new_ns "$T/keep/target"
	cfg --arg p "$T/keep/target" '(.linux.namespaces[] | select(.type == "network")).path = $p'
}
there() { nsenter --net="$T/keep/target" "$@"; }
user_ns() {
	cfg '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 "$b/rootfs"
}

@test "a device comes into the container with its addresses, up" {
	device near
	sh_args 'ip addr show dev near'
	go
	ok
	has 10.9.0.2/24
	has 10.9.0.3/24
	has fd09::2/64
	has 'link/ether 02:00:00:00:00:11'
	has 'mtu 1400'
	has ',UP'
}

@test "it is gone from where it was" {
	device near
	up
	run -1 inns ip link show near
	[ "$(nsenter --net="/proc/$(pid)/ns/net" ip -j link show near | jq -r '.[0].ifname')" = near ]
	down
}

@test "traffic passes" {
	device near eth0
	cfg '.root.readonly = false'
	inns ip addr add 10.9.0.1/24 dev far
	up 'nc -l -p 7000 >/tmp/got; exec sleep 1000'
	send() { inns bash -c 'echo through >/dev/tcp/10.9.0.2/7000'; }
	until_true send
	until_true grep -q through "$b/rootfs/tmp/got"
	down
}

@test "a new name" {
	device near eth0
	sh_args 'ip -o addr show dev eth0'
	go
	ok
	has '10.9.0.2/24'
	has 'scope global eth0'
	hasnt near
}

@test "labels of addresses follow the name" {
	inns ip addr add 10.9.1.1/24 dev near label near:1
	device near eth0
	up
	nsenter --net="/proc/$(pid)/ns/net" ip -j addr show eth0 >"$T/a"
	[ "$(jq -r '.[0].addr_info[] | select(.local == "10.9.1.1").label' "$T/a")" = eth0:1 ]
	down
}

@test "a template takes the first free name" {
	target_ns
	there ip link add eth0 type veth peer name x
	device near eth%d
	sh_args 'ip addr show dev eth1'
	go
	ok
	has 10.9.0.2/24
}

@test "two devices change their names" {
	inns ip link add v1 type veth peer name v2
	inns ip link set v1 address 02:00:00:00:00:01
	inns ip link set v2 address 02:00:00:00:00:02
	device v1 v2
	device v2 v1
	sh_args 'cat /sys/class/net/v1/address /sys/class/net/v2/address'
	go
	is $'02:00:00:00:00:02\n02:00:00:00:00:01'
}

@test "a macvlan device" {
	inns ip link add mv link far type macvlan mode bridge || skip "this kernel has no macvlan devices"
	inns ip addr add 10.9.2.1/24 dev mv
	device mv
	sh_args 'ip addr show dev mv'
	go
	ok
	has 10.9.2.1/24
}

@test "a dummy device" {
	inns ip link add dm type dummy 2>/dev/null || skip "this kernel has no dummy devices"
	inns ip addr add 10.9.2.1/24 dev dm
	device dm
	sh_args 'ip addr show dev dm'
	go
	ok
	has 10.9.2.1/24
}

@test "addresses of link scope and those that expire stay behind" {
	inns ip addr add 169.254.9.9/16 dev near scope link
	inns ip addr add 10.9.3.3/24 dev near valid_lft 3600 preferred_lft 3600
	device near
	sh_args 'ip addr show dev near'
	go
	ok
	has 10.9.0.2/24
	hasnt 169.254.9.9
	hasnt 10.9.3.3
}

@test "in a user namespace" {
	user_ns
	device near eth0
	sh_args 'ip addr show dev eth0'
	go
	ok
	has 10.9.0.2/24
	has fd09::2/64
}

@test "in a namespace by path: it stays there after the container" {
	target_ns
	device near eth0
	args true
	go
	ok
	run -1 inns ip link show near
	there ip -j addr show eth0 | jq -e '.[0].addr_info | map(.local) | index("10.9.0.3") != null'
}

@test "hooks find it in the container's namespace" {
	device near eth0
	cat >"$T/hook" <<-'END'
		#!/bin/sh
		pid=$(jq .pid)
		nsenter --net="/proc/$pid/ns/net" ip addr show eth0
	END
	chmod +x "$T/hook"
	cfg --arg h "$T/hook" --arg o "$T/found" --arg p "$PATH" '.hooks.createRuntime =
		[{path: "/bin/sh", args: ["sh", "-c", "\($h) >\($o) 2>&1"], env: ["PATH=\($p)"]}]'
	args true
	go
	ok
	grep -q 10.9.0.2/24 "$T/found"
}

@test "a device that isn't there is refused" {
	device near
	device nowhere
	go
	refused 'no device named nowhere'
	has /linux/netDevices/nowhere
	as_before
}

@test "the loopback device is refused" {
	device lo lo2
	go
	refused loopback
}

@test "a name that is taken over there is refused" {
	target_ns
	there ip link add eth0 type veth peer name x
	device near eth0
	go
	refused 'has a device named eth0 already'
	as_before
}

@test "without a network namespace of the container's own it is refused" {
	device near
	cp "$config" "$T/c"
	cfg '.linux.namespaces |= map(select(.type != "network"))'
	go
	refused 'network namespace'
	cp "$T/c" "$config"
	cfg --arg p "$ns" '(.linux.namespaces[] | select(.type == "network")).path = $p'
	go
	refused "the runtime's own"
	as_before
}

@test "no names of devices: refused" {
	local n
	for n in . .. a/b 'a b' a:b 0123456789abcdef 'e%s' 'e%d0' '%d%d'; do
		cfg 'del(.linux.netDevices)'
		device near "$n"
		go
		refused 'no name of a network interface'
	done
	as_before
}

@test "a create that fails puts everything back" {
	device near eth0
	args /no/such/program
	go
	refused
	as_before
	run -0 inns ip -o route
	has '10.9.0.0/24 dev near'
}

@test "a hook that fails puts everything back, also from a user namespace" {
	inns ip link add v1 type veth peer name v2
	device v1 eth1
	device near eth0
	user_ns
	cfg '.hooks.createRuntime = [{path: "/bin/false"}]'
	go
	refused
	as_before
	inns ip -j link show v1 | jq -e '.[0].flags | index("UP") == null'
}

@test "the second device fails: the first one comes back" {
	# One device under two names: the check before the first move can't know it.
	inns ip link property add dev near altname nearby 2>/dev/null || skip "no alternative names here"
	device near eth0
	device nearby eth1
	go
	refused 'no device named nearby'
	as_before
}

@test "delete --force after a killed create takes the device back" {
	only_ours
	target_ns
	cfg '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "kill -KILL $PPID"]}]'
	device near eth0
	run rf create -b "$b" "$id"
	[ "$status" -ne 0 ]
	there ip link show eth0
	rf delete --force "$id"
	as_before
}

@test "features names it" {
	run -0 rf features
	[ "$(jq .linux.netDevices.enabled <<<"$output")" = true ]
}

@test "explain says what would move" {
	only_ours
	device near eth0
	run -0 rf explain -b "$b"
	has 'near → eth0'
}
