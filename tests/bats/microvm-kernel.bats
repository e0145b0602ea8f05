#!/usr/bin/env bats
# Micro-VMs with what else they can start from: a distribution's kernel with its modules, an initrd of the
# user's, an image as the root file system.
load helpers

need_vm() {
	"$RINGFENCE" vm check >/dev/null || skip "no micro-VM can run here: $("$RINGFENCE" vm check | sed -n 's/^micro-VM *//p')"
	[ -r "${RINGFENCE_KERNEL:-}" ] || skip "no guest kernel is given"
}
# The distribution's is that of the emulated host itself.
need_distribution() {
	need_vm
	[ -r "${RF_DISTRIBUTION_KERNEL:-}" ] || skip "no distribution's kernel is given"
	modules=/lib/modules/$(uname -r)
	cfg --arg k "$RF_DISTRIBUTION_KERNEL" '.vm.kernel.path = $k | .vm.hwConfig = {vcpus: 2, memory: 268435456}'
}
vm() { run rf run --isolation=microvm -b "$b" "$id" </dev/null; }
# hidden SCRIPT: vm, after SCRIPT has changed the mounts that it sees.
hidden() {
	run unshare -m --propagation private bash -c "set -e; $1"' exec "$@"' bash \
		"$RINGFENCE" --root "$T/state" run --isolation=microvm -b "$b" "$id" </dev/null
}
hide_modules='mount -t tmpfs none /lib/modules;'

extra_teardown() {
	[ ! -e "$T/boot" ] || rm -f "$(cat "$T/boot")"
	! mountpoint -q /usr/local/lib/ringfence || umount /usr/local/lib/ringfence
}

# --- kernels

@test "a distribution's kernel brings its modules: files, streams, exit code; and its template" {
	need_distribution
	mkdir "$T/v"
	echo in >"$T/v/f"
	cfg --arg s "$T/v" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["rbind"]}]'
	sh_args 'busybox uname -r; cat /mnt/f; echo out >/mnt/g; cut -d " " -f 1 /proc/modules; grep -c ^processor /proc/cpuinfo; exit 7'
	for _ in boot template; do
		rm -f "$T/v/g"
		vm
		exit_is 7
		[ "${lines[0]}" = "$(uname -r)" ]
		[ "${lines[1]}" = in ]
		[ "$(cat "$T/v/g")" = out ]
		[ "${lines[-1]}" = 2 ]
		has virtio_mmio
		has overlay
		# A disk's are for those who have one.
		hasnt ext4
	done
}

# Ours has the note of PVH as well; with its own notes under another name it is a kernel that has no other way.
@test "a kernel that isn't Linux is entered by PVH" {
	need_vm
	LC_ALL=C sed 's/\(\x06\x00\x00\x00.\{8\}\)Linux\x00/\1lynux\x00/g' "$RINGFENCE_KERNEL" >"$T/vmlinux"
	run cmp -s "$RINGFENCE_KERNEL" "$T/vmlinux"
	[ "$status" = 1 ]
	cfg --arg k "$T/vmlinux" '.vm.kernel.path = $k | .vm.hwConfig = {vcpus: 2, memory: 134217728}'
	# Who loaded it, as the kernel was told: 0xb0 is PVH's, 0xff ours (Documentation/arch/x86/boot.rst).
	sh_args 'cat /proc/sys/kernel/bootloader_type; grep -c ^processor /proc/cpuinfo; exit 5'
	for _ in boot template; do
		vm
		exit_is 5
		[ "${lines[0]}" = 176 ]
		[ "${lines[1]}" = 2 ]
	done
	cfg --arg k "$RINGFENCE_KERNEL" '.vm.kernel.path = $k'
	vm
	[ "${lines[0]}" = 255 ]
}

