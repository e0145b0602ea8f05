# What docker.bats and containerd.bats share: a small world in which a daemon and all its containers
# live, an image of busybox, and a root file system with servers that do real work.
#
# The world has mount, network and process namespaces of its own, empty /run, and /etc and /opt whose
# changes go to the file's own folder. It ends with its first process: so does every daemon, shim and
# container in it, whatever state they are in. Only control groups are the host's; they lie under one
# parent, $cg_parent, which world_down expects to be empty after it.

# world_up: makes $W, the folder of this file, and the world. World's processes are started by `within`.
world_up() {
	W=$(mktemp -d /var/tmp/rft-world.XXXXXX)
	cg_parent=rft-${W##*.}
	export W cg_parent
	mkdir -p "$W"/{etc,etc.work,opt,opt.work,image}
	cat >"$W/world" <<-'S'
		set -e
		mount -t tmpfs -o mode=755 tmpfs /run
		for d in etc opt; do
			mount -t overlay -o "lowerdir=/$d,upperdir=$W/$d,workdir=$W/$d.work" overlay "/$d"
		done
		# One procfs stays as it is: without it no user namespace could mount its own.
		mkdir /run/proc
		mount -t proc proc /run/proc
		mount -t proc proc /proc
		ip link set lo up
		: >"$W/ready"
		exec catatonit -P
	S
	unshare --mount --net --pid --fork --kill-child --propagation private bash "$W/world" >"$W/world.log" 2>&1 3>&- &
	echo $! >"$W/world.pid"
	until_true [ -e "$W/ready" ] || { cat "$W/world.log"; return 1; }
	world=$(pgrep -P "$(cat "$W/world.pid")")
	export world
	# Words of the environment that would lead a client to another daemon.
	unset DOCKER_HOST DOCKER_CONTEXT CONTAINERD_ADDRESS CONTAINERD_NAMESPACE
}

within() { nsenter -t "$world" -m -n -p -- "$@" 3>&-; }

# world_down: ends all of it, and says what couldn't be removed.
world_down() {
	local rc=0
	[ -n "${W:-}" ] || return 0
	kill -KILL "$world" 2>/dev/null || true
	until_true gone "$(cat "$W/world.pid")" || rc=1
	# Engines make the parent in every hierarchy and never remove it.
	find /sys/fs/cgroup -mindepth 1 -maxdepth 4 -type d -path "*/$cg_parent*" -depth -exec rmdir {} + || rc=1
	rm -rf --one-file-system "$W" || rc=1
	return $rc
}

# answers LOG COMMAND…: waits for a daemon, on a busy machine as well.
answers() {
	local log=$1 i
	shift
	for i in 1 2 3 4 5; do
		! until_true "$@" || return 0
	done
	tail -n 20 "$log"
	return 1
}

# image_tar: busybox with all its names, as $W/image.tar.
image_tar() {
	local d=$W/image a
	mkdir -p "$d"/{bin,etc,proc,sys,dev,tmp,run,root,mnt,var}
	cp "$(command -v busybox)" "$d/bin/busybox"
	for a in $(busybox --list); do
		[ -e "$d/bin/$a" ] || ln -s busybox "$d/bin/$a"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n' >"$d/etc/passwd"
	printf 'root:x:0:\nguest:x:1000:\n' >"$d/etc/group"
	chmod 1777 "$d/tmp"
	tar -C "$d" -cf "$W/image.tar" .
}

# image_archive NAME WORD…: $W/image.tar with WORDs to run as $W/NAME.tar, an image NAME:1 in the form
# of `docker save`, which containerd reads.
image_archive() {
	local d=$W/archive name=$1
	shift
	mkdir -p "$d"
	cp "$W/image.tar" "$d/layer.tar"
	jq -n --arg d "sha256:$(sha256sum <"$d/layer.tar" | cut -d' ' -f1)" '{architecture: "amd64", os: "linux",
		config: {Env: ["PATH=/bin"], Cmd: $ARGS.positional}, rootfs: {type: "layers", diff_ids: [$d]},
		history: [{created_by: "test"}]}' --args -- "$@" >"$d/config.json"
	jq -n --arg n "docker.io/library/$name:1" '[{Config: "config.json", RepoTags: [$n], Layers: ["layer.tar"]}]' >"$d/manifest.json"
	tar -C "$d" -cf "$W/$name.tar" manifest.json config.json layer.tar
}

# A light set-up: no bundle of our own, but the same look at the host.
setup() {
	[ "$RF_VIEW" = hybrid ] || [ "$RF_VIEW" = hostvm ] || skip "the engine sees the same in every view: shown in hybrid"
	missing=$(engine_missing)
	[ -z "$missing" ] || skip "$missing isn't installed"
	T=$(mktemp -d "${TMPDIR:-/tmp}/rft.XXXXXX")
	id=rft-${T##*.}
	host_before=$(host_snapshot)
	if declare -F extra_setup >/dev/null; then extra_setup; fi
}

teardown() {
	[ -n "${T:-}" ] || return 0
	local after rc=0
	engine_rm "$id" "$id-2" >/dev/null 2>&1 || true
	after=$(host_snapshot)
	[ "$after" = "$host_before" ] || { diff <(echo "$host_before") <(echo "$after"); rc=1; }
	rm -rf --one-file-system "$T"
	return $rc
}

# engine_can_run: for setup_file, the same as setup() asks.
engine_can_run() {
	[ "$RF_VIEW" = hybrid ] || [ "$RF_VIEW" = hostvm ] || return 1
	[ -z "$(engine_missing)" ]
}

# no_trace_of ID…: no group, file of the engine's or mount has one of the ids in its name.
no_trace_of() {
	local full
	for full in "$@"; do
		run find /sys/fs/cgroup -mindepth 1 -maxdepth 5 -name "*$full*"
		is ""
		run within find /run /proc/self/task -xdev -maxdepth 7 -name "*$full*"
		is ""
		run within grep "$full" /proc/mounts
		[ -z "$output" ]
	done
}

missing_of() {
	local c
	for c in "$@"; do
		command -v "$c" >/dev/null || { echo "$c"; return; }
	done
}
