#!/usr/bin/env bats
# exec: one more process in a running container.
load helpers

@test "exec runs in the container" {
	up
	run rf exec "$id" hostname </dev/null
	is "$(jq -r .hostname "$config")"
	down
}

@test "the exit code is the command's" {
	up
	run rf exec "$id" sh -c 'exit 42' </dev/null
	exit_is 42
	down
}

@test "a command that isn't there gives an error, not 0" {
	up
	run rf exec "$id" /bin/none </dev/null
	[ "$status" -ne 0 ]
	has /bin/none
	[ "$(status)" = running ]
	down
}

@test "standard input passes through" {
	up
	[ "$(echo through | rf exec "$id" cat)" = through ]
	down
}

@test "exec sees the container's processes and namespaces" {
	up
	run rf exec "$id" sh -c 'tr "\0" " " </proc/1/cmdline' </dev/null
	has "sleep 1000"
	for ns in mnt pid uts ipc net; do
		[ "$(rf exec "$id" readlink /proc/self/ns/$ns </dev/null)" = "$(readlink "/proc/$(pid)/ns/$ns")" ]
	done
	down
}

@test "--env, --cwd and --user" {
	up
	run rf exec --env A=b --cwd /tmp --user 1000:1000 "$id" sh -c 'echo $A $PWD $(id -u):$(id -g)' </dev/null
	is "b /tmp 1000:1000"
	down
}

@test "--process takes the whole process as JSON" {
	up
	jq '.process | .args = ["sh", "-c", "echo $X; exit 3"] | .env += ["X=json"]' "$config" >"$T/p.json"
	run rf exec --process "$T/p.json" "$id" </dev/null
	exit_is 3
	has json
	down
}

@test "--detach returns, --pid-file tells the process" {
	up
	rf exec --detach --pid-file "$T/pid" "$id" sleep 777 </dev/null >/dev/null 2>&1 3>&-
	[[ $(tr '\0' ' ' <"/proc/$(cat "$T/pid")/cmdline") == "sleep 777 " ]]
	down
	until_true gone "$(cat "$T/pid")"
}

@test "exec has no more capabilities than the specification grants" {
	cfg '.process.capabilities = {bounding: ["CAP_KILL"], effective: ["CAP_KILL"], permitted: ["CAP_KILL"]}'
	up
	run rf exec "$id" grep CapEff /proc/self/status </dev/null
	has 0000000000000020
	down
}

@test "exec stands in the container's cgroup" {
	up
	rf exec "$id" cat /proc/self/cgroup </dev/null | cut -d: -f1,2 >"$T/mine"
	cut -d: -f1,2 "/proc/$(pid)/cgroup" | diff - "$T/mine"
	rf exec --detach --pid-file "$T/pid" "$id" sleep 777 </dev/null >/dev/null 2>&1 3>&-
	diff "/proc/$(pid)/cgroup" "/proc/$(cat "$T/pid")/cgroup"
	down
}

@test "exec in a stopped or a created container is refused" {
	args true
	create
	start
	until_true stopped
	run rf exec "$id" true </dev/null
	[ "$status" -ne 0 ]
	rf delete "$id"
}

@test "exec in an unknown container is refused" {
	run rf exec "$id" true </dev/null
	[ "$status" -ne 0 ]
}

@test "no descriptor of the runtime reaches the command" {
	up
	run rf exec "$id" sh -c 'ls /proc/self/fd | wc -l' 3>&- </dev/null
	[ "$output" -le 4 ]
	down
}

@test "many at once" {
	up
	for i in 1 2 3 4 5 6 7 8; do
		rf exec "$id" sh -c "exit $i" </dev/null 3>&- &
		pids[$i]=$!
	done
	for i in 1 2 3 4 5 6 7 8; do
		rc=0
		wait "${pids[$i]}" || rc=$?
		[ "$rc" -eq "$i" ]
	done
	down
}
