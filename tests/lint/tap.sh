# shellcheck shell=bash
# What the lint programs share: numbered TAP lines, and the list of our C files.

tap_n=0
tap_bad=0

# result NAME FINDINGS: passes when there are no findings, prints them otherwise.
result() {
	tap_n=$((tap_n + 1))
	if [ -z "$2" ]; then
		echo "ok $tap_n $1"
		return
	fi
	tap_bad=1
	echo "not ok $tap_n $1"
	printf '%s\n' "$2" | head -n 40 | sed 's/^/# /'
}

finish() {
	echo "1..$tap_n"
	exit "$tap_bad"
}

rooms="common spec net cgroups namespaces microvm runtime zones cli guest"

# c_files [EXT…]: the project's own sources, without what is built.
c_files() {
	find ringfence.c common spec net cgroups namespaces microvm runtime zones cli guest tests/unit tests/helpers tests/fuzz bench \
		-name '*.c' 2>/dev/null | sort
}

h_files() {
	find common spec net cgroups namespaces microvm runtime zones cli guest tests -name '*.h' 2>/dev/null | sort
}

# What was looked at isn't again until it, a header, or what looks at it changes: answers are kept in $seen.
#
# look_with DIR COMMAND…: answers go to DIR; COMMAND prints what, besides the sources, they depend on.
look_with() {
	seen=$1
	shift
	mkdir -p "$seen"
	looker=$( (h_files | xargs cat; "$@") | sha256sum | cut -c1-16)
	export seen looker
}

# answer_of FILE: where the answer about FILE is kept.
answer_of() {
	echo "$seen/$( (echo "$looker"; cat "$1") | sha256sum | cut -c1-24)"
}
export -f answer_of
