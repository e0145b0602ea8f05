#!/bin/bash
# Shell scripts and bats files.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
scripts() {
	{
		grep -rlE '^#!/bin/(ba)?sh' scripts .ci tests bench packaging 2>/dev/null
		find tests/lint tests/bats -name '*.sh' -o -name '*.bash'
	} | grep -v '\.bats$' | sort -u
}
# 1091: sourced files are checked by themselves. 2154/2034: variables that helpers.bash sets.
# 2030/2031: every bats test is a subshell. 2016: programs for the container stand in single quotes.
result "shellcheck: scripts" \
	"$(scripts | xargs shellcheck -S warning -e SC1091,SC2154,SC2034,SC2016,SC2120 -f gcc 2>&1)"
result "shellcheck: bats" \
	"$(find tests/bats tests/package -name '*.bats' | sort | xargs shellcheck -S warning -s bats -e SC1091,SC2154,SC2034,SC2030,SC2031,SC2016 -f gcc 2>&1)"
finish
