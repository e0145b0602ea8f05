#!/usr/bin/env bats
# The command line: spellings that engines and fingers use, help, messages, exit codes.
load helpers

@test "--version names the program, its version and the specification's" {
	run "$RINGFENCE" --version
	ok
	has " version "
	has "spec: 1."
	run "$RINGFENCE" -v
	ok
}

@test "--help names every verb; each verb has help of its own" {
	run "$RINGFENCE" --help
	ok
	for v in create start state kill delete run exec list ps pause resume update spec features; do
		has "$v"
	done
	for v in create start state kill delete run exec list ps pause resume update spec features; do
		run "$RINGFENCE" "$v" --help
		ok
		has "$v"
	done
}

@test "no verb at all is help, an unknown one an error" {
	run "$RINGFENCE" no-such-verb
	[ "$status" -ne 0 ]
	has no-such-verb
}

@test "an unknown option is an error that names it" {
	run "$RINGFENCE" --no-such list
	[ "$status" -ne 0 ]
	has no-such
	run "$RINGFENCE" list --no-such
	[ "$status" -ne 0 ]
	has no-such
}

@test "--x v, --x=v and -x v" {
	args true
	rf run --bundle "$b" "$id" </dev/null
	rf run --bundle="$b" "$id" </dev/null
	rf run -b "$b" "$id" </dev/null
	"$RINGFENCE" --root="$T/state" run -b "$b" "$id" </dev/null
}

@test "long options with one dash, as go-runc writes them" {
	[[ ${RINGFENCE##*/} != crun ]] || skip "crun has no such spelling"
	args true
	"$RINGFENCE" -root "$T/state" run -bundle "$b" -no-subreaper "$id" </dev/null
}

@test "without --bundle the working directory is the bundle" {
	args echo here
	cd "$b"
	run rf run "$id" </dev/null
	is here
}

@test "missing and superfluous arguments are errors" {
	for v in create start state kill delete run exec pause resume; do
		run rf "$v"
		[ "$status" -ne 0 ] || { echo "$v without a container: $status"; return 1; }
	done
	run rf start a b
	[ "$status" -ne 0 ]
	run rf state a b
	[ "$status" -ne 0 ]
}

@test "an option's missing or bad value is an error" {
	run rf run --bundle
	[ "$status" -ne 0 ]
	run rf run -b "$b" --preserve-fds many "$id" </dev/null
	[ "$status" -ne 0 ]
	run rf list --format yaml
	[ "$status" -ne 0 ]
	run "$RINGFENCE" --log-format xml list
	[ "$status" -ne 0 ]
}

@test "--log with --log-format json holds the error, one object in a line" {
	run "$RINGFENCE" --root "$T/state" --log "$T/log" --log-format json state no-such
	[ "$status" -ne 0 ]
	jq -e 'select(.level == "error") | .msg | test("does not exist")' "$T/log"
	jq -e '.time | test("^[0-9]{4}-")' "$T/log"
}

@test "--log appends" {
	echo '{"first": 1}' >"$T/log"
	run "$RINGFENCE" --root "$T/state" --log "$T/log" --log-format json state no-such
	[ "$(head -1 "$T/log")" = '{"first": 1}' ]
	[ "$(wc -l <"$T/log")" -ge 2 ]
}

@test "strange bytes in a message stay valid JSON" {
	run "$RINGFENCE" --root "$T/state" --log "$T/log" --log-format json state $'a"b\\c\n\x01'
	[ "$status" -ne 0 ]
	jq -es 'length >= 1' "$T/log"
}

@test "an error is one line on standard error, none on standard output" {
	run --separate-stderr rf state no-such
	[ "$status" -ne 0 ]
	[ -z "$output" ]
	[ "${#stderr_lines[@]}" -eq 1 ]
}

@test "--debug says more and changes nothing" {
	args echo said
	run --separate-stderr "$RINGFENCE" --debug --root "$T/state" run -b "$b" "$id" </dev/null
	ok
	[ "$output" = said ]
}

@test "the words that engines match" {
	for v in state start pause resume; do
		run rf "$v" no-such
		[ "$status" -ne 0 ]
		has "does not exist"
	done
	run rf kill no-such TERM
	has "does not exist"
	run rf delete no-such
	has "does not exist"
}

@test "a command that isn't there: the words of podman's 127 and 126" {
	args /bin/none
	go
	[ "$status" -ne 0 ]
	[[ $output == *"no such file or directory"* || $output == *"No such file or directory"* ||
		$output == *"executable file"*"not found"* ]]
	: >"$b/rootfs/bin/plain"
	args /bin/plain
	go
	[ "$status" -ne 0 ]
	[[ $output == *"ermission denied"* ]]
}

@test "checkpoint --help is answered with 0: engines probe with it" {
	skip_unless_checkpoint
	run "$RINGFENCE" checkpoint --help
	ok
}
skip_unless_checkpoint() { ! ours || "$RINGFENCE" checkpoint --help >/dev/null 2>&1 || skip "no checkpoint yet"; }

@test "the state directory is made private, with its parents" {
	rm -rf "$T/state"
	args sleep 1000
	"$RINGFENCE" --root "$T/state/far/away" create -b "$b" "$id" </dev/null >/dev/null 2>&1 3>&-
	[ "$(stat -c %a "$T/state/far/away")" = 700 ] || [ "$(stat -c %a "$T/state/far/away")" = 711 ]
	"$RINGFENCE" --root "$T/state/far/away" delete --force "$id"
	rm -rf "$T/state"
}

@test "a full output is an error, not silence" {
	[ -c /dev/full ] || skip "no /dev/full"
	only_ours
	for v in "features" "list" "--version" "--help"; do
		run sh -c "$RINGFENCE --root $T/state $v >/dev/full"
		[ "$status" -ne 0 ] || { echo "$v: no error"; return 1; }
	done
}

@test "man pages and completions come from the same table" {
	only_ours
	for shell in bash zsh fish; do
		run "$RINGFENCE" generate "$shell"
		ok
		has console-socket
	done
	run "$RINGFENCE" generate man
	ok
	has ".TH"
	run "$RINGFENCE" generate man run
	ok
	has "preserve"
}
