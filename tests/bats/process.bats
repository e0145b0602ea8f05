#!/usr/bin/env bats
# what /process asks of the first process, value by value.
load helpers

@test "ioPriority: each class" {
	while IFS='|' read -r class priority words; do
		cfg --arg c "$class" --argjson p "$priority" '.process.ioPriority = {class: $c, priority: $p}'
		up
		run ionice -p "$(pid)"
		has "$words"
		down
	done <<-END
		IOPRIO_CLASS_RT|0|realtime: prio 0
		IOPRIO_CLASS_RT|7|realtime: prio 7
		IOPRIO_CLASS_BE|2|best-effort: prio 2
		IOPRIO_CLASS_IDLE|0|idle
	END
}

@test "ioPriority: another class, or a priority out of range, is refused by its place" {
	args true
	cfg '.process.ioPriority = {class: "IOPRIO_CLASS_NONE", priority: 0}'
	go
	refused /process/ioPriority/class
	cfg '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}'
	go
	refused /process/ioPriority/priority
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

@test "mount options that the kernel shows: noatime, nosymfollow, nosuid, nodev, noexec" {
	cfg '.mounts += [{destination: "/mnt", type: "tmpfs", source: "tmpfs",
		options: ["noatime", "nosymfollow", "nosuid", "nodev", "noexec", "ro"]}]'
	sh_args 'grep " /mnt " /proc/self/mountinfo'
	go
	for o in noatime nosymfollow nosuid nodev noexec "ro,"; do
		has "$o"
	done
}
