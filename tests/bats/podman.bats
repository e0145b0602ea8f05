#!/usr/bin/env bats
# podman drives the runtime: run, exec, stop, limits, volumes.
#
# Storage and configuration are private to this file; the whole of podman runs in
# a mount namespace of its own, so nothing of it reaches the host's mounts.
load helpers

setup_file() {
	command -v podman >/dev/null || skip "podman isn't installed"
	local top rt=${RINGFENCE:-}
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	rt=${rt:-$top/ringfence}
	export P=$BATS_FILE_TMPDIR
	mkdir -p "$P"/{storage,run,tmp,bb/bin,home} "$P"/bb/{proc,sys,dev,tmp,run,etc,mnt}
	cp "$(command -v busybox)" "$P/bb/bin/busybox"
	for a in sh cat echo id sleep hostname ls wc head dd grep env mount readlink kill; do ln -s busybox "$P/bb/bin/$a"; done
	echo 'root:x:0:0:root:/:/bin/sh' >"$P/bb/etc/passwd"
	tar -C "$P/bb" -cf "$P/bb.tar" .
	cat >"$P/containers.conf" <<-C
		[containers]
		default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
		netns = "none"
		log_driver = "k8s-file"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "$(realpath "$(command -v "$rt")")"
		tmp_dir = "$P/tmp"
	C
	cat >"$P/storage.conf" <<-C
		[storage]
		driver = "vfs"
		graphroot = "$P/storage"
		runroot = "$P/run"
	C
	echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$P/policy.json"
	# The view stays as long as this process; every podman enters it.
	cat >"$P/view" <<-'V'
		mount --make-rprivate /
		if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then
			# podman would make folders for controllers that /proc/cgroups names and nobody mounted.
			while read -r name hier rest; do
				case $name in
				'#'*) echo "$name $hier $rest" ;;
				*) [ ! -d "/sys/fs/cgroup/$name" ] || [ "$hier" = 0 ] || echo "$name $hier $rest" ;;
				esac
			done </proc/cgroups | tr ' ' '\t' >"$P/proc_cgroups"
			: >"$P/empty"
			mount --bind "$P/proc_cgroups" /proc/cgroups
			[ ! -e /sys/fs/cgroup/unified/cgroup.controllers ] || mount --bind "$P/empty" /sys/fs/cgroup/unified/cgroup.controllers
		fi
		echo ready >"$P/ready"
		exec sleep 3600
	V
	unshare -m bash "$P/view" 3>&- >/dev/null 2>"$P/view.err" &
	echo $! >"$P/view.pid"
	for _ in $(seq 100); do
		[ -s "$P/ready" ] && break
		sleep 0.05
	done
	pm import --change 'ENV PATH=/bin' --change 'CMD ["/bin/sh"]' "$P/bb.tar" localhost/bb:1 >"$P/import.log" 2>&1 || {
		cat "$P/import.log" "$P/view.err" >&2
		return 1
	}
}

teardown_file() {
	[ -s "$P/view.pid" ] || return 0
	pm rm -af -t 0 >/dev/null 2>&1 || true
	kill "$(cat "$P/view.pid")" 2>/dev/null || true
}

