#!/usr/bin/env bats
# devices: nodes, links, and the rules about which may be opened.
load helpers

@test "the default devices are there, with mode 666, and work" {
	sh_args 'for d in null zero full random urandom tty; do stat -c "%n %a %t:%T" /dev/$d; done; echo x >/dev/null; head -c 4 /dev/zero | wc -c'
	go
	ok
	has "/dev/null 666 1:3"
	has "/dev/zero 666 1:5"
	has "/dev/full 666 1:7"
	has "/dev/random 666 1:8"
	has "/dev/urandom 666 1:9"
	has "/dev/tty 666 5:0"
	[ "${lines[-1]}" = 4 ]
}

@test "the links of /dev" {
	sh_args 'for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done'
	go
	ok
	[ "${lines[0]}" = /proc/self/fd ]
	[ "${lines[1]}" = /proc/self/fd/0 ]
	[[ ${lines[4]} == *pts/ptmx ]]
}

@test "a device of the specification" {
	cfg '.linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 384, uid: 7, gid: 8}]
		| .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 3, access: "rwm"}]'
	args stat -c '%F %a %u:%g %t:%T' /dev/mine
	go
	is "character special file 600 7:8 1:3"
}

@test "a device outside the list can't be opened, even if its node is there" {
	cgroup_v2 || need_controller devices
	cfg '.linux.devices = [{path: "/dev/kmsg2", type: "c", major: 1, minor: 11, fileMode: 438}]
		| .linux.resources.devices = [{allow: false, access: "rwm"}]'
	sh_args 'cat /dev/kmsg2'
	go
	[ "$status" -ne 0 ]
	has "not permitted"
}

@test "a rule allows what the list denies" {
	cgroup_v2 || need_controller devices
	cfg '.linux.devices = [{path: "/dev/z2", type: "c", major: 1, minor: 5, fileMode: 438}]
		| .linux.resources.devices = [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 1, minor: 5, access: "r"}]'
	sh_args 'head -c 3 /dev/z2 | wc -c'
	go
	is 3
}

@test "mknod of a device that isn't allowed fails" {
	cgroup_v2 || need_controller devices
	for k in bounding effective permitted; do cfg --arg k $k '.process.capabilities[$k] += ["CAP_MKNOD"]'; done
	cfg '.linux.resources.devices = [{allow: false, access: "rwm"}]'
	sh_args 'mknod /dev/shm/mem c 1 1 && head -c1 /dev/shm/mem'
	go
	[ "$status" -ne 0 ]
}

@test "a fifo may be asked for" {
	cfg '.linux.devices = [{path: "/dev/pipe", type: "p", fileMode: 420}]'
	args stat -c %F /dev/pipe
	go
	is fifo
}

@test "each type of node, with its numbers, mode and owner" {
	for k in bounding effective permitted; do cfg --arg k $k '.process.capabilities[$k] += ["CAP_MKNOD"]'; done
	cfg '.linux.devices = [{path: "/dev/c", type: "c", major: 10, minor: 229, fileMode: 416, uid: 7, gid: 8},
		{path: "/dev/u", type: "u", major: 10, minor: 200, fileMode: 384, uid: 0, gid: 9},
		{path: "/dev/b", type: "b", major: 7, minor: 300, fileMode: 432, uid: 5, gid: 0},
		{path: "/dev/deep/down/p", type: "p", fileMode: 402, uid: 3, gid: 4}]'
	args stat -c '%n %F %a %u:%g %t:%T' /dev/c /dev/u /dev/b /dev/deep/down/p
	go
	is $'/dev/c character special file 640 7:8 a:e5\n/dev/u character special file 600 0:9 a:c8\n/dev/b block special file 660 5:0 7:12c\n/dev/deep/down/p fifo 622 3:4 0:0'
}

@test "without a mode and owner a node is root's; without numbers, or with a type that is none, it is refused" {
	cfg '.linux.devices = [{path: "/dev/c", type: "c", major: 1, minor: 3}]'
	args stat -c '%u:%g' /dev/c
	go
	is 0:0
	local f
	for f in 'del(.major)' 'del(.minor)' '.type = "x"' 'del(.type)' 'del(.path)' '.path = "dev/c"' '.fileMode = 65536'; do
		cfg "(.linux.devices = [{path: \"/dev/c\", type: \"c\", major: 1, minor: 3}]) | .linux.devices[0] |= ($f)"
		go
		refused /linux/devices/0
	done
}
