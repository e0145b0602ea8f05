#!/usr/bin/env bats
# process.scheduler, execCPUAffinity and linux.memoryPolicy, word by word. Where a kernel may lack
# something, `probe` asks it first by a call of its own, and the answer decides what is demanded.
load helpers

extra_setup() { need_helper probe; }

# The container's process belongs to the host's cpu group in this view, or to one with realtime.
realtime() {
	cfg --arg p "/$id" '.linux.cgroupsPath = $p'
	if [ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ]; then
		cfg '.linux.resources.cpu = {realtimePeriod: 1000000, realtimeRuntime: 5000}'
	fi
}

# sched JSON WORDS: a container so scheduled shows WORDS
sched() {
	cfg --argjson s "$1" '.process.scheduler = $s'
	up
	run "$helpers/probe" sched "$(pid)"
	down
	[[ $output == "$2"* ]] || { echo "$1: $output, wanted $2"; return 1; }
}
# can POLICY FLAGS NICE PRIORITY RUNTIME DEADLINE PERIOD: whether the kernel lets this host's root
can() { [[ $("$helpers/probe" setsched "$@") == policy* ]]; }

@test "policies of ordinary time, with nice" {
	sched '{"policy": "SCHED_OTHER", "nice": 7}' "policy 0 flags 0 nice 7 "
	sched '{"policy": "SCHED_OTHER", "nice": -5}' "policy 0 flags 0 nice -5 "
	sched '{"policy": "SCHED_BATCH", "nice": 19}' "policy 3 flags 0 nice 19 "
	sched '{"policy": "SCHED_IDLE"}' "policy 5 flags 0 "
	sched '{"policy": "SCHED_OTHER"}' "policy 0 flags 0 nice 0 "
}

# Fields of proc(5): 19 nice, 40 real-time priority, 41 policy.
@test "the program finds itself so scheduled" {
	sh_args 'sed "s/.*) //" /proc/self/stat | cut -d " " -f 17,38,39'
	cfg '.process.scheduler = {policy: "SCHED_BATCH", nice: 7}'
	go
	is "7 0 3"
	can 1 0 0 7 0 0 0 || skip "root has no realtime here: the rest is left out"
	cfg '.process.scheduler = {policy: "SCHED_RR", priority: 9}'
	realtime
	go
	is "0 9 2"
}

@test "FIFO and RR with their priorities" {
	can 1 0 0 7 0 0 0 || skip "root has no realtime here"
	realtime
	sched '{"policy": "SCHED_FIFO", "priority": 7}' "policy 1 flags 0 nice 0 priority 7 "
	sched '{"policy": "SCHED_RR", "priority": 99}' "policy 2 flags 0 nice 0 priority 99 "
}

@test "DEADLINE with runtime, deadline and period" {
	can 6 0 0 0 1000000 5000000 10000000 || skip "root has no SCHED_DEADLINE here"
	sched '{"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 5000000, "period": 10000000}' \
		"policy 6 flags 0 nice 0 priority 0 deadline 1000000/5000000/10000000 "
	sched '{"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 2000000, "flags": ["SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_RESET_ON_FORK"]}' \
		"policy 6 flags 0x7 nice 0 priority 0 deadline 1000000/2000000/2000000 "
}

@test "flags: RESET_ON_FORK is kept, for children to begin afresh" {
	sched '{"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}' "policy 3 flags 0x1 "
	cfg '.process.scheduler = {policy: "SCHED_BATCH", nice: -5, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
	# A child loses what was gained: field 19 of its stat is nice, 41 the policy.
	sh_args 'awk "{ print \$19, \$41 }" /proc/self/stat; true'
	go
	is "0 3"
	cfg 'del(.process.scheduler.flags)'
	go
	is "-5 3"
}

