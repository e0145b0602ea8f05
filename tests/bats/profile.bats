#!/usr/bin/env bats
# The default profile: that what it writes runs, and is as narrow as docs/security.md says; and that lint
# names what other documents open beyond it.
load helpers

extra_setup() {
	only_ours
	rm "$config"
	rf spec --profile default -b "$b"
	cfg '.process.terminal = false'
	# The v2 view of a hybrid host has no controller for it.
	! cgroup_v2 || grep -qw pids /sys/fs/cgroup/cgroup.controllers || cfg 'del(.linux.resources.pids)'
}

# answers: what the kernel says to the helper's calls, a line each.
answers() {
	cp "$helpers/syscalls" "$b/rootfs/bin/"
	args /bin/syscalls
	run rf run -b "$b" "$id" </dev/null
	ok
	printf '%s\n' "$output"
}

every_capability='.process.capabilities[] = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_BOOT", "CAP_SYS_TIME", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_RAWIO", "CAP_SYSLOG", "CAP_DAC_READ_SEARCH", "CAP_PERFMON", "CAP_BPF",
	"CAP_SYS_NICE", "CAP_SETGID", "CAP_CHOWN", "CAP_NET_RAW", "CAP_IPC_LOCK"]'

# expected NAME ANSWER-WITHOUT: the profile's answer.
expected() {
	case $1 in
	clone3 | vmsplice | remap_file_pages | cachestat | statmount | personality) echo ENOSYS ;;
	socket:17 | socket:38 | socket:40 | socket:44) echo EAFNOSUPPORT ;;
	clone:0 | personality:ask | socket:* | openat | openat2 | execveat | splice | io_setup | memfd_create | pidfd_open | seccomp | \
		landlock_create_ruleset | inotify_init1 | mlock | getrandom | chown | setgroups | copy_file_range | faccessat2 | \
		membarrier | get_mempolicy | sched_setaffinity | shmget) echo "$2" ;;
	*) echo EPERM ;;
	esac
}

@test "a hundred system calls: each has the profile's answer, with every capability too" {
	need_helper syscalls
	cfg "$every_capability"
	answers >"$T/with"
	cfg 'del(.linux.seccomp)'
	answers >"$T/without"
	[ "$(wc -l <"$T/with")" -ge 60 ]
	n=0
	while read -r name with _ without; do
		want=$(expected "$name" "$without")
		[ "$with" = "$want" ] || { echo "$name: $with, and not $want"; false; }
		# Not the kernel's own answer, which a capability or a newer kernel would change.
		[ "$want" != EPERM ] || [ "$without" != EPERM ] || { echo "$name says nothing: $without without the filter"; false; }
		[ "$with" = "$without" ] || n=$((n + 1))
	done < <(paste -d' ' "$T/with" "$T/without")
	[ "$n" -ge 60 ] || { echo "only $n answers are the filter's"; false; }
}

@test "the document is narrow: no capability, no privilege, its own namespaces" {
	sh_args 'grep -E "^(Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):" /proc/self/status | tr -s "\t\n" "  "; cat /proc/sys/net/ipv4/ip_unprivileged_port_start
		cut -d: -f3 /proc/self/cgroup | sort -u'
	go
	none=0000000000000000
	is "CapInh: $none CapPrm: $none CapEff: $none CapBnd: $none CapAmb: $none NoNewPrivs: 1 Seccomp: 2 0
/"
}

@test "ordinary work needs no more: files, pipes, threads of a shell, a port below 1024" {
	sh_args 'echo a >/tmp/a && mkdir /tmp/d && mv /tmp/a /tmp/d/b && cat /tmp/d/b | sort | wc -l; echo x >/run/x && cat /run/x
		ip link show lo | head -n 1 | cut -d" " -f2; nc -l -p 80 -w 1 127.0.0.1 </dev/null >/tmp/out 2>&1 & usleep 200000; kill -0 $! && echo listens'
	go
	is "1
x
lo:
listens"
}

@test "what it masks says nothing, what it protects can't be written" {
	sh_args 'for f in $(cat /etc/masked); do [ ! -e $f ] || [ -z "$(cat $f 2>/dev/null)$(ls $f/ 2>/dev/null)" ] || echo "$f is open"; done
		for f in $(cat /etc/readonly); do [ ! -e $f ] || grep -q " $f [a-z]* ro," /proc/mounts || echo "$f can be written"; done; echo seen'
	jq -r '.linux.maskedPaths[]' "$config" >"$b/rootfs/etc/masked"
	jq -r '.linux.readonlyPaths[]' "$config" >"$b/rootfs/etc/readonly"
	go
	is seen
	cfg '.linux.maskedPaths -= ["/proc/interrupts"]'
	go
	has "/proc/interrupts is open"
}

@test "/dev, /run and /tmp have an end, in bytes and in files" {
	sh_args 'mkdir /dev/d && cd /dev/d && touch $(seq 1200) 2>/dev/null; n=$(ls | wc -l); [ $n -gt 100 ] && [ $n -lt 1100 ] && echo files
		cd / && rm -r /dev/d; dd if=/dev/zero of=/dev/big bs=64k count=64 2>/dev/null; [ $(wc -c </dev/big) -le 1048576 ] && echo bytes
		dd if=/dev/zero of=/run/big bs=1024k count=64 2>/dev/null; [ $(wc -c </run/big) -le 16777216 ] && echo run'
	go
	is "files
bytes
run"
}

