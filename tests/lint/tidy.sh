#!/bin/bash
# clang-tidy with the set in .clang-tidy.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
version() { cat .clang-tidy; clang-tidy --version; }
look_with build/tidy version

tidy_one() {
	local key out
	key=$(answer_of "$1")
	[ -f "$key" ] && return 0
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