@test "flags: KEEP_POLICY and KEEP_PARAMS keep what the kernel says they do" {
	local flags words wanted
	while read -r flags words; do
		wanted=$("$helpers/probe" setsched 3 "$flags" 3 0 0 0 0)
		[[ $wanted == policy* ]]
		sched "$(jq -nc --arg w "$words" '{policy: "SCHED_BATCH", nice: 3, flags: ($w | split(",") | map("SCHED_FLAG_" + .))}')" "$wanted"
	done <<-END
		0x08 KEEP_POLICY
		0x10 KEEP_PARAMS
		0x18 KEEP_POLICY,KEEP_PARAMS
	END
	# Neither is what it would be without.
	[[ $("$helpers/probe" setsched 3 0 3 0 0 0 0) == "policy 3 flags 0 nice 3 "* ]]
	sched '{"policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_KEEP_POLICY"]}' "policy 0 flags 0 nice 3 "
	sched '{"policy": "SCHED_BATCH", "nice": 3, "flags": ["SCHED_FLAG_KEEP_PARAMS"]}' "policy 0 flags 0 nice 0 "
}

# The specification has no values for the clamps: with the flag they are zero.
@test "flags: UTIL_CLAMP_MIN and UTIL_CLAMP_MAX where the kernel has clamps, else refused" {
	local s='{"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX"]}' f
	if can 0 0x60 0 0 0 0 0; then
		sched "$s" "policy 0 flags 0 nice 0 priority 0 clamp 0-0"
		sched '{"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_UTIL_CLAMP_MIN"]}' "policy 0 flags 0 nice 0 priority 0 clamp 0-1024"
		return
	fi
	for f in MIN MAX; do
		cfg --arg f "SCHED_FLAG_UTIL_CLAMP_$f" '.process.scheduler = {policy: "SCHED_OTHER", flags: [$f]}'
		args true
		go
		refused /process/scheduler
	done
}

@test "what the kernel has no policy for, or the rules no sense for, is refused by its place" {
	local s where
	args true
	while IFS='|' read -r where s; do
		cfg --argjson s "$s" '.process.scheduler = $s'
		go
		refused "/process/scheduler$where"
	done <<-END
		|{"policy": "SCHED_ISO"}
		/policy|{"policy": "SCHED_NONE"}
		/flags/0|{"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NONE"]}
		/nice|{"policy": "SCHED_OTHER", "nice": 20}
		/nice|{"policy": "SCHED_FIFO", "priority": 1, "nice": 1}
		/priority|{"policy": "SCHED_OTHER", "priority": 1}
		/priority|{"policy": "SCHED_FIFO"}
		/priority|{"policy": "SCHED_RR", "priority": 100}
		/policy|{"policy": "SCHED_BATCH", "runtime": 1000000}
		/runtime|{"policy": "SCHED_DEADLINE", "runtime": 5000000, "deadline": 1000000}
	END
}

@test "exec has the scheduler of its own document" {
	up
	jq '.process | .scheduler = {policy: "SCHED_BATCH", nice: 4} | .args = ["awk", "{ print $19, $41 }", "/proc/self/stat"]' "$config" >"$T/p.json"
	run rf exec -p "$T/p.json" "$id" </dev/null
	is "4 3"
	down
}

# What the kernel says of the container's stack.
shown_policy() { awk '/ stack/ { sub(/^[^ ]* /, ""); sub(/ stack.*/, ""); print }' "/proc/$(pid)/numa_maps"; }

@test "memoryPolicy: each mode with each flag is what the same call gives without us" {
	local mode number flag bit nodes wanted f
	[ -e /proc/self/numa_maps ] || skip "this kernel has no policies of memory"
	while read -r mode number nodes flag bit; do
		wanted=$("$helpers/probe" mempolicy $((number | bit)) "$nodes")
		[ "$flag" = - ] && f='[]' || f="[\"MPOL_F_$flag\"]"
		cfg --arg m "$mode" --argjson f "$f" --argjson n "$nodes" '.linux.memoryPolicy = {mode: ("MPOL_" + $m), flags: $f}
			| if $n > 0 then .linux.memoryPolicy.nodes = "0" else . end'
		if [[ $wanted == E* ]]; then
			args true
			go
			refused /linux/memoryPolicy
			continue
		fi
		up
		[ "$(shown_policy)" = "$wanted" ] || { echo "$mode $flag: $(shown_policy), wanted $wanted"; return 1; }
		down
	done <<-END
		DEFAULT 0 0 - 0
		LOCAL 4 0 - 0
		PREFERRED 1 1 - 0
		BIND 2 1 - 0
		INTERLEAVE 3 1 - 0
		PREFERRED_MANY 5 1 - 0
		WEIGHTED_INTERLEAVE 6 1 - 0
		BIND 2 1 STATIC_NODES 0x8000
		INTERLEAVE 3 1 RELATIVE_NODES 0x4000
		BIND 2 1 NUMA_BALANCING 0x2000
		INTERLEAVE 3 1 NUMA_BALANCING 0x2000
		BIND 2 0 - 0
	END
}