@test "without a kernel of ours the host's own is taken, the newest if that one isn't there" {
	need_distribution
	[ -z "$(find /boot -name 'vmlinuz-*')" ] || skip "this host has kernels of its own"
	cfg 'del(.vm)'
	args busybox uname -r
	unset RINGFENCE_KERNEL
	# The suite installs ours for engines.
	[ ! -d /usr/local/lib/ringfence ] || mount -t tmpfs none /usr/local/lib/ringfence
	"$RINGFENCE" vm check | grep -q '^kernel *none'
	vm
	refused "there is no guest kernel"
	echo "/boot/vmlinuz-$(uname -r)" >"$T/boot"
	cp "$RF_DISTRIBUTION_KERNEL" "$(cat "$T/boot")"
	"$RINGFENCE" vm check | grep -q '^kernel */boot/vmlinuz-'
	vm
	is "$(uname -r)"
	# One whose modules aren't there is none.
	hidden "$hide_modules"
	refused "there is no guest kernel"
}

@test "bad: modules that aren't there, at all, by the list, by the file; a kernel that is cut off" {
	need_distribution
	args true
	hidden "$hide_modules"
	refused "no modules for its kernel ($modules)"
	hidden "cp $modules/modules.* $T; $hide_modules mkdir $modules; cp $T/modules.* $modules;"
	refused "the module kernel/drivers/virtio/virtio"
	has "no such file"
	hidden "cp $modules/modules.* $T; $hide_modules mkdir $modules; grep -v virtio_mmio $T/modules.dep >$modules/modules.dep;"
	refused "the kernel has no virtio_mmio, neither as a module nor built in"
	cfg --arg k "$T/cut" '.vm.kernel.path = $k'
	for n in 3000000 700; do
		head -c "$n" "$RF_DISTRIBUTION_KERNEL" >"$T/cut"
		vm
		refused "the file ends too early"
	done
}

@test "bad: a kernel that hangs is given up" {
	need_distribution
	cp "$RF_DISTRIBUTION_KERNEL" "$T/k"
	head -c 1000000 /dev/zero | dd of="$T/k" bs=1M seek=5 conv=notrunc status=none
	cfg --arg k "$T/k" '.vm.kernel.path = $k'
	args true
	vm
	refused "the guest said nothing for 90 seconds"
}

@test "what a kernel says before its console is there: by the serial port, when asked for" {
	need_distribution
	cfg '.vm.kernel.parameters = ["earlycon=uart8250,io,0x3f8", "ignore_loglevel"]'
	args true
	rf create --isolation=microvm -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }
	grep -q "ACPI: DSDT .*RNGFNC MICROVM" "$T/state/$id/console.log"
	rf delete --force "$id"
}

# --- initrds

archive() { (cd "$1" && find . -mindepth 1 | busybox cpio -o -H newc 2>/dev/null); }

@test "an initrd of the user's is unpacked before ours: modules for a kernel that the host has none for" {
	need_distribution
	d=$T/i/lib/modules-ringfence
	mkdir -p "$d"
	printf '#!/bin/false\n' >"$T/i/init" # ours comes later
	for m in virtio_mmio virtio_console vmw_vsock_virtio_transport virtiofs; do
		modprobe --show-depends "$m" | awk '$1 == "insmod" { print $2 }'
	done | awk '!seen[$0]++' >"$T/list"
	xargs -a "$T/list" cp -t "$d"
	sed 's|.*/||' "$T/list" >"$d/order"
	archive "$T/i" >"$T/initrd"
	cfg --arg i "$T/initrd" '.vm.kernel.initrd = $i'
	args cut -d ' ' -f 1 /proc/modules
	hidden "$hide_modules"
	ok
	has virtiofs
	hasnt virtio_net
	# Packed: Debian's kernel unpacks it, ours says that it can't.
	gzip "$T/initrd"
	cfg --arg i "$T/initrd.gz" '.vm.kernel.initrd = $i'
	hidden "$hide_modules"
	ok
}

@test "an initrd with our kernel; bad: missing, empty, no archive" {
	need_vm
	mkdir -p "$T/i/etc"
	echo hello >"$T/i/etc/motd"
	archive "$T/i" >"$T/initrd"
	args echo fine
	cfg --arg i "$T/initrd" --arg k "$RINGFENCE_KERNEL" '.vm.kernel = {path: $k, initrd: $i}'
	vm
	is fine
	echo "neither packed nor an archive" >"$T/initrd"
	vm
	refused /vm/kernel/initrd
	: >"$T/initrd"
	vm
	refused /vm/kernel/initrd
	rm "$T/initrd"
	vm
	refused "/vm/kernel/initrd: the guest's initrd $T/initrd: no such file"
}

