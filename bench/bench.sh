#!/bin/bash
# make bench: what ringfence costs, beside its peers and the hand-written floor, in one run.
#
# Only ratios carry over to another machine. The order of commands is rotated
# (A B C A B C …) so that drift of the machine hits all alike; medians are
# compared. Peers that can't start on this host are named and left out.
#
# Environment: RUNS (default 40), RINGFENCE (default ./ringfence).
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
rf=${RINGFENCE:-$top/ringfence}
runs=${RUNS:-40}
work=$(mktemp -d)
bundle=$work/bundle
trap 'cleanup' EXIT

cleanup() {
	for id in $("$rf" --root "$work/state-rf" list -q); do "$rf" --root "$work/state-rf" delete --force "$id" || true; done
	rm -rf "$work"
}

mkdir -p "$bundle/rootfs/bin"
# A static program that does nothing, and one that waits.
printf 'int main(void){return 0;}\n' | "${CC:-gcc}" -O2 -static -xc - -o "$bundle/rootfs/bin/true"
printf '#include <unistd.h>\nint main(void){for(;;)pause();}\n' |
	"${CC:-gcc}" -O2 -static -xc - -o "$bundle/rootfs/bin/wait"
"${CC:-gcc}" -O2 -static -D_GNU_SOURCE "$top/bench/floor.c" -o "$work/floor"
"${CC:-gcc}" -O2 "$top/bench/spin.c" -o "$work/spin"
"$rf" spec -b "$bundle"
jq '.process.terminal = false | .process.args = ["/bin/true"] | .ociVersion = "1.0.2"' \
	"$bundle/config.json" >"$work/true.json"
jq '.process.args = ["/bin/wait"]' "$work/true.json" >"$work/wait.json"
cp "$work/true.json" "$bundle/config.json"

peers=()
for p in crun runc; do
	if command -v $p >/dev/null && $p --root "$work/probe" run -b "$bundle" "bench-probe-$$" >/dev/null 2>"$work/why"; then
		peers+=("$p")
	else
		echo "left out: $p ($(head -c 200 "$work/why" 2>/dev/null || echo 'not installed'))"
	fi
done

# The runtime's name → its command with a state root of its own.
cmd_of() { if [ "$1" = ringfence ]; then echo "$rf --root $work/state-rf"; else echo "$1 --root $work/state-$1"; fi; }

# spin N NAME=CMD…: medians in microseconds, one line "NAME median min" each.
table() { # TITLE BASE: reads "name median min" lines
	local title=$1
	awk -v title="$title" '
		{ name[NR] = $1; med[NR] = $2; min[NR] = $3; if ($1 == "ringfence") base = $2 }
		END {
			printf "\n%-28s %12s %12s %22s\n", title, "median µs", "min µs", "ringfence / it"
			for (i = 1; i <= NR; i++)
				printf "%-28s %12d %12d %22.2f\n", name[i], med[i], min[i], base / med[i]
		}'
}

entries_run=("floor=$work/floor $bundle/rootfs - /bin/true")
for p in ringfence "${peers[@]}"; do entries_run+=("$p=$(cmd_of "$p") run -b $bundle bench-run"); done
"$work/spin" "$runs" "${entries_run[@]}" | table "run true"

# A running container of each for exec and state.
cp "$work/wait.json" "$bundle/config.json"
entries_exec=() entries_state=()
for p in ringfence "${peers[@]}"; do
	$(cmd_of "$p") run -d -b "$bundle" bench-live </dev/null >/dev/null 2>&1
	entries_exec+=("$p=$(cmd_of "$p") exec bench-live /bin/true")
	entries_state+=("$p=$(cmd_of "$p") state bench-live")
done
"$work/spin" "$runs" "${entries_exec[@]}" | table "exec true"
"$work/spin" "$runs" "${entries_state[@]}" | table "state"
for p in ringfence "${peers[@]}"; do $(cmd_of "$p") delete -f bench-live; done

# create, start and delete -f have to be timed singly: one container each round.
for verb in create start "delete -f"; do
	for p in ringfence "${peers[@]}"; do
		c=$(cmd_of "$p")
		for _ in $(seq "$((runs / 4))"); do
			[ "$verb" = create ] || $c create -b "$bundle" bench-one </dev/null >/dev/null 2>&1
			[ "$verb" != "delete -f" ] || $c start bench-one
			args="$verb"
			[ "$verb" = create ] && args="create -b $bundle"
			"$work/spin" 1 "$p=$c $args bench-one"
			[ "$verb" = "delete -f" ] || $c delete -f bench-one
		done | sort -n -k2 | awk '{ n[NR] = $2 } END { print "'"$p"'", n[int((NR + 1) / 2)], n[1] }'
	done | table "$verb"
done

cp "$work/true.json" "$bundle/config.json"
printf '\n%-28s %12s %14s\n' "run true" "system calls" "peak RSS KiB"
for p in floor ringfence "${peers[@]}"; do
	c="$(cmd_of "$p") run -b $bundle bench-run"
	[ "$p" = floor ] && c="$work/floor $bundle/rootfs - /bin/true"
	calls=$(strace -f -c -o "$work/strace" $c >/dev/null 2>&1 && awk '$NF == "total" { print $(NF-1) ~ /^[0-9]+$/ ? ($4 ~ /^[0-9]+$/ ? $4 : $3) : $3 }' "$work/strace")
	rss=$(/usr/bin/time -f %M $c 2>&1 >/dev/null | tail -1)
	printf '%-28s %12s %14s\n' "$p" "${calls:-?}" "${rss:-?}"
done
