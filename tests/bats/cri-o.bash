# What cri-o.bats and microvm-cri-o.bats share: CRI-O's calls, word by word, through the conmon that it runs.

crio_setup() {
	need conmon
	mkdir "$T/exits" "$T/persist" "$T/sock" "$T/ns" "$T/state"
	export CRI_O_EXTERNAL=1
	unset _OCI_SYNCPIPE _OCI_STARTPIPE _OCI_ATTACHPIPE
}

crio_teardown() {
	local n
	for n in "$id-3" "$id-2" "$id"; do rt delete --force "$n" >/dev/null 2>&1 || true; done
	# It ends a moment after it has written the exit down.
	until_true no_conmon || true
	for n in net ipc uts; do ! mountpoint -q "$T/ns/$n" || umount "$T/ns/$n"; done
	! mountpoint -q "$T" || umount "$T"
}

no_conmon() { ! pgrep -f "^conmon .*$T/" >/dev/null; }
rt() { "$RINGFENCE" --root "$T/state" "$@" 3>&-; }

# pinned [SCRIPT]: what pinns does: namespaces that live by their paths; SCRIPT runs in them.
pinned() {
	local n
	mount --bind "$T" "$T" && mount --make-private "$T"
	for n in net ipc uts; do : >"$T/ns/$n"; done
	unshare --net="$T/ns/net" --ipc="$T/ns/ipc" --uts="$T/ns/uts" sh -c "ip link set lo up; ${1:-}"
}

# conmon_of ID BUNDLE FILES [OPTION…]: with CRI-O's options; FILES begins the names of what it writes.
conmon_of() {
	local id=$1 bundle=$2 files=$T/$3
	shift 3
	conmon --api-version 1 -b "$bundle" -c "$id" -u "${files##*/}" -n "k8s_$id" -r "$RINGFENCE" --runtime-arg "--root=$T/state" \
		--exit-dir "$T/exits" --persist-dir "$T/persist" --socket-dir-path "$T/sock" \
		-l "k8s-file:$files.log" -p "$files.pid" -P "$files.conmon" --log-level error --no-sync-log "$@" </dev/null 3>&-
}

# mon ID BUNDLE [OPTION…]: a container as CRI-O makes it; conmon stays and writes its exit.
mon() {
	local id=$1 bundle=$2
	shift 2
	conmon_of "$id" "$bundle" "$id" "$@" >"$T/$id.conmon.out" 2>&1
	until_true test -s "$T/$id.pid" || { cat "$T/$id.conmon.out"; false; }
	until_true is_status_of "$id" created
}
is_status_of() { [ "$(rt state "$1" | jq -r .status)" = "$2" ]; }
exited() { test -s "$T/exits/$1"; }
# The file may be there from an exec.
ended() { rm -f "$T/exits/$1" && rt kill "$1" KILL && until_true exited "$1" && rt delete "$1"; }
