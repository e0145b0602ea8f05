#!/bin/bash
# Boots the host VM once on a payload and brings the results back.
#
#   tests/host-vm/boot.sh PAYLOAD_DIR RESULTS_DIR [TIMEOUT_SECONDS]
#
# PAYLOAD_DIR/run.sh runs as root in the VM, in a copy of PAYLOAD_DIR; what it
# leaves in /results comes back. Its exit code is this script's. The disk is a
# snapshot: every boot starts clean. The VM's console goes to standard output. RF_VM_MEMORY: MiB, 2048.
set -euo pipefail

payload=$1 results=$2 limit=${3:-1200}
vm=$("$(dirname "$0")/build.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tar -cf "$work/in.tar" -C "$payload" .
# Without it the VM stands still, now and then (tests/helpers/holdvm.c).
helpers=$(dirname "$0")/../../build/helpers
[ -x "$helpers/holdvm" ] || {
	echo "host VM: build/helpers/holdvm isn't built (make helpers)" >&2
	exit 1
}
tar -rf "$work/in.tar" -C "$helpers" ./holdvm
truncate -s %512 "$work/in.tar"
truncate -s 256M "$work/out.img"
# --foreground: of our process group, so that what ends the group ends the VM.
timeout --foreground "$limit" qemu-system-x86_64 -M pc -accel tcg,thread=multi -smp 2 -cpu EPYC,+svm,+npt -m "${RF_VM_MEMORY:-2048}" \
	-nographic -no-reboot -nic none \
	-kernel "$vm/vmlinuz" -initrd "$vm/initrd.gz" \
	-append "console=ttyS0 quiet panic=-1 mitigations=off systemd.show_status=0 systemd.unified_cgroup_hierarchy=1 tsc=unstable no_timer_check" \
	-drive "file=$vm/root.ext4,format=raw,if=virtio,snapshot=on,cache=unsafe" \
	-drive "file=$work/in.tar,format=raw,if=virtio,readonly=on" \
	-drive "file=$work/out.img,format=raw,if=virtio,cache=unsafe" </dev/null &
vm_process=$!
trap 'kill "$vm_process" 2>/dev/null; exit 143' TERM INT HUP
wait "$vm_process" || {
	echo "host VM: qemu ended with $? (124: no result within $limit s)" >&2
	exit 1
}
mkdir -p "$results"
tar -xf "$work/out.img" -C "$results" 2>/dev/null || {
	echo "host VM: no results came back" >&2
	exit 1
}
exit "$(cat "$results/rc")"
