#!/bin/bash
# Each target under libFuzzer, one after the other, with a line for each; `make fuzz` calls it.
#
#	FUZZ_SECONDS=60 tests/fuzz/run.sh TARGET…
#
# New inputs gather in build/fuzz/corpus/TARGET. An input that ends a target is written to
# tests/fuzz/crashes/TARGET: committed with its mending, `make check` tries it for ever after.
set -uo pipefail

cd "$(dirname "$0")/../.." || exit 1
here=$PWD
seconds=${FUZZ_SECONDS:-60}
# A driver's assertion in a device's target is a crash. A scratch tree belongs into memory.
export CMOCKA_TEST_ABORT=1
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
export ASAN_OPTIONS=abort_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1

# The documents of the specification share one dictionary.
dictionary() {
	local d=tests/fuzz/dict/$1.dict
	case $1 in
	config | process | resources | seccomp) d=tests/fuzz/dict/spec.dict ;;
	mounts) d=tests/fuzz/dict/options.dict ;;
	esac
	[ ! -e "$d" ] || echo "-dict=$here/$d"
}

# one TARGET: prints its line; false when it crashed.
one() {
	local target=$1 log=build/fuzz/$1.out corpus=build/fuzz/corpus/$1 seeds=build/fuzz/seeds/$1
	local crashes=tests/fuzz/crashes/$1 max=4096 rc
	rm -rf "$seeds"
	mkdir -p "$corpus" "$seeds" "$crashes"
	# Seeds that a reader may read (.hex) as bytes; it includes what is kept.
	build/fuzz/replay -x "$target" "$seeds" || return 1
	case $target in config | json) max=16384 ;; esac
	# Its messages through a pipe: a target may limit the size of files.
	# shellcheck disable=SC2046 # one word or none
	"build/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=$max -timeout=20 -report_slow_units=20 -rss_limit_mb=2048 \
		-print_final_stats=1 -artifact_prefix="$here/$crashes/" $(dictionary "$target") \
		"$here/$corpus" "$here/$seeds" 2>&1 | cat >"$log"
	rc=${PIPESTATUS[0]}
	awk -v target="$target" -v rc="$rc" '
		/ cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1); else if ($i == "ft:") ft = $(i + 1) }
		/stat::number_of_executed_units/ { runs = $2 }
		/stat::new_units_added/ { new = $2 }
		END { printf "  %-12s %9d runs  %6d edges  %6d features  %5d new inputs  %s\n", target, runs, cov, ft, new,
			rc ? "FAILED" : "ok" }' "$log"
	rmdir "$crashes" 2>/dev/null
	[ "$rc" = 0 ] && return 0
	grep -m 12 -E 'ERROR|SUMMARY|runtime error|doesn.t hold|Test unit written|    #[0-9] ' "$log" | sed 's/^/    /'
	return 1
}

bad=0
for t in "$@"; do
	one "$t" || bad=1
done
exit $bad
