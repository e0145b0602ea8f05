#!/usr/bin/env bats
# namespaces: new ones, joined ones, and the host's.
load helpers

ns_list() { for n in mnt pid uts ipc net cgroup user; do readlink "/proc/$1/ns/$n"; done; }

@test "the asked namespaces are new, the others the host's" {
	cfg '.linux.namespaces = [{type: "mount"}, {type: "pid"}, {type: "ipc"}]'
	cfg 'del(.hostname)'
	up
	for n in mnt pid ipc; do [ "$(readlink "/proc/$(pid)/ns/$n")" != "$(readlink /proc/self/ns/$n)" ]; done
	for n in uts net user; do [ "$(readlink "/proc/$(pid)/ns/$n")" = "$(readlink /proc/self/ns/$n)" ]; done
	down
}

@test "a namespace is joined by its path" {
	unshare -n sleep 1000 3>&- &
	other=$!
	until_true sh -c "[ \$(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ]"
	cfg --arg p "/proc/$other/ns/net" '(.linux.namespaces[] | select(.type == "network")).path = $p'
	up
	[ "$(readlink "/proc/$(pid)/ns/net")" = "$(readlink "/proc/$other/ns/net")" ]
	kill $other
	down
}

@test "one container joins another's namespaces" {
	up
	p=$(pid)
	cp -r "$b" "$T/b2"
	jq --arg p "/proc/$p/ns" '.process.args = ["sh", "-c", "hostname; ls -d /proc/[0-9]* | wc -l"] | del(.hostname)
		| .linux.namespaces = [{type: "mount"}, {type: "pid", path: ($p + "/pid")}, {type: "uts", path: ($p + "/uts")},
			{type: "ipc", path: ($p + "/ipc")}, {type: "network", path: ($p + "/net")}]' "$b/config.json" >"$T/b2/config.json"
	run rf run -b "$T/b2" "$id-2" </dev/null
	ok
	[ "${lines[0]}" = "$(jq -r .hostname "$config")" ]
	[ "${lines[1]}" -ge 2 ]
	down
}

@test "a path that isn't a namespace, or another kind of one, is refused" {
	cfg '(.linux.namespaces[] | select(.type == "network")).path = "/etc/passwd"'
	go
	refused
	cfg '(.linux.namespaces[] | select(.type == "network")).path = "/proc/self/ns/uts"'
	go
	refused
	cfg '(.linux.namespaces[] | select(.type == "network")).path = "/none"'
	go
	refused
}

@test "the same namespace twice is refused" {
	cfg '.linux.namespaces += [{type: "uts"}]'
	go
	refused
}

@test "host name and domain name" {
	cfg '.hostname = "inside" | .domainname = "dom"'
	sh_args 'hostname; cat /proc/sys/kernel/domainname'
	go
	is $'inside\ndom'
}

@test "a host name without a UTS namespace is refused" {
	cfg '.linux.namespaces |= map(select(.type != "uts")) | .hostname = "inside"'
	go
	refused
}

@test "a host name is set in the UTS namespace that is joined, but the host's stays as it is" {
	mount --bind "$T" "$T"
	mount --make-private "$T"
	: >"$T/uts"
	unshare --uts="$T/uts" hostname before
	cfg --arg p "$T/uts" '.hostname = "inside" | (.linux.namespaces[] | select(.type == "uts")).path = $p'
	args hostname
	go
	is inside
	[ "$(nsenter --uts="$T/uts" hostname)" = inside ]
	umount "$T/uts"
	umount "$T"
	cfg '(.linux.namespaces[] | select(.type == "uts")).path = "/proc/self/ns/uts"'
	in_vain() { unshare --uts sh -c 'hostname before; "$0" --root "$1" run -b "$2" "$3"; echo "$? $(hostname)"' "$RINGFENCE" "$T/state" "$b" "$id" </dev/null; }
	run in_vain
	has "/hostname: would rename the host"
	has "1 before"
	# What it is called already is no change.
	cfg '.hostname = "before"'
	run in_vain
	is $'before\n0 before'
}

@test "the network namespace has a loopback that is up" {
	args sh -c 'cat /proc/net/dev | tail -n +3 | cut -d: -f1; ip addr show lo'
	go
	ok
	has 127.0.0.1
	hasnt eth0
}

@test "a time namespace with offsets" {
	[ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
	cfg '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: 1000000}}'
	sh_args 'cut -d. -f1 /proc/uptime'
	go
	ok
	[ "$output" -ge 1000000 ]
}

@test "a cgroup namespace hides the path" {
	cfg '.linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}])'
	sh_args 'cut -d: -f3 /proc/self/cgroup | sort -u'
	go
	is /
}

@test "a mount namespace by path gets the container's root" {
	local holder
	unshare --mount sh -c 'mount -t tmpfs marker /mnt; touch "$0"; exec sleep 1000' "$T/ready" 3>&- &
	holder=$!
	until_true test -e "$T/ready"
	cfg --arg p "/proc/$holder/ns/mnt" '(.linux.namespaces[] | select(.type == "mount")).path = $p'
	mkdir "$T/src"
	echo bound >"$T/src/f"
	cfg --arg s "$T/src" '.mounts += [{destination: "/mnt", source: $s, type: "bind", options: ["bind"]}]'
	up
	[ "$(readlink "/proc/$(pid)/ns/mnt")" = "$(readlink "/proc/$holder/ns/mnt")" ]
	run -0 rf exec "$id" sh -c 'cat /mnt/f /proc/self/mountinfo'
	has bound
	hasnt marker
	[ -e "/proc/$(pid)/root/bin/busybox" ]
	[ ! -e "/proc/$(pid)/root/home" ]
	down
	kill "$holder"
}

@test "the runtime's own mount namespace is never joined" {
	cfg '(.linux.namespaces[] | select(.type == "mount")).path = "/proc/self/ns/mnt"'
	go
	refused "host's own mount namespace"
}

@test "a mount namespace by path with a new user namespace is refused" {
	cfg '(.linux.namespaces[] | select(.type == "mount")).path = "/proc/self/ns/mnt"
		| .linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	go
	refused 'new user namespace'
}

@test "cgroup and time namespaces are new when asked for, and joined by path" {
	[ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
	local p n
	cfg '.linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}, {type: "time"}]) | .linux.timeOffsets = {monotonic: {secs: 77}}'
	up
	p=$(pid)
	for n in cgroup time; do [ "$(readlink "/proc/$p/ns/$n")" != "$(readlink /proc/self/ns/$n)" ]; done
	cp -r "$b" "$T/b2"
	jq --arg p "/proc/$p/ns" 'del(.linux.timeOffsets) | .linux.namespaces |= map(if .type == "cgroup" or .type == "time" then .path = $p + "/" + .type else . end)' \
		"$config" >"$T/b2/config.json"
	rf create -b "$T/b2" "$id-2" </dev/null >/dev/null 3>&-
	for n in cgroup time; do
		[ "$(readlink "/proc/$(pid "$id-2")/ns/$n")" = "$(readlink "/proc/$p/ns/$n")" ] || { echo "$n"; return 1; }
	done
	[ "$(readlink "/proc/$(pid "$id-2")/ns/uts")" != "$(readlink "/proc/$p/ns/uts")" ]
	rf delete --force "$id-2"
	down
}
