#!/usr/bin/env bats
# process.user.
load helpers

@test "uid, gid and additional groups" {
	cfg '.process.user = {uid: 1000, gid: 1000, additionalGids: [1234, 77]}'
	sh_args 'id -u; id -g; id -G'
	go
	ok
	[ "${lines[0]}" = 1000 ]
	[ "${lines[1]}" = 1000 ]
	[ "$(tr ' ' '\n' <<<"${lines[2]}" | sort -n | tr '\n' ' ')" = "77 1000 1234 " ]
}

@test "no group of the runtime's is kept" {
	cfg '.process.user = {uid: 1000, gid: 1000}'
	args grep Groups /proc/self/status
	go
	ok
	[[ $(cut -f2- <<<"$output" | tr -d ' ') =~ ^(1000)?$ ]]
}

@test "umask" {
	cfg '.process.user.umask = 63'
	sh_args umask
	go
	is 0077
}

@test "a user other than root has no capabilities" {
	cfg '.process.user = {uid: 1000, gid: 1000}'
	args grep CapEff /proc/self/status
	go
	has 0000000000000000
}

@test "HOME comes from the container's passwd when it isn't given" {
	cfg '.process.user = {uid: 1000, gid: 1000} | .process.env = ["PATH=/bin"]'
	sh_args 'echo $HOME'
	go
	[ "$output" = /tmp ] || [ -z "$output" ]
}

@test "standard streams belong to the user" {
	cfg '.process.user = {uid: 1000, gid: 1000}'
	sh_args 'echo x >/proc/self/fd/1'
	run bash -c "$RINGFENCE --root $T/state run -b $b $id </dev/null | cat"
	ok
	is x
}

@test "oomScoreAdj" {
	# Lower than the caller's own needs a capability that this host may not have.
	cfg '.process.oomScoreAdj = 500'
	args cat /proc/self/oom_score_adj
	go
	is 500
}

@test "scheduler, nice and I/O priority" {
	only_ours
	cfg '.process.scheduler = {policy: "SCHED_BATCH", nice: 5} | .process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}'
	up
	[ "$(awk '{ print $19 }' "/proc/$(pid)/stat")" = 5 ]
	[ "$(awk '{ print $41 }' "/proc/$(pid)/stat")" = 3 ]
	ionice -p "$(pid)" | grep -q idle
	down
}

@test "personality, memory policy and CPUs of exec" {
	cfg '.linux.personality = {domain: "LINUX32"} | .linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}'
	sh_args 'uname -m; [ ! -e /proc/self/numa_maps ] || grep -vc " bind:0" /proc/self/numa_maps'
	go
	case $output in i686 | i686$'\n'0) ;; *) echo "got: $output" && return 1 ;; esac
	cfg '.linux.memoryPolicy = {mode: "MPOL_NONE"}'
	go
	refused /linux/memoryPolicy/mode
	cfg 'del(.linux.memoryPolicy) | .process.execCPUAffinity = {final: "0"}'
	up
	run rf exec "$id" grep Cpus_allowed_list /proc/self/status
	is $'Cpus_allowed_list:\t0'
	down
}
