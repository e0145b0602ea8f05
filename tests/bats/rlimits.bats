#!/usr/bin/env bats
# process.rlimits.
load helpers

@test "limits are the specification's" {
	cfg '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]'
	sh_args 'grep -E "open files|core file" /proc/self/limits | tr -s " "'
	go
	ok
	has "Max open files 100 200"
	has "Max core file size 0 0"
}

@test "exec has them too" {
	cfg '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}]'
	up
	run rf exec "$id" sh -c 'ulimit -n' </dev/null
	is 100
	down
}

@test "a limit holds" {
	cfg '.process.rlimits = [{type: "RLIMIT_FSIZE", soft: 100, hard: 100}]'
	sh_args 'head -c 1000 /dev/zero >/dev/shm/f; wc -c </dev/shm/f'
	go
	has 100
}

@test "an unknown limit, one twice, and soft above hard are refused" {
	for l in '[{type: "RLIMIT_NONE", soft: 1, hard: 1}]' \
		'[{type: "RLIMIT_CORE", soft: 1, hard: 1}, {type: "RLIMIT_CORE", soft: 1, hard: 1}]' \
		'[{type: "RLIMIT_CORE", soft: 2, hard: 1}]'; do
		cfg ".process.rlimits = $l"
		go
		refused
	done
}
