# What podman's and buildah's bats files share: a place where an engine can live without touching the
# host's.
#
# It has a mount namespace and a network namespace of its own, storage, configuration and an image of
# its own: the host's engine, its images, its mounts and its firewall are never touched. On a host
# with v1 controllers the mount namespace hides those that nobody mounted (their lines in
# /proc/cgroups, for which podman would make plain folders) and the v2 tree beside v1.
#
#   $P            the place; $P/in COMMAND… runs a command there, $P/user COMMAND… as its plain user
#   pod, bud      podman, buildah there; upod: podman of its plain user
#   $img          the image: busybox with some of its names
#
# An engine sees the same in every view of this host, so its files run in hybrid alone (tests/run.sh
# leaves them out elsewhere), and few of them in the host VM.
load helpers
img=localhost/rft:1
infra=localhost/rft-infra:1
user_id=47110

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

# engine_up [PROGRAM…]: makes the place, unless a program that it needs is missing.
engine_up() {
	local p
	for p in podman conmon "$@"; do command -v "$p" >/dev/null || return 0; done
	[ "$RF_VIEW" = hybrid ] || [ "$RF_VIEW" = hostvm ] || return 0
	P=$(mktemp -d /var/tmp/rft-engine.XXXXXX)
	netns=rft-${P##*.}
	export P netns
	chmod 755 "$P"
	mount --bind "$P" "$P"
	mount --make-private "$P"
	mkdir -p "$P"/{proc,storage,run,tmp,net,vol,home,hooks}
	ip netns add "$netns"
	ip -n "$netns" link set lo up
	engine_files
	engine_config
	engine_namespace
	engine_image
	pod import --change 'ENV PATH=/bin' --change 'CMD ["/bin/sh"]' "$P/image.tar" $img >"$P/import.log" 2>&1 ||
		cat "$P/import.log" >&2
}

engine_namespace() {
	: >"$P/mnt"
	new_mount_ns "$P/mnt"
	# One procfs stays unmasked: without it no user namespace could mount its own.
	nsenter --mount="$P/mnt" sh -ec '
		for f in passwd group subuid subgid; do [ ! -e /etc/$f ] || mount --bind "$P/etc.$f" /etc/$f; done
		[ ! -e /dev/net/tun ] || mount --bind "$P/tun" /dev/net/tun
		mount -t proc proc "$P/proc"
		[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || {
			mount --bind "$P/cgroups" /proc/cgroups
			mount --bind "$P/empty" /sys/fs/cgroup/unified/cgroup.controllers
		}'
}

# A user with subordinate ids, for the namespace alone, and the programs that enter it.
engine_files() {
	{ cat /etc/passwd && echo "rft:x:$user_id:$user_id::$P/home/rft:/bin/sh"; } >"$P/etc.passwd"
	{ cat /etc/group && echo "rft:x:$user_id:"; } >"$P/etc.group"
	printf 'rft:300000:65536\ncontainers:400000:655360\n' | tee "$P/etc.subuid" >"$P/etc.subgid"
	: >"$P/empty"
	awk 'NR == 1 || $2 != 0' /proc/cgroups | grep -vE '^(hugetlb|net_cls|net_prio|perf_event|rdma|misc)\b' >"$P/cgroups"
	mknod -m 666 "$P/tun" c 10 200
	cat >"$P/in" <<-S
		#!/bin/sh
		exec nsenter --mount="$P/mnt" --net="/run/netns/$netns" -- env HOME="\${IN_HOME:-$P/home}" \\
			CONTAINERS_CONF="$P/containers.conf" CONTAINERS_STORAGE_CONF="\${IN_STORAGE:-$P/storage.conf}" \\
			BUILDAH_RUNTIME="$RINGFENCE" "\$@"
	S
	cat >"$P/user" <<-S
		#!/bin/sh
		cd "$P/home/rft" || exit 1
		IN_HOME="$P/home/rft" IN_STORAGE="$P/home/rft/storage.conf" exec "$P/in" setpriv \\
			--reuid $user_id --regid $user_id --clear-groups --inh-caps=-all env CONTAINERS_CONF="$P/home/rft/containers.conf" \\
			XDG_RUNTIME_DIR="$P/home/rft/run" USER=rft TMPDIR="$P/home/rft/tmp" "\$@"
	S
	chmod 755 "$P/in" "$P/user"
}

engine_config() {
	cat >"$P/containers.conf" <<-C
		[containers]
		default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
		log_driver = "k8s-file"
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "rut"
		runtime_supports_json = ["rut"]
		runtime_supports_nocgroup = ["rut"]
		tmp_dir = "$P/tmp"
		static_dir = "$P/storage/libpod"
		volume_path = "$P/vol"
		hooks_dir = ["$P/hooks"]
		infra_image = "$infra"
		[engine.runtimes]
		rut = ["$RINGFENCE"]
		[network]
		network_backend = "netavark"
		network_config_dir = "$P/net"
	C
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/storage"\nrunroot = "%s/run"\n' "$P" "$P" >"$P/storage.conf"
	local h=$P/home/rft
	mkdir -p "$h"/{storage,run,tmp,net,vol}
	# Where it keeps its books follows from where the images are, also for the podman that conmon calls.
	sed "s|$P/|$h/|; /static_dir\|volume_path/d" "$P/containers.conf" >"$h/containers.conf"
	printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/storage"\nrootless_storage_path = "%s/storage"\nrunroot = "%s/run/containers"\n' \
		"$h" "$h" "$h" >"$h/storage.conf"
	chmod 700 "$h/run"
	chown -R $user_id:$user_id "$h"
}

engine_image() {
	local i=$P/image a
	mkdir -p "$i"/{bin,etc,proc,sys,dev,tmp,run,root,mnt,var/www}
	chmod 1777 "$i/tmp"
	cp "$(command -v busybox)" "$i/bin/busybox"
	for a in sh cat echo id hostname sleep nc true false grep ls touch httpd kill tty test head dd stty wget cut awk env \
		nslookup mkdir rm stat readlink ip mount umount ps uname seq sync wc tr chown chmod sort mknod df printf date timeout; do
		ln -s busybox "$i/bin/$a"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n' >"$i/etc/passwd"
	printf 'root:x:0:\nguest:x:1000:\nextra:x:1234:\n' >"$i/etc/group"
	echo page >"$i/var/www/index.html"
	tar -C "$i" -cf "$P/image.tar" .
}

# What the first container of a pod runs.
engine_infra() {
	"${1:-pod}" import --change 'CMD ["/bin/sleep", "100000"]' "$P/image.tar" $infra >"$P/infra.log" 2>&1 || cat "$P/infra.log" >&2
}

engine_down() {
	[ -n "${P:-}" ] || return 0
	upod rm -f -a -t 0 >/dev/null 2>&1 || true
	pod pod rm -f -a >/dev/null 2>&1 || true
	pod rm -f -a -t 0 >/dev/null 2>&1 || true
	ip netns pids "$netns" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
	nsenter --mount="$P/mnt" umount -l "$P/storage/overlay" 2>/dev/null || true
	umount -l "$P/mnt"
	ip netns del "$netns"
	umount -l "$P"
	rm -rf --one-file-system "$P" || true
	find /sys/fs/cgroup -depth -maxdepth 3 -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null || true
}

# For extra_setup: skips where no engine was made, names the test's container.
engine_ready() {
	local p
	[ "$RF_VIEW" = hybrid ] || [ "$RF_VIEW" = hostvm ] || skip "an engine sees the same in every view: shown in hybrid"
	for p in podman conmon "$@"; do need "$p"; done
	pod image exists $img || { cat "$P/import.log"; false; }
	name=c-$id
}

# For extra_teardown.
engine_clear() { [ -z "${name:-}" ] || engine_removed pod "$name" "$name-2" "$name-3"; }

# engine_removed PODMAN NAME…: ends and removes those that are there. Two of podman 4.3's own processes meet
# over a container with a user namespace of its own, and one finds its shm still mounted: of 100 removals 42
# did with crun and 34 with runc. By then the container is off its books, so the second call has nothing to do.
engine_removed() {
	local said
	said=$("$1" rm -f -t 0 -i "${@:2}" 2>&1 >/dev/null) && return 0
	[[ $said == *"/userdata/shm: device or resource busy"* ]] && "$1" rm -f -t 0 -i "${@:2}" >/dev/null && return 0
	echo "podman rm: $said"
	return 1
}

pod() { "$P/in" podman "$@" 3>&-; }
upod() { "$P/user" podman "$@" 3>&-; }
bud() { "$P/in" buildah "$@" 3>&-; }

# bg OPTION… IMAGE COMMAND…: a container in the background, by the test's name.
bg() { pod run -d --name "$name" --net none "$@" >/dev/null; }
# once OPTION… IMAGE COMMAND…: one that ends and goes.
once() { run pod run --rm --net none "$@"; }
about() { pod inspect --format "$1" "${2:-$name}"; }

# on_tty COMMAND…: with a terminal.
on_tty() {
	need script
	run script -qec "$(printf '%q ' "$@")" /dev/null </dev/null 3>&-
}
need_netavark() { [ -x /usr/lib/podman/netavark ] || command -v netavark >/dev/null || skip "netavark isn't installed"; }

# limit V1-CONTROLLER V1-FILE V2-FILE [NAME]: a limit as the container's own group holds it.
limit() {
	local p
	p=$(about '{{.State.Pid}}' "${4:-$name}")
	if cgroup_v2; then
		cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$p/cgroup")/$3"
	else
		cat "/sys/fs/cgroup/$1$(awk -F: -v c="$1" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print $3 }' "/proc/$p/cgroup")/$2"
	fi
}
