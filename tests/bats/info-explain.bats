#!/usr/bin/env bats
# info and explain: what the host offers, and what a create would do.
load helpers

extra_setup() { only_ours; }

@test "info names the view's cgroup layout" {
	run "$RINGFENCE" info
	ok
	case $RF_VIEW in
	hostvm) has v2 ;;
	*) has "$RF_VIEW" ;;
	esac
	has "kernel"
	has "KVM"
}

@test "info --format json is JSON" {
	"$RINGFENCE" info --format json | jq -e 'type == "object"'
}

@test "explain prints the plan in order and does nothing" {
	run rf explain -b "$b" "$id"
	ok
	has /proc
	has pivot
	[ ! -e "$T/state/$id" ]
}

@test "explain --format json is JSON, every step with what asked for it" {
	rf explain --format json -b "$b" "$id" >"$T/plan"
	jq -e 'type == "array" or type == "object"' "$T/plan"
	jq -e '[.. | .pointer? // empty | strings] | any(startswith("/mounts/"))' "$T/plan"
}

@test "explain refuses what create refuses, with the same words" {
	cfg '.mounts[0].destination = "proc"'
	run rf explain -b "$b" "$id"
	[ "$status" -ne 0 ]
	said=$output
	has /mounts/0/destination
	run rf create -b "$b" "$id" </dev/null
	refused
	[ "${output##*: /mounts}" = "${said##*: /mounts}" ]
}

@test "explain needs no privilege" {
	need setpriv
	chmod 755 "$T" "$b"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$RINGFENCE" --root /tmp/none explain -b "$b" "$id"
	ok
	has /proc
}