@test "an unprivileged user's: --rootless" {
	rm "$config"
	rf spec --profile default --rootless -b "$b"
	jq -e '(.linux.namespaces | map(.type) | index("user") and index("network") and index("cgroup")) and .linux.seccomp
		and (.linux.resources | not)' "$config"
	run rf spec --profile none -b "$T"
	[ "$status" -ne 0 ]
	has "runc or default"
	[ ! -e "$T/config.json" ]
}

@test "lint finds nothing beyond the profile in itself, and its filter is the program's own" {
	run -0 rf lint "$config"
	hasnt profile-
	hasnt warning:
}

# opens FILTER RULE POINTER WORD: with the filter, lint names this, in one line.
opens() {
	cp "$config" "$config.whole"
	cfg "$1"
	run rf lint "$config"
	mv "$config.whole" "$config"
	[ "$(grep -cF "$3: " <<<"$output")" = 1 ] || { echo "$1: no line, or two, for $3: $output"; return 1; }
	[[ $(grep -F "$3: " <<<"$output") == *"$4"*"[$2]" ]] || { echo "$1: $output"; return 1; }
}

@test "lint names what a document opens beyond the profile, by its pointer" {
	opens '.process.capabilities.bounding = ["CAP_KILL"]' profile-capability /process/capabilities/bounding/0 CAP_KILL
	opens '.process.capabilities.bounding = ["CAP_SYS_ADMIN"]' strong-capability /process/capabilities/bounding/0 CAP_SYS_ADMIN
	opens '.process.noNewPrivileges = false' new-privileges /process/noNewPrivileges setuid
	opens '.linux.maskedPaths -= ["/proc/kallsyms", "/proc/iomem"]' profile-masks /linux/maskedPaths "/proc/kallsyms /proc/iomem"
	opens '.linux.maskedPaths -= ["/proc/kcore"]' unmasked /linux/maskedPaths /proc/kcore
	opens '.linux.readonlyPaths -= ["/proc/mtrr"]' profile-masks /linux/readonlyPaths /proc/mtrr
	opens 'del(.linux.seccomp)' no-filter /linux/seccomp "every system call"
	opens '.linux.seccomp.syscalls[0].names += ["bpf", "mount"]' profile-calls /linux/seccomp/syscalls/0 "bpf mount"
	opens '.linux.seccomp.syscalls[0].names += ["clone3"]' profile-calls /linux/seccomp/syscalls/0 clone3
	opens '.linux.seccomp.syscalls += [{names: ["socket"], action: "SCMP_ACT_ALLOW"}]' profile-calls /linux/seccomp/syscalls/19 socket
	opens '.linux.seccomp.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]' profile-calls /linux/seccomp/architectures/1 SCMP_ARCH_X86
	opens '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["bpf"], action: "SCMP_ACT_ERRNO"}]}' \
		profile-calls /linux/seccomp/syscalls "unshare"
	opens '.linux.namespaces |= map(select(.type != "pid"))' host-pid /linux/namespaces "pid namespace"
	opens '.linux.namespaces |= map(select(.type != "uts"))' host-uts /linux/namespaces "uts namespace"
	opens '.linux.devices = [{path: "/dev/sda", type: "b", major: 8, minor: 0}]' host-device /linux/devices/0 "/dev/sda"
	opens '.linux.devices = [{path: "/dev/m", type: "c", major: 1, minor: 1}]' host-device /linux/devices/0 "/dev/m"
	opens '.linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229}]' profile-device /linux/devices/0 "/dev/fuse"
	opens '.linux.resources.devices += [{allow: true, type: "b", major: 8, access: "rw"}]' host-device /linux/resources/devices/1 "8"
	opens '.mounts += [{destination: "/m", source: "/etc/cron.d/", type: "bind", options: ["bind"]}]' host-mount /mounts/9 /etc/cron.d
	opens '.mounts += [{destination: "/m", source: "/root", type: "bind", options: ["bind", "ro"]}]' host-secrets /mounts/9 /root
	opens '.mounts += [{destination: "/m", source: "/dev/sda1", type: "bind", options: ["bind", "ro"]}]' host-secrets /mounts/9 /dev/sda1
}

@test "with the profile's document nothing of the list above is said" {
	opens_nothing() { cp "$config" "$config.whole"; cfg "$1"; run -0 rf lint "$config"; mv "$config.whole" "$config"; hasnt profile-; hasnt "[host-d"; hasnt "[host-m"; hasnt "[host-s"; hasnt warning:; }
	opens_nothing '.linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 3, access: "rwm"}]'
	opens_nothing '.linux.seccomp.syscalls += [{names: ["bpf"], action: "SCMP_ACT_KILL"}]'
	opens_nothing '.linux.devices = [{path: "/dev/null", type: "c", major: 1, minor: 3}]'
	opens_nothing '.mounts += [{destination: "/m", source: "/srv/data", type: "bind", options: ["bind"]}]'
}
