#!/usr/bin/env bats
# the system call filter.
load helpers

@test "a call is refused with the asked errno" {
	cfg '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}'
	args mkdir /dev/shm/x
	go
	[ "$status" -ne 0 ]
	has "No space left"
}

@test "the default errno is EPERM" {
	cfg '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}]}'
	args mkdir /dev/shm/x
	go
	has "not permitted"
}

@test "a call that kills" {
	cfg '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL_PROCESS"}]}'
	sh_args 'mkdir /dev/shm/x; echo $?'
	go
	[ "$output" -ge 128 ] || has "Bad system call"
}

@test "conditions on arguments" {
	cfg '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 1, args: [{index: 1, value: 10, op: "SCMP_CMP_EQ"}]}]}'
	sh_args 'kill -12 1; echo usr2 $?; kill -10 1; echo usr1 $?'
	go
	has "usr2 0"
	has "usr1 1"
}

@test "a filter without any exception for exec still starts the program's own filter last" {
	cfg '.process.noNewPrivileges = true | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["setuid", "setgid", "setgroups", "capset", "mount", "pivot_root"], action: "SCMP_ACT_ERRNO"}]}'
	args grep Seccomp: /proc/self/status
	go
	ok
	has 2
}

@test "exec has the filter too" {
	cfg '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}]}'
	up
	run rf exec "$id" mkdir /dev/shm/x </dev/null
	[ "$status" -ne 0 ]
	down
}

@test "names unknown to the library are passed over" {
	cfg '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["no_such_call", "mkdir"], action: "SCMP_ACT_ERRNO"}]}'
	args echo in
	go
	is in
}

@test "unknown actions, operators and architectures are refused" {
	for f in '.defaultAction = "SCMP_ACT_NONE"' '.architectures = ["SCMP_ARCH_NONE"]' \
		'.syscalls = [{names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{index: 1, value: 1, op: "SCMP_CMP_NONE"}]}]' \
		'.syscalls = [{names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{index: 9, value: 1, op: "SCMP_CMP_EQ"}]}]'; do
		cfg ".linux.seccomp = ({defaultAction: \"SCMP_ACT_ALLOW\"} | $f)"
		go
		refused
	done
}

@test "a second run of the same filter gives the same walls" {
	cfg '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}'
	args mkdir /dev/shm/x
	for _ in 1 2; do
		go
		has "No space left"
	done
	cfg '.linux.seccomp.syscalls[0].errnoRet = 17'
	go
	has "File exists"
}
