#!/usr/bin/env bats
# Docker with this runtime as its default: lives, terminals, users, mounts, networks, limits, exec,
# builds by both builders, and servers at work under limits that hold.
load helpers
load engines-docker
load servers
load docker

setup_file() {
	engine_can_run || return 0
	docker_up
	if servers=$(servers_root); then
		docker import "$servers/root.tar" servers:1
		export servers
	fi
}
teardown_file() { docker_down; }

# A name for images: those are in small letters.
extra_setup() { img=${id,,}:1; }

# cg CONTROLLER FILE: of the container's group.
cg() {
	local p
	p=$(within cat "/proc/$(what .State.Pid)/cgroup" | awk -F: -v c="$1" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print $3 }')
	if cgroup_v2; then cat "/sys/fs/cgroup$p/$2"; else cat "/sys/fs/cgroup/$1$p/$2"; fi
}
on_v1() { ! cgroup_v2 || skip "names of v1's files"; }

@test "docker run: output, exit code, 127, 126" {
	run docker run --rm bb:1 echo hello
	is hello
	run docker run --rm bb:1 sh -c 'exit 42'
	exit_is 42
	run -127 docker run --rm bb:1 no-such-program
	has "executable file not found"
	run -126 docker run --rm bb:1 /etc
	has "permission denied"
}

@test "the daemon knows the runtime and its version" {
	run docker info -f '{{.DefaultRuntime}}'
	is rut
	run grep -i "failed.*version\|unknown.*runtime" "$W/dockerd.log"
	[ -z "$output" ] || { echo "$output"; false; }
}

@test "docker run -t: a terminal" {
	need script
	run script -qec "$(declare -f within docker); docker run --rm -it bb:1 tty" /dev/null </dev/null
	has /dev/pts/0
}

@test "docker run -i: standard input" {
	[ "$(echo through | docker run --rm -i bb:1 cat)" = through ]
}

@test "docker run --init" {
	run docker run --rm --init bb:1 cat /proc/1/comm
	is docker-init
}

@test "user, groups, working directory, environment, host name" {
	run docker run --rm -u 1000:1000 --group-add 77 -w /tmp -e A=b -h inside bb:1 sh -c 'echo $(id -u) $(id -G) $PWD $A $(hostname)'
	is "1000 1000 77 /tmp b inside"
	run docker run --rm -u guest bb:1 id -un
	is guest
}

@test "--read-only with --tmpfs" {
	run docker run --rm --read-only --tmpfs /tmp:size=1m bb:1 sh -c 'echo x >/tmp/f && cat /tmp/f; echo y >/y'
	exit_is 1
	has "Read-only"
	run docker run --rm --tmpfs /tmp:size=1m bb:1 dd if=/dev/zero of=/tmp/f bs=1M count=3
	exit_is 1
	has "No space"
}

@test "volumes: of the host, read-only, named, a file alone" {
	mkdir "$T/v"
	run docker run --rm -v "$T/v:/mnt" bb:1 sh -c 'echo in >/mnt/f'
	ok
	[ "$(cat "$T/v/f")" = in ]
	run docker run --rm -v "$T/v:/mnt:ro" bb:1 sh -c 'echo x >/mnt/f'
	exit_is 1
	run docker run --rm -v "$T/v/f:/etc/one" bb:1 cat /etc/one
	is in
	docker volume create "$id" >/dev/null
	docker run --rm -v "$id:/mnt" bb:1 sh -c 'echo named >/mnt/f'
	run docker run --rm -v "$id:/mnt" bb:1 cat /mnt/f
	docker volume rm "$id"
	is named
}

@test "network: none has lo alone, host has the world's" {
	run docker run --rm --net none bb:1 ls /sys/class/net
	is lo
	run docker run --rm --net host bb:1 ls /sys/class/net
	has docker0
}

@test "network: a published port of a bridge" {
	up -p 18081:80 bb:1 sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
	until_true within busybox wget -qO "$T/page" http://127.0.0.1:18081/
	[ "$(cat "$T/page")" = page ]
}

@test "network: names on a user's network, and a joined one" {
	docker network create "$id" >/dev/null
	up --net "$id" --network-alias srv bb:1 sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
	until_true docker run --rm --net "$id" bb:1 wget -qO- http://srv/
	run docker run --rm --net "$id" bb:1 wget -qO- http://srv/
	is page
	run docker run --rm --net "container:$id" bb:1 wget -qO- http://127.0.0.1/
	is page
	docker rm -f "$id" >/dev/null
	docker network rm "$id"
}

