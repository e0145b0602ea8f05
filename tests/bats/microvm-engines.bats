#!/usr/bin/env bats
# podman and containerd's ctr with micro-VMs: each container that they make is in a machine of its own.
# (What engines ask of a runtime is in podman.bats and containerd.bats; here: that it holds over this wall.)
load engines
load microvm-engine

setup_file() {
	engine_vm_can_run || return 0
	engine_up
	containerd_up
}
teardown_file() {
	containerd_down
	engine_down
}
extra_setup() {
	need_engine_vm
	engine_ready
}
extra_teardown() {
	engine_clear
	[ -z "${task:-}" ] || task_clear
}

logged() { pod logs "$name" | grep -q "$1"; }

# --- podman ---

@test "podman run: the guest's kernel; output, errors, exit codes" {
	once $img uname -r
	[[ $output == *-ringfence ]]
	run --separate-stderr pod run --rm --net none $img sh -c 'echo out; echo err >&2; exit 42'
	exit_is 42
	# shellcheck disable=SC2154 # bats sets it
	[ "$output $stderr" = "out err" ]
	run -127 pod run --rm --net none $img no-such-program
	run -126 pod run --rm --net none $img /etc
	[ "$(head -c 1000000 /dev/zero | pod run -i --rm --net none $img wc -c)" = 1000000 ]
}

@test "podman run -it, exec -it: a terminal and its size" {
	need script
	run script -qec "stty rows 33 cols 77; $P/in podman run -it --rm --net none $img sh -c 'tty; stty size; exit 9'" /dev/null </dev/null 3>&-
	exit_is 9
	has /dev/pts/0
	has "33 77"
	bg $img sleep 1000
	# podman tells the size once the program runs.
	run script -qec "stty rows 22 cols 66; $P/in podman exec -it $name sh -c 'tty; until stty size 2>/dev/null | grep [1-9]; do sleep 0.1; done; exit 8'" /dev/null </dev/null 3>&-
	exit_is 8
	has /dev/pts/
	has "22 66"
}

@test "podman exec: user, directory, environment, input, exit codes, detached" {
	bg $img sleep 1000
	run pod exec --user 1000:1000 --workdir /tmp --env A=b "$name" sh -c 'echo $(id -u) $PWD $A; exit 6'
	exit_is 6
	has "1000 /tmp b"
	[ "$(echo typed | pod exec -i "$name" cat)" = typed ]
	run -127 pod exec "$name" no-such-program
	pod exec -d "$name" sh -c 'echo done >/tmp/by-exec'
	soon pod exec "$name" cat /tmp/by-exec
	run pod exec "$name" uname -r
	[[ $output == *-ringfence ]]
}

@test "podman: volumes, rw, ro, named, a single file; tmpfs; a read-only root" {
	mkdir "$T/v"
	echo in >"$T/v/f"
	once --read-only --tmpfs /t:size=1m -v "$T/v:/rw" -v "$T/v:/ro:ro" -v "vol-$id:/named" -v "$T/v/f:/etc/one" $img sh -c '
		cat /rw/f /etc/one; echo out >/rw/g; echo kept >/named/f; echo t >/t/f
		for d in /ro /etc; do echo x >$d/h || echo refused; done; grep -c " /t tmpfs .*size=1024k" /proc/mounts'
	ok
	[ "$(grep -vc "Read-only file system" <<<"$output")" = 5 ]
	[ "$(grep -c "Read-only file system" <<<"$output")" = 2 ]
	[ "${lines[0]} ${lines[1]} ${lines[-1]}" = "in in 1" ]
	[ "$(cat "$T/v/g")" = out ]
	[ ! -e "$T/v/h" ]
	once -v "vol-$id:/data" $img cat /data/f
	is kept
	pod volume rm "vol-$id"
}

