#!/usr/bin/env bats
# What a caller can do wrong: nothing may crash, hang or be left behind.
load helpers

extra_setup() { cp "$config" "$T/sound"; }

# with FILTER: runs the sound configuration with one thing changed.
with() {
	jq "$1" "$T/sound" >"$config"
	go
}

@test "no bundle, no config.json, no JSON" {
	run rf create -b "$T/none" "$id" </dev/null
	refused
	mv "$config" "$T/c"
	go
	refused config.json
	for text in '' '{' '[]' '"x"' 'null' '{"ociVersion": "1.0.2"' $'{"a":"\x01"}' '{} {}' 'NaN'; do
		printf '%s' "$text" >"$config"
		go
		refused
	done
}

@test "config.json that isn't a file" {
	rm "$config"
	mkdir "$config"
	go
	refused
	rmdir "$config"
	mkfifo "$config"
	run timeout 5 "$RINGFENCE" --root "$T/state" run -b "$b" "$id" </dev/null
	[ "$status" -ne 0 ]
	! ours || [ "$status" -ne 124 ]
}

@test "wrong types are refused by their place" {
	for f in '.process.args = "sh"' '.process.args = [1]' '.process.env = {}' '.root = "rootfs"' '.root.readonly = "yes"' \
		'.mounts = {}' '.mounts[0].options = "ro"' '.mounts[0].destination = 1' '.process.user.uid = -1' \
		'.process.user.uid = "0"' '.process.user.uid = 4294967296' '.process.user.uid = 1.5' \
		'.linux.namespaces = "pid"' '.linux.namespaces[0].type = 7' '.linux.resources.memory = {limit: "1"}' \
		'.linux.resources.pids = {limit: 1e30}' '.process.rlimits = [{type: "RLIMIT_CORE", soft: -1, hard: 1}]' \
		'.hooks = []' '.hooks = {prestart: [{path: 1}]}' '.ociVersion = 1'; do
		with "$f"
		refused || { echo "with $f"; return 1; }
	done
}

@test "missing keys are refused" {
	for f in '.ociVersion' '.process.args' '.process.cwd' '.root' '.root.path' '.mounts[0].destination' '.linux.namespaces[0].type'; do
		with "del($f)"
		! ours || refused || { echo "without $f"; return 1; }
	done
}

@test "impossible values are refused" {
	for f in '.ociVersion = "2.0.0"' '.ociVersion = "x"' '.process.args = []' '.process.cwd = "tmp"' '.process.cwd = ""' \
		'.linux.namespaces[0].type = "none"' '.root.path = ""' '.root.path = "/none/such"' \
		'.linux.rootfsPropagation = "none"' '.hooks = {prestart: [{path: "relative"}]}' \
		'.process.args = ["a\u0000b"]' '.hostname = ("x" * 100)' '.linux.namespaces[0].path = "relative"'; do
		with "$f"
		! ours || refused || { echo "with $f"; return 1; }
	done
}

@test "a key twice is refused" {
	only_ours
	printf '{"ociVersion": "1.0.2", "hostname": "a", "hostname": "b", "root": {"path": "rootfs"}, "process": {"args": ["true"], "cwd": "/"}}' >"$config"
	go
	refused hostname
}

@test "deep and huge files" {
	only_ours
	{ printf '{"annotations": '; printf '[%.0s' $(seq 20000); } >"$config"
	go
	refused
	{ printf '{"x": "'; head -c 70000000 /dev/zero | tr '\0' a; printf '"}'; } >"$config"
	go
	refused
	rm "$config"
}

@test "a large but sound file works" {
	jq '.annotations = ([range(3000) | {key: "org.example.\(.)", value: ("v" * 100)}] | from_entries)
		| .process.env += [range(500) | "V\(.)=\("x" * 100)"]' "$config" >"$T/c"
	mv "$T/c" "$config"
	args echo in
	go
	is in
}

@test "ids that could be paths or confuse are refused" {
	for i in ../x . .. a/b '' 'a b' $'a\nb' "$(printf 'a%.0s' $(seq 2000))" 'ä'; do
		# Not through bats' pipe: a container that came to be would hold it open.
		if rf create -b "$b" -- "$i" </dev/null >"$T/out" 2>&1 3>&-; then
			echo "taken: '$i'"
			rf delete --force -- "$i"
			return 1
		fi
	done
	[ -z "$(ls "$T/state" 2>/dev/null)" ]
}

@test "every verb refuses such ids" {
	for v in start state kill pause resume ps exec; do
		run rf "$v" ../../etc true </dev/null
		[ "$status" -ne 0 ]
	done
	run rf delete ../../etc
	[ "$status" -ne 0 ]
	[ -d /etc ]
}

@test "a program that isn't executable" {
	cfg '.root.readonly = false'
	echo data >"$b/rootfs/data"
	args /data
	go
	[ "$status" -ne 0 ]
	has /data
	rf delete --force "$id"
	args /etc
	go
	[ "$status" -ne 0 ]
	rf delete --force "$id"
}

@test "a program that isn't found in PATH" {
	args no-such-program
	go
	[ "$status" -ne 0 ]
	has no-such-program
	rf delete --force "$id"
}

@test "a state directory that can't be written" {
	mkdir "$T/ro"
	run unshare -m sh -c "mount -t tmpfs -o ro none $T/ro && $RINGFENCE --root $T/ro/state run -b $b $id" </dev/null
	[ "$status" -ne 0 ]
	[ "$status" -lt 126 ]
	run rf --root /proc/none run -b "$b" "$id" </dev/null
	[ "$status" -ne 0 ]
}

@test "a full disk for the state leaves nothing" {
	only_ours
	mkdir "$T/full"
	run unshare -m sh -c "mount -t tmpfs -o size=4k none $T/full && head -c 4096 /dev/zero >$T/full/fill
		$RINGFENCE --root $T/full/state run -b $b $id; echo rc \$?; ls $T/full/state" </dev/null
	hasnt "rc 0"
	hasnt "$id"$'\n'
}

@test "damaged state files are an error, not a crash, and delete --force removes them" {
	only_ours
	args sleep 1000
	create
	p=$(pid)
	for f in "$T/state/$id"/*; do
		[ -f "$f" ] || continue
		case ${f##*/} in *.json) printf '{"broken' >"$f" ;; esac
	done
	run rf state "$id"
	[ "$status" -lt 126 ]
	run rf list
	[ "$status" -lt 126 ]
	rf delete --force "$id"
	kill -KILL "$p" 2>/dev/null || true
	[ ! -e "$T/state/$id" ]
}

@test "killed at any step, delete --force leaves nothing" {
	only_ours
	need strace
	args sleep 1000
	for call in mkdirat:1 mkdirat:2 mkdirat:5 openat:20 openat:60 clone3:1 socketpair:1 sendmsg:1 sendto:1 sendto:2 \
		recvfrom:1 recvmsg:1 write:1 write:5 writev:1 renameat:1 renameat2:1 linkat:1 pidfd_open:1; do
		timeout 10 strace -o /dev/null -e "trace=${call%:*}" -e "inject=${call%:*}:signal=KILL:when=${call#*:}" \
			"$RINGFENCE" --root "$T/state" create -b "$b" "$id" </dev/null >/dev/null 2>&1 3>&- || true
		run rf delete --force "$id"
		ok || { echo "after $call"; return 1; }
		[ -z "$(ls "$T/state" 2>/dev/null)" ] || { echo "state left after $call"; return 1; }
		! find /sys/fs/cgroup -maxdepth 5 -type d -name "*$id*" 2>/dev/null | grep . || { echo "cgroup left after $call"; return 1; }
	done
}
