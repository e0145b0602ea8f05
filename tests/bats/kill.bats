#!/usr/bin/env bats
# kill: signals by name and number, to one process or all.
load helpers

trapper='for s in HUP USR1 USR2 TERM; do trap "echo $s" $s; done; echo up; while :; do sleep 0.05; done'

@test "names with and without SIG, any case, and numbers" {
	up "$trapper"
	until_true grep -q up "$T/out"
	rf kill "$id" USR1
	until_true grep -q USR1 "$T/out"
	rf kill "$id" SIGUSR2
	until_true grep -q USR2 "$T/out"
	rf kill "$id" 1
	until_true grep -q HUP "$T/out"
	rf kill "$id" term
	until_true grep -q TERM "$T/out"
	down
}

@test "without a signal: TERM" {
	up "$trapper"
	until_true grep -q up "$T/out"
	rf kill "$id"
	until_true grep -q TERM "$T/out"
	down
}

@test "KILL ends it" {
	up
	rf kill "$id" KILL
	until_true stopped
	rf delete "$id"
}

@test "an unknown signal is refused and nothing is sent" {
	only_ours
	up
	for s in NOSUCH 0x 999 -1 ''; do
		run rf kill "$id" -- "$s"
		[ "$status" -ne 0 ]
	done
	[ "$(status)" = running ]
	down
}

@test "a stopped container can't be killed, and the words are the ones engines know" {
	args true
	create
	start
	until_true stopped
	run rf kill "$id" TERM
	[ "$status" -ne 0 ]
	has "container not running"
	rf delete "$id"
}

@test "kill --all reaches every process" {
	cfg '.linux.namespaces |= map(select(.type != "pid"))'
	sh_args 'sleep 1000 & exec sleep 1000'
	create
	start
	until_true sh -c "[ \$($RINGFENCE --root $T/state ps --format json $id | jq length) = 2 ]"
	pids=$(rf ps --format json "$id" | jq -r '.[]')
	rf kill --all "$id" KILL
	for p in $pids; do
		until_true gone "$p"
	done
	until_true stopped
	rf delete "$id"
}

@test "a created container can be killed" {
	args sleep 1000
	create
	rf kill "$id" KILL
	until_true stopped
	rf delete "$id"
}
