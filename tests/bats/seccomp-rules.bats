#!/usr/bin/env bats
# linux.seccomp: every action, operator, flag and errno, on a call of a program inside. The call is an
# lseek of no descriptor, which without a filter says EBADF.
load helpers

extra_setup() {
	need_helper probe
	cp "$helpers/probe" "$b/rootfs/bin/probe"
}

# filter JSON [MORE]: rules of an otherwise open filter; MORE changes the whole object.
filter() { cfg --argjson r "$1" ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", syscalls: [\$r] | flatten} | .linux.seccomp |= (. | ${2:-.})"; }
# on ACTION [ERRNO]: the rule for every lseek
on() { filter "$(jq -nc --arg a "$1" --argjson e "${2:-null}" '{names: ["lseek"], action: $a} | if $e then .errnoRet = $e else . end')"; }
# op OPERATOR VALUE [TWO]: EBADFD for offsets that fulfil it.
op() {
	filter "$(jq -nc --arg o "$1" --argjson v "$2" --argjson w "${3:-null}" '{names: ["lseek"], action: "SCMP_ACT_ERRNO", errnoRet: 77,
		args: [{index: 1, value: $v, op: $o} | if $w != null then .valueTwo = $w else . end]}')"
}
# hits OFFSET… / misses: what the call says for each; one container for both.
seeks() {
	sh_args "for o in $*; do probe lseek -1 \$o 0; done"
	go
	ok
}
# table: lines of OPERATOR VALUE TWO|- : offsets that are hit : offsets that aren't
table() {
	local o v w hit miss wanted
	while IFS=' :' read -r o v w rest; do
		rest=${rest#: }
		hit=${rest%% : *} miss=${rest##* : }
		op "$o" "$v" "${w/-/null}"
		# shellcheck disable=SC2086 # lists of words
		seeks $hit $miss
		# shellcheck disable=SC2086
		wanted=$(printf 'EBADFD%.0s\n' $hit && printf 'EBADF%.0s\n' $miss)
		[ "$output" = "$wanted" ] || { echo "$o $v $w ($hit / $miss): $output"; return 1; }
	done
}

@test "operators: each, below, at and above its value, in 64 bits" {
	table <<-END
		SCMP_CMP_EQ 5 - : 5 : 4 6 0x100000005
		SCMP_CMP_NE 5 - : 4 6 0x100000005 : 5
		SCMP_CMP_LT 5 - : 0 4 : 5 6 0x100000000
		SCMP_CMP_LE 5 - : 0 4 5 : 6 0x100000000
		SCMP_CMP_GE 5 - : 5 6 0x100000000 -1 : 4 0
		SCMP_CMP_GT 5 - : 6 0x100000000 -1 : 5 4
		SCMP_CMP_GE 4294967296 - : 0x100000000 : 0xffffffff
		SCMP_CMP_LT 4294967296 - : 0xffffffff : 0x100000000
	END
}

@test "operators: MASKED_EQ compares what the mask leaves, value being the mask" {
	table <<-END
		SCMP_CMP_MASKED_EQ 15 5 : 5 0x15 0xf5 : 4 0x16 0x50
		SCMP_CMP_MASKED_EQ 1 0 : 2 4 : 1 3
		SCMP_CMP_MASKED_EQ 281470681743360 4294967296 : 0x100000000 0x1ffffffff : 0x200000000 1
	END
}

@test "conditions on several arguments: all must hold; each index is its own argument" {
	filter '{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [
		{"index": 1, "value": 5, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 1, "op": "SCMP_CMP_EQ"}]}'
	sh_args 'probe lseek -1 5 1; probe lseek -1 5 0; probe lseek -1 1 5; probe lseek -1 4 1'
	go
	is $'EBADFD\nEBADF\nEBADF\nEBADF'
	filter '{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [{"index": 0, "value": 99, "op": "SCMP_CMP_EQ"}]}'
	sh_args 'probe lseek 99 0 0; probe lseek -1 99 99'
	go
	is $'EBADFD\nEBADF'
}

@test "two conditions on the same argument: either will do" {
	filter '{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [
		{"index": 1, "value": 4, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 6, "op": "SCMP_CMP_EQ"}]}'
	seeks 4 5 6
	is $'EBADFD\nEBADF\nEBADFD'
}

