#!/bin/bash
# What the security of this program is in numbers: each with what is aimed at, counted from the tree, from the
# linked program, or from what the last runs left in build/results. Nothing is written down here but the aims.
#
# It judges nothing else: a figure that isn't met is said to be so, and docs/security.md says why.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
results=build/results

# row WHAT AIM HERE MET(0: yes)
row() {
	local met="met"
	[ "$4" = 0 ] || met="not met"
	[[ $3 != *"not run here"* ]] || met="-"
	printf '  %-48s %-25s %-48s %s\n' "$1" "$2" "$3" "$met"
}
truth() { if "$@"; then echo 0; else echo 1; fi; }
# tap FILE…: "passed failed" of what a part printed; empty where it hasn't run.
tap() { [ ! -f "$results/$1.tap" ] || awk '/^ok/ && !/# [sS][kK][iI][pP]/ { y++ } /^not ok/ { n++ } END { print y + 0, n + 0 }' "$results/$1.tap"; }

# said "N M" WORD WORD: the two with their words, or that there is nothing.
said() { if [ -n "$1" ]; then echo "${1% *} $2, ${1#* } $3"; else echo "not run here"; fi; }

# --- attacks: the table of docs/security.md, each name looked up ---

# exists NAME: a test, a fuzz target or a hole of that name.
exists() {
	case $1 in
	*.bats:*) [ -f "tests/bats/${1%%: *}" ] && grep -qF "@test \"${1#*: }" "tests/bats/${1%%: *}" ;;
	fuzz_*) [ -f "tests/fuzz/$1.c" ] ;;
	test_*) [ -f "tests/unit/$1.c" ] ;;
	*) [ -f "tests/holes/$1.patch" ] ;;
	esac
}
names() { grep -o '`[^`]*`' <<<"$1" | tr -d '`'; }

attacks() {
	local shown bites name rows=0 tested=0 bite=0 lost=""
	while IFS='|' read -r _ _ shown bites _; do
		rows=$((rows + 1))
		[ -z "$(names "$shown")" ] || tested=$((tested + 1))
		[ -z "$(names "$bites")" ] || bite=$((bite + 1))
		while read -r name; do
			[ -z "$name" ] || exists "$name" || lost+="no $name; "
		done < <(names "$shown"; names "$bites")
	done < <(sed -n '/^## Each attack/,/^## /{/^| /p}' docs/security.md | tail -n +2)
	row "attacks of the table that have a test" "every one" "$tested of $rows${lost:+; $lost}" "$(truth [ "$tested$lost" = "$rows" ])"
	row "… whose test is shown to bite" "every one" "$bite of $rows" "$(truth [ "$bite" = "$rows" ])"
}

holes() {
	local all ran
	all=$(find tests/holes -name '*.patch' | wc -l)
	ran=$(tap holes)
	row "defences taken away, and a test notices" "all $all" "$(said "$ran" noticed not)" \
		"$(truth [ "$ran" = "$all 0" ])"
}

# of_file FILE.bats TAP: "results failures" of its tests in what a run printed.
of_file() {
	local name n=0 bad=0
	while read -r name; do
		n=$((n + $(grep -E '^(not )?ok' "$2" | grep -cF " $name")))
		bad=$((bad + $(grep '^not ok' "$2" | grep -cF " $name")))
	done < <(sed -n 's/^@test "\(.*\)" {.*/\1/p' "tests/bats/$1" | sed 's/\\\(.\)/\1/g')
	echo "$n $bad"
}

# --- races: "# raced N: X times, Y made" ---

