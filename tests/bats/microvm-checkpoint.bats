#!/usr/bin/env bats
# checkpoint and restore over the micro-VM wall: the machine is written down with its container, without
# CRIU, and goes on from there.
load helpers

extra_setup() {
	"$RINGFENCE" vm check >/dev/null || skip "no micro-VM can run here: $("$RINGFENCE" vm check | sed -n 's/^micro-VM *//p')"
	[ -r "${RINGFENCE_KERNEL:-}" ] || skip "no guest kernel is given"
	cfg '.annotations["io.ringfence.isolation"] = "microvm" | .root.readonly = false'
}

# A counter in a file of the root file system, kept open; its number is nowhere but in the shell's memory.
counter() {
	sh_args 'exec 3>/tmp/open; i=0; while :; do i=$((i + 1)); echo $i >&3; echo $i >/tmp/n; usleep 20000; done'
	create
	start
	until_true counted_past 3
}
# Written in place, for a file that is open when the machine is written down has to be there later: it may be empty for a moment.
count() {
	local i n=''
	for ((i = 0; i < 50; i++)); do
		n=$(cat "$b/rootfs/tmp/n")
		[ -z "$n" ] || break
		sleep 0.02
	done
	# It stands still between the two: the other file has the number already.
	echo "${n:-$(tail -n 1 "$b/rootfs/tmp/open")}"
}
counted_past() { [ -e "$b/rootfs/tmp/n" ] && [ "$(count)" -gt "$1" ]; }

dump() { rf checkpoint --image-path "$T/img" "$@" "$id" </dev/null 3>&-; }
back() { rf restore -d -b "$b" --image-path "$T/img" "$@" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }; }

@test "a counter goes on where it stood, and the verbs work on it" {
	counter
	dump
	nothing_left
	run jq -r .id "$T/img/machine.json"
	is "$id"
	n=$(count)
	echo 0 >"$b/rootfs/tmp/n"
	back
	is_status running
	until_true counted_past "$n"
	run rf exec "$id" cat /tmp/n </dev/null
	ok
	run rf ps "$id"
	ok
	has usleep
	rf pause "$id"
	is_status paused
	rf resume "$id"
	run rf events --stats "$id"
	has '"type":"stats"'
	# What was open still is: the numbers stand in one file, without a gap.
	down
	run awk 'NR > 1 && $1 != last + 1 { print "after " last " came " $1 } { last = $1 }' "$b/rootfs/tmp/open"
	is ""
}

@test "--leave-running lets it go on; a restore may take another id" {
	counter
	dump --leave-running
	is_status running
	n=$(count)
	until_true counted_past "$n"
	rf exec "$id" true </dev/null
	down
	first=$id
	id=$id-2
	back
	is_status running
	until_true counted_past "$n"
	run rf exec "$id" cat /tmp/n </dev/null
	ok
	run rf state "$id"
	has "\"$id\""
	down
	id=$first
}

# Lines without a number missing or twice.
gapless() { awk '$1 != n + 1 { print "after " n " came " $1; exit 1 } { n = $1 }'; }

@test "no output is lost or doubled over checkpoints that let it go on" {
	sh_args 'i=0; while :; do i=$((i + 1)); echo $i; done'
	create
	start
	for i in 1 2 3; do
		dump --leave-running --image-path "$T/img$i"
		n=$(wc -l <"$T/out")
		until_true longer_than "$n"
	done
	down
	# The last line may be cut by the end.
	sed '$d' "$T/out" | gapless
}
longer_than() { [ "$(wc -l <"$T/out")" -gt "$1" ]; }

@test "a terminal, and what is typed into it, before and after" {
	sh_args 'while read -r l; do echo "got $l"; done'
	cfg '.process.terminal = true'
	need_helper recvtty
	local tty=$helpers/recvtty
	mkfifo "$T/keys"
	"$tty" "$T/tty.sock" <"$T/keys" >"$T/screen" 2>&1 3>&- &
	local receiver=$!
	exec 9>"$T/keys"
	until_true test -S "$T/tty.sock"
	rf create -b "$b" --console-socket "$T/tty.sock" "$id" </dev/null >"$T/out" 2>&1 3>&- 9>&-
	start
	echo one >&9
	until_true grep -q "got one" "$T/screen"
	dump
	exec 9>&-
	kill "$receiver" 2>/dev/null || true
	wait "$receiver" 2>/dev/null || true
	rm -f "$T/tty.sock"
	"$tty" "$T/tty.sock" <"$T/keys" >"$T/screen2" 2>&1 3>&- &
	exec 9>"$T/keys"
	until_true test -S "$T/tty.sock"
	back --console-socket "$T/tty.sock" 9>&-
	echo two >&9
	until_true grep -q "got two" "$T/screen2"
	down
	exec 9>&-
	# One without a terminal isn't what was checkpointed.
	cfg '.process.terminal = false'
	run back
	has "with a terminal"
	nothing_left
}

@test "one that is paused stays so, or goes on elsewhere" {
	counter
	rf pause "$id"
	dump --leave-running
	is_status paused
	n=$(count)
	sleep 0.5
	[ "$(count)" = "$n" ]
	dump
	nothing_left
	back
	is_status running
	until_true counted_past "$n"
	down
}

@test "what can't be written down leaves it as it was" {
	sh_args 'exec 4>/tmp/gone; rm /tmp/gone; i=0; while :; do i=$((i + 1)); echo $i; echo $i >/tmp/n; usleep 20000; done'
	create
	start
	until_true counted_past 3
	run dump
	exit_is 1
	has "has root/tmp/gone open"
	[ ! -e "$T/img/machine.json" ]
	[ ! -e "$T/img/machine" ]
	is_status running
	n=$(count)
	until_true counted_past "$n"
	for o in --pre-dump "--parent-path x" --lazy-pages "--page-server 127.0.0.1:1"; do
		run dump $o
		exit_is 1
		has "in one piece"
	done
	is_status running
	run rf checkpoint --image-path "$T/none/img" "$id" </dev/null 3>&-
	exit_is 1
	has "$T/none/img"
	down
	sed '$d' "$T/out" | gapless
}

@test "images that are damaged, foreign, or of another bundle are refused, and leave nothing" {
	counter
	dump
	cp -a "$T/img" "$T/good"
	back_fails() {
		run back
		exit_is 1
		has "$1"
		nothing_left
		rm -rf "$T/img"
		cp -a "$T/good" "$T/img"
	}
	truncate -s -4096 "$T/img/machine"
	back_fails "cut off"
	truncate -s 100 "$T/img/files"
	back_fails "the list of open files is damaged"
	rm "$T/img/machine.json"
	back_fails "no checkpoint of a micro-VM"
	jq '.program = "0"' "$T/good/machine.json" >"$T/img/machine.json"
	back_fails "another build"
	jq '.processor = "0"' "$T/good/machine.json" >"$T/img/machine.json"
	back_fails "another kind of processor"
	echo '{"id": "../x"' >"$T/img/machine.json"
	back_fails machine.json
	# A file that was open is gone.
	mv "$b/rootfs/tmp/open" "$T/open"
	back_fails "opening again a file that the container had open"
	mv "$T/open" "$b/rootfs/tmp/open"
	back
	down
}
