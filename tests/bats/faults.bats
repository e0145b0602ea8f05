#!/usr/bin/env bats
# Faults: the runtime is killed, or the kernel refuses, at a system call of its way.
# Afterwards `delete --force` must bring the host back, at once, whatever was half made.
#
# The points are taken from the trace of a whole verb and spread over it; RF_FAULT_STEP=1 strikes at
# every one of them (long), the default at some in a run of each test.
load helpers

extra_setup() {
	only_ours
	need strace
	args true
	RF_FAULT_STEP=${RF_FAULT_STEP:-12}
}

# points VERB…: "CALL N" for every call of the verb, parent and children, thinned out.
points() {
	timeout -s KILL 20 strace -f -qq -o "$T/trace" "$RINGFENCE" --root "$T/state" "$@" </dev/null >/dev/null 2>&1 3>&-
	sed -nE 's/^[0-9]+ +([a-z_0-9]+)\(.*/\1/p' "$T/trace" | grep -vE '^(exit|exit_group|execve|wait4|rt_sig|arch_prctl|brk)' |
		awk -v step="$RF_FAULT_STEP" '{ n[$1]++; if (++all % step == 0) print $1, n[$1] }'
}

# clean: nothing of the container is on the host.
clean() {
	local left
	[ -z "$(ls "$T/state" 2>/dev/null)" ] || { echo "state: $(ls "$T/state")"; return 1; }
	left=$(find /sys/fs/cgroup -maxdepth 5 -type d -name "*$id*" 2>/dev/null)
	[ -z "$left" ] || { echo "cgroups: $left"; return 1; }
}

# strike VERB-WORDS INJECTION: for every point; then delete --force and look.
# A strike counts the calls of each process by itself: some points lie in none, and nothing happens.
strike() {
	local what=$1 call n rc struck=0
	shift
	rf delete --force "$id"
	before "$@"
	points "$@" >"$T/points"
	rf delete --force "$id"
	while read -r call n <&8; do
		# Linux closes a descriptor whatever close(2) returns; the injection would keep it open.
		case $call:$what in close:error=*) continue ;; esac
		before "$@"
		rc=0
		timeout -s KILL 6 strace -f -qq -o /dev/null -e "trace=$call" -e "inject=$call:$what:when=$n" \
			"$RINGFENCE" --root "$T/state" "$@" </dev/null >/dev/null 2>"$T/err" 3>&- 8<&- || rc=$?
		# A tracer killed by the time limit means that something waits for ever.
		[ -z "${never_hangs:-}" ] || [ $rc -ne 137 ] || { echo "$call $n ($what): hangs"; return 1; }
		rc=0
		timeout -s KILL 10 "$RINGFENCE" --root "$T/state" delete --force "$id" </dev/null >"$T/err" 2>&1 3>&- 8<&- || rc=$?
		[ $rc -eq 0 ] || { echo "$call $n ($what): delete --force gave $rc: $(cat "$T/err")"; return 1; }
		clean || { echo "after $call $n ($what)"; return 1; }
		struck=$((struck + 1))
	done 8<"$T/points"
	echo "$struck points"
	[ $struck -gt 3 ]
}

# What has to be there before the verb. `run` stands for create too: a traced create would keep its
# tracer for as long as the container waits.
before() {
	case $1 in
	run) ;;
	delete) up ;;
	start) create ;;
	exec) up ;;
	esac
}

@test "run is killed" { strike signal=KILL run -b "$b" "$id"; }
@test "start is killed" { RF_FAULT_STEP=$((RF_FAULT_STEP / 3 + 1)) && strike signal=KILL start "$id"; }
@test "delete is killed, and asked again" { RF_FAULT_STEP=$((RF_FAULT_STEP / 3 + 1)) && strike signal=KILL delete --force "$id"; }
@test "exec is killed" { strike signal=KILL exec "$id" true; }

@test "run runs out of memory" { never_hangs=1 && strike error=ENOMEM run -b "$b" "$id"; }
@test "run meets a full disk" { never_hangs=1 && strike error=ENOSPC run -b "$b" "$id"; }
@test "run meets a broken one" { never_hangs=1 && strike error=EIO run -b "$b" "$id"; }
@test "run has no descriptor left" { never_hangs=1 && strike error=EMFILE run -b "$b" "$id"; }
@test "run lacks permissions" { never_hangs=1 && strike error=EPERM run -b "$b" "$id"; }
@test "exec meets errors" {
	RF_FAULT_STEP=$((RF_FAULT_STEP / 2 + 1))
	never_hangs=1
	strike error=ENOMEM exec "$id" true
}
