#!/usr/bin/env bats
# Races: names of a root or of a volume are swapped with links, by renameat2(EXCHANGE) as fast as it goes,
# while containers are made on it. RF_RACES says how often (make races: 500); each test prints what it did.
# A victim folder stands for the host; what may never happen is that it changes.
load helpers

races=${RF_RACES:-12}
# The racer takes a processor: a start takes its time beside it.
export BATS_TEST_TIMEOUT=$((60 + 3 * races))

extra_setup() {
	need_helper racer
	victim=$T/victim
	mkdir "$victim" "$T/src"
	echo secret >"$victim/secret"
	victim_before=$(tree "$victim")
	made=0
}

extra_teardown() {
	still
	[ "$(tree "$victim")" = "$victim_before" ] || { echo "THE VICTIM CHANGED:"; diff <(echo "$victim_before") <(tree "$victim"); return 1; }
}

tree() { find "$1" -printf '%P %y %m %U:%G %s %l\n' | sort; }

# swap FOLDER NAME NAME: from now on, until still.
swap() {
	nice -n 5 "$helpers/racer" "$@" 2>/dev/null 3>&- &
	racer_pid=$!
	disown
}
still() { [ -z "${racer_pid:-}" ] || kill -KILL "$racer_pid" 2>/dev/null || true; }

# A start beside the racer takes its time: no more programs than it needs.
mounts_of() { wc -l <"/proc/$(cat "$T/pid")/mountinfo"; }

# creates [CHECK…]: containers are made, looked at while they wait, and removed. Those that are refused leave nothing.
creates() {
	local i
	for ((i = 0; i < races; i++)); do
		if ! rf create --pid-file "$T/pid" -b "$b" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&-; then
			[ ! -e "$T/state/$id" ] || { echo "left by a refused one: $(cat "$T/err")"; return 1; }
			continue
		fi
		made=$((made + 1))
		"${@:-true}" || return 1
		rf delete --force "$id"
	done
	said
}

# runs [CHECK…]: the same with a whole container, whose output the check sees.
runs() {
	local i
	for ((i = 0; i < races; i++)); do
		go
		[ "$status" -lt 128 ] || [ "$status" = 255 ]
		[ "$status" != 0 ] || made=$((made + 1))
		"${@:-true}" || return 1
	done
	said
}
said() { echo "# raced $BATS_TEST_NUMBER: $races times, $made made" >&3; }

mounts_are() { [ "$(mounts_of)" = "$mounts" ] || { cat "/proc/$(cat "$T/pid")/mountinfo"; return 1; }; }

@test "two containers share a volume, one swaps a folder for a link while the other starts (CVE-2021-30465)" {
	mkdir -p "$T/src/a/sub"
	ln -s "$victim" "$T/src/b"
	cfg --arg s "$T/src" '.mounts += [
		{destination: "/vol", type: "bind", source: $s, options: ["rbind", "rw"]},
		{destination: "/vol/a", type: "tmpfs", source: "tmpfs"},
		{destination: "/vol/a/new/deep", type: "tmpfs", source: "tmpfs"}]'
	create --pid-file "$T/pid"
	mounts=$(mounts_of)
	rf delete --force "$id"
	swap "$T/src" a b
	creates mounts_are
	[ "$made" -gt 0 ]
}

@test "a missing mount target isn't made where its parent is swapped to (CVE-2024-45310)" {
	mkdir "$T/src/a"
	ln -s "$victim" "$T/src/b"
	cfg --arg s "$T/src" '.mounts += [
		{destination: "/vol", type: "bind", source: $s, options: ["rbind", "rw"]},
		{destination: "/vol/a/folder/deep", type: "tmpfs", source: "tmpfs"},
		{destination: "/vol/a/file", type: "bind", source: "/etc/hostname", options: ["bind"]}]'
	create --pid-file "$T/pid"
	mounts=$(mounts_of)
	rf delete --force "$id"
	# Missing again each time.
	missing() { mounts_are && { rm -rf "$T"/src/[ab]/{folder,file} 2>/dev/null || true; }; }
	rm -rf "$T/src/a/folder" "$T/src/a/file"
	swap "$T/src" a b
	creates missing
	[ "$made" -gt 0 ]
}

