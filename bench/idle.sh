#!/bin/bash
# make bench-idle: many idle containers at once. What does the last one cost, beside the first?
#
# A thousand containers that wait are started in the background, one after the other, then
# deleted. Printed: the mean time of each tenth of them, the last tenth beside the first, the host's
# memory for each, how many processes there are for each, and what is left of processes, mounts and
# control groups at the end, which should be nothing.
#
# In a pid namespace of its own: processes whose parent has gone need a first process that reaps
# them, which not every machine has.
#
# Environment: COUNT (default 1000), RINGFENCE (default ./ringfence), BENCH_PROGRAMS as in bench.sh.
set -euo pipefail

[ -n "${BENCH_INIT:-}" ] || BENCH_INIT=1 exec unshare --pid --fork --mount-proc --kill-child "$0" "$@"
top=$(cd "$(dirname "$0")/.." && pwd)
ringfence=${RINGFENCE:-$top/ringfence}
count=${COUNT:-1000}
work=$(mktemp -d)
programs=${BENCH_PROGRAMS:-$work/programs}
bundle=$work/bundle
state=$work/state
[ "$(stat -fc %T /dev/shm 2>/dev/null)" != tmpfs ] || state=$(mktemp -d -p /dev/shm)
id=idle-$$

cleanup() {
	local d
	for d in "$state/$id"-*; do
		[ ! -d "$d" ] || "$ringfence" --root "$state" delete --force "${d##*/}" || true
	done
	rm -rf "$work" "$state"
}
trap cleanup EXIT

available() { awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo; }
processes() { find /proc -maxdepth 1 -name '[0-9]*' | wc -l; }
groups() { find /sys/fs/cgroup -type d -path "*$id*" | wc -l; }
mounts() { wc -l </proc/self/mountinfo; }

# tenths VERB WORD…: the verb on each container, timed by tenths; the container's number follows.
tenths() {
	local n step=$((count / 10)) from to first=0 took
	printf '%-10s' "$1"
	for n in $(seq 10); do
		from=${EPOCHREALTIME/./}
		for i in $(seq $(((n - 1) * step + 1)) $((n * step))); do
			"$ringfence" --root "$state" "$@" "$id-$i" </dev/null >/dev/null
		done
		to=${EPOCHREALTIME/./}
		took=$(((to - from) / step))
		[ "$n" -gt 1 ] || first=$took
		printf ' %6d' "$took"
	done
	awk -v a="$took" -v b="$first" 'BEGIN { printf "   %5.2f\n", a / b }'
}

BENCH_PROGRAMS=$programs "$top/bench/bench.sh" programs
mkdir -p "$bundle/rootfs/bin"
cp "$programs/wait" "$bundle/rootfs/bin/"
"$ringfence" spec -b "$bundle"
jq '.process.terminal = false | .process.args = ["/bin/wait"]' "$bundle/config.json" >"$work/c"
mv "$work/c" "$bundle/config.json"

free=$(available) procs=$(processes) mounted=$(mounts)
echo "$count idle containers, µs for each, by tenths                                    last / first"
tenths run -d -b "$bundle"
printf '%-10s %s\n' "memory" "$(((free - $(available)) / count)) KiB of the host's for each" \
	"processes" "$((($(processes) - procs) / count)) for each" \
	"listed" "$("$ringfence" --root "$state" list -q | grep -c "^$id-")"
tenths delete -f
printf '%-10s %s\n' "left" \
	"$(($(processes) - procs)) processes, $(groups) control groups, $(($(mounts) - mounted)) mounts, $(find "$state" -mindepth 1 | wc -l) state files"