# --- images

# disk [FORMAT] [READ-ONLY]: an image of the bundle's root takes its place.
disk() {
	PATH=$PATH:/usr/sbin:/sbin
	need mke2fs
	mke2fs -q -t ext4 -d "$b/rootfs" "$T/disk" 24M
	rm -r "$b/rootfs"
	mkdir "$b/rootfs"
	cfg --arg p "$T/disk" --arg k "$RINGFENCE_KERNEL" --arg f "${1:-raw}" --argjson r "${2:-false}" \
		'.vm = {kernel: {path: $k}, image: {path: $p, format: $f}} | .root.readonly = $r'
}

@test "a raw image is the root: written, kept, whole after the end" {
	need_vm
	disk
	sh_args 'grep " / " /proc/mounts; echo kept >/root/f; dd if=/dev/zero of=/root/big bs=1M count=4 2>/dev/null; exit 3'
	vm
	exit_is 3
	has "/dev/vda / ext4 rw"
	[ "$(debugfs -R 'cat /root/f' "$T/disk" 2>/dev/null)" = kept ]
	e2fsck -fn "$T/disk" >"$T/fsck" 2>&1 || { cat "$T/fsck"; return 1; }
	[ -z "$(ls -A "$b/rootfs")" ]
	args cat /root/f
	vm
	is kept
}

@test "an image that is read only: by many at once, none may write; one that writes is alone" {
	need_vm
	disk raw true
	sh_args 'touch /x; exec sleep 1000'
	rf create --isolation=microvm -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }
	start
	run rf exec "$id" touch /x </dev/null
	has "Read-only file system"
	args grep -o 'vda / ext4 ro' /proc/mounts
	run rf run --isolation=microvm -b "$b" "$id-2" </dev/null
	is "vda / ext4 ro"
	cfg '.root.readonly = false'
	run rf run --isolation=microvm -b "$b" "$id-2" </dev/null
	[ "$status" -ne 0 ]
	has "/vm/image/path: another machine is using the image"
	down
}

@test "a qcow2 image is read; with Debian's kernel too" {
	need_vm
	need_helper qcow2
	disk qcow2 true
	"$helpers/qcow2" "$T/disk" "$T/q"
	args stat -c %s /bin/busybox
	cfg --arg p "$T/q" '.vm.image.path = $p'
	vm
	is "$(stat -Lc %s "$(command -v busybox)")"
	need_distribution
	vm
	is "$(stat -Lc %s "$(command -v busybox)")"
	cfg '.root.readonly = false'
	vm
	refused /vm/image/format
}

@test "bad: images that are missing, cut off, of another format, of no file system; a root beside it" {
	need_vm
	need_helper qcow2
	disk
	args true
	cp "$T/disk" "$T/whole"
	truncate -s 10M "$T/disk"
	vm
	refused "/vm/image: the image is cut off: its file system has 25165824 bytes, the image 10485760"
	head -c 1000000 /dev/urandom >"$T/disk"
	vm
	refused "the image must hold a file system"
	: >"$T/disk"
	vm
	refused "/vm/image: the disk is smaller than a sector"
	"$helpers/qcow2" "$T/whole" "$T/disk"
	vm
	refused '/vm/image/format: must be "qcow2"'
	cfg '.vm.image.format = "qcow2" | .root.readonly = true'
	truncate -s 100000 "$T/disk"
	vm
	refused /vm/image
	cp "$T/whole" "$T/disk"
	vm
	refused '/vm/image/format: is "qcow2", and the image is none'
	rm "$T/disk"
	vm
	refused "/vm/image/path: the image $T/disk: no such file"
	mkdir "$b/rootfs/etc"
	vm
	refused "/vm/image: the image is the container's root file system"
}
