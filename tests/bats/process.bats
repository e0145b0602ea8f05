#!/usr/bin/env bats
# what /process asks of the first process, value by value.
load helpers

# policy NUMBER of sched_getscheduler(2): the 41st field of stat; nice is the 19th.
stat_field() { awk -v n="$1" '{ sub(/.*\) /, ""); split($0, f, " "); print f[n - 2] }' "/proc/$(pid)/stat"; }

@test "scheduler: BATCH, IDLE and OTHER with nice" {
	while read -r policy number nice; do
		cfg --arg p "$policy" --argjson n "$nice" '.process.scheduler = {policy: $p, nice: $n}'
		up
		[ "$(stat_field 41)" = "$number" ] || { echo "$policy: $(stat_field 41)"; return 1; }
		[ "$(stat_field 19)" = "$nice" ] || { echo "$policy: nice $(stat_field 19)"; return 1; }
		down
	done <<-END
		SCHED_OTHER 0 7
		SCHED_BATCH 3 5
		SCHED_IDLE 5 0
	END
}

@test "scheduler: FIFO and RR" {
	grep -q '^[^:]*:cpu:/$' /proc/self/cgroup && [ "$(cat /sys/fs/cgroup/cpu/cpu.rt_runtime_us 2>/dev/null)" ] &&
		skip "this kernel shares realtime out by groups: a new one has none"
	while read -r number doc; do
		cfg --argjson s "$doc" '.process.scheduler = $s'
		up
		[ "$(stat_field 41)" = "$number" ] || { echo "$doc: $(stat_field 41)"; return 1; }
		down
	done <<-END
		1 {"policy":"SCHED_FIFO","priority":7}
		2 {"policy":"SCHED_RR","priority":9,"flags":["SCHED_FLAG_RESET_ON_FORK"]}
	END
}

@test "ioPriority: each class" {
	while read -r class words; do
		cfg --arg c "$class" '.process.ioPriority = {class: $c, priority: 2}'
		up
		run ionice -p "$(pid)"
		has "$words"
		down
	done <<-END
		IOPRIO_CLASS_BE best-effort: prio 2
		IOPRIO_CLASS_IDLE idle
	END
}

@test "rlimits: every name" {
	up
	cp "/proc/$(pid)/limits" "$T/limits"
	down
	# Each soft limit one below the one it would have, or 1000 where there is none.
	while IFS='|' read -r type name; do
		soft=$(awk -v n="$name" 'index($0, n) == 1 { print substr($0, 27) + 0 }' "$T/limits")
		hard=$(awk -v n="$name" 'index($0, n) == 1 { $0 = substr($0, 27); print $2 }' "$T/limits")
		[ "$hard" = unlimited ] && hard=4000000000
		soft=$((hard > 0 ? hard - 1 : 0))
		cfg --arg t "$type" --argjson s "$soft" --argjson h "$hard" '.process.rlimits = [{type: $t, soft: $s, hard: $h}]'
		up
		run awk -v n="$name" 'index($0, n) == 1 { $0 = substr($0, 27); print $1, $2 }' "/proc/$(pid)/limits"
		is "$soft $hard" || { echo "$type"; return 1; }
		down
	done <<-END
		RLIMIT_AS|Max address space
		RLIMIT_CORE|Max core file size
		RLIMIT_CPU|Max cpu time
		RLIMIT_DATA|Max data size
		RLIMIT_FSIZE|Max file size
		RLIMIT_LOCKS|Max file locks
		RLIMIT_MEMLOCK|Max locked memory
		RLIMIT_MSGQUEUE|Max msgqueue size
		RLIMIT_NICE|Max nice priority
		RLIMIT_NOFILE|Max open files
		RLIMIT_NPROC|Max processes
		RLIMIT_RSS|Max resident set
		RLIMIT_RTPRIO|Max realtime priority
		RLIMIT_RTTIME|Max realtime timeout
		RLIMIT_SIGPENDING|Max pending signals
		RLIMIT_STACK|Max stack size
	END
}

@test "memoryPolicy: each mode that one node allows" {
	while read -r mode nodes word; do
		cfg --arg m "$mode" --arg n "${nodes#-}" '.linux.memoryPolicy = {mode: $m} | if $n != "" then .linux.memoryPolicy.nodes = $n else . end'
		up
		# The heap and the stack have the process's own policy.
		grep -q " $word" "/proc/$(pid)/numa_maps" || { echo "$mode: $(head -n 3 "/proc/$(pid)/numa_maps")"; return 1; }
		down
	done <<-END
		MPOL_DEFAULT - default
		MPOL_LOCAL - local
		MPOL_BIND 0 bind:0
		MPOL_PREFERRED 0 prefer:0
		MPOL_INTERLEAVE 0 interleave:0
	END
	cfg '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}'
	up
	grep -q ' bind=static:0' "/proc/$(pid)/numa_maps"
	down
}

@test "mount options that the kernel shows: noatime, nosymfollow, nosuid, nodev, noexec" {
	cfg '.mounts += [{destination: "/mnt", type: "tmpfs", source: "tmpfs",
		options: ["noatime", "nosymfollow", "nosuid", "nodev", "noexec", "ro"]}]'
	sh_args 'grep " /mnt " /proc/self/mountinfo'
	go
	for o in noatime nosymfollow nosuid nodev noexec "ro,"; do
		has "$o"
	done
}
