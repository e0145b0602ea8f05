# Where CRIU comes from, for the bats files that need it: scripts/criu.sh fetches one where the
# system's own can't run on this kernel. What needs it skips with CRIU's words when neither can.

# For setup_file.
criu_up() {
	local top own
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	export CRIU_PATH=$PATH CRIU_TROUBLE=
	criu check >/dev/null 2>&1 || {
		own=$("$top/scripts/criu.sh" 2>&1) || CRIU_TROUBLE="no criu: ${own##*$'\n'}"
		[ -n "$CRIU_TROUBLE" ] || CRIU_PATH=${own%/*}:$PATH
	}
	[ -n "$CRIU_TROUBLE" ] || own=$(PATH=$CRIU_PATH criu check 2>&1) || CRIU_TROUBLE="criu check: ${own##*$'\n'}"
}

need_criu() {
	[ -z "$CRIU_TROUBLE" ] || skip "$CRIU_TROUBLE"
	PATH=$CRIU_PATH
}
# need_criu_feature NAME: what the kernel must have for it (criu(8), check --feature).
need_criu_feature() {
	local words
	words=$(criu check --feature "$1" 2>&1) || skip "criu check --feature $1: ${words##*$'\n'}"
}

# --- a container that shows whether it goes on, not begins anew ---

# A counter in a file of the root file system.
counter() {
	cfg '.root.readonly = false | .process.rlimits = [] | .linux.namespaces |= map(select(.type != "network"))'
	sh_args 'i=0; while :; do i=$((i + 1)); echo $i >/tmp/n.new; mv /tmp/n.new /tmp/n; usleep 20000; done'
}
count() { cat "$b/rootfs/tmp/n"; }
counted_past() { [ "$(count)" -gt "$1" ]; }

dump() { rf checkpoint --image-path "$T/img" --work-path "$T/work" "$@" "$id" </dev/null 3>&-; }
back() { rf restore -d -b "$b" --image-path "$T/img" --work-path "$T/work" "$@" "$id" </dev/null >"$T/out" 2>"$T/err" 3>&- || { cat "$T/err"; return 1; }; }
# Once it has begun to count.
counting() { create && start && until_true counted_past 3; }

# --- a criu that isn't one ---

# criu_that_says LINE…: each a message (in printf's escapes) that answers one of ours. What it was
# asked for is in $T/asked: the options' fields, NUMBER=VALUE a line.
criu_that_says() {
	local python
	need python3
	python=$(python3 -c 'import sys; print(sys.executable)') # what env finds may be a slow wrapper
	mkdir -p "$T/bin"
	printf '%s\n' "$@" >"$T/answers"
	cat >"$T/bin/criu" <<-P
		#!$python -SE
		import socket, sys

		def number(data, at):
		    value = shift = 0
		    while True:
		        value |= (data[at] & 127) << shift
		        shift, at = shift + 7, at + 1
		        if data[at - 1] < 128:
		            return value, at

		def fields(data):
		    at = 0
		    while at < len(data):
		        tag, at = number(data, at)
		        value, at = number(data, at)
		        if tag & 7 == 2:
		            value, at = data[at:at + value], at + value
		        yield tag >> 3, value

		s = socket.socket(fileno=int(sys.argv[2]))
		asked = s.recv(65536)
		if asked == b"\x08\x0a":
		    s.send(b"\x08\x0a\x10\x01\x52\x04\x08\x04\x10\x01")
		    sys.exit()
		with open("$T/asked", "w") as f:
		    for n, v in fields(dict(fields(asked))[2]):
		        print(f"{n}={v if isinstance(v, int) else v.decode('latin1')!r}", file=f)
		for line in open("$T/answers"):
		    s.send(line.rstrip("\n").encode().decode("unicode_escape").encode("latin1"))
	P
	chmod +x "$T/bin/criu"
}
