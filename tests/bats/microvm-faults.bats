#!/usr/bin/env bats
# The host's side of a micro-VM under faults: the runtime and its monitor are killed, or the kernel refuses,
# at some system calls of a create, thrown anew in each run (RF_FAULT_SEED=N repeats it). Afterwards
# `delete --force` leaves neither state, nor group, nor monitor. A machine takes its time to start where it is
# emulated: a few points each.
load helpers

setup_file() {
	export RF_FAULT_SEED=${RF_FAULT_SEED:-$RANDOM}
	echo "# RF_FAULT_SEED=$RF_FAULT_SEED" >&3
}

extra_setup() {
	need_vm
	need_helper strike
	args sleep 1000
}

nobody() { ! pgrep -f -- "$T/state" >/dev/null; }

clean() {
	[ ! -e "$T/state/$id" ] || { echo "state: $(ls "$T/state/$id")"; return 1; }
	[ -z "$(find /sys/fs/cgroup -type d -name "*$id*" 2>/dev/null)" ] || { echo "a group is left"; return 1; }
	until_true nobody
}

# struck POINT FAULT: a create, and what it leaves.
struck() {
	local rc=0
	timeout -s KILL 60 "$helpers/strike" -s "$T/struck" -i "$1:$2" "$RINGFENCE" --root "$T/state" create -b "$b" "$id" \
		</dev/null >/dev/null 2>"$T/err" 3>&- || rc=$?
	[ $rc -ne 137 ] || [ "$2" = KILL ] || { echo "$1 $2: hangs"; return 1; }
	timeout -s KILL 30 "$RINGFENCE" --root "$T/state" delete --force "$id" </dev/null >"$T/err" 2>&1 3>&- ||
		{ echo "$1 $2: delete --force: $? $(cat "$T/err")"; return 1; }
	clean || { echo "after $1 $2 (the create: $rc)"; return 1; }
	echo "$1 $2: $rc, clean$([ -e "$T/struck" ] || echo ', not met')"
	rm -f "$T/struck"
}

# strikes N FAULT: at N calls of the runtime and of the processes that it makes.
strikes() {
	local p
	timeout -s KILL 60 "$helpers/strike" -l "$T/trace" "$RINGFENCE" --root "$T/state" create -b "$b" "$id" </dev/null >/dev/null 2>&1 3>&-
	rf delete --force "$id"
	[ "$(wc -l <"$T/trace")" -gt 50 ] || { echo "no trace: $(wc -l <"$T/trace") calls"; return 1; }
	grep -vE ' (exit|exit_group|rt_sigreturn) ' "$T/trace" | awk -v seed="$RF_FAULT_SEED$2" 'BEGIN { srand(seed) } { print rand() "\t" $1 ":" $2 ":" $3 }' |
		sort | head -n "$1" | cut -f 2 >"$T/points"
	while read -r p <&8; do
		struck "$p" "$2" 8<&- || return 1
	done 8<"$T/points"
}

@test "a micro-VM's create is killed" { strikes 2 KILL; }
@test "a micro-VM's create runs out of memory" { strikes 1 ENOMEM; }
@test "a micro-VM's create meets a broken disk" { strikes 1 EIO; }
