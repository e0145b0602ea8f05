#!/usr/bin/env bats
# An engine at work, beyond the single commands of podman.bats: a life with exec and stop, a
# published port, user namespaces, and what is left afterwards.
#
# The engine lives in a mount namespace and a network namespace of its own, with its own storage: the
# host's engine, its images and its firewall are never touched. On a hybrid host the namespace hides
# the controllers that no v1 mount serves, which podman would take for v1 ones (their lines in
# /proc/cgroups), and the v2 tree beside v1.
load helpers

# new_mount_ns FILE: a private mount namespace, kept by FILE. The kernel lets a file stand only for a
# namespace that is younger than the one it stands in, and newer kernels count age by numbers that
# each processor takes in lots: on one of the processors the number is higher than ours.
new_mount_ns() {
	local cpu
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		! taskset -c "$cpu" unshare --mount="$1" --propagation private true 2>"$1.err" || return 0
	done
	cat "$1.err"
	return 1
}

setup_file() {
	command -v podman >/dev/null && command -v conmon >/dev/null || return 0
	[ "${RF_VIEW:-hybrid}" = hybrid ] || [ "${RF_VIEW:-hybrid}" = hostvm ] || return 0
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	: "${RINGFENCE:=$top/ringfence}"
	case $RINGFENCE in */*) RINGFENCE=$(realpath "$RINGFENCE") ;; *) RINGFENCE=$(command -v "$RINGFENCE") ;; esac
	P=$(mktemp -d /var/tmp/rft-podman.XXXXXX)
	netns=rft-${P##*.}
	export P netns
	mount --bind "$P" "$P"
	mount --make-private "$P"
	: >"$P/mnt"
	: >"$P/empty"
	mkdir -p "$P"/{proc,storage,run,tmp,net,vol,image/{bin,etc,proc,sys,dev,tmp,run,root}}
	awk 'NR == 1 || $2 != 0' /proc/cgroups | grep -vE '^(hugetlb|net_cls|net_prio|perf_event|rdma|misc)\b' >"$P/cgroups"
	ip netns add "$netns"
	ip -n "$netns" link set lo up
	new_mount_ns "$P/mnt"
	# One procfs stays unmasked: without it no user namespace could mount its own.
	nsenter --mount="$P/mnt" sh -ec '
		mount -t proc proc "$P/proc"
		[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || {
			mount --bind "$P/cgroups" /proc/cgroups
			mount --bind "$P/empty" /sys/fs/cgroup/unified/cgroup.controllers
		}'
	cat >"$P/containers.conf" <<-C
		[containers]
		default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "rut"
		runtime_supports_json = ["rut"]
		tmp_dir = "$P/tmp"
		static_dir = "$P/storage/libpod"
		volume_path = "$P/vol"
		[engine.runtimes]
		rut = ["$RINGFENCE"]
		[network]
		network_backend = "netavark"
		network_config_dir = "$P/net"
	C
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/storage"\nrunroot = "%s/run"\n' "$P" "$P" >"$P/storage.conf"
	cp "$(command -v busybox)" "$P/image/bin/busybox"
	for a in sh cat echo id hostname sleep nc true grep ls touch httpd kill tty test head dd ulimit; do
		ln -s busybox "$P/image/bin/$a"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n' >"$P/image/etc/passwd"
	tar -C "$P/image" -cf "$P/image.tar" .
	pod import --change 'ENV PATH=/bin' --change 'CMD ["/bin/sh"]' "$P/image.tar" localhost/rft:1 >"$P/import.log" 2>&1 3>&- ||
		{ sed 's/^/# /' "$P/import.log" >&3; }
}

teardown_file() {
	[ -n "${P:-}" ] || return 0
	pod rm -f -a -t 0 >/dev/null 2>&1 3>&- || true
	ip netns pids "$netns" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
	nsenter --mount="$P/mnt" umount -l "$P/storage/overlay" 2>/dev/null || true
	umount -l "$P/mnt"
	ip netns del "$netns"
	umount -l "$P"
	rm -rf --one-file-system "$P" || true
	find /sys/fs/cgroup -depth -maxdepth 3 -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null || true
}

extra_setup() {
	[ "$RF_VIEW" = hybrid ] || [ "$RF_VIEW" = hostvm ] || skip "podman sees the same in every view: shown in hybrid"
	need podman
	need conmon
	pod image exists localhost/rft:1 || { cat "$P/import.log"; false; }
	name=c-$id
}

extra_teardown() { [ -z "${name:-}" ] || pod rm -f -t 0 -i "$name" >/dev/null 2>&1 3>&-; }

pod() {
	nsenter --mount="$P/mnt" --net="/run/netns/$netns" -- env CONTAINERS_CONF="$P/containers.conf" \
		CONTAINERS_STORAGE_CONF="$P/storage.conf" podman "$@" 3>&-
}
img=localhost/rft:1

@test "detached: exec, logs, stop, rm" {
	pod run -d --name "$name" --net none $img sh -c 'trap "echo bye; exit 3" TERM; echo up; while :; do sleep 0.1; done' >/dev/null
	run pod exec "$name" sh -c 'echo in; exit 6'
	exit_is 6
	has in
	[ "$(echo x | pod exec -i "$name" cat)" = x ]
	run pod exec --user 1000:1000 --env A=b --workdir /tmp "$name" sh -c 'echo $(id -u) $A $PWD'
	is "1000 b /tmp"
	until_true sh -c "nsenter --mount=$P/mnt env CONTAINERS_CONF=$P/containers.conf CONTAINERS_STORAGE_CONF=$P/storage.conf podman logs $name | grep up"
	run pod stop -t 5 "$name"
	ok
	run pod inspect --format '{{.State.ExitCode}} {{.State.Status}}' "$name"
	is "3 exited"
	pod rm "$name"
}

@test "a container that doesn't listen is killed by stop, and starts again" {
	pod run -d --name "$name" --net none $img sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null
	run pod stop -t 1 "$name"
	ok
	pod start "$name" >/dev/null
	run pod inspect --format '{{.State.Status}}' "$name"
	is running
	run pod kill "$name"
	ok
}

@test "a published port" {
	need_netavark
	pod run -d --name "$name" -p 18080:80 $img sh -c 'echo page >/tmp/index.html; exec httpd -f -p 80 -h /tmp' >/dev/null
	until_true nsenter --net="/run/netns/$netns" busybox wget -qO "$T/page" http://127.0.0.1:18080/
	[ "$(cat "$T/page")" = page ]
}
need_netavark() { [ -x /usr/lib/podman/netavark ] || command -v netavark >/dev/null || skip "netavark isn't installed"; }

@test "a user namespace" {
	run pod run --rm --net none --uidmap 0:100000:1000 --gidmap 0:100000:1000 $img sh -c 'id -u; cat /proc/self/uid_map'
	ok
	has 100000
}

@test "--init, --privileged, --pid host" {
	run pod run --rm --net none --privileged $img sh -c 'test -c /dev/null && echo priv'
	is priv
	run pod run --rm --net none --pid host $img cat "/proc/$$/comm"
	is bash
}

@test "the default seccomp profile is applied" {
	run pod run --rm --net none $img grep Seccomp: /proc/self/status
	has 2
}

@test "nothing of a container is left after rm" {
	pod run --name "$name" --net none $img true
	full=$(pod inspect --format '{{.Id}}' "$name")
	pod rm "$name"
	run find /sys/fs/cgroup -maxdepth 5 -name "*$full*"
	is ""
	[ ! -e "/run/ringfence/$full" ]
}
