#!/bin/bash
# The processor time that a micro-VM's monitor takes up to where it first enters the guest, on this machine's
# own /dev/kvm: no guest runs, so any KVM will do.
#
#   bench/microvm-cpu.sh STOPS KERNEL      STOPS is the program with bench/stops.c in it
#
# Both files are read from the disk anew first, as they are after the host's start: what was written just now lies
# in small pages of the cache, and reading it costs half a millisecond more (WRITTEN=1 measures that).
#
# Prints: rounds, median and least, in microseconds, for all threads of the monitor. RUNS (20).
set -euo pipefail

stops=$1 kernel=$2 runs=${RUNS:-20}
work=$(mktemp -d)
maker=
trap 'ended; rm -rf "$work"' EXIT

# Monitor first: who made it then ends by itself, with an error.
ended() {
	[ -z "$maker" ] || pkill -KILL -P "$maker" || true
	[ -z "$maker" ] || wait "$maker" || true
	maker=
	[ ! -d "$work/state/one" ] || "$stops" --root "$work/state" delete --force one
}

# What all threads of a process have run, in nanoseconds (proc(5), schedstat).
spent() { cat /proc/"$1"/task/*/schedstat 2>/dev/null | awk '{ n += $1 } END { print n + 0 }'; }

# The monitor, the maker's child with threads, in $monitor: it is where it stops when a processor's thread is there
# and a tenth of a second costs nothing.
settled() {
	local before=-1 now
	for _ in $(seq 100); do
		monitor=$(pgrep -n -P "$maker") || monitor=none
		now=$(spent "$monitor")
		[ "$now" != "$before" ] || [ "$(find "/proc/$monitor/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -lt 3 ] || return 0
		before=$now
		sleep 0.1
	done
	return 1
}

once() {
	local monitor
	"$stops" --root "$work/state" create -b "$work/bundle" one </dev/null >"$work/out" 2>&1 &
	maker=$!
	settled || {
		cat "$work/out" >&2
		return 1
	}
	echo $(($(spent "$monitor") / 1000))
	ended
}

mkdir -p "$work/bundle/rootfs"
"$stops" spec -b "$work/bundle"
jq --arg k "$kernel" '.process.terminal = false | .vm = {kernel: {path: $k}}
	| .annotations["io.ringfence.no-template"] = "1"' "$work/bundle/config.json" >"$work/c"
mv "$work/c" "$work/bundle/config.json"
for f in "$stops" "$kernel"; do
	# coreutils' way to let go of a file's cached pages.
	[ -n "${WRITTEN:-}" ] || dd of="$f" oflag=nocache conv=notrunc,fdatasync count=0 status=none
	cat "$f" >/dev/null
done
for _ in $(seq "$runs"); do once; done | sort -n | awk '{ v[NR] = $1 } END { print NR, v[int((NR + 1) / 2)], v[1] }'
