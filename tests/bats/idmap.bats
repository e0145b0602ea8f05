#!/usr/bin/env bats
# Bind mounts whose owners are mapped: idmap, ridmap, uidMappings, gidMappings.
load helpers

# The host's tree is binds of directories of one file system: src, and sub in it; f lies in both.
extra_setup() {
	mkdir -p "$T/src/sub" "$T/below"
	case $(stat -fc %T "$T") in
	ext2/ext3 | xfs | btrfs) ;;
	tmpfs) [ "$(printf '%s\n' 6.3 "$(uname -r)" | sort -V | head -n 1)" = 6.3 ] || skip "no mapped owners of a tmpfs before 6.3" ;;
	*) skip "$(stat -fc %T "$T") may have no mapped owners" ;;
	esac
	touch "$T/src/f" "$T/below/f" "$T/src/other"
	chown 5000:6000 "$T/src/f" "$T/below/f"
	chmod 711 "$T"
}

own='[{containerID: 5000, hostID: 1000, size: 10}, {containerID: 7000, hostID: 2000, size: 10}]'
groups='[{containerID: 6000, hostID: 1500, size: 10}]'

# bind MAPS OPTION…: MAPS: 1 for maps of its own
bind() {
	local maps=$1
	shift
	jq --arg s "$T/src" ".mounts += [{destination: \"/mnt\", type: \"bind\", source: \$s, options: \$ARGS.positional}]
		| if $maps == 1 then .mounts[-1] += {uidMappings: $own, gidMappings: $groups} else . end" "$config" --args -- "$@" >"$config.new" && mv "$config.new" "$config"
}
new_user() {
	cfg '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]'
	# So that its root may use the file system that it starts from.
	chown -R 100000:200000 "$b/rootfs"
}
# in_view: the container, where the host has a mount below src.
in_view() {
	run unshare -m --propagation private bash -c "mount --bind $T/src $T/src && mount --bind $T/below $T/src/sub && exec \"\$@\"" - \
		"$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
}

@test "owners of the source are those of the maps, each range, users and groups apart" {
	touch "$T/src/second"
	chown 7003:6009 "$T/src/second"
	bind 1 bind idmap
	args stat -c '%u:%g' /mnt/f /mnt/second /mnt/other
	go
	# Who isn't mapped is nobody.
	is $'1000:1500\n2003:1509\n65534:65534'
}

@test "maps without the word say as much" {
	bind 1 bind
	args stat -c '%u:%g' /mnt/f
	go
	is 1000:1500
}

@test "without maps and words owners are the source's" {
	bind 0 bind
	args stat -c '%u:%g' /mnt/f
	go
	is 5000:6000
}

@test "what a mapped user makes belongs to whom the map says" {
	# In a directory whose own owner is mapped: to others nobody may write.
	chown 5000:6000 "$T/src"
	cfg '.process.user = {uid: 1000, gid: 1500}'
	bind 1 bind idmap
	args touch /mnt/new
	go
	ok
	[ "$(stat -c '%u:%g' "$T/src/new")" = 5000:6000 ]
}

@test "idmap maps the mount alone, ridmap what is below as well" {
	bind 1 rbind idmap
	args stat -c '%u:%g' /mnt/f /mnt/sub/f
	in_view
	is $'1000:1500\n5000:6000'
	cfg '.mounts[-1].options = ["rbind", "ridmap"]'
	in_view
	is $'1000:1500\n1000:1500'
}

@test "in a user namespace: the mount's own maps name ids of the host" {
	new_user
	bind 1 rbind ridmap
	cfg '.mounts[-1] |= (.uidMappings[0].hostID = 101000 | .gidMappings[0].hostID = 201500)'
	args stat -c '%u:%g' /mnt/f /mnt/sub/f
	in_view
	is $'1000:1500\n1000:1500'
	cfg '.mounts[-1].options = ["rbind", "idmap"]'
	in_view
	is $'1000:1500\n65534:65534'
}

@test "in a user namespace: without maps of its own a mount has the container's" {
	new_user
	bind 0 rbind idmap
	args stat -c '%u:%g' /mnt/f /mnt/sub/f
	in_view
	is $'5000:6000\n65534:65534'
	cfg '.mounts[-1].options = ["rbind", "ridmap"]'
	in_view
	is $'5000:6000\n5000:6000'
	cfg '.mounts[-1].options = ["rbind"]'
	in_view
	is $'65534:65534\n65534:65534'
}

@test "a user namespace that is joined lends its maps too" {
	unshare --user sleep 1000 3>&- &
	local other=$!
	until_true sh -c "[ \$(readlink /proc/$other/ns/user) != $(readlink /proc/self/ns/user) ]"
	echo "0 100000 65536" >"/proc/$other/uid_map"
	echo "0 200000 65536" >"/proc/$other/gid_map"
	chown -R 100000:200000 "$b/rootfs"
	cfg --arg p "/proc/$other/ns/user" '.linux.namespaces += [{type: "user", path: $p}]'
	bind 0 rbind ridmap
	args stat -c '%u:%g' /mnt/f /mnt/sub/f
	in_view
	kill "$other"
	is $'5000:6000\n5000:6000'
}

@test "idmap and ridmap without any maps are refused by the mount's place" {
	local w
	for w in idmap ridmap; do
		cfg 'del(.mounts[] | select(.destination == "/mnt"))'
		bind 0 rbind "$w"
		go
		refused "/mounts/$(jq '.mounts | length - 1' "$config")"
	done
}

@test "maps of users alone, or of groups alone, are refused; so are those of a fresh file system" {
	local k
	for k in uid gid; do
		cfg 'del(.mounts[] | select(.destination == "/mnt"))'
		bind 1 rbind
		cfg "del(.mounts[-1].${k}Mappings)"
		go
		refused "/mounts/$(jq '.mounts | length - 1' "$config")"
	done
	cfg "del(.mounts[-1]) | .mounts += [{destination: \"/mnt\", type: \"tmpfs\", source: \"tmpfs\", uidMappings: $own, gidMappings: $groups}]"
	go
	refused "/mounts/$(jq '.mounts | length - 1' "$config")"
}