# The device is right when /dev is made, and a link when the masks come, or the other way round.
@test "a mask isn't taken from a /dev/null that is swapped meanwhile (CVE-2025-31133)" {
	mkdir "$T/dev"
	mknod -m 666 "$T/dev/null" c 1 3
	ln -s /proc/version "$T/dev/link"
	cfg --arg s "$T/dev" '.mounts |= map(select(.destination | startswith("/dev") | not))
		| .mounts += [{destination: "/dev", type: "bind", source: $s, options: ["bind"]}]
		| .linux.maskedPaths = ["/proc/cpuinfo"]'
	sh_args 'grep -q . /proc/cpuinfo && echo A WINDOW; true'
	swap "$T/dev" null link
	runs hasnt WINDOW
	[ "$made" -gt 0 ]
}

@test "/dev/console isn't made, nor covered, where it is swapped to (CVE-2025-52565)" {
	need script
	mkdir -p "$T/dev/pts"
	mknod -m 666 "$T/dev/null" c 1 3
	touch "$T/dev/console"
	ln -s "$victim/new" "$T/dev/link"
	cfg --arg s "$T/dev" '.mounts |= map(select(.destination | test("^/dev(/shm|/mqueue)?$") | not))
		| .mounts |= [{destination: "/dev", type: "bind", source: $s, options: ["bind"]}] + . | .process.terminal = true'
	sh_args "echo evil >/dev/console; grep -F $victim /proc/self/mountinfo; true"
	go() { run script -qec "$RINGFENCE --root $T/state run -b $b $id" /dev/null </dev/null; }
	swap "$T/dev" console link
	# Where it was made it covers one name; the container itself may write through the link, in its root.
	runs hasnt "$victim"
	[ "$made" -gt 0 ]
}

@test "the kernel's files are written in procfs alone, whatever /proc is swapped for (CVE-2019-19921, 2025-52881)" {
	mkdir -p "$b/rootfs/fake/sys/kernel" "$b/rootfs/fake/self/attr"
	for f in sys/kernel/msgmax self/oom_score_adj self/attr/exec self/attr/current; do : >"$b/rootfs/fake/$f"; done
	ln -s fake "$b/rootfs/link"
	cfg '.linux.sysctl = {"kernel.msgmax": "4242"} | .process.oomScoreAdj = 77'
	sh_args '[ ! -d /proc/1 ] || cat /proc/sys/kernel/msgmax'
	swap "$b/rootfs" proc link
	its_own() { [ "$status" != 0 ] || [ -z "$output" ] || [ "$output" = 4242 ] && [ -z "$(find "$b/rootfs/fake" -type f -size +0)" ]; }
	runs its_own
	[ "$made" -gt 0 ]
}

@test "nodes and links of /dev aren't made where /dev is swapped to (CVE-2026-41579, 2026-47766)" {
	cfg '.mounts |= map(select(.destination | startswith("/dev") | not)) | .root.readonly = false | .linux.maskedPaths = []'
	ln -s "$victim" "$b/rootfs/link"
	args true
	swap "$b/rootfs" dev link
	creates
	[ "$made" -gt 0 ]
}

@test "the root's own name is swapped during start" {
	only_ours
	mkdir "$b/w"
	mv "$b/rootfs" "$b/w/rootfs"
	ln -s "$victim" "$b/w/evil"
	cfg '.root.path = "w/rootfs" | .root.readonly = false'
	args true
	swap "$b/w" rootfs evil
	# Whichever root it took, it took one.
	creates
	still
	# A root file system that IS the victim is given the folders to mount on; nothing else.
	[ -z "$(find "$victim" -mindepth 1 ! -name secret ! -type d)" ]
	[ "$(cat "$victim/secret")" = secret ]
	victim_before=$(tree "$victim")
}
