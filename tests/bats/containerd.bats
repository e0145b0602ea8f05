#!/usr/bin/env bats
# containerd's shim with this runtime, driven by ctr: lives, terminals, exec, limits, user
# namespaces, a network by CNI, events, and servers at work under limits.
load helpers
load engines-docker
load servers

engine_missing() { missing_of containerd ctr catatonit; }
engine_rm() {
	local c
	for c in "$@"; do
		ctr task kill -s KILL "$c"
		ctr task rm -f "$c"
		ctr container rm "$c"
	done
}

ctr() { within ctr -a /run/containerd.sock "$@"; }

setup_file() {
	engine_can_run || return 0
	world_up
	cat >"$W/config.toml" <<-C
		version = 2
		root = "$W/root"
		state = "/run/containerd-state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "/run/containerd.sock"
	C
	within setsid containerd -c "$W/config.toml" >"$W/containerd.log" 2>&1 &
	answers "$W/containerd.log" ctr version
	image_tar
	image_archive bb sh
	ctr image import "$W/bb.tar" >"$W/import.log"
	! servers=$(servers_root) || export servers
}

teardown_file() {
	[ -n "${W:-}" ] || return 0
	ctr task ls -q 2>/dev/null | while read -r c; do engine_rm "$c" >/dev/null 2>&1; done
	world_down
}

img=docker.io/library/bb:1
# cr OPTIONS… -- ID WORD…: ctr run of our image by our runtime.
cr() {
	local o=()
	while [ "$1" != -- ]; do o+=("$1"); shift; done
	shift
	ctr run --runc-binary "$RINGFENCE" --cgroup "/$cg_parent/$1" "${o[@]}" $img "$@"
}
up() { cr -d -- "$id" sh -c "${1:-exec sleep 1000}"; }
is_task() { [ "$(ctr task ls | awk -v c="$id" '$1 == c { print $3 }')" = "$1" ]; }
task_pid() { ctr task ls | awk -v c="$id" '$1 == c { print $2 }'; }

@test "ctr run: output and exit code" {
	run cr --rm -- "$id" echo hello
	is hello
	run cr --rm -- "$id" sh -c 'exit 42'
	exit_is 42
	run cr --rm -- "$id" no-such-program
	exit_is 1
	has "executable file not found"
}

@test "ctr run -t: a terminal" {
	need script
	run script -qec "$(declare -f within ctr cr); img=$img; cr --rm -t -- $id tty" /dev/null </dev/null
	has /dev/pts/0
}

@test "ctr run: working directory, environment, mounts, read-only, host's network" {
	mkdir "$T/v"
	echo in >"$T/v/f"
	run cr --rm --cwd /tmp --env A=b --mount "type=bind,src=$T/v,dst=/mnt,options=rbind:ro" -- "$id" \
		sh -c 'echo $PWD $A; cat /mnt/f; echo x >/mnt/f'
	exit_is 1
	# Errors may come between.
	has "/tmp b"
	grep -qx in <<<"$output"
	has "Read-only"
	run cr --rm --read-only -- "$id" touch /x
	exit_is 1
	run cr --rm --net-host -- "$id" readlink /proc/self/ns/net
	is "$(within readlink /proc/self/ns/net)"
}

@test "ctr run: --privileged, capabilities, seccomp, device" {
	run cr --rm --privileged -- "$id" sh -c 'mount -t tmpfs t /mnt && echo free'
	is free
	run cr --rm --cap-drop CAP_CHOWN -- "$id" chown 1 /tmp
	exit_is 1
	run cr --rm --seccomp -- "$id" grep Seccomp: /proc/self/status
	has 2
	run cr --rm -- "$id" grep NoNewPrivs /proc/self/status
	has 1
	run cr --rm --device /dev/fuse -- "$id" sh -c 'exec 3<>/dev/fuse && echo open'
	is open
}

@test "limits stand in the group, and hold" {
	! cgroup_v2 || skip "names of v1's files"
	cr -d --memory-limit 67108864 --cpus 0.5 --cpu-shares 512 -- "$id" sleep 1000
	[ "$(cat "/sys/fs/cgroup/memory/$cg_parent/$id/memory.limit_in_bytes")" = 67108864 ]
	[ "$(cat "/sys/fs/cgroup/cpu/$cg_parent/$id/cpu.cfs_quota_us")" = 50000 ]
	[ "$(cat "/sys/fs/cgroup/cpu/$cg_parent/$id/cpu.shares")" = 512 ]
	run cr --rm --memory-limit 20971520 -- "$id-2" sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	has "end 137"
	cr -d --cpu-quota 25000 --cpu-period 100000 -- "$id-2" sh -c 'while :; do :; done'
	until_true throttled "$id-2"
}
throttled() { awk '/^nr_throttled/ { held = $2 > 3 } END { exit !held }' "/sys/fs/cgroup/cpu/$cg_parent/$1/cpu.stat"; }

@test "exec: output, exit code, user, directory, a terminal, detached" {
	up
	run ctr task exec --exec-id e1 "$id" sh -c 'echo in; exit 6'
	exit_is 6
	has in
	run ctr task exec --exec-id e2 --user 1000 --cwd /tmp "$id" sh -c 'echo $(id -u) $PWD'
	is "1000 /tmp"
	run ctr task exec --exec-id e3 "$id" no-such-program
	exit_is 1
	has "executable file not found"
	run script -qec "$(declare -f within ctr); ctr task exec -t --exec-id e4 $id tty" /dev/null </dev/null
	has /dev/pts/
	ctr task exec -d --exec-id e5 "$id" sleep 1001
	# One line for the first process, one for the other.
	until_true ps_counts 2
}
ps_counts() { [ "$(ctr task ps "$id" | grep -cE '^[0-9]+ ')" = "$1" ]; }

