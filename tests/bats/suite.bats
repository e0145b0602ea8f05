#!/usr/bin/env bats
# The suite itself: what a test leaves behind fails it, and so does its own look at the end.
load helpers

# verdict SCRIPT [TEARDOWN]: of a file of one test, by the suite's own helpers.
verdict() {
	mkdir -p "$T/tests/bats"
	printf '%s\n' "load $BATS_TEST_DIRNAME/helpers" "extra_teardown() { ${2:-true}; }" "@test one { $1; }" >"$T/tests/bats/one.bats"
	run env -i PATH="${PATH#"$BATS_LIBEXEC:"}" TMPDIR="$T" RINGFENCE="$RINGFENCE" RF_VIEW="$RF_VIEW" \
		bats --tap "$T/tests/bats/one.bats" 3>&-
}
passes() { verdict "$@" && has "ok 1 one" && hasnt "not ok" && ok; }
fails() { verdict "$@" && has "not ok 1 one" && [ "$status" -ne 0 ]; }

@test "a test that leaves nothing passes" {
	passes true
	passes 'args true; rf run -b "$b" "$id" </dev/null'
}

@test "a test's own look at the end fails it" {
	fails true 'return 1'
	fails true false
}

@test "a state, a mount and a process that are left fail it" {
	fails 'mkdir -p "$T/state/something"'
	has "left in the state directory"
	fails "mkdir $T/left; mount -t tmpfs left $T/left"
	has "the host isn't what it was before"
	umount "$T/left"
	fails 'cp -L /bin/sleep "$T/b/rootfs/sleep"; "$T/b/rootfs/sleep" 1000 3>&- & disown'
	has "processes left"
}

@test "a container that its runtime can't end fails it, and is ended" {
	fails 'up; echo "$id" >"$T/../id"; RINGFENCE=false'
	has "the host isn't what it was before"
	[ -z "$(find /sys/fs/cgroup -mindepth 1 -maxdepth 4 -path "*$(cat "$T/id")*" 2>/dev/null)" ]
}
