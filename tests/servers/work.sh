#!/bin/bash
# Makes a small root for work in a VM that has to be given it: PostgreSQL with pgbench, nginx with wrk, and
# Debian packages for apt to install from a folder. What there is of build.sh's servers, without what they don't
# need.
#
#   tests/servers/work.sh      prints the folder that holds root/
#
# Cached by the content of this file and the servers' root. Nobody may write into root/.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${RINGFENCE_CACHE:-/var/cache/ringfence}
servers=$("$here/build.sh" servers)
key=$({ cat "$here/work.sh" && echo "${servers##*/}"; } | sha256sum | cut -c1-16)
out=$cache/work-$key

if [ -f "$out/ready" ]; then
	echo "$out"
	exit 0
fi

# Two that ask at once: the second finds the first one's work.
exec 9>"$cache/work.lock"
flock 9
[ ! -f "$out/ready" ] || { echo "$out"; exit 0; }
work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "  SERVERS a small root for a VM" >&2

# No compiler in the database, no other languages; the database is made anew, its log in small pieces.
mkdir "$work/root"
tar -C "$servers/root" -cf - --one-file-system --exclude=./usr/lib/llvm* --exclude=./usr/lib/*/libLLVM* \
	--exclude=./usr/lib/*/libz3* --exclude=./usr/lib/postgresql/15/lib/bitcode --exclude=./usr/share/perl \
	--exclude=./usr/share/perl5 --exclude=./usr/share/i18n --exclude=./usr/lib/*/gconv --exclude=./srv/pg/* \
	--exclude=./usr/share/zoneinfo/posix --exclude=./usr/share/zoneinfo/right . | tar -C "$work/root" -xpf -
chroot "$work/root" setpriv --reuid postgres --regid postgres --clear-groups \
	/usr/lib/postgresql/15/bin/initdb -D /srv/pg -N -A trust --locale=C --wal-segsize=1 >/dev/null

mkdir "$work/root/srv/debs"
cd "$work/root/srv/debs"
# The list of packages may never have been read here, or long ago.
get=(apt-get -q download tree ed less make)
"${get[@]}" >"$work/log" 2>&1 || { apt-get -q update && "${get[@]}"; } >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
dpkg-scanpackages -m . >Packages 2>/dev/null
echo 'deb [trusted=yes] file:/srv/debs ./' >"$work/root/etc/apt/sources.list"
rm -f "$work/log" "$work/root"/etc/apt/sources.list.d/*
touch "$work/ready"
chmod 755 "$work"
mv "$work" "$out"
echo "$out"
