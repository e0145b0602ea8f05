#!/bin/bash
# .clang-format is how the code looks.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
result "clang-format has nothing to change" \
	"$( (c_files; h_files) | xargs clang-format --dry-run -Werror 2>&1 | grep 'error:')"
finish
