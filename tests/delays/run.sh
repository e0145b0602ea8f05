#!/bin/bash
# make delays: which unit tests rely on somebody being quick.
#
#   tests/delays/run.sh [NAME…]       of tests/unit/test_NAME.c; all without one. TAP on standard output
#
# Each program runs under strace(1) once for each of SETTINGS, "FIRST+STEP": of every thread the call with the
# number FIRST that waits for somebody, and each STEPth after it, comes back 1 ms late. Between two that wait for
# the same, habit gives an order and nothing else does: so it is another one. Starving threads of processors
# finds far less, for it seldom falls between such a call and what follows. Yet what passes proves little: the
# race that this was made for, one message of a test, shows in about one run of five.
#
# Environment: SETTINGS ("1+2 2+2 2+3"), LIMIT (seconds for a program, 150).
set -uo pipefail

cd "$(dirname "$0")/../.." || exit 1
calls=recvfrom,recvmsg,read,poll,ppoll,epoll_wait,accept4,futex,wait4,waitid
limit=${LIMIT:-150}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
n=0

# late NAME SETTING
late() {
	local rc
	n=$((n + 1))
	timeout -k 5 "$limit" strace -f -qq -o /dev/null -e "trace=$calls" -e "inject=$calls:delay_exit=1000:when=$2" \
		"build/unit/test_$1" >"$log" 2>&1
	rc=$?
	# What was not through may have failed before.
	if [[ $rc = @(124|137) ]] && ! grep -q 'FAILED' "$log"; then
		echo "ok $n $1, $2 # SKIP it isn't through after $limit s"
	elif [ "$rc" = 0 ]; then
		echo "ok $n $1, $2"
	else
		echo "not ok $n $1, $2: ended with $rc"
		grep -E 'error: |FAILED' "$log" | sed 's/^/# /'
	fi
}

names=("$@")
[ $# -gt 0 ] || for f in tests/unit/test_*.c; do
	f=${f##*/test_}
	names+=("${f%.c}")
done
for name in "${names[@]}"; do
	for setting in ${SETTINGS:-1+2 2+2 2+3}; do
		late "$name" "$setting"
	done
done
echo "1..$n"
