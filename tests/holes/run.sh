#!/bin/bash
# Do the attack tests bite? Each patch beside this file takes one defence away; in a copy of the tree
# that is built so, the test that the patch names must fail. With the defence it must pass.
#
#   tests/holes/run.sh [NAME…]      TAP; all of them without names
#
# A patch begins with two lines for the reader and for this program:
#   Without: the defence, in words
#   Test: FILE.bats: the test's name | test_x, a program of tests/unit
#
# The copy is built where nobody uses it; the tests have private mounts, and attack victims of their own.
set -uo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/holes.XXXXXX")
tree=$work/tree
trap 'rm -rf "$work"' EXIT

names=("$@")
[ $# -gt 0 ] || for p in "$top"/tests/holes/*.patch; do
	p=${p##*/}
	names+=("${p%.patch}")
done

# What is built already need not be built again: times of files are kept.
mkdir "$tree" "$work/scratch"
(cd "$top" && { git ls-files -z && find build ringfence -type f -not -path 'build/results/*' -not -path 'build/asan/*' -print0; } |
	xargs -0 cp -a --parents -t "$tree")

field() { sed -n "s/^$1: //p;/^---/q" "$top/tests/holes/$2.patch" | head -n 1; }

# build TEST: what it needs; words of the compiler on failure.
build() {
	local goal=ringfence
	[[ $1 == *.bats:* ]] || goal=build/unit/$1
	# A defence that nothing calls any more is no warning worth an error here.
	make -C "$tree" --no-print-directory CFLAGS=-Wno-error "$goal" >"$work/build" 2>&1
}

# attack TEST: its TAP.
attack() {
	if [[ $1 == *.bats:* ]]; then
		RINGFENCE=$tree/ringfence BATS_TEST_TIMEOUT=60 \
			"$tree/tests/views/run.sh" hybrid bats --tap -f "^$(sed 's/[][().*^$+?{}|\\/]/\\&/g' <<<"${1#*.bats: }")\$" \
			"$tree/tests/bats/${1%%: *}" 2>&1
	else
		# One that ends early leaves its scratch.
		TMPDIR=$work/scratch CMOCKA_MESSAGE_OUTPUT=TAP timeout 60 "$tree/build/unit/$1" 2>&1 || echo "not ok - $1 ended with $?"
	fi
}

n=0
say() {
	n=$((n + 1))
	echo "$1 $n $2"
	[ "$1" = ok ] || [ ! -f "${3:-}" ] || head -n 20 "$3" | sed 's/^/# /'
}

holds() {
	attack "$1" >"$work/tap"
	grep -q '^ok' "$work/tap" && ! grep -qE '^not ok|^ok.*# [sS][kK][iI][pP]' "$work/tap"
}

echo "1..${#names[@]}"
for name in "${names[@]}"; do
	test=$(field Test "$name")
	patch=$top/tests/holes/$name.patch
	what="$name: \"$test\" fails without it"
	if ! build "$test" || ! holds "$test"; then
		say "not ok" "$what: it doesn't pass with it" "$work/tap"
	elif ! patch -d "$tree" -p1 -s --no-backup-if-mismatch <"$patch" >"$work/patch" 2>&1; then
		say "not ok" "$what: the patch doesn't fit the tree any more" "$work/patch"
	elif ! build "$test"; then
		say "not ok" "$what: it doesn't build without" "$work/build"
	elif holds "$test" || ! grep -q '^not ok' "$work/tap"; then
		say "not ok" "$what" "$work/tap"
	else
		say ok "$what"
	fi
	# Back to the whole tree, files and what is built of them.
	sed -n 's|^+++ b/||p' "$patch" | while read -r f; do
		cp "$top/$f" "$tree/$f"
		touch "$tree/$f"
	done
done
