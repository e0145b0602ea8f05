#!/usr/bin/env bats
# delete: everything that create made goes, and nothing else.
load helpers

@test "a running container isn't deleted without --force" {
	up
	run rf delete "$id"
	[ "$status" -ne 0 ]
	[ "$(status)" = running ]
	down
}

@test "--force kills and deletes" {
	up
	p=$(pid)
	rf delete --force "$id"
	[ ! -e "$T/state/$id" ]
	until_true gone "$p"
}

@test "--force of an unknown container is no error" {
	rf delete --force no-such
}

@test "delete of an unknown container is an error" {
	run rf delete no-such
	[ "$status" -ne 0 ]
	has "does not exist"
}

@test "--force ends a container of many processes" {
	up 'for i in 1 2 3 4 5 6 7 8 9 10; do sh -c "trap : TERM HUP; sleep 1000" & done; exec sleep 1000'
	rf delete --force "$id"
	[ ! -e "$T/state/$id" ]
}

@test "--force of a container without a pid namespace leaves no process" {
	cfg '.linux.namespaces |= map(select(.type != "pid"))'
	sh_args 'setsid sleep 1000 & exec sleep 1000'
	create
	start
	until_true sh -c "[ \$($RINGFENCE --root $T/state ps --format json $id | jq length) = 2 ]"
	pids=$(rf ps --format json "$id" | jq -r '.[]')
	rf delete --force "$id"
	for p in $pids; do
		until_true gone "$p"
	done
}

# Its number is that of their session still: Linux 6.1 has a word of its own for such a process.
@test "what the first process left behind in its session is ended" {
	cfg '.linux.namespaces |= map(select(.type != "pid"))'
	sh_args 'sleep 1000 & exit 3'
	create
	start
	until_true stopped
	left=$(rf ps --format json "$id" | jq -r '.[]')
	[ -n "$left" ]
	rf delete "$id"
	until_true gone "$left"
}

@test "several at once" {
	only_ours
	args sleep 1000
	create
	rf create -b "$b" "$id-2" </dev/null >/dev/null 2>&1 3>&-
	rf delete --force "$id" "$id-2"
	[ -z "$(rf list -q)" ]
}

@test "a bundle that went away doesn't hinder delete" {
	up
	mv "$b" "$T/elsewhere"
	rf delete --force "$id"
	[ ! -e "$T/state/$id" ]
}
