#!/usr/bin/env bats
# mounts: kinds, options, propagation, order.
load helpers

# mount DESTINATION TYPE SOURCE OPTION…
mount_add() {
	local d=$1 t=$2 s=$3
	shift 3
	jq --arg d "$d" --arg t "$t" --arg s "$s" '.mounts += [{destination: $d, type: $t, source: $s, options: $ARGS.positional}]' \
		"$config" --args -- "$@" >"$config.new" && mv "$config.new" "$config"
}
info() { sh_args "grep ' $1 ' /proc/self/mountinfo"; go; ok; }

@test "tmpfs with its options" {
	mount_add /mnt tmpfs tmpfs nosuid nodev noexec mode=0700 size=64k
	info /mnt
	has nosuid
	has nodev
	has noexec
	has size=64k
	has mode=700
}

@test "bind of a directory, read and write" {
	mkdir "$T/src"
	mount_add /mnt bind "$T/src" bind
	sh_args 'echo in >/mnt/f'
	go
	ok
	[ "$(cat "$T/src/f")" = in ]
}

@test "a read-only bind" {
	mkdir "$T/src"
	mount_add /mnt bind "$T/src" bind ro
	sh_args 'echo in >/mnt/f'
	go
	[ "$status" -ne 0 ]
	[ ! -e "$T/src/f" ]
}

@test "bind of a file, its target made" {
	echo content >"$T/src"
	cfg '.root.readonly = false'
	mount_add /etc/new/file bind "$T/src" bind ro
	args cat /etc/new/file
	go
	is content
}

@test "rbind brings submounts, bind doesn't" {
	mkdir -p "$T/src"
	cat >"$T/steps" <<-S
		mount -t tmpfs none $T/src
		mkdir $T/src/sub
		mount -t tmpfs none $T/src/sub
		echo deep >$T/src/sub/f
		"$RINGFENCE" --root $T/state run -b $b $id
	S
	mount_add /mnt bind "$T/src" rbind
	sh_args 'cat /mnt/sub/f'
	run unshare -m bash "$T/steps" </dev/null
	is deep
	cfg '.mounts[-1].options = ["bind"]'
	run unshare -m bash "$T/steps" </dev/null
	[ "$status" -ne 0 ]
}

@test "rro makes submounts read-only too" {
	mkdir -p "$T/src"
	cat >"$T/steps" <<-S
		mount -t tmpfs none $T/src
		mkdir $T/src/sub
		mount -t tmpfs none $T/src/sub
		"$RINGFENCE" --root $T/state run -b $b $id
	S
	mount_add /mnt bind "$T/src" rbind rro
	sh_args 'echo x >/mnt/sub/f'
	run unshare -m bash "$T/steps" </dev/null
	[ "$status" -ne 0 ]
	has "Read-only"
}

@test "mounts stand in the specification's order" {
	mkdir -p "$T/one" "$T/two"
	echo two >"$T/two/f"
	mkdir "$T/one/sub"
	mount_add /mnt bind "$T/one" bind
	mount_add /mnt/sub bind "$T/two" bind
	args cat /mnt/sub/f
	go
	is two
}

@test "propagation: private by default, slave and shared on demand" {
	mkdir "$T/src"
	mount_add /mnt bind "$T/src" bind private
	info /mnt
	hasnt shared:
	hasnt master:
	cfg '.linux.rootfsPropagation = "rshared" | .mounts[-1].options = ["bind", "shared"]'
	info /mnt
	has shared:
}

@test "a mount in the container doesn't reach the host" {
	cfg '.process.capabilities.bounding += ["CAP_SYS_ADMIN"] | .process.capabilities.effective += ["CAP_SYS_ADMIN"]
		| .process.capabilities.permitted += ["CAP_SYS_ADMIN"]'
	sh_args "mount -t tmpfs none /mnt && grep -c ' /mnt ' /proc/self/mountinfo"
	go
	is 1
	! grep -qF "$T" /proc/self/mountinfo
}

@test "a missing bind source is an error that names it" {
	mount_add /mnt bind "$T/none" bind
	go
	refused "$T/none"
}

@test "an unknown file system type is an error" {
	mount_add /mnt nosuchfs none
	go
	refused
	! ours || has nosuchfs
}

@test "proc is the container's own" {
	sh_args 'ls /proc/1/exe >/dev/null; ls -d /proc/[0-9]* | wc -l'
	go
	ok
	[ "${lines[-1]}" -le 3 ]
}

@test "mqueue, devpts, shm and sys are there" {
	sh_args 'for d in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys; do cut -d" " -f5 /proc/self/mountinfo | grep -cx "$d"; done | sort -u'
	go
	is 1
}

@test "tmpcopyup fills a tmpfs with what was below" {
	cfg '.mounts += [{destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]'
	args head -n1 /etc/passwd
	go
	is "root:x:0:0:root:/root:/bin/sh"
}

@test "tmpcopyup: a mode that is asked for stands, else the directory's" {
	chmod 700 "$b/rootfs/mnt"
	cfg '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "mode=1750", "gid=7"]},
		{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]'
	sh_args 'stat -c "%a %g" /tmp /mnt'
	go
	is $'1750 7\n700 0'
}

@test "options longer than the new mount API takes: an overlay's layers" {
	local i layers=
	for i in 1 2 3 4; do
		mkdir -p "$T/lower/$(printf "$i%.0s" {1..100})"
		echo "$i" >"$T/lower/$(printf "$i%.0s" {1..100})/f$i"
		layers+=":$T/lower/$(printf "$i%.0s" {1..100})"
	done
	mkdir "$T/upper" "$T/work"
	cfg --arg l "${layers#:}" --arg t "$T" '.mounts += [{destination: "/over", type: "overlay", source: "overlay",
		options: ["nosuid", "lowerdir=" + $l, "upperdir=" + $t + "/upper", "workdir=" + $t + "/work"]}]'
	sh_args 'cat /over/f1 /over/f4; echo new >/over/made; grep -c " /over .*nosuid" /proc/self/mounts; ls -d /proc'
	go
	is $'1\n4\n1\n/proc'
	[ "$(cat "$T/upper/made")" = new ]
	# What is nonsense is refused as ever, and longer than a page by its length.
	cfg --arg l "$(printf "$T/none%.0s" {1..60})" '.mounts[-1].options = ["lowerdir=" + $l]'
	go
	refused overlay
	cfg --arg l "$(printf "x%.0s" {1..5000})" '.mounts[-1].options = ["lowerdir=" + $l]'
	go
	refused "a page"
}

@test "a label of mounts says nothing without SELinux" {
	[ ! -e /sys/fs/selinux/enforce ] || skip "this host has SELinux"
	cfg '.linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"'
	args echo in
	go
	is in
}

@test "an empty option is none" {
	mkdir "$T/src"
	echo given >"$T/src/f"
	cfg --arg s "$T/src" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["", "rbind", ""]}]'
	args cat /mnt/f
	go
	is given
}

@test "a relative destination counts from the root" {
	cfg '.mounts += [{destination: "mnt", type: "tmpfs", source: "tmpfs"}]'
	sh_args 'grep -c " /mnt " /proc/self/mountinfo'
	go
	is 1
}

@test "a relative source counts from the bundle; a mount without a destination is refused" {
	mkdir "$b/given"
	echo bundle >"$b/given/f"
	mount_add /mnt bind given bind
	args cat /mnt/f
	cd /
	go
	is bundle
	cfg 'del(.mounts[-1].destination)'
	go
	refused destination
}
