#!/usr/bin/env bats
# Limits that few ask for: each reaches its own file, or is refused where this kernel has none.
load helpers

io() { cgroup_v2 && echo io || echo blkio; }

# A disk of the host whose rates may be limited.
some_disk() {
	local disk
	disk=$(cat /sys/block/[vs]d?/dev 2>/dev/null | head -n 1)
	[ -n "$disk" ] || skip "no disk to throttle"
	ma=${disk%:*} mi=${disk#*:}
}

# value V1-CONTROLLER V1-FILE V2-FILE WANTED
value() {
	local got
	got=$(cg_file "$1" "$2" "$3")
	[ "$got" = "$4" ] || { echo "$2 $3: got '$got', wanted '$4'"; return 1; }
}

# group_has CONTROLLER FILE: whether a new group has the file, by one of the test's own.
group_has() {
	local at=/sys/fs/cgroup rc=0
	if cgroup_v2; then echo "+$1" >$at/cgroup.subtree_control; else at+=/$1; fi
	mkdir "$at/$id-own"
	[ -e "$at/$id-own/$2" ] || rc=1
	rmdir "$at/$id-own"
	return $rc
}

@test "blockIO: each of the four throttles has its own limit" {
	need_controller "$(io)"
	some_disk
	cfg --argjson ma "$ma" --argjson mi "$mi" 'def d($r): [{major: $ma, minor: $mi, rate: $r}];
		.linux.resources.blockIO = {throttleReadBpsDevice: d(1048576), throttleWriteBpsDevice: d(2097152),
			throttleReadIOPSDevice: d(300), throttleWriteIOPSDevice: d(400)}'
	up
	if cgroup_v2; then
		value io - io.max "$ma:$mi rbps=1048576 wbps=2097152 riops=300 wiops=400"
	else
		value blkio blkio.throttle.read_bps_device - "$ma:$mi 1048576"
		value blkio blkio.throttle.write_bps_device - "$ma:$mi 2097152"
		value blkio blkio.throttle.read_iops_device - "$ma:$mi 300"
		value blkio blkio.throttle.write_iops_device - "$ma:$mi 400"
	fi
	down
}

@test "blockIO: a throttle of a device that isn't there is refused by its place" {
	need_controller "$(io)"
	cfg '.linux.resources.blockIO = {throttleWriteIOPSDevice: [{major: 4000, minor: 1, rate: 5}]}'
	go
	refused /linux/resources/blockIO/throttleWriteIOPSDevice/0
}

# Where this kernel has the weight, and how 400 reads there; false: nowhere.
find_weight() {
	v1=- v2=- wanted=400
	if cgroup_v2; then
		# From 10 to 1000 onto 1 to 10000, where the kernel has no BFQ.
		wanted="default 400"
		if group_has io io.bfq.weight; then v2=io.bfq.weight; elif group_has io io.weight; then v2=io.weight wanted="default 3940"; fi
	elif group_has blkio blkio.weight; then
		v1=blkio.weight
	elif group_has blkio blkio.bfq.weight; then
		v1=blkio.bfq.weight
	fi
	[ "$v1$v2" != -- ]
}

@test "blockIO: weight, under whichever name the kernel has it; refused where it has none" {
	need_controller "$(io)"
	cfg '.linux.resources.blockIO = {weight: 400}'
	if ! find_weight; then
		go
		refused /linux/resources/blockIO/weight
		return
	fi
	up
	value "$(io)" "$v1" "$v2" "$wanted"
	down
}

@test "blockIO: leafWeight is refused where there is none" {
	need_controller "$(io)"
	cgroup_v2 || ! group_has blkio blkio.leaf_weight || skip "this kernel has leaf weights"
	for f in '{leafWeight: 100}' '{weightDevice: [{major: 8, minor: 0, leafWeight: 100}]}'; do
		cfg ".linux.resources.blockIO = $f"
		go
		refused eafWeight
	done
}

# The weight of one device takes BFQ to schedule it, or a v2 with io.cost.
@test "blockIO: weightDevice reaches its file, or is refused by its place where there is none" {
	need_controller "$(io)"
	some_disk
	local file=blkio.bfq.weight_device own=/sys/fs/cgroup wanted=
	cgroup_v2 && file=io.weight || own+=/blkio
	cfg --argjson ma "$ma" --argjson mi "$mi" '.linux.resources.blockIO = {weightDevice: [{major: $ma, minor: $mi, weight: 400}]}'
	! cgroup_v2 || ! group_has io io.bfq.weight || file=io.bfq.weight
	mkdir "$own/$id-own"
	! echo "$ma:$mi 400" 2>/dev/null >"$own/$id-own/$file" || wanted=$(grep "^$ma:$mi " "$own/$id-own/$file")
	rmdir "$own/$id-own"
	if [ -z "$wanted" ]; then
		go
		refused /linux/resources/blockIO/weightDevice/0
		return
	fi
	[ "$file" != io.weight ] || wanted="$ma:$mi 3940"
	up
	cg_file "$(io)" "$file" "$file" | grep -qx "$wanted" || { cg_file "$(io)" "$file" "$file"; return 1; }
	down
}

@test "cpu: burst and idle" {
	need_controller cpu
	cfg '.linux.resources.cpu = {quota: 20000, period: 50000, burst: 10000}'
	up
	value cpu cpu.cfs_burst_us cpu.max.burst 10000
	down
	cfg '.linux.resources.cpu = {idle: 1}'
	up
	value cpu cpu.idle cpu.idle 1
	down
}

@test "cpu: a burst above the quota is refused" {
	need_controller cpu
	cfg '.linux.resources.cpu = {quota: 20000, period: 50000, burst: 60000}'
	go
	refused /linux/resources/cpu/burst
}

@test "cpu: realtimePeriod and realtimeRuntime where the kernel shares realtime out, else refused" {
	need_controller cpu
	if ! cgroup_v2 && group_has cpu cpu.rt_runtime_us; then
		# Below the root, which has some: of a parent that has none nobody gets any.
		cfg --arg p "/$id" '.linux.cgroupsPath = $p | .linux.resources.cpu = {realtimePeriod: 500000, realtimeRuntime: 4000}'
		up
		value cpu cpu.rt_period_us - 500000
		value cpu cpu.rt_runtime_us - 4000
		down
	fi
	# More than the parent has.
	cfg '.linux.resources.cpu = {realtimePeriod: 500000, realtimeRuntime: 499999}'
	go
	refused /linux/resources/cpu/realtime
}

@test "hugetlb: the limit is one of reservations too" {
	need_controller hugetlb
	cfg '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]'
	up
	value hugetlb hugetlb.2MB.limit_in_bytes hugetlb.2MB.max 4194304
	value hugetlb hugetlb.2MB.rsvd.limit_in_bytes hugetlb.2MB.rsvd.max 4194304
	down
	cfg '.linux.resources.hugepageLimits[0].pageSize = "3MB"'
	go
	refused /linux/resources/hugepageLimits/0
}

@test "memory: swappiness, useHierarchy, disableOOMKiller" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 33554432, useHierarchy: true}'
	up
	cgroup_v2 || value memory memory.use_hierarchy - 1
	down
	cfg '.linux.resources.memory = {limit: 33554432, useHierarchy: false}'
	go
	refused /linux/resources/memory/useHierarchy
	cfg '.linux.resources.memory = {limit: 33554432, swappiness: 7, disableOOMKiller: true}'
	if cgroup_v2; then
		go
		refused /linux/resources/memory/swappiness
		cfg 'del(.linux.resources.memory.swappiness)'
		go
		refused /linux/resources/memory/disableOOMKiller
		return
	fi
	up
	value memory memory.swappiness - 7
	cg_file memory memory.oom_control - | grep -qx 'oom_kill_disable 1'
	down
}

