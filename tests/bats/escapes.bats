#!/usr/bin/env bats
# Escapes: links and planted files that send the runtime out of the root (races.bats: names that change meanwhile).
# A victim folder stands for the host; what may never happen is that it changes.
load helpers

extra_setup() {
	victim=$T/victim
	mkdir "$victim" "$T/src"
	echo secret >"$victim/secret"
	echo volume >"$T/src/volume"
	victim_before=$(tree "$victim")
}

extra_teardown() {
	local after
	after=$(tree "$victim")
	if [ "$after" != "$victim_before" ]; then
		echo "THE VICTIM CHANGED:"
		diff <(echo "$victim_before") <(echo "$after")
		return 1
	fi
}

tree() { find "$1" -printf '%P %y %m %U:%G %s %l\n' | sort; }

# Either way is right: refused, or run with everything inside the root.
survives() {
	go
	[ "$status" -eq 0 ] || refused
	hasnt secret
}

@test "an image's /dev is a link, and no mount covers it" {
	only_ours
	cfg '.mounts |= map(select(.destination | startswith("/dev") | not))'
	rm -rf "$b/rootfs/dev"
	ln -s "../../../../../../../..$victim" "$b/rootfs/dev"
	sh_args 'ls -l /dev/'
	survives
	rm "$b/rootfs/dev"
	mkdir "$b/rootfs/dev"
	ln -s "$victim" "$b/rootfs/dev/pts"
	ln -s "$victim/new" "$b/rootfs/dev/null"
	ln -s "$victim/secret" "$b/rootfs/dev/zero"
	survives
}

@test "a mount's target is a link out of the root: every kind" {
	ln -s x0 "$b/rootfs/chain"
	for i in $(seq 0 38); do ln -s "x$((i + 1))" "$b/rootfs/x$i"; done
	ln -s "$victim" "$b/rootfs/x39"
	i=0
	for link in "$victim" "../../../../../../../../..$victim" "/proc/1/root$victim" "/proc/self/root$victim" \
		"/proc/1/cwd" "$victim/new" "../../../../../../../..$victim/new/deep" chain . .. /; do
		ln -sfn "$link" "$b/rootfs/x"
		for dest in /x /x/inner "/x/../x"; do
			cfg --arg s "$T/src" --arg d "$dest" '.mounts |= map(select(.source | test("rft") | not)) | .mounts += [{destination: $d, type: "bind", source: $s, options: ["rbind", "rw"]}]'
			args true
			survives
			cfg --arg d "$dest" '.mounts |= map(select((.source | test("rft") | not) and .source != "rft-tmp")) | .mounts += [{destination: $d, type: "tmpfs", source: "rft-tmp"}]'
			survives
		done
		[ "$(tree "$victim")" = "$victim_before" ] || { echo "by the link $link"; false; }
		cfg '.mounts |= map(select((.source | test("rft") | not)))'
	done
}

@test "a bind of a file whose target is a link to a file of the host" {
	ln -s "$victim/secret" "$b/rootfs/etc/f"
	ln -s "$victim/new" "$b/rootfs/etc/g"
	for d in /etc/f /etc/g; do
		cfg --arg s "$T/src/volume" --arg d "$d" '.mounts += [{destination: $d, type: "bind", source: $s, options: ["bind"]}]'
		args true
		survives
	done
}

@test "a missing working directory isn't made outside" {
	ln -s "$victim" "$b/rootfs/x"
	ln -s "../../../../../../../..$victim" "$b/rootfs/y"
	args true
	for c in /x/new /y/new/deep; do
		cfg --arg c "$c" '.process.cwd = $c'
		survives
	done
}

# The attacked program is a copy: when the attack succeeds, the tree's own stays whole.
attacked_copy() {
	cp "$(realpath "$RINGFENCE")" "$T/ringfence"
	RINGFENCE=$T/ringfence
	sum=$(sha256sum <"$RINGFENCE")
}

