#!/usr/bin/env bats
# user namespaces and id maps.
load helpers

extra_setup() {
	cfg '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 65536}]'
	chmod 755 "$T" "$b"
	chown -R 100000:200000 "$b/rootfs"
}

@test "root in the container is somebody on the host" {
	up
	[ "$(awk '/^Uid/ { print $2 }' "/proc/$(pid)/status")" = 100000 ]
	[ "$(awk '/^Gid/ { print $2 }' "/proc/$(pid)/status")" = 200000 ]
	run rf exec "$id" id -u </dev/null
	is 0
	down
}

@test "the maps are the specification's" {
	sh_args 'cat /proc/self/uid_map /proc/self/gid_map'
	go
	ok
	[[ ${lines[0]} =~ ^\ +0\ +100000\ +65536$ ]]
	[[ ${lines[1]} =~ ^\ +0\ +200000\ +65536$ ]]
}

@test "files made inside belong to the mapped owner outside" {
	cfg '.root.readonly = false'
	sh_args 'touch /new'
	go
	ok
	[ "$(stat -c %u:%g "$b/rootfs/new")" = 100000:200000 ]
}

@test "another user than root" {
	cfg '.process.user = {uid: 1000, gid: 1000}'
	sh_args 'id -u; id -g; cat /proc/1/status | grep ^Uid'
	go
	ok
	[ "${lines[0]}" = 1000 ]
}

@test "devices work in a user namespace" {
	sh_args 'echo x >/dev/null && head -c 3 /dev/zero | wc -c'
	go
	is 3
}

@test "an id outside the map is refused" {
	cfg '.process.user = {uid: 70000, gid: 0}'
	go
	refused
}

@test "maps without a user namespace, and one without maps, are refused" {
	cfg '.linux.namespaces |= map(select(.type != "user"))'
	go
	refused
	cfg '.linux.namespaces += [{type: "user"}] | del(.linux.uidMappings, .linux.gidMappings)'
	go
	refused
}

@test "overlapping maps are refused" {
	cfg '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}, {containerID: 5, hostID: 200000, size: 10}]'
	go
	refused
}

@test "the container's root has no power over the host" {
	for k in bounding effective permitted; do cfg --arg k $k '.process.capabilities[$k] += ["CAP_SYS_ADMIN", "CAP_SYS_TIME", "CAP_MKNOD"]'; done
	sh_args 'mknod /dev/shm/x b 8 0 2>/dev/null && echo made; date -s @$(date +%s) 2>&1 | grep -q "can.t set" || echo set; echo end'
	go
	is end
}

@test "another container's user namespace is joined, its maps repeated, its group entered" {
	up
	local p outside
	p=$(pid)
	cp -r "$b" "$T/b2"
	jq --arg p "/proc/$p/ns/user" '.process.args = ["sleep", "1000"]
		| .linux.namespaces |= map(if .type == "user" then .path = $p else . end)' "$config" >"$T/b2/config.json"
	rf create -b "$T/b2" "$id-2" </dev/null >/dev/null 3>&-
	outside=$(pid "$id-2")
	[ "$(readlink "/proc/$outside/ns/user")" = "$(readlink "/proc/$p/ns/user")" ]
	[ "$(stat -c %u "/proc/$outside")" = 100000 ]
	[ "$(cat "/proc/$p/cgroup")" != "$(cat "/proc/$outside/cgroup")" ]
	grep -q "$id-2" "/proc/$outside/cgroup"
	down
}

@test "several ranges: every containerID, hostID and size" {
	cfg '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 10}, {containerID: 1000, hostID: 300000, size: 5}]
		| .linux.gidMappings = [{containerID: 0, hostID: 200000, size: 7}, {containerID: 2000, hostID: 400000, size: 3}]
		| .process.user = {uid: 1004, gid: 2002, additionalGids: [6]}'
	# The terminal's group is none of the map's.
	cfg '.mounts |= map(if .type == "devpts" then .options |= map(select(startswith("gid=") | not)) else . end)'
	up
	run awk '{ print $1, $2, $3 }' "/proc/$(pid)/uid_map" "/proc/$(pid)/gid_map"
	is $'0 100000 10\n1000 300000 5\n0 200000 7\n2000 400000 3'
	[ "$(awk '/^[UG]id|^Groups/ { print $2 }' "/proc/$(pid)/status" | tr '\n' ' ')" = "300004 400002 200006 " ]
	down
	# One past a range's end is nobody's.
	cfg '.process.user.uid = 1005'
	go
	refused /process/user/uid
	cfg '.process.user = {uid: 0, gid: 2003}'
	go
	refused /process/user/gid
}
