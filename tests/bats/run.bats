#!/usr/bin/env bats
# run: the whole life of a container in the foreground.
load helpers

@test "standard output is the program's" {
	args echo hello
	go
	is hello
}

@test "the exit code is the program's" {
	sh_args 'exit 37'
	go
	exit_is 37
}

@test "a program ended by a signal gives 128 and the signal" {
	cfg '.process.args = ["sh", "-c", "sh -c \"kill -KILL \\$\\$\"; exit $?"]'
	go
	exit_is 137
}

@test "standard input reaches the program" {
	args cat
	out=$(echo through | rf run -b "$b" "$id")
	[ "$out" = through ]
}

@test "standard error is its own stream" {
	sh_args 'echo err >&2; echo out'
	run --separate-stderr rf run -b "$b" "$id" </dev/null
	[ "$output" = out ]
	[ "$stderr" = err ]
}

@test "environment and working directory are the specification's" {
	cfg '.process.env = ["PATH=/bin", "A=b c"] | .process.cwd = "/tmp"'
	sh_args 'echo "$A $PWD $(env | wc -l)"'
	go
	has "b c /tmp"
}

@test "a missing working directory is made, in a read-only root too" {
	for readonly in false true; do
		cfg --argjson r $readonly '.process.cwd = "/none/such" | .root.readonly = $r'
		sh_args 'echo "in $(readlink /proc/self/cwd)"'
		go
		ok
		has "in /none/such"
		[ "$(stat -c %a "$b/rootfs/none/such")" = 755 ]
		rm -r "$b/rootfs/none"
	done
}

@test "nothing is left after run" {
	args true
	go
	ok
	[ -z "$(rf list -q)" ]
}

@test "run --keep leaves a stopped container" {
	args true
	only_ours
	go --keep
	ok
	[ "$(status)" = stopped ]
	rf delete "$id"
}

@test "run --detach returns while the program runs" {
	sh_args 'exec sleep 1000'
	rf run -d -b "$b" "$id" </dev/null >"$T/out" 2>&1 3>&-
	[ "$(status)" = running ]
	down
}

@test "a signal sent to run reaches the program" {
	sh_args 'trap "echo got; exit 9" TERM; echo up; while :; do sleep 0.1; done'
	"$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null >"$T/out" 2>&1 3>&- &
	p=$!
	until_true grep -q up "$T/out"
	kill -TERM $p
	rc=0
	wait $p || rc=$?
	[ "$rc" -eq 9 ]
	grep -q got "$T/out"
}

@test "the container's program is process 1 and alone" {
	sh_args 'echo $$; ls -d /proc/[0-9]* | wc -l'
	go
	ok
	[ "${lines[0]}" = 1 ]
	[ "${lines[1]}" -le 3 ]
}
