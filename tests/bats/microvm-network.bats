#!/usr/bin/env bats
# The network of a container in a machine of its own: the cards of a network namespace, prepared by somebody
# else as engines do it, are the guest's (docs/design/03-microvm.md, Network).
#
# $in is that namespace, with the card eth0; $out the one in which its other end is, out0.
load helpers

mac=02:00:00:00:00:07

# The first namespace ever makes /run/netns a mount, which stays.
setup_file() { ! vm_host || { ip netns add rft-first && ip netns del rft-first; }; }

extra_setup() {
	vm_host || return 0
	in=in-$id
	out=out-$id
	ip netns add "$in"
	ip netns add "$out"
	ip -n "$in" link set lo up
	ip -n "$out" link set lo up
	ln -s busybox "$b/rootfs/bin/wget"
	ln -s busybox "$b/rootfs/bin/httpd"
	ln -s busybox "$b/rootfs/bin/ping"
	ln -s busybox "$b/rootfs/bin/md5sum"
	mkdir "$b/rootfs/www" "$T/www"
	head -c 1000000 /dev/urandom | tee "$b/rootfs/www/big" >"$T/www/big"
	cfg --arg p "/run/netns/$in" '.linux.namespaces |= map(if .type == "network" then .path = $p else . end)'
}

extra_teardown() {
	[ -n "${in:-}" ] || return 0
	[ ! -e "$T/state/$id" ] || rf delete --force "$id" >/dev/null 2>&1 || true
	ip netns pids "$out" | xargs -r kill -KILL
	ip netns del "$in"
	ip netns del "$out"
}

# wire N [MTU]: card ethN in the namespace, outN outside, 10.9.N.0/24 and fd0N::/64 between them.
wire() {
	ip -n "$in" link add "eth$1" type veth peer name "out$1" netns "$out"
	ip -n "$in" link set "eth$1" address "$(printf '%s%02x' "${mac%07}" $((7 + $1)))" mtu "${2:-1400}" up
	ip -n "$out" link set "out$1" mtu "${2:-1400}" up
	ip -n "$out" addr add "10.9.$1.1/24" dev "out$1"
	ip -n "$out" addr add "fd0$1::1/64" dev "out$1" nodad
	ip -n "$in" addr add "10.9.$1.7/24" brd + dev "eth$1"
	ip -n "$in" addr add "fd0$1::7/64" dev "eth$1" nodad
}

outside() { ip netns exec "$out" "$@" 3>&-; }
serve() {
	outside busybox httpd -p 10.9.0.1:80 -h "$T/www"
	outside busybox httpd -p '[fd00::1]:80' -h "$T/www"
	sum=$(md5sum <"$T/www/big")
}
fetch='wget -qO - http://10.9.0.1/big | md5sum; wget -qO - "http://[fd00::1]/big" | md5sum'
vm() { run rf run --isolation=microvm -b "$b" "$id" </dev/null; }
vm_up() {
	sh_args "$1"
	rf create --isolation=microvm -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }
	start
}
# get URL: what comes from there is the file.
get() { [ "$(outside timeout 5 busybox wget -qO - "$1" | md5sum)" = "$(md5sum <"$T/www/big")" ]; }
redirected() { tc -n "$in" filter show dev eth0 parent ffff: 2>/dev/null | grep -q "Egress Redirect to device rftap"; }

@test "the guest has the card: name, MAC, MTU, addresses, routes, neighbours" {
	need_vm
	wire 0
	ip -n "$in" addr add 10.8.0.1 peer 10.8.0.2/32 dev eth0
	ip -n "$in" route add default via 10.9.0.1 metric 7
	ip -n "$in" route add 10.20.0.0/16 via 10.77.0.1 dev eth0 onlink
	ip -n "$in" -6 route add default via fd00::1
	ip -n "$in" neigh add 10.9.0.9 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
	sh_args 'cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu; ip addr show eth0; ip route; ip -6 route; ip neigh'
	vm
	ok
	[ "${lines[0]} ${lines[1]}" = "$mac 1400" ]
	has "inet 10.9.0.7/24 brd 10.9.0.255"
	has "inet 10.8.0.1 peer 10.8.0.2/32"
	has "inet6 fd00::7/64"
	has "default via 10.9.0.1 dev eth0  metric 7"
	has "10.20.0.0/16 via 10.77.0.1 dev eth0 onlink"
	has "default via fd00::1 dev eth0"
	has "10.9.0.9 dev eth0 lladdr 02:00:00:00:00:01"
}

