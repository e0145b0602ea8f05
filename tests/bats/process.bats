#!/usr/bin/env bats
# what /process asks of the first process, value by value.
load helpers

@test "args reach the program one by one, as they are; the first is looked up in PATH" {
	printf '#!/bin/sh\necho "$0"; for a; do echo "[$a]"; done\n' >"$b/rootfs/bin/said"
	chmod +x "$b/rootfs/bin/said"
	args said "two words" "" '$HOME' 'qu"o\te' $'a\nline' ünïcode
	go
	is $'/bin/said\n[two words]\n[]\n[$HOME]\n[qu"o\\te]\n[a\nline]\n[ünïcode]'
	# Not in the PATH of its own environment: not found.
	cfg '.process.env = ["PATH=/none"]'
	go
	[ "$status" -ne 0 ]
	has said
	args /bin/said absolute
	go
	has "[absolute]"
	cfg '.process.args = []'
	go
	refused /process/args
	cfg 'del(.process.args)'
	go
	refused /process/args
}

@test "env is the whole environment, in its order; what has no name is refused" {
	cfg '.process.env = ["PATH=/bin", "B=2", "A=1 with = and spaces", "EMPTY=", "HOME=/mnt"]'
	args cat /proc/self/environ
	[ "$(rf run -b "$b" "$id" </dev/null | tr '\0' '|')" = "PATH=/bin|B=2|A=1 with = and spaces|EMPTY=|HOME=/mnt|" ]
	cfg '.process.env += ["nothing"]'
	go
	refused /process/env/5
}

@test "cwd is where the program begins; a relative one is refused" {
	cfg '.process.cwd = "/tmp"'
	args readlink /proc/self/cwd
	go
	is /tmp
	cfg '.process.cwd = "tmp"'
	go
	refused /process/cwd
}

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
		[ "$hard" != unlimited ] || hard=4000000000
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

@test "without a process object, or without a linux object, there is no container" {
	cp "$config" "$T/all.json"
	cfg 'del(.process)'
	go
	refused /process
	cp "$T/all.json" "$config"
	# The namespaces stand in it. A host name would be refused before, for want of a namespace of its own.
	cfg 'del(.linux, .hostname)'
	go
	refused /linux/namespaces
}