@test "pause and resume" {
	up 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/n; sleep 0.05; done'
	until_true ctr task exec --exec-id w "$id" test -s /tmp/n
	ctr task pause "$id"
	is_task PAUSED
	n=/proc/$(task_pid)/root/tmp/n
	before=$(within cat "$n")
	sleep 0.3
	[ "$(within cat "$n")" = "$before" ]
	ctr task resume "$id"
	is_task RUNNING
	until_true changed "$n" "$before"
}
changed() { [ "$(within cat "$1")" != "$2" ]; }

@test "metrics, ps, ls" {
	up
	run ctr task metrics "$id"
	ok
	has "$id"
	has memory
	run ctr task ps "$id"
	has "$(task_pid)"
	is_task RUNNING
}

@test "kill: a signal, everyone, and one that already ended" {
	up 'trap "exit 9" USR1; : >/tmp/up; while :; do sleep 0.05; done'
	until_true ctr task exec --exec-id w "$id" test -e /tmp/up
	ctr task kill -s USR1 "$id"
	until_true is_task STOPPED
	run ctr task kill "$id"
	exit_is 1
	has "process already finished"
	run ctr task rm "$id"
	has "exit code 9"
	ctr container rm "$id"
	up 'sleep 1000 & exec sleep 1000'
	until_true ps_counts 2
	ctr task kill -a -s KILL "$id"
	until_true is_task STOPPED
	run ctr task rm "$id"
	has "exit code 137"
}

@test "a user namespace" {
	run cr --rm --uidmap 0:100000:1000 --gidmap 0:100000:1000 -- "$id" sh -c 'id -u; cat /proc/self/uid_map; touch /made && stat -c %u /made'
	ok
	has 100000
	[ "${output##*$'\n'}" = 0 ]
}

@test "a network by CNI" {
	[ -x /usr/lib/cni/bridge ] || skip "containernetworking-plugins isn't installed"
	within sh -ec 'mkdir -p /etc/cni/net.d /opt/cni; ln -sfn /usr/lib/cni /opt/cni/bin; cat >/etc/cni/net.d/10-rft.conf' <<-'J'
		{ "cniVersion": "0.4.0", "name": "rft", "type": "bridge", "bridge": "rft-cni", "isGateway": true,
		  "ipam": { "type": "host-local", "subnet": "10.203.0.0/24", "dataDir": "/run/cni" } }
	J
	cr -d --cni -- "$id" sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
	address=$(ctr task exec --exec-id a "$id" ip -4 -o addr show eth0 | grep -o '10\.203\.0\.[0-9]*' | head -1)
	until_true within busybox wget -qO "$T/page" "http://$address/"
	[ "$(cat "$T/page")" = page ]
}

@test "events: of a life, and of running out of memory" {
	ctr events >"$T/events" &
	listener=$!
	until_true events_flow
	# It lives on: what the shim hears in a container's last moment may be lost.
	cr -d --memory-limit 16777216 -- "$id" sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; exec sleep 1000'
	until_true grep -q "/tasks/oom.*$id" "$T/events"
	ctr task rm -f "$id"
	until_true grep -q "/tasks/delete.*$id" "$T/events"
	within pkill -KILL -x ctr
	wait "$listener" || true
	for e in create start oom exit delete; do
		grep "/tasks/$e " "$T/events" | grep "$id" || { echo "no $e"; cat "$T/events"; return 1; }
	done
}
# The client says nothing once it listens: one asks until it hears.
events_flow() {
	ctr namespace label default rft=1
	[ -s "$T/events" ]
}

@test "a root file system of one's own" {
	run ctr run --rm --runc-binary "$RINGFENCE" --cgroup "/$cg_parent/$id" --rootfs "$W/image" "$id" /bin/echo own
	is own
}

@test "nothing of a container is left afterwards" {
	cr --rm --memory-limit 67108864 -- "$id" true
	run find /sys/fs/cgroup -mindepth 1 -maxdepth 5 -name "$id"
	is ""
	run within find /run -xdev -name "$id"
	is ""
	run within grep "$id" /proc/mounts
	[ -z "$output" ]
}

# The servers' root is everybody's: what a server writes goes to a layer of its own.
server_up() {
	need_servers
	mkdir "$W/$id" "$W/$id/up" "$W/$id/work" "$W/$id/root"
	within mount -t overlay -o "lowerdir=$servers/root,upperdir=$W/$id/up,workdir=$W/$id/work" overlay "$W/$id/root"
	ctr run -d --runc-binary "$RINGFENCE" --cgroup "/$cg_parent/$id" --memory-limit $server_memory --cpus 0.$server_cpu_ms --net-host \
		--env PATH=/usr/sbin:/usr/bin:/sbin:/bin --rootfs "$W/$id/root" "$id" sh -c "$1"
}
in_server() { ctr task exec --exec-id "e$RANDOM" "$id" "$@"; }
server_group() { echo "/sys/fs/cgroup/$1/$cg_parent/$id"; }
server_ended() { is_task STOPPED && ctr task rm "$id" 2>&1 | grep -q 'exit code 137'; }

@test "at work: PostgreSQL under pgbench" { work_postgresql; }

@test "at work: nginx under wrk from outside" {
	server_up 'exec nginx -c /srv/nginx.conf'
	until_true within busybox wget -qO /dev/null http://127.0.0.1/
	work_nginx within chroot "$servers/root" wrk -t 1 -c 16 -d 3 http://127.0.0.1/
}

@test "at work: Redis under redis-benchmark" { work_redis; }

@test "at work: a server that outgrows its memory is killed" { work_outgrows; }