@test "two rules of one call: each with its condition and its errno" {
	filter '[{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77, "args": [{"index": 1, "value": 4, "op": "SCMP_CMP_EQ"}]},
		{"names": ["lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99, "args": [{"index": 1, "value": 6, "op": "SCMP_CMP_EQ"}]}]'
	seeks 4 5 6
	is $'EBADFD\nEBADF\nEADDRNOTAVAIL'
}

@test "ERRNO: errnoRet, EPERM without, and zero is a call that does nothing" {
	local n name
	while read -r n name; do
		on SCMP_ACT_ERRNO "$n"
		seeks 0
		is "$name"
	done <<-END
		77 EBADFD
		38 ENOSYS
		1 EPERM
		0 ok
	END
	on SCMP_ACT_ERRNO
	seeks 0
	is EPERM
}

@test "ALLOW lets through what the default refuses; defaultErrnoRet is the refusal's" {
	# The call that is refused is one that nothing but the probe makes; the shell needs lseek not.
	local name
	for e in 77 null; do
		filter '[]' ".defaultAction = \"SCMP_ACT_ERRNO\" | .defaultErrnoRet = $e | .syscalls = [{action: \"SCMP_ACT_ALLOW\", names: [
			\"execve\", \"exit\", \"exit_group\", \"write\", \"writev\", \"read\", \"brk\", \"mmap\", \"mprotect\", \"munmap\", \"arch_prctl\",
			\"set_tid_address\", \"set_robust_list\", \"rseq\", \"prlimit64\", \"readlink\", \"readlinkat\", \"getrandom\", \"newfstatat\",
			\"fstat\", \"close\", \"capget\", \"capset\", \"prctl\", \"futex\", \"ioctl\"]}]"
		args probe lseek -1 0 0
		go
		[ "$e" = 77 ] && name=EBADFD || name=EPERM
		is "$name"
		cfg '.linux.seccomp.syscalls[0].names += ["lseek"]'
		go
		is EBADF
	done
}

@test "TRAP: the program gets SIGSYS, with the call" {
	on SCMP_ACT_TRAP
	args probe trap -1 0 0
	go
	is "SIGSYS of a filter errno 0 lseek"
	args probe lseek -1 0 0
	go
	exit_is 159
}

@test "KILL_THREAD and KILL end the thread, KILL_PROCESS the process" {
	local w
	for w in SCMP_ACT_KILL_THREAD SCMP_ACT_KILL; do
		on "$w"
		args probe thread -1 0 0
		go
		is "the thread ended, the others live"
	done
	for w in SCMP_ACT_KILL_THREAD SCMP_ACT_KILL SCMP_ACT_KILL_PROCESS; do
		on "$w"
		args probe lseek -1 0 0
		go
		exit_is 159
	done
	on SCMP_ACT_KILL_PROCESS
	args probe thread -1 0 0
	go
	exit_is 159
}

@test "TRACE: a tracer gets errnoRet, without one the call is ENOSYS" {
	on SCMP_ACT_TRACE 4711
	args probe trace -1 0 0
	go
	is "an event with 4711"
	args probe lseek -1 0 0
	go
	is ENOSYS
	# Like ERRNO, without a number it is EPERM's.
	on SCMP_ACT_TRACE
	args probe trace -1 0 0
	go
	is "an event with 1"
}

# logged COMM: whether the kernel noted a call of it for a filter. Audit's words come a moment later.
logged() { dmesg | grep -q "type=1326 .*comm=\"$1\""; }
need_log() {
	cp "$helpers/probe" "$T/host$BASHPID"
	"$T/host$BASHPID" log >/dev/null
	until_true logged "host$BASHPID" >/dev/null || skip "this kernel logs no filter's calls, nor our own's"
}

@test "LOG: the call is made, and the kernel notes it" {
	need_log
	local name=lg${T##*.}
	cp "$b/rootfs/bin/probe" "$b/rootfs/bin/$name"
	on SCMP_ACT_LOG
	args "$name" lseek -1 0 0
	go
	is EBADF
	until_true logged "$name"
}

@test "flags: with LOG a refusal is noted, without it isn't" {
	need_log
	local name=lf${T##*.} flags
	for flags in '[]' '["SECCOMP_FILTER_FLAG_LOG"]'; do
		cp "$b/rootfs/bin/probe" "$b/rootfs/bin/$name"
		on SCMP_ACT_ERRNO 77
		cfg --argjson f "$flags" '.linux.seccomp.flags = $f'
		args "$name" lseek -1 0 0
		go
		is EBADFD
		[ "$flags" != '[]' ] || { sleep 0.3 && ! logged "$name"; }
	done
	until_true logged "$name"
}

@test "flags: what the specification lists is what the kernel gets" {
	need strace
	local words wanted
	while read -r words wanted; do
		on SCMP_ACT_ERRNO 77
		cfg --arg w "$words" '.linux.seccomp.flags = ($w | if . == "none" then [] else split(",") | map("SECCOMP_FILTER_FLAG_" + .) end)'
		args probe lseek -1 0 0
		run strace -f -qq -o "$T/trace" -e trace=seccomp "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
		is EBADFD
		# Those without a program are the library's questions.
		[ "$(sed -n 's/.*SECCOMP_SET_MODE_FILTER, \([^,]*\), {len.*/\1/p' "$T/trace")" = "$wanted" ] || { echo "$words:"; cat "$T/trace"; return 1; }
	done <<-END
		none 0
		LOG SECCOMP_FILTER_FLAG_LOG
		SPEC_ALLOW SECCOMP_FILTER_FLAG_SPEC_ALLOW
		TSYNC SECCOMP_FILTER_FLAG_TSYNC
		TSYNC,LOG,SPEC_ALLOW SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_LOG|SECCOMP_FILTER_FLAG_SPEC_ALLOW
	END
	cfg '.linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_NONE"]'
	go
	refused /linux/seccomp/flags/0
}

@test "flags: WAIT_KILLABLE_RECV and TSYNC beside a listener" {
	need strace
	need_helper notifier
	"$helpers/notifier" "$T/agent" "$T/states" 28 2>"$T/agent.err" 3>&- &
	local agent=$!
	until_true test -S "$T/agent"
	filter '{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}'
	cfg --arg p "$T/agent" '.linux.seccomp += {listenerPath: $p, flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_TSYNC"]}'
	args echo in
	run strace -f -qq -o "$T/trace" -e trace=seccomp "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
	kill -KILL "$agent" && wait "$agent" || true
	is in
	grep 'SECCOMP_SET_MODE_FILTER.*{len' "$T/trace" | grep SECCOMP_FILTER_FLAG_NEW_LISTENER | grep SECCOMP_FILTER_FLAG_TSYNC |
		grep -Eq 'WAIT_KILLABLE_RECV|0x20' || { cat "$T/trace"; return 1; }
}

@test "architectures: a call by the 32-bit entry obeys the rule where its architecture is listed" {
	[ "$("$helpers/probe" lseek32 -1 5 0)" = EBADF ] || skip "this kernel has no 32-bit entry"
	on SCMP_ACT_ERRNO 77
	cfg '.linux.seccomp.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]'
	args probe lseek32 -1 5 0
	go
	is EBADFD
	# Of one that isn't listed every call ends the program.
	cfg '.linux.seccomp.architectures = ["SCMP_ARCH_X86_64"]'
	go
	exit_is 159
}

@test "architectures of other machines are passed over, unknown words refused" {
	on SCMP_ACT_ERRNO 77
	cfg '.linux.seccomp.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X", "SCMP_ARCH_AARCH64"]'
	seeks 0
	is EBADFD
	cfg '.linux.seccomp.architectures = ["SCMP_ARCH_PDP11"]'
	go
	refused /linux/seccomp/architectures/0
}

@test "a name that is unknown is passed over, those beside it aren't" {
	filter '{"names": ["no_such_call", "lseek"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77}'
	seeks 0
	is EBADFD
}

@test "exec has the same rules" {
	op SCMP_CMP_EQ 5
	up
	run rf exec "$id" sh -c 'probe lseek -1 5 0; probe lseek -1 4 0' </dev/null
	is $'EBADFD\nEBADF'
	down
}
