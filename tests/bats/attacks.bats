#!/usr/bin/env bats
# hostile bundles and hostile programs: known ways out, each tried.
load helpers

extra_setup() {
	mkdir "$T/victim"
	echo untouched >"$T/victim/file"
	before=$(find "$T/victim" -printf '%p %m %u %s %y\n' | sort)
}
victim_is_whole() {
	[ "$(find "$T/victim" -printf '%p %m %u %s %y\n' | sort)" = "$before" ] || { find "$T/victim" -ls; return 1; }
	[ "$(cat "$T/victim/file")" = untouched ]
}
# Whatever the runtime decided, refused or contained, the victim must be whole.
harmless() {
	go
	[ "$status" -lt 128 ] || [ "$status" -eq 255 ]
	victim_is_whole
}

@test "rootfs/dev is a link to a directory of the host" {
	rmdir "$b/rootfs/dev"
	ln -s "$T/victim" "$b/rootfs/dev"
	harmless
}

@test "rootfs/dev is a link upwards" {
	rmdir "$b/rootfs/dev"
	ln -s ../../victim "$b/rootfs/dev"
	harmless
}

@test "/dev isn't a mount: nodes are made in the root itself, through no link" {
	cfg '.mounts |= map(select(.destination | startswith("/dev") | not)) | .root.readonly = false'
	rmdir "$b/rootfs/dev"
	ln -s "$T/victim" "$b/rootfs/dev"
	harmless
}

@test "rootfs/proc is a link" {
	rmdir "$b/rootfs/proc"
	ln -s "$T/victim" "$b/rootfs/proc"
	harmless
	rm "$b/rootfs/proc"
	ln -s mnt "$b/rootfs/proc"
	harmless
	! ours || [ "$status" -ne 0 ]
}

@test "proc over something that isn't /proc is refused" {
	only_ours
	cfg '(.mounts[] | select(.type == "proc")).destination = "/tmp"'
	sh_args 'cat /tmp/sys/kernel/ostype'
	harmless
}

@test "mount destinations through links stay in the root" {
	mkdir "$T/src"
	echo x >"$T/src/x"
	ln -s "$T/victim" "$b/rootfs/mnt/abs"
	ln -s ../../../victim "$b/rootfs/mnt/rel"
	ln -s /proc/self/fd/0 "$b/rootfs/mnt/magic"
	ln -s / "$b/rootfs/mnt/root"
	for d in /mnt/abs /mnt/rel /mnt/abs/new /mnt/rel/new/deep /mnt/root/../victim "/mnt/abs/../../victim"; do
		cfg --arg s "$T/src" --arg d "$d" '.root.readonly = false | .mounts |= map(select(.source != $s)) + [{destination: $d, type: "bind", source: $s, options: ["bind"]}]'
		harmless || { echo "with $d"; return 1; }
		! grep -qF "$T/victim" /proc/self/mountinfo
	done
}

@test "a mount over /proc or its inside is refused" {
	only_ours
	mkdir "$T/src"
	for d in /proc /proc/self /proc/sys/kernel /proc/../proc/1; do
		cfg --arg s "$T/src" --arg d "$d" '.mounts |= map(select(.source != $s)) + [{destination: $d, type: "bind", source: $s, options: ["bind"]}]'
		go
		refused || { echo "with $d"; return 1; }
	done
}

@test "masked paths through links stay in the root" {
	ln -s "$T/victim" "$b/rootfs/mnt/abs"
	cfg '.linux.maskedPaths += ["/mnt/abs", "/mnt/abs/file"] | .linux.readonlyPaths += ["/mnt/abs"]'
	harmless
	touch "$T/victim/file"
}

@test "a working directory in a leaked descriptor is refused (CVE-2024-21626)" {
	for n in 3 4 5 6 7 8 9 10 11 12 13 14; do
		cfg --arg c "/proc/self/fd/$n" '.process.cwd = $c | .process.args = ["sh", "-c", "cd ../../../../../..; ls -d tmp/rft.* home usr/share 2>/dev/null; true"]'
		go
		hasnt rft.
		hasnt usr/share
	done
}

