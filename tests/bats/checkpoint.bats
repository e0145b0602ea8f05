#!/usr/bin/env bats
# checkpoint and restore: a container is written down by CRIU and goes on from there.
#
# CRIU comes from scripts/criu.sh where the system's own can't run on this kernel. What needs it
# skips with CRIU's words when neither can.
load helpers

setup_file() {
	local top own
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export CRIU_PATH=$PATH CRIU_TROUBLE=
	criu check >/dev/null 2>&1 || {
		own=$("$top/scripts/criu.sh" 2>&1) || CRIU_TROUBLE="no criu: ${own##*$'\n'}"
		[ -n "$CRIU_TROUBLE" ] || CRIU_PATH=${own%/*}:$PATH
	}
	[ -n "$CRIU_TROUBLE" ] || own=$(PATH=$CRIU_PATH criu check 2>&1) || CRIU_TROUBLE="criu check: ${own##*$'\n'}"
}

need_criu() {
	[ -z "$CRIU_TROUBLE" ] || skip "$CRIU_TROUBLE"
	PATH=$CRIU_PATH
}

# A counter in a file of the root file system: it shows that a process goes on, not begins anew.
counter() {
	cfg '.root.readonly = false | .process.rlimits = [] | .linux.namespaces |= map(select(.type != "network"))'
	sh_args 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/n.new; mv /tmp/n.new /tmp/n; usleep 20000; done'
}
count() { cat "$b/rootfs/tmp/n"; }
counted_past() { [ "$(count)" -gt "$1" ]; }

dump() { rf checkpoint --image-path "$T/img" --work-path "$T/work" "$@" "$id" </dev/null 3>&-; }
back() { rf restore -d -b "$b" --image-path "$T/img" --work-path "$T/work" "$@" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }; }
# Once it has begun to count.
counting() { create && start && until_true counted_past 3; }

@test "a counter goes on where it stood, and the verbs work on it" {
	need_criu
	counter
	counting
	dump
	nothing_left
	[ -e "$T/img/inventory.img" ] && [ -e "$T/work/dump.log" ]
	run jq -r length "$T/img/descriptors.json"
	is 3
	n=$(count)
	echo 0 >"$b/rootfs/tmp/n"
	back
	[ -e "$T/work/restore.log" ]
	is_status running
	until_true counted_past "$n"
	run rf exec "$id" cat /tmp/n
	ok
	run rf ps "$id"
	ok
	rf pause "$id"
	is_status paused
	rf resume "$id"
	run rf events --stats "$id"
	has '"type":"stats"'
	down
}

@test "--leave-running lets it go on; a restore may take another id" {
	need_criu
	counter
	counting
	dump --leave-running
	is_status running
	n=$(count)
	until_true counted_past "$n"
	down
	id=$id-2
	back
	is_status running
	run cat "/proc/$(pid)/cgroup"
	has "$id"
	down
}

@test "limits and pid file are those of config.json" {
	need_criu
	need_controller pids
	counter
	cfg '.linux.resources.pids.limit = 77'
	counting
	dump
	back --pid-file "$T/pid"
	[ "$(cat "$T/pid")" = "$(pid)" ]
	run cg_file pids pids.max pids.max
	is 77
	down
}

@test "volumes come from the host again, read-only as they were" {
	need_criu
	mkdir "$T/vol"
	echo one >"$T/vol/f"
	counter
	cfg --arg s "$T/vol" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["rbind", "ro"]}]'
	counting
	dump
	echo two >"$T/vol/f"
	back
	run rf exec "$id" cat /mnt/f
	is two
	run rf exec "$id" sh -c 'echo three >/mnt/f'
	[ "$status" -ne 0 ]
	down
}

@test "in the foreground restore gives output and exit code of the program" {
	need_criu
	counter
	sh_args 'echo up >/tmp/n; while [ ! -e /tmp/go ]; do usleep 20000; done; echo out; exit 7'
	create && start && until_true grep -q up "$b/rootfs/tmp/n"
	dump
	touch "$b/rootfs/tmp/go"
	rc=0
	rf restore -b "$b" --image-path "$T/img" --work-path "$T/work" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || rc=$?
	[ "$rc" = 7 ] || { cat "$T/err"; return 1; }
	grep -qx out "$T/out"
	nothing_left
}

@test "hooks: prestart, createRuntime, poststart again; poststop at its end" {
	need_criu
	counter
	cfg --arg t "$T/hooks" 'def h(n): [{path: "/bin/sh", args: ["sh", "-c", "cat >/dev/null; echo " + n + " >>" + $t]}];
		.hooks = {prestart: h("prestart"), createRuntime: h("createRuntime"), poststart: h("poststart"), poststop: h("poststop")}'
	counting
	dump
	run cat "$T/hooks"
	is $'prestart\ncreateRuntime\npoststart\npoststop'
	rm "$T/hooks"
	back
	run cat "$T/hooks"
	is $'prestart\ncreateRuntime\npoststart'
	down
}

@test "a paused container can be checkpointed" {
	need_criu
	counter
	counting
	rf pause "$id"
	dump
	back
	is_status running
	n=$(count)
	until_true counted_past "$n"
	down
}

@test "a failed dump leaves the container running" {
	need_criu
	counter
	counting
	mkdir -p "$T/img/pstree.img"
	run dump
	exit_is 1
	has "criu could not dump it"
	has "$T/work/dump.log"
	is_status running
	n=$(count)
	until_true counted_past "$n"
	down
}

@test "a failed restore leaves nothing" {
	need_criu
	counter
	counting
	dump
	rm "$T/img/core-1.img"
	run rf restore -d -b "$b" --image-path "$T/img" --work-path "$T/work" --pid-file "$T/pid" "$id" </dev/null 3>&-
	refused "criu could not restore it"
	[ ! -e "$T/pid" ]
	[ -z "$(find /sys/fs/cgroup -name "$id" -print -quit 2>/dev/null)" ]
}

@test "without criu, or with a mute one: words, and the container goes on" {
	counter
	counting
	run env PATH=/nonexistent "$RINGFENCE" --root "$T/state" checkpoint --image-path "$T/img" "$id"
	exit_is 1
	has "there is no criu in PATH"
	mkdir "$T/bin"
	printf '#!/bin/sh\nexit 1\n' >"$T/bin/criu"
	chmod +x "$T/bin/criu"
	run env PATH="$T/bin:$PATH" "$RINGFENCE" --root "$T/state" checkpoint --image-path "$T/img" "$id"
	exit_is 1
	has 'see what "criu check" says'
	is_status running
	down
}

@test "bad options are refused before anything is asked of CRIU" {
	counter
	create
	run dump
	has "cannot checkpoint a container that is created"
	start
	until_true counted_past 1
	run dump --parent-path /absolute
	has "must be relative to the image path"
	run dump --page-server nowhere
	has "isn't ADDRESS:PORT"
	run dump --empty-ns mnt
	has "isn't one of: network"
	run dump --manage-cgroups-mode nonsense
	has "isn't one of: soft"
	is_status running
	down
}

@test "checkpoint --help and restore --help succeed: engines ask so" {
	run rf checkpoint --help
	ok
	has --leave-running
	run rf restore --help
	ok
	has --console-socket
}