@test "podman: a published port, and the way out over the bridge" {
	need_netavark
	pod run -d --name "$name" -p 18080:80 -p 18081:81/udp $img httpd -f -p 80 -h /var/www >/dev/null
	in_net() { "$P/in" timeout 5 busybox wget -qO - http://127.0.0.1:18080/; }
	soon in_net
	[ "$(in_net)" = page ]
	run pod run --rm $img sh -c "ip -o -4 addr show eth0; wget -qO - http://$(about '{{.NetworkSettings.IPAddress}}')/"
	ok
	has 10.88.0.
	[ "${lines[1]}" = page ]
	# The engine reads the card's counters from outside.
	run pod stats --no-stream --format '{{.NetIO}}' "$name"
	ok
	hasnt "0B / 0B"
}

@test "podman: names are found on a network of one's own (aardvark)" {
	need_netavark
	[ -x /usr/lib/podman/aardvark-dns ] || skip "aardvark-dns isn't installed"
	pod network create --ipv6 --subnet fd77::/64 --subnet 10.77.0.0/24 "n-$id" >/dev/null
	pod run -d --name "$name" --network "n-$id" $img httpd -f -p 80 -h /var/www >/dev/null
	run pod run --rm --network "n-$id" $img sh -c "for i in 1 2 3 4 5; do timeout 3 wget -qO - http://$name/ && break; done; ip -o -6 addr show eth0"
	ok
	has page
	has "inet6 fd77::"
	pod rm -f -t 0 "$name" >/dev/null
	pod network rm "n-$id" >/dev/null
}

@test "podman: --memory and --cpus inside and outside; stats, inspect" {
	bg --memory 64m --cpus 1 $img sleep 1000
	run pod exec "$name" sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; grep -c ^processor /proc/cpuinfo'
	is $'67108864\n100000 100000\n1'
	[ "$(limit cpu x cpu.max)" = "100000 100000" ]
	[ "$(limit memory x memory.max)" -gt 67108864 ]
	run pod stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' "$name"
	ok
	[ "${lines[-1]%% *}" -gt 1 ]
	[[ ${lines[-1]} == *MB* ]]
	once --memory 32m --memory-swap 32m $img sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	has "end 137"
}

@test "podman: logs, kill with a signal, stop, wait, start again, rm -f" {
	bg $img sh -c 'trap "echo got usr1" USR1; trap "echo got term; exit 4" TERM; echo up; while :; do sleep 0.1; done'
	soon logged up
	pod kill -s USR1 "$name" >/dev/null
	soon logged usr1
	pod stop -t 30 "$name" >/dev/null
	logged "got term"
	[ "$(about '{{.State.ExitCode}} {{.State.Status}}')" = "4 exited" ]
	pod start "$name" >/dev/null
	pod kill "$name" >/dev/null
	[ "$(pod wait "$name")" = 137 ]
	pod start "$name" >/dev/null
	local p
	p=$(about '{{.State.Pid}}')
	pod rm -f -t 0 "$name" >/dev/null
	until_true gone "$p"
	[ -z "$(find /sys/fs/cgroup -maxdepth 5 -type d -name 'libpod-*' ! -name '*conmon*')" ]
}

@test "podman: pause and unpause" {
	bg $img sh -c 'while :; do :; done'
	pod pause "$name" >/dev/null
	[ "$(about '{{.State.Status}}')" = paused ]
	local before
	before=$(cut -d' ' -f14,15 "/proc/$(about '{{.State.Pid}}')/stat")
	sleep 0.5
	[ "$(cut -d' ' -f14,15 "/proc/$(about '{{.State.Pid}}')/stat")" = "$before" ]
	pod unpause "$name" >/dev/null
	run pod exec "$name" echo moves
	is moves
}

@test "podman top: by the container's own ps; its own columns are of the host, and refused" {
	bg $img sleep 1000
	run pod top "$name" -eo pid,comm
	ok
	has sleep
	run pod top "$name" pid comm
	[ "$status" -ne 0 ]
}

@test "podman --init: a small process 1, from the host" {
	command -v catatonit >/dev/null || [ -x /usr/libexec/podman/catatonit ] || skip "catatonit isn't installed"
	once --init $img sh -c 'cat /proc/1/comm; echo $$; exit 7'
	exit_is 7
	has init
	[ "${lines[1]}" != 1 ]
}

@test "podman: attach, --rootfs, host name, sysctl, capabilities" {
	bg -i $img sh -c 'read line; echo "heard $line"; exit 8'
	run bash -c 'echo word | "$0/in" podman attach "$1"' "$P" "$name" 3>&-
	has "heard word"
	[ "$(pod wait "$name")" = 8 ]
	cp -a "$P/image" "$T/root"
	run pod run --rm --net none --hostname inside --sysctl net.ipv4.ip_forward=1 --cap-drop all --cap-add CHOWN \
		--rootfs "$T/root" /bin/sh -c 'hostname; cat /proc/sys/net/ipv4/ip_forward; grep CapEff /proc/self/status; touch /made'
	ok
	[ "${lines[0]} ${lines[1]}" = "inside 1" ]
	has 0000000000000001
	[ -e "$T/root/made" ]
}

# --- containerd ---

image=localhost/rft:1
ctr() { "$P/in" ctr -a "$P/ctr.sock" "$@" 3>&-; }

containerd_up() {
	command -v containerd >/dev/null && command -v ctr >/dev/null || return 0
	cat >"$P/containerd.toml" <<-C
		version = 2
		root = "$P/ctr.root"
		state = "$P/ctr.state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		address = "$P/ctr.sock"
	C
	setsid "$P/in" containerd -c "$P/containerd.toml" >"$P/containerd.log" 2>&1 3>&- &
	echo $! >"$P/containerd.pid"
	soon ctr version
	pod save -q --format docker-archive -o "$P/image.docker.tar" $img
	ctr image import "$P/image.docker.tar" >"$P/containerd.import" 2>&1 || cat "$P/containerd.import"
}
containerd_down() {
	[ -s "${P:-}/containerd.pid" ] || return 0
	kill "$(cat "$P/containerd.pid")"
	until_true gone "$(cat "$P/containerd.pid")"
	umount -l "$P/ctr.state" 2>/dev/null || true
}
need_ctr() {
	need containerd
	need ctr
	task=$id
}
task_clear() {
	{
		if ctr task kill -s KILL "$task"; then
			soon ctr_stopped
			ctr task rm -f "$task"
		fi
		ctr container rm "$task"
	} >/dev/null 2>&1 || true
}
cr() {
	local o=()
	while [ "$1" != -- ]; do o+=("$1"); shift; done
	shift
	ctr run --runc-binary "$RINGFENCE" "${o[@]}" $image "$@"
}
is_task() { [ "$(ctr task ls | awk -v c="$id" '$1 == c { print $3 }')" = "$1" ]; }
ctr_stopped() { is_task STOPPED; }

@test "ctr run: the guest's kernel, exit code, no such program, a terminal" {
	need_ctr
	run cr --rm -- "$id" uname -r
	[[ $output == *-ringfence ]]
	run cr --rm -- "$id" sh -c 'exit 42'
	exit_is 42
	run cr --rm -- "$id" no-such-program
	exit_is 1
	has "executable file not found"
	run script -qec "$P/in ctr -a $P/ctr.sock run --runc-binary $RINGFENCE --rm -t $image $id tty" /dev/null </dev/null 3>&-
	ok
	has /dev/pts/0
}

@test "ctr run -d with limits and a volume; exec, ps, pause, resume, kill, rm" {
	need_ctr
	mkdir "$T/v"
	echo in >"$T/v/f"
	cr -d --memory-limit 67108864 --cpus 1 --mount "type=bind,src=$T/v,dst=/mnt,options=rbind:ro" -- "$id" sleep 1000
	is_task RUNNING
	run ctr task exec --exec-id e1 "$id" sh -c 'cat /mnt/f; echo x >/mnt/f; grep -c ^processor /proc/cpuinfo; exit 6'
	exit_is 6
	has "Read-only"
	[ "${lines[0]} ${lines[-1]}" = "in 1" ]
	run script -qec "$P/in ctr -a $P/ctr.sock task exec -t --exec-id e2 $id tty" /dev/null </dev/null 3>&-
	ok
	has /dev/pts/
	run ctr task ps "$id"
	ok
	run ctr task metrics "$id"
	ok
	has memory.usage
	ctr task pause "$id"
	is_task PAUSED
	ctr task resume "$id"
	is_task RUNNING
	ctr task kill -s TERM "$id"
	ctr task kill -s KILL "$id"
	soon ctr_stopped
	ctr task rm "$id" || true
	ctr container rm "$id"
	[ -z "$(ctr task ls -q)" ]
}
