#!/usr/bin/env bats
# The micro-VM's kernel: built once (make guest-kernel takes minutes: no test waits for it), booted here as
# QEMU's own micro-VM boots it, by its PVH entry, without KVM.
load helpers

# A kernel that was built before, at $T/vmlinux.
need_kernel() {
	command -v qemu-system-x86_64 >/dev/null || skip "no QEMU here"
	"$top/scripts/guest-kernel.sh" --cached "$T/vmlinux" || skip "the guest's kernel isn't built (make guest-kernel)"
}

# An initramfs whose init runs the lines of its standard input under busybox, then ends the machine.
initramfs() {
	mkdir -p "$T/i"/{bin,dev,proc,sys}
	cp "$(command -v busybox)" "$T/i/bin/busybox"
	{
		echo '#!/bin/busybox sh'
		echo '/bin/busybox --install -s /bin; export PATH=/bin'
		echo 'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev'
		cat
		echo 'reboot -f'
	} >"$T/i/init"
	chmod +x "$T/i/init"
	(cd "$T/i" && find . | busybox cpio -o -H newc >"$T/initramfs" 2>/dev/null)
}

boot() {
	timeout 50 qemu-system-x86_64 -M microvm,acpi=off,x-option-roms=off -accel tcg -cpu max -smp 2 -m 256 \
		-nodefaults -no-user-config -display none -serial stdio -no-reboot -kernel "$T/vmlinux" \
		-initrd "$T/initramfs" -append "console=ttyS0 reboot=t panic=-1 quiet" \
		-netdev user,id=n,restrict=on -device virtio-net-device,netdev=n -device virtio-rng-device \
		</dev/null 2>"$T/qemu" 3>&- | tr -d '\r'
}

# What it said of one thing: the words behind "name: ".
said() {
	sed -n "s/^$1: //p" <<<"$output"
}

has() {
	local name=$1 word
	shift
	for word in "$@"; do
		[[ " $(said "$name") " == *" $word "* ]] || {
			echo "$name lacks $word: $(said "$name")"
			return 1
		}
	done
}

@test "without a kernel in the cache --cached builds none" {
	RINGFENCE_CACHE=$T/cache run -3 "$top/scripts/guest-kernel.sh" --cached "$T/vmlinux"
	[ ! -e "$T/vmlinux" ]
	[ ! -e "$T/cache" ]
}

@test "it boots, and has what a container needs" {
	need_kernel
	initramfs <<'EOS'
mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd /sys/fs/cgroup
echo controllers: $(cat cgroup.controllers)
sed 's/[a-z]*/+&/g' cgroup.controllers >cgroup.subtree_control; mkdir a
echo files: $(ls a)
echo namespaces: $(ls /proc/self/ns)
echo filesystems: $(awk '{ print $NF }' /proc/filesystems)
echo links: $(ls /sys/class/net)
echo devices: $(ls /dev)
echo processors: $(grep -c ^processor /proc/cpuinfo)
echo tables: $(ls /proc/net | grep tables_names)
echo seccomp: $(cat /proc/sys/kernel/seccomp/actions_avail)
echo keys: $(wc -l </proc/keys)
echo "modules: $(ls /proc/modules 2>/dev/null)"
echo name: $(uname -r)
echo own: $(zcat /proc/config.gz | grep CMDLINE=)
mount -t tmpfs t /mnt 2>/dev/null || { mkdir /mnt; mount -t tmpfs t /mnt; }
mkdir /mnt/l /mnt/u /mnt/w /mnt/m && echo lower >/mnt/l/f
mount -t overlay o /mnt/m -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w && echo overlay: $(cat /mnt/m/f)
truncate -s 8M /mnt/disk && mke2fs -F /mnt/disk >/dev/null && mkdir /mnt/d &&
	mount -t ext4 -o loop /mnt/disk /mnt/d && echo loop: $(grep -o '/mnt/d ext4' /proc/mounts)
for t in veth bridge dummy macvlan vlan; do
	case $t in
	macvlan) ip link add x link eth0 type macvlan mode bridge ;;
	vlan) ip link add x link eth0 type vlan id 5 ;;
	*) ip link add x type $t ;;
	esac && made="$made $t" && ip link del x
done
echo made: $made
EOS
	run -0 boot
	echo "$output"
	has controllers cpu cpuset io memory hugetlb pids
	has files cgroup.freeze cgroup.kill memory.max memory.swap.max memory.pressure cpu.max cpu.pressure io.max io.weight \
		pids.max cpuset.cpus
	has namespaces cgroup ipc mnt net pid time user uts
	has filesystems overlay ext4 virtiofs fuse tmpfs mqueue erofs devpts binfmt_misc hugetlbfs bpf
	[ "$(said links)" = "eth0 lo" ]
	has devices hwrng vsock net fuse loop-control kmsg
	[ "$(said processors)" = 2 ]
	has tables ip_tables_names ip6_tables_names
	has seccomp user_notif errno trap log allow
	[ "$(said keys)" -gt 0 ]
	[[ $output == *"modules: "* && -z $(said modules) ]]
	[[ $(said name) == 6.1.*-ringfence ]]
	[ "$(said overlay)" = lower ]
	[ "$(said loop)" = "/mnt/d ext4" ]
	[ "$(said made)" = "veth bridge dummy macvlan vlan" ]
	# Nothing of what a guest has no use for.
	[[ " $(said devices) " != *" mem "* && " $(said devices) " != *" tty0 "* ]]
}

@test "a panic ends the machine" {
	need_kernel
	initramfs <<<'exit 3'
	run -0 boot
	[[ $output == *"Attempted to kill init! exitcode=0x00000300"* ]]
}
