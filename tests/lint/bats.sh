#!/bin/bash
# A statement of a bats test that can't fail it: `A && B`, where errexit doesn't see A.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh

result "each statement of a bats test can fail it" "$(tests/lint/and-list.py tests/{bats,package,differential}/*.bats)"
# The look itself: it has to see one, and only one, of these.
sample=$(mktemp)
trap 'rm -f "$sample"' EXIT
printf '%s\n' '@test "one" {' $'\ttrue && true || true' $'\tsh -c "a && b"' $'\t[ a = a ] && [ b = b ]' '}' >"$sample"
result "and the look sees them" "$([ "$(tests/lint/and-list.py "$sample" | cut -d: -f2)" = 4 ] || echo "it doesn't")"
finish