@test "memory: kernel and kernelTCP" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 33554432, kernelTCP: 4194304}'
	if cgroup_v2; then
		go
		refused /linux/resources/memory/kernelTCP
	else
		up
		value memory memory.kmem.tcp.limit_in_bytes - 4194304
		down
	fi
}

# kernel_memory_works: whether this kernel limits kernel memory, by a group of the test's own.
kernel_memory_works() {
	local g=/sys/fs/cgroup/memory/$id-own rc=0
	mkdir "$g"
	echo 16777216 2>/dev/null >"$g/memory.kmem.limit_in_bytes" || true
	[ "$(cat "$g/memory.kmem.limit_in_bytes" 2>/dev/null)" = 16777216 ] || rc=1
	rmdir "$g"
	return $rc
}

@test "memory: kernel is a limit where the kernel has such limits, else it is warned of" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 33554432, kernel: 16777216}'
	if cgroup_v2; then
		go
		refused /linux/resources/memory/kernel
		return
	fi
	create
	run rf update --resources - "$id" <<<'{"memory": {"kernel": 8388608}}'
	ok
	if kernel_memory_works; then
		is ""
		[ ! -s "$T/err" ]
		value memory memory.kmem.limit_in_bytes - 8388608
	else
		has "/linux/resources/memory/kernel: ignored"
		grep -q "/linux/resources/memory/kernel: ignored" "$T/err"
	fi
	# The rest holds, and no limit is nothing to warn of.
	value memory memory.limit_in_bytes - 33554432
	run rf update --resources - "$id" <<<'{"memory": {"kernel": -1}}'
	is ""
	rf delete --force "$id"
}

@test "memory: a limit, swap and reservation reach their files" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 33554432, swap: 50331648, reservation: 16777216}'
	up
	value memory memory.limit_in_bytes memory.max 33554432
	if cgroup_v2; then value memory - memory.swap.max 16777216; else value memory memory.memsw.limit_in_bytes - 50331648; fi
	value memory memory.soft_limit_in_bytes memory.low 16777216
	down
}

