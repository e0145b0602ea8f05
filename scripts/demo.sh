#!/bin/bash
# The main job, seen working: makes a root file system from busybox, runs a
# container in it and shows its walls. Ends with an error when one isn't there.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
rf=$top/ringfence
work=$top/.cache/demo
id=demo-$$
say() { printf '\n== %s\n' "$*"; }
fail() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}
cleanup() { "$rf" --root "$work/state" delete --force "$id" >/dev/null 2>&1 || true; }
trap cleanup EXIT

say "A root file system: busybox from Debian, $work/bundle/rootfs"
rm -rf "$work"
mkdir -p "$work"/bundle/rootfs/{bin,etc,proc,sys,dev,tmp,run,root}
cp "$(command -v busybox)" "$work/bundle/rootfs/bin/busybox"
for applet in sh id hostname ps ls cat mount grep sleep head wc dd sort echo touch awk; do
	ln -s busybox "$work/bundle/rootfs/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/tmp:/bin/sh\n' >"$work/bundle/rootfs/etc/passwd"
printf 'root:x:0:\nguest:x:1000:\n' >"$work/bundle/rootfs/etc/group"
cat >"$work/bundle/rootfs/bin/show" <<'GUEST'
#!/bin/sh
echo "host name        $(hostname)"
echo "user             $(id)"
echo "process 1        $(cat /proc/1/comm), $(ls -d /proc/[0-9]* | wc -l) processes in sight"
echo "root             $(grep ' / ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1), $(wc -l </proc/mounts) mounts"
echo "devices          $(ls /dev | head -30 | awk '{ printf "%s ", $0 }')"
echo "capabilities     $(grep CapEff /proc/self/status)"
echo "kernel sysctls   $(touch /proc/sys/kernel/hostname 2>/dev/null && echo writable || echo read-only)"
echo "masked file      $(wc -c </proc/keys) bytes of /proc/keys"
echo "network          $(awk 'NR > 2 { printf "%s ", $1 }' /proc/net/dev)"
echo "processes limit  $( (for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 2 & done) 2>&1 | grep -c fork | awk '{ print ($1 ? "a fork was refused" : "no fork was refused") }')"
GUEST
chmod +x "$work/bundle/rootfs/bin/show"

say "Its specification: ringfence spec, with limits of 16 processes and 32 MiB"
"$rf" spec -b "$work/bundle"
edit() { sed -i "$1" "$work/bundle/config.json"; }
edit 's/"terminal": true/"terminal": false/'
edit 's/"hostname": "[^"]*"/"hostname": "behind-the-fence"/'
edit 's/^\(\t*\)"resources": {/&\n\1\t"memory": {"limit": 33554432},\n\1\t"pids": {"limit": 16},/'
edit '/"args": \[/,/\]/c\		"args": ["/bin/sh", "-c", "exec /bin/show"],'

say "ringfence explain: what a create will do (first lines)"
"$rf" --root "$work/state" explain -b "$work/bundle" "$id" | head -24

say "ringfence run: the container looks around"
"$rf" --root "$work/state" run -b "$work/bundle" "$id" </dev/null | tee "$work/seen"
grep -q 'host name *behind-the-fence' "$work/seen" || fail "the host name isn't its own"
grep -q 'process 1 *sh\|process 1 *show' "$work/seen" || fail "the container's program isn't process 1"
grep -q 'root  *ro' "$work/seen" || fail "the root isn't read-only"
grep -q 'sysctls *read-only' "$work/seen" || fail "sysctls are writable"
grep -q 'masked file *0 bytes' "$work/seen" || fail "/proc/keys isn't masked"
grep -q 'CapEff:.*0000000020000420' "$work/seen" || fail "capabilities aren't the specification's"

if grep -qw pids /proc/self/cgroup || grep -qw pids /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
	grep -q 'a fork was refused' "$work/seen" || fail "the process limit doesn't hold"
	say "The memory limit: a program that wants 200 MiB"
	edit '/"args": \[/c\		"args": ["/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1"],'
	code=0
	"$rf" --root "$work/state" run -b "$work/bundle" "$id" </dev/null 2>/dev/null || code=$?
	[ "$code" -ne 0 ] || fail "the memory limit doesn't hold"
	echo "ended with $code: killed by the limit"
else
	echo "(this host has no pids controller: limits aren't shown)"
fi
[ -z "$("$rf" --root "$work/state" list -q)" ] || fail "a container is left"
say "All walls stand, and nothing is left."
