#!/usr/bin/env bats
# podman drives the runtime as root: every option of run, create, exec and the life of a container
# that ends in a call of the runtime or in its configuration. Pods, networks and building are in
# podman-pods.bats.
load engines

setup_file() { engine_up; }
teardown_file() { engine_down; }
extra_setup() { engine_ready; }
extra_teardown() { engine_clear; }

@test "run prints, and passes the exit code" {
	once $img echo hello
	is hello
	once $img sh -c 'exit 42'
	exit_is 42
	once $img sh -c 'sh -c "kill -KILL \$\$"; exit $?'
	exit_is 137
}

@test "127 and 126, as engines expect" {
	run -127 pod run --rm --net none $img no-such-program
	run -127 pod run --rm --net none $img /bin/no-such-program
	once $img /etc
	exit_is 126
	once $img /etc/passwd
	exit_is 126
	# What a failed start made is gone: the name is free again.
	run -127 pod run --name "$name" --net none $img no-such-program
	pod rm "$name"
	[ ! -e "$(echo /run/*/"$name")" ]
}

@test "standard input, with and without -i" {
	[ "$(echo through | pod run -i --rm --net none $img cat)" = through ]
	[ -z "$(echo through | pod run --rm --net none $img cat)" ]
	[ "$(head -c 3000000 /dev/zero | pod run -i --rm --net none $img wc -c)" = 3000000 ]
}

@test "standard error apart from standard output" {
	pod run --rm --net none $img sh -c 'echo out; echo err >&2' >"$T/o" 2>"$T/e"
	[ "$(cat "$T/o")" = out ]
	[ "$(cat "$T/e")" = err ]
}

@test "a terminal" {
	on_tty "$P/in" podman run -t --rm --net none $img sh -c 'test -t 0 && test -t 1 && echo is-a-tty; tty'
	has is-a-tty
	has /dev/
	on_tty "$P/in" podman run -it --rm --net none $img sh -c 'stty size; exit 9'
	exit_is 9
}

@test "--init: a small process 1 that reaps" {
	once --init $img cat /proc/1/comm
	has init
	[ "$(pod run --rm --net none --init $img sh -c 'echo $$')" != 1 ]
	once --init $img sh -c 'exit 7'
	exit_is 7
}

@test "create, start -a, init" {
	pod create --name "$name" --net none $img echo later >/dev/null
	run pod start -a "$name"
	is later
	pod create --name "$name-2" --net none $img sleep 1000 >/dev/null
	pod init "$name-2" >/dev/null
	[ "$(about '{{.State.Status}}' "$name-2")" = initialized ]
	pod start "$name-2" >/dev/null
	[ "$(about '{{.State.Status}}' "$name-2")" = running ]
}

@test "user by number and by name, further groups, environment, directory, host name, umask" {
	once --user 1000:1000 --env A=b --workdir /tmp --hostname inside $img sh -c 'echo $(id -u) $A $PWD $(hostname)'
	is "1000 b /tmp inside"
	once --user guest --group-add extra --group-add 77 $img id
	has "uid=1000(guest)"
	has "1234(extra)"
	has 77
	once --umask 0077 $img sh -c umask
	is 0077
	once --user nobody-there $img true
	[ "$status" -ne 0 ]
}

@test "--entrypoint, --env-file, --add-host, --workdir that doesn't exist" {
	printf 'ONE=1\nTWO=2 3\n' >"$T/env"
	once --entrypoint '["echo", "entry"]' --env-file "$T/env" $img more
	is "entry more"
	once --env-file "$T/env" $img sh -c 'echo $ONE-$TWO'
	is "1-2 3"
	once --add-host there:10.1.2.3 $img cat /etc/hosts
	has 10.1.2.3
	once --workdir /not/there $img true
	[ "$status" -ne 0 ]
}

@test "--rootfs: a folder in an image's place" {
	cp -a "$P/image" "$T/root"
	run pod run --rm --net none --rootfs "$T/root" /bin/sh -c 'echo from a folder; touch /made'
	is "from a folder"
	[ -e "$T/root/made" ]
}

@test "--pidfile, --cidfile, --replace, --timeout" {
	bg --pidfile "$T/pid" --cidfile "$T/cid" $img sleep 1000
	[ "$(cat "$T/pid")" = "$(about '{{.State.Pid}}')" ]
	[ "$(cat "$T/cid")" = "$(about '{{.Id}}')" ]
	bg --replace $img sleep 999
	until_true grep -q 999 "/proc/$(about '{{.State.Pid}}')/cmdline"
	run pod run --rm --net none --timeout 1 --stop-signal KILL $img sleep 1000
	[ "$status" -ne 0 ]
}

