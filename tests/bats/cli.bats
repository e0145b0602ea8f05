#!/usr/bin/env bats
# the command line: options in every spelling, help, messages, logs.
load helpers

@test "no verb prints help; an unknown verb and an unknown option are errors with a hint" {
	run -0 "$RINGFENCE"
	has Verbs:
	run rf no-such-verb
	[ "$status" -ne 0 ]
	! ours || has no-such-verb
	run rf list --no-such-option
	[ "$status" -ne 0 ]
	has no-such-option
}

@test "every verb has help" {
	only_ours
	for v in $(rf help | sed -n '/^Verbs:/,/^$/p' | awk 'NR > 1 && NF { print $1 }'); do
		run rf "$v" --help
		ok
		has Usage
	done
}

@test "options as --x v, --x=v, -x v and with one dash" {
	mkdir "$T/o"
	[ -z "$("$RINGFENCE" --root "$T/o" list -q)" ]
	[ -z "$("$RINGFENCE" --root="$T/o" list -q)" ]
	[ -z "$("$RINGFENCE" -root "$T/o" list -q)" ]
	"$RINGFENCE" --root "$T/o" list --format=json
	"$RINGFENCE" --root "$T/o" list -f json
}

@test "--version" {
	run rf --version
	ok
	has spec
	run rf -v
	ok
}

@test "--log and --log-format json: one JSON object a line" {
	run "$RINGFENCE" --root "$T/state" --log "$T/log" --log-format json state no-such
	[ "$status" -ne 0 ]
	jq -e 'select(.level == "error") | .msg and .time' "$T/log" | tail -n1 | grep -q true
	grep -q "does not exist" "$T/log"
}

@test "the error goes to standard error too, standard output stays clean" {
	run --separate-stderr rf state no-such
	[ "$status" -ne 0 ]
	[ -z "$output" ]
	[ -n "$stderr" ]
}

@test "missing and surplus arguments are refused" {
	only_ours
	for v in create start state kill delete exec pause resume update; do
		run rf "$v"
		[ "$status" -ne 0 ] || { echo "$v without an id"; return 1; }
	done
	run rf state a b
	[ "$status" -ne 0 ]
	run rf list a
	[ "$status" -ne 0 ]
}

@test "numbers that aren't" {
	only_ours
	up
	for o in "--pids-limit x" "--memory 1y" "--memory 99999999999999999999" "--cpu-period -5"; do
		# shellcheck disable=SC2086 # an option and its value
		run rf update $o "$id"
		[ "$status" -ne 0 ] || { echo "$o was taken"; return 1; }
	done
	run rf create --preserve-fds x -b "$b" "$id-2"
	[ "$status" -ne 0 ]
	down
}

@test "man page and completions" {
	only_ours
	run rf generate man
	ok
	has .TH
	for s in bash zsh fish; do
		run rf generate "$s"
		ok
		has exec
	done
	rf generate bash | bash -n
}

@test "a full standard output is an error" {
	only_ours
	run bash -c "$RINGFENCE features >/dev/full"
	[ "$status" -ne 0 ]
}

@test "--debug says what is going to be done, as a log" {
	only_ours
	args true
	run rf --debug run -b "$b" "$id" </dev/null
	ok
	[[ $output =~ 'time="20'.*'level=debug msg="run '$id ]]
	has 'level=debug msg="namespace: new pid namespace'
	has 'level=debug msg="run ends with 0"'
	run rf --debug --log "$T/log" --log-format json run -b "$b" "$id" </dev/null
	is ""
	[ "$(jq -r .level "$T/log" | sort -u)" = debug ]
	grep -q '"msg":"build: mount ' "$T/log"
	rm "$T/log"
	run rf --log "$T/log" run -b "$b" "$id" </dev/null
	is ""
	[ ! -s "$T/log" ]
}

@test "--criu is taken, as old callers give it" {
	run rf --criu /usr/sbin/criu list -q </dev/null
	is ""
}
