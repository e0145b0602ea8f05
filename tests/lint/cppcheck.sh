#!/bin/bash
# cppcheck. It does not know the cleanup attribute, so leaks are left to the sanitizers.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
mkdir -p build/cppcheck
result "cppcheck has nothing to say" "$(c_files | grep -vE '^tests/(unit|fuzz)/' |
	xargs cppcheck --quiet -j2 --cppcheck-build-dir=build/cppcheck --std=c11 --enable=warning,portability,performance \
		--inline-suppr --suppress=memleak --suppress=internalAstError --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches --max-configs=4 \
		--error-exitcode=1 -D_GNU_SOURCE -DRF_VERSION='"x"' -DRF_DATE='"x"' -I. --template='{file}:{line}: {id}: {message}' 2>&1)"
finish