@test "volumes: rw, ro, named, of another container, a single file, nosuid" {
	mkdir "$T/v"
	once -v "$T/v:/mnt" $img sh -c 'echo in >/mnt/f'
	ok
	[ "$(cat "$T/v/f")" = in ]
	once -v "$T/v:/mnt:ro" $img sh -c 'echo x >/mnt/f'
	[ "$status" -ne 0 ]
	[ "$(cat "$T/v/f")" = in ]
	once -v "$T/v/f:/etc/one-file" $img cat /etc/one-file
	is in
	once -v "$T/v:/mnt:nosuid,nodev,noexec" $img grep ' /mnt ' /proc/self/mounts
	has nosuid
	has noexec
	bg -v "vol-$id:/data" $img sleep 1000
	pod exec "$name" sh -c 'echo kept >/data/f'
	once --volumes-from "$name" $img cat /data/f
	is kept
	pod rm -f -t 0 "$name"
	pod volume rm "vol-$id"
}

@test "volumes over a read-only root, shared and slave" {
	mkdir "$T/v"
	once --read-only -v "$T/v:/fresh/dir" $img sh -c 'echo in >/fresh/dir/f'
	ok
	once -v "$T/v:/mnt:rshared" $img grep ' /mnt ' /proc/self/mountinfo
	has shared:
	once -v "$T/v:/mnt:rslave" $img grep ' /mnt ' /proc/self/mountinfo
	ok
	once -v "$T/v:/mnt:O" $img sh -c 'echo lost >/mnt/over; cat /mnt/f'
	is in
	[ ! -e "$T/v/over" ]
}

@test "--tmpfs and --mount type=tmpfs with their sizes, --shm-size" {
	once --tmpfs /t:size=1m,mode=1777 $img sh -c 'grep " /t " /proc/mounts; stat -c %a /t'
	has size=1024k
	has 1777
	once --mount type=tmpfs,destination=/t,tmpfs-size=1m $img sh -c 'dd if=/dev/zero of=/t/f bs=64k count=100'
	[ "$status" -ne 0 ]
	once --shm-size 2m $img grep ' /dev/shm ' /proc/mounts
	has size=2048k
}

@test "--read-only" {
	once --read-only --tmpfs /tmp $img sh -c 'echo x >/tmp/f && cat /tmp/f; echo y >/y'
	has x
	has "Read-only"
	once --read-only --read-only-tmpfs=false $img touch /run/f
	[ "$status" -ne 0 ]
}

@test "--mount type=image, --mount type=devpts" {
	once --mount type=image,source=$img,destination=/other $img cat /other/etc/passwd
	has guest
	once --mount type=devpts,destination=/dev/pts $img grep devpts /proc/mounts
	has /dev/pts
}

@test "memory: the limit stands in the group and is enforced" {
	bg --memory 40m --memory-swap 40m --memory-reservation 20m $img sleep 1000
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 41943040 ]
	[ "$(limit memory memory.soft_limit_in_bytes memory.low)" = 20971520 ]
	once --memory 20m --memory-swap 20m $img sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	has "end 137"
}

