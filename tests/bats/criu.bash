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
