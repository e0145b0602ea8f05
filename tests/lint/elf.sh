#!/bin/bash
# What the linked program is: one static, position-independent, hardened file.
cd "$(dirname "$0")/../.." || exit 1
. tests/lint/tap.sh
bin=ringfence
h=$(readelf -hW $bin 2>&1) l=$(readelf -lW $bin 2>&1) d=$(readelf -dW $bin 2>&1)
has() { grep -qE "$2" <<<"$1" || echo "missing: $2"; }
hasnt() { grep -E "$2" <<<"$1"; }
result "position independent" "$(has "$h" 'Type: +DYN')"
result "needs no library" "$(hasnt "$d" 'NEEDED')"
result "needs no loader" "$(hasnt "$l" 'INTERP')"
result "relocations are read-only once started" "$(has "$l" 'GNU_RELRO'; has "$d" 'BIND_NOW|FLAGS.*NOW')"
result "the stack isn't executable" "$(has "$(grep GNU_STACK <<<"$l")" 'RW +0x'; hasnt "$(grep GNU_STACK <<<"$l")" 'RWE')"
result "the stack is guarded" "$(has "$(nm $bin)" '__stack_chk_fail')"
result "string functions know their buffers (FORTIFY)" "$(has "$(nm $bin)" ' __(vsnprintf|memcpy|read|snprintf)_chk')"
# The C library's objects aren't marked, and so the program isn't; ours begin with what CET lands on.
result "our functions begin with landing marks (CET)" \
	"$(has "$(objdump -d --no-show-raw-insn --disassemble=spec_parse $bin)" endbr64)"
size() {
	local s
	s=$(mktemp)
	strip -o "$s" $bin
	stat -c %s "$s"
	rm -f "$s"
}
result "2.5 MB or less, stripped" "$(size | awk '$1 > 2621440 { print $1 " bytes" }')"
finish
