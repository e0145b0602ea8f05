#!/usr/bin/env bats
# podman container checkpoint and restore: what it hands the runtime, and what it looks for
# afterwards. CRIU itself is the subject of checkpoint.bats.
load engines
load criu

setup_file() { criu_up && engine_up; }
teardown_file() { engine_down; }
extra_setup() {
	engine_ready
	need_criu
	# podman asks for versions before it asks a runtime.
	PATH=$CRIU_PATH
	! pod container checkpoint nobody-"$id" 2>&1 | grep -qi criu || skip "podman doesn't take this criu"
}
extra_teardown() { engine_clear; }

counting='i=0; while :; do i=$((i + 1)); echo $i >/tmp/n.new; busybox mv /tmp/n.new /tmp/n; echo $i; sleep 0.05; done'
count() { pod exec "${1:-$name}" cat /tmp/n; }
counted_past() { [ "$(count "${2:-$name}")" -gt "$1" ]; }

@test "checkpoint and restore in place" {
	bg $img sh -c "$counting"
	until_true counted_past 3
	pod container checkpoint "$name" >/dev/null
	[ "$(about '{{.State.Status}} {{.State.Checkpointed}}')" = "exited true" ]
	pod container restore "$name" >/dev/null
	[ "$(about '{{.State.Status}} {{.State.Restored}}')" = "running true" ]
	n=$(count)
	[ "$n" -gt 3 ]
	until_true counted_past "$n"
}

@test "--leave-running, and an archive that becomes another container" {
	bg -v "$T:/vol" $img sh -c "$counting"
	until_true counted_past 3
	pod container checkpoint --leave-running --export "$T/dump.tar" "$name" >/dev/null
	[ "$(about '{{.State.Status}}')" = running ]
	n=$(count)
	until_true counted_past "$n"
	pod container restore --import "$T/dump.tar" --name "$name-2" >/dev/null
	[ "$(about '{{.State.Status}}' "$name-2")" = running ]
	n=$(count "$name-2")
	[ "$n" -gt 3 ]
	until_true counted_past "$n" "$name-2"
	echo seen >"$T/f"
	run pod exec "$name-2" cat /vol/f
	is seen
}

@test "after a restore: log, stop, exit code" {
	bg $img sh -c 'echo before; trap "echo ending; exit 7" TERM; : >/tmp/n; while :; do sleep 0.05; done'
	until_true pod exec "$name" test -e /tmp/n
	pod container checkpoint "$name" >/dev/null
	pod container restore "$name" >/dev/null
	pod stop -t 10 "$name" >/dev/null
	[ "$(pod wait "$name")" = 7 ]
	run pod logs "$name"
	has ending
}

@test "a terminal" {
	bg -t $img sh -c 'tty; '"$counting"
	until_true counted_past 3
	pod container checkpoint "$name" >/dev/null
	pod container restore "$name" >/dev/null
	n=$(count)
	until_true counted_past "$n"
	run pod exec "$name" readlink /proc/1/fd/1
	has /dev/pts/
}

@test "limits and network as before" {
	need_netavark
	need_controller pids
	pod network create "net-$id" >/dev/null
	pod run -d --name "$name" --network "net-$id" --pids-limit 77 $img sh -c "$counting" >/dev/null
	until_true counted_past 3
	was=$(pod exec "$name" ip -4 addr show eth0 | grep inet)
	pod container checkpoint "$name" >/dev/null
	pod container restore "$name" >/dev/null
	[ "$(pod exec "$name" ip -4 addr show eth0 | grep inet)" = "$was" ]
	run limit pids pids.max pids.max
	is 77
	pod rm -f -t 0 "$name" >/dev/null
	pod network rm "net-$id" >/dev/null
}
