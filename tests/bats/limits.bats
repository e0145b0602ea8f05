#!/usr/bin/env bats
# Limits one by one: that each value reaches its file, holds, and can be changed.
load helpers

# Over the micro-VM wall a limit is held in the guest, which has cgroup v2; held=host: by the machine's group.
limit_file() {
	if [ "${RF_WALL:-}" = microvm ] && [ "${held:-}" != host ]; then
		rf exec "$id" cat "/sys/fs/cgroup/$3" </dev/null
	else
		cg_file "$1" "$2" "$3"
	fi
}
# v1_or_v2 CONTROLLER V1-FILE V2-FILE VALUE: the container's own file says VALUE.
v1_or_v2() {
	local got
	got=$(limit_file "$1" "$2" "$3")
	[ "$got" = "$4" ] || { echo "$1: got '$got', wanted '$4'"; return 1; }
}

@test "memory: reservation and swap" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 33554432, reservation: 16777216}'
	up
	v1_or_v2 memory memory.soft_limit_in_bytes memory.low 16777216
	down
}

@test "cpu: quota, period and shares" {
	need_controller cpu
	cfg '.linux.resources.cpu = {quota: 20000, period: 50000, shares: 512}'
	up
	if cgroup_v2; then
		v1_or_v2 cpu - cpu.max "20000 50000"
		[ "$(cg_file cpu - cpu.weight)" -gt 1 ]
		[ "$(cg_file cpu - cpu.weight)" -lt 100 ]
	else
		v1_or_v2 cpu cpu.cfs_quota_us - 20000
		v1_or_v2 cpu cpu.cfs_period_us - 50000
		v1_or_v2 cpu cpu.shares - 512
	fi
	down
}

@test "cpu: the quota holds" {
	need_controller cpu
	cfg '.linux.resources.cpu = {quota: 10000, period: 100000}'
	up 'while :; do :; done'
	throttled() { [ "$(cg_file cpu cpu.stat cpu.stat | awk '$1 == "nr_throttled" { print $2 }')" -gt 2 ]; }
	until_true throttled
	down
}

@test "hugetlb: a limit for a page size" {
	need_controller hugetlb
	cfg '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 4194304}]'
	up
	held=host v1_or_v2 hugetlb hugetlb.2MB.limit_in_bytes hugetlb.2MB.max 4194304
	down
}

@test "unified: a raw v2 key" {
	cgroup_v2 || skip "the $RF_VIEW view is no plain cgroup v2"
	need_controller hugetlb
	cfg '.linux.resources.unified = {"hugetlb.2MB.max": "6291456"}'
	up
	v1_or_v2 hugetlb - hugetlb.2MB.max 6291456
	down
}

@test "unified: an unknown key is refused" {
	cgroup_v2 || skip "the $RF_VIEW view is no plain cgroup v2"
	cfg '.linux.resources.unified = {"hugetlb.none.such": "1"}'
	args true
	go
	refused
}

@test "devices: what isn't allowed is refused to root with CAP_MKNOD" {
	cgroup_v2 || need_controller devices
	cfg '.process.capabilities[] += ["CAP_MKNOD"]'
	sh_args 'mknod /tmp/m c 1 1; mknod /dev/m c 1 1; (: </dev/m) 2>&1; echo rc $?'
	go
	ok
	hasnt "rc 0"
}

@test "devices: an allowed one opens, a read-only one doesn't open for writing" {
	cgroup_v2 || need_controller devices
	cfg '.process.capabilities[] += ["CAP_MKNOD"]
		| .linux.resources.devices += [{allow: true, type: "c", major: 10, minor: 229, access: "rm"}]'
	sh_args 'mknod /dev/k c 10 229 && (: </dev/k) && echo reads; (: >/dev/k) 2>/dev/null || echo no-writes'
	go
	has reads
	has no-writes
}

