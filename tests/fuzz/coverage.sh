#!/bin/bash
# Lines that the targets' inputs reach: seeds, kept inputs, and what `make fuzz` has found so far.
#
#	tests/fuzz/coverage.sh PROGRAM      PROGRAM: the replay program, built for coverage
set -euo pipefail

cd "$(dirname "$0")/../.." || exit 1
program=$1
# Absolute: a target may leave the directory.
work=$PWD/build/cover/profile
rm -rf "$work"
mkdir -p "$work" build/fuzz

# %p: each target runs in a process of its own.
LLVM_PROFILE_FILE=$work/seeds-%p.profraw "$program" -n 0 >"$work/replay.tap" || {
	cat "$work/replay.tap" >&2
	exit 1
}
for corpus in build/fuzz/corpus/*/; do
	[ -d "$corpus" ] || continue
	target=$(basename "$corpus")
	# Most inputs are small; many at a time.
	find "$corpus" -type f -print0 | LLVM_PROFILE_FILE=$work/$target-%p.profraw xargs -0 -r -n 2000 "$program" -f "$target"
done
find "$work" -name '*.profraw' -print0 | xargs -0 llvm-profdata merge -sparse -o "$work/all.profdata"

# table TITLE FILE…: lines that can be reached and those that were.
table() {
	local title=$1
	shift
	echo "$title"
	llvm-cov export -summary-only -instr-profile "$work/all.profdata" "$program" "$@" |
		jq -r --arg here "$PWD/" '.data[0] | (.files[] | [(.filename | ltrimstr($here)), .summary.lines.covered, .summary.lines.count]),
			["all of it", .totals.lines.covered, .totals.lines.count] | @tsv' |
		awk -F'\t' '{ printf "  %-24s %5d of %5d lines  %5.1f %%\n", $1, $2, $3, $3 ? 100 * $2 / $3 : 0 }'
}
table "the specification (spec/)" spec/*.c
table "virtqueues and transport" microvm/queue.c microvm/virtio.c microvm/virtio_state.c microvm/iov.c
table "the file server (microvm/fs_*.c)" microvm/fs_*.c
table "devices" microvm/dev_*.c microvm/vsock_stream.c microvm/blk_io.c
table "qcow2, inflate, frames" microvm/qcow2.c microvm/inflate.c microvm/proto.c