@test "exec with such a working directory is refused" {
	up
	for n in 3 4 5 6 7 8 9 10; do
		run rf exec --cwd "/proc/self/fd/$n" "$id" sh -c 'cd ../../../../..; ls -d usr/share 2>/dev/null; true' </dev/null
		hasnt usr/share
	done
	down
}

@test "a working directory in a descriptor that is meant for the container" {
	cfg '.process.cwd = "/proc/self/fd/3" | .process.args = ["sh", "-c", "cd ..; ls -d usr/share; true"]'
	run rf run -b "$b" --preserve-fds 1 "$id" 3</usr </dev/null
	hasnt usr/share
	! ours || [ "$status" -ne 0 ]
	cfg '.process.cwd = "/"'
	up
	run rf exec --preserve-fds 1 --cwd /proc/self/fd/3 "$id" sh -c 'cd ..; ls -d usr/share; true' 3</usr </dev/null
	hasnt usr/share
	! ours || [ "$status" -ne 0 ]
	down
}

@test "a working directory that is a link to the host's tree stays inside" {
	ln -s "$T/victim" "$b/rootfs/mnt/cwd"
	cfg '.process.cwd = "/mnt/cwd" | .root.readonly = false'
	sh_args 'echo x >evil'
	harmless
}

@test "the runtime can't be overwritten through #!/proc/self/exe (CVE-2019-5736)" {
	cp "$RINGFENCE" "$T/rt"
	sum=$(sha256sum <"$T/rt")
	cfg '.root.readonly = false'
	printf '#!/proc/self/exe\n' >"$b/rootfs/bin/evil"
	chmod +x "$b/rootfs/bin/evil"
	sh_args 'for p in /proc/[0-9]*/exe; do (echo x >$p) 2>/dev/null; done; while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in *rt*|*memfd*|*ringfence*) (echo evil >$p/exe) 2>/dev/null && echo written;; esac; done; done'
	RINGFENCE=$T/rt
	create
	start
	for _ in 1 2 3; do
		run timeout 10 "$T/rt" --root "$T/state" exec "$id" /bin/evil </dev/null 3>&-
		run timeout 10 "$T/rt" --root "$T/state" exec "$id" /bin/true </dev/null 3>&-
	done
	rf delete --force "$id"
	[ "$(sha256sum <"$T/rt")" = "$sum" ]
	! grep -q written "$T/out"
}

@test "the container can't trace or see the runtime's exec before it is ready" {
	up 'while :; do for p in /proc/[0-9]*; do [ "$p" = /proc/1 ] || ls -l $p/fd 2>/dev/null; done; done'
	for _ in 1 2 3 4 5; do rf exec "$id" true </dev/null 3>&-; done
	rf delete --force "$id"
	! grep -F "$T" "$T/out"
}

@test "a bind source that is a link is what it points at, the destination is not followed out" {
	ln -s victim "$T/link"
	cfg --arg s "$T/link" '.mounts += [{destination: "/mnt", type: "bind", source: $s, options: ["bind", "ro"]}]'
	args cat /mnt/file
	go
	is untouched
	victim_is_whole
}

@test "a device path can't leave the root" {
	cfg --arg p "/../../../..$T/victim/dev" '.linux.devices = [{path: $p, type: "c", major: 1, minor: 3}]'
	harmless
	ln -s "$T/victim" "$b/rootfs/mnt/d"
	cfg '.linux.devices = [{path: "/mnt/d/dev", type: "c", major: 1, minor: 3}] | .root.readonly = false'
	harmless
}

@test "the root itself may not be the host's" {
	only_ours
	cfg '.linux.namespaces |= map(select(.type != "mount"))'
	go
	refused
}

@test "the host's process 1 isn't reachable" {
	sh_args 'kill -0 2 2>/dev/null; ls /proc/1/root/ | grep -c "^home$"; cat /proc/1/comm'
	go
	[ "${lines[0]}" = 0 ]
}

@test "no way to load modules, set the clock or write to the kernel's files" {
	sh_args 'for f in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /sys/kernel/uevent_helper /proc/sysrq-trigger /sys/fs/cgroup/*/release_agent; do (echo x >$f) 2>/dev/null && echo "$f written"; done; true'
	go
	is ""
}
