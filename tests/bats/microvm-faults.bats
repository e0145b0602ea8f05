#!/usr/bin/env bats
# The host's side of a micro-VM under faults: the runtime and its monitor are killed, or the kernel refuses,
# at some system calls of each verb, thrown anew in each run (RF_FAULT_SEED=N repeats it; RF_FAULT_POINTS=N takes N
# for each verb and fault). Afterwards `delete --force` leaves neither state, nor group, nor monitor. A machine
# takes its time to start where it is emulated: a few points each. (Up to the guest's entry `make fault` strikes
# at every call, on any host.)
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

# ready VERB: what has to be there before it.
ready() {
	[ "$1" != create ] || return 0
	rf create -b "$b" "$id" </dev/null >/dev/null 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }
	[ "$1" = start ] || rf start "$id" || return 1
	rm -rf "$T/image"
	[ "$1" != restore ] || { rf checkpoint --image-path "$T/image" "$id" </dev/null 3>&- && rf delete --force "$id"; }
}

# with VERB STRIKE-OPTION…: the verb, under strike.
with() {
	local words
	case $1 in
	create) words=(create -b "$b" "$id") ;;
	start) words=(start "$id") ;;
	exec) words=(exec "$id" true) ;;
	kill) words=(kill "$id" KILL) ;;
	update) words=(update --memory 50000000 --pids-limit 40 "$id") ;;
	delete) words=(delete --force "$id") ;;
	checkpoint) words=(checkpoint --image-path "$T/image" "$id") ;;
	restore) words=(restore --detach --image-path "$T/image" -b "$b" "$id") ;;
	esac
	shift
	timeout -s KILL 60 "$helpers/strike" "$@" "$RINGFENCE" --root "$T/state" "${words[@]}" </dev/null >/dev/null 2>"$T/err" 3>&-
}

# struck VERB POINT FAULT: what it leaves.
struck() {
	local rc=0
	ready "$1" || return 1
	with "$1" -s "$T/struck" -i "$2:$3" || rc=$?
	[ $rc -ne 137 ] || [ "$3" = KILL ] || { echo "$*: hangs"; return 1; }
	timeout -s KILL 30 "$RINGFENCE" --root "$T/state" delete --force "$id" </dev/null >"$T/err" 2>&1 3>&- ||
		{ echo "$*: delete --force: $? $(cat "$T/err")"; return 1; }
	clean || { echo "after $* (which gave $rc)"; return 1; }
	echo "$*: $rc, clean$([ -e "$T/struck" ] || echo ', not met')"
	rm -f "$T/struck"
}

# strikes VERB N FAULT: at N calls of the runtime and of the processes that it makes.
strikes() {
	local p
	ready "$1" || return 1
	with "$1" -l "$T/trace" || { echo "$1 without a fault: $? $(cat "$T/err")"; return 1; }
	rf delete --force "$id"
	[ "$(wc -l <"$T/trace")" -gt 30 ] || { echo "no trace: $(wc -l <"$T/trace") calls"; return 1; }
	grep -vE ' (exit|exit_group|rt_sigreturn) ' "$T/trace" | awk -v seed="$RF_FAULT_SEED$3" 'BEGIN { srand(seed) } { print rand() "\t" $1 ":" $2 ":" $3 }' |
		sort | head -n "${RF_FAULT_POINTS:-$2}" | cut -f 2 >"$T/points"
	while read -r p <&8; do
		struck "$1" "$p" "$3" 8<&- || return 1
	done 8<"$T/points"
}

@test "a micro-VM's create is killed" { strikes create 2 KILL; }
@test "a micro-VM's create runs out of memory" { strikes create 1 ENOMEM; }
@test "a micro-VM's create meets a broken disk" { strikes create 1 EIO; }
@test "start, and update, of a micro-VM are killed" { strikes start 1 KILL && strikes update 1 KILL; }
@test "exec in a micro-VM is killed, and runs out of memory" { strikes exec 1 KILL && strikes exec 1 ENOMEM; }
@test "kill, and delete, of a micro-VM are killed" { strikes kill 1 KILL && strikes delete 2 KILL; }
@test "start and delete of a micro-VM meet a broken disk" { strikes start 1 EIO && strikes delete 1 EIO; }
@test "checkpoint of a micro-VM is killed, and meets a full disk" { strikes checkpoint 1 KILL && strikes checkpoint 1 ENOSPC; }
@test "restore of a micro-VM is killed, and runs out of memory" { strikes restore 1 KILL && strikes restore 1 ENOMEM; }