@test "processor: shares, quota, set" {
	bg --cpu-shares 512 --cpu-period 50000 --cpu-quota 25000 --cpuset-cpus 0 $img sleep 1000
	[ "$(limit cpu cpu.cfs_quota_us cpu.max)" = 25000 ] || [ "$(limit cpu x cpu.max)" = "25000 50000" ]
	[ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	grep -q "^Cpus_allowed_list:.0$" "/proc/$(about '{{.State.Pid}}')/status"
	bg --replace --cpus 1.5 $img sleep 1000
	[ "$(limit cpu cpu.cfs_quota_us cpu.max)" = 150000 ] || [ "$(limit cpu x cpu.max)" = "150000 100000" ]
}

@test "processes" {
	once --pids-limit 8 $img sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait'
	has "can't fork"
}

@test "update: memory, quota and set of a running container" {
	pod update --help >/dev/null 2>&1 || skip "this podman has no update"
	bg --memory 40m $img sleep 1000
	pod update --memory 80m --cpus 0.5 --cpuset-cpus 1 "$name" >/dev/null
	[ "$(limit memory memory.limit_in_bytes memory.max)" = 83886080 ]
	[ "$(limit cpu cpu.cfs_quota_us cpu.max)" = 50000 ] || [ "$(limit cpu x cpu.max)" = "50000 100000" ]
	[ "$(limit cpuset cpuset.cpus cpuset.cpus)" = 1 ]
}

@test "--uidmap: root inside is another outside, files of the image are its own" {
	once --uidmap 0:100000:2000 --gidmap 0:100000:2000 $img sh -c 'id -u; cat /proc/self/uid_map; stat -c %u /etc/passwd'
	ok
	[ "${lines[0]}" = 0 ]
	has 100000
	[ "${lines[2]}" = 0 ]
	bg --uidmap 0:100000:2000 --gidmap 0:100000:2000 $img sleep 1000
	[ "$(stat -c %u "/proc/$(about '{{.State.Pid}}')")" = 100000 ]
	[ "$(pod exec "$name" id -u)" = 0 ]
	[ "$(pod exec --user guest "$name" id -u)" = 1000 ]
}

@test "--userns=auto, and a user namespace shared by two" {
	bg --userns=auto $img sleep 1000
	run pod exec "$name" cat /proc/self/uid_map
	has 400000
	run pod run --rm --net none --userns "container:$name" $img readlink /proc/self/ns/user
	is "$(pod exec "$name" readlink /proc/self/ns/user)"
}

@test "--privileged: all capabilities of the host, its devices, nothing masked" {
	once --privileged $img sh -c 'grep CapEff /proc/self/status; test -c /dev/null && echo null; echo >/proc/sysrq-trigger 2>&1 || :; grep Seccomp: /proc/self/status'
	ok
	has "$(awk '/^CapBnd/ { print $2 }' /proc/self/status)"
	has "Seccomp:	0"
	once --privileged $img sh -c 'mount -t tmpfs none /mnt && echo mounted'
	has mounted
	once --privileged $img grep ' /sys ' /proc/mounts
	has "rw,"
}

@test "--cap-drop, --cap-add" {
	once --cap-drop all $img grep CapEff /proc/self/status
	has 0000000000000000
	once --cap-drop all --cap-add NET_ADMIN,CHOWN $img grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status
	[ "$(grep -c 0000000000001001 <<<"$output")" = 3 ]
	once --user 1000 --cap-add NET_RAW $img grep -E 'Cap(Eff|Amb)' /proc/self/status
	ok
	once --cap-drop CHOWN $img chown 5 /etc/passwd
	[ "$status" -ne 0 ]
}

@test "no-new-privileges" {
	once --security-opt no-new-privileges $img grep NoNewPrivs /proc/self/status
	has 1
}

@test "seccomp: the default profile, none, and one of the user's own" {
	once $img grep Seccomp: /proc/self/status
	has 2
	once --security-opt seccomp=unconfined $img grep Seccomp: /proc/self/status
	has 0
	printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":71}]}' >"$T/profile"
	once --security-opt "seccomp=$T/profile" $img mkdir /tmp/d
	[ "$status" -ne 0 ]
	has "Protocol error"
}

@test "masked and read-only paths, and unmasking them" {
	once $img sh -c 'cat /proc/kcore | wc -c; echo x >/proc/sys/kernel/domainname'
	has 0
	has "Read-only"
	once --security-opt unmask=all $img grep -c /proc/kcore /proc/mounts
	has 0
	once --security-opt mask=/etc/passwd $img sh -c 'wc -c </etc/passwd'
	is 0
}

@test "--sysctl" {
	once --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=4000 $img cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax
	is $'1\n4000'
	once --sysctl kernel.no_such=1 $img true
	[ "$status" -ne 0 ]
}

@test "--device, with another name and fewer rights; a device that isn't given" {
	once --device /dev/loop-control:/dev/mine:r $img sh -c ': </dev/mine && echo reads; echo x >/dev/mine'
	has reads
	has "not permitted"
	once --cap-add MKNOD $img sh -c 'mknod /k c 1 2 && cat /k'
	has "not permitted"
	once --cap-add MKNOD --device-cgroup-rule 'c 1:5 rmw' $img sh -c 'mknod /z c 1 5 && dd if=/z bs=2 count=1 2>/dev/null | wc -c'
	is 2
}

@test "the host's namespaces, one by one" {
	local n
	for n in pid ipc uts cgroup; do
		[ "$n" = cgroup ] && once --cgroupns host $img readlink /proc/self/ns/cgroup ||
			once "--$n" host $img readlink "/proc/self/ns/$n"
		is "$(readlink "/proc/self/ns/$n")"
	done
	once --pid host $img cat "/proc/$$/comm"
	is bash
	run pod run --rm --net host $img readlink /proc/self/ns/net
	is "$("$P/in" readlink /proc/self/ns/net)"
}

@test "another container's namespaces" {
	local n
	bg --ipc shareable $img sleep 1000
	for n in pid ipc; do
		once --$n "container:$name" $img readlink /proc/self/ns/$n
		is "$(pod exec "$name" readlink /proc/self/ns/$n)"
	done
	run pod run --rm --net "container:$name" $img readlink /proc/self/ns/net
	is "$(pod exec "$name" readlink /proc/self/ns/net)"
}

@test "--cgroupns=private sees itself as the root of its group" {
	once --cgroupns private $img cat /proc/self/cgroup
	ok
	[[ $output == *":/"* ]]
	hasnt libpod
	once --cgroupns host $img cat /proc/self/cgroup
	has libpod
}

@test "--cgroup-parent" {
	bg --cgroup-parent "/libpod_parent/sub-$id" $img sleep 1000
	grep -q "/libpod_parent/sub-$id/" "/proc/$(about '{{.State.Pid}}')/cgroup"
	pod rm -f -t 0 "$name" >/dev/null
	# The parent and conmon's own group in it are podman's.
	until_true rmdir_all "sub-$id"
}

rmdir_all() { ! find /sys/fs/cgroup -depth -type d -path "*/$1*" -exec rmdir {} + 2>&1 | grep -q .; }

@test "--ulimit, --oom-score-adj" {
	once --ulimit nofile=512:1024 --ulimit nproc=100:100 $img sh -c 'ulimit -n; ulimit -Hn; ulimit -u'
	is $'512\n1024\n100'
	once --oom-score-adj 500 $img cat /proc/self/oom_score_adj
	is 500
}

@test "--personality" {
	once --personality LINUX32 $img uname -m
	is i686
}

@test "--preserve-fds" {
	echo given >"$T/f"
	run bash -c '"$0/in" podman run --rm --net none --preserve-fds 1 "$1" cat /proc/self/fd/3 3<"$2"' "$P" $img "$T/f"
	is given
	# Without it nothing beyond standard error reaches the container.
	run bash -c '"$0/in" podman run --rm --net none "$1" ls /proc/self/fd 3<"$2"' "$P" $img "$T/f"
	is $'0\n1\n2\n3'
}

@test "LISTEN_FDS reaches the container as process 1's" {
	echo given >"$T/f"
	run bash -c 'exec 3<"$2"; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0/in" podman run --rm --net none "$1" sh -c "echo \$LISTEN_FDS \$LISTEN_PID; cat <&3"' "$P" $img "$T/f"
	is $'1 1\ngiven'
}

@test "sdnotify: conmon's own, and the container's" {
	need socat
	socat -u "UNIX-RECV:$T/n" "OPEN:$T/heard,creat,append" 3>&- &
	local socat=$!
	until_true test -S "$T/n"
	NOTIFY_SOCKET=$T/n bg --sdnotify conmon $img sleep 1000
	until_true grep -q READY=1 "$T/heard"
	grep -q MAINPID= "$T/heard"
	pod rm -f -t 0 "$name" >/dev/null
	: >"$T/heard"
	# The container has no program that writes to a datagram socket: it sees the socket and its name.
	NOTIFY_SOCKET=$T/n bg --sdnotify container $img sh -c 'test -S "$NOTIFY_SOCKET" && echo has it; exec sleep 1000'
	until_true sh -c "$P/in podman logs $name | grep 'has it'"
	kill "$socat"
}

@test "exec: user, directory, environment, exit code, input, terminal" {
	bg $img sleep 1000
	run pod exec --user 1000:1000 --workdir /tmp --env A=b "$name" sh -c 'echo $(id -u) $PWD $A; exit 6'
	exit_is 6
	has "1000 /tmp b"
	[ "$(echo x | pod exec -i "$name" cat)" = x ]
	on_tty "$P/in" podman exec -t "$name" tty
	has /dev/pts
	run -127 pod exec "$name" no-such-program
	run pod exec "$name" /etc
	exit_is 126
	run -127 pod exec --workdir /not/there "$name" true
}

@test "exec -d, exec --preserve-fds, exec --privileged" {
	bg $img sleep 1000
	pod exec -d "$name" sh -c 'echo done >/tmp/by-exec; exec sleep 1000'
	until_true pod exec "$name" cat /tmp/by-exec
	echo given >"$T/f"
	run bash -c '"$0/in" podman exec --preserve-fds 1 "$1" cat /proc/self/fd/3 3<"$2"' "$P" "$name" "$T/f"
	is given
	run pod exec --privileged "$name" grep CapEff /proc/self/status
	has "$(awk '/^CapBnd/ { print $2 }' /proc/self/status)"
	run pod exec "$name" grep CapEff /proc/self/status
	hasnt "$(awk '/^CapBnd/ { print $2 }' /proc/self/status)"
}

@test "many execs at once" {
	bg $img sleep 1000
	local i pids=()
	for i in 1 2 3 4 5 6 7 8; do
		pod exec "$name" sh -c "echo $i" >"$T/e$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	[ "$(cat "$T"/e? | sort -n | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 " ]
}

@test "pause and unpause: stopped for real" {
	bg $img sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/n; done'
	until_true pod exec "$name" cat /tmp/n
	pod pause "$name" >/dev/null
	[ "$(about '{{.State.Status}}')" = paused ]
	# Whichever hierarchy froze it: it uses no time any more.
	local before
	before=$(cut -d' ' -f14,15 "/proc/$(about '{{.State.Pid}}')/stat")
	run timeout 2 "$P/in" podman pause "$name"
	[ "$(cut -d' ' -f14,15 "/proc/$(about '{{.State.Pid}}')/stat")" = "$before" ]
	run pod exec "$name" true
	[ "$status" -ne 0 ]
	pod unpause "$name" >/dev/null
	[ "$(about '{{.State.Status}}')" = running ]
	run pod exec "$name" true
	ok
}

@test "stats, top, ps" {
	bg --memory 40m $img sleep 1000
	run pod stats --no-stream --format '{{.PIDs}} {{.MemLimit}}' "$name"
	ok
	has "1 "
	has 41943040
	run pod top "$name" pid comm
	has sleep
	run pod ps --format '{{.Names}} {{.Status}}'
	has "$name Up"
}

@test "logs, kill with a signal of one's choice, wait" {
	bg $img sh -c 'trap "echo got usr1" USR1; trap "exit 4" TERM; echo up; while :; do sleep 0.05; done'
	until_true sh -c "$P/in podman logs $name | grep up"
	pod kill -s USR1 "$name" >/dev/null
	until_true sh -c "$P/in podman logs $name | grep usr1"
	pod kill -s TERM "$name" >/dev/null
	[ "$(pod wait "$name")" = 4 ]
	run pod kill "$name"
	[ "$status" -ne 0 ]
}

@test "kill, and the state it reads" {
	bg $img sleep 1000
	[ "$(about '{{.State.Status}}')" = running ]
	pod kill "$name" >/dev/null
	pod wait "$name" >/dev/null
	[ "$(about '{{.State.ExitCode}} {{.State.Status}}')" = "137 exited" ]
}

@test "restart, stop, stop by another signal, start again" {
	bg --stop-signal USR2 $img sh -c 'trap "exit 5" USR2; while :; do sleep 0.05; done'
	local was
	was=$(about '{{.State.Pid}}')
	pod restart -t 5 "$name" >/dev/null
	[ "$(about '{{.State.Pid}}')" != "$was" ]
	pod stop -t 5 "$name" >/dev/null
	[ "$(about '{{.State.ExitCode}} {{.State.Status}}')" = "5 exited" ]
	pod start "$name" >/dev/null
	[ "$(about '{{.State.Status}}')" = running ]
}

@test "--restart on-failure: as often as it is told" {
	pod run -d --name "$name" --net none --restart on-failure:2 $img sh -c 'echo life; exit 1' >/dev/null
	until_true sh -c "$P/in podman logs $name | grep -c life | grep -q 3"
	until_true sh -c "$P/in podman inspect --format '{{.State.Status}}' $name | grep -q exited"
}

@test "rm -f of a running one and of a paused one" {
	bg $img sleep 1000
	pod rm -f -t 0 "$name" >/dev/null
	bg $img sleep 1000
	pod pause "$name" >/dev/null
	pod rm -f -t 0 "$name" >/dev/null
	run pod ps -a --format '{{.Names}}'
	hasnt "$name"
}

@test "commit, cp, diff, export" {
	bg $img sh -c 'echo made >/made; exec sleep 1000'
	until_true pod exec "$name" cat /made
	pod commit -q "$name" "localhost/${id,,}:2" >/dev/null
	run pod run --rm --net none "localhost/${id,,}:2" cat /made
	is made
	echo carried >"$T/f"
	pod cp "$T/f" "$name:/carried"
	[ "$(pod exec "$name" cat /carried)" = carried ]
	pod cp "$name:/made" "$T/back"
	[ "$(cat "$T/back")" = made ]
	run pod diff "$name"
	has "A /made"
	pod export "$name" | tar -t | grep -q '^made$'
	pod rmi -f "localhost/${id,,}:2" >/dev/null
}

@test "attach: output of a running one, its exit code" {
	bg -i $img sh -c 'read line; echo "heard $line"; exit 8'
	run bash -c 'echo word | "$0/in" podman attach "$1"' "$P" "$name" 3>&-
	has "heard word"
	[ "$(pod wait "$name")" = 8 ]
}

@test "healthcheck" {
	bg --health-cmd 'test -e /tmp/well' --health-interval disable $img sleep 1000
	run pod healthcheck run "$name"
	[ "$status" -ne 0 ]
	pod exec "$name" touch /tmp/well
	run pod healthcheck run "$name"
	ok
	[ "$(about '{{.State.Health.Status}}')" = healthy ]
}

@test "hooks of a hooks folder run with the state on their input" {
	mkdir -p "$P/hooks"
	printf '#!/bin/sh\ncat >%q\n' "$T/state-seen" >"$T/hook"
	chmod 755 "$T/hook"
	jq -n --arg path "$T/hook" '{version: "1.0.0", hook: {path: $path}, when: {always: true}, stages: ["createRuntime"]}' >"$P/hooks/one.json"
	once $img true
	rm "$P/hooks/one.json"
	ok
	[ "$(jq -r .status "$T/state-seen")" = creating ] || [ "$(jq -r .status "$T/state-seen")" = created ]
	[ "$(jq -r .pid "$T/state-seen")" -gt 1 ]
}

@test "--secret, --log-driver none, --annotation, --tz" {
	echo hush >"$T/s"
	pod secret create "s-$id" "$T/s" >/dev/null
	once --secret "s-$id" $img cat "/run/secrets/s-$id"
	is hush
	pod secret rm "s-$id" >/dev/null
	once --log-driver none --annotation one=two $img echo silent
	is silent
}

@test "--cgroups=no-conmon, --cgroups=disabled" {
	once --cgroups no-conmon $img echo here
	is here
	pod run -d --name "$name" --net none --cgroups disabled $img sleep 1000 >/dev/null
	run cat "/proc/$(about '{{.State.Pid}}')/cgroup"
	hasnt "libpod-$(about '{{.Id}}')"
	run pod stop -t 0 "$name"
	ok
}

@test "blkio weight, swappiness, oom-kill-disable: set or refused, never passed over" {
	! cgroup_v2 || skip "these are of v1"
	bg --memory 40m --memory-swappiness 10 --blkio-weight 300 --oom-kill-disable $img sleep 1000
	[ "$(limit memory memory.swappiness x)" = 10 ]
	run limit memory memory.oom_control x
	has "oom_kill_disable 1"
}

@test "a program killed for want of memory leaves 137" {
	run pod run --name "$name" --net none --memory 16m --memory-swap 16m $img sh -c 'exec dd if=/dev/zero of=/dev/null bs=100M count=1'
	exit_is 137
}

@test "nothing of a container is left after rm" {
	pod run --name "$name" --net none $img true
	local full
	full=$(about '{{.Id}}')
	pod rm "$name"
	run find /sys/fs/cgroup -maxdepth 5 -name "*$full*"
	is ""
	[ ! -e "/run/ringfence/$full" ]
}

@test "podman info and version name the runtime" {
	run pod info --format '{{.Host.OCIRuntime.Path}} {{.Host.OCIRuntime.Version}}'
	ok
	has "$RINGFENCE"
	has "${RINGFENCE##*/}"
}
