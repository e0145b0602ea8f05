#!/bin/bash
# make bench-vm: the bench in the emulated host VM, which has what many hosts have and where all
# peers start: one cgroup v2 tree, systemd, root with every capability.
#
# Under emulation all that a processor does takes longer, but not all by the same factor: these ratios
# say who is faster there, the host's own say by how much.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/payload/bench" "$work/payload/programs"
cp "$top/ringfence" "$work/payload/"
cp "$top/bench/bench.sh" "$work/payload/bench/"
BENCH_PROGRAMS=$work/payload/programs "$top/bench/bench.sh" programs
cat >"$work/payload/run.sh" <<VM
export BENCH_PROGRAMS=/payload/programs RUNS=${RUNS:-20}
bench/bench.sh 2>&1 | tee /results/bench
VM
"$top/tests/host-vm/boot.sh" "$work/payload" "$work/results" "${RF_VM_TIMEOUT:-1500}" >"$work/console" || {
	cat "$work/console" >&2
	exit 1
}
cat "$work/results/bench"
