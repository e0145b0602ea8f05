#!/usr/bin/env bats
# annotations of crun(1) that change what is done.
load helpers

extra_setup() { only_ours; }
say() { cfg --arg k "run.oci.$1" --arg v "$2" '.annotations[$k] = $v'; }
hook() { cfg --arg k "$1" --arg s "$2" '.hooks[$k] = [{"path": "/bin/sh", "args": ["sh", "-c", $s]}]'; }

@test "hooks.stdout, hooks.stderr: all hooks append to a file of the host" {
	say hooks.stdout "$T/said"
	say hooks.stderr "$T/errors"
	for k in prestart createRuntime createContainer poststart poststop; do
		hook $k "cat >/dev/null; echo $k; echo bad-$k >&2"
	done
	cfg '.hooks.startContainer = [{"path": "/bin/sh", "args": ["sh", "-c", "echo startContainer"]}]'
	echo before >"$T/said"
	go
	ok
	[ "$(tr '\n' ' ' <"$T/said")" = "before prestart createRuntime createContainer startContainer poststart poststop " ]
	[ "$(tr '\n' ' ' <"$T/errors")" = "bad-prestart bad-createRuntime bad-createContainer bad-poststart bad-poststop " ]
}

@test "hooks.stdout: the message of a failure still has what went to the other" {
	say hooks.stdout "$T/said"
	hook createRuntime 'echo file; echo message >&2; exit 3'
	go
	exit_is 1
	has "status 3: message"
	[ "$(cat "$T/said")" = file ]
}

@test "hooks.stdout: a file that can't be opened, and a relative one, are refused" {
	hook createRuntime true
	say hooks.stdout "$T/no/such"
	go
	refused "no such file"
	say hooks.stdout relative
	go
	refused run.oci.hooks.stdout
}

@test "keep_original_groups: the caller's groups, not those of the configuration" {
	cfg '.process.user.additionalGids = [7]'
	args id -G
	go
	is "0 7"
	say keep_original_groups 1
	run setpriv --groups 33,44 "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
	is "0 33 44"
	say keep_original_groups 0
	go
	is "0 7"
}

@test "seccomp_fail_unknown_syscall: a name that nobody knows" {
	cfg '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["mkdir", "no_such_call"], "action": "SCMP_ACT_ERRNO"}]}'
	go
	ok
	say seccomp_fail_unknown_syscall 1
	go
	refused no_such_call
	has /linux/seccomp/syscalls/0/names/1
}

# Five instructions: load the call's number; mkdir (83) and mkdirat (258) return errno 28, all else is allowed.
bpf() {
	python3 -c 'import struct, base64, sys
def i(c, t, f, k): return struct.pack("=HBBI", c, t, f, k)
print(base64.b64encode(i(0x20, 0, 0, 0) + i(0x15, 1, 0, 83) + i(0x15, 0, 1, 258) + i(6, 0, 0, 0x5001c) + i(6, 0, 0, 0x7fff0000)).decode())'
}

@test "seccomp_bpf_data: a compiled filter in the place of linux.seccomp" {
	[ "$(uname -m)" = x86_64 ] || skip "the numbers of calls are those of x86_64"
	need python3
	cfg '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO"}]}'
	say seccomp_bpf_data "$(bpf)"
	sh_args 'mkdir /dev/shm/x; chmod 700 /dev/shm && echo chmod; exec sleep 1000'
	create
	start
	until_true grep -q chmod "$T/out"
	until_true grep -q "No space left" "$T/out" "$T/err"
	run rf exec "$id" mkdir /dev/shm/y </dev/null
	has "No space left"
	run rf explain -b "$b" "$id"
	has "a program of the caller's"
	down
}

@test "seccomp_bpf_data: what is no program is refused" {
	for d in "" x= 'AA!A' QUJDRA== "$(head -c 40000 /dev/zero | base64 -w0)"; do
		say seccomp_bpf_data "$d"
		go
		refused run.oci.seccomp_bpf_data
	done
	say seccomp_bpf_data AAAAAAAAAAA=
	go
	refused "loading the filter"
}

@test "seccomp.receiver: takes the place of listenerPath" {
	cfg '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}'
	go
	refused listenerPath
	say seccomp.receiver "$T/nobody"
	go
	exit_is 1
	has listenerPath
	has "no such file"
	say seccomp.receiver relative
	go
	refused run.oci.seccomp.receiver
}

@test "mount_context_type: only the four words" {
	say mount_context_type rootcontext
	go
	ok
	say mount_context_type other
	go
	refused run.oci.mount_context_type
}

@test "features names each of them as unsafe to take from strangers" {
	rf features | jq -r '.potentiallyUnsafeConfigAnnotations[]' >"$T/list"
	for a in hooks.stdout hooks.stderr keep_original_groups mount_context_type pidfd_receiver seccomp.receiver \
		seccomp_bpf_data seccomp_fail_unknown_syscall; do
		grep -qx "run.oci.$a" "$T/list"
	done
}
