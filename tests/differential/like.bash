# One command on another runtime and on ringfence, and what of it differs.
#
#   like PEER BEFORE COMMAND     PEER: runc or crun
#
#   likes PEER BEFORE <<CASES    several, `NAME: COMMAND` a line, one after the other on one container
#
# BEFORE is the state that the container is in when COMMAND runs: none, created, running, paused or
# stopped; the runtime that is looked at brings it there itself. COMMAND is a shell line in an empty
# directory; in it `rt` is the runtime, $id the container, $b its bundle. Seen from outside are:
#
#   exit     the exit code
#   stdout   every byte, but for pids and times
#   stderr   whether there is any: the words are each runtime's own
#   files    names and bytes of what COMMAND left in its directory
#   status   what becomes of the container
#
# `differences` holds the aspects in which a case may differ, with the reason. One that isn't there
# fails the case, and so does one that is there but no longer occurs.

load ../bats/helpers

differences=$BATS_TEST_DIRNAME/differences

# The same id and paths serve both, so that only the runtime's own doing can differ.
rt() { "${exe[@]}" --root "$T/root-$who" "$@"; }

extra_teardown() {
	local c
	for who in ${peer:-} ringfence; do
		who_is "$who"
		for c in "$id" "$id-2"; do
			[ ! -e "$T/root-$who/$c" ] || rt delete --force "$c" </dev/null >/dev/null 2>&1 3>&- || true
		done
	done
}

who_is() {
	who=$1
	exe=("$1")
	[ "$1" != ringfence ] || exe=("$RINGFENCE")
}

st() { rt state "$id" 2>/dev/null | jq -r .status 2>/dev/null; }
is_now() { [ "$(st)" = "$1" ]; }
ended() { until_true is_now stopped; }

# A runtime may return before the program has taken its place, and before a signal has taken effect.
began() { ! grep -q INIT "/proc/$(rt state "$id" | jq .pid)/comm"; }
settled() {
	local p
	p=$(rt state "$id" 2>/dev/null | jq -r 'select(.status == "running") | .pid' 2>/dev/null)
	[ -z "$p" ] || ! grep -qE '^(SigPnd|ShdPnd):.*[^0[:space:]]' "/proc/$p/status" 2>/dev/null
}

before() {
	case $1 in
	none) return ;;
	created) rt create -b "$b" "$id" ;;
	running) rt run -d -b "$b" "$id" && until_true began ;;
	paused) rt run -d -b "$b" "$id" && until_true began && rt pause "$id" ;;
	stopped) rt run -d -b "$b" "$id" && rt kill "$id" KILL && ended ;;
	*)
		echo "no state is called $1"
		return 1
		;;
	esac
}

# Pids, times and the processor's share differ from run to run, and columns with their width.
mask() {
	sed -E -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z */TIME /g' -e 's/(CREATED) +OWNER/\1 OWNER/' \
		-e 's/ [0-9]{2}:[0-9]{2} / HH:MM /' -e 's/ +[0-9]+ HH:MM / C HH:MM /' -e 's/ *\b[0-9]{3,}\b */ PID /g' "$@"
}

# Bytes as they are, and whether the last line ends.
bytes() { mask "$1" && { [ ! -s "$1" ] || [ "$(tail -c 1 "$1" | od -An -c | tr -d ' ')" = '\n' ] || echo '(no newline)'; }; }

# look DIR COMMAND: runs it in an empty directory and notes what is seen of it.
look() {
	local rc=0 f
	mkdir -p "$1" "$T/w"
	(cd "$T/w" && eval "$2") </dev/null >"$T/out" 2>"$T/err" 3>&- || rc=$?
	echo "$rc" >"$1/exit"
	bytes "$T/out" >"$1/stdout"
	cp "$T/err" "$1/words"
	# A warning that passes with the host's load is no message of failure.
	grep -Eqv 'level=warning|^ringfence: .*: ignoring ' "$T/err" && echo some >"$1/stderr" || echo none >"$1/stderr"
	until_true settled || true
	st >"$1/status" || true
	[ -s "$1/status" ] || echo gone >"$1/status"
	(cd "$T/w" && find . -mindepth 1 | sort | while read -r f; do
		echo "$f"
		[ ! -f "$f" ] || bytes "$f"
	done) >"$1/files"
	rm -rf "$T/w"
}

