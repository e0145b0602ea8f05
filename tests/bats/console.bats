#!/usr/bin/env bats
# Consoles: what a terminal passed over a socket is in the container, odd sockets, the foreground.
load helpers

extra_setup() {
	need_helper recvtty
	cfg '.process.terminal = true'
	tty=$T/tty.sock
}

# listen: the engine's side, its output in $T/tty
listen() {
	mkfifo "$T/in"
	"$helpers/recvtty" "$tty" <"$T/in" >"$T/tty" 2>"$T/tty.err" 3>&- &
	exec 9>"$T/in"
	until_true test -S "$tty"
}
extra_teardown() { exec 9>&- || true; }

@test "the three streams are one terminal" {
	sh_args 'test -t 0 && test -t 1 && test -t 2 && echo all; tty; sleep 1000'
	listen
	create --console-socket "$tty" 9>&-
	start 9>&-
	until_true grep -q all "$T/tty"
	until_true grep -Eq '/dev/(pts/0|console)' "$T/tty"
	down
}

@test "the terminal is of the container's own devpts, and the user's" {
	cfg '.process.user = {uid: 1000, gid: 1000}'
	sh_args 'stat -c "owner %u" /dev/pts/0; sleep 1000'
	listen
	create --console-socket "$tty" 9>&-
	start 9>&-
	until_true grep -q 'owner 1000' "$T/tty"
	down
}

@test "exec takes the terminal from the process document" {
	cfg '.process.terminal = false'
	up
	listen
	jq '.process | .terminal = true | .args = ["sh", "-c", "test -t 0 && echo third; sleep 1000"]' "$config" >"$T/p.json"
	rf exec --detach --process "$T/p.json" --console-socket "$tty" "$id" </dev/null 3>&- 9>&-
	until_true grep -q third "$T/tty"
	down
}

@test "a console socket that nobody listens on is refused" {
	run rf create -b "$b" --console-socket "$T/none.sock" "$id" </dev/null
	refused
	: >"$T/file"
	run rf create -b "$b" --console-socket "$T/file" "$id" </dev/null
	refused
}

@test "a console socket with a long path works" {
	only_ours
	d=$T/$(printf 'long-folder-%.0s' 1 2 3 4 5 6 7 8 9 10)
	mkdir "$d"
	tty=$d/tty.sock
	sh_args 'echo far; sleep 1000'
	# The helper binds by a short name: an address holds 107 bytes.
	ln -s "$d" "$T/d"
	far=$tty
	tty=$T/d/tty.sock
	listen
	create --console-socket "$far" 9>&-
	start 9>&-
	until_true grep -q far "$T/tty"
	down
}

@test "run in the foreground hands the caller's terminal on" {
	need script
	sh_args 'test -t 0 && test -t 1 && echo a terminal; stty size; exit 7'
	run script -qec "stty rows 33 cols 99; $RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null
	exit_is 7
	has "a terminal"
	has "33 99"
}

@test "a terminal's lines end plainly: for a file, and for the caller's terminal" {
	need script
	# At its end of input script types ^D, which the container's terminal would echo: no end here.
	mkfifo "$T/quiet"
	cfg '.process.terminal = false'
	up
	run script -qec "$RINGFENCE --root $T/state exec -t $id echo hi >$T/captured; $RINGFENCE --root $T/state exec -t $id echo shown" /dev/null <>"$T/quiet"
	[ "$(od -An -c "$T/captured" | tr -d ' ')" = 'hi\n' ]
	hasnt $'\r\r'
	has $'shown\r'
	down
}

@test "the terminal's size is there before the program" {
	need script
	cfg '.process.terminal = false'
	up
	for i in 1 2 3 4 5 6 7 8 9 10; do
		run script -qec "stty rows 33 cols 99; $RINGFENCE --root $T/state exec -t $id stty size" /dev/null </dev/null
		has "33 99"
	done
	down
}

@test "exec --tty in the foreground" {
	need script
	cfg '.process.terminal = false'
	up
	run script -qec "$RINGFENCE --root $T/state exec --tty $id sh -c 'test -t 1 && echo a terminal; exit 5'" /dev/null </dev/null
	exit_is 5
	has "a terminal"
	down
}
