#!/bin/bash
# The part of make bench-microvm that runs in the host VM, from the folder that bench/microvm.sh carried in.
#
#   all     starts, weights, containers, files, network: ratios in one run, commands in rotation; or some of
#           these by name (weights after starts)
#   soak    COUNT starts from one template: is the host what it was before, and does its memory drift
set -euo pipefail

runs=${RUNS:-5} count=${COUNT:-200}
here=$PWD
ringfence=$here/ringfence machine=$here/bench/machine
export RINGFENCE_KERNEL=$here/vmlinux
work=$(mktemp -d)
bundle=$work/bundle
states=$work/state
in=rfb-in out=rfb-out
mib=512 vcpus=1
trap 'cleanup' EXIT

cleanup() {
	local d
	for d in "$states"/*/; do
		[ ! -d "$d" ] || rf delete --force "$(basename "$d")" || true
	done
	ip netns pids $out 2>/dev/null | xargs -r kill -9 || true
	ip netns del $in 2>/dev/null || true
	ip netns del $out 2>/dev/null || true
	rm -rf "$work"
}

rf() { "$ringfence" --root "$states" "$@" </dev/null; }
say() { printf '%s\n' "$*" >&2; }

# --- bundles ---

# bundle_of FILTER SCRIPT: the bundle's configuration, with a shell's line as its program.
bundle_of() {
	jq --arg s "$2" '.process.args = ["sh", "-c", $s] | '"$1" "$work/config.json" >"$bundle/config.json"
}
shared='.'
vm='.annotations["io.ringfence.isolation"] = "microvm" | .vm = {kernel: {path: env.RINGFENCE_KERNEL}, hwConfig: {vcpus: '$vcpus', memory: '$((mib << 20))'}}'
cold=$vm' | .annotations["io.ringfence.no-template"] = "1"'

make_bundle() {
	local a
	mkdir -p "$bundle"/rootfs/{bin,proc,sys,dev,tmp,www}
	cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
	for a in sh echo sleep dd cat cut rm sync wget httpd touch ls stat seq; do ln -s busybox "$bundle/rootfs/bin/$a"; done
	"$ringfence" spec -b "$bundle"
	jq '.process.terminal = false | .root.readonly = false' "$bundle/config.json" >"$work/config.json"
}

# --- tables ---

# ratios TITLE BASE: lines "name value"; the median and least of each name, and its ratio to BASE's, with the
# aim that aims has for it.
declare -A aims
ratios() {
	local title=$1 base=$2 n med least
	sort -s -k1,1 -k2,2n >"$work/values"
	printf '\n%-44s %10s %10s %8s %8s\n' "$title" median min "/ $base" aim
	awk '$1 != last { last = $1; n = 0; min[last] = $2; order[++m] = last } { v[++n] = $2; med[last] = v[int((n + 1) / 2)] }
		END { for (i = 1; i <= m; i++) print order[i], med[order[i]], min[order[i]] }' "$work/values" >"$work/medians"
	awk -v b="$base" '$1 == b { print $2 }' "$work/medians" >"$work/base"
	while read -r n med least; do
		printf '%-44s %10s %10s %8s %8s\n' "${n//_/ }" "$med" "$least" \
			"$(awk -v a="$med" -v b="$(cat "$work/base")" 'BEGIN { if (b > 0) printf "%.3f", a / b }')" "${aims[$n]:-}"
	done <"$work/medians"
}

# --- starts ---

template=$work/template
words="console=hvc0 quiet reboot=t panic=-1 random.trust_cpu=on ringfence.guest=1 rootfstype=ramfs tsc=reliable cryptomgr.notests"

qemu() {
	timeout 120 "$machine" qemu 3 qemu/ld-linux-x86-64.so.2 --library-path qemu/lib qemu/qemu-system-x86_64 -L qemu \
		-M microvm,accel=kvm,acpi=off,pic=off,pit=off,rtc=off,isa-serial=off,x-option-roms=off \
		-cpu host -smp $vcpus -m $mib -nodefaults -no-user-config -display none -no-reboot \
		-kernel vmlinux -initrd "$work/initrd" -append "$words" \
		-device virtio-serial-device -chardev file,id=c,path="$work/qemu.console" -device virtconsole,chardev=c \
		-device virtio-rng-device -device vhost-vsock-device,guest-cid=3 -device virtio-balloon-device
}

ours() { "$machine" "$1" vmlinux "$ringfence" $mib $vcpus "${@:2}"; }

starts() {
	local us rest i
	"$machine" initrd "$ringfence" >"$work/initrd"
	modprobe vhost_vsock
	ours write "$template" >/dev/null
	[ ! -d qemu ] || qemu >/dev/null || {
		say "left out: QEMU ($(tail -n 1 "$work/qemu.console" 2>/dev/null))"
		rm -rf qemu
	}
	aims[restore]=0.067
	for i in $(seq "$runs"); do
		read -r us rest < <(ours boot)
		echo "cold_boot $us"
		echo "$rest" >"$work/weight.boot"
		[ ! -d qemu ] || echo "QEMU_microvm,_the_same_kernel_and_initrd $(qemu)"
		read -r us rest < <(ours restore "$template")
		echo "restore $us"
		echo "$rest" >"$work/weight.restore"
	done | ratios "to the agent's first answer, µs" cold_boot
}

weights() {
	local all own guest
	printf '\n%-44s %10s %10s %10s\n' "memory, KiB" "monitor's" "not files" "guest's, private"
	read -r all own guest <"$work/weight.boot"
	printf '%-44s %10d %10d %10d\n' "a machine that booted, idle" "$all" "$own" "$guest"
	read -r all own guest <"$work/weight.restore"
	printf '%-44s %10d %10d %10d\n' "a machine from a template, idle" "$all" "$own" "$guest"
	printf '%-44s %10d %21d\n' "aim" 2048 2000
	bundle_of "$vm" 'exec sleep 1000'
	rf run -d -b "$bundle" weigh >/dev/null 2>&1
	sleep 2
	read -r all own guest < <("$machine" weigh "$(rf state weigh | jq .pid)" $mib)
	printf '%-44s %10d %10d %10d\n' "with a container that sleeps" "$all" "$own" "$guest"
	read -r all own guest < <("$machine" weigh "$(pgrep -P "$(rf state weigh | jq .pid)")" 100000)
	printf '%-44s %10d %10d\n' "its file server" "$all" "$own"
	rf delete --force weigh
}

containers() {
	local i
	bundle_of "$vm" 'echo'
	rf run -b "$bundle" warm >/dev/null
	for i in $(seq "$runs"); do
		for how in cold vm shared; do
			bundle_of "${!how}" 'echo'
			echo "$how $("$machine" first "$ringfence" --root "$states" run -b "$bundle" one </dev/null)"
		done
	done | sed 's/^vm /from_a_template /; s/^cold /booted /; s/^shared /shared_kernel /' |
		ratios "\`run\` to the program's first byte, µs" booted
}

# --- work beside the shared kernel ---

# each_wall SCRIPT: it prints lines "name seconds-by-/proc/uptime"; run behind either wall in rotation.
each_wall() {
	local how i
	for i in $(seq "$runs"); do
		for how in shared vm; do
			bundle_of "${!how}${network:+ | $network}" "$1"
			rf run -b "$bundle" one | sed "s/^/$how:/"
		done
	done
}

# beside TITLE: of lines "how:name value" the ratio of the medians, vm / shared.
beside() {
	printf '\n%-44s %10s %10s %8s\n' "$1" "shared" "micro-VM" ratio
	sort -s -k1,1 -k2,2n | awk '$1 != last { last = $1; n = 0 } { v[++n] = $2; med[last] = v[int((n + 1) / 2)] }
		END { for (k in med) if (sub(/^vm:/, "", k)) printf "%-44s %10.2f %10.2f %8.2f\n", k, med["shared:" k], med["vm:" k],
			med["shared:" k] ? med["vm:" k] / med["shared:" k] : 0 }'
}

# A function of the container's shell: t NAME WORD… runs WORDs and prints how long it took, in seconds.
timer='t() { local n=$1 a b; shift; a=$(cut -d" " -f1 /proc/uptime); "$@" >/dev/null 2>&1; b=$(cut -d" " -f1 /proc/uptime); echo "$n $a $b"; };'
took() { awk '{ printf "%s %.2f\n", $1, $3 - $2 }'; }

files() {
	dd if=/dev/urandom of="$bundle/rootfs/big" bs=1M count=16 2>/dev/null
	each_wall "$timer"'
		many() { for i in $(seq 100); do echo $i >/tmp/f$i; done; for i in $(seq 100); do stat /tmp/f$i; done; rm /tmp/f*; }
		t read dd if=/big of=/dev/null bs=1M
		t read_again dd if=/big of=/dev/null bs=1M
		t write dd if=/dev/zero of=/out bs=1M count=16 conv=fsync
		t 100_small_files many
		rm /out' | took | beside "files: 16 MiB, seconds"
	rm "$bundle/rootfs/big"
}

wire() {
	ip netns add $in
	ip netns add $out
	ip -n $out link add out0 type veth peer name eth0 netns $in
	ip -n $out addr add 10.9.0.1/24 dev out0
	ip -n $out link set out0 up
	ip -n $in addr add 10.9.0.7/24 dev eth0
	ip -n $in link set eth0 up
	mkdir "$work/www"
	dd if=/dev/zero of="$work/www/big" bs=1M count=16 2>/dev/null
	ip netns exec $out busybox httpd -p 10.9.0.1:80 -h "$work/www"
}

network() {
	wire
	network='.linux.namespaces |= map(if .type == "network" then .path = "/run/netns/'$in'" else . end)' \
		each_wall "$timer"'
		t into_the_container wget -qO /dev/null http://10.9.0.1/big' | took | beside "network: 16 MiB over TCP, seconds"
}

# --- soak ---

# Everything of the host that a machine could leave.
snapshot() {
	awk '{ print "mount", $3, $4, $5 }' /proc/self/mountinfo
	awk 'FNR > 2 { sub(/:.*/, ""); print "link", $1 }' /proc/net/dev
	find /sys/fs/cgroup -type d -printf 'cgroup %p\n'
	find "$states" /run/ringfence /tmp /dev/shm -mindepth 1 ! -path "$work/soak*" -printf 'file %p\n' 2>/dev/null
	ps -e -o comm= | grep -v '^kworker\|^ps$\|^sort$\|^awk$\|^find$\|^grep$\|^bash$' | sort | uniq -c
}
# What nobody gives back but who took it, in KiB: the kernel's own, and memory without a file. (What is free goes
# up and down by tens of MiB with lists and caches that the kernel keeps.)
held() {
	sleep 1 # what a machine had is freed in batches
	awk '/^(SUnreclaim|Percpu|PageTables|KernelStack|AnonPages|Shmem):/ { n += $2 } END { print n }' /proc/meminfo
}