@test "memoryPolicy: nodes that aren't there, and words that are none, are refused by their place" {
	local p where
	args true
	while IFS='|' read -r where p; do
		cfg --argjson p "$p" '.linux.memoryPolicy = $p'
		go
		refused "/linux/memoryPolicy$where"
	done <<-END
		|{"mode": "MPOL_BIND", "nodes": "900"}
		/nodes|{"mode": "MPOL_BIND", "nodes": "x"}
		/nodes|{"mode": "MPOL_BIND", "nodes": "0-"}
		/mode|{"mode": "MPOL_NONE"}
		/mode|{"nodes": "0"}
		/flags/0|{"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_NONE"]}
	END
}

# Which CPUs the runtime asked for, call by call: strace's "[0 1]".
asked() { sed -n 's/.*sched_setaffinity(0, [0-9]*, \[\([0-9 ]*[0-9]\).*/\1/p; s/.*clone3(.*CLONE_PIDFD.*/clone/p; s/.*execve("\/bin\/grep".*/exec/p' "$T/trace" | uniq | tr '\n' ','; }
# exec_on JSON: exec of a process with this execCPUAffinity, watched
exec_on() {
	jq --argjson a "$1" '.process | .execCPUAffinity = $a | .args = ["grep", "Cpus_allowed_list", "/proc/self/status"]' "$config" >"$T/p.json"
	run strace -f -qq -o "$T/trace" -e trace=sched_setaffinity,clone3,execve "$RINGFENCE" --root "$T/state" exec -p "$T/p.json" "$id" </dev/null
	ok
}

@test "execCPUAffinity: initial holds before the process is made in its groups, final after" {
	need strace
	[ "$(nproc)" -ge 2 ] || skip "one CPU alone"
	up
	exec_on '{"initial": "0", "final": "1"}'
	is $'Cpus_allowed_list:\t1'
	[[ $(asked) == 0,clone,1,exec* ]] || { asked; cat "$T/trace"; return 1; }
	# Alone, it doesn't stay: the group's CPUs are the program's.
	exec_on '{"initial": "1"}'
	is "$(grep Cpus_allowed_list "/proc/$(pid)/status")"
	[[ $(asked) == 1,clone,* ]] || { asked; cat "$T/trace"; return 1; }
	exec_on '{"final": "0, 1"}'
	is $'Cpus_allowed_list:\t0-1'
	[[ $(asked) == clone,* ]] || { asked; cat "$T/trace"; return 1; }
	down
}

@test "execCPUAffinity: the container's is that of an exec without one; its first process has none" {
	[ "$(nproc)" -ge 2 ] || skip "one CPU alone"
	local all
	up
	all=$(grep Cpus_allowed_list "/proc/$(pid)/status")
	down
	cfg '.process.execCPUAffinity = {final: "1"}'
	up
	[ "$(grep Cpus_allowed_list "/proc/$(pid)/status")" = "$all" ]
	run rf exec "$id" grep Cpus_allowed_list /proc/self/status </dev/null
	is $'Cpus_allowed_list:\t1'
	down
}

@test "execCPUAffinity: CPUs that aren't there fail the exec, what is no list is refused" {
	local k
	up
	for k in initial final; do
		jq --arg k "$k" '.process | .execCPUAffinity = {($k): "1000"} | .args = ["true"]' "$config" >"$T/p.json"
		run rf exec -p "$T/p.json" "$id" </dev/null
		[ "$status" -ne 0 ]
		has "CPUs 1000"
	done
	down
	args true
	for k in initial final; do
		cfg --arg k "$k" '.process.execCPUAffinity = {($k): "0-"}'
		go
		refused "/process/execCPUAffinity/$k"
	done
}
