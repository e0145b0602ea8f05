#!/usr/bin/env bats
# The first process of a micro-VM, on a kernel of the distribution's and a machine that QEMU plays:
# how far it gets without a monitor, and that trouble is said and ends the machine.
load helpers

extra_setup() {
	only_ours
	need qemu-system-x86_64
	need cpio
	vm=$("$top/tests/host-vm/build.sh")
	root=$T/initramfs
	mkdir -p "$root"/{dev,proc,sys,run,tmp}
	cp "$RINGFENCE" "$root/init"
	strip "$root/init"
}

# boot WORDS…: on the kernel's command line. -no-reboot: a reset ends QEMU.
boot() {
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$T/initrd"
	run timeout 55 qemu-system-x86_64 -M pc -accel tcg,thread=multi -cpu EPYC -m 256 -nographic -no-reboot \
		-nic none -kernel "$vm/vmlinuz" -initrd "$T/initrd" \
		-append "console=ttyS0 quiet panic=-1 mitigations=off tsc=unstable $*" </dev/null
}

# A module of the host VM's system, as the order names it.
add_module() {
	local release
	release=$(debugfs -R 'ls -p /lib/modules' "$vm/root.ext4" 2>/dev/null | cut -d/ -f6 | grep '^[0-9]')
	mkdir -p "$root/lib/modules-ringfence"
	debugfs -R "dump /lib/modules/$release/kernel/$1 $root/lib/modules-ringfence/${1##*/}" "$vm/root.ext4" 2>/dev/null
	[ -s "$root/lib/modules-ringfence/${1##*/}" ]
	echo "${1##*/}" >>"$root/lib/modules-ringfence/order"
}

@test "without a driver for vsock: one line that says so, and the machine goes down" {
	boot ringfence.guest=1
	ok
	has "ringfence: vsock: listening: address family not supported by protocol"
	hasnt panic
}

@test "drivers from the initramfs are loaded in their order; without a host the machine goes down" {
	need debugfs
	add_module drivers/virtio/virtio.ko
	add_module drivers/virtio/virtio_ring.ko
	add_module net/vmw_vsock/vsock.ko
	add_module net/vmw_vsock/vmw_vsock_virtio_transport_common.ko
	add_module net/vmw_vsock/vmw_vsock_virtio_transport.ko
	boot ringfence.guest=1
	ok
	has "ringfence: vsock: saying hello to the host: "
	hasnt panic
}

@test "a module that is missing is named" {
	mkdir -p "$root/lib/modules-ringfence"
	echo nothing.ko >"$root/lib/modules-ringfence/order"
	boot ringfence.guest=1
	ok
	has "nothing.ko: opening the module: no such file or directory"
}

@test "without the flag it is the ordinary program, whose end is the kernel's panic" {
	boot
	has "Attempted to kill init"
	hasnt "ringfence: vsock"
}
