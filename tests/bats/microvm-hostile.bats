#!/usr/bin/env bats
# A guest whose root wants out (docs/security.md): every capability, every device, no filter. What is beside the
# shares stays as it is, the machine goes on or ends with one clear line, and a forced delete leaves nothing.
load helpers

extra_setup() {
	need_vm
	need_helper hostile
	mkdir "$T/share" "$T/ro" "$T/victim" "$T/victim/dir"
	echo "the host's" | tee "$T/victim/file" "$T/victim/dir/file" >"$T/ro/f"
	cp "$helpers/hostile" "$b/rootfs/bin/"
	cfg --arg s "$T/share" --arg r "$T/ro" '.annotations["io.ringfence.isolation"] = "microvm" | .root.readonly = false
		| .linux.maskedPaths = [] | .linux.readonlyPaths = [] | del(.linux.seccomp)
		| .linux.resources = {devices: [{allow: true, access: "rwm"}]}
		| .process.noNewPrivileges = false
		| .mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["rbind"]},
			{destination: "/media", type: "bind", source: $r, options: ["rbind", "ro"]}]
		| .process.capabilities = (["bounding", "effective", "permitted"] | map({key: ., value: $all}) | from_entries)' \
		--argjson all "$(all_caps)"
	before=$(outside)
}
extra_teardown() {
	[ -n "${before:-}" ] || return 0
	[ "$before" = "$(outside)" ] || { echo "the host's files aren't what they were" && outside && return 1; }
}

all_caps() {
	printf '%s\n' CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE \
		NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT \
		SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG \
		WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE | jq -R '"CAP_" + .' | jq -s .
}
# All that a guest could reach if a wall fell: the folder of the test but for the share and the root, and of the host some
# places that every machine has.
outside() {
	[ ! -d "$T/victim" ] || find "$T/victim" "$T/ro" "$T" -maxdepth 1 -not -name share -not -name b -not -name state -not -name out -not -name err -not -name keep \
		-not -path "$T" -printf '%p %M %u:%g %n %s %T@ %l\n' | sort
	cat "$T"/victim/file "$T"/victim/dir/file "$T"/ro/f 2>/dev/null | sha256sum
	stat -c '%n %a %u:%g %s %Y' /etc/passwd /etc/shadow /etc/group
	find /etc -maxdepth 1 -name "made-by*"
}
# What the guest was told of an attempt.
said() { grep -qxE -- "$1 ($2)" <<<"$output" || { echo "$1: not $2 in: $output" && return 1; }; }
# delete --force, whatever the machine does, soon.
ended() {
	local p files=
	p=$(pid)
	# 0: it has ended already.
	[ "$p" = 0 ] || files=$(pgrep -P "$p" || true)
	timeout 60 "$RINGFENCE" --root "$T/state" delete --force "$id" </dev/null
	[ "$p" = 0 ] || until_true gone "$p"
	[ -z "$files" ] || until_true gone "$files"
	nothing_left
	[ -z "$(find /sys/fs/cgroup -type d -name "*$id*")" ]
}
answers() { [ "$(rf exec "$id" echo here </dev/null)" = here ]; }

@test "files: nodes, links, renames, attributes and remounts reach nothing of the host" {
	args hostile files /mnt /media
	go
	ok
	for n in null mem disk; do said "mknod-$n" 'EPERM|EOPNOTSUPP'; done
	for n in link-out link-out-magic rename-out rename-in exchange; do said "$n" EXDEV; done
	said xattr-huge 'E2BIG|ENOSPC'
	said xattr-trusted EOPNOTSUPP
	said xattr-selinux EOPNOTSUPP
	said suid ok
	# The guest may think what it likes of a mount; the server knows.
	said remount ok
	for n in write truncate chmod chown times xattr unlink create mkdir symlink mknod link rename; do said "ro-$n" 'EROFS|EEXIST'; done
	# The whole of the file system is no more than its shares.
	for n in make mkdir; do said "all-$n" 'EROFS|EACCES|EPERM'; done
	said all-up ENOENT
	[ -z "$(find "$T/share" "$b/rootfs" \( -type b -o -type c \))" ]
	[ "$(stat -c %a "$T/share/attr")" = 6755 ]
	[ "$(cat "$T/ro/f")" = "the host's" ]
	# Links are the guest's, as it made them; nobody followed one.
	[ "$(readlink "$T/share/link0")" = ../victim/file ]
}

