#!/usr/bin/env bats
# Rarer properties of the process and of its namespaces.
load helpers

@test "personality: LINUX, LINUX32, and flags are refused" {
	local w
	for w in "LINUX 00000000" "LINUX32 00000008"; do
		cfg --arg d "${w% *}" '.linux.personality = {domain: $d}'
		up
		[ "$(cat "/proc/$(pid)/personality")" = "${w#* }" ]
		down
	done
	cfg '.linux.personality = {domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"]}'
	go
	refused /linux/personality/flags
}

@test "timeOffsets: secs and nanosecs of both clocks" {
	[ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
	cfg '.linux.namespaces += [{type: "time"}]
		| .linux.timeOffsets = {boottime: {secs: 1000000, nanosecs: 5}, monotonic: {secs: 2000, nanosecs: 7}}'
	up
	run awk '{ print $1, $2, $3 }' "/proc/$(pid)/timens_offsets"
	is $'monotonic 2000 7\nboottime 1000000 5'
	down
}