@test "a container that waits for exec can't write to the runtime's file" {
	attacked_copy
	cfg '.process.capabilities[] += ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"] | .process.noNewPrivileges = false | .root.readonly = false'
	# While it runs, its file is busy: a descriptor is kept, and written through once it has ended.
	up 'while :; do for p in /proc/[0-9]*; do case $(readlink $p/exe) in */busybox | "") ;; *)
		(exec 9<$p/exe && echo saw >>/tmp/saw && for i in $(seq 40); do (echo pwned >/proc/self/fd/9) 2>/dev/null && echo PWNED && break; usleep 50000; done) 2>/dev/null & ;;
		esac; done; done'
	printf '#!/proc/self/exe\n' >"$b/rootfs/bin/evil"
	chmod +x "$b/rootfs/bin/evil"
	for i in $(seq 40); do
		rf exec "$id" true </dev/null 3>&- || true
		timeout 5 "$RINGFENCE" --root "$T/state" exec "$id" /bin/evil </dev/null 3>&- >/dev/null 2>&1 || true
		[ ! -s "$b/rootfs/tmp/saw" ] || [ "$i" -lt 5 ] || break
	done
	[ -s "$b/rootfs/tmp/saw" ]
	sleep 1
	[ "$(sha256sum <"$RINGFENCE")" = "$sum" ]
	run grep PWNED "$T/out"
	[ "$status" -ne 0 ]
	down
}

@test "the joining exec shows no descriptor of the host" {
	up 'while :; do ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F "'"$victim"'"; done'
	exec 21<"$victim" 22<"$victim/secret"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		rf exec "$id" true </dev/null 3>&- || true
	done
	exec 21<&- 22<&-
	[ ! -s "$T/out" ]
	down
}

@test "the joining exec shows no descriptor of the host to root of a user namespace" {
	cfg '.linux.namespaces += [{type: "user"}] | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.uidMappings = .linux.gidMappings | .process.capabilities[] += ["CAP_SYS_PTRACE"]'
	chmod 755 "$T" "$b"
	chown -R 100000:100000 "$b/rootfs"
	up 'while :; do ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F "'"$victim"'"; done'
	exec 21<"$victim" 22<"$victim/secret"
	for i in $(seq 30); do
		rf exec "$id" true </dev/null 3>&- || true
	done
	exec 21<&- 22<&-
	[ ! -s "$T/out" ]
	down
}

@test "a mask isn't taken from the image's own /dev/null" {
	cfg '.mounts |= map(select(.destination | startswith("/dev") | not))'
	ln -s /proc/version "$b/rootfs/dev/null"
	cfg '.linux.maskedPaths = ["/proc/cpuinfo"]'
	sh_args 'stat -c %t:%T /proc/cpuinfo; grep " /proc/cpuinfo " /proc/mounts'
	go
	if [ "$status" -eq 0 ]; then
		hasnt " proc "
	else
		refused
	fi
	cfg '.linux.maskedPaths += ["/etc/passwd"]'
	args true
	survives
}

@test "user names of the image don't decide who a number is" {
	printf '1000:x:0:0::/:/bin/sh\n' >>"$b/rootfs/etc/passwd"
	printf '1000:x:0:\n' >>"$b/rootfs/etc/group"
	up
	run rf exec --user 1000:1000 "$id" id -u </dev/null
	is 1000
	run rf exec --user 1000 "$id" id -u </dev/null
	is 1000
	for u in -1 '-u 1000' 4294967295 4294967296 18446744073709551616 ' 0' '0 ' 0x0 1e3 '' : 1000: :0 1000:x 1000:1000:1000 '1000;0' nobody-here; do
		run rf exec --user="$u" "$id" id -u </dev/null
		[ "$status" -ne 0 ] || [ "$output" != 0 ] || { [ -z "$u" ] || [[ $u == :* ]]; } || { echo "'$u' became root"; return 1; }
	done
	down
}

@test "nothing is inheritable unless asked for" {
	for u in 0 1000; do
		cfg --argjson u "$u" '.process.user.uid = $u | .process.capabilities.inheritable = [] | .process.capabilities.ambient = []'
		args grep CapInh /proc/self/status
		go
		has 0000000000000000
		up
		run rf exec "$id" grep CapInh /proc/self/status </dev/null
		has 0000000000000000
		run rf exec --cap CAP_KILL --user "$u" "$id" grep CapInh /proc/self/status </dev/null
		has 0000000000000000
		down
	done
}

@test "release_agent can't be written" {
	cfg '.process.capabilities[] += ["CAP_DAC_OVERRIDE"]'
	sh_args 'for f in $(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name notify_on_release 2>/dev/null); do
			for v in /x 0; do (echo $v >$f) 2>/dev/null && echo WRITTEN $f; done; done
		for d in $(find /sys/fs/cgroup -type d); do mkdir $d/new 2>/dev/null && echo WRITTEN $d; done; true'
	go
	ok
	hasnt WRITTEN
}