# No bundle of our own here, but the same look at the host.
setup() {
	[ "$RF_VIEW" != v2 ] || skip "podman on a v2 machine needs controllers that the v2 view lacks"
	T=$(mktemp -d "${TMPDIR:-/tmp}/rft.XXXXXX")
	id=rft-${T##*.}
	host_before=$(host_snapshot)
}

teardown() {
	[ -n "${T:-}" ] || return 0
	pm rm -af -t 0 >/dev/null 2>&1 || true
	local after
	after=$(host_snapshot)
	rm -rf "$T"
	[ "$after" = "$host_before" ] || { diff <(echo "$host_before") <(echo "$after"); return 1; }
}

pm() {
	HOME=$P/home CONTAINERS_CONF=$P/containers.conf CONTAINERS_STORAGE_CONF=$P/storage.conf \
		nsenter --mount="/proc/$(cat "$P/view.pid")/ns/mnt" podman --log-level error "$@" 3>&-
}

@test "podman run prints and passes the exit code" {
	run pm run --rm localhost/bb:1 echo hello
	is hello
	run pm run --rm localhost/bb:1 sh -c 'exit 42'
	exit_is 42
}

@test "127 and 126, as engines expect" {
	run -127 pm run --rm localhost/bb:1 no-such-program
	exit_is 127
	run pm run --rm localhost/bb:1 /etc
	exit_is 126
}

@test "podman run -i" {
	run bash -c 'echo through | HOME=$P/home CONTAINERS_CONF=$P/containers.conf CONTAINERS_STORAGE_CONF=$P/storage.conf \
		nsenter --mount="/proc/$(cat "$P/view.pid")/ns/mnt" podman run -i --rm localhost/bb:1 cat'
	is through
}

@test "podman run -d, exec, logs, stop, rm" {
	pm run -d --name "$id" localhost/bb:1 sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
	until_true sh -c "true"
	run pm exec "$id" sh -c 'echo in; exit 3'
	exit_is 3
	has in
	run pm logs "$id"
	has up
	pm stop -t 5 "$id" >/dev/null
	[ "$(pm inspect -f '{{.State.ExitCode}}' "$id")" = 5 ]
	pm rm "$id" >/dev/null
}

@test "podman kill, and the state it reads" {
	pm run -d --name "$id" localhost/bb:1 sleep 1000 >/dev/null
	[ "$(pm inspect -f '{{.State.Status}}' "$id")" = running ]
	pm kill "$id" >/dev/null
	pm wait "$id" >/dev/null
	[ "$(pm inspect -f '{{.State.ExitCode}}' "$id")" = 137 ]
}

@test "podman create and start" {
	pm create --name "$id" localhost/bb:1 echo later >/dev/null
	run pm start -a "$id"
	is later
}

@test "--user, --env, --workdir, --hostname" {
	run pm run --rm --user 1000:1000 --env A=b --workdir /tmp --hostname inside localhost/bb:1 sh -c 'echo $(id -u) $A $PWD $(hostname)'
	is "1000 b /tmp inside"
}

@test "--memory and --pids-limit hold" {
	run pm run --rm --memory 20m --memory-swap 20m localhost/bb:1 sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1; echo end $?'
	has "end 137"
	run pm run --rm --pids-limit 8 localhost/bb:1 sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; wait'
	has "can't fork"
}

@test "podman update changes a limit" {
	pm update --help >/dev/null 2>&1 && ! pm update --help 2>&1 | grep -q unrecognized || skip "this podman has no update"
	pm run -d --name "$id" --memory 40m localhost/bb:1 sleep 1000 >/dev/null
	pm update --memory 80m "$id" >/dev/null
}

@test "a volume, read-write and read-only" {
	mkdir "$T/v"
	run pm run --rm -v "$T/v:/mnt" localhost/bb:1 sh -c 'echo in >/mnt/f'
	ok
	[ "$(cat "$T/v/f")" = in ]
	run pm run --rm -v "$T/v:/mnt:ro" localhost/bb:1 sh -c 'echo x >/mnt/f'
	[ "$status" -ne 0 ]
	[ "$(cat "$T/v/f")" = in ]
}

@test "--read-only and --tmpfs" {
	run pm run --rm --read-only --tmpfs /tmp localhost/bb:1 sh -c 'echo x >/tmp/f && cat /tmp/f; echo y >/y'
	has x
	has "Read-only"
}

@test "--privileged, and --cap-drop all" {
	run pm run --rm --cap-drop all localhost/bb:1 grep CapEff /proc/self/status
	has 0000000000000000
	run pm run --rm --privileged localhost/bb:1 ls /dev/null
	ok
}

@test "podman run -t" {
	need script
	run script -qec "HOME=$P/home CONTAINERS_CONF=$P/containers.conf CONTAINERS_STORAGE_CONF=$P/storage.conf \
		nsenter --mount=/proc/$(cat "$P/view.pid")/ns/mnt podman run -t --rm localhost/bb:1 sh -c 'test -t 0 && echo is-a-tty'" /dev/null </dev/null
	has is-a-tty
}

@test "pause and unpause" {
	pm run -d --name "$id" localhost/bb:1 sleep 1000 >/dev/null
	pm pause "$id" >/dev/null
	[ "$(pm inspect -f '{{.State.Status}}' "$id")" = paused ]
	pm unpause "$id" >/dev/null
	[ "$(pm inspect -f '{{.State.Status}}' "$id")" = running ]
}
