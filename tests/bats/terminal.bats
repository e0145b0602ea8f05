#!/usr/bin/env bats
# terminals: in the foreground and through a console socket.
load helpers

extra_setup() { cfg '.process.terminal = true'; }

# console [ROWS COLUMNS]: a receiver on $T/console, its words in $T/tty.
console() {
	need_helper recvtty
	mkfifo "$T/in"
	"$helpers/recvtty" "$T/console" "$@" <"$T/in" >"$T/tty" 2>&1 3>&- &
	exec 9>"$T/in"
	until_true test -S "$T/console"
}
extra_teardown() { exec 9>&- || true; }

@test "create with a console socket passes the master" {
	console 40 120
	sh_args 'tty; stty size; read line; echo "got $line"'
	create --console-socket "$T/console" 9>&-
	until_true grep -q received "$T/tty"
	start 9>&-
	until_true grep -q /dev/ "$T/tty"
	until_true grep -q "40 120" "$T/tty"
	echo word >&9
	until_true grep -q "got word" "$T/tty"
	until_true stopped
	rf delete "$id"
}

@test "the size in the specification is set" {
	console
	cfg '.process.consoleSize = {height: 33, width: 77}'
	sh_args 'stty size; sleep 1000'
	create --console-socket "$T/console" 9>&-
	start 9>&-
	until_true grep -q "33 77" "$T/tty"
	down
}

@test "the size in the specification is set for run too, where the caller has no terminal of his own" {
	console
	cfg '.process.consoleSize = {height: 21, width: 63}'
	sh_args 'stty size; sleep 1000'
	rf run --detach --console-socket "$T/console" -b "$b" "$id" </dev/null >/dev/null 3>&- 9>&-
	until_true grep -q "21 63" "$T/tty"
	down
}

@test "the size of an exec is that of its own document" {
	console
	cfg '.process.terminal = false | .process.consoleSize = {height: 33, width: 77}'
	up "" 9>&-
	jq '.process | .terminal = true | .consoleSize = {height: 12, width: 45} | .args = ["sh", "-c", "stty size; sleep 1000"]' "$config" >"$T/p.json"
	rf exec --detach -p "$T/p.json" --console-socket "$T/console" "$id" </dev/null 3>&- 9>&-
	until_true grep -q "12 45" "$T/tty"
	down
}

@test "without a terminal the size is ignored; a part of it, or more than a terminal has, is refused" {
	cfg '.process.terminal = false | .process.consoleSize = {height: 33, width: 77}'
	args echo in
	go
	is in
	local k
	for k in height width; do
		cfg --arg k "$k" '.process.consoleSize = ({height: 33, width: 77} | del(.[$k]))'
		go
		refused "/process/consoleSize"
		cfg --arg k "$k" '.process.consoleSize = ({height: 33, width: 77} | .[$k] = 65536)'
		go
		refused "/process/consoleSize/$k"
	done
}

@test "/dev/console is the terminal" {
	console
	sh_args 'echo through >/dev/console; sleep 1000'
	create --console-socket "$T/console" 9>&-
	start 9>&-
	until_true grep -q through "$T/tty"
	down
}

@test "the terminal is the session's controlling one: ^C ends the program" {
	console
	sh_args 'trap "echo interrupted; exit 0" INT; echo up; while :; do sleep 0.1; done'
	create --console-socket "$T/console" 9>&-
	start 9>&-
	until_true grep -q up "$T/tty"
	printf '\003' >&9
	until_true grep -q interrupted "$T/tty"
	until_true stopped
	rf delete "$id"
}

@test "exec with a terminal" {
	console
	cfg '.process.terminal = false'
	up "" 9>&-
	rf exec --tty --detach --console-socket "$T/console" "$id" sh -c 'tty; echo in exec' </dev/null 3>&- 9>&-
	until_true grep -q "in exec" "$T/tty"
	down
}

@test "create with a terminal and no console socket is refused" {
	args true
	run create
	refused
}

@test "a console socket without a terminal is refused" {
	need_helper recvtty
	console
	cfg '.process.terminal = false'
	args true
	run create --console-socket "$T/console" 9>&-
	refused
	: | socat - "UNIX-CONNECT:$T/console" >/dev/null 2>&1 || true
}

@test "a console socket that nobody serves is an error" {
	args true
	run create --console-socket "$T/none"
	refused
}

@test "run in the foreground has a terminal, when the caller has one" {
	need script
	sh_args 'tty; test -t 0 && echo is-a-tty'
	run script -qec "$RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null
	has is-a-tty
}

@test "run in the foreground passes the exit code through the terminal" {
	need script
	sh_args 'exit 12'
	run script -qec "$RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null
	exit_is 12
}

# It would be translated twice where that is a terminal again.
@test "what comes out of a terminal in the foreground has its newlines as they were written" {
	cfg '.process.terminal = true'
	sh_args 'printf "one\ntwo\n"'
	rf run -b "$b" "$id" </dev/null >"$T/out" 3>&-
	printf 'one\ntwo\n' | cmp - "$T/out"
	cfg '.process.terminal = false'
	up
	rf exec -t "$id" printf 'one\ntwo\n' </dev/null >"$T/out" 3>&-
	printf 'one\ntwo\n' | cmp - "$T/out"
	down
}