races() {
	local from=$results/bats-hybrid.tap all n least made bad
	[ ! -f $results/races.tap ] || from=$results/races.tap
	all=$(grep -c '^@test' tests/bats/races.bats)
	if grep -qs '^# raced' "$from"; then
		read -r n least made < <(awk '/^# raced/ { n++; if (!least || $4 < least) least = $4; made += $6 } END { print n, least, made }' "$from")
		bad=$(of_file races.bats "$from")
		row "races: starts for each swapped name" "500 for each, 0 escapes" "$n of $all names, $least each, $made made, ${bad#* } escapes" \
			"$(truth [ "$least" -ge 500 -a "$n" = "$all" -a "${bad#* }" = 0 ])"
	else
		row "races: starts for each swapped name" "500 for each, 0 escapes" "not run here (make races)" 1
	fi
}

# --- what the suite found ---

faults() {
	local ran="0 0"
	[ ! -f $results/bats-hybrid.tap ] || ran=$(of_file faults.bats $results/bats-hybrid.tap)
	[ "${ran% *}" -gt 0 ] || ran=""
	row "left or hanging after a fault (sample)" "0" "$(said "$ran" "kinds of faults pass" fail)" "$(truth [ "${ran#* }" = 0 ])"
}

campaign() {
	local points left hung verbs kinds configs what=""
	[ ! -f $results/fault ] || read -r points left hung verbs kinds configs <$results/fault
	[ -z "${points:-}" ] || what="$points points ($verbs verbs, $kinds faults, $configs bundles): $((left + hung))"
	row "left or hanging, struck at every call" "0" "${what:-not run here (make fault)}" "$(truth [ "${points:+$((left + hung))}" = 0 ])"
}

soaks() {
	local bad what=""
	[ ! -f $results/soak ] || read -r bad what <$results/soak
	[ -z "$what" ] || what="$bad ($what)"
	row "soak: left, hanging or growing" "0" "${what:-not run here (make soak)}" "$(truth [ "${bad:-}" = 0 ])"
}

fuzz() {
	local n kept ran
	n=$(find tests/fuzz -name 'fuzz_*.c' | wc -l)
	kept=$(find tests/fuzz/crashes -type f 2>/dev/null | wc -l)
	ran=$(tap fuzz)
	row "fuzz targets" "12" "$n; $kept inputs kept; replay: $(said "$ran" pass fail)" "$(truth [ "$n" -ge 12 -a "${ran#* }" = 0 ])"
}

sanitizers() {
	local unit bats
	unit=$(tap asan) bats=$(tap bats-asan)
	row "under AddressSanitizer and UBSan" "unit and bats, 0 reports" \
		"unit: $(said "$unit" pass fail); bats: $(said "$bats" pass fail)" "$(truth [ "${unit#* } ${bats#* }" = "0 0" ])"
}

analysis() {
	local ran
	ran=$(tap lint)
	row "static analysis: compiler, clang-tidy, cppcheck" "nothing unexplained" "$(said "$ran" "checks pass" fail)" "$(truth [ "${ran#* }" = 0 ])"
	row "static analysis: gcc's -fanalyzer" "run" "$(grep -qs -- -fanalyzer Makefile mk/*.mk tests/lint/*.sh && echo run || echo "not run")" \
		"$(truth grep -qs -- -fanalyzer Makefile mk/*.mk tests/lint/*.sh)"
}

# --- the linked program ---

flag() {
	local what=$1
	shift
	row "ELF: $what" "yes" "$("$@" >/dev/null 2>&1 && echo yes || echo no)" "$(truth "$@")"
}
hardening() {
	local h l d n
	h=$(readelf -hW ringfence) l=$(readelf -lW ringfence) d=$(readelf -dW ringfence) n=$(nm ringfence)
	has() { grep -qE "$2" <<<"$1"; }
	is_static_pie() { has "$h" 'Type: +DYN' && ! has "$l" INTERP; }
	is_relro() { has "$l" GNU_RELRO && has "$d" 'BIND_NOW|FLAGS.*NOW'; }
	is_nx() { has "$(grep GNU_STACK <<<"$l")" 'RW +0x'; }
	is_cet() { readelf -nW ringfence | grep -q 'IBT.*SHSTK'; }
	is_marked() { [ "$(objdump -d --no-show-raw-insn --disassemble=main ringfence | grep -c endbr64)" -gt 0 ]; }
	is_fortified() { has "$n" '_chk$' && has "$n" '__vsnprintf_chk|__snprintf_chk|__vsnprintf_internal'; }
	flag "static, position independent" is_static_pie
	flag "full RELRO, bound at start" is_relro
	flag "stack not executable" is_nx
	flag "stack protector" has "$n" __stack_chk_fail
	flag "FORTIFY" is_fortified
	flag "CET: our code has landing marks" is_marked
	flag "CET: the whole program is marked" is_cet
}

# --- the monitor ---

monitor() {
	local name n most ns have=""
	if [ -x build/unit/test_vm_jail ]; then
		while read -r name n most; do
			row "system calls of the monitor's $name" "at most $most" "$n" "$(truth [ "$n" -le "$most" ])"
		done < <(build/unit/test_vm_jail 2>/dev/null | sed -n 's/^# calls of \([a-z]*\): \([0-9]*\), at most \([0-9]*\)/\1 \2 \3/p')
	else
		row "system calls of the monitor's threads" "30 on vCPU, 50 elsewhere" "not built (make unit)" 1
	fi
	for ns in USER NS PID NET; do
		! grep -q "CLONE_NEW$ns\b" microvm/jail.c microvm/monitor.c runtime/microvm_launch.c || have+="$ns "
	done
	row "namespaces of the monitor's own" "USER NS PID NET" "$have" "$(truth [ "$have" = "USER NS PID NET " ])"
}

echo "  security in figures (docs/security.md):"
attacks
holes
races
faults
campaign
soaks
fuzz
sanitizers
analysis
hardening
monitor
