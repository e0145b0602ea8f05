#!/usr/bin/env bats
# podman beyond one container: networks, pods, Kubernetes' documents, building.
load engines

setup_file() {
	engine_up
	[ -z "${P:-}" ] || engine_infra
}
teardown_file() { engine_down; }
extra_setup() { engine_ready; }
extra_teardown() {
	[ -n "${name:-}" ] || return 0
	pod pod rm -f -t 0 "p-$id" >/dev/null 2>&1 || true
	engine_clear
	pod network rm -f "n-$id" >/dev/null 2>&1 || true
}
in_net() { nsenter --net="/run/netns/$netns" timeout 2 busybox wget -qO "$T/page" "$1"; }

@test "network: a bridge, an address and a published port of two containers" {
	need_netavark
	run pod run --rm --ip 10.88.0.77 $img sh -c 'ip -o -4 addr show eth0; ip route'
	has 10.88.0.77
	has "default via"
	pod run -d --name "$name" -p 18080:80 $img httpd -f -p 80 -h /var/www >/dev/null
	pod run -d --name "$name-2" -p 127.0.0.1:18081:80 $img httpd -f -p 80 -h /var/www >/dev/null
	until_true in_net http://127.0.0.1:18080/
	[ "$(cat "$T/page")" = page ]
	until_true in_net http://127.0.0.1:18081/
}

@test "network: names are found on a network of one's own (aardvark)" {
	need_netavark
	[ -x /usr/lib/podman/aardvark-dns ] || skip "aardvark-dns isn't installed"
	pod network create "n-$id" >/dev/null
	pod run -d --name "$name" --network "n-$id" $img httpd -f -p 80 -h /var/www >/dev/null
	until_true "$P/in" podman run --rm --network "n-$id" $img timeout 2 wget -qO - "http://$name/"
}

@test "a pod: network, ipc and uts are shared, mounts and pids aren't" {
	need_netavark
	pod pod create --name "p-$id" --hostname together -p 18082:80 >/dev/null
	pod run -d --pod "p-$id" --name "$name" $img httpd -f -p 80 -h /var/www >/dev/null
	until_true in_net http://127.0.0.1:18082/
	run pod run --rm --pod "p-$id" $img sh -c 'wget -qO - http://127.0.0.1/; hostname; for n in net ipc uts mnt pid; do readlink /proc/self/ns/$n; done'
	[ "${lines[0]}" = page ]
	[ "${lines[1]}" = together ]
	local n i=2
	for n in net ipc uts; do [ "${lines[$((i++))]}" = "$(pod exec "$name" readlink "/proc/self/ns/$n")" ]; done
	for n in mnt pid; do [ "${lines[$((i++))]}" != "$(pod exec "$name" readlink "/proc/self/ns/$n")" ]; done
}

@test "a pod is paused, thawed, stopped, started, removed as one" {
	pod pod create --name "p-$id" --network none >/dev/null
	pod run -d --pod "p-$id" --name "$name" $img sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done' >/dev/null
	pod pod pause "p-$id" >/dev/null
	[ "$(about '{{.State.Status}}')" = paused ]
	pod pod unpause "p-$id" >/dev/null
	pod pod stop -t 2 "p-$id" >/dev/null
	[ "$(about '{{.State.Status}}')" = exited ]
	pod pod start "p-$id" >/dev/null
	[ "$(about '{{.State.Status}}')" = running ]
	pod pod rm -f -t 0 "p-$id" >/dev/null
}

