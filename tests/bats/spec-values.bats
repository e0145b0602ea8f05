#!/usr/bin/env bats
# Rarer properties of the process and of its namespaces.
load helpers

@test "scheduler: DEADLINE with runtime, deadline and period, or a refusal that names it" {
	cfg '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 1000000, deadline: 5000000, period: 10000000}'
	args sleep 1000
	create
	run start
	if [ "$status" -ne 0 ]; then
		has SCHED_DEADLINE
		rf delete --force "$id"
		return
	fi
	run chrt -p "$(pid)"
	has SCHED_DEADLINE
	has 1000000/5000000/10000000
	rf delete --force "$id"
}

@test "execCPUAffinity: final stands, initial alone doesn't stay, nonsense is refused" {
	cfg '.process.execCPUAffinity = {initial: "0", final: "0"}'
	up
	run rf exec "$id" grep Cpus_allowed_list /proc/self/status </dev/null
	is $'Cpus_allowed_list:\t0'
	down
	cfg '.process.execCPUAffinity = {initial: "x"}'
	go
	refused /process/execCPUAffinity/initial
}

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
