#!/bin/bash
# make bench: what ringfence costs, beside its peers and the hand-written floor, in one run.
#
# Only ratios carry over to another machine. The order of commands is rotated
# (A B C A B C …) so that drift of the machine hits all alike; medians are
# compared. Peers that can't start on this host are named and left out. Where
# that is crun, and the host has v1 hierarchies, all is measured once more in
# the v1 view (tests/views/run.sh), where it can.
#
# Environment: RUNS (default 40), RINGFENCE (default ./ringfence), BENCH_PROGRAMS (a folder for the
# small programs of the bench: what is there already isn't compiled again).
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
export RINGFENCE=${RINGFENCE:-$top/ringfence} RUNS=${RUNS:-40}
work=$(mktemp -d)
bundle=$work/bundle
programs=${BENCH_PROGRAMS:-$work/programs}
id=bench-$$
peers=()
# Where a runtime's state is by default: on a tmpfs, where there is one.
states=$work
for d in /run /dev/shm; do
	[ "$(stat -fc %T $d 2>/dev/null)" != tmpfs ] || { states=$(mktemp -d -p $d) && break; }
done
trap 'cleanup' EXIT

# The most that a ratio should be (docs/performance.md).
declare -A aims=(
	["run true/crun"]=0.5 ["run true/runc"]=0.18 ["run true, filtered/runc"]=0.11
	["exec true/crun"]=0.45 ["state/crun"]=0.4 ["start/crun"]=0.4 ["delete -f/crun"]=0.2
)

# cmd_of NAME: a runtime's command, with a state root of its own.
cmd_of() {
	local program=$1
	[ "$1" != ringfence ] || program=$RINGFENCE
	echo "$program --root $states/state-$1"
}

cleanup() {
	local p c
	for p in ringfence "${peers[@]}"; do
		for c in "$states/state-$p/$id"*; do
			[ ! -d "$c" ] || $(cmd_of "$p") delete --force "${c##*/}" || true
		done
	done
	[ "$floor_group" = - ] || [ ! -d "$floor_group" ] || rmdir "$floor_group"
	# crun makes folders where a v2 tree would be, though in the v1 view there is none.
	mountpoint -q /sys/fs/cgroup/unified || rm -rf --one-file-system "/sys/fs/cgroup/unified/$id"*
	rm -rf "$work" "$states"
}

# The floor is given a cgroup where there is a v2 tree: it knows no v1.
floor_group=-
for d in /sys/fs/cgroup /sys/fs/cgroup/unified; do
	[ "$(stat -fc %T "$d" 2>/dev/null)" != cgroup2fs ] || { floor_group=$d/$id-floor && break; }
done
[ "$floor_group" != "/sys/fs/cgroup/$id-floor" ] || aims["run true/floor"]=1.8

# The programs that take part, and the names of all system calls, in the folder $programs.
make_programs() {
	local cc=${CC:-gcc}
	mkdir -p "$programs"
	# A program that makes one system call, its exit, and one that waits.
	printf '#include <unistd.h>\nvoid _start(void){_exit(0);}\n' |
		"$cc" -O2 -static -nostartfiles -xc - -o "$programs/true"
	printf '#include <unistd.h>\nint main(void){for(;;)pause();}\n' | "$cc" -O2 -static -xc - -o "$programs/wait"
	"$cc" -O2 -static -D_GNU_SOURCE "$top/bench/floor.c" -o "$programs/floor"
	"$cc" -O2 -static "$top/bench/spin.c" -o "$programs/spin"
	echo '#include <sys/syscall.h>' | "$cc" -E -dM - | sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/\1/p' |
		sort >"$programs/calls"
}

make_configs() {
	mkdir -p "$bundle/rootfs/bin"
	cp "$programs/true" "$programs/wait" "$bundle/rootfs/bin/"
	"$RINGFENCE" spec -b "$bundle"
	jq '.process.terminal = false | .process.args = ["/bin/true"] | .ociVersion = "1.0.2"' \
		"$bundle/config.json" >"$work/true.json"
	jq '.process.args = ["/bin/wait"]' "$work/true.json" >"$work/wait.json"
	# A filter of the size that engines give: every call of this machine by its name.
	jq -nR --slurpfile true "$work/true.json" '[inputs] as $names | $true[0] | .linux.seccomp = {
		defaultAction: "SCMP_ACT_ERRNO",
		syscalls: [{names: ($names - ["ptrace"]), action: "SCMP_ACT_ALLOW"}]}' \
		<"$programs/calls" >"$work/filtered.json"
}

use() { cp "$work/$1.json" "$bundle/config.json"; }

# Fills peers with those that start here.
find_peers() {
	local p why
	for p in crun runc; do
		if ! command -v "$p" >/dev/null; then
			why="not installed"
		elif why=$($(cmd_of "$p") run -b "$bundle" "$id-probe" 2>&1 >/dev/null </dev/null); then
			peers+=("$p")
			continue
		fi
		echo "left out: $p ($(tr '\n' ' ' <<<"$why" | head -c 200))"
	done
}

