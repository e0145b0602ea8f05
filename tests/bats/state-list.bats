#!/usr/bin/env bats
# state, list and ps: what the runtime says of its containers.
load helpers

@test "state has the specification's fields" {
	cfg '.annotations = {"org.example.a": "b"}'
	up
	rf state "$id" | jq -e --arg id "$id" --arg b "$(realpath "$b")" \
		'.id == $id and .status == "running" and .bundle == $b and .pid > 1
		and (.ociVersion | startswith("1.")) and .annotations["org.example.a"] == "b"'
	down
}

@test "a stopped container has no pid" {
	args true
	create
	start
	until_true stopped
	rf state "$id" | jq -e '(.pid // 0) == 0'
	rf delete "$id"
}

@test "state of an unknown container is an error that names it" {
	run rf state no-such
	[ "$status" -ne 0 ]
	! ours || has "no-such"
	has "does not exist"
}

@test "list shows every container, in table, JSON and ids" {
	up
	run rf list
	has "$id"
	has running
	rf list --format json | jq -e --arg id "$id" 'length == 1 and .[0].id == $id and .[0].status == "running"'
	[ "$(rf list -q)" = "$id" ]
	down
}

@test "list of nothing is empty" {
	[ -z "$(rf list -q)" ]
	rf list --format json | jq -e '. == [] or . == null'
}

@test "ps gives the host's pids" {
	up 'sleep 500 & exec sleep 1000'
	until_true sh -c "[ \$($RINGFENCE --root $T/state ps --format json $id | jq length) = 2 ]"
	rf ps --format json "$id" | jq -e --argjson p "$(pid)" 'index($p) != null'
	run rf ps "$id"
	has "sleep 1000"
	down
}

@test "a pid that went to another process isn't the container's" {
	only_ours
	args true
	create
	start
	until_true stopped
	# Whoever has the pid now, the start time tells them apart.
	[ "$(status)" = stopped ]
	rf delete "$id"
}

@test "state.json: where scripts that know runc's look for the process and its namespaces" {
	only_ours
	up
	run jq -c '[.init_process_pid, .init_process_start > 0, .id, .namespace_paths.NEWNET]' "$T/state/$id/state.json"
	is "[$(pid),true,\"$id\",\"/proc/$(pid)/ns/net\"]"
	down
}
