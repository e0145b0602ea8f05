#!/bin/bash
# docs/spec-conformance.md: each property that is said to be done names a test that mentions it.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh

findings() {
	local property shared test note key file
	while IFS='|' read -r _ property _ shared _ test note; do
		[[ $property == *'`/'* && $shared == ' done ' ]] || continue
		property=${property//[ \`]/} test=${test//[ \`]/}
		[[ $note != *untested:* && $note != *'but untested'* ]] || continue
		file=tests/bats/$test
		[[ $test == *.bats ]] || file=tests/unit/$test.c
		[ -n "$test" ] && [ -f "$file" ] || { echo "$property: no test called '$test'"; continue; }
		# The last key of the path: not an index, nor a name that the document chooses.
		key=$(tr / '\n' <<<"$property" | grep -v '^[*<]' | tail -n 1)
		grep -qF -- "$key" "$file" || echo "$property: $file doesn't mention $key"
	done <docs/spec-conformance.md
}
result "every property that is done has a test" "$(findings)"
finish
