#!/usr/bin/env bats
# events: statistics that move with what the container does, and out-of-memory events.
load helpers

stat_of() { rf events --stats "$id" | jq -e "$1"; }
# grows FILTER BEFORE: the number has become larger.
grows() { [ "$(stat_of "$1")" -gt "$2" ]; }

# watch [OPTION…]: events in the background, into $T/events; $watcher is its pid.
watch() {
	"$RINGFENCE" --root "$T/state" events "$@" "$id" </dev/null >"$T/events" 2>"$T/events.err" 3>&- &
	watcher=$!
}
# The watcher has its descriptors: it waits for the end of the container.
watching() { readlink "/proc/$watcher"/fd/* | grep -q 'anon_inode:\[timerfd\]'; }
# What `wait` says of the watcher, which must end by itself.
watcher_ends() {
	until_true gone "$watcher" || { kill "$watcher"; return 1; }
	wait "$watcher"
}

@test "the document has every part, in one line" {
	up
	rf events --stats "$id" >"$T/one"
	[ "$(wc -l <"$T/one")" = 1 ]
	jq -e --arg id "$id" '.type == "stats" and .id == $id' "$T/one"
	[ "$(jq -c '.data | keys' "$T/one")" = '["blkio","cpu","cpuset","hugetlb","intel_rdt","memory","network_interfaces","pids"]' ]
	jq -e '.data.memory | has("usage") and has("swap") and has("kernel") and has("kernelTCP")' "$T/one"
	jq -e '.data.network_interfaces == null' "$T/one"
	down
}

@test "the same keys as runc's" {
	[ "$RF_VIEW" = v1 ] || skip "runc of Debian 12 knows no pressure: compared in the v1 view"
	need runc
	# Some I/O past the cache, and a page of its own in it: whether the program had to be read from
	# the disk is chance, and a counter of zero stays out.
	local f io='echo >/dev/shm/x; dd if=/bin/busybox of=/dev/null iflag=direct bs=4k count=1 2>/dev/null; exec sleep 1000'
	up "$io"
	until_true grep -qx sleep "/proc/$(pid)/comm"
	f='[paths(scalars) | map(if type == "number" then "N" else . end) | join(".")] | unique'
	# percpu lists and counters that are zero stay out, so compare what is there at rest.
	rf events --stats "$id" | jq "$f" >"$T/ours"
	runc --root "$T/runc" run -d -b "$b" "$id-2" </dev/null >/dev/null 2>&1 3>&-
	until_true grep -qx sleep "/proc/$(runc --root "$T/runc" state "$id-2" | jq .pid)/comm"
	runc --root "$T/runc" events --stats "$id-2" | jq "$f" >"$T/theirs"
	runc --root "$T/runc" delete --force "$id-2"
	until_true groups_swept "$id-2"
	down
	diff "$T/ours" "$T/theirs"
}

@test "pids: as many as there are" {
	up 'sleep 1000 & sleep 1000 & exec sleep 1000'
	until_true stat_of '.data.pids.current == 3'
	down
}

@test "pids: the limit" {
	need_controller pids
	cfg '.linux.resources.pids = {limit: 33}'
	up
	stat_of '.data.pids.limit == 33'
	down
}

@test "pids: refused forks are counted" {
	need_controller pids
	cfg '.linux.resources.pids = {limit: 3}'
	up 'for i in 1 2 3 4 5; do sleep 1000 & done; exec sleep 1000'
	if [ -n "$(cg_file pids pids.events pids.events 2>/dev/null)" ]; then
		until_true stat_of '.data.pids.failcnt > 0'
	fi
	down
}

@test "cpu: time grows while the container works" {
	up 'while :; do :; done'
	before=$(stat_of .data.cpu.usage.total)
	until_true grows .data.cpu.usage.total "$((before + 100000000))"
	# Less than the host can have given since: nanoseconds, not microseconds or ticks.
	[ "$(stat_of .data.cpu.usage.total)" -lt 100000000000 ]
	down
}

@test "cpu: throttling is told" {
	need_controller cpu
	cfg '.linux.resources.cpu = {quota: 10000, period: 100000}'
	up 'while :; do :; done'
	until_true stat_of '.data.cpu.throttling.throttledPeriods > 2 and .data.cpu.throttling.throttledTime > 1000000'
	down
}

@test "memory: usage grows by what the container allocates, and the limit" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 134217728}
		| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
	up 'while [ ! -e /tmp/go ]; do usleep 20000; done; dd if=/dev/zero of=/tmp/f bs=1M count=32 2>/dev/null; exec sleep 1000'
	stat_of '.data.memory.usage.limit == 134217728'
	before=$(stat_of .data.memory.usage.usage)
	[ "$before" -gt 0 ]
	[ "$before" -lt 16777216 ]
	rf exec "$id" touch /tmp/go
	until_true grows .data.memory.usage.usage "$((before + 33000000))"
	[ "$(stat_of .data.memory.usage.usage)" -lt 134217728 ]
	stat_of '.data.memory.raw | length > 10'
	down
}

@test "an out-of-memory event is seen" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 16777216, swap: 16777216}'
	up 'until [ -e /dev/shm/go ]; do usleep 20000; done; (head -c 64m /dev/zero | tr -d x | sort >/dev/null); exec sleep 1000'
	watch --interval 1h
	until_true watching
	rf exec "$id" touch /dev/shm/go
	until_true grep -q '"oom"' "$T/events"
	[ "$(head -n1 "$T/events")" = "{\"type\":\"oom\",\"id\":\"$id\"}" ]
	# The kernel tells before it kills.
	until_true stat_of '.data.memory.oom_kill > 0'
	# Not v1's failcnt: kernels of today leave it zero.
	! cgroup_v2 || stat_of '.data.memory.usage.failcnt > 0'
	down
	watcher_ends
}

@test "an out-of-memory event that ends the container is seen" {
	need_controller memory
	cfg '.linux.resources.memory = {limit: 16777216, swap: 16777216}'
	up 'until [ -e /dev/shm/go ]; do usleep 20000; done; a=$(head -c 8m /dev/zero | tr "\000" x); while :; do a=$a$a; done'
	watch --interval 1h
	until_true watching
	rf exec "$id" touch /dev/shm/go
	until_true stopped
	watcher_ends
	grep -q '"oom"' "$T/events"
	rf delete "$id"
}

@test "statistics come at each interval, and end with the container" {
	up
	watch --interval 50ms
	three() { [ "$(wc -l <"$T/events")" -ge 3 ]; }
	until_true three
	rf delete --force "$id"
	watcher_ends
	jq -es 'all(.type == "stats")' "$T/events"
	[ ! -s "$T/events.err" ]
}

@test "a deleted container is no out-of-memory event" {
	up
	watch --interval 1h
	until_true watching
	rf delete --force "$id"
	watcher_ends
	[ ! -s "$T/events" ]
}

@test "a created and a paused container have statistics" {
	sh_args 'exec sleep 1000'
	create
	stat_of '.data.pids.current >= 1'
	start
	if cgroup_v2 || [ -d /sys/fs/cgroup/freezer ]; then
		rf pause "$id"
		stat_of '.data.pids.current == 1'
		rf resume "$id"
	fi
	down
}

@test "interfaces of the container's own network namespace are counted" {
	cfg '.process.capabilities[] += ["CAP_NET_ADMIN"]'
	up 'ip link add v0 type veth peer name v1; echo tried; exec sleep 1000'
	until_true grep -q tried "$T/out"
	if ! rf exec "$id" cat /proc/net/dev | grep -q v0; then
		down
		skip "no veth pair can be made here"
	fi
	stat_of '[.data.network_interfaces[].Name] | length == 2 and index("v0") != null and index("lo") == null'
	stat_of '.data.network_interfaces[0] | has("RxBytes") and has("TxDropped")'
	down
}

@test "the host's network is not the container's" {
	cfg '.linux.namespaces |= map(select(.type != "network"))'
	up
	stat_of '.data.network_interfaces == null'
	down
}

@test "an unknown and a stopped container are refused" {
	run rf events --stats "$id"
	exit_is 1
	has "does not exist"
	up
	rf kill "$id" KILL
	until_true stopped
	for o in --stats --interval=1s; do
		run rf events "$o" "$id"
		exit_is 1
		has "is not running"
	done
	rf delete "$id"
}

@test "intervals that are none are refused" {
	for i in 0 0s -1s 5 x "" 5s5; do
		run rf events --interval "$i" "$id"
		[ "$status" -ne 0 ]
		has "--interval"
	done
}
