#!/usr/bin/env bats
# update, ps, events and exec --user over the micro-VM wall: what the guest holds, what the host's group
# has around it, and what a machine can't have.
load helpers

extra_setup() {
	"$RINGFENCE" vm check >/dev/null || skip "no micro-VM can run here: $("$RINGFENCE" vm check | sed -n 's/^micro-VM *//p')"
	[ -r "${RINGFENCE_KERNEL:-}" ] || skip "no guest kernel is given"
	cfg '.annotations["io.ringfence.isolation"] = "microvm"'
}

mib=1048576
stat_of() { rf events --stats "$id" | jq -e "$1"; }
# inside FILE: of the container's group in the guest. around CTRL V1-FILE V2-FILE: of the machine's, here.
inside() { rf exec "$id" cat "/sys/fs/cgroup/$1" </dev/null; }
limits() { inside memory.max && inside pids.max && inside cpu.max && cg_file memory memory.limit_in_bytes memory.max && cg_file pids pids.max pids.max; }

@test "update: inside the limit itself, around it the machine's room" {
	cfg '.linux.resources.memory = {limit: 67108864} | .linux.resources.cpu = {quota: 50000, period: 100000} | .linux.resources.pids = {limit: 50}'
	up
	rf update --memory 50331648 --pids-limit 77 --cpu-quota 30000 --cpu-shares 512 "$id"
	[ "$(inside memory.max)" = 50331648 ]
	[ "$(inside pids.max)" = 77 ]
	[ "$(inside cpu.max)" = "30000 100000" ]
	[ "$(inside cpu.weight)" -lt 100 ]
	stat_of '.data.memory.usage.limit == 50331648 and .data.pids.limit == 77'
	# 64 MiB of the limit, 96 for the guest's kernel, 64 for the monitor.
	[ "$(cg_file memory memory.limit_in_bytes memory.max)" = $((224 * mib)) ]
	[ "$(cg_file pids pids.max pids.max)" = 141 ]
	! cgroup_v2 || [ "$(cg_file cpu - cpu.max)" = "30000 100000" ]
	rf update -r - "$id" <<<'{"memory": {"limit": 33554432, "reservation": 16777216}, "pids": {"limit": -1}, "unified": {"memory.high": "31457280"},
		"devices": [{"allow": true, "access": "rwm"}]}'
	[ "$(inside memory.max)" = 33554432 ]
	[ "$(inside memory.low)" = 16777216 ]
	[ "$(inside memory.high)" = 31457280 ]
	[ "$(inside pids.max)" = max ]
	! cgroup_v2 || [ "$(cg_file memory - memory.high)" = max ]
	# What is of the host's alone: its processors.
	rf update --cpuset-cpus 0 "$id"
	[ "$(cg_file cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	down
}

@test "update: more than the machine has, or what either side refuses, changes nothing anywhere" {
	cfg '.linux.resources.memory = {limit: 67108864} | .linux.resources.cpu = {quota: 50000, period: 100000} | .linux.resources.pids = {limit: 50}'
	up
	limits >"$T/before"
	run rf update --memory 1073741824 --pids-limit 60 "$id"
	exit_is 1
	has "(1024 MiB) are more than the 160 MiB"
	has vm.hwConfig.memory
	run rf update --cpu-quota 250000 --pids-limit 60 "$id"
	exit_is 1
	has "(2.50 processors) is more than the 1 "
	run rf update --cpu-period 10000 "$id"
	exit_is 1
	has /cpu/period
	run rf update -r - "$id" <<<'{"unified": {"memory.max": "1073741824"}}'
	exit_is 1
	has /unified/memory.max
	# The guest refuses what the host took already; the host what comes after its first value.
	run rf update -r - "$id" <<<'{"pids": {"limit": 60}, "memory": {"limit": 4096, "checkBeforeUpdate": true}}'
	exit_is 1
	has "below the present usage"
	run rf update --memory 50331648 --pids-limit 60 --cpuset-cpus 4000 "$id"
	exit_is 1
	run rf update --l3-cache-schema 'L3:0=f' "$id"
	exit_is 1
	limits | diff "$T/before" -
	down
}

