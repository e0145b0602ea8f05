#!/usr/bin/env bats
# pause and resume: the freezer.
load helpers

ticking='i=0; while :; do i=$((i + 1)); echo $i; usleep 20000; done'

need_freezer() { cgroup_v2 || need_controller freezer; }

@test "pause stops every process, resume lets them go on" {
	need_freezer
	up "$ticking"
	until_true test -s "$T/out"
	rf pause "$id"
	[ "$(status)" = paused ]
	n=$(wc -l <"$T/out")
	sleep 0.2
	[ "$(wc -l <"$T/out")" = "$n" ]
	rf resume "$id"
	[ "$(status)" = running ]
	until_true sh -c "[ \$(wc -l <$T/out) -gt $n ]"
	down
}

@test "a paused container can be deleted by force" {
	need_freezer
	up
	rf pause "$id"
	rf delete --force "$id"
	[ ! -e "$T/state/$id" ]
}

@test "KILL of a paused container isn't lost" {
	need_freezer
	up
	rf pause "$id"
	rf kill "$id" KILL
	rf resume "$id" || true
	until_true stopped
	rf delete "$id"
}

@test "resume and a forced delete thaw a group that v1's freezer holds as well" {
	! cgroup_v2 || skip "there is no v1 freezer"
	need_controller freezer
	up
	file=/sys/fs/cgroup/freezer$(sed -n 's/^[0-9]*:freezer://p' "/proc/$(pid)/cgroup")/freezer.state
	rf pause "$id"
	echo FROZEN >"$file"
	rf resume "$id"
	[ "$(cat "$file")" = THAWED ]
	rf pause "$id"
	echo FROZEN >"$file"
	timeout -s KILL 10 "$RINGFENCE" --root "$T/state" delete --force "$id"
}

@test "exec in a paused container is refused" {
	need_freezer
	up
	rf pause "$id"
	run timeout 5 "$RINGFENCE" --root "$T/state" exec "$id" true </dev/null
	[ "$status" -ne 0 ]
	[ "$status" -ne 124 ]
	rf resume "$id"
	down
}

@test "resume of a running container and pause of a stopped one are refused" {
	need_freezer
	up
	run rf resume "$id"
	[ "$status" -ne 0 ]
	rf kill "$id" KILL
	until_true stopped
	run rf pause "$id"
	[ "$status" -ne 0 ]
	rf delete "$id"
}