# Others of the host take and give too: the quarter that grew least counts.
soak() {
	local i us=0 before now least="" quarter=$((count < 4 ? 1 : count / 4))
	bundle_of "$vm" 'echo'
	# The template, the caches and what the kernel keeps of a first time.
	for i in 1 2 3 4 5; do rf run -b "$bundle" warm >/dev/null; done
	snapshot >"$work/soak.before"
	before=$(held)
	for i in $(seq "$count"); do
		us=$((us + $("$machine" first "$ringfence" --root "$states" run -b "$bundle" "s$i" </dev/null)))
		[ $((i % quarter)) = 0 ] || continue
		now=$(held)
		printf '%4d starts, %6d ms each, %+6d KiB in use\n' "$i" $((us / 1000 / quarter)) $((now - before))
		[ -n "$least" ] && [ "$least" -le $((now - before)) ] || least=$((now - before))
		us=0 before=$now
	done
	snapshot >"$work/soak.after"
	diff "$work/soak.before" "$work/soak.after" || {
		echo "the host isn't what it was before"
		return 1
	}
	echo "$count starts from one template: the host is what it was before"
	# A page and some for each is a leak, as for make soak.
	[ "$least" -le $((quarter * 6)) ] || {
		echo "memory drifts: $least KiB more in each quarter"
		return 1
	}
}

mkdir -p "$states"
make_bundle
case ${1:-all} in
all) for part in starts weights containers files network; do $part; done ;;
*) for part; do $part; done ;;
esac