# Its root is the host's here, as it is where an engine's user namespace holds another: the owner of every group.
@test "root of a user namespace can't write the host's hierarchies (CVE-2023-25809)" {
	cfg '.linux.namespaces += [{type: "user"}] | .linux.gidMappings = [{containerID: 0, hostID: 0, size: 65536}]
		| .linux.uidMappings = .linux.gidMappings | (.mounts[] | select(.type == "cgroup")).options = ["nosuid", "noexec", "nodev", "relatime"]'
	sh_args 'n=0; for d in $(find /sys/fs/cgroup/ -type d); do n=$((n + 1)); mkdir $d/new 2>/dev/null && echo WRITTEN $d; done; [ $n -gt 0 ] && echo tried'
	go
	has tried
	hasnt WRITTEN
}

@test "a program without a terminal isn't in the caller's session" {
	need script
	args cut -d' ' -f1,6,7 /proc/self/stat
	sh_args 'cut -d" " -f1,6,7 /proc/$$/stat'
	run script -qec "$RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null
	has "1 1 0"
}

@test "a link planted in the state directory" {
	only_ours
	mkdir -p "$T/state"
	ln -s "$victim" "$T/state/$id"
	args true
	run rf create -b "$b" "$id" </dev/null
	[ "$status" -ne 0 ]
	run rf state "$id"
	[ "$status" -ne 0 ]
	run rf delete --force "$id"
	run rf list
	rm -f "$T/state/$id"
}

@test "files planted as state are refused, not believed" {
	only_ours
	mkdir -p "$T/state/$id"
	for s in '' '{' '[]' '{"pid": 1}' '{"id": "other", "pid": -1, "status": "running"}' "$(printf '{"a":%.0s' $(seq 5000))"; do
		printf '%s' "$s" >"$T/state/$id/state.json"
		run rf kill "$id" 0
		[ "$status" -ne 0 ] && [ "$status" -lt 128 ] || [ "$status" = 255 ]
		run rf exec "$id" true </dev/null
		[ "$status" -ne 0 ]
		run rf list
		[ "$status" -lt 128 ]
	done
	rf delete --force "$id"
	[ ! -e "$T/state/$id" ]
}

@test "a fork bomb is deleted within two seconds" {
	need_controller pids
	cfg '.linux.resources.pids = {limit: 200}'
	up 'b() { b | b & }; trap : TERM; while :; do b; done 2>/dev/null'
	sleep 0.3
	begin=$(date +%s%N)
	rf delete --force "$id"
	[ $((($(date +%s%N) - begin) / 1000000)) -lt 2000 ]
}

@test "keys that climb: sysctl" {
	args true
	for k in '../kernel.hostname' 'kernel/../../self/oom_score_adj' 'net/../kernel/core_pattern' 'kernel.core_pattern' 'vm.overcommit_memory' '' 'net'; do
		cfg --arg k "$k" '.linux.sysctl = {($k): "1"}'
		go
		refused
	done
}

# A clone of the host's mount is its peer until it is made private: what is mounted over it inside
# would stand on the host as well. The views share their mounts, as systemd does.
@test "no mount of a container is a peer of one of the host's" {
	sh_args 'grep -c shared: /proc/self/mountinfo'
	local userns='.linux.namespaces += [{type: "user"}] | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.uidMappings = .linux.gidMappings'
	local terminal='.process.terminal = true'
	local cgroup='.linux.namespaces += [{type: "cgroup"}]'
	local host='.linux.namespaces |= map(select(.type != "network"))'
	chmod 755 "$T" "$b"
	for f in . "$userns" "$terminal" "$userns | $terminal" "$userns | $cgroup" "$userns | $host" "$host"; do
		cp "$config" "$config.plain"
		cfg "$f"
		if [[ $f == *user* ]]; then chown -R 100000:100000 "$b/rootfs"; else chown -R 0:0 "$b/rootfs"; fi
		run script -qec "$RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null
		[ "${output//[^0-9]/}" = 0 ] || { echo "$f: $output"; return 1; }
		mv "$config.plain" "$config"
	done
}

@test "user namespace: what is mounted over a bound device stays inside" {
	cfg '.linux.namespaces += [{type: "user"}] | .linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.uidMappings = .linux.gidMappings | .root.readonly = false
		| .process.capabilities[] |= . + ["CAP_SYS_ADMIN"]'
	sh_args 'echo evil >/tmp/evil; mount -o bind /tmp/evil /dev/null && cat /dev/null && exec sleep 1000'
	chmod 755 "$T" "$b"
	chown -R 100000:100000 "$b/rootfs"
	create
	start
	until_true grep -q evil "$T/out"
	[ -c /dev/null ] || { umount /dev/null; echo "the host's /dev/null is the container's file"; return 1; }
	run ! grep -q "$b" /proc/self/mountinfo
	down
}
