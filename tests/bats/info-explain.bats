#!/usr/bin/env bats
# info and explain: what the host offers, and what a create would do.
load helpers

extra_setup() { only_ours; }

@test "info in text and JSON" {
	run rf info
	ok
	has namespaces
	has cgroups
	rf info --format json | jq -e .
}

@test "info names this view's hierarchies" {
	run rf info
	case $RF_VIEW in
	hybrid) has hybrid ;;
	*) hasnt hybrid ;;
	esac
}

@test "explain prints the plan with the places that asked for it, and does nothing" {
	cfg '.linux.resources.pids = {limit: 10}'
	if cgroup_v2 && ! grep -qw pids /sys/fs/cgroup/cgroup.controllers; then cfg 'del(.linux.resources.pids)'; fi
	run rf explain -b "$b" "$id"
	ok
	has /linux/namespaces/0
	has /mounts/0
	has /root/path
	[ -z "$(ls "$T/state" 2>/dev/null)" ]
}

@test "explain --format json is JSON" {
	rf explain --format json -b "$b" "$id" | jq -e .
}

@test "explain refuses what create refuses" {
	cfg '.linux.namespaces[0].type = "none"'
	run rf explain -b "$b" "$id"
	[ "$status" -ne 0 ]
	has /linux/namespaces/0
}
