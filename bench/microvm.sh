#!/bin/bash
# make bench-microvm: what a micro-VM costs (docs/performance.md).
#
# The monitor's processor time up to the first entry of the guest is taken on this machine's own /dev/kvm.
# All else needs a processor that can run guests: it is measured in the emulated host VM, whose AMD-V QEMU plays,
# by bench/microvm-vm.sh, as ratios in one run. QEMU is there the peer too, as Debian has it: its program,
# libraries and firmware are carried in.
#
#   bench/microvm.sh             all of it
#   bench/microvm.sh starts weights   some of what is measured in the host VM (bench/microvm-vm.sh), without QEMU
#   bench/microvm.sh soak        200 starts from a template, and whether the host is what it was (make soak-microvm)
#
# Environment: RUNS (rounds in the VM, 5), COUNT (starts of a soak, 200), RF_VM_TIMEOUT (seconds, 1500).
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
payload=$work/payload

# What Debian's QEMU consists of, as far as a microvm machine goes.
carry_qemu() {
	local qemu lib
	qemu=$(command -v qemu-system-x86_64) || return 0
	mkdir -p "$payload/qemu/lib"
	cp "$qemu" "$payload/qemu/"
	cp /usr/share/qemu/{qboot.rom,bios-microvm.bin} "$payload/qemu/"
	ldd "$qemu" | awk '$3 ~ /^\// { print $3 }' | while read -r lib; do cp -L "$lib" "$payload/qemu/lib/"; done
	cp -L /lib64/ld-linux-x86-64.so.2 "$payload/qemu/"
}

cpu_time() {
	local n median least
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || {
		echo "left out: the monitor's processor time (no access to /dev/kvm)"
		return 0
	}
	read -r n median least < <(RUNS=20 "$top/bench/microvm-cpu.sh" "$top/build/bench/stops" "$top/build/guest/vmlinux" </dev/null)
	printf '%-44s %10s %10s %8s\n' "on this machine's /dev/kvm, $n rounds" "median µs" "min µs" aim
	printf '%-44s %10d %10d %8d\n' "monitor's CPU time to the first KVM_RUN" "$median" "$least" 4000
}

mkdir -p "$payload/bench"
# As it is installed: a guest unpacks no symbols.
strip -o "$payload/ringfence" "$top/ringfence"
cp "$top/build/guest/vmlinux" "$payload/"
cp "$top/build/bench/machine" "$top/bench/microvm-vm.sh" "$payload/bench/"
cat >"$payload/run.sh" <<VM
export RUNS=${RUNS:-5} COUNT=${COUNT:-200}
bash -c 'set -o pipefail; bash bench/microvm-vm.sh ${*:-all} 2>&1 | tee /results/bench'
VM
if [ "${1:-all}" = all ]; then
	carry_qemu
	cpu_time
fi
"$top/tests/host-vm/boot.sh" "$payload" "$work/results" "${RF_VM_TIMEOUT:-1500}" >"$work/console" 2>&1 || {
	cat "$work/console" >&2
	exit 1
}
cat "$work/results/bench"
