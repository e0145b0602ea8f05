#!/bin/bash
# Runs the bats suite in the emulated host VM: pure cgroup v2, systemd as process 1, Linux 6.1.
#
#   tests/host-vm/run.sh [FILE.bats…]       TAP on standard output, the VMs' consoles on error
#
# With RF_WALL=microvm every container of the suite is a micro-VM in that VM, whose AMD-V QEMU emulates;
# microvm.differences, beside this file, lists the tests that then end another way, each with its reason.
#
# Only the static binary and tests/ are carried in: compiling under emulation is slow. A VM keeps one
# processor busy, hardly a second one: where there are two, two VMs share the files.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'jobs -pr | xargs -r kill; rm -rf "$work"' EXIT
trap 'exit 143' TERM INT HUP

# A start takes thirty times as long under emulation. What takes hundreds of them is for the host:
# races, kill points, and the engines.
left_out="agent.bats guest-init.bats guest-kernel.bats checkpoint-options.bats faults.bats escapes.bats podman.bats podman-checkpoint.bats podman-pods.bats podman-rootless.bats podman-work.bats buildah.bats cri-o.bats"
left_out+=" docker.bats containerd.bats cri.bats races.bats suite.bats"

# Each start is a machine's: what isn't about containers has nothing new to say there.
if [ "${RF_WALL:-}" = microvm ]; then
	# Room for the guests' memory: a VM that has to reclaim its own programs stands still.
	export RF_VM_MEMORY=${RF_VM_MEMORY:-4096}
	left_out+=" agent.bats caps-words.bats checkpoint.bats checkpoint-options.bats cli.bats complete.bats guest-kernel.bats"
	left_out+=" lint.bats netdevices.bats resctrl.bats rootless.bats seccomp-notify.bats spec.bats spec-values.bats systemd.bats"
	left_out+=" bad-config.bats privilege.bats engine.bats features.bats info-explain.bats limits-values.bats cgroups.bats"
else
	# They would all skip: there is no guest's kernel, nor CRIU.
	left_out+=" $(cd "$top/tests/bats" && echo checkpoint.bats microvm*.bats)"
fi

files=("${@##*/}")
[ $# -gt 0 ] || for f in "$top"/tests/bats/*.bats; do
	[[ " $left_out " == *" ${f##*/} "* ]] || files+=("${f##*/}")
done

for f in "${files[@]}"; do
	[ -f "$top/tests/bats/$f" ] || { echo "not ok 1 there is a tests/bats/$f" && exit 1; }
done

# payload DIR: what a VM is given, but for the list of its files.
payload() {
	mkdir -p "$1/tests"
	if [ "${RF_WALL:-}" = microvm ]; then
		cp "$top/ringfence" "$1/ringfence-vm"
		cp "$top/build/guest/vmlinux" "$1/vmlinux"
		# Debian's own, whose modules the VM has.
		[[ ! " ${files[*]} " =~ " microvm-"(kernel|hostile)".bats " ]] || cp "$("$top/tests/host-vm/build.sh")/vmlinuz" "$1/"
		[[ " ${files[*]} " != *" microvm-work.bats "* ]] || cp -a "$("$top/tests/servers/work.sh")/root" "$1/work"
	else
		cp "$top/ringfence" "$1/"
	fi
	cp -r "$top/tests/bats" "$top/tests/views" "$1/tests/"
	[ ! -d "$top/tests/data" ] || cp -r "$top/tests/data" "$1/tests/"
	# Small helper programs that the host built, when there are any.
	[ ! -d "$top/build/helpers" ] || { mkdir -p "$1/build" && cp -r "$top/build/helpers" "$1/build/"; }
	cat >"$1/run.sh" <<'VM'
set -u
export RINGFENCE=/payload/ringfence RF_VIEW=hostvm TERM=dumb
[ -e "$RINGFENCE" ] || {
	export RINGFENCE=/payload/ringfence-vm RINGFENCE_KERNEL=/payload/vmlinux RF_WALL=microvm
	# An engine's helper passes no variable of ours on.
	install -D /payload/vmlinux /usr/local/lib/ringfence/vmlinux
}
[ ! -e /payload/vmlinuz ] || export RF_DISTRIBUTION_KERNEL=/payload/vmlinuz
[ ! -d /payload/work ] || export RF_WORK_ROOT=/payload/work
export RF_CACHE=/tmp/cache RINGFENCE_CACHE=/tmp/cache BATS_TEST_TIMEOUT=120
mkdir -p /tmp/cache
cd /payload/tests/bats || exit 9
for f in $(cat /payload/files); do
	echo "  VM      $f, up for $(cut -d. -f1 /proc/uptime) s"
	# Each of their tests is several others' work.
	case $f in microvm-work.bats | microvm-cri.bats | microvm-cri-o.bats | microvm-docker.bats) export BATS_TEST_TIMEOUT=240 ;; esac
	timeout -k 5 600 bats --tap "$f" >"/results/$f.tap" 2>&1
	case $? in 124 | 137) echo "not ok 999 $f ended in time" >>"/results/$f.tap" ;; esac
	BATS_TEST_TIMEOUT=120
	# It is in the TAP as well, but that is lost when the VM does not come to its end.
	grep '^not ok' "/results/$f.tap" | sed 's/^/            /'
done
exit 0
VM
}

# deal VMS: each file, those with most tests first, to the VM that has least.
deal() {
	local n f i least
	local -A load
	for ((i = 0; i < $1; i++)); do
		payload "$work/$i"
		load[$i]=0
	done
	while read -r n f; do
		least=0
		for ((i = 1; i < $1; i++)); do [ "${load[$i]}" -ge "${load[$least]}" ] || least=$i; done
		# The three are for bats to begin and make its first bundle.
		load[$least]=$((load[$least] + n + 3))
		echo "$f" >>"$work/$least/files"
	done < <(cd "$top/tests/bats" && grep -c '^@test' /dev/null "${files[@]}" | awk -F: '$1 != "/dev/null" { print $2, $1 }' | sort -rn)
}

# results FILE: its TAP, known differences set aside.
results() {
	local name=${1##*/}
	if [ "${RF_WALL:-}" = microvm ]; then
		awk -v list="$top/tests/host-vm/microvm.differences" -v file="${name%.tap}" -f "$top/tests/host-vm/allow.awk" "$1"
	else
		cat "$1"
	fi
}

boot() {
	exec "$top/tests/host-vm/boot.sh" "$work/$1" "$work/results.$1" "${RF_VM_TIMEOUT:-3000}" > >(sed -u "s/^/$1 /" >&2) 2>&1
}

"$top/tests/host-vm/build.sh" >/dev/null
kib_free=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)
vms=$(($(nproc) > 1 && ${#files[@]} > 1 && kib_free > 5 << 20 ? 2 : 1))
deal "$vms"
pids=()
for ((i = 0; i < vms; i++)); do
	boot "$i" &
	pids+=($!)
done
bad=0
for i in "${!pids[@]}"; do
	wait "${pids[$i]}" || echo "not ok $((++bad)) host VM $i ran its part: $(tr '\n' ' ' <"$work/$i/files")"
	for f in "$work/results.$i"/*.bats.tap; do
		[ ! -f "$f" ] || results "$f"
	done
done
[ "$bad" = 0 ]
