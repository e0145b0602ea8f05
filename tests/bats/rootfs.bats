#!/usr/bin/env bats
# the root file system.
load helpers

@test "the root is read-only when asked" {
	cfg '.root.readonly = true'
	sh_args 'touch /x'
	go
	[ "$status" -ne 0 ]
	has "Read-only"
	[ ! -e "$b/rootfs/x" ]
}

@test "the root is writable when asked" {
	cfg '.root.readonly = false'
	sh_args 'echo y >/x'
	go
	ok
	[ "$(cat "$b/rootfs/x")" = y ]
}

@test "an absolute root path" {
	mv "$b/rootfs" "$T/elsewhere"
	cfg --arg p "$T/elsewhere" '.root.path = $p'
	args echo in
	go
	is in
}

@test "the container sees nothing of the host's tree" {
	sh_args 'ls /; cut -d" " -f5 /proc/self/mountinfo; ls /proc/1/root/'
	go
	ok
	hasnt home
	hasnt usr
	hasnt "$T"
}

@test "no way up out of the root" {
	sh_args 'cd /../../..; ls -d /bin/busybox; pwd; ls /proc/1/root/bin/busybox /proc/self/cwd/bin/busybox'
	go
	ok
}

@test "--no-pivot gives the same view" {
	args sh -c 'ls /bin/busybox; grep -c / /proc/self/mounts'
	go --no-pivot
	ok
	has /bin/busybox
}

@test "a root on a read-only mount works when read-only" {
	mkdir "$T/mp"
	args echo in
	run unshare -m sh -c "mount --bind $b/rootfs $T/mp && mount -o remount,bind,ro $T/mp &&
		jq '.root = {path: \"$T/mp\", readonly: true}' $config >$config.n && mv $config.n $config &&
		$RINGFENCE --root $T/state run -b $b $id" </dev/null
	is in
}

@test "a bundle with a space and a non-ASCII name" {
	mv "$b" "$T/a bündle"
	run rf run -b "$T/a bündle" "$id" </dev/null
	ok
	b="$T/a bündle"
}

@test "a container in a container" {
	only_ours
	cfg '.root.readonly = false'
	cp -r "$b" "$T/inner"
	mkdir -p "$b/rootfs/inner"
	mv "$T/inner"/* "$b/rootfs/inner/"
	jq '.process.args = ["echo", "deep"] | .linux.namespaces |= map(select(.type != "cgroup")) | del(.linux.resources)
		| .mounts |= map(select(.type != "cgroup"))' "$b/rootfs/inner/config.json" >"$T/i"
	mv "$T/i" "$b/rootfs/inner/config.json"
	cp "$RINGFENCE" "$b/rootfs/bin/ringfence"
	ldd "$RINGFENCE" 2>&1 | grep -q 'statically' || skip "this build needs libraries"
	for k in bounding effective permitted; do
		cfg --arg k $k '.process.capabilities[$k] += ["CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN", "CAP_NET_ADMIN"]'
	done
	cfg '.linux.maskedPaths = [] | .linux.readonlyPaths = []
		| .mounts += [{destination: "/run", type: "tmpfs", source: "tmpfs"}]'
	args ringfence --rootless=true run -b /inner deep
	go
	has deep
}
