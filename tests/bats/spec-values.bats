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

@test "timeOffsets: negative ones, and refusals by their place" {
	[ -e /proc/self/ns/time ] || skip "this kernel has no time namespaces"
	local where o
	cfg '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: -3}}'
	up
	run awk '{ print $1, $2, $3 }' "/proc/$(pid)/timens_offsets"
	is $'monotonic -3 0\nboottime 0 0'
	down
	args true
	while IFS='|' read -r where o; do
		cfg --argjson o "$o" '.linux.timeOffsets = $o'
		go
		refused "/linux/timeOffsets$where"
	done <<-END
		/realtime|{"realtime": {"secs": 1}}
		/monotonic/nanosecs|{"monotonic": {"nanosecs": 1000000000}}
		/boottime/secs|{"boottime": {"secs": "1"}}
	END
	cfg '.linux.timeOffsets = {boottime: {secs: 1}} | .linux.namespaces |= map(select(.type != "time"))'
	go
	refused /linux/timeOffsets
}
