#!/usr/bin/env bats
# linux.rootfsPropagation: each word by what the specification says that it means. The host's side is
# a mount namespace of the test's own, so nothing that is mounted here is seen by anybody else.
load helpers

# stage WORD [SCRIPT]: a container whose root is a host's shared mount with a mount below it; SCRIPT
# runs on the host while it lives. What it prints is bats' `output`.
stage() {
	cfg --arg w "$1" '.linux.rootfsPropagation = $w | .process.args = ["sleep", "1000"] | .root.readonly = false
		| reduce ("bounding", "effective", "permitted") as $k (.; .process.capabilities[$k] += ["CAP_SYS_ADMIN"])'
	mkdir -p "$b/rootfs/m/sub" "$b/rootfs/m/host" "$b/rootfs/m/copy"
	cat >"$T/steps" <<-S
		rf() { "$RINGFENCE" --root $T/state "\$@"; }
		inside() { rf exec $id sh -c "\$1" </dev/null; }
		mount --bind $b/rootfs $b/rootfs && mount -t tmpfs sub $b/rootfs/m/sub && mount --make-rshared $b/rootfs || exit 99
		rf create -b $b $id </dev/null >$T/out 2>&1 3>&- && rf start $id || { cat $T/out; exit 98; }
		${2:-inside 'cat /proc/self/mountinfo'}
		[ "\$(rf state $id | jq -r .status)" = running ] || { echo "it ended:"; tail -n 20 $T/state/$id/console.log; }
		rf delete --force $id
	S
	run unshare -m --propagation private bash "$T/steps" </dev/null
	ok
}

# tags PLACE: the propagation of a mount in `output`, "none" for a private one.
tags() {
	awk -v p="$1" '$5 == p { for (i = 7; $i != "-"; i++) { sub(/:.*/, "", $i); t = t " " $i }; n++ } END { print n == 1 ? (t ? substr(t, 2) : "none") : n + 0 " mounts" }' <<<"$output"
}
tags_are() {
	[ "$(tags "$1")" = "$2" ] || { echo "$1: $(tags "$1"), wanted $2, in: $output"; return 1; }
}

# A mount that the host makes in the container's root, as the container sees it.
arrives='mount -t tmpfs late '"\$rootfs"'/m/host && inside "grep -c \" /m/host \" /proc/self/mountinfo"; true'
# One that the container makes, as the host sees it.
leaves='inside "mount -t tmpfs own /m/host" && grep -c "rootfs/m/host " /proc/self/mountinfo; true'

host_mount() { stage "$1" "rootfs=$b/rootfs; $arrives"; }
own_mount() { stage "$1" "$leaves"; }
# A mount that a container in the container makes, as the outer one sees it, and the other way round.
nested() {
	stage "$1" 'inside "unshare -m --propagation shared sh -c \"mount -t tmpfs deep /m/host\"; grep -c \" /m/host \" /proc/self/mountinfo"; true'
}

@test "private, rprivate: no word from the host, none to it, none from a nested container" {
	local w
	for w in private rprivate; do
		stage "$w"
		tags_are / none
		tags_are /m/sub none
		host_mount "$w"
		is 0
		own_mount "$w"
		is 0
		nested "$w"
		is 0
	done
}

@test "without the property the root is private" {
	stage private 'true'
	cfg 'del(.linux.rootfsPropagation)'
	run unshare -m --propagation private bash "$T/steps" </dev/null
	ok
	sed -i 's|^true$|inside "cat /proc/self/mountinfo"|' "$T/steps"
	run unshare -m --propagation private bash "$T/steps" </dev/null
	tags_are / none
}

@test "slave, rslave: the host's mounts arrive, the container's stay" {
	local w
	for w in slave rslave; do
		stage "$w"
		tags_are / master
		tags_are /m/sub master
		tags_are /proc none
		host_mount "$w"
		is 1
		own_mount "$w"
		is 0
	done
}

@test "shared, rshared: a new peer group, for nested containers; the host isn't in it" {
	local w
	for w in shared rshared; do
		stage "$w" "rootfs=$b/rootfs; id_of() { sed -n \"s|.* \$1 .* shared:\\([0-9]*\\).*|\\1|p\"; }
			[ \"\$(id_of \$rootfs </proc/self/mountinfo)\" != \"\$(inside 'cat /proc/self/mountinfo' | id_of /)\" ] || exit 97"
		nested "$w"
		is 1
		own_mount "$w"
		is 0
	done
}

@test "shared is of the root alone, rshared of all that is in it" {
	stage shared
	[[ $(tags /) == shared* ]]
	tags_are /proc none
	stage rshared
	[[ $(tags /) == shared* ]]
	tags_are /proc shared
	tags_are /dev/pts shared
}

@test "unbindable, runbindable: the root can't be bound, and is private" {
	local w
	for w in unbindable runbindable; do
		stage "$w"
		tags_are / unbindable
		host_mount "$w"
		is 0
		stage "$w" 'inside "mount --bind / /m/copy; echo \$?" 2>&1; true'
		has "Invalid argument"
		hasnt $'\n0'
	done
	stage unbindable
	tags_are /proc none
	tags_are /m/sub none
	stage runbindable
	tags_are /proc unbindable
	tags_are /m/sub unbindable
}

@test "a private root can be bound: what unbindable is measured against" {
	stage private 'inside "mount --bind / /m/copy && ls -d /m/copy/bin"'
	is /m/copy/bin
}

@test "another word is refused, by its place" {
	local w
	for w in public SHARED "" "shared,slave"; do
		cfg --arg w "$w" '.linux.rootfsPropagation = $w'
		go
		refused /linux/rootfsPropagation
	done
}