@test "kube play: two containers, a volume, limits, a user, no capabilities; then down" {
	local one=p-${id,,}-one two=p-${id,,}-two
	cat >"$T/kube.yaml" <<-Y
		apiVersion: v1
		kind: Pod
		metadata: {name: "p-${id,,}"}
		spec:
		  hostNetwork: true
		  restartPolicy: Never
		  containers:
		  - name: one
		    image: $img
		    command: ["sleep", "1000"]
		    resources: {limits: {memory: 50Mi, cpu: 500m}}
		    securityContext: {runAsUser: 1000, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
		    volumeMounts: [{name: scratch, mountPath: /scratch}]
		  - name: two
		    image: $img
		    command: ["sleep", "1000"]
		    volumeMounts: [{name: scratch, mountPath: /scratch}]
		  volumes:
		  - name: scratch
		    hostPath: {path: $T/scratch, type: DirectoryOrCreate}
	Y
	pod kube play "$T/kube.yaml" >"$T/out" 2>&1 || { cat "$T/out"; false; }
	[ "$(pod exec "$one" id -u)" = 1000 ]
	run pod exec "$one" grep CapEff /proc/self/status
	has 0000000000000000
	pod exec "$two" sh -c 'echo shared >/scratch/f'
	[ "$(pod exec "$one" cat /scratch/f)" = shared ]
	[ "$(limit memory memory.limit_in_bytes memory.max "$one")" = 52428800 ]
	pod kube down "$T/kube.yaml" >"$T/out" 2>&1 || { cat "$T/out"; false; }
}

@test "build: RUN, USER, ARG, a failing RUN" {
	printf 'FROM %s\nARG WHO=nobody\nRUN echo "hi $WHO" >/greeting\nUSER guest\nRUN id -u >/tmp/me\nCMD ["cat", "/greeting", "/tmp/me"]\n' $img >"$T/Dockerfile"
	run pod build --isolation oci --network none --build-arg WHO=you -q -t "localhost/${id,,}" "$T"
	ok
	once "localhost/${id,,}"
	is $'hi you\n1000'
	pod rmi -f "localhost/${id,,}" >/dev/null
	printf 'FROM %s\nRUN exit 3\n' $img >"$T/Dockerfile"
	run pod build --isolation oci --network none -q "$T"
	has "exit status 3"
}

# --- single containers, beyond podman.bats ---

@test "--userns=auto, and a user namespace shared by two" {
	bg --userns=auto $img sleep 1000
	run pod exec "$name" cat /proc/self/uid_map
	has 400000
	once --userns "container:$name" $img readlink /proc/self/ns/user
	is "$(pod exec "$name" readlink /proc/self/ns/user)"
}

@test "--mount type=image, an overlay volume, --tmpfs with a mode" {
	once --mount type=image,source=$img,destination=/other $img cat /other/etc/passwd
	has guest
	mkdir "$T/v"
	echo in >"$T/v/f"
	once -v "$T/v:/mnt:O" $img sh -c 'echo lost >/mnt/over; cat /mnt/f'
	is in
	[ ! -e "$T/v/over" ]
	once --tmpfs /t:size=1m,mode=1777 $img stat -c %a /t
	is 1777
}

@test "limits stand in the group, and update changes them" {
	bg --memory 40m --cpu-quota 25000 --cpu-period 50000 --cpuset-cpus 0 $img sleep 1000
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 41943040 ]
	[ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	pod update --help >/dev/null 2>&1 || return 0
	pod update --memory 80m --cpuset-cpus 1 "$name" >/dev/null
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 83886080 ]
	[ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 1 ]
}

@test "--preserve-fds, LISTEN_FDS" {
	echo given >"$T/f"
	run bash -c '"$0/in" podman run --rm --net none --preserve-fds 1 "$1" cat /proc/self/fd/3 3<"$2"' "$P" $img "$T/f"
	is given
	run bash -c 'exec 3<"$2"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0/in" podman run --rm --net none "$1" sh -c "echo \$LISTEN_FDS \$LISTEN_PID; cat <&3"' "$P" $img "$T/f"
	is $'1 1\ngiven'
}

@test "exec: user, terminal, detached, privileged, 127 and 126" {
	bg $img sleep 1000
	run pod exec --user 1000:1000 --workdir /tmp --env A=b "$name" sh -c 'echo $(id -u) $PWD $A; exit 6'
	exit_is 6
	has "1000 /tmp b"
	on_tty "$P/in" podman exec -t "$name" tty
	has /dev/pts
	pod exec -d "$name" touch /tmp/by-exec
	until_true pod exec "$name" test -e /tmp/by-exec
	run pod exec --privileged "$name" grep CapEff /proc/self/status
	has "$(awk '/^CapBnd/ { print $2 }' /proc/self/status)"
	run -127 pod exec "$name" no-such-program
	run pod exec "$name" /etc
	exit_is 126
}

@test "seccomp of one's own, sysctl, device, ulimit, personality, oom score" {
	printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":71}]}' >"$T/profile"
	once --security-opt "seccomp=$T/profile" $img mkdir /tmp/d
	has "Protocol error"
	once --sysctl kernel.msgmax=4000 --ulimit nofile=512:1024 --ulimit nproc=100:100 --oom-score-adj 500 --personality LINUX32 \
		$img sh -c 'cat /proc/sys/kernel/msgmax; ulimit -n; cat /proc/self/oom_score_adj; uname -m'
	is $'4000\n512\n500\ni686'
	once --device /dev/loop-control:/dev/mine:r $img sh -c ': </dev/mine && echo reads; echo x >/dev/mine'
	has reads
	has "not permitted"
}

@test "commit, cp, stats, top, healthcheck, restart, --cgroups=disabled" {
	bg $img sleep 1000
	pod exec "$name" sh -c 'echo made >/made'
	pod commit -q "$name" "localhost/${id,,}:2" >/dev/null
	once "localhost/${id,,}:2" cat /made
	is made
	pod rmi -f "localhost/${id,,}:2" >/dev/null
	pod cp "$name:/made" "$T/back"
	[ "$(cat "$T/back")" = made ]
	run pod stats --no-stream --format '{{.PIDs}}' "$name"
	is 1
	run pod top "$name" comm
	has sleep
	pod restart -t 0 "$name" >/dev/null
	[ "$(about '{{.State.Status}}')" = running ]
	pod run -d --name "$name-2" --net none --cgroups disabled --health-cmd 'true' --health-interval disable $img sleep 1000 >/dev/null
	run pod healthcheck run "$name-2"
	ok
}
