# One command on another runtime and on ringfence, and what of it differs.
#
#   like PEER BEFORE COMMAND     PEER: runc or crun
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

before() {
	case $1 in
	none) return ;;
	created) rt create -b "$b" "$id" ;;
	running) rt run -d -b "$b" "$id" ;;
	paused) rt run -d -b "$b" "$id" && rt pause "$id" ;;
	stopped) rt run -d -b "$b" "$id" && rt kill "$id" KILL && ended ;;
	*)
		echo "no state is called $1"
		return 1
		;;
	esac
}

# Pids and times differ from run to run, and columns with their width.
mask() {
	sed -E -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z */TIME /g' -e 's/(CREATED) +OWNER/\1 OWNER/' \
		-e 's/ [0-9]{2}:[0-9]{2} / HH:MM /' -e 's/ *\b[0-9]{3,}\b */ PID /g' "$@"
}

# Bytes as they are, and whether the last line ends.
bytes() { mask "$1" && { [ ! -s "$1" ] || [ "$(tail -c 1 "$1" | od -An -c | tr -d ' ')" = '\n' ] || echo '(no newline)'; }; }

observe() {
	local see=$T/see-$who rc=0 f
	mkdir -p "$see" "$T/w"
	before "$1" </dev/null >"$T/before" 2>&1 3>&- || {
		echo "$who can't bring a container to $1: $(cat "$T/before")"
		return 1
	}
	(cd "$T/w" && eval "$2") </dev/null >"$T/out" 2>"$T/err" 3>&- || rc=$?
	echo "$rc" >"$see/exit"
	bytes "$T/out" >"$see/stdout"
	cp "$T/err" "$T/err-$who"
	# A warning that passes with the host's load is no message of failure.
	grep -qv 'level=warning' "$T/err" && echo some >"$see/stderr" || echo none >"$see/stderr"
	st >"$see/status" || true
	[ -s "$see/status" ] || echo gone >"$see/status"
	(cd "$T/w" && find . -mindepth 1 | sort | while read -r f; do
		echo "$f"
		[ ! -f "$f" ] || bytes "$f"
	done) >"$see/files"
	for f in "$id" "$id-2"; do
		[ ! -e "$T/root-$who/$f" ] || rt delete --force "$f" </dev/null >/dev/null 2>&1 3>&- || true
	done
	# crun 1.8 leaves plain files where the v2 tree would be mounted.
	mountpoint -q /sys/fs/cgroup/unified || rm -rf --one-file-system "/sys/fs/cgroup/unified/$id"
	rm -rf "$T/w"
}

# The aspects that may differ: `case | aspect | reason`, one a line.
allowed() {
	awk -F ' *[|] *' -v c="$BATS_TEST_DESCRIPTION" '!/^#/ && $1 == c { print $2 }' "$differences"
}

like() {
	local aspect bad=0 listed
	peer=$1
	need "$peer"
	listed=$(allowed)
	who_is "$peer"
	observe "$2" "$3" || return 1
	who_is ringfence
	observe "$2" "$3" || return 1
	for aspect in exit stdout stderr files status; do
		if cmp -s "$T/see-$peer/$aspect" "$T/see-ringfence/$aspect"; then
			grep -qx "$aspect" <<<"$listed" || continue
			echo "$aspect is listed as different, and is the same:"
			cat "$T/see-ringfence/$aspect"
		else
			grep -qx "$aspect" <<<"$listed" && continue
			echo "$aspect differs ($peer -, ringfence +):"
			diff -U 2 "$T/see-$peer/$aspect" "$T/see-ringfence/$aspect" | tail -n +3
		fi
		bad=1
	done
	[ "$bad" = 0 ] || head -n 3 "$T/err-$peer" "$T/err-ringfence"
	return $bad
}
