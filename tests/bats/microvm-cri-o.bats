#!/usr/bin/env bats
# CRI-O's pods with micro-VMs: its calls, word by word, through the conmon that it runs. A pod's network, IPC
# and UTS namespaces are made by CRI-O and pinned to files, which sandbox and containers name
# (docs/microvm.md, Pods). $id is the sandbox.
load helpers
load cri-o

extra_setup() {
	[[ ${RINGFENCE##*/} == *-vm ]] || skip "the engine's runtime makes micro-VMs by its name: RF_WALL=microvm"
	need_vm
	crio_setup
}
extra_teardown() {
	[ -z "${inhabitant:-}" ] || kill "$inhabitant" 2>/dev/null || true
	[ ! -d "$T/ns" ] || crio_teardown
}

by_path='.linux.namespaces = [{type: "mount"}, {type: "pid"}, {type: "network", path: ($t + "/ns/net")},
	{type: "ipc", path: ($t + "/ns/ipc")}, {type: "uts", path: ($t + "/ns/uts")}]
	| .linux.cgroupsPath = "/" + $i + "/" + $n
	| .annotations = {"io.kubernetes.cri-o.ContainerType": $kind, "io.kubernetes.cri-o.SandboxID": $i}'

# sandbox_config FILTER
sandbox_config() {
	args sleep 1000
	cfg --arg t "$T" --arg i "$id" --arg n sandbox --arg kind sandbox "$by_path | $1"
}
# sandbox [FILTER]: made and started.
sandbox() {
	sandbox_config "${1:-.hostname = \"in-the-pod\"}"
	mon "$id" "$b"
	rt start "$id"
}
# member_config N SCRIPT [FILTER]: the bundle of a container of the pod, as $T/bN.
member_config() {
	rm -rf "$T/b$1"
	cp -a "$b" "$T/b$1"
	jq --arg t "$T" --arg i "$id" --arg n "member-$1" --arg kind container --arg s "$2" \
		"$by_path"' | .process.args = ["sh", "-c", $s] | '"${3:-.hostname = \"in-the-pod\"}" "$config" >"$T/b$1/config.json"
}
member() {
	member_config "$@"
	mon "$id-$1" "$T/b$1"
	rt start "$id-$1"
}
logged() { grep -q "stdout F $2" "$T/$1.log"; }
in_pod() { rt exec "$1" sh -c "$2" </dev/null; }
groups_gone() { find /sys/fs/cgroup -depth -type d -path "*/$id*" -exec rmdir {} + 2>/dev/null || true; }

@test "a pod of pinned namespaces is one machine: name, IPC and localhost are shared, pids and mounts aren't" {
	pinned
	sandbox
	member 2 'hostname; echo "me $$"; uname -r; while :; do echo served | nc -l -p 8080; done'
	until_true logged "$id-2" '.*-ringfence'
	logged "$id-2" in-the-pod
	logged "$id-2" 'me 1'
	member 3 'for i in 1 2 3 4 5 6 7 8 9; do nc 127.0.0.1 8080 </dev/null && break; sleep 0.2; done; exit 5'
	until_true exited "$id-3"
	[ "$(cat "$T/exits/$id-3")" = 5 ]
	logged "$id-3" served
	rt delete "$id-3"
	look='for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done; hostname'
	mapfile -t one < <(in_pod "$id" "$look")
	mapfile -t two < <(in_pod "$id-2" "$look")
	[ "${one[5]}" = in-the-pod ]
	for i in 0 1 2 5; do [ "${one[i]}" = "${two[i]}" ]; done
	for i in 3 4; do [ "${one[i]}" != "${two[i]}" ]; done
	# Its network is the one that CRI-O made, on the host.
	[ "$(readlink "/proc/$(cat "$T/$id.pid")/ns/net")" = "net:[$(stat -c %i "$T/ns/net")]" ]
	jq '.process | .args = ["sh", "-c", "echo out; echo err >&2; exit 7"]' "$config" >"$T/process.json"
	run conmon_of "$id-2" "$T/b2" x -e --exec-process-spec "$T/process.json" --sync
	until_true grep -q 'stdout F out' "$T/x.log"
	until_true grep -q 'stderr F err' "$T/x.log"
	until_true exited "$id-2"
	[ "$(cat "$T/exits/$id-2")" = 7 ]
	ended "$id-2"
	[ "$(cat "$T/exits/$id-2")" = 137 ]
	is_status_of "$id" running
	ended "$id"
	groups_gone
}

@test "a pod whose name was set in the pinned namespace alone; its end ends all of it" {
	pinned 'hostname by-pinns'
	sandbox 'del(.hostname)'
	member 2 'hostname; hostname renamed; exec sleep 1000' 'del(.hostname) | .process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
	until_true logged "$id-2" by-pinns
	name_is() { [ "$(in_pod "$id" hostname)" = renamed ]; }
	until_true name_is
	# The file of the host is a name for it, and keeps what it had.
	[ "$(nsenter --uts="$T/ns/uts" hostname)" = by-pinns ]
	rt kill "$id" KILL
	until_true exited "$id-2"
	until_true exited "$id"
	rt delete --force "$id-2"
	rt delete --force "$id"
	rt delete --force "$id"
	groups_gone
}

# fails TEXT CONFIG-FUNCTION…: a create of that bundle is refused, and leaves nothing.
fails() {
	! rt create -b "$2" "$3" </dev/null >"$T/refusal" 2>&1 || { echo "$3 was made"; return 1; }
	grep -qF -- "$1" "$T/refusal" || { cat "$T/refusal"; return 1; }
	[ ! -e "$T/state/$3" ]
}

@test "what no machine can honour is refused by its place: inhabited, the host's, not a sandbox's, not the pod's" {
	pinned
	nsenter --ipc="$T/ns/ipc" sleep 1000 3>&- &
	inhabitant=$!
	inside() { [ "$(readlink "/proc/$inhabitant/ns/ipc")" = "ipc:[$(stat -c %i "$T/ns/ipc")]" ]; }
	until_true inside
	sandbox_config .
	fails "/linux/namespaces/3/path: a micro-VM can't do it: a process of the host is in the namespace" "$b" "$id"
	kill "$inhabitant"
	wait "$inhabitant" || true
	cfg '.annotations = {}'
	fails "/linux/namespaces/3/path: a micro-VM can't do it: the namespace is of the host's kernel" "$b" "$id"
	sandbox_config '.linux.namespaces[4].path = "/proc/self/ns/uts"'
	fails "/linux/namespaces/4/path" "$b" "$id"
	touch "$T/other"
	mount --bind /proc/self/ns/uts "$T/other"
	cfg --arg t "$T" '.linux.namespaces[4].path = $t + "/other"'
	fails "the namespace is the host's own" "$b" "$id"
	umount "$T/other"
	sandbox
	unshare --ipc="$T/other" true
	member_config 2 true ".linux.namespaces[3].path = \"$T/other\""
	fails "/linux/namespaces/3/path: a micro-VM can't do it: the namespace isn't that of the pod's sandbox" "$T/b2" "$id-2"
	umount "$T/other"
	ended "$id"
	groups_gone
}
