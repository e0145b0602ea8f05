#!/bin/bash
# gcc's -fanalyzer. analyzer.known, beside this file, lists what it says wrongly, each with the reason; a line
# of it that gcc says no more fails as well. (gcc alone: its versions differ in what they see.)
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
version() { cat tests/lint/analyzer.sh; gcc --version; }
look_with build/analyzer version

# analyze FILE: lines "FILE FUNCTION KIND".
analyze() {
	local key
	key=$(answer_of "$1")
	[ -f "$key" ] || {
		LC_ALL=C gcc -std=gnu11 -O2 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DRF_VERSION='"x"' -DRF_DATE='"x"' -DRF_COMMIT='"x"' \
			-I. -I/usr/include/libnl3 -fanalyzer -fdiagnostics-path-format=none -c -o /dev/null "$1" >"$key.new" 2>&1 ||
			echo "$1: error: it doesn't compile" >>"$key.new"
		mv "$key.new" "$key"
	}
	awk -v file="$1" '/In function/ { f = $0; sub(/^.*In function ./, "", f); gsub(/[^A-Za-z0-9_]/, "", f) }
		/warning:.*\[-Wanalyzer-/ { k = $0; sub(/^.*\[-Wanalyzer-/, "", k); sub(/\].*/, "", k); print file, f, k }
		/error:/ { print file, f, "error" }' "$key"
}
export -f analyze

found=$(c_files | grep -vE '^(tests|bench)/' | LC_ALL=C xargs -P2 -I{} bash -c 'analyze {}' | sort -u)
known=$(grep -v '^#' tests/lint/analyzer.known | awk '{ print $1, $2, $3 }' | sort -u)
result "gcc's analyzer says nothing unexplained" "$(comm -23 <(echo "$found") <(echo "$known"))"
result "what is explained is still said" "$(comm -13 <(echo "$found") <(echo "$known"))"
finish