@test "ps: the guest's processes, with the guest's pids" {
	up 'sleep 1000 & exec sleep 2000'
	rf exec -d -u 1000:1000 "$id" sleep 3000 </dev/null >"$T/exec" 2>&1 3>&-
	three() { [ "$(rf ps -f json "$id" | jq length)" = 3 ]; }
	until_true three
	run rf ps "$id"
	ok
	[[ ${lines[0]} =~ ^UID\ +PID\ +PPID\ +C\ STIME\ TTY\ +TIME\ CMD$ ]]
	[ "${#lines[@]}" = 4 ]
	has "sleep 1000"
	has "sleep 3000"
	hasnt ringfence
	run rf ps "$id" -o pid=NUMBER,ppid,uid,args
	[[ ${lines[0]} == *NUMBER*PPID*UID*COMMAND* ]]
	grep -Eq '^ *[0-9]+ +[0-9]+ +1000 sleep 3000$' <<<"$output"
	awk 'NR > 1 { print $1 }' <<<"$output" | sort -n | paste -sd, >"$T/pids"
	[ "$(rf ps -f json "$id" | jq -c sort)" = "[$(cat "$T/pids")]" ]
	run rf ps "$id" aux
	has '%CPU'
	run rf ps "$id" -C sleep
	exit_is 1
	has '"-C"'
	run rf ps "$id" -o pid,nonesuch
	exit_is 1
	has nonesuch
	# What a program calls itself is a line of text.
	rf exec -d "$id" sh -c 'exec -a "$(printf "evil\033[2J\377")" sleep 4000' </dev/null >"$T/exec" 2>&1 3>&- || true
	run rf ps "$id"
	hasnt $'\033'
	rf kill "$id" KILL
	until_true stopped
	run rf ps "$id"
	[ "${#lines[@]}" = 1 ]
	[ "$(rf ps -f json "$id")" = null ]
	rf delete "$id"
}

@test "a paused container is counted, listed and limited, and doesn't run for it" {
	up 'i=0; while :; do echo $((i += 1)); usleep 20000; done'
	until_true test -s "$T/out"
	rf pause "$id"
	n=$(wc -l <"$T/out")
	stat_of '.data.pids.current >= 1 and .data.memory.usage.usage > 0'
	[ "$(rf ps -f json "$id" | jq length)" -ge 1 ]
	rf update --pids-limit 66 "$id"
	stat_of '.data.pids.limit == 66'
	[ "$(status)" = paused ]
	[ "$(wc -l <"$T/out")" -le $((n + 1)) ]
	[ "$(awk '{ print $3 }' "/proc/$(pid)/stat")" = T ]
	rf resume "$id"
	more() { [ "$(wc -l <"$T/out")" -gt $((n + 1)) ]; }
	until_true more
	down
}

@test "stats: processors, memory and processes of the guest's group, disks of the host's" {
	cfg '.linux.resources.memory = {limit: 134217728}'
	up 'sleep 1000 & exec sleep 1000'
	until_true stat_of '.data.pids.current == 2'
	# The machine's group holds more than a hundred MiB; two programs that sleep don't.
	[ "$(stat_of .data.memory.usage.usage)" -lt $((32 * mib)) ]
	stat_of '.data.memory.usage.limit == 134217728 and (.data.memory.raw | length > 10)'
	[ "$(stat_of .data.cpu.usage.total)" -gt 0 ]
	stat_of '.data | has("blkio") and (.cpuset.cpus | length > 0)'
	down
}

@test "exec --user: a name of the guest's /etc/passwd and /etc/group" {
	cp "$b/rootfs/etc/passwd" "$T/passwd"
	echo 'late:x:4321:1234::/:/bin/sh' >>"$T/passwd"
	cfg --arg p "$T/passwd" '.mounts += [{destination: "/etc/passwd", type: "bind", source: $p, options: ["bind", "ro"]}]'
	up
	run rf exec --user late "$id" sh -c 'id -u; id -g' </dev/null
	is $'4321\n1234'
	run rf exec --user guest:extra "$id" sh -c 'id -u; id -g' </dev/null
	is $'1000\n1234'
	run rf exec --user nobody-here "$id" true </dev/null
	[ "$status" -ne 0 ]
	has 'unable to find user "nobody-here"'
	down
}

@test "a terminal has the caller's size before the program can ask, and follows it" {
	need script
	cfg '.process.terminal = true'
	sh_args 'stty size; exit 3'
	run script -qec "stty rows 33 cols 99; $RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null
	exit_is 3
	has "33 99"
	cfg '.process.terminal = false'
	up
	run script -qec "stty rows 22 cols 66; $RINGFENCE --root $T/state exec -t $id sh -c 'stty size; exit 4'" /dev/null </dev/null
	exit_is 4
	has "22 66"
	run script -qec "stty rows 22 cols 66; (sleep 1; stty rows 11 cols 44 </dev/tty) & $RINGFENCE --root $T/state exec -t $id sh -c 'until stty size | grep 44; do sleep 0.1; done; exit 5'" /dev/null </dev/null
	exit_is 5
	has "11 44"
	down
}
