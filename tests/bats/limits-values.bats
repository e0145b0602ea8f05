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

# parent_has CONTROLLER FILE: whether a new group will have the file.
parent_has() { [ -n "$(find "/sys/fs/cgroup/$1" -maxdepth 2 -name "$2" -print -quit 2>/dev/null)" ]; }

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

weight_is_400() {
	if cgroup_v2; then
		# From 10 to 1000 onto 1 to 10000, where the kernel has no BFQ.
		wanted="default 400"
		run cg_file io - io.bfq.weight
		[ "$status" -eq 0 ] || { wanted="default 3940" && run cg_file io - io.weight; }
		is "$wanted"
	else
		run cg_file blkio blkio.bfq.weight -
		[ "$status" -eq 0 ] || run cg_file blkio blkio.weight -
		is 400
	fi
}

@test "blockIO: weight, under whichever name the kernel has it" {
	need_controller "$(io)"
	cfg '.linux.resources.blockIO = {weight: 400}'
	run create
	if [ "$status" -ne 0 ]; then
		refused /linux/resources/blockIO/weight
		return
	fi
	weight_is_400
	rf delete --force "$id"
}

@test "blockIO: leafWeight is refused where there is none" {
	need_controller "$(io)"
	! parent_has blkio blkio.leaf_weight || skip "this kernel has leaf weights"
	for f in '{leafWeight: 100}' '{weightDevice: [{major: 8, minor: 0, leafWeight: 100}]}'; do
		cfg ".linux.resources.blockIO = $f"
		go
		refused eafWeight
	done
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

@test "cpu: realtimePeriod and realtimeRuntime, or a refusal where the kernel has none" {
	need_controller cpu
	cfg '.linux.resources.cpu = {realtimePeriod: 500000, realtimeRuntime: 0}'
	if ! cgroup_v2 && parent_has cpu cpu.rt_runtime_us; then
		up
		value cpu cpu.rt_period_us - 500000
		value cpu cpu.rt_runtime_us - 0
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
	# Newer kernels refuse a limit of kernel memory, or take it and set none.
	cfg '.linux.resources.memory = {limit: 33554432, kernel: 16777216}'
	run create
	if [ "$status" -eq 0 ]; then
		[[ $(cg_file memory memory.kmem.limit_in_bytes -) =~ ^(16777216|92233720368547.*)$ ]]
		rf delete --force "$id"
	else
		refused /linux/resources/memory/kernel
	fi
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

@test "network: classID and priorities, or a refusal without their controllers" {
	cfg '.linux.resources.network = {classID: 1048577}'
	if ! cgroup_v2 && [ -d /sys/fs/cgroup/net_cls ]; then
		up
		value net_cls net_cls.classid - 1048577
		down
	else
		go
		refused /linux/resources/network/classID
	fi
	cfg '.linux.resources.network = {priorities: [{name: "lo", priority: 5}]}'
	if ! cgroup_v2 && [ -d /sys/fs/cgroup/net_prio ]; then
		up
		cg_file net_prio net_prio.ifpriomap - | grep -qx 'lo 5'
		down
	else
		go
		refused /linux/resources/network/priorities/0
	fi
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
	[ "$status" -ne 0 ] || weight_is_400
	[ "$status" -eq 0 ] || has /blockIO/weight
	run rf update --blkio-weight 2000 "$id"
	[ "$status" -ne 0 ]
	down
}