@test "memory: checkBeforeUpdate refuses a limit below what is in use" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 67108864, checkBeforeUpdate: true}'
	up 'head -c 20000000 /dev/zero >/dev/shm/f; echo full; exec sleep 1000'
	until_true grep -q full "$T/out"
	run rf update --resources - "$id" <<<'{"memory": {"limit": 4194304, "checkBeforeUpdate": true}}'
	[ "$status" -ne 0 ]
	value memory memory.limit_in_bytes memory.max 67108864
	[ "$(status)" = running ]
	down
}

# net_cls and net_prio are controllers of v1 alone, which few hosts mount: mounted for the test, in a
# mount namespace of its own. COMMANDS run beside them; `own FILE` is a file of the container's group.
with_net_controllers() {
	mkdir -p "$T/net_cls" "$T/net_prio"
	cat >"$T/steps" <<-S
		for c in net_cls net_prio; do mount -t cgroup -o \$c none $T/\$c || exit 99; done
		rf() { "$RINGFENCE" --root $T/state "\$@"; }
		own() { cat "$T/\${1%%.*}\$(sed -n "s/^[0-9]*:\${1%%.*}://p" /proc/\$(rf state $id | jq -r .pid)/cgroup)/\$1"; }
		rf create -b $b $id </dev/null >$T/out 2>&1 3>&- || { cat $T/out; exit 98; }
		$1
		rf delete --force $id
	S
	run unshare -m --propagation private bash "$T/steps" </dev/null
	until_true is_free net_cls
	until_true is_free net_prio
}
# new_controller NAME: this kernel has it, and no hierarchy of the host does. One that was unmounted
# goes a moment later, if at all.
is_free() {
	unshare -m --propagation private "$BATS_TEST_DIRNAME/../views/abandoned.sh"
	awk -v n="$1" '$1 == n && $2 == 0 && $4 == 1 { y = 1 } END { exit !y }' /proc/cgroups
}
new_controller() { until_true is_free "$1" >/dev/null || skip "$1 isn't free to be mounted here"; }

@test "network: classID and priorities where their controllers are" {
	new_controller net_cls
	new_controller net_prio
	cfg '.linux.resources.network = {classID: 1048577, priorities: [{name: "lo", priority: 5}]}'
	with_net_controllers 'own net_cls.classid; own net_prio.ifpriomap | grep -x "lo .*"'
	is $'1048577\nlo 5'
	# An interface of the host that isn't there is refused by its place.
	cfg '.linux.resources.network = {priorities: [{name: "lo", priority: 5}, {name: "none0", priority: 1}]}'
	with_net_controllers true
	exit_is 98
	has /linux/resources/network/priorities/1
}

@test "network: classID and priorities are refused without their controllers" {
	! grep -q 'cgroup .*net_\(cls\|prio\)' /proc/self/mounts || skip "this host has them mounted"
	cfg '.linux.resources.network = {classID: 1048577}'
	go
	refused /linux/resources/network/classID
	cfg '.linux.resources.network = {priorities: [{name: "lo", priority: 5}]}'
	go
	refused /linux/resources/network/priorities/0
}

@test "rdma: a device that isn't there is refused by its name" {
	[ -z "$(ls /sys/class/infiniband 2>/dev/null)" ] || skip "this host has RDMA devices"
	cfg '.linux.resources.rdma = {"mlx9_9": {hcaHandles: 3, hcaObjects: 1000}}'
	go
	refused /linux/resources/rdma/mlx9_9
}

# --- the words of update for them ---

@test "update: --cpu-burst and --cpu-idle" {
	need_controller cpu
	up
	rf update --cpu-period 100000 --cpu-quota 50000 --cpu-burst 20000 "$id"
	value cpu cpu.cfs_burst_us cpu.max.burst 20000
	rf update --cpu-idle 1 "$id"
	value cpu cpu.idle cpu.idle 1
	run rf update --cpu-idle 2 "$id"
	[ "$status" -ne 0 ]
	down
}

@test "update: --cpu-rt-period and --cpu-rt-runtime, or a refusal where the kernel has none" {
	need_controller cpu
	up
	if ! cgroup_v2 && parent_has cpu cpu.rt_runtime_us; then
		rf update --cpu-rt-period 900000 --cpu-rt-runtime 0 "$id"
		value cpu cpu.rt_period_us - 900000
	fi
	run rf update --cpu-rt-period 900000 --cpu-rt-runtime 899999 "$id"
	[ "$status" -ne 0 ]
	has /cpu/realtime
	down
}

@test "update: --blkio-weight, under whichever name the kernel has it" {
	need_controller "$(io)"
	up
	run rf update --blkio-weight 400 "$id"
	[ "$status" -ne 0 ] || { find_weight && value "$(io)" "$v1" "$v2" "$wanted"; }
	[ "$status" -eq 0 ] || has /blockIO/weight
	run rf update --blkio-weight 2000 "$id"
	[ "$status" -ne 0 ]
	down
}
