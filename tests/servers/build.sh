#!/bin/bash
# Makes a Debian root from packages, for what the engines' tests run under limits.
#
#   tests/servers/build.sh [ROOT]     prints the folder that holds root/, and of servers root.tar
#
#   servers    PostgreSQL with pgbench, nginx with wrk, Redis with redis-benchmark (the default)
#   packages   what builds Debian's packages
#   init       systemd as process 1
#
# Cached by the content of this file, as the host VM's root is. Nobody may write into root/.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${RINGFENCE_CACHE:-/var/cache/ringfence}
key=$(sha256sum <"$here/build.sh" | cut -c1-16)
kind=${1:-servers}
out=$cache/$kind-$key

# No pages to read, no other languages; of perl no more than its base, but where packages are built.
lean=(--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*'
	--dpkgopt='path-exclude=/usr/share/locale/*')
case $kind in
servers)
	include=postgresql-15,nginx-light,redis-server,redis-tools,wrk,busybox-static
	lean+=(--dpkgopt='path-exclude=/usr/lib/*/perl/*')
	;;
packages) include=build-essential,debhelper,fakeroot ;;
init) include=systemd,systemd-sysv,dbus ;;
*)
	echo "servers: no root is called $kind (there are: servers packages init)" >&2
	exit 2
	;;
esac

if [ -f "$out/ready" ]; then
	echo "$out"
	exit 0
fi

mkdir -p "$cache"
# Two that ask at once: the second finds the first one's work.
exec 9>"$cache/$kind.lock"
flock 9
[ ! -f "$out/ready" ] || { echo "$out"; exit 0; }
work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^http/) { print $i; exit } }' \
	/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)

echo "  SERVERS a Debian root with ${include//,/, } (about half a minute)" >&2
mmdebstrap --mode=root --variant=minbase \
	--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' \
	--dpkgopt=force-unsafe-io "${lean[@]}" --include="$include" \
	bookworm "$work/root" "${mirror:-http://deb.debian.org/debian}" >"$work/mmdebstrap.log" 2>&1 9>&- || {
	grep -v "^Get:\|^Selecting\|^Preparing\|^Unpacking\|^Setting up" "$work/mmdebstrap.log" >&2
	exit 1
}
rm -rf "$work"/root/var/{cache/apt,lib/apt/lists}/*

# A cluster that is begun once, a page, and all of it as a file that an engine imports.
finish_servers() {
	rm -rf "$work"/root/var/{lib/postgresql,log/postgresql}/* "$work"/root/etc/postgresql/*
	mkdir -p "$work/root/srv/pg" "$work/root/srv/www"
	chroot "$work/root" sh -ec 'chown postgres: /srv/pg
		exec setpriv --reuid postgres --regid postgres --clear-groups /usr/lib/postgresql/15/bin/initdb -D /srv/pg -N -A trust' >/dev/null 9>&-
	cat >"$work/root/srv/nginx.conf" <<'C'
daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 256; }
http {
	access_log off;
	server { listen 80; location / { root /srv/www; } }
}
C
	head -c 4096 /dev/zero | tr '\0' x >"$work/root/srv/www/index.html"
	tar -C "$work/root" -cf "$work/root.tar" .
}

# What an engine writes there is in nobody's way when it is there already, and empty.
finish_init() {
	: >"$work/root/etc/machine-id"
	echo rft >"$work/root/etc/hostname"
}
finish_packages() { :; }

"finish_$kind"
touch "$work/ready"
rm "$work/mmdebstrap.log"
chmod 755 "$work"
mv "$work" "$out"
echo "$out"