# table TITLE: lines "name µs least-µs"; a name with many lines counts by their median.
table() {
	printf '\n%-26s %10s %10s %16s %8s %8s\n' "$1" "median µs" "min µs" "ringfence / it:" "by min" "aim"
	sort -s -k1,1 -k2,2n | awk '
		$1 != last { last = $1; n = 0; min[last] = $3 }
		{ v[++n] = $2; med[last] = v[int((n + 1) / 2)]; if ($3 < min[last]) min[last] = $3 }
		END { for (x in med) print x, med[x], min[x], med["ringfence"] / med[x], min["ringfence"] / min[x] }' >"$work/table"
	local n
	for n in floor ringfence "${peers[@]}"; do
		awk -v n="$n" -v aim="${aims["$1/$n"]:-}" '$1 == n {
			printf "%-26s %10d %10d %16.2f %8.2f %8s\n", n, $2, $3, $4, $5, aim }' "$work/table"
	done
}

# rotate TITLE WORD…: `RUNTIME WORD…` of each in rotation; with_floor says that the floor can do it as well.
rotate() {
	local title=$1 entries=() p
	shift
	[ -z "${with_floor:-}" ] || entries=("floor=$programs/floor $bundle/rootfs $floor_group /bin/true")
	for p in ringfence "${peers[@]}"; do entries+=("$p=$(cmd_of "$p") $*"); done
	"$programs/spin" "$RUNS" "${entries[@]}" | table "$title"
}

each_peer() {
	local p
	for p in ringfence "${peers[@]}"; do
		$(cmd_of "$p") "$@" </dev/null >/dev/null 2>&1
	done
}

# timed_step TIMED STEP WORD…: does a step of a container's life, and prints its time when it is the timed one.
timed_step() {
	local timed=$1 step=$2
	shift 2
	if [ "$timed" = "$step" ]; then
		"$programs/spin" 1 "$p=$(cmd_of "$p") $step $*"
	else
		# shellcheck disable=SC2086 # a verb and its option
		$(cmd_of "$p") $step "$@" </dev/null >/dev/null 2>&1
	fi
}

# one_step TITLE: create, start and delete -f, which need a container of their own each round.
one_step() {
	local p
	for _ in $(seq $((RUNS / 4 + 1))); do
		for p in ringfence "${peers[@]}"; do
			timed_step "$1" create -b "$bundle" "$id-one"
			timed_step "$1" start "$id-one"
			timed_step "$1" "delete -f" "$id-one"
		done
	done | table "$1"
}

# Calls of all its processes and threads; memory of the largest of them. -U names strace's columns:
# by default their number depends on whether a call failed.
weigh() {
	local p c calls rss
	printf '\n%-26s %14s %14s\n' "run true" "system calls" "peak RSS KiB"
	for p in floor ringfence "${peers[@]}"; do
		c="$(cmd_of "$p") run -b $bundle $id-run"
		[ "$p" != floor ] || c="$programs/floor $bundle/rootfs $floor_group /bin/true"
		# shellcheck disable=SC2086 # a command and its words
		calls=$(strace -f -c -U calls,name -o "$work/strace" $c >/dev/null 2>&1 </dev/null &&
			awk '$2 == "total" { print $1 }' "$work/strace") || calls="?"
		# shellcheck disable=SC2086
		rss=$(/usr/bin/time -o "$work/rss" -f %M $c >/dev/null 2>&1 </dev/null && cat "$work/rss") || rss="?"
		printf '%-26s %14s %14s\n' "$p" "$calls" "$rss"
	done
}

[ -x "$programs/spin" ] || make_programs
[ "${1:-}" != programs ] || exit 0
read -r load _ </proc/loadavg
echo "the machine's load is $load on $(nproc) processors: the less, the nearer are median and min"
make_configs
use true
find_peers
with_floor=1 rotate "run true" run -b "$bundle" "$id-run"
use filtered
rotate "run true, filtered" run -b "$bundle" "$id-run"
use wait
each_peer run -d -b "$bundle" "$id-live"
rotate "exec true" exec "$id-live" /bin/true
rotate "state" state "$id-live"
each_peer delete -f "$id-live"
for step in create start "delete -f"; do one_step "$step"; done
use true
weigh

if [[ " ${peers[*]} " != *" crun "* && -z ${BENCH_AGAIN:-} && -d /sys/fs/cgroup/memory ]] && command -v crun >/dev/null; then
	printf '\ncrun does not start in this layout: all once more in the v1 view\n'
	cleanup
	trap - EXIT
	BENCH_AGAIN=1 exec "$top/tests/views/run.sh" v1 "$top/bench/bench.sh"
fi