# observe BEFORE COMMAND…: each of them, one after the other, on one container.
observe() {
	local f i
	before "$1" </dev/null >"$T/before" 2>&1 3>&- || {
		echo "$who can't bring a container to $1: $(cat "$T/before")"
		return 1
	}
	for ((i = 2; i <= $#; i++)); do
		look "$T/see-$who/$((i - 2))" "${!i}"
	done
	for f in "$id" "$id-2"; do
		[ ! -e "$T/root-$who/$f" ] || rt delete --force "$f" </dev/null >/dev/null 2>&1 3>&- || true
	done
	[ "$who" = ringfence ] || until_true groups_swept "$id" || true
	# crun 1.8 leaves plain files where the v2 tree would be mounted.
	mountpoint -q /sys/fs/cgroup/unified || rm -rf --one-file-system "/sys/fs/cgroup/unified/$id"
}

# The aspects in which a case may differ: `case | aspect | reason`, one a line.
allowed() {
	awk -F ' *[|] *' -v c="$1" '!/^#/ && $1 == c { print $2 }' "$differences"
}

# compare CASE NUMBER: the two runtimes' answers to it.
compare() {
	local aspect listed bad=0 a=$T/see-$peer/$2 b=$T/see-ringfence/$2
	listed=$(allowed "$1")
	for aspect in exit stdout stderr files status; do
		if cmp -s "$a/$aspect" "$b/$aspect"; then
			grep -qx "$aspect" <<<"$listed" || continue
			echo "$1: $aspect is listed as different, and is the same:"
			cat "$b/$aspect"
		else
			grep -qx "$aspect" <<<"$listed" && continue
			echo "$1: $aspect differs ($peer -, ringfence +):"
			diff -U 2 "$a/$aspect" "$b/$aspect" | tail -n +3
		fi
		bad=1
	done
	[ "$bad" = 0 ] || head -n 3 "$a/words" "$b/words"
	return $bad
}

like() {
	peer=$1
	need "$peer"
	who_is "$peer"
	observe "$2" "$3" || return 1
	who_is ringfence
	observe "$2" "$3" || return 1
	compare "$BATS_TEST_DESCRIPTION" 0
}

# likes PEER BEFORE: the cases on standard input, `NAME: COMMAND` a line, on one container; each is
# called by the test's name up to its colon, and its own.
likes() {
	local line i bad=0 names=() commands=()
	peer=$1
	need "$peer"
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		names+=("${BATS_TEST_DESCRIPTION%%:*}: ${line%%: *}")
		commands+=("${line#*: }")
	done
	who_is "$peer"
	observe "$2" "${commands[@]}" || return 1
	who_is ringfence
	observe "$2" "${commands[@]}" || return 1
	for ((i = 0; i < ${#names[@]}; i++)); do
		compare "${names[i]}" "$i" || bad=1
	done
	return $bad
}

# --- for COMMAND ---

# group CONTROLLER: directory of the container's v1 group.
group() { echo "/sys/fs/cgroup/$1$(awk -F: -v c="$1" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print $3 }' "/proc/$(rt state "$id" | jq .pid)/cgroup")"; }
# limit CONTROLLER FILE…: their values.
limit() {
	local f c=$1
	shift
	for f in "$@"; do echo "$f $(tr '\n' ' ' <"$(group "$c")/$f")"; done
}
# process ARGS: a process for exec.
process() { jq --argjson a "$1" '.process | .args = $a | .cwd = "/etc" | .env += ["A=b"] | .user = {"uid": 1000, "gid": 1000}' "$config"; }
# on_tty COMMAND: with a receiver of terminals at $T/tty; prints what comes out of the terminal.
on_tty() {
	local p
	need_helper recvtty
	rm -f "$T/tty"
	"$helpers/recvtty" "$T/tty" 30 100 </dev/null >"$T/tty.out" 2>&1 &
	p=$!
	until_true test -S "$T/tty"
	eval "$1" || {
		kill $p
		return 1
	}
	wait $p
	sed -n '2,$p' "$T/tty.out"
}
