#!/usr/bin/env bats
# create, start, stopped, delete: the states and what may be asked in each.
load helpers

@test "create makes a container whose program hasn't run" {
	sh_args 'echo ran; exec sleep 1000'
	create
	[ "$(status)" = created ]
	[ ! -s "$T/out" ]
	rf delete --force "$id"
}

@test "start runs the program" {
	up 'echo ran; exec sleep 1000'
	[ "$(status)" = running ]
	until_true grep -q ran "$T/out"
	down
}

@test "a program that ends leaves a stopped container, delete removes it" {
	args true
	create
	start
	until_true stopped
	rf delete "$id"
	run rf state "$id"
	[ "$status" -ne 0 ]
	[ ! -e "$T/state/$id" ]
}

@test "start twice is refused" {
	up
	run rf start "$id"
	[ "$status" -ne 0 ]
	[ "$(status)" = running ]
	down
}

@test "start of a stopped container is refused" {
	args true
	create
	start
	until_true stopped
	run rf start "$id"
	[ "$status" -ne 0 ]
	rf delete "$id"
}

@test "an id lives once, and a second create leaves the first alone" {
	up
	run rf create -b "$b" "$id" </dev/null
	[ "$status" -ne 0 ]
	[ "$(status)" = running ]
	down
}

@test "an id may be used again after delete" {
	up
	down
	up
	down
}

@test "two containers of one bundle" {
	up
	rf create -b "$b" "$id-2" </dev/null >/dev/null 2>&1 3>&-
	[ "$(status "$id-2")" = created ]
	[ "$(pid)" != "$(pid "$id-2")" ]
	rf delete --force "$id-2"
	[ "$(status)" = running ]
	down
}

@test "the pid file holds the state's pid, without a newline" {
	args sleep 1000
	create --pid-file "$T/pid"
	[ "$(cat "$T/pid")" = "$(pid)" ]
	[ "$(wc -l <"$T/pid")" -eq 0 ]
	rf delete --force "$id"
}

@test "relative paths are the caller's, not the container's" {
	args sleep 1000
	mkdir "$T/here"
	cd "$T/here"
	"$RINGFENCE" --root ../state create --pid-file pid -b "$b" "$id" </dev/null >/dev/null 2>&1 3>&-
	[ "$(cat "$T/here/pid")" = "$(pid)" ]
	[ ! -e "$b/rootfs/pid" ]
	[ ! -e "$b/state" ]
	rf delete --force "$id"
	args true
	"$RINGFENCE" --root ../state run --pid-file ran -b ../b "$id"
	[ ! -e "$b/rootfs/ran" ]
	[ -s "$T/here/ran" ]
	cd /
}

@test "a container killed while created is stopped" {
	args sleep 1000
	create
	kill -KILL "$(pid)"
	until_true stopped
	rf delete "$id"
}

@test "a program that can't be run fails start, and the container is stopped" {
	args /bin/none
	run create
	if [ "$status" -eq 0 ]; then
		run start
		[ "$status" -ne 0 ]
		has /bin/none
		until_true stopped
		rf delete "$id"
	else
		has /bin/none
	fi
}
