#!/usr/bin/env bats
# control groups: place, limits, update.
load helpers

@test "the container has a group of its own, and it goes with it" {
	up
	p=$(pid)
	grep -qF -- "$id" "/proc/$p/cgroup"
	down
	! find /sys/fs/cgroup -maxdepth 5 -type d -name "*$id*" | grep -q .
}

@test "cgroupsPath" {
	cfg --arg p "/rft-parent-$id/child" '.linux.cgroupsPath = $p'
	up
	grep -qF "/rft-parent-$id/child" "/proc/$(pid)/cgroup"
	down
	find /sys/fs/cgroup -depth -maxdepth 3 -type d -name "rft-parent-$id" -exec rmdir {} \;
}

@test "the process limit holds" {
	need_controller pids
	cfg '.linux.resources.pids = {limit: 10}'
	sh_args 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1 & done; wait'
	go
	has "can't fork"
}

@test "the memory limit holds" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 20000000, swap: 20000000}'
	sh_args 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	go
	has "end 137"
}

@test "memory and CPU values reach the kernel" {
	need_controller memory
	need_controller cpu
	cfg '.linux.resources.memory = {limit: 33554432} | .linux.resources.cpu = {shares: 512, quota: 20000, period: 50000}'
	up
	[ "$(cg_file memory memory.limit_in_bytes memory.max)" = 33554432 ]
	if cgroup_v2; then
		[ "$(cg_file cpu - cpu.max)" = "20000 50000" ]
	else
		[ "$(cg_file cpu cpu.cfs_quota_us -)" = 20000 ]
		[ "$(cg_file cpu cpu.cfs_period_us -)" = 50000 ]
		[ "$(cg_file cpu cpu.shares -)" = 512 ]
	fi
	down
}

@test "cpuset" {
	need_controller cpuset
	cfg '.linux.resources.cpu = {cpus: "0", mems: "0"}'
	args grep Cpus_allowed_list /proc/self/status
	go
	ok
	has $'\t0'
}

@test "cpus and mems reach their files, others than the parent's; those that aren't there are refused" {
	need_controller cpuset
	[ "$(nproc)" -ge 2 ] || skip "one CPU alone"
	cfg '.linux.resources.cpu = {cpus: "1", mems: "0"}'
	up
	[ "$(cg_file cpuset cpuset.cpus cpuset.cpus)" = 1 ]
	[ "$(cg_file cpuset cpuset.mems cpuset.mems)" = 0 ]
	grep -q $'^Cpus_allowed_list:\t1$' "/proc/$(pid)/status"
	down
	cfg '.linux.resources.cpu = {mems: "900"}'
	go
	refused /linux/resources/cpu/mems
	cfg '.linux.resources.cpu = {cpus: "x"}'
	go
	refused /linux/resources/cpu/cpus
}

@test "update by flags" {
	need_controller memory
	need_controller pids
	up
	rf update --memory 64m --pids-limit 33 "$id"
	[ "$(cg_file memory memory.limit_in_bytes memory.max)" = 67108864 ]
	[ "$(cg_file pids pids.max pids.max)" = 33 ]
	down
}

@test "update by JSON on standard input; zero means unchanged" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 33554432}'
	up
	echo '{"memory": {"limit": 67108864, "reservation": 0, "kernel": 0}, "cpu": {"shares": 0}}' | rf update --resources - "$id"
	[ "$(cg_file memory memory.limit_in_bytes memory.max)" = 67108864 ]
	down
}

@test "a v2 value by its own name" {
	cgroup_v2 || skip "the $RF_VIEW view has no v2 machine"
	need_controller pids
	cfg '.linux.resources.unified = {"pids.max": "44"}'
	up
	[ "$(cg_file - - pids.max)" = 44 ]
	down
}

@test "unified values that aren't there, or climb, are refused" {
	# The number is a process of ours: a runtime that took cgroup.procs would move it.
	sleep 60 3>&- &
	victim=$!
	place=$(cat "/proc/$victim/cgroup")
	for k in "no.such" "../memory.max" "cgroup.procs" "cgroup.kill"; do
		cfg --arg k "$k" --arg v "$victim" '.linux.resources.unified = {($k): $v}'
		go
		refused
		[ "$(cat "/proc/$victim/cgroup")" = "$place" ]
	done
	kill "$victim"
}

@test "a limit without its controller is refused, not forgotten" {
	[ "$RF_VIEW" = v2 ] || skip "the $RF_VIEW view has the controllers"
	cfg '.linux.resources.memory = {limit: 33554432}'
	go
	refused memory
}

@test "a limit the kernel refuses is an error that names it" {
	need_controller cpuset
	cfg '.linux.resources.cpu = {cpus: "4000"}'
	go
	refused
	! ours || has /linux/resources/cpu/cpus
}

@test "cgroupsPath can't climb out" {
	cfg --arg p "../../../$id" '.linux.cgroupsPath = $p'
	go
	if [ "$status" -eq 0 ]; then
		[ ! -e "/sys/fs/$id" ]
	else
		refused
	fi
}

@test "a group filled by another is not taken" {
	only_ours
	cfg --arg p "/rft-$id" '.linux.cgroupsPath = $p'
	up
	cp -r "$b" "$T/b2"
	run rf create -b "$T/b2" "$id-2" </dev/null 3>&-
	[ "$status" -ne 0 ]
	has "rft-$id"
	[ "$(status)" = running ]
	down
}

@test "--cgroup-manager=disabled: no group, and limits are refused, not ignored" {
	only_ours
	sh_args 'ls /sys/fs/cgroup; exec sleep 1000'
	"$RINGFENCE" --root "$T/state" --cgroup-manager=disabled create -b "$b" "$id" </dev/null >"$T/out" 3>&-
	start
	diff "/proc/$(pid)/cgroup" /proc/self/cgroup
	until_true grep -qx sleep "/proc/$(pid)/comm"
	run rf exec "$id" cat /proc/1/comm
	is sleep
	[ ! -s "$T/out" ]
	run rf pause "$id"
	[ "$status" -ne 0 ]
	has "no control group"
	down
	cfg '.linux.resources.pids.limit = 5'
	run "$RINGFENCE" --root "$T/state" --cgroup-manager=disabled create -b "$b" "$id" </dev/null 3>&-
	refused /linux/resources/pids/limit
}

@test "the container sees its own groups only" {
	sh_args 'ls /sys/fs/cgroup; cat /sys/fs/cgroup/pids/cgroup.procs /sys/fs/cgroup/cgroup.procs 2>/dev/null; true'
	go
	ok
	hasnt "$id-"
	mkdir_line='mkdir /sys/fs/cgroup/pids/x || mkdir /sys/fs/cgroup/x'
	sh_args "$mkdir_line"
	go
	[ "$status" -ne 0 ]
}

@test "a hybrid host's v2 tree stays outside" {
	[ "$RF_VIEW" = hybrid ] && [ -d /sys/fs/cgroup/unified ] || skip "the $RF_VIEW view has no v2 tree beside v1"
	sh_args 'ls /sys/fs/cgroup'
	go
	ok
	has memory
	hasnt unified
}