@test "without a card there is the loopback, and it answers" {
	need_vm
	sh_args 'ls /sys/class/net; echo heard | nc -l -p 80 & usleep 300000; nc 127.0.0.1 80 </dev/null'
	vm
	is $'lo\nheard'
}

@test "a server outside is reached over IPv4 and IPv6: by a machine that boots, and by one from a template" {
	need_vm
	wire 0
	serve
	sh_args "$fetch"
	cfg '.annotations["io.ringfence.no-template"] = "1"'
	vm
	is "$sum"$'\n'"$sum"
	cfg 'del(.annotations)'
	for _ in 1 2; do
		vm
		is "$sum"$'\n'"$sum"
	done
	# Its cards are given to the machine that boots in its place.
	spoil_templates memory
	vm
	has "a machine boots instead"
	[[ $output == *$'\n'"$sum"$'\n'"$sum" ]]
}

@test "a server in the guest is reached from outside; exec sees the same network" {
	need_vm
	wire 0
	serve
	vm_up 'httpd -f -p 80 -h /www'
	until_true get http://10.9.0.7/big
	get "http://[fd00::7]/big"
	run rf exec "$id" sh -c "$fetch" </dev/null
	is "$sum"$'\n'"$sum"
	rf pause "$id"
	run ! get http://10.9.0.7/big
	rf resume "$id"
	until_true get http://10.9.0.7/big
	down
}

@test "large frames pass whole" {
	need_vm
	wire 0 9000
	serve
	cfg '.process.capabilities |= map_values(. + ["CAP_NET_RAW"])'
	sh_args "cat /sys/class/net/eth0/mtu; $fetch; ping -c 2 -s 8900 10.9.0.1 >/dev/null && echo answered"
	before=$(outside cat /sys/class/net/out0/statistics/rx_packets)
	vm
	is $'9000\n'"$sum"$'\n'"$sum"$'\nanswered'
	[ "$before" -lt "$(outside cat /sys/class/net/out0/statistics/rx_packets)" ]
}

@test "two cards are two; one that is down stays; more than four are refused" {
	need_vm
	wire 0
	wire 1
	ip -n "$in" link add eth2 type veth peer name out2 netns "$out"
	sh_args 'ls /sys/class/net; ping -c 1 10.9.0.1 >/dev/null && ping -c 1 10.9.1.1 >/dev/null && echo both'
	cfg '.process.capabilities |= map_values(. + ["CAP_NET_RAW"])'
	vm
	is $'eth0\neth1\nlo\nboth'
	ip -n "$in" link set eth2 up
	wire 3
	wire 4
	vm
	refused "at most 4 network cards"
}

@test "a card is one machine's; what a killed one leaves is gone with delete, and the namespace is as before" {
	need_vm
	wire 0
	vm_up 'exec sleep 1000'
	redirected
	run rf run --isolation=microvm -b "$b" "$id-2" </dev/null
	[ "$status" -ne 0 ]
	has "another micro-VM has this network card already"
	[ ! -e "$T/state/$id-2" ]
	redirected
	kill -9 "$(pid)"
	until_true stopped
	rf delete "$id"
	[ -z "$(tc -n "$in" qdisc show dev eth0 | grep ingress)" ]
	[ -z "$(ip -n "$in" -o link | grep rftap)" ]
	# Its own stack answers again.
	outside busybox ping -c 1 -W 2 10.9.0.7
}

@test "a hook that makes the network: no path, the namespace is the machine's" {
	need_vm
	serve_at() { ip -n "$out" link show out0 >/dev/null && serve; }
	cat >"$T/hook" <<-S
		#!/bin/bash
		set -e
		pid=\$(jq .pid)
		ip -n "$out" link add out0 type veth peer name eth0 netns "\$pid"
		ip -n "$out" link set out0 up
		ip -n "$out" addr add 10.9.0.1/24 dev out0
		ip -n "$out" addr add fd00::1/64 dev out0 nodad
		nsenter -t "\$pid" -n ip link set eth0 up
		nsenter -t "\$pid" -n ip addr add 10.9.0.7/24 dev eth0
		nsenter -t "\$pid" -n ip addr add fd00::7/64 dev eth0 nodad
	S
	chmod 755 "$T/hook"
	cfg --arg h "$T/hook" '.hooks = {createRuntime: [{path: $h, env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]}
		| .linux.namespaces |= map(del(.path))'
	vm_up "exec sleep 1000"
	serve_at
	run rf exec "$id" sh -c "$fetch" </dev/null
	is "$sum"$'\n'"$sum"
	down
}
