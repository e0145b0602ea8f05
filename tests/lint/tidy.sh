#!/bin/bash
# clang-tidy with the set in .clang-tidy. A file that passed is not looked at again
# until it, a header or the set changes.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
seen=build/tidy
mkdir -p "$seen"
base=$( (h_files | xargs cat; cat .clang-tidy; clang-tidy --version) | sha256sum | cut -c1-16)
export base seen

tidy_one() {
	local key
	key=$seen/$( (echo "$base"; cat "$1") | sha256sum | cut -c1-24)
	[ -f "$key" ] && return 0
	local out
	if out=$(clang-tidy --quiet "$1" -- -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
		-DRF_VERSION='"x"' -DRF_DATE='"x"' -I. -I/usr/include/libnl3 2>/dev/null); then
		: >"$key"
	else
		grep -E '(error|warning):' <<<"$out" || echo "$1: clang-tidy failed"
	fi
}
export -f tidy_one

result "clang-tidy has nothing to say" \
	"$(c_files | grep -vE '^tests/(unit|fuzz)/' | xargs -P2 -I{} bash -c 'tidy_one {}')"
finish
