#!/usr/bin/env bats
# verbs and flags in the forms that callers of runc and of crun know.
load helpers

setup_three() {
	for i in "$id" "$id-2" "$id-3"; do
		sh_args "exec sleep 1000"
		rf run -d -b "$b" "$i" </dev/null >"$T/out" 2>&1 3>&-
	done
}
is_stopped() { [ "$(status "$1")" = stopped ]; }

@test "kill --regex: every id with a match, and no other" {
	only_ours
	setup_three
	rf kill --regex "^$id-[2-9]\$" KILL
	until_true is_stopped "$id-2"
	until_true is_stopped "$id-3"
	[ "$(status)" = running ]
	rf kill -r "^$id\$" KILL
	until_true stopped
	rf delete -r "^$id"
	[ -z "$(rf list -q)" ]
}

@test "kill --regex: no match is no error; one that can't be killed is told" {
	only_ours
	setup_three
	rf kill -r 'no-such$' KILL
	rf kill "$id-2" KILL
	until_true is_stopped "$id-2"
	run rf kill -r "$id" KILL
	exit_is 1
	has "not running"
	until_true stopped
	until_true is_stopped "$id-3"
}

@test "kill, delete --regex: what is no regular expression is refused" {
	only_ours
	run rf kill -r 'x(' KILL
	exit_is 1
	has "regular expression"
	run rf delete -fr 'x['
	exit_is 1
}

@test "delete --regex: only stopped ones without --force" {
	only_ours
	setup_three
	rf kill "$id" KILL
	until_true stopped
	run rf delete -r "$id"
	exit_is 1
	[ "$(rf list -q | tr '\n' ' ')" = "$id-2 $id-3 " ]
	rf delete -rf "$id-[23]"
	[ -z "$(rf list -q)" ]
}

@test "ps of a stopped container lists nothing" {
	up
	rf kill "$id" KILL
	until_true stopped
	run rf ps "$id"
	ok
	[ "${#lines[@]}" = 1 ]
	has PID
	run rf ps -f json "$id"
	is null
}

@test "letters in one word: booleans, and a value at the end" {
	only_ours
	up
	run rf exec -eA=b "$id" env
	has A=b
	run rf exec -tu1000 "$id" id -u </dev/null
	has 1000
	run rf exec -tu 1000 "$id" id -u </dev/null
	has 1000
	rf exec -de A=b "$id" true </dev/null 3>&-
	run rf exec -dX "$id" true
	exit_is 1
	down
}

@test "exec: words that make no sense end with 1, a command that can't be run with 255" {
	up
	run rf exec
	exit_is 1
	run rf exec --no-such "$id" true
	exit_is 1
	run rf exec --preserve-fds x "$id" true
	exit_is 1
	run rf exec "$id"
	exit_is 255
	run rf exec "$id" no-such
	exit_is 255
	run rf exec no-such-id true
	exit_is 255
	run rf exec -- "$id" echo words
	is words
	down
}

@test "spec --file: another name, and never over a file that is there" {
	only_ours
	mkdir "$T/s"
	cd "$T/s" || return 1
	rf spec -f other.json
	[ "$(ls)" = other.json ]
	cmp other.json <(rf spec --file one.json && cat one.json)
	run rf spec -f other.json
	exit_is 1
	has exists
	rf spec -b "$T" --file "$T/s/absolute.json"
	cmp absolute.json other.json
}