@test "limits stand in the group, and docker update changes them" {
	on_v1
	up --memory 64m --memory-swap 64m --cpus 0.5 --pids-limit 20 --cpuset-cpus 0 --cpu-shares 512 bb:1 sleep 1000
	[ "$(cg memory memory.limit_in_bytes) $(cg cpu cpu.cfs_quota_us) $(cg cpu cpu.shares)" = "67108864 50000 512" ]
	[ "$(cg pids pids.max) $(cg cpuset cpuset.cpus)" = "20 0" ]
	docker update --memory 80m --memory-swap 80m --cpus 0.7 --pids-limit 30 "$id"
	[ "$(cg memory memory.limit_in_bytes) $(cg cpu cpu.cfs_quota_us) $(cg pids pids.max)" = "83886080 70000 30" ]
	# What the update didn't name is as it was.
	[ "$(cg cpu cpu.shares) $(cg cpuset cpuset.cpus)" = "512 0" ]
}

@test "limits hold: memory, processes, processors" {
	run docker run --rm --memory 20m --memory-swap 20m bb:1 sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	has "end 137"
	run docker run --rm --pids-limit 8 bb:1 sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; wait'
	has "can't fork"
	run docker run --rm --cpuset-cpus 0 bb:1 grep Cpus_allowed_list /proc/self/status
	has "	0"
	# A quarter of a processor for a second of wall time.
	run docker run --rm --cpus 0.25 bb:1 sh -c 'timeout 1 sh -c "while :; do :; done"; awk "/nr_throttled/ { print (\$2 > 3) ? \"held\" : \"free \" \$2 }" /sys/fs/cgroup/cpu/cpu.stat /sys/fs/cgroup/cpu.stat 2>/dev/null'
	has held
}

@test "capabilities, no-new-privileges" {
	run docker run --rm --cap-drop all --security-opt no-new-privileges bb:1 grep -E 'CapEff|NoNewPrivs' /proc/self/status
	has 0000000000000000
	has "NoNewPrivs:	1"
	run docker run --rm --cap-add net_admin bb:1 ip link add rft0 type bridge
	ok
	run docker run --rm bb:1 ip link add rft0 type bridge
	exit_is 2
}

@test "seccomp: the default profile, none, and one's own" {
	run docker run --rm bb:1 grep Seccomp: /proc/self/status
	has 2
	run docker run --rm --security-opt seccomp=unconfined bb:1 grep Seccomp: /proc/self/status
	has 0
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}' >"$W/profile.json"
	run docker run --rm --security-opt "seccomp=$W/profile.json" bb:1 mkdir /d
	exit_is 1
	has "not permitted"
}

@test "masked and read-only paths, and --privileged" {
	run docker run --rm bb:1 sh -c 'echo 1 >/proc/sys/vm/panic_on_oom'
	exit_is 1
	has "Read-only"
	run docker run --rm bb:1 sh -c 'cat /proc/timer_list /proc/keys | wc -c'
	is 0
	run docker run --rm --privileged bb:1 sh -c 'mount -t tmpfs t /mnt && test -c /dev/kmsg -o -c /dev/zero && echo free'
	is free
}

@test "sysctl, device, ulimit, oom-score-adj, shm-size" {
	run docker run --rm --sysctl net.ipv4.ip_forward=0 --sysctl kernel.shmmax=12345678 bb:1 cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax
	is $'0\n12345678'
	mknod "$W/fuse" c 10 229
	run docker run --rm --device "$W/fuse:/dev/other:r" bb:1 sh -c 'exec 3</dev/other && ! (exec 3<>/dev/other) 2>/dev/null && echo read-only'
	is read-only
	run docker run --rm --ulimit nofile=1000:2000 bb:1 sh -c 'ulimit -n; ulimit -Hn'
	is $'1000\n2000'
	run docker run --rm --oom-score-adj 500 bb:1 cat /proc/self/oom_score_adj
	is 500
	run docker run --rm --shm-size 3m bb:1 sh -c 'df -m /dev/shm | tail -1'
	has " 3 "
}

