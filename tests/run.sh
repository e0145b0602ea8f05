#!/bin/bash
# The test suite. Every part yields TAP; the last line sums up.
#
#   tests/run.sh                      all parts
#   PARTS="lint unit" tests/run.sh    only these
#   FILES="exec.bats" tests/run.sh    only these bats files
#
# A part that prints no test counts as failed, and so does a test that the plan counts and no line
# answers for (bats 1.8 drops the line of some that it has to kill): silence proves nothing.
set -uo pipefail

cd "$(dirname "$0")/.." || exit 1
results=$PWD/build/results
mkdir -p "$results"
export RINGFENCE=${RINGFENCE:-$PWD/ringfence}

# No test may take longer; one that hangs fails.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-60}

all="lint unit asan fuzz bats-hybrid bats-v1 package differential bats-v2 bats-asan host-vm"
# Each brings a daemon and namespaces of its own; in which view it stands makes no difference to it.
one_view="guest-kernel.bats guest-init.bats docker.bats containerd.bats cri.bats podman.bats podman-checkpoint.bats podman-pods.bats podman-rootless.bats podman-work.bats buildah.bats cri-o.bats"
microvm_files="microvm.bats microvm-hostile.bats microvm-verbs.bats microvm-faults.bats microvm-network.bats microvm-engines.bats microvm-pods.bats microvm-podman-pods.bats microvm-kernel.bats microvm-work.bats microvm-checkpoint.bats"
microvm_files+=" microvm-cri.bats microvm-cri-o.bats microvm-docker.bats"
microvm_files+=" lifecycle.bats exec.bats run.bats process.bats terminal.bats"
asan_files="lifecycle.bats bad-config.bats spec.bats"

# The programs of a folder, one after the other, as one stream of TAP.
programs() {
	local p
	for p in "$1"/test_*; do
		[ -x "$p" ] && [ ! -d "$p" ] || continue
		echo "# ${p##*/}"
		# cmocka writes a skip as "not ok N # SKIP".
		CMOCKA_MESSAGE_OUTPUT=TAP timeout 120 "$p" 2>&1 | sed 's/^not ok \([0-9]* # SKIP\)/ok \1/'
		local rc=${PIPESTATUS[0]}
		# A program that dies early prints no "not ok" of its own.
		[ "$rc" = 0 ] || echo "not ok - ${p##*/} ended with $rc"
	done
}

bats_in() {
	local view=$1 f paths=()
	shift
	for f in "$@"; do
		paths+=("tests/bats/${f##*/}")
	done
	[ "${#paths[@]}" -gt 0 ] || for f in tests/bats/*.bats; do
		[ "$view" != hybrid ] && [[ " $one_view " == *" ${f##*/} "* ]] || paths+=("$f")
	done
	tests/views/run.sh "$view" bats --tap "${paths[@]}" 2>&1
}