@test "devices: type, major and minor of a rule each make a difference; later rules win" {
	cgroup_v2 || need_controller devices
	[ -e /dev/fuse ] || skip "no fuse here"
	local rules wanted
	# A node that opens for whoever asks. That it may be made isn't the rules' doing: anybody's may.
	cfg '.linux.devices = [{path: "/dev/k", type: "c", major: 10, minor: 229, fileMode: 438}]'
	sh_args '(: </dev/k) 2>/dev/null && echo opens || echo not'
	while read -r wanted rules; do
		cfg --argjson r "$rules" '.linux.resources.devices = [{allow: false, access: "rwm"}] + $r'
		go
		is "$wanted" || { echo "$rules"; return 1; }
	done <<-END
		not []
		opens [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "r"}]
		not [{"allow": true, "type": "b", "major": 10, "minor": 229, "access": "r"}]
		not [{"allow": true, "type": "c", "major": 11, "minor": 229, "access": "r"}]
		not [{"allow": true, "type": "c", "major": 10, "minor": 228, "access": "r"}]
		opens [{"allow": true, "type": "c", "major": 10, "access": "r"}]
		opens [{"allow": true, "type": "c", "minor": 229, "access": "r"}]
		opens [{"allow": true, "type": "a", "access": "rwm"}]
		not [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}, {"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rw"}]
		opens [{"allow": false, "type": "c", "major": 10, "minor": 229, "access": "rw"}, {"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}]
	END
}

@test "devices: read, write and both" {
	cgroup_v2 || need_controller devices
	local access wanted
	[ -e /dev/fuse ] || skip "no fuse here"
	cfg '.linux.devices = [{path: "/dev/k", type: "c", major: 10, minor: 229, fileMode: 438}]'
	sh_args '(: </dev/k) 2>/dev/null && printf r; (: >/dev/k) 2>/dev/null && printf w; (: <>/dev/k) 2>/dev/null && printf b; true'
	while read -r access wanted; do
		cfg --arg a "$access" '.linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 229, access: $a}]'
		go
		is "$wanted"
	done <<-END
		m
		r r
		w w
		rw rwb
		rwm rwb
	END
}
@test "update changes limits of a running container" {
	need_controller memory
	need_controller pids
	cfg '.linux.resources.memory = {limit: 33554432}'
	up
	rf update --memory 67108864 --pids-limit 77 "$id"
	v1_or_v2 memory memory.limit_in_bytes memory.max 67108864
	v1_or_v2 pids pids.max pids.max 77
	down
}

@test "update --resources reads JSON from a file and from standard input" {
	need_controller pids
	up
	echo '{"pids": {"limit": 33}}' >"$T/r.json"
	rf update --resources "$T/r.json" "$id"
	v1_or_v2 pids pids.max pids.max 33
	echo '{"pids": {"limit": 44}}' | rf update --resources=- "$id"
	v1_or_v2 pids pids.max pids.max 44
	down
}

@test "zeros in an update mean unchanged" {
	need_controller memory
	need_controller cpu
	cfg '.linux.resources.memory = {limit: 33554432} | .linux.resources.cpu = {shares: 512}'
	up
	echo '{"memory": {"limit": 67108864, "reservation": 0, "kernel": 0}, "cpu": {"shares": 0}, "blockIO": {"weight": 0}}' |
		rf update --resources - "$id"
	v1_or_v2 memory memory.limit_in_bytes memory.max 67108864
	cgroup_v2 || v1_or_v2 cpu cpu.shares - 512
	down
}

@test "update of nonsense is refused and changes nothing" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 33554432}'
	up
	run rf update --resources - "$id" <<<'{"memory": {"limit": "much"}}'
	[ "$status" -ne 0 ]
	run rf update --resources - "$id" <<<'{"memory": '
	[ "$status" -ne 0 ]
	run rf update --memory much "$id"
	[ "$status" -ne 0 ]
	v1_or_v2 memory memory.limit_in_bytes memory.max 33554432
	down
}

@test "an update that the kernel refuses halfway changes nothing" {
	need_controller memory
	need_controller cpuset
	cfg '.linux.resources.memory = {limit: 33554432, swap: 67108864} | .linux.resources.cpu = {quota: 20000, period: 50000}'
	up
	# Of these the processors come last.
	run rf update -r - "$id" <<<'{"memory": {"limit": 50331648, "swap": 58720256}, "cpu": {"quota": 10000, "cpus": "4000"}}'
	[ "$status" -ne 0 ]
	has /cpu/cpus
	v1_or_v2 memory memory.limit_in_bytes memory.max 33554432
	! cgroup_v2 || v1_or_v2 cpu - cpu.max "20000 50000"
	cgroup_v2 || v1_or_v2 cpu cpu.cfs_quota_us - 20000
	down
}

@test "the cgroup mount shows the container's own tree, read-only" {
	sh_args 'touch /sys/fs/cgroup/x 2>/dev/null && echo written; for d in /sys/fs/cgroup/*/; do mkdir $d/x 2>/dev/null && echo made $d; done; ls /sys/fs/cgroup | wc -l'
	go
	ok
	hasnt written
	hasnt made
	[ "${lines[-1]}" -gt 0 ]
}

@test "a cgroup namespace makes the container's group the root" {
	cfg '.linux.namespaces += [{type: "cgroup"}]'
	sh_args "grep -c $id /proc/self/cgroup; cut -d: -f3 /proc/self/cgroup | sort -u"
	run rf run -b "$b" "$id" </dev/null
	[ "${lines[0]}" = 0 ]
	has /
}

@test "groups that the container made go with it" {
	cfg '.linux.namespaces += [{type: "cgroup"}] | .process.capabilities[] += ["CAP_SYS_ADMIN"]
		| .mounts |= map(if .type == "cgroup" then .options -= ["ro"] else . end)'
	up 'for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir -p $d/sub/sub2 2>/dev/null; done; echo made; exec sleep 1000'
	until_true grep -q made "$T/out"
	down
}

@test "no resources at all" {
	cfg 'del(.linux.resources)'
	sh_args 'echo in'
	go
	is in
}

@test "blockIO: throttling of a disk" {
	need_controller "$(cgroup_v2 && echo io || echo blkio)"
	disk=$(cat /sys/block/vd?/dev 2>/dev/null | head -1)
	[ -n "$disk" ] || skip "no virtio disk to throttle"
	cfg --argjson ma "${disk%:*}" --argjson mi "${disk#*:}" \
		'.linux.resources.blockIO = {throttleReadBpsDevice: [{major: $ma, minor: $mi, rate: 1048576}]}'
	up
	cg_file blkio blkio.throttle.read_bps_device io.max | grep -q "^$disk .*1048576"
	down
}
