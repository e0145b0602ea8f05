#!/bin/bash
# Runs the bats suite in the emulated host VM: pure cgroup v2, systemd as process 1, Linux 6.1.
#
#   tests/host-vm/run.sh [FILE.bats…]       TAP on standard output, the VM's console on error
#
# Only the static binary and tests/ are carried in: compiling under emulation is slow.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

files=("$@")
mkdir -p "$work/payload/tests"
cp "$top/ringfence" "$work/payload/"
cp -r "$top/tests/bats" "$work/payload/tests/"
[ ! -d "$top/tests/data" ] || cp -r "$top/tests/data" "$work/payload/tests/"
# Small helper programs that the host built, when there are any.
[ ! -d "$top/build/helpers" ] || { mkdir -p "$work/payload/build" && cp -r "$top/build/helpers" "$work/payload/build/"; }
printf '%s\n' "${files[@]:-}" >"$work/payload/files"

cat >"$work/payload/run.sh" <<'VM'
set -u
export RINGFENCE=/payload/ringfence RF_VIEW=hostvm TERM=dumb
export RF_CACHE=/tmp/cache RINGFENCE_CACHE=/tmp/cache
mkdir -p /tmp/cache
cd /payload/tests/bats || exit 9
list=$(cat /payload/files)
# What takes hundreds of starts (races, kill points, podman) is for the host: under emulation a start
# takes thirty times as long.
[ -n "$list" ] || list="lifecycle.bats run.bats exec.bats state-list.bats delete.bats pause.bats"
: >/results/host-vm.tap
n=0
for f in $list; do
	f=${f##*/}
	echo "  VM      $f"
	timeout -k 5 150 bats --tap "$f" >"/results/$f.tap" 2>&1
	case $? in 124 | 137) echo "not ok 999 $f ended in time" >>"/results/$f.tap" ;; esac
	grep -c '^not ok' "/results/$f.tap" | sed 's/^/            failures: /'
done
exit 0
VM
"$top/tests/host-vm/boot.sh" "$work/payload" "$work/results" "${RF_VM_TIMEOUT:-1500}" >&2 || {
	echo "not ok 1 the host VM ran the suite"
	exit 1
}
cat "$work"/results/*.bats.tap