@test "files: a folder of the share is swapped for links meanwhile" {
	need_helper racer
	mkdir "$T/share/d"
	ln -s "$T/victim" "$T/share/l"
	"$helpers/racer" "$T/share" d l 3>&- &
	racer=$!
	args hostile race /mnt 10
	go
	kill "$racer"
	wait "$racer" || true
	ok
	has "walked "
	[ "$(cat "$T/victim/file")" = "the host's" ]
}

@test "streams without number to the host: the agent still answers" {
	up
	run rf exec "$id" hostile streams </dev/null
	has "streams "
	answers
	answers
	ended
}

@test "drivers taken off their devices and put back" {
	up
	rf exec "$id" sh -c 'mount -o remount,rw /sys || mount -t sysfs none /sys
		for round in 1 2 3; do
			for d in virtio_console virtio_rng virtio_balloon virtio_net; do
				cd /sys/bus/virtio/drivers/$d 2>/dev/null || continue
				for v in virtio*; do [ -e "$v" ] && echo "$v" >unbind && echo "$v" >bind; done
			done
		done; echo done' </dev/null
	answers
	ended
}

@test "a console that is flooded: the log keeps its bound" {
	up
	log=$T/state/$id/console.log
	[ -f "$log" ]
	ln -sf busybox "$b/rootfs/bin/yes"
	# The guest's driver writes 16 bytes at a time: where machines are emulated a mebibyte may take minutes, so time is the
	# limit here. That the file is cut at its bound, and what a gigabyte costs, test_vm_devices.c shows.
	until=$((SECONDS + 40))
	while [ $SECONDS -lt $until ] && rf exec "$id" sh -c 'mknod /dev/hvc0 c 229 0 2>/dev/null
		yes "a line that nobody wants to read" | dd bs=4k count=16 of=/dev/hvc0 2>/dev/null' </dev/null; do
		[ "$(stat -c %s "$log")" -le $((1152 << 10)) ]
	done
	grep -q "a line that nobody wants to read" "$log"
	# Alive, or at its end and said to be.
	! is_status running || answers
	ended
}

@test "a fork bomb ends with its machine, by force and soon" {
	up 'bomb() { bomb | bomb & }; bomb; exec sleep 1000'
	sleep 5
	[ "$(status)" = running ]
	ended
}

@test "memory without end: the guest's affair" {
	cfg '.vm = {kernel: {path: env.RINGFENCE_KERNEL}, hwConfig: {memory: 201326592, vcpus: 1}}'
	args hostile eat
	go
	# Killed for want of memory in the guest, or the guest's kernel gave up: never the host's affair.
	[ "$status" -eq 137 ] || { [ "$status" -ne 0 ] && has "kernel stopped"; }
	nothing_left
}

@test "ports and device registers by a kernel that lets root at them" {
	[ -r "${RF_DISTRIBUTION_KERNEL:-}" ] || skip "no distribution's kernel is given"
	cfg --arg k "$RF_DISTRIBUTION_KERNEL" '.vm = {kernel: {path: $k, parameters: ["iomem=relaxed"]}, hwConfig: {memory: 268435456, vcpus: 1}}'
	args hostile ports
	go
	ok
	has "ports ok"
	# The devices fail in its hands, its root's files with them: what ends is the guest.
	up 'mknod /dev/mem c 1 1 2>/dev/null; hostile registers 0xd0000000 8; exec sleep 1000'
	until_true grep -q "registers 0" "$T/out"
	sleep 10
	grep -q "map-registers ok" "$T/out"
	is_status running || is_status stopped
	ended
}