@test "the host's namespaces, and another container's" {
	run docker run --rm --pid host bb:1 cat /proc/1/comm
	is catatonit
	run docker run --rm --uts host --ipc host bb:1 hostname
	is "$(within hostname)"
	up bb:1 sleep 1000
	run docker run --rm --pid "container:$id" bb:1 cat /proc/1/comm
	is sleep
	up_cgroupns=$(docker run --rm --cgroupns private bb:1 cat /proc/self/cgroup)
	[[ $up_cgroupns != *docker* && $up_cgroupns == *:/ ]]
}

@test "exec: output, exit code, user, directory, environment, standard input" {
	up bb:1 sleep 1000
	run docker exec "$id" sh -c 'echo in; exit 6'
	exit_is 6
	has in
	run docker exec -u guest -w /tmp -e A=b "$id" sh -c 'echo $(id -u) $PWD $A'
	is "1000 /tmp b"
	[ "$(echo through | docker exec -i "$id" cat)" = through ]
	# This client says 126 for both.
	run docker exec "$id" no-such-program
	exit_is 126
	has "executable file not found"
	run docker exec "$id" /etc
	exit_is 126
	has "permission denied"
	run docker exec --privileged "$id" id -u
	is 0
}

@test "exec: a terminal, detached" {
	need script
	up bb:1 sleep 1000
	run script -qec "$(declare -f within docker); docker exec -it $id sh -c 'tty; stty size'" /dev/null </dev/null
	has /dev/pts/
	docker exec -d "$id" sh -c 'echo ready >/tmp/f; exec sleep 1000'
	until_true docker exec "$id" grep ready /tmp/f
	run docker top "$id"
	[ "$(grep -c 'sleep 1000' <<<"$output")" = 2 ]
}

@test "pause and unpause" {
	up bb:1 sh -c 'while :; do echo x; sleep 0.05; done'
	docker pause "$id"
	[ "$(what .State.Status)" = paused ]
	[ "$(docker logs "$id" | wc -l)" = "$(sleep 0.2; docker logs "$id" | wc -l)" ]
	run docker exec "$id" true
	exit_is 1
	has "paused"
	docker unpause "$id"
	[ "$(what .State.Status)" = running ]
	said=$(docker logs "$id" | wc -l)
	until_true more_lines "$said"
}
more_lines() { [ "$(docker logs "$id" | wc -l)" -gt "$1" ]; }

@test "stats, top, logs" {
	up --memory 64m bb:1 sh -c 'echo up; exec sleep 1000'
	run docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$id"
	has "64MiB 1"
	run docker top "$id" -o pid,comm
	has sleep
	until_true logs_have up
}
logs_have() { docker logs "$id" | grep -q "$1"; }

@test "kill, wait, restart, start" {
	up bb:1 sh -c 'trap "exit 9" USR1; echo up; while :; do sleep 0.05; done'
	docker wait "$id" >"$T/code" &
	waiter=$!
	until_true logs_have up
	docker kill -s USR1 "$id"
	wait "$waiter"
	[ "$(cat "$T/code")" = 9 ]
	docker start "$id"
	before=$(what .State.StartedAt)
	docker restart -t 0 "$id"
	[ "$(what .State.Status)" = running ]
	[ "$(what .State.StartedAt)" != "$before" ]
	docker kill "$id"
	[ "$(docker wait "$id")" = 137 ]
}

@test "stop: in time, and by force" {
	up bb:1 sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done'
	until_true logs_have up
	docker stop -t 5 "$id"
	[ "$(what .State.ExitCode)" = 5 ]
	docker rm "$id"
	up bb:1 sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done'
	until_true logs_have up
	docker stop -t 1 "$id"
	[ "$(what .State.ExitCode)" = 137 ]
}

@test "a restart policy starts it again" {
	docker run -d --name "$id" --restart on-failure:2 bb:1 sh -c 'echo run; exit 3' >/dev/null
	until_true logs_have run
	until_true restarted 2
	until_true ended
	[ "$(docker logs "$id" | grep -c run)" = 3 ]
}
restarted() { [ "$(what .RestartCount)" = "$1" ]; }
ended() { [ "$(what .State.Status)" = exited ]; }