part() {
	local f
	case $1 in
	lint)
		for f in tests/lint/layers.sh $(find tests/lint -name '*.sh' ! -name layers.sh ! -name tap.sh | sort); do
			"$f" 2>&1
		done
		;;
	unit)
		make --no-print-directory unit-build >"$results/unit.build" 2>&1 || build_failed unit
		programs build/unit
		;;
	asan)
		make --no-print-directory asan-build >"$results/asan.build" 2>&1 || build_failed asan
		# Programs that fork on purpose leave memory to the kernel: leaks are the arena's subject.
		ASAN_OPTIONS=detect_leaks=0 programs build/asan/unit
		;;
	fuzz)
		make --no-print-directory build/fuzz/replay >"$results/fuzz.build" 2>&1 || build_failed fuzz
		build/fuzz/replay 2>&1 || [ "$?" = 1 ] || echo "not ok - the replay of inputs came to its end"
		;;
	bats-hybrid | bats-v1 | bats-v2)
		# shellcheck disable=SC2086 # a list of words
		bats_in "${1#bats-}" ${FILES:-}
		;;
	package)
		# The view's mounts are private: what others mount meanwhile isn't taken for ours.
		tests/views/run.sh hybrid bats --tap tests/package/*.bats 2>&1
		;;
	differential)
		# Both peers start in this view.
		tests/views/run.sh v1 bats --tap tests/differential/*.bats 2>&1
		;;
	bats-asan)
		make --no-print-directory asan-build >"$results/asan.build" 2>&1 || build_failed asan
		# shellcheck disable=SC2086
		RINGFENCE=$PWD/build/asan/ringfence ASAN_OPTIONS=detect_leaks=0 bats_in hybrid ${FILES:-$asan_files}
		;;
	host-vm)
		# shellcheck disable=SC2086
		tests/host-vm/run.sh ${FILES:-} 2>"$results/host-vm.console"
		;;
	# Not among all: what it says of the tests changes with the tests alone (make holes).
	holes)
		make --no-print-directory unit-build >"$results/unit.build" 2>&1 || build_failed unit
		unshare -m --propagation private tests/holes/run.sh
		;;
	# Not among all: it takes long, and what passes proves little (make delays).
	delays)
		make --no-print-directory unit-build >"$results/unit.build" 2>&1 || build_failed unit
		# shellcheck disable=SC2086
		tests/delays/run.sh ${FILES:-}
		;;
	# Not among all: the same file runs there, with fewer rounds (make races).
	races)
		bats_in hybrid races.bats
		;;
	# Not among all yet: nested emulation is slow (make check-microvm).
	microvm)
		# The suite's heart over the other wall; RF_WALL=microvm tests/host-vm/run.sh runs all that there is.
		{ scripts/deps.sh kernel && scripts/guest-kernel.sh build/guest/vmlinux; } >"$results/kernel.build" 2>&1 ||
			echo "not ok - the guest's kernel is built: $(tail -n 1 "$results/kernel.build")"
		# shellcheck disable=SC2086
		RF_WALL=microvm tests/host-vm/run.sh ${FILES:-$microvm_files} 2>"$results/microvm.console"
		;;
	*)
		echo "not ok - no part is called $1 (there are: $all)"
		;;
	esac
}

build_failed() {
	echo "not ok - the $1 programs build"
	grep -m 20 -E 'error|undefined|\*\*\*' "$results/$1.build" | sed 's/^/# /'
}

count() {
	grep -cE "$1" "$2" || true
}

# planned FILE: how many results its plans promise.
planned() { awk -F'[.]+' '/^1[.][.][0-9]+/ { n += $2 } END { print n + 0 }' "$1"; }

passed=0 failed=0 skipped=0
for p in ${PARTS:-$all}; do
	tap=$results/$p.tap
	begin=$SECONDS
	part "$p" >"$tap"
	bad=$(count '^not ok' "$tap")
	skip=$(count '^ok .*# [sS][kK][iI][pP]' "$tap")
	good=$(($(count '^ok' "$tap") - skip))
	if [ $((good + bad + skip)) = 0 ]; then
		bad=1
		echo "not ok - $p printed no test" >>"$tap"
	fi
	lost=$(($(planned "$tap") - good - bad - skip))
	if [ "$lost" -gt 0 ]; then
		bad=$((bad + lost))
		echo "not ok - $lost tests of $p ended without a result" >>"$tap"
	fi
	printf '  %-12s %4d passed, %d failed, %d skipped  (%d s)\n' "$p" "$good" "$bad" "$skip" $((SECONDS - begin))
	# Each failure with what it printed; each skip with its reason.
	awk '/^not ok/ { show = 1; print "    " $0; next }
		/^ok .*# [sS][kK][iI][pP]/ { show = 0; print "    " $0; next }
		/^ok/ { show = 0; next }
		show && /^#/ { print "      " $0 }' "$tap"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
done
[ -n "${PARTS:-}${FILES:-}" ] || tests/figures.sh
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