@test "commit, cp, diff, attach" {
	need script
	up -i bb:1 sh -c 'echo made >/root/f; read -r line; echo "got $line"; exit 3'
	until_true docker exec "$id" grep -q made /root/f
	docker commit "$id" "$img" >/dev/null
	run docker run --rm "$img" cat /root/f
	is made
	docker rmi "$img" >/dev/null
	echo from-outside >"$T/in"
	docker cp "$T/in" "$id:/root/in"
	run docker exec "$id" cat /root/in
	is from-outside
	docker cp "$id:/root/f" "$T/out"
	[ "$(cat "$T/out")" = made ]
	run docker diff "$id"
	has "A /root/f"
	run docker attach "$id" <<<"to the first process"
	exit_is 3
	until_true logs_have "got to the first process"
}

@test "a health check" {
	up --health-cmd 'test -e /tmp/well' --health-interval 200ms --health-retries 1 bb:1 sleep 1000
	until_true is_health unhealthy
	docker exec "$id" touch /tmp/well
	until_true is_health healthy
}
is_health() { [ "$(what .State.Health.Status)" = "$1" ]; }

@test "out of memory ends it with 137" {
	docker run --name "$id" --memory 16m --memory-swap 16m bb:1 dd if=/dev/zero of=/dev/null bs=100M count=1 || true
	[ "$(what .State.ExitCode)" = 137 ]
}

@test "events of a life" {
	since=$(date +%s)
	docker run --name "$id" bb:1 true
	docker rm "$id" >/dev/null
	run docker events --since "$since" --until "$(($(date +%s) + 1))" --filter "container=$id" --format '{{.Action}}'
	for e in create start die destroy; do has "$e"; done
}

@test "docker build: RUN under the classic builder" {
	mkdir "$T/c"
	printf 'FROM bb:1\nRUN echo built >/f && test "$(id -u)" = 0\nUSER guest\nRUN id -un >/tmp/u\n' >"$T/c/Dockerfile"
	within env DOCKER_BUILDKIT=0 /usr/bin/docker build -q -t "$img" "$T/c"
	run docker run --rm "$img" cat /f /tmp/u
	docker rmi "$img" >/dev/null
	is $'built\nguest'
}

@test "docker build: RUN under BuildKit" {
	mkdir "$T/c"
	printf 'FROM bb:1\nRUN echo built >/f && test "$(id -u)" = 0\nUSER guest\nRUN id -un >/tmp/u\n' >"$T/c/Dockerfile"
	run within env DOCKER_BUILDKIT=1 /usr/bin/docker build --progress plain -t "$img" "$T/c"
	ok
	has "exporting to image"
	run docker run --rm "$img" cat /f /tmp/u
	docker rmi "$img" >/dev/null
	is $'built\nguest'
	printf 'FROM bb:1\nRUN exit 7\n' >"$T/c/Dockerfile"
	run within env DOCKER_BUILDKIT=1 /usr/bin/docker build --progress plain "$T/c"
	exit_is 1
	has "exit code: 7"
}

@test "nothing of a container is left after rm" {
	docker run --name "$id" --memory 64m bb:1 true
	full=$(what .Id)
	docker rm "$id" >/dev/null
	no_trace_of "$full"
}

server_up() {
	need_servers
	up --memory $server_memory --memory-swap $server_memory --cpus 0.$server_cpu_ms --pids-limit 64 --cpuset-cpus 0 servers:1 sh -c "$1"
	[ "$(cg pids pids.max) $(cg cpuset cpuset.cpus)" = "64 0" ]
}
in_server() { docker exec "$id" "$@"; }
server_group() { echo "/sys/fs/cgroup/$1/$cg_parent/$(what .Id)"; }
server_ended() { [ "$(what .State.ExitCode) $(what .State.Status)" = "137 exited" ]; }

@test "at work: PostgreSQL under pgbench" { work_postgresql; }

@test "at work: nginx under wrk in another container" {
	server_up 'exec nginx -c /srv/nginx.conf'
	address=$(what .NetworkSettings.IPAddress)
	until_true within busybox wget -qO /dev/null "http://$address/"
	work_nginx docker run --rm servers:1 wrk -t 1 -c 16 -d 3 "http://$address/"
}

@test "at work: Redis under redis-benchmark" { work_redis; }

@test "at work: a server that outgrows its memory is killed" { work_outgrows; }
